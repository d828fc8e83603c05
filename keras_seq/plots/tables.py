"""Tables in color: predicted probabilities, and a confusion matrix."""

import numpy as np
from matplotlib.patches import Rectangle

from keras_seq.plots.drawing import (
    MEDIUM,
    VERMILION,
    check_length,
    colour_bar,
    dress,
    one_axes,
    one_sequence,
    visible,
)


def probabilities(steps, symbols, inputs):
    """Draw the probability distribution that a model predicts at each step.

    Args:
        steps: float (T, V) or (1, T, V), each row in [0, 1] with sum 1.
        symbols: str or list of str, the V symbols of the vocabulary.
        inputs: str or list of str, the T input symbols.
    Returns:
        Figure, a row for each step, with a frame around its most likely symbol.
    Raises:
        ValueError: if a row is not a distribution, or the shapes do not match.
    Example:
        >>> figure = plots.probabilities([[0.25, 0.75]], "ab", "a")
        >>> [text.get_text() for text in figure.axes[0].texts]
        ['0.25', '0.75']
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
        ylabel="input symbol",
    )
    draw_table(axes, steps, symbols, inputs, "probability")
    return dress(figure)


def confusion_matrix(y_true, y_pred, class_names):
    """Draw the confusion matrix of a classifier.

    Args:
        y_true: int (N,), true classes, in [0, C).
        y_pred: int (N,), predicted classes, in [0, C).
        class_names: str or list of str, the names of the C classes.
    Returns:
        Figure, a row for each class that occurs: the share of its examples
        with each prediction, in [0, 1], the most frequent one framed.
    Raises:
        ValueError: if the arrays are empty, differ in length, or hold
            anything but classes.
    Example:
        >>> figure = plots.confusion_matrix([0, 0, 2], [0, 1, 1], "abc")
        >>> [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
        ['a', 'c']
    """
    check_length(len(y_true), y_pred=y_pred)
    y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
    count = len(class_names)
    check_classes(count, y_true=y_true, y_pred=y_pred)
    counts = np.zeros((count, count))
    np.add.at(counts, (y_true, y_pred), 1)
    seen = np.flatnonzero(counts.sum(axis=1))
    shares = counts[seen] / counts[seen].sum(axis=1, keepdims=True)
    figure, axes = one_axes(
        2.2 + 0.6 * count,
        1.3 + 0.45 * len(seen),
        xlabel="predicted class",
        ylabel="true class",
    )
    rows = [class_names[i] for i in seen]
    draw_table(axes, shares, class_names, rows, "share of the true class")
    return dress(figure)


def check_classes(count, **arguments):
    """Raise a ValueError unless each argument is int in [0, count)."""
    for name, values in arguments.items():
        found = np.unique(values)
        known = set(found) <= set(range(count))
        if not len(found) or not known or values.dtype.kind not in "iu":
            raise ValueError(
                f"`{name}` must be one class or more, int in [0, {count}). "
                f"Received {values.dtype} {found[:5]}."
            )


def draw_table(axes, values, columns, rows, label):
    """Draw values in [0, 1] as colors and numbers, the row maximum framed."""
    image = axes.imshow(values, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(columns)), visible(columns))
    axes.set_yticks(range(len(rows)), visible(rows))
    for (row, column), value in np.ndenumerate(values):
        axes.text(
            column,
            row,
            f"{value:.2f}",
            color="white" if value > 0.65 else "black",
            horizontalalignment="center",
            verticalalignment="center",
            fontsize=MEDIUM,
        )
    for row, column in enumerate(values.argmax(axis=1)):
        corner = (column - 0.47, row - 0.46)
        axes.add_patch(
            Rectangle(corner, 0.94, 0.92, fill=False, lw=2.5, ec=VERMILION)
        )
    colour_bar(image, axes, label)
