"""SentencePiece: the text as it stands, spaces included, cut into pieces.

WordPiece needs to be told what a word is, and forgets where the spaces were.
SentencePiece takes a space for a character like any other, written as the
sign U+2581 in front of what follows it, so that nothing is lost:

    text  = piece_1 piece_2 ... piece_n  with U+2581 read as a space
    unigram (Kudo):   pieces = argmax  sum_i log p(piece_i)
    bpe (Sennrich):   merge the pair of pieces that was merged first, again
                      and again, until no pair was ever merged
    a character without a piece is its UTF-8 bytes, one piece for each

Unigram starts from many pieces and drops those that the likelihood of the
text misses least; BPE starts from characters and merges the most frequent
pair. No text is unknown: 256 pieces are the bytes.

A word can be cut in many ways. Who has few texts to train on may read each of
them in other pieces every time:

    unigram:  p(pieces) ~ (prod_i p(piece_i)) ** alpha
    bpe:      a merge is left out with probability alpha

Every text comes back exactly, up to NFC and broken UTF-8 (which becomes
U+FFFD): spaces at both ends and in a row, tabs, newlines, NUL, emoji, any
script. One character does not: U+2581 itself comes back as a space.

Shapes: B batch.
Paper: Kudo & Richardson (2018), arXiv:1808.06226; Kudo (2018),
arXiv:1804.10959 (unigram; drawn: section 3.4); Sennrich et al. (2016),
arXiv:1508.07909 (BPE); Provilkov et al. (2020), arXiv:1910.13267 (BPE drawn).
Differs from the paper: texts are normalised to NFC, not NFKC; no space is put
before a text, so its first word has no U+2581; characters without a piece
fall back to bytes, not to unknown.
"""

import base64
import hashlib
import io
import itertools
import re

import keras
import numpy as np

from keras_seq import checks
from keras_seq.text.layout import END, MASK, PAD, START, UNKNOWN
from keras_seq.text.offsets import in_characters
from keras_seq.text.tokenizer import (
    SPECIALS,
    Tokenizer,
    check_vocabulary_size,
    training,
)
from keras_seq.text.unicode import import_tensorflow_text, utf8

SPACE = "\N{LOWER ONE EIGHTH BLOCK}"  # U+2581
BYTE = re.compile("<0x([0-9A-F]{2})>")


def import_sentencepiece():
    """The package that trains and draws; running needs tensorflow-text."""
    try:
        import sentencepiece
    except ImportError as error:
        raise ImportError(
            "SentencePieceTokenizer.train and drawn pieces need the package "
            "sentencepiece, which cannot be imported here: pip install "
            'sentencepiece, or pip install "keras_seq[tutorials]". Running a '
            "trained tokenizer does not need it."
        ) from error
    return sentencepiece


def _write(piece):
    """Piece to UTF-8; a byte piece to its byte, a part of a character."""
    byte = BYTE.fullmatch(piece)
    if byte:
        return bytes.fromhex(byte[1])
    return piece.replace(SPACE, " ").encode()


def _model_bytes(model):
    """Bytes, or the base64 str of a config, to bytes."""
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


