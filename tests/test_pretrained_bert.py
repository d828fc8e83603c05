"""BERT in the format of `transformers`: equal outputs, and clear errors."""

import json

import keras
import numpy as np
import pytest
from keras import ops

from keras_seq import pretrained
from keras_seq.models import (
    BERT,
    BERTClassifier,
    BERTPretrainer,
    BERTSpanQA,
    BERTTagger,
)
from keras_seq.text import BERTTokenizer, CharTokenizer

transformers = pytest.importorskip("transformers")
torch = pytest.importorskip("torch")
arrays = pytest.importorskip("safetensors.numpy")

HEADS = (1, 2, 3)
SIZES = {
    "vocab_size": 29,
    "hidden_size": 12,
    "num_hidden_layers": 2,
    "intermediate_size": 31,
    "max_position_embeddings": 23,
    "type_vocab_size": 3,
}
OURS = {
    "vocabulary_size": 29,
    "hidden_dim": 12,
    "num_heads": 3,
    "num_layers": 2,
    "intermediate_dim": 31,
    "max_sequence_length": 23,
    "num_segments": 3,
}


def make(kind, folder, num_attention_heads=3, **options):
    """Save a small BERT of different random weights; return it."""
    torch.manual_seed(num_attention_heads)
    sizes = {**SIZES, "num_attention_heads": num_attention_heads}
    config = transformers.BertConfig(**{**sizes, **options})
    config._attn_implementation = "eager"  # it returns the weights
    model = getattr(transformers, kind)(config).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(0.0, 0.4)
    model.save_pretrained(folder)
    return model


@pytest.fixture(scope="module", params=HEADS)
def published(request, tmp_path_factory):
    """Save a BERT with both pretraining heads; return it and its folder."""
    folder = tmp_path_factory.mktemp("bert")
    return make("BertForPreTraining", folder, request.param), folder


first_only = pytest.mark.parametrize("published", HEADS[:1], indirect=True)


