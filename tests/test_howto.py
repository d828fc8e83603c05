"""The programs of docs/howto and docs/install.md run, each by itself.

A Python block is a complete program. A block ```text after it is its output.
Of docs/serving.md, whose other examples need a trained model, only the marked
program runs.
"""

import pathlib
import re
import sys

import keras
import pytest
from test_readme import published

ROOT = pathlib.Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [DOCS / "install.md", *sorted((DOCS / "howto").glob("*.md"))]
PAGES.append(DOCS / "serving.md")
PROGRAM = re.compile(
    r"(<!-- not on torch[^\n]*-->\n)?^```python\n(.*?)^```\n"
    r"(?:\n```text\n(.*?)^```)?",
    re.MULTILINE | re.DOTALL,
)
PARTS = {"tensorflow_text", "sentencepiece", "sklearn", "sacrebleu"}


def programs():
    """List (code, output, whether PyTorch runs it) of all pages."""
    for page in PAGES:
        text = page.read_text("utf-8")
        for found in PROGRAM.finditer(text):
            line = text[: found.start(2)].count("\n")
            not_on_torch, code, output = found.groups()
            if page.stem == "serving" and not not_on_torch:
                continue
            yield pytest.param(
                code, output, not not_on_torch, id=f"{page.stem}-{line}"
            )


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Return a folder with a small published GPT-2, BERT and ViT."""
    folder = tmp_path_factory.mktemp("howto")
    published(folder)
    transformers = pytest.importorskip("transformers")
    sizes = {"hidden_size": 8, "intermediate_size": 16, "image_size": 16}
    layers = {"num_hidden_layers": 1, "num_attention_heads": 2, "patch_size": 8}
    config = transformers.ViTConfig(**sizes, **layers)
    model = transformers.ViTForImageClassification(config)
    model.save_pretrained(folder / "vit")
    return folder


@pytest.mark.parametrize("code, output, on_torch", programs())
def test_program_runs(code, output, on_torch, folders, monkeypatch, capsys):
    for package in PARTS:
        pytest.importorskip(package)
    if not on_torch and keras.backend.backend() == "torch":
        pytest.skip("PyTorch cannot write a SavedModel")
    monkeypatch.chdir(folders)
    monkeypatch.setattr(sys, "argv", ["program.py"])  # for `Run`
    exec(compile(code, "page", "exec"), {"__name__": "__main__"})
    printed = capsys.readouterr().out
    assert output is None or printed.split() == output.split()


def test_the_program_that_resumes_trains_only_what_is_missing(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "howto" / "resume.md").read_text("utf-8")
    code = PROGRAM.search(page)[2]
    for options, trained in (
        ([], [1, 2, 3]),
        (["--resume", "--epochs", "4"], [4]),
    ):
        monkeypatch.setattr(sys, "argv", ["train.py", *options])
        exec(compile(code, "resume.md", "exec"), {"__name__": "__main__"})
        printed = capsys.readouterr().out
        epochs = re.findall(r"Epoch (\d+)/", printed)
        assert [int(epoch) for epoch in epochs] == trained
        assert f"{trained[-1]} epochs" in printed


def test_numbers_of_the_home_page_are_those_of_its_lesson():
    home = (DOCS / "index.md").read_text("utf-8")
    lesson = (ROOT / "tutorials" / "05_attention.py").read_text("utf-8")
    index = (ROOT / "tutorials" / "README.md").read_text("utf-8")
    (row,) = [row for row in index.splitlines() if "[`05_" in row]
    shown = re.findall(r"\d\.\d\d", home)
    assert len(shown) == 3
    assert all(number in row for number in shown)
    for name, number in (("DATES", "10,000"), ("TESTS", "1,500")):
        assert number in home
        assert f"{name} = {number.replace(',', '_')}" in lesson
