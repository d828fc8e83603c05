"""BERT's tokenizer: the ids and the offsets of `transformers`."""

import collections
import itertools
import json
import re
import unicodedata

import keras
import numpy as np
import pytest

from keras_seq.text import BERTTokenizer
from keras_seq.text.bert_words import split_words

NEEDS_TEXT = "needs tensorflow-text, which has no wheels for this platform"
pytest.importorskip("tensorflow_text", reason=NEEDS_TEXT)
tf = pytest.importorskip("tensorflow")

# Texts are split by TensorFlow with every backend; test_text.py and
# test_subword.py run on each backend.
pytestmark = pytest.mark.tensorflow_only

SPECIAL_TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
UNUSUAL = [
    "",
    " ",
    "The dogs, the Dog; THE DOG! thes ##s # ## the##s",
    "\t\n\r\v\f\x1c\x85 white\u00a0space\u2003of\u3000all\u2028kinds\u1680",
    "a\0b\x01c\x7fd\u200be\u00adf\ufeffg\u202eh\ufffdi\ue000j\U000f0000k",
    "don't stop!! 3.14 $5 ^_^ `x` ~ |a| <b> c=d+e @f #g %h &i *j",
    "“quotes” ‘and’ … —dashes– · 、。「」 ¿qué? ¡sí! ㆍ § ¶ ※ ❛x❜",
    "naïve café CAFÉ Å Ω ﬁ Straße ẞ İstanbul ıI Ǆ ΟΔΟΣ ΣΑΣ. Ώ ǅ Ж Ё Й",
    unicodedata.normalize("NFD", "naïve café 강아지와 놀아요, 각 Ё Й"),
    "강아지가 공원에서 놀아요! ㅋㅋㅋ ㅠㅠ 뷁 ᄒ ᅡ ᆫ 한국어로 ABC를",
    "漢字かな交じり文 カタカナ がぎ ㍿ 豈 \uf900 \u3400\u4db5 中a文",
    "\U0002f800 \U00020000 \U0002b820 \U0002b900 \U0002b920 \U0002ceaf",
    "🙂👍🏽 👩\u200d🚀 ❤\ufe0f 1\ufe0f\u20e3 🇰🇷 a🙂b \U000e0001",
    "١٢٣ ทำ हिन्दी العَرَبِيَّة עִבְרִית தமிழ் ភាសាខ្មែរ",
    "e\u0301\u0327 \u0301 a\u0301\u0301\u0301b q\u20dd x\u0338",
    "𝔘𝔫𝔦 𝕬 ＦＵＬＬ　ｗｉｄｔｈ！ ½ ² Ⅷ ﷺ",
    "a" * 100,
    "a" * 101,
    "가" * 50 + " " + "가" * 51 + " " + "가" * 100 + " " + "가" * 101,
    "각" * 33 + " " + "각" * 34,  # three jamo each
    "á" * 100 + "!" + "b" * 101 + "!" + "🙂" * 100 + " " + "🙂" * 101,
    "word " * 300,
]
OPTIONS = [  # lower_case, strip_accents, tokenize_chinese_chars
    (True, None, True),
    (False, None, True),
    (True, False, True),
    (False, True, True),
    (True, True, False),
    (False, False, False),
]
every_option = pytest.mark.parametrize("options", OPTIONS, ids=repr)


