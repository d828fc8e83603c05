"""Token cross entropy: the mean negative log-likelihood of the real tokens.

The sentences of a batch are padded to one length, and Keras's cross entropy
averages over the padding as well: the same model gets a lower loss if the
padding is longer. Here a position whose label is `pad_id` does not count.

    nats_bt = -log softmax(logits_bt)[y_bt]
    label smoothing e: (1 - e) nats_bt + e mean_v(-log softmax(logits_bt)[v])
    loss = sum_bt w_bt nats_bt / (number of real tokens)

Consistency regularization: two views of the same text (two tokenizations, two
dropout masks) should get the same prediction. With predictions p and q:

    two views: nats_i + a/2 (KL(p_i || q_i) + KL(q_i || p_i)), for each view

The mask is computed from the labels, not from Keras's implicit mask, which
any arithmetic inside a model silently drops.

All losses and metrics here take logits. Keras's
`loss="sparse_categorical_crossentropy"` takes probabilities: given the logits
of a model of this library it computes a wrong loss without an error. Use
`TokenCrossEntropy()`, or `keras.losses.SparseCategoricalCrossentropy(
from_logits=True)` if there is no padding.

Shapes: B batch, T length, V vocabulary.
Papers: label smoothing, Szegedy et al. (2016), arXiv:1512.00567, section 7;
    two views, Wang, Ruder & Neubig (2021), arXiv:2103.08490 (two
    segmentations), and Liang et al. (2021), arXiv:2106.14448 (dropout).
"""

import numbers

import keras
import numpy as np
from keras import ops

from keras_seq import checks


def token_nats(y_true, y_pred, pad_id):
    """Return the cross entropy of each token, and which tokens are real.

    The loss and the metrics share this computation.

    Args:
        y_true: int (B, T) or (B,), labels.
        y_pred: float (B, T, V) or (B, V), finite logits of any float type.
        pad_id: int label that does not count, or None to count all labels.
    Returns:
        `(nats, real)`, float32 and bool in the shape of y_true; nats are 0
        where not real, and NaN where a label is outside the vocabulary.
    Raises:
        ValueError: if there is not one row of logits for each label.
    """
    labels, real = real_tokens(y_true, pad_id)
    check_shapes(labels, y_pred)
    labels = ops.where(real, labels, 0)  # `pad_id` may be no row (-100)
    size = ops.shape(y_pred)[-1]
    # float32: in half precision, a sum of exponentials overflows at e^11. Flat:
    # with more axes TensorFlow adds assertions on the lengths, and then does
    # not merge the computation of the loss with the same one of a metric.
    nats = ops.sparse_categorical_crossentropy(
        ops.reshape(labels, (-1,)),
        ops.reshape(ops.cast(y_pred, "float32"), (-1, size)),
        from_logits=True,
    )
    nats = ops.reshape(nats, ops.shape(labels))
    # JAX returns 0 for a label outside the vocabulary.
    known = ops.logical_and(labels >= 0, labels < size)
    nats = ops.where(known, nats, float("nan"))
    return ops.where(real, nats, 0.0), real


def real_tokens(y_true, pad_id):
    """Return the labels as int32 and a bool of their shape, True if real."""
    labels = ops.cast(y_true, "int32")
    if pad_id is None:
        return labels, ops.ones_like(labels, dtype="bool")
    return labels, ops.not_equal(labels, pad_id)


def check_shapes(labels, logits):
    """Raise a ValueError unless there is a row of logits for each label."""
    *positions, _ = shape = tuple(logits.shape)
    if len(positions) != len(labels.shape) or any(
        a != b for a, b in zip(labels.shape, positions) if None not in (a, b)
    ):
        raise ValueError(
            "`y_pred` must have the shape of `y_true` and one more axis. "
            f"Received y_true.shape={tuple(labels.shape)}, "
            f"y_pred.shape={shape}."
        )


def check_labels(y_true, y_pred, pad_id):
    """Raise a ValueError for a label outside the vocabulary.

    Only NumPy arrays and lists are checked: reading a tensor would wait for
    the device, and a traced one has no values.
    """
    if not isinstance(y_true, (np.ndarray, list, tuple)):
        return
    labels, size = np.asarray(y_true), np.shape(y_pred)[-1]
    labels = labels if pad_id is None else labels[labels != pad_id]
    if labels.size and (labels.min() < 0 or labels.max() >= size):
        raise ValueError(
            f"`y_true` must be in [0, {size}), the vocabulary of `y_pred`, or "
            f"`pad_id`. Received labels from {labels.min()} to {labels.max()}, "
            f"pad_id={pad_id}."
        )


def token_weights(sample_weight, y_true):
    """Broadcast weights (B,) or (B, T) to the labels (B, T), as float32."""
    weights = ops.cast(sample_weight, "float32")
    if len(weights.shape) > len(y_true.shape):
        raise ValueError(
            "`sample_weight` must have a value per row or per label. "
            f"Received sample_weight.shape={tuple(weights.shape)} for "
            f"{tuple(y_true.shape)}."
        )
    if len(weights.shape) < len(y_true.shape):
        weights = ops.expand_dims(weights, -1)
    return ops.broadcast_to(weights, ops.shape(y_true))


def check_pad_id(pad_id):
    """Raise a ValueError unless `pad_id` is an int or None."""
    whole = isinstance(pad_id, numbers.Integral)
    if pad_id is not None and (not whole or isinstance(pad_id, bool)):
        raise ValueError(
            f"`pad_id` must be an int or None. Received pad_id={pad_id!r}."
        )


