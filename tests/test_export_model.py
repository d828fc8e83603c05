"""`model.export(path)`: ids of any batch and length, the outputs of Python."""

import keras
import numpy as np
import pytest
from cases import VOCAB
from keras import ops

from keras_seq.models import (
    BERT,
    GPT,
    BahdanauSeq2Seq,
    BERTClassifier,
    RecurrentLM,
    ResNet,
    Transformer,
    ViT,
)

tf = pytest.importorskip("tensorflow")
pytestmark = pytest.mark.skipif(
    keras.backend.backend() == "torch",
    reason="Keras writes no SavedModel from PyTorch",
)


def ids(rows, length):
    draw = np.random.default_rng(rows * length)
    return draw.integers(1, VOCAB, (rows, length)).astype("int32")


def texts(rows, length):
    token_ids = ids(rows, length)
    return {"token_ids": token_ids, "segment_ids": token_ids % 2}


def sentences(rows, length):
    return {"source": ids(rows, length), "target": ids(rows, length + 2)}


def images(rows, length):
    return np.random.default_rng(rows).random((rows, 6, 6, 3), "float32")


TRANSFORMER = {"num_heads": 2, "num_layers": 1, "dropout": 0.0}
MODELS = {
    "GPT": (lambda: GPT(VOCAB, 8, **TRANSFORMER), ids),
    "RecurrentLM": (lambda: RecurrentLM(VOCAB, 8, cell="gru"), ids),
    "BERTClassifier": (
        lambda: BERTClassifier(BERT(VOCAB, 8, **TRANSFORMER), 3),
        texts,
    ),
    "Transformer": (
        lambda: Transformer(VOCAB, VOCAB, 8, **TRANSFORMER),
        sentences,
    ),
    "BahdanauSeq2Seq": (lambda: BahdanauSeq2Seq(VOCAB, VOCAB, 8), sentences),
    "ViT": (
        lambda: ViT(5, 8, image_size=6, patch_size=3, **TRANSFORMER),
        images,
    ),
    "ResNet": (lambda: ResNet(5, (2, 2), num_blocks=1), images),
}


@pytest.mark.parametrize("name", MODELS)
def test_an_exported_model_reads_any_batch_and_any_length(name, tmp_path):
    make, inputs = MODELS[name]
    model = make()
    model(inputs(2, 3))
    model.export(tmp_path, verbose=False)
    served = tf.saved_model.load(str(tmp_path))
    for rows, length in ((2, 3), (3, 7)):
        x = inputs(rows, length)
        expected = ops.convert_to_numpy(model(x))
        found = served.serve(keras.tree.map_structure(tf.constant, x))
        np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.tensorflow_only
@pytest.mark.parametrize("name", ["RecurrentLM", "BERTClassifier"])
def test_an_onnx_file_reads_any_batch_and_any_length(name, tmp_path):
    pytest.importorskip("tf2onnx")
    runtime = pytest.importorskip("onnxruntime")
    make, inputs = MODELS[name]
    model, path = make(), str(tmp_path / "model.onnx")
    model(inputs(2, 3))
    model.export(path, format="onnx", verbose=False)
    session = runtime.InferenceSession(path)
    names = sorted(given.name for given in session.get_inputs())
    for rows, length in ((2, 3), (3, 7)):
        x = inputs(rows, length)
        feed = dict(zip(names, keras.tree.flatten(x)))
        found = session.run(None, feed)[0]
        np.testing.assert_allclose(found, model(x), atol=1e-5)


@pytest.mark.tensorflow_only
@pytest.mark.parametrize("name", ["GPT", "BERTClassifier", "Transformer"])
def test_a_litert_file_reads_any_batch_and_any_length(name, tmp_path):
    make, inputs = MODELS[name]
    model, path = make(), str(tmp_path / "model.tflite")
    model(inputs(2, 3))
    model.export(path, format="litert", verbose=False)
    interpreter = tf.lite.Interpreter(path)
    details = sorted(interpreter.get_input_details(), key=lambda d: d["name"])
    for rows, length in ((2, 3), (3, 7)):
        x = inputs(rows, length)
        arrays = keras.tree.flatten(x)
        for detail, array in zip(details, arrays):
            interpreter.resize_tensor_input(detail["index"], array.shape)
        interpreter.allocate_tensors()
        for detail, array in zip(details, arrays):
            interpreter.set_tensor(detail["index"], array)
        interpreter.invoke()
        output = interpreter.get_output_details()[0]["index"]
        found = interpreter.get_tensor(output)
        np.testing.assert_allclose(found, model(x), atol=1e-5)


def test_another_signature_can_be_given(tmp_path):
    model = GPT(VOCAB, 8, **TRANSFORMER)
    model(ids(2, 3))
    signature = [keras.InputSpec(shape=(1, 5), dtype="int32")]
    model.export(tmp_path, verbose=False, input_signature=signature)
    served = tf.saved_model.load(str(tmp_path))
    assert served.serve(tf.constant(ids(1, 5))).shape == (1, 5, VOCAB)


def test_a_model_that_is_not_built_is_not_exported(tmp_path):
    with pytest.raises(ValueError, match="`model` must have weights"):
        GPT(VOCAB, 8, **TRANSFORMER).export(tmp_path / "new")
    assert not (tmp_path / "new").exists()
