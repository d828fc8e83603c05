"""Recurrent layers: a cell computes one time step, a layer runs it over time.

Each recurrent layer (`SimpleRNN`, `LSTM`, `GRU`) is the Keras layer with its
cell replaced by one of this library. `TracedCell` is the base class of the
cells, `TracedRNN` of the layers. The method `step` of a cell holds the
equations of one time step; Keras's cell creates the weights. `TracedRNN` puts
the cell into Keras's layer and adds `trace`, which returns every gate and state
at every time step. A layer returns the output of the last time step (many to
one) or, with `return_sequences=True`, that of each (many to many).

    states_t = step(x_t, states_{t-1})          # t = 1 ... T

Where Keras has a fused function, one fast operation for all time steps (cuDNN
on a GPU; for LSTM and GRU on a CPU with PyTorch, for GRU on a CPU with JAX),
the layer uses it instead of the loop over `step`. To run a `step` that you have
changed, pass `use_cudnn=False`.

Shapes: B batch, T length, D input width, U units, G gates.
Paper: dropout with the same masks at every time step: Gal & Ghahramani (2016),
    arXiv:1512.05287.
Differs from the paper: the rates of the input and of the hidden state are two
    arguments; a mask for each gate only with `implementation=1`, as in Keras.
"""

import keras
from keras import ops

from keras_seq import checks

LOOP_FLAGS = (
    "return_sequences",
    "return_state",
    "go_backwards",
    "stateful",
    "unroll",
    "zero_output_for_mask",
)


class TracedCell:
    """Run the equations of `step` in a Keras cell, with Keras's dropout.

    A subclass derives from this class and from a Keras cell, which creates the
    weights, and writes its equations in `step`.
    """

    state_names = ("hidden_state",)  # the values of `step` that are carried on
    # The arguments of Keras's cell; each is an attribute of the same name.
    arguments = (
        "units",
        "activation",
        "use_bias",
        "kernel_initializer",
        "recurrent_initializer",
        "bias_initializer",
        "kernel_regularizer",
        "recurrent_regularizer",
        "bias_regularizer",
        "kernel_constraint",
        "recurrent_constraint",
        "bias_constraint",
        "dropout",
        "recurrent_dropout",
        "seed",
        "name",
        "trainable",
    )

    def __init__(
        self, units, *args, dropout=0.0, recurrent_dropout=0.0, **kwargs
    ):
        units = checks.positive_int(units=units)
        checks.fraction(dropout=dropout, recurrent_dropout=recurrent_dropout)
        super().__init__(
            units,
            *args,
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            **kwargs,
        )
        self.use_bias = checks.boolean(use_bias=self.use_bias)
        checks.given(
            kernel_initializer=self.kernel_initializer,
            recurrent_initializer=self.recurrent_initializer,
            bias_initializer=self.bias_initializer,
        )
        self.supports_masking = True  # the layer applies the mask

    def call(self, x, states, training=False):
        x_dropout, h_dropout = None, None
        if training:  # the same masks at every step, Gal & Ghahramani (2016)
            x_dropout = self.get_dropout_mask(x)
            h_dropout = self.get_recurrent_dropout_mask(states[0])
        values = self.step(x, states, x_dropout, h_dropout)
        return values["hidden_state"], [values[k] for k in self.state_names]

    def step(self, x, states, x_dropout=None, h_dropout=None):
        """Compute one time step.

        Args:
            x: float (B, D), the input of this step.
            states: list of float (B, U), the states after the previous step.
            x_dropout: optional dropout mask of x; a list of one for each gate.
            h_dropout: optional dropout mask of the hidden state, likewise.
        Returns:
            dict of float (B, U): gates and states by their textbook names.
        """
        raise NotImplementedError

    def get_initial_state(self, batch_size=None):
        shape = (batch_size, self.units)  # each state its own: PyTorch shares
        return [ops.zeros(shape, self.compute_dtype) for _ in self.state_names]


def project(x, kernel, mask=None):
    """Compute dropout(x) @ kernel: float (B, D) -> (B, G * U), for G gates.

    Args:
        x: float (B, D).
        kernel: float (D, G * U), the matrices of the gates side by side.
        mask: optional dropout mask (B, D), or a list of one for each gate.
    Returns:
        float (B, G * U).
    """
    if mask is None:
        return ops.matmul(x, kernel)
    if not isinstance(mask, list):
        return ops.matmul(x * mask, kernel)
    parts = ops.split(kernel, len(mask), axis=-1)
    return ops.concatenate(
        [ops.matmul(x * m, part) for m, part in zip(mask, parts)], axis=-1
    )


