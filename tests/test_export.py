"""Exported text models return the strings of Python, in any process."""

import dataclasses
import io
import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

import keras_seq
from keras_seq import export
from keras_seq.export.reading import check_texts
from keras_seq.generation import BeamSearch, Greedy, Sampling
from keras_seq.text import CharTokenizer, SentencePieceTokenizer

BACKEND = keras.backend.backend()
needs_export = pytest.mark.skipif(
    BACKEND == "torch", reason="Keras writes no SavedModel from PyTorch"
)

CORPUS = [
    "강아지가 공원에서 강아지와 놀아요.",
    "고양이가 공원에서 고양이와 놀아요!",
    "내일 시간 있어? 내일은 시간이 없어요.",
    "The dog plays in the park, and the cat plays too.",
    "Are you free tomorrow? You are free today!",
]
TEXTS = [
    "Are you free tomorrow?",
    "",
    "내일 시간 있어?",
    "강아지 🙂👍🏽 cat",
    " ".join(["dog park"] * 40),  # 80 words
    b"\xff\xfe dog \xec\x95",
    "a\0b\n\tc",
]
# Texts that are also sent alone; XLA compiles each length anew.
ALONE = (1, 2, 4, 5) if BACKEND == "tensorflow" else (2, 4)
LENGTH = 7
LABELS = ["나쁨", "good", "🙂"]
NEEDS = "needs tensorflow-text and sentencepiece"


def tokenizers():
    """Make two tokenizers with about the same number of ids."""
    pytest.importorskip("tensorflow_text", reason=NEEDS)
    pytest.importorskip("sentencepiece", reason=NEEDS)
    pieces = SentencePieceTokenizer.train(CORPUS * 3, 331)
    return {"char": CharTokenizer.train(CORPUS), "pieces": pieces}


@dataclasses.dataclass(frozen=True)
class Case:
    """A model, its tokenizers, and how it is exported."""

    model: str
    source: str
    target: str
    sampler: Greedy
    options: dict = dataclasses.field(default_factory=dict)


ATTENTION = {"attention": True}
CASES = {
    "lm": Case("RecurrentLM", "char", "char", Greedy(repetition_penalty=1.3)),
    "lm_drawn": Case("RecurrentLM", "char", "char", Sampling(seed=2**31 + 5)),
    "seq2seq": Case(
        "Seq2Seq",
        "char",
        "pieces",
        BeamSearch(2, return_all_beams=True),
        {"end_id": 11},
    ),
    "bahdanau": Case(
        "BahdanauSeq2Seq",
        "pieces",
        "char",
        BeamSearch(3, coverage_penalty=0.2),
        {**ATTENTION, "source_end": True},
    ),
    "luong": Case("LuongSeq2Seq", "pieces", "pieces", Greedy(), ATTENTION),
    "transformer": Case(
        "Transformer",
        "pieces",
        "pieces",
        BeamSearch(2, no_repeat_ngram_size=1),
        ATTENTION,
    ),
    "gpt": Case("GPT", "char", "char", Greedy(no_repeat_ngram_size=1)),
}
if BACKEND == "jax":  # which compiles each anew; the others have all its parts
    del CASES["bahdanau"]


def built(name, source, target):
    """Make a small model of random weights, whose answers differ."""
    made = getattr(keras_seq.models, name)
    ids = np.ones((2, 3), "int32")
    small = {"num_heads": 2, "num_layers": 1}
    options = {
        "GPT": {"hidden_dim": 14, **small, "max_sequence_length": 2500},
        "Transformer": {"hidden_dim": 14, **small},
    }.get(name, {"units": 5})
    if name in ("RecurrentLM", "GPT"):
        model = made(source.vocabulary_size(), **options)
        model(ids)
    else:
        model = made(
            source.vocabulary_size(), target.vocabulary_size(), **options
        )
        model({"source": ids, "target": ids})
    # (Random weights of a Transformer mostly generate one token again.)
    draw = np.random.default_rng(7 if name == "Transformer" else 3)
    for weight in model.trainable_variables:
        weight.assign(draw.normal(size=weight.shape))
    return model


