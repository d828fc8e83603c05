"""Small models for serving: quantization and LoRA of every model."""

import keras
import numpy as np
import pytest
from cases import VOCAB
from keras import ops

from keras_seq.generation import generate
from keras_seq.layers import TokenEmbedding
from keras_seq.models import (
    BERT,
    GPT,
    BahdanauSeq2Seq,
    BERTClassifier,
    BERTPretrainer,
    LuongSeq2Seq,
    RecurrentLM,
    Seq2Seq,
    Transformer,
    ViT,
)

# Keras collects garbage for every layer that it quantizes.
pytestmark = pytest.mark.usefixtures("quick_collection")
WIDTH = 32
SIZES = {"num_heads": 2, "num_layers": 1, "dropout": 0.0}


def ids(rows=6, length=5):
    draw = np.random.default_rng(rows * length)
    return draw.integers(1, VOCAB, (rows, length)).astype("int32")


def images():
    return np.random.default_rng(0).random((6, 6, 6, 3), "float32")


def pairs():
    return {"source": ids(), "target": ids(6, 4)}


MODELS = {
    "GPT": (lambda: GPT(VOCAB, WIDTH, **SIZES), ids),
    "RecurrentLM": (lambda: RecurrentLM(VOCAB, WIDTH, num_layers=2), ids),
    "Seq2Seq": (
        lambda: Seq2Seq(VOCAB, VOCAB, WIDTH, bidirectional=True),
        pairs,
    ),
    "BahdanauSeq2Seq": (
        lambda: BahdanauSeq2Seq(VOCAB, VOCAB, WIDTH, cell="lstm"),
        pairs,
    ),
    "LuongSeq2Seq": (
        lambda: LuongSeq2Seq(VOCAB, VOCAB, WIDTH, score_mode="concat"),
        pairs,
    ),
    "BERT": (lambda: BERT(VOCAB, WIDTH, **SIZES), ids),
    "BERTPretrainer": (
        lambda: BERTPretrainer(BERT(VOCAB, WIDTH, **SIZES)),
        lambda: {"token_ids": ids(), "mask_positions": ids(6, 2) % 5},
    ),
    "Transformer": (lambda: Transformer(VOCAB, VOCAB, WIDTH, **SIZES), pairs),
    "ViT": (
        lambda: ViT(3, WIDTH, image_size=6, patch_size=3, **SIZES),
        images,
    ),
}
ATTENTION = ("GPT", "BERT", "Transformer", "ViT")


def built(name):
    make, inputs = MODELS[name]
    model, x = make(), inputs()
    output(model, x)
    return model, x


def output(model, x):
    parts = map(ops.convert_to_numpy, keras.tree.flatten(model(x)))
    return np.concatenate([part.ravel() for part in parts])


def layers_of(model, *names):
    """Return the layers inside a model that have one of the names."""
    found = {}
    for layer in model._flatten_layers(include_self=False):
        found.setdefault(layer.name, []).append(layer)
    return [layer for name in names for layer in found.get(name, ())]


@pytest.mark.parametrize(
    "name, mode",
    [*((name, "int8") for name in MODELS), ("GPT", "int4"), ("ViT", "int4")],
)
def test_a_quantized_model_is_close_saved_and_loaded(name, mode, tmp_path):
    model, x = built(name)
    expected = output(model, x)
    model.quantize(mode)
    found = output(model, x)
    error = np.abs(found - expected).max() / np.abs(expected).max()
    assert 0 < error < (0.05 if mode == "int8" else 0.6)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(output(again, x), found, atol=1e-5)


@pytest.mark.parametrize("name", ATTENTION)
def test_attention_and_embedding_are_quantized(name):
    model, _ = built(name)
    model.quantize("int8")
    attention = layers_of(model, "query", "key", "value", "attention_output")
    assert len(attention) >= 4
    for layer in attention:
        assert keras.backend.standardize_dtype(layer._kernel.dtype) == "int8"
    large = [w for w in model.weights if np.prod(w.shape) > 500]
    for weight in large:
        dtype = keras.backend.standardize_dtype(weight.dtype)
        assert dtype == "int8" or "position" in weight.path, weight.path


