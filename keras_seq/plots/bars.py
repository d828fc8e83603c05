"""Bars: the result of each task beside its baseline."""

import textwrap

from keras_seq.plots.drawing import (
    BLUE,
    MEDIUM,
    array,
    check_dict,
    dress,
    legend_below,
    one_axes,
)


def bars(values, baselines, ylabel, title=""):
    """Draw the result of each task beside its baseline.

    Args:
        values: dict of float, task -> result.
        baselines: dict of float, task -> baseline, for some or all tasks.
        ylabel: str, label of the y axis with its unit.
        title: str, title of the figure. Default "".
    Returns:
        Figure, with the number above each bar.
    Raises:
        ValueError: if a number is not finite, or a baseline has no task.
    Example:
        >>> figure = plots.bars({"names": 0.85}, {"names": 0.82}, "accuracy")
        >>> figure.axes[0].get_ylabel()
        'accuracy'
    """
    check_dict(values=values)
    for name, group in (("values", values), ("baselines", baselines)):
        for label, value in group.items():
            array(f"{name}[{label!r}]", value, ())
    unknown = [label for label in baselines if label not in values]
    if unknown:
        raise ValueError(
            f"`baselines` must have keys that `values` has. Received {unknown}."
        )
    figure, axes = one_axes(
        1.5 + 1.5 * len(values), 4, ylabel=ylabel, title=title
    )
    grey = {"color": "#B3B3B3", "hatch": "//"}
    draw_bars(axes, values, values, -0.19, label="this model", color=BLUE)
    draw_bars(axes, values, baselines, 0.19, label="baseline", **grey)
    wrapped = [textwrap.fill(label.replace("_", " "), 15) for label in values]
    axes.set_xticks(range(len(values)), wrapped)
    axes.margins(y=0.1)
    legend_below(figure, 2)
    return dress(figure)


def draw_bars(axes, tasks, group, shift, **look):
    """Draw one bar for each task of a group, with its number above."""
    positions = {label: position for position, label in enumerate(tasks)}
    left = [positions[label] + shift for label in group]
    bar = axes.bar(left, list(group.values()), 0.36, **look)
    axes.bar_label(bar, fmt="{:.3g}", padding=2, fontsize=MEDIUM)
