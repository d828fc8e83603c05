"""Train one model several times, and let it be compiled once.

For a curve over the number of examples, with a spread, a small network is
trained dozens of times. Tracing and compiling it would take longer than
training it.
"""

import keras


def reset_weights(model, fresh):
    """Give a compiled model new weights, and its optimizer a new beginning.

    The rate stays what it is.

    Args:
        model: a built and compiled `keras.Model`; what was compiled stays.
        fresh: a built `keras.Model` of the same shapes, whose weights, and
            seeds of dropout, are copied.
    Raises:
        ValueError: if one is not built, or `model` is not compiled, or the
            shapes differ, or layers were frozen after it was compiled.
    """
    for name, each in (("model", model), ("fresh", fresh)):
        if not isinstance(each, keras.Model) or not each.built:
            raise ValueError(
                f"`{name}` must be a built keras.Model. Received "
                f"{name}={each!r}."
            )
    if getattr(model, "optimizer", None) is None:
        raise ValueError(f"`model` must be compiled. Received model={model!r}.")
    shapes = _shapes(model), _shapes(fresh)
    if shapes[0] != shapes[1]:
        raise ValueError(
            "`fresh` must have the variables' shapes of `model`. Received "
            f"{len(shapes[1])} variables, and {len(shapes[0])} there, of which "
            f"{sum(a != b for a, b in zip(*shapes))} differ."
        )
    old = model.optimizer
    new = type(old).from_config(old.get_config())
    for optimizer in (old, new):
        if not optimizer.built:
            optimizer.build(model.trainable_variables)
    if _shapes(old) != _shapes(new):
        raise ValueError(
            "`model` must be compiled anew after layers were frozen or freed. "
            f"Received an optimizer of {len(old.variables)} variables, for a "
            f"model that needs {len(new.variables)}."
        )
    for mine, theirs in ((model, fresh), (old, new)):
        for variable, other in zip(mine.variables, theirs.variables):
            variable.assign(keras.ops.convert_to_numpy(other))


def _shapes(it):
    """List the shapes of weights and of what draws, or of an optimizer."""
    return [tuple(variable.shape) for variable in it.variables]