@keras.saving.register_keras_serializable("keras_seq")
class TokenCrossEntropy(keras.losses.Loss):
    """Compute the mean cross entropy of logits over the real tokens.

    Computed in float32 under any dtype policy. The loss and the gradient of a
    batch that is all padding are 0. A label outside the vocabulary raises a
    ValueError if the labels are a NumPy array; inside a compiled step it raises
    an error of TensorFlow or PyTorch, or the loss is NaN (JAX, XLA).

    Args:
        pad_id: int label that does not count; None counts all. Default 0.
        label_smoothing: float in [0, 1), the share of each label that is
            spread evenly over the vocabulary. Do not use it where logits are
            masked with a large negative number, as in `BERTSpanQA`. Default 0.
        name: str, name of the loss.
    Call arguments:
        y_true: int (B, T) or (B,), labels.
        y_pred: float (B, T, V) or (B, V), logits, not probabilities.
        sample_weight: optional float (B,) or (B, T), multiplies the nats of a
            token. As in Keras, it does not change the number of tokens in the
            mean; to exclude a token, set its label to `pad_id`.
    Returns:
        float32 scalar, nats per real token.
    Raises:
        ValueError: if `pad_id` is neither an int nor None, or
            `label_smoothing` is not in [0, 1); in a call, if there is not one
            row of logits for each label, or a label is out of range.
    Example:
        >>> loss = TokenCrossEntropy(pad_id=0)
        >>> logits = np.zeros((1, 3, 4), "float32")    # uniform: log(4) nats
        >>> round(float(loss(np.array([[1, 2, 0]]), logits)), 3)
        1.386
    """

    def __init__(
        self, pad_id=0, label_smoothing=0.0, name="token_cross_entropy"
    ):
        check_pad_id(pad_id)
        checks.fraction(label_smoothing=label_smoothing)
        super().__init__(name=name, dtype="float32")
        self.pad_id = pad_id
        self.label_smoothing = label_smoothing

    def __call__(self, y_true, y_pred, sample_weight=None):
        # Keras's `__call__` casts labels to float and applies the `_keras_mask`
        # of logits a second time, so it gets the nats only. The loss and a
        # metric of nats are then the same computation, which TensorFlow merges.
        check_labels(y_true, y_pred, self.pad_id)
        y_true, y_pred = map(ops.convert_to_tensor, (y_true, y_pred))
        if sample_weight is not None:
            sample_weight = token_weights(sample_weight, y_true)
        nats = self.call(y_true, y_pred)
        return _Mean(self.name, dtype="float32")(nats, nats, sample_weight)

    def call(self, y_true, y_pred):
        """Return float32 (B, T), whose plain mean is the loss."""
        nats, real = token_nats(y_true, y_pred, self.pad_id)
        if self.label_smoothing:
            log_p = ops.log_softmax(ops.cast(y_pred, "float32"), axis=-1)
            even = ops.where(real, -ops.mean(log_p, axis=-1), 0.0)
            nats = nats + self.label_smoothing * (even - nats)
        share_real = ops.mean(ops.cast(real, "float32"))
        return ops.divide_no_nan(nats, share_real)

    def get_config(self):
        return {
            "pad_id": self.pad_id,
            "label_smoothing": self.label_smoothing,
            "name": self.name,
        }


@keras.saving.register_keras_serializable("keras_seq")
class TwoViewCrossEntropy(TokenCrossEntropy):
    """Compute the cross entropy of two views and their disagreement.

    The batch holds each text twice: rows i and B + i are two views of one
    text, with different subwords, masked tokens or dropout. The symmetric KL
    divergence between the two predictions is added to the cross entropy of
    both (consistency regularization).

    Args:
        consistency_weight: float > 0, weight of the divergence, a in the
            equation. Default 1.
        name: str, name of the loss.
    Call arguments:
        y_true: int (2B,) or (2B, T), labels, all of which count.
        y_pred: float (2B, C) or (2B, T, C), logits.
        sample_weight: optional float (2B,) or (2B, T), as in
            `TokenCrossEntropy`.
    Returns:
        float32 scalar, nats.
    Raises:
        ValueError: if `consistency_weight` is not a number > 0; in a call, if
            the number of rows is odd, or there is not one row of logits for
            each label.
    Example:
        >>> loss = TwoViewCrossEntropy()
        >>> logits = np.zeros((2, 4), "float32")       # two equal predictions
        >>> round(float(loss(np.array([1, 1]), logits)), 3)
        1.386
    """

    def __init__(self, consistency_weight=1.0, name="two_view_cross_entropy"):
        checks.positive(consistency_weight=consistency_weight)
        super().__init__(pad_id=None, name=name)
        self.consistency_weight = consistency_weight

    def call(self, y_true, y_pred):
        nats = super().call(y_true, y_pred)
        if (y_pred.shape[0] or 0) % 2:
            raise ValueError(
                "`y_pred` must have an even number of rows, two views of each "
                f"text. Received y_pred.shape={tuple(y_pred.shape)}."
            )
        log_p = ops.log_softmax(ops.cast(y_pred, "float32"), axis=-1)
        log_p, log_q = ops.split(log_p, 2)
        divergence = (ops.exp(log_p) - ops.exp(log_q)) * (log_p - log_q)
        divergence = ops.sum(divergence, axis=-1) / 2
        both = ops.concatenate([divergence, divergence])
        return nats + self.consistency_weight * both

    def get_config(self):
        return {
            "consistency_weight": self.consistency_weight,
            "name": self.name,
        }


class _Mean(keras.losses.Loss):
    """Average the given values, with weights and over replicas, as in Keras."""

    def call(self, _, values):
        return values
