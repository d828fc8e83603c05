"""PyTorch's fused LSTM and GRU, on a CPU.

Keras calls PyTorch's fused functions on CUDA devices only. On a CPU it
runs a Python loop over the time steps, several times as slow. The functions
compute the equations of `LSTMCell` and `GRUCell`; only the weights are arranged
differently:

    LSTM:  gates i f g o in both
    GRU:   gates z r n in Keras, r z n in PyTorch  # n: the candidate

Shapes: B batch, T length, D input width, U units, G gates.
Paper: fused functions: Appleyard, Kocisky & Blunsom (2016), arXiv:1604.01946.
Differs from the paper: nothing.
"""

import keras


def fused_loop(layer, sequences, states, mask, training, cell_class):
    """Run all time steps of a layer by PyTorch's function, if it can.

    Args:
        layer: `LSTM` or `GRU`.
        sequences: float (B, T, D).
        states: list of the initial states, float (B, U) each, or one.
        mask: optional bool (B, T).
        training: bool, apply dropout.
        cell_class: the class whose equations PyTorch computes.
    Returns:
        `(last output, outputs, states)`, as `inner_loop` of Keras returns
        them; None where Keras's loop must run: on other backends and devices,
        with a mask, recurrent dropout, other activations or cells, in half
        precision, unrolled, with `use_cudnn=False`, and where PyTorch compiles
        or exports the model.
    """
    on_torch = keras.backend.backend() == "torch"
    if not on_torch or not _is_standard(layer, mask, cell_class):
        return None
    import torch

    tracing = torch.jit.is_tracing() or torch.compiler.is_compiling()
    on_cpu = sequences.device.type == "cpu"
    full_precision = sequences.dtype in (torch.float32, torch.float64)
    if tracing or not on_cpu or not full_precision:
        return None
    if training and layer.dropout:  # the same mask at every step
        dropout = layer.cell.get_dropout_mask(sequences[:, 0])
        sequences = sequences * dropout[:, None]
    if layer.go_backwards:
        sequences = torch.flip(sequences, [1])
    outputs, *states = _run(layer, sequences, states, bool(training), torch)
    last = outputs[:, -1]
    if not layer.return_sequences:
        outputs = last[:, None]
    return last, outputs, [state[0] for state in states]


def _run(layer, sequences, states, training, torch):
    """Call PyTorch's function: the outputs, and each state (1, B, U)."""
    # Copies: a stateful layer overwrites its states, autograd needs these.
    states = [
        state.to(sequences.dtype, copy=True)[None]
        for state in keras.tree.flatten(states)
    ]
    weights = _weights(layer.cell, torch)
    options = (layer.use_bias, 1, 0.0, training, False, True)
    if len(states) == 2:
        return torch.lstm(sequences, states, weights, *options)
    return torch.gru(sequences, states[0], weights, *options)


def _is_standard(layer, mask, cell_class):
    """Return whether the layer computes what PyTorch's function computes."""
    cell = layer.cell
    activations = keras.activations.tanh, keras.activations.sigmoid
    return (
        all(m is None for m in keras.tree.flatten(mask))
        and type(cell) is cell_class
        and (cell.activation, cell.recurrent_activation) == activations
        and getattr(cell, "reset_after", True)
        and layer.use_cudnn is not False
        and not (layer.recurrent_dropout or layer.unroll)
    )


def _weights(cell, torch):
    """Return the kernels (G * U, D) and (G * U, U), and biases if used."""
    weights = [cell.kernel.value.T, cell.recurrent_kernel.value.T]
    if cell.use_bias:
        bias = cell.bias.value  # of the GRU (2, G * U), one for each kernel
        weights += bias if bias.dim() == 2 else [bias, torch.zeros_like(bias)]
    if len(cell.state_names) == 1:  # the GRU: z r n -> r z n
        weights = [
            torch.cat([reset, update, candidate])
            for update, reset, candidate in (torch.chunk(w, 3) for w in weights)
        ]
    return [w.contiguous() for w in weights]
