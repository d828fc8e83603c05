"""Offsets: the characters of a text that a piece was read from.

tensorflow-text counts bytes, and a Hangul syllable is three of them; who asks
for an answer counts characters. A byte's character is found by a search:

    character(byte) = how many characters of its text begin before it

Lower-casing moves characters once more where it takes one away, as an accent
that stands alone.

Shapes: B batch.
"""

ROW = 2**40  # more bytes than a text can have


def in_characters(texts, starts, ends):
    """Count in characters what an op counted in bytes.

    Args:
        texts: tf string (B,), what the op read.
        starts, ends: ragged int64 (B, None), as the op gives them.
    Returns:
        starts, ends: ragged int32 (B, None).
    """
    import tensorflow as tf

    _, begins = tf.strings.unicode_decode_with_offsets(texts, "UTF-8")
    starts, ends = (count_below(begins, bytes) for bytes in (starts, ends))
    # Of the bytes of a character without a piece, SentencePiece gives the
    # last one the whole character and the others nothing.
    least = starts.flat_values + 1
    return starts, ends.with_flat_values(tf.maximum(ends.flat_values, least))


def before_change(texts, change, starts, ends):
    """Find the characters of `texts` that offsets in `change(texts)` mean.

    Args:
        texts: tf string (B,).
        change: function from tf string (N,) to (N,), which changes each
            character by itself and takes some away.
        starts, ends: ragged int32 (B, None), characters of `change(texts)`.
    Returns:
        starts, ends: ragged int32 (B, None). What was taken away belongs to
        the character before it.
    """
    import tensorflow as tf

    chars = tf.strings.unicode_split(texts, "UTF-8")
    last = tf.fill([chars.nrows(), 1], "")  # the end of the text, a place too
    chars = tf.concat([chars, last], axis=1)
    sizes = tf.strings.length(change(chars.flat_values), "UTF8_CHAR")
    begins = tf.cumsum(tf.cast(sizes, tf.int64), exclusive=True)
    first = tf.gather(chars.row_starts(), chars.value_rowids())
    begins = chars.with_flat_values(begins - tf.gather(begins, first))
    return (count_below(begins, x, "right", -1) for x in (starts, ends))


def count_below(begins, values, side="left", plus=0):
    """Count how many numbers of its row are below each value.

    Args:
        begins: ragged int64 (B, None), each row rising, in [0, 2^40).
        values: ragged int (B, None), in the same range.
        side: "left", or "right" to count what is equal, too.
        plus: int, added to each count.
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