class Exports:
    """Every case, exported and run in another process."""

    def __init__(self, folder):
        self.folder = folder
        self.tokenizers = tokenizers()
        keras.utils.set_random_seed(7)
        self.models = {}
        for name, case in CASES.items():
            source, target = self.pair(name)
            self.models[name] = built(case.model, source, target)
            export.export_text_model(
                self.models[name],
                folder / name,
                source_tokenizer=source,
                target_tokenizer=None if target is source else target,
                sampler=case.sampler,
                max_length=LENGTH,
                **case.options,
            )
        self.answers = answer_elsewhere(folder)

    def pair(self, name):
        case = CASES[name]
        return self.tokenizers[case.source], self.tokenizers[case.target]

    def in_python(self, name, texts):
        """Tokenize, generate, detokenize: strings and `Generated`."""
        case, (source, target) = CASES[name], self.pair(name)
        ids = source.tokenize(texts, end=case.options.get("source_end", False))
        found = keras_seq.generation.generate(
            self.models[name],
            ids,
            case.sampler,
            max_length=LENGTH,
            end_id=case.options.get("end_id", target.end_id),
        )
        rows = np.reshape(found.ids, (-1, LENGTH))
        strings = np.array(target.detokenize(rows), dtype=object)
        return strings.reshape(found.ids.shape[:-1]).tolist(), found


def raw(text):
    return text if isinstance(text, bytes) else text.encode()


def many(count=64):
    return [TEXTS[i % len(TEXTS)] for i in range(count)]


ELSEWHERE = """
import json, sys
import numpy as np
import tensorflow as tf
import tensorflow_text

def plain(x):
    x = x.numpy()
    if x.dtype == object:
        x = np.vectorize(lambda b: b.decode("utf-8"), otypes="O")(x)
    return x.tolist()

batches = json.load(open("texts.json"))
answers = {}
for name in sys.argv[1:]:
    served = tf.saved_model.load(name).signatures["serving_default"]
    answers[name] = []
    for batch in batches:
        texts = tf.constant([t.encode("latin-1") for t in batch], tf.string)
        found = served(text=texts)
        answers[name].append({k: plain(v) for k, v in found.items()})
    none = served(text=tf.constant([], tf.string))
    answers[name].append({k: list(v.shape) for k, v in none.items()})
ours = [m for m in sys.modules if m.startswith("keras_seq")]
assert not ours, ours
json.dump(answers, open("answers.json", "w"))
"""


