"""ScheduledSampling: train the decoder partly on its own predictions.

With teacher forcing a decoder reads the true token before each one that it
predicts. In generation it reads its own predictions with their errors, which do
not occur in training (exposure bias). Scheduled sampling reads each true token
with probability epsilon, and the decoder's own last prediction otherwise;
epsilon decreases with the training step i.

    constant:         epsilon = k
    linear:           epsilon = max(floor, k - slope i)
    exponential:      epsilon = k^i
    inverse sigmoid:  epsilon = k / (k + exp(i / k))

Shapes: B batch, T target length, U units.
Paper: Bengio, Vinyals, Jaitly & Shazeer (2015), arXiv:1506.03099, section 2.4.
Differs from the paper: the decoder reads its most likely prediction, not a
    sample of it.
"""

import dataclasses

import keras
from keras import ops

from keras_seq import checks

DECAYS = ("constant", "linear", "exponential", "inverse_sigmoid")


@keras.saving.register_keras_serializable("keras_seq")
@dataclasses.dataclass(frozen=True)
class ScheduledSampling:
    """Compute the share of true tokens at each training step.

    Args:
        decay: "constant": k; "linear": max(floor, k - slope * step);
            "exponential": k ** step; "inverse_sigmoid": k / (k + exp(step /
            k)), which is about 1 at first and 1/2 after k log k steps.
        k: float > 0; at most 1, except for the inverse sigmoid, which needs
            more than 1.
        slope: float >= 0, of the linear decay, per step. Default 0.
        floor: float in [0, 1), the minimum of the linear decay. Default 0.
    Raises:
        ValueError: if an argument is outside its range.

    Example:
        >>> schedule = ScheduledSampling("linear", k=1.0, slope=0.25)
        >>> float(schedule.epsilon(2))
        0.5
        >>> model = Seq2Seq(13, 13, 8, scheduled_sampling=schedule)
    """

    decay: str
    k: float
    slope: float = 0.0
    floor: float = 0.0

    def __post_init__(self):
        checks.one_of(DECAYS, decay=self.decay)
        checks.fraction(floor=self.floor)
        checks.positive(k=self.k)
        sigmoid = self.decay == "inverse_sigmoid"
        if not (self.k > 1 if sigmoid else 0 < self.k <= 1):
            rule = "> 1" if sigmoid else "in (0, 1]"
            raise ValueError(
                f"`k` must be {rule} for {self.decay!r}. Received k={self.k}."
            )
        if not self.slope >= 0:
            raise ValueError(
                f"`slope` must be >= 0. Received slope={self.slope}."
            )

    def epsilon(self, step):
        """Compute the share of true tokens at a training step.

        Args:
            step: int or scalar tensor.
        Returns:
            float scalar tensor in [0, 1].
        """
        step = ops.cast(step, "float32")
        if self.decay == "linear":
            return ops.maximum(self.floor, self.k - self.slope * step)
        if self.decay == "exponential":
            return ops.power(self.k, step)
        if self.decay == "inverse_sigmoid":  # written without exp(step)
            return ops.sigmoid(ops.log(self.k) - step / self.k)
        return self.k + 0.0 * step  # a tensor, as the others

    def get_config(self):
        return dataclasses.asdict(self)

    @classmethod
    def from_config(cls, config):
        return cls(**config)


class ScheduledSamplingCell(keras.layers.Layer):
    """Step a decoder on the true token, or on its own last prediction.

    The state is a dict: "cells", a list for each layer of its states, float
    (B, U); "prediction", float (B, 1), the last predicted id; and two entries
    that no step changes, "context", float (B, U), and "dropout", a list of
    one dropout mask for the input of each layer.

    Args:
        decoder: a built `Seq2SeqDecoder`.
    Call arguments:
        x: int (B, 2), the true token, and 1 where it is replaced.
        states: a list of the state.
    Returns:
        float (B, U), the decoder's output before its logits, and the state.
    """

    def __init__(self, decoder):
        # `keras.layers.RNN` casts the state to the cell's precision: float32
        # holds ids exactly up to 2^24. The cells inside compute in their own.
        super().__init__(dtype="float32")
        self.decoder = decoder
        self.state_size = [decoder.units]  # required by Keras, never read
        self.built = True

    def call(self, x, states):
        (state,) = states
        decoder = self.decoder
        true_ids, replaced = x[:, 0], x[:, 1] == 1
        predicted_ids = ops.cast(state["prediction"][:, 0], x.dtype)
        ids = ops.where(replaced, predicted_ids, true_ids)
        h = inputs = decoder.embed(ids, state["context"])
        after = []
        for cell, before, keep in zip(
            decoder.cells, state["cells"], state["dropout"]
        ):
            h, new = cell(h * ops.cast(keep, h.dtype), before)
            after.append(new)
        y = decoder.readout(h, inputs)
        prediction = ops.argmax(decoder.head(y), axis=-1)[:, None]
        changed = {"cells": after, "prediction": prediction}
        changed = keras.tree.map_structure(
            lambda tensor: ops.cast(tensor, "float32"), changed
        )
        return ops.cast(y, "float32"), [{**state, **changed}]


def decode_with_own_predictions(decoder, ids, initial_state, replaced):
    """Run a decoder that reads its own prediction in place of some tokens.

    Args:
        decoder: a built `Seq2SeqDecoder`.
        ids: int (B, T), the target from its start token on.
        initial_state: list for each layer of its states, float (B, U) each.
        replaced: bool (B, T), True where the decoder reads its own last
            prediction in place of the true token.
    Returns:
        float (B, T, U), the decoder's output before its logits.
    """
    rows = ops.shape(ids)[0]
    widths = [decoder.input_dim] + [decoder.units] * (len(decoder.cells) - 1)
    state = {
        "cells": initial_state,
        "prediction": ops.cast(ids[:, :1], "float32"),
        "context": initial_state[-1][0],
        "dropout": [  # one mask for all time steps
            decoder.dropout(ops.ones((rows, width)), training=True)
            for width in widths
        ],
    }
    loop = keras.layers.RNN(
        ScheduledSamplingCell(decoder), return_sequences=True, dtype="float32"
    )
    x = ops.stack([ids, ops.cast(replaced, ids.dtype)], axis=-1)
    return loop(x, initial_state=[state])
