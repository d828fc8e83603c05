"""Images with predictions: captions, and the frames of a clip."""

from matplotlib.figure import Figure

from keras_seq.plots.drawing import (
    MEDIUM,
    SMALL,
    VERMILION,
    array,
    check_length,
    dress,
    one_sequence,
)


def captions(images, predictions, targets):
    """Draw images with the prediction for each below it.

    Args:
        images: float (N, H, W), gray values of any range.
        predictions: list of N str or int, the predictions of the model.
        targets: list of N str or int, the true answers. A wrong prediction is
            colored and crossed out, with the true answer below it.
    Returns:
        Figure, at most eight images in a row.
    Example:
        >>> figure = plots.captions(np.zeros((2, 5, 5)), ["one", "two"],
        ...                         ["one", "six"])
        >>> [axes.get_xlabel().strip() for axes in figure.axes]
        ['one ✓', 'two ✗\\nnot six']
    """
    images = array("images", images, ("N", "H", "W"))
    check_length(len(images), predictions=predictions, targets=targets)
    correct = [a == b for a, b in zip(predictions, targets, strict=True)]
    texts = [
        f"{a} ✓\n" if fine else f"{a} ✗\nnot {b}"
        for a, b, fine in zip(predictions, targets, correct, strict=True)
    ]
    titles = [""] * len(images)
    return image_grid(images, titles, texts, correct, 8, (1.3, 1.7))


def clip(frames, labels, predictions=None):
    """Draw the frames of a clip in order, with the label of each below it.

    Args:
        frames: float (T, H, W), gray values of any range.
        labels: list of T str or int, the true labels.
        predictions: optional list of T str or int; a wrong one is colored and
            crossed out.
    Returns:
        Figure, at most ten frames in a row.
    Example:
        >>> figure = plots.clip(np.zeros((2, 5, 5)), [1, 2], [1, 7])
        >>> figure.axes[1].get_xlabel()
        'true 2\\npredicted 7 ✗'
    """
    frames = one_sequence("frames", frames, ("T", "H", "W"))
    check_length(len(frames), labels=labels)
    titles = [f"frame {step}" for step in range(len(frames))]
    texts, correct = [f"true {label}" for label in labels], [True] * len(frames)
    height = 1.5
    if predictions is not None:
        check_length(len(frames), predictions=predictions)
        correct = [a == b for a, b in zip(labels, predictions, strict=True)]
        texts = [
            f"{text}\npredicted {predicted} {'✓' if fine else '✗'}"
            for text, predicted, fine in zip(texts, predictions, correct)
        ]
        height = 1.75
    return image_grid(frames, titles, texts, correct, 10, (1.1, height))


def image_grid(images, titles, texts, correct, columns, cell):
    """Draw images in rows, with a text below each, colored where wrong."""
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
        cells, images, titles, texts, correct, strict=False
    ):
        axes.imshow(image, cmap="gray", vmin=images.min(), vmax=images.max())
        axes.set(xticks=[], yticks=[])
        axes.set_title(title, fontsize=SMALL)
        color = "black" if fine else VERMILION
        axes.set_xlabel(text, color=color, fontsize=MEDIUM)
    return dress(figure)
