"""Checks of tensors and ids that the functions of this package receive."""

import functools
import sys

import keras
import numpy as np


def is_tf_tensor(value):
    """Return whether `value` is a tf.Tensor, without importing TensorFlow."""
    tf = sys.modules.get("tensorflow")
    return tf is not None and tf.is_tensor(value)


def without_autograph(method):
    """Keep autograph, which would take seconds, from converting a method.

    `tf.data` and `tf.function` convert Python's `if` and `for` to operations.
    The methods here have none that depends on a tensor.
    """

    @functools.wraps(method)
    def call(*args, **kwargs):
        tf = sys.modules.get("tensorflow")
        if tf is None:
            return method(*args, **kwargs)
        return tf.autograph.experimental.do_not_convert(method)(*args, **kwargs)

    return call


def check_tensor(name, tensor, right_dtype, ranks, rule):
    """Raise a ValueError for a tensor of another dtype or rank.

    Args:
        name: str, the argument that the message names.
        tensor: tf.Tensor.
        right_dtype: bool, whether the dtype is correct.
        ranks: tuple of int, the permitted ranks.
        rule: str, the part of the message after "must be".
    """
    if not right_dtype or tensor.shape.rank not in ranks:
        raise ValueError(
            f"`{name}` must be {rule}. "
            f"Received {name} of {tensor.dtype.name}, shape {tensor.shape}."
        )


def check_ids(ids, vocabulary_size):
    """Convert ids to NumPy and check that all are in the vocabulary.

    Args:
        ids: int (T,) or (B, T): list, NumPy array or tensor of the backend.
        vocabulary_size: int > 0.
    Returns:
        int (T,) or (B, T), a NumPy array.
    Raises:
        ValueError: if `ids` have another shape or dtype, or one is outside
            the vocabulary.
    """
    if not isinstance(ids, (list, tuple, np.ndarray)):
        ids = keras.ops.convert_to_numpy(ids)
    ids = np.asarray(ids)
    if not ids.size:
        ids = ids.astype("int32")  # NumPy converts [] to float
    if ids.ndim not in (1, 2) or not np.issubdtype(ids.dtype, np.integer):
        raise ValueError(
            "`ids` must be integers of shape (T,) or (B, T). "
            f"Received ids of {ids.dtype}, shape {ids.shape}."
        )
    outside = ids[(ids < 0) | (ids >= vocabulary_size)]
    if outside.size:
        raise ValueError(
            f"`ids` must be in [0, {vocabulary_size}), the vocabulary. "
            f"Received the id {outside[0]}."
        )
    return ids


def assert_ids(ids, vocabulary_size):
    """Add the check of the values to a graph: tf int (...) to the same.

    Raises:
        tf.errors.InvalidArgumentError: when an id outside the vocabulary is
            met; eagerly at once, in a graph when it runs.
    """
    import tensorflow as tf

    known = (ids >= 0) & (ids < vocabulary_size)
    message = f"`ids` must be in [0, {vocabulary_size}), the vocabulary."
    check = tf.debugging.Assert(tf.reduce_all(known), [message])
    with tf.control_dependencies([check] if check is not None else []):
        return tf.identity(ids)
