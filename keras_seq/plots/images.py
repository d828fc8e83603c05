"""Images, and what was said of each."""

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
    images = array("images", images, ("N", "H", "W"))
    check_length(len(images), said=said, true=true)
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
    frames = one_sequence("frames", frames, ("T", "H", "W"))
    check_length(len(frames), labels=labels)
    titles = [f"frame {step}" for step in range(len(frames))]
    texts, right = [f"true {label}" for label in labels], [True] * len(frames)
    height = 1.5
    if predictions is not None:
        check_length(len(frames), predictions=predictions)
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
    return dress(figure)
