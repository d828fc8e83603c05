"""Pictures: arrays in, a matplotlib Figure out.

No pyplot and no rcParams: a figure is built, dressed with a font that has its
letters, and returned; `save` writes it, and a notebook shows it by itself.
matplotlib's own font has no Hangul, so a picture with Korean text looks for
one among the installed fonts, then in the package koreanize-matplotlib.

Shapes: T steps, V vocabulary, H height, W width.
Colours: Okabe & Ito (2008), "Color Universal Design", told apart by readers
with any kind of colour vision; lines differ in marker and dashes too.
"""

import importlib.util
import re
import textwrap
import warnings
from pathlib import Path

import keras
import numpy as np
from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator

from keras_seq.checks import positive_int

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
# "$" would start a formula.
VISIBLE = {" ": "␣", "\n": "⏎", "\t": "⇥", "\r": "↵", "$": r"\$"}


def hangul_font():
    """Name of a font with Hangul that matplotlib can use, or None."""
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
    """Fonts that can draw `text`, best first: a list of names.

    A UserWarning says what to install if `text` holds Hangul and no font has.
    """
    family = ["DejaVu Sans"]  # comes with matplotlib
    if HANGUL.search(text):
        name = hangul_font()
        if name is None:
            warnings.warn(
                "No installed font has Hangul, so that Korean letters are "
                'drawn as boxes. Get one: pip install "keras_seq[tutorials]".',
                UserWarning,
                stacklevel=2,
            )
        else:
            family.append(name)
    return family


def _dress(figure):
    """Give every text of a finished figure a font that has its letters."""
    texts = figure.findobj(Text)
    family = font_family("".join(text.get_text() for text in texts))
    for text in texts:
        text.set_fontfamily(family)
    return figure