def vocabulary_of(texts):
    """Make a vocabulary like that of a published BERT: words and pieces.

    It lacks the rarest characters, and special tokens are not first.
    """
    words, characters = collections.Counter(), collections.Counter()
    for text in texts:
        plain = unicodedata.normalize("NFD", text).lower()
        for one in (text, plain, unicodedata.normalize("NFC", plain)):
            words.update(re.findall(r"\b\w{1,20}\b", one))
            characters.update(filter(str.isprintable, one))
    pieces = {word for word, _ in words.most_common(3000)}
    for word in tuple(pieces):
        pieces |= {word[: len(word) // 2], "##" + word[len(word) // 2 :]}
    common = [char for char, count in characters.most_common() if count > 1]
    pieces |= {*common, *("##" + char for char in common[: len(common) // 2])}
    pieces -= {" ", "## ", *SPECIAL_TOKENS}
    return [
        "[PAD]",
        "[unused0]",
        *SPECIAL_TOKENS[1:4],
        *sorted(pieces),
        SPECIAL_TOKENS[4],
    ]


VOCABULARY = vocabulary_of(UNUSUAL * 2)


def published(vocabulary, lower_case, strip_accents, chinese):
    """Make the tokenizer of `transformers`."""
    transformers = pytest.importorskip("transformers")
    return transformers.BertTokenizer(
        vocab={piece: i for i, piece in enumerate(vocabulary)},
        do_lower_case=lower_case,
        strip_accents=strip_accents,
        tokenize_chinese_chars=chinese,
    )


def ids_of(theirs, text, **options):
    options = {"add_special_tokens": False, **options}
    return theirs(text, split_special_tokens=True, **options)["input_ids"]


def unpadded(ours, text):
    ids = ours.tokenize(text)
    return ids[ids != ours.pad_id].tolist()


def assert_same_ids(texts, vocabulary, options):
    ours = BERTTokenizer(vocabulary, *options)
    theirs = published(vocabulary, *options)
    for row, text in zip(ours.tokenize(texts), texts):
        assert row[row != ours.pad_id].tolist() == ids_of(theirs, text)


def lines(real_data):
    """Read 2,000 lines each of Korean reviews and of English articles."""
    reviews = real_data("nsmc/ratings_test.txt").read_text("utf-8")
    reviews = (line.split("\t")[1] for line in reviews.split("\n")[1:] if line)
    articles = real_data("wikitext-2/test.txt").read_text("utf-8").split("\n")
    articles = (line for line in articles if line.strip())
    return [*itertools.islice(reviews, 2000), *itertools.islice(articles, 2000)]


@pytest.fixture
def tokenizer():
    return BERTTokenizer(VOCABULARY)


# The ids of `transformers`.


@every_option
def test_unusual_texts_have_the_ids_of_transformers(options):
    assert_same_ids(UNUSUAL, VOCABULARY, options)


@pytest.mark.parametrize("options", OPTIONS[:2], ids=["uncased", "cased"])
def test_real_lines_have_the_ids_of_transformers(real_data, options):
    texts = lines(real_data)
    vocabulary = vocabulary_of(texts[::4])
    assert_same_ids(texts, vocabulary, options)
    ids = BERTTokenizer(vocabulary, *options).tokenize(texts)
    unknown = (ids == vocabulary.index("[UNK]")).sum()
    assert 0 < unknown < 0.1 * (ids != 0).sum()


CHANGED = "\u166d\u1734\u1885\u1886"  # their category has changed since 2015


@pytest.mark.parametrize("options", OPTIONS[:4], ids=repr)
def test_every_character_of_unicode_3_splits_words_as_in_transformers(options):
    backend = published(SPECIAL_TOKENS, *options).backend_tokenizer
    category = unicodedata.ucd_3_2_0.category
    characters = [
        char
        for char in map(chr, range(0x110000))
        if category(char) not in ("Cn", "Co", "Cs") and char not in CHANGED
    ]
    texts = [f"A{char}B" for char in characters]
    found = split_words(tf.constant(texts), *options).to_list()
    for text, words in zip(texts, found):
        text = backend.normalizer.normalize_str(text)
        expected = backend.pre_tokenizer.pre_tokenize_str(text)
        assert [word.decode() for word in words] == [w for w, _ in expected]


@pytest.mark.parametrize("char", ["\u2e43", "\u08e2", *CHANGED])
def test_characters_changed_since_unicode_8_may_differ(char):
    backend = published(SPECIAL_TOKENS, True, None, True).backend_tokenizer
    text = backend.normalizer.normalize_str(f"a{char}b")
    theirs = [w for w, _ in backend.pre_tokenizer.pre_tokenize_str(text)]
    ours = split_words(tf.constant([f"a{char}b"]), True).to_list()[0]
    assert [word.decode() for word in ours] != theirs


@pytest.mark.parametrize("mark", ["[PAD]", *SPECIAL_TOKENS[2:]])
def test_a_special_token_in_a_text_is_plain_text_by_default(tokenizer, mark):
    theirs = published(VOCABULARY, True, None, True)
    text = f"the {mark} dog"
    ids = tokenizer.tokenize(text).tolist()
    assert VOCABULARY.index(mark) not in ids
    assert ids == ids_of(theirs, text)
    assert VOCABULARY.index(mark) in theirs(text)["input_ids"]  # by default


def test_cls_and_sep_are_where_transformers_adds_them(tokenizer):
    theirs = published(VOCABULARY, True, None, True)
    ids = tokenizer.tokenize("the dog", start=True, end=True).tolist()
    assert ids == ids_of(theirs, "the dog", add_special_tokens=True)


@pytest.mark.parametrize("text", ["a\ud800b", b"a\xffb", b"a\xed\xa0\x80b"])
def test_invalid_unicode_is_removed(tokenizer, text):
    assert (
        tokenizer.tokenize(text).tolist() == tokenizer.tokenize("ab").tolist()
    )


def test_uncased_korean_is_split_into_jamo():
    vocabulary = [*SPECIAL_TOKENS, *unicodedata.normalize("NFD", "각"), "각"]
    vocabulary += ["##" + jamo for jamo in unicodedata.normalize("NFD", "각")]
    assert len(BERTTokenizer(vocabulary).tokenize("각")) == 3
    assert len(BERTTokenizer(vocabulary, False).tokenize("각")) == 1


# Offsets and special tokens of `transformers`.


def offsets_of(theirs, text, **options):
    options = {"add_special_tokens": False, **options}
    found = theirs(text, return_offsets_mapping=True, **options)
    return found["offset_mapping"]


@every_option
def test_offsets_are_those_of_transformers(options):
    """Ours also cover removed characters that follow, e.g. accents."""
    ours, theirs = (
        BERTTokenizer(VOCABULARY, *options),
        published(VOCABULARY, *options),
    )
    for text in UNUSUAL:
        ids, offsets = ours.tokenize_with_offsets(text)
        offsets = offsets[ids != ours.pad_id].tolist()
        expected = offsets_of(theirs, text, split_special_tokens=True)
        assert [start for start, _ in offsets] == [s for s, _ in expected]
        for (_, end), (_, their_end) in zip(offsets, expected):
            assert end >= their_end
            removed = unicodedata.normalize("NFD", text[their_end:end])
            assert all(
                unicodedata.category(char)[0] in "CM" or char == "\ufffd"
                for char in removed
            )


def test_real_lines_have_the_offsets_of_transformers(real_data):
    texts = lines(real_data)[::7]
    vocabulary = vocabulary_of(texts)
    ours = BERTTokenizer(vocabulary)
    theirs = published(vocabulary, True, None, True)
    ids, offsets = ours.tokenize_with_offsets(texts)
    assert np.array_equal(ids, ours.tokenize(texts))
    for row, found, text in zip(ids, offsets, texts):
        found = found[row != ours.pad_id].tolist()
        assert [*map(tuple, found)] == offsets_of(
            theirs, text, split_special_tokens=True
        )


@every_option
def test_a_graph_has_the_offsets_of_python(options):
    tokenizer = BERTTokenizer(VOCABULARY, *options)
    graph = tf.function(tokenizer.tokenize_with_offsets)(tf.constant(UNUSUAL))
    python = tokenizer.tokenize_with_offsets(UNUSUAL)
    assert all(map(np.array_equal, graph, python))


@pytest.mark.parametrize(
    "text",
    [
        "the [MASK] dog",
        "[CLS][MASK]the[MASK][MASK] dog[SEP]",
        "[mask] [MASK ] [[MASK]] the [UNK] [PAD]!",
        "강아지가 [MASK] 놀아요 [SEP] 강아지",
        "[MASK]",
        "",
    ],
)
@every_option
def test_special_tokens_in_a_text_are_those_of_transformers(options, text):
    ours = BERTTokenizer(VOCABULARY, *options, special_tokens_in_strings=True)
    theirs = published(VOCABULARY, *options)
    expected = theirs(text, add_special_tokens=False)["input_ids"]
    assert ours.tokenize_rows([text])[0].tolist() == expected
    in_graph = tf.function(ours.tokenize)(tf.constant([text, "the dog"]))
    assert np.array_equal(in_graph, ours.tokenize([text, "the dog"]))
    ids, offsets = ours.tokenize_with_offsets(text)
    assert ids.tolist() == ours.tokenize(text).tolist()
    if text:
        expected = offsets_of(theirs, text)
        assert [*map(tuple, offsets.tolist())] == expected


# Behavior of all tokenizers.


def test_special_ids_are_the_lines_of_their_names(tokenizer):
    assert tokenizer.pad_id == 0 and tokenizer.unknown_id == 2
    assert (tokenizer.start_id, tokenizer.end_id) == (3, 4)
    assert tokenizer.mask_id == len(VOCABULARY) - 1
    assert tokenizer.vocabulary_size() == len(VOCABULARY)


def test_rows_are_padded_with_the_id_of_padding():
    tokenizer = BERTTokenizer([*SPECIAL_TOKENS[1:], "the", "dog", "[PAD]"])
    found = tokenizer.tokenize(["the dog", "dog"], start=True, end=True)
    assert found.tolist() == [[1, 4, 5, 2], [1, 5, 2, 6]]
    graph = tokenizer.tokenize(
        tf.constant(["the dog the", ""]),
        end=True,
        sequence_length=3,
        truncate=True,
    )
    assert graph.numpy().tolist() == [[4, 5, 2], [2, 6, 6]]


@every_option
def test_a_graph_gives_the_ids_of_python(options):
    tokenizer = BERTTokenizer(VOCABULARY, *options)
    graph = tf.function(tokenizer.tokenize)(tf.constant(UNUSUAL))
    assert np.array_equal(graph, tokenizer.tokenize(UNUSUAL))


def test_words_are_restored_in_python_and_in_a_graph(tokenizer):
    ids = tokenizer.tokenize(["The dogs!", "THE dog"], start=True, end=True)
    ids[1, 2] = tokenizer.mask_id
    assert tokenizer.detokenize(ids) == ["the dogs !", "the"]
    ids[1, 2] = tokenizer.unknown_id
    assert tokenizer.detokenize(ids[1]) == "the \ufffd"
    graph = tokenizer.detokenize(tf.constant(ids)).numpy()
    assert [text.decode() for text in graph] == tokenizer.detokenize(ids)


def test_tokens_have_the_published_names():
    tokenizer = BERTTokenizer([*SPECIAL_TOKENS, "dog", "##s"])
    ids = tokenizer.tokenize(
        "dogs cat", start=True, end=True, sequence_length=6
    )
    shown = ["[CLS]", "dog", "##s", "[UNK]", "[SEP]", "[PAD]"]
    assert tokenizer.tokens(ids) == shown


@every_option
def test_the_config_and_the_file_round_trip(tmp_path, options):
    tokenizer = BERTTokenizer(VOCABULARY, *options)
    tokenizer.save(tmp_path / "tokenizer.json")
    for again in (
        BERTTokenizer.from_config(tokenizer.get_config()),
        BERTTokenizer.load(tmp_path / "tokenizer.json"),
    ):
        assert np.array_equal(
            again.tokenize(UNUSUAL), tokenizer.tokenize(UNUSUAL)
        )
        assert again.mask_id == tokenizer.mask_id


def test_a_saved_model_runs_the_tokenizer(tokenizer, tmp_path):
    module = tf.Module()
    texts = tf.TensorSpec([None], tf.string)
    ids = tf.TensorSpec([None, None], tf.int32)
    module.ids = tf.function(tokenizer.tokenize, input_signature=[texts])
    module.text = tf.function(tokenizer.detokenize, input_signature=[ids])
    tf.saved_model.save(module, str(tmp_path))
    served = tf.saved_model.load(str(tmp_path))
    found = served.ids(tf.constant(UNUSUAL))
    assert np.array_equal(found, tokenizer.tokenize(UNUSUAL))
    written = [text.decode() for text in served.text(found).numpy()]
    assert written == tokenizer.detokenize(found.numpy())


@pytest.mark.tensorflow_only
def test_a_model_of_strings_reloads(tokenizer, tmp_path):
    text = keras.Input((), dtype="string")
    model = keras.Model(text, tokenizer(text))
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert np.array_equal(
        again(tf.constant(UNUSUAL)), tokenizer.tokenize(UNUSUAL)
    )


def test_a_vocabulary_can_be_learned():
    texts = ["The dogs play.", "the dog plays", "강아지가 놀아요"] * 3
    tokenizer = BERTTokenizer.train(texts, 97)
    assert tokenizer.tokens(np.arange(5)) == SPECIAL_TOKENS
    assert tokenizer.vocabulary_size() <= 97
    ids = tokenizer.tokenize("THE DOG PLAYS 강아지")
    assert tokenizer.unknown_id not in ids
    assert_same_ids(texts, tokenizer.get_config()["vocabulary"], OPTIONS[0])


# Folders.


@pytest.fixture
def folder(tmp_path):
    BERTTokenizer([*SPECIAL_TOKENS, "The", "the"], False).to_huggingface(
        tmp_path
    )
    return tmp_path


@every_option
def test_transformers_reads_a_written_folder_equally(tmp_path, options):
    transformers = pytest.importorskip("transformers")
    BERTTokenizer(VOCABULARY, *options).to_huggingface(tmp_path)
    ours = BERTTokenizer.from_huggingface(tmp_path)
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert ours.get_config()["strip_accents"] == options[1]
    for text in UNUSUAL:
        assert unpadded(ours, text) == ids_of(theirs, text)


@every_option
def test_a_folder_written_by_transformers_is_read(tmp_path, options):
    theirs = published(VOCABULARY, *options)
    theirs.save_pretrained(tmp_path)
    assert not (tmp_path / "vocab.txt").exists()  # but a tokenizer.json
    ours = BERTTokenizer.from_huggingface(tmp_path)
    for text in UNUSUAL:
        assert unpadded(ours, text) == ids_of(theirs, text)


def test_a_folder_with_only_a_vocabulary_is_uncased(folder):
    (folder / "tokenizer_config.json").unlink()
    tokenizer = BERTTokenizer.from_huggingface(folder)
    assert tokenizer.tokens(tokenizer.tokenize("The")) == ["the"]


def test_lines_may_end_as_on_windows(folder):
    path = folder / "vocab.txt"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    tokenizer = BERTTokenizer.from_huggingface(folder)
    assert tokenizer.tokens(tokenizer.tokenize("the The")) == ["the", "The"]


def test_special_tokens_may_be_dicts_with_options(folder):
    options = {"unk_token": {"content": "[UNK]", "special": True}}
    options["added_tokens_decoder"] = {"4": {"content": "[MASK]"}}
    (folder / "tokenizer_config.json").write_text(json.dumps(options))
    assert BERTTokenizer.from_huggingface(folder).mask_id == 4


@pytest.mark.parametrize(
    "option, value",
    [
        ("do_lower_case", "yes"),
        ("strip_accents", "no"),
        ("tokenize_chinese_chars", None),
        ("do_basic_tokenize", False),
        ("never_split", ["dog"]),
        ("tokenizer_class", "BertJapaneseTokenizer"),
        ("unk_token", "<unk>"),
        ("mask_token", {"content": "<mask>"}),
    ],
)
def test_an_unsupported_option_raises_an_error(folder, option, value):
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), option: value}))
    with pytest.raises(ValueError, match=option):
        BERTTokenizer.from_huggingface(folder)


def test_added_tokens_raise_an_error(folder):
    (folder / "added_tokens.json").write_text('{"[USER]": 7}')
    with pytest.raises(ValueError, match=r"added_tokens.*\[USER\]"):
        BERTTokenizer.from_huggingface(folder)
    (folder / "added_tokens.json").unlink()
    options = {"added_tokens_decoder": {"7": {"content": "[USER]"}}}
    (folder / "tokenizer_config.json").write_text(json.dumps(options))
    with pytest.raises(ValueError, match=r"added_tokens.*\[USER\]"):
        BERTTokenizer.from_huggingface(folder)


@pytest.mark.parametrize(
    "name, content, says",
    [
        ("vocab.txt", None, "vocab.txt"),
        ("vocab.txt", b"[PAD]\n[UNK]\n", r"must hold \[CLS\]"),
        ("vocab.txt", b"[PAD]\nthe\nthe\n", "'the' twice"),
        ("vocab.txt", b"[PAD]\n\xff\n", "vocab.txt must hold UTF-8"),
        ("tokenizer_config.json", b"{", "tokenizer_config.json must hold JSON"),
        ("tokenizer_config.json", b"[]", "by name"),
    ],
)
def test_the_error_for_a_missing_or_damaged_file_names_it(
    folder, name, content, says
):
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content)
    with pytest.raises(ValueError, match=says) as caught:
        BERTTokenizer.from_huggingface(folder)
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize(
    "model, says",
    [
        ({"type": "BPE", "vocab": {}}, "WordPiece.*BPE"),
        ({"type": "WordPiece", "vocab": {"[PAD]": 1}}, "0 to n - 1"),
    ],
)
def test_another_model_in_tokenizer_json_raises_an_error(folder, model, says):
    (folder / "vocab.txt").unlink()
    (folder / "tokenizer.json").write_text(json.dumps({"model": model}))
    with pytest.raises(ValueError, match=says):
        BERTTokenizer.from_huggingface(folder)


@pytest.mark.parametrize(
    "vocabulary, says",
    [
        (SPECIAL_TOKENS[:4], r"must hold \[MASK\]"),
        ([*SPECIAL_TOKENS, "a", "a"], "'a' twice"),
        ([*SPECIAL_TOKENS, "a\nb"], "lines"),
        ([*SPECIAL_TOKENS, "a\0b"], "lines"),
        ([*SPECIAL_TOKENS, 5], "lines"),
        ([*SPECIAL_TOKENS, "##" + "가" * 86], "256 bytes"),
    ],
)
def test_a_bad_vocabulary_raises_an_error(vocabulary, says):
    with pytest.raises(ValueError, match=says):
        BERTTokenizer(vocabulary)
