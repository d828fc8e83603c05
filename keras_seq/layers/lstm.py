"""LSTM: a cell state that is updated by addition, and three gates.

In a simple recurrent network the gradient passes through the same matrix at
every step back, and vanishes or explodes (vanishing gradient, exploding
gradient). The LSTM keeps a second state, the cell state c. The forget gate f
decides how much of the old cell state is kept, the input gate i how much of the
candidate g, the new content, is added, and the output gate o how much of the
cell state is passed on as the hidden state. Along the cell state the gradient
is multiplied by f alone: with f near 1 it lasts for about 1 / (1 - f) steps,
and long-term dependencies can be learned.

    i_t = sigmoid(x_t W_i + h_{t-1} U_i + b_i)      # input gate
    f_t = sigmoid(x_t W_f + h_{t-1} U_f + b_f)      # forget gate
    g_t =    tanh(x_t W_g + h_{t-1} U_g + b_g)      # candidate
    o_t = sigmoid(x_t W_o + h_{t-1} U_o + b_o)      # output gate
    c_t = f_t * c_{t-1} + i_t * g_t                 # cell state
    h_t = o_t * tanh(c_t)                           # hidden state

Shapes: B batch, D input width, U units.
Paper: Hochreiter & Schmidhuber (1997), Neural Computation 9(8); forget gate:
    Gers, Schmidhuber & Cummins (2000), Neural Computation 12(10); forget
    bias of 1: Jozefowicz, Zaremba & Sutskever (2015), ICML.
Differs from the paper: no peephole connections, as in Keras; the gates share
    one matrix, in the order i, f, g, o.
"""

import keras
from keras import ops

from keras_seq import checks
from keras_seq.layers.recurrent import TracedCell, TracedRNN, project
from keras_seq.layers.torch_recurrent import fused_loop


@keras.saving.register_keras_serializable("keras_seq")
class ChronoInitializer(keras.initializers.Initializer):
    """Initialize an LSTM's bias for long-term dependencies.

    With a forget gate f, the cell state decays within about 1 / (1 - f) steps:
    within 4 at the usual forget bias of 1. Here each unit draws a time span of
    its own, 1 + u, so that the untrained layer already remembers for
    2 ... `max_steps` steps:

        b_f = log u,   u ~ uniform(1, max_steps - 1),   b_i = -b_f
        f = sigmoid(b_f) = u / (1 + u),   so 1 / (1 - f) = 1 + u

    Args:
        max_steps: int > 2, the longest time span, in steps.
        seed: optional int, the seed of the time spans. Default None.
    Raises:
        ValueError: if `max_steps` is not an int > 2.
    Paper: Tallec & Ollivier (2018), arXiv:1804.11188, section 2,
        on gate initialization.
    Example:
        >>> chrono = keras_seq.layers.ChronoInitializer(max_steps=100)
        >>> layer = keras_seq.layers.LSTM(
        ...     4, bias_initializer=chrono, unit_forget_bias=False
        ... )
        >>> tuple(layer(np.ones((2, 3, 5))).shape)
        (2, 4)
    """

    def __init__(self, max_steps, seed=None):
        checks.positive_int(max_steps=max_steps)
        if max_steps < 3:
            raise ValueError(
                f"`max_steps` must be > 2. Received max_steps={max_steps}."
            )
        self.max_steps = max_steps
        self.seed = seed

    def __call__(self, shape, dtype=None):
        if len(shape) != 1 or shape[0] % 4:
            raise ValueError(
                "`shape` must be that of an LSTM's bias, (4 * units,). "
                f"Received shape={tuple(shape)}."
            )
        units = shape[0] // 4
        u = keras.random.uniform(
            (units,), 1, self.max_steps - 1, dtype=dtype, seed=self.seed
        )
        f, zero = ops.log(u), ops.zeros_like(u)
        return ops.concatenate([-f, f, zero, zero])  # i, f, g, o

    def get_config(self):
        return {"max_steps": self.max_steps, "seed": self.seed}