def _axes(width, height, **labels):
    """A figure with one pair of named axes, open at the top and right."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.set(**labels)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=MEDIUM)
    return figure, axes


def _array(name, value, shape, finite=True):
    """A float array in NumPy, of as many axes as `shape` names."""
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


def _one_sequence(name, value, shape):
    """The same; a batch of one sequence is taken as that sequence."""
    if len(np.shape(value)) == len(shape) + 1 and np.shape(value)[0] == 1:
        value = value[0]
    return _array(name, value, shape)


def _check_dict(**arguments):
    for name, value in arguments.items():
        if not isinstance(value, dict) or not value:
            raise ValueError(
                f"`{name}` must be a dict with at least one entry. "
                f"Received {name}={value!r}."
            )


def _check_length(length, **arguments):
    for name, value in arguments.items():
        if len(value) != length:
            raise ValueError(
                f"`{name}` must have {length} entries, one per step or "
                f"symbol. Received {len(value)}."
            )


def visible(text):
    """One label per character, or per str of a list; blanks made visible."""
    return ["".join(VISIBLE.get(c, c) for c in label) for label in text]


def gates(trace, text, names=None, units=40):
    """Draw what each gate and state did at each character of a sentence.

    Args:
        trace: dict of float (T, units) or (1, T, units), as the `trace` of a
            recurrent layer gives it.
        text: str or list of str, T labels; blanks are drawn as signs.
        names: optional list of str, what to draw, from the top. Default: all.
        units: int > 0, the most units to draw, the first ones.
    Returns:
        Figure. Gates run from 0 to 1 in one colour scale; states and
        candidates, which have a sign, in another, white at 0.
    """
    _check_dict(trace=trace)
    positive_int(units=units)
    names = list(trace if names is None else names)
    missing = [name for name in names if name not in trace]
    if missing or not names:
        raise ValueError(
            f"`names` must be among {list(trace)}. Received names={names}."
        )
    labels = visible(text)
    figure = Figure(
        figsize=(2.2 + 0.19 * max(len(labels), 16), 0.9 + 1.35 * len(names)),
        layout="constrained",
    )
    rows = figure.subplots(len(names), sharex=True, squeeze=False)[:, 0]
    for axes, name in zip(rows, names, strict=True):
        values = _one_sequence(f"trace[{name!r}]", trace[name], ("T", "units"))
        _check_length(len(values), text=labels)
        _heat_map(axes, name, values[:, :units])
    look = {"verticalalignment": "baseline"}  # commas low, as in a sentence
    if max(map(len, labels)) > 2:
        look = {"rotation": 90}
    axes.set_xticks(range(len(labels)), labels, **look)
    axes.tick_params(axis="x", pad=3 if "rotation" in look else 14)
    axes.set_xlabel("input, one step each, read from left to right")
    return _dress(figure)


def _heat_map(axes, name, values):
    """Units over steps, with a colour bar of its own."""
    gate = name.endswith("_gate") and values.min() >= 0 and values.max() <= 1
    limit = np.abs(values).max() or 1
    scale = {"cmap": "viridis", "vmin": 0, "vmax": 1}
    if not gate:
        scale = {"cmap": "PuOr", "vmin": -limit, "vmax": limit}
    image = axes.imshow(
        values.T, aspect="auto", interpolation="nearest", **scale
    )
    axes.set_title(name.replace("_", " "), loc="left", fontsize=LARGE)
    axes.set_yticks([0, values.shape[1] - 1])
    axes.set_ylabel("unit")
    axes.tick_params(length=2, labelsize=MEDIUM)
    bar = axes.figure.colorbar(
        image, ax=axes, pad=0.01, aspect=8, label="value"
    )
    bar.locator = MaxNLocator(2, symmetric=not gate)
    bar.ax.tick_params(labelsize=SMALL)


def gradient_by_lag(norms, unit="steps"):
    """Draw how much of the gradient of the last state reaches each input.

    Args:
        norms: dict of float (lags,), >= 0: the norm at lag 0, 1, 2, ...
            Each line is divided by its own first value.
        unit: str, what a lag counts.
    Returns:
        Figure, with a logarithmic axis. A norm of exactly 0 has no place on
        it: a cross on the floor marks it, and the legend says so.
    """
    _check_dict(norms=norms)
    lines = {label: _relative(label, norms[label]) for label in norms}
    figure, axes = _axes(
        7.5,
        4.5,
        yscale="log",
        xlabel=f"lag ({unit} before the last)",
        ylabel="gradient norm of the last state\n/ that at lag 0",
    )
    together = np.concatenate(list(lines.values()))
    floor = together[together > 0].min() / 10
    for index, (label, values) in enumerate(lines.items()):
        seen = np.where(values > 0, values, np.nan)
        axes.plot(seen, label=label, **_line(index, len(values)))
        lost = np.flatnonzero(values == 0)
        axes.plot(lost, np.full(len(lost), floor), "x", **_colour(index))
    if (together == 0).any():
        axes.plot([], [], "x", color=GREY, label="exactly 0 (off the scale)")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=MEDIUM, frameon=False)
    return _dress(figure)


def _relative(label, values):
    """Norms over the one at lag 0."""
    values = _array(f"norms[{label!r}]", values, ("lags",))
    if values[0] <= 0 or values.min() < 0:
        raise ValueError(
            f"`norms[{label!r}]` must be >= 0, and > 0 at lag 0. "
            f"Received {values[0]} at lag 0, {values.min()} at least."
        )
    return values / values[0]


def _colour(index):
    return {"color": OKABE_ITO[index % len(OKABE_ITO)]}


def _line(index, points):
    """The look of line number `index`: colour, dashes and marker differ."""
    return {
        "linestyle": DASHES[index % len(DASHES)],
        "marker": MARKERS[index % len(MARKERS)],
        "markevery": (index * points // 40, max(1, points // 10)),
        "markersize": 6,
        **_colour(index),
    }


def curves(
    histories,
    ylabel="loss (nats per character)",
    xlabel="epoch",
    baselines=None,
    x=None,
    log=False,
):
    """Draw learning curves beside the plain baselines they must beat.

    Args:
        histories: dict of float (epochs,), or of a dict of such, one for
            each kind, like {"train": ..., "validation": ...}. A loss that
            is not finite leaves a gap.
        ylabel, xlabel: str, what is counted, with its unit.
        baselines: optional dict of float, drawn as dashed level lines.
        x: optional float (epochs,), where the points stand. Default 1, 2, ...
        log: bool, a logarithmic y axis. Default False.
    Returns:
        Figure. A colour and marker for each history, dashes for each kind.
    """
    _check_dict(histories=histories)
    figure, axes = _axes(7.5, 4.5, xlabel=xlabel, ylabel=ylabel)
    for index, (label, kinds) in enumerate(histories.items()):
        if not isinstance(kinds, dict):
            kinds = {"": kinds}
        dashes = KIND_DASHES if len(kinds) > 1 else ("-",)
        for number, (kind, values) in enumerate(kinds.items()):
            name = f"histories[{label!r}]"
            values = _array(name, values, ("epochs",), finite=False)
            look = _line(index, len(values))
            look["linestyle"] = dashes[number % len(dashes)]
            look["label"] = f"{label}, {kind}" if kind else label
            at = np.arange(1, len(values) + 1) if x is None else x
            axes.plot(at, values, **look)
    if x is None:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    else:
        axes.set_xticks(x)
    axes.set_yscale("log" if log else "linear")
    _level_lines(axes, baselines or {})
    _legend_below(figure, min(len(histories), 4))
    return _dress(figure)


def _level_lines(axes, baselines):
    """Dashed lines, named at the right edge, no name over another."""
    for value in baselines.values():
        axes.axhline(value, color=GREY, linestyle="--", linewidth=1)
    low, high = axes.get_ylim()
    place = low
    for label, value in sorted(baselines.items(), key=lambda item: item[1]):
        place = max(value, place + (high - low) / 18)
        axes.text(
            1.01,
            place,
            f"{label} {value:.3g}",
            transform=axes.get_yaxis_transform(),
            verticalalignment="center",
            color=GREY,
            fontsize=MEDIUM,
        )


def _legend_below(figure, columns):
    figure.legend(
        loc="outside lower center",
        ncols=columns,
        fontsize=MEDIUM,
        frameon=False,
    )


def probabilities(steps, symbols, inputs):
    """Draw the distribution that a small model gives at each step.

    Args:
        steps: float (T, V) or (1, T, V), each row in [0, 1] with sum 1.
        symbols: str or list of str, the V symbols of the vocabulary.
        inputs: str or list of str, what the model read at each of T steps.
    Returns:
        Figure, a row per step, the likeliest symbol of each row framed.
    """
    steps = _one_sequence("steps", steps, ("T", "V"))
    if steps.min() < 0 or np.abs(steps.sum(axis=1) - 1).max() > 1e-3:
        raise ValueError(
            "`steps` must be probabilities, each row with sum 1. "
            f"Received rows with sums {steps.sum(axis=1)}."
        )
    _check_length(steps.shape[1], symbols=symbols)
    _check_length(steps.shape[0], inputs=inputs)
    figure, axes = _axes(
        2.2 + 0.7 * len(symbols),
        1.0 + 0.5 * len(inputs),
        xlabel="next symbol",
        ylabel="symbol read",
    )
    image = axes.imshow(steps, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(symbols)), visible(symbols))
    axes.set_yticks(range(len(inputs)), visible(inputs))
    _write_numbers(axes, steps)
    bar = figure.colorbar(image, ax=axes, label="probability")
    bar.ax.tick_params(labelsize=SMALL)
    return _dress(figure)


def _write_numbers(axes, steps):
    """A number in each cell, and a frame around the largest of each row."""
    for (row, column), value in np.ndenumerate(steps):
        axes.text(
            column,
            row,
            f"{value:.2f}",
            color="white" if value > 0.65 else "black",
            horizontalalignment="center",
            verticalalignment="center",
            fontsize=MEDIUM,
        )
    for row, column in enumerate(steps.argmax(axis=1)):
        corner = (column - 0.47, row - 0.46)
        axes.add_patch(
            Rectangle(corner, 0.94, 0.92, fill=False, lw=2.5, ec=VERMILION)
        )


def bars(values, baselines, ylabel, title=""):
    """Draw what each task reached beside its plain baseline.

    Args:
        values: dict of float, one for each task.
        baselines: dict of float for some or all of the same tasks.
        ylabel: str, what is counted, with its unit.
        title: str.
    Returns:
        Figure, with the number over each bar.
    """
    _check_dict(values=values)
    for name, group in (("values", values), ("baselines", baselines)):
        for label, value in group.items():
            _array(f"{name}[{label!r}]", value, ())
    strangers = [label for label in baselines if label not in values]
    if strangers:
        raise ValueError(
            "`baselines` must be of tasks that `values` has. "
            f"Received {strangers}."
        )
    figure, axes = _axes(1.5 + 1.5 * len(values), 4, ylabel=ylabel, title=title)
    grey = {"color": "#B3B3B3", "hatch": "//"}
    places = {label: place for place, label in enumerate(values)}
    for name, group, shift, look in (
        ("this model", values, -0.19, {"color": BLUE}),
        ("plain baseline", baselines, 0.19, grey),
    ):
        left = [places[label] + shift for label in group]
        heights = list(group.values())
        bar = axes.bar(left, heights, 0.36, label=name, **look)
        axes.bar_label(bar, fmt="{:.3g}", padding=2, fontsize=MEDIUM)
    wrapped = [textwrap.fill(label.replace("_", " "), 15) for label in values]
    axes.set_xticks(range(len(values)), wrapped)
    axes.margins(y=0.1)
    _legend_below(figure, 2)
    return _dress(figure)


def confusion(true, said, labels):
    """Draw which class was taken for which.

    Args:
        true: int (N,), the classes, in [0, C).
        said: int (N,), what the model said for each, in [0, C).
        labels: str or list of str, the C names of the classes.
    Returns:
        Figure, a row for each class that occurs: the share of its examples
        that got each answer, in [0, 1], the commonest framed.
    """
    _check_length(len(true), said=said)
    counts = np.zeros((len(labels), len(labels)))
    for name, values in (("true", true), ("said", said)):
        if not set(np.unique(values)) <= set(range(len(labels))):
            raise ValueError(
                f"`{name}` must be classes in [0, {len(labels)}). "
                f"Received values from {np.min(values)} to {np.max(values)}."
            )
    np.add.at(counts, (np.asarray(true), np.asarray(said)), 1)
    seen = np.flatnonzero(counts.sum(axis=1))
    shares = counts[seen] / counts[seen].sum(axis=1, keepdims=True)
    figure, axes = _axes(
        2.2 + 0.6 * len(labels),
        1.3 + 0.45 * len(seen),
        xlabel="what the model says",
        ylabel="true class",
    )
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(labels)), visible(labels))
    axes.set_yticks(range(len(seen)), visible([labels[i] for i in seen]))
    _write_numbers(axes, shares)
    bar = figure.colorbar(image, ax=axes, label="share of the true class")
    bar.ax.tick_params(labelsize=SMALL)
    return _dress(figure)


def captions(images, said, true):
    """Draw images with what a model said of each under it.

    Args:
        images: float (N, H, W), grey values of any range.
        said: N str or int, the model's answers.
        true: N str or int; where an answer differs, it is coloured and
            crossed, and the true one stands under it.
    Returns:
        Figure, at most eight images in a line.
    """
    images = _array("images", images, ("N", "H", "W"))
    _check_length(len(images), said=said, true=true)
    right = [a == b for a, b in zip(said, true, strict=True)]
    texts = [
        f"{a} ✓\n" if fine else f"{a} ✗\nnot {b}"
        for a, b, fine in zip(said, true, right, strict=True)
    ]
    return _image_grid(images, [""] * len(images), texts, right, 8, (1.3, 1.7))


def clip(frames, labels, predictions=None):
    """Draw the frames of a clip in order, what each is under it.

    Args:
        frames: float (T, H, W), grey values of any range.
        labels: T labels, str or int.
        predictions: optional T labels; a wrong one is coloured and crossed.
    Returns:
        Figure, at most ten frames in a line.
    """
    frames = _one_sequence("frames", frames, ("T", "H", "W"))
    _check_length(len(frames), labels=labels)
    titles = [f"frame {step}" for step in range(len(frames))]
    texts, right = [f"true {label}" for label in labels], [True] * len(frames)
    height = 1.5
    if predictions is not None:
        _check_length(len(frames), predictions=predictions)
        right = [a == b for a, b in zip(labels, predictions, strict=True)]
        texts = [
            f"{text}\nsaid {said} {'✓' if fine else '✗'}"
            for text, said, fine in zip(texts, predictions, right, strict=True)
        ]
        height = 1.75
    return _image_grid(frames, titles, texts, right, 10, (1.1, height))


def _image_grid(images, titles, texts, right, columns, cell):
    """Images in lines, a text under each, coloured where it is wrong."""
    columns = min(len(images), columns)
    lines = -(-len(images) // columns)
    figure = Figure(
        figsize=(0.4 + cell[0] * columns, cell[1] * lines),
        layout="constrained",
    )
    cells = figure.subplots(lines, columns, squeeze=False).ravel()
    for axes in cells[len(images) :]:
        axes.set_axis_off()
    for axes, image, title, text, fine in zip(
        cells, images, titles, texts, right, strict=False
    ):
        axes.imshow(image, cmap="gray", vmin=images.min(), vmax=images.max())
        axes.set(xticks=[], yticks=[])
        axes.set_title(title, fontsize=SMALL)
        color = "black" if fine else VERMILION
        axes.set_xlabel(text, color=color, fontsize=MEDIUM)
    return _dress(figure)
