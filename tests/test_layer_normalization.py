"""Layer normalization: Keras's layer in every respect but its speed."""

import keras
import numpy as np
import pytest
from cases import wide_floats
from keras import ops

from keras_seq.layers.layer_normalization import LayerNormalization


def numbers(x):
    return ops.convert_to_numpy(ops.cast(x, "float32"))


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_norm_is_that_of_keras_and_learns_as_it_does(dtype):
    x = 3 * wide_floats() + 1
    y = np.random.default_rng(1).normal(size=x.shape)
    found = []
    for kind in (LayerNormalization, keras.layers.LayerNormalization):
        model = keras.Sequential(
            [
                keras.layers.Dense(x.shape[-1], dtype=dtype),
                kind(epsilon=1e-2, dtype=dtype),
            ]
        )
        model.build(x.shape)
        draw = np.random.default_rng(2)
        model.set_weights(
            [0.5 * draw.normal(size=w.shape) for w in model.get_weights()]
        )
        before = numbers(model(x))
        model.compile(keras.optimizers.SGD(1.0), "mse")
        model.train_on_batch(x, y)
        found.append([before, *model.get_weights()])
    near = 1e-5 if dtype == "float32" else 2e-2
    for ours, theirs in zip(*found):
        np.testing.assert_allclose(ours, theirs, atol=near)


@pytest.mark.tensorflow_only
@pytest.mark.parametrize("dtype, near", [("float64", 1e-12), ("float16", 1e-2)])
def test_norm_is_as_precise_as_its_policy(dtype, near):
    x = np.random.default_rng(1).normal(3.0, 2.0, size=(2, 3, 5))
    found = LayerNormalization(epsilon=1e-6, dtype=dtype)(x)
    theirs = keras.layers.LayerNormalization(epsilon=1e-6, dtype="float64")(x)
    assert keras.backend.standardize_dtype(found.dtype) == dtype
    np.testing.assert_allclose(found, theirs, atol=near)


@pytest.mark.parametrize("dtype", ["float64", "float16"])
def test_norm_trains_in_a_graph_in_other_precisions(dtype):
    if keras.backend.backend() == "jax" and dtype == "float64":
        pytest.skip("JAX has no float64 unless it is told to")
    x = np.random.default_rng(1).normal(3.0, 2.0, size=(2, 3, 5))
    model = keras.Sequential([LayerNormalization(epsilon=1e-6, dtype=dtype)])
    theirs = keras.layers.LayerNormalization(epsilon=1e-6, dtype="float32")(x)
    found = model.predict(x, verbose=0)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, numbers(theirs), atol=1e-2)
    model.compile("sgd", "mse", jit_compile=False)
    model.fit(x, x, verbose=0)
    assert np.isfinite(numbers(model.layers[0].gamma)).all()


NORMS = {
    "default": {},
    "another axis": {"axis": 1},
    "two axes": {"axis": [1, 2]},
    "last axis": {"axis": 2},
    "no beta": {"center": False},
    "no gamma": {"scale": False},
    "neither": {"center": False, "scale": False},
    "rms": {"rms_scaling": True},
}


@pytest.mark.filterwarnings("ignore:You passed `rms_scaling=True`")
@pytest.mark.parametrize("options", NORMS)
def test_layer_normalization_equals_keras_with_every_argument(options):
    if options == "another axis" and keras.backend.backend() == "torch":
        pytest.skip("Keras's layer cannot do it on PyTorch either")
    # A small scale, at which epsilon matters.
    x = 0.01 * np.random.default_rng(0).normal(size=(3, 5, 7)).astype("float32")
    ours = LayerNormalization(**NORMS[options])
    theirs = keras.layers.LayerNormalization(**NORMS[options])
    for layer in (ours, theirs):
        layer.build(x.shape)
    draw = np.random.default_rng(1)
    theirs.set_weights([draw.normal(size=w.shape) for w in theirs.weights])
    ours.set_weights(theirs.get_weights())
    np.testing.assert_allclose(numbers(ours(x)), numbers(theirs(x)), atol=1e-5)
    again = LayerNormalization.from_config(ours.get_config())
    again.build(x.shape)
    again.set_weights(theirs.get_weights())
    assert np.array_equal(numbers(again(x)), numbers(ours(x)))
    assert again.get_config() == ours.get_config()
