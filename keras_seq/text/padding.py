"""Start and end tokens around rows of ids, and padding to one length.

    [START]? id_1 ... id_n [END]? [PAD] ... [PAD]

Each function exists twice, with the same result: for lists of ids in Python,
and for ragged tensors in a TensorFlow graph.

Shapes: B batch, T longest row with its start and end tokens, at least 1.
"""

import numpy as np

from keras_seq.checks import positive_int


def check_sequence_length(sequence_length, added, truncate):
    """Raise a ValueError for a length that cannot hold the added tokens.

    Args:
        sequence_length: optional int > 0.
        added: int, number of start and end tokens.
        truncate: bool, whether longer rows are truncated.
    """
    if sequence_length is None:
        if truncate:
            raise ValueError(
                "`sequence_length` must be given with truncate=True. "
                "Received sequence_length=None."
            )
        return
    positive_int(sequence_length=sequence_length)
    if sequence_length < added:
        raise ValueError(
            "`sequence_length` must have room for the start and end tokens. "
            f"Received sequence_length={sequence_length}."
        )


def pack_rows(rows, start, end, pad, sequence_length, truncate):
    """Add start and end tokens to lists of ids and pad them: int32 (B, T).

    Args:
        rows: list of B lists of int.
        start: list of int, ids before each row.
        end: list of int, ids after each row.
        pad: int, the id of padding.
        sequence_length: optional int, T. None: that of the longest row.
        truncate: bool, whether longer rows are truncated.
    """
    added = len(start) + len(end)
    room = None if sequence_length is None else sequence_length - added
    longest = max([0, *map(len, rows)])
    if room is not None and longest > room and not truncate:
        raise ValueError(
            "`sequence_length` must have room for the longest text with its "
            "start and end tokens, unless truncate=True. Received "
            f"sequence_length={sequence_length}, a text of {longest} ids."
        )
    width = sequence_length or max(1, longest + added)
    padded = np.full((len(rows), width), pad, "int32")
    for out, ids in zip(padded, rows, strict=True):
        packed = [*start, *ids[:room], *end]
        out[: len(packed)] = packed
    return padded


def pack_ragged(rows, start, end, pad, sequence_length, truncate):
    """Do what `pack_rows` does in a graph: ragged int32 (B, None) to (B, T)."""
    import tensorflow as tf

    if sequence_length is not None:
        room = sequence_length - len(start) - len(end)
        if not truncate:
            longest = tf.cast(rows.row_lengths(), tf.int32)
            tf.debugging.assert_less_equal(
                longest,
                room,
                "`sequence_length` has no room for a text. Received "
                f"{sequence_length=}.",
            )
        rows = rows[:, :room]
    column = tf.ones([rows.nrows(), 1], tf.int32)
    start, end = ([column * id for id in ids] for ids in (start, end))
    rows = tf.concat([*start, rows, *end], axis=1)
    return pad_ragged(rows, pad, sequence_length)


def pad_ragged(rows, pad, sequence_length):
    """Pad ragged int32 (B, None) to (B, T), by default to the longest row."""
    import tensorflow as tf

    padded = rows.to_tensor(pad, shape=[None, sequence_length])
    if sequence_length is None:  # at least one column, also for empty texts
        missing = tf.maximum(0, 1 - tf.shape(padded)[1])
        padded = tf.pad(padded, [[0, 0], [0, missing]], constant_values=pad)
    return padded
