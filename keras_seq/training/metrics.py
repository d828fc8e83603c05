"""Metrics over a whole epoch: nats, perplexity and accuracy per real token.

Keras's `loss` is the mean of the batch means, so a short last batch counts as
much as a full one. These metrics accumulate two sums over the epoch and divide
once, so the result does not depend on how the data is split into batches:

    nats per token = sum w nats / sum w
    perplexity     = exp(nats per token)
    accuracy       = sum w correct / sum w

Pass them as `compile(metrics=[...])`, or as `weighted_metrics` to apply
`sample_weight`. All take logits. If they improve on the training data but not
on the validation data, the model is overfitting.

Shapes: B batch, T length, V vocabulary.
"""

import keras
from keras import ops

from keras_seq.training.losses import (
    check_labels,
    check_pad_id,
    check_shapes,
    real_tokens,
    token_nats,
    token_weights,
)


class TokenMean(keras.metrics.Metric):
    """Accumulate a weighted mean over the real tokens of an epoch.

    A subclass defines `measure`: which values are averaged, and which of them
    count. The mean of an epoch without a real token is 0 (a perplexity of 1).

    Args:
        pad_id: int label that does not count; None counts all. Default 0.
        name: str, name in the logs.
    Call arguments:
        y_true: int (B, T) or (B,), labels. Labels outside the vocabulary are
            treated as in `TokenCrossEntropy`.
        y_pred: float (B, T, V) or (B, V), logits.
        sample_weight: optional float (B,) or (B, T), weight in the mean.
    Raises:
        ValueError: if `pad_id` is neither an int nor None; in a call, if there
            is not one row of logits for each label, or a label is out of range.
    """

    def __init__(self, pad_id=0, name=None):
        check_pad_id(pad_id)
        super().__init__(name=name, dtype="float32")
        self.pad_id = pad_id
        self.total = self.add_variable((), "zeros", name="total")
        self.count = self.add_variable((), "zeros", name="count")

    def update_state(self, y_true, y_pred, sample_weight=None):
        check_labels(y_true, y_pred, self.pad_id)
        y_true, y_pred = map(ops.convert_to_tensor, (y_true, y_pred))
        values, counted = self.measure(y_true, y_pred)
        weights = ops.cast(counted, "float32")
        if sample_weight is not None:
            weights *= token_weights(sample_weight, counted)
        self.total.assign_add(ops.sum(weights * ops.cast(values, "float32")))
        self.count.assign_add(ops.sum(weights))

    def measure(self, y_true, y_pred):
        """Return the values to average and a bool of their shape: counted."""
        raise NotImplementedError

    def result(self):
        return ops.divide_no_nan(self.total, self.count)

    def get_config(self):
        return {"pad_id": self.pad_id, "name": self.name}


@keras.saving.register_keras_serializable("keras_seq")
class NatsPerToken(TokenMean):
    """Compute the mean cross entropy of the real tokens, in nats.

    Args:
        pad_id: int label that does not count; None counts all. Default 0.
        name: str, name in the logs. Default "nats_per_token".
    Call arguments:
        y_true: int (B, T) or (B,), labels.
        y_pred: float (B, T, V) or (B, V), logits.
        sample_weight: optional float (B,) or (B, T), weight in the mean.
    Raises:
        ValueError: if `pad_id` is neither an int nor None; in a call, if the
            shapes do not match or a label is outside the vocabulary.
    Example:
        >>> metric = NatsPerToken()
        >>> metric.update_state(np.array([[1, 2, 0]]), np.zeros((1, 3, 4)))
        >>> round(float(metric.result()), 3)
        1.386
    """

    def __init__(self, pad_id=0, name="nats_per_token"):
        super().__init__(pad_id, name)

    def measure(self, y_true, y_pred):
        return token_nats(y_true, y_pred, self.pad_id)


@keras.saving.register_keras_serializable("keras_seq")
class Perplexity(NatsPerToken):
    """Compute the perplexity, e to the power of the nats per token.

    It is the size of the vocabulary for a uniform prediction and 1 for a
    perfect one.

    Args:
        pad_id: int label that does not count; None counts all. Default 0.
        name: str, name in the logs. Default "perplexity".
    Call arguments:
        y_true: int (B, T) or (B,), labels.
        y_pred: float (B, T, V) or (B, V), logits.
        sample_weight: optional float (B,) or (B, T), weight in the mean.
    Raises:
        ValueError: if `pad_id` is neither an int nor None; in a call, if the
            shapes do not match or a label is outside the vocabulary.
    Example:
        >>> metric = Perplexity()
        >>> metric.update_state(np.array([[1, 2, 0]]), np.zeros((1, 3, 4)))
        >>> round(float(metric.result()), 3)
        4.0
    """

    def __init__(self, pad_id=0, name="perplexity"):
        super().__init__(pad_id, name)

    def result(self):
        return ops.exp(super().result())


@keras.saving.register_keras_serializable("keras_seq")
class TokenAccuracy(TokenMean):
    """Compute the share of real tokens whose most likely id is the label.

    Args:
        pad_id: int label that does not count; None counts all. Default 0.
        name: str, name in the logs. Default "token_accuracy".
    Call arguments:
        y_true: int (B, T) or (B,), labels.
        y_pred: float (B, T, V) or (B, V), logits.
        sample_weight: optional float (B,) or (B, T), weight in the mean.
    Raises:
        ValueError: if `pad_id` is neither an int nor None; in a call, if the
            shapes do not match or a label is outside the vocabulary.
    Example:
        >>> metric = TokenAccuracy()
        >>> metric.update_state(np.array([[1, 2, 0]]), np.eye(4)[[[1, 3, 3]]])
        >>> float(metric.result())
        0.5
    """

    def __init__(self, pad_id=0, name="token_accuracy"):
        super().__init__(pad_id, name)

    def measure(self, y_true, y_pred):
        labels, real = real_tokens(y_true, self.pad_id)
        check_shapes(labels, y_pred)
        predicted = ops.cast(ops.argmax(y_pred, axis=-1), "int32")
        return ops.equal(predicted, labels), real


@keras.saving.register_keras_serializable("keras_seq")
class SequenceAccuracy(TokenAccuracy):
    """Compute the share of rows in which every real token is correct.

    With teacher forcing, each token is predicted from the true tokens before
    it. Rows that are all padding do not count; weights are (B,).

    Args:
        pad_id: int label that does not count; None counts all. Default 0.
        name: str, name in the logs. Default "sequence_accuracy".
    Call arguments:
        y_true: int (B, T) or (B,), labels.
        y_pred: float (B, T, V) or (B, V), logits.
        sample_weight: optional float (B,), weight in the mean.
    Raises:
        ValueError: if `pad_id` is neither an int nor None; in a call, if the
            shapes do not match or a label is outside the vocabulary.
    Example:
        >>> metric = SequenceAccuracy()
        >>> logits = np.eye(4)[[[1, 2, 3], [1, 3, 3]]]
        >>> metric.update_state(np.array([[1, 2, 0], [1, 2, 0]]), logits)
        >>> float(metric.result())
        0.5
    """

    def __init__(self, pad_id=0, name="sequence_accuracy"):
        super().__init__(pad_id, name)

    def measure(self, y_true, y_pred):
        correct, real = super().measure(y_true, y_pred)  # (B, T)
        row = tuple(range(1, len(real.shape)))  # () for labels (B,)
        fine = ops.logical_or(correct, ops.logical_not(real))
        return ops.all(fine, axis=row), ops.any(real, axis=row)
