"""Time of our recurrent layers, Keras's and PyTorch's: same weights, in turns.

    KERAS_BACKEND=jax python -m benchmarks.recurrent --peers keras,torch

One training step and one forward pass of the layer alone are timed, as
`contenders` defines them. All get the same random weights, and their outputs
must agree to 1e-4 before they are timed.

Shapes: B batch, T steps, D input width, U units, G gates.
"""

import itertools

import keras
import numpy as np

from benchmarks import contenders, report
from keras_seq.layers.gru import GRU
from keras_seq.layers.lstm import LSTM
from keras_seq.layers.simple_rnn import SimpleRNN

OURS = {"SimpleRNN": SimpleRNN, "GRU": GRU, "LSTM": LSTM}
SHAPES = ((64, 64, 128, 128), (32, 32, 256, 256), (32, 100, 16, 64))
QUICK_SHAPES = ((4, 7, 5, 3),)
PEERS = ("keras", "torch")
# For each gate of PyTorch, its index in Keras's weights: the GRU has update,
# reset, candidate in Keras and reset, update, candidate in PyTorch.
TORCH_GATES = {"SimpleRNN": [0], "GRU": [1, 0, 2], "LSTM": [0, 1, 2, 3]}


def torch_layer(kind, weights):
    """Make `torch.nn.RNN`, `GRU` or `LSTM` of a Keras layer's weights.

    Args:
        kind: "SimpleRNN", "GRU" or "LSTM".
        weights: kernel (D, G*U), recurrent kernel (U, G*U), and bias (G*U,),
            for the GRU with `reset_after` (2, G*U): input's and recurrent.
    Returns:
        a torch.nn module, batch first, on the CPU.
    """
    import torch

    kernel, recurrent_kernel, bias = weights
    biases = bias if bias.ndim == 2 else (bias, np.zeros_like(bias))
    order = TORCH_GATES[kind]

    def transposed(w):  # (..., G*U) -> (G*U, ...), the gates in torch's order
        blocks = np.split(w.T, len(order))
        return torch.tensor(np.concatenate([blocks[i] for i in order]))

    torch_class = getattr(torch.nn, kind.removeprefix("Simple"))
    width, units = len(kernel), len(recurrent_kernel)
    layer = torch_class(width, units, batch_first=True)
    values = map(transposed, (kernel, recurrent_kernel, *biases))
    with torch.no_grad():
        for w, value in zip(layer.parameters(), values, strict=True):
            w.copy_(value)
    return layer


def random_weights(kind, width, units, random):
    """Draw kernel, recurrent kernel and bias, shaped as Keras has them."""
    columns = len(TORCH_GATES[kind]) * units
    bias = (2, columns) if kind == "GRU" else (columns,)
    return [
        random.normal(0, units**-0.5, shape).astype("float32")
        for shape in ((width, columns), (units, columns), bias)
    ]


def _keras(layer_class, weights, x):
    """Make a contender of a Keras layer with these weights."""
    layer = layer_class(weights[1].shape[0], return_sequences=True)
    layer.build(x.shape)
    layer.set_weights(weights)
    return contenders.of_keras(layer, x)


def rivals(kind, shape, peers=PEERS, seed=0):
    """Make our layer and its peers, with the same random weights.

    Args:
        kind: "SimpleRNN", "GRU" or "LSTM".
        shape: ints (B, T, D, U).
        peers: names out of "keras" and "torch".
        seed: int, of the weights and the input.
    Returns:
        dict of name ("keras_seq" and the peers) to Contender.
    """
    *input_shape, units = shape  # [B, T, D]
    random = np.random.default_rng(seed)
    x = random.normal(size=input_shape).astype("float32")
    weights = random_weights(kind, input_shape[-1], units, random)
    found = {"keras_seq": _keras(OURS[kind], weights, x)}
    if "keras" in peers:
        theirs = getattr(keras.layers, kind)
        found["keras"] = _keras(theirs, weights, x)
    if "torch" in peers:
        layer = torch_layer(kind, weights).to(contenders.torch_device())
        found["torch"] = contenders.of_torch(
            lambda x: layer(x)[0], list(layer.parameters()), x
        )
    return found


def largest_difference(found):
    """Compare every contender's outputs with ours, before any step.

    Returns:
        float, the largest absolute difference.
    Raises:
        ValueError: if it is more than 1e-4: not the same network.
    """
    outputs = {name: np.asarray(c.forward()) for name, c in found.items()}
    largest = 0.0
    for name, h in outputs.items():
        difference = float(np.abs(h - outputs["keras_seq"]).max())
        if not difference <= 1e-4:
            raise ValueError(
                f"`{name}` must give our outputs to 1e-4 before it is timed. "
                f"Received difference={difference:.2g}."
            )
        largest = max(largest, difference)
    return largest


def measure(kind, shape, peers=PEERS, rounds=40, builds=5):
    """Time one kind of layer at one shape: a result for each of two modes.

    Returns:
        list of two dicts, the training step and the forward pass, of
        `contenders.race` and: `layer, shape, difference,
        torch_threads{name: int}`.
    """
    same = {"layer": kind, "shape": shape}

    def make(build):
        found = rivals(kind, shape, peers, build)
        same["difference"] = largest_difference(found)
        same["torch_threads"] = {
            name: c.threads for name, c in found.items() if c.threads
        }
        return found

    results = contenders.race(make, peers, rounds, builds)
    return [{**same, **result} for result in results]


def row(result):
    """Write a result as a line of the table: milliseconds, then ratios."""
    cells = {"layer": result["layer"], "mode": result["mode"]}
    cells["(B, T, D, U)"] = str(tuple(result["shape"]))
    for name, seconds in result["seconds"].items():
        cells[f"{name} ms"] = f"{1000 * seconds['median']:.2f}"
    for name, value in result["ratio"].items():
        cells[f"ours/{name}"] = f"{value:.2f}"
    return cells


def main():
    """Measure with the options of the command line; print and save it."""
    args = report.arguments(__doc__, 40, PEERS)
    shapes = QUICK_SHAPES if args.quick else SHAPES
    builds, results = 1 if args.quick else 5, []
    for shape, kind in itertools.product(shapes, OURS):
        results += measure(kind, shape, args.peers, args.rounds, builds)
    report.publish("recurrent", args, results, row)


if __name__ == "__main__":
    main()
