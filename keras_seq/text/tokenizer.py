"""Tokenizer: the base class of all tokenizers, from text to ids and back.

A tokenizer splits a text into pieces (tokens: characters, words or subwords),
replaces each piece by its id, its number in the vocabulary, and can add a start
token (sos, bos) and an end token (eos). The tokenizers of this package differ
in what a piece is and in how the vocabulary is learned. The rest is the same:

    normalized = text in `normal_form` (default NFC), invalid UTF-8 as U+FFFD
    ids        = start? + look_up(normalized) + end? + padding
    text       = bytes[id_1] bytes[id_2] ... up to the first end token

Strings in Python and in the graph of a SavedModel give the same result. A
subclass defines `train`, `look_up_tensor`, `look_up_tensor_with_offsets` and
`vocabulary_config`; its constructor calls `set_pieces`. `GPT2Tokenizer` has no
`train`, no normal form, no mask, and one id for all other special tokens.

Shapes: B batch, T longest text with its start and end tokens, V vocabulary.
"""

import itertools

import keras
import numpy as np

from keras_seq.text.padding import (
    check_sequence_length,
    pack_ragged,
    pack_rows,
    pad_ragged,
)
from keras_seq.text.special_tokens import (
    END,
    MASK,
    PAD,
    START,
    UNKNOWN,
    look_up_around_special_tokens,
)
from keras_seq.text.tensor_checks import (
    assert_ids,
    check_ids,
    check_tensor,
    is_tf_tensor,
    without_autograph,
)
from keras_seq.text.tokenizer_files import read_tokenizer, write_tokenizer
from keras_seq.text.unicode import REPLACEMENT, text_tensor


def check_tokenizer(tokenizer, name="tokenizer"):
    """Raise a ValueError for anything but a tokenizer of this package."""
    if not isinstance(tokenizer, Tokenizer):
        raise ValueError(
            f"`{name}` must be a keras_seq.text.Tokenizer. "
            f"Received {name}={tokenizer!r}."
        )


