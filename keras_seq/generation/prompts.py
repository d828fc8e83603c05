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
        length: int, tokens of the prompt or source.
        max_length: int > 0, tokens to generate after it.
    Raises:
        ValueError: if `length` is more than `model.max_prompt_length`.
    """
    limit = max_prompt_length(model, max_length)
    if limit is not None and length > limit:
        raise ValueError(
            f"`inputs` must have at most {limit} tokens if max_length="
            f"{max_length} tokens follow. Received {length} tokens."
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
