"""Cost of a training step as a function of length, batch, width and devices.

    KERAS_BACKEND=tensorflow python -m benchmarks.scaling
    KERAS_BACKEND=jax python -m benchmarks.scaling

An LSTM, a GRU and an encoder block of the Transformer of one width; one of the
sizes changes, the others are those of `SIZES`. On JAX the batch is also split
among simulated devices (`keras.distribution.DataParallel`): they share the
cores of the machine, so this shows what the splitting costs, not what more
devices gain.

Shapes: B batch, T length, D width.
"""

import json
import os
import subprocess
import sys

import keras
import numpy as np

from benchmarks import contenders, report
from benchmarks.tables import RESULTS
from keras_seq import plots
from keras_seq.evaluation import time_interleaved
from keras_seq.layers import GRU, LSTM, TransformerEncoder

SIZES = {"length": 64, "batch": 16, "width": 128}
CHANGED = {
    "length": (16, 32, 64, 128, 256, 512, 1024),
    "batch": (1, 2, 4, 8, 16, 32, 64, 128),
    "width": (32, 64, 128, 256, 512),
}
QUICK = {"length": (2, 3), "batch": (1, 2), "width": (4, 8)}
DEVICES, QUICK_DEVICES = (1, 2, 4), (1, 2)
LAYERS = {
    "LSTM": lambda D: LSTM(D, return_sequences=True),
    "GRU": lambda D: GRU(D, return_sequences=True),
    "encoder block": lambda D: TransformerEncoder(4 * D, max(D // 32, 1)),
}
UNITS = {
    "length": "time steps",
    "batch": "rows of a batch",
    "width": "units",
    "devices": "devices",
}


def contender(name, sizes):
    """Make a layer of these sizes, ready to be timed."""
    B, T, D = (sizes[key] for key in ("batch", "length", "width"))
    x = np.random.default_rng(0).normal(size=(B, T, D)).astype("float32")
    layer = LAYERS[name](D)
    layer.build(x.shape)
    return contenders.of_keras(layer, x)


def measure(axis, values, rounds):
    """Time one training step of each layer and each value of one size.

    Returns:
        dict: `axis, values, seconds{layer: list of summary}`.
    """
    sizes = [{**SIZES, axis: value} for value in values]
    calls = {
        (name, n): contender(name, each).step
        for name in LAYERS
        for n, each in enumerate(sizes)
    }
    found = time_interleaved(calls, rounds, warmup=2)
    return {
        "axis": axis,
        "values": list(values),
        "seconds": {
            name: [report.summary(found[name, n]) for n in range(len(values))]
            for name in LAYERS
        },
    }


def on_devices(count, rounds):
    """Time `fit`'s step of an encoder with its batch split among devices."""
    keras.distribution.set_distribution(
        keras.distribution.DataParallel(
            devices=keras.distribution.list_devices()[:count]
        )
    )
    B, T, D = (SIZES[key] for key in ("batch", "length", "width"))
    x = np.random.default_rng(0).normal(size=(B, T, D)).astype("float32")
    model = keras.Sequential([LAYERS["encoder block"](D)])
    model.build(x.shape)
    model.compile("sgd", "mse")
    calls = {"": lambda: model.train_on_batch(x, x)}
    return report.summary(time_interleaved(calls, rounds, warmup=2)[""])


def measure_devices(values, rounds):
    """Time each number of devices in a process of its own."""
    flags = os.environ.get("XLA_FLAGS", "")
    found = []
    for count in values:
        simulated = f"--xla_force_host_platform_device_count={count}"
        done = subprocess.run(
            [
                *(sys.executable, "-m", "benchmarks.scaling"),
                *("--devices", str(count), str(rounds)),
            ],
            env={**os.environ, "XLA_FLAGS": f"{flags} {simulated}"},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        found.append(json.loads(done.stdout.splitlines()[-1]))
    return {
        "axis": "devices",
        "values": list(values),
        "seconds": {"encoder block": found},
    }


def draw(result):
    """Draw a result: milliseconds over the changed size, both logarithmic."""
    lines = {
        name: [1000 * each["median"] for each in summaries]
        for name, summaries in result["seconds"].items()
    }
    figure = plots.curves(
        lines,
        ylabel="training step (ms)",
        xlabel=UNITS[result["axis"]],
        x=result["values"],
        log=True,
    )
    (axes,) = figure.axes
    axes.set_xscale("log", base=2)
    axes.set_xticks(result["values"], result["values"])
    return figure


def row(result):
    """Write a result as a line of the table."""
    cells = {"axis": result["axis"], "values": result["values"]}
    for name, summaries in result["seconds"].items():
        times = (f"{1000 * each['median']:.1f}" for each in summaries)
        cells[f"{name} ms"] = " ".join(times)
    return cells


def main():
    """Measure with the options of the command line; print, save and draw."""
    if "--devices" in sys.argv:
        print(json.dumps(on_devices(*map(int, sys.argv[-2:]))))
        return
    args = report.arguments(__doc__, 11)
    axes = QUICK if args.quick else CHANGED
    results = [measure(*each, args.rounds) for each in axes.items()]
    if keras.backend.backend() == "jax":
        devices = QUICK_DEVICES if args.quick else DEVICES
        results.append(measure_devices(devices, args.rounds))
    report.publish("scaling", args, results, row, sizes=SIZES)
    if not args.quick:
        for result in results:
            name = f"scaling-{keras.backend.backend()}-{result['axis']}.png"
            draw(result).savefig(RESULTS / name, dpi=110)


if __name__ == "__main__":
    main()
