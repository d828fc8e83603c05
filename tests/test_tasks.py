"""Tasks: strings in, strings out, with fit, predict, save and export."""

import unicodedata

import keras
import numpy as np
import pytest

from keras_seq import pretrained, tasks
from keras_seq.export import run
from keras_seq.generation import Sampling
from keras_seq.models import (
    BERT,
    BahdanauSeq2Seq,
    BERTClassifier,
    BERTPretrainer,
    BERTSpanQA,
    BERTTagger,
    RecurrentLM,
)
from keras_seq.text import CharTokenizer, GPT2Tokenizer, WordPieceTokenizer
from keras_seq.text.gpt2_tokenizer_files import byte_characters

TEXTS = ["good film", "나쁜 영화", "a good one", "나쁜 것"]
MOODS = ["good", "bad", "good", "bad"]
WORDS = [["born", "in", "1950"], ["왔다", "2001"]]
TAGS = [["O", "O", "YEAR"], ["O", "YEAR"]]
QUESTIONS = ["Where?", "누구?"]
PASSAGES = ["Bora lives in Seoul.", "보라는 서울에 산다."]
ANSWERS = ["Seoul", "보라"]
WORDS_SEEN = [*WORDS[0], *WORDS[1], "하나둘one two"]
CHARACTERS = [*TEXTS, *WORDS_SEEN, *QUESTIONS, *PASSAGES]

exports = pytest.mark.skipif(
    keras.backend.backend() == "torch", reason="PyTorch writes no SavedModel"
)


@pytest.fixture(scope="module")
def tokenizer():
    pytest.importorskip("tensorflow_text")
    return CharTokenizer.train(CHARACTERS)


def bert(tokenizer):
    return BERT(tokenizer.vocabulary_size(), 8, num_heads=2, num_layers=1)


def make(name, tokenizer):
    """Create a task by its name: the task, and what `fit` takes."""
    V = tokenizer.vocabulary_size()
    if name == "CausalLM":
        return tasks.CausalLM(RecurrentLM(V, 7), tokenizer), (TEXTS,)
    if name == "Seq2SeqLM":
        model = BahdanauSeq2Seq(V, V, 7)
        return tasks.Seq2SeqLM(model, tokenizer), (
            ["one", "two"],
            ["하나", "둘"],
        )
    if name == "TextClassifier":
        model = BERTClassifier(bert(tokenizer), 2)
        task = tasks.TextClassifier(model, tokenizer, ["bad", "good"])
        return task, (TEXTS, MOODS)
    if name == "TokenClassifier":
        model = BERTTagger(bert(tokenizer), 2)
        task = tasks.TokenClassifier(model, tokenizer, ["O", "YEAR"])
        return task, (WORDS, TAGS)
    task = tasks.QuestionAnswering(BERTSpanQA(bert(tokenizer)), tokenizer)
    return task, ((QUESTIONS, PASSAGES), ANSWERS)


def answers(task, given):
    """Predict, or generate, from the inputs of `fit`."""
    if hasattr(task, "generate"):
        return task.generate(given[0], max_length=3)
    return task.predict(given[0])


NAMES = [name for name in tasks.__all__ if name not in ("Task", "MaskedLM")]


@pytest.fixture(scope="module", params=NAMES)
def fitted(request, tokenizer):
    """Give a task that was trained for one epoch, and its data."""
    keras.utils.set_random_seed(7)
    task, given = make(request.param, tokenizer)
    history = task.fit(*given, epochs=1, verbose=0, validation_data=given)
    assert np.isfinite(history.history["val_loss"]).all()
    return task, given


def test_every_text_gets_an_answer(fitted):
    task, given = fitted
    inputs = given[0][0] if isinstance(given[0], tuple) else given[0]
    assert len(answers(task, given)) == len(inputs)


def test_a_saved_task_gives_the_same_answers(fitted, tmp_path):
    task, given = fitted
    task.save(tmp_path / "task.keras")
    loaded = keras.models.load_model(tmp_path / "task.keras")
    assert type(loaded) is type(task)
    assert answers(loaded, given) == answers(task, given)


