"""Fine-tuning of BERT: one new layer on a pretrained encoder, for three tasks.

A few labeled examples are too few to train an encoder from scratch. They are
enough to fine-tune an encoder that was pretrained on unlabeled text (transfer
learning). The new layer is a single matrix; all weights are trained. It
predicts one class for each text or pair of texts, one class for each token, or
the first and last token of an answer.

    text classification:   logits   = dropout(pooled) W + b   # or mean of x_t
    token classification:  logits_t = dropout(x_t) W + b
    question answering:    start_t, end_t = x_t W + b  # span of highest sum

Shapes: B batch, T length, D width, C classes.
Paper: Devlin et al. (2019), arXiv:1810.04805, section 4 and figure 4.
Differs from the paper: only possible answers are scored: tokens of the second
    segment before its [SEP], and the first token, which means "no answer".
"""

import keras
from keras import ops

from keras_seq import checks
from keras_seq.layers.embedding import padding_mask
from keras_seq.layers.trainable import propagate_trainable
from keras_seq.models.bert import (
    bert_initializer,
    first_token_index,
    gather_positions,
    mean_pooling,
    token_and_segment_ids,
)
from keras_seq.models.bert_task import BERTTask

IMPOSSIBLE = -1e9  # a float32 logit, out of the range of float16


class _DenseTask(BERTTask):
    """Dropout and one dense layer on the output of a BERT."""

    def __init__(self, bert, num_classes, *, dropout=0.1, **kwargs):
        super().__init__(bert, **kwargs)
        num_classes = checks.positive_int(num_classes=num_classes)
        checks.fraction(dropout=dropout)
        self.dropout = keras.layers.Dropout(dropout, dtype=self.dtype_policy)
        self.head = keras.layers.Dense(
            num_classes,
            kernel_initializer=bert_initializer(),
            dtype=self.dtype_policy,
        )

    def build(self, inputs_shape=None):
        self.build_bert()
        self.head.build((None, self.bert.config["hidden_dim"]))
        propagate_trainable(self)

    def get_config(self):
        return {
            **super().get_config(),
            "num_classes": self.head.units,
            "dropout": self.dropout.rate,
        }


@keras.saving.register_keras_serializable("keras_seq")
class BERTClassifier(_DenseTask):
    """Classify a text, or a pair of texts.

    Args:
        bert: `BERT`, trained as well; with a pooler, unless `pooling` is
            "mean".
        num_classes: int > 0, number of classes C.
        dropout: float in [0, 1). Default 0.1.
        pooling: "cls", the pooled output of the first token, as in the paper;
            or "mean", the average over the real tokens, for a BERT that was
            pretrained without next sentence prediction, whose first token is
            not trained. Default "cls".
    Call arguments:
        inputs: as of `BERT`; `mask_positions` is ignored.
        training: bool, apply dropout. Default False.
    Returns:
        logits, float (B, C).
    Raises:
        ValueError: if an argument is outside its range, or `bert` is not a
            `BERT`.
    Example:
        >>> model = BERTClassifier(BERT(13, 8, num_layers=1), num_classes=3)
        >>> tuple(model(np.array([[2, 5, 7, 3], [2, 6, 3, 0]])).shape)
        (2, 3)
    """

    def __init__(
        self, bert, num_classes, *, dropout=0.1, pooling="cls", **kwargs
    ):
        checks.one_of(("cls", "mean"), pooling=pooling)
        super().__init__(
            bert,
            num_classes,
            dropout=dropout,
            use_pooler=pooling == "cls",
            **kwargs,
        )
        self.pooling = pooling

    def call(self, inputs, training=False):
        token_ids, segment_ids = token_and_segment_ids(inputs)
        inputs = {"token_ids": token_ids, "segment_ids": segment_ids}
        if self.pooling == "cls":
            # Without mask positions the last block computes [CLS] only.
            inputs["mask_positions"] = token_ids[:, :0]
            x = self.bert(inputs, training=training)["pooled_output"]
        else:
            x = self.bert(inputs, training=training)["sequence_output"]
            x = mean_pooling(x, padding_mask(token_ids, self.bert.pad_id))
        return self.head(self.dropout(x, training=training))

    def get_config(self):
        return {**super().get_config(), "pooling": self.pooling}


