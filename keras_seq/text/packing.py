"""Packing: one text or two in a single row, as BERT reads them.

A task may have one text (is this review good?) or two (does this text answer
that question?). BERT reads both as one row of ids: a mark at the front, whose
vector stands for the whole row, and a mark after each text. A second row of
numbers says to which text each id belongs:

    ids       [CLS] a_1 ... a_n [SEP] b_1 ... b_m [SEP] [PAD] ... [PAD]
    segments    0    0       0    0    1       1    1     0         0

Where the two together are too long for the row, something has to go, always
from the end of a text:

    "longest"      the longer one loses a piece, again and again
    "round_robin"  each is given a piece in turn, until the row is full
    "waterfall"    the first is given all it needs, the second what is left
    "second"       the same, but a first text without room is refused
    None           nothing goes: texts without room are refused

With two texts, the first two differ only in who gets an odd piece.

Shapes: B batch, T length, marks counted.
Paper: Devlin et al. (2019), arXiv:1810.04805, section 3 and figure 2.
Differs from the paper: its code for pretraining cuts the longer text at the
    front or at the end, by a draw; here it is always the end.
"""

from keras_seq import checks
from keras_seq.text.layout import pad_rows
from keras_seq.text.tokenizer import check_tokenizer
from keras_seq.text.unicode import (
    import_tensorflow_text,
    is_tf_tensor,
    text_tensor,
)

TRIMMERS = {
    "longest": "ShrinkLongestTrimmer",
    "round_robin": "RoundRobinTrimmer",
    "waterfall": "WaterfallTrimmer",
    "second": "WaterfallTrimmer",
}


class Packer:
    """Packs a text, or a pair of texts, into a row of ids.

    Python strings give NumPy arrays. String tensors give tensors, in
    `tf.data`, in `tf.function` and in a SavedModel, and the same numbers.

    Args:
        tokenizer: `Tokenizer`. Its `start_id` is [CLS], its `end_id` [SEP].
        length: optional int > 2, the T to fill, marks counted. Default: that
            of the longest row of a batch.
        trim: "longest", "round_robin", "waterfall", "second" or None, what
            goes where there is no room. Default None: nothing.
    Call arguments:
        first: str, list of B str, or tf.Tensor of strings () or (B,).
        second: optional, the same again.
        offsets: bool, say as well from which characters each id was read.
            Default False.
    Returns:
        dict of int32 (B, T), or (T,) for a text alone: `token_ids` and
        `segment_ids`, 0 for the first text with its marks and for padding, 1
        for the second with its [SEP]; and, if asked, `offsets`, (B, T, 2),
        as of `Tokenizer.tokenize_with_offsets`, (0, 0) for marks and padding.
    Raises:
        ValueError: if an argument is outside its range, if `first` and
            `second` differ in number, or a text has no room; for tensors,
            the graph raises tf.errors.InvalidArgumentError when it runs.
        ImportError: where there is no tensorflow-text.
    """

    def __init__(self, tokenizer, length=None, *, trim=None):
        check_tokenizer(tokenizer)
        checks.one_of((*TRIMMERS, None), trim=trim)
        if length is not None:
            checks.positive_int(length=length)
        if length is not None and length < 3:
            raise ValueError(
                "`length` must be at least 3: a mark in front and one after "
                f"each of two texts. Received length={length}."
            )
        if length is None and trim is not None:
            raise ValueError(
                "`length` must be given with `trim`. "
                f"Received length=None, trim={trim!r}."
            )
        self.tokenizer, self.length, self.trim = tokenizer, length, trim

    def __call__(self, first, second=None, *, offsets=False):
        import_tensorflow_text()
        import tensorflow as tf

        form = self.tokenizer.normal_form
        texts, single = text_tensor(first, "first", form)
        texts = [texts]
        if second is not None:
            texts.append(text_tensor(second, "second", form)[0])
        plain = not (is_tf_tensor(first) or is_tf_tensor(second))
        # Autograph would take seconds to find nothing to convert.
        pack = tf.autograph.experimental.do_not_convert(self._pack)
        try:
            packed = pack(texts, offsets)
        except tf.errors.InvalidArgumentError as error:
            if plain:
                raise ValueError(error.message) from error
            raise
        if single:
            packed = {name: x[0] for name, x in packed.items()}
        if plain:
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
            look_up = self.tokenizer._look_up_with_offsets
            rows, starts, ends = zip(*map(look_up, texts))
        else:
            rows = [self.tokenizer._look_up_tensor(text) for text in texts]
        self._refuse(rows)
        places, segments = self._lay_out(rows)
        names = ("start_id", "end_id", "pad_id")
        marks = [getattr(self.tokenizer, name) for name in names]

        def read(marks, rows):
            return tf.gather(tf.concat([marks, *_flat(rows)], 0), places)

        packed = {"token_ids": read(marks, rows), "segment_ids": segments}
        if offsets:
            both = [read([0, 0, 0], part) for part in (starts, ends)]
            packed["offsets"] = tf.stack(both, axis=-1)
        return packed

    def _refuse(self, rows):
        """Raise if what may not be trimmed has no room."""
        import tensorflow as tf

        if self.length is None or self.trim not in ("second", None):
            return
        kept = rows if self.trim is None else rows[:1]
        tf.debugging.assert_less_equal(
            tf.add_n([row.row_lengths() for row in kept]),
            tf.constant(self.length - 1 - len(rows), tf.int64),
            "`length` must have room for each text and its marks, or go with "
            f"another `trim`. Received length={self.length}, "
            f"trim={self.trim!r}, and a text that is too long.",
        )

    def _lay_out(self, rows):
        """Trim, mark and pad: places in a list, and segments, int32 (B, T).

        The list begins with the three marks; the values of all rows follow.
        """
        import tensorflow as tf

        text = import_tensorflow_text()
        sizes = [tf.size(values) for values in _flat(rows)]
        begins = [3, 3 + sizes[0]]
        rows = [
            row.with_values(begin + tf.range(size))
            for row, begin, size in zip(rows, begins, sizes)
        ]
        if self.trim is not None:
            room = self.length - 1 - len(rows)
            if self.trim == "longest":  # which takes time for each piece
                rows = [row[:, :room] for row in rows]
            if len(rows) > 1 or self.trim != "longest":
                rows = getattr(text, TRIMMERS[self.trim])(room).trim(rows)
        places, segments = text.combine_segments(rows, 0, 1)
        places = pad_rows(places, 2, self.length)
        return places, pad_rows(segments, 0, self.length)


def _flat(rows):
    return [row.values for row in rows]
