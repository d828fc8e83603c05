"""Images in patches: attention maps, the patches, position embeddings."""

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from keras_seq import checks
from keras_seq.plots.drawing import (
    BLUE,
    LARGE,
    MEDIUM,
    SMALL,
    array,
    check_length,
    colour_bar,
    dress,
)


def attention_maps(images, maps, texts=None):
    """Draw images, and below each the same image with its attention map.

    Args:
        images: float (N, H, W), (N, H, W, 1) or (N, H, W, 3) in color, of any
            range.
        maps: float (N, rows, columns), >= 0, the attention to each patch; the
            brightest color is the maximum of each map.
        texts: optional list of N str, drawn below the images.
    Returns:
        Figure, at most eight images in a row.
    Raises:
        ValueError: if the shapes do not match, or a value of `maps` is < 0.
    Example:
        >>> images, maps = np.zeros((2, 6, 6)), np.ones((2, 3, 3))
        >>> len(plots.attention_maps(images, maps).axes)
        4
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
    return dress(maps_figure(normalized(images), maps, texts))


def maps_figure(images, maps, texts):
    """Return a Figure with two rows of axes for each row of images."""
    columns = min(len(images), 8)
    lines = -(-len(images) // columns)
    figure = Figure(
        figsize=(0.6 + 1.3 * columns, 2.9 * lines), layout="constrained"
    )
    grid = figure.subplots(2 * lines, columns, squeeze=False)
    for axes in grid.ravel():
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    for n, (image, attention) in enumerate(zip(images, maps)):
        line, column = divmod(n, columns)
        above, below = grid[2 * line : 2 * line + 2, column]
        draw_map(above, below, image, attention)
        below.set_xlabel(texts[n], fontsize=MEDIUM)
    for above, below in zip(grid[::2, 0], grid[1::2, 0]):
        above.set_ylabel("image", fontsize=MEDIUM)
        below.set_ylabel("attention", fontsize=MEDIUM)
    return figure


def draw_map(above, below, image, attention):
    """Draw an image, and below it the same under a map of its size."""
    H, W = image.shape[:2]
    for axes in (above, below):
        axes.imshow(image, cmap="gray", vmin=0, vmax=1)
    below.imshow(
        attention,
        cmap="inferno",
        vmin=0,
        vmax=attention.max() or 1.0,
        alpha=0.6,
        extent=(-0.5, W - 0.5, H - 0.5, -0.5),
    )


def patches(image, pieces, joined):
    """Draw an image, its patches, and the image reassembled from them.

    Args:
        image: float (H, W, C), C 1 or 3, of any range.
        pieces: float (rows, columns, h, w, C), the patches.
        joined: float (H, W, C), the patches put together again.
    Returns:
        Figure, three pictures.
    Raises:
        ValueError: if the shapes do not match.
    Example:
        >>> image, pieces = np.zeros((4, 6, 1)), np.zeros((2, 3, 2, 2, 1))
        >>> plots.patches(image, pieces, image).axes[1].get_title()
        '6 patches of 2 x 2'
    """
    image = array("image", image, tuple("HWC"))
    pieces = array("pieces", pieces, ("rows", "columns", *"hwC"))
    joined = array("joined", joined, tuple("HWC"))
    check_patches(image, pieces, joined)
    H, W = image.shape[:2]
    rows, columns, h, w = pieces.shape[:4]
    titles = (
        f"image, {H} x {W} pixels",
        f"{rows * columns} patches of {h} x {w}",
        "reassembled",
    )
    low, high = image.min(), image.max()
    image, pieces, joined = (
        np.broadcast_to((x - low) / ((high - low) or 1.0), (*x.shape[:-1], 3))
        for x in (image, pieces, joined)
    )
    figure = Figure(figsize=(10, 3.8), layout="constrained")
    pictures = (image, separated(pieces), joined)
    for axes, pixels, title in zip(figure.subplots(1, 3), pictures, titles):
        axes.imshow(pixels, vmin=0, vmax=1)
        axes.set(xticks=[], yticks=[])
        axes.set_title(title, fontsize=LARGE)
    return dress(figure)


def check_patches(image, pieces, joined):
    """Raise a ValueError unless the patches cover the image."""
    C = image.shape[-1]
    if C not in (1, 3) or joined.shape != image.shape or pieces.shape[-1] != C:
        raise ValueError(
            "`image` and `joined` must have one shape, and all 1 or 3 "
            f"channels. Received {image.shape}, {joined.shape} and pieces of "
            f"{pieces.shape}."
        )
    rows, columns, h, w = pieces.shape[:4]
    if (rows * h, columns * w) != image.shape[:2]:
        raise ValueError(
            "`pieces` must cover the image. Received pieces of "
            f"{pieces.shape}, an image of {image.shape}."
        )


def separated(pieces):
    """Return patches as one picture, enlarged, with blue lines between."""
    pieces = pieces.repeat(5, axis=2).repeat(5, axis=3)  # thin lines
    pixels = mosaic(pieces, np.nan)
    return np.where(np.isnan(pixels), to_rgb(BLUE), pixels)


def position_similarity(vectors, grid):
    """Draw the cosine similarity of the position embeddings of all patches.

    As in Dosovitskiy et al. (2021), figure 7, center.

    Args:
        vectors: float (N, D), the position embeddings of N patches.
        grid: two ints > 0, rows and columns; their product is N.
    Returns:
        Figure, a grid of maps, one for each patch: the cosine of its position
        embedding with that of each patch, in [-1, 1].
    Raises:
        ValueError: if `grid` does not match `vectors`.
    Example:
        >>> figure = plots.position_similarity(np.eye(6), (2, 3))
        >>> figure.axes[0].get_xlabel()
        'column of the patch'
    """
    vectors = array("vectors", vectors, ("N", "D"))
    rows, columns = grid = checks.size(grid=grid)
    if len(vectors) != rows * columns:
        raise ValueError(
            "`grid` must have as many cells as `vectors` has rows. Received "
            f"grid={grid}, {len(vectors)} vectors."
        )
    size = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = vectors / np.where(size > 0, size, 1.0)
    cosine = (unit @ unit.T).reshape(rows, columns, rows, columns)
    return dress(similarity_figure(cosine))


def similarity_figure(cosine):
    """Return a Figure of (rows, columns) maps of (rows, columns) values."""
    rows, columns = cosine.shape[:2]
    figure = Figure(
        figsize=(2 + 0.7 * columns, 1.2 + 0.7 * rows), layout="constrained"
    )
    axes = figure.subplots()
    drawn = axes.imshow(mosaic(cosine, np.nan), cmap="RdBu_r", vmin=-1, vmax=1)
    for set_ticks, count in (
        (axes.set_xticks, columns),
        (axes.set_yticks, rows),
    ):
        centers = np.arange(count) * (count + 1) + (count - 1) / 2
        set_ticks(centers, range(1, count + 1), fontsize=SMALL)
    axes.set_xlabel("column of the patch", fontsize=MEDIUM)
    axes.set_ylabel("row of the patch", fontsize=MEDIUM)
    colour_bar(drawn, axes, "cosine with each patch")
    return figure


def normalized(images):
    """Scale images to [0, 1]; all zeros if they have a single value."""
    low, high = images.min(), images.max()
    return (images - low) / (high - low if high > low else 1.0)


def mosaic(cells, between):
    """Arrange (rows, columns, h, w, ...) as one picture, with lines between."""
    around = [(0, 0), (0, 0), (0, 1), (0, 1), *[(0, 0)] * (cells.ndim - 4)]
    cells = np.pad(cells, around, constant_values=between)
    lines = [np.concatenate(list(line), axis=1) for line in cells]
    return np.concatenate(lines)[:-1, :-1]
