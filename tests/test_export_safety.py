"""Exports that fail, outputs that are not logits, and saved files with code."""

import io
import json
import pathlib
import zipfile

import h5py
import keras
import numpy as np
import pytest
from keras import ops

from keras_seq import export
from keras_seq.export.classifiers import output_activation
from keras_seq.models import RecurrentLM
from keras_seq.text import CharTokenizer

BACKEND = keras.backend.backend()
needs_export = pytest.mark.skipif(
    BACKEND == "torch", reason="Keras writes no SavedModel from PyTorch"
)


@pytest.fixture(scope="module")
def language_model():
    pytest.importorskip("tensorflow_text", reason="needs tensorflow-text")
    tokenizer = CharTokenizer("abc")
    model = RecurrentLM(tokenizer.vocabulary_size(), 5, cell="rnn")
    model(np.ones((1, 2), "int32"))
    return model, {"source_tokenizer": tokenizer, "max_length": 3}


def failing_write(monkeypatch, error):
    """Let Keras write half of a SavedModel, and fail."""

    def write_out(self, filepath, options=None, verbose=True):
        folder = pathlib.Path(filepath)
        (folder / "variables").mkdir(parents=True)
        (folder / "saved_model.pb").write_bytes(b"half")
        raise error

    archive_class = type(keras.export.ExportArchive())
    monkeypatch.setattr(archive_class, "write_out", write_out)


@needs_export
@pytest.mark.parametrize(
    "error", [OSError("No space left on device"), KeyboardInterrupt()]
)
def test_an_interrupted_export_leaves_the_old_one(
    tmp_path, monkeypatch, language_model, error
):
    model, options = language_model
    path = tmp_path / "served" / "1"
    with monkeypatch.context() as patched:
        failing_write(patched, error)
        with pytest.raises(type(error)):
            export.export_text_model(model, path, **options)
    assert not path.exists() and not list(path.parent.iterdir())
    export.export_text_model(model, path, **options)
    before = export.run(path, ["ab"])
    (path / "notes.txt").write_text("mine")
    with monkeypatch.context() as patched:
        failing_write(patched, error)
        with pytest.raises(type(error)):
            export.export_text_model(model, path, **options)
    assert export.run(path, ["ab"]) == before
    # A later export replaces the SavedModel, and nothing else in the folder.
    export.export_text_model(model, path, **{**options, "max_length": 2})
    assert export.run(path, ["ab"]) != before
    assert (path / "notes.txt").read_text() == "mine"
    assert not [p for p in path.iterdir() if p.name.startswith(".")]


@needs_export
def test_an_export_interrupted_while_moving_leaves_the_old_one(
    tmp_path, monkeypatch, language_model
):
    model, options = language_model
    export.export_text_model(model, tmp_path, **options)
    before = export.run(tmp_path, ["ab"])
    rename = pathlib.Path.rename

    def failing_rename(self, target):
        if pathlib.Path(target) == tmp_path / "variables":
            monkeypatch.undo()
            raise OSError("No space left on device")
        return rename(self, target)

    monkeypatch.setattr(pathlib.Path, "rename", failing_rename)
    with pytest.raises(OSError, match="No space"):
        export.export_text_model(model, tmp_path, **options)
    assert export.run(tmp_path, ["ab"]) == before


# What the outputs of a classifier are.


def classifier(units, activation=None, last=None):
    """Make a classifier of ids 0 to 7, whose logits are far from 0."""
    keras.utils.set_random_seed(4)
    ids = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(8, 5, embeddings_initializer="normal")(ids)
    x = keras.layers.GlobalAveragePooling1D()(x * 400)
    x = keras.layers.Dense(units, activation)(x)
    return keras.Model(ids, x if last is None else last(x))