@exports
def test_an_exported_task_gives_the_same_answers(fitted, tmp_path):
    task, given = fitted
    if hasattr(task, "generate"):
        task.export(tmp_path / "model", max_length=3)
        found = run(tmp_path / "model", given[0])
        assert [row["text"] for row in found] == answers(task, given)
    elif isinstance(task, tasks.TextClassifier):
        task.export(tmp_path / "model")
        found = run(tmp_path / "model", given[0])
        assert [row["label"] for row in found] == answers(task, given)
    else:
        task.export(tmp_path / "model")
        assert (tmp_path / "model" / "saved_model.pb").exists()


def test_training_learns_the_labels(tokenizer):
    keras.utils.set_random_seed(7)
    task, given = make("TextClassifier", tokenizer)
    task.compile(keras.optimizers.Adam(1e-2), metrics=["accuracy"])
    task.fit(*given, epochs=30, verbose=0)
    assert task.predict(TEXTS) == MOODS
    assert task.evaluate(*given, verbose=0, return_dict=True)["accuracy"] == 1


def test_any_model_of_ids_classifies_text(tokenizer):
    V = tokenizer.vocabulary_size()
    model = keras.Sequential(
        [
            keras.layers.Embedding(V, 8, mask_zero=True),
            keras.layers.GlobalAveragePooling1D(),
            keras.layers.Dense(2),
        ]
    )
    task = tasks.TextClassifier(model, tokenizer, ["bad", "good"])
    task.fit(TEXTS, MOODS, verbose=0)
    assert task.predict_probabilities(TEXTS).shape == (4, 2)
    with pytest.raises(ValueError, match="only a BERTClassifier reads pairs"):
        task.predict((TEXTS, TEXTS))


def test_pairs_of_texts_are_classified(tokenizer):
    task, _ = make("TextClassifier", tokenizer)
    task.fit((TEXTS, TEXTS[::-1]), MOODS, verbose=0)
    assert len(task.predict((TEXTS, TEXTS[::-1]))) == 4


def test_long_texts_are_truncated_only_where_asked(tokenizer):
    model = BERTClassifier(
        BERT(tokenizer.vocabulary_size(), 8, num_heads=2, num_layers=1), 2
    )
    task = tasks.TextClassifier(
        model, tokenizer, ["bad", "good"], sequence_length=11
    )
    assert task.tokenize(["good " * 9])["token_ids"].shape == (1, 11)


def test_a_sampler_chooses_the_tokens(fitted):
    task, given = fitted
    if not hasattr(task, "generate"):
        pytest.skip("generates nothing")
    sampler = Sampling(seed=3)
    first = task.generate(given[0], max_length=3, sampler=sampler)
    assert first == task.generate(given[0], max_length=3, sampler=sampler)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda task: task.fit(TEXTS, MOODS[:1]), "one label for each text"),
        (lambda task: task.fit(TEXTS, ["?"] * 4), "`y` must hold names of"),
        (lambda task: task.fit("good", MOODS), "`x` must be a list of str"),
        (lambda task: task.predict([]), "`x` must hold at least one text"),
    ],
)
def test_bad_texts_and_labels_are_named(tokenizer, call, message):
    task, _ = make("TextClassifier", tokenizer)
    with pytest.raises(ValueError, match=message):
        call(task)


def test_an_answer_must_be_a_part_of_its_text(tokenizer):
    task, _ = make("QuestionAnswering", tokenizer)
    with pytest.raises(ValueError, match="parts of the texts.*'Paris'"):
        task.fit((QUESTIONS, PASSAGES), ["Paris", "보라"])


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_model_or_tokenizer_is_an_error_by_name(name, tokenizer):
    task, _ = make(name, tokenizer)
    config = {"labels": task.labels} if hasattr(task, "labels") else {}
    with pytest.raises(ValueError, match="`model`"):
        type(task)(None, tokenizer, **config)
    with pytest.raises(ValueError, match="`tokenizer`"):
        type(task)(task.model, "abc", **config)


def test_a_task_that_is_not_built_is_not_saved(tokenizer, tmp_path):
    task, _ = make("TextClassifier", tokenizer)
    with pytest.raises(ValueError, match="`model` must have weights"):
        task.save(tmp_path / "task.keras")


