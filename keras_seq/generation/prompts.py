"""Prompts: validate the ids that `generate` receives, and split them.

A prompt of T tokens is read in two parts: `start` reads all but the last token
at once, and the last token is the input of the first `step`. Rows of a batch
have different lengths, so prompts are padded.

    prompt [5 4 3 0 0]  ->  before [5 4 . . .], last 3

XLA compiles a program for each shape. Prompts of 33 to 48 tokens can share one
program if they are all padded to 48 tokens.

Shapes: B batch, T prompt length.
Paper: none.
Differs from the paper: nothing.
"""

import numpy as np
from keras import ops

from keras_seq.layers.embedding import padding_mask


def split_prompt(prompt, pad_id):
    """Split the last real token off every prompt.

    Args:
        prompt: int (B, T), T > 0; rows may be padded on either side.
        pad_id: int, the id of padding, or None if there is no padding.
    Returns:
        int (B,), the last real token of each row, and bool (B, T), True on
        the real tokens before it.
    Raises:
        ValueError: if `prompt` has another shape.
    Example:
        >>> from keras_seq.generation.prompts import split_prompt
        >>> last, before = split_prompt(np.array([[5, 4, 3, 0]]), pad_id=0)
        >>> int(last[0]), ops.convert_to_numpy(before).tolist()
        (3, [[True, True, False, False]])
    """
    if len(prompt.shape) != 2 or prompt.shape[1] == 0:
        raise ValueError(
            "`prompt` must be ids of shape (B, T), T > 0. "
            f"Received shape {tuple(prompt.shape)}."
        )
    real = padding_mask(prompt, pad_id)
    t = ops.arange(ops.shape(prompt)[1])
    last = ops.max(ops.where(real, t, 0), axis=1, keepdims=True)  # (B, 1)
    before = ops.logical_and(real, t < last)
    return ops.take_along_axis(prompt, last, axis=1)[:, 0], before


def check_input_length(model, length, max_length):
    """Raise a ValueError if an input is longer than the model supports.

    Args:
        model: an `AutoregressiveModel`.
        length: int, tokens of the prompt or source; else unknown.
        max_length: int > 0, tokens to generate after it.
    Raises:
        ValueError: if `length` is more than `model.max_prompt_length`.
    """
    limit = max_prompt_length(model, max_length)
    if limit is not None and isinstance(length, int) and length > limit:
        raise ValueError(
            f"`inputs` must have at most {limit} tokens with max_length="
            f"{max_length}. Received {length} tokens."
        )


def max_prompt_length(model, max_length):
    """Return the longest supported prompt, or None if it is not limited.

    Args:
        model: an `AutoregressiveModel`.
        max_length: int > 0, tokens to generate after it.
    Returns:
        int or None.
    """
    if not hasattr(model, "max_prompt_length"):
        return None
    return model.max_prompt_length(max_length)


def vocabulary_size(model, name):
    """Return how many ids a model has, or None if its config has none.

    Args:
        model: an `AutoregressiveModel`.
        name: "source_vocabulary_size" or "target_vocabulary_size"; a model
            with one vocabulary has a "vocabulary_size".
    Returns:
        int or None.
    """
    config = getattr(model, "config", None) or {}
    return config.get(name, config.get("vocabulary_size"))


def check_input_ids(model, inputs):
    """Validate that arrays are ids of the model's vocabulary.

    Args:
        model: an `AutoregressiveModel`.
        inputs: list of NumPy arrays; images, (B, H, W, C), are no ids.
    Raises:
        ValueError: if one is not int, is empty, or has an id out of range.
    """
    size = vocabulary_size(model, "source_vocabulary_size")
    for ids in inputs:
        if ids.ndim == 4:  # images
            continue
        if ids.dtype.kind not in "iu" or not ids.ndim or not len(ids):
            raise ValueError(
                "`inputs` must be int ids, one row or more. Received "
                f"{ids.dtype} of shape {ids.shape}."
            )
        low, high = ids.min(initial=0), ids.max(initial=0)
        if low < 0 or (size is not None and high >= size):
            below = "" if size is None else f", below {size}"
            raise ValueError(
                f"`inputs` must be ids >= 0{below}. Received {low} to {high}."
            )


def bucket_length(length):
    """Round a length up to the next 2^k or 3 * 2^k, by less than a half.

    Args:
        length: int > 0.
    Returns:
        int: 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48 ...
    Example:
        >>> from keras_seq.generation.prompts import bucket_length
        >>> [bucket_length(length) for length in (1, 5, 33, 49)]
        [1, 6, 48, 64]
    """
    power = 1 << (length - 1).bit_length()  # the next power of two
    between = 3 * power // 4
    return between if power > 2 and length <= between else power


def pad_to_bucket(model, inputs, max_length):
    """Pad prompts at the end, so that similar lengths have one shape.

    Args:
        model: an `AutoregressiveModel`; nothing is padded if it has no
            `pad_id`.
        inputs: NumPy int (B, T); anything else is returned as it is.
        max_length: int > 0, tokens to generate.
    Returns:
        NumPy int (B, N), N >= T, but not more than the model supports.
    """
    pad_id = getattr(model, "pad_id", None)
    if pad_id is None or np.ndim(inputs) != 2 or not inputs.shape[1]:
        return inputs
    length = inputs.shape[1]
    limit = max_prompt_length(model, max_length)
    padded = bucket_length(length)
    if limit is not None:
        padded = max(length, min(padded, limit))
    missing = ((0, 0), (0, padded - length))
    return np.pad(inputs, missing, constant_values=pad_id)
