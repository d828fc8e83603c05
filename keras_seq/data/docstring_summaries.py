"""Docstrings: summarize the body of a docstring in its first line.

A docstring explains a function twice: in one line, and at length below it.
The installed packages contain thousands of these pairs, which train a model to
summarize:

    "The result is True where either has a true value, but not both."
        ->  "Compute the truth value of x1 XOR x2, element-wise."

The summary is the first paragraph, if it ends like a sentence; the body is
the prose after it, up to the first section, list of arguments, example or
code. Bodies of 40 characters to `max_body` and summaries of 10 characters to
`max_summary` are kept whole; all others are left out, none is truncated. No
body appears twice. One summary in five is held out by its checksum, with
every body that has it: 5,940 training and 1,485 test pairs with Keras 3.15,
Matplotlib 3.11, NumPy 2.4, scikit-learn 1.9, Python 3.11 and TensorFlow 2.21.

The source files are parsed, and no package is imported. A process parses them
once, in 5 to 10 seconds. Other versions have other texts, so figures differ a
little between two environments: report the versions with a result.

Baselines, ROUGE-L (F1 of words in lower case): 0.18 for the first sentence of
the body; 0.28 for the summary of the nearest training body, by
`keras_seq.evaluation.nearest_answer`.

Shapes: N pairs.
License of the texts: that of each package (Apache-2.0, BSD, PSF).
"""

import ast
import gc
import re
import sysconfig
import unicodedata
import warnings
from functools import cache
from importlib.machinery import PathFinder
from importlib.util import find_spec
from pathlib import Path

from keras_seq.checks import one_of, positive_int, strings
from keras_seq.data.splits import SPLITS, held_out

DOCSTRING_PACKAGES = (
    "keras",
    "matplotlib",
    "numpy",
    "sklearn",
    "stdlib",
    "tensorflow",
)
# Tests have few docstrings; copies of another package repeat its docstrings.
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
    """Load docstrings of the installed packages, to be summarized.

    Args:
        split: str, "train" or "test". Default "train".
        max_body: int > 0, maximum characters of a body. Default 400.
        max_summary: int > 0, maximum characters of a summary. Default 100.
        packages: sequence of str, names of installed packages, or "stdlib"
            for the standard library. Default `DOCSTRING_PACKAGES`.
    Returns:
        bodies: list of N different str in Unicode NFC, one line each, sorted
            by code point.
        summaries: list of N str in Unicode NFC, one line each.
    Raises:
        ImportError: if one of the packages is not installed.
        ValueError: if an argument is out of range.
    Example:
        >>> from keras_seq import data
        >>> bodies, summaries = data.docstrings(packages=["json"])
        >>> len(bodies) == len(summaries)
        True
    """
    one_of(SPLITS, split=split)
    positive_int(max_body=max_body, max_summary=max_summary)
    summaries = {}  # if a body has two summaries, the first is kept
    for package in strings(packages=packages):
        for body, summary in docstring_pairs(package):
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
def docstring_pairs(package):
    """List the pairs (body, summary) of a package, in the order of its files.

    Args:
        package: str, a name as for `docstrings`.
    Returns:
        list of pairs of str.
    """
    home = _package_folder(package)
    pairs = []
    collects = gc.isenabled()
    gc.disable()  # collecting would traverse every tree: 3 times slower
    try:
        for path in sorted(home.rglob("*.py")):
            inside = path.relative_to(home).parts
            copied = set(inside[:-1]) & set(DOCSTRING_PACKAGES)
            if not copied and not any(map(LEFT_OUT.fullmatch, inside)):
                pairs += [_split(text) for text in _docstrings_of(path)]
    finally:
        if collects:
            gc.enable()
    return [pair for pair in pairs if pair]


def _package_folder(package):
    """Find the folder of a package without importing anything."""
    if package == "stdlib":
        return Path(sysconfig.get_path("stdlib"))
    name, *inner = package.split(".")
    try:
        spec = find_spec(name)  # does not import a top-level package
    except ValueError:
        spec = None
    # `find_spec("a.b")` would import `a`, which runs its code.
    for part in inner:
        folders = spec and part and spec.submodule_search_locations
        spec = PathFinder.find_spec(part, [*folders]) if folders else None
    if spec is None or not spec.submodule_search_locations:
        raise ImportError(
            "docstrings() needs each of `packages` installed. "
            f"Received packages with {package!r}."
        )
    return Path(next(iter(spec.submodule_search_locations)))


def _docstrings_of(path):
    """List the docstrings of a file; empty if it has a syntax error."""
    try:
        with warnings.catch_warnings(action="ignore"):
            tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return []
    return list(_walk(tree))


def _walk(node):
    """Yield docstrings; visit only statements, as most nodes are not."""
    if isinstance(node, DOCUMENTED):
        yield ast.get_docstring(node) or ""
    for block in BLOCKS:
        for child in getattr(node, block, ()):
            yield from _walk(child)


def _split(docstring):
    """Split a docstring into (body, summary); None if one is missing."""
    summary, *rest = re.split(r"\n\s*\n", docstring)
    prose = []
    for paragraph in rest:
        lines = paragraph.split("\n")
        # An indented paragraph is code, or continues the line above it.
        if paragraph[:1].isspace() or any(SECTION.match(x) for x in lines):
            break
        prose.append(paragraph)
    body, summary = _flat("\n".join(prose)), _flat(summary)
    return (body, summary) if body and summary.endswith(".") else None


def _flat(text):
    return unicodedata.normalize("NFC", " ".join(text.split()))
