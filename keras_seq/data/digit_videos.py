"""Moving digits: classify the digit in every frame of a video.

A digit of `digits` moves at up to 1.5 pixels per frame and bounces off the
borders. Once or twice in a clip another digit replaces it. In the fraction
`occlusion` of the other frames its 8 x 8 pixels are noise; the label is still
the digit behind the noise. (The first frame, and those in which the digit
changes, are never occluded.) An occluded frame alone has no information about
its label, but the frames before it have: a recurrent model can be correct
where a model of single frames can only guess.

Baselines, accuracy per frame at T = 12 after 4,000 training clips: 0.1 for
always answering one class; 0.14 for logistic regression on the pixels of one
frame; 0.74 for a small convolutional network on one frame.

Shapes: N clips, T frames, S side of a frame in pixels.
License of the images: as for `digits`.
"""

import numpy as np

from keras_seq.checks import fraction, not_negative_int, positive_int
from keras_seq.data.digit_images import digits

SIDE = 8  # pixels of a digit
NOISE = 0.2  # fraction of every pixel that is noise


def moving_digits(count, frames, split="train", seed=0, size=16, occlusion=0.3):
    """Generate clips of a digit that moves, changes and is occluded.

    A seed gives the same clips for every `occlusion`, except for the occluded
    pixels.

    Args:
        count: int > 0, number of clips N.
        frames: int > 2, number of frames T of a clip.
        split: str, "train" or "test", whose images are used. Default "train".
        seed: int >= 0, seed of the clips. Default 0.
        size: int > 8, side S of a frame in pixels. Default 16.
        occlusion: float in [0, 1), probability that a frame is occluded.
            Default 0.3.
    Returns:
        clips: float32 (N, T, S, S) in [0, 1].
        labels: int32 (N, T), the digit in each frame, 0 to 9.
    Raises:
        ImportError: if scikit-learn is not installed.
        ValueError: if an argument is out of range.
    Example:
        >>> from keras_seq import data
        >>> clips, labels = data.moving_digits(2, 5)
        >>> clips.shape, labels.shape
        ((2, 5, 16, 16), (2, 5))
    """
    _check(count, frames, seed, size, occlusion)
    images, classes = digits(split)
    rng = np.random.default_rng(seed)
    changed = _changes(rng, count, frames)
    labels = _labels(rng, changed)
    shown = images[_choose_images(rng, changed, labels, classes)]
    shown = _occlude(rng, shown, changed, occlusion)
    clips = _compose(shown, _path(rng, count, frames, size - SIDE), size)
    noise = rng.random(clips.shape, dtype="float32")
    return (1 - NOISE) * clips + NOISE * noise, labels


def _check(count, frames, seed, size, occlusion):
    positive_int(count=count, frames=frames, size=size)
    not_negative_int(seed=seed)
    fraction(occlusion=occlusion)
    for name, value, least in [("frames", frames, 2), ("size", size, SIDE)]:
        if value <= least:
            raise ValueError(
                f"`{name}` must be > {least}. Received {name}={value}."
            )


def _occlude(rng, shown, changed, occlusion):
    """Replace digits by noise, never in the frame where a digit appears."""
    occluded = (rng.random(changed.shape) < occlusion) & ~changed
    cover = rng.random(shown.shape, dtype="float32")
    return np.where(occluded[..., None, None], cover, shown)


def _changes(rng, count, frames):
    """Mark the frames where a digit appears: the first and one or two more."""
    order = rng.random((count, frames - 1)).argsort(axis=1).argsort(axis=1)
    later = order < rng.integers(1, 3, (count, 1))
    return np.concatenate([np.ones((count, 1), bool), later], axis=1)


def _labels(rng, changed):
    """Draw the first digit; move to a different one at each change."""
    steps = rng.integers(1, 10, changed.shape) * changed
    steps[:, 0] = rng.integers(0, 10, len(changed))
    return (np.cumsum(steps, axis=1) % 10).astype("int32")  # (N, T)


def _choose_images(rng, changed, labels, classes):
    """Draw an image of each label, the same one until the next change."""
    since = np.arange(changed.shape[1]) * changed
    since = np.maximum.accumulate(since, axis=1)  # frame of the last change
    draw = np.take_along_axis(rng.random(changed.shape), since, axis=1)
    by_class = np.argsort(classes, kind="stable")
    counts = np.bincount(classes, minlength=10)
    starts = np.cumsum(counts) - counts
    return by_class[starts[labels] + (draw * counts[labels]).astype(int)]


def _path(rng, count, frames, room):
    """Compute the corner of the digit in each frame: int (N, T, 2)."""
    start = rng.uniform(0, room, (count, 1, 2))
    speed = rng.uniform(-1.5, 1.5, (count, 1, 2))
    free = start + speed * np.arange(frames)[:, None]  # without borders
    folded = room - np.abs(room - free % (2 * room))
    return np.rint(folded).astype(int)  # (N, T, 2)


def _compose(shown, corners, size):
    """Paste each digit into a black frame, its corner at (row, column)."""
    clips = np.zeros((*shown.shape[:2], size, size), dtype="float32")
    for n, t in np.ndindex(shown.shape[:2]):
        row, column = corners[n, t]
        clips[n, t, row : row + SIDE, column : column + SIDE] = shown[n, t]
    return clips
