"""Spans: characters of a text, and the pieces a model reads.

People mark characters, a model answers for pieces. Both ways go through the
offsets, the characters that each piece was read from:

    text         The dog barked.
    pieces       the  dog  bark  ##ed  .
    offsets      0,3  4,7  8,12  12,14 14,15
    [4, 7]       the pieces that overlap with these characters, and back

Offsets count characters of the text in NFC; so do the answers given here.

Shapes: B batch, T length, N spans of a row.
Paper: Devlin et al. (2019), arXiv:1810.04805, section 4.2.
"""

import numpy as np

from keras_seq.text.unicode import is_tf_tensor, text_tensor

ENDS = r"^[\s\p{Z}]+|[\s\p{Z}]+$"  # white space at either end


def span_to_tokens(packed, starts, ends, segment=1):
    """Find the tokens that cover a span of characters.

    Args:
        packed: dict that a `Packer` made with `offsets=True`, of B rows.
        starts, ends: int (B,), text[start:end] of the text in NFC; a span
            that is empty or runs backwards means that there is no answer. One
            that ends beyond the last token, be it in white space, counts as
            trimmed.
        segment: int, the text that the span is in: 0 the first, 1 the
            second. Default 1.
    Returns:
        int32 (B, 2), the first and the last token, a NumPy array, or a
        tf.Tensor for tensors; (0, 0) where there is no answer, or where it
        was trimmed away, be it in part.
    Raises:
        ValueError: if `starts` and `ends` are not (B,), an answer begins
            below 0, or there are no offsets. A tensor's values are not looked
            at.
    """
    import tensorflow as tf

    offsets = tf.cast(_offsets(packed), tf.int64)
    starts = _column("starts", starts, offsets.shape[0])
    ends = _column("ends", ends, offsets.shape[0])
    plain = not is_tf_tensor(packed["offsets"])
    if plain and tf.reduce_any((starts < 0) & (starts < ends)):
        raise ValueError(
            "`starts` must be at least 0 where there is an answer. Received "
            f"starts={starts[:, 0].numpy()}, ends={ends[:, 0].numpy()}."
        )
    low, high = offsets[..., 0], offsets[..., 1]
    inside = tf.convert_to_tensor(packed["segment_ids"]) == segment
    inside &= high > 0  # no marks, no padding
    last = tf.reduce_max(tf.where(inside, high, 0), axis=1, keepdims=True)
    inside &= (low < ends) & (high > starts)
    inside &= (starts < ends) & (ends <= last)
    inside = tf.cast(inside, tf.int32)
    first = tf.argmax(inside, axis=1, output_type=tf.int32)
    count = tf.reduce_sum(inside, axis=1)
    found = tf.stack([first, first + tf.maximum(count - 1, 0)], axis=1)
    return found.numpy() if plain else found


def _column(name, x, rows):
    """Check int (B,); give it as int64 (B, 1)."""
    import tensorflow as tf

    x = tf.convert_to_tensor(x)
    if not x.dtype.is_integer or not x.shape.is_compatible_with([rows]):
        raise ValueError(
            f"`{name}` must be int (B,), one for each row. Received {name} of "
            f"{x.dtype.name}, shape {x.shape}, for {rows} rows."
        )
    return tf.cast(x, tf.int64)[:, None]


def tag_spans(packed, spans, *, segment=0, ignore_id=-100):
    """Give each token of a span its number: 1 for the first span of a row.

    Args:
        packed: as for `span_to_tokens`, of NumPy arrays.
        spans: int (B, N, 2), N spans in each row, text[start:end] of the text
            in NFC; an empty one, such as (0, 0), is none. A token that two
            share is of the later one.
        segment: int, the text that the spans are in: 0 the first, 1 the
            second. Default 0.
        ignore_id: int < 0, the tag of marks, padding, the other text, and of
            what is left of a span that was trimmed in part; a loss leaves it
            out, as `TokenCrossEntropy(pad_id=-100)` does. Default -100.
    Returns:
        int32 (B, T), 0 for the other tokens of the text.
    Raises:
        ValueError: if `spans` are no integers (B, N, 2), one begins below 0,
            no row has such a `segment`, `ignore_id` is not below 0, or there
            are no offsets.
    """
    offsets, segments = _offsets(packed), packed["segment_ids"]
    if is_tf_tensor(offsets) or offsets.ndim != 3:
        raise ValueError(
            "`packed` must be NumPy arrays of B rows. Received offsets "
            f"{type(offsets).__name__} of shape {offsets.shape}."
        )
    if len(segments) and segment not in segments:
        raise ValueError(
            "`segment` must be one of the texts that were packed. Received "
            f"segment={segment!r}."
        )
    if type(ignore_id) is not int or ignore_id >= 0:
        raise ValueError(
            f"`ignore_id` must be an int < 0. Received ignore_id={ignore_id!r}."
        )
    spans = _spans(spans, len(segments))
    low, high = offsets[..., 0], offsets[..., 1]
    real = (high > 0) & (segments == segment)
    last = np.where(real, high, 0).max(axis=1, keepdims=True)
    tags = np.where(real, 0, ignore_id)
    for n in range(spans.shape[1]):
        start, end = spans[:, n, :1], spans[:, n, 1:]
        inside = real & (low < end) & (high > start) & (start < end)
        tags = np.where(inside, np.where(end <= last, n + 1, ignore_id), tags)
    return tags.astype("int32")


