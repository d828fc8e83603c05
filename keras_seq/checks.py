"""Validate arguments: each error names the argument, the rule and the value."""

import numbers
from collections.abc import Iterable

import numpy as np


def positive_int(**arguments):
    """Return ints > 0 as Python ints, one or a tuple.

    NumPy ints are converted, because Keras does not accept them everywhere.

    Raises:
        ValueError: for the first argument that is not an int > 0.
    """
    for name, value in arguments.items():
        whole = isinstance(value, numbers.Integral)
        if not whole or isinstance(value, bool) or value < 1:
            raise ValueError(
                f"`{name}` must be an int > 0. Received {name}={value!r}."
            )
    return _ints(arguments)


def _ints(arguments):
    found = tuple(map(int, arguments.values()))
    return found[0] if len(found) == 1 else found


def plain(config):
    """Return a config whose NumPy numbers are Python numbers, for JSON."""
    return {
        name: value.item() if isinstance(value, np.generic) else value
        for name, value in config.items()
    }


def not_negative_int(**arguments):
    """Raise a ValueError for the first argument that is not an int >= 0."""
    for name, value in arguments.items():
        whole = isinstance(value, numbers.Integral)
        if not whole or isinstance(value, bool) or value < 0:
            raise ValueError(
                f"`{name}` must be an int >= 0. Received {name}={value!r}."
            )


def boolean(**arguments):
    """Return bools, one or a tuple, as Python's own.

    Raises:
        ValueError: for the first argument that is not True or False (or 1 or
            0): None, NaN, a string or an array.
    """
    for name, value in arguments.items():
        whole = isinstance(value, (np.bool_, numbers.Integral))
        if not whole or value not in (0, 1):
            raise ValueError(
                f"`{name}` must be True or False. Received {name}={value!r}."
            )
    found = tuple(map(bool, arguments.values()))
    return found[0] if len(found) == 1 else found


def has_keys(inputs, *names):
    """Raise a ValueError if a model's inputs are not a dict with these keys.

    Args:
        inputs: dict of tensors, or of their shapes in `build`.
        *names: str, the keys.
    """
    wanted = " and ".join(f'"{name}"' for name in names)
    rule = f"`inputs` must be a dict with the keys {wanted}."
    if not isinstance(inputs, dict):
        raise ValueError(f"{rule} Received {_tensor_or_type(inputs)}.")
    if not set(names) <= set(inputs):
        raise ValueError(f"{rule} Received the keys {list(inputs)}.")


def _tensor_or_type(inputs):
    shape = getattr(inputs, "shape", inputs)
    is_shape = isinstance(shape, (tuple, list)) and not any(
        isinstance(size, (tuple, list)) or hasattr(size, "shape")
        for size in shape
    )
    if is_shape:
        return f"one tensor of shape {tuple(shape)}"
    return f"inputs of type {type(inputs).__name__}"


POSITIVE_INTS = (
    "vocabulary_size",
    "source_vocabulary_size",
    "target_vocabulary_size",
    "num_layers",
    "max_sequence_length",
    "num_segments",
    "channels",
)
BOOLEANS = ("normalize_first", "pooler", "tied", "shared")


def transformer_config(**config):
    """Validate the arguments of a Transformer, and return them as a dict.

    Returns:
        dict, whose numbers are Python's own, with the default of
        `intermediate_dim`, 4 * `hidden_dim`.
    Raises:
        ValueError: for the first argument that is outside its range.
    """
    config = plain(config)
    for name, value in config.items():
        if name in POSITIVE_INTS:
            positive_int(**{name: value})
        if name in BOOLEANS:
            boolean(**{name: value})
    hidden_dim = positive_int(hidden_dim=config["hidden_dim"])
    heads(hidden_dim, config["num_heads"])
    fraction(dropout=config["dropout"])
    if config["intermediate_dim"] is None:
        config["intermediate_dim"] = 4 * config["hidden_dim"]
    if "pad_id" in config:
        names = ("target_vocabulary_size", "vocabulary_size")
        size = next(config[name] for name in names if name in config)
        padding(size, config["pad_id"])
    return config


def heads(width, num_heads):
    """Raise a ValueError if the heads cannot share the width evenly."""
    width, num_heads = positive_int(width=width, num_heads=num_heads)
    if width % num_heads:
        raise ValueError(
            "`num_heads` must divide the width. Received "
            f"num_heads={num_heads}, width={width}."
        )


