"""Batches of sequences: rows of like length together, or one long text cut up.

Padded to the longest row of all, most of a batch is padding; padded each to
its own longest row, every batch has a new shape, and JAX and XLA compile
anew for every shape. Between the two stand a few boundaries:

    8, 12, 16, 24, 32, 48, ...    # powers of two and the steps halfway

Shapes: N rows or windows, B batch, T length.
"""

import keras
import numpy as np

from keras_seq import checks


class BatchByLength(keras.utils.PyDataset):
    """Serve batches of rows of similar length, each row once an epoch.

    A row is as long as its longest sequence, inputs and targets alike, and
    every array of a batch is padded to one boundary; but an input "source"
    apart from the rest, each to the first boundary that holds those of all
    such rows: a short answer to a long text costs no long padding. Rows that
    do not fill a batch go with the longer ones of the next boundary. So every
    batch but one is full, and there is one shape per boundary, and one more.

    Args:
        inputs: N int sequences, or a dict of such lists.
        targets: N int sequences, or N labels, one a row.
        batch_size: int > 0, rows per batch.
        buckets: optional rising ints > 0, the boundaries. Default: those
            above, up to the first that holds the longest row.
        pad_id: int, default 0, fills the rest of a row.
        shuffle: bool, default True: other batches in another order each
            epoch. False: the rows of a boundary stay in the order given.
        seed: int >= 0, default 0. The same seed gives the same epochs.
    Returns:
        item i: (inputs, targets), int32 (B, T) each, the inputs a dict if
        they were one, "source" of a T of its own; labels stay (B,) and keep
        their dtype.
    Raises:
        ValueError: if the lists differ in length, hold anything but int
            sequences, or one is longer than the last of `buckets`.
    """

    def __init__(
        self,
        inputs,
        targets,
        batch_size,
        *,
        buckets=None,
        pad_id=0,
        shuffle=True,
        seed=0,
    ):
        super().__init__()
        checks.positive_int(batch_size=batch_size)
        self.batch_size, self.pad_id = batch_size, pad_id
        self.shuffle, self.seed, self.epoch = shuffle, seed, 0
        self.named = isinstance(inputs, dict)
        inputs = inputs if self.named else {"inputs": inputs}
        self.inputs = {
            name: checked(f"inputs[{name!r}]" if self.named else name, rows)
            for name, rows in inputs.items()
        }
        self.targets = checked("targets", targets, labels=True)
        lengths = row_lengths([*self.inputs.values(), self.targets])
        self.buckets = boundaries(buckets, lengths)
        self.bucket_of_row = np.searchsorted(self.buckets, lengths)
        apart = [x for name, x in self.inputs.items() if name == "source"]
        rest = [x for name, x in self.inputs.items() if name != "source"]
        if isinstance(self.targets, list):
            rest.append(self.targets)
        self.widths = [
            self.wide_enough(part or apart) for part in (apart, rest)
        ]
        self.batches = self.plan()

    def wide_enough(self, columns):
        """Give each bucket the first boundary that holds these columns."""
        if not columns:
            return self.buckets
        longest = np.zeros_like(self.buckets)
        np.maximum.at(longest, self.bucket_of_row, row_lengths(columns))
        longest = np.maximum.accumulate(longest)  # rows may come from before
        return self.buckets[np.searchsorted(self.buckets, longest)]

    def plan(self):
        """Return this epoch's batches, as (number of bucket, of its rows)."""
        random = np.random.default_rng([self.seed, self.epoch])
        batches, size = [], self.batch_size
        left = np.zeros(0, "int64")
        for bucket in np.unique(self.bucket_of_row):
            rows = np.flatnonzero(self.bucket_of_row == bucket)
            if self.shuffle:
                random.shuffle(rows)
            rows = np.concatenate([left, rows])
            full = len(rows) - len(rows) % size
            batches += [
                (bucket, some) for some in rows[:full].reshape(-1, size)
            ]
            left = rows[full:]
        if left.size:
            batches.append((bucket, left))
        if self.shuffle:
            batches = [batches[i] for i in random.permutation(len(batches))]
        # On TensorFlow, Keras looks at the first two batches and takes every
        # axis on which they agree for fixed. So they must not agree on one
        # that changes. (There are always two that do not.)
        shapes = np.stack(self.widths, axis=1)[[b for b, _ in batches]]
        most = (shapes != shapes[0]).any(axis=0).sum()
        for i in range(len(batches)):
            other = np.flatnonzero((shapes != shapes[i]).sum(axis=1) == most)
            if most and other.size:
                chosen = [i, other[0]]
                others = np.delete(np.arange(len(batches)), chosen)
                return [batches[j] for j in [*chosen, *others]]
        return batches

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        bucket, rows = self.batches[index]
        source, rest = (width[bucket] for width in self.widths)
        found = {
            name: gather(
                column, rows, source if name == "source" else rest, self.pad_id
            )
            for name, column in self.inputs.items()
        }
        targets = gather(self.targets, rows, rest, self.pad_id)
        return found if self.named else found["inputs"], targets

    def on_epoch_end(self):
        self.start_at(self.epoch + 1)

    def start_at(self, epoch):
        """Serve this epoch next, with its own batches in its own order.

        Args:
            epoch: int >= 0: 0 for a new `fit`, or as many as one that was
                stopped has done (`Run.epochs_done`).
        """
        checks.not_negative_int(epoch=epoch)
        self.epoch = epoch
        self.batches = self.plan()


