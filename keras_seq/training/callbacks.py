"""Watch a fit: hear a sample after each epoch, stop when it is solved."""

import sys

import keras

from keras_seq import checks


class SampleEachEpoch(keras.callbacks.Callback):
    """Print what the model says at the end of an epoch.

    A translator may show a few held-out lines:

        ids = source_tokenizer.tokenize(held_out[:3])
        SampleEachEpoch(lambda: target_tokenizer.detokenize(
            generate(model, ids, max_length=50).ids))

    Args:
        sample: function () -> str or list of str, one per line.
        every: int > 0, default 1, epochs between two samples.
    Raises:
        ValueError: if `sample` is not callable or `every` no int > 0.
    """

    def __init__(self, sample, every=1):
        super().__init__()
        checks.positive_int(every=every)
        if not callable(sample):
            raise ValueError(
                f"`sample` must be a function. Received sample={sample!r}."
            )
        self.sample = sample
        self.every = every
        self.lines = []

    def on_epoch_end(self, epoch, logs=None):
        if (epoch + 1) % self.every == 0:
            text = self.sample()
            self.lines = [text] if isinstance(text, str) else list(text)

    # Keras finishes its bar after the user's on_epoch_end has run: what is
    # printed there lands in the middle of the bar. So print one event later.
    def on_epoch_begin(self, epoch, logs=None):
        self.print_lines()

    def on_train_end(self, logs=None):
        self.print_lines()

    def print_lines(self):
        """Print the lines that wait, "?" for what stdout cannot encode."""
        encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        for line in self.lines:
            print(line.encode(encoding, "replace").decode(encoding))
        self.lines = []


class StopWhen(keras.callbacks.Callback):
    """Stop at the end of the epoch in which a quantity is low enough.

    Args:
        monitor: str, a logged quantity, e.g. "val_loss".
        below: float, the fit stops when the quantity is below it.
    Raises:
        ValueError: at the first epoch's end, if nothing of that name is
            logged.
    """

    def __init__(self, monitor, below):
        super().__init__()
        self.monitor = monitor
        self.below = below

    def on_epoch_end(self, epoch, logs=None):
        if self.monitor not in (logs or {}):
            raise ValueError(
                f"`monitor` must be one of {sorted(logs or {})}. "
                f"Received monitor={self.monitor!r}."
            )
        if logs[self.monitor] < self.below:
            self.model.stop_training = True