@keras.saving.register_keras_serializable("keras_seq")
class LSTMCell(TracedCell, keras.layers.LSTMCell):
    """Compute one time step of the long short-term memory.

    Args:
        units: int > 0, width U of the hidden state and of the cell state.
        activation: of the candidate and of the cell state. Default "tanh".
        recurrent_activation: of the gates. Default "sigmoid".
        use_bias: bool, add a bias. Default True.
        kernel_initializer: of the W. Default "glorot_uniform".
        recurrent_initializer: of the U. Default "orthogonal".
        bias_initializer: of the bias. Default "zeros".
        unit_forget_bias: bool, initialize the forget gate's bias to 1, whatever
            `bias_initializer` is: the untrained cell remembers. Default True.
        kernel_regularizer: optional, of the W. Default None.
        recurrent_regularizer: optional, of the U. Default None.
        bias_regularizer: optional, of the bias. Default None.
        kernel_constraint: optional, of the W. Default None.
        recurrent_constraint: optional, of the U. Default None.
        bias_constraint: optional, of the bias. Default None.
        dropout: float in [0, 1), dropout rate of the input. Default 0.
        recurrent_dropout: float in [0, 1), dropout rate of the hidden state.
            Default 0.
        seed: optional int, the seed of the dropout. Default None.
        implementation: int; 1: each gate has a dropout mask of its own, as
            always with `recurrent_dropout`; 2: all share one. Default 2.
    Call arguments:
        x: float (B, D), the input of this step.
        states: [h, c], float (B, U) each, the states before this step.
        training: bool, apply dropout. Default False.
    Returns:
        float (B, U) and [h, c], the states after this step.
    Raises:
        ValueError: if an argument is invalid, or a `ChronoInitializer` is
            combined with `unit_forget_bias`; the message names it.
    Weights: `kernel` holds the four W, `recurrent_kernel` the U, `bias` the
        b, side by side.
    Example:
        >>> cell = keras_seq.layers.LSTMCell(4)
        >>> h, states = cell(np.ones((2, 3)), [np.zeros((2, 4))] * 2)
        >>> tuple(h.shape), len(states)
        ((2, 4), 2)
    """

    state_names = ("hidden_state", "cell_state")
    arguments = (
        *TracedCell.arguments,
        "recurrent_activation",
        "unit_forget_bias",
        "implementation",
    )

    def __init__(self, units, *args, **kwargs):
        super().__init__(units, *args, **kwargs)
        self.unit_forget_bias = checks.boolean(
            unit_forget_bias=self.unit_forget_bias
        )
        chrono = isinstance(self.bias_initializer, ChronoInitializer)
        if chrono and self.unit_forget_bias:
            raise ValueError(
                "`unit_forget_bias` must be False with a ChronoInitializer, "
                "which it would overwrite. Received unit_forget_bias=True."
            )

    def step(self, x, states, x_dropout=None, h_dropout=None):
        h, c = states
        a = project(x, self.kernel, x_dropout)
        a = a + project(h, self.recurrent_kernel, h_dropout)
        if self.use_bias:
            a = a + self.bias
        i, f, g, o = ops.split(a, 4, axis=-1)
        i = self.recurrent_activation(i)
        f = self.recurrent_activation(f)
        g = self.activation(g)
        o = self.recurrent_activation(o)
        c = f * c + i * g
        h = o * self.activation(c)
        return {
            "input_gate": i,
            "forget_gate": f,
            "candidate": g,
            "output_gate": o,
            "cell_state": c,
            "hidden_state": h,
        }


@keras.saving.register_keras_serializable("keras_seq")
class LSTM(keras.layers.LSTM, TracedRNN):
    """Run an `LSTMCell` over time: `keras.layers.LSTM` with `trace`.

    `trace(x, mask=None, initial_state=None)` returns a dict of "input_gate",
    "forget_gate", "candidate", "output_gate", "cell_state" and "hidden_state",
    each (B, T, U), at every time step.

    Args:
        units: int > 0, width U of the hidden state and of the cell state.
        activation: of the candidate and of the cell state. Default "tanh".
        recurrent_activation: of the gates. Default "sigmoid".
        use_bias: bool, add a bias. Default True.
        kernel_initializer: of the W. Default "glorot_uniform".
        recurrent_initializer: of the U. Default "orthogonal".
        bias_initializer: of the bias. Default "zeros".
        unit_forget_bias: bool, initialize the forget gate's bias to 1, whatever
            `bias_initializer` is: the untrained cell remembers. Default True.
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
        return_state: bool, return the final states too. Default False.
        go_backwards: bool, process the sequence from its end; the outputs
            come in that order. Default False.
        stateful: bool, start from the final states of the previous batch.
            Default False.
        unroll: bool, unroll the loop (for short sequences of fixed length).
            Default False.
        use_cudnn: "auto", True or False: use the backend's fused function where
            there is one, require it, or always run the cell. On a GPU with
            TensorFlow it needs masks that end in padding. It does not run a
            changed `LSTMCell.step`: for that pass False. Default "auto".
        zero_output_for_mask: bool, output zeros at masked steps, not the
            previous output. Default False.
        implementation: int; 1: each gate has a dropout mask of its own, as
            always with `recurrent_dropout`; 2: all share one. Default 2.
    Call arguments:
        sequences: float (B, T, D).
        initial_state: optional [h, c], float (B, U) each. Default None: zeros.
        mask: optional bool (B, T), True where a step is real; a masked step
            leaves the states unchanged. Default None.
        training: bool, apply dropout. Default False.
    Returns:
        float (B, U), or (B, T, U) with `return_sequences`; with
        `return_state` followed by h and c, float (B, U) each.
    Raises:
        ValueError: if an argument is invalid; the message names it.
    Example:
        >>> layer = keras_seq.layers.LSTM(4, return_sequences=True)
        >>> x = np.ones((2, 3, 5))
        >>> tuple(layer(x).shape)
        (2, 3, 4)
        >>> tuple(layer.trace(x)["forget_gate"].shape)
        (2, 3, 4)
    """

    cell_class = LSTMCell

    def inner_loop(self, sequences, initial_state, mask, training=False):
        loop = sequences, initial_state, mask, training
        fused = fused_loop(self, *loop, LSTMCell)
        return super().inner_loop(*loop) if fused is None else fused
