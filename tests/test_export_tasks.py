"""Exported fine-tuned BERTs return the answers of Python.

The span model runs in a bare process too.
"""

import keras
import numpy as np
import pytest
from keras import ops

from keras_seq import export
from keras_seq.models import (
    BERT,
    BERTClassifier,
    BERTSpanQA,
    BERTTagger,
    best_span,
)
from keras_seq.text import (
    MultiSegmentPacker,
    WordPieceTokenizer,
    tokens_to_text,
)

pytestmark = pytest.mark.skipif(
    keras.backend.backend() == "torch",
    reason="Keras writes no SavedModel from PyTorch",
)

TEXTS = [
    "강아지가 공원에서 놀아요.",
    "",
    "The cat\tplays  in the park, 🙂 and the dog sleeps.",
    " ".join(["dog park"] * 40),  # more than there is room for
    "강아지 🙂👍🏽 cat",
    "cat",
]
QUESTIONS = ["누가 놀아요?", "who?", "", "dog?", "🙂", "Where is the cat?"]
LABELS = ["나쁨", "good", "🙂"]
LENGTH = 23


@pytest.fixture(scope="module")
def packer():
    pytest.importorskip("tensorflow_text", reason="needs tensorflow-text")
    tokenizer = WordPieceTokenizer.train([*TEXTS, *QUESTIONS] * 3, 151)
    return MultiSegmentPacker(tokenizer, LENGTH, truncate="longest_first")


def built(kind, packer, *options):
    """Make a small model of random weights, whose answers differ."""
    keras.utils.set_random_seed(3)
    bert = BERT(
        packer.tokenizer.vocabulary_size(),
        14,
        num_heads=2,
        num_layers=2,
        max_sequence_length=LENGTH,
        pooler=kind is BERTClassifier,
    )
    model = kind(bert, *options)
    ids = np.ones((2, 3), "int32")
    model({"token_ids": ids, "segment_ids": ids})
    draw = np.random.default_rng(5)
    for weight in model.trainable_variables:
        if len(weight.shape) > 1:  # norms and biases stay as they are
            weight.assign(draw.normal(size=weight.shape))
    return model


def numbers(x):
    return ops.convert_to_numpy(x)


@pytest.mark.parametrize("pairs", [False, True])
def test_a_classifier_gives_label_and_probabilities(tmp_path, packer, pairs):
    model = built(BERTClassifier, packer, len(LABELS))
    export.export_bert_classifier(
        model, tmp_path, packer=packer, labels=LABELS, pairs=pairs
    )
    given = {"text": TEXTS, "second": QUESTIONS} if pairs else TEXTS
    answers = export.run(tmp_path, given)
    columns = (TEXTS, QUESTIONS) if pairs else (TEXTS,)
    p = numbers(ops.softmax(model(packer(*columns))))
    found = [answer["probabilities"] for answer in answers]
    assert np.allclose(found, p, atol=1e-4)
    best = [LABELS[place] for place in p.argmax(axis=-1)]
    assert [answer["label"] for answer in answers] == best
    assert len(set(best)) > 1
    with pytest.raises(ValueError, match="texts"):
        export.run(tmp_path, {"text": TEXTS, "third": QUESTIONS})
    with pytest.raises(ValueError, match="equal lengths"):
        export.run(tmp_path, {"text": TEXTS, "second": QUESTIONS[1:]})
    with pytest.raises(ValueError, match="labels"):
        export.export_bert_classifier(
            model, tmp_path, packer=packer, labels=LABELS[:2]
        )


def test_a_tagger_gives_each_piece_its_tag(tmp_path, packer):
    model = built(BERTTagger, packer, len(LABELS))
    export.export_bert_tagger(model, tmp_path, packer=packer, labels=LABELS)
    answers = export.run(tmp_path, TEXTS)
    packed = packer(TEXTS, offsets=True)
    offsets = packed.pop("offsets")
    chosen = numbers(model(packed)).argmax(axis=-1)
    seen = set()
    for text, answer, tags, pairs in zip(TEXTS, answers, chosen, offsets):
        real = [place for place, (_, end) in enumerate(pairs) if end]
        assert [answer["tags"][t] for t in real] == [
            LABELS[tags[t]] for t in real
        ]
        assert [answer["pieces"][t] for t in real] == [
            text[slice(*pairs[t])] for t in real
        ]
        assert list(zip(answer["starts"], answer["ends"])) == [
            tuple(pair) for pair in pairs.tolist()
        ]
        seen |= set(answer["tags"])
    assert len(seen) > 2 and "" in seen


def test_a_span_model_answers_from_the_text(tmp_path, packer):
    model = built(BERTSpanQA, packer)
    export.export_bert_span_qa(model, tmp_path, packer=packer, max_length=3)
    columns = {"question": QUESTIONS, "text": TEXTS}
    answers = export.run(tmp_path, columns)
    packed = packer(QUESTIONS, TEXTS, offsets=True)
    inputs = {name: packed[name] for name in ("token_ids", "segment_ids")}
    ends = model(inputs)
    spans = numbers(best_span(ends["start"], ends["end"], max_length=3))
    expected = tokens_to_text(packed, TEXTS, spans)
    assert [answer["answer"] for answer in answers] == expected
    assert any(expected)
    assert all(answer["score"] <= 0 for answer in answers)
    assert export.run_alone(tmp_path, columns, "answer") == expected


def test_a_row_longer_than_the_context_is_an_error(tmp_path, packer):
    model = built(BERTClassifier, packer, 2)
    export.export_bert_classifier(
        model,
        tmp_path,
        packer=MultiSegmentPacker(packer.tokenizer),
        labels=["a", "b"],
    )
    assert len(export.run(tmp_path, TEXTS[:1])) == 1
    with pytest.raises(Exception, match=f"more than {LENGTH} tokens"):
        export.run(tmp_path, TEXTS)


def test_an_invalid_argument_is_named(tmp_path, packer):
    model = built(BERTTagger, packer, 2)
    options = {"packer": packer, "labels": ["a", "b"]}
    with pytest.raises(ValueError, match="BERTClassifier"):
        export.export_bert_classifier(model, tmp_path, **options)
    with pytest.raises(ValueError, match="packer"):
        export.export_bert_tagger(
            model, tmp_path, **(options | {"packer": packer.tokenizer})
        )
    with pytest.raises(ValueError, match="max_length"):
        export.export_bert_span_qa(model, tmp_path, packer=packer, max_length=0)
