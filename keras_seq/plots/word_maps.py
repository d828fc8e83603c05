"""Attention over an image, one map for each word of its caption."""

import numpy as np
from matplotlib.figure import Figure

from keras_seq.plots.drawing import MEDIUM, array, check_length, dress
from keras_seq.plots.patches import normalized


def word_maps(images, maps, words):
    """Draw images, and beside each its attention map for every word.

    Where a map is low the image is dark; at the map's maximum it has its own
    colors. So the bright parts are those that the decoder attended to.

    Args:
        images: float (N, H, W, 3), of any range.
        maps: list of N float (T, rows, columns), >= 0, the attention weights
            of each word; T may differ.
        words: list of N lists of T str.
    Returns:
        Figure, a row for each image.
    Raises:
        ValueError: if the shapes do not match, or a value of `maps` is < 0.
    Example:
        >>> images, maps = np.zeros((1, 6, 6, 3)), [np.ones((2, 3, 3))]
        >>> figure = plots.word_maps(images, maps, [["red", "circle"]])
        >>> [axes.get_title() for axes in figure.axes]
        ['', 'red', 'circle']
    """
    images = array("images", images, ("N", "H", "W", "3"))
    check_length(len(images), maps=maps, words=words)
    maps = [array("maps", each, ("T", "rows", "columns")) for each in maps]
    for each, caption in zip(maps, words):
        check_length(len(each), words=caption)
    lowest = min(each.min() for each in maps)
    if lowest < 0:
        raise ValueError(f"`maps` must be >= 0. Received {lowest}.")
    return dress(maps_figure(normalized(images), maps, words))


def maps_figure(images, maps, words):
    """Return a Figure with a row of axes for each image."""
    columns = 1 + max(map(len, words))
    figure = Figure(
        figsize=(0.95 * columns, 1.15 * len(images)), layout="constrained"
    )
    grid = figure.subplots(len(images), columns, squeeze=False)
    for line, image, several, caption in zip(grid, images, maps, words):
        line[0].imshow(image)
        for axes, attention, word in zip(line[1:], several, caption):
            draw_map(axes, image, attention)
            axes.set_title(word, fontsize=MEDIUM)
        for axes in line:
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_color("lightgrey")
        for axes in line[1 + len(caption) :]:
            axes.remove()
    return figure


def draw_map(axes, image, attention):
    """Draw an image, dark where a map of its size is low."""
    H, W = image.shape[:2]
    extent = (-0.5, W - 0.5, H - 0.5, -0.5)
    shown = attention / (attention.max() or 1.0)
    veil = np.zeros((*shown.shape, 4))
    veil[..., 3] = 0.8 * (1 - shown)
    axes.imshow(image)
    axes.imshow(veil, extent=extent, interpolation="bilinear")
