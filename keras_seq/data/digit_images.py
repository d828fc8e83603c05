"""Handwritten digits: classify an image of 8 x 8 pixels.

1,797 images that are part of scikit-learn: the test set of Alpaydin & Kaynak
(1998), "Optical Recognition of Handwritten Digits", UCI Machine Learning
Repository (CC BY 4.0). Every fifth image of each class is a test image: 1,442
training and 355 test images. The same people wrote both.

Baselines, accuracy: 0.1 for always answering one class; 0.97 for logistic
regression on the 64 pixels.

Shapes: N images.
"""

import numpy as np

from keras_seq.checks import one_of
from keras_seq.data.splits import SPLITS

# fmt: off
CAPTIONS = {
    "en": ("zero", "one", "two", "three", "four",
           "five", "six", "seven", "eight", "nine"),
    "ko": ("영", "일", "이", "삼", "사", "오", "육", "칠", "팔", "구"),
}
# fmt: on


def digits(split="train"):
    """Load scikit-learn's images of handwritten digits.

    Args:
        split: str, "train" or "test". Default "train".
    Returns:
        images: float32 (N, 8, 8), intensity of the ink in [0, 1].
        labels: int32 (N,), the digit, 0 to 9.
    Raises:
        ImportError: if scikit-learn is not installed.
        ValueError: if `split` is unknown.
    Example:
        >>> from keras_seq import data
        >>> images, labels = data.digits("test")
        >>> images.shape, labels.shape
        ((355, 8, 8), (355,))
    """
    one_of(SPLITS, split=split)
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise ImportError(
            'digits() needs scikit-learn: pip install "keras_seq[tutorials]"'
        ) from error
    data = load_digits()
    test = np.zeros(len(data.target), dtype=bool)
    for digit in range(10):
        test[np.flatnonzero(data.target == digit)[4::5]] = True
    chosen = test if split == "test" else ~test
    images = data.images[chosen] / 16  # the scans have values 0 to 16
    return images.astype("float32"), data.target[chosen].astype("int32")


def digit_captions(labels, language="en"):
    """Spell out digits, e.g. "seven" or "칠".

    Args:
        labels: int (N,), digits, 0 to 9.
        language: str, "en" or "ko" (Sino-Korean numerals). Default "en".
    Returns:
        list of N str.
    Raises:
        ValueError: if a label is not a digit or the language is unknown.
    Example:
        >>> from keras_seq import data
        >>> data.digit_captions([7, 0], "ko")
        ['칠', '영']
    """
    one_of(CAPTIONS, language=language)
    for label in labels:
        one_of(range(10), labels=label)
    return [CAPTIONS[language][label] for label in labels]
