"""Fine-tuning: a pretrained BERT and one new layer, for four kinds of tasks.

A task with few labels cannot teach a language. BERT has read; so put a single
matrix on top of it, and train all of it a little on the labels: one answer
for a text or a pair of texts, one for each token, or the two ends of a span.

    class: logits   = dropout(pooled) W + b    # or the mean of x_t
    tag:   logits_t = dropout(x_t) W + b
    span:  start_t, end_t = x_t W + b          # the span that adds up to most

Shapes: B batch, T length, D width, C classes or tags.
Paper: Devlin et al. (2019), arXiv:1810.04805, section 4 and figure 4.
Differs from the paper: only places that can be answers are scored: tokens of
    the second segment before its [SEP], and the first token, "no answer".
"""

import keras
from keras import ops

from keras_seq import checks
from keras_seq.layers.embedding import padding_mask
from keras_seq.models.bert import (
    gather_positions,
    ids_of,
    mean_of,
    segments_of,
    texts_of,
)
from keras_seq.models.bert_pretraining import BERTTask

NEVER = -1e9  # a float32 score: half precision has no such number


class _Labels(BERTTask):
    """One matrix on what a BERT gives."""

    def __init__(self, bert, num_classes, *, dropout=0.1, **kwargs):
        super().__init__(bert, **kwargs)
        num_classes = checks.positive_int(num_classes=num_classes)
        checks.fraction(dropout=dropout)
        self.dropout = keras.layers.Dropout(dropout, dtype=self.dtype_policy)
        self.head = self.dense(num_classes)

    def build(self, inputs_shape=None):
        self.build_on(self.head)

    def call(self, inputs, training=False):
        x = self.read(inputs, training)
        return self.head(self.dropout(x, training=training))

    def read(self, inputs, training):
        """Give what the head reads of what the BERT gives."""
        return self.bert(texts_of(inputs), training=training)["sequence_output"]

    def get_config(self):
        own = {"num_classes": self.head.units, "dropout": self.dropout.rate}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable("keras_seq")
class BERTClassifier(_Labels):
    """Classify a text, or a pair of texts.

    Args:
        bert: `BERT`, which learns too; with a pooler, unless `pooling` is
            "mean".
        num_classes: int > 0, C.
        dropout: float in [0, 1). Default 0.1.
        pooling: "cls", as in the paper, what the pooler makes of the first
            token; or "mean", of the real tokens, for a BERT that has learned
            hidden words alone, and so nothing of its first token. Default
            "cls".
    Call arguments:
        inputs: as of `BERT`.
    Returns:
        float (B, C), logits.
    Raises:
        ValueError: if an argument is outside its range, or `bert` is none.
    """

    def __init__(
        self, bert, num_classes, *, dropout=0.1, pooling="cls", **kwargs
    ):
        checks.one_of(("cls", "mean"), pooling=pooling)
        self.pools, self.pooling = pooling == "cls", pooling
        super().__init__(bert, num_classes, dropout=dropout, **kwargs)

    def read(self, inputs, training):
        ids = ids_of(inputs)
        if self.pools:  # and so no token's vector is wanted but the first's
            texts = {**texts_of(inputs), "mask_positions": ids[:, :0]}
            return self.bert(texts, training=training)["pooled_output"]
        x = super().read(inputs, training)
        return mean_of(x, padding_mask(ids, self.bert.pad_id))

    def get_config(self):
        return {**super().get_config(), "pooling": self.pooling}


@keras.saving.register_keras_serializable("keras_seq")
class BERTTagger(_Labels):
    """Give each token a tag.

    Args:
        bert: `BERT`, which learns too.
        num_classes: int > 0, tags C.
        dropout: float in [0, 1). Default 0.1.
    Call arguments:
        inputs: as of `BERT`.
    Returns:
        float (B, T, C), logits.
    Raises:
        ValueError: if an argument is outside its range, or `bert` is none.
    """

    pools = False


@keras.saving.register_keras_serializable("keras_seq")
class BERTSpanQA(BERTTask):
    """Find the answer to a question in a text: its first and last token.

    Args:
        bert: `BERT`, which learns too.
    Call arguments:
        inputs: dict of int (B, T), as of `BERT`: `token_ids`, and
            `segment_ids`, 0 for the question and 1 for the text with the
            [SEP] after it.
    Returns:
        dict of logits, float32 (B, T): `start` and `end`, -1e9 where no
        answer can stand. Place 0 means that there is none.
    Raises:
        ValueError: if `bert` is none, or without segments.
    """

    pools = False

    def __init__(self, bert, **kwargs):
        super().__init__(bert, **kwargs)
        self.head = self.dense(2)

    def build(self, inputs_shape=None):
        self.build_on(self.head)

    def call(self, inputs, training=False):
        if not isinstance(inputs, dict) or "segment_ids" not in inputs:
            raise ValueError(
                "`inputs` must be a dict with `segment_ids`, which tell the "
                f"question from the text. Received {inputs!r}."
            )
        found = self.bert(texts_of(inputs), training=training)
        logits, ids = self.head(found["sequence_output"]), ids_of(inputs)
        real = padding_mask(ids, self.bert.pad_id)
        text = ops.logical_and(ops.equal(segments_of(inputs), 1), real)
        goes_on = ops.pad(text[:, 1:], ((0, 0), (0, 1)))
        text = ops.logical_and(text, goes_on)  # the last one is its [SEP]
        first = ops.equal(ops.arange(ops.shape(ids)[1]), 0)
        allowed = ops.logical_or(text, first)[..., None]
        # "No answer" is scored by the first real token, and stands at place 0
        # even where that is padding.
        none = gather_positions(logits, self.bert.first_token_index(real))
        logits = ops.where(first[:, None], none, logits)
        logits = ops.where(allowed, ops.cast(logits, "float32"), NEVER)
        return {"start": logits[..., 0], "end": logits[..., 1]}


def best_span(start, end, max_length=30):
    """Choose the span whose two ends add up to most.

    Args:
        start, end: float (B, T), logits as `BERTSpanQA` gives them.
        max_length: int > 0, tokens of an answer. Default 30.
    Returns:
        int32 (B, 2): the first and the last token; (0, 0), no answer.
    Raises:
        ValueError: if `max_length` is no int > 0.
    """
    checks.positive_int(max_length=max_length)
    start, end = map(ops.convert_to_tensor, (start, end))
    total = start[:, :, None] + end[:, None, :]  # (B, T, T)
    place = ops.arange(ops.shape(start)[1])
    i, j = place[:, None], place[None, :]
    inside = (i <= j) & (j < i + max_length) & ((i > 0) == (j > 0))
    total = ops.where(inside, total, -float("inf"))
    first = ops.argmax(ops.max(total, axis=2), axis=1)[:, None]
    last = ops.take_along_axis(ops.argmax(total, axis=2), first, axis=1)
    return ops.cast(ops.concatenate([first, last], axis=1), "int32")
