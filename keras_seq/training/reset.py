"""Train one compiled model several times, from new weights each time.

For a learning curve over the number of examples, with several seeds, a small
network is trained dozens of times. Tracing and compiling it again each time
would take longer than training it.
"""

import keras


def reset_weights(model, fresh):
    """Copy new weights into a compiled model and reset its optimizer.

    The learning rate does not change.

    Args:
        model: keras.Model, built and compiled; it stays compiled.
        fresh: keras.Model, built, with variables of the same shapes. Its
            weights and the seeds of its dropout are copied.
    Raises:
        ValueError: if a model is not built, `model` is not compiled, the
            shapes differ, or layers were frozen after `model` was compiled.
    Example:
        >>> layers = [keras.Input((2,)), keras.layers.Dense(3)]
        >>> model, fresh = keras.Sequential(layers), keras.Sequential(
        ...     [keras.Input((2,)), keras.layers.Dense(3)])
        >>> model.compile("adam", "mse")
        >>> reset_weights(model, fresh)
        >>> bool(np.all(model.get_weights()[0] == fresh.get_weights()[0]))
        True
    """
    for name, each in (("model", model), ("fresh", fresh)):
        if not isinstance(each, keras.Model) or not each.built:
            raise ValueError(
                f"`{name}` must be a built keras.Model. Received "
                f"{name}={each!r}."
            )
    if getattr(model, "optimizer", None) is None:
        raise ValueError(f"`model` must be compiled. Received model={model!r}.")
    check_variables(model, fresh)
    old = model.optimizer
    new = type(old).from_config(old.get_config())
    check_optimizers(model, old, new)
    for mine, theirs in ((model, fresh), (old, new)):
        for variable, other in zip(mine.variables, theirs.variables):
            variable.assign(keras.ops.convert_to_numpy(other))


def check_variables(model, fresh):
    """Raise a ValueError unless both have variables of the same shapes."""
    ours, theirs = shapes(model), shapes(fresh)
    if ours != theirs:
        different = sum(a != b for a, b in zip(ours, theirs))
        raise ValueError(
            "`fresh` must have variables of the shapes of `model`. Received "
            f"{len(theirs)} variables for {len(ours)}, {different} of them "
            "with other shapes."
        )


def check_optimizers(model, old, new):
    """Build both optimizers; raise a ValueError if their variables differ."""
    for optimizer in (old, new):
        if not optimizer.built:
            optimizer.build(model.trainable_variables)
    if shapes(old) != shapes(new):
        raise ValueError(
            "`model` must be compiled again after layers were frozen or "
            f"unfrozen. Received an optimizer of {len(old.variables)} "
            f"variables, for a model that needs {len(new.variables)}."
        )


def shapes(owner):
    """List the shapes of all variables of a model or an optimizer."""
    return [tuple(variable.shape) for variable in owner.variables]
