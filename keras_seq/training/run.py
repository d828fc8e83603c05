"""One run of a tutorial: its options, folder, clock and results file.

    run = Run("01_hello_rnn", data=("pydocs", "tinyshakespeare"), epochs=3)
    model.fit(x, y, epochs=run.epochs, callbacks=run.callbacks("lstm"))
    run.save(figure, "curves")
    run.finish(model, metrics={"loss_lstm": 1.6}, baselines={})

A script may be stopped anywhere and run again with --resume: each `fit` is a
stage that goes on at the epoch where it stopped, or is skipped when done.
"""

import argparse
import json
import math
import numbers
import platform
import sys
from pathlib import Path

import keras

from keras_seq import checks
from keras_seq.training.resume import Progress

RESERVED = (
    *("quick", "data", "epochs", "seed", "out", "dtype", "resume"),
    *("tutorial", "backend", "seconds", "params", "versions"),
    *("metrics", "baselines", "help"),
)


class Run:
    """Read a tutorial's command line, and keep its folder.

    Sets the seed of Python, NumPy and the backend. Without --resume, the
    state that an earlier run left in the folder is deleted, nothing else.

    Args:
        name: str, the tutorial, e.g. "01_hello_rnn".
        data: tuple of str, the choices of --data; the first is the default.
        epochs: int > 0, default 1, the default of --epochs (1 if --quick);
            or a dict, name of the data -> int > 0.
        arguments: optional dict, name of an option of this tutorial alone ->
            dict, what argparse's `add_argument` takes for "--NAME".
        argv: optional list of str, the command line. Default: the process's.
    Attributes:
        options: dict of what was given for `arguments`.
        quick: bool. data: str. epochs: int > 0. seed: int >= 0, default 0.
        resume: bool. out: Path, default runs/NAME, created.
        dtype: str, "float32" or, faster on some processors, by --dtype
            "mixed_bfloat16"; set as Keras's policy.
        jit_compile: for `compile`. True, with which small recurrent
            networks train faster, once compiled; "auto" on
            PyTorch and in a trial run.
    Raises:
        ValueError: if --resume meets a folder that holds another run, or
            `data` is no tuple of names.
        SystemExit: from argparse, if the command line is wrong.
    """

    def __init__(self, name, data, *, epochs=1, arguments=None, argv=None):
        if not checks.strings(data=data):
            raise ValueError(f"`data` must be names. Received data={data!r}.")
        if not isinstance(epochs, dict):
            epochs = dict.fromkeys(data, epochs)
        if not epochs.keys() >= set(data):
            raise ValueError(
                f"`epochs` must have each of {tuple(data)}. Received "
                f"epochs={epochs!r}."
            )
        for each in epochs.values():
            checks.positive_int(epochs=each)
        arguments = arguments or {}
        for key in arguments:
            if not key.isidentifier() or key in RESERVED:
                raise ValueError(
                    "`arguments` must have names of their own, as in Python. "
                    f"Received {key!r}."
                )
        options = command_line(name, data, arguments).parse_args(argv)
        self.options = {key: getattr(options, key) for key in arguments}
        self.name = name
        self.quick, self.data = options.quick, options.data
        usual = 1 if self.quick else epochs[self.data]
        self.epochs = options.epochs or usual
        self.seed, self.resume = options.seed, options.resume
        self.dtype = options.dtype
        self.out = options.out
        torch = keras.backend.backend() == "torch"
        self.jit_compile = "auto" if torch or self.quick else True
        self.out.mkdir(parents=True, exist_ok=True)
        fixed = ("name", "data", "quick", "seed", "dtype")
        same = {key: vars(self)[key] for key in fixed}
        same |= {  # a flag changes nothing in what is trained
            key: self.options[key]
            for key, settings in arguments.items()
            if settings.get("action") != "store_true"
        }
        self.progress = Progress(self.out / "resume", same, self.resume)
        keras.utils.set_random_seed(self.seed)
        keras.config.set_dtype_policy(self.dtype)
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="replace")  # "?", not a crash

    def callbacks(self, stage, every=1):
        """Return the callbacks that make one `fit` resumable.

        Args:
            stage: str, a name for this `fit`, another one for each. Its
                model must be built (call it on a batch) before `fit`, and
                made and compiled alike in every part of the run.
            every: int > 0, epochs from one backup to the next, beside the
                last one: more, where an epoch takes no longer than to save
                it. Default 1.
        Returns:
            list of callbacks. With --resume, an unfinished stage goes on
            after its last backup; a finished one gets its weights and
            optimizer back and trains no more.
        """
        return self.progress.callbacks(stage, every)

    def epochs_done(self, stage):
        """Count the epochs of a stage in earlier parts of the run: int.

        Who draws other data each epoch goes on from there.
        """
        return self.progress.epochs_done(stage)

    def history(self, stage):
        """Return the curves of a stage over all parts of the run.

        Args:
            stage: str, as given to `callbacks`, after its `fit`.
        Returns:
            dict: "epoch" and each logged quantity -> list of float, an entry
            per epoch; NaN where an epoch did not measure it.
        """
        return self.progress.history(stage)

    def seconds(self, stage):
        """Return the seconds of a stage's `fit`, over all parts of the run."""
        fitted = self.progress.page["fitted"]
        checks.one_of(tuple(fitted), stage=stage)
        return fitted[stage]

    def save(self, figure, name):
        """Write a matplotlib figure to NAME.png in the run's folder."""
        figure.savefig(self.out / f"{name}.png", dpi=150, bbox_inches="tight")

    def finish(self, model, metrics, baselines, expected=None):
        """Save the model, write results.json and print the table.

        Args:
            model: keras.Model, built, saved as model.keras; or None.
            metrics: dict, str -> finite number, the held-out results.
            baselines: dict alike; a metric's own name puts it beside that.
            expected: optional dict, str -> number or str, what to hope for.
        Raises:
            ValueError: if a number is NaN or infinite, by its name.
        """
        if model is not None:
            model.save(self.out / "model.keras")
        results = {
            "tutorial": self.name,
            "data": self.data,
            "backend": keras.backend.backend(),
            "seed": self.seed,
            "dtype": self.dtype,
            **self.options,
            "epochs": self.epochs,
            "quick": self.quick,
            "seconds": round(self.progress.seconds, 1),
            "params": None if model is None else model.count_params(),
            "versions": versions(),
            "metrics": metrics,
            "baselines": baselines,
        }
        write_results(self.out / "results.json", results)
        print(table(metrics, baselines, expected or {}))


