"""The words of BERT: clean, lower-case and split a text as BERT's code does.

Every step changes each character independently (removes it, replaces it, or
adds spaces around it), so that the offsets of a word in the changed text can
be converted to offsets in the original text.

Shapes: B batch, W words of all texts.
"""

from keras_seq.text.offsets import (
    offsets_before_change,
    offsets_in_characters,
)
from keras_seq.text.unicode import import_tensorflow_text

LONGEST_WORD = 100  # characters
CHINESE = (  # U+2B920, not U+2B820, as in `tokenizers`
    r"\x{3400}-\x{4DBF}\x{4E00}-\x{9FFF}\x{F900}-\x{FAFF}"
    r"\x{20000}-\x{2A6DF}\x{2A700}-\x{2B73F}\x{2B740}-\x{2B81F}"
    r"\x{2B920}-\x{2CEAF}\x{2F800}-\x{2FA1F}"
)


def add_spaces(texts, lower_case, strip_accents=None, chinese=True):
    """Clean and lower-case texts, and add spaces: tf string (B,) to (B,).

    Args:
        texts: tf string (B,).
        lower_case: bool, whether to lower-case.
        strip_accents: optional bool, whether to remove accents. Default None:
            as `lower_case`.
        chinese: bool, whether each Chinese character is a word. Default True.
    """
    import tensorflow as tf

    def replace(pattern, by):
        return tf.strings.regex_replace(texts, pattern, by)

    texts = replace(r"[\t\n\r\p{Z}]", " ")
    texts = replace(r"[\p{C}\x{FFFD}]", "")
    if chinese:
        texts = replace(f"([{CHINESE}])", r" \1 ")
    if lower_case if strip_accents is None else strip_accents:
        texts = import_tensorflow_text().normalize_utf8(texts, "NFD")
        texts = replace(r"\p{Mn}", "")
    if lower_case:
        texts = replace("Σ", "σ")  # TensorFlow would write ς at a word's end
        texts = tf.strings.lower(texts, encoding="utf-8")
    return replace(r"([\p{P}!-/:-@\[-`{-~])", r" \1 ")


def split_words(texts, *options):
    """Split texts into words: tf string (B,) to ragged string (B, None).

    Args:
        texts: tf string (B,).
        *options: as for `add_spaces`.
    """
    import tensorflow as tf

    return tf.strings.split(add_spaces(texts, *options))


def split_words_with_offsets(texts, tokenize, *options):
    """Split texts into pieces, with their offsets in the original text.

    Args:
        texts: tf string (B,).
        tokenize: function from words, tf string (W,), to ids, starts and
            ends, ragged (W, None), offsets in bytes of a word.
        *options: as for `add_spaces`.
    Returns:
        three ragged int32 (B, None): ids, starts and ends in characters.
    """
    import tensorflow as tf

    def change(strings):
        return add_spaces(strings, *options)

    spaced = change(texts)
    words = tf.strings.split(spaced)
    sizes = tf.strings.length(words.values, unit="UTF8_CHAR")
    too_long = sizes > LONGEST_WORD
    unknown = "x" * (4 * LONGEST_WORD + 1)
    ids, *offsets = tokenize(tf.where(too_long, unknown, words.values))
    starts, ends = offsets_in_characters(words.values, *offsets)
    row = starts.value_rowids()
    word_ends = tf.gather(sizes, row)
    begins = tf.gather(_word_begins(spaced), row)
    ends = tf.where(tf.gather(too_long, row), word_ends, ends.values)
    starts = starts.with_values(starts.values + begins)
    ends = starts.with_values(ends + begins)
    ids, starts, ends = (
        words.with_values(rows).merge_dims(1, 2) for rows in (ids, starts, ends)
    )
    return ids, *offsets_before_change(texts, change, starts, ends)


def _word_begins(spaced):
    """Find where each word begins in its text: tf string (B,) to int (W,)."""
    import tensorflow as tf

    chars = tf.strings.unicode_split(spaced, "UTF-8")
    first = tf.gather(chars.row_starts(), chars.value_rowids())
    index = tf.range(tf.size(chars.values, tf.int64)) - first
    is_space = chars.values == " "
    after_space = tf.concat([[True], is_space], axis=0)[:-1] | (index == 0)
    return tf.cast(tf.boolean_mask(index, after_space & ~is_space), tf.int32)
