"""ONNX files of models of text, with what they compute on the way."""

import keras
import numpy as np
import pytest

from keras_seq.export import export_onnx, export_onnx_decoder, write_onnx
from keras_seq.export.onnx_files import named_state
from keras_seq.models import (
    BERT,
    GPT,
    BahdanauSeq2Seq,
    LuongSeq2Seq,
    RecurrentLM,
    Seq2Seq,
    Transformer,
    ViT,
)
from keras_seq.text import CharTokenizer

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("tf2onnx")
pytestmark = pytest.mark.tensorflow_only
TEXTS = ("the gate", "게이트를 연다", "a", "가" * 61)
TOKENIZER = CharTokenizer.train(TEXTS)
V = TOKENIZER.vocabulary_size()


def to_numpy(tree):
    return {k: keras.ops.convert_to_numpy(v) for k, v in tree.items()}


def run(path, inputs):
    session = onnxruntime.InferenceSession(str(path))
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, inputs)))


def assert_equal(found, expected, atol=1e-5):
    assert set(found) == set(expected)
    for name, value in expected.items():
        assert found[name].shape == value.shape, name
        np.testing.assert_allclose(found[name], value, atol=atol, err_msg=name)


def ids_of(text):
    return np.array(TOKENIZER.tokenize([text]), "int32")


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_gates_of_a_language_model_are_those_of_trace(tmp_path, cell):
    model = RecurrentLM(V, 7, cell=cell, embedding_dim=5, num_layers=2)
    model.build((None, None))
    export_onnx(model, tmp_path / "model.onnx", half=False)
    for text in TEXTS:
        ids = ids_of(text)
        expected, x = {"logits": model(ids)}, model.token_embedding(ids)
        for n, layer in enumerate(model.recurrent_layers):
            values = layer.trace(x)
            expected |= {f"layer_{n}.{k}": v for k, v in values.items()}
            x = values["hidden_state"]
        found = run(tmp_path / "model.onnx", {"ids": ids})
        assert_equal(found, to_numpy(expected))


@pytest.mark.parametrize("text", TEXTS)
def test_attention_of_gpt_is_an_output_for_each_block(tmp_path, text):
    model = GPT(V, 12, num_heads=3, num_layers=2, max_sequence_length=64)
    model.build()
    export_onnx(model, tmp_path / "gpt.onnx", half=False)
    logits, weights = model(ids_of(text), return_attention_scores=True)
    expected = {"logits": logits}
    expected |= {f"attention_{n}": w for n, w in enumerate(weights)}
    found = run(tmp_path / "gpt.onnx", {"ids": ids_of(text)})
    assert_equal(found, to_numpy(expected))


def test_attention_of_a_transformer_has_three_kinds(tmp_path):
    model = Transformer(V, V, 12, num_heads=3, num_layers=1)
    model.build()
    export_onnx(model, tmp_path / "model.onnx", half=False)
    inputs = {"source": ids_of(TEXTS[1]), "target": ids_of(TEXTS[0])}
    found = run(tmp_path / "model.onnx", inputs)
    logits, weights = model(inputs, return_attention_scores=True)
    kinds = ("encoder", "decoder", "cross")
    expected = {f"{kind}_attention_0": weights[kind][0] for kind in kinds}
    assert_equal(found, to_numpy({"logits": logits, **expected}))


def test_a_vit_reads_images(tmp_path):
    model = ViT(
        5, image_size=8, patch_size=4, channels=1, hidden_dim=12,
        num_heads=3, num_layers=1,
    )  # fmt: skip
    model.build()
    export_onnx(model, tmp_path / "vit.onnx", half=False)
    images = np.random.default_rng(0).random((3, 8, 8, 1), "float32")
    found = run(tmp_path / "vit.onnx", {"images": images})
    assert found["attention_0"].shape == (3, 3, 5, 5)
    logits = keras.ops.convert_to_numpy(model(images))
    np.testing.assert_allclose(found["logits"], logits, atol=1e-5)


def decode(folder, source, steps):
    """Decode greedily with two ONNX files: list of the outputs by step."""
    state = run(folder / "start.onnx", {"source": source})
    ids, found = state.pop("ids"), []
    step = onnxruntime.InferenceSession(str(folder / "step.onnx"))
    read = [given.name for given in step.get_inputs() if given.name != "ids"]
    names = [output.name for output in step.get_outputs()]
    for _ in range(steps):
        inputs = {"ids": ids, **{name: state[name] for name in read}}
        values = dict(zip(names, step.run(None, inputs)))
        found.append(values)
        state |= {k.removeprefix("new_"): v for k, v in values.items()}
        ids = values["logits"].argmax(-1).astype("int32")
    return found


