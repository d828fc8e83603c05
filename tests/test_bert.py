"""BERT, its pretraining heads and its tasks: masks, inputs and outputs."""

import itertools

import keras
import numpy as np
import pytest
from cases import LENGTH, SMALL_BERT, VOCAB, pairs, texts
from keras import ops

from keras_seq import pretrained
from keras_seq.models import (
    BERT,
    BERTClassifier,
    BERTPretrainer,
    BERTSpanQA,
    BERTTagger,
    MaskedLMHead,
    best_span,
)
from keras_seq.models.bert import mean_pooling
from keras_seq.training import TokenAccuracy, TokenCrossEntropy

BIG = {**SMALL_BERT, "num_layers": 2, "max_sequence_length": 17}
HALF = 2.0**-8  # relative precision of bfloat16


def numbers(x):
    return ops.convert_to_numpy(ops.cast(x, "float32"))


@pytest.fixture(scope="module", params=["float32", "mixed_bfloat16"])
def bert(request):
    keras.utils.set_random_seed(3)
    return BERT(**BIG, dtype=request.param)


def padded(inputs, left, right):
    """Add padding to each row of ids, and segments to go with it."""
    room = ((0, 0), (left, right))
    return {name: np.pad(x, room) for name, x in inputs.items()}


@pytest.mark.parametrize("left, right", [(0, 3), (2, 0), (5, 7)])
def test_padding_does_not_change_the_vectors_of_real_tokens(bert, left, right):
    one, more = bert(texts()), bert(padded(texts(), left, right))
    hidden = numbers(more["sequence_output"])[:, left : left + LENGTH]
    atol = 1e-5 if bert.dtype_policy.name == "float32" else 16 * HALF
    assert np.allclose(hidden, numbers(one["sequence_output"]), atol=atol)
    pooled = numbers(more["pooled_output"])
    assert np.allclose(pooled, numbers(one["pooled_output"]), atol=atol)


def test_attention_on_padding_is_exactly_0_in_every_layer_and_head(bert):
    inputs = padded(pairs(), 1, 3)
    _, weights = bert(inputs, return_attention_scores=True)
    assert len(weights) == BIG["num_layers"]
    for w in map(numbers, weights):
        on_padding = np.swapaxes(w, 1, 3)[inputs["token_ids"] == 0]
        assert on_padding.size and not on_padding.any()


def test_a_row_of_padding_gives_no_nan(bert):
    ids = np.zeros((2, 3), "int32")
    ids[1] = 5
    found = bert(ids)
    assert all(np.isfinite(numbers(x)).all() for x in found.values())
    assert np.isfinite(numbers(bert.embed(ids))).all()


def test_attention_is_bidirectional():
    bert, ids = BERT(**BIG), np.array([[2, 5, 6, 7, 3]])
    other = ids.copy()
    other[0, 4] = 9
    change = numbers(bert(ids)["sequence_output"]) - numbers(
        bert(other)["sequence_output"]
    )
    assert np.abs(change).max(axis=-1).min() > 1e-6


def test_segment_ids_are_0_by_default():
    bert, ids = BERT(**BIG), texts()["token_ids"]
    first = {"token_ids": ids, "segment_ids": np.zeros_like(ids)}
    assert np.array_equal(
        numbers(bert(ids)["sequence_output"]),
        numbers(bert(first)["sequence_output"]),
    )
    assert not np.allclose(
        numbers(bert(ids)["sequence_output"]),
        numbers(bert(texts())["sequence_output"]),
    )


def test_an_input_longer_than_max_sequence_length_raises():
    with pytest.raises(ValueError, match="max_sequence_length"):
        BERT(**SMALL_BERT)(np.ones((2, LENGTH + 1), "int32"))


def test_embed_returns_the_mean_or_the_first_vector():
    bert, ids = BERT(**BIG), np.array([[2, 5, 3, 0, 0]])
    hidden = numbers(bert(ids)["sequence_output"])
    assert np.allclose(numbers(bert.embed(ids)), hidden[:, :3].mean(1))
    assert np.allclose(numbers(bert.embed(ids, "cls")), hidden[:, 0])
    with pytest.raises(ValueError, match="pooling"):
        bert.embed(ids, "max")


