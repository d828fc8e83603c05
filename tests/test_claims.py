"""results/claims.json: each claim of the lectures has its figures and verdict.

A value equals that of its kept file, rounded as written, or stands in the text
of its lesson.
"""

import json
import re
from decimal import Decimal

import pytest

from benchmarks import claims

pytestmark = pytest.mark.once

# Claim -> whether a picture has to show it.
PICTURES = {
    "same_weights": True,
    "hello": True,
    "rnn_forgets": True,
    "gates_remember": True,
    "gate_roles": True,
    "gru": False,
    "five_settings": False,
    "word_vectors": True,
    "encoder_decoder": False,
    "bottleneck": True,
    "recency": True,
    "attention_by_hand": False,
    "query_key_value": False,
    "attention_map_of_words": True,
    "self_attention": True,
    "parallel": True,
    "data_and_computation": True,
    "bert": True,
    "vit": True,
    "chatbots": False,
    "not_always": False,
    "seq2seq_beside_transformer": False,
    "six_models": False,
}
VERDICTS = ("borne out", "not borne out", "borne out when", "not measured")
RESULTS = claims.ROOT / "results"
ROWS = claims.rows()
FIGURES = [
    pytest.param(figure, id=f"{row['key']}-{number}")
    for row in ROWS
    for number, figure in enumerate(row["figures"])
]
every_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row["key"])


def lesson_text(name):
    """Return a script on one line, without the marks of comments."""
    folder = "tutorials" if name[0].isdigit() else "experiments"
    text = (claims.ROOT / folder / f"{name}.py").read_text("utf-8")
    return " ".join(re.sub(r"^# ?", "", text, flags=re.MULTILINE).split())


def numbers(text):
    text = re.sub(r"(?<=\d),(?=\d{3})", "", text).replace("\N{MINUS SIGN}", "-")
    return {Decimal(found) for found in re.findall(r"-?\d+(?:\.\d+)?", text)}


def kept_value(figure):
    """Return the value in a file of results/, as a Decimal."""
    text = (RESULTS / figure["file"]).read_text("utf-8")
    value = json.loads(text, parse_float=Decimal, parse_int=Decimal)
    for part in figure["key"].split("."):
        value = value[int(part) if isinstance(value, list) else part]
    return value


def test_every_claim_is_there_once_and_in_order():
    assert [row["key"] for row in ROWS] == [*PICTURES]


@every_row
def test_row_has_one_of_four_verdicts_and_a_reason(row):
    assert {*row} == {
        *("key", "claim", "shown_in", "picture", "pictures", "figures"),
        *("verdict", "why"),
    }
    assert row["verdict"] in VERDICTS
    for text in row["claim"], row["why"]:
        assert text.endswith(".")
    if row["verdict"] == "borne out when":
        assert row["why"].startswith("Borne out when ")


@every_row
def test_only_what_is_not_measured_lacks_figures(row):
    assert row["figures"] or row["verdict"] == "not measured"


@every_row
def test_lessons_and_experiments_exist(row):
    cited = {figure.get("lesson") for figure in row["figures"]} - {None}
    assert cited <= {*row["shown_in"]}
    for name in row["shown_in"]:
        folder = "tutorials" if name[0].isdigit() else "experiments"
        assert (claims.ROOT / folder / f"{name}.py").exists()


@every_row
def test_pictures_are_drawn_by_their_script(row):
    assert row["picture"] == PICTURES[row["key"]]
    shown = row["pictures"] or not row["picture"]
    assert shown or row["verdict"] == "not measured"
    for lesson, name in (picture.split("/") for picture in row["pictures"]):
        assert lesson in row["shown_in"]
        # A name, or the beginning of one: "gates_{name}".
        strings = re.findall(r'"([a-z_]+)(\{[^"]*)?"', lesson_text(lesson))
        assert any(
            name == start or (rest and name.startswith(start))
            for start, rest in strings
        )


@pytest.mark.parametrize("figure", FIGURES)
def test_value_is_that_of_its_source(figure):
    value = figure["value"]
    if "file" in figure:
        assert {*figure} == {"name", "value", "file", "key"}
        assert kept_value(figure).quantize(value) == value
        return
    assert {*figure} == {"name", "value", "lesson", "text"}
    assert value in numbers(figure["text"])
    assert figure["text"] in lesson_text(figure["lesson"])
