"""CIFAR-10: classify a photograph of 32 x 32 pixels.

`cifar10-10k` is a fifth of CIFAR-10 (Krizhevsky, 2009, "Learning multiple
layers of features from tiny images"): the first 1,000 training and 200 test
images of each of the ten classes, decoded from JPEG. Report results under the
name `cifar10-10k`: with the 50,000 images of CIFAR-10 every network is better.

`find_file` finds the file and compares it with its checksum.

Baseline, accuracy: 0.1 for always answering one class.

Shapes: N images.
"""

import numpy as np

from keras_seq.checks import one_of
from keras_seq.data.data_files import find_file
from keras_seq.data.splits import SPLITS

# fmt: off
CIFAR10_LABELS = (
    "airplane", "automobile", "bird", "cat", "deer",
    "dog", "frog", "horse", "ship", "truck",
)
# fmt: on
CIFAR10_SHA256 = (
    "18fbea07c2c15db5afbc23adb3c565aabb2f2c8df8961c6a7f3f1031038a32ee"
)
CIFAR10_ORIGIN = (
    "the first 1,000 training and 200 test images of each class of CIFAR-10, "
    "https://www.cs.toronto.edu/~kriz/cifar.html, decoded from JPEG; an .npz "
    "of x_train, y_train, x_test and y_test"
)


def cifar10_10k(split="train"):
    """Load `cifar10-10k`, a fifth of the photographs of CIFAR-10.

    Args:
        split: str, "train" or "test". Default "train".
    Returns:
        images: float32 (N, 32, 32, 3), red, green and blue in [0, 1]; N is
            10,000 or 2,000.
        labels: int32 (N,), indices in `CIFAR10_LABELS`.
    Raises:
        FileNotFoundError: if the file is missing; it cannot be downloaded.
        ValueError: if the file is damaged or `split` is unknown.
    Example:
        >>> from keras_seq import data
        >>> images, labels = data.cifar10_10k("test")  # doctest: +SKIP
    """
    one_of(SPLITS, split=split)
    path = find_file(
        "cifar10/cifar10.npz", None, CIFAR10_SHA256, CIFAR10_ORIGIN
    )
    with np.load(path) as arrays:
        images, labels = (arrays[f"{part}_{split}"] for part in "xy")
    return images.astype("float32") / 255, labels.astype("int32")
