"""The options of an experiment, and what its --help prints."""

import argparse
import itertools
import sys
from pathlib import Path

RESERVED = (
    *("quick", "data", "epochs", "seed", "out", "dtype", "resume", "devices"),
    *("experiment", "backend", "seconds", "params", "versions"),
    *("num_devices", "metrics", "baselines", "help"),
)


def check_arguments(arguments):
    """Raise a ValueError for an extra option with a bad or reserved name."""
    for key in arguments:
        if not key.isidentifier() or key in RESERVED:
            raise ValueError(
                "`arguments` must have names that are Python identifiers and "
                f"not reserved. Received {key!r}."
            )


def in_notebook():
    """Return whether the command line is that of a Jupyter kernel.

    A kernel is started as `ipykernel_launcher.py -f connection.json` (Colab:
    `colab_kernel_launcher.py`), and its arguments are not those of a script.
    """
    return Path(sys.argv[0]).stem.endswith("kernel_launcher")


def description():
    """Return the first cell of the script that runs, without "# ": str.

    The script is one of cells that starts with "# %% [markdown]" and lines of
    comments; the description of another script is "".
    """
    path = Path(sys.argv[0])
    if path.suffix != ".py" or not path.is_file():
        return ""
    first, *lines = path.read_text("utf-8").split("\n")
    if first != "# %% [markdown]":
        return ""
    lines = itertools.takewhile(lambda line: line.startswith("#"), lines)
    return "\n".join(line[2:].removeprefix("# ") for line in lines)


def make_parser(name, data, epochs, arguments, devices):
    """Return the argparse parser of an experiment."""
    parser = argparse.ArgumentParser(
        name,
        description=description(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    usual = ", ".join(f"{epochs[each]} ({each})" for each in data)
    out, dtypes = Path("runs") / name, ("float32", "mixed_bfloat16")
    add("--quick", action="store_true", help="a trial run, under 30 s")
    add("--data", choices=data, default=data[0], help=f"default: {data[0]}")
    add("--epochs", type=int_from(1), metavar="N", help=f"default: {usual}")
    add("--seed", type=int_from(0), default=0, metavar="N", help="default: 0")
    add("--out", type=Path, default=out, metavar="DIR", help=f"default: {out}")
    add("--dtype", choices=dtypes, default=dtypes[0])
    add("--resume", action="store_true", help="continue an interrupted run")
    parser.set_defaults(devices=None)
    if devices:
        add(
            "--devices",
            choices=("data", "model"),
            help="train on all devices: split the batch or the model (JAX)",
        )
    for key, settings in arguments.items():
        add(f"--{key}", **settings)
    return parser


def int_from(least):
    """Return an argparse type: an int >= `least`."""

    def integer(text):
        if int(text) < least:
            raise argparse.ArgumentTypeError(f"{text} is below {least}")
        return int(text)

    return integer
