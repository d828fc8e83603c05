"""Lines: learning curves and gradients by lag, beside their baselines."""

import numpy as np
from matplotlib.ticker import MaxNLocator

from keras_seq.plots.drawing import (
    GREY,
    KIND_DASHES,
    MEDIUM,
    array,
    check_dict,
    colour,
    dress,
    legend_below,
    line_look,
    one_axes,
)


def gradient_by_lag(norms, unit="steps"):
    """Draw the gradient norm of the last state at each lag of the input.

    Args:
        norms: dict of float (lags,), >= 0, label -> norm at lag 0, 1, 2, ...
            Each line is divided by its value at lag 0.
        unit: str, unit of the lag. Default "steps".
    Returns:
        Figure, with a logarithmic y axis. A norm of exactly 0 is marked by a
        cross at the lower edge and explained in the legend.
    Raises:
        ValueError: if a norm is negative or not finite, or 0 at lag 0.
    Example:
        >>> figure = plots.gradient_by_lag({"RNN": [4.0, 2.0, 1.0]})
        >>> figure.axes[0].get_yscale()
        'log'
    """
    check_dict(norms=norms)
    lines = {label: relative(label, norms[label]) for label in norms}
    figure, axes = one_axes(
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
        axes.plot(seen, label=label, **line_look(index, len(values)))
        lost = np.flatnonzero(values == 0)
        axes.plot(lost, np.full(len(lost), floor), "x", **colour(index))
    if (together == 0).any():
        axes.plot([], [], "x", color=GREY, label="exactly 0 (off the scale)")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=MEDIUM, frameon=False)
    return dress(figure)


def relative(label, values):
    """Return norms divided by the norm at lag 0."""
    values = array(f"norms[{label!r}]", values, ("lags",))
    if values[0] <= 0 or values.min() < 0:
        raise ValueError(
            f"`norms[{label!r}]` must be >= 0, and > 0 at lag 0. "
            f"Received {values[0]} at lag 0, {values.min()} at least."
        )
    return values / values[0]


def curves(
    histories,
    ylabel="loss (nats per character)",
    xlabel="epoch",
    baselines=None,
    x=None,
    log=False,
):
    """Draw learning curves and horizontal lines for the baselines.

    Args:
        histories: dict, label -> float (epochs,), or a dict of them such as
            {"train": ..., "validation": ...}. A value that is not finite
            leaves a gap. For several runs, float (runs, epochs): the mean is
            drawn on a band from the minimum to the maximum.
        ylabel: str, label of the y axis with its unit.
        xlabel: str, label of the x axis. Default "epoch".
        baselines: optional dict of float, label -> value, dashed lines.
        x: optional float (epochs,), positions of the points. Default 1, 2, ...
        log: bool, whether the y axis is logarithmic. Default False.
    Returns:
        Figure, with a color for each label and a dash style for each kind.
    Example:
        >>> losses = {"LSTM": [2.0, 1.5]}
        >>> figure = plots.curves(losses, baselines={"unigram": 3})
        >>> figure.axes[0].texts[0].get_text()
        'unigram 3'
    """
    check_dict(histories=histories)
    figure, axes = one_axes(7.5, 4.5, xlabel=xlabel, ylabel=ylabel)
    for index, (label, kinds) in enumerate(histories.items()):
        draw_history(axes, index, label, kinds, x)
    if x is None:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    else:
        axes.set_xticks(x)
    axes.set_yscale("log" if log else "linear")
    draw_baselines(axes, baselines or {})
    legend_below(figure, min(len(histories), 4))
    return dress(figure)


def draw_history(axes, index, label, kinds, x):
    """Draw the curves of one label: one line, or one for each kind."""
    if not isinstance(kinds, dict):
        kinds = {"": kinds}
    dashes = KIND_DASHES if len(kinds) > 1 else ("-",)
    for number, (kind, values) in enumerate(kinds.items()):
        runs = np.ndim(values) > 1
        shape = ("runs", "epochs") if runs else ("epochs",)
        values = array(f"histories[{label!r}]", values, shape, finite=False)
        values = np.atleast_2d(values)
        look = line_look(index, values.shape[1])
        look["linestyle"] = dashes[number % len(dashes)]
        look["label"] = f"{label}, {kind}" if kind else label
        at = np.arange(1, values.shape[1] + 1) if x is None else x
        if runs:
            band = values.min(axis=0), values.max(axis=0)
            axes.fill_between(at, *band, alpha=0.2, lw=0, **colour(index))
        axes.plot(at, values.mean(axis=0), **look)


def draw_baselines(axes, baselines):
    """Draw dashed lines, with labels at the right edge that do not overlap."""
    for value in baselines.values():
        axes.axhline(value, color=GREY, linestyle="--", linewidth=1)
    # matplotlib sets the limits late: without this, `transData` does not
    # include the last line.
    axes.autoscale_view()
    position = -1.0
    for label, value in sorted(baselines.items(), key=lambda item: item[1]):
        at = axes.transData.transform((0, value))[1]  # also of a log axis
        at = axes.transAxes.inverted().transform((0, at))[1]
        position = max(at, position + 1 / 18)
        axes.text(
            1.01,
            position,
            f"{label} {value:.3g}",
            transform=axes.transAxes,
            verticalalignment="center",
            color=GREY,
            fontsize=MEDIUM,
        )
