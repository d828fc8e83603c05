"""Tokenizer: what every way of cutting a text into ids has in common.

A tokenizer turns a string into pieces and each piece into its id. Those of
this package differ in what a piece is and in how a vocabulary of pieces is
learned; what stands around that is the same, and stands here once:

    normalised = NFC(text), broken UTF-8 as U+FFFD
    ids        = start? + look_up(normalised) + end? + padding
    text       = glyph[id_1] glyph[id_2] ... up to the first end

Everything runs twice, on Python strings and arrays, and on string tensors
inside `tf.function` and inside a SavedModel, and gives the same answer. What
a child adds: `train`, `_look_up_tensor`, `_look_up_with_offsets`,
`_vocabulary` and its pieces.

Shapes: B batch, T longest text of the batch with its marks, at least 1.
"""

import functools
import itertools
import json
from pathlib import Path

import keras
import numpy as np

from keras_seq.checks import positive_int
from keras_seq.text.layout import (
    END,
    MASK,
    PAD,
    START,
    UNKNOWN,
    check_ids,
    check_length,
    check_tensor,
    lay_out,
    lay_out_tensor,
    pad_rows,
)
from keras_seq.text.unicode import (
    UNKNOWN_GLYPH,
    is_tf_tensor,
    normalise,
    text_tensor,
)

SPECIALS = ("[PAD]", "[UNK]", "[START]", "[END]", "[MASK]")


def training(train):
    """Make `train(cls, texts, ...)` a classmethod that is given clean texts.

    `texts` may be one str or any iterable of str (UTF-8 bytes too); `train`
    sees an iterator of str in NFC.
    """

    @classmethod
    @functools.wraps(train)
    def trained(cls, texts, *args, **options):
        if isinstance(texts, bool):  # torch.nn.Module.train(mode): no state
            return cls
        texts = [texts] if isinstance(texts, (str, bytes)) else texts
        return train(cls, map(normalise, texts), *args, **options)

    return trained


def check_vocabulary_size(vocabulary_size, least, what):
    """Refuse a `vocabulary_size` below what every vocabulary must hold."""
    positive_int(vocabulary_size=vocabulary_size)
    if vocabulary_size < least:
        raise ValueError(
            f"`vocabulary_size` must be at least {least}: {what}. "
            f"Received vocabulary_size={vocabulary_size}."
        )


def check_tokenizer(tokenizer):
    """Refuse what is no tokenizer of this package."""
    if not isinstance(tokenizer, Tokenizer):
        raise ValueError(
            "`tokenizer` must be a keras_seq.text.Tokenizer. "
            f"Received tokenizer={tokenizer!r}."
        )


