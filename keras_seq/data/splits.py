"""Training and test split: assign each example by a checksum.

The built-in `hash()` of a str changes from process to process, and a shuffle
changes as soon as one example is added. A checksum of the example is the same
on every machine, so that a test example stays a test example.
"""

import zlib

SPLITS = ("train", "test")


def held_out(key):
    """Return whether an example belongs to the test split: one in five does.

    Args:
        key: str, equal for two examples that must be in the same split.
    Returns:
        bool, True for a test example.
    Example:
        >>> from keras_seq.data.splits import held_out
        >>> sum(held_out(str(number)) for number in range(1000))
        189
    """
    return zlib.crc32(key.encode("utf-8")) % 5 == 0
