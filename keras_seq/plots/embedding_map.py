"""A map of the vectors of an embedding."""

import numpy as np

from keras_seq.plots.drawing import (
    MEDIUM,
    array,
    check_dict,
    check_length,
    colour,
    dress,
    legend_below,
    one_axes,
)

MARKS = "osD^vP*X"


def embedding_map(vectors, groups):
    """Draw words where the first two principal components put their vectors.

    Args:
        vectors: float (words, D), D >= 2, vectors of the words of all groups,
            in the order of `groups`.
        groups: dict of list of str, name of a group -> its words.
    Returns:
        Figure, each word beside its point, a color and a mark for each group.
        The axes name the share of the variance that they show.
    Raises:
        ValueError: if there are not as many vectors as words, or a vector has
            fewer than two numbers.
    Example:
        >>> vectors = np.eye(3)
        >>> figure = plots.embedding_map(vectors, {"a": ["x", "y"], "b": ["z"]})
        >>> len(figure.axes[0].collections)
        2
    """
    check_dict(groups=groups)
    vectors = array("vectors", vectors, ("words", "D"))
    words = [word for group in groups.values() for word in group]
    check_length(len(words), vectors=vectors)
    points, shares = principal_components(vectors)
    figure, axes = one_axes(
        8,
        6.5,
        xlabel=f"first principal component ({shares[0]:.0%} of the variance)",
        ylabel=f"second principal component ({shares[1]:.0%})",
    )
    ends = np.cumsum([len(group) for group in groups.values()])
    parts = np.split(points, ends[:-1])
    for index, (name, part) in enumerate(zip(groups, parts)):
        draw_group(axes, name, groups[name], part, index)
    legend_below(figure, 4)
    return dress(figure)


def draw_group(axes, name, words, points, index):
    """Draw the points of a group, each with its word."""
    mark = MARKS[index % len(MARKS)]
    axes.scatter(*points.T, label=name, marker=mark, **colour(index))
    for word, point in zip(words, points):
        beside = {"textcoords": "offset points", "fontsize": MEDIUM}
        axes.annotate(word, point, (4, 3), **beside, **colour(index))


def principal_components(vectors):
    """Return the first two of each vector, and their shares of the variance."""
    if vectors.shape[1] < 2:
        raise ValueError(
            "`vectors` must have at least two numbers for each word. "
            f"Received vectors of shape {vectors.shape}."
        )
    centered = vectors - vectors.mean(0)
    _, sizes, directions = np.linalg.svd(centered, full_matrices=False)
    shares = sizes[:2] ** 2 / max((sizes**2).sum(), 1e-12)
    return centered @ directions[:2].T, shares
