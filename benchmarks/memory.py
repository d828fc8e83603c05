"""Memory and time of reading one long text: ours, Keras's and KerasHub's.

    KERAS_BACKEND=torch python -m benchmarks.memory

A GPT and a BERT with random weights read a text of 1,024 tokens, and a layer of
multi-head attention one of 4,096 (a forward pass without attention weights; the
layer's is compiled on TensorFlow and JAX). Memory is the highest resident
memory of the pass above that before it, in a process of its own (Linux). The
times are measured in turns, in one process.

Shapes: B batch, T length.
"""

import ctypes
import gc
import json
import pathlib
import subprocess
import sys

import keras
import numpy as np

from benchmarks import berts, contenders, gpts, report
from keras_seq.evaluation import median_ratio, time_interleaved
from keras_seq.layers import MultiHeadAttention

SIZES = {"vocab": 8000, "units": 768, "heads": 12, "layers": 12, "length": 1024}
QUICK_SIZES = {"vocab": 13, "units": 8, "heads": 2, "layers": 1, "length": 32}
ATTENTION = {"units": 512, "heads": 8, "length": 4096}
QUICK_ATTENTION = {"units": 8, "heads": 2, "length": 32}
KINDS = {"GPT": "keras_hub", "BERT": "keras_hub", "attention": "keras"}
PEERS = ("keras_hub", "keras")
STATUS, RESET = (
    pathlib.Path(f"/proc/self/{n}") for n in ("status", "clear_refs")
)


def reader(name, kind, sizes):
    """Make a function that reads one text, by our model or a peer's."""
    keras.utils.set_random_seed(0)
    if kind == "attention":
        return attention(name, sizes)
    T = sizes["length"]
    ids = np.random.default_rng(0).integers(1, sizes["vocab"], (1, T), "int32")
    if name == "keras_seq":
        if kind == "GPT":
            model = gpts.ours(sizes, T)
        else:
            model = berts.ours(sizes, "float32", berts.BOTH).bert
        inputs = ids
    else:
        inputs = {"token_ids": ids, "padding_mask": np.ones_like(ids)}
        if kind == "GPT":
            model = gpts.of_keras_hub(sizes, T)
        else:
            model = berts.of_keras_hub(sizes, "float32").backbone
            inputs["segment_ids"] = np.zeros_like(ids)

    def read():
        return keras.tree.map_structure(
            keras.ops.convert_to_numpy, without_gradients(model, inputs)
        )

    return read


def attention(name, sizes):
    """Make a function that applies self-attention to one text."""
    kinds = {
        "keras_seq": MultiHeadAttention,
        "keras": keras.layers.MultiHeadAttention,
    }
    H, T, D = sizes["heads"], sizes["length"], sizes["units"]
    layer = kinds[name](H, D // H)
    x = np.random.default_rng(0).normal(size=(1, T, D)).astype("float32")
    layer.build(x.shape, x.shape)
    forward = contenders.of_keras(Self(layer), x).forward
    return lambda: keras.ops.convert_to_numpy(forward())


class Self(keras.layers.Layer):
    """Call an attention layer with one input: self-attention."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer
        self.built = True

    def call(self, x, training=False):
        return self.layer(x, x, training=training)


def without_gradients(model, inputs):
    """Call a model; PyTorch then keeps nothing for a backward pass."""
    if keras.backend.backend() != "torch":
        return model(inputs)
    import torch

    with torch.no_grad():
        return model(inputs)


def peak_memory(call):
    """Return the bytes that one call adds at most to the resident memory."""
    call()  # compiled functions and buffers of libraries stay
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)  # give freed memory back, as far as the C library can
    before = _resident("VmRSS")
    RESET.write_text("5")  # the peak begins anew
    call()
    return _resident("VmHWM") - before


def _resident(name):
    for line in STATUS.read_text().splitlines():
        if line.startswith(name + ":"):
            return 1024 * int(line.split()[1])
    raise ValueError(f"`{STATUS}` must have a line {name!r}.")


def memory_in_a_process(*arguments, module="benchmarks.memory"):
    """Return `peak_memory` of a new process, or None where it is not known.

    It is not known on TensorFlow, which keeps the buffers of the first call.

    Args:
        arguments: str, given to the module after `--peak`; it prints the bytes.
        module: str, a benchmark.
    """
    if not RESET.exists() or keras.backend.backend() == "tensorflow":
        return None
    done = subprocess.run(
        [sys.executable, "-m", module, "--peak", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return int(done.stdout.split()[-1])


def measure(kind, sizes, peers, rounds):
    """Measure memory and time of all that read a text.

    Returns:
        dict: `kind, bytes{name: int or None}, seconds{name: summary},
        ratio{name: float}`, our seconds over those of the peer.
    """
    peers = [peer for peer in peers if peer == KINDS[kind]]
    names = ("keras_seq", *peers)
    memory = {
        name: memory_in_a_process(name, kind, json.dumps(sizes))
        for name in names
    }
    calls = {name: reader(name, kind, sizes) for name in names}
    seconds = time_interleaved(calls, rounds, warmup=1)
    return {
        "kind": kind,
        "bytes": memory,
        "seconds": {name: report.summary(s) for name, s in seconds.items()},
        "ratio": {
            peer: median_ratio(seconds["keras_seq"], seconds[peer])
            for peer in peers
        },
    }


def row(result):
    """Write a result as a line of the table."""
    cells = {"model": result["kind"]}
    for name, found in result["seconds"].items():
        size = result["bytes"][name]
        cells[f"{name} MiB"] = "" if size is None else f"{size / 2**20:.0f}"
        cells[f"{name} ms"] = f"{1000 * found['median']:.0f}"
    for peer, ratio in result["ratio"].items():
        cells[f"time/{peer}"] = f"{ratio:.2f}"
    return cells


def main():
    """Measure with the options of the command line; print and save it."""
    if "--peak" in sys.argv:
        *_, name, kind, sizes = sys.argv
        print(peak_memory(reader(name, kind, json.loads(sizes))))
        return
    args = report.arguments(__doc__, 7, PEERS)
    sizes = QUICK_SIZES if args.quick else SIZES
    layer = QUICK_ATTENTION if args.quick else ATTENTION
    sizes = {k: layer if k == "attention" else sizes for k in KINDS}
    results = [
        measure(kind, sizes[kind], args.peers, args.rounds) for kind in KINDS
    ]
    report.publish("memory", args, results, row, sizes=sizes)


if __name__ == "__main__":
    main()