def test_a_quantized_embedding_gives_scaled_vectors_and_logits():
    layer = TokenEmbedding(VOCAB, 16, scale=True)
    x = ids()
    vectors = ops.convert_to_numpy(layer(x))
    logits = ops.convert_to_numpy(layer.logits(vectors))
    layer.quantize("int8")
    found = ops.convert_to_numpy(layer(x))
    np.testing.assert_allclose(found, vectors, atol=0.01 * vectors.max())
    found = ops.convert_to_numpy(layer.logits(vectors))
    np.testing.assert_allclose(found, logits, atol=0.02 * logits.max())


def test_tied_logits_of_a_quantized_embedding_have_its_lora():
    layer, h = TokenEmbedding(VOCAB, 16), np.ones((2, 3, 16), "float32")
    layer.build()
    layer.enable_lora(2)
    layer.lora_embeddings_b.assign(np.full((2, 16), 0.5, "float32"))
    expected = ops.convert_to_numpy(layer.logits(h))
    layer.quantize("int8")
    found = ops.convert_to_numpy(layer.logits(h))
    np.testing.assert_allclose(found, expected, atol=0.1)


def test_a_quantized_model_generates_as_before():
    model, x = built("GPT")
    expected = generate(model, x, max_length=4).ids
    model.quantize("int8")
    assert (generate(model, x, max_length=4).ids == expected).mean() > 0.7


ALL = (
    "query",
    "key",
    "value",
    "attention_output",
    "intermediate_dense",
    "output_dense",
    "token_embedding",
)


@pytest.mark.parametrize("names", [("query", "value"), ALL])
@pytest.mark.parametrize("name", ATTENTION)
def test_lora_trains_its_matrices_alone_and_is_saved(name, names, tmp_path):
    model, x = built(name)
    before = output(model, x)
    model.enable_lora(2, names)
    np.testing.assert_allclose(output(model, x), before, atol=1e-6)
    trained = [w.path for w in model.trainable_variables]
    assert trained and all("/lora_" in path for path in trained)
    frozen = [ops.convert_to_numpy(w) for w in model.non_trainable_variables]

    model.compile("adam", "mse")
    y = keras.tree.map_structure(lambda part: np.ones(part.shape), model(x))
    losses = [np.ravel(model.train_on_batch(x, y))[0] for _ in range(3)]
    assert losses[-1] < losses[0]
    for old, new in zip(frozen, model.non_trainable_variables, strict=True):
        if "seed_generator" not in new.path:
            np.testing.assert_array_equal(old, ops.convert_to_numpy(new))
    after = output(model, x)
    assert np.abs(after - before).max() > 1e-4
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(output(again, x), after, atol=1e-5)


def test_the_head_of_an_adapted_classifier_is_trained():
    model = BERTClassifier(BERT(VOCAB, WIDTH, **SIZES), 3)
    x = ids()
    model(x)
    model.bert.enable_lora(2)
    trained = {w.path.split("/")[-1] for w in model.trainable_variables}
    assert trained == {"lora_kernel_a", "lora_kernel_b", "kernel", "bias"}
    model.compile("adam", "mse")
    model.train_on_batch(x, np.ones((6, 3)))


def test_errors_of_lora():
    model = GPT(VOCAB, WIDTH, **SIZES)
    with pytest.raises(ValueError, match="`model` must have weights"):
        model.enable_lora(2)
    model(ids())
    with pytest.raises(ValueError, match="`rank` must be"):
        model.enable_lora(0)
    few = ("quarry",), ("attention_residual",), ("query", "valu"), (), "query"
    for names in few:
        with pytest.raises(ValueError, match="list of names of dense layers"):
            model.enable_lora(2, names)
    model.enable_lora(2)
    for names in (("query",), ("key",)):  # it would freeze what is trained
        with pytest.raises(ValueError, match="called once"):
            model.enable_lora(2, names)
