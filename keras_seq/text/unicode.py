"""Unicode: one normal form for a text, in Python and in a graph.

The same word can be typed as different code points: a Korean syllable as one
or as three jamo, an accented letter as one or as two. NFC makes them one, and
bytes that are no UTF-8 become U+FFFD, so that every text has ids.

Shapes: B batch.
"""

import re
import sys
import unicodedata

import numpy as np

from keras_seq.text.layout import check_tensor

UNKNOWN_GLYPH = "\N{REPLACEMENT CHARACTER}"
LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def is_tf_tensor(value):
    """True for a tf.Tensor, without importing tensorflow to find out."""
    tf = sys.modules.get("tensorflow")
    return tf is not None and tf.is_tensor(value)


def import_tensorflow_text():
    """The one door to tensorflow_text, which not every platform has."""
    try:
        import tensorflow_text
    except ImportError as error:
        raise ImportError(
            "String tensors and subword tokenizers need tensorflow-text, which "
            'cannot be imported here: pip install "tensorflow-text>=2.21.1,'
            '<2.22". It has wheels for Linux x86-64 and macOS arm64, none for '
            "Windows and Linux arm64; there, give Python strings to a "
            "CharTokenizer."
        ) from error
    return tensorflow_text


def normalise(text, form="NFC", name="texts"):
    """Python str or UTF-8 bytes to a str in NFC, broken bytes to U+FFFD.

    With `form` None, the code points stay those that were typed.
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
    """The same as bytes; half a surrogate pair becomes U+FFFD too."""
    text = normalise(text, form, name)
    return LONE_SURROGATE.sub(UNKNOWN_GLYPH, text).encode()


def normalise_tensor(texts, form="NFC"):
    """The same in a graph: tf string (B,) to tf string (B,)."""
    import tensorflow as tf

    # normalize_utf8 leaves what follows a broken byte as it is, so broken
    # bytes are replaced first.
    texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8")
    if form is None:
        return texts
    return import_tensorflow_text().normalize_utf8(texts, form)


def text_tensor(texts, name="texts", form="NFC"):
    """Any texts to tf string (B,) in NFC, and whether it is one text alone."""
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
    return normalise_tensor(texts, form), single