class TracedRNN(keras.layers.RNN):
    """Put one of our cells into the Keras layer of the same name; `trace` it.

    A subclass derives from a Keras layer and then from this class, in this
    order, and names its `cell_class`. The `__init__` of Keras's layer, with
    its arguments, creates Keras's cell and passes it to the next `__init__`,
    the one below, which replaces it.
    """

    cell_class = None

    def __new__(cls, units=1, *args, **kwargs):
        # Before Keras's `__init__`, which would clip the rates to [0, 1].
        checks.positive_int(units=units)
        rates = {k: kwargs.get(k, 0) for k in ("dropout", "recurrent_dropout")}
        checks.fraction(**rates)
        cudnn = kwargs.get("use_cudnn", "auto")
        checks.one_of(("auto", True, False), use_cudnn=cudnn)
        per_gate = kwargs.get("implementation") == 1 and rates["dropout"]
        if per_gate and not rates["recurrent_dropout"] and cudnn is not False:
            raise ValueError(
                "`use_cudnn` must be False with `implementation=1` and "
                "`dropout`: the fused function has no dropout mask for each "
                f"gate. Received use_cudnn={cudnn!r}."
            )
        return super().__new__(cls, units, *args, **kwargs)

    def __init__(self, cell, **kwargs):
        for name in set(LOOP_FLAGS) & set(kwargs):
            kwargs[name] = checks.boolean(**{name: kwargs[name]})
        arguments = {k: getattr(cell, k) for k in self.cell_class.arguments}
        own = self.cell_class(**arguments, dtype=cell.dtype_policy)
        super().__init__(own, **kwargs)

    def call(self, sequences, initial_state=None, mask=None, training=False):
        if initial_state is not None:
            self.check_states(initial_state)
        return super().call(sequences, initial_state, mask, training)

    def check_states(self, states):
        """Raise a ValueError for states of a wrong number or width."""
        shapes = [tuple(state.shape) for state in keras.tree.flatten(states)]
        names, units = self.cell.state_names, self.cell.units
        widths = [shape[-1] for shape in shapes if shape]
        if widths != [units] * len(names):
            raise ValueError(
                f"`initial_state` must be a list of {len(names)}: "
                f"{', '.join(names)}, each of shape (B, {units}). "
                f"Received shapes {shapes}."
            )

    def trace(self, x, mask=None, initial_state=None):
        """Return every gate and state at every time step, by textbook name.

        Args:
            x: float (B, T, D).
            mask: optional bool (B, T), True where a step is real. Default
                None.
            initial_state: optional list of float (B, U). Default None: zeros,
                or the stored states of a stateful layer.
        Returns:
            dict of float (B, T, U), in the order in which the steps are
            processed. The last hidden state is the layer's output, up to
            rounding where the layer runs a fused function, and on JAX.
        """
        x = ops.convert_to_tensor(x, dtype=self.compute_dtype)
        if not self.built:
            self.build(x.shape)
        if initial_state is None:
            zeros = self.get_initial_state(ops.shape(x)[0])
            initial_state = self.states if self.stateful else zeros
        states = [
            ops.convert_to_tensor(state, self.compute_dtype)
            for state in keras.tree.flatten(initial_state)
        ]
        self.check_states(states)
        cell = _TracingCell(self.cell)
        run = keras.layers.RNN(
            cell,
            return_sequences=True,
            go_backwards=self.go_backwards,
            zero_output_for_mask=self.zero_output_for_mask,
            unroll=self.unroll,
            dtype=self.dtype_policy,
        )
        values = run(x, initial_state=cell.first(states), mask=mask)
        parts = ops.split(values, len(cell.names), axis=-1)
        return dict(zip(cell.names, parts))


class _TracingCell(keras.layers.Layer):
    """Run a cell's `step` and output all its values side by side."""

    def __init__(self, cell):
        super().__init__(dtype=cell.dtype_policy)
        dtype = cell.kernel.dtype  # outside of a call nothing is cast
        x = ops.zeros((1, cell.kernel.shape[0]), dtype)
        states = [ops.zeros((1, cell.units), dtype) for _ in cell.state_names]
        self.names = list(cell.step(x, states))
        self.cell = cell
        self.output_size = len(self.names) * cell.units
        self.state_size = [
            self.output_size,
            *[cell.units] * len(cell.state_names),
        ]
        self.built = True

    def first(self, states):
        # JAX repeats states[0] at a masked step where TensorFlow repeats the
        # output: with the output as first state, both do the same. (But for
        # masked steps in front: there the output is still 0 on TensorFlow
        # and PyTorch, as in Keras, and on JAX it is the initial state.)
        known = dict(zip(self.cell.state_names, states))
        zeros = ops.zeros_like(states[0])
        values = [known.get(name, zeros) for name in self.names]
        return [ops.concatenate(values, axis=-1), *states]

    def call(self, x, states):
        values = self.cell.step(x, states[1:])
        output = ops.concatenate([values[k] for k in self.names], axis=-1)
        return output, [output, *[values[k] for k in self.cell.state_names]]


def step_cells(cells, x, states):
    """Run one time step through a stack of cells.

    Args:
        cells: list of cells, the lowest first.
        x: float (B, D), the input of the lowest cell.
        states: list of each cell's list of states, float (B, U) each.
    Returns:
        float (B, U), the output of the highest cell, and the new `states`.
    """
    after = []
    for cell, before in zip(cells, states):
        x, new = cell(x, before)
        after.append(new)
    return x, after
