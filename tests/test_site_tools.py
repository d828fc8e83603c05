"""The scripts in docs/ that make the site; skipped without the extra `docs`."""

import base64
import io
import pathlib

import numpy as np
import pytest

pytest.importorskip("sphinx")
pytest.importorskip("jupytext")
pytest.importorskip("nbformat")
import nbformat

from docs import (
    docstrings,
    korean_search,
    lesson_pages,
    notebooks,
    pages,
    sources,
    website,
)

LESSON = pathlib.Path(notebooks.ROOT, "tutorials", "01_rnn.py")


def test_a_korean_word_is_found_by_its_beginnings():
    words = korean_search.SearchKorean({}).split("행렬에는 LSTM의 W")
    assert words == ["행", "행렬", "행렬에", "행렬에는", "LSTM", "의", "W"]


def test_links_to_files_become_links_to_pages():
    text = "[a](../tutorials/01_rnn.py) [b](claims.md#the-end) [c](#d)"
    page = "[a](tutorials/01_rnn.ipynb) [b](claims.md#the-end) [c](#d)"
    assert sources.relink(text, "index") == page
    text = "![d](../diagrams/rnn.en.svg), [e](https://keras.io)"
    assert sources.relink(text, "howto/reuse") == text


def test_a_link_to_a_file_that_is_no_page_is_its_text(monkeypatch):
    text = "see [setup](../setup.cfg)"
    monkeypatch.setattr(sources, "address", lambda: "")
    assert sources.relink(text, "index") == "see setup"
    monkeypatch.setattr(sources, "address", lambda: "https://x.org/y")
    linked = "see [setup](https://x.org/y/blob/main/setup.cfg)"
    assert sources.relink(text, "index") == linked


def test_names_of_lessons_become_links():
    found = sources.relink("Lessons: `01_rnn`, `15_none`.", "glossary")
    assert found == "Lessons: [`01_rnn`](tutorials/01_rnn.ipynb), `15_none`."


def rewritten(text):
    lines = text.split("\n")
    docstrings.rewrite(None, "class", "name", None, None, lines)
    return lines


def test_equations_of_a_docstring_are_literal():
    lines = rewritten("Add.\n\n    a = b * c\n\n    d = e\nArgs:\n    a: int.")
    assert lines[2:8] == ["::", "", "    a = b * c", "", "    d = e", ""]
    assert lines[8:] == ["Args:", "    a: int."]


def test_a_label_of_a_docstring_is_a_paragraph():
    lines = rewritten("Add.\nPaper: Cho (2014),\n    section 2.")
    assert lines == ["Add.", "", "**Paper:** Cho (2014),", "section 2."]


def test_several_returned_values_are_a_list():
    lines = rewritten("Add.\nReturns:\n    a: int.\n    b: int.")
    assert lines[2] == "Returned values:"


def test_signature_behind_arguments_of_keras_is_shown():
    layers = pytest.importorskip("keras_seq.layers")
    shown = docstrings.show_signature(
        *(None, "class", "LSTMCell", layers.LSTMCell, {}, "", None)
    )
    assert shown[0].startswith("(units, activation='tanh'")


def test_of_a_progress_bar_the_last_line_is_kept():
    text = "Epoch 1/2\n\r\x1b[1m1/9\x1b[0m - loss: 2\x08\x08\r9/9 - loss: 1\n"
    assert pages.last_lines(text) == "Epoch 1/2\n9/9 - loss: 1\n"


def test_logs_are_removed_from_the_outputs():
    new = nbformat.v4.new_output
    outputs = [
        new("stream", name="stderr", text="a log"),
        new("stream", name="stdout", text="a"),
        new("stream", name="stdout", text="b"),
    ]
    assert [output.text for output in pages.clean(outputs)] == ["ab"]


def test_a_large_picture_becomes_small():
    from PIL import Image

    noise = np.random.default_rng(0).integers(0, 256, (500, 600, 3))
    file = io.BytesIO()
    Image.fromarray(noise.astype("uint8")).save(file, "PNG")
    small = pages.small_png(base64.b64encode(file.getvalue()).decode())
    assert len(base64.b64decode(small)) <= pages.LARGEST


def test_a_repository_gives_a_cell_that_installs_and_a_link_to_colab(
    monkeypatch,
):
    url = "https://github.com/owner/name"
    for module in (notebooks, lesson_pages):
        monkeypatch.setattr(module, "address", lambda: url)
    first = notebooks.notebook(LESSON).cells[0]
    assert f"git+{url}" in first.source and first.cell_type == "code"
    page = dict(lesson_pages.lesson_files(LESSON, "ko"))
    text = page["tutorials/01_rnn.ipynb"]
    assert "/owner/name/blob/main/docs/executed/ko/01_rnn.ipynb" in text


def test_a_downloaded_notebook_contains_its_diagrams():
    page = dict(lesson_pages.lesson_files(LESSON, "en"))
    lesson = nbformat.reads(page["downloads/01_rnn.ipynb"], as_version=4)
    attached = [c for c in lesson.cells if c.get("attachments")]
    assert "attachment:rnn.en.svg" in attached[0].source
    assert "rnn.en.svg" in attached[0].attachments


def test_the_site_has_both_languages_and_the_look_inside_page(tmp_path):
    work, look, site = (tmp_path / name for name in ("work", "look", "site"))
    for language in website.LANGUAGES:
        html = work / language / "html"
        html.mkdir(parents=True)
        (html / "index.html").write_text(language)
    look.mkdir()
    (look / "index.html").write_text("look")
    for _ in range(2):  # a site that is there is made anew
        website.publish(work, look, site)
    found = {p.relative_to(site).as_posix() for p in site.rglob("*.html")}
    folders = ("", "en/", "ko/", "look/")
    assert found == {f"{folder}index.html" for folder in folders}


def test_a_site_without_the_look_inside_page_says_so(tmp_path):
    for language in website.LANGUAGES:
        (tmp_path / "work" / language / "html").mkdir(parents=True)
    site = tmp_path / "site"
    website.publish(tmp_path / "work", tmp_path / "look", site)
    text = (site / "look" / "index.html").read_text("utf-8")
    assert "make look" in text