@keras.saving.register_keras_serializable("keras_seq")
class SentencePieceTokenizer(Tokenizer):
    """Turns text into the pieces of a SentencePiece model, and back exactly.

    Ids: 0 `pad_id`, 1 `unknown_id` (which no text gives), 2 `start_id`,
    3 `end_id`, 4 `mask_id`, then 256 bytes, then the pieces of the model.

    Args:
        model: bytes, the serialized model that `train` made, or their base64
            str.
        alpha: optional float in (0, 1], to draw other pieces each time that a
            text is read, for training; 0.1 to 0.5 are usual. A graph cannot
            draw, and nothing of it is saved by `save`. Default None.
        seed: int >= 0, of the draws; the same calls then draw the same.
            Default 0.
    Raises:
        ValueError: if `model` is none, or has other special ids, or another
            argument is outside its range.
        ImportError: where there is no tensorflow-text, or, to draw, no
            sentencepiece package.
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
        text = import_tensorflow_text()
        import tensorflow as tf

        self._model = _model_bytes(model)
        try:
            with tf.init_scope():  # its pieces are read now, in any graph
                splitter = text.SentencepieceTokenizer(self._model)
                ids = tf.range(splitter.vocab_size())
                pieces = splitter.id_to_string(ids).numpy()
        except (tf.errors.OpError, RuntimeError) as error:
            raise ValueError(
                "`model` must be a SentencePiece model that can be read. "
                f"Received {len(self._model)} bytes: {error}"
            ) from error
        pieces = [piece.decode() for piece in pieces]
        special = tuple(pieces[: len(SPECIALS)])
        if special != SPECIALS:
            raise ValueError(
                f"`model` must begin with the pieces {SPECIALS}, as those of "
                f"`SentencePieceTokenizer.train` do. Received {special}."
            )
        self._set_pieces(pieces[len(SPECIALS) :], _write)

        # The op's model lives as long as its kernel, and setting a seed drops
        # all eager kernels. Made inside the function it is made anew with it,
        # once, and goes into a SavedModel with nothing to track. There, ops
        # of one name share one model: the name has to tell them apart.
        name = f"sentencepiece_{hashlib.sha256(self._model).hexdigest()[:16]}"

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
        def split(texts):
            splitter = text.SentencepieceTokenizer(self._model, name=name)
            return splitter.tokenize(texts)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
        def locate(texts):
            splitter = text.SentencepieceTokenizer(self._model, name=name)
            return splitter.tokenize_with_offsets(texts)

        self._split, self._locate = split, locate

    @training
    def train(
        cls,
        texts,
        vocabulary_size,
        *,
        model_type="unigram",
        character_coverage=0.9995,
    ):
        """Learn the pieces of a text; the same text gives the same model.

        Args:
            texts: str or iterable of str, a line or a document each.
            vocabulary_size: int > 261, the most ids, the specials and the
                256 bytes counted.
            model_type: "unigram" or "bpe". Default: "unigram".
            character_coverage: float in (0, 1], the share of the characters
                of `texts` that get a piece; the rarest are left to the
                bytes. Default: 0.9995.
        Returns:
            SentencePieceTokenizer.
        Raises:
            ValueError: if `texts` is empty, or `vocabulary_size` cannot hold
                its characters.
            ImportError: where there is no sentencepiece package.
        """
        checks.one_of(("unigram", "bpe"), model_type=model_type)
        least = len(SPECIALS) + 256 + 1
        check_vocabulary_size(
            vocabulary_size, least, "special ids, bytes, a character"
        )
        if not 0 < character_coverage <= 1:
            raise ValueError(
                "`character_coverage` must be in (0, 1]. "
                f"Received character_coverage={character_coverage!r}."
            )
        # U+2585 is SentencePiece's own: a text that has it would be left out.
        texts = [utf8(text).decode().replace("\u2585", " ") for text in texts]
        if not any(texts):
            raise ValueError("`texts` must hold a character. Received none.")
        model = io.BytesIO()
        trainer = import_sentencepiece().SentencePieceTrainer
        try:
            trainer.train(
                sentence_iterator=iter(texts),
                model_writer=model,
                model_type=model_type,
                vocab_size=vocabulary_size,
                hard_vocab_limit=False,  # a small text has fewer pieces
                character_coverage=character_coverage,
                byte_fallback=True,
                # Nothing may change a text that is to come back as it was.
                normalization_rule_name="identity",
                remove_extra_whitespaces=False,
                add_dummy_prefix=False,
                # Longer lines would be dropped without a word.
                max_sentence_length=max(10, 4 * max(map(len, texts)) + 1),
                # Control symbols are never found in a text.
                control_symbols=[SPECIALS[MASK]],
                pad_id=PAD,
                pad_piece=SPECIALS[PAD],
                unk_id=UNKNOWN,
                unk_piece=SPECIALS[UNKNOWN],
                bos_id=START,
                bos_piece=SPECIALS[START],
                eos_id=END,
                eos_piece=SPECIALS[END],
                minloglevel=2,
            )
        except RuntimeError as error:
            raise ValueError(
                "`vocabulary_size` must hold the special ids, 256 bytes and "
                "every character that `character_coverage` keeps. Received "
                f"vocabulary_size={vocabulary_size}: {error}"
            ) from error
        return cls(model.getvalue())

    def drawing(self, alpha, seed=0):
        """Make a tokenizer with the same ids that draws its pieces.

        Args:
            alpha, seed: as of the class.
        Returns:
            SentencePieceTokenizer.
        """
        return type(self)(self._model, alpha=alpha, seed=seed)

    def _look_up_tensor(self, texts):
        """tf string (B,) to ragged int32 (B, None)."""
        return self._split(texts) if self.alpha is None else self._draw(texts)

    def _draw(self, texts):
        """The same, other pieces each time."""
        import tensorflow as tf

        if not tf.executing_eagerly():
            raise ValueError(
                "`alpha` must be None in a graph, which cannot draw pieces. "
                f"Received alpha={self.alpha}."
            )
        sampler = self._package.SentencePieceProcessor(model_proto=self._model)
        # A thread of its own (there is no seed but the process's) begins with
        # the seed that was set last.
        draw = np.random.SeedSequence([self.seed, next(self._calls)])
        self._package.set_random_generator_seed(int(draw.generate_state(1)[0]))
        rows = sampler.encode(
            [text.decode() for text in texts.numpy()],
            enable_sampling=True,
            alpha=self.alpha,
            nbest_size=-1,  # of all ways to cut it
            num_threads=1,
        )
        return tf.RaggedTensor.from_row_lengths(
            np.array([*itertools.chain(*rows)], dtype="int32"),
            np.array([*map(len, rows)], dtype="int64"),
        )

    def _look_up_with_offsets(self, texts):
        """The same, and where each piece begins and ends."""
        if self.alpha is not None:
            raise ValueError(
                "`alpha` must be None where offsets are asked for. Received "
                f"alpha={self.alpha}."
            )
        ids, *offsets = self._locate(texts)
        return ids, *in_characters(texts, *offsets)

    def get_config(self):
        return {**super().get_config(), "alpha": self.alpha, "seed": self.seed}

    def _vocabulary(self):
        return {"model": base64.b64encode(self._model).decode("ascii")}
