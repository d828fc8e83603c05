"""Who may import whom, held by reading the imports; and tidy files."""

import ast
import pathlib
import subprocess
import sys

import numpy as np
import pytest

import keras_seq

HOME = pathlib.Path(keras_seq.__file__).parent
CHAPTERS = list(keras_seq.READING_ORDER)
SUPPORT = ("text", "data", "training", "plots")
FREE = ("export", "pretrained")
HEAVY = ("tensorflow_text", "matplotlib", "sklearn", "babel", "sentencepiece")
FILES = sorted(HOME.rglob("*.py"))


def imported(path):
    """List every module a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} imports relatively"
            # `from keras_seq import lstm` imports the module keras_seq.lstm
            yield node.module
            if node.module == "keras_seq":
                yield from (f"keras_seq.{alias.name}" for alias in node.names)


def ours(path):
    """List the rooms of keras_seq that a file imports."""
    names = [n for n in imported(path) if n.startswith("keras_seq.")]
    return {name.split(".")[1] for name in names}


def room(path):
    return path.relative_to(HOME).parts[0].removesuffix(".py")


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_chapter_imports_only_keras_numpy_and_chapters_above(chapter):
    path = HOME / f"{chapter}.py"
    above = CHAPTERS[: CHAPTERS.index(chapter)]
    # `from_huggingface` stands on the model and hands over to `pretrained`.
    more = {"pretrained"} if chapter in ("gpt", "bert", "vit") else set()
    assert ours(path) <= {"checks", "freezing", *more, *above}
    packages = {name.split(".")[0] for name in imported(path)}
    packages -= set(sys.stdlib_module_names)
    assert packages <= {"keras", "numpy", "keras_seq"}


def test_models_of_the_last_chapters_do_not_import_each_other():
    last = {"gpt", "bert", "vit"} & set(CHAPTERS)
    for name in last:
        assert not ours(HOME / f"{name}.py") & (last - {name})


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(HOME)))
def test_support_imports_no_chapter(path):
    if room(path) in SUPPORT:
        assert not ours(path) & set(CHAPTERS)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(HOME)))
def test_library_never_imports_tutorials_or_keras_internals(path):
    names = set(imported(path))
    assert not {n for n in names if n.split(".")[0] == "tutorials"}
    assert not {n for n in names if n.startswith("keras.src")}


def test_every_file_of_the_house_is_in_the_syllabus_or_a_support_room():
    rooms = {room(path) for path in FILES} - {"__init__", "checks", "freezing"}
    assert rooms <= {*CHAPTERS, *SUPPORT, *FREE}
    assert set(CHAPTERS) <= rooms


def test_importing_the_library_loads_nothing_heavy():
    # Keras itself may load some of them, where they are installed.
    code = (
        "import sys, keras; before = set(sys.modules);"
        "import keras_seq.data, keras_seq.text, keras_seq.training;"
        f"print([m for m in {HEAVY} if m in set(sys.modules) - before])"
    )
    run = [sys.executable, "-c", code]
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_saved_model_loads_where_only_the_library_is_imported(tmp_path):
    model = keras_seq.RecurrentLM(13, 7)
    model.compile("sgd", keras_seq.training.TokenCrossEntropy())
    model(np.ones((2, 3), "int32"))
    model.save(tmp_path / "model.keras")
    code = (
        "import keras, keras_seq;"
        f"print(keras.models.load_model({str(tmp_path / 'model.keras')!r}))"
    )
    run = [sys.executable, "-c", code]
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    assert "RecurrentLM" in done.stdout


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_chapter_opens_as_an_essay(chapter):
    text = ast.get_docstring(ast.parse((HOME / f"{chapter}.py").read_text()))
    title = text.split("\n")[0]
    assert ": " in title and title.endswith(".")
    for part in ("Shapes:", "Paper:", "Differs from the paper:"):
        assert part in text


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(HOME)))
def test_library_states_errors_with_raise_not_assert_and_prints_nothing(path):
    prints = {"run.py", "callbacks.py", "__main__.py"}
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        assert not isinstance(node, ast.Assert)
        is_print = isinstance(node, ast.Name) and node.id == "print"
        assert not is_print or path.name in prints


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="Elman"):
        _ = keras_seq.Elman
