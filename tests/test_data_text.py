"""Data sets of texts: dates, docstrings, dialogues, captions, questions."""

import datetime
import re
import sys
import time
import unicodedata
from importlib.resources import files

import keras
import numpy as np
import pytest

from keras_seq import data
from keras_seq.data import docstring_summaries, localized_dates
from keras_seq.evaluation import (
    exact_match,
    nearest_answer,
    shared_words_accuracy,
    tfidf_accuracy,
)

# No function of these depends on the backend.
pytestmark = pytest.mark.tensorflow_only

SPLIT = {
    "dates": lambda split: data.dates(7, split=split),
    "docstrings": data.docstrings,
    "dialogues": lambda split: data.dialogues(split=split),
    "multi30k": data.multi30k,
    "chatbot_ko": data.chatbot_ko,
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


def is_nfc(texts):
    return all(unicodedata.is_normalized("NFC", text) for text in texts)


@pytest.fixture(scope="module")
def small_package(tmp_path_factory):
    """Write an importable package with known docstrings."""
    home = tmp_path_factory.mktemp("site") / "smallpackage"
    for folder in (home / "tests", home / "numpy"):
        folder.mkdir(parents=True)
    (home / "__init__.py").write_text("raise RuntimeError('was imported')\n")
    (home / "good.py").write_text(GOOD, "utf-8")
    (home / "broken.py").write_text("def (:\n")
    (home / "tests" / "lost.py").write_text(GOOD.replace("Add", "Test"))
    (home / "numpy" / "copy.py").write_text(GOOD.replace("Add", "Copy"))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(home.parent))
        yield home.name
    docstring_summaries.docstring_pairs.cache_clear()


GOOD = '''
def add(a, b):
    """Add two numbers, as one does
    at school.

    The first number comes first. The
    second one, e\u0301tendue, is added to it.

    Both may be negative, and both may be zero.

    Args:
        a: the first number.
    """
    def inner():
        """Add nothing at all here.

        This body is exactly long enough for a pair.

            code = 1

        This stands after code and is left out.
        """


class Short:
    """Too short a body.

    Only this.
    """

    def method(self):
        """Has no end

        although the body is long enough for a pair.
        """
'''


# All data sets


@pytest.mark.parametrize("name", SPLIT)
def test_an_unknown_split_raises_an_error_that_names_it(name):
    with pytest.raises(ValueError, match=r"`split` must be one of .*'dev'"):
        SPLIT[name]("dev")


@pytest.mark.parametrize(
    "argument, call",
    [
        ("count", lambda: data.dates(0)),
        ("count", lambda: data.dates(200_000, split="test")),
        ("language", lambda: data.dialogues("de")),
        ("source", lambda: data.multi30k("test", "ko")),
        ("target", lambda: data.multi30k("test", "de", "cs")),
        ("target", lambda: data.multi30k("test", "en", "en")),
        ("max_body", lambda: data.docstrings(max_body=0)),
        ("max_summary", lambda: data.docstrings(max_summary=2.5)),
        ("packages", lambda: data.docstrings(packages="json")),
        ("train_answers", lambda: nearest_answer([], [], ["?"])),
        ("train_answers", lambda: nearest_answer(["a", "b"], ["c"], ["?"])),
        ("n", lambda: nearest_answer(["a"], ["b"], ["?"], n=0)),
    ],
)
def test_a_bad_argument_raises_an_error_that_names_it(argument, call):
    with pytest.raises(ValueError, match=f"`{argument}` must .*Received"):
        call()


@pytest.mark.parametrize(
    "module, call",
    [
        ("babel", lambda: data.dates(3)),
        (
            "sklearn.feature_extraction.text",
            lambda: nearest_answer(["a"], ["b"], ["a"]),
        ),
    ],
)
def test_the_error_for_a_missing_package_names_the_extra(
    module, call, monkeypatch
):
    localized_dates.date_formats.cache_clear()
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=r'"keras_seq\[tutorials\]"'):
        call()


# Dates


def test_dates_have_the_requested_number_and_no_repeated_text():
    texts, answers, spans = data.dates(997)
    assert len(set(texts)) == len(texts) == len(answers) == 997
    assert spans.shape == (997, 10, 2)
    assert spans.dtype == "int32"


def test_the_same_seed_gives_the_same_dates_and_another_seed_other_dates():
    texts, answers, spans = data.dates(101, seed=3)
    again = data.dates(101, seed=3)
    assert (texts, answers) == again[:2]
    assert (spans == again[2]).all()
    assert texts != data.dates(101, seed=5)[0]


