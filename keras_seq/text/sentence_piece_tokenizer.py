"""SentencePiece: subwords of the whole text, spaces included.

WordPiece splits a text into words first and loses its spaces. SentencePiece
treats a space like any other character, written as U+2581 before the next
word, so that nothing is lost:

    text  = piece_1 piece_2 ... piece_n  with U+2581 read as a space
    unigram (Kudo):   pieces = argmax  sum_i log p(piece_i)
    bpe (Sennrich):   merge the pair of pieces that was merged first in
                      training, until no pair is left that was merged
    a character without a piece is its UTF-8 bytes, one piece for each

Unigram training starts with many pieces and removes those that reduce the
likelihood of the text least; byte pair encoding (BPE) starts with characters
and merges the most frequent pair. No text is unknown: 256 pieces are bytes.

A word can be split in many ways. With few training texts, sampling another
split each time (subword regularization, BPE dropout) improves a model:

    unigram:  p(pieces) ~ (prod_i p(piece_i)) ** alpha
    bpe:      a merge is skipped with probability alpha

Every text comes back exactly, except for NFC and invalid UTF-8 (U+FFFD):
spaces at both ends and in a row, tabs, newlines, NUL, emoji, any script. One
character does not: U+2581 itself comes back as a space.

Shapes: B batch.
Paper: Kudo & Richardson (2018), arXiv:1808.06226; Kudo (2018),
    arXiv:1804.10959 (unigram; sampling: section 3.4); Sennrich et al. (2016),
    arXiv:1508.07909 (BPE); Provilkov et al. (2020), arXiv:1910.13267 (BPE
    dropout).
Differs from the paper: texts are normalized to NFC, not NFKC; no space is
    added before a text, so its first word has no U+2581; characters without a
    piece become bytes, not unknown.
"""

import base64
import hashlib
import itertools
import re

import keras
import numpy as np

from keras_seq import checks
from keras_seq.text.offsets import offsets_in_characters
from keras_seq.text.sentence_piece_trainer import (
    import_sentencepiece,
    train_model,
)
from keras_seq.text.special_tokens import SPECIAL_TOKENS
from keras_seq.text.tokenizer import Tokenizer
from keras_seq.text.unicode import import_tensorflow_text
from keras_seq.text.vocabulary_training import training_texts

SPACE = "\N{LOWER ONE EIGHTH BLOCK}"  # U+2581
BYTE = re.compile("<0x([0-9A-F]{2})>")