@pytest.fixture
def folder(published, tmp_path):
    """Return a copy of the folder that a test may change."""
    for path in published[1].glob("*.*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def inputs(pad=0, side="right"):
    """Draw three rows of several lengths, with segments."""
    draw = np.random.default_rng(0)
    ids = draw.integers(1, 29, (3, 17))
    ids[ids == pad] = 5
    for row, length in zip(ids, (17, 11, 2)):
        row[length:] = pad
        row[:] = np.roll(row, 17 - length) if side == "left" else row
    return {"token_ids": ids, "segment_ids": draw.integers(0, 3, (3, 17))}


def expected(model, given, pad=0, **options):
    """Call a model of `transformers` with our masks and positions."""
    mask = given["token_ids"] != pad
    positions = np.maximum(mask.cumsum(axis=1) - 1, 0)
    with torch.no_grad():
        found = model(
            torch.tensor(given["token_ids"]),
            attention_mask=torch.tensor(mask.astype(int)),
            token_type_ids=torch.tensor(given["segment_ids"]),
            position_ids=torch.tensor(positions),
            **options,
        )
    return found, mask


def numbers(x):
    return ops.convert_to_numpy(ops.cast(x, "float32"))


def assert_close(ours, theirs, real=...):
    a, b = numbers(ours)[real], theirs.float().numpy()[real]
    np.testing.assert_allclose(a, b, atol=1e-4)


def assert_same_vectors(ours, theirs, given, pad=0):
    """Compare `sequence_output`, where tokens are real, and `pooled_output`."""
    found = ours(given)
    answer, real = expected(theirs, given, pad)
    assert_close(found["sequence_output"], answer.last_hidden_state, real)
    if "pooled_output" in found:
        first = torch.tensor(real.argmax(axis=1))  # theirs pools position 0
        vectors = answer.last_hidden_state[torch.arange(3), first]
        with torch.no_grad():
            assert_close(
                found["pooled_output"], theirs.pooler(vectors[:, None])
            )


def assert_same_questions(ours, theirs, given):
    """Compare the logits of both pretraining tasks."""
    found = ours(given)
    answer, real = expected(theirs, given)
    masked = "prediction_logits" if ours.next_sentence else "logits"
    assert_close(found["masked_lm"], answer[masked], real)
    if ours.next_sentence:
        assert_close(found["next_sentence"], answer.seq_relationship_logits)


def loaded(kind, folder, **options):
    """Load a folder by `transformers`, without missing weights."""
    model, told = getattr(transformers, kind).from_pretrained(
        folder, output_loading_info=True, **options
    )
    assert not any(told.values()), told
    return model.eval()


# Loading.


@pytest.mark.parametrize("side", ["left", "right"])
def test_both_outputs_equal_those_of_transformers(published, side):
    theirs, folder = published
    ours = pretrained.load(folder, BERT)
    assert_same_vectors(ours, theirs.bert, inputs(side=side))


def test_pretraining_logits_equal_those_of_transformers(published):
    theirs, folder = published
    ours = pretrained.load(folder, BERTPretrainer)
    assert_same_questions(ours, theirs, inputs())


def test_attention_weights_equal_those_of_transformers(published):
    theirs, folder = published
    ours, given = pretrained.load(folder, BERT), inputs()
    _, weights = ours(given, return_attention_scores=True)
    answer, real = expected(theirs.bert, given, output_attentions=True)
    for a, b in zip(weights, answer.attentions):
        a, b = numbers(a), b.numpy()
        rows = np.swapaxes(a, 1, 2)[real], np.swapaxes(b, 1, 2)[real]
        np.testing.assert_allclose(*rows, atol=1e-4)


def test_a_model_without_heads_is_loaded(tmp_path):
    theirs = make("BertModel", tmp_path)
    assert "embeddings.LayerNorm.weight" in arrays.load_file(
        tmp_path / "model.safetensors"
    )
    ours = pretrained.load(tmp_path, BERT)
    assert_same_vectors(ours, theirs, inputs())


def test_a_model_without_next_sentence_prediction_has_no_pooler(tmp_path):
    theirs = make("BertForMaskedLM", tmp_path)
    ours = pretrained.load(tmp_path, BERTPretrainer)
    assert not ours.next_sentence and ours.bert.pooler is None
    assert_same_questions(ours, theirs, inputs())


def test_a_classifier_is_loaded_with_its_labels(tmp_path):
    theirs = make("BertForSequenceClassification", tmp_path, num_labels=5)
    ours, given = pretrained.load(tmp_path, BERTClassifier), inputs()
    answer, _ = expected(theirs, given)
    assert ours.head.units == 5 and ours.dropout.rate == 0.1
    assert_close(ours(given), answer.logits)


def test_a_classifier_without_labels_has_two_classes(tmp_path):
    theirs = make("BertForSequenceClassification", tmp_path)
    ours, given = pretrained.load(tmp_path, BERTClassifier), inputs()
    answer, _ = expected(theirs, given)
    assert_close(ours(given), answer.logits)


def test_a_tagger_is_loaded_with_its_own_dropout(tmp_path):
    theirs = make(
        "BertForTokenClassification",
        tmp_path,
        num_labels=7,
        classifier_dropout=0.3,
    )
    ours, given = pretrained.load(tmp_path, BERTTagger), inputs()
    answer, real = expected(theirs, given)
    assert ours.dropout.rate == 0.3
    assert_close(ours(given), answer.logits, real)


def before_the_last(real):
    """Drop the last real token, a [SEP]: our model scores no answer there."""
    return real & np.pad(real[:, 1:], ((0, 0), (0, 1)))


def test_a_question_answering_model_is_loaded(tmp_path):
    theirs = make("BertForQuestionAnswering", tmp_path)
    ours, given = pretrained.load(tmp_path, BERTSpanQA), inputs()
    given["segment_ids"][:] = 1
    answer, real = expected(theirs, given)
    found, text = ours(given), before_the_last(real)
    assert_close(found["start"], answer.start_logits, text)
    assert_close(found["end"], answer.end_logits, text)


@first_only
def test_old_tensor_names_are_loaded(published, folder):
    path = folder / "model.safetensors"
    old = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
            "LayerNorm.bias", "LayerNorm.beta"
        ): x
        for name, x in arrays.load_file(path).items()
    }
    old["bert.embeddings.position_ids"] = np.arange(23)[None]
    table = old["bert.embeddings.word_embeddings.weight"]
    old["cls.predictions.decoder.weight"] = table
    old["cls.predictions.decoder.bias"] = old["cls.predictions.bias"]
    arrays.save_file(old, path)
    ours = pretrained.load(folder, BERTPretrainer)
    assert_same_questions(ours, published[0], inputs())


