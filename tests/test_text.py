"""Character tokenizer: equal ids in Python, in a graph and after export."""

import ast
import json
import sys
import unicodedata
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_seq.text import CharTokenizer
from keras_seq.text import char_tokenizer as char_module

CORPUS = "안녕하세요? 각각의 글자. Hello, naïve café 🙂👍🏽\n"
UNUSUAL = [
    "",
    "안녕하세요",
    unicodedata.normalize("NFD", "안녕하세요 각각"),
    "e\u0301 cafe\u0301 A\u030a\u0301",  # combining marks, one and two
    "q\u0323\u0307 q\u0307\u0323",  # two orders of the same marks
    "🙂👍🏽 👩\u200d🚀",  # outside the BMP, joined
    "\u1100\u1161\u11a8\u1100",  # three jamo that compose, one that does not
    "\u212b \u0958 \ufb01",  # a singleton, a composition exclusion, a ligature
    "\ufeffa\ufffeb\uffff\ufffd",  # byte order mark, noncharacters
    "a\0b\tc\r\n",
    b"a\xffb\xc0\xaf",
    b"\x80e\xcc\x81",  # a mark that composes after a broken byte
    b"\xed\xa0\x80",  # a surrogate, encoded
    b"\xf0\x9f\x98",  # half an emoji
    b"\xe1\x84\x80\xff\xe1\x85\xa1",  # jamo, kept apart by a broken byte
]


@pytest.fixture
def tokenizer():
    return CharTokenizer.train(CORPUS)


@pytest.fixture
def tf():
    pytest.importorskip("tensorflow_text")
    return pytest.importorskip("tensorflow")


def test_the_special_ids_come_first_and_the_characters_by_code_point():
    tokenizer = CharTokenizer("olhe")
    assert tokenizer.tokenize("hello").tolist() == [6, 5, 7, 7, 8]
    assert tokenizer.vocabulary_size() == 9


def test_korean_text_is_restored_exactly(tokenizer):
    assert tokenizer.detokenize(tokenizer.tokenize(CORPUS)) == CORPUS


def test_decomposed_korean_gets_the_ids_of_composed_korean(tokenizer):
    jamo = unicodedata.normalize("NFD", "안녕하세요")
    assert len(jamo) == 12
    expected = tokenizer.tokenize("안녕하세요")
    assert tokenizer.tokenize(jamo).tolist() == expected.tolist()


def test_an_emoji_is_one_id(tokenizer):
    assert tokenizer.tokenize("🙂").shape == (1,)


def test_an_unknown_character_is_detokenized_as_the_replacement_character(
    tokenizer,
):
    ids = tokenizer.tokenize("Hzo")
    assert ids[1] == CharTokenizer.unknown_id
    assert tokenizer.detokenize(ids) == "H\ufffdo"


def test_a_lone_surrogate_is_unknown(tokenizer):
    assert tokenizer.tokenize("\ud83d").tolist() == [1]


@pytest.mark.parametrize(
    ("texts", "shape"),
    [("", (1,)), ([], (0, 1)), (["", ""], (2, 1)), (np.array(["a"]), (1, 1))],
)
def test_ids_have_at_least_one_column(tokenizer, texts, shape):
    ids = tokenizer.tokenize(texts)
    assert ids.shape == shape
    assert ids.dtype == "int32"


def test_a_batch_is_padded_to_its_longest_text(tokenizer):
    ids = tokenizer.tokenize(["el", "e", "ell"])
    assert ids.shape == (3, 3)
    assert (ids == 0).sum(axis=1).tolist() == [1, 2, 0]


def test_start_and_end_tokens_come_before_the_padding():
    tokenizer = CharTokenizer("ab")
    ids = tokenizer.tokenize(
        ["ab", ""], start=True, end=True, sequence_length=5
    )
    assert ids.tolist() == [[2, 5, 6, 3, 0], [2, 3, 0, 0, 0]]


def test_truncation_keeps_the_start_and_end_tokens():
    tokenizer = CharTokenizer("ab")
    ids = tokenizer.tokenize(
        "abab", start=True, end=True, sequence_length=3, truncate=True
    )
    assert ids.tolist() == [2, 5, 3]


@pytest.mark.parametrize(
    "arguments",
    [
        {"sequence_length": 0},
        {"sequence_length": 2},
        {"sequence_length": 3, "end": True},
        {"sequence_length": 1, "start": True, "end": True, "truncate": True},
        {"truncate": True},
    ],
)
def test_a_text_is_truncated_only_on_request(tokenizer, arguments):
    with pytest.raises(ValueError, match="`sequence_length` must"):
        tokenizer.tokenize(["Hel"], **arguments)


