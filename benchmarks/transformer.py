"""Our Transformer beside its peers': same sizes, one run, in turns.

    KERAS_BACKEND=jax python -m benchmarks.transformer --peers keras,torch

    encoder, decoder   a stack of blocks, float (B, T, D) in and out; the
                       decoders attend to their own input
    Transformer        encoders, and decoders that attend to their output
    GPT                ids in, logits out

Ours; Keras's own `MultiHeadAttention`, `Dense` and `LayerNormalization`;
KerasHub's `TransformerEncoder`, `TransformerDecoder` and `GPT2CausalLM`;
PyTorch's `TransformerEncoderLayer` and `TransformerDecoderLayer`; and
`transformers`' `GPT2LMHeadModel`. Each kind is timed in float32 and in
bfloat16; with float32, ours in bfloat16 is timed as well. All must have the
same number of weights; encoders and decoders of Keras's layers, in float32, get
our weights and must return our outputs to 1e-4.

Shapes: B batch, T length, D width, H heads, V vocabulary.
"""

import itertools

import keras
import numpy as np

from benchmarks import contenders, gpts, report
from keras_seq.layers import TransformerDecoder, TransformerEncoder

SIZES = {
    "layers": 4,
    "batch": 32,
    "length": 64,
    "units": 256,
    "heads": 4,
    "vocab": 8000,
}
QUICK_SIZES = {
    "layers": 1,
    "batch": 2,
    "length": 5,
    "units": 8,
    "heads": 2,
    "vocab": 11,
}
# Attentions of the blocks of each kind: encoder blocks 1, decoder blocks 2.
KINDS = {"encoder": (1,), "decoder": (2,), "Transformer": (1, 2), "GPT": (1,)}
PEERS = ("keras", "keras_hub", "torch", "transformers")
HALF = "keras_seq_bfloat16"
DTYPES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}


def there(kind, peers):
    """Return the peers that have this kind."""
    absent = ("keras", "torch") if kind == "GPT" else ("transformers",)
    return [peer for peer in peers if peer not in absent]


def ours(sizes, dtype):
    """Return functions that add our blocks, post-norm, without dropout."""
    options = {"dropout": 0.0, "dtype": dtype}
    D, H = sizes["units"], sizes["heads"]
    return (
        lambda x: TransformerEncoder(4 * D, H, **options)(x),
        lambda x, memory: TransformerDecoder(4 * D, H, **options)(x, memory),
    )


