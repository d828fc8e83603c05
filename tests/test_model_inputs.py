"""Every Transformer computes only what is asked for, and names bad inputs."""

import functools

import keras
import numpy as np
import pytest
from cases import CASES, sentences, texts
from keras import ops

from keras_seq.layers import MultiHeadAttention, TokenEmbedding
from keras_seq.models import (
    BERT,
    GPT,
    BERTClassifier,
    BERTPretrainer,
    MaskedLMHead,
    RecurrentLM,
    Seq2Seq,
    Transformer,
    ViT,
)
from keras_seq.training import BatchByLength, TokenCrossEntropy

WITH_ATTENTION = ("BERT", "GPT", "Transformer", "ViT")
every_model = pytest.mark.parametrize(
    "case", [case for case in CASES if case.name in WITH_ATTENTION], ids=repr
)


@pytest.fixture
def asked(monkeypatch):
    """List for each call of an attention layer whether it returns weights."""
    found, call = [], MultiHeadAttention.call

    @functools.wraps(call)
    def spy(self, *args, **kwargs):
        found.append(kwargs.get("return_attention_scores", False))
        return call(self, *args, **kwargs)

    monkeypatch.setattr(MultiHeadAttention, "call", spy)
    return found


@every_model
def test_attention_weights_are_returned_only_if_asked_for(case, asked):
    model = case.make()
    model(case.inputs())
    assert asked and not any(asked)
    asked.clear()
    outputs, weights = model(case.inputs(), return_attention_scores=True)
    assert asked and all(asked)
    assert len(keras.tree.flatten(weights)) == len(asked)
    expected = keras.tree.flatten(model(case.inputs()))
    for a, b in zip(keras.tree.flatten(outputs), expected):
        a, b = (ops.convert_to_numpy(x) for x in (a, b))
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_the_vectors_of_a_vit_need_no_attention_weights(asked):
    model = ViT(5, 8, image_size=6, patch_size=3, num_layers=2)
    vectors = model.encode(np.zeros((2, 6, 6, 3), "float32"))
    assert tuple(vectors.shape) == (2, 5, 8)
    assert asked and not any(asked)


@every_model
def test_a_called_model_has_a_summary(case):
    model, lines = case.make(), []
    model(case.inputs())
    model.summary(print_fn=lambda line, **_: lines.append(line))
    assert "Total params" in "".join(lines)


@every_model
def test_a_second_positional_input_is_named(case):
    model, x = case.make(), case.inputs()
    second = np.ones((3, 5), "int32")
    with pytest.raises(ValueError, match="return_attention_scores"):
        model(x, second)


@pytest.mark.parametrize(
    "inputs, received",
    [
        ({"input_ids": texts()["token_ids"]}, "input_ids"),
        ([texts()["token_ids"], texts()["segment_ids"]], "list"),
    ],
)
def test_an_input_of_bert_without_token_ids_is_named(inputs, received):
    for model in (BERT(13, 8), BERTPretrainer(BERT(13, 8))):
        with pytest.raises(ValueError, match=f"token_ids(?s:.*){received}"):
            model(inputs)


def test_a_transformer_needs_source_and_target():
    source, target = sentences()["source"], sentences()["target"]
    model = Transformer(13, 13, 8, num_layers=1)
    for inputs, received in (
        ({"source": source}, "source"),
        ([source, target], "list"),
    ):
        rule = 'dict with the keys "source" and "target"'
        with pytest.raises(ValueError, match=f"{rule}(?s:.*){received}"):
            model(inputs)


def test_a_transformer_is_not_fitted_without_a_target():
    source, target = sentences()["source"], sentences()["target"]
    model = Transformer(13, 13, 8, num_layers=1)
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match='"source" and "target"'):
        model.fit({"source": source}, target, verbose=0)


def test_a_mask_that_is_not_there_cannot_be_filled():
    model = BERTPretrainer(BERT(13, 8, num_layers=1))
    with pytest.raises(ValueError, match="mask_id=4"):
        model.fill_mask(np.array([[2, 11, 3]]), mask_id=4)
    assert model.fill_mask(np.array([[2, 11, 3]]), mask_id=11)[0].size == 5


# The heads of BERT as layers of their own.


def test_a_masked_lm_head_gathers_its_positions():
    head = MaskedLMHead(13, activation="softmax")
    x = np.random.default_rng(0).normal(size=(3, 5, 7)).astype("float32")
    positions = np.array([[1, 4], [0, 0], [3, 2]])
    every = ops.convert_to_numpy(head(x))
    some = ops.convert_to_numpy(head(x, positions))
    expected = every[np.arange(3)[:, None], positions]
    np.testing.assert_allclose(some, expected, atol=1e-6)
    np.testing.assert_allclose(some.sum(-1), 1.0, atol=1e-5)