def test_mean_pooling_is_exact_in_half_precision():
    x, real = np.ones((1, 700, 2), "float32"), np.ones((1, 700), bool)
    found = mean_pooling(keras.ops.cast(x, "bfloat16"), real)
    assert numbers(found).tolist() == [[1.0, 1.0]]


@pytest.mark.parametrize("pooler", [True, False])
def test_mask_positions_give_the_vectors_of_the_whole_row(pooler):
    bert, inputs = BERT(**BIG, pooler=pooler), padded(pairs(), 2, 1)
    positions = np.array([[3, 2], [2, 2], [5, 4]])  # unsorted, with duplicates
    whole = {name: numbers(x) for name, x in bert(inputs).items()}
    some, weights = bert(
        {**inputs, "mask_positions": positions}, return_attention_scores=True
    )
    expected = whole["sequence_output"][np.arange(3)[:, None], positions]
    assert np.allclose(numbers(some["sequence_output"]), expected, atol=1e-5)
    if pooler:
        assert np.allclose(
            numbers(some["pooled_output"]), whole["pooled_output"], atol=1e-5
        )
    assert weights[-1].shape[2] == 1 + 2
    none = bert({**inputs, "mask_positions": positions[:, :0]})
    assert none["sequence_output"].shape == (3, 0, BIG["hidden_dim"])


@pytest.mark.parametrize(
    "head",
    [
        lambda bert: BERTClassifier(bert, 3),
        lambda bert: BERTClassifier(bert, 3, pooling="mean"),
        lambda bert: BERTTagger(bert, 3),
        BERTSpanQA,
    ],
)
def test_a_task_ignores_mask_positions(head):
    model, inputs = head(BERT(**BIG)), pairs()
    hidden = {**inputs, "mask_positions": np.array([[1], [2], [3]])}
    for found, expected in zip(
        *(keras.tree.flatten(model(given)) for given in (hidden, inputs))
    ):
        assert np.allclose(numbers(found), numbers(expected), atol=1e-6)


def test_without_a_pooler_there_is_no_pooled_output():
    bert = BERT(**BIG, pooler=False)
    assert set(bert(texts())) == {"sequence_output"}
    with pytest.raises(ValueError, match="pooler"):
        BERTClassifier(bert, 3)
    BERTTagger(bert, 3)(texts())


def test_masked_lm_logits_are_those_of_the_whole_row():
    model = BERTPretrainer(BERT(**BIG))
    positions = np.array([[1, 2], [0, 4], [3, 3]])
    asked = numbers(
        model({**texts(), "mask_positions": positions})["masked_lm"]
    )
    every = numbers(model(texts())["masked_lm"])
    rows = np.arange(3)[:, None]
    assert np.allclose(asked, every[rows, positions], atol=1e-5)


def test_a_pretrainer_accepts_token_ids_without_a_dict():
    model = BERTPretrainer(BERT(**BIG))
    ids = np.array([[2, 7, 5, 3, 0]])
    bare, named = model(ids), model({"token_ids": ids})
    for name in ("masked_lm", "next_sentence"):
        assert np.array_equal(numbers(bare[name]), numbers(named[name]))


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int64"])
def test_token_ids_may_have_any_integer_dtype(dtype):
    model = BERT(**BIG)
    ids = np.array([[2, 7, 5, 3, 0]])
    narrow, usual = model(ids.astype(dtype)), model(ids.astype("int32"))
    assert np.array_equal(
        numbers(narrow["sequence_output"]), numbers(usual["sequence_output"])
    )


def test_a_pretrainer_without_next_sentence_prediction():
    model = BERTPretrainer(BERT(**BIG), next_sentence=False)
    assert set(model(texts())) == {"masked_lm"}
    assert not model.bert.pooler.trainable


