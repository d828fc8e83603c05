"""Images, what was said of each, and where a model looked."""

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from keras_seq import checks
from keras_seq.plots.drawing import (
    BLUE,
    LARGE,
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


def attention_maps(images, maps, texts=None):
    """Draw images, and under each the same with a map of looks over it.

    Args:
        images: float (N, H, W), (N, H, W, 1) or, in colour, (N, H, W, 3), of
            any range.
        maps: float (N, rows, columns), >= 0, how much each patch was looked
            at; the brightest patch of an image is its largest.
        texts: optional N str, to stand under the images.
    Returns:
        Figure, at most eight images in a line.
    """
    rank = "NHWC"[: 4 if np.ndim(images) == 4 else 3]
    images = array("images", images, tuple(rank))
    if images.ndim == 4 and images.shape[-1] not in (1, 3):
        raise ValueError(
            "`images` must have 1 or 3 channels. Received images of shape "
            f"{images.shape}."
        )
    maps = array("maps", maps, ("N", "rows", "columns"))
    if maps.min() < 0:
        raise ValueError(f"`maps` must be >= 0. Received {maps.min()}.")
    texts = [""] * len(images) if texts is None else texts
    check_length(len(images), maps=maps, texts=texts)
    low, high = images.min(), images.max()
    images = (images - low) / (high - low if high > low else 1.0)
    columns = min(len(images), 8)
    lines = -(-len(images) // columns)
    figure = Figure(
        figsize=(0.6 + 1.3 * columns, 2.9 * lines), layout="constrained"
    )
    grid = figure.subplots(2 * lines, columns, squeeze=False)
    for axes in grid.ravel():
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    for n, (image, looks) in enumerate(zip(images, maps)):
        line, column = divmod(n, columns)
        above, below = grid[2 * line : 2 * line + 2, column]
        _overlay(above, below, image, looks)
        below.set_xlabel(texts[n], fontsize=MEDIUM)
    for above, below in zip(grid[::2, 0], grid[1::2, 0]):
        above.set_ylabel("image", fontsize=MEDIUM)
        below.set_ylabel("looked at", fontsize=MEDIUM)
    return dress(figure)


def patches(image, pieces, joined):
    """Draw an image, the patches that it was cut into, and them put back.

    Args:
        image: float (H, W, C), C 1 or 3, of any range.
        pieces: float (rows, columns, h, w, C), the patches.
        joined: float (H, W, C).
    Returns:
        Figure, three pictures.
    """
    image = array("image", image, tuple("HWC"))
    pieces = array("pieces", pieces, ("rows", "columns", *"hwC"))
    joined = array("joined", joined, tuple("HWC"))
    C = image.shape[-1]
    if C not in (1, 3) or joined.shape != image.shape or pieces.shape[-1] != C:
        raise ValueError(
            "`image` and `joined` must be of one shape, and all of 1 or of 3 "
            f"channels. Received {image.shape}, {joined.shape} and pieces of "
            f"{pieces.shape}."
        )
    rows, columns, h, w = pieces.shape[:4]
    if (rows * h, columns * w) != image.shape[:2]:
        raise ValueError(
            "`pieces` must cover the image. Received pieces of "
            f"{pieces.shape}, an image of {image.shape}."
        )
    low, high = image.min(), image.max()
    image, pieces, joined = (
        np.broadcast_to((x - low) / ((high - low) or 1.0), (*x.shape[:-1], 3))
        for x in (image, pieces, joined)
    )
    apart = pieces.repeat(5, axis=2).repeat(5, axis=3)  # the lines are thin
    apart = _mosaic(apart, np.nan)
    apart = np.where(np.isnan(apart), to_rgb(BLUE), apart)
    H, W = image.shape[:2]
    figure = Figure(figsize=(10, 3.8), layout="constrained")
    for axes, pixels, title in zip(
        figure.subplots(1, 3),
        (image, apart, joined),
        (
            f"image, {H} x {W} pixels",
            f"{rows * columns} patches of {h} x {w}",
            "put back",
        ),
    ):
        axes.imshow(pixels, vmin=0, vmax=1)
        axes.set(xticks=[], yticks=[])
        axes.set_title(title, fontsize=LARGE)
    return dress(figure)


def position_similarity(vectors, grid):
    """Draw for each place on a grid how like its vector is to all others.

    The picture of Dosovitskiy et al. (2021), figure 7, centre.

    Args:
        vectors: float (N, D), what was learned for each of N places.
        grid: two ints > 0, rows and columns, N together.
    Returns:
        Figure, on a grid of maps, one for each place: the cosine of its
        vector and that of each place, in [-1, 1].
    """
    vectors = array("vectors", vectors, ("N", "D"))
    rows, columns = grid = checks.size(grid=grid)
    if len(vectors) != rows * columns:
        raise ValueError(
            "`grid` must be of as many places as `vectors` has. Received "
            f"grid={grid}, {len(vectors)} vectors."
        )
    size = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = vectors / np.where(size > 0, size, 1.0)
    cosine = (unit @ unit.T).reshape(rows, columns, rows, columns)
    figure = Figure(
        figsize=(2 + 0.7 * columns, 1.2 + 0.7 * rows), layout="constrained"
    )
    axes = figure.subplots()
    drawn = axes.imshow(_mosaic(cosine, np.nan), cmap="RdBu_r", vmin=-1, vmax=1)
    for set_ticks, count, cell in (
        (axes.set_xticks, columns, columns),
        (axes.set_yticks, rows, rows),
    ):
        places = np.arange(count) * (cell + 1) + (cell - 1) / 2
        set_ticks(places, range(1, count + 1), fontsize=SMALL)
    axes.set_xlabel("column of the patch", fontsize=MEDIUM)
    axes.set_ylabel("row of the patch", fontsize=MEDIUM)
    bar = figure.colorbar(drawn, ax=axes, label="cosine with each place")
    bar.ax.tick_params(labelsize=SMALL)
    return dress(figure)


def _mosaic(cells, between):
    """Lay out (rows, columns, h, w, ...) as one picture, lines between."""
    around = [(0, 0), (0, 0), (0, 1), (0, 1), *[(0, 0)] * (cells.ndim - 4)]
    cells = np.pad(cells, around, constant_values=between)
    lines = [np.concatenate(list(line), axis=1) for line in cells]
    return np.concatenate(lines)[:-1, :-1]


def _overlay(above, below, image, looks):
    """An image, and the same under a map stretched to its size."""
    H, W = image.shape[:2]
    for axes in (above, below):
        axes.imshow(image, cmap="gray", vmin=0, vmax=1)
    below.imshow(
        looks,
        cmap="inferno",
        vmin=0,
        vmax=looks.max() or 1.0,
        alpha=0.6,
        extent=(-0.5, W - 0.5, H - 0.5, -0.5),
    )


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