def command_line(name, data, arguments):
    """Return the argparse parser of a tutorial."""
    parser = argparse.ArgumentParser(name)
    add = parser.add_argument
    add("--quick", action="store_true", help="a trial run, under 30 s")
    add("--data", choices=data, default=data[0])
    add("--epochs", type=int_from(1), metavar="N")
    add("--seed", type=int_from(0), default=0, metavar="N")
    add("--out", type=Path, default=Path("runs") / name, metavar="DIR")
    add("--dtype", choices=("float32", "mixed_bfloat16"), default="float32")
    add("--resume", action="store_true", help="go on with a stopped run")
    for key, settings in arguments.items():
        add(f"--{key}", **settings)
    return parser


def int_from(least):
    """Return an argparse type: an int of at least `least`."""

    def integer(text):
        if int(text) < least:
            raise argparse.ArgumentTypeError(f"{text} is below {least}")
        return int(text)

    return integer


def versions():
    """Return dict of str: the releases of Python, Keras and the backend."""
    return {
        "python": platform.python_version(),
        "keras": keras.__version__,
        "backend": sys.modules[keras.backend.backend()].__version__,
    }


def write_results(path, results):
    """Write results as UTF-8 JSON, floats to six significant digits.

    Args:
        path: Path or str of the file.
        results: dict of str, bool, None, finite numbers, and such dicts.
    Raises:
        ValueError: if a value is something else, NaN or infinity included.
    """
    clean = {key: rounded(key, value) for key, value in results.items()}
    text = json.dumps(clean, ensure_ascii=False, indent=2)
    Path(path).write_text(text + "\n", encoding="utf-8")


def rounded(name, value):
    """Return a value of the results as JSON should show it."""
    if isinstance(value, dict):
        return {k: rounded(f"{name}[{k!r}]", v) for k, v in value.items()}
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    if hasattr(value, "dtype") and not getattr(value, "shape", None):
        value = float(value)  # a bfloat16 scalar is no numbers.Real
    if isinstance(value, numbers.Real) and math.isfinite(value):
        return float(f"{value:.6g}")
    raise ValueError(
        f"`{name}` must be a finite number. Received {name}={value!r}."
    )


def table(*columns):
    """Lay out dicts of metrics, baselines, expectations as aligned text."""
    rows = [("metric", "value", "baseline", "expected")]
    for name in dict.fromkeys(name for column in columns for name in column):
        rows.append((name, *(shown(column.get(name)) for column in columns)))
    w = [max(len(row[i]) for row in rows) for i in range(4)]
    line = f"{{:<{w[0]}}}  {{:>{w[1]}}}  {{:>{w[2]}}}  {{:>{w[3]}}}"
    return "\n".join(line.format(*row).rstrip() for row in rows)


def shown(value):
    """Return a cell of the table: five digits of a float, "" for nothing."""
    exact = isinstance(value, (str, numbers.Integral))
    return "" if value is None else str(value) if exact else f"{value:.5g}"
