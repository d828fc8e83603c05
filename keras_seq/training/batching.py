"""Batch sequences of similar length together: bucketing by sequence length.

If every batch is padded to the longest sequence of the data set, most of a
batch is padding. If each batch is padded to its own longest sequence, almost
every batch has a new shape, and JAX and XLA compile again for each one. A few
bucket boundaries give little padding and few shapes:

    8, 12, 16, 24, 32, 48, ...    # powers of two and the steps halfway

Shapes: N rows, B batch, T length.
"""

import keras
import numpy as np

from keras_seq import checks


class BatchByLength(keras.utils.PyDataset):
    """Yield padded batches of sequences of similar length.

    The length of a row is the length of its longest sequence, inputs and
    targets alike, and all arrays of a batch are padded to one boundary. Only
    an input named "source" is padded on its own, to the first boundary that
    holds the sources of its bucket, so that a short target beside a long
    source needs no long padding. Rows that do not fill a batch move to the
    next bucket. All batches but one are therefore full, and there is one shape
    for each boundary, and one more.

    Args:
        inputs: list of N int sequences, or a dict of lists.
        targets: list of N int sequences, or N labels, one for each row.
        batch_size: int > 0, rows per batch.
        buckets: optional list of increasing ints > 0, the boundaries. Default:
            those above, up to the first that holds the longest row.
        pad_id: int, id of the padding token. Default 0.
        shuffle: bool, whether each epoch has other batches in another order.
            If False, the rows of a bucket keep their order. Default True.
        seed: int >= 0, the same seed gives the same epochs. Default 0.
    Returns:
        item i is `(inputs, targets)`, int32 (B, T) each; a dict of inputs
        stays a dict; labels stay (B,) and keep their dtype.
    Raises:
        ValueError: if the lists differ in length, hold anything but int
            sequences, or a row is longer than the last of `buckets`.
    Example:
        >>> rows = [[1, 2], [3, 4, 5], [6] * 11, [7] * 12]
        >>> batches = BatchByLength(rows, rows, batch_size=2)
        >>> sorted(batches[i][0].shape for i in range(len(batches)))
        [(2, 8), (2, 12)]
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
        """Return for each bucket the first boundary that holds the columns."""
        if not columns:
            return self.buckets
        longest = np.zeros_like(self.buckets)
        np.maximum.at(longest, self.bucket_of_row, row_lengths(columns))
        longest = np.maximum.accumulate(longest)  # rows may move up
        return self.buckets[np.searchsorted(self.buckets, longest)]

    def plan(self):
        """Return the batches of this epoch, a list of (bucket, row numbers)."""
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
        # On TensorFlow, Keras compares the first two batches and treats every
        # axis on which they agree as fixed. The first two must therefore
        # differ on every axis that changes. (There are always two.)
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
        """Continue with this epoch, with its own batches in its own order.

        Args:
            epoch: int >= 0, 0 for a new `fit`, or the number of epochs that an
                interrupted `fit` has completed (`Run.epochs_done`).
        """
        checks.not_negative_int(epoch=epoch)
        self.epoch = epoch
        self.batches = self.plan()


def checked(name, rows, labels=False):
    """Validate a list of sequences and return it as a list of int32 (T,).

    With `labels=True`, a list of scalars is valid as well and is returned as
    one array (N,).
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
    """Return int (N,), the length of the longest sequence of each row."""
    sizes = [len(column) for column in columns]
    if len(set(sizes)) > 1 or 0 in sizes:
        raise ValueError(
            "`inputs` and `targets` must have the same number of rows > 0. "
            f"Received {sizes} rows."
        )
    padded = [column for column in columns if isinstance(column, list)]
    return np.max([[len(row) for row in column] for column in padded], axis=0)


def boundaries(buckets, lengths):
    """Return int (K,), the given boundaries, validated, or the default ones."""
    longest = lengths.max()
    if buckets is None:
        steps = [n for k in range(3, 31) for n in (2**k, 3 * 2 ** (k - 1))]
        return np.array(steps[: np.searchsorted(steps, longest) + 1])
    buckets = np.array(buckets)
    if buckets.dtype.kind == "u":  # unsigned differences cannot be negative
        buckets = buckets.astype("int64")
    rising = buckets.ndim == 1 and np.all(np.diff(buckets, prepend=0) > 0)
    if not buckets.size or buckets.dtype.kind != "i" or not rising:
        raise ValueError(
            "`buckets` must be increasing ints > 0. "
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
