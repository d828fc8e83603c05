"""WordPiece vocabularies: learn the pieces, and join them to words again.

Shared by `WordPieceTokenizer` and `BERTTokenizer`, which differ in how they
split a text into words.

Shapes: B batch.
"""

from keras_seq.text.special_tokens import SPECIAL_TOKENS
from keras_seq.text.tensor_checks import is_tf_tensor
from keras_seq.text.unicode import (
    import_tensorflow_text,
    normalize_tensor,
    utf8,
)
from keras_seq.text.vocabulary_training import check_vocabulary_size

PREFIX = "##"  # of a piece that continues a word
CHARACTERS = 3000  # at most; 1000, the usual limit, is too low for Korean


def lower(texts):
    """Lower-case texts and remove accents: tf string (B,) to (B,)."""
    import tensorflow as tf

    # NUL is white space for the splitter, but the end for `lower`.
    texts = tf.strings.regex_replace(texts, r"\x00", " ")
    texts = tf.strings.lower(texts, encoding="utf-8")
    texts = import_tensorflow_text().normalize_utf8(texts, "NFD")
    return normalize_tensor(
        tf.strings.regex_replace(texts, r"[\x{300}-\x{36f}]", "")
    )


def piece_to_bytes(piece):
    """Convert a piece to UTF-8, with a space before the start of a word."""
    begins = not piece.startswith(PREFIX) or piece == PREFIX
    return f" {piece}".encode() if begins else piece[len(PREFIX) :].encode()


def join_words(texts):
    """Remove the space before the first word: str, list of str or tensor."""
    if is_tf_tensor(texts):
        import tensorflow as tf

        return tf.strings.strip(texts)
    if isinstance(texts, str):
        return texts.strip(" ")
    return [text.strip(" ") for text in texts]


def learn_pieces(texts, vocabulary_size, lower_case=False):
    """Learn the pieces of words: iterable of str to list of str.

    Args, Raises: as `WordPieceTokenizer.train`.
    """
    import tensorflow as tf

    import_tensorflow_text()
    from tensorflow_text.tools.wordpiece_vocab import (
        bert_vocab_from_dataset as learner,
    )

    least = len(SPECIAL_TOKENS) + 2
    what = "special tokens and a character, at and after a word's start"
    check_vocabulary_size(vocabulary_size, least, what)
    # The learner splits at ASCII white space only.
    texts = [utf8(text, None).decode().replace("\0", " ") for text in texts]
    texts = [" ".join(text.split()) for text in texts]
    if not any(texts):
        raise ValueError("`texts` must contain a word. Received none.")
    room = vocabulary_size - len(SPECIAL_TOKENS)
    data = tf.data.Dataset.from_tensor_slices(texts).batch(1024)
    pieces = learner.bert_vocab_from_dataset(
        data.map(lower) if lower_case else data,
        vocabulary_size,
        list(SPECIAL_TOKENS),
        learn_params={
            "max_unique_chars": min(CHARACTERS, room // 2),
            "lower_thresh": 2,  # the usual 10 is too high for a small corpus
        },
    )
    # The learner stops near vocabulary_size, sometimes above it.
    return _limit(pieces[len(SPECIAL_TOKENS) :], room)


def _limit(pieces, room):
    """Keep `room` pieces: single characters, then the most frequent."""
    single = [p for p in pieces if len(p.removeprefix(PREFIX)) == 1]
    longer = [p for p in pieces if len(p.removeprefix(PREFIX)) > 1]
    return single + longer[: room - len(single)]
