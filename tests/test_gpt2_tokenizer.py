"""GPT-2's tokenizer: the ids and the offsets of `transformers`."""

import itertools
import json
import unicodedata

import keras
import numpy as np
import pytest

from keras_seq.text import GPT2Tokenizer, MaskedLMMaskGenerator
from keras_seq.text.byte_pair_merging import MergeTable, merge_symbols
from keras_seq.text.gpt2_tokenizer import split_words
from keras_seq.text.gpt2_tokenizer_files import END_OF_TEXT, byte_characters

NEEDS_TEXT = "needs tensorflow-text, which has no wheels for this platform"
pytest.importorskip("tensorflow_text", reason=NEEDS_TEXT)
tf = pytest.importorskip("tensorflow")
transformers = pytest.importorskip("transformers")
tokenizers = pytest.importorskip("tokenizers")

# Texts are split by TensorFlow with every backend.
pytestmark = pytest.mark.tensorflow_only

TEXTS = [
    "",
    " ",
    "a",
    "   ",
    "Hello world! I'm sure they've said we'll; it's 3,14 or 42nd.",
    "  two  spaces at   each end  ",
    "tabs\tand\n\nlines \n\n  x\r\n",
    "강아지가 공원에서 놀아요. ㅋㅋㅋ ㅠㅠ!!  안녕?",
    unicodedata.normalize("NFD", "강아지와 café"),
    "漢字かな交じり文 カタカナ",
    "🙂👍🏽 👩\u200d🚀 a🙂b",
    "\u00a0nbsp\u3000 wide\u2028line\x85next\x0bvt\x1cfs",
    "a\0b\x7f\ufffd\ufeff\ue000",
    "DON'T 'RE 's't'd ''s",
    "١٢٣ ½ ² Ⅷ x1y2",
    "aaaaaaaaaaaaa aaaa aaa aa",
    "q" * 300,
    "<|endoftext|> and <|endoftext|>!",
]


def train(texts, vocabulary_size):
    """Train the tokenizer of `transformers` on texts."""
    backend = tokenizers.ByteLevelBPETokenizer(add_prefix_space=False)
    backend.train_from_iterator(
        texts, vocabulary_size, special_tokens=[END_OF_TEXT]
    )
    return backend