@pytest.mark.parametrize("activation", ["gelu_new", "relu"])
def test_other_activations_are_loaded_and_saved(tmp_path, activation):
    theirs = make("BertForPreTraining", tmp_path, hidden_act=activation)
    ours = pretrained.load(tmp_path, BERTPretrainer)
    assert_same_questions(ours, theirs, inputs())
    pretrained.save(ours, tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["hidden_act"] == activation


@pytest.mark.parametrize("pad", [3, None])
def test_the_id_of_padding_is_loaded_and_saved(tmp_path, pad):
    theirs = make("BertModel", tmp_path, pad_token_id=pad)
    ours = pretrained.load(tmp_path, BERT)
    assert ours.pad_id == pad
    given = inputs(pad=3)
    if pad is None:
        given["token_ids"][given["token_ids"] == 3] = 7
    assert_same_vectors(ours, theirs, given, pad)
    pretrained.save(ours, tmp_path / "again")
    assert loaded("BertModel", tmp_path / "again").config.pad_token_id == pad


@first_only
def test_a_file_in_half_precision_is_loaded(published, tmp_path):
    half = transformers.BertForPreTraining(published[0].config)
    half.to(torch.bfloat16).save_pretrained(tmp_path)
    ours = pretrained.load(tmp_path, BERTPretrainer)
    assert_same_questions(ours, half.float().eval(), inputs())


def test_an_option_determined_by_config_json_raises(published):
    with pytest.raises(ValueError, match="`num_layers` must be left out"):
        pretrained.load(published[1], BERT, num_layers=1)


@first_only
def test_options_reach_the_model(published):
    ours = pretrained.load(
        published[1], BERTPretrainer, dtype="mixed_bfloat16", dropout=0.0
    )
    assert ours.bert.dropout.rate == 0.0
    assert ours(inputs())["masked_lm"].dtype == ops.cast(0, "bfloat16").dtype


@first_only
def test_a_loaded_model_is_saved_as_keras_file(published, tmp_path):
    ours, given = pretrained.load(published[1], BERTPretrainer), inputs()
    ours.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    for name, x in ours(given).items():
        assert np.array_equal(numbers(again(given)[name]), numbers(x))


# Saving.


@pytest.mark.parametrize("num_heads", HEADS)
def test_transformers_loads_a_saved_model(tmp_path, num_heads):
    ours = random_weights(BERT(**{**OURS, "num_heads": num_heads}))
    pretrained.save(ours, tmp_path)
    assert_same_vectors(ours, loaded("BertModel", tmp_path), inputs())


def test_transformers_loads_a_model_without_a_pooler(tmp_path):
    ours = random_weights(BERT(**OURS, pooler=False))
    pretrained.save(ours, tmp_path)
    theirs = loaded("BertModel", tmp_path, add_pooling_layer=False)
    assert_same_vectors(ours, theirs, inputs())


@pytest.mark.parametrize(
    "next_sentence, kind",
    [(True, "BertForPreTraining"), (False, "BertForMaskedLM")],
)
def test_transformers_loads_the_pretraining_heads(
    tmp_path, next_sentence, kind
):
    ours = BERTPretrainer(BERT(**OURS), next_sentence=next_sentence)
    pretrained.save(random_weights(ours), tmp_path)
    theirs = loaded(kind, tmp_path)
    assert theirs.config.architectures == [kind]
    assert_same_questions(ours, theirs, inputs())


@pytest.mark.parametrize(
    "cls, kind",
    [
        (BERTClassifier, "BertForSequenceClassification"),
        (BERTTagger, "BertForTokenClassification"),
    ],
)
def test_transformers_loads_a_classifier_or_tagger(tmp_path, cls, kind):
    ours = random_weights(cls(BERT(**OURS), 5, dropout=0.3))
    pretrained.save(ours, tmp_path)
    theirs, given = loaded(kind, tmp_path), inputs()
    answer, real = expected(theirs, given)
    assert theirs.config.num_labels == 5
    assert theirs.config.classifier_dropout == 0.3
    assert_close(ours(given), answer.logits, real if cls is BERTTagger else ...)


def test_transformers_loads_a_question_answering_model(tmp_path):
    ours, given = random_weights(BERTSpanQA(BERT(**OURS))), inputs()
    pretrained.save(ours, tmp_path)
    given["segment_ids"][:] = 1
    theirs = loaded("BertForQuestionAnswering", tmp_path)
    answer, real = expected(theirs, given)
    text = before_the_last(real)
    assert_close(ours(given)["start"], answer.start_logits, text)


@first_only
def test_loading_and_saving_gives_the_same_folder(published, tmp_path):
    pretrained.save(pretrained.load(published[1], BERTPretrainer), tmp_path)
    old, new = (
        arrays.load_file(place / "model.safetensors")
        for place in (published[1], tmp_path)
    )
    assert old.keys() == new.keys()
    assert all(np.array_equal(old[name], new[name]) for name in old)
    old, new = (
        json.loads((place / "config.json").read_text())
        for place in (published[1], tmp_path)
    )
    assert {name: old[name] for name in new} == new


def test_every_argument_is_saved_and_loaded(tmp_path):
    ours = BERT(
        **OURS,
        dropout=0.2,
        attention_dropout=0.3,
        layer_norm_epsilon=1e-7,
        activation="gelu_tanh",
    )
    ours.build()
    pretrained.save(ours, tmp_path)
    assert pretrained.load(tmp_path, BERT).config == ours.config


def test_defaults_are_written_out(tmp_path):
    ours = BERT(29, 12, num_layers=1, dropout=0.2)
    ours.build()
    pretrained.save(ours, tmp_path)
    again = pretrained.load(tmp_path, BERT).config
    assert again["intermediate_dim"] == 48 and again["attention_dropout"] == 0.2


def random_weights(model):
    """Build a model with different random weights."""
    draw = np.random.default_rng(0)
    model.build((None, None))
    for weight in model.weights:
        if "seed" not in weight.path:
            weight.assign(draw.normal(0.0, 0.4, weight.shape))
    return model


# The tokenizer.


WORDS = ["[PAD]", "[UNK]", "the", "[CLS]", "[SEP]", "[MASK]", "dog", "##s"]


@pytest.mark.parametrize("lower_case", [True, False])
def test_a_tokenizer_is_saved_too(tmp_path, lower_case):
    pytest.importorskip("tensorflow_text")
    tokenizer = BERTTokenizer(WORDS, lower_case)
    ours = random_weights(BERT(**OURS))
    pretrained.save(ours, tmp_path, tokenizer=tokenizer)
    text = "The dogs, the Dog"
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    ids = tokenizer.tokenize(text, start=True, end=True).tolist()
    assert theirs(text)["input_ids"] == ids


def test_a_tokenizer_of_another_model_raises(tmp_path):
    pytest.importorskip("tensorflow_text")
    tokenizer = BERTTokenizer(WORDS)
    small = random_weights(BERT(7, 4, num_heads=1, num_layers=1))
    with pytest.raises(ValueError, match="`tokenizer`.*8 ids.*has 7"):
        pretrained.save(small, tmp_path, tokenizer=tokenizer)
    other = random_weights(BERT(13, 4, num_heads=1, num_layers=1, pad_id=5))
    with pytest.raises(ValueError, match="`tokenizer`.*pad_id=0.*pad_id=5"):
        pretrained.save(other, tmp_path, tokenizer=tokenizer)
    with pytest.raises(ValueError, match="BERTTokenizer.*CharTokenizer"):
        pretrained.save(other, tmp_path, tokenizer=CharTokenizer("abc"))
    assert not list(tmp_path.iterdir())


# Errors.


@first_only
@pytest.mark.parametrize(
    "option, value",
    [
        ("model_type", "gpt2"),
        ("hidden_act", "silu"),
        ("position_embedding_type", "relative_key"),
        ("is_decoder", True),
        ("add_cross_attention", True),
        ("pruned_heads", {"0": [1]}),
        ("tie_word_embeddings", False),
        ("num_hidden_layers", 0),
        ("num_attention_heads", 5),
        ("intermediate_size", None),
        ("hidden_size", "x"),
        ("max_position_embeddings", 2.5),
        ("type_vocab_size", -1),
        ("vocab_size", None),
        ("hidden_dropout_prob", None),
        ("attention_probs_dropout_prob", 2),
        ("layer_norm_eps", "x"),
        ("layer_norm_eps", -1),
        ("pad_token_id", 29),
    ],
)
def test_an_unsupported_option_raises(folder, option, value):
    config = json.loads((folder / "config.json").read_text())
    config[option] = value
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match=option):
        pretrained.load(folder, BERTPretrainer)


