"""SimpleRNN: a network that feeds its own last answer back to itself.

A feed-forward network sees one input and forgets it. Here the state h
carries what was seen so far, and the same two matrices serve every step, so
a sequence of any length is read with a fixed number of weights. What it
cannot do is remember for long: the gradient is multiplied by U^T at every
step back in time and vanishes or explodes. The next chapter's gates cure it.

    h_t = tanh(x_t W + h_{t-1} U + b)

Every recurrent layer of this library is a cell (one step: the equations)
run along time by one template, `Recurrent`.

Shapes: B batch, T length, D input width, U units.
Paper: Elman (1990), "Finding structure in time", Cognitive Science 14(2).
Differs from the paper: tanh where Elman has the logistic function, as in
    Keras; gradients go through all steps, not one.
"""

import inspect
import operator

import keras
from keras import ops

from keras_seq import checks


class RecurrentCell(keras.layers.SimpleRNNCell):
    """Hold what all cells share: arguments, weights, dropout, the call.

    The arguments, their serialisation and the dropout masks that stay the
    same along time come from Keras's own cell; the weights are sized by the
    number of `gates`, and a subclass writes its equations into `step`.

    Args: those of `keras.layers.SimpleRNNCell`.
    Raises:
        ValueError: if `units` is no int > 0, or a dropout not in [0, 1).
    """

    gates = 1  # blocks of `units` columns in each weight
    state_names = ("hidden_state",)  # the values of `step` that are carried

    def __init__(self, units, activation="tanh", use_bias=True, **kwargs):
        units = checks.positive_int(units=units)
        for name in ("dropout", "recurrent_dropout"):
            checks.fraction(**{name: kwargs.get(name, 0.0)})
        super().__init__(units, activation, use_bias, **kwargs)
        self.supports_masking = True  # the loop has dealt with the mask

    def build(self, input_shape):
        width = self.gates * self.units
        self.kernel = self._weight("kernel", (input_shape[-1], width))
        self.recurrent_kernel = self._weight(
            "recurrent_kernel", (self.units, width)
        )
        self.bias = None
        if self.use_bias:
            self.bias = self._weight("bias", self.bias_shape, self.first_bias)

    @property
    def bias_shape(self):
        return (self.gates * self.units,)

    def first_bias(self, shape, dtype=None):
        return self.bias_initializer(shape, dtype)

    def _weight(self, name, shape, initializer=None):
        role = name.removesuffix("_kernel") if name != "kernel" else name
        return self.add_weight(
            name=name,
            shape=shape,
            initializer=initializer or getattr(self, f"{role}_initializer"),
            regularizer=getattr(self, f"{role}_regularizer"),
            constraint=getattr(self, f"{role}_constraint"),
        )

    def call(self, x, states, training=False):
        if training:  # one mask for the whole sequence, Gal & Ghahramani 2016
            x = self._drop(x, self.get_dropout_mask(x))
            mask = self.get_recurrent_dropout_mask(states[0])
            states = [self._drop(states[0], mask), *states[1:]]
        values = self.step(x, states)
        return values["hidden_state"], [values[k] for k in self.state_names]

    def _drop(self, x, mask):
        return x if mask is None else x * mask

    def step(self, x, states):
        """Give every named value of one step; float (B, D) -> (B, U) each."""
        raise NotImplementedError

    def get_initial_state(self, batch_size=None):
        shape = (batch_size, self.units)  # each state its own: PyTorch shares
        return [ops.zeros(shape, self.compute_dtype) for _ in self.state_names]


@keras.saving.register_keras_serializable("keras_seq")
class SimpleRNNCell(RecurrentCell):
    """Compute one step of the simple recurrent network.

    Args: those of `keras.layers.SimpleRNNCell`, with its defaults:
        units: int > 0, width U of the hidden state.
        activation: default "tanh".
        use_bias: bool, default True.
        kernel_, recurrent_, bias_ + initializer, regularizer, constraint.
        dropout: float in [0, 1), share of the input zeroed in training.
        recurrent_dropout: float in [0, 1), likewise of the state.
        seed: optional int, of the dropout.
    Call arguments:
        x: float (B, D), the input of this step.
        states: [h], h float (B, U), the state before it.
    Returns:
        float (B, U) and [h], the state after it.
    Raises:
        ValueError: if `units` is no int > 0, or a dropout not in [0, 1).
    Our names: `kernel` is W, `recurrent_kernel` is U, `bias` is b.
    """

    def step(self, x, states):
        (h,) = states
        a = ops.matmul(x, self.kernel) + ops.matmul(h, self.recurrent_kernel)
        if self.use_bias:
            a = a + self.bias
        return {"hidden_state": self.activation(a)}


class _TracedCell(keras.layers.Layer):
    """Run a cell and output all its named values side by side."""

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
    """Take one step of cells on top of each other.

    Args:
        cells: list of cells.
        x: float (B, D).
        states: list for each cell of its states, float (B, U) each.
    Returns:
        float (B, U), what the top one gives, and the new `states`.
    """
    after = []
    for cell, before in zip(cells, states):
        x, new = cell(x, before)
        after.append(new)
    return x, after


