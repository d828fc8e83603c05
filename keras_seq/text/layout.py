"""Layout: rows of ids to one array, with marks around them and padding.

    [START]? id_1 ... id_n [END]? [PAD] ... [PAD]

Twice, with the same answer: for lists of ids, and for ragged tensors.

Shapes: B batch, T longest row with its marks, at least 1.
"""

import keras
import numpy as np

from keras_seq.checks import positive_int

PAD, UNKNOWN, START, END, MASK = range(5)


def check_length(length, marks, truncate):
    """Refuse a `length` that has no room for its own marks."""
    if length is not None:
        positive_int(length=length)
    if length is None and truncate:
        raise ValueError(
            "`length` must be given with truncate=True. Received length=None."
        )
    if length is not None and length < marks:
        raise ValueError(
            "`length` must have room for the start and end marks. "
            f"Received length={length}."
        )


def lay_out(rows, start, end, pad, length, truncate):
    """Put marks, lists of ids, around rows of ids; pad them: int32 (B, T)."""
    marks = len(start) + len(end)
    room = None if length is None else length - marks
    longest = max([0, *map(len, rows)])
    if room is not None and longest > room and not truncate:
        raise ValueError(
            "`length` must have room for the longest text and its marks, or "
            f"go with truncate=True. Received length={length}, a text of "
            f"{longest} ids."
        )
    width = length or max(1, longest + marks)
    padded = np.full((len(rows), width), pad, "int32")
    for out, ids in zip(padded, rows, strict=True):
        marked = [*start, *ids[:room], *end]
        out[: len(marked)] = marked
    return padded


def lay_out_tensor(rows, start, end, pad, length, truncate):
    """The same in a graph: ragged int32 (B, None) to (B, T)."""
    import tensorflow as tf

    if length is not None:
        room = length - len(start) - len(end)
        if not truncate:
            longest = tf.cast(rows.row_lengths(), tf.int32)
            advice = f"`length` has no room for a text. Received {length=}."
            tf.debugging.assert_less_equal(longest, room, advice)
        rows = rows[:, :room]
    column = tf.ones([rows.nrows(), 1], tf.int32)
    start, end = ([column * mark for mark in marks] for marks in (start, end))
    return pad_rows(tf.concat([*start, rows, *end], axis=1), pad, length)


def pad_rows(rows, pad, length):
    """Pad ragged int32 (B, None) to (B, T), the longest where none is given."""
    import tensorflow as tf

    padded = rows.to_tensor(pad, shape=[None, length])
    if length is None:  # at least one column, also for a batch of ""
        missing = tf.maximum(0, 1 - tf.shape(padded)[1])
        padded = tf.pad(padded, [[0, 0], [0, missing]], constant_values=pad)
    return padded


def check_ids(ids, vocabulary_size):
    """Any array as int (T,) or (B, T) in NumPy, every id known."""
    if not isinstance(ids, (list, tuple, np.ndarray)):
        ids = keras.ops.convert_to_numpy(ids)
    ids = np.asarray(ids)
    if not ids.size:
        ids = ids.astype("int32")  # NumPy makes [] a float
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


def check_tensor(name, tensor, good, ranks, rule):
    """Refuse a tensor whose type is not `good` or whose rank not in `ranks`."""
    if not good or tensor.shape.rank not in ranks:
        raise ValueError(
            f"`{name}` must be {rule}. "
            f"Received {name} of {tensor.dtype.name}, shape {tensor.shape}."
        )
