"""docs/executed: the notebooks of the lessons are those of their scripts.

Nothing is executed here, and nothing but JSON is read.
"""

import base64
import hashlib
import json
import pathlib
import re
import runpy

import pytest

pytestmark = pytest.mark.once

ROOT = pathlib.Path(__file__).parent.parent
EXECUTED = ROOT / "docs" / "executed"
LESSONS = [path.stem for path in sorted((ROOT / "tutorials").glob("*.py"))]
every_lesson = pytest.mark.parametrize("name", LESSONS)


def notebook(name, folder=EXECUTED):
    """Read an executed notebook."""
    path = folder / f"{name}.ipynb"
    assert path.exists(), f"{name} was not executed: make pages T={name}"
    return json.loads(path.read_text("utf-8"))


def outputs(name):
    cells = notebook(name)["cells"]
    return [output for cell in cells for output in cell.get("outputs", ())]


def pictures(name):
    """List (base64, alternative text) of the pictures of a notebook."""
    found = [o for o in outputs(name) if "image/png" in o.get("data", {})]
    return [
        (o["data"]["image/png"], o["metadata"]["image/png"]["alt"])
        for o in found
    ]


@every_lesson
def test_notebook_is_that_of_its_script(name):
    script = (ROOT / "tutorials" / f"{name}.py").read_bytes()
    found = notebook(name)["metadata"]["script_sha256"]
    digest = hashlib.sha256(script).hexdigest()
    assert found == digest, f"make pages T={name}"


@every_lesson
def test_every_code_cell_was_executed(name):
    cells = notebook(name)["cells"]
    counts = [c["execution_count"] for c in cells if c["cell_type"] == "code"]
    assert counts == [*range(1, len(counts) + 1)]


@every_lesson
def test_outputs_have_no_error_no_log_and_no_progress_left(name):
    for output in outputs(name):
        assert output["output_type"] != "error"
        assert output.get("name") != "stderr"
        text = "".join(output.get("text", ()))
        assert not re.search(r"[\x08\x1b\r]", text)


@every_lesson
def test_pictures_are_small_and_have_an_alternative_text(name):
    assert len(pictures(name)) > 0
    for encoded, alt in pictures(name):
        assert len(base64.b64decode(encoded)) <= 150_000
        assert alt.strip()


@every_lesson
def test_korean_notebook_has_the_same_code_and_outputs(name):
    english, korean = notebook(name), notebook(name, EXECUTED / "ko")
    for ours, theirs in zip(english["cells"], korean["cells"], strict=True):
        if ours["cell_type"] == "code":
            assert ours == theirs


@every_lesson
def test_prose_of_the_notebooks_is_current(name):
    """`make pages` writes it anew, without executing anything."""
    tools = runpy.run_path(str(ROOT / "docs" / "notebooks.py"))
    korean = tools["messages"](name)
    english, translation = notebook(name), notebook(name, EXECUTED / "ko")
    for ours, theirs in zip(english["cells"], translation["cells"]):
        if ours["cell_type"] != "markdown":
            continue
        text = "".join(ours["source"]).replace("](../", "](../docs/")
        text = text.replace("](../docs/glossary.md", "](glossary.md")
        expected = tools["translated"](text, korean)
        expected = expected.replace("](../docs/", "](../../")
        expected = expected.replace("](glossary.md", "](../../glossary.md")
        assert "".join(theirs["source"]) == expected


@every_lesson
def test_links_of_the_notebooks_lead_to_files(name):
    for folder in (EXECUTED, EXECUTED / "ko"):
        for cell in notebook(name, folder)["cells"]:
            if cell["cell_type"] == "markdown":
                text = "".join(cell["source"])
                for link in re.findall(r"\]\((\.\.[^)#]+)", text):
                    assert (folder / link).is_file(), link


@every_lesson
def test_bold_numbers_of_the_question_are_those_of_the_outputs(name):
    """A number in the text is rounded, and may differ by machine: 5%."""
    printed = "\n".join(
        "".join(output.get("text", ())) for output in outputs(name)
    )
    known = [float(n) for n in re.findall(r"-?\d+\.\d+", printed)]
    known += [
        float(n) / 100 for n in re.findall(r"(-?\d+(?:\.\d+)?)%", printed)
    ]
    text = "\n".join(
        "".join(cell["source"])
        for cell in notebook(name)["cells"]
        if cell["cell_type"] == "markdown"
    )
    question = text.partition("## Question")[2].partition("\n## ")[0]
    for bold in re.findall(r"\*\*(.+?)\*\*", question, re.DOTALL):
        for number in re.findall(r"\d+\.\d+", bold):
            near = pytest.approx(float(number), rel=0.05, abs=0.005)
            assert any(value == near for value in known), number
