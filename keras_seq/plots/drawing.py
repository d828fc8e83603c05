"""Shared parts of all plots: fonts, axes, colors, validation.

matplotlib's default font has no Hangul, so Korean text needs another font: an
installed one, or the one of the package koreanize-matplotlib.

Colors: Okabe & Ito (2008), "Color Universal Design", distinguishable with any
kind of color vision; lines also differ in marker and dashes.
"""

import importlib.util
import re
import warnings
from pathlib import Path

import keras
import numpy as np
from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.text import Text

BLUE, VERMILION, GREY = "#0072B2", "#D55E00", "#595959"
OKABE_ITO = (BLUE, VERMILION, "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = ("-", "--", "-.", ":")
KIND_DASHES = (":", "-", "--", "-.")  # train, validation, ...
SMALL, MEDIUM, LARGE = 9, 10, 12  # points; nothing is smaller
HANGUL = re.compile("[\u1100-\u11ff\u3130-\u318f\ua960-\ua97f\uac00-\ud7ff]")
HANGUL_FONTS = (
    "NanumGothic",
    "Noto Sans CJK KR",
    "Noto Sans KR",
    "Malgun Gothic",
    "Apple SD Gothic Neo",
    "AppleGothic",
    "UnDotum",
)
VISIBLE = {" ": "␣", "\n": "⏎", "\t": "⇥", "\r": "↵"}


def hangul_font():
    """Return the name of a font with Hangul for matplotlib, or None.

    Returns:
        str, or None if no Korean font is installed.
    Example:
        >>> plots.hangul_font() in (None, *plots.HANGUL_FONTS)
        True
    """
    known = set(font_manager.fontManager.get_font_names())
    for name in HANGUL_FONTS:
        if name in known:
            return name
    # Importing that package would change the global rcParams: only its font
    # file is used.
    package = importlib.util.find_spec("koreanize_matplotlib")
    if package is None:
        return None
    path = Path(package.origin).parent / "fonts" / "NanumGothic.ttf"
    if not path.exists():
        return None
    font_manager.fontManager.addfont(path)
    return "NanumGothic"


def font_family(text):
    """Return the fonts that can draw a text, preferred first.

    Warns with the package to install if `text` holds Hangul and no installed
    font does.

    Args:
        text: str, the characters to draw.
    Returns:
        list of str, names of fonts.
    Example:
        >>> plots.font_family("hello")
        ['DejaVu Sans']
    """
    family = ["DejaVu Sans"]  # comes with matplotlib
    if HANGUL.search(text):
        name = hangul_font()
        if name is None:
            warnings.warn(
                "No installed font has Hangul: Korean characters are "
                "drawn as boxes. Install one: "
                'pip install "keras_seq[tutorials]".',
                UserWarning,
                stacklevel=2,
            )
        else:
            family.append(name)
    return family


def dress(figure):
    """Set a font that has all characters on every text of a figure.

    "$" is drawn as it is, except where matplotlib writes powers of ten.
    """
    texts = figure.findobj(Text)
    family = font_family("".join(text.get_text() for text in texts))
    powers = {
        text
        for axes in figure.axes
        for axis in (axes.xaxis, axes.yaxis)
        if axis.get_scale() == "log"
        for text in axis.get_ticklabels(which="both")
    }
    for text in texts:
        text.set_fontfamily(family)
        text.set_parse_math(text in powers)
    return figure


def one_axes(width, height, **labels):
    """Return a figure and its axes, without a frame at the top and right."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.set(**labels)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=MEDIUM)
    return figure, axes


def array(name, value, shape, finite=True):
    """Return a NumPy float array with as many axes as `shape` names."""
    if not isinstance(value, (list, tuple, float, int, np.ndarray)):
        value = keras.ops.convert_to_numpy(value)
    value = np.asarray(value, "float64")
    bad = finite and not np.isfinite(value).all()
    if value.ndim != len(shape) or not value.size or bad:
        raise ValueError(
            f"`{name}` must be {'finite ' * finite}numbers of shape "
            f"({', '.join(shape)}). Received {name} of shape {value.shape}"
            f"{', not all finite' * bad}."
        )
    return value


def one_sequence(name, value, shape):
    """Return `array`; a batch of one sequence is that sequence."""
    if len(np.shape(value)) == len(shape) + 1 and np.shape(value)[0] == 1:
        value = value[0]
    return array(name, value, shape)


def check_dict(**arguments):
    """Raise a ValueError unless each argument is a dict with an entry."""
    for name, value in arguments.items():
        if not isinstance(value, dict) or not value:
            raise ValueError(
                f"`{name}` must be a dict with at least one entry. "
                f"Received {name}={value!r}."
            )


def check_length(length, **arguments):
    """Raise a ValueError unless each argument has `length` entries."""
    for name, value in arguments.items():
        if len(value) != length:
            raise ValueError(
                f"`{name}` must have {length} entries, one per step or "
                f"symbol. Received {len(value)}."
            )


def visible(text):
    """Return a label per character or str, with visible white space."""
    return ["".join(VISIBLE.get(c, c) for c in label) for label in text]


def colour(index):
    """Return the color of line number `index` as a keyword argument."""
    return {"color": OKABE_ITO[index % len(OKABE_ITO)]}


def line_look(index, points):
    """Return the color, dashes and marker of line number `index`."""
    return {
        "linestyle": DASHES[index % len(DASHES)],
        "marker": MARKERS[index % len(MARKERS)],
        "markevery": (index * points // 40, max(1, points // 10)),
        "markersize": 6,
        **colour(index),
    }


def colour_bar(image, axes, label):
    """Add a color bar with a label beside a heat map."""
    bar = axes.figure.colorbar(image, ax=axes, label=label)
    bar.ax.tick_params(labelsize=SMALL)


def legend_below(figure, columns):
    """Add a legend below the axes."""
    figure.legend(
        loc="outside lower center",
        ncols=columns,
        fontsize=MEDIUM,
        frameon=False,
    )
