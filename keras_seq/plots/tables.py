"""Tables in colour: who goes with whom, and how much."""

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
    dress,
    one_axes,
    one_sequence,
    visible,
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
    steps = one_sequence("steps", steps, ("T", "V"))
    if steps.min() < 0 or np.abs(steps.sum(axis=1) - 1).max() > 1e-3:
        raise ValueError(
            "`steps` must be probabilities, each row with sum 1. "
            f"Received rows with sums {steps.sum(axis=1)}."
        )
    check_length(steps.shape[1], symbols=symbols)
    check_length(steps.shape[0], inputs=inputs)
    figure, axes = one_axes(
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
    return dress(figure)


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
    check_length(len(true), said=said)
    true, said = np.asarray(true), np.asarray(said)
    counts = np.zeros((len(labels), len(labels)))
    for name, values in (("true", true), ("said", said)):
        found = np.unique(values)
        known = set(found) <= set(range(len(labels)))
        if not len(found) or not known or values.dtype.kind not in "iu":
            raise ValueError(
                f"`{name}` must be one class or more, int in [0, "
                f"{len(labels)}). Received {values.dtype} {found[:5]}."
            )
    np.add.at(counts, (true, said), 1)
    seen = np.flatnonzero(counts.sum(axis=1))
    shares = counts[seen] / counts[seen].sum(axis=1, keepdims=True)
    figure, axes = one_axes(
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
    return dress(figure)


def _shares(weights, shape):
    weights = array("weights", weights, shape)
    if weights.min() < 0 or weights.max() > 1 + 1e-3:
        raise ValueError(
            "`weights` must be in [0, 1]. Received some from "
            f"{weights.min()} to {weights.max()}."
        )
    return weights


def heads(weights, source, target):
    """Draw where every head of every layer looks.

    Args:
        weights: list for each of L layers, float (H, T, S), in [0, 1].
        source: str or list of str, the S tokens looked at.
        target: str or list of str, the T tokens that look.
    Returns:
        Figure, a row of pictures for each layer, a column for each head.
    """
    weights = [_shares(x, ("H", "T", "S")) for x in weights]
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
        if layer == layers - 1:
            axes.set_xticks(range(len(source)), visible(source), fontsize=SMALL)
            _stand(axes.get_xticklabels())
            axes.set_xlabel("looked at", fontsize=MEDIUM)
        if head == 0:
            axes.set_yticks(range(len(target)), visible(target), fontsize=SMALL)
            axes.set_ylabel("looks", fontsize=MEDIUM)
    return dress(figure)


def _stand(labels):
    """Turn those that would lie on their neighbours."""
    for label in labels:
        label.set_rotation(90 if len(label.get_text()) > 2 else 0)


def alignment(weights, source, target, spans=None, title=""):
    """Draw where a decoder looked when it wrote each token.

    Args:
        weights: float (T, S), in [0, 1]: a row for each token written.
        source: str or list of str, the S tokens read.
        target: str or list of str, the T tokens written.
        spans: optional int (T, 2), framed: where to look in truth, as
            source[begin:end]; an empty span has no frame.
        title: str.
    Returns:
        Figure, the source from left to right, the target from the top.
    """
    weights = _shares(weights, ("T", "S"))
    check_length(weights.shape[0], target=target)
    check_length(weights.shape[1], source=source)
    if spans is not None and np.shape(spans) != (len(weights), 2):
        raise ValueError(
            f"`spans` must be (T, 2), T={len(weights)}. Received spans of "
            f"shape {np.shape(spans)}."
        )
    source, target = visible(source), visible(target)
    width, height = 1.9 + 0.22 * len(source), 1.2 + 0.24 * len(target)
    figure, axes = one_axes(
        max(width, 4.5), height, xlabel="source", ylabel="written"
    )
    axes.set_title(title, loc="left", fontsize=LARGE)
    image = axes.imshow(weights, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(source)), source)
    _stand(axes.get_xticklabels())
    axes.set_yticks(range(len(target)), target)
    for row, (begin, end) in enumerate(() if spans is None else spans):
        if end > begin:
            corner = (begin - 0.5, row - 0.5)
            axes.add_patch(
                Rectangle(corner, end - begin, 1, fill=False, ec=VERMILION)
            )
    bar = figure.colorbar(image, ax=axes, label="attention weight")
    bar.ax.tick_params(labelsize=SMALL)
    return dress(figure)
