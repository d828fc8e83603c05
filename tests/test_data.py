"""Data sets: shapes, ranges, splits, seeds, answers."""

import hashlib
import sys
import unicodedata

import keras
import numpy as np
import pytest

from keras_seq import data

# No function of these depends on the backend.
pytestmark = pytest.mark.tensorflow_only

SEEDED = {
    "adding": lambda seed: data.adding(7, 11, seed=seed),
    "copying": lambda seed: data.copying(7, 11, seed=seed),
    "recall": lambda seed: data.recall(7, 5, seed=seed),
    "addition": lambda seed: data.addition(7, seed=seed),
    "moving_digits": lambda seed: data.moving_digits(3, 7, seed=seed),
    "synthetic_demand": lambda seed: data.synthetic_demand(seed=seed),
    "synthetic_captions": lambda seed: data.synthetic_captions(seed=seed),
}
SPLIT = {
    "addition": lambda split: data.addition(7, split=split),
    "pydocs": data.pydocs,
    "pydocs_text": data.pydocs_text,
    "names": data.names,
    "digits": data.digits,
    "moving_digits": lambda split: data.moving_digits(3, 7, split),
    "tinyshakespeare": data.tinyshakespeare,
    "nsmc": data.nsmc,
    "wikitext2": data.wikitext2,
    "cifar10_10k": data.cifar10_10k,
    "electricity_demand": data.electricity_demand,
    "synthetic_demand": data.synthetic_demand,
    "emoji_captions": data.emoji_captions,
    "synthetic_captions": data.synthetic_captions,
}


