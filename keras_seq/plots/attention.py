"""Attention weights of one sequence pair: alignment, and all heads."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from keras_seq.plots.drawing import (
    LARGE,
    MEDIUM,
    SMALL,
    VERMILION,
    array,
    check_length,
    colour_bar,
    dress,
    one_axes,
    visible,
)


def alignment(weights, source, target, spans=None, title=""):
    """Draw the attention weights of a decoder as an alignment.

    Args:
        weights: float (T, S), in [0, 1], a row for each target token.
        source: str or list of str, the S source tokens.
        target: str or list of str, the T generated tokens.
        spans: optional int (T, 2), the correct span of each target token,
            source[begin:end], drawn as a frame; an empty span has no frame.
        title: str, title of the figure. Default "".
    Returns:
        Figure, the source from left to right, the target from top to bottom.
    Raises:
        ValueError: if the shapes do not match or a weight is not in [0, 1].
    Example:
        >>> figure = plots.alignment([[0.9, 0.1], [0.2, 0.8]], "ab", "xy")
        >>> figure.axes[0].get_xlabel()
        'source'
    """
    weights = attention_weights(weights, ("T", "S"))
    check_length(weights.shape[0], target=target)
    check_length(weights.shape[1], source=source)
    if spans is not None and np.shape(spans) != (len(weights), 2):
        raise ValueError(
            f"`spans` must be (T, 2), T={len(weights)}. Received spans of "
            f"shape {np.shape(spans)}."
        )
    figure = alignment_figure(weights, visible(source), visible(target), title)
    for row, (begin, end) in enumerate(() if spans is None else spans):
        if end > begin:
            corner = (begin - 0.5, row - 0.5)
            figure.axes[0].add_patch(
                Rectangle(corner, end - begin, 1, fill=False, ec=VERMILION)
            )
    return dress(figure)


def alignment_figure(weights, source, target, title):
    """Return a Figure with one heat map, tokens on both axes."""
    width, height = 1.9 + 0.22 * len(source), 1.2 + 0.24 * len(target)
    figure, axes = one_axes(
        max(width, 4.5), height, xlabel="source", ylabel="generated"
    )
    axes.set_title(title, loc="left", fontsize=LARGE)
    image = axes.imshow(weights, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(source)), source)
    rotate_long(axes.get_xticklabels())
    axes.set_yticks(range(len(target)), target)
    colour_bar(image, axes, "attention weight")
    return figure


def attention_heads(weights, source, target):
    """Draw the attention weights of every head of every layer.

    Args:
        weights: list of L float (H, T, S), in [0, 1], one for each layer.
        source: str or list of str, the S tokens of the keys.
        target: str or list of str, the T tokens of the queries.
    Returns:
        Figure, a row of heat maps for each layer, a column for each head.
    Raises:
        ValueError: if the shapes do not match or a weight is not in [0, 1].
    Example:
        >>> weights = [np.full((3, 2, 2), 0.5)] * 2
        >>> len(plots.attention_heads(weights, "ab", "xy").axes)
        6
    """
    weights = [attention_weights(x, ("H", "T", "S")) for x in weights]
    if len({x.shape for x in weights}) != 1:
        raise ValueError(
            "`weights` must be one or more layers, (H, T, S) each. Received "
            f"layers of shape {[x.shape for x in weights]}."
        )
    weights = np.stack(weights)
    check_length(weights.shape[2], target=target)
    check_length(weights.shape[3], source=source)
    layers, count = weights.shape[:2]
    width = max(1.6, 0.3 + 0.18 * len(source))
    height = max(1.5, 0.3 + 0.18 * len(target))
    size = (width * count + 1, height * layers + 0.6)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(layers, count, squeeze=False)
    for (layer, head), axes in np.ndenumerate(grid):
        axes.imshow(
            weights[layer, head], cmap="Blues", vmin=0, vmax=1, aspect="auto"
        )
        axes.set_title(f"layer {layer + 1}, head {head + 1}", fontsize=SMALL)
        axes.set(xticks=[], yticks=[])
    label_edges(grid, visible(source), visible(target))
    return dress(figure)


def label_edges(grid, source, target):
    """Label the lowest row with the keys, the first column with the queries."""
    for axes in grid[-1]:
        axes.set_xticks(range(len(source)), source, fontsize=SMALL)
        rotate_long(axes.get_xticklabels())
        axes.set_xlabel("key", fontsize=MEDIUM)
    for axes in grid[:, 0]:
        axes.set_yticks(range(len(target)), target, fontsize=SMALL)
        axes.set_ylabel("query", fontsize=MEDIUM)


def attention_weights(weights, shape):
    """Return weights as a float array; raise a ValueError outside [0, 1]."""
    weights = array("weights", weights, shape)
    if weights.min() < 0 or weights.max() > 1 + 1e-3:
        raise ValueError(
            "`weights` must be in [0, 1]. Received some from "
            f"{weights.min()} to {weights.max()}."
        )
    return weights


def rotate_long(labels):
    """Rotate the labels that would overlap with their neighbors."""
    for label in labels:
        label.set_rotation(90 if len(label.get_text()) > 2 else 0)
