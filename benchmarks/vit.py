"""Time of our ViT and of other libraries: same sizes and weights, in turns.

    KERAS_BACKEND=jax python -m benchmarks.vit --peers keras_hub

A training step and a forward pass of ViT-Ti/16 for images of 224 x 224, and
of a small one for images of 32 x 32; images in, logits out. Compared are
KerasHub's `ViTBackbone` with a `Dense` on its class token, and `transformers`'
`ViTForImageClassification` on PyTorch. Each gets our weights and, in float32,
must return our logits to 1e-4 before it is timed. In its last block ours
computes only the class token: the same logits for less work. A ratio is our
time divided by the time of the other library.

Shapes: B batch, D width, P numbers of a patch.
"""

import tempfile

import keras
import numpy as np

from benchmarks import contenders, recurrent, report
from benchmarks.bert import check_size
from benchmarks.transformer import DTYPES, in_precision
from keras_seq import pretrained
from keras_seq.models import ViT

SIZES = {
    "Ti/16 at 224": {
        **ViT.sizes["Ti/16"],
        "image_size": 224,
        "num_classes": 1000,
        "batch": 8,
    },
    "4 layers of 128 at 32": {
        "hidden_dim": 128,
        "num_heads": 4,
        "num_layers": 4,
        "patch_size": 4,
        "image_size": 32,
        "num_classes": 10,
        "batch": 64,
    },
}
QUICK_SIZES = {
    "tiny": {
        "hidden_dim": 8,
        "num_heads": 2,
        "num_layers": 2,
        "patch_size": 3,
        "image_size": 9,
        "num_classes": 5,
        "batch": 2,
    }
}
PEERS = ("keras_hub", "transformers")


def of_transformers(sizes):
    """Make `transformers`' classifier, in evaluation mode: no dropout."""
    import transformers

    config = transformers.ViTConfig(
        hidden_size=sizes["hidden_dim"],
        num_attention_heads=sizes["num_heads"],
        num_hidden_layers=sizes["num_layers"],
        intermediate_size=4 * sizes["hidden_dim"],
        image_size=sizes["image_size"],
        patch_size=sizes["patch_size"],
        num_labels=sizes["num_classes"],
        layer_norm_eps=1e-6,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    model = transformers.ViTForImageClassification(config).eval()
    return model.to(contenders.torch_device())


def ours(sizes, dtype, theirs=None):
    """Make our ViT, with the weights of `transformers`' if there is one."""
    if theirs is None:
        options = {key: sizes[key] for key in sizes if key != "batch"}
        model = ViT(**options, dtype=dtype)
        model.build()
        return model
    with tempfile.TemporaryDirectory() as folder:
        theirs.save_pretrained(folder)
        return pretrained.load(folder, dtype=dtype)


def of_keras_hub(sizes, dtype):
    """Make KerasHub's backbone, and a head on its first token."""
    from keras_hub.models import ViTBackbone

    side = sizes["image_size"]
    backbone = ViTBackbone(
        image_shape=(side, side, 3),
        patch_size=sizes["patch_size"],
        num_layers=sizes["num_layers"],
        num_heads=sizes["num_heads"],
        hidden_dim=sizes["hidden_dim"],
        mlp_dim=4 * sizes["hidden_dim"],
        dtype=dtype,
    )
    images = keras.Input((side, side, 3))
    head = keras.layers.Dense(sizes["num_classes"], dtype=dtype)
    return keras.Model(images, head(backbone(images)[:, 0]))


def in_keras_hub_order(weights):
    """Reorder our weights: in KerasHub each norm precedes its sublayer.

    Our blocks have the order attention, norm, network, norm.
    """
    class_token, positions, *kernel = weights[:4]
    blocks, last = weights[4:-4], weights[-4:]
    ordered = [class_token, *kernel, positions]
    for i in range(0, len(blocks), 16):
        block = blocks[i : i + 16]
        attention, network = block[:8], block[10:14]
        ordered += [*block[8:10], *attention, *block[14:], *network]
    return [*ordered, *last]


def rivals(sizes, dtype, peers=PEERS, seed=0):
    """Make contenders that hold the same weights: dict of name to Contender.

    Raises:
        ValueError: if a peer has another number of weights than ours, or in
            float32 gives other logits.
    """
    keras.utils.set_random_seed(seed)
    side = sizes["image_size"]
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(sizes["batch"], side, side, 3)).astype("float32")
    torch_model = of_transformers(sizes) if "transformers" in peers else None
    mine = ours(sizes, dtype, torch_model)
    found = {"keras_seq": contenders.of_keras(mine, x)}
    for name in peers:
        if name == "keras_hub":
            theirs = of_keras_hub(sizes, dtype)
            check_size(mine, name, theirs.count_params())
            given = in_keras_hub_order(mine.get_weights())
            theirs.set_weights(
                [w.reshape(v.shape) for w, v in zip(given, theirs.weights)]
            )
            found[name] = contenders.of_keras(theirs, x)
        else:
            weights = list(torch_model.parameters())
            check_size(mine, name, sum(w.numel() for w in weights))
            call = in_precision(lambda x: torch_model(x).logits, dtype)
            found[name] = contenders.of_torch(
                call, weights, np.ascontiguousarray(x.transpose(0, 3, 1, 2))
            )
        if dtype == "float32":
            pair = {"keras_seq": found["keras_seq"], name: found[name]}
            recurrent.largest_difference(pair)
    return found