def real(loader, *arguments):
    """Load a data set from its file, or skip if the file is missing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.utils, "get_file", no_network)
        try:
            return loader(*arguments)
        except FileNotFoundError as missing:
            pytest.skip(str(missing))


def no_network(*args, **kwargs):
    raise OSError("no network here")


def same(one, other):
    return all(map(np.array_equal, one, other))


# All data sets


@pytest.mark.parametrize("name", SEEDED)
def test_the_same_seed_gives_the_same_data(name):
    assert same(SEEDED[name](13), SEEDED[name](13))


@pytest.mark.parametrize("seed", [-1, 1.5, "a", None])
@pytest.mark.parametrize("name", SEEDED)
def test_a_seed_must_be_an_int_that_is_not_negative(name, seed):
    with pytest.raises(ValueError, match="`seed` must be an int >= 0"):
        SEEDED[name](seed)


@pytest.mark.parametrize("name", SEEDED)
def test_another_seed_gives_other_data(name):
    assert not same(SEEDED[name](13), SEEDED[name](17))


@pytest.mark.parametrize("name", SPLIT)
def test_an_unknown_split_raises_an_error_that_names_it(name):
    with pytest.raises(ValueError, match=r"`split` must be one of .*'dev'"):
        SPLIT[name]("dev")


@pytest.mark.parametrize("name", data.__all__)
def test_every_public_name_exists_and_has_a_docstring(name):
    value = getattr(data, name)
    assert not callable(value) or value.__doc__


@pytest.mark.parametrize(
    "argument, call",
    [
        ("count", lambda: data.adding(0, 11)),
        ("length", lambda: data.adding(3, 1)),
        ("delay", lambda: data.copying(3, 0)),
        ("symbols", lambda: data.copying(3, 5, symbols=0)),
        ("length", lambda: data.copying(3, 5, length=2.5)),
        ("pairs", lambda: data.recall(3, 27)),
        ("digits", lambda: data.addition(3, digits=0)),
        ("count", lambda: data.addition(-3)),
        ("frames", lambda: data.moving_digits(3, 2)),
        ("size", lambda: data.moving_digits(3, 7, size=8)),
        ("occlusion", lambda: data.moving_digits(3, 7, occlusion=1)),
        ("labels", lambda: data.digit_captions([-1])),
        ("language", lambda: data.digit_captions([1], "xx")),
        ("languages", lambda: data.names("train", ["de", "xx"])),
        ("languages", lambda: data.names("train", ["de", "de"])),
        ("languages", lambda: data.names("train", [])),
    ],
)
def test_a_bad_argument_raises_an_error_that_names_it(argument, call):
    with pytest.raises(ValueError, match=f"`{argument}` must .* Received"):
        call()


@pytest.mark.parametrize(
    "module, load",
    [("babel", data.names), ("sklearn.datasets", data.digits)],
)
def test_the_error_for_a_missing_package_names_the_extra(
    module, load, monkeypatch
):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=r'"keras_seq\[tutorials\]"'):
        load("train")


# Character sequences


def test_the_target_of_hello_is_the_next_letter():
    source, target = data.hello()
    assert source[1:] == target[:-1]


def test_hello_uses_its_vocabulary():
    assert set("".join(data.hello())) == set(data.HELLO_VOCABULARY)


def test_answers_of_additions_are_correct():
    problems, answers = data.addition(997)
    sums = [sum(map(int, problem.split("+"))) for problem in problems]
    assert answers == list(map(str, sums))


def test_additions_have_the_requested_number_and_no_repeats():
    problems, _ = data.addition(997, digits=2)
    assert len(problems) == len(set(problems)) == 997


def test_additions_have_short_numbers_and_no_longer_ones():
    problems, _ = data.addition(997)
    lengths = {len(n) for problem in problems for n in problem.split("+")}
    assert lengths == {1, 2, 3}


def test_no_test_addition_is_a_training_addition_in_any_order():
    train, _ = data.addition(4999, digits=2)
    test, _ = data.addition(997, digits=2, split="test")
    mirrored = {"+".join(problem.split("+")[::-1]) for problem in train}
    assert not (set(train) | mirrored) & set(test)


def test_the_two_splits_are_all_additions_that_exist():
    counts = {}
    for split in ("train", "test"):
        with pytest.raises(ValueError, match="`count` must be at most") as e:
            data.addition(101, digits=1, split=split)
        counts[split] = int(str(e.value).split("at most ")[1].split(",")[0])
    found = [
        problem
        for split, count in counts.items()
        for problem in data.addition(count, digits=1, split=split)[0]
    ]
    assert len(set(found)) == 100


# Long-term dependencies


def test_adding_sums_the_two_marked_numbers():
    x, y = data.adding(5, 11)
    for row, answer in zip(x, y, strict=True):
        first, second = (number for number, mark in row if mark == 1)
        assert answer == pytest.approx([first + second])


def test_adding_has_one_mark_in_each_half():
    x, _ = data.adding(101, 11)
    marks = x[:, :, 1]
    assert (marks[:, :5].sum(1) == 1).all()
    assert (marks[:, 5:].sum(1) == 1).all()


def test_adding_has_float32_of_the_stated_shapes():
    x, y = data.adding(5, 11)
    assert (x.shape, y.shape) == ((5, 11, 2), (5, 1))
    assert x.dtype == y.dtype == "float32"


def test_predicting_the_mean_of_adding_has_a_squared_error_of_a_sixth():
    _, y = data.adding(20011, 2)
    assert np.mean((y - 1) ** 2) == pytest.approx(1 / 6, abs=0.005)


def test_copying_repeats_the_symbols_after_the_delimiter():
    x, y = data.copying(5, 7, symbols=3, length=2)
    for row, answer in zip(x.tolist(), y.tolist(), strict=True):
        symbols = row[:2]
        assert row == symbols + [0] * 6 + [4] + [0] * 2
        assert answer == [0] * 9 + symbols


def test_copying_draws_every_symbol_and_no_other_id():
    x, _ = data.copying(101, 7, symbols=5)
    assert set(x[:, :10].ravel().tolist()) == {1, 2, 3, 4, 5}


def test_copying_has_int32_of_the_stated_shape():
    x, y = data.copying(5, 7)
    assert x.shape == y.shape == (5, 27)
    assert x.dtype == y.dtype == "int32"


def test_the_answer_of_recall_is_the_digit_after_the_letter():
    x, y = data.recall(101, 5)
    for ids, answer in zip(x, y, strict=True):
        row = "".join(data.RECALL_VOCABULARY[i] for i in ids)
        digits = dict(zip(row[:10:2], row[1:10:2], strict=True))
        assert row[10:12] == "??"
        assert int(digits[row[-1]]) == answer


def test_recall_never_uses_a_letter_twice_in_a_row():
    x, _ = data.recall(101, 26)
    assert all(len(set(row)) == 26 for row in x[:, :52:2].tolist())


def test_recall_has_int32_of_the_stated_shapes():
    x, y = data.recall(7, 5)
    assert (x.shape, y.shape) == ((7, 13), (7,))
    assert x.dtype == y.dtype == "int32"


# Python's documentation


def test_training_and_test_documents_are_different():
    train, test = data.pydocs("train"), data.pydocs("test")
    assert train
    assert test
    assert not set(train) & set(test)


def test_both_splits_are_parts_of_all_documents():
    both = set(data.pydocs("train")) | set(data.pydocs("test"))
    assert both <= set(data.pydocs())


def test_no_test_paragraph_is_a_training_paragraph():
    train, test = (
        {
            text
            for d in data.pydocs(split).values()
            for text in data.paragraphs(d)
        }
        for split in ("train", "test")
    )
    assert not train & test


def test_the_text_of_the_documents_is_nfc_without_repeats():
    text = data.pydocs_text("test")
    lines = text.splitlines()
    assert unicodedata.is_normalized("NFC", text)
    assert len(lines) == len(set(lines)) > 50


def test_paragraphs_have_no_titles_code_and_bullets():
    document = (
        'The "if" statement\n******************\n\nIt is used\nto choose:\n\n'
        "   if_stmt ::= suite\n\n   >>> if x:\n   ...     f(x)\n\n"
        "object.__len__(self)\n\n   * Called by *len()*.\n\n[1] A footnote.\n"
    )
    assert data.paragraphs(document) == [
        "It is used to choose:",
        "Called by *len()*.",
        "A footnote.",
    ]


def test_sentences_end_at_full_stops_but_not_at_abbreviations():
    document = 'Use it, e.g. "x.y". (See below.) Is it\nso? "None" is.'
    assert data.sentences(document) == [
        'Use it, e.g. "x.y".',
        "(See below.)",
        "Is it so?",
        '"None" is.',
    ]


# Names


def test_names_are_held_out_and_never_ambiguous():
    both = data.names("train")[0] + data.names("test")[0]
    assert len(both) == len(set(both))


def test_names_are_nfc_text_with_int32_labels():
    texts, labels = data.names("test")
    assert all(unicodedata.is_normalized("NFC", text) for text in texts)
    assert labels.shape == (len(texts),)
    assert labels.dtype == "int32"


@pytest.mark.parametrize("split", ["train", "test"])
def test_every_language_has_a_similar_share_of_the_names(split):
    _, labels = data.names(split)
    shares = np.bincount(labels, minlength=len(data.LANGUAGES)) / len(labels)
    assert shares.min() > 0.05
    assert shares.max() < 0.2


def test_one_name_in_five_is_held_out():
    train, test = (len(data.names(split)[0]) for split in ("train", "test"))
    assert test / (train + test) == pytest.approx(0.2, abs=0.01)


def test_labels_of_names_are_their_languages():
    texts, labels = data.names("train")
    texts += data.names("test")[0]
    labels = np.concatenate([labels, data.names("test")[1]])
    language = dict(zip(texts, labels, strict=True))
    assert data.LANGUAGES[language["Deutschland"]] == "de"
    assert data.LANGUAGES[language["한국어"]] == "ko"


def test_the_split_of_a_name_does_not_depend_on_the_languages():
    few, _ = data.names("train", ("de", "ko"))
    assert not set(few) & set(data.names("test")[0])


# Digits


def test_digits_are_float32_images_with_int32_labels():
    images, labels = data.digits("test")
    assert images.shape == (355, 8, 8)
    assert images.dtype == "float32"
    assert labels.shape == (355,)
    assert labels.dtype == "int32"


def test_pixels_of_digits_have_the_range_0_to_1():
    images, _ = data.digits("train")
    assert images.min() == 0
    assert images.max() == 1


def test_no_digit_is_in_both_splits():
    both = np.concatenate([data.digits("train")[0], data.digits("test")[0]])
    assert len(np.unique(both.reshape(-1, 64), axis=0)) == len(both) == 1797


def test_each_digit_is_held_out_equally_often():
    counts = np.bincount(data.digits("test")[1])
    assert counts.min() >= 34
    assert counts.max() <= 36


@pytest.mark.parametrize("language, seven", [("en", "seven"), ("ko", "칠")])
def test_digits_are_spelled_out_in_two_languages(language, seven):
    labels = np.array([7, 0], dtype="int32")
    captions = data.digit_captions(labels, language)
    assert captions == [seven, data.CAPTIONS[language][0]]


@pytest.mark.parametrize("language", data.CAPTIONS)
def test_ten_digits_have_ten_names(language):
    assert len(set(data.CAPTIONS[language])) == 10


@pytest.mark.parametrize(
    "problem, count",
    [("123+456", 0), ("5+5", 1), ("95+7", 2), ("999+1", 3), ("1+999", 3)],
)
def test_carries_are_counted_column_by_column(problem, count):
    assert data.carries(problem) == count


# Moving digits


def occluded_frames(occlusion=0.7):
    """Generate the same clips with and without occlusion; compare them."""
    clips, labels = data.moving_digits(101, 13, seed=3, occlusion=occlusion)
    plain, _ = data.moving_digits(101, 13, seed=3, occlusion=0)
    return (clips != plain).any(axis=(2, 3)), labels


def test_clips_have_a_label_for_every_frame():
    clips, labels = data.moving_digits(3, 7, size=17)
    assert clips.shape == (3, 7, 17, 17)
    assert clips.dtype == "float32"
    assert labels.shape == (3, 7)
    assert labels.dtype == "int32"


def test_pixels_of_clips_lie_between_zero_and_one():
    clips, _ = data.moving_digits(11, 13)
    assert clips.min() >= 0
    assert clips.max() <= 1


def test_a_digit_changes_once_or_twice_a_clip():
    _, labels = data.moving_digits(101, 13)
    changes = (np.diff(labels, axis=1) != 0).sum(axis=1)
    assert set(changes.tolist()) == {1, 2}


def test_a_new_digit_is_never_occluded():
    occluded, labels = occluded_frames()
    new = np.diff(labels, axis=1, prepend=-1) != 0
    assert not occluded[new].any()


def test_other_frames_are_occluded_with_the_given_probability():
    occluded, labels = occluded_frames(occlusion=0.7)
    new = np.diff(labels, axis=1, prepend=-1) != 0
    assert occluded[~new].mean() == pytest.approx(0.7, abs=0.05)


def test_occlusion_does_not_change_the_labels():
    _, labels = occluded_frames()
    assert (labels == data.moving_digits(101, 13, seed=3, occlusion=0)[1]).all()


def test_a_clip_shows_the_labeled_digit_of_its_split():
    clips, labels = data.moving_digits(5, 7, "test", occlusion=0)
    images, classes = data.digits("test")
    windows = np.lib.stride_tricks.sliding_window_view(clips, (8, 8), (2, 3))
    windows = windows.reshape(35, 81, 64)
    known = 0.8 * images.reshape(-1, 64)  # a fifth of each pixel is noise
    for frame, label in zip(windows, labels.ravel(), strict=True):
        fits = [((w >= known) & (w <= known + 0.2)).all(1) for w in frame]
        assert label in classes[np.any(fits, axis=0)]


def test_a_digit_moves_at_most_two_pixels_a_frame():
    clips, labels = data.moving_digits(11, 13, occlusion=0)
    bright = clips > 0.3  # noise alone is at most 0.2
    top = bright.any(axis=3).argmax(axis=2)
    same_digit = np.diff(labels, axis=1) == 0
    assert np.abs(np.diff(top, axis=1))[same_digit].max() <= 2


# Electricity demand


def naive_error(train, test, steps):
    """Return the error, in the test, of the value `steps` before."""
    series = np.concatenate([train, test])
    error = np.abs(series[steps:] - series[:-steps])
    return error[-len(test) :].mean()


def test_synthetic_demand_is_continued_by_its_test_split():
    train, test = data.synthetic_demand(), data.synthetic_demand("test")
    assert train.dtype == test.dtype == "float32"
    assert (len(train), len(test)) == (10 * 336, 2 * 336)
    assert abs(test[0] - train[-1]) < 2000 < np.ptp(train)


def test_synthetic_demand_repeats_by_the_week():
    parts = data.synthetic_demand(), data.synthetic_demand("test")
    assert naive_error(*parts, 336) < naive_error(*parts, 48)


def test_electricity_demand_has_the_published_baselines():
    parts = real(data.electricity_demand), real(data.electricity_demand, "test")
    assert (len(parts[0]), len(parts[1])) == (3360, 672)
    assert round(parts[1].mean()) == 29_885
    assert round(naive_error(*parts, 336)) == 514
    assert round(naive_error(*parts, 48)) == 1923


def check_captions(load, counts, same=0):
    """Held-out combinations are new; held-out styles are known by name.

    At most `same` pictures of a part are drawn as one of the training set.
    """
    parts = {split: load(split) for split in data.EMOJI_SPLITS}
    assert [len(pictures) for pictures, *_ in parts.values()] == counts
    for pictures, *texts in parts.values():
        assert pictures.dtype == "uint8"
        assert {len(text) for text in texts} == {len(pictures)}
    trained = parts["train"]
    known = {word for text in trained[1] for word in text.split()}
    for split, (pictures, english, _) in parts.items():
        if split.startswith("combination"):
            half = len(english) // 2
            assert english[:half] == english[half:]
            assert not set(english) & set(trained[1])
            assert {word for text in english for word in text.split()} <= known
        if split.startswith("style"):
            assert set(english) <= set(trained[1])
            drawn = {picture.tobytes() for picture in trained[0]}
            assert sum(x.tobytes() in drawn for x in pictures) <= same


def test_synthetic_captions_hold_out_combinations_and_styles():
    check_captions(data.synthetic_captions, [304, 24, 24, 16, 16])


def test_emoji_hold_out_combinations_and_styles():
    real(data.emoji_captions)
    check_captions(data.emoji_captions, [5872, 224, 226, 159, 159], 3)


# Data files


def test_shakespeare_is_split_at_nine_tenths():
    train, test = real(data.tinyshakespeare), real(data.tinyshakespeare, "test")
    assert (len(train), len(test)) == (1003854, 111540)


def test_shakespeare_begins_with_the_first_citizen():
    assert real(data.tinyshakespeare).startswith("First Citizen:\n")


@pytest.mark.parametrize("split, each", [("train", 1000), ("test", 200)])
def test_cifar10_10k_has_ten_classes_of_equal_size(split, each):
    images, labels = real(data.cifar10_10k, split)
    assert images.shape == (10 * each, 32, 32, 3)
    assert images.dtype == "float32" and labels.dtype == "int32"
    assert images.min() == 0 and images.max() == 1
    assert np.array_equal(np.bincount(labels), [each] * 10)


@pytest.mark.parametrize("split, articles", [("train", 60), ("test", 62)])
def test_wikitext2_is_split_into_articles(split, articles):
    found = real(data.wikitext2, split)
    assert len(found) == articles
    assert not any(" = = " in article for article in found)


def test_wikitext2_begins_with_the_lobster():
    assert real(data.wikitext2)[0].startswith("Homarus gammarus , known as")


def test_prose_is_split_where_sentences_end():
    text = 'He said "no." Then (at 5 p.m.) he left! (Not far, e.g. home.) So.'
    assert data.split_sentences(text) == [
        'He said "no." Then (at 5 p.m.) he left!',
        "(Not far, e.g. home.)",
        "So.",
    ]


@pytest.mark.parametrize("split, rows", [("train", 40000), ("test", 8000)])
def test_reviews_are_balanced_nfc_korean(split, rows):
    texts, labels = real(data.nsmc, split)
    assert np.bincount(labels).tolist() == [rows // 2, rows // 2]
    assert all(unicodedata.is_normalized("NFC", text) for text in texts)
    assert labels.dtype == "int32"
    assert all(texts)
    assert len(texts) == rows


# Finding files

# The checksum of an empty file.
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Give an empty KERAS_SEQ_DATA, an empty cache and no network."""
    monkeypatch.setenv("KERAS_SEQ_DATA", str(tmp_path / "own"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr(keras.utils, "get_file", no_network)
    return tmp_path


def write(path, content=b""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_the_folder_of_the_variable_is_searched_first(folder):
    write(folder / "keras/datasets/set/a.txt")
    own = write(folder / "own/set/a.txt")
    assert data.find_file("set/a.txt", None, EMPTY) == own


def test_a_file_without_url_is_found_in_the_cache_of_keras(folder):
    cached = write(folder / "keras/datasets/set/a.txt")
    assert data.find_file("set/a.txt", None, EMPTY) == cached


def test_a_file_with_url_is_found_and_checked_by_keras(folder, monkeypatch):
    asked = {}

    def get_file(fname, **options):
        asked.update(options, fname=fname)
        return "somewhere/a.txt"

    monkeypatch.setattr(keras.utils, "get_file", get_file)
    path = data.find_file("set/a.txt", "https://example.org/a.txt", EMPTY)
    assert str(path) == "somewhere/a.txt"
    assert asked == {
        "fname": "a.txt",
        "origin": "https://example.org/a.txt",
        "cache_subdir": "datasets/set",
        "file_hash": EMPTY,
        "hash_algorithm": "sha256",
    }


def test_a_damaged_file_raises_an_error_that_names_it(folder):
    write(folder / "own/tinyshakespeare/input.txt", b"First Citizen:\n")
    with pytest.raises(ValueError, match=r"`tinyshakespeare/input\.txt`"):
        data.tinyshakespeare()


def test_the_error_for_a_missing_file_names_the_folders_and_the_origin(folder):
    with pytest.raises(FileNotFoundError) as missing:
        data.tinyshakespeare()
    message = str(missing.value)
    assert "tinyshakespeare/input.txt" in message
    assert str(folder / "own") in message
    assert str(folder / "keras") in message
    assert "karpathy/char-rnn" in message
    assert "no network here" in message


def test_the_error_for_missing_reviews_describes_their_origin(folder):
    with pytest.raises(FileNotFoundError) as missing:
        data.nsmc("test")
    message = str(missing.value)
    assert "nsmc/ratings_test.txt" in message
    assert "no public copy" in message
    assert "drawn from" in message
    assert "github.com/e9t/nsmc" in message


def test_electricity_demand_is_read_and_split(folder, monkeypatch):
    lines = "megawatts\n" + "\n".join(map(str, range(1000))) + "\n"
    path = write(folder / "own/electricity/taylor.csv", lines.encode())
    checksum = hashlib.sha256(path.read_bytes()).hexdigest()
    module = "keras_seq.data.electricity_series.TAYLOR_SHA256"
    monkeypatch.setattr(module, checksum)
    joined = [*data.electricity_demand(), *data.electricity_demand("test")]
    assert joined == list(range(1000))
    assert len(data.electricity_demand("test")) == 672


def test_the_error_for_missing_emoji_names_their_origin(folder):
    with pytest.raises(FileNotFoundError, match="emojibase.*KERAS_SEQ_DATA"):
        data.emoji_captions()


def test_the_error_for_missing_demand_names_its_origin(folder):
    with pytest.raises(FileNotFoundError, match="pmdarima.*KERAS_SEQ_DATA"):
        data.electricity_demand()


def test_without_the_variable_only_the_cache_is_searched(folder, monkeypatch):
    monkeypatch.delenv("KERAS_SEQ_DATA")
    with pytest.raises(FileNotFoundError) as missing:
        data.find_file("set/a.txt", None, EMPTY)
    assert str(folder / "own") not in str(missing.value)
