"""Our Transformer blocks beside their peers': same sizes, one run, in turns.

    KERAS_BACKEND=jax python -m benchmarks.transformer --peers keras,torch

A stack of encoder blocks, float (B, T, D) in and out, made of ours; of Keras's
own `MultiHeadAttention`, `Dense` and `LayerNormalization`; of KerasHub's
`TransformerEncoder`; and of PyTorch's `TransformerEncoderLayer`. Each kind is
timed in float32 and in bfloat16. Nothing is timed before the stack of Keras's
layers, given our weights, gives our outputs to 1e-4; all have as many weights.

Shapes: B batch, T length, D width, H heads, F inner width.
"""

import keras
import numpy as np

from benchmarks import contenders, report
from keras_seq import EncoderBlock

SIZES = {"layers": 4, "batch": 32, "length": 64, "units": 256, "heads": 4}
QUICK_SIZES = {"layers": 1, "batch": 2, "length": 5, "units": 8, "heads": 2}
PEERS = ("keras", "keras_hub", "torch")
DTYPES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}


def ours(sizes, dtype):
    """Stack our blocks, post-norm, without dropout."""
    return keras.Sequential(
        [
            EncoderBlock(
                sizes["units"], sizes["heads"], dropout=0.0, dtype=dtype
            )
            for _ in range(sizes["layers"])
        ]
    )


def of_keras_layers(sizes, dtype):
    """Stack the same of Keras's own layers, as its examples do."""
    D, H = sizes["units"], sizes["heads"]
    options = {"dtype": dtype}
    x = inputs = keras.Input((None, D), dtype=dtype.removeprefix("mixed_"))
    for _ in range(sizes["layers"]):
        look = keras.layers.MultiHeadAttention(H, D // H, **options)
        x = keras.layers.LayerNormalization(epsilon=1e-5, **options)(
            x + look(x, x)
        )
        h = keras.layers.Dense(4 * D, "relu", **options)(x)
        h = keras.layers.Dense(D, **options)(h)
        x = keras.layers.LayerNormalization(epsilon=1e-5, **options)(x + h)
    return keras.Model(inputs, x)


def of_keras_hub(sizes, dtype):
    """Stack KerasHub's blocks."""
    import keras_hub

    return keras.Sequential(
        [
            keras_hub.layers.TransformerEncoder(
                4 * sizes["units"],
                sizes["heads"],
                dropout=0.0,
                layer_norm_epsilon=1e-5,
                dtype=dtype,
            )
            for _ in range(sizes["layers"])
        ]
    )


def of_torch(sizes):
    """Stack PyTorch's blocks, in evaluation mode: it takes its short cuts."""
    import torch

    block = torch.nn.TransformerEncoderLayer(
        sizes["units"],
        sizes["heads"],
        4 * sizes["units"],
        0.0,
        batch_first=True,
    )
    stack = torch.nn.TransformerEncoder(
        block, sizes["layers"], enable_nested_tensor=False
    )
    return stack.eval()


def in_precision(stack, dtype):
    """Call a PyTorch module as mixed precision does, weights in float32."""
    import torch

    def call(x):
        half = dtype != "float32"
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            return stack(x)

    return call


MAKE = {
    "keras_seq": ours,
    "keras": of_keras_layers,
    "keras_hub": of_keras_hub,
}


def rivals(sizes, dtype, peers=PEERS, seed=0):
    """Make contenders of equal size: dict of name to Contender.

    Raises:
        ValueError: if one has another number of weights, or Keras's layers
            with our weights give other outputs.
    """
    keras.utils.set_random_seed(seed)
    shape = sizes["batch"], sizes["length"], sizes["units"]
    x = np.random.default_rng(seed).normal(size=shape).astype("float32")
    found, counts, outputs, mine = {}, {}, {}, None
    for name in ("keras_seq", *peers):
        if name == "torch":
            stack = of_torch(sizes)
            weights = list(stack.parameters())
            counts[name] = sum(w.numel() for w in weights)
            call = in_precision(stack, dtype)
            found[name] = contenders.of_torch(call, weights, x)
            continue
        made = MAKE[name](sizes, dtype)
        if not made.built:
            made.build((None, None, sizes["units"]))
        if name == "keras" and dtype == "float32":
            made.set_weights(in_keras_order(mine))
        if name == "keras_seq":
            mine = made.get_weights()
        counts[name] = made.count_params()
        if dtype == "float32":
            outputs[name] = keras.ops.convert_to_numpy(made(x))
        found[name] = contenders.of_keras(made, x)
    if len(set(counts.values())) > 1:
        raise ValueError(f"All must have as many weights. Received {counts}.")
    if {"keras", "keras_seq"} <= set(outputs):
        difference = np.abs(outputs["keras"] - outputs["keras_seq"]).max()
        if not difference < 1e-4:
            raise ValueError(
                "Keras's layers must give our outputs to 1e-4 with our "
                f"weights. Received difference={difference:.2g}."
            )
    return found


def in_keras_order(weights):
    """Reorder a stack's weights: ours has its norms last in each block."""
    ordered = []
    for at in range(0, len(weights), 16):
        block = weights[at : at + 16]
        attention, network, norms = block[:8], block[8:12], block[12:]
        ordered += [*attention, *norms[:2], *network, *norms[2:]]
    return ordered


def measure(sizes, dtype, peers=PEERS, rounds=40, builds=3):
    """Time a stack in one precision: two dicts of `contenders.race`."""
    results = contenders.race(
        lambda build: rivals(sizes, DTYPES[dtype], peers, build),
        peers,
        rounds,
        builds,
    )
    return [{"dtype": dtype, **result} for result in results]


def row(result):
    """Write a result as a line of the table: milliseconds, then ratios."""
    cells = {"dtype": result["dtype"], "mode": result["mode"]}
    for name, seconds in result["seconds"].items():
        cells[f"{name} ms"] = f"{1000 * seconds['median']:.1f}"
    for name, value in result["ratio"].items():
        cells[f"ours/{name}"] = f"{value:.2f}"
    return cells


def main():
    """Measure what the command line asks for; print it and write it down."""
    args = report.arguments(__doc__, 40, PEERS)
    sizes = QUICK_SIZES if args.quick else SIZES
    builds, results = 1 if args.quick else 3, []
    for dtype in DTYPES:
        results += measure(sizes, dtype, args.peers, args.rounds, builds)
    report.publish("transformer", args, results, row, sizes=sizes)


if __name__ == "__main__":
    main()
