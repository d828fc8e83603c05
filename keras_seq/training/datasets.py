"""Prepare token ids for training: remove padding, shift targets, cut windows.

    teacher forcing:  input  y_1 y_2 ... y_{T-1}      label  y_2 y_3 ... y_T
    language model:   input  x_1 x_2 ... x_T          label  x_2 x_3 ... x_{T+1}

Shapes: N sequences, S source length, T target length.
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