@pytest.fixture(scope="module")
def masked_lm():
    pytest.importorskip("tensorflow_text")
    keras.utils.set_random_seed(7)
    words = ["it", "is", "red", "blue", "빨간", "색"]
    tokenizer = WordPieceTokenizer(words, special_tokens_in_strings=True)
    model = BERTPretrainer(bert(tokenizer), next_sentence=False)
    task = tasks.MaskedLM(model, tokenizer, mask_selection_rate=0.4)
    texts = ["it is red", "빨간 색"] * 8
    task.compile(keras.optimizers.Adam(1e-2))
    task.fit(texts, epochs=20, batch_size=8, verbose=0, validation_data=texts)
    return task


def test_a_masked_token_is_filled_in(masked_lm):
    found = masked_lm.fill_mask(["[MASK] is red", "빨간 [MASK]", "red"], top=2)
    assert [len(row) for row in found] == [1, 1, 0]
    assert [row[0][0][0] for row in found[:2]] == ["it", "색"]
    assert found[0][0][0][1] > found[0][0][1][1] > 0


def test_a_text_without_a_mask_cannot_be_filled_in(masked_lm):
    with pytest.raises(ValueError, match="`mask_id`"):
        masked_lm.fill_mask(["it is red"])


def test_other_tokens_are_masked_in_each_epoch(masked_lm):
    texts = ["it is red"] * 8
    batches = masked_lm.batches(texts, batch_size=8, dynamic=True)
    first = batches[0][0]["token_ids"]
    assert np.array_equal(first, batches[0][0]["token_ids"])
    batches.on_epoch_end()
    assert not np.array_equal(first, batches[0][0]["token_ids"])


def test_the_tokens_masked_for_validation_stay_the_same(masked_lm):
    batches = masked_lm.batches(["it is red"] * 8, batch_size=8)
    first = batches[0][0]["token_ids"]
    batches.on_epoch_end()
    assert np.array_equal(first, batches[0][0]["token_ids"])


def test_a_saved_masked_lm_fills_in_the_same(masked_lm, tmp_path):
    masked_lm.save(tmp_path / "task.keras")
    loaded = keras.models.load_model(tmp_path / "task.keras")
    texts = ["it is [MASK]"]
    assert loaded.fill_mask(texts) == masked_lm.fill_mask(texts)


def test_next_sentence_prediction_is_not_trained_by_a_list_of_texts():
    pytest.importorskip("tensorflow_text")
    tokenizer = WordPieceTokenizer(["it"])
    task = tasks.MaskedLM(BERTPretrainer(bert(tokenizer)), tokenizer)
    with pytest.raises(ValueError, match="next_sentence=False"):
        task.fit(["it"])


def test_a_model_of_probabilities_is_an_error(tokenizer):
    V = tokenizer.vocabulary_size()
    layers = [
        keras.layers.Embedding(V, 8),
        keras.layers.GlobalAveragePooling1D(),
        keras.layers.Dense(2, "softmax"),
    ]
    model = keras.Sequential([keras.Input((None,)), *layers])
    task = tasks.TextClassifier(model, tokenizer, ["bad", "good"])
    with pytest.raises(ValueError, match="`model` must return logits"):
        task.fit(TEXTS, MOODS)
    with pytest.raises(ValueError, match="ends in 'softmax'"):
        task.predict(TEXTS)


@pytest.fixture
def gpt2_folder(tmp_path):
    """Save a small GPT-2 and its tokenizer as `transformers` does."""
    pytest.importorskip("tensorflow_text")
    pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    pieces = [*byte_characters(), "Ġh", "Ġhi", "<|endoftext|>"]
    GPT2Tokenizer(pieces, ["Ġ h", "Ġh i"]).to_huggingface(tmp_path)
    config = transformers.GPT2Config(
        vocab_size=len(pieces), n_embd=8, n_layer=1, n_head=2, n_positions=64
    )
    transformers.set_seed(3)
    transformers.GPT2LMHeadModel(config).save_pretrained(tmp_path)
    return tmp_path