@keras.saving.register_keras_serializable("keras_seq")
class SentencePieceTokenizer(Tokenizer):
    """Splits texts into the pieces of a SentencePiece model.

    Ids: 0 `pad_id`, 1 `unknown_id` (which no text gives), 2 `start_id`,
    3 `end_id`, 4 `mask_id`, then 256 bytes, then the pieces of the model.

    Args:
        model: bytes, the serialized model that `train` made, or their base64
            str.
        alpha: optional float in (0, 1], to sample other pieces each time that
            a text is read, for training; 0.1 to 0.5 are usual. Sampling works
            in Python only, and `save` does not save `alpha`. Default None.
        seed: int >= 0, seed of the sampling; the same calls then give the
            same pieces. Default 0.
        special_tokens_in_strings: bool, whether "[MASK]" and the other special
            tokens are recognized in a text. Default False.
    Raises:
        ValueError: if `model` is not a model or has other special ids, or
            another argument is out of range.
        ImportError: if tensorflow-text, or for sampling sentencepiece, is not
            installed.
    Example:
        >>> texts = ["강아지가 놀아요", "강아지는 놀아요", "the dog plays"]
        >>> tokenizer = SentencePieceTokenizer.train(texts, 300)
        >>> ids = tokenizer.tokenize("  강아지가  dog 🙂")
        >>> tokenizer.detokenize(ids)
        '  강아지가  dog 🙂'
    """

    def __init__(self, model, *, alpha=None, seed=0, **kwargs):
        super().__init__(**kwargs)
        checks.not_negative_int(seed=seed)
        if alpha is not None:
            checks.within(0, 1, alpha=alpha)
            checks.positive(alpha=alpha)
            self._package = import_sentencepiece()
        self.alpha, self.seed = alpha, seed
        self._calls = itertools.count()
        self.model = _model_bytes(model)
        self.set_pieces(_pieces_of(self.model), _piece_to_bytes)
        self._make_functions()

    def _make_functions(self):
        """Make the functions that split a text, without and with offsets.

        A model lives as long as its kernel, and setting a seed removes all
        eager kernels. A tokenizer that is made inside of a function is made
        again with it, once, and is saved in a SavedModel without tracking.
        There, ops of the same name share one model: the name must be unique.
        """
        text = import_tensorflow_text()
        import tensorflow as tf

        digest = hashlib.sha256(self.model).hexdigest()[:16]
        name = f"sentencepiece_{digest}"

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
        def split(texts):
            splitter = text.SentencepieceTokenizer(self.model, name=name)
            return splitter.tokenize(texts)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
        def split_with_offsets(texts):
            splitter = text.SentencepieceTokenizer(self.model, name=name)
            return splitter.tokenize_with_offsets(texts)

        self._split, self._split_with_offsets = split, split_with_offsets

    @classmethod
    def train(
        cls,
        texts,
        vocabulary_size=None,
        *,
        model_type="unigram",
        character_coverage=0.9995,
    ):
        """Learn the pieces of texts; the same texts give the same model.

        Args:
            texts: str or iterable of str, one line or document each.
            vocabulary_size: int > 261, the maximum number of ids, special
                tokens and 256 bytes included.
            model_type: str, "unigram" or "bpe". Default "unigram".
            character_coverage: float in (0, 1], the fraction of the
                characters of `texts` that get a piece; the rarest become
                bytes. Default 0.9995.
        Returns:
            SentencePieceTokenizer.
        Raises:
            ValueError: if `texts` is empty, or `vocabulary_size` is too small
                for its characters.
            ImportError: if the package sentencepiece is not installed.
        """
        if isinstance(texts, bool):  # PyTorch calls `train(mode)` of layers
            return cls
        options = vocabulary_size, model_type, character_coverage
        return cls(train_model(training_texts(texts), *options))

    def sampling(self, alpha, seed=0):
        """Return a tokenizer with the same ids that samples its pieces.

        Args:
            alpha: float in (0, 1], as for the constructor.
            seed: int >= 0, as for the constructor. Default 0.
        Returns:
            SentencePieceTokenizer.
        """
        return type(self)(
            self.model,
            alpha=alpha,
            seed=seed,
            special_tokens_in_strings=self.special_tokens_in_strings,
        )

    def look_up_tensor(self, texts):
        """Convert tf string (B,) to ragged int32 (B, None)."""
        return self._split(texts) if self.alpha is None else self._sample(texts)

    def _sample(self, texts):
        """Do the same with other pieces each time."""
        import tensorflow as tf

        if not tf.executing_eagerly():
            raise ValueError(
                "`alpha` must be None in a graph, which cannot sample pieces. "
                f"Received alpha={self.alpha}."
            )
        sampler = self._package.SentencePieceProcessor(model_proto=self.model)
        # There is only a seed of the process; a thread starts with the seed
        # that was set last.
        draw = np.random.SeedSequence([self.seed, next(self._calls)])
        self._package.set_random_generator_seed(int(draw.generate_state(1)[0]))
        rows = sampler.encode(
            [text.decode() for text in texts.numpy()],
            enable_sampling=True,
            alpha=self.alpha,
            nbest_size=-1,  # from all splits
            num_threads=1,
        )
        return tf.RaggedTensor.from_row_lengths(
            np.array([*itertools.chain(*rows)], dtype="int32"),
            np.array([*map(len, rows)], dtype="int64"),
        )

    def look_up_tensor_with_offsets(self, texts):
        """Convert tf string (B,) to ids, starts and ends of pieces."""
        if self.alpha is not None:
            raise ValueError(
                "`alpha` must be None for offsets. "
                f"Received alpha={self.alpha}."
            )
        ids, *offsets = self._split_with_offsets(texts)
        return ids, *offsets_in_characters(texts, *offsets)

    def get_config(self):
        return {**super().get_config(), "alpha": self.alpha, "seed": self.seed}

    def vocabulary_config(self):
        return {"model": base64.b64encode(self.model).decode("ascii")}


def _model_bytes(model):
    """Convert bytes, or the base64 str of a config, to bytes."""
    rule = (
        "`model` must be the bytes of a SentencePiece model, or their base64 "
        f"str. Received model of {type(model).__name__}"
    )
    if isinstance(model, str):
        try:
            model = base64.b64decode(model, validate=True)
        except ValueError as error:
            raise ValueError(f"{rule}: {error}") from error
    if not isinstance(model, bytes) or not model:
        raise ValueError(f"{rule}.")
    return model


def _pieces_of(model):
    """Read the pieces of a model: bytes to a list of str."""
    text = import_tensorflow_text()
    import tensorflow as tf

    try:
        with tf.init_scope():  # run now, also while a graph is built
            splitter = text.SentencepieceTokenizer(model)
            ids = tf.range(splitter.vocab_size())
            pieces = splitter.id_to_string(ids).numpy()
    except (tf.errors.OpError, RuntimeError) as error:
        raise ValueError(
            "`model` must be a SentencePiece model that can be read. "
            f"Received {len(model)} bytes: {error}"
        ) from error
    pieces = [piece.decode() for piece in pieces]
    special = tuple(pieces[: len(SPECIAL_TOKENS)])
    if special != SPECIAL_TOKENS:
        raise ValueError(
            f"`model` must begin with the pieces {SPECIAL_TOKENS}, as those "
            f"of `SentencePieceTokenizer.train` do. Received {special}."
        )
    return pieces


def _piece_to_bytes(piece):
    """Convert a piece to UTF-8, or a byte piece to its byte."""
    byte = BYTE.fullmatch(piece)
    if byte:
        return bytes.fromhex(byte[1])
    return piece.replace(SPACE, " ").encode()
