"""Training of SentencePiece models, with the package sentencepiece."""

import io

from keras_seq import checks
from keras_seq.text.special_tokens import (
    END,
    MASK,
    PAD,
    SPECIAL_TOKENS,
    START,
    UNKNOWN,
)
from keras_seq.text.unicode import utf8
from keras_seq.text.vocabulary_training import check_vocabulary_size

MODEL_TYPES = ("unigram", "bpe")


def import_sentencepiece():
    """Import the package that trains models and samples pieces."""
    try:
        import sentencepiece
    except ImportError as error:
        raise ImportError(
            "SentencePieceTokenizer.train and the sampling of pieces need the "
            "package sentencepiece, which cannot be imported here: pip install "
            'sentencepiece, or pip install "keras_seq[tutorials]". A trained '
            "tokenizer does not need it."
        ) from error
    return sentencepiece


def train_model(texts, vocabulary_size, model_type, character_coverage):
    """Train a SentencePiece model: iterable of str in NFC to bytes.

    Args, Raises: as `SentencePieceTokenizer.train`.
    """
    checks.one_of(MODEL_TYPES, model_type=model_type)
    least = len(SPECIAL_TOKENS) + 256 + 1
    check_vocabulary_size(
        vocabulary_size, least, "special tokens, bytes and a character"
    )
    if not 0 < character_coverage <= 1:
        raise ValueError(
            "`character_coverage` must be in (0, 1]. "
            f"Received character_coverage={character_coverage!r}."
        )
    # SentencePiece reserves U+2585, and skips a text that contains it.
    texts = [utf8(text).decode().replace("\u2585", " ") for text in texts]
    if not any(texts):
        raise ValueError("`texts` must contain a character. Received none.")
    model = io.BytesIO()
    try:
        import_sentencepiece().SentencePieceTrainer.train(
            sentence_iterator=iter(texts),
            model_writer=model,
            model_type=model_type,
            vocab_size=vocabulary_size,
            character_coverage=character_coverage,
            # Longer lines would be skipped without a warning.
            max_sentence_length=max(10, 4 * max(map(len, texts)) + 1),
            **_fixed_options(),
        )
    except RuntimeError as error:
        raise ValueError(
            "`vocabulary_size` must hold the special tokens, 256 bytes and "
            "every character that `character_coverage` keeps. Received "
            f"vocabulary_size={vocabulary_size}: {error}"
        ) from error
    return model.getvalue()


def _fixed_options():
    """Return the options of the trainer that every model has."""
    return {
        "hard_vocab_limit": False,  # a small text has fewer pieces
        "byte_fallback": True,
        # No change of the text, so that it can be restored exactly.
        "normalization_rule_name": "identity",
        "remove_extra_whitespaces": False,
        "add_dummy_prefix": False,
        # Control symbols are never found in a text.
        "control_symbols": [SPECIAL_TOKENS[MASK]],
        "pad_id": PAD,
        "pad_piece": SPECIAL_TOKENS[PAD],
        "unk_id": UNKNOWN,
        "unk_piece": SPECIAL_TOKENS[UNKNOWN],
        "bos_id": START,
        "bos_piece": SPECIAL_TOKENS[START],
        "eos_id": END,
        "eos_piece": SPECIAL_TOKENS[END],
        "minloglevel": 2,
    }
