"""Special tokens: their ids, and how to recognize them in a text.

The tokenizers of this package have five special tokens: padding, unknown,
start, end and mask. `GPT2Tokenizer` is the exception: it has one,
"<|endoftext|>", and no mask token. In BERT's inputs the start token is [CLS]
and the end token [SEP]. By default no text gives their ids, so that a text that
contains "[MASK]" is tokenized like any other characters. With
`special_tokens_in_strings=True`, as in KerasHub, a text is split at the names
of the special tokens first:

    "a [MASK] b"  ->  "a "  [MASK]  " b"
    ids           =   look_up("a ") mask_id look_up(" b")

Shapes: B batch, N parts of all texts.
"""

import re

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[START]", "[END]", "[MASK]")
PAD, UNKNOWN, START, END, MASK = range(5)
SEPARATOR = b"\xff"  # no UTF-8 text contains this byte


def split_at_special_tokens(text, names):
    """Split a text at special tokens.

    Args:
        text: str.
        names: list of str, the special tokens.
    Returns:
        list of str: every second one, from the second on, is a special token.
    Example:
        >>> from keras_seq.text.special_tokens import split_at_special_tokens
        >>> split_at_special_tokens("a [MASK].", ["[PAD]", "[MASK]"])
        ['a ', '[MASK]', '.']
    """
    return re.split(f"({'|'.join(map(re.escape, names))})", text)


def look_up_around_special_tokens(texts, look_up, names, ids):
    """Apply `look_up` to the parts of texts between special tokens.

    Args:
        texts: tf string (B,), valid UTF-8.
        look_up: function from tf string (N,) to a list of ragged int32
            (N, None): the ids, and optionally the starts and the ends of the
            pieces in characters.
        names: list of str, the special tokens.
        ids: list of int, their ids.
    Returns:
        list of ragged int32 (B, None), as many as `look_up` returns.
    """
    import tensorflow as tf

    parts = _split_tensor(texts, names)  # ragged (B, None), N in all
    matches = parts.values[:, None] == tf.constant(names)  # (N, names)
    special = tf.reduce_any(matches, axis=1)
    found = look_up(tf.where(special, "", parts.values))
    sizes = tf.strings.length(parts.values, "UTF8_CHAR")
    before = _sum_before(parts.with_values(sizes))
    columns = [tf.gather(ids, tf.argmax(matches, axis=1)), before]
    columns = [*columns, before + sizes][: len(found)]
    for n in range(1, len(found)):  # the starts and the ends
        row = found[n].value_rowids()
        shifted = found[n].values + tf.gather(before, row)
        found[n] = found[n].with_values(shifted)
    return [_insert(*pair, special, parts) for pair in zip(found, columns)]


def _split_tensor(texts, names):
    """Split tf string (B,) at special tokens: ragged string (B, None)."""
    import tensorflow as tf

    pattern = f"({'|'.join(map(re.escape, names))})"
    around = SEPARATOR + rb"\1" + SEPARATOR
    texts = tf.strings.regex_replace(texts, pattern, around)
    return tf.strings.split(texts, SEPARATOR)


def _sum_before(sizes):
    """Sum what precedes each value in its row: ragged to the flat values."""
    import tensorflow as tf

    total = tf.cumsum(sizes.values, exclusive=True)
    first = tf.gather(sizes.row_starts(), sizes.value_rowids())
    return total - tf.gather(total, first)


def _insert(found, column, special, parts):
    """Insert the values of the special parts: ragged int32 (B, None)."""
    import tensorflow as tf

    inserted = tf.RaggedTensor.from_row_lengths(
        tf.boolean_mask(tf.cast(column, tf.int32), special),
        tf.cast(special, tf.int64),
    )
    rows = tf.concat([found, inserted], axis=1)
    return parts.with_values(rows).merge_dims(1, 2)
