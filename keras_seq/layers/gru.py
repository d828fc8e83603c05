"""GRU: two gates and one state, three quarters of the LSTM's weights.

One update gate takes the place of the LSTM's input and forget gates: what is
kept of the old state and what is written of the candidate add up to one. There
is no separate cell state and no output gate. A reset gate decides how much of
the previous hidden state enters the candidate. Where the update gate is near
one, the state is kept, and its gradient does not vanish: the layer can learn
long-term dependencies.

    z_t = sigmoid(x_t W_z + h_{t-1} U_z + b_z)             # update gate
    r_t = sigmoid(x_t W_r + h_{t-1} U_r + b_r)             # reset gate
    n_t = tanh(x_t W_h + b_h + r_t * (h_{t-1} U_h + b'_h)) # candidate
    n_t = tanh(x_t W_h + b_h + (r_t * h_{t-1}) U_h)        # reset_after=False
    h_t = z_t * h_{t-1} + (1 - z_t) * n_t                  # hidden state

Shapes: B batch, D input width, U units.
Paper: Cho et al. (2014), arXiv:1406.1078, eq. (5)-(8), which applies the reset
    gate before the product; the default applies it after, as cuDNN and
    PyTorch do, so that h_{t-1} is multiplied by one matrix for both gates and
    the candidate.
Differs from the paper: `reset_after` by default, with a separate bias b' for
    the recurrent product (of the gates it is added to b; none if reset_after
    is False); the gates share one matrix, in the order z, r, candidate.
"""

import keras
from keras import ops

from keras_seq import checks
from keras_seq.layers.recurrent import TracedCell, TracedRNN, project
from keras_seq.layers.torch_recurrent import fused_loop


@keras.saving.register_keras_serializable("keras_seq")
class GRUCell(TracedCell, keras.layers.GRUCell):
    """Compute one time step of the gated recurrent unit.

    Args:
        units: int > 0, width U of the hidden state.
        activation: of the candidate. Default "tanh".
        recurrent_activation: of the gates. Default "sigmoid".
        use_bias: bool, add a bias. Default True.
        kernel_initializer: of the W. Default "glorot_uniform".
        recurrent_initializer: of the U. Default "orthogonal".
        bias_initializer: of the bias. Default "zeros".
        kernel_regularizer: optional, of the W. Default None.
        recurrent_regularizer: optional, of the U. Default None.
        bias_regularizer: optional, of the bias. Default None.
        kernel_constraint: optional, of the W. Default None.
        recurrent_constraint: optional, of the U. Default None.
        bias_constraint: optional, of the bias. Default None.
        dropout: float in [0, 1), dropout rate of the input. Default 0.
        recurrent_dropout: float in [0, 1), dropout rate of the hidden state.
            Default 0.
        reset_after: bool, apply the reset gate after the product with the
            recurrent kernel, or before it as in the paper. Default True.
        seed: optional int, the seed of the dropout. Default None.
        implementation: int; 1: each gate has a dropout mask of its own, as
            always with `recurrent_dropout`; 2: all share one. Default 2.
    Call arguments:
        x: float (B, D), the input of this step.
        states: [h], h float (B, U), the hidden state before this step.
        training: bool, apply dropout. Default False.
    Returns:
        float (B, U) and [h], the hidden state after this step.
    Raises:
        ValueError: if an argument is invalid; the message names it.
    Weights: `kernel` holds the three W, `recurrent_kernel` the U side by
        side; with `reset_after`, `bias` has two rows, b and b'.
    Example:
        >>> cell = keras_seq.layers.GRUCell(4)
        >>> h, states = cell(np.ones((2, 3)), [np.zeros((2, 4))])
        >>> tuple(h.shape)
        (2, 4)
    """

    arguments = (
        *TracedCell.arguments,
        "recurrent_activation",
        "reset_after",
        "implementation",
    )

    def __init__(self, units, *args, **kwargs):
        super().__init__(units, *args, **kwargs)
        self.reset_after = checks.boolean(reset_after=self.reset_after)

    def step(self, x, states, x_dropout=None, h_dropout=None):
        (h,) = states
        U, bias, recurrent_bias = self.recurrent_kernel, 0.0, 0.0
        if self.use_bias:
            bias = self.bias
            if self.reset_after:
                bias, recurrent_bias = self.bias[0], self.bias[1]
        a = project(x, self.kernel, x_dropout) + bias
        x_z, x_r, x_n = ops.split(a, 3, axis=-1)
        if self.reset_after:
            a = project(h, U, h_dropout) + recurrent_bias
            h_z, h_r, h_n = ops.split(a, 3, axis=-1)
        else:
            a = project(h, U[:, : 2 * self.units], h_dropout and h_dropout[:2])
            h_z, h_r = ops.split(a, 2, axis=-1)
        z = self.recurrent_activation(x_z + h_z)
        r = self.recurrent_activation(x_r + h_r)
        if self.reset_after:
            n = self.activation(x_n + r * h_n)
        else:
            a = project(
                r * h, U[:, 2 * self.units :], h_dropout and h_dropout[2]
            )
            n = self.activation(x_n + a)
        return {
            "reset_gate": r,
            "update_gate": z,
            "candidate": n,
            "hidden_state": z * h + (1 - z) * n,
        }