@pytest.mark.parametrize("kind", [Seq2Seq, BahdanauSeq2Seq, LuongSeq2Seq])
def test_a_decoding_step_has_the_numbers_of_step(tmp_path, kind):
    model = kind(V, V, 6)
    model({"source": ids_of("a"), "target": ids_of("a")})
    export_onnx_decoder(model, tmp_path, half=False)
    for text in TEXTS:
        ids, state = model.start(ids_of(text))
        for found in decode(tmp_path, ids_of(text), 3):
            logits, state = model.step(ids, state)
            every = to_numpy(named_state(state))
            assert {"logits", "new_state_cells_0_0"} <= set(found)
            for name, value in found.items():
                if name.startswith("new_"):
                    expected = every[name.removeprefix("new_")]
                    np.testing.assert_allclose(value, expected, atol=1e-5)
            expected = keras.ops.convert_to_numpy(logits)
            np.testing.assert_allclose(found["logits"], expected, atol=1e-5)
            ids = keras.ops.argmax(logits, axis=-1)


@pytest.mark.parametrize("kind", [BahdanauSeq2Seq, LuongSeq2Seq])
def test_scores_give_the_weights_and_these_the_context(tmp_path, kind):
    model = kind(V, V, 6)
    model({"source": ids_of("a"), "target": ids_of("a")})
    export_onnx_decoder(model, tmp_path, half=False)
    for text in TEXTS:
        _, state = model.start(ids_of(text))
        memory = keras.ops.convert_to_numpy(state["source"]["memory"])
        for found in decode(tmp_path, ids_of(text), 2):
            powers = np.exp(found["scores"] - found["scores"].max())
            weights = powers / powers.sum()
            np.testing.assert_allclose(found["attention"], weights, atol=1e-5)
            context = (weights[:, None] @ memory)[:, 0]
            np.testing.assert_allclose(found["context"], context, atol=1e-5)


def test_a_language_model_has_the_steps_of_its_prompt(tmp_path):
    model = RecurrentLM(V, 7, num_layers=2)
    model.build((None, None))
    export_onnx_decoder(model, tmp_path, half=False)
    for text in TEXTS:
        ids = ids_of(text)
        first = decode(tmp_path, ids, 1)[0]["logits"]
        logits = keras.ops.convert_to_numpy(model(ids))[:, -1]
        np.testing.assert_allclose(first, logits, atol=1e-5)


def test_half_precision_halves_the_file_and_keeps_the_numbers(tmp_path):
    model = RecurrentLM(V, 64)
    model.build((None, None))
    paths = [tmp_path / name for name in ("full.onnx", "half.onnx")]
    for path, half in zip(paths, (False, True)):
        export_onnx(model, path, half=half)
    full, half = (path.stat().st_size for path in paths)
    assert half < 0.6 * full
    found, expected = (run(path, {"ids": ids_of(TEXTS[1])}) for path in paths)
    assert_equal(found, expected, atol=5e-3)


@pytest.mark.parametrize("half", [False, True])
def test_a_tied_matrix_is_stored_once(tmp_path, half):
    model = GPT(2999, 64, num_heads=1, num_layers=1, max_sequence_length=16)
    model.build()
    export_onnx(model, tmp_path / "gpt.onnx", half=half)
    matrix = 2999 * 64 * (2 if half else 4)
    size = (tmp_path / "gpt.onnx").stat().st_size
    weights = sum(int(np.prod(w.shape)) for w in model.weights)
    bytes_of_all = weights * (2 if half else 4)
    assert size < bytes_of_all + matrix / 2
    ids = np.array([[5, 2998, 7]], "int32")
    found = run(tmp_path / "gpt.onnx", {"ids": ids})["logits"]
    logits = keras.ops.convert_to_numpy(model(ids))
    np.testing.assert_allclose(found, logits, atol=5e-3 if half else 1e-5)


def test_bert_has_outputs_by_name(tmp_path):
    bert = BERT(V, 12, num_heads=3, num_layers=1, max_sequence_length=64)
    bert.build()
    export_onnx(bert, tmp_path / "bert.onnx")
    ids = ids_of(TEXTS[1])
    inputs = {"token_ids": ids, "segment_ids": 0 * ids}
    found = run(tmp_path / "bert.onnx", inputs)
    outputs, weights = bert(inputs, return_attention_scores=True)
    expected = to_numpy({**outputs, "attention_0": weights[0]})
    assert_equal(found, expected, atol=5e-3)


def test_bad_arguments_are_named(tmp_path):
    model = RecurrentLM(V, 7)
    with pytest.raises(ValueError, match="`model` must have weights"):
        export_onnx(model, tmp_path / "model.onnx")
    model.build((None, None))
    with pytest.raises(ValueError, match="`path` must end in .onnx"):
        export_onnx(model, tmp_path / "model.txt")
    with pytest.raises(ValueError, match="`half` must be"):
        export_onnx(model, tmp_path / "model.onnx", half="float16")
    with pytest.raises(ValueError, match="`model` must be one of Recurrent"):
        export_onnx_decoder(GPT(V, 8), tmp_path)
    spec = {"ids": model.input_signature()}
    with pytest.raises(ValueError, match="`path` must end in .onnx"):
        write_onnx(tmp_path / "a", model, lambda inputs: inputs, spec)
