"""Digits that drift, bounce, change and hide: a label for every frame.

Composed for this project from the real images of `digits`. A frame in which
the digit is covered tells nothing by itself, but the frames before it do:
a model with a memory can be right where a model of one frame can only guess.

Shapes: N clips, T frames, S pixels a side.
"""

import numpy as np

from keras_seq.checks import fraction, not_negative_int, positive_int
from keras_seq.data.digit_images import digits

SIDE = 8  # pixels of a digit
NOISE = 0.2  # share of every pixel that is noise


def moving_digits(count, frames, split="train", seed=0, size=16, hidden=0.3):
    """Film a digit that moves, sometimes changes and sometimes is covered.

    A digit of `digits(split)` drifts at up to 1.5 pixels a frame and bounces
    off the walls. Once or twice a clip another digit takes its place. In the
    fraction `hidden` of the other frames its 8 x 8 pixels are noise; the label
    is still the digit behind. (The first frame and those of a change are
    never covered.) A seed gives the same clips whatever `hidden` is, but for
    the covered pixels. Licence as for `digits`.

    Baselines, frames right at T = 12 after 4,000 training clips: 0.1 for one
    answer always; 0.14 for logistic regression on the pixels of one frame;
    0.74 for a small convolutional network that sees one frame.

    Args:
        count: int > 0, number of clips N.
        frames: int > 2, number of frames T of a clip.
        split: "train" or "test", whose images are used. Default "train".
        seed: int >= 0, which clips are drawn. Default 0.
        size: int > 8, side S of a frame in pixels. Default 16.
        hidden: float in [0, 1), chance that such a frame is covered.
            Default 0.3.
    Returns:
        clips: float32 (N, T, S, S) in [0, 1].
        labels: int32 (N, T), the digit in each frame, 0 to 9.
    Raises:
        ImportError: if scikit-learn is not installed.
        ValueError: if an argument is out of range.
    """
    positive_int(count=count, frames=frames, size=size)
    not_negative_int(seed=seed)
    fraction(hidden=hidden)
    for name, value, least in [("frames", frames, 2), ("size", size, SIDE)]:
        if value <= least:
            raise ValueError(
                f"`{name}` must be > {least}. Received {name}={value}."
            )
    images, classes = digits(split)
    rng = np.random.default_rng(seed)
    changed = _changes(rng, count, frames)
    labels = _labels(rng, changed)
    shown = images[_choose_images(rng, changed, labels, classes)]
    covered = (rng.random(changed.shape) < hidden) & ~changed
    cover = rng.random(shown.shape, dtype="float32")
    shown = np.where(covered[..., None, None], cover, shown)
    clips = _place(shown, _path(rng, count, frames, size - SIDE), size)
    noise = rng.random(clips.shape, dtype="float32")
    return (1 - NOISE) * clips + NOISE * noise, labels


def _changes(rng, count, frames):
    """Mark the frames where a digit appears: the first and one or two more."""
    order = rng.random((count, frames - 1)).argsort(axis=1).argsort(axis=1)
    later = order < rng.integers(1, 3, (count, 1))
    return np.concatenate([np.ones((count, 1), bool), later], axis=1)


def _labels(rng, changed):
    """Begin anywhere in 0..9; step to another digit at each change."""
    steps = rng.integers(1, 10, changed.shape) * changed
    steps[:, 0] = rng.integers(0, 10, len(changed))
    return (np.cumsum(steps, axis=1) % 10).astype("int32")  # (N, T)


def _choose_images(rng, changed, labels, classes):
    """Pick an image of the right class, the same until the next change."""
    since = np.arange(changed.shape[1]) * changed
    since = np.maximum.accumulate(since, axis=1)  # frame of the last change
    draw = np.take_along_axis(rng.random(changed.shape), since, axis=1)
    by_class = np.argsort(classes, kind="stable")
    counts = np.bincount(classes, minlength=10)
    starts = np.cumsum(counts) - counts
    return by_class[starts[labels] + (draw * counts[labels]).astype(int)]


def _path(rng, count, frames, room):
    """Move straight and bounce: where the digit's corner is, in pixels."""
    start = rng.uniform(0, room, (count, 1, 2))
    speed = rng.uniform(-1.5, 1.5, (count, 1, 2))
    free = start + speed * np.arange(frames)[:, None]  # without any wall
    folded = room - np.abs(room - free % (2 * room))
    return np.rint(folded).astype(int)  # (N, T, 2)


def _place(shown, corners, size):
    """Lay each digit on a dark canvas with its corner at (row, column)."""
    clips = np.zeros((*shown.shape[:2], size, size), dtype="float32")
    for n, t in np.ndindex(shown.shape[:2]):
        row, column = corners[n, t]
        clips[n, t, row : row + SIDE, column : column + SIDE] = shown[n, t]
    return clips