@keras.saving.register_keras_serializable("keras_seq")
class GRU(keras.layers.GRU, TracedRNN):
    """Run a `GRUCell` over time: `keras.layers.GRU` with `trace`.

    `trace(x, mask=None, initial_state=None)` returns a dict of "reset_gate",
    "update_gate", "candidate" and "hidden_state", each (B, T, U), at every
    time step.

    Args:
        units: int > 0, width U of the hidden state.
        activation: of the candidate. Default "tanh".
        recurrent_activation: of the gates. Default "sigmoid".
        use_bias: bool, add a bias. Default True.
        kernel_initializer: of the W. Default "glorot_uniform".
        recurrent_initializer: of the U. Default "orthogonal".
        bias_initializer: of the bias. Default "zeros".
        kernel_regularizer: optional, of the W. Default None.
        recurrent_regularizer: optional, of the U. Default None.
        bias_regularizer: optional, of the bias. Default None.
        activity_regularizer: optional, of the output. Default None.
        kernel_constraint: optional, of the W. Default None.
        recurrent_constraint: optional, of the U. Default None.
        bias_constraint: optional, of the bias. Default None.
        dropout: float in [0, 1), dropout rate of the input. Default 0.
        recurrent_dropout: float in [0, 1), dropout rate of the hidden state.
            Default 0.
        seed: optional int, the seed of the dropout. Default None.
        return_sequences: bool, return the output of every time step, not only
            of the last. Default False.
        return_state: bool, return the final state too. Default False.
        go_backwards: bool, process the sequence from its end; the outputs
            come in that order. Default False.
        stateful: bool, start from the final state of the previous batch.
            Default False.
        unroll: bool, unroll the loop (for short sequences of fixed length).
            Default False.
        reset_after: bool, apply the reset gate after the product with the
            recurrent kernel, or before it as in the paper. Default True.
        use_cudnn: "auto", True or False: use the backend's fused function where
            there is one, require it, or always run the cell. On a GPU with
            TensorFlow it needs masks that end in padding. It does not run a
            changed `GRUCell.step`: for that pass False. Default "auto".
        zero_output_for_mask: bool, output zeros at masked steps, not the
            previous output. Default False.
        implementation: int; 1: each gate has a dropout mask of its own, as
            always with `recurrent_dropout`; 2: all share one. Default 2.
    Call arguments:
        sequences: float (B, T, D).
        initial_state: optional [h], h float (B, U). Default None: zeros.
        mask: optional bool (B, T), True where a step is real; a masked step
            leaves the state unchanged. Default None.
        training: bool, apply dropout. Default False.
    Returns:
        float (B, U), or (B, T, U) with `return_sequences`; with
        `return_state` followed by h, float (B, U).
    Raises:
        ValueError: if an argument is invalid; the message names it.
    Example:
        >>> layer = keras_seq.layers.GRU(4, return_sequences=True)
        >>> x = np.ones((2, 3, 5))
        >>> tuple(layer(x).shape)
        (2, 3, 4)
        >>> tuple(layer.trace(x)["update_gate"].shape)
        (2, 3, 4)
    """

    cell_class = GRUCell

    def inner_loop(self, sequences, initial_state, mask, training=False):
        loop = sequences, initial_state, mask, training
        fused = fused_loop(self, *loop, GRUCell)
        return super().inner_loop(*loop) if fused is None else fused