def test_fit_trains_both_pretraining_tasks():
    keras.utils.set_random_seed(0)
    model = BERTPretrainer(BERT(**BIG))
    inputs = {**pairs(), "mask_positions": np.array([[1, 2], [0, 0], [3, 4]])}
    labels = {
        "masked_lm": np.array([[5, 6], [7, 0], [8, 9]]),
        "next_sentence": np.array([0, 1, 1]),
    }
    model.compile(
        keras.optimizers.Adam(1e-2),
        loss={
            "masked_lm": TokenCrossEntropy(),
            "next_sentence": TokenCrossEntropy(pad_id=None),
        },
        metrics={
            "masked_lm": TokenAccuracy(name="accuracy"),
            "next_sentence": TokenAccuracy(pad_id=None, name="accuracy"),
        },
    )
    logs = model.fit(inputs, labels, epochs=60, verbose=0).history
    assert (
        logs["masked_lm_accuracy"][-1]
        == logs["next_sentence_accuracy"][-1]
        == 1.0
    )
    assert logs["masked_lm_loss"][-1] < 0.5 * logs["masked_lm_loss"][0]


def test_fill_mask_returns_the_most_probable_tokens_first():
    model = BERTPretrainer(BERT(**BIG))
    ids = np.array([[2, 4, 6, 3, 0], [2, 4, 4, 6, 3]])
    filled, p = model.fill_mask(ids, 4, top=3)
    assert filled.shape == p.shape == (3, 3)
    assert (np.diff(p) <= 0).all()
    logits = numbers(model({"token_ids": ids})["masked_lm"])
    assert filled[2, 0] == logits[1, 2].argmax()
    asked = {"token_ids": ids, "mask_positions": np.array([[1], [2]])}
    assert np.array_equal(model.fill_mask(asked, 4, top=3)[0], filled)
    for top in (0, BIG["vocabulary_size"] + 1):
        with pytest.raises(ValueError, match="top"):
            model.fill_mask(ids, 4, top=top)
    for mask_id in (BIG["vocabulary_size"], -1, "x"):
        with pytest.raises(ValueError, match="mask_id"):
            model.fill_mask(ids, mask_id=mask_id)


@pytest.mark.parametrize(
    "name, make",
    [
        (
            "token_embedding",
            lambda: MaskedLMHead(token_embedding=keras.layers.Embedding(5, 4)),
        ),
        (
            "kernel_initializer",
            lambda: MaskedLMHead(5, kernel_initializer=None),
        ),
        ("bias_initializer", lambda: MaskedLMHead(5, bias_initializer=None)),
        (
            "next_sentence",
            lambda: BERTPretrainer(BERT(**BIG), next_sentence="no"),
        ),
    ],
)
def test_the_pretraining_heads_check_their_arguments(name, make):
    with pytest.raises(ValueError, match=f"`{name}`"):
        make()


def test_a_mask_position_outside_the_row_gives_nan():
    model = BERT(**BIG)
    inputs = {
        "token_ids": np.array([[2, 4, 6]]),
        "mask_positions": np.array([[1, 3, -1]]),
    }
    found = numbers(model(inputs)["sequence_output"])[0]
    assert np.isfinite(found[0]).all() and np.isnan(found[1:]).all()


def test_a_frozen_bert_stays_frozen_in_a_task_and_after_loading(tmp_path):
    bert = BERT(**BIG)
    bert.build()
    bert.trainable = False
    model = BERTClassifier(bert, 3)
    model(texts())
    assert len(model.trainable_weights) == 2
    model.save(tmp_path / "frozen.keras")
    again = keras.models.load_model(tmp_path / "frozen.keras")
    assert len(again.trainable_weights) == 2


def test_fine_tuning_starts_from_the_pretrained_weights(tmp_path):
    pretrained = BERTPretrainer(BERT(**BIG))
    pretrained(texts())
    pretrained.save(tmp_path / "bert.keras")
    again = keras.models.load_model(tmp_path / "bert.keras")
    model = BERTClassifier(again.bert, 3)
    model(texts())
    for a, b in zip(pretrained.bert.weights, model.bert.weights):
        assert np.array_equal(numbers(a), numbers(b))
    assert model.bert.pooler.trainable


def test_a_classifier_with_mean_pooling(tmp_path):
    model, ids = (
        BERTClassifier(BERT(**BIG), 3, pooling="mean"),
        texts()["token_ids"],
    )
    given = numbers(model(ids))
    expected = numbers(model.head(model.bert.embed(ids)))
    assert np.allclose(given, expected, atol=1e-6)
    longer = np.pad(ids, ((0, 0), (0, 2)))
    assert np.allclose(numbers(model(longer)), expected, atol=1e-5)
    assert not model.bert.pooler.trainable
    BERTClassifier(BERT(**BIG, pooler=False), 3, pooling="mean")(ids)
    with pytest.raises(ValueError, match="pooling"):  # not in the format
        pretrained.save(model, tmp_path)
    model.save(tmp_path / "mean.keras")
    again = keras.models.load_model(tmp_path / "mean.keras")
    assert np.allclose(numbers(again(ids)), expected, atol=1e-6)