@keras.saving.register_keras_serializable("keras_seq")
class BERTTagger(_DenseTask):
    """Classify each token.

    Args:
        bert: `BERT`, trained as well.
        num_classes: int > 0, number of tags C.
        dropout: float in [0, 1). Default 0.1.
    Call arguments:
        inputs: as of `BERT`; `mask_positions` is ignored.
        training: bool, apply dropout. Default False.
    Returns:
        logits, float (B, T, C).
    Raises:
        ValueError: if an argument is outside its range, or `bert` is not a
            `BERT`.
    Example:
        >>> model = BERTTagger(BERT(13, 8, num_layers=1), num_classes=3)
        >>> tuple(model(np.array([[2, 5, 7, 3], [2, 6, 3, 0]])).shape)
        (2, 4, 3)
    """

    def call(self, inputs, training=False):
        token_ids, segment_ids = token_and_segment_ids(inputs)
        inputs = {"token_ids": token_ids, "segment_ids": segment_ids}
        x = self.bert(inputs, training=training)["sequence_output"]
        return self.head(self.dropout(x, training=training))


@keras.saving.register_keras_serializable("keras_seq")
class BERTSpanQA(BERTTask):
    """Answer a question by a span of a text: predict its first and last token.

    Args:
        bert: `BERT`, trained as well.
    Call arguments:
        inputs: dict of int (B, T), as of `BERT`: `token_ids`; and
            `segment_ids`, 0 for the question, 1 for the text and the [SEP]
            after it.
        training: bool, apply dropout. Default False.
    Returns:
        dict of logits, float32 (B, T): `start` and `end`, -1e9 where no
        answer is possible. Position 0 means "no answer".
    Raises:
        ValueError: if `bert` is not a `BERT`, or there are no `segment_ids`.
    Example:
        >>> model = BERTSpanQA(BERT(13, 8, num_layers=1))
        >>> ids = np.array([[2, 5, 3, 7, 8, 3]])
        >>> segments = np.array([[0, 0, 0, 1, 1, 1]])
        >>> logits = model({"token_ids": ids, "segment_ids": segments})
        >>> tuple(logits["start"].shape)
        (1, 6)
    """

    def __init__(self, bert, **kwargs):
        super().__init__(bert, **kwargs)
        self.head = keras.layers.Dense(
            2, kernel_initializer=bert_initializer(), dtype=self.dtype_policy
        )

    def build(self, inputs_shape=None):
        self.build_bert()
        self.head.build((None, self.bert.config["hidden_dim"]))
        propagate_trainable(self)

    def call(self, inputs, training=False):
        checks.has_keys(inputs, "token_ids", "segment_ids")
        token_ids, segment_ids = token_and_segment_ids(inputs)
        inputs = {"token_ids": token_ids, "segment_ids": segment_ids}
        x = self.bert(inputs, training=training)["sequence_output"]
        logits = self.head(x)  # (B, T, 2)
        mask = padding_mask(token_ids, self.bert.pad_id)
        # "No answer" is the score of the first real token, [CLS], which is
        # returned at position 0 even if that is padding.
        no_answer = gather_positions(logits, first_token_index(mask))
        position = ops.arange(ops.shape(token_ids)[1])[None, :, None]
        logits = ops.where(position == 0, no_answer, logits)
        allowed = ops.expand_dims(_answer_mask(segment_ids, mask), axis=-1)
        allowed = ops.logical_or(allowed, position == 0)
        logits = ops.where(allowed, ops.cast(logits, "float32"), IMPOSSIBLE)
        return {"start": logits[..., 0], "end": logits[..., 1]}


def _answer_mask(segment_ids, mask):
    """Return True at real tokens of segment 1 but its last, [SEP]: (B, T)."""
    text = ops.logical_and(ops.equal(segment_ids, 1), mask)
    text_follows = ops.pad(text[:, 1:], ((0, 0), (0, 1)))
    return ops.logical_and(text, text_follows)


def best_span(start, end, max_length=30):
    """Return the span whose start and end logits have the highest sum.

    Args:
        start: float (B, T), logits of `BERTSpanQA`.
        end: float (B, T), logits of `BERTSpanQA`.
        max_length: int > 0, the longest answer in tokens. Default 30.
    Returns:
        int32 (B, 2): the first and the last token; (0, 0), no answer.
    Raises:
        ValueError: if `max_length` is not an int > 0.
    Example:
        >>> start, end = np.zeros((2, 1, 5), "float32")
        >>> start[0, 2] = end[0, 3] = 1
        >>> ops.convert_to_numpy(best_span(start, end)).tolist()
        [[2, 3]]
    """
    checks.positive_int(max_length=max_length)
    start, end = map(ops.convert_to_tensor, (start, end))
    total = start[:, :, None] + end[:, None, :]  # (B, T, T)
    i, j = ops.meshgrid(*[ops.arange(ops.shape(start)[1])] * 2, indexing="ij")
    possible = (i <= j) & (j < i + max_length) & ((i > 0) == (j > 0))
    total = ops.where(possible, total, -float("inf"))
    first = ops.argmax(ops.max(total, axis=2), axis=1)[:, None]
    last = ops.take_along_axis(ops.argmax(total, axis=2), first, axis=1)
    return ops.cast(ops.concatenate([first, last], axis=1), "int32")
