"""Make notebooks of the lessons, in English and in Korean.

    make notebooks            # writes build/notebooks/{en,ko}/NAME.ipynb

A lesson is a script of cells, tutorials/NAME.py. The Korean notebook has the
same code; its prose is from docs/locale/ko/LC_MESSAGES/tutorials/NAME.po, with
one message for each paragraph, heading, table cell and diagram, as Sphinx's
gettext builder splits a page.
"""

import configparser
import copy
import os
import re
from pathlib import Path

from babel.messages.pofile import read_po

ROOT = Path(__file__).parent.parent
MESSAGES = ROOT / "docs" / "locale" / "ko" / "LC_MESSAGES" / "tutorials"
UNTRANSLATED = re.compile(r" {4}|```|</|\|[-|]+$")  # how a block begins


def messages(name, folder=MESSAGES):
    """Read the Korean messages of a lesson or page: dict, English -> Korean."""
    with open(folder / f"{name}.po", "rb") as file:
        return {m.id: m.string for m in read_po(file, locale="ko") if m.id}


def blocks(markdown):
    """Split the text of a cell: list of (prefix, message, suffix).

    `prefix` and `suffix` are copied, `message` is translated; "" for code.
    """
    found = []
    for block in re.split(r"(```.*?```|\n\n+)", markdown, flags=re.DOTALL):
        if block.startswith("#"):
            marks, title = block.split(" ", 1)
            found.append((f"{marks} ", title, ""))
        elif block.startswith("|"):
            cells = re.split(r"(\s*\|\s*)", block)
            for cell in cells:
                dead = not re.search(r"\w", cell)
                found.append((cell, "", "") if dead else ("", cell, ""))
        elif not block.strip() or UNTRANSLATED.match(block):
            found.append((block, "", ""))
        else:
            found.append(("", " ".join(block.split("\n")), ""))
    return found


def translated(markdown, korean):
    """Translate the text of a cell; raise KeyError without a message."""
    return "".join(
        prefix + (korean[message] if message else "") + suffix
        for prefix, message, suffix in blocks(markdown)
    )


def lessons():
    """Return the paths of the scripts, in the order of the lessons."""
    return sorted((ROOT / "tutorials").glob("*.py"))


def notebook(path):
    """Read a lesson as a notebook that was not executed, in English."""
    import jupytext

    found = jupytext.read(path)
    found.metadata = {
        "kernelspec": {
            "name": "python3",
            "display_name": "Python 3",
            "language": "python",
        },
        # The code is highlighted by its lexer.
        "language_info": {"name": "python", "pygments_lexer": "ipython3"},
    }
    found.nbformat, found.nbformat_minor = 4, 5
    for number, cell in enumerate(found.cells):
        cell.id = f"cell-{number}"  # not by chance
        cell.metadata = {k: v for k, v in cell.metadata.items() if k == "tags"}
    if url := address():
        found.cells.insert(0, install_cell(url))
    return found


def address():
    """Return the address of the repository, `url` of setup.cfg, or ""."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", "utf-8")
    return setup.get("metadata", "url", fallback="").rstrip("/")


def install_cell(url):
    """Return the cell that installs the library in Colab or Kaggle."""
    import nbformat.v4

    source = (
        "# Only where the library is not installed, as in Colab.\n"
        "import importlib.util\n\n"
        'if importlib.util.find_spec("keras_seq") is None:\n'
        f'    %pip install -q "keras_seq[tutorials] @ git+{url}"'
    )
    metadata = {"tags": ["install"]}
    return nbformat.v4.new_code_cell(source, id="install", metadata=metadata)


def code_cells(lesson):
    """List the code cells of a notebook, without the one that installs."""
    cells = [cell for cell in lesson.cells if cell.cell_type == "code"]
    return [c for c in cells if "install" not in c.metadata.get("tags", ())]


def keep_outputs(lesson, kept):
    """Copy the outputs of an executed notebook; return whether they fit."""
    ours, theirs = code_cells(lesson), code_cells(kept)
    if [cell.source for cell in ours] != [cell.source for cell in theirs]:
        return False
    for cell, ran in zip(ours, theirs):
        cell.outputs, cell.execution_count = ran.outputs, ran.execution_count
    return True


def in_language(english, language, name, docs):
    """Copy a notebook: prose in `language`, links relative to its folder.

    Args:
        english: notebook, executed or not.
        language: "en" or "ko".
        name: str, the lesson.
        docs: str, the path from the notebook's folder to docs/.
    Returns:
        notebook. Raises KeyError if a message has no translation.
    """
    copied = copy.deepcopy(english)
    korean = messages(name) if language == "ko" else None
    for cell in copied.cells:
        if cell.cell_type == "markdown":
            if korean:
                cell.source = translated(cell.source, korean)
            # They are written relative to the script.
            cell.source = cell.source.replace("](../docs/", f"]({docs}/")
            cell.source = cell.source.replace(
                "](glossary.md", f"]({docs}/glossary.md"
            )
    return copied


def make_notebooks(folder):
    """Write the notebooks of all lessons to folder/en and folder/ko."""
    import jupytext

    for path in lessons():
        for language in ("en", "ko"):
            target = folder / language / f"{path.stem}.ipynb"
            docs = os.path.relpath(ROOT / "docs", target.parent)
            target.parent.mkdir(parents=True, exist_ok=True)
            jupytext.write(
                in_language(notebook(path), language, path.stem, docs), target
            )
            print(target)


if __name__ == "__main__":
    make_notebooks(ROOT / "build" / "notebooks")
