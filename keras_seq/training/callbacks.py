"""Callbacks for `fit`: print samples after each epoch, stop at a threshold."""

import sys

import keras

from keras_seq import checks


class SampleEachEpoch(keras.callbacks.Callback):
    """Print sample outputs of the model at the end of an epoch.

    For a translator, print the translations of a few held-out sentences:

        ids = source_tokenizer.tokenize(held_out[:3])
        SampleEachEpoch(lambda: target_tokenizer.detokenize(
            generate(model, ids, max_length=50).ids))

    Args:
        sample: function () -> str or list of str, one line each.
        every: int > 0, number of epochs between two samples. Default 1.
    Raises:
        ValueError: if `sample` is not callable or `every` is not an int > 0.
    Example:
        >>> sample = SampleEachEpoch(lambda: ["hello", "world"])
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> x = np.ones((4, 2))
        >>> history = model.fit(x, x[:, :1], verbose=0, callbacks=[sample])
        hello
        world
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

    # Keras completes its progress bar after the `on_epoch_end` of the user's
    # callbacks: text printed there would break the bar. Print one event later.
    def on_epoch_begin(self, epoch, logs=None):
        self.print_lines()

    def on_train_end(self, logs=None):
        self.print_lines()

    def print_lines(self):
        """Print the waiting lines, with "?" for unencodable characters."""
        encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        for line in self.lines:
            print(line.encode(encoding, "replace").decode(encoding))
        self.lines = []


class StopWhen(keras.callbacks.Callback):
    """Stop training when a logged quantity falls below a threshold.

    Args:
        monitor: str, name of a logged quantity, for example "val_loss".
        below: float, training stops at the end of the first epoch in which
            the quantity is below this threshold.
    Raises:
        ValueError: at the end of the first epoch, if no quantity of that name
            is logged.
    Example:
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> x = np.ones((4, 2))
        >>> stop = StopWhen("loss", below=1e9)
        >>> fit = model.fit(x, x, epochs=5, verbose=0, callbacks=[stop])
        >>> len(fit.epoch)
        1
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