def operations(sizes):
    """Count the multiplications and additions of our products, forward."""
    D, patch, B = sizes["hidden_dim"], sizes["patch_size"], sizes["batch"]
    N = (sizes["image_size"] // patch) ** 2
    T, weights = N + 1, 12 * D**2
    inner = (sizes["num_layers"] - 1) * T * (weights + 2 * T * D)
    last = 2 * T * D**2 + (weights - 2 * D**2) + 2 * T * D  # of one query
    ends = N * 3 * patch**2 * D + D * sizes["num_classes"]
    return 2 * B * (inner + last + ends)


def measure(model, sizes, dtype, peers=PEERS, rounds=10, builds=2):
    """Time one size in one precision.

    Returns:
        two dicts of `contenders.race`, for training and inference, with
        `share`: our rate, as a share of that of one product of large matrices
        on this machine in this precision.
    """
    results = contenders.race(
        lambda build: rivals(sizes, DTYPES[dtype], peers, build),
        peers,
        rounds,
        builds,
    )
    rate = contenders.matmul_rate(dtype, 16 * sizes["hidden_dim"])
    for result in results:
        work = operations(sizes) * (3 if "training" in result["mode"] else 1)
        result["share"] = work / result["seconds"]["keras_seq"]["median"] / rate
    return [{"model": model, "dtype": dtype, **result} for result in results]


def row(result):
    """Write a result as a line of the table: ours in ms, then the ratios."""
    cells = {name: result[name] for name in ("model", "dtype", "mode")}
    cells["ms"] = f"{1000 * result['seconds']['keras_seq']['median']:.1f}"
    cells["share"] = f"{result['share']:.2f}"
    for name in PEERS:
        value = result["ratio"].get(name)
        cells[f"ours/{name}"] = "" if value is None else f"{value:.2f}"
    return cells


def main():
    """Measure with the options of the command line; print and save it."""
    args = report.arguments(__doc__, 10, PEERS, DTYPES)
    sizes = QUICK_SIZES if args.quick else SIZES
    builds, results = 1 if args.quick else 2, []
    for model, each in sizes.items():
        for dtype in args.dtypes:
            results += measure(
                model, each, dtype, args.peers, args.rounds, builds
            )
    report.publish("vit", args, results, row, sizes=sizes)


if __name__ == "__main__":
    main()