def published(folder):
    return transformers.GPT2TokenizerFast.from_pretrained(folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gpt2")
    train(TEXTS * 3, 500).save_model(str(folder))
    return folder


@pytest.fixture(scope="module")
def ours(folder):
    return GPT2Tokenizer.from_huggingface(folder)


@pytest.fixture(scope="module")
def theirs(folder):
    return published(folder)


def ids_of(theirs, text, **options):
    options = {"split_special_tokens": True, **options}
    return theirs(text, **options)["input_ids"]


def lines(real_data):
    """Read 2,000 lines each of Korean reviews and of English articles."""
    reviews = real_data("nsmc/ratings_test.txt").read_text("utf-8")
    reviews = (line.split("\t")[1] for line in reviews.split("\n")[1:] if line)
    articles = real_data("wikitext-2/test.txt").read_text("utf-8").split("\n")
    return [*itertools.islice(reviews, 2000), *articles[:2000]]


def test_texts_have_the_ids_of_transformers(ours, theirs):
    for text in TEXTS[:-1]:
        assert ours.tokenize_rows([text])[0].tolist() == ids_of(theirs, text)


def test_real_lines_have_the_ids_of_transformers(real_data, tmp_path):
    texts = lines(real_data)
    train(texts, 3000).save_model(str(tmp_path))
    ours = GPT2Tokenizer.from_huggingface(tmp_path)
    theirs = published(tmp_path)
    rows = ours.tokenize_rows(texts)
    assert [row.tolist() for row in rows] == ids_of(theirs, texts)
    assert ours.detokenize(ours.tokenize(texts)) == texts


def test_words_are_those_of_the_published_expression():
    import regex

    pattern = regex.compile(
        r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+"
        r"|\s+(?!\S)|\s+"
    )
    found = split_words(tf.constant(TEXTS)).to_list()
    for text, words in zip(TEXTS, found):
        assert [word.decode() for word in words] == pattern.findall(text)


def test_every_text_comes_back(ours):
    ids = ours.tokenize(TEXTS, end=True)
    assert ours.detokenize(ids) == TEXTS
    written = ours.detokenize(tf.constant(ids)).numpy()
    assert [text.decode() for text in written] == TEXTS


def test_a_graph_gives_the_ids_of_python(ours):
    signature = [tf.TensorSpec([None], tf.string)]
    tokenize = tf.function(ours.tokenize, input_signature=signature)
    for texts in ([], [""], TEXTS, TEXTS[4:6]):
        ids = tokenize(tf.constant(texts, tf.string))
        assert np.array_equal(ids, ours.tokenize(texts))


def test_offsets_are_those_of_transformers(ours, theirs):
    for text in TEXTS[1:-1]:
        ids, offsets = ours.tokenize_with_offsets(text)
        assert ids.tolist() == ids_of(theirs, text)
        expected = theirs(
            text, return_offsets_mapping=True, split_special_tokens=True
        )["offset_mapping"]
        assert [*map(tuple, offsets.tolist())] == expected


def test_the_end_of_text_in_a_text_is_recognized_on_request(folder, theirs):
    ours = GPT2Tokenizer.from_huggingface(
        folder, special_tokens_in_strings=True
    )
    expected = ids_of(theirs, TEXTS[-1], split_special_tokens=False)
    assert ours.tokenize(TEXTS[-1]).tolist() == expected
    assert ours.end_id in expected


def test_the_end_of_text_is_every_special_token(ours):
    assert ours.pad_id == ours.unknown_id == ours.start_id == ours.end_id == 0
    assert ours.mask_id is None
    with pytest.raises(ValueError, match="`tokenizer` must have a mask"):
        MaskedLMMaskGenerator(ours)


def test_the_config_and_the_file_round_trip(ours, tmp_path):
    ours.save(tmp_path / "gpt2.json")
    for again in (
        GPT2Tokenizer.from_config(ours.get_config()),
        GPT2Tokenizer.load(tmp_path / "gpt2.json"),
    ):
        assert np.array_equal(again.tokenize(TEXTS), ours.tokenize(TEXTS))


def test_a_folder_is_read_by_transformers(ours, tmp_path):
    ours.to_huggingface(tmp_path)
    theirs = published(tmp_path)
    assert ids_of(theirs, TEXTS[4]) == ours.tokenize(TEXTS[4]).tolist()


def test_a_folder_of_transformers_is_read(ours, theirs, tmp_path):
    theirs.save_pretrained(tmp_path)
    again = GPT2Tokenizer.from_huggingface(tmp_path)
    assert np.array_equal(again.tokenize(TEXTS), ours.tokenize(TEXTS))


def test_a_saved_model_runs_it(ours, tmp_path):
    module = tf.Module()
    texts = tf.TensorSpec([None], tf.string)
    ids = tf.TensorSpec([None, None], tf.int32)
    module.ids = tf.function(ours.tokenize, input_signature=[texts])
    module.text = tf.function(ours.detokenize, input_signature=[ids])
    tf.saved_model.save(module, str(tmp_path))
    served = tf.saved_model.load(str(tmp_path))
    found = served.ids(tf.constant(TEXTS))
    assert np.array_equal(found, ours.tokenize(TEXTS))
    assert [t.decode() for t in served.text(found).numpy()] == TEXTS


def test_a_model_of_strings_reloads(ours, tmp_path):
    text = keras.Input((), dtype="string")
    model = keras.Model(text, ours(text))
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert np.array_equal(again(tf.constant(TEXTS)), ours.tokenize(TEXTS))


def test_equal_symbols_are_merged_from_left_to_right():
    table = MergeTable([[0, 0, 1], [1, 1, 2]], 3)
    words = tf.ragged.constant([[0] * 3, [0] * 5, [0]], dtype=tf.int32)
    merged = merge_symbols(words, table).to_list()
    assert merged == [[1, 0], [2, 0], [0]]


def test_a_merge_never_crosses_two_words():
    table = MergeTable([[0, 1, 2]], 3)
    words = tf.ragged.constant([[0], [1, 0], [1]], dtype=tf.int32)
    assert merge_symbols(words, table).to_list() == [[0], [1, 0], [1]]


@pytest.mark.parametrize(
    "vocabulary, merges, says",
    [
        (["a", "a"], [], "each piece once"),
        (["a", END_OF_TEXT], [], "256 bytes"),
        ([*byte_characters()], [], "endoftext"),
        ([*byte_characters(), END_OF_TEXT], ["a b"], "`merges` must.*'a b'"),
        ([*byte_characters(), END_OF_TEXT], ["ab"], "`merges` must.*'ab'"),
    ],
)
def test_a_bad_vocabulary_raises_an_error(vocabulary, merges, says):
    with pytest.raises(ValueError, match=says):
        GPT2Tokenizer(vocabulary, merges)


@pytest.mark.parametrize(
    "files, says",
    [
        ({}, "tokenizer.json"),
        ({"vocab.json": "{"}, "JSON"),
        ({"vocab.json": '{"a": 1}'}, "merges.txt"),
        ({"vocab.json": '{"a": 1}', "merges.txt": ""}, "0 to n - 1"),
        ({"tokenizer.json": '{"model": {"type": "WordPiece"}}'}, "WordPiece"),
    ],
)
def test_a_bad_folder_is_named(tmp_path, files, says):
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=says) as caught:
        GPT2Tokenizer.from_huggingface(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_a_normalizer_is_not_supported(theirs, tmp_path):
    theirs.save_pretrained(tmp_path)
    path = tmp_path / "tokenizer.json"
    config = json.loads(path.read_text())
    config["pre_tokenizer"]["add_prefix_space"] = True
    path.write_text(json.dumps(config))
    for name in ("vocab.json", "merges.txt"):
        (tmp_path / name).unlink(missing_ok=True)
    with pytest.raises(ValueError, match="add_prefix_space"):
        GPT2Tokenizer.from_huggingface(tmp_path)