def fraction(**arguments):
    """Raise a ValueError for the first argument outside [0, 1)."""
    for name, value in arguments.items():
        if not isinstance(value, numbers.Real) or not 0 <= value < 1:
            raise ValueError(
                f"`{name}` must be in [0, 1). Received {name}={value!r}."
            )


def id_below(vocabulary_size, **arguments):
    """Return token ids as Python ints; raise a ValueError for a bad one."""
    for name, value in arguments.items():
        if not _is_id(value, vocabulary_size):
            raise ValueError(
                f"`{name}` must be an id below the vocabulary size. Received "
                f"{name}={value!r}, {vocabulary_size} tokens."
            )
    return _ints(arguments)


def given(**arguments):
    """Raise a ValueError for the first argument that is None."""
    for name, value in arguments.items():
        if value is None:
            raise ValueError(f"`{name}` must not be None. Received None.")


def ids(vocabulary_size, **arguments):
    """Raise a ValueError for the first array with an id outside [0, size)."""
    for name, value in arguments.items():
        outside = value[(value < 0) | (value >= vocabulary_size)]
        if outside.size:
            raise ValueError(
                f"`{name}` must be in [0, {vocabulary_size}), below the "
                f"number of ids. Received {outside[0]}."
            )


def padding(vocabulary_size, pad_id):
    """Return the padding id, an int or None; raise a ValueError otherwise."""
    if pad_id is None:
        return None
    if not _is_id(pad_id, vocabulary_size):
        raise ValueError(
            "`pad_id` must be None or an id below the vocabulary size. "
            f"Received pad_id={pad_id!r}, {vocabulary_size} tokens."
        )
    return int(pad_id)


def _is_id(value, vocabulary_size):
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    return whole and 0 <= value < vocabulary_size


def not_padding(pad_id, **arguments):
    """Raise a ValueError for the first argument that equals `pad_id`."""
    for name, value in arguments.items():
        if value == pad_id:
            raise ValueError(
                f"`{name}` must not be the padding id. Received "
                f"{name}={value!r}, pad_id={pad_id!r}."
            )


def positive(**arguments):
    """Raise a ValueError for the first argument that is not a number > 0."""
    for name, value in arguments.items():
        if not isinstance(value, numbers.Real) or not value > 0:
            raise ValueError(
                f"`{name}` must be a number > 0. Received {name}={value!r}."
            )


def within(least, most, **arguments):
    """Raise a ValueError for the first argument outside [least, most]."""
    for name, value in arguments.items():
        number = isinstance(value, numbers.Real)
        if not number or not least <= value <= most:
            raise ValueError(
                f"`{name}` must be in [{least}, {most}]. "
                f"Received {name}={value!r}."
            )


def one_of(choices, **arguments):
    """Raise a ValueError for the first argument that is not in `choices`."""
    for name, value in arguments.items():
        if np.ndim(value) or not any(value == choice for choice in choices):
            known = ", ".join(repr(choice) for choice in choices)
            raise ValueError(
                f"`{name}` must be one of {known}. Received {name}={value!r}."
            )


def strings(**argument):
    """Return an ordered collection of str as a list, but not a single str."""
    [(name, value)] = argument.items()
    several = isinstance(value, Iterable)
    several = several and not isinstance(value, (str, set, frozenset))
    found = list(value) if several else [None]
    if not all(isinstance(each, str) for each in found):
        raise ValueError(
            f"`{name}` must be a list of str. Received {name}={value!r}."
        )
    return found


def size(**argument):
    """Return a size as two ints > 0, height and width; one int means both."""
    [(name, value)] = argument.items()
    both = value if isinstance(value, (tuple, list)) else (value, value)
    if len(both) != 2:
        raise ValueError(
            f"`{name}` must be an int > 0, or two: height and width. Received "
            f"{name}={value!r}."
        )
    for side in both:
        positive_int(**{name: side})
    return tuple(int(side) for side in both)


def built(model, name="model"):
    """Raise a ValueError for a model that has no weights yet."""
    if isinstance(model, type) or not getattr(model, "built", False):
        raise ValueError(
            f"`{name}` must have weights: call it, fit it or load it first. "
            f"Received {name}={model!r}, which is not built."
        )


def within_positions(max_length, max_sequence_length):
    """Raise a ValueError if there are fewer learned positions than tokens."""
    positive_int(max_length=max_length)
    if max_length > max_sequence_length:
        raise ValueError(
            "`max_length` must be at most `max_sequence_length`, the number of "
            f"learned positions. Received max_length={max_length}, "
            f"max_sequence_length={max_sequence_length}."
        )
