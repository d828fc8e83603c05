"""Validate and copy the initializers passed to sublayers."""

import keras


def get_initializers(**arguments):
    """Return initializers as `keras.initializers.get` does.

    Args:
        arguments: name=value of each argument to check.
    Returns:
        dict of the same names.
    Raises:
        ValueError: if a value is None or names no initializer.
    """
    found = {}
    for name, value in arguments.items():
        try:
            found[name] = keras.initializers.get(value)
        except ValueError:
            found[name] = None
        if found[name] is None:
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
