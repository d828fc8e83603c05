"""Make notebooks of the lessons, in English and in Korean.

    make notebooks            # writes build/notebooks/{en,ko}/NAME.ipynb

A lesson is a script of cells, tutorials/NAME.py. The Korean notebook has the
same code; its prose is from docs/locale/ko/LC_MESSAGES/tutorials/NAME.po, with
one message for each paragraph, heading, table cell and diagram, as Sphinx's
gettext builder splits a page.
"""

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


def make_notebooks(folder):
    """Write the notebooks of all lessons to folder/en and folder/ko."""
    import jupytext

    for path in sorted((ROOT / "tutorials").glob("*.py")):
        for language in ("en", "ko"):
            target = folder / language / f"{path.stem}.ipynb"
            docs = os.path.relpath(ROOT / "docs", target.parent)
            notebook = jupytext.read(path)
            notebook.metadata["kernelspec"] = {
                "name": "python3",
                "display_name": "Python 3",
                "language": "python",
            }
            for cell in notebook.cells:
                if cell.cell_type != "markdown":
                    continue
                if language == "ko":
                    cell.source = translated(cell.source, messages(path.stem))
                # Diagrams: relative to the notebook, not to the script.
                cell.source = cell.source.replace("](../docs/", f"]({docs}/")
            target.parent.mkdir(parents=True, exist_ok=True)
            jupytext.write(notebook, target)
            print(target)


if __name__ == "__main__":
    make_notebooks(ROOT / "build" / "notebooks")
