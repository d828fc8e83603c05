"""Packing: one text or two in a single row of ids, as the input of BERT.

A task may have one text (is this review positive?) or two (does this text
answer that question?). BERT reads both as one row of ids: a classification
token [CLS] first, whose output stands for the whole row, and a separator
[SEP] after each text. The segment ids mark the text of each id:

    token_ids    [CLS] a_1 ... a_n [SEP] b_1 ... b_m [SEP] [PAD] ... [PAD]
    segment_ids    0    0       0    0    1       1    1     0         0

If the row is longer than `sequence_length`, pieces are removed from the end
of a text, by one of these strategies:

    "longest_first"  remove a piece of the longer text, repeatedly
    "round_robin"    take a piece of each text in turn, until the row is full
    "waterfall"      take all of the first text, then what fits of the second
    "only_second"    the same, but a first text that does not fit is an error
    None             texts that do not fit are an error

For two texts, "longest_first" and "round_robin" differ only in which text
gets an odd piece.

Shapes: B batch, T length, special tokens included.
Paper: Devlin et al. (2019), arXiv:1810.04805, section 3 and figure 2.
Differs from the paper: its code for pretraining truncates the longer text
    randomly at the front or at the end; here it is always the end.
"""

from keras_seq import checks
from keras_seq.text.padding import pad_ragged
from keras_seq.text.tensor_checks import is_tf_tensor
from keras_seq.text.tokenizer import check_tokenizer
from keras_seq.text.unicode import import_tensorflow_text, text_tensor

TRIMMERS = {
    "longest_first": "ShrinkLongestTrimmer",
    "round_robin": "RoundRobinTrimmer",
    "waterfall": "WaterfallTrimmer",
    "only_second": "WaterfallTrimmer",
}


