"""Initializers of sublayers: check them by name, and copy them."""

import keras


def get_initializer(**argument):
    """Return an initializer as `keras.initializers.get` does.

    Args:
        argument: name=value, the one argument to check.
    Returns:
        `keras.initializers.Initializer`, or a function.
    Raises:
        ValueError: if the value is None or names no initializer.
    """
    [(name, value)] = argument.items()
    try:
        found = keras.initializers.get(value)
    except ValueError:
        found = None
    if found is None:
        raise ValueError(
            f"`{name}` must be an initializer or the name of one. Received "
            f"{name}={value!r}."
        )
    return found


def clone_initializer(initializer):
    """Copy an initializer: one that is used twice draws the same numbers."""
    if isinstance(initializer, keras.initializers.Initializer):
        return initializer.clone()
    return initializer
