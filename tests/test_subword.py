"""Character, WordPiece and SentencePiece tokenizers."""

import ast
import itertools
import json
import pathlib
import subprocess
import sys
import unicodedata

import keras
import numpy as np
import pytest

import keras_seq.text
from keras_seq.text import (
    CharTokenizer,
    SentencePieceTokenizer,
    Tokenizer,
    WordPieceTokenizer,
)

CORPUS = [
    "강아지가 공원에서 강아지와 놀아요.",
    "고양이가 공원에서 고양이와 놀아요!",
    "강아지는 좋아요. 고양이도 좋아요?",
    "내일 시간 있어? 내일은 시간이 없어요.",
    "The dog plays in the park, and the cat plays too.",
    "Playing dogs played; playing cats sleep.",
    "Are you free tomorrow? You are free today!",
    "a tab\tand\na line, two  spaces, naïve café 🙂",
] * 3
UNUSUAL = [
    "",
    " ",
    "강아지가 놀아요",
    unicodedata.normalize("NFD", "강아지와 café"),
    "  two  spaces at  each end  ",
    "\ttab\n\nlines\r\n ",
    "🙂👍🏽 👩\u200d🚀 漢字かな",
    "[MASK] [PAD] </s> <unk> <0x41>",
    "don't stop!! 3.14",
    "q" * 1000,
    "\u2047 \u2585 \u00a0\u3000\ufeff\uffff\ufffd",
    "a\0b",
    "\u1100\u1161\u11a8\u1100",
    b"dog\xffcat\xc0\xaf",
    b"\x80e\xcc\x81",
    b"\xed\xa0\x80 \xf0\x9f\x98",
]
NEEDS_TEXT = "needs tensorflow-text, which has no wheels for this platform"
NEEDS_SPM = "training needs the sentencepiece package (extra: tutorials)"
KINDS = ("char", "wordpiece", "unigram", "bpe")


def make(kind, texts=CORPUS):
    if kind == "char":
        return CharTokenizer.train(texts)
    pytest.importorskip("tensorflow_text", reason=NEEDS_TEXT)
    if kind == "wordpiece":
        return WordPieceTokenizer.train(texts, 211)
    pytest.importorskip("sentencepiece", reason=NEEDS_SPM)
    return SentencePieceTokenizer.train(texts, 389, model_type=kind)


@pytest.fixture(scope="module", params=KINDS)
def tokenizer(request):
    return make(request.param)


@pytest.fixture(scope="module")
def wordpiece():
    return make("wordpiece")


@pytest.fixture(scope="module")
def unigram():
    return make("unigram")


@pytest.fixture
def tf():
    pytest.importorskip("tensorflow_text", reason=NEEDS_TEXT)
    return pytest.importorskip("tensorflow")