def test_no_date_is_in_both_splits():
    train, test = (data.dates(4999, split=s)[1] for s in ("train", "test"))
    assert not set(train) & set(test)


def test_dates_cover_the_years_and_every_language():
    texts, answers, _ = data.dates(4999)
    years = {int(answer[:4]) for answer in answers}
    assert years == set(range(1900, 2100))
    # A word for a day of the week or a month from each language.
    words = ["Sonntag", "Sunday", "domingo", "sunnuntai", "dimanche"]
    words += ["domenica", "일요일", "zondag", "niedziela", "Pazar"]
    for word in words:
        assert any(word in text for text in texts), word


def test_every_format_is_written_as_babel_writes_it():
    from babel import Locale
    from babel.dates import format_date

    date = datetime.date(1950, 3, 5)
    for language in data.LANGUAGES:
        wanted = {
            unicodedata.normalize("NFC", format_date(date, name, language))
            for name in Locale.parse(language).date_formats
        }
        known = localized_dates.date_formats()[language]
        ours = {localized_dates.write_date(date, language, p)[0] for p in known}
        # What is missing has two digits of the year, or slashes.
        missing = {text for text in wanted - ours if "1950" in text}
        assert all("/" in text for text in missing)


def test_no_text_of_any_format_has_two_dates():
    meaning = {}
    for date in localized_dates.dates_of_split("test")[::7]:
        for language, formats in localized_dates.date_formats().items():
            for pattern in formats:
                text, _ = localized_dates.write_date(date, language, pattern)
                assert meaning.setdefault(text, date) == date


def test_no_format_has_slashes_or_a_short_year():
    texts, answers, _ = data.dates(1999, seed=11)
    assert not any("/" in text for text in texts)
    assert all(answer[:4] in text for text, answer in zip(texts, answers))


def test_spans_cover_the_year_and_the_day_of_the_answer():
    for text, answer, spans in zip(*data.dates(1999, seed=13)):
        fields = [text[begin:end] for begin, end in spans]
        assert fields[:4] == [answer[:4]] * 4
        assert [int(day) for day in fields[8:]] == [int(answer[8:])] * 2


def test_spans_cover_the_name_or_number_of_the_month():
    for text, answer, spans in zip(*data.dates(1999, seed=17)):
        first, second = (text[begin:end] for begin, end in spans[5:7])
        assert first == second
        number = first.removesuffix("월")
        assert first[0].isalpha() or int(number) == int(answer[5:7])


def test_spans_of_hyphens_are_empty_and_fields_never_overlap():
    texts, _, spans = data.dates(499)
    assert (spans[:, [4, 7]] == 0).all()
    fields = np.sort(spans[:, [0, 5, 8]], axis=1)
    assert (fields[:, 1:, 0] >= fields[:, :-1, 1]).all()
    assert (spans[..., 1] <= np.array([[len(text)] for text in texts])).all()


def test_every_format_has_the_year_the_month_and_the_day():
    for formats in localized_dates.date_formats().values():
        for pattern in formats:  # "Y" in Babel 2.19: the year of a week
            names = {name.replace("L", "M") for name, _ in pattern}
            assert names >= {"y", "M", "d"} and "Y" not in names


def test_texts_of_dates_are_nfc_and_of_many_lengths():
    texts, _, _ = data.dates(4999)
    lengths = [len(text) for text in texts]
    assert is_nfc(texts)
    assert min(lengths) == 8
    assert np.percentile(lengths, 200 / 3) > np.percentile(lengths, 100 / 3) + 5
    assert max(lengths) > 50


def test_korean_dates_are_written_in_hangul():
    texts, answers, _ = data.dates(997)
    written = dict(zip(answers, texts))
    korean = [text for text in written.values() if "년" in text]
    assert korean
    assert all("월" in text and "일" in text for text in korean)


# Docstrings


def test_a_docstring_is_split_into_body_and_summary(small_package):
    found = {}
    for split in ("train", "test"):
        bodies, summaries = data.docstrings(split, packages=[small_package])
        found |= dict(zip(summaries, bodies))
    assert found == {
        "Add two numbers, as one does at school.": (
            "The first number comes first. The second one, \u00e9tendue, is "
            "added to it. Both may be negative, and both may be zero."
        ),
        "Add nothing at all here.": (
            "This body is exactly long enough for a pair."
        ),
    }


