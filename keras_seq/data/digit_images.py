"""Handwritten digits, small enough to train on in seconds.

1,797 images of 8 x 8 pixels that come with scikit-learn: the test part of
Alpaydin & Kaynak (1998), "Optical Recognition of Handwritten Digits", UCI
Machine Learning Repository (CC BY 4.0).
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

    The fifth, tenth, ... image of each class is for testing: 1,442 and 355
    images. The same people wrote both. Baselines on the test images: 0.1 for
    one answer always; 0.97 for logistic regression on the 64 pixels.

    Args:
        split: "train" or "test". Default "train".
    Returns:
        images: float32 (N, 8, 8), ink in [0, 1].
        labels: int32 (N,), the digit, 0 to 9.
    Raises:
        ImportError: if scikit-learn is not installed.
        ValueError: if `split` is another word.
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
    images = data.images[chosen] / 16  # the scans count 0 to 16 dark dots
    return images.astype("float32"), data.target[chosen].astype("int32")


def digit_captions(labels, language="en"):
    """Spell digits out, as "seven" or "칠".

    Args:
        labels: int (N,), digits, 0 to 9.
        language: "en" or "ko" (Sino-Korean numerals). Default "en".
    Returns:
        list of N str.
    Raises:
        ValueError: if a label is no digit or the language is unknown.
    """
    one_of(CAPTIONS, language=language)
    for label in labels:
        one_of(range(10), labels=label)
    return [CAPTIONS[language][label] for label in labels]