@first_only
@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_missing_or_damaged_file_is_named(folder, name):
    (folder / name).write_bytes((folder / name).read_bytes()[:50])
    with pytest.raises(ValueError, match=name):
        pretrained.load(folder, BERT)
    (folder / name).unlink()
    with pytest.raises(ValueError, match=name):
        pretrained.load(folder, BERT)


NORM = "bert.encoder.layer.1.output.LayerNorm.bias"
SPOILS = {  # a change of the tensors, and the error
    "missing": (lambda x: x.pop(NORM), "layer.1.output.LayerNorm.bias"),
    "left over": (lambda x: x.update({"bert.odd": x[NORM]}), "odd"),
    "of another shape": (
        lambda x: x.update({NORM: x[NORM][:-1]}),
        r"output.LayerNorm.bias.*\(12,\).*\(11,\)",
    ),
    "twice": (
        lambda x: x.update({NORM.removeprefix("bert."): x[NORM]}),
        "output.LayerNorm.bias.*twice",
    ),
    "whole numbers": (
        lambda x: x.update({NORM: x[NORM].astype("int32")}),
        "output.LayerNorm.bias.*floats",
    ),
    "not tied": (
        lambda x: x.update({"cls.predictions.decoder.bias": np.ones(29)}),
        "decoder.bias.*tied",
    ),
    "half a pooler": (
        lambda x: x.pop("bert.pooler.dense.weight"),
        "pooler.dense.weight",
    ),
    "no head": (lambda x: x.pop("cls.predictions.bias"), "predictions.bias"),
}


@first_only
@pytest.mark.parametrize("spoil, says", SPOILS.values(), ids=SPOILS)
def test_a_wrong_tensor_is_named(folder, spoil, says):
    tensors = arrays.load_file(folder / "model.safetensors")
    spoil(tensors)
    arrays.save_file(tensors, folder / "model.safetensors")
    with pytest.raises(ValueError, match=says):
        pretrained.load(folder, BERTPretrainer)


def test_a_head_of_another_task_raises(tmp_path):
    make("BertForTokenClassification", tmp_path)
    with pytest.raises(ValueError, match="architectures.*TokenClassification"):
        pretrained.load(tmp_path, BERTClassifier)


def test_saving_a_model_that_is_not_built_raises(tmp_path):
    with pytest.raises(ValueError, match="not built"):
        pretrained.save(BERT(**OURS), tmp_path / "none")
    assert not list(tmp_path.iterdir())


def test_saving_an_activation_that_transformers_lacks_raises(tmp_path):
    ours = random_weights(BERT(**OURS, activation="softplus"))
    with pytest.raises(ValueError, match=r"`activation`.*softplus"):
        pretrained.save(ours, tmp_path)