def test_max_body_and_max_summary_limit_the_lengths(small_package):
    kept = [
        body
        for split in ("train", "test")
        for body in data.docstrings(split, 50, 24, [small_package])[0]
    ]
    assert kept == ["This body is exactly long enough for a pair."]


def test_the_error_names_a_package_that_is_not_installed():
    with pytest.raises(ImportError, match="nosuchpackage"):
        data.docstrings(packages=["nosuchpackage"])


def test_docstrings_of_a_subpackage_are_read_without_importing_its_parent(
    tmp_path, monkeypatch
):
    inner = tmp_path / "outerpackage" / "inner"
    inner.mkdir(parents=True)
    for folder in (inner.parent, inner):
        (folder / "__init__.py").write_text("raise RuntimeError('imported')\n")
    (inner / "good.py").write_text(GOOD, "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    summaries = [
        summary
        for split in ("train", "test")
        for summary in data.docstrings(split, packages=["outerpackage.inner"])[
            1
        ]
    ]
    assert len(summaries) == 2
    assert "outerpackage" not in sys.modules


@pytest.mark.parametrize(
    "package", ["", ".json", "json.", "json.decoder", "json.nosuch", "a.b"]
)
def test_a_name_that_is_not_a_package_is_named_in_the_error(package):
    with pytest.raises(ImportError, match=f"packages with {package!r}"):
        data.docstrings(packages=[package])


def test_docstrings_are_clean_and_split_by_their_summary():
    chosen = ("keras", "numpy", "stdlib")
    train = data.docstrings("train", packages=chosen)
    test = data.docstrings("test", packages=chosen)
    for bodies, summaries in (train, test):
        assert len(set(bodies)) == len(bodies) == len(summaries)
        assert bodies == sorted(bodies)
        assert is_nfc(bodies + summaries)
        assert all(40 <= len(body) <= 400 for body in bodies)
        assert all(10 <= len(summary) <= 100 for summary in summaries)
        assert not any("\n" in text for text in bodies + summaries)
    assert not set(train[0]) & set(test[0])
    assert not set(train[1]) & set(test[1])
    assert len(train[0]) > 1000
    assert len(test[0]) > 200


def test_docstrings_of_all_packages_are_read_in_20_seconds():
    begin = time.process_time()
    bodies, _ = data.docstrings()
    assert time.process_time() - begin < 20
    assert len(bodies) > 4000


# Dialogues


def rows(language):
    """Read every intent, question and answer of the file."""
    path = files("keras_seq.data") / f"dialogues_{language}.tsv"
    header, *lines = path.read_text(encoding="utf-8").split("\n")[:-1]
    assert header == "intent\tquestion\tanswer"
    return [line.split("\t") for line in lines]


@pytest.mark.parametrize("language", data.DIALOGUE_LANGUAGES)
def test_there_are_at_least_three_hundred_dialogues(language):
    assert all(len(row) == 3 and all(row) for row in rows(language))
    assert len(rows(language)) >= 300


@pytest.mark.parametrize("language", data.DIALOGUE_LANGUAGES)
def test_no_question_is_repeated_with_other_punctuation(language):
    asked = [
        "".join(c for c in question.lower() if c.isalnum())
        for _, question, _ in rows(language)
    ]
    assert len(asked) == len(set(asked))


@pytest.mark.parametrize("language", data.DIALOGUE_LANGUAGES)
def test_dialogues_are_stripped_nfc_and_at_most_70_characters(language):
    texts = [text for row in rows(language) for text in row]
    assert is_nfc(texts)
    assert all(text == " ".join(text.split()) for text in texts)
    assert max(map(len, texts)) <= 70


@pytest.mark.parametrize("language", data.DIALOGUE_LANGUAGES)
def test_an_intent_has_one_answer_and_an_answer_one_intent(language):
    answers = {(intent, answer) for intent, _, answer in rows(language)}
    assert len({intent for intent, _ in answers}) == len(answers)
    assert len({answer for _, answer in answers}) == len(answers)


@pytest.mark.parametrize("language", data.DIALOGUE_LANGUAGES)
def test_the_two_splits_are_all_dialogues_and_share_no_question(language):
    train, test = (data.dialogues(language, s) for s in ("train", "test"))
    both = set(zip(*train)) | set(zip(*test))
    assert both == {(q, a) for _, q, a in rows(language)}
    assert not set(train[0]) & set(test[0])


@pytest.mark.parametrize("language", data.DIALOGUE_LANGUAGES)
def test_every_intent_has_at_least_two_training_questions(language):
    trained = data.dialogues(language)[1]
    for _, _, answer in rows(language):
        assert trained.count(answer) >= 2


