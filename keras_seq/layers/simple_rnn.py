"""SimpleRNN: a recurrent neural network, the hidden state fed back as an input.

A feed-forward network treats each input by itself. A recurrent network keeps a
hidden state h that summarizes the sequence up to the current time step. The
same two weight matrices are used at every step, so a sequence of any length is
processed with a fixed number of weights. A long-term dependency, of an output
on an input many steps before, is hard to learn: at every step of
backpropagation through time the gradient is multiplied by the derivative of
tanh and by U^T. It shrinks exponentially (vanishing gradient) or grows
exponentially (exploding gradient). The gates of the LSTM (`lstm.py`) and the
GRU (`gru.py`) are made against vanishing gradients; exploding ones are limited
by gradient clipping (`global_clipnorm` of Keras's optimizers).

    h_t = tanh(x_t W + h_{t-1} U + b)

Shapes: B batch, T length, D input width, U units.
Paper: Elman (1990), "Finding structure in time", Cognitive Science 14(2).
Differs from the paper: tanh where Elman has the logistic function, as in
    Keras; gradients go through all steps, not one.
"""

import keras

from keras_seq.layers.recurrent import TracedCell, TracedRNN, project


@keras.saving.register_keras_serializable("keras_seq")
class SimpleRNNCell(TracedCell, keras.layers.SimpleRNNCell):
    """Compute one time step of the simple recurrent network.

    Args:
        units: int > 0, width U of the hidden state.
        activation: activation function. Default "tanh".
        use_bias: bool, add the bias b. Default True.
        kernel_initializer: of W. Default "glorot_uniform".
        recurrent_initializer: of U. Default "orthogonal".
        bias_initializer: of b. Default "zeros".
        kernel_regularizer: optional, of W. Default None.
        recurrent_regularizer: optional, of U. Default None.
        bias_regularizer: optional, of b. Default None.
        kernel_constraint: optional, of W. Default None.
        recurrent_constraint: optional, of U. Default None.
        bias_constraint: optional, of b. Default None.
        dropout: float in [0, 1), dropout rate of the input. Default 0.
        recurrent_dropout: float in [0, 1), dropout rate of the hidden state.
            Default 0.
        seed: optional int, the seed of the dropout. Default None.
    Call arguments:
        x: float (B, D), the input of this step.
        states: [h], h float (B, U), the hidden state before this step.
        training: bool, apply dropout. Default False.
    Returns:
        float (B, U) and [h], the hidden state after this step.
    Raises:
        ValueError: if an argument is invalid; the message names it.
    Weights: `kernel` is W, `recurrent_kernel` is U, `bias` is b.
    Example:
        >>> cell = keras_seq.layers.SimpleRNNCell(4)
        >>> h, states = cell(np.ones((2, 3)), [np.zeros((2, 4))])
        >>> tuple(h.shape)
        (2, 4)
    """

    def step(self, x, states, x_dropout=None, h_dropout=None):
        (h,) = states
        a = project(x, self.kernel, x_dropout)
        a = a + project(h, self.recurrent_kernel, h_dropout)
        if self.use_bias:
            a = a + self.bias
        return {"hidden_state": self.activation(a)}


@keras.saving.register_keras_serializable("keras_seq")
class SimpleRNN(keras.layers.SimpleRNN, TracedRNN):
    """Run a `SimpleRNNCell` over time: `keras.layers.SimpleRNN` with `trace`.

    `trace(x, mask=None, initial_state=None)` returns a dict with
    "hidden_state" (B, T, U) at every time step.

    Args:
        units: int > 0, width U of the hidden state.
        activation: activation function. Default "tanh".
        use_bias: bool, add the bias b. Default True.
        kernel_initializer: of W. Default "glorot_uniform".
        recurrent_initializer: of U. Default "orthogonal".
        bias_initializer: of b. Default "zeros".
        kernel_regularizer: optional, of W. Default None.
        recurrent_regularizer: optional, of U. Default None.
        bias_regularizer: optional, of b. Default None.
        activity_regularizer: optional, of the output. Default None.
        kernel_constraint: optional, of W. Default None.
        recurrent_constraint: optional, of U. Default None.
        bias_constraint: optional, of b. Default None.
        dropout: float in [0, 1), dropout rate of the input. Default 0.
        recurrent_dropout: float in [0, 1), dropout rate of the hidden state.
            Default 0.
        return_sequences: bool, return the output of every time step, not only
            of the last. Default False.
        return_state: bool, return the final state too. Default False.
        go_backwards: bool, process the sequence from its end; the outputs
            come in that order. Default False.
        stateful: bool, start from the final state of the previous batch.
            Default False.
        unroll: bool, unroll the loop (for short sequences of fixed length).
            Default False.
        seed: optional int, the seed of the dropout. Default None.
        zero_output_for_mask: bool, output zeros at masked steps, not the
            previous output. Default False.
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
        >>> layer = keras_seq.layers.SimpleRNN(4, return_sequences=True)
        >>> x = np.ones((2, 3, 5))
        >>> tuple(layer(x).shape)
        (2, 3, 4)
        >>> list(layer.trace(x))
        ['hidden_state']
    """

    cell_class = SimpleRNNCell
