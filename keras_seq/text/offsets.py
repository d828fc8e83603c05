"""Offsets: the characters of a text that a piece was read from.

tensorflow-text counts bytes, and a Hangul syllable has three bytes; users
count characters. The character of a byte is found by a binary search:

    character(byte) = number of characters of the text that begin before it

A change of the text, such as lower-casing, may remove or add characters. The
offsets in the changed text are converted to offsets in the original text.

Shapes: B batch.
"""

ROW = 2**40  # more bytes than a text can have


def offsets_in_characters(texts, starts, ends):
    """Convert offsets in bytes to offsets in characters.

    Args:
        texts: tf string (B,), what the op read.
        starts: ragged int64 (B, None), as the op returns them.
        ends: ragged int64 (B, None), as the op returns them.
    Returns:
        starts: ragged int32 (B, None).
        ends: ragged int32 (B, None).
    """
    import tensorflow as tf

    _, begins = tf.strings.unicode_decode_with_offsets(texts, "UTF-8")
    starts, ends = (count_below(begins, bytes) for bytes in (starts, ends))
    # SentencePiece gives the offsets of a character without a piece to its
    # last byte only, and empty ones to the others.
    least = starts.flat_values + 1
    return starts, ends.with_flat_values(tf.maximum(ends.flat_values, least))


def offsets_before_change(texts, change, starts, ends):
    """Convert offsets in `change(texts)` to offsets in `texts`.

    Args:
        texts: tf string (B,).
        change: function from tf string (N,) to (N,), which changes each
            character independently and may remove it or add others.
        starts: ragged int32 (B, None), characters of `change(texts)`.
        ends: ragged int32 (B, None), characters of `change(texts)`.
    Returns:
        starts: ragged int32 (B, None).
        ends: ragged int32 (B, None). A removed character belongs to the
            character before it.
    """
    import tensorflow as tf

    chars = tf.strings.unicode_split(texts, "UTF-8")
    last = tf.fill([chars.nrows(), 1], "")  # the end of the text
    chars = tf.concat([chars, last], axis=1)
    sizes = tf.strings.length(change(chars.flat_values), "UTF8_CHAR")
    begins = tf.cumsum(tf.cast(sizes, tf.int64), exclusive=True)
    first = tf.gather(chars.row_starts(), chars.value_rowids())
    begins = chars.with_flat_values(begins - tf.gather(begins, first))
    starts = count_below(begins, starts, "right", -1)
    # The end of a piece may lie inside of what one character became.
    inside = count_below(begins, ends - 1, "right", 0)
    ends = count_below(begins, ends, "right", -1)
    return starts, ends.with_flat_values(
        tf.maximum(ends.flat_values, inside.flat_values)
    )


def count_below(begins, values, side="left", plus=0):
    """Count for each value how many numbers of its row are below it.

    Args:
        begins: ragged int64 (B, None), each row ascending, in [0, 2^40).
        values: ragged int (B, None), in the same range.
        side: str, "left", or "right" to count equal numbers too. Default
            "left".
        plus: int, added to each count. Default 0.
    Returns:
        ragged int32, as `values`.
    """
    import tensorflow as tf

    row = values.value_rowids()
    found = tf.searchsorted(
        begins.flat_values + begins.value_rowids() * ROW,
        tf.cast(values.flat_values, tf.int64) + row * ROW,
        side=side,
        out_type=tf.int64,
    )
    found += plus - tf.gather(begins.row_starts(), row)
    return values.with_flat_values(tf.cast(found, tf.int32))
