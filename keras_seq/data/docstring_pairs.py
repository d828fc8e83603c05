"""What does this function do? The docstring's body, and its first line.

Every function of the installed packages is explained twice: in one line, and
again at length beneath it. A model that reads the length and writes the line
learns to summarise, on thousands of pairs that are on the disk already:

    "The result is True where either has a true value, but not both."
        ->  "Compute the truth value of x1 XOR x2, element-wise."

The source files are parsed, never imported. Their licences are the packages'
own (Apache-2.0, BSD, PSF). Other versions have other texts, so figures
differ a little between two environments: name the versions beside a result.
"""

import ast
import gc
import re
import sysconfig
import unicodedata
import warnings
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from keras_seq.checks import one_of, positive_int
from keras_seq.data.splits import SPLITS, held_out

DOCSTRING_PACKAGES = (
    "keras",
    "matplotlib",
    "numpy",
    "sklearn",
    "stdlib",
    "tensorflow",
)
# Tests explain little, and copies of another package explain it twice.
LEFT_OUT = re.compile(
    r"(_?tests?|testing|idlelib|site-packages|dist-packages|externals?|extern"
    r"|_vendor|vendored|.*_test\.py|test_.*\.py)"
)
SECTION = re.compile(r"^[\w ()]+:$|^[-=~*^]{3,}$|^\W*>>>|^(\.\.|```|:|@|\|)")
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
BLOCKS = ("body", "orelse", "handlers", "finalbody")


def docstrings(
    split="train", max_body=400, max_summary=100, packages=DOCSTRING_PACKAGES
):
    """Load docstrings of the installed packages, to be summarised.

    The summary is the first paragraph, where it is a sentence; the body is
    the prose after it, up to the first section, list of arguments, example or
    code. Bodies of 40 characters to `max_body` and summaries of 10 to
    `max_summary` are kept whole, none is cut, others are left out. No body
    appears twice. One summary in five is held out by its checksum, with every
    body that has it: 5,940 and 1,485 pairs with Keras 3.15, Matplotlib 3.11,
    NumPy 2.4, scikit-learn 1.9, Python 3.11 and TensorFlow 2.21. The files
    are read once a process, in 5 to 10 seconds.

    Baselines, ROUGE-L (F1 of words in lower case): 0.18 for the first
    sentence of the body; 0.28 for the summary of the nearest training body,
    by `keras_seq.evaluation.nearest_answer`.

    Args:
        split: "train" or "test". Default "train".
        max_body: int > 0, most characters of a body. Default 400.
        max_summary: int > 0, most characters of a summary. Default 100.
        packages: sequence of str, installed packages by the name they are
            imported under, or "stdlib" for Python's own. Default
            `DOCSTRING_PACKAGES`.
    Returns:
        bodies: list of N different str in Unicode NFC, sorted by code point,
            on one line each.
        summaries: list of N str in Unicode NFC, likewise.
    Raises:
        ImportError: if one of the packages is not installed.
        ValueError: if an argument is out of range.
    """
    one_of(SPLITS, split=split)
    positive_int(max_body=max_body, max_summary=max_summary)
    summaries = {}  # of two summaries of a body the first is kept
    for package in packages:
        for body, summary in _pairs(package):
            summaries.setdefault(body, summary)
    chosen = sorted(
        (body, summary)
        for body, summary in summaries.items()
        if 40 <= len(body) <= max_body
        and 10 <= len(summary) <= max_summary
        and SPLITS[held_out(summary)] == split
    )
    return [body for body, _ in chosen], [summary for _, summary in chosen]


@cache
def _pairs(package):
    """List the bodies and summaries of a package, in the order of its files."""
    home = _home(package)
    pairs = []
    collects = gc.isenabled()
    gc.disable()  # it would look through every tree: three times slower
    try:
        for path in sorted(home.rglob("*.py")):
            inside = path.relative_to(home).parts
            copied = set(inside[:-1]) & set(DOCSTRING_PACKAGES)
            if not copied and not any(map(LEFT_OUT.fullmatch, inside)):
                pairs += [_divide(text) for text in _docstrings_of(path)]
    finally:
        if collects:
            gc.enable()
    return [pair for pair in pairs if pair]


def _home(package):
    if package == "stdlib":
        return Path(sysconfig.get_path("stdlib"))
    try:
        found = find_spec(package)  # finds a package without running it
    except ValueError:
        found = None
    if found is None or not found.submodule_search_locations:
        raise ImportError(
            "docstrings() needs each of `packages` installed. "
            f"Received packages with {package!r}."
        )
    return Path(found.submodule_search_locations[0])


def _docstrings_of(path):
    """List the docstrings of a file; none if it is not Python of today."""
    try:
        with warnings.catch_warnings(action="ignore"):
            tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return []
    return list(_walk(tree))


def _walk(node):
    """Go through statements only: most of a tree is expressions."""
    if isinstance(node, DOCUMENTED):
        yield ast.get_docstring(node) or ""
    for block in BLOCKS:
        for child in getattr(node, block, ()):
            yield from _walk(child)


def _divide(docstring):
    """Divide a docstring into body and summary; None if it has not both."""
    summary, *rest = re.split(r"\n\s*\n", docstring)
    prose = []
    for paragraph in rest:
        lines = paragraph.split("\n")
        # Indented, it would be code or belong to something above it.
        if paragraph[:1].isspace() or any(SECTION.match(x) for x in lines):
            break
        prose.append(paragraph)
    body, summary = _flat("\n".join(prose)), _flat(summary)
    return (body, summary) if body and summary.endswith(".") else None


def _flat(text):
    return unicodedata.normalize("NFC", " ".join(text.split()))
