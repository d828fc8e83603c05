"""Gates and states of a recurrent layer at each time step."""

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
    """Draw the gates and states of a recurrent layer over a sentence.

    Args:
        trace: dict of float (T, units) or (1, T, units), as `trace` of a
            recurrent layer returns it.
        text: str or list of str, the T inputs; white space is made visible.
        names: optional list of str, keys of `trace` to draw, from the top.
            Default: all.
        units: int > 0, number of units to draw, the first ones. Default 40.
    Returns:
        Figure. Gates have a color scale from 0 to 1; states and candidates,
        which have a sign, another one that is white at 0.
    Raises:
        ValueError: if `names` are not in `trace`, or the shapes do not match.
    Example:
        >>> trace = {"forget_gate": np.full((2, 5), 0.5)}
        >>> plots.gates(trace, "ab").axes[0].get_title("left")
        'forget gate'
    """
    check_dict(trace=trace)
    positive_int(units=units)
    names = list(trace if names is None else names)
    missing = [name for name in names if name not in trace]
    if missing or not names:
        raise ValueError(
            f"`names` must be among {list(trace)}. Received names={names}."
        )
    return dress(gates_figure(trace, visible(text), names, units))


def gates_figure(trace, labels, names, units):
    """Return a Figure with a heat map for each name, over the labels."""
    figure = Figure(
        figsize=(2.2 + 0.19 * max(len(labels), 16), 0.9 + 1.35 * len(names)),
        layout="constrained",
    )
    rows = figure.subplots(len(names), sharex=True, squeeze=False)[:, 0]
    for axes, name in zip(rows, names, strict=True):
        values = one_sequence(f"trace[{name!r}]", trace[name], ("T", "units"))
        check_length(len(values), text=labels)
        draw_heat_map(axes, name, values[:, :units])
    look = {"verticalalignment": "baseline"}  # commas low, as in a sentence
    if max(map(len, labels)) > 2:
        look = {"rotation": 90}
    axes.set_xticks(range(len(labels)), labels, **look)
    axes.tick_params(axis="x", pad=3 if "rotation" in look else 14)
    axes.set_xlabel("input, one time step each")
    return figure


def draw_heat_map(axes, name, values):
    """Draw units over time steps, with a color bar."""
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