class Tokenizer(keras.layers.Layer):
    """Turns text into ids and back; the base of all tokenizers.

    Ids: 0 `pad_id`, 1 `unknown_id`, 2 `start_id`, 3 `end_id`, 4 `mask_id`,
    then the pieces; only a `BERTTokenizer` may have others. No text gives one
    of these ids but `unknown_id`: a text that reads "[MASK]" is six
    characters like any other.
    """

    pad_id, unknown_id = PAD, UNKNOWN
    start_id, end_id, mask_id = START, END, MASK
    normal_form = "NFC"  # of every text; None leaves it as it was typed

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_jit = False  # strings are not XLA-compilable
        self._convert_input_args = False  # nor convertible by other backends
        self._allow_non_tensor_positional_args = True
        self.built = True

    def _set_pieces(self, pieces, write):
        """Keep how every id is shown, and what `write` makes of it in a text.

        `write` is a function from a piece to UTF-8 bytes, or a part of them.
        """
        self._set_names([*SPECIALS, *pieces], write)

    def _set_names(self, names, write):
        """The same for all names, the special ones among them."""
        self._names = np.array(names, dtype=object)
        self._glyphs = np.array([*map(write, names)], dtype=object)
        self._glyphs[self.unknown_id] = write(UNKNOWN_GLYPH)
        for silent in (self.pad_id, self.start_id, self.end_id, self.mask_id):
            self._glyphs[silent] = b""

    def vocabulary_size(self):
        """int, the number of ids, the five special ones counted."""
        return len(self._names)

    def tokenize(
        self, texts, *, start=False, end=False, length=None, truncate=False
    ):
        """Look up every piece of every text.

        Args:
            texts: str, list of str (UTF-8 bytes too), or tf.Tensor of
                strings () or (B,). Broken UTF-8 is read as U+FFFD.
            start, end: bool, whether `start_id` comes first, `end_id` last.
            length: optional int > 0, the T to pad to, marks counted.
                Default: that of the longest text, at least 1.
            truncate: bool, cut the pieces of a longer text, never its marks.
                False refuses it.
        Returns:
            int32 (T,) for one text, (B, T) for several, padded with
            `pad_id`; a NumPy array, or a tf.Tensor for a tf.Tensor.
        Raises:
            ValueError: if a text has no room in `length`; for a tensor, the
                graph raises tf.errors.InvalidArgumentError when it runs.
        """
        check_length(length, start + end, truncate)
        marks = [self.start_id] * bool(start), [self.end_id] * bool(end)
        layout = (*marks, self.pad_id, length, truncate)
        if is_tf_tensor(texts):
            texts, single = text_tensor(texts, form=self.normal_form)
            ids = lay_out_tensor(self._look_up_tensor(texts), *layout)
        else:
            single = isinstance(texts, (str, bytes)) or not np.iterable(texts)
            ids = lay_out(self._look_up([texts] if single else texts), *layout)
        return ids[0] if single else ids

    def _look_up(self, texts):
        """List of str to a list of int (T,), through the tensors."""
        texts, _ = text_tensor(texts, form=self.normal_form)
        rows = self._look_up_tensor(texts)
        ids, ends = rows.values.numpy(), rows.row_splits.numpy()
        return [ids[i:j] for i, j in itertools.pairwise(ends)]

    def tokenize_with_offsets(self, texts):
        """Look up every piece, and the characters that it was read from.

        Args:
            texts: as for `tokenize`.
        Returns:
            ids: int32 (T,) or (B, T), as of `tokenize`.
            offsets: int32 (T, 2) or (B, T, 2): a piece was read from
                text[start:end], the text in NFC; (0, 0) for padding. A space
                that a piece holds counts, and each byte of a character
                without a piece was read from all of it.
        Raises:
            ValueError: if `texts` are none.
            ImportError: where there is no tensorflow-text.
        """
        strings, single = text_tensor(texts)
        import tensorflow as tf

        ids, *ends = self._look_up_with_offsets(strings)
        ids = pad_rows(ids, self.pad_id, None)
        offsets = tf.stack([pad_rows(row, 0, None) for row in ends], axis=-1)
        if single:
            ids, offsets = ids[0], offsets[0]
        if is_tf_tensor(texts):
            return ids, offsets
        return ids.numpy(), offsets.numpy()

    def _look_up_with_offsets(self, texts):
        """tf string (B,) to ragged int32 (B, None), three of them."""
        raise ValueError(
            f"Offsets are not to be had of a {type(self).__name__}. Received "
            "a call for them."
        )

    def detokenize(self, ids):
        """Write ids as text.

        Pad, start and mask print nothing; unknown prints U+FFFD; the first
        `end_id` of a row ends it, and what follows is dropped.

        Args:
            ids: int (T,) or (B, T): list, NumPy, JAX or torch array, or a
                tf.Tensor.
        Returns:
            str for (T,), list of str for (B, T); for a tf.Tensor a string
            tensor () or (B,).
        Raises:
            ValueError: if an id is not in the vocabulary; for a tensor, the
                graph raises tf.errors.InvalidArgumentError when it runs.
        """
        if is_tf_tensor(ids):
            return self._detokenize_tensor(ids)
        ids = check_ids(ids, self.vocabulary_size())
        kept = np.cumsum(ids == self.end_id, axis=-1) == 0
        if ids.ndim == 1:
            return b"".join(self._glyphs[ids[kept]]).decode("utf-8", "replace")
        return [
            b"".join(self._glyphs[row[keep]]).decode("utf-8", "replace")
            for row, keep in zip(ids, kept, strict=True)
        ]

    def _detokenize_tensor(self, ids):
        import tensorflow as tf

        glyphs = self._gather(self._glyphs, ids)
        ended = tf.cumsum(tf.cast(ids == self.end_id, "int32"), axis=-1) > 0
        text = tf.strings.reduce_join(tf.where(ended, "", glyphs), axis=-1)
        return tf.strings.unicode_transcode(text, "UTF-8", "UTF-8")

    def tokens(self, ids):
        """Name the piece of every id, as a label for a picture.

        Args:
            ids: as for `detokenize`.
        Returns:
            list of str for (T,), list of lists for (B, T), the special ids
            as "[PAD]", "[UNK]", "[START]", "[END]", "[MASK]" (of a
            `BERTTokenizer` "[CLS]" and "[SEP]"); for a tf.Tensor a string
            tensor of the same shape.
        Raises:
            ValueError: as `detokenize`.
        """
        if is_tf_tensor(ids):
            return self._gather(self._names, ids)
        return self._names[check_ids(ids, self.vocabulary_size())].tolist()

    def _gather(self, table, ids):
        import tensorflow as tf

        rule = "integers of shape (T,) or (B, T)"
        check_tensor("ids", ids, ids.dtype.is_integer, (1, 2), rule)
        return tf.gather(tf.constant(table.tolist()), ids)

    def call(self, texts):
        return self.tokenize(texts)

    def get_config(self):
        return {**super().get_config(), **self._vocabulary()}

    def save(self, path):
        """Write the vocabulary to a JSON file."""
        saved = {
            "format": f"keras_seq.{type(self).__name__}",
            "version": 1,
            "vocabulary_size": self.vocabulary_size(),
            **self._vocabulary(),
        }
        text = json.dumps(saved, ensure_ascii=False, indent=2)
        Path(path).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path):
        """Read a file that `save` wrote; a ValueError names any other."""
        text = Path(path).read_bytes()
        kind = f"keras_seq.{cls.__name__}"
        try:
            saved = json.loads(text.decode("utf-8"))
            if (saved.pop("format"), saved.pop("version")) != (kind, 1):
                raise ValueError(f"{kind} version 1 is expected.")
            vocabulary_size = saved.pop("vocabulary_size")
            tokenizer = cls(**saved)
            if tokenizer.vocabulary_size() != vocabulary_size:
                raise ValueError("`vocabulary_size` does not count the pieces.")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"`path` must be a file that {cls.__name__}.save wrote. "
                f"Received path={str(path)!r}: {error!r}"
            ) from error
        return tokenizer