def checked(name, rows, labels=False):
    """Check one list of sequences; return it as a list of int32 (T,).

    With `labels=True` a list of scalars is fine too, and comes back as one
    array (N,).
    """
    if labels and len(rows) and np.ndim(rows[0]) == 0:
        return np.asarray(rows)
    arrays = [np.asarray(row) for row in rows]
    for i, array in enumerate(arrays):
        if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
            raise ValueError(
                f"`{name}` must hold int sequences. Received {array.dtype} of "
                f"shape {array.shape} as row {i}."
            )
    return [array.astype("int32") for array in arrays]


def row_lengths(columns):
    """Return int (N,), each row's longest sequence; labels have none."""
    sizes = [len(column) for column in columns]
    if len(set(sizes)) > 1 or 0 in sizes:
        raise ValueError(
            "`inputs` and `targets` must have the same number of rows > 0. "
            f"Received {sizes} rows."
        )
    padded = [column for column in columns if isinstance(column, list)]
    return np.max([[len(row) for row in column] for column in padded], axis=0)


def boundaries(buckets, lengths):
    """Return int (K,): the given boundaries, checked, or the default ones."""
    longest = lengths.max()
    if buckets is None:
        steps = [n for k in range(3, 31) for n in (2**k, 3 * 2 ** (k - 1))]
        return np.array(steps[: np.searchsorted(steps, longest) + 1])
    buckets = np.array(buckets)
    if buckets.dtype.kind == "u":  # a difference of these cannot be negative
        buckets = buckets.astype("int64")
    rising = buckets.ndim == 1 and np.all(np.diff(buckets, prepend=0) > 0)
    if not buckets.size or buckets.dtype.kind != "i" or not rising:
        raise ValueError(
            "`buckets` must be rising ints > 0. "
            f"Received buckets={buckets.tolist()}."
        )
    if longest > buckets[-1]:
        raise ValueError(
            f"`buckets` must hold the longest row. Received {buckets[-1]} as "
            f"the last, and row {lengths.argmax()} of length {longest}."
        )
    return buckets


def gather(column, rows, length, pad_id):
    """Return labels (B,), or sequences padded to int32 (B, length)."""
    if isinstance(column, np.ndarray):
        return column[rows]
    batch = np.full((len(rows), length), pad_id, "int32")
    for i, row in enumerate(rows):
        batch[i, : len(column[row])] = column[row]
    return batch


def without_padding(inputs, pad_id=0):
    """Leave out the padding of rows, wherever it stands.

    Args:
        inputs: int (N, T), or N int sequences; or a dict of such, as a
            `MultiSegmentPacker` returns it, whose `token_ids` have the padding.
        pad_id: int, default 0.
    Returns:
        list of N int sequences, as `BatchByLength` takes them; or a dict of
        such lists.
    """
    if not isinstance(inputs, dict):
        return without_padding({"token_ids": inputs}, pad_id)["token_ids"]
    real = [np.asarray(row) != pad_id for row in inputs["token_ids"]]
    return {
        name: [np.asarray(row)[keep] for row, keep in zip(rows, real)]
        for name, rows in inputs.items()
    }


def teacher_forcing(sources, targets, pad_id=0):
    """Make what a translator is trained on: shift each target by one token.

    Args:
        sources: int (N, S), or N int sequences.
        targets: int (N, T), or N int sequences, from start mark to end mark.
        pad_id: int, default 0, left out wherever it stands.
    Returns:
        inputs, a dict of "source" and "target", the target without its last
        token, and labels, the target without its first: lists of N int
        sequences, as `BatchByLength` takes them.
    """
    sources, targets = (
        without_padding(rows, pad_id) for rows in (sources, targets)
    )
    inputs = {"source": sources, "target": [row[:-1] for row in targets]}
    return inputs, [row[1:] for row in targets]


def next_token_windows(ids, length, stride=None):
    """Cut one long text into windows, and the same windows one token later.

    The tail that fills no window is left out: fewer than `stride` tokens.

    Args:
        ids: int (N,), the text.
        length: int > 0, tokens per window.
        stride: int > 0, from one window's start to the next one's. Default
            `length`: each token is a target once. Less: windows overlap.
    Returns:
        x, y: int32 (windows, T), where y[:, t] is the token after x[:, t].
    Raises:
        ValueError: if `ids` is no int (N,) of at least length + 1.
    """
    stride = length if stride is None else stride
    checks.positive_int(length=length, stride=stride)
    ids = np.asarray(ids)
    if ids.ndim != 1 or ids.dtype.kind not in "iu" or len(ids) <= length:
        raise ValueError(
            "`ids` must be int (N,) with N > `length`. Received "
            f"{ids.dtype} of shape {ids.shape}, length={length}."
        )
    windows = np.lib.stride_tricks.sliding_window_view(ids, length + 1)
    windows = windows[::stride].astype("int32")
    return windows[:, :-1].copy(), windows[:, 1:].copy()


def without_autotune(dataset):
    """Read a dataset as it stands: `tf.data` tunes none of its threads.

    What tunes them looks again after twice as long each time, up to a minute,
    and often does not hear (TensorFlow 2.21) that the reading has ended: so
    `fit` on a dataset without end may return a minute late.

    Args:
        dataset: `tf.data.Dataset`.
    Returns:
        `tf.data.Dataset` with the same elements.
    """
    import tensorflow as tf

    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)
