"""Train one model several times, and let it be compiled once.

For a curve over the number of examples, with a spread, a small network is
trained dozens of times. Tracing and compiling it would take longer than
training it.
"""

import keras


def begin_again(model, fresh):
    """Give a compiled model new weights, and its optimizer a new beginning.

    Args:
        model: a built and compiled `keras.Model`; what was compiled stays.
        fresh: a built `keras.Model` of the same shapes, whose weights are
            copied.
    Raises:
        ValueError: if one is not built, or `model` is not compiled, or the
            shapes differ.
    """
    for name, each in (("model", model), ("fresh", fresh)):
        if not isinstance(each, keras.Model) or not each.built:
            raise ValueError(
                f"`{name}` must be a built keras.Model. Received "
                f"{name}={each!r}."
            )
    if getattr(model, "optimizer", None) is None:
        raise ValueError(f"`model` must be compiled. Received model={model!r}.")
    shapes = [[tuple(w.shape) for w in m.weights] for m in (model, fresh)]
    if shapes[0] != shapes[1]:
        raise ValueError(
            "`fresh` must have the weights' shapes of `model`. Received "
            f"{len(shapes[1])} weights, and {len(shapes[0])} there, of which "
            f"{sum(a != b for a, b in zip(*shapes))} differ."
        )
    model.set_weights(fresh.get_weights())
    new = type(model.optimizer).from_config(model.optimizer.get_config())
    new.build(model.trainable_variables)
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    for old, variable in zip(model.optimizer.variables, new.variables):
        old.assign(variable.value)
