"""The README is correct: its tables are current and its examples run."""

import pathlib
import re

import pytest

from benchmarks import results

TEXT = pathlib.Path(results.ROOT, "README.md").read_text("utf-8")


@pytest.mark.parametrize("page", results.PAGES)
def test_tables_are_those_of_the_kept_files(page):
    assert results.fresh(page) == (results.ROOT / page).read_text("utf-8")


def test_examples_run(capsys):
    names = {}
    for code in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL):
        exec(compile(code, "README.md", "exec"), names)
    assert "forget_gate" in capsys.readouterr().out


def test_the_table_has_every_file_of_layers_and_models():
    named = re.findall(r"`keras_seq/((?:layers|models)/\w+)\.py`", TEXT)
    assert len(set(named)) == len(named)
    home = results.ROOT / "keras_seq"
    there = {
        f"{path.parent.name}/{path.stem}"
        for folder in ("layers", "models")
        for path in (home / folder).glob("*.py")
    }
    assert {*named} == there - {
        "layers/__init__",
        "layers/initializers",
        "layers/trainable",
        "models/__init__",
        "models/quantization",
    }


def test_the_readme_has_at_most_150_lines():
    assert len(TEXT.splitlines()) <= 150
