"""Prepare token ids for training: shift targets, cut windows, pack rows.

    teacher forcing:  input  y_1 y_2 ... y_{T-1}      label  y_2 y_3 ... y_T
    language model:   input  x_1 x_2 ... x_T          label  x_2 x_3 ... x_{T+1}
    packed row:       input  a_1 a_2 b_1 b_2 b_3 0    segment  1 1 2 2 2 0

Shapes: N sequences, S source length, T target length, R rows.
Paper: packing: Krell et al. (2021), arXiv:2107.02027, section 3.1, first-fit.
"""

import numpy as np

from keras_seq import checks


def without_padding(inputs, pad_id=0):
    """Remove the padding from every sequence, wherever it stands.

    Args:
        inputs: int (N, T) or a list of N int sequences; or a dict of them, as
            `MultiSegmentPacker` returns it, in which `token_ids` marks the
            padding.
        pad_id: int, id of the padding token. Default 0.
    Returns:
        list of N int arrays, as `BatchByLength` takes them; or a dict of
        lists.
    Example:
        >>> [row.tolist() for row in without_padding([[5, 6, 0], [7, 0, 0]])]
        [[5, 6], [7]]
    """
    if not isinstance(inputs, dict):
        return without_padding({"token_ids": inputs}, pad_id)["token_ids"]
    real = [np.asarray(row) != pad_id for row in inputs["token_ids"]]
    return {
        name: [np.asarray(row)[keep] for row, keep in zip(rows, real)]
        for name, rows in inputs.items()
    }


def teacher_forcing(sources, targets, pad_id=0):
    """Make inputs and labels for training with teacher forcing.

    The decoder reads the true target up to token t and is trained to predict
    token t + 1: its input lacks the last token, its label the first.

    Args:
        sources: int (N, S) or a list of N int sequences.
        targets: int (N, T) or a list of N int sequences, each from the start
            token to the end token.
        pad_id: int, id of the padding token, removed everywhere. Default 0.
    Returns:
        `(inputs, labels)`: a dict with "source" and "target", and the labels,
        each a list of N int arrays as `BatchByLength` takes them.
    Example:
        >>> inputs, labels = teacher_forcing([[5, 6]], [[2, 8, 9, 3]])
        >>> inputs["target"][0].tolist(), labels[0].tolist()
        ([2, 8, 9], [8, 9, 3])
    """
    sources = without_padding(sources, pad_id)
    targets = without_padding(targets, pad_id)
    inputs = {"source": sources, "target": [row[:-1] for row in targets]}
    return inputs, [row[1:] for row in targets]


def next_token_windows(ids, length, stride=None):
    """Cut one long text into windows for next-token prediction.

    The tail that does not fill a window is dropped: fewer than `stride` tokens.

    Args:
        ids: int (N,), the text.
        length: int > 0, tokens per window.
        stride: optional int > 0, tokens from the start of one window to the
            start of the next. Default `length`: every token is a label once.
            A smaller stride makes the windows overlap.
    Returns:
        `(x, y)`, int32 (windows, length) each; y[:, t] is the token after
        x[:, t].
    Raises:
        ValueError: if `ids` is not int (N,) with N > `length`, or `length` or
            `stride` is not an int > 0.
    Example:
        >>> x, y = next_token_windows([1, 2, 3, 4, 5], length=2)
        >>> x.tolist(), y.tolist()
        ([[1, 2], [3, 4]], [[2, 3], [4, 5]])
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


def pack_sequences(sequences, length, pad_id=0):
    """Pack short sequences into full rows for next-token prediction.

    Several sequences share a row: the longest first, each in the first row
    that has room for it (first-fit decreasing). `segment_ids` keep them apart:
    GPT gives every token the logits that it has if its sequence is alone.

    Args:
        sequences: list of N int sequences of two or more tokens, without
            padding, each with its start and end tokens, if any.
        length: int > 0, tokens per row T; a sequence has at most T + 1.
        pad_id: int, id of the padding token. Default 0.
    Returns:
        `(inputs, labels)`: a dict of `token_ids` and `segment_ids`, numbered
        from 1, 0 for padding; and the next tokens; int32 (R, T) each.
    Raises:
        ValueError: if `length` is not an int > 0, or a sequence is not int
            (n,) with 2 <= n <= `length` + 1.
    Example:
        >>> x, y = pack_sequences([[5, 6, 7], [8, 9], [4, 3, 2]], length=4)
        >>> x["token_ids"].tolist(), y.tolist()
        ([[5, 6, 4, 3], [8, 0, 0, 0]], [[6, 7, 3, 2], [9, 0, 0, 0]])
        >>> x["segment_ids"].tolist()
        [[1, 1, 2, 2], [1, 0, 0, 0]]
    """
    sequences = [np.asarray(row) for row in sequences]
    check_sequences(sequences, length)
    rows = first_fit([len(row) - 1 for row in sequences], length)
    token_ids, labels = np.full((2, len(rows), length), pad_id, "int32")
    segment_ids = np.zeros_like(labels)
    for r, members in enumerate(rows):
        start = 0
        for number, i in enumerate(members, 1):
            end = start + len(sequences[i]) - 1
            token_ids[r, start:end] = sequences[i][:-1]
            labels[r, start:end] = sequences[i][1:]
            segment_ids[r, start:end] = number
            start = end
    return {"token_ids": token_ids, "segment_ids": segment_ids}, labels


def check_sequences(sequences, length):
    """Raise a ValueError for what `pack_sequences` cannot pack."""
    checks.positive_int(length=length)
    for i, row in enumerate(sequences):
        valid = row.ndim == 1 and row.dtype.kind in "iu"
        if not valid or not 2 <= len(row) <= length + 1:
            raise ValueError(
                "`sequences` must be int (n,) each, 2 <= n <= `length` + 1. "
                f"Received sequences[{i}] of dtype {row.dtype} and shape "
                f"{row.shape}, length={length}."
            )


def first_fit(sizes, room):
    """Distribute sizes over rows, the largest first: list of lists of int."""
    rows, left = [], np.zeros(len(sizes), int)
    for i in sorted(range(len(sizes)), key=lambda i: -sizes[i]):
        fits = left[: len(rows)] >= sizes[i]
        r = int(fits.argmax()) if fits.any() else len(rows)
        if r == len(rows):
            rows.append([])
            left[r] = room
        rows[r].append(i)
        left[r] -= sizes[i]
    return rows


def without_autotune(dataset):
    """Turn off the autotuning of a `tf.data` pipeline.

    The thread that tunes a pipeline sleeps for longer and longer intervals, up
    to a minute, and often does not notice (TensorFlow 2.21) that reading has
    ended. `fit` on an endless dataset may then return a minute late.

    Args:
        dataset: `tf.data.Dataset`.
    Returns:
        `tf.data.Dataset` with the same elements.
    Example:
        >>> import tensorflow as tf
        >>> dataset = without_autotune(tf.data.Dataset.range(3).repeat())
        >>> dataset.options().autotune.enabled
        False
    """
    import tensorflow as tf

    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)
