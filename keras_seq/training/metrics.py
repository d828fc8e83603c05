"""Metrics of a whole epoch: nats, perplexity, accuracy, by real token.

Keras's `loss` is the mean of the batches' means, so a short last batch
counts as much as a full one. These keep two sums over the epoch and divide
once, so the figure does not depend on how the data was cut into batches:

    nats per token = sum w nats / sum w
    perplexity     = exp(nats per token)
    accuracy       = sum w right / sum w

Use them as `compile(metrics=[...])`, or `weighted_metrics` to pass weights.

Shapes: B batch, T length, V vocabulary.
"""

import keras
from keras import ops

from keras_seq.training.losses import (
    check_pad_id,
    check_shapes,
    real_tokens,
    token_nats,
    token_weights,
)


class TokenMean(keras.metrics.Metric):
    """Keep a weighted sum and the sum of its weights over an epoch.

    A subclass says in `measure` what is averaged, and over what. An epoch
    without a single real token has the mean 0
    (a perplexity of 1).

    Args:
        pad_id: int label that is not counted, default 0; None counts all.
        name: str, the name in the logs.
    Call arguments:
        y_true: int (B, T) or (B,), labels.
        y_pred: float (B, T, V) or (B, V), logits.
        sample_weight: optional float (B,) or (B, T), weight in the mean.
    Raises:
        ValueError: if `pad_id` is neither an int nor None; in a call, if the
            logits are not one row per label.
    """

    def __init__(self, pad_id=0, name=None):
        check_pad_id(pad_id)
        super().__init__(name=name, dtype="float32")
        self.pad_id = pad_id
        self.total = self.add_variable((), "zeros", name="total")
        self.count = self.add_variable((), "zeros", name="count")

    def update_state(self, y_true, y_pred, sample_weight=None):
        y_true, y_pred = map(ops.convert_to_tensor, (y_true, y_pred))
        values, counted = self.measure(y_true, y_pred)
        weights = ops.cast(counted, "float32")
        if sample_weight is not None:
            weights *= token_weights(sample_weight, counted)
        self.total.assign_add(ops.sum(weights * ops.cast(values, "float32")))
        self.count.assign_add(ops.sum(weights))

    def measure(self, y_true, y_pred):
        """Return the values to average and a bool (same shape): counted."""
        raise NotImplementedError

    def result(self):
        return ops.divide_no_nan(self.total, self.count)

    def get_config(self):
        return {"pad_id": self.pad_id, "name": self.name}


@keras.saving.register_keras_serializable("keras_seq")
class NatsPerToken(TokenMean):
    """Average the cross entropy over the epoch's real tokens, in nats.

    Args, call arguments and errors: those of `TokenMean`.
    """

    def __init__(self, pad_id=0, name="nats_per_token"):
        super().__init__(pad_id, name)

    def measure(self, y_true, y_pred):
        return token_nats(y_true, y_pred, self.pad_id)


@keras.saving.register_keras_serializable("keras_seq")
class Perplexity(NatsPerToken):
    """Raise e to the nats per token: among how many ids the model wavers.

    The vocabulary's size for an even guess, 1 for a perfect one.

    Args, call arguments and errors: those of `TokenMean`.
    """

    def __init__(self, pad_id=0, name="perplexity"):
        super().__init__(pad_id, name)

    def result(self):
        return ops.exp(super().result())


@keras.saving.register_keras_serializable("keras_seq")
class TokenAccuracy(TokenMean):
    """Average, over the real tokens, whether the likeliest id is the label.

    Args, call arguments and errors: those of `TokenMean`.
    """

    def __init__(self, pad_id=0, name="token_accuracy"):
        super().__init__(pad_id, name)

    def measure(self, y_true, y_pred):
        labels, real = real_tokens(y_true, self.pad_id)
        check_shapes(labels, y_pred)
        guess = ops.cast(ops.argmax(y_pred, axis=-1), "int32")
        return ops.equal(guess, labels), real


@keras.saving.register_keras_serializable("keras_seq")
class SequenceAccuracy(TokenAccuracy):
    """Average, over the rows, whether every real token is right.

    Under teacher forcing: each token is guessed after the true ones before
    it. A row that is all padding is not counted; weights are (B,).

    Args, call arguments and errors: those of `TokenMean`.
    """

    def __init__(self, pad_id=0, name="sequence_accuracy"):
        super().__init__(pad_id, name)

    def measure(self, y_true, y_pred):
        right, real = super().measure(y_true, y_pred)  # (B, T)
        row = tuple(range(1, len(real.shape)))  # () for labels (B,)
        fine = ops.logical_or(right, ops.logical_not(real))
        return ops.all(fine, axis=row), ops.any(real, axis=row)