def composed(text):
    """Decode bytes as every tokenizer does, and compose."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    return unicodedata.normalize("NFC", text)


def strings(tensor):
    return [text.decode() for text in tensor.numpy()]


# Behavior of all tokenizers.


def test_the_special_ids_are_the_same_in_every_tokenizer(tokenizer):
    names = ("pad_id", "unknown_id", "start_id", "end_id", "mask_id")
    assert [getattr(tokenizer, name) for name in names] == [0, 1, 2, 3, 4]
    shown = ["[PAD]", "[UNK]", "[START]", "[END]", "[MASK]"]
    assert tokenizer.tokens([0, 1, 2, 3, 4]) == shown
    assert tokenizer.detokenize([2, 0, 4, 1, 3]) == "\ufffd"


def test_special_tokens_in_a_text_are_plain_text_by_default(tokenizer):
    ids = tokenizer.tokenize("[MASK] [PAD] [START] [END]")
    assert set(ids) & {0, 2, 3, 4} == set()


def recognizing(tokenizer):
    """Make the same tokenizer that recognizes special tokens in a text."""
    config = {**tokenizer.get_config(), "special_tokens_in_strings": True}
    return type(tokenizer).from_config(config)


def test_special_tokens_in_a_text_give_their_ids_on_request(tokenizer):
    ours = recognizing(tokenizer)
    a, b = (tokenizer.tokenize_rows([text])[0] for text in ("cat ", " 강아지"))
    ids = ours.tokenize(["cat [MASK][PAD] 강아지", "[START]"])
    assert ids[0].tolist() == [*a, 4, 0, *b]
    assert ids[1].tolist() == [2, *[0] * (len(ids[0]) - 1)]
    assert (
        ours.tokenize("[mask]").tolist()
        == tokenizer.tokenize("[mask]").tolist()
    )


def test_a_graph_recognizes_the_special_tokens_of_python(tf, tokenizer):
    ours = recognizing(tokenizer)
    texts = [text for unusual in UNUSUAL for text in (unusual, "[MASK]")]
    in_graph = tf.function(ours.tokenize)(tf.constant(texts)).numpy()
    for text, found in zip(texts, in_graph, strict=True):
        (expected,) = ours.tokenize([text])
        size = len(expected)
        assert np.array_equal(found[:size], expected), text
        assert not found[size:].any(), text  # padding


def test_special_tokens_in_a_text_have_offsets(tf, tokenizer):
    ours = recognizing(tokenizer)
    ids, offsets = ours.tokenize_with_offsets(["강아지[MASK] cat", ""])
    assert np.array_equal(ids, ours.tokenize(["강아지[MASK] cat", ""]))
    assert offsets[0][ids[0] == 4].tolist() == [[3, 9]]
    last = np.flatnonzero(ids[0])[-1]
    assert offsets[0, last, 1] == 13


def test_recognizing_special_tokens_is_saved(tokenizer, tmp_path):
    recognizing(tokenizer).save(tmp_path / "saved.json")
    again = type(tokenizer).load(tmp_path / "saved.json")
    assert again.special_tokens_in_strings
    assert again.tokenize("[MASK]").tolist() == [4]


def test_words_of_the_corpus_are_restored(tokenizer):
    for text in ("강아지가 공원에서 놀아요", "The dog plays in the park"):
        ids = tokenizer.tokenize(text)
        assert tokenizer.unknown_id not in ids
        assert tokenizer.detokenize(ids) == text


def test_pieces_are_shorter_than_characters_are(tokenizer):
    if not isinstance(tokenizer, CharTokenizer):
        text = "강아지가 공원에서 놀아요"
        assert len(tokenizer.tokenize(text)) < len(text)


def test_decomposed_korean_gets_the_ids_of_composed_korean(tokenizer):
    jamo = unicodedata.normalize("NFD", "강아지")
    expected = tokenizer.tokenize("강아지")
    assert tokenizer.tokenize(jamo).tolist() == expected.tolist()


def test_every_id_has_a_token(tokenizer):
    tokens = tokenizer.tokens(range(tokenizer.vocabulary_size()))
    assert len(set(tokens)) == tokenizer.vocabulary_size()
    assert all(isinstance(token, str) for token in tokens)


def test_tokens_have_the_shape_of_their_ids(tokenizer):
    ids = tokenizer.tokenize(["cat", "dog plays"], start=True, end=True)
    tokens = tokenizer.tokens(ids)
    assert np.shape(tokens) == ids.shape
    assert [row[0] for row in tokens] == ["[START]", "[START]"]
    assert tokenizer.tokens([]) == []


@pytest.mark.parametrize("ids", [[-1], [10**6], [0.5], 5, [[[5]]]])
def test_bad_ids_raise_an_error(tokenizer, ids):
    for method in (tokenizer.detokenize, tokenizer.tokens):
        with pytest.raises(ValueError, match="`ids` must"):
            method(np.asarray(ids))


@pytest.mark.parametrize(
    ("texts", "shape"), [("", (1,)), ([], (0, 1)), (["", ""], (2, 1))]
)
def test_ids_have_at_least_one_column(tokenizer, texts, shape):
    ids = tokenizer.tokenize(texts)
    assert ids.shape == shape
    assert ids.dtype == "int32"


def test_start_and_end_tokens_come_before_the_padding(tokenizer):
    plain = tokenizer.tokenize("cat").tolist()
    ids = tokenizer.tokenize(
        ["cat", ""], start=True, end=True, sequence_length=11
    )
    padding = [0] * (9 - len(plain))
    assert ids.tolist() == [[2, *plain, 3, *padding], [2, 3, *[0] * 9]]


@pytest.mark.parametrize(
    "arguments",
    [
        {"sequence_length": 0},
        {"sequence_length": 3},
        {"sequence_length": 1, "start": True, "end": True, "truncate": True},
        {"truncate": True},
    ],
)
def test_a_text_is_truncated_only_on_request(tokenizer, arguments):
    with pytest.raises(ValueError, match="`sequence_length` must"):
        tokenizer.tokenize(["the cat plays too"], **arguments)


@pytest.mark.parametrize("texts", [5, None, [["a"]], [1]])
def test_other_types_than_text_raise_an_error(tokenizer, texts):
    with pytest.raises(ValueError, match="`texts` must"):
        tokenizer.tokenize(texts)


def test_a_lone_surrogate_is_tokenized(tokenizer):
    assert tokenizer.tokenize("\ud83dcat").ndim == 1


def test_the_config_round_trips(tokenizer):
    config = keras.saving.serialize_keras_object(tokenizer)
    config = json.loads(json.dumps(config))
    again = keras.saving.deserialize_keras_object(config)
    assert again.get_config() == tokenizer.get_config()
    ids = again.tokenize(CORPUS)
    assert np.array_equal(ids, tokenizer.tokenize(CORPUS))


def test_a_saved_tokenizer_loads(tokenizer, tmp_path):
    tokenizer.save(tmp_path / "saved.json")
    again = type(tokenizer).load(tmp_path / "saved.json")
    assert again.get_config() == {
        **tokenizer.get_config(),
        "name": again.name,
    }


@pytest.mark.parametrize(
    "damage",
    [
        lambda saved: b"",
        lambda saved: saved[: len(saved) // 2],
        lambda saved: saved.replace(b"keras_seq.", b"keras."),
        lambda saved: saved.replace(b'"version": 1', b'"version": 2'),
        lambda saved: saved.replace(
            b'"vocabulary_size": ', b'"vocabulary_size": 1'
        ),
        lambda saved: json.dumps([1]).encode(),
        lambda saved: saved[:-80] + saved[-70:],
    ],
)
def test_the_error_for_a_damaged_file_names_it(tokenizer, tmp_path, damage):
    path = tmp_path / "saved.json"
    tokenizer.save(path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match=r"saved\.json"):
        type(tokenizer).load(path)


def test_the_error_for_a_missing_file_names_it(tokenizer, tmp_path):
    for path in (tmp_path / "nosuch.json", tmp_path):
        with pytest.raises(ValueError, match="`path` must.*Received") as caught:
            type(tokenizer).load(path)
        assert str(path) in str(caught.value)


def test_the_error_for_a_file_of_another_class_names_the_class(
    tokenizer, tmp_path
):
    path = tmp_path / "saved.json"
    tokenizer.save(path)
    writer = type(tokenizer).__name__
    with pytest.raises(ValueError, match=rf"saved\.json.*{writer}\.save"):
        Tokenizer.load(path)


def test_a_model_that_holds_a_tokenizer_still_trains(tokenizer):
    model = keras.Sequential([keras.layers.Dense(1)])
    model.tokenizer = tokenizer
    model.compile("sgd", "mse")
    model.fit(np.ones((3, 2)), np.ones((3, 1)), verbose=0)


@pytest.mark.parametrize(
    "texts", [["zz\u2585 top"] * 50 + ["q"], ["가", "나"], ["a"], ["  "]]
)
def test_every_text_is_used_in_training(tf, texts):
    pytest.importorskip("sentencepiece")
    tokenizer = SentencePieceTokenizer.train(texts, 300)
    letters = set("".join(texts)) - {"\u2585", " "}
    pieces = {tokenizer.tokens(tokenizer.tokenize(c))[-1] for c in letters}
    assert not any(piece.startswith("<0x") for piece in pieces)
    assert tokenizer.detokenize(tokenizer.tokenize(texts)) == texts


@pytest.mark.parametrize("kind", KINDS)
def test_training_twice_gives_the_same_vocabulary(kind):
    first, second = make(kind), make(kind, iter(CORPUS))
    assert first.vocabulary_config() == second.vocabulary_config()


# In a graph.


def test_a_graph_gives_the_ids_of_python(tf, tokenizer):
    in_graph = tf.function(tokenizer.tokenize)(tf.constant(UNUSUAL)).numpy()
    for text, found in zip(UNUSUAL, in_graph, strict=True):
        (expected,) = tokenizer.tokenize([text])
        size = len(expected)
        assert np.array_equal(found[:size], expected), text
        assert not found[size:].any(), text  # padding


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"end": True, "sequence_length": 4001},
        {"start": True, "end": True, "sequence_length": 7, "truncate": True},
    ],
)
def test_a_graph_pads_as_python_does(tf, tokenizer, arguments):
    in_graph = tokenizer.tokenize(tf.constant(UNUSUAL), **arguments)
    assert in_graph.dtype == "int32"
    in_python = tokenizer.tokenize(UNUSUAL, **arguments)
    assert np.array_equal(in_graph, in_python)


def test_a_function_takes_any_number_of_texts(tf, tokenizer):
    signature = [tf.TensorSpec([None], tf.string)]
    tokenize = tf.function(tokenizer.tokenize, input_signature=signature)
    for texts in ([], [""], ["", "강아지"], ["dog", "cat", ""]):
        ids = tokenize(tf.constant(texts, tf.string))
        assert np.array_equal(ids, tokenizer.tokenize(texts))


def test_one_text_in_a_tensor_gives_one_row(tf, tokenizer):
    ids = tokenizer.tokenize(tf.constant("강아지"))
    assert ids.numpy().tolist() == tokenizer.tokenize("강아지").tolist()


def test_a_graph_truncates_a_text_only_on_request(tf, tokenizer):
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="`sequence_length`"
    ):
        tokenizer.tokenize(
            tf.constant(["the cat plays too"]), sequence_length=3
        )


def test_a_graph_detokenizes_as_python_does(tf, tokenizer):
    ids = np.random.default_rng(3).integers(
        0, tokenizer.vocabulary_size(), (211, 13)
    )
    signature = [tf.TensorSpec([None, None], tf.int64)]
    written = tf.function(tokenizer.detokenize, signature)(tf.constant(ids))
    assert strings(written) == tokenizer.detokenize(ids)
    tokens = tf.function(tokenizer.tokens, signature)(tf.constant(ids))
    shown = [strings(row) for row in tokens]
    assert shown == tokenizer.tokens(ids)


def test_a_graph_raises_an_error_for_an_id_outside_the_vocabulary(
    tf, tokenizer
):
    with pytest.raises(tf.errors.InvalidArgumentError):
        tokenizer.detokenize(tf.constant([10**6]))


@pytest.mark.parametrize("bad", [[1, 2], [["a"]]])
def test_a_tensor_without_texts_raises_an_error(tf, tokenizer, bad):
    with pytest.raises(ValueError, match="`texts` must"):
        tokenizer.tokenize(tf.constant(bad))


def test_a_dataset_can_map_it(tf, tokenizer):
    data = tf.data.Dataset.from_tensor_slices(CORPUS).batch(5)
    ids = next(iter(data.map(tokenizer.tokenize)))
    assert np.array_equal(ids, tokenizer.tokenize(CORPUS[:5]))


@pytest.mark.tensorflow_only
def test_a_functional_model_of_strings_reloads(tf, tokenizer, tmp_path):
    texts = keras.Input((), dtype="string")
    model = keras.Model(texts, tokenizer(texts))
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    ids = again(tf.constant(CORPUS))
    assert np.array_equal(ids, tokenizer.tokenize(CORPUS))


@pytest.mark.tensorflow_only
def test_an_export_runs_where_only_tensorflow_text_is_imported(tf, tmp_path):
    archive = keras.export.ExportArchive()
    text = tf.TensorSpec([None], tf.string, name="text")
    ids = tf.TensorSpec([None, None], tf.int32, name="ids")
    tokenizers = {kind: make(kind) for kind in KINDS}
    for kind, one in tokenizers.items():
        archive.track(one)
        archive.add_endpoint(f"{kind}_ids", one.tokenize, [text])
        archive.add_endpoint(f"{kind}_text", one.detokenize, [ids])
    archive.write_out(str(tmp_path / "saved"), verbose=False)
    # Raw bytes as latin-1, which JSON can hold.
    raw = [t if isinstance(t, bytes) else t.encode() for t in UNUSUAL]
    raw = [t.decode("latin-1") for t in raw]
    (tmp_path / "texts.json").write_text(json.dumps(raw))
    code = """