def test_question_and_padding_are_never_the_answer():
    model = BERTSpanQA(BERT(**BIG))
    ids = np.array([[2, 5, 3, 6, 7, 3, 0]])
    segments = np.array([[0, 0, 0, 1, 1, 1, 0]])
    found = model({"token_ids": ids, "segment_ids": segments})
    for logits in map(numbers, found.values()):
        assert (logits[0] > -1e8).tolist() == [1, 0, 0, 1, 1, 0, 0]
    with pytest.raises(ValueError, match="segment_ids"):
        model(ids)


def test_padding_in_front_does_not_change_the_answer():
    model = BERTSpanQA(BERT(**BIG))
    ids = np.array([[2, 5, 3, 6, 7, 3]])
    segments = np.array([[0, 0, 0, 1, 1, 1]])
    plain = model({"token_ids": ids, "segment_ids": segments})
    before = {"token_ids": ids, "segment_ids": segments}
    before = {k: np.pad(x, ((0, 0), (2, 0))) for k, x in before.items()}
    padded = model(before)
    for name in ("start", "end"):
        one, other = numbers(plain[name])[0], numbers(padded[name])[0]
        np.testing.assert_allclose(other[[0, 5, 6]], one[[0, 3, 4]], atol=1e-5)


def test_two_tasks_still_share_one_bert_after_loading(tmp_path):
    bert, inputs = BERT(**BIG), keras.Input((5,), dtype="int32")
    heads = [BERTClassifier(bert, 3)(inputs), BERTTagger(bert, 2)(inputs)]
    model = keras.Model(inputs, heads)
    model.save(tmp_path / "two.keras")
    again = keras.models.load_model(tmp_path / "two.keras")
    assert again.count_params() == model.count_params()
    ids = np.array([[2, 5, 3, 6, 0]])
    for a, b in zip(again(ids), model(ids)):
        assert np.array_equal(numbers(a), numbers(b))


def test_best_span_equals_an_exhaustive_search():
    rng = np.random.default_rng(0)
    start, end = rng.normal(size=(2, 7, 11)).astype("float32")
    found = best_span(start, end, max_length=3)
    for row, (i, j) in enumerate(found):
        spans = [(0, 0)] + [
            (i, j)
            for i, j in itertools.product(range(1, 11), repeat=2)
            if i <= j < i + 3
        ]
        totals = [start[row, i] + end[row, j] for i, j in spans]
        assert (i, j) == spans[int(np.argmax(totals))]
    with pytest.raises(ValueError, match="max_length"):
        best_span(start, end, max_length=0)


def test_first_adam_step_of_a_repeated_token_is_the_learning_rate():
    keras.utils.set_random_seed(0)
    bert = BERT(**{**BIG, "num_layers": 1})
    model = BERTTagger(bert, 3, dropout=0.0)
    ids = np.full((4, 7), VOCAB - 1)
    model({"token_ids": ids})
    before = numbers(bert.token_embedding.embeddings)
    model.compile(keras.optimizers.Adam(0.01), TokenCrossEntropy(pad_id=None))
    model.fit({"token_ids": ids}, np.ones((4, 7)), verbose=0)
    step = np.abs(numbers(bert.token_embedding.embeddings) - before)
    assert step.max() < 0.0101


def test_a_pooler_that_the_user_froze_stays_frozen():
    bert = BERT(**BIG)
    bert.build()
    bert.pooler.trainable = False
    for make in (BERTPretrainer, lambda bert: BERTClassifier(bert, 3)):
        make(bert)
        assert not bert.pooler.trainable


@pytest.mark.usefixtures("quick_collection")
def test_quantize_reaches_the_next_sentence_head():
    model = BERTPretrainer(BERT(**BIG))
    model.build()
    model.quantize("int8")
    assert model.next_sentence_head.quantization_mode == "int8"