class MultiSegmentPacker:
    """Packs a text, or a pair of texts, into one row of ids.

    Python strings give NumPy arrays. String tensors give tensors, in
    `tf.data`, in `tf.function` and in a SavedModel, with the same numbers.
    "[MASK]" in a text is the mask token only if the tokenizer was made with
    `special_tokens_in_strings=True`.

    Args:
        tokenizer: `Tokenizer`. Its `start_id` is [CLS], its `end_id` [SEP].
        sequence_length: optional int > 2, the length T of a row. Default
            None: that of the longest row of the batch.
        truncate: optional str, "longest_first", "round_robin", "waterfall" or
            "only_second", how longer texts are truncated. Default None: they
            are an error.
    Call arguments:
        first: str, list of B str, or tf.Tensor of strings () or (B,).
        second: optional, the same. Default None.
        offsets: bool, whether to return the characters that each id was read
            from. Default False.
    Returns:
        dict of int32 (B, T), or (T,) for one text: `token_ids`;
        `segment_ids`, 0 for the first text with its special tokens and for
        padding, 1 for the second text with its [SEP]; and optionally
        `offsets`, (B, T, 2), as of `Tokenizer.tokenize_with_offsets`, (0, 0)
        for special tokens and padding.
    Raises:
        ValueError: if an argument is out of range, if `first` and `second`
            differ in number, or a text does not fit; for tensors, the graph
            raises tf.errors.InvalidArgumentError.
        ImportError: if tensorflow-text is not installed.
    Example:
        >>> tokenizer = WordPieceTokenizer(["is", "it", "red", "yes"])
        >>> packer = MultiSegmentPacker(tokenizer, 8, truncate="longest_first")
        >>> packed = packer(["is it red"], ["yes it is"])
        >>> packed["token_ids"].tolist()
        [[2, 5, 6, 3, 8, 6, 5, 3]]
        >>> packed["segment_ids"].tolist()
        [[0, 0, 0, 0, 1, 1, 1, 1]]
    """

    def __init__(self, tokenizer, sequence_length=None, *, truncate=None):
        check_tokenizer(tokenizer)
        checks.one_of((*TRIMMERS, None), truncate=truncate)
        if sequence_length is not None:
            checks.positive_int(sequence_length=sequence_length)
            if sequence_length < 3:
                raise ValueError(
                    "`sequence_length` must be at least 3, the special tokens "
                    "of two texts. Received "
                    f"sequence_length={sequence_length}."
                )
        elif truncate is not None:
            raise ValueError(
                "`sequence_length` must be given with `truncate`. "
                f"Received sequence_length=None, truncate={truncate!r}."
            )
        self.tokenizer, self.truncate = tokenizer, truncate
        self.sequence_length = sequence_length

    def __call__(self, first, second=None, *, offsets=False):
        import_tensorflow_text()
        import tensorflow as tf

        form = self.tokenizer.normal_form
        texts, single = text_tensor(first, "first", form)
        texts = [texts]
        if second is not None:
            texts.append(text_tensor(second, "second", form)[0])
        in_python = not (is_tf_tensor(first) or is_tf_tensor(second))
        # There is nothing to convert, but autograph would take seconds.
        pack = tf.autograph.experimental.do_not_convert(self._pack)
        try:
            packed = pack(texts, offsets)
        except tf.errors.InvalidArgumentError as error:
            if in_python:
                raise ValueError(error.message) from error
            raise
        if single:
            packed = {name: x[0] for name, x in packed.items()}
        if in_python:
            packed = {name: x.numpy() for name, x in packed.items()}
        return packed

    def _pack(self, texts, offsets):
        """Pack one or two tf string (B,)."""
        import tensorflow as tf

        tf.debugging.assert_equal(
            tf.shape(texts[0]),
            tf.shape(texts[-1]),
            "`second` must have as many texts as `first`.",
        )
        if offsets:
            look_up = self.tokenizer.tokenize_ragged_with_offsets
            rows, starts, ends = zip(*map(look_up, texts))
        else:
            rows = [self.tokenizer.tokenize_ragged(text) for text in texts]
        self._check_room(rows)
        indices, segment_ids = self._combine(rows)
        tokenizer = self.tokenizer
        special = [tokenizer.start_id, tokenizer.end_id, tokenizer.pad_id]

        def gather(special, rows):
            return tf.gather(tf.concat([special, *_values(rows)], 0), indices)

        packed = {
            "token_ids": gather(special, rows),
            "segment_ids": segment_ids,
        }
        if offsets:
            both = [gather([0, 0, 0], part) for part in (starts, ends)]
            packed["offsets"] = tf.stack(both, axis=-1)
        return packed

    def _check_room(self, rows):
        """Raise an error if a text that must not be truncated does not fit."""
        import tensorflow as tf

        if self.sequence_length is None:
            return
        if self.truncate not in ("only_second", None):
            return
        kept = rows if self.truncate is None else rows[:1]
        tf.debugging.assert_less_equal(
            tf.add_n([row.row_lengths() for row in kept]),
            tf.constant(self.sequence_length - 1 - len(rows), tf.int64),
            "`sequence_length` must have room for each text and its special "
            "tokens, unless `truncate` is another strategy. Received "
            f"sequence_length={self.sequence_length}, "
            f"truncate={self.truncate!r}, and a text that is too long.",
        )

    def _combine(self, rows):
        """Truncate and pad: indices in a list, segment ids, int32 (B, T).

        The list begins with the ids of [CLS], [SEP] and [PAD]; the values of
        all rows follow.
        """
        import tensorflow as tf

        text = import_tensorflow_text()
        sizes = [tf.size(values) for values in _values(rows)]
        begins = [3, 3 + sizes[0]]
        rows = [
            row.with_values(begin + tf.range(size))
            for row, begin, size in zip(rows, begins, sizes)
        ]
        if self.truncate is not None:
            room = self.sequence_length - 1 - len(rows)
            longest_first = self.truncate == "longest_first"
            if longest_first:  # its op takes time for each removed piece
                rows = [row[:, :room] for row in rows]
            if len(rows) > 1 or not longest_first:
                rows = getattr(text, TRIMMERS[self.truncate])(room).trim(rows)
        indices, segment_ids = text.combine_segments(rows, 0, 1)
        indices = pad_ragged(indices, 2, self.sequence_length)
        return indices, pad_ragged(segment_ids, 0, self.sequence_length)


def _values(rows):
    return [row.values for row in rows]