class Tokenizer(keras.layers.Layer):
    """Converts texts to ids and back; the base class of all tokenizers.

    Ids: 0 `pad_id`, 1 `unknown_id`, 2 `start_id`, 3 `end_id`, 4 `mask_id`,
    then the pieces. Only a `BERTTokenizer` and a `GPT2Tokenizer` have others.

    Args:
        special_tokens_in_strings: bool, whether the names of the special
            tokens, e.g. "[MASK]", are recognized in a text and give their
            ids. If False, they are characters like any others. Default False.
    Call arguments:
        texts: as for `tokenize`.
    Returns:
        int32 (T,) or (B, T), as `tokenize`.
    Example:
        >>> tokenizer = CharTokenizer("ab가", special_tokens_in_strings=True)
        >>> tokenizer(["가[MASK]", "b"]).tolist()
        [[7, 4], [6, 0]]
    """

    pad_id, unknown_id = PAD, UNKNOWN
    start_id, end_id, mask_id = START, END, MASK
    normal_form = "NFC"  # of every text; None keeps the code points

    def __init__(self, special_tokens_in_strings=False, **kwargs):
        super().__init__(**kwargs)
        self.special_tokens_in_strings = bool(special_tokens_in_strings)
        self.supports_jit = False  # XLA cannot compile strings
        self._convert_input_args = False  # other backends have no strings
        self._allow_non_tensor_positional_args = True
        self.built = True

    def set_pieces(self, names, to_bytes):
        """Store the vocabulary: for each id its name and its UTF-8 bytes.

        Args:
            names: list of V str, special tokens included.
            to_bytes: function from a name to the bytes that `detokenize`
                writes, which may be a part of a character.
        """
        self.piece_names = np.array(names, dtype=object)
        self.piece_bytes = np.array([*map(to_bytes, names)], dtype=object)
        self.piece_bytes[self.unknown_id] = to_bytes(REPLACEMENT)
        for special_id in self.special_ids():
            if special_id != self.unknown_id or special_id == self.end_id:
                self.piece_bytes[special_id] = b""

    def vocabulary_size(self):
        """Return the number of ids, special tokens included."""
        return len(self.piece_names)

    def special_ids(self):
        """Return the ids of padding, unknown, start, end and mask."""
        ids = [self.pad_id, self.unknown_id, self.start_id, self.end_id]
        ids = dict.fromkeys([*ids, self.mask_id])  # GPT-2: one, and no mask
        return [special_id for special_id in ids if special_id is not None]

    def special_tokens(self):
        """Return the names of the special tokens, as `special_ids`."""
        return self.piece_names[self.special_ids()].tolist()

    def tokenize(
        self,
        texts,
        *,
        start=False,
        end=False,
        sequence_length=None,
        truncate=False,
    ):
        """Convert texts to ids.

        Args:
            texts: str, list of str (UTF-8 bytes too), or tf.Tensor of
                strings () or (B,). Invalid UTF-8 is read as U+FFFD.
            start: bool, whether to add `start_id` first. Default False.
            end: bool, whether to add `end_id` last. Default False.
            sequence_length: optional int > 0, the length T to pad to.
                Default None: that of the longest text, at least 1.
            truncate: bool, whether to truncate the pieces of a longer text,
                but not its start and end tokens. Default False: an error.
        Returns:
            int32 (T,) for one text, (B, T) for several, padded with
            `pad_id`; a NumPy array, or a tf.Tensor for a tf.Tensor.
        Raises:
            ValueError: if a text is longer than `sequence_length`; for a
                tensor, the graph raises tf.errors.InvalidArgumentError.
        """
        check_sequence_length(sequence_length, start + end, truncate)
        added = [self.start_id] * bool(start), [self.end_id] * bool(end)
        options = (*added, self.pad_id, sequence_length, truncate)
        return self._tokenize(texts, options)

    @without_autograph
    def _tokenize(self, texts, options):
        if is_tf_tensor(texts):
            texts, single = text_tensor(texts, form=self.normal_form)
            ids = pack_ragged(self.tokenize_ragged(texts), *options)
        else:
            single = isinstance(texts, (str, bytes)) or not np.iterable(texts)
            rows = self.tokenize_rows([texts] if single else texts)
            ids = pack_rows(rows, *options)
        return ids[0] if single else ids

    def tokenize_rows(self, texts):
        """Convert texts to ids without padding: list of str to arrays (T,)."""
        texts, _ = text_tensor(texts, form=self.normal_form)
        rows = self.tokenize_ragged(texts)
        ids, ends = rows.values.numpy(), rows.row_splits.numpy()
        return [ids[i:j] for i, j in itertools.pairwise(ends)]

    def tokenize_ragged(self, texts):
        """Convert normalized tf string (B,) to ragged int32 (B, None)."""
        [ids] = self._around_special_tokens(
            texts, lambda parts: [self.look_up_tensor(parts)]
        )
        return ids

    def tokenize_ragged_with_offsets(self, texts):
        """Convert normalized tf string (B,) to ids, starts and ends.

        Returns:
            three ragged int32 (B, None); the offsets count characters.
        """
        return self._around_special_tokens(
            texts, lambda parts: [*self.look_up_tensor_with_offsets(parts)]
        )

    def _around_special_tokens(self, texts, look_up):
        if not self.special_tokens_in_strings:
            return look_up(texts)
        return look_up_around_special_tokens(
            texts, look_up, self.special_tokens(), self.special_ids()
        )

    @without_autograph
    def tokenize_with_offsets(self, texts):
        """Convert texts to ids and the characters that each was read from.

        Args:
            texts: as for `tokenize`.
        Returns:
            ids: int32 (T,) or (B, T), as `tokenize` returns them.
            offsets: int32 (T, 2) or (B, T, 2): a piece was read from
                text[start:end] of the text in `normal_form`; (0, 0) for
                padding. A space that is part of a piece counts; each byte of
                a character without a piece has the offsets of the character.
        Raises:
            ValueError: if `texts` are not texts.
            ImportError: if tensorflow-text is not installed.
        """
        import tensorflow as tf

        strings, single = text_tensor(texts, form=self.normal_form)
        ids, *ends = self.tokenize_ragged_with_offsets(strings)
        ids = pad_ragged(ids, self.pad_id, None)
        offsets = tf.stack([pad_ragged(row, 0, None) for row in ends], axis=-1)
        if single:
            ids, offsets = ids[0], offsets[0]
        if is_tf_tensor(texts):
            return ids, offsets
        return ids.numpy(), offsets.numpy()

    def detokenize(self, ids):
        """Convert ids to text.

        Padding, start and mask tokens are left out; the unknown token is
        U+FFFD; the first end token of a row and all after it are left out.

        Args:
            ids: int (T,) or (B, T): list, NumPy, JAX or torch array, or a
                tf.Tensor.
        Returns:
            str for (T,), list of str for (B, T); for a tf.Tensor a string
            tensor () or (B,).
        Raises:
            ValueError: if an id is not in the vocabulary; for a tf.Tensor
                tf.errors.InvalidArgumentError.
        """
        if is_tf_tensor(ids):
            return self._detokenize_tensor(ids)
        ids = check_ids(ids, self.vocabulary_size())
        kept = np.cumsum(ids == self.end_id, axis=-1) == 0
        texts = [
            b"".join(self.piece_bytes[row[keep]]).decode("utf-8", "replace")
            for row, keep in zip(np.atleast_2d(ids), np.atleast_2d(kept))
        ]
        return texts[0] if ids.ndim == 1 else texts

    @without_autograph
    def _detokenize_tensor(self, ids):
        import tensorflow as tf

        pieces = self._gather(self.piece_bytes, ids)
        ended = tf.cumsum(tf.cast(ids == self.end_id, "int32"), axis=-1) > 0
        text = tf.strings.reduce_join(tf.where(ended, "", pieces), axis=-1)
        return tf.strings.unicode_transcode(text, "UTF-8", "UTF-8")

    def tokens(self, ids):
        """Return the name of every id, e.g. as the label of a plot.

        Args:
            ids: as for `detokenize`.
        Returns:
            list of str for (T,), list of lists for (B, T), special tokens as
            "[PAD]", "[UNK]", "[START]", "[END]", "[MASK]"; for a tf.Tensor a
            string tensor of the same shape.
        Raises:
            ValueError: as `detokenize`.
        """
        if is_tf_tensor(ids):
            return self._gather(self.piece_names, ids)
        return self.piece_names[check_ids(ids, self.vocabulary_size())].tolist()

    def _gather(self, table, ids):
        import tensorflow as tf

        rule = "integers of shape (T,) or (B, T)"
        check_tensor("ids", ids, ids.dtype.is_integer, (1, 2), rule)
        ids = assert_ids(ids, self.vocabulary_size())
        return tf.gather(tf.constant(table.tolist()), ids)

    def call(self, texts):
        return self.tokenize(texts)

    def get_config(self):
        option = {"special_tokens_in_strings": self.special_tokens_in_strings}
        return {**super().get_config(), **self.vocabulary_config(), **option}

    def save(self, path):
        """Write the vocabulary to a JSON file at `path`, str or Path."""
        write_tokenizer(self, path)

    @classmethod
    def load(cls, path):
        """Read a file, str or Path, that `save` of the same class wrote.

        Raises:
            ValueError: if the file cannot be read or is of another class.
        """
        return read_tokenizer(cls, path)