@pytest.mark.parametrize("texts", [5, None, [["a"]], [1]])
def test_other_types_than_text_raise_an_error(tokenizer, texts):
    with pytest.raises(ValueError, match="`texts` must"):
        tokenizer.tokenize(texts)


def test_special_tokens_are_left_out_and_the_end_token_ends_the_text():
    tokenizer = CharTokenizer("ab")
    ids = [[2, 5, 4, 6, 0], [2, 5, 3, 6, 3]]
    assert tokenizer.detokenize(ids) == ["ab", "a"]


def test_empty_ids_give_an_empty_text(tokenizer):
    assert tokenizer.detokenize([]) == ""
    assert tokenizer.detokenize(np.zeros((0, 7), "int32")) == []


def test_a_backend_tensor_is_detokenized(tokenizer):
    ids = keras.ops.convert_to_tensor(tokenizer.tokenize(["Hello", "네"]))
    written = tokenizer.detokenize(ids)
    if keras.backend.backend() == "tensorflow":
        written = [text.decode() for text in written.numpy()]
    assert written == ["Hello", "\ufffd"]


@pytest.mark.parametrize("ids", [[-1], [10**6], [0.5], 5, [[[5]]], [True]])
def test_bad_ids_raise_an_error(tokenizer, ids):
    with pytest.raises(ValueError, match="`ids` must"):
        tokenizer.detokenize(np.asarray(ids))


def test_training_keeps_the_most_frequent_characters():
    tokenizer = CharTokenizer.train(["ccbb", "dda", "c"], vocabulary_size=7)
    assert tokenizer.characters == "bc"


def test_training_normalizes_decomposed_text():
    jamo = unicodedata.normalize("NFD", "각")
    assert CharTokenizer.train([jamo]).characters == "각"


@pytest.mark.parametrize("vocabulary_size", [5, 0, 7.0])
def test_a_vocabulary_of_special_tokens_only_raises_an_error(vocabulary_size):
    with pytest.raises(ValueError, match="`vocabulary_size` must"):
        CharTokenizer.train("ab", vocabulary_size)


@pytest.mark.parametrize(
    "characters", ["", "aa", ["ab"], ["\u212b"], ["\ud83d"], [5]]
)
def test_characters_that_no_text_contains_raise_an_error(characters):
    with pytest.raises(ValueError, match="`characters` must"):
        CharTokenizer(characters)


def test_the_config_round_trips(tokenizer):
    config = keras.saving.serialize_keras_object(tokenizer)
    again = keras.saving.deserialize_keras_object(config)
    assert again.characters == tokenizer.characters
    assert again.name == tokenizer.name


def test_a_model_that_holds_a_tokenizer_still_trains(tokenizer):
    model = keras.Sequential([keras.layers.Dense(1)])
    model.tokenizer = tokenizer
    model.compile("sgd", "mse")
    model.fit(np.ones((3, 2)), np.ones((3, 1)), verbose=0)


def test_a_call_is_the_same_as_tokenize(tokenizer):
    texts = ["Hello", "안녕"]
    assert np.array_equal(tokenizer(texts), tokenizer.tokenize(texts))


def test_a_saved_tokenizer_loads(tokenizer, tmp_path):
    path = tmp_path / "characters.json"
    tokenizer.save(path)
    assert CharTokenizer.load(path).characters == tokenizer.characters
    assert "안" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "damage",
    [
        lambda saved: b"",
        lambda saved: saved[: len(saved) // 2],
        lambda saved: saved.replace("각".encode(), b"\xff"),
        lambda saved: saved.replace("각".encode(), b""),
        lambda saved: saved.replace(b"CharTokenizer", b"WordPiece"),
        lambda saved: saved.replace(b'"version": 1', b'"version": 2'),
        lambda saved: json.dumps([1]).encode(),
        lambda saved: json.dumps({"format": 1}).encode(),
    ],
)
def test_the_error_for_a_damaged_file_names_it(tokenizer, tmp_path, damage):
    path = tmp_path / "characters.json"
    tokenizer.save(path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match=r"characters\.json"):
        CharTokenizer.load(path)


