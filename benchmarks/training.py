"""Time and memory of a training step, and what each setting of Keras changes.

    KERAS_BACKEND=tensorflow python -m benchmarks.training

A GPT is trained by `train_on_batch` on rows of random ids: in float32, in mixed
precision (`mixed_bfloat16`), on PyTorch with rematerialization
(`keras.RematScope`), which computes the activations of a layer again instead of
keeping them, and with gradient accumulation, which adds up the gradients of
several small batches before one step of the optimizer. The times are those of
one row, measured in turns. Memory is the highest resident memory of a step
above that before it, in a process of its own (Linux).

Then one epoch over short texts: every text padded to the longest, batches of
similar length (`BatchByLength`), and several texts packed into each row
(`pack_sequences`). Same texts, same number of tokens in a batch at most.

Shapes: B batch, T length.
"""

import sys

import keras
import numpy as np

from benchmarks import memory, report
from keras_seq.evaluation import median_ratio, time_interleaved
from keras_seq.models import GPT
from keras_seq.training import (
    BatchByLength,
    TokenCrossEntropy,
    pack_sequences,
)

SIZES = {
    "vocab": 8000,
    "units": 256,
    "heads": 4,
    "layers": 6,
    "length": 256,
    "batch": 16,
    "texts": 128,
}
QUICK_SIZES = {
    "vocab": 13,
    "units": 8,
    "heads": 2,
    "layers": 1,
    "length": 8,
    "batch": 4,
    "texts": 12,
}
STEPS = 4  # of accumulation
WAYS = ["float32", "mixed_bfloat16", f"accumulation of {STEPS}"]
if keras.backend.backend() == "torch":
    # Under `RematScope`, Keras 3.15 cannot call a layer with a bool, as
    # `Dropout`, on JAX, nor compile it on TensorFlow.
    WAYS.append("rematerialization")


def made(sizes, way):
    """Make a model, compiled; `RematScope` is read when layers are created."""
    keras.utils.set_random_seed(0)
    mode = "full" if way == "rematerialization" else None
    with keras.RematScope(mode=mode):
        model = GPT(
            sizes["vocab"],
            sizes["units"],
            num_heads=sizes["heads"],
            num_layers=sizes["layers"],
            max_sequence_length=sizes["length"],
            dtype="mixed_bfloat16" if way == "mixed_bfloat16" else "float32",
        )
        model.build()
    steps = STEPS if way.startswith("accumulation") else None
    model.compile(
        keras.optimizers.AdamW(1e-3, gradient_accumulation_steps=steps),
        TokenCrossEntropy(None),
        jit_compile="auto",
    )
    return model


def trainer(sizes, way):
    """Return a function that trains on all rows of a batch."""
    model, draw = made(sizes, way), np.random.default_rng(0)
    shape = sizes["batch"], sizes["length"] + 1
    rows = draw.integers(1, sizes["vocab"], shape, "int32")
    parts = STEPS if way.startswith("accumulation") else 1

    def train():
        for part in np.split(rows, parts):
            model.train_on_batch(part[:, :-1], part[:, 1:])

    return train


def measure(sizes, rounds, quick):
    """Measure every way.

    Returns:
        list of dict: `way, bytes (int or None), seconds (summary, of a row),
        ratio{"float32": float}`.
    """
    calls = {way: trainer(sizes, way) for way in WAYS}
    seconds = time_interleaved(calls, rounds, warmup=2)
    return [
        {
            "way": way,
            "bytes": memory.memory_in_a_process(
                way, str(int(quick)), module="benchmarks.training"
            ),
            "seconds": report.summary(s / sizes["batch"] for s in seconds[way]),
            "ratio": {
                "float32": median_ratio(seconds[way], seconds["float32"])
            },
        }
        for way in WAYS
    ]


def epochs(sizes):
    """Make a function that trains one epoch, for each way to batch texts.

    The lengths are drawn log-uniformly from 8 to the longest.
    """
    length, rng = sizes["length"], np.random.default_rng(0)
    low = min(8, length - 1)
    lengths = np.exp(rng.uniform(np.log(low), np.log(length), sizes["texts"]))
    texts = [rng.integers(1, sizes["vocab"], int(n) + 1) for n in lengths]
    batch = sizes["batch"]
    x, y = [t[:-1] for t in texts], [t[1:] for t in texts]
    everything = {"buckets": [length], "shuffle": False}
    packed, labels = pack_sequences(texts, length)
    ways = {
        "padded to the longest": BatchByLength(x, y, batch, **everything),
        "BatchByLength": BatchByLength(x, y, batch),
        "pack_sequences": (packed, labels),
    }
    return {way: epoch(sizes, data) for way, data in ways.items()}


def epoch(sizes, data):
    """Return a function that trains on all batches of a data set."""
    model, batch = made(sizes, "float32"), sizes["batch"]
    if isinstance(data, tuple):
        parts = range(0, len(data[1]), batch)
        batches = [
            (
                {k: v[i : i + batch] for k, v in data[0].items()},
                data[1][i : i + batch],
            )
            for i in parts
        ]
    else:
        batches = [data[i] for i in range(len(data))]

    def train():
        for x, y in batches:
            model.train_on_batch(x, y)

    return train


def measure_batching(sizes, rounds):
    """Measure an epoch of each way to batch: list of dict, as `measure`."""
    seconds = time_interleaved(epochs(sizes), rounds, warmup=1)
    padded = seconds["padded to the longest"]
    return [
        {
            "way": way,
            "bytes": None,
            "seconds": report.summary(s / sizes["texts"] for s in times),
            "ratio": {"padded": median_ratio(times, padded)},
        }
        for way, times in seconds.items()
    ]


def row(result):
    """Write a result as a line of the table."""
    size = result["bytes"]
    return {
        "way": result["way"],
        "ms": f"{1000 * result['seconds']['median']:.1f}",
        "time": " ".join(f"{r:.2f}" for r in result["ratio"].values()),
        "MiB": "" if size is None else f"{size / 2**20:.0f}",
    }


def main():
    """Measure with the options of the command line; print and save it."""
    if "--peak" in sys.argv:
        *_, way, quick = sys.argv
        sizes = QUICK_SIZES if int(quick) else SIZES
        print(memory.peak_memory(trainer(sizes, way)))
        return
    args = report.arguments(__doc__, 9)
    sizes = QUICK_SIZES if args.quick else SIZES
    results = measure(sizes, args.rounds, args.quick)
    results += measure_batching(sizes, max(1, args.rounds // 3))
    report.publish("training", args, results, row, sizes=sizes)


if __name__ == "__main__":
    main()
