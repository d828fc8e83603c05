"""What a stopped run needs to go on: its log, its weights, its clock.

    folder/run.json       options, seconds so far, the stages begun, their seeds
    folder/STAGE.csv      a line per finished epoch
    folder/STAGE/         weights, optimizer and epoch (Keras's backup)

A stage is one `fit`. Keras's BackupAndRestore does the work; this file adds
what it lacks: curves and clock over all parts, several fits in one script, and
what dropout would have drawn.
"""

import csv
import json
import time
from pathlib import Path

import keras
import numpy as np

from keras_seq import checks

EPOCH = "training_metadata.json"  # what Keras calls it


class Progress:
    """Keep the state of a run in a folder, and find it again.

    Args:
        folder: Path, made when the first stage begins.
        options: dict of str, int or bool, what makes two runs the same.
        resume: bool. False: what an earlier run noted here is deleted.
    Raises:
        ValueError: if `resume` finds a run with other options.
    """

    def __init__(self, folder, options, resume):
        self.folder, self.resume, self.begun = folder, resume, set()
        self.page = {
            "options": options,
            "seconds": 0.0,
            "stages": [],
            "done": {},  # stage -> epochs asked for
            "fitted": {},  # stage -> seconds in its fit
            "seeds": {},  # stage -> epochs done, the states of what draws
        }
        self.start = time.perf_counter()
        if not (folder / "run.json").exists():
            return
        past = _read(folder / "run.json")
        if not resume:
            forget(folder, past["stages"])
        elif past["options"] != options:
            raise ValueError(
                "`resume` must go on with the same run. Received "
                f"{options}, but {folder} holds {past['options']}."
            )
        else:
            self.page |= past

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
        if stage in self.begun:  # it would restore the first fit's weights
            raise ValueError(
                f"`stage` must be new for each fit. Received stage={stage!r}."
            )
        self.begun.add(stage)
        self.page["stages"] = sorted(self.begun.union(self.page["stages"]))
        self.write()
        # The log first: a run killed between the two repeats an epoch, which
        # `history` sees; the other way round the log would lack one.
        log = self.folder / f"{stage}.csv"
        return [
            keras.callbacks.CSVLogger(log, append=self.resume),
            Backup(self, stage, every),
        ]

    def epochs_done(self, stage):
        """Count the epochs of a stage that its backup has: int."""
        for name in (EPOCH, f"{EPOCH}.bkp"):
            page = self.folder / stage / name
            if self.resume and page.exists():
                return json.loads(page.read_text(encoding="utf-8"))["epoch"]
        return 0

    def history(self, stage):
        """Return the curves of a stage, each epoch once, in order."""
        log = self.folder / f"{stage}.csv"
        if not log.exists():
            raise ValueError(
                f"`stage` must have begun. Received stage={stage!r}."
            )
        with open(log, newline="") as file:
            rows = {int(row["epoch"]): row for row in csv.DictReader(file)}
        rows = [rows[epoch] for epoch in sorted(rows)]
        # CSVLogger invents val_ columns, full of "NA", where there are none.
        names = rows and [
            name for name in rows[0] if any(row[name] != "NA" for row in rows)
        ]
        return {
            name: [float(row[name].replace("NA", "nan")) for row in rows]
            for name in names
        }

    def write(self):
        """Note the clock and the stages, in one stroke."""
        self.folder.mkdir(parents=True, exist_ok=True)
        page = json.dumps({**self.page, "seconds": self.seconds})
        (self.folder / "run.tmp").write_text(page, encoding="utf-8")
        (self.folder / "run.tmp").replace(self.folder / "run.json")


def _read(page):
    """Read what `Progress.write` wrote; name the file if it is damaged."""
    try:
        past = json.loads(page.read_text(encoding="utf-8"))
        past["options"], past["stages"], past["seconds"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{page} must hold the state of a run. Received a damaged one: "
            f"{error!r}. Delete it to begin anew."
        ) from error
    return past


def _drawers(model):
    """List the states of what draws: Keras's backup leaves them out."""
    kept = {id(weight) for weight in model.weights}
    return [v for v in model.variables if id(v) not in kept]


class Backup(keras.callbacks.BackupAndRestore):
    """Save the state of a fit every few epochs, and the run's clock."""

    def __init__(self, progress, stage, every=1):
        super().__init__(
            progress.folder / stage,
            double_checkpoint=True,
            delete_checkpoint=False,
        )
        self.progress = progress
        self.stage, self.every, self.ahead = stage, every, None

    def on_train_begin(self, logs=None):
        self.clock = time.perf_counter()
        folder = self.progress.folder / self.stage
        if not any(folder.glob("*.json*")):  # killed in its first backup
            (folder / "latest.weights.h5").unlink(missing_ok=True)
        super().on_train_begin(logs)
        # TensorFlow traces a step twice if the step itself makes variables,
        # and a Transformer's takes longer to trace than some epochs.
        if not self.model.optimizer.built:
            self.model.optimizer.build(self.model.trainable_variables)
        done, seeds = self.progress.page["seeds"].get(self.stage, (0, ()))
        if done and done == self.progress.epochs_done(self.stage):
            for variable, state in zip(_drawers(self.model), seeds):
                variable.assign(np.array(state, variable.dtype))
        epochs = self.params["epochs"]
        if self.progress.page["done"].get(self.stage) == epochs:
            self.model._initial_epoch = epochs  # it had stopped early

    def on_epoch_end(self, epoch, logs=None):
        last = epoch + 1 == self.params["epochs"]
        if (epoch + 1) % self.every and not last:
            self.ahead = epoch  # of the backup
        else:
            self.back_up(epoch)

    def back_up(self, epoch):
        self.ahead = None
        super().on_epoch_end(epoch)
        before, self.clock = self.clock, time.perf_counter()
        fitted = self.progress.page["fitted"]
        spent = fitted.get(self.stage, 0.0) + self.clock - before
        fitted[self.stage] = spent
        seeds = [
            keras.ops.convert_to_numpy(variable).tolist()
            for variable in _drawers(self.model)
        ]
        self.progress.page["seeds"][self.stage] = epoch + 1, seeds
        self.progress.write()

    def on_train_end(self, logs=None):
        if self.ahead is not None:  # it stopped early
            self.back_up(self.ahead)
        super().on_train_end(logs)
        self.progress.page["done"][self.stage] = self.params["epochs"]
        self.progress.write()
        # Keras leaves the restored epoch on the model, and the model's next
        # fit, another stage, would start there.
        self.model._initial_epoch = None


def forget(folder, stages):
    """Delete what `Progress` and its backups wrote, and no other file."""
    weights = "latest.weights.h5"
    for stage in stages:
        for file in (weights, f"{weights}.bkp", EPOCH, f"{EPOCH}.bkp"):
            (folder / stage / file).unlink(missing_ok=True)
        (folder / f"{stage}.csv").unlink(missing_ok=True)
    (folder / "run.json").unlink()
    for path in [*(folder / stage for stage in stages), folder]:
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