def answer_elsewhere(folder):
    """Answer 64 texts, then some of them alone, then none: dict of lists."""
    batches = [many(), *([TEXTS[i]] for i in ALONE)]
    batches = [[raw(t).decode("latin-1") for t in b] for b in batches]
    (folder / "texts.json").write_text(json.dumps(batches))
    run = [sys.executable, "-c", ELSEWHERE, *CASES]
    done = subprocess.run(run, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads((folder / "answers.json").read_text())


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    if BACKEND == "torch":
        pytest.skip("Keras writes no SavedModel from PyTorch")
    return Exports(tmp_path_factory.mktemp("exports"))


same_draws = {
    name: pytest.param(
        name,
        marks=pytest.mark.skipif(
            isinstance(case.sampler, Sampling) and BACKEND != "tensorflow",
            reason="a seed draws other numbers on another backend",
        ),
    )
    for name, case in CASES.items()
}


@pytest.mark.parametrize("name", same_draws.values())
def test_64_texts_give_the_strings_of_python(exports, name):
    answer = exports.answers[name][0]
    strings, found = exports.in_python(name, many())
    assert answer["text"] == strings
    assert len({str(string) for string in strings}) > 3
    assert np.allclose(answer["score"], found.scores, rtol=1e-4, atol=1e-3)


def test_a_text_longer_than_the_context_is_an_error(exports, tmp_path):
    tokenizer = exports.tokenizers["char"]
    model = keras_seq.models.GPT(
        tokenizer.vocabulary_size(),
        8,
        num_heads=2,
        num_layers=1,
        max_sequence_length=11,
    )
    model(np.ones((1, 3), "int32"))
    export.export_text_model(
        model, tmp_path, source_tokenizer=tokenizer, max_length=5
    )
    assert len(export.run(tmp_path, ["abcdefg"])) == 1
    with pytest.raises(Exception, match="more than 7 tokens"):
        export.run(tmp_path, ["abcdefgh"])


@pytest.mark.parametrize("name", CASES)
def test_a_text_alone_gets_the_answer_it_gets_in_a_batch(exports, name):
    among, *alone, _ = exports.answers[name]
    if not isinstance(CASES[name].sampler, Sampling):  # a draw for each row
        strings = [a["text"][0] for a in alone]
        assert strings == [among["text"][i] for i in ALONE]
        scores = [a["score"][0] for a in alone]
        expected = [among["score"][i] for i in ALONE]
        assert np.allclose(scores, expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("name", CASES)
def test_an_empty_batch_gives_empty_outputs(exports, name):
    shapes = exports.answers[name][-1]
    assert {shape[0] for shape in shapes.values()} == {0}


@pytest.mark.parametrize(
    "name", [name for name in CASES if CASES[name].options.get("attention")]
)
def test_attention_comes_with_its_tokens(exports, name):
    answer = exports.answers[name][0]
    source, target = exports.pair(name)
    _, found = exports.in_python(name, many())
    assert np.allclose(answer["attention"], found.attention, atol=1e-3)
    ids = source.tokenize(many(), end=name == "bahdanau")
    assert answer["source_tokens"] == source.tokens(ids)
    assert answer["target_tokens"] == target.tokens(found.ids)
    weights = np.array(answer["attention"])  # (B, L, S)
    assert weights.shape == (64, LENGTH, ids.shape[1])
    padding = (ids == 0) & (ids.sum(axis=1, keepdims=True) > 0)
    assert not weights[np.broadcast_to(padding[:, None], weights.shape)].any()


def test_outputs_without_attention_are_text_and_score(exports):
    for name in ("lm", "seq2seq"):
        assert set(exports.answers[name][0]) == {"text", "score"}


def test_all_beams_can_be_returned(exports):
    answer = exports.answers["seq2seq"][0]
    assert np.shape(answer["text"]) == np.shape(answer["score"]) == (64, 2)


def tiny(**options):
    """Make a model and the arguments of its export."""
    pytest.importorskip("tensorflow_text", reason=NEEDS)
    tokenizer = CharTokenizer("abc")
    model = keras_seq.models.RecurrentLM(
        tokenizer.vocabulary_size(), 5, **options
    )
    model(np.ones((1, 2), "int32"))
    return model, {"source_tokenizer": tokenizer, "max_length": 19}


@needs_export
def test_sampling_without_a_seed_differs_in_each_server(tmp_path):
    model, options = tiny()
    export.export_text_model(model, tmp_path, sampler=Sampling(), **options)
    first, second = (export.run(tmp_path, ["a"] * 31) for _ in range(2))
    assert first != second
    assert len({answer["text"] for answer in first}) > 1


@needs_export
def test_half_precision_is_exported(tmp_path):
    keras.config.set_dtype_policy("mixed_bfloat16")
    model, options = tiny()
    export.export_text_model(model, tmp_path, **options)
    alone, among, _ = export.run(tmp_path, ["ab", "ab", "abcab" * 5])
    ids = options["source_tokenizer"].tokenize(["ab"])
    found = keras_seq.generation.generate(model, ids, max_length=19, end_id=3)
    assert among == alone
    assert alone["score"] == pytest.approx(found.scores[0], rel=0.02)


def classifier(tokenizer):
    ids = keras.Input((None,), dtype="int32")
    x = keras_seq.layers.TokenEmbedding(tokenizer.vocabulary_size(), 5)(ids)
    x = keras_seq.layers.GRU(5)(x)
    return keras.Model(ids, keras.layers.Dense(len(LABELS))(x))


@needs_export
def test_a_classifier_gives_label_and_probabilities(tmp_path):
    pytest.importorskip("tensorflow_text", reason=NEEDS)
    tokenizer = CharTokenizer.train(CORPUS)
    model = classifier(tokenizer)
    export.export_text_classifier(
        model, tmp_path, tokenizer=tokenizer, labels=LABELS, start=True
    )
    answers = export.run(tmp_path, many())
    logits = model(tokenizer.tokenize(many(), start=True))
    p = keras.ops.convert_to_numpy(keras.ops.softmax(logits))
    found = [answer["probabilities"] for answer in answers]
    assert np.allclose(found, p, atol=1e-5)
    best = [LABELS[place] for place in p.argmax(axis=-1)]
    assert [answer["label"] for answer in answers] == best
    assert export.run(tmp_path, []) == []


# The command line.


def test_show_lists_inputs_and_outputs(exports, capsys):
    export.main(["show", str(exports.folder / "luong")])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "serving_default"
    assert "  input  text: string (None,)" in lines
    assert "  output text: string (None,)" in lines
    assert "  output score: float32 (None,)" in lines
    assert f"  output attention: float32 (None, {LENGTH}, None)" in lines
    assert "NormalizeUTF8" in lines[-1] and "SentencepieceOp" in lines[-1]


def test_run_prints_an_object_for_each_text(exports, capsys):
    texts = ["강아지 🙂", ""]
    given = [arg for text in texts for arg in ("--text", text)]
    export.main(["run", str(exports.folder / "luong"), *given])
    lines = capsys.readouterr().out.splitlines()
    answers = [json.loads(line) for line in lines]
    assert [answer["text"] for answer in answers] == exports.in_python(
        "luong", texts
    )[0]
    assert set(answers[0]) == {"text", "score"}


def test_run_reads_lines_that_are_not_utf_8(exports, capsys, monkeypatch):
    lines = b"dog\n\xff\xfe\r\n\nlast"
    stdin = io.TextIOWrapper(io.BytesIO(lines))
    monkeypatch.setattr(sys, "stdin", stdin)
    export.main(["run", str(exports.folder / "seq2seq")])
    printed = capsys.readouterr().out.splitlines()
    strings, _ = exports.in_python("seq2seq", lines.splitlines())
    assert [json.loads(line)["text"] for line in printed] == strings


def test_the_module_runs_where_stdout_is_ascii(exports):
    run = [sys.executable, "-m", "keras_seq.export", "run"]
    run += [str(exports.folder / "lm"), "--text", "강아지"]
    env = {"PYTHONIOENCODING": "ascii", "KERAS_BACKEND": BACKEND}
    done = subprocess.run(run, capture_output=True, env=os.environ | env)
    assert done.returncode == 0, done.stderr.decode()
    assert set(json.loads(done.stdout)) == {"text", "score"}


def test_a_path_without_a_saved_model_is_named(tmp_path):
    for command in ("show", "run"):
        with pytest.raises(SystemExit, match="nowhere"):
            export.main([command, str(tmp_path / "nowhere")])


@needs_export  # PyTorch orders equals otherwise
@pytest.mark.parametrize("k", [1, 2, 5, 11])
def test_the_portable_top_k_is_that_of_keras(k):
    x = np.random.default_rng(k).integers(0, 9, (3, 11)).astype("float32")
    x[1, :7] = -np.inf
    expected = keras.ops.top_k(x, k)
    for ours, theirs in zip(
        export.saved_model.portable_top_k(keras.ops.array(x), k), expected
    ):
        ours, theirs = map(keras.ops.convert_to_numpy, (ours, theirs))
        assert np.array_equal(ours, theirs)


# Invalid arguments.


@pytest.mark.skipif(BACKEND != "torch", reason="PyTorch's own")
def test_the_error_on_pytorch_explains_the_way(tmp_path):
    model, options = tiny()
    with pytest.raises(ValueError, match="KERAS_BACKEND=tensorflow"):
        export.export_text_model(model, tmp_path, **options)


@needs_export
@pytest.mark.parametrize(
    "bad, message",
    [
        ({"max_length": 0}, "`max_length`"),
        (
            {"source_tokenizer": str},
            "`source_tokenizer` must be a keras_seq",
        ),
        (
            {"target_tokenizer": str},
            "`target_tokenizer` must be a keras_seq",
        ),
        ({"source_tokenizer": CharTokenizer("abcd")}, "`source_tokenizer` mu"),
        ({"target_tokenizer": CharTokenizer("ab")}, "`target_tokenizer` must"),
        ({"attention": True}, "`attention`"),
    ],
)
def test_an_invalid_argument_is_named(tmp_path, bad, message):
    model, options = tiny()
    with pytest.raises(ValueError, match=message):
        export.export_text_model(model, tmp_path, **{**options, **bad})


@needs_export
def test_a_model_without_padding_is_an_error(tmp_path):
    model, options = tiny(pad_id=None)
    with pytest.raises(ValueError, match="pad_id=None"):
        export.export_text_model(model, tmp_path, **options)


@needs_export
def test_a_model_must_be_built_and_generate(tmp_path):
    _, options = tiny()
    model = keras_seq.models.RecurrentLM(8, 5)
    with pytest.raises(ValueError, match="not built"):
        export.export_text_model(model, tmp_path, **options)
    model = classifier(options["source_tokenizer"])
    with pytest.raises(ValueError, match="start.inputs, max_length. and step"):
        export.export_text_model(model, tmp_path, **options)


@needs_export
def test_labels_must_be_one_for_each_class(tmp_path):
    pytest.importorskip("tensorflow_text", reason=NEEDS)
    options = {"tokenizer": CharTokenizer("abc")}
    model = classifier(options["tokenizer"])
    with pytest.raises(ValueError, match="`labels` must be one for each"):
        export.export_text_classifier(
            model, tmp_path, labels=["a", "b"], **options
        )
    for labels in (None, 3, "ab", ["a", 1]):
        with pytest.raises(ValueError, match="`labels` must be a list of str"):
            export.export_text_classifier(
                model, tmp_path, labels=labels, **options
            )
    with pytest.raises(ValueError, match="`labels` must be one for each"):
        export.export_text_classifier(model, tmp_path, labels=[], **options)


@pytest.mark.parametrize("texts", [None, 5, "a", iter(["a"]), [1], {"a": 1}])
def test_texts_must_be_lists_of_str(texts):
    with pytest.raises(ValueError, match="`texts` must be a list of str"):
        check_texts(texts)


def test_a_lone_surrogate_becomes_the_replacement_character():
    assert check_texts(["a\ud800", b"b"]) == {"text": ["a\ufffd", b"b"]}


def test_a_damaged_export_is_named(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"no model")
    with pytest.raises(ValueError, match="damaged"):
        export.show(tmp_path)


@needs_export
@pytest.mark.parametrize("texts", ["abc", [1, 2]])
@pytest.mark.parametrize("run", [export.run, export.run_alone])
def test_run_validates_its_texts(exports, run, texts):
    with pytest.raises(ValueError, match="`texts`"):
        run(exports.folder / "lm", texts)


@needs_export
def test_a_bare_process_gives_the_same_answers(exports):
    texts = ["강아지 🙂", "", "Are you free tomorrow?"]
    path = exports.folder / "seq2seq"
    here = [answer["text"] for answer in export.run(path, texts)]
    assert export.run_alone(path, texts) == here


class OwnNoise(Greedy):
    """A sampler that draws numbers which an export could not draw."""

    def draw_noise(self, shape):
        return keras.random.uniform(shape) ** 2


@needs_export
@pytest.mark.parametrize(
    "bad, name",
    [
        ({"sampler": OwnNoise()}, "sampler"),
        ({"sampler": "beam"}, "sampler"),
        ({"sampler": Greedy}, "sampler"),
        ({"end_id": -1}, "end_id"),
    ],
)
def test_sampler_and_end_token_are_validated(tmp_path, bad, name):
    model, options = tiny()
    with pytest.raises(ValueError, match=f"`{name}`"):
        export.export_text_model(model, tmp_path, **{**options, **bad})
