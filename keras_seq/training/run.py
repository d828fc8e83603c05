"""One run of an experiment: its options, its folder, its time, its results.

    run = Run("hello_rnn", data=("pydocs", "tinyshakespeare"), epochs=3)
    model.fit(x, y, epochs=run.epochs, callbacks=run.callbacks("lstm"))
    run.save(figure, "curves")
    run.finish(model, metrics={"loss_lstm": 1.6}, baselines={})

A script may be interrupted anywhere and continued with --resume: each `fit` is
a stage that continues after its last completed epoch, or is skipped if it is
finished.
"""

import contextlib
import sys

import keras

from keras_seq import checks
from keras_seq.training.command_line import (
    check_arguments,
    in_notebook,
    make_parser,
)
from keras_seq.training.distribution import (
    is_first_process,
    make_distribution,
)
from keras_seq.training.results import table, versions, write_results
from keras_seq.training.resume import Progress, replace_file


class Run:
    """Parse the command line of an experiment and manage its output folder.

    Sets the seed of Python, NumPy and the backend, and the dtype policy. The
    option --help prints the first cell of the script, which describes it.
    Without --resume, the saved state of an earlier run in the folder is
    deleted, and nothing else. In a notebook, the command line is that of the
    Jupyter kernel and is ignored: all options have their defaults, unless
    `argv` is given.

    Args:
        name: str, the experiment, for example "hello_rnn".
        data: tuple of str, the choices of --data; the first is the default.
        epochs: int > 0, default of --epochs (1 with --quick); or a dict, name
            of the data -> int > 0. Default 1.
        arguments: optional dict, name of an extra option -> dict of keyword
            arguments of argparse's `add_argument` for "--NAME".
        devices: bool, add the option --devices data|model, for a script that
            makes and trains its model inside `scope()`. Default False.
        argv: optional list of str, the command line. Default: that of the
            process; none in a notebook.
    Attributes:
        options: dict, values of the extra options.
        quick: bool, --quick was given.
        data: str, the value of --data.
        epochs: int > 0, number of epochs.
        seed: int >= 0, random seed. Default 0.
        resume: bool, --resume was given.
        devices: None, "data" or "model", the value of --devices.
        out: Path, output folder, created. Default runs/NAME.
        dtype: str, "float32" or "mixed_bfloat16", set as Keras's policy.
        jit_compile: value for `compile`: True, with which small recurrent
            networks train faster once compiled; "auto" on PyTorch. With
            --quick, "auto", and False on TensorFlow: XLA would compile for
            longer than a trial run trains.
    Raises:
        ValueError: if --resume finds another run in the folder, --devices is
            given on another backend than JAX, or `data`, `epochs` or
            `arguments` are not valid.
        SystemExit: from argparse, if the command line is wrong.
    Example:
        >>> import tempfile
        >>> folder = tempfile.mkdtemp()
        >>> run = Run("demo", data=("toy",), epochs=3, argv=["--out", folder])
        >>> run.epochs, run.data, run.seed
        (3, 'toy', 0)
    """

    def __init__(
        self,
        name,
        data,
        *,
        epochs=1,
        arguments=None,
        devices=False,
        argv=None,
    ):
        arguments = arguments or {}
        epochs = checked_epochs(data, epochs)
        check_arguments(arguments)
        if argv is None and in_notebook():
            argv = []
        parser = make_parser(name, data, epochs, arguments, devices)
        options = parser.parse_args(argv)
        self.options = {key: getattr(options, key) for key in arguments}
        self.name = name
        self.quick, self.data = options.quick, options.data
        usual = 1 if self.quick else epochs[self.data]
        self.epochs = options.epochs or usual
        self.seed, self.resume = options.seed, options.resume
        self.dtype, self.devices = options.dtype, options.devices
        self.distribution = make_distribution(self.devices)
        self.out = options.out
        self.jit_compile = self.choose_jit_compile()
        self.out.mkdir(parents=True, exist_ok=True)
        same = self.fixed_options(arguments)
        self.progress = Progress(self.out / "resume", same, self.resume)
        keras.utils.set_random_seed(self.seed)
        keras.config.set_dtype_policy(self.dtype)
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="replace")  # "?", not a crash

    def choose_jit_compile(self):
        """Return the value of `jit_compile`: bool or "auto"."""
        backend = keras.backend.backend()
        if self.quick:
            return False if backend == "tensorflow" else "auto"
        return "auto" if backend == "torch" else True

    def fixed_options(self, arguments):
        """Return the options that all parts of a run must share: dict.

        Flags do not change what is trained, and neither do the devices.
        """
        fixed = ("name", "data", "quick", "seed", "dtype")
        return {key: vars(self)[key] for key in fixed} | {
            key: self.options[key]
            for key, settings in arguments.items()
            if settings.get("action") != "store_true"
        }

    def scope(self):
        """Return the context in which a model is made and trained.

        With --devices, a model that is made and trained inside uses all
        devices; without it, or outside, it uses one.
        """
        if self.distribution is None:
            return contextlib.nullcontext()
        return self.distribution.scope()

    def callbacks(self, stage, every=1):
        """Return the callbacks that make one `fit` resumable.

        Args:
            stage: str, a unique name for this `fit`. Its model must be built
                (call it on a batch) before `fit`, and created and compiled in
                the same way in every part of the run.
            every: int > 0, epochs from one backup to the next; the last epoch
                is always saved. Use more than 1 if an epoch is shorter than
                saving it. Default 1.
        Returns:
            list of callbacks. With --resume, an unfinished stage continues
            after its last backup; a finished one gets its weights and
            optimizer back and is not trained.
        """
        return self.progress.callbacks(stage, every)

    def epochs_done(self, stage):
        """Return the epochs of a stage completed in earlier parts: int.

        Use it to continue data that differs from epoch to epoch.
        """
        return self.progress.epochs_done(stage)

    def history(self, stage):
        """Return the curves of a stage over all parts of the run.

        Args:
            stage: str, as given to `callbacks`, after its `fit`.
        Returns:
            dict: "epoch" and each logged quantity -> list of float, one per
            epoch; NaN where an epoch lacks the quantity.
        """
        return self.progress.history(stage)

    def seconds(self, stage):
        """Return the seconds of a stage's `fit`, over all parts of the run."""
        stages = self.progress.page["stages"]
        checks.one_of(tuple(stages), stage=stage)
        return stages[stage]["seconds"]

    def save(self, figure, name):
        """Write a matplotlib figure to NAME.png in the run's folder."""
        if not is_first_process():
            return
        figure.savefig(self.out / f"{name}.png", dpi=150, bbox_inches="tight")

    def finish(self, model, metrics, baselines, expected=None):
        """Save the model, write results.json and print the table.

        Of several processes, the first one does this.

        Args:
            model: keras.Model, built, saved as model.keras; or None.
            metrics: dict, str -> finite number, the held-out results.
            baselines: dict, str -> finite number; a baseline with the name of
                a metric is printed beside it.
            expected: optional dict, str -> number or str, expected results.
        Raises:
            ValueError: if a number is NaN or infinite, by its name.
        """
        if not is_first_process():
            return
        if model is not None:
            replace_file(self.out / "model.keras", model.save)
        results = {
            "experiment": self.name,
            "data": self.data,
            "backend": keras.backend.backend(),
            "seed": self.seed,
            "dtype": self.dtype,
            **self.options,
            "epochs": self.epochs,
            "quick": self.quick,
            "devices": self.devices,
            "num_devices": self.num_devices(),
            "seconds": round(self.progress.seconds, 1),
            "params": None if model is None else model.count_params(),
            "versions": versions(),
            "metrics": metrics,
            "baselines": baselines,
        }
        write_results(self.out / "results.json", results)
        print(table(metrics, baselines, expected or {}))

    def num_devices(self):
        """Return the number of devices on which the run trains: int."""
        used = self.distribution or keras.distribution.distribution()
        return used.device_mesh.devices.size if used else 1


def checked_epochs(data, epochs):
    """Return the default epochs as a dict, name of the data -> int > 0."""
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
    return epochs
