"""What each gate and state of a recurrent layer did, step by step."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from keras_seq.checks import positive_int
from keras_seq.plots.drawing import (
    LARGE,
    MEDIUM,
    SMALL,
    check_dict,
    check_length,
    dress,
    one_sequence,
    visible,
)


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
    check_dict(trace=trace)
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
        values = one_sequence(f"trace[{name!r}]", trace[name], ("T", "units"))
        check_length(len(values), text=labels)
        _heat_map(axes, name, values[:, :units])
    look = {"verticalalignment": "baseline"}  # commas low, as in a sentence
    if max(map(len, labels)) > 2:
        look = {"rotation": 90}
    axes.set_xticks(range(len(labels)), labels, **look)
    axes.tick_params(axis="x", pad=3 if "rotation" in look else 14)
    axes.set_xlabel("input, one step each, read from left to right")
    return dress(figure)


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