@pytest.mark.parametrize(
    "language, question, word",
    [
        ("en", "Are you free tomorrow?", "tomorrow"),
        ("ko", "내일 시간 있어?", "내일"),
    ],
)
def test_the_question_of_the_readme_is_in_the_training_split(
    language, question, word
):
    answer = dict(zip(*data.dialogues(language)))[question]
    assert word in answer


@pytest.mark.parametrize("language", data.DIALOGUE_LANGUAGES)
def test_the_nearest_question_often_has_the_right_answer(language):
    train, test = (data.dialogues(language, s) for s in ("train", "test"))
    found = nearest_answer(*train, test[0])
    right = np.mean([a == b for a, b in zip(found, test[1])])
    assert 0.5 < right < 0.9


# Data files


@pytest.mark.parametrize(
    "split, lines", [("train", 29000), ("val", 1014), ("test", 1000)]
)
def test_captions_are_aligned_nfc_lines(split, lines):
    sources, targets = real(data.multi30k, split)
    assert len(sources) == len(targets) == lines
    assert is_nfc(sources)
    assert all(sources)
    assert all(targets)


def test_the_first_captions_are_the_published_ones():
    sources, targets = real(data.multi30k)
    assert sources[0].startswith("Zwei junge weiße Männer sind im Freien")
    assert targets[0].startswith("Two young, White males are outside")


def test_source_and_target_language_can_be_swapped():
    sources, targets = real(data.multi30k, "test", "fr", "de")
    assert real(data.multi30k, "test", "de", "fr") == (targets, sources)


def test_korean_questions_are_never_in_both_splits():
    train, test = (real(data.chatbot_ko, s) for s in ("train", "test"))
    assert len(train[0]) + len(test[0]) == 11823
    assert len(test[0]) / 11823 == pytest.approx(0.2, abs=0.01)
    letters = [
        {"".join(c for c in question if c.isalnum()) for question in questions}
        for questions, _ in (train, test)
    ]
    assert not letters[0] & letters[1]


def test_korean_questions_have_nfc_answers():
    questions, answers = real(data.chatbot_ko)
    assert len(questions) == len(answers)
    assert is_nfc(questions + answers)
    assert all(questions)
    assert all(answers)
    assert dict(zip(questions, answers))["12시 땡!"] == "하루가 또 가네요."


