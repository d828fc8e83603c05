"""Exported image classifiers return the answers of Python."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_seq import export
from keras_seq.models import ResNet, ViT

LABELS = ["고양이", "dog", "🐟"]
SIZE = (6, 10)
SCALE = {"mean": [0.5, 0.3], "std": 0.25}
BACKEND = keras.backend.backend()
pytestmark = pytest.mark.skipif(
    BACKEND == "torch", reason="Keras writes no SavedModel from PyTorch"
)


def pixels(*size, rows=5):
    draw = np.random.default_rng(3)
    return draw.integers(0, 256, (rows, *size, 2), "uint8")


def built(kind):
    keras.utils.set_random_seed(5)
    if kind == "ViT":
        options = {"image_size": SIZE, "patch_size": (3, 5), "num_layers": 1}
        model = ViT(len(LABELS), 14, num_heads=2, channels=2, **options)
    else:
        model = ResNet(len(LABELS), (3, 5), num_blocks=1, channels=2)
    model.build()
    draw = np.random.default_rng(5)
    for weight in model.trainable_variables:
        if len(weight.shape) > 1:  # norms and biases stay as they are
            weight.assign(draw.normal(size=weight.shape))
    return model


def expected(model, images):
    x = ops.image.resize(images.astype("float32") / 255, SIZE)
    x = (x - np.array(SCALE["mean"], "float32")) / SCALE["std"]
    return ops.convert_to_numpy(ops.softmax(model(x)))


def write(model, path, format="tf_saved_model"):
    size = {"image_size": SIZE, "channels": 2}
    export.export_image_classifier(
        model, path, labels=LABELS, format=format, **size, **SCALE
    )
    return path


NAMES = {
    "tf_saved_model": "saved",
    "onnx": "new/m.onnx",
    "litert": "new/m.tflite",
}


@pytest.mark.parametrize(
    "kind, format",
    [*(("ViT", format) for format in NAMES), ("ResNet", "onnx")],
)
def test_a_bare_process_gives_the_same_probabilities(tmp_path, kind, format):
    if format != "tf_saved_model" and BACKEND != "tensorflow":
        pytest.skip(f"{format} is written on TensorFlow alone")
    if format == "onnx":
        for package in ("onnx", "tf2onnx", "onnxruntime"):
            pytest.importorskip(package)
    model = built(kind)
    path = write(model, tmp_path / NAMES[format], format)
    sizes = [(17, 7)] if format != "onnx" else [SIZE, (17, 7), (3, 3)]
    for size in sizes:  # importing TensorFlow takes seconds
        images = pixels(*size)
        found = export.run_images_alone(path, images)
        np.testing.assert_allclose(found, expected(model, images), atol=1e-5)


def test_a_saved_model_returns_the_name_of_the_class(tmp_path):
    import tensorflow as tf

    model, images = built("ViT"), pixels(11, 13)
    write(model, tmp_path)
    served = tf.saved_model.load(str(tmp_path)).signatures["serving_default"]
    found = served(images=tf.constant(images))
    names = [name.decode() for name in found["label"].numpy()]
    assert names == [LABELS[n] for n in expected(model, images).argmax(axis=1)]
    one = served(images=tf.constant(images[:1, :3]))["probabilities"]
    np.testing.assert_allclose(one, expected(model, images[:1, :3]), atol=1e-5)
    none = served(images=tf.zeros((0, 3, 3, 2), tf.uint8))
    assert none["probabilities"].shape == (0, 3)


@pytest.mark.parametrize(
    "name, change",
    [
        ("`labels` must be one for each", {"labels": ["a", "b"]}),
        ("`format` must be one of", {"format": "pickle"}),
        ("`image_size` must be", {"image_size": 0}),
        ("`channels` must be", {"channels": 0}),
        ("`mean` must be", {"mean": [0.1, 0.2, 0.3]}),
        ("`mean` must be", {"mean": float("nan")}),
        ("`mean` must be", {"mean": [[1], [1, 2]]}),
        ("`std` must be", {"std": "1"}),
        ("`std` must be > 0", {"std": [1.0, 0.0]}),
        ("`std` must be > 0", {"std": 1e-50}),
        ("`mean` must be", {"mean": 1e300}),
        ("`labels` must be", {"labels": {*LABELS}}),
        ("no two alike", {"labels": ["a", "b", "a"]}),
    ],
)
def test_an_invalid_argument_is_named(tmp_path, name, change):
    usual = {"labels": LABELS, "image_size": SIZE, "channels": 2}
    with pytest.raises(ValueError, match=name):
        export.export_image_classifier(
            built("ResNet"), tmp_path / "m", **{**usual, **change}
        )


@pytest.mark.parametrize("format", ["onnx", "litert"])
def test_half_precision_cannot_be_written_to_a_file(tmp_path, format):
    model = ResNet(3, (3, 5), channels=2, dtype="mixed_bfloat16")
    model.build()
    match = "`model` must compute in float32"
    if BACKEND != "tensorflow":
        match = "The Keras backend must be tensorflow"
    inputs = keras.Input((*SIZE, 2))  # around it, all is in float32
    for each in (model, keras.Model(inputs, model(inputs))):
        with pytest.raises(ValueError, match=match):
            write(each, tmp_path / NAMES[format], format)


@pytest.mark.tensorflow_only
def test_the_suffix_must_be_that_of_the_format(tmp_path):
    with pytest.raises(ValueError, match="`path` must end in .onnx"):
        write(built("ResNet"), tmp_path / "m.tflite", "onnx")


def test_a_model_must_be_built(tmp_path):
    with pytest.raises(ValueError, match="built"):
        write(ResNet(3, (3, 5), channels=2), tmp_path)


def test_run_images_alone_validates_its_images(tmp_path):
    with pytest.raises(ValueError, match="`images` must be uint8"):
        export.run_images_alone(tmp_path, np.zeros((2, 3, 3, 2)))
    with pytest.raises(RuntimeError, match="The process failed"):
        export.run_images_alone(tmp_path, pixels(3, 3))
