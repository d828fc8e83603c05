"""The report of a benchmark: medians, the machine, the versions, the date.

How functions are timed: `keras_seq.evaluation.time_interleaved`.
"""

import argparse
import datetime
import importlib.metadata
import importlib.util
import json
import os
import pathlib
import platform
import statistics

import keras

import keras_seq


def summary(seconds):
    """Return the median, the fastest and the slowest tenth, in seconds."""
    ordered = sorted(seconds)
    tenth = len(ordered) // 10
    return {
        "median": statistics.median(ordered),
        "p10": ordered[tenth],
        "p90": ordered[-1 - tenth],
        "rounds": len(ordered),
    }


def machine():
    """Name the processor, its usable cores, a GPU, the system and Python."""
    return {
        "cpu": _processor(),
        "cores": cores(),
        "accelerator": accelerator(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def _processor():
    """Return the model of the processor (`platform` has it only on macOS)."""
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def cores():
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def accelerator():
    """Name the GPU that Keras runs on; None where it runs on the processor."""
    backend = keras.backend.backend()
    if backend == "torch":
        import torch

        there = torch.cuda.is_available()
        return torch.cuda.get_device_name() if there else None
    if backend == "jax":
        import jax

        device = jax.devices()[0]
        return None if device.platform == "cpu" else device.device_kind
    import tensorflow as tf

    for device in tf.config.list_physical_devices("GPU"):
        details = tf.config.experimental.get_device_details(device)
        return details.get("device_name", device.name)
    return None


PACKAGES = {"keras_hub": "keras-hub"}  # names for pip


def arguments(doc, rounds, peers=None, dtypes=None, options=None):
    """Read a benchmark's command line: rounds, quick, out, peers and dtypes.

    Args:
        doc: str, the benchmark's docstring.
        rounds: int > 0, the default.
        peers: optional names of all that it can be compared with; without
            them it takes no --peers.
        dtypes: optional names of the precisions it measures; without them it
            takes no --dtypes. (A processor without bfloat16 takes very long.)
        options: optional dict of the name of one more option to its default.
    """
    parser = argparse.ArgumentParser(description=doc.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--quick", action="store_true", help="does it run?")
    parser.add_argument(
        "--out", help="default: results/benchmarks/NAME-BACKEND.json"
    )
    if peers:
        parser.add_argument(
            "--peers",
            type=lambda text: _known(text.split(","), peers),
            help=f"of {','.join(peers)}; default: those installed",
        )
    if dtypes:
        parser.add_argument(
            "--dtypes",
            type=lambda text: _known(text.split(","), dtypes),
            default=list(dtypes),
            help=f"of {','.join(dtypes)}; default: all",
        )
    for name, default in (options or {}).items():
        parser.add_argument(f"--{name}", default=default)
    args = parser.parse_args()
    if peers and args.peers is None:
        args.peers = installed(peers)
    return args


def _known(names, peers):
    if unknown := set(names) - set(peers):
        raise argparse.ArgumentTypeError(f"unknown: {sorted(unknown)}")
    return names


def publish(name, args, results, row, **settings):
    """Print the results as a table and save them.

    Args:
        name: str, the benchmark.
        args: as returned by `arguments`.
        results: list of dict.
        row: function of a result to a dict, its line of the table.
        settings: more entries of the file, such as sizes.
    """
    backend = keras.backend.backend()
    peers = [PACKAGES.get(peer, peer) for peer in getattr(args, "peers", ())]
    peers += ["torch"] * ("transformers" in peers)  # which it runs on
    packages = dict.fromkeys(["keras", backend, *peers, "numpy"])
    print(f"Medians of {args.rounds} rounds, Keras on {backend}, {settings}")
    print(table([row(result) for result in results]))
    quick = "-quick" if args.quick else ""
    if backend == "tensorflow":
        settings["onednn"] = os.environ["TF_ENABLE_ONEDNN_OPTS"] != "0"
    write(
        args.out or f"results/benchmarks/{name}-{backend}{quick}.json",
        backend=backend,
        versions={"keras_seq": keras_seq.__version__, **versions(*packages)},
        **settings,
        results=results,
    )


def installed(names):
    """Return the names that can be imported; print the others."""
    there = [n for n in names if importlib.util.find_spec(n)]
    absent = [n for n in names if n not in there]
    if absent:
        print(f"Skipped, not installed: {', '.join(absent)}")
    return there


def versions(*packages):
    """Return the installed version of each package, as a dict."""
    return {name: importlib.metadata.version(name) for name in packages}


def write(path, **content):
    """Write content, with the date and the machine, as a JSON file.

    Args:
        path: the file; its folder is created.
        content: values that JSON can hold.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    today = datetime.date.today().isoformat()
    content = {"date": today, "machine": machine(), **content}
    path.write_text(
        json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8"
    )


def table(rows):
    """Format dicts with the same keys as aligned lines of text."""
    cells = [list(rows[0]), *[[str(v) for v in row.values()] for row in rows]]
    widths = [max(map(len, column)) for column in zip(*cells)]
    lines = [
        "  ".join(cell.rjust(width) for cell, width in zip(line, widths))
        for line in cells
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])