def test_a_published_gpt2_continues_texts_of_different_lengths(gpt2_folder):
    model = pretrained.load(gpt2_folder)
    tokenizer = GPT2Tokenizer.from_huggingface(gpt2_folder)
    lm = tasks.CausalLM(model, tokenizer, start_token=False)
    texts = ["hi hi", "안녕하세요 hi", "h", "hi hi"]
    alone = [lm.generate([text], max_length=4)[0] for text in texts]
    assert lm.generate(texts, max_length=4) == alone
    _, labels = lm.prepare(["hi hi", "h"])
    assert (labels != -100).sum(axis=1).tolist() == [3, 1]
    assert labels[0, 2] == labels[1, 0] == tokenizer.end_id
    assert np.isfinite(lm.evaluate(texts, verbose=0))


def test_the_end_token_cannot_be_the_padding_of_a_model(gpt2_folder):
    tokenizer = GPT2Tokenizer.from_huggingface(gpt2_folder)
    model = pretrained.load(gpt2_folder, pad_id=tokenizer.end_id)
    with pytest.raises(ValueError, match="load it with pad_id=None"):
        tasks.CausalLM(model, tokenizer)


def test_a_tokenizer_of_more_ids_than_the_model_is_an_error(tokenizer):
    small = RecurrentLM(tokenizer.vocabulary_size() - 1, 7)
    with pytest.raises(ValueError, match="must not have more ids"):
        tasks.CausalLM(small, tokenizer)
    V = tokenizer.vocabulary_size()
    with pytest.raises(ValueError, match="must have the `end_id` of the model"):
        tasks.Seq2SeqLM(BahdanauSeq2Seq(V, V, 7, end_id=5), tokenizer)


def test_labels_must_be_as_many_as_the_classes(tokenizer):
    model = BERTClassifier(bert(tokenizer), 3)
    with pytest.raises(ValueError, match="one for each class"):
        tasks.TextClassifier(model, tokenizer, ["bad", "good"])


def test_an_answer_in_decomposed_hangul_is_found(tokenizer):
    task, _ = make("QuestionAnswering", tokenizer)
    texts = [unicodedata.normalize("NFD", text) for text in PASSAGES]
    answers = [unicodedata.normalize("NFD", answer) for answer in ANSWERS]
    _, expected = task.prepare((QUESTIONS, PASSAGES), ANSWERS)
    _, found = task.prepare((QUESTIONS, texts), answers)
    assert np.array_equal(found["start"], expected["start"])
    assert np.array_equal(found["end"], expected["end"])


def test_a_mask_that_is_not_recognized_is_explained():
    pytest.importorskip("tensorflow_text")
    tokenizer = WordPieceTokenizer(["it", "is"])
    model = BERTPretrainer(bert(tokenizer), next_sentence=False)
    with pytest.raises(ValueError, match="special_tokens_in_strings"):
        tasks.MaskedLM(model, tokenizer).fill_mask(["it is [MASK]"])


def test_a_language_model_takes_no_labels(tokenizer):
    task, _ = make("CausalLM", tokenizer)
    with pytest.raises(ValueError, match="`y` must be None"):
        task.fit(TEXTS, MOODS)


@exports
def test_an_exported_classifier_truncates_as_the_task_does(tokenizer, tmp_path):
    model = keras.Sequential(
        [
            keras.Input((None,)),
            keras.layers.Embedding(tokenizer.vocabulary_size(), 8),
            keras.layers.GlobalAveragePooling1D(),
            keras.layers.Dense(2),
        ]
    )
    names = ["bad", "good"]
    task = tasks.TextClassifier(model, tokenizer, names, sequence_length=3)
    task.export(tmp_path / "model")
    found = [row["probabilities"] for row in run(tmp_path / "model", TEXTS)]
    assert np.allclose(found, task.predict_probabilities(TEXTS), atol=1e-5)
    with pytest.raises(ValueError, match="`pairs` must be False"):
        task.export(tmp_path / "model", pairs=True)


def test_validation_data_of_a_language_model_is_a_list_of_texts(tokenizer):
    task, _ = make("CausalLM", tokenizer)
    history = task.fit(TEXTS, validation_data=TEXTS[:2], verbose=0)
    assert np.isfinite(history.history["val_loss"]).all()


def test_a_row_has_at_least_three_tokens(tokenizer):
    model = BERTClassifier(bert(tokenizer), 2)
    with pytest.raises(ValueError, match="`sequence_length` must be at least"):
        tasks.TextClassifier(
            model, tokenizer, ["bad", "good"], sequence_length=1
        )
