"""LSTM: a memory cell that is added to, with gates that decide what enters.

The simple network's state is rewritten at every step, so its gradient is
multiplied by the same matrix again and again. The LSTM keeps a second state
c that is only scaled by a forget gate and added to: where f stays near 1 the
gradient passes back through hundreds of steps undiminished.

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
Differs from the paper: no peephole connections, as in Keras; gates stand in
    one matrix, in the order i, f, g, o.
"""

import keras
from keras import ops

from keras_seq import checks
from keras_seq.layers.simple_rnn import Recurrent, RecurrentCell


@keras.saving.register_keras_serializable("keras_seq")
class ChronoInitializer(keras.initializers.Initializer):
    """Start the gates open for as long as the memory has to last.

    A forget gate f lets a memory fade within about 1 / (1 - f) steps: within
    4 at the usual bias of 1. Here every unit draws its own span, so that the
    untrained layer already remembers for 1 ... `max_steps` steps:

        b_f = log u,   u ~ uniform(1, max_steps - 1),   b_i = -b_f

    It goes with `LSTM(..., bias_initializer=ChronoInitializer(max_steps=100),
    unit_forget_bias=False)`.

    Args:
        max_steps: int > 2, the longest span, in steps.
        seed: optional int, of the spans.
    Raises:
        ValueError: if `max_steps` is no int > 2.
    Paper: Tallec & Ollivier (2018), arXiv:1804.11188, section 2,
        on gate initialization.
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
class LSTMCell(RecurrentCell):
    """Compute one step of the long short-term memory.

    Args: those of `SimpleRNNCell`, and
        recurrent_activation: of the three gates, default "sigmoid".
        unit_forget_bias: bool, start the forget gate's bias at 1 so that the
            cell remembers before it has learned to. Default True.
    Call arguments:
        x: float (B, D), the input of this step.
        states: [h, c], float (B, U) each, the states before it.
    Returns:
        float (B, U) and [h, c], the states after it.
    Raises:
        ValueError: if `units` is no int > 0, a dropout not in [0, 1), or a
            `ChronoInitializer` meets `unit_forget_bias`.
    """

    gates = 4
    state_names = ("hidden_state", "cell_state")

    def __init__(
        self,
        units,
        activation="tanh",
        recurrent_activation="sigmoid",
        use_bias=True,
        *,
        unit_forget_bias=True,
        **kwargs,
    ):
        super().__init__(units, activation, use_bias, **kwargs)
        chrono = isinstance(self.bias_initializer, ChronoInitializer)
        if chrono and unit_forget_bias:
            raise ValueError(
                "`unit_forget_bias` must be False with a ChronoInitializer, "
                "which it would overwrite. Received unit_forget_bias=True."
            )
        self.recurrent_activation = keras.activations.get(recurrent_activation)
        self.unit_forget_bias = unit_forget_bias
        self.state_size = [units, units]

    def first_bias(self, shape, dtype=None):
        bias = super().first_bias(shape, dtype)
        if not self.unit_forget_bias:
            return bias
        i, f, g, o = ops.split(bias, 4)
        return ops.concatenate([i, ops.ones_like(f), g, o])

    def step(self, x, states):
        h, c = states
        a = ops.matmul(x, self.kernel) + ops.matmul(h, self.recurrent_kernel)
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

    def get_config(self):
        return {
            **super().get_config(),
            "recurrent_activation": keras.activations.serialize(
                self.recurrent_activation
            ),
            "unit_forget_bias": self.unit_forget_bias,
        }


@keras.saving.register_keras_serializable("keras_seq")
class LSTM(Recurrent):
    """Run an `LSTMCell` along time; see `Recurrent` and the cell."""

    cell_class = LSTMCell
