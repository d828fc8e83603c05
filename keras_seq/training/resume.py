"""Save the state of an interrupted training run and continue from it.

    folder/run.json                        options, seconds, and for each stage:
        epochs completed, learning curves, states of the random seeds
    folder/STAGE/epoch_N.weights.h5        weights and optimizer after epoch N

A stage is one call of `fit`. Keras's `BackupAndRestore` restores one `fit`;
this adds curves and time over all parts of a run, several fits in one script,
and the random states of dropout. Every file is written under another name and
then renamed, and `run.json` is written last. A write that fails (a full disk)
or a process that is killed therefore leaves the last complete backup.

Several processes (`keras.distribution.initialize`) share the folder: the first
writes, and all of them read when the run is resumed.
"""

import json
import time
from pathlib import Path

import keras
import numpy as np

from keras_seq import checks
from keras_seq.training.distribution import (
    is_first_process,
    without_distribution,
)


def replace_file(path, write):
    """Write a file under another name, then rename it to `path`.

    Args:
        path: Path of the file. If writing fails, it stays as it was.
        write: function of a Path, writes the file there.
    """
    unfinished = path.with_name(f"unfinished.{path.name}")
    try:
        with without_distribution():
            write(unfinished)
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


class Progress:
    """Keep the state of a run in a folder, and read it again.

    Args:
        folder: Path, created when the first stage begins.
        options: dict of str, int or bool, the options that two parts of one
            run must share.
        resume: bool. If False, the state of an earlier run is deleted.
    Raises:
        ValueError: if `resume` finds a run with other options, or a damaged
            file.
    """

    def __init__(self, folder, options, resume):
        self.folder, self.begun = folder, set()
        self.page = {"options": options, "seconds": 0.0, "stages": {}}
        self.start = time.perf_counter()
        # Of several processes, one alone deletes the state of an earlier run.
        reads = resume or is_first_process()
        if reads and (folder / "run.json").exists():
            past = read_page(folder / "run.json")
            if not resume:
                delete_state(folder, past["stages"])
            elif past["options"] != options:
                raise ValueError(
                    "`resume` must continue the same run. Received "
                    f"{options}, but {folder} holds {past['options']}."
                )
            else:
                self.page = past
        stages = self.page["stages"].items()
        self.earlier = {name: stage["epochs"] for name, stage in stages}

    @property
    def seconds(self):
        """float, the time since the start, earlier parts included."""
        return self.page["seconds"] + time.perf_counter() - self.start

    def callbacks(self, stage, every=1):
        """Return the callbacks that make a `fit` resumable."""
        checks.positive_int(every=every)
        if (
            not isinstance(stage, str)
            or Path(stage).name != stage
            or stage in ("", "..")
        ):
            raise ValueError(
                f"`stage` must be a file name. Received stage={stage!r}."
            )
        if stage in self.begun:  # it would restore the weights of the first fit
            raise ValueError(
                f"`stage` must be new for each fit. Received stage={stage!r}."
            )
        self.begun.add(stage)
        if stage not in self.page["stages"]:
            self.page["stages"][stage] = {
                "epochs": 0,
                "finished_at": None,  # epochs of a fit that has ended
                "seconds": 0.0,
                "seeds": [],
                "history": {},
            }
        self.write()
        return [Backup(self, stage, every)]

    def epochs_done(self, stage):
        """Return the epochs of a stage completed in earlier parts: int."""
        return self.earlier.get(stage, 0)

    def history(self, stage):
        """Return the curves of a stage, each epoch once, in order."""
        if stage not in self.page["stages"]:
            raise ValueError(
                f"`stage` must have begun. Received stage={stage!r}."
            )
        return self.page["stages"][stage]["history"]

    def write(self):
        """Write the state to disk in one step, in the first process."""
        if not is_first_process():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        page = json.dumps({**self.page, "seconds": self.seconds})
        replace_file(
            self.folder / "run.json",
            lambda file: file.write_text(page, "utf-8"),
        )