@pytest.mark.parametrize(
    "load, named, origin",
    [
        (data.multi30k, "multi30k/train.de.gz", "multi30k/dataset"),
        (data.chatbot_ko, "chatbot_ko/ChatbotData.csv", "songys/Chatbot_data"),
    ],
)
def test_the_error_for_a_missing_file_names_it_and_its_origin(
    load, named, origin, tmp_path, monkeypatch
):
    monkeypatch.setenv("KERAS_SEQ_DATA", str(tmp_path / "own"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr(keras.utils, "get_file", no_network)
    with pytest.raises(FileNotFoundError) as missing:
        load()
    assert named in str(missing.value)
    assert origin in str(missing.value)


# Retrieval


def test_the_nearest_question_gives_its_answer():
    train = ["내일 시간 있어?", "오늘 날씨 어때?", "How are you?"]
    answers = ["네!", "맑아요.", "Fine."]
    asked = ["오늘 날씨 어때요?", "how are you doing", "내일 시간 돼?"]
    found = nearest_answer(train, answers, asked)
    assert found == ["맑아요.", "Fine.", "네!"]


def test_a_trained_question_finds_its_own_answer():
    questions, answers = data.dialogues("ko")
    assert nearest_answer(questions, answers, questions) == answers


def test_many_questions_are_answered_one_by_one():
    train = [f"question {number}" for number in range(1009)]
    answers = [str(number) for number in range(1009)]
    assert nearest_answer(train, answers, train[::-1]) == answers[::-1]


def test_a_question_of_unknown_characters_gets_the_first_answer():
    assert nearest_answer(["a", "b"], ["1", "2"], ["", "눈"]) == ["1", "1"]


def test_no_questions_get_no_answers():
    assert nearest_answer(["a"], ["1"], []) == []


# Tagging and question answering


def test_spans_of_dated_sentences_cover_year_and_day():
    texts, spans = data.dated_sentences(997)
    assert len(set(texts)) > 990 and is_nfc(texts)
    assert spans.shape == (997, 3, 2) and spans.dtype == np.int32
    draw = np.random.default_rng([0, 0])  # of the seed and the split
    written, iso, _ = data.dates(997, int(draw.integers(2**31)))
    for text, date, answer, (year, _, day) in zip(texts, written, iso, spans):
        assert date in text
        number = "".join(filter(str.isdecimal, text[slice(*day)]))
        assert int(number) == int(answer[8:])
        assert answer[:4] in text[slice(*year)]
    assert sum("회의는" in text for text in texts) > 50
    first, again = (data.dated_sentences(7, seed=3) for _ in range(2))
    assert first[0] == again[0] and (first[1] == again[1]).all()


def test_answers_about_functions_are_spans_of_their_texts():
    questions, texts, answers, spans = data.function_facts(997)
    assert len(questions) == len(texts) == 997 and spans.dtype == np.int32
    for text, answer, (begin, end) in zip(texts, answers, spans):
        assert text[begin:end] == answer
        assert text.count(". ") == 3
    assert 0.07 < np.mean([not answer for answer in answers]) < 0.13
    names = [
        {
            word
            for text in data.function_facts(997, split=split)[1]
            for word in text.split()
            if "_" in word
        }
        for split in ("train", "test")
    ]
    assert all(names) and not names[0] & names[1]
    with pytest.raises(ValueError, match="count"):
        data.function_facts(0)
    with pytest.raises(ValueError, match="split"):
        data.function_facts(1, split="dev")


def test_the_first_fact_of_the_kind_has_the_documented_exact_match():
    *asked, answers, _ = data.function_facts(1000, split="test")
    found = data.first_facts(*asked)
    assert round(exact_match(answers, found), 2) == 0.47
    text = "load_row takes no arguments. sort_key returns a list."
    question = "What does sort_row return?"
    assert data.first_facts([question], [text]) == ["a list"]
    for bad in ("What?", "What does sort_row raise?"):
        with pytest.raises(ValueError, match="`questions` must"):
            data.first_facts([bad], [text])


def test_the_first_numbers_have_the_documented_f1():
    texts, spans = data.dated_sentences(1000, split="test")
    right = said = 0
    for text, (year, _, day) in zip(texts, spans.tolist()):
        found = [list(m.span()) for m in re.finditer(r"\d+", text)]
        years = [pair for pair in found if pair[1] - pair[0] == 4][:1]
        days = [pair for pair in found if pair not in years][:1]
        right += (years == [year]) + (days == [day])
        said += len(years) + len(days)
    assert round(2 * right / (said + 3 * len(texts)), 2) == 0.62


def test_tfidf_on_reviews_has_the_documented_accuracy():
    (texts, labels), held_out = real(data.nsmc), real(data.nsmc, "test")
    found = tfidf_accuracy(texts[:1000], labels[:1000], *held_out)
    assert round(found, 3) == 0.761


def test_tfidf_finds_the_letters_of_a_class():
    texts = ["aab", "aba", "baa", "xxy", "xyx", "yxx"]
    labels = [0, 0, 0, 1, 1, 1]
    held_out = tfidf_accuracy(texts, labels, ["aabb", "xxyy", "xa"], [0, 1, 1])
    assert held_out >= 2 / 3
    with pytest.raises(ValueError, match="train_labels"):
        tfidf_accuracy(texts, labels[1:], texts, labels)
    with pytest.raises(ValueError, match="`labels`"):
        tfidf_accuracy(texts, labels, texts, labels[1:])


def test_test_texts_differ_from_training_texts_in_more_than_names():
    def hidden(split):
        questions, texts, *_ = data.function_facts(500, split=split)
        both = zip(questions, texts)
        return {re.sub(r"[a-z]+_[a-z]+", "_", f"{q} {t}") for q, t in both}

    assert len(hidden("train") & hidden("test")) < 5


def test_shared_words_classify_pairs_of_texts():
    first = ["red cat", "blue dog", "green bird", "old tree"]
    known = first, ["a cat", "the dog", "no fish", "one car"]
    new = ["old cat", "green dog"], ["the cat", "no car"]
    assert shared_words_accuracy(known, [0, 0, 1, 1], new, [0, 1]) == 1
    assert shared_words_accuracy(known, [0, 0, 1, 1], new, [1, 0]) == 0
    same = ["aa"] * 4, ["bb", "bb", "bb", "aa"]
    assert shared_words_accuracy(same, [1, 1, 0, 0], same, [1, 1, 0, 0]) == 0.75
    with pytest.raises(ValueError, match="4, 4, 3, 2, 2, 2"):
        shared_words_accuracy(known, [0, 0, 1], new, [0, 1])