def test_a_masked_lm_head_is_tied_to_an_embedding(tmp_path):
    ids = keras.Input((None,), dtype="int32")
    embedding = TokenEmbedding(13, 7)
    head = MaskedLMHead(token_embedding=embedding)
    model = keras.Model(ids, head(embedding(ids)))
    dense, norm, bias = 7 * 7 + 7, 2 * 7, 13
    assert model.count_params() == 13 * 7 + dense + norm + bias
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.count_params() == model.count_params()
    x = np.array([[3, 1, 2]])
    a, b = (ops.convert_to_numpy(m(x)) for m in (model, again))
    assert np.array_equal(a, b)
    with pytest.raises(ValueError, match="vocabulary_size"):
        MaskedLMHead(17, token_embedding=embedding)


def fitted(make, x, y, loss=None):
    model = make()
    model.compile("adam", loss or TokenCrossEntropy())
    model.fit(x, y, verbose=0)


IDS = np.array([[5, 3, 7], [4, 9, 2]], "int32")
BERT_OF_13 = functools.partial(BERT, 13, 8, num_heads=2, num_layers=1)


@pytest.mark.parametrize("wrong", [13, -1])
@pytest.mark.parametrize(
    "make, inputs, name",
    [
        (lambda: GPT(13, 8, num_heads=2), lambda ids: (ids, IDS), "x"),
        (lambda: GPT(13, 8, num_heads=2), lambda ids: (IDS, ids), "y"),
        (lambda: RecurrentLM(13, 8), lambda ids: (IDS, ids), "y"),
        (
            lambda: Seq2Seq(13, 99, 8),
            lambda ids: ({"source": ids, "target": IDS}, IDS),
            "source",
        ),
        (
            lambda: Transformer(99, 13, 8, num_heads=2),
            lambda ids: ({"source": IDS, "target": IDS}, ids),
            "y",
        ),
        (
            lambda: BERTClassifier(BERT_OF_13(num_segments=13), 3),
            lambda ids: ({"token_ids": IDS, "segment_ids": ids}, IDS[:, 0] % 3),
            "segment_ids",
        ),
        (
            lambda: BERTClassifier(BERT_OF_13(), 13),
            lambda ids: (IDS, ids[:, 1]),
            "y",
        ),
        (
            lambda: ViT(13, 8, image_size=6, patch_size=3, num_heads=2),
            lambda ids: (np.zeros((2, 6, 6, 3), "float32"), ids[:, 1]),
            "y",
        ),
    ],
)
def test_wrong_ids_and_labels_are_named_by_fit(make, inputs, name, wrong):
    ids = IDS.copy()
    ids[1, 1] = wrong
    with pytest.raises(ValueError, match=rf"`{name}` must be in \[0, 13\)"):
        fitted(make, *inputs(ids))


def test_wrong_labels_of_a_dataset_are_named_by_fit():
    rows = [[5, 3, 7], [4, 99, 2]]
    batches = BatchByLength(rows, rows, batch_size=2)
    with pytest.raises(ValueError, match=r"`x` must be in \[0, 13\)"):
        fitted(lambda: GPT(13, 8, num_heads=2), batches, None)


def test_ignored_labels_may_have_any_id():
    labels = np.array([[5, -100, 7], [4, 9, -100]], "int32")
    fitted(lambda: RecurrentLM(13, 8), IDS, labels, TokenCrossEntropy(-100))


@pytest.mark.tensorflow_only
def test_a_training_step_is_traced_once(monkeypatch):
    traced, train_step = [], RecurrentLM.train_step

    def step(model, batch):
        traced.append(model)
        return train_step(model, batch)

    monkeypatch.setattr(RecurrentLM, "train_step", step)
    model, ids = RecurrentLM(5, 3), np.ones((4, 2), "int32")
    model(ids)
    model.compile("adam", TokenCrossEntropy(), jit_compile=False)
    model.fit(ids, ids, batch_size=2, verbose=0)
    assert len(traced) == 1


class WithDense(RecurrentLM):
    """A model with a layer that is built when it is called."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.dense = keras.layers.Dense(5)

    def call(self, inputs):
        return self.dense(super().call(inputs))


def test_a_layer_that_is_not_built_yet_is_trained():
    model, ids = WithDense(5, 3), np.ones((4, 2), "int32")
    model.build((None, None))
    fitted(lambda: model, ids, ids)
    moments = len(model.optimizer.variables) - 2  # without step and rate
    assert moments == 2 * len(model.trainable_variables)


@pytest.mark.tensorflow_only
def test_a_built_model_trains_under_a_strategy():
    import tensorflow as tf

    ids = np.ones((4, 2), "int32")
    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        model = RecurrentLM(5, 3)
        model.build((None, None))
        model.compile("adam", TokenCrossEntropy(), jit_compile=False)
    model.fit(ids, ids, batch_size=2, verbose=0)
    assert model.optimizer.iterations == 2
