"""Arguments that the training of every vocabulary has in common."""

from keras_seq.checks import positive_int
from keras_seq.text.unicode import normalize


def training_texts(texts):
    """Normalize the texts that a vocabulary is learned from.

    Args:
        texts: str or iterable of str (UTF-8 bytes too).
    Returns:
        iterator of str in NFC.
    """
    texts = [texts] if isinstance(texts, (str, bytes)) else texts
    return map(normalize, texts)


def check_vocabulary_size(vocabulary_size, least, what):
    """Raise a ValueError for a `vocabulary_size` below `least`.

    Args:
        vocabulary_size: int > 0, the maximum number of ids.
        least: int, the smallest vocabulary that is possible.
        what: str, the contents of that vocabulary.
    """
    positive_int(vocabulary_size=vocabulary_size)
    if vocabulary_size < least:
        raise ValueError(
            f"`vocabulary_size` must be at least {least}: {what}. "
            f"Received vocabulary_size={vocabulary_size}."
        )