class Recurrent(keras.layers.RNN):
    """Run one kind of cell along time: the template of SimpleRNN, LSTM, GRU.

    A subclass names its `cell_class`. The cell's arguments are arguments of
    the layer too, each can be read as an attribute (`layer.units`), and
    `help(layer)` lists them: they are written once, in the cell.

    Args: the cell's, then those of `keras.layers.RNN`, all False by default:
        return_sequences: bool, give every step, not only the last.
        return_state: bool, give the final state(s) as well.
        go_backwards: bool, read from the end (outputs in reading order).
        stateful: bool, begin where the last batch ended.
        unroll: bool, unroll the loop (a fixed, short length).
        zero_output_for_mask: bool, zeros instead of the last output at
            masked steps.
        use_cudnn: "auto" or False, accepted for Keras's sake; the loop is
            the same in both cases.
    Call arguments:
        x: float (B, T, D).
        initial_state: optional list of float (B, U), zeros by default.
        mask: optional bool (B, T), True where a step is real; at a masked
            step the state stays as it was.
    Returns:
        float (B, U), or (B, T, U) with `return_sequences`; with
        `return_state` followed by the state(s), float (B, U) each.
    Raises:
        ValueError: if an argument of the cell is refused or unknown.
    """

    cell_class = None

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        loop = parameters_of(keras.layers.RNN)
        cell = parameters_of(cls.cell_class)
        cell = {name: p for name, p in cell.items() if name not in loop}
        del loop["cell"]
        cls.cell_arguments = tuple(cell)
        cls.__signature__ = signature_of({**cell, **loop})
        for name in cell:
            setattr(cls, name, property(operator.attrgetter(f"cell.{name}")))

    def __init__(self, units, *args, **kwargs):
        cudnn = kwargs.pop("use_cudnn", "auto")
        checks.one_of(("auto", False), use_cudnn=cudnn)
        names = [name for name in self.cell_arguments if name in kwargs]
        arguments = {name: kwargs.pop(name) for name in names}
        policy = {k: kwargs[k] for k in ("dtype", "trainable") if k in kwargs}
        cell = self.cell_class(units, *args, **arguments, **policy)
        super().__init__(cell, **kwargs)
        self.input_spec = keras.layers.InputSpec(ndim=3)

    def trace(self, x, mask=None, initial_state=None):
        """Give every gate and state at every step, by its textbook name.

        Args:
            x: float (B, T, D).
            mask: optional bool (B, T), True where a step is real.
            initial_state: optional list of float (B, U), zeros by default.
        Returns:
            dict of float (B, T, U), in reading order; the last hidden state
            is exactly the layer's output (on JAX, which compiles the two
            loops apart, to the last bits).
        """
        x = ops.convert_to_tensor(x, dtype=self.compute_dtype)
        if not self.built:
            self.build(x.shape)
        if initial_state is None:
            zeros = self.get_initial_state(ops.shape(x)[0])
            initial_state = self.states if self.stateful else zeros
        cell = _TracedCell(self.cell)
        run = keras.layers.RNN(
            cell,
            return_sequences=True,
            go_backwards=self.go_backwards,
            zero_output_for_mask=self.zero_output_for_mask,
            unroll=self.unroll,
            dtype=self.dtype_policy,
        )
        states = [
            ops.convert_to_tensor(state, self.compute_dtype)
            for state in keras.tree.flatten(initial_state)
        ]
        values = run(x, initial_state=cell.first(states), mask=mask)
        return dict(
            zip(cell.names, ops.split(values, len(cell.names), axis=-1))
        )

    def get_config(self):
        config = super().get_config()
        cell = config.pop("cell")["config"]
        return {**{k: cell[k] for k in self.cell_arguments}, **config}

    @classmethod
    def from_config(cls, config):
        # Not RNN.from_config, which wants the cell as an argument.
        return super(keras.layers.RNN, cls).from_config(config)


def parameters_of(cls):
    """List a constructor's named parameters, and those that it hands on.

    Returns:
        dict of name to `inspect.Parameter`: without `*args`, none of a parent
        that must be given; without `**kwargs`, none of a parent.
    """
    found, anything = {}, True
    for owner in cls.__mro__[:-1]:  # all but `object`
        if "__init__" not in vars(owner):
            continue
        own = list(inspect.signature(owner.__init__).parameters.values())[1:]
        for p in own:
            given = p.kind == p.KEYWORD_ONLY or p.default is not p.empty
            named = p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
            if named and (anything or given):
                found.setdefault(p.name, p)
        kinds = {p.kind for p in own}
        anything = anything and inspect.Parameter.VAR_POSITIONAL in kinds
        if inspect.Parameter.VAR_KEYWORD not in kinds:
            break
    return found


def signature_of(parameters):
    """Make a signature of such; None, so Python's own, where none can be."""
    try:  # which wants the positional ones first
        ordered = sorted(parameters.values(), key=lambda p: p.kind)
        return inspect.Signature(ordered)
    except ValueError:  # and then those without a default
        return None


@keras.saving.register_keras_serializable("keras_seq")
class SimpleRNN(Recurrent):
    """Run a `SimpleRNNCell` along time; see `Recurrent` and the cell."""

    cell_class = SimpleRNNCell
