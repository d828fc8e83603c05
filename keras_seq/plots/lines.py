"""Lines and bars: how a quantity goes, beside what is to be beaten."""

import textwrap

import numpy as np
from matplotlib.ticker import MaxNLocator

from keras_seq.plots.drawing import (
    BLUE,
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
    """Draw how much of the gradient of the last state reaches each input.

    Args:
        norms: dict of float (lags,), >= 0: the norm at lag 0, 1, 2, ...
            Each line is divided by its own first value.
        unit: str, what a lag counts.
    Returns:
        Figure, with a logarithmic axis. A norm of exactly 0 has no place on
        it: a cross on the floor marks it, and the legend says so.
    """
    check_dict(norms=norms)
    lines = {label: _relative(label, norms[label]) for label in norms}
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


def _relative(label, values):
    """Norms over the one at lag 0."""
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
    """Draw learning curves beside the plain baselines they must beat.

    Args:
        histories: dict of float (epochs,), or of a dict of such, one for
            each kind, like {"train": ..., "validation": ...}. A loss that
            is not finite leaves a gap. Of several runs, float (runs, epochs):
            their mean, on a band from the least to the most.
        ylabel, xlabel: str, what is counted, with its unit.
        baselines: optional dict of float, drawn as dashed level lines.
        x: optional float (epochs,), where the points stand. Default 1, 2, ...
        log: bool, a logarithmic y axis. Default False.
    Returns:
        Figure. A colour and marker for each history, dashes for each kind.
    """
    check_dict(histories=histories)
    figure, axes = one_axes(7.5, 4.5, xlabel=xlabel, ylabel=ylabel)
    for index, (label, kinds) in enumerate(histories.items()):
        if not isinstance(kinds, dict):
            kinds = {"": kinds}
        dashes = KIND_DASHES if len(kinds) > 1 else ("-",)
        for number, (kind, values) in enumerate(kinds.items()):
            name, axis = f"histories[{label!r}]", ("epochs",)
            runs = np.ndim(values) > 1
            values = array(name, values, ("runs",) * runs + axis, finite=False)
            values = np.atleast_2d(values)
            look = line_look(index, values.shape[1])
            look["linestyle"] = dashes[number % len(dashes)]
            look["label"] = f"{label}, {kind}" if kind else label
            at = np.arange(1, values.shape[1] + 1) if x is None else x
            if runs:
                band = values.min(axis=0), values.max(axis=0)
                axes.fill_between(at, *band, alpha=0.2, lw=0, **colour(index))
            axes.plot(at, values.mean(axis=0), **look)
    if x is None:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    else:
        axes.set_xticks(x)
    axes.set_yscale("log" if log else "linear")
    _level_lines(axes, baselines or {})
    legend_below(figure, min(len(histories), 4))
    return dress(figure)


def _level_lines(axes, baselines):
    """Dashed lines, named at the right edge, no name over another."""
    for value in baselines.values():
        axes.axhline(value, color=GREY, linestyle="--", linewidth=1)
    place = -1.0
    for label, value in sorted(baselines.items(), key=lambda item: item[1]):
        at = axes.transData.transform((0, value))[1]  # also of a log axis
        at = axes.transAxes.inverted().transform((0, at))[1]
        place = max(at, place + 1 / 18)
        axes.text(
            1.01,
            place,
            f"{label} {value:.3g}",
            transform=axes.transAxes,
            verticalalignment="center",
            color=GREY,
            fontsize=MEDIUM,
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
    check_dict(values=values)
    for name, group in (("values", values), ("baselines", baselines)):
        for label, value in group.items():
            array(f"{name}[{label!r}]", value, ())
    strangers = [label for label in baselines if label not in values]
    if strangers:
        raise ValueError(
            "`baselines` must be of tasks that `values` has. "
            f"Received {strangers}."
        )
    figure, axes = one_axes(
        1.5 + 1.5 * len(values), 4, ylabel=ylabel, title=title
    )
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
    legend_below(figure, 2)
    return dress(figure)