class Subclassed(keras.Model):
    """A classifier whose last layer cannot be found."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def call(self, ids):
        return self.model(ids)


def served_probabilities(model, path, labels, **options):
    pytest.importorskip("tensorflow_text", reason="needs tensorflow-text")
    tokenizer = CharTokenizer("abc")
    export.export_text_classifier(
        model, path, tokenizer=tokenizer, labels=labels, **options
    )
    answers = export.run(path, ["a", "cab"])
    p = np.array([answer["probabilities"] for answer in answers])
    best = [labels[n] for n in p.argmax(axis=-1)]
    assert [answer["label"] for answer in answers] == best
    outputs = model(tokenizer.tokenize(["a", "cab"]))
    return p, ops.convert_to_numpy(outputs)


@needs_export
@pytest.mark.parametrize(
    "activation, last",
    [("softmax", None), (None, keras.layers.Softmax()), ("sigmoid", None)],
    ids=["softmax", "a layer of it", "sigmoid"],
)
def test_probabilities_are_served_as_they_are(tmp_path, activation, last):
    model = classifier(3, activation, last)
    p, outputs = served_probabilities(model, tmp_path, ["a", "b", "c"])
    assert np.allclose(p, outputs, atol=1e-5)
    assert p.max() > 0.6


@needs_export
@pytest.mark.parametrize("activation", [None, "sigmoid"])
def test_one_output_is_the_probability_of_the_second_label(
    tmp_path, activation
):
    model = classifier(1, activation)
    p, outputs = served_probabilities(model, tmp_path, ["bad", "good"])
    if activation is None:
        outputs = 1 / (1 + np.exp(-outputs))
    assert np.allclose(p, np.hstack([1 - outputs, outputs]), atol=1e-5)
    with pytest.raises(ValueError, match="`labels` must be one for each"):
        served_probabilities(model, tmp_path, ["good"])


@needs_export
def test_what_cannot_be_detected_must_be_given(tmp_path):
    model = Subclassed(classifier(3, "softmax"))
    model(np.ones((1, 2), "int32"))
    labels = ["a", "b", "c"]
    with pytest.raises(ValueError, match="`from_logits` must be given"):
        served_probabilities(model, tmp_path, labels)
    p, outputs = served_probabilities(
        model, tmp_path, labels, from_logits=False
    )
    assert np.allclose(p, outputs, atol=1e-5)
    with pytest.raises(ValueError, match="`from_logits` must agree"):
        served_probabilities(
            classifier(3, "softmax"), tmp_path, labels, from_logits=True
        )


def test_the_output_activation_is_found_where_it_can_be():
    assert output_activation(classifier(3)) == "linear"
    assert output_activation(classifier(3, "softmax")) == "softmax"
    nested = keras.Sequential([keras.Input((None,)), classifier(2, "sigmoid")])
    assert output_activation(nested) == "sigmoid"
    assert output_activation(classifier(3, None, ops.softmax)) is None
    assert output_activation(Subclassed(classifier(3))) is None


@needs_export
def test_an_image_classifier_of_probabilities_is_not_softmaxed(tmp_path):
    images = keras.Input((3, 3, 2))
    x = keras.layers.Flatten()(images * 9)
    model = keras.Model(images, keras.layers.Dense(3, "softmax")(x))
    export.export_image_classifier(
        model, tmp_path, labels=["a", "b", "c"], image_size=3, channels=2
    )
    import tensorflow as tf

    served = tf.saved_model.load(str(tmp_path)).signatures["serving_default"]
    pixels = np.random.default_rng(1).integers(0, 256, (4, 3, 3, 2), "uint8")
    found = served(images=tf.constant(pixels))["probabilities"].numpy()
    expected = ops.convert_to_numpy(model(pixels.astype("float32") / 255))
    assert np.allclose(found, expected, atol=1e-5)


# Saved files run no code when they are loaded.

LAMBDA = keras.layers.Lambda(lambda x: pathlib.Path("ran").touch() or x, (3,))


def keras_file(path, layer, weights=b""):
    """Write a .keras file with one crafted layer."""
    config = {
        "module": "keras",
        "class_name": "Sequential",
        "config": {
            "name": "crafted",
            "layers": [
                {
                    "module": "keras.layers",
                    "class_name": "InputLayer",
                    "config": {"batch_shape": [None, 3], "dtype": "float32"},
                    "registered_name": None,
                },
                layer,
            ],
        },
        "registered_name": None,
        "build_config": {"input_shape": [None, 3]},
    }
    if not weights:
        buffer = io.BytesIO()
        h5py.File(buffer, "w").close()
        weights = buffer.getvalue()
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("config.json", json.dumps(config))
        file.writestr("metadata.json", json.dumps({"keras_version": "3.15.1"}))
        file.writestr("model.weights.h5", weights)


def function_of(module, name):
    return {
        "module": module,
        "class_name": "function",
        "config": name,
        "registered_name": name,
    }


def dense_with(**config):
    return {
        "module": "keras.layers",
        "class_name": "Dense",
        "config": {"units": 3, **config},
        "registered_name": None,
    }


COMMAND = "touch ran"
CRAFTED = {
    "lambda": keras.saving.serialize_keras_object(LAMBDA),
    "os.system as a layer": {
        "module": "os",
        "class_name": "system",
        "config": COMMAND,
        "registered_name": "system",
    },
    "os.system with arguments": {
        "module": "os",
        "class_name": "system",
        "config": {"command": COMMAND},
        "registered_name": None,
    },
    "subprocess.Popen": {
        "module": "subprocess",
        "class_name": "Popen",
        "config": {"args": ["touch", "ran"]},
        "registered_name": None,
    },
    "builtins.exec": {
        "module": "builtins",
        "class_name": "exec",
        "config": "open('ran', 'w')",
        "registered_name": "exec",
    },
    "activation os.system": dense_with(activation=function_of("os", "system")),
    "initializer os.system": dense_with(
        kernel_initializer={
            "module": "os",
            "class_name": "system",
            "config": {"command": COMMAND},
            "registered_name": None,
        }
    ),
    "a module of keras_seq that imports os": {
        "module": "keras_seq.export.reading",
        "class_name": "subprocess.run",
        "config": {"args": ["touch", "ran"]},
        "registered_name": None,
    },
    "a function of keras_seq": {
        "module": "keras_seq.export",
        "class_name": "main",
        "config": {"argv": ["run", "ran"]},
        "registered_name": "main",
    },
    "a registered name": {
        "module": "os",
        "class_name": "RecurrentLM",
        "config": {"vocabulary_size": 3, "units": {"__class__": "os.system"}},
        "registered_name": "keras_seq>RecurrentLM",
    },
    "a schedule that is a command": {
        "module": "keras_seq.models",
        "class_name": "Seq2Seq",
        "config": {
            "source_vocabulary_size": 7,
            "target_vocabulary_size": 7,
            "units": 3,
            "scheduled_sampling": {
                "module": "os",
                "class_name": "system",
                "config": {"command": COMMAND},
                "registered_name": None,
            },
        },
        "registered_name": "keras_seq>Seq2Seq",
    },
}


@pytest.mark.parametrize("name", CRAFTED)
def test_loading_a_crafted_file_runs_no_code(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    keras_file(tmp_path / "model.keras", CRAFTED[name])
    with pytest.raises(Exception) as error:  # noqa: PT011 (of many types)
        keras.models.load_model(tmp_path / "model.keras")
    assert not isinstance(error.value, (SystemExit, KeyboardInterrupt))
    assert not (tmp_path / "ran").exists()


def test_the_crafted_files_differ_from_a_good_one_only_in_the_layer(tmp_path):
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        weights = file.create_group("layers/dense/vars")
        weights["0"], weights["1"] = np.eye(3), np.zeros(3)
    keras_file(tmp_path / "good.keras", dense_with(), buffer.getvalue())
    model = keras.models.load_model(tmp_path / "good.keras")
    y = ops.convert_to_numpy(model(np.eye(3, dtype="float32")))
    assert np.allclose(y, np.eye(3))
