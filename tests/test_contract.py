"""Contract of every public layer and model."""

import inspect
import json

import keras
import numpy as np
import pytest
from cases import CASES, PLAIN, public
from keras import ops

import keras_seq

every_layer = pytest.mark.parametrize("case", CASES, ids=repr)


def numbers(x):
    """Return all numbers of one or several outputs as one vector."""
    return np.concatenate(
        [
            ops.convert_to_numpy(ops.cast(part, "float32")).ravel()
            for part in keras.tree.flatten(x)
        ]
    )


def trained(model):
    """Return the weights that training must change."""
    return [ops.convert_to_numpy(w) for w in model.trainable_weights]


def each(function, shapes):
    """Call a function on one shape, or on each shape of a dict."""
    if isinstance(shapes, dict):
        return {name: function(shape) for name, shape in shapes.items()}
    return function(shapes)


def functional(case, **arguments):
    """Wrap the layer in a model with an Input of unknown batch size."""
    inputs = symbols(case)
    return keras.Model(inputs, called(case.make(**arguments), inputs))


def symbols(case):
    """Return an Input for each of a layer's inputs."""
    x = case.inputs()
    if isinstance(x, dict):
        return {
            name: keras.Input(value.shape[1:], dtype="int32", name=name)
            for name, value in x.items()
        }
    return keras.tree.map_structure(
        lambda x: keras.Input(x.shape[1:], dtype=x.dtype.name), x
    )


def called(layer, x):
    """Call a layer on its input, or on the inputs of a tuple."""
    return layer(*x) if isinstance(x, tuple) else layer(x)


def test_every_public_name_has_a_case():
    packages = keras_seq.layers, keras_seq.models, keras_seq.generation
    names = {name for package in packages for name in package.__all__}
    assert names == {case.name for case in CASES} | PLAIN


@every_layer
def test_symbolic_shapes_are_eager_shapes(case):
    y = called(case.make(), case.inputs())
    assert keras.tree.map_structure(lambda x: tuple(x.shape), y) == case.shape
    outputs = keras.tree.map_structure(
        lambda x: x.shape, called(case.make(), symbols(case))
    )
    batches = each(lambda shape: (None, *shape[1:]), case.shape)
    assert outputs == batches


@every_layer
def test_ints_may_be_numpy_ints(case):
    config = case.make().get_config()
    for name, value in config.items():
        config[name] = np.int64(value) if type(value) is int else value
    layer = type(case.make()).from_config(config)
    y = called(layer, case.inputs())
    assert keras.tree.map_structure(lambda x: tuple(x.shape), y) == case.shape
    if hasattr(layer, "start"):
        inputs = case.inputs()
        if isinstance(inputs, dict):
            inputs = next(x for key, x in inputs.items() if key != "target")
        for longest in (np.int64(2), 2):
            keras_seq.generation.generate(
                layer, inputs[:, :2], max_length=longest
            )
    if isinstance(layer, keras.Model):
        json.dumps(layer.get_config(), default=lambda x: x.get_config())


@every_layer
def test_config_makes_the_same_layer_again(case):
    first = case.make()
    second = type(first).from_config(first.get_config())
    first, second = first.get_config(), second.get_config()
    for config in (first, second):  # Keras's key for shared models
        config.get("bert", {}).pop("shared_object_id", None)
    assert second == first


@every_layer
@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_reloaded_model_gives_the_same_numbers(case, dtype, tmp_path):
    model = functional(case, dtype=dtype)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    x = case.inputs()
    assert np.array_equal(numbers(again(x)), numbers(model(x)))


@every_layer
def test_mixed_bfloat16_is_finite_and_near_float32(case):
    x, single = case.inputs(), case.make()
    y = called(single, x)
    half = case.make(dtype="mixed_bfloat16")
    called(half, x)
    half.set_weights(single.get_weights())
    z = called(half, x)
    assert {
        keras.backend.standardize_dtype(part.dtype)
        for part in keras.tree.flatten(z)
    } == {"float32" if case.name == "BERTSpanQA" else "bfloat16"}
    assert all(w.dtype == "float32" for w in half.weights)
    y, z = numbers(y), numbers(z)  # half precision rounds in proportion
    assert np.abs(z - y).max() < 0.05 * max(1.0, np.abs(y).max())


@every_layer
def test_inference_is_deterministic(case):
    made, x = case.make(), case.inputs()
    first, second = called(made, x), called(made, x)
    assert np.array_equal(numbers(first), numbers(second))


@every_layer
def test_a_frozen_layer_is_frozen_after_from_config(case):
    layer = case.make()
    called(layer, case.inputs())
    layer.trainable = False
    again = type(layer).from_config(layer.get_config())
    called(again, case.inputs())
    assert not [v.path for v in again.variables if v.trainable]


@every_layer
def test_one_fit_moves_every_weight_and_lowers_the_loss(case):
    keras.utils.set_random_seed(0)
    model, x = functional(case), case.inputs()
    if not model.trainable_weights:
        pytest.skip(f"{case.name} has no weights to train")
    draw = np.random.default_rng(1)
    y = each(lambda shape: draw.normal(size=shape), case.shape)
    # A score that masks a position is constant: it is its own target.
    y = keras.tree.map_structure(
        lambda wanted, given: np.where(given < -1e8, given, wanted),
        y,
        keras.tree.map_structure(ops.convert_to_numpy, model(x)),
    )
    model.compile(keras.optimizers.Adam(1e-2), "mse")
    # Else TensorFlow traces the step twice, once to create these variables.
    model.optimizer.build(model.trainable_variables)
    before = [w.copy() for w in trained(model)]
    losses = model.fit(x, y, epochs=3, batch_size=3, verbose=0).history
    moved = [not np.array_equal(a, b) for a, b in zip(before, trained(model))]
    assert all(moved)
    assert losses["loss"][-1] < losses["loss"][0]


@pytest.mark.parametrize(
    "case, arguments, name",
    [(case, *bad) for case in CASES for bad in case.bad],
    ids=lambda value: repr(value).replace(" ", ""),
)
def test_bad_argument_raises_an_error_with_its_name(case, arguments, name):
    with pytest.raises(ValueError, match=name):
        case.make(**arguments)


@pytest.mark.once
@pytest.mark.parametrize("name", sorted({case.name for case in CASES} | PLAIN))
def test_docstring_has_args_returns_and_raises(name):
    found = public(name)
    text = inspect.getdoc(found)
    assert text.split("\n")[0].endswith(".")
    if name not in ("AutoregressiveModel", "Generated", "SearchState"):
        assert "Args:" in text and "Raises:" in text
    if inspect.isfunction(found) or any(name == c.name for c in CASES):
        assert "Returns:" in text