def test_a_graph_gives_the_ids_of_python(tf):
    tokenizer = CharTokenizer.train([CORPUS, *UNUSUAL[:9]])
    in_graph = tf.function(tokenizer.tokenize)(tf.constant(UNUSUAL))
    assert in_graph.numpy().tolist() == tokenizer.tokenize(UNUSUAL).tolist()


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"start": True},
        {"end": True, "sequence_length": 31},
        {"start": True, "end": True, "sequence_length": 7, "truncate": True},
    ],
)
def test_a_graph_pads_as_python_does(tf, tokenizer, arguments):
    in_graph = tokenizer.tokenize(tf.constant(UNUSUAL), **arguments)
    in_python = tokenizer.tokenize(UNUSUAL, **arguments)
    assert in_graph.dtype == "int32"
    assert np.array_equal(in_graph, in_python)


def test_a_function_takes_any_number_of_texts(tf, tokenizer):
    signature = [tf.TensorSpec([None], tf.string)]
    tokenize = tf.function(tokenizer.tokenize, input_signature=signature)
    for texts in ([], [""], ["", "안녕"], ["Hello", "a", ""]):
        ids = tokenize(tf.constant(texts, tf.string))
        assert np.array_equal(ids, tokenizer.tokenize(texts))


def test_one_text_in_a_tensor_gives_one_row(tf, tokenizer):
    ids = tokenizer.tokenize(tf.constant("안녕"))
    assert ids.numpy().tolist() == tokenizer.tokenize("안녕").tolist()


def test_a_graph_truncates_a_text_only_on_request(tf, tokenizer):
    signature = [tf.TensorSpec([None], tf.string)]
    tokenize = tf.function(
        lambda texts: tokenizer.tokenize(texts, sequence_length=3), signature
    )
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="`sequence_length`"
    ):
        tokenize(tf.constant(["Hello"]))


def test_a_graph_detokenizes_as_python_does(tf):
    tokenizer = CharTokenizer("ab🙂")
    ids = [[2, 5, 4, 6, 0], [2, 7, 3, 6, 3], [1, 5, 0, 1, 3]]
    written = tf.function(tokenizer.detokenize)(tf.constant(ids))
    expected = tokenizer.detokenize(ids)
    assert [text.decode() for text in written.numpy()] == expected


def test_a_graph_raises_an_error_for_an_id_outside_the_vocabulary(
    tf, tokenizer
):
    with pytest.raises(tf.errors.InvalidArgumentError):
        tokenizer.detokenize(tf.constant([10**6]))


@pytest.mark.parametrize("bad", [[1, 2], [["a"]]])
def test_a_tensor_without_texts_raises_an_error(tf, tokenizer, bad):
    with pytest.raises(ValueError, match="`texts` must"):
        tokenizer.tokenize(tf.constant(bad))


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow",
    reason="functions of strings are exported from the TensorFlow backend",
)
def test_an_exported_tokenizer_gives_the_same_ids(tf, tokenizer, tmp_path):
    archive = keras.export.ExportArchive()
    archive.track(tokenizer)
    spec = tf.TensorSpec([None], tf.string, name="text")
    archive.add_endpoint("ids", tokenizer.tokenize, [spec])
    archive.write_out(str(tmp_path / "saved"), verbose=False)
    served = tf.saved_model.load(str(tmp_path / "saved"))
    ids = served.ids(tf.constant(UNUSUAL))
    assert np.array_equal(ids, tokenizer.tokenize(UNUSUAL))


def test_python_strings_need_no_tensorflow_text(tokenizer, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_text", None)
    assert tokenizer.tokenize("Hello").shape == (5,)


def test_the_error_for_a_missing_tensorflow_text_names_the_platforms(
    tf, tokenizer, monkeypatch
):
    monkeypatch.setitem(sys.modules, "tensorflow_text", None)
    with pytest.raises(ImportError, match="none for Windows and Linux arm64"):
        tokenizer.tokenize(tf.constant(["Hello"]))


def test_the_module_imports_no_tensorflow():
    module = ast.parse(Path(char_module.__file__).read_text(encoding="utf-8"))
    imports = [node for node in module.body if isinstance(node, ast.Import)]
    names = {alias.name for node in imports for alias in node.names}
    assert not any(name.startswith("tensorflow") for name in names)


def test_invalid_bytes_are_unknown_even_if_training_texts_have_them():
    tokenizer = CharTokenizer.train([b"a\xffb".decode(errors="replace")])
    assert tokenizer.characters == "ab"
    with pytest.raises(ValueError, match="characters"):
        CharTokenizer("a\ufffd")