def of_keras_layers(sizes, dtype):
    """Return the same with Keras's layers, as in its examples."""
    D, H = sizes["units"], sizes["heads"]

    def attention(x, *memory, **options):
        layer = keras.layers.MultiHeadAttention(H, D // H, dtype=dtype)
        return norm(x + layer(x, *memory or [x], **options))

    def norm(x):
        return keras.layers.LayerNormalization(epsilon=1e-5, dtype=dtype)(x)

    def network(x):
        h = keras.layers.Dense(4 * D, "relu", dtype=dtype)(x)
        return norm(x + keras.layers.Dense(D, dtype=dtype)(h))

    def decode(x, memory):
        return network(attention(attention(x, use_causal_mask=True), memory))

    return lambda x: network(attention(x)), decode


def of_keras_hub(sizes, dtype):
    """Return the same with KerasHub's blocks."""
    from keras_hub import layers

    args = 4 * sizes["units"], sizes["heads"]
    options = {"dropout": 0.0, "layer_norm_epsilon": 1e-5, "dtype": dtype}
    return (
        lambda x: layers.TransformerEncoder(*args, **options)(x),
        lambda x, m: layers.TransformerDecoder(*args, **options)(x, m),
    )


MAKE = {
    "keras_seq": ours,
    "keras": of_keras_layers,
    "keras_hub": of_keras_hub,
}


def stack(name, kind, sizes, dtype):
    """Make a model of one library's blocks."""
    if kind == "GPT":
        return gpt(name, sizes, dtype)
    encode, decode = MAKE[name](sizes, dtype)
    x = inputs = keras.Input(
        (None, sizes["units"]), dtype=dtype.removeprefix("mixed_")
    )
    for _ in range(sizes["layers"] if 1 in KINDS[kind] else 0):
        x = encode(x)
    memory, x = (x, inputs) if 2 in KINDS[kind] else (None, x)
    for _ in range(sizes["layers"] if 2 in KINDS[kind] else 0):
        x = decode(x, memory)
    return keras.Model(inputs, x)


def gpt(name, sizes, dtype):
    """Make a GPT, ours or KerasHub's: a model of ids alone."""
    if name == "keras_seq":
        return gpts.ours(sizes, sizes["length"], dtype)
    model = gpts.of_keras_hub(sizes, sizes["length"], dtype)
    ids = keras.Input((None,), dtype="int32")
    whole = {"token_ids": ids, "padding_mask": keras.ops.ones_like(ids)}
    return keras.Model(ids, model(whole))


def of_torch(kind, sizes):
    """Stack PyTorch's blocks in evaluation mode, which uses its fast path."""
    import torch

    args = sizes["units"], sizes["heads"], 4 * sizes["units"], 0.0
    device = contenders.torch_device()
    made = {
        1: torch.nn.TransformerEncoderLayer,
        2: torch.nn.TransformerDecoderLayer,
    }
    blocks = [
        [
            made[n](*args, batch_first=True).eval().to(device)
            for _ in range(sizes["layers"])
        ]
        for n in KINDS[kind]
    ]
    ahead = torch.nn.Transformer.generate_square_subsequent_mask
    ahead = ahead(sizes["length"]).to(device)

    def call(x):
        memory = inputs = x
        if 1 in KINDS[kind]:
            for block in blocks[0]:
                memory = block(memory)
        if 2 not in KINDS[kind]:
            return memory
        x = inputs
        for block in blocks[-1]:
            x = block(x, memory, tgt_mask=ahead, tgt_is_causal=True)
        return x

    weights = [w for part in blocks for b in part for w in b.parameters()]
    return call, weights


def of_transformers(kind, sizes):
    """Make `transformers`' GPT-2, for a forward pass only."""
    model = gpts.of_transformers(sizes, sizes["length"])
    model.to(contenders.torch_device())
    return (
        lambda ids: model(ids, use_cache=False).logits,
        list(model.parameters()),
    )


ON_TORCH = {"torch": of_torch, "transformers": of_transformers}


def in_precision(call, dtype):
    """Call on PyTorch as mixed precision does, weights in float32."""
    import torch

    device, half = contenders.torch_device(), dtype != "float32"

    def cast(x):
        with torch.autocast(device, torch.bfloat16, enabled=half):
            return call(x)

    return cast


def rivals(kind, sizes, dtype, peers=PEERS, seed=0):
    """Make contenders of equal size: dict of name to Contender.

    Raises:
        ValueError: if one has another number of weights, or Keras's layers
            with our weights give other outputs.
    """
    keras.utils.set_random_seed(seed)
    draw, shape = np.random.default_rng(seed), (sizes["batch"], sizes["length"])
    if kind == "GPT":
        x = draw.integers(0, sizes["vocab"], shape, "int32")
    else:
        x = draw.normal(size=(*shape, sizes["units"])).astype("float32")
    found, counts = {}, {}
    mine = stack("keras_seq", kind, sizes, dtype)
    for name in ("keras_seq", *there(kind, peers)):
        if name in ON_TORCH:
            call, weights = ON_TORCH[name](kind, sizes)
            counts[name] = sum(w.numel() for w in weights)
            call = in_precision(call, dtype)
            found[name] = contenders.of_torch(call, weights, x)
            continue
        made = mine if name == "keras_seq" else stack(name, kind, sizes, dtype)
        counts[name] = made.count_params()
        found[name] = contenders.of_keras(made, x)
        # (The weights of a whole Transformer come in no simple order.)
        if name == "keras" and dtype == "float32" and len(KINDS[kind]) == 1:
            check_same(mine, made, x)
    if dtype == "float32":
        half = stack("keras_seq", kind, sizes, DTYPES["bfloat16"])
        found[HALF] = contenders.of_keras(half, x)
    if len(set(counts.values())) > 1:
        raise ValueError(f"All must have as many weights. Received {counts}.")
    return found


def check_same(mine, theirs, x):
    """Set our weights on Keras's layers and compare the outputs."""
    theirs.set_weights(mine.get_weights())
    y, z = (keras.ops.convert_to_numpy(model(x)) for model in (mine, theirs))
    difference = np.abs(y - z).max()
    if not difference < 1e-4:
        raise ValueError(
            "Keras's layers must give our outputs to 1e-4 with our weights. "
            f"Received difference={difference:.2g}."
        )


def operations(kind, sizes):
    """Count the multiplications and additions of the products, forward."""
    tokens, D = sizes["batch"] * sizes["length"], sizes["units"]
    look = 8 * tokens * D**2 + 4 * tokens * sizes["length"] * D
    network = 16 * tokens * D**2
    blocks = sum(n * look + network for n in KINDS[kind]) * sizes["layers"]
    logits = 2 * tokens * D * sizes["vocab"] if kind == "GPT" else 0
    return blocks + logits


def measure(kind, sizes, dtype, peers=PEERS, rounds=10, builds=2):
    """Time a kind in one precision.

    Returns:
        two dicts of `contenders.race`, for training and inference, with
        `share{name: float}`: the rate of each, as a share of that of one
        product of large matrices on this machine in this precision.
    """
    compared = there(kind, peers) + [HALF] * (dtype == "float32")

    def make(build):
        return rivals(kind, sizes, DTYPES[dtype], peers, build)

    results = contenders.race(make, compared, rounds, builds)
    rate = contenders.matmul_rate(dtype, 16 * sizes["units"])
    for result in results:
        training = result["mode"] == "training step"
        work = operations(kind, sizes) * (3 if training else 1)
        result["share"] = {
            name: work / seconds["median"] / rate
            for name, seconds in result["seconds"].items()
            if name != HALF
        }
    return [{"kind": kind, "dtype": dtype, **result} for result in results]


def row(result):
    """Write a result as a line of the table: ours in ms, then ratios."""
    cells = {name: result[name] for name in ("kind", "dtype", "mode")}
    cells["ms"] = f"{1000 * result['seconds']['keras_seq']['median']:.1f}"
    cells["share"] = f"{result['share']['keras_seq']:.2f}"
    for name in (*PEERS, HALF):
        value = result["ratio"].get(name)
        cells[f"ours/{name}"] = "" if value is None else f"{value:.2f}"
    return cells


def main():
    """Measure with the options of the command line; print and save it."""
    args = report.arguments(__doc__, 10, PEERS)
    sizes = QUICK_SIZES if args.quick else SIZES
    builds, results = 1 if args.quick else 2, []
    for kind, dtype in itertools.product(KINDS, DTYPES):
        results += measure(kind, sizes, dtype, args.peers, args.rounds, builds)
    report.publish("transformer", args, results, row, sizes=sizes)


if __name__ == "__main__":
    main()
