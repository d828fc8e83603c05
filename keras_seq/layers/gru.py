"""GRU: the LSTM's memory with two gates, one state and a quarter less weight.

One update gate does the work of the input and the forget gate: what is kept
and what is written add up to one. There is no second state and no output
gate; a reset gate decides how much of the past the candidate sees.

    z_t = sigmoid(x_t W_z + h_{t-1} U_z + b_z)             # update gate
    r_t = sigmoid(x_t W_r + h_{t-1} U_r + b_r)             # reset gate
    n_t = tanh(x_t W_h + b_h + r_t * (h_{t-1} U_h + b'_h)) # reset_after
    n_t = tanh(x_t W_h + b_h + (r_t * h_{t-1}) U_h)        # or before
    h_t = z_t * h_{t-1} + (1 - z_t) * n_t                  # hidden state

Shapes: B batch, D input width, U units.
Paper: Cho et al. (2014), arXiv:1406.1078, eq. (5)-(8), which resets before
    the product; the default resets after it, as cuDNN and PyTorch do, which
    lets all three products with h be one.
Differs from the paper: `reset_after` by default, with a bias of its own for
    the recurrent product; gates stand in the order z, r, n.
"""

import keras
from keras import ops

from keras_seq.layers.simple_rnn import Recurrent, RecurrentCell


@keras.saving.register_keras_serializable("keras_seq")
class GRUCell(RecurrentCell):
    """Compute one step of the gated recurrent unit.

    Args: those of `SimpleRNNCell`, and
        recurrent_activation: of the two gates, default "sigmoid".
        reset_after: bool, apply the reset gate after the product with the
            recurrent kernel (default True) or, as in the paper, before.
    Call arguments:
        x: float (B, D), the input of this step.
        states: [h], h float (B, U), the state before it.
    Returns:
        float (B, U) and [h], the state after it.
    Raises:
        ValueError: if `units` is no int > 0, or a dropout not in [0, 1).
    """

    gates = 3

    def __init__(
        self,
        units,
        activation="tanh",
        recurrent_activation="sigmoid",
        use_bias=True,
        *,
        reset_after=True,
        **kwargs,
    ):
        super().__init__(units, activation, use_bias, **kwargs)
        self.recurrent_activation = keras.activations.get(recurrent_activation)
        self.reset_after = reset_after

    @property
    def bias_shape(self):
        width = 3 * self.units
        return (2, width) if self.reset_after else (width,)

    def step(self, x, states):
        (h,) = states
        U, bias, recurrent_bias = self.recurrent_kernel, 0.0, 0.0
        if self.use_bias:
            bias = self.bias
            if self.reset_after:
                bias, recurrent_bias = self.bias[0], self.bias[1]
        x_z, x_r, x_n = ops.split(ops.matmul(x, self.kernel) + bias, 3, axis=-1)
        if self.reset_after:
            a = ops.matmul(h, U) + recurrent_bias
            h_z, h_r, h_n = ops.split(a, 3, axis=-1)
        else:
            a = ops.matmul(h, U[:, : 2 * self.units])
            h_z, h_r = ops.split(a, 2, axis=-1)
        z = self.recurrent_activation(x_z + h_z)
        r = self.recurrent_activation(x_r + h_r)
        if self.reset_after:
            n = self.activation(x_n + r * h_n)
        else:
            n = self.activation(x_n + ops.matmul(r * h, U[:, 2 * self.units :]))
        return {
            "reset_gate": r,
            "update_gate": z,
            "candidate": n,
            "hidden_state": z * h + (1 - z) * n,
        }

    def get_config(self):
        return {
            **super().get_config(),
            "recurrent_activation": keras.activations.serialize(
                self.recurrent_activation
            ),
            "reset_after": self.reset_after,
        }


@keras.saving.register_keras_serializable("keras_seq")
class GRU(Recurrent):
    """Run a `GRUCell` along time; see `Recurrent` and the cell."""

    cell_class = GRUCell