def read_page(page):
    """Read the file that `Progress.write` wrote; name it if it is damaged."""
    try:
        past = json.loads(page.read_text(encoding="utf-8"))
        past["options"], past["seconds"], past["stages"].items()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{page} must hold the state of a run. Received a damaged file: "
            f"{error!r}. Delete it to start again."
        ) from error
    return past


def delete_state(folder, stages):
    """Delete the files that `Progress` and `Backup` wrote, and no others."""
    for stage in stages:
        for file in (folder / stage).glob("*epoch_*.weights.h5"):
            file.unlink()
    (folder / "run.json").unlink()
    for path in [*(folder / stage for stage in stages), folder]:
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def extended(history, rows):
    """Append rows of logs to curves; NaN where an epoch lacks a quantity."""
    names = {**history, **{name: 0 for row in rows for name in row}}
    length = len(history.get("epoch", ()))
    return {
        name: [
            *history.get(name, [np.nan] * length),
            *(float(row.get(name, np.nan)) for row in rows),
        ]
        for name in names
    }


def random_states(model):
    """List the variables that are not weights: the states of random seeds."""
    kept = {id(weight) for weight in model.weights}
    return [v for v in model.variables if id(v) not in kept]


class Backup(keras.callbacks.Callback):
    """Save the state of a `fit` every few epochs, and restore it.

    Args:
        progress: Progress, the run.
        stage: str, the name of this `fit`.
        every: int > 0, epochs from one backup to the next. Default 1.
    """

    def __init__(self, progress, stage, every=1):
        super().__init__()
        self.progress, self.every = progress, every
        self.folder = progress.folder / stage
        self.stage = progress.page["stages"][stage]
        self.rows = []  # logs of the epochs since the last backup

    def weights_file(self, epochs):
        """Return the Path of the weights after this number of epochs."""
        return self.folder / f"epoch_{epochs}.weights.h5"

    def on_train_begin(self, logs=None):
        self.clock = time.perf_counter()
        if not self.model.built:
            raise ValueError(
                "The model must be built before a resumable `fit`: call it on "
                f"a batch first. Received model={self.model!r}."
            )
        # TensorFlow traces a step twice if the step itself creates variables,
        # and tracing a Transformer takes longer than some epochs.
        if not self.model.optimizer.built:
            self.model.optimizer.build(self.model.trainable_variables)
        done = self.stage["epochs"]
        if done:
            self.model.load_weights(self.weights_file(done))
            states = zip(random_states(self.model), self.stage["seeds"])
            for variable, state in states:
                variable.assign(np.array(state, variable.dtype))
        if self.stage["finished_at"] == self.params["epochs"]:
            done = self.params["epochs"]  # it may have stopped early
        # The attribute that Keras's `BackupAndRestore` sets: a callback has no
        # public way to change the first epoch.
        self.model._initial_epoch = done

    def on_epoch_end(self, epoch, logs=None):
        self.rows.append({"epoch": epoch, **(logs or {})})
        last = epoch + 1 == self.params["epochs"]
        if last or not (epoch + 1) % self.every:
            self.back_up()

    def back_up(self):
        """Save weights, then the curves, seeds and number of epochs."""
        epochs = self.rows[-1]["epoch"] + 1
        if is_first_process():
            self.folder.mkdir(parents=True, exist_ok=True)
            replace_file(self.weights_file(epochs), self.model.save_weights)
        before, self.clock = self.clock, time.perf_counter()
        self.stage["seconds"] += self.clock - before
        self.stage["seeds"] = [
            keras.ops.convert_to_numpy(variable).tolist()
            for variable in random_states(self.model)
        ]
        self.stage["history"] = extended(self.stage["history"], self.rows)
        self.stage["epochs"], self.rows = epochs, []
        self.progress.write()
        if is_first_process():
            self.delete_all_but(self.weights_file(epochs))

    def delete_all_but(self, kept):
        """Delete the weights of earlier backups."""
        for file in self.folder.glob("epoch_*.weights.h5"):
            if file != kept:
                file.unlink()

    def on_train_end(self, logs=None):
        if self.rows:  # it stopped early
            self.back_up()
        self.stage["finished_at"] = self.params["epochs"]
        self.progress.write()
        # The next `fit` of this model, another stage, starts at epoch 0.
        self.model._initial_epoch = None
