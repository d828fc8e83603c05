"""Token cross entropy: nats per real token, whatever the padding.

A batch of sentences is padded to one length, and Keras's cross entropy
averages over the padding too: the same model gets a better loss for longer
padding. Here a position whose label is `pad_id` is not counted.

    nats_bt = -log softmax(logits_bt)[y_bt]
    smoothed: (1 - e) nats_bt + e mean_v(-log softmax(logits_bt)[v])
    loss = sum_bt w_bt nats_bt / (number of real tokens)

A text that is read in two ways can be asked to mean one thing in both:

    two views: nats_i + a/2 (KL(p_i || q_i) + KL(q_i || p_i)), of each view

Whether a token is real is read off the labels, not off Keras's implicit
mask, which any raw arithmetic inside a model silently drops.

Shapes: B batch, T length, V vocabulary.
Papers: label smoothing, Szegedy et al. (2016), arXiv:1512.00567, section 7;
    two views, Wang, Ruder & Neubig (2021), arXiv:2103.08490, of texts cut in
    two ways, and Liang et al. (2021), arXiv:2106.14448, of dropout.
"""

import numbers

import keras
from keras import ops

from keras_seq import checks


def token_nats(y_true, y_pred, pad_id):
    """Return the cross entropy of each token, and which tokens are real.

    The one place where labels meet logits: the loss and every metric of
    nats stand on it.

    Args:
        y_true: int (B, T) or (B,), labels.
        y_pred: float (B, T, V) or (B, V), finite logits of any float type.
        pad_id: int label that is not counted, or None to count them all.
    Returns:
        float32 nats, 0 where not real, and bool real, in the shape of y_true.
    Raises:
        ValueError: if the logits are not one row per label.
    """
    labels, real = real_tokens(y_true, pad_id)
    check_shapes(labels, y_pred)
    # A half-precision sum of exponentials overflows at e^11. The pad id may
    # be no row of the vocabulary (-100), so padding looks up row 0. In one row:
    # of more TensorFlow checks the lengths, and then could not see that what
    # the loss asks for is what a metric asks for.
    nats = ops.sparse_categorical_crossentropy(
        ops.reshape(ops.where(real, labels, 0), (-1,)),
        ops.reshape(ops.cast(y_pred, "float32"), (-1, ops.shape(y_pred)[-1])),
        from_logits=True,
    )
    nats = ops.reshape(nats, ops.shape(labels))
    return ops.where(real, nats, 0.0), real


def real_tokens(y_true, pad_id):
    """Return the labels as int32 and a bool of their shape, True if real."""
    labels = ops.cast(y_true, "int32")
    if pad_id is None:
        return labels, ops.ones_like(labels, dtype="bool")
    return labels, ops.not_equal(labels, pad_id)


def check_shapes(labels, logits):
    """Raise a ValueError unless there is a row of logits for each label."""
    *places, _ = shape = tuple(logits.shape)
    if len(places) != len(labels.shape) or any(
        a != b for a, b in zip(labels.shape, places) if None not in (a, b)
    ):
        raise ValueError(
            "`y_pred` must have the shape of `y_true`, and an axis more. "
            f"Received y_true.shape={tuple(labels.shape)}, "
            f"y_pred.shape={shape}."
        )


def token_weights(sample_weight, y_true):
    """Spread weights (B,) or (B, T) over labels (B, T), as float32."""
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
    """Average the cross entropy of logits over the real tokens of a batch.

    Computed in float32 under any precision policy. A batch that is all
    padding has loss 0 and gradient 0.

    Args:
        pad_id: int label that is not counted, default 0; None counts all.
        label_smoothing: float in [0, 1), e: the share of each label that is
            spread evenly over the vocabulary; not where logits rule a place
            out, as `BERTSpanQA`'s do. Default 0.
        name: str.
    Call arguments:
        y_true: int (B, T) or (B,), labels.
        y_pred: float (B, T, V) or (B, V), logits.
        sample_weight: optional float (B,) or (B, T). It multiplies a token's
            nats and leaves the number of tokens as it is, Keras's custom: to
            leave a token out of the mean, give it the label `pad_id`.
    Returns:
        float32 scalar, nats per real token.
    Raises:
        ValueError: if `pad_id` is neither an int nor None, or
            `label_smoothing` is not in [0, 1); in a call, if the logits are
            not one row per label.
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
        # Keras makes floats of labels, and counts a `_keras_mask` of logits a
        # second time: it is given nats alone. So the loss and a metric of nats
        # are one computation, and TensorFlow does it once.
        y_true, y_pred = map(ops.convert_to_tensor, (y_true, y_pred))
        if sample_weight is not None:
            sample_weight = token_weights(sample_weight, y_true)
        nats = self.call(y_true, y_pred)
        return _Mean(self.name, dtype="float32")(nats, nats, sample_weight)

    def call(self, y_true, y_pred):
        """Return float32 (B, T) whose plain mean is the loss."""
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
    """The same for texts that are read in two ways, and should mean one thing.

    The batch holds every text twice: row i and row B + i are the same one, in
    other pieces, with other words hidden or other units dropped. To the cross
    entropy of both is added how far apart they are.

    Args:
        agreement: float > 0, a, the weight of what is added. Default 1.
        name: str.
    Call arguments:
        y_true: int (2B,) or (2B, T), labels, all of which count.
        y_pred: float (2B, C) or (2B, T, C), logits.
        sample_weight: as of `TokenCrossEntropy`.
    Returns:
        float32 scalar, nats.
    Raises:
        ValueError: if `agreement` is no number > 0; in a call, if the
            rows are odd in number, or the logits are not one row per label.
    """

    def __init__(self, agreement=1.0, name="two_view_cross_entropy"):
        checks.positive(agreement=agreement)
        super().__init__(pad_id=None, name=name)
        self.agreement = agreement

    def call(self, y_true, y_pred):
        nats = super().call(y_true, y_pred)
        if (y_pred.shape[0] or 0) % 2:
            raise ValueError(
                "`y_pred` must have an even number of rows, two views of each "
                f"text. Received y_pred.shape={tuple(y_pred.shape)}."
            )
        log_p = ops.log_softmax(ops.cast(y_pred, "float32"), axis=-1)
        log_p, log_q = ops.split(log_p, 2)
        apart = (ops.exp(log_p) - ops.exp(log_q)) * (log_p - log_q)
        apart = ops.sum(apart, axis=-1) / 2
        return nats + self.agreement * ops.concatenate([apart, apart])

    def get_config(self):
        return {"agreement": self.agreement, "name": self.name}


class _Mean(keras.losses.Loss):
    """Average what it is given, by weight, and over replicas, as Keras does."""

    def call(self, _, values):
        return values
