"""Spans of characters and spans of tokens (extractive question answering).

People mark characters; a model predicts tokens. The offsets, the characters
that each token was read from, convert one to the other:

    text         The dog barked.
    tokens       the  dog  bark  ##ed  .
    offsets      0,3  4,7  8,12  12,14 14,15
    [4, 7]       the tokens that overlap with these characters, and back

Offsets count the characters of the text in the normal form of the tokenizer:
in NFC, with a `BERTTokenizer` as the text was given.

Shapes: B batch, T length, N spans of a row.
Paper: Devlin et al. (2019), arXiv:1810.04805, section 4.2.
"""

import numpy as np

from keras_seq.text.tensor_checks import is_tf_tensor
from keras_seq.text.unicode import text_tensor

ENDS = r"^[\s\p{Z}]+|[\s\p{Z}]+$"  # white space at either end


def span_to_tokens(packed, starts, ends, segment=1):
    """Find the tokens that cover a span of characters.

    Args:
        packed: dict that a `MultiSegmentPacker` returned with `offsets=True`,
            of B rows.
        starts: int (B,), where the span text[start:end] begins.
        ends: int (B,), where it ends; an end that is not after its start
            means that there is no answer.
        segment: int, the text with the span: 0 the first, 1 the second.
            Default 1.
    Returns:
        int32 (B, 2), the first and the last token, a NumPy array, or a
        tf.Tensor for tensors; (0, 0) if there is no answer, or if it was
        truncated, even in part: a span must end at or before the last token.
    Raises:
        ValueError: if `starts` or `ends` are not (B,), an answer begins below
            0, or there are no offsets. A tensor's values are not checked.
    Example:
        >>> packer = MultiSegmentPacker(CharTokenizer("abc "))
        >>> packed = packer(["a"], ["abc"], offsets=True)
        >>> span_to_tokens(packed, [1], [3]).tolist()
        [[4, 5]]
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
    inside &= high > 0  # no special tokens
    found = _covering(low, high, starts, ends, inside)
    return found.numpy() if plain else found


def _covering(low, high, starts, ends, inside):
    """Find the first and the last token of each span: int32 (B, 2)."""
    import tensorflow as tf

    last = tf.reduce_max(tf.where(inside, high, 0), axis=1, keepdims=True)
    inside &= (low < ends) & (high > starts)
    inside &= (starts < ends) & (ends <= last)
    inside = tf.cast(inside, tf.int32)
    first = tf.argmax(inside, axis=1, output_type=tf.int32)
    count = tf.reduce_sum(inside, axis=1)
    return tf.stack([first, first + tf.maximum(count - 1, 0)], axis=1)


def _column(name, x, rows):
    """Check int (B,) and return it as int64 (B, 1)."""
    import tensorflow as tf

    x = tf.convert_to_tensor(x)
    if not x.dtype.is_integer or not x.shape.is_compatible_with([rows]):
        raise ValueError(
            f"`{name}` must be int (B,), one for each row. Received {name} of "
            f"{x.dtype.name}, shape {x.shape}, for {rows} rows."
        )
    return tf.cast(x, tf.int64)[:, None]


def tag_spans(packed, spans, *, segment=0, ignore_id=-100):
    """Tag each token with the number of its span: 1 for the first of a row.

    Args:
        packed: as for `span_to_tokens`, of NumPy arrays.
        spans: int (B, N, 2), N spans text[start:end] in each row; an empty
            one, such as (0, 0), has no token. A token that overlaps with two
            spans belongs to the later one.
        segment: int, the text with the spans: 0 the first, 1 the second.
            Default 0.
        ignore_id: int < 0, the tag of special tokens, padding, the other
            text, and the rest of a truncated span, which
            `TokenCrossEntropy(pad_id=-100)` ignores. Default -100.
    Returns:
        int32 (B, T), 0 for the other tokens of the text.
    Raises:
        ValueError: if `spans` are not integers (B, N, 2), one begins below 0,
            no row has this `segment`, `ignore_id` is not below 0, or there
            are no offsets.
    Example:
        >>> packer = MultiSegmentPacker(CharTokenizer("abc "))
        >>> packed = packer(["abc"], offsets=True)
        >>> tag_spans(packed, [[[0, 1], [2, 3]]]).tolist()
        [[-100, 1, 0, 2, -100]]
    """
    _check_tagging(packed, segment, ignore_id)
    offsets, segments = packed["offsets"], packed["segment_ids"]
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


def _check_tagging(packed, segment, ignore_id):
    """Check the arguments of `tag_spans`, except the spans."""
    offsets, segments = _offsets(packed), packed["segment_ids"]
    if is_tf_tensor(offsets) or offsets.ndim != 3:
        raise ValueError(
            "`packed` must be NumPy arrays of B rows. Received offsets "
            f"{type(offsets).__name__} of shape {offsets.shape}."
        )
    if len(segments) and segment not in segments:
        raise ValueError(
            "`segment` must be one of the packed texts. Received "
            f"segment={segment!r}."
        )
    if type(ignore_id) is not int or ignore_id >= 0:
        raise ValueError(
            f"`ignore_id` must be an int < 0. Received ignore_id={ignore_id!r}."
        )


def _spans(spans, rows):
    """Check int (B, N, 2) that begin at 0 or later."""
    try:
        x = np.asarray(spans)
    except ValueError as error:
        raise ValueError(
            "`spans` must be as many in each row: pad with (0, 0). "
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


def tokens_to_text(packed, texts, spans, normal_form="NFC"):
    """Extract the text between two tokens, e.g. a predicted answer.

    Args:
        packed: as for `span_to_tokens`.
        texts: list of B str, or tf.Tensor of strings (B,): the texts that the
            spans are in.
        spans: int (B, 2), the first and the last token, as `span_to_tokens`
            and `keras_seq.models.best_span` return them.
        normal_form: optional str, `normal_form` of the tokenizer; None for a
            `BERTTokenizer`. Default "NFC".
    Returns:
        list of B str, or tf string (B,) for a tensor: parts of the texts
        without white space at either end; "" for (0, 0).
    Raises:
        ValueError: if `texts` are not as many as the rows, or a span has its
            end before its start, is outside of a text, or begins or ends at a
            special token; for tensors tf.errors.InvalidArgumentError.
    Example:
        >>> packer = MultiSegmentPacker(CharTokenizer("abc "))
        >>> packed = packer(["a"], ["a bc"], offsets=True)
        >>> tokens_to_text(packed, ["a bc"], [[5, 6]])
        ['bc']
    """
    import tensorflow as tf

    try:
        parts = _parts(packed, texts, spans, normal_form)
    except tf.errors.InvalidArgumentError as error:
        if is_tf_tensor(texts):
            raise
        raise ValueError(
            "`spans` must be the first and the last token of a part of one "
            f"of `texts`, which are B. Received {error.message}"
        ) from error
    if is_tf_tensor(texts):
        return parts
    return [part.decode() for part in parts.numpy()]


def _parts(packed, texts, spans, normal_form):
    """Extract the parts of texts: tf string (B,)."""
    import tensorflow as tf

    offsets = tf.convert_to_tensor(_offsets(packed))
    strings, _ = text_tensor(texts, form=normal_form)
    tf.debugging.assert_equal(
        tf.size(strings),
        tf.shape(offsets)[0],
        "`texts` must be one for each row.",
    )
    spans = tf.cast(spans, tf.int32)
    ends = tf.gather(offsets, spans, batch_dims=1)  # (B, 2, 2)
    sides = tf.gather(packed["segment_ids"], spans, batch_dims=1)  # (B, 2)
    fits = tf.reduce_all(ends[..., 1] > 0, axis=1)  # no special tokens
    fits &= (sides[:, 0] == sides[:, 1]) & (spans[:, 0] <= spans[:, 1])
    tf.debugging.Assert(
        tf.reduce_all(fits | tf.reduce_all(spans == 0, axis=1)),
        ["`spans` must begin before they end, in one text."],
    )
    first, last = ends[:, 0, 0], ends[:, 1, 1]
    parts = tf.strings.substr(strings, first, last - first, unit="UTF8_CHAR")
    return tf.strings.regex_replace(parts, ENDS, "")


def _offsets(packed):
    """Return the offsets; raise a ValueError if they are missing."""
    if "offsets" not in packed:
        raise ValueError(
            "`packed` must have offsets: call the packer with `offsets=True`. "
            f"Received {list(packed)}."
        )
    return packed["offsets"]
