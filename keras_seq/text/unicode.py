"""Unicode normalization of texts, in Python and in a TensorFlow graph.

One word can be typed as different code points: a Korean syllable as one or as
three jamo, an accented letter as one or as two. The normal form NFC makes
them equal. Bytes that are not UTF-8 become U+FFFD, so that every text has ids.

Shapes: B batch.
"""

import re
import unicodedata

import numpy as np

from keras_seq.text.tensor_checks import check_tensor, is_tf_tensor

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def import_tensorflow_text():
    """Import tensorflow_text, which some platforms do not have."""
    try:
        import tensorflow_text
    except ImportError as error:
        raise ImportError(
            "String tensors and subword tokenizers need tensorflow-text, which "
            'cannot be imported here: pip install "tensorflow-text>=2.21.1,'
            '<2.22". It has wheels for Linux x86-64 and macOS arm64, none for '
            "Windows and Linux arm64; there, use a CharTokenizer on Python "
            "strings."
        ) from error
    return tensorflow_text


def normalize(text, form="NFC", name="texts"):
    """Normalize one text.

    Args:
        text: str or UTF-8 bytes.
        form: optional str, the normal form. None keeps the code points.
            Default "NFC".
        name: str, the argument that an error message names.
    Returns:
        str; bytes that are not UTF-8 are U+FFFD.
    Raises:
        ValueError: if `text` is of another type.
    Example:
        >>> from keras_seq.text.unicode import normalize
        >>> len("e\\u0301"), len(normalize("e\\u0301"))
        (2, 1)
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8", errors="replace")
    if not isinstance(text, str):
        raise ValueError(
            f"`{name}` must be a str, a list of str or a tf.Tensor of strings. "
            f"Received {name} of {type(text).__name__}."
        )
    return text if form is None else unicodedata.normalize(form, text)


def utf8(text, form="NFC", name="texts"):
    """Normalize one text to UTF-8 bytes; lone surrogates become U+FFFD."""
    text = normalize(text, form, name)
    return LONE_SURROGATE.sub(REPLACEMENT, text).encode()


def normalize_tensor(texts, form="NFC"):
    """Normalize texts in a graph: tf string (B,) to tf string (B,)."""
    import tensorflow as tf

    # normalize_utf8 keeps what follows an invalid byte as it is, so invalid
    # bytes are replaced first.
    texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8")
    if form is None:
        return texts
    return import_tensorflow_text().normalize_utf8(texts, form)


def text_tensor(texts, name="texts", form="NFC"):
    """Convert texts to a normalized tensor.

    Args:
        texts: str, list of str (UTF-8 bytes too), or tf string () or (B,).
        name: str, the argument that an error message names.
        form: optional str, the normal form. Default "NFC".
    Returns:
        texts: tf string (B,).
        single: bool, whether `texts` was one text, not a batch.
    Raises:
        ValueError: if `texts` are of another type, dtype or rank.
    """
    import tensorflow as tf

    if is_tf_tensor(texts):
        rule = "a string tensor of shape () or (B,)"
        check_tensor(name, texts, texts.dtype == "string", (0, 1), rule)
        single = texts.shape.rank == 0
        texts = texts[None] if single else texts
    else:
        single = isinstance(texts, (str, bytes)) or not np.iterable(texts)
        rows = [texts] if single else texts
        texts = tf.constant(
            [utf8(text, form, name) for text in rows], tf.string
        )
    return normalize_tensor(texts, form), single
