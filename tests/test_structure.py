"""Import rules, checked by parsing the imports; and tidy files."""

import ast
import pathlib
import subprocess
import sys

import numpy as np
import pytest

import keras_seq

HOME = pathlib.Path(keras_seq.__file__).parent
FILES = sorted(HOME.rglob("*.py"))
HEAVY = (
    *("tensorflow_text", "matplotlib", "sklearn", "babel", "sentencepiece"),
    "sacrebleu",
)
SUPPORT = {"text", "data", "training", "evaluation", "plots"}
# What each package of keras_seq may import of the others, beside itself.
MAY_IMPORT = {
    "layers": {"checks"},
    "generation": {"checks", "layers"},
    "models": {"checks", "generation", "layers"},
    **{name: {"checks", *SUPPORT} for name in SUPPORT},
}
ANYTHING = {"__init__", "demo", "export", "pretrained", "tasks"}
SUPPORTING = (*("__init__.py", "trainable.py", "initializers.py"),)
# Files that hold a paper's idea, and open with its equations.
IDEAS = [
    path
    for path in FILES
    if path.parent.name in ("layers", "models", "generation")
    and path.name not in SUPPORTING
]

every_file = pytest.mark.parametrize(
    "path", FILES, ids=lambda path: str(path.relative_to(HOME))
)


def imported(path):
    """List every module a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} imports relatively"
            yield node.module
            # `from keras_seq import text` imports the module keras_seq.text
            if node.module.split(".")[0] == "keras_seq":
                yield from (f"{node.module}.{a.name}" for a in node.names)


def packages_of_ours(path):
    """List the packages of keras_seq that a file imports."""
    names = [n for n in imported(path) if n.startswith("keras_seq.")]
    return {name.split(".")[1] for name in names}


def package(path):
    return path.relative_to(HOME).parts[0].removesuffix(".py")


def module(path):
    """Name the module of a file: keras_seq.text.offsets of text/offsets.py."""
    parts = path.relative_to(HOME.parent).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


@pytest.mark.once
@every_file
def test_packages_import_only_what_they_may(path):
    name = package(path)
    if name in MAY_IMPORT:
        assert packages_of_ours(path) <= {name, *MAY_IMPORT[name]}
    elif name == "checks":
        assert not packages_of_ours(path)
    else:
        assert name in ANYTHING


@pytest.mark.once
@every_file
def test_layers_and_models_import_only_keras_and_numpy(path):
    if package(path) not in ("layers", "models", "generation"):
        return
    packages = {name.split(".")[0] for name in imported(path)}
    packages -= set(sys.stdlib_module_names)
    if path.stem == "torch_recurrent":  # Keras has no name for its functions
        packages -= {"torch"}
    assert packages <= {"keras", "numpy", "keras_seq"}


@pytest.mark.once
def test_models_of_different_families_do_not_import_each_other():
    families = ("transformer", "gpt", "bert", "vit", "resnet")
    for path in (HOME / "models").glob("*.py"):
        own = path.stem.split("_")[0]
        others = [f"keras_seq.models.{f}" for f in families if f != own]
        if own in families:
            assert not [
                n for n in imported(path) if n.startswith(tuple(others))
            ]


@pytest.mark.once
def test_no_imports_go_in_a_circle():
    known = {module(path): path for path in FILES}
    edges = {
        # `from keras_seq import checks` asks for the module, not the package.
        name: {n for n in imported(path) if n in known} - {name, "keras_seq"}
        for name, path in known.items()
    }
    while leaves := [name for name, targets in edges.items() if not targets]:
        edges = {
            name: targets.difference(leaves)
            for name, targets in edges.items()
            if targets
        }
    assert not edges


@pytest.mark.once
@every_file
def test_library_never_imports_scripts_or_keras_internals(path):
    names = set(imported(path))
    scripts = {"tutorials", "experiments", "benchmarks"}
    assert not {n.split(".")[0] for n in names} & scripts
    assert not {n for n in names if n.startswith("keras.src")}


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
    model = keras_seq.models.RecurrentLM(13, 7)
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


@pytest.mark.once
@pytest.mark.parametrize("path", IDEAS, ids=lambda path: path.stem)
def test_file_opens_with_idea_shapes_and_paper(path):
    text = ast.get_docstring(ast.parse(path.read_text("utf-8")))
    title = text.split("\n")[0]
    assert title.endswith(".")
    for part in ("Shapes:", "Paper:", "Differs from the paper:"):
        assert part in text


@pytest.mark.once
@every_file
def test_library_states_errors_with_raise_not_assert_and_prints_nothing(path):
    prints = {"run.py", "lesson.py", "callbacks.py", "__main__.py"}
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        assert not isinstance(node, ast.Assert)
        is_print = isinstance(node, ast.Name) and node.id == "print"
        assert not is_print or path.name in prints


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="Elman"):
        _ = keras_seq.Elman