import json, sys
import tensorflow as tf, tensorflow_text
served = tf.saved_model.load("saved").signatures
texts = [t.encode("latin-1") for t in json.load(open("texts.json"))]
answers = {}
for kind in sys.argv[1:]:
    (ids,) = served[kind + "_ids"](text=tf.constant(texts)).values()
    (back,) = served[kind + "_text"](ids=ids).values()
    answers[kind] = ids.numpy().tolist(), [t.decode() for t in back.numpy()]
assert not [name for name in sys.modules if name.startswith("keras_seq")]
json.dump(answers, open("answers.json", "w"))
"""
    run = [sys.executable, "-c", code, *KINDS]
    subprocess.run(run, cwd=tmp_path, check=True, capture_output=True)
    answers = json.loads((tmp_path / "answers.json").read_text())
    for kind, one in tokenizers.items():
        ids, back = answers[kind]
        assert ids == one.tokenize(UNUSUAL).tolist()
        assert back == one.detokenize(ids)


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_model_needs_nothing_tracked(tf, tmp_path, kind):
    tokenizer = make(kind)
    signature = [tf.TensorSpec([None], tf.string)]
    module = tf.Module()
    module.ids = tf.function(tokenizer.tokenize, input_signature=signature)
    tf.saved_model.save(module, str(tmp_path))
    ids = tf.saved_model.load(str(tmp_path)).ids(tf.constant(CORPUS))
    assert np.array_equal(ids, tokenizer.tokenize(CORPUS))


def test_setting_a_seed_does_not_break_a_tokenizer(tf, tokenizer):
    tokenize = tf.function(tokenizer.tokenize)
    before = tokenize(tf.constant(CORPUS))
    keras.utils.set_random_seed(5)  # drops TensorFlow's cached kernels
    assert np.array_equal(tokenizer.tokenize(CORPUS), before)
    assert np.array_equal(tokenize(tf.constant(CORPUS)), before)


# WordPiece alone.


def test_wordpiece_takes_the_longest_piece_each_time(tf):
    vocabulary = ["un", "##aff", "##able", "##a", "u", "able", "!"]
    tokenizer = WordPieceTokenizer(vocabulary)
    ids = tokenizer.tokenize("unaffable able! unaffe")
    shown = ["un", "##aff", "##able", "able", "!", "[UNK]"]
    assert tokenizer.tokens(ids) == shown
    assert tokenizer.detokenize(ids) == "unaffable able ! \ufffd"


def test_wordpiece_puts_spaces_around_punctuation(wordpiece):
    ids = wordpiece.tokenize("  The dog,\tthe   cat!\n")
    assert wordpiece.detokenize(ids) == "The dog , the cat !"


@pytest.mark.parametrize("space", ["\t", "\n", "\u00a0", "\u3000", "\0"])
def test_wordpiece_splits_at_any_white_space(wordpiece, space):
    ids = wordpiece.tokenize(f"dog{space}cat")
    assert ids.tolist() == wordpiece.tokenize("dog cat").tolist()


def test_wordpiece_takes_a_long_word(tf):
    tokenizer = WordPieceTokenizer(["가", "##가"])
    assert 1 not in tokenizer.tokenize("가" * 200)


def test_an_invalid_byte_makes_its_word_unknown(wordpiece):
    ids = wordpiece.tokenize(b"dog\xff cat")
    assert wordpiece.tokens(ids) == ["[UNK]", *wordpiece.tokens(ids[1:])]
    assert wordpiece.detokenize(ids) == "\ufffd cat"


def test_lower_case_keeps_hangul_syllables(tf):
    texts = [*CORPUS, "CAFÉ Ångström が"]
    tokenizer = WordPieceTokenizer.train(texts, 307, lower_case=True)
    ids = tokenizer.tokenize("강아지가 CAFÉ Ångström が")
    assert tokenizer.detokenize(ids) == "강아지가 cafe angstrom が"
    assert tokenizer.get_config()["lower_case"]


@pytest.mark.parametrize("lower_case", [False, True])
def test_text_after_a_nul_character_is_tokenized(tf, lower_case):
    tokenizer = WordPieceTokenizer(["a", "b"], lower_case=lower_case)
    texts = ["a\0 b", "\0 a b", "a b\0"]
    assert tokenizer.tokenize(texts).tolist() == [[5, 6]] * 3
    _, offsets = tokenizer.tokenize_with_offsets(texts)
    assert offsets[2].tolist() == [[0, 1], [2, 3]]
    learned = WordPieceTokenizer.train(
        ["ab\0 cd"] * 5, 100, lower_case=lower_case
    )
    assert {"ab", "cd"} <= set(learned.get_config()["vocabulary"])


@pytest.mark.parametrize("vocabulary_size", [7, 53, 127, 499])
def test_a_vocabulary_size_is_a_maximum(tf, vocabulary_size):
    tokenizer = WordPieceTokenizer.train(CORPUS, vocabulary_size)
    assert 5 < tokenizer.vocabulary_size() <= vocabulary_size


def test_wordpiece_keeps_every_character_of_many(tf):
    syllables = [chr(point) for point in range(0xAC00, 0xAC00 + 1500)]
    texts = [a + b for a, b in itertools.pairwise(syllables)]
    tokenizer = WordPieceTokenizer.train(texts, 4001)
    assert 1 not in tokenizer.tokenize("".join(syllables[::31]))


@pytest.mark.parametrize(
    "vocabulary",
    [[], ["a", "a"], [""], ["a b"], ["[UNK]"], [5], ["\u212b"], ["\ud83d"]],
)
def test_a_bad_wordpiece_vocabulary_raises_an_error(tf, vocabulary):
    with pytest.raises(ValueError, match="`vocabulary` must"):
        WordPieceTokenizer(vocabulary)


# SentencePiece alone.


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
@pytest.mark.parametrize("text", UNUSUAL)
def test_sentencepiece_restores_every_text_exactly(kind, text, request):
    tokenizer = make(kind) if kind == "bpe" else request.getfixturevalue(kind)
    ids = tokenizer.tokenize(text)
    assert tokenizer.detokenize(ids) == composed(text)
    assert 1 not in ids


def test_u2581_is_detokenized_as_a_space(unigram):
    assert unigram.detokenize(unigram.tokenize("a\u2581b")) == "a b"


def test_sentencepiece_learns_a_line_of_any_length(unigram):
    line = " ".join(["zebra quagga"] * 1000)
    tokenizer = SentencePieceTokenizer.train([line], 299, model_type="bpe")
    assert len(tokenizer.tokenize("zebra")) == 1


def test_a_character_without_a_piece_is_its_bytes(unigram):
    tokens = unigram.tokens(unigram.tokenize("한"))
    assert tokens == ["<0xED>", "<0x95>", "<0x9C>"]
    assert unigram.detokenize(unigram.tokenize("한")[:2]) == "\ufffd"


def test_ids_and_texts_are_those_of_the_package_sentencepiece(unigram):
    sentencepiece = pytest.importorskip("sentencepiece", reason=NEEDS_SPM)
    processor = sentencepiece.SentencePieceProcessor(model_proto=unigram.model)
    for text in CORPUS:
        ids = processor.encode(text)
        assert unigram.tokenize(text).tolist() == ids
        assert unigram.detokenize(ids) == processor.decode(ids)


@pytest.mark.parametrize(
    "arguments, name",
    [
        ({"vocabulary_size": 261}, "vocabulary_size"),
        ({"vocabulary_size": 263}, "vocabulary_size"),
        ({"vocabulary_size": 301, "model_type": "word"}, "model_type"),
        (
            {"vocabulary_size": 301, "character_coverage": 0},
            "character_coverage",
        ),
    ],
)
def test_bad_training_arguments_raise_an_error(unigram, arguments, name):
    with pytest.raises(ValueError, match=f"`{name}` must"):
        SentencePieceTokenizer.train(CORPUS, **arguments)


@pytest.mark.parametrize("model", [b"", b"no", "no!", "bm8=", 5, None])
def test_a_bad_sentencepiece_model_raises_an_error(tf, model):
    with pytest.raises(ValueError, match="`model` must"):
        SentencePieceTokenizer(model)


def test_a_model_with_other_special_ids_raises_an_error(unigram):
    model = unigram.model.replace(b"[MASK]", b"[ESAK]")
    with pytest.raises(ValueError, match="`model` must begin"):
        SentencePieceTokenizer(model)


# Training and importing.


@pytest.mark.parametrize("kind", ["wordpiece", "unigram"])
@pytest.mark.parametrize("texts", [[], "", ["", ""]])
def test_training_without_a_text_raises_an_error(kind, texts):
    with pytest.raises(ValueError, match="`texts` must"):
        make(kind, texts)


def test_a_wordpiece_vocabulary_of_special_tokens_only_raises_an_error(tf):
    with pytest.raises(ValueError, match="`vocabulary_size` must"):
        WordPieceTokenizer.train(CORPUS, 6)


def test_the_error_for_a_missing_package_names_it(tf, monkeypatch):
    monkeypatch.setitem(sys.modules, "sentencepiece", None)
    with pytest.raises(ImportError, match="pip install sentencepiece"):
        SentencePieceTokenizer.train(CORPUS, 389)
    monkeypatch.setitem(sys.modules, "tensorflow_text", None)
    with pytest.raises(ImportError, match="none for Windows and Linux arm64"):
        WordPieceTokenizer(["a"])


def test_the_package_imports_no_tokenizing_library():
    home = pathlib.Path(keras_seq.text.__file__).parent
    for path in home.glob("*.py"):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        names = {
            a.name for n in body if isinstance(n, ast.Import) for a in n.names
        }
        assert not names & {"tensorflow", "tensorflow_text", "sentencepiece"}


@pytest.mark.parametrize(
    "name", [n for n in keras_seq.text.__all__ if n.endswith("Tokenizer")]
)
def test_every_tokenizer_is_documented_and_registered(name):
    cls = getattr(keras_seq.text, name)
    assert cls.__doc__
    assert cls.__doc__.splitlines()[0].endswith(".")
    if cls is not Tokenizer:
        registered = keras.saving.get_registered_name(cls)
        assert registered == f"keras_seq>{name}"
        if "train" in vars(cls):
            assert "texts:" in cls.train.__doc__


# Sampling.


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_sampled_pieces_differ_and_give_the_same_text(tf, kind):
    pytest.importorskip("sentencepiece")
    text = "the dog sleeps, 강아지가 공원에서 놀아요 🙂"
    plain = SentencePieceTokenizer.train([text] * 5, 310, model_type=kind)
    drawing = plain.sampling(0.3, seed=5)
    found = [tuple(drawing.tokenize(text)) for _ in range(11)]
    assert len(set(found)) > 1
    assert {plain.detokenize(ids) for ids in found} == {text}
    again = plain.sampling(0.3, seed=5)
    assert found == [tuple(again.tokenize(text)) for _ in range(11)]
    other = plain.sampling(0.3, seed=6)
    assert found != [tuple(other.tokenize(text)) for _ in range(11)]


def test_the_config_of_a_sampling_tokenizer_round_trips(unigram):
    drawing = unigram.sampling(0.25, seed=3)
    again = SentencePieceTokenizer.from_config(drawing.get_config())
    assert (again.alpha, again.seed) == (0.25, 3)
    texts = ["the dog", "", "park"]
    assert np.array_equal(drawing.tokenize(texts), again.tokenize(texts))


def test_sampling_in_a_graph_or_with_offsets_raises_an_error(tf, unigram):
    drawing = unigram.sampling(0.25)
    with pytest.raises(ValueError, match="`alpha` must be None in a graph"):
        tf.function(drawing.tokenize)(tf.constant(["the dog"]))
    with pytest.raises(ValueError, match="`alpha` must be None for offsets"):
        drawing.tokenize_with_offsets("the dog")


@pytest.mark.parametrize(
    "name, arguments",
    [
        ("`alpha`", {"alpha": 0.0}),
        ("`alpha`", {"alpha": 1.5}),
        ("`alpha`", {"alpha": "much"}),
        ("`seed`", {"alpha": 0.5, "seed": -1}),
    ],
)
def test_bad_sampling_arguments_raise_an_error(unigram, name, arguments):
    with pytest.raises(ValueError, match=name):
        unigram.sampling(**arguments)