def _spans(spans, rows):
    """Check int (B, N, 2), none of which begins below 0."""
    try:
        x = np.asarray(spans)
    except ValueError as error:
        raise ValueError(
            "`spans` must be as many in each row: fill up with (0, 0). "
            f"Received spans={spans!r}."
        ) from error
    fits = x.ndim == 3 and (len(x), x.shape[2]) == (rows, 2)
    if not fits or x.dtype.kind not in "iu":
        raise ValueError(
            f"`spans` must be int (B, N, 2), N for each of {rows} rows. "
            f"Received {x.dtype} of shape {x.shape}."
        )
    if ((x[..., 0] < 0) & (x[..., 0] < x[..., 1])).any():
        raise ValueError(
            f"`spans` must begin at 0 or later. Received spans={spans!r}."
        )
    return x


def tokens_to_text(packed, texts, spans):
    """Read the answer between two tokens off the text.

    Args:
        packed: as for `span_to_tokens`.
        texts: list of B str, or tf.Tensor of strings (B,): the texts that the
            answers are in.
        spans: int (B, 2), the first and the last token, as `span_to_tokens`
            and `keras_seq.models.best_span` give them.
    Returns:
        list of B str, or tf string (B,) for a tensor: parts of the texts in
        NFC, without white space at either end; "" for (0, 0).
    Raises:
        ValueError: if `texts` are not as many as the rows, or a span runs
            backwards, beyond a text, or from a mark or from another text; for
            tensors, the graph raises tf.errors.InvalidArgumentError when it
            runs.
    """
    import tensorflow as tf

    offsets = tf.convert_to_tensor(_offsets(packed))
    strings, _ = text_tensor(texts)
    try:
        tf.debugging.assert_equal(
            tf.size(strings),
            tf.shape(offsets)[0],
            "`texts` must be one for each row.",
        )
        spans = tf.cast(spans, tf.int32)
        ends = tf.gather(offsets, spans, batch_dims=1)  # (B, 2, 2)
        sides = tf.gather(packed["segment_ids"], spans, batch_dims=1)  # (B, 2)
        fits = tf.reduce_all(ends[..., 1] > 0, axis=1)  # no marks
        fits &= (sides[:, 0] == sides[:, 1]) & (spans[:, 0] <= spans[:, 1])
        tf.debugging.Assert(
            tf.reduce_all(fits | tf.reduce_all(spans == 0, axis=1)),
            ["`spans` must run forwards, in one text."],
        )
        first, last = ends[:, 0, 0], ends[:, 1, 1]
        unit = {"unit": "UTF8_CHAR"}
        parts = tf.strings.substr(strings, first, last - first, **unit)
    except tf.errors.InvalidArgumentError as error:
        if is_tf_tensor(texts):
            raise
        raise ValueError(
            "`spans` must be the first and the last token of a part of one "
            f"of `texts`, which are B. Received {error.message}"
        ) from error
    parts = tf.strings.regex_replace(parts, ENDS, "")
    if is_tf_tensor(texts):
        return parts
    return [part.decode() for part in parts.numpy()]


def _offsets(packed):
    """The offsets, or what to do where there are none."""
    if "offsets" not in packed:
        raise ValueError(
            "`packed` must have offsets: pack with `offsets=True`. "
            f"Received {list(packed)}."
        )
    return packed["offsets"]
