"""Assemble the sources of the site, from which Sphinx makes HTML.

They are the Markdown files of the repository, the notebooks of the lessons,
and the pages that are generated: those of the API and of the results.
"""

import functools
import io
import os
import re
from pathlib import Path

from babel.messages.pofile import read_po, write_po

from docs import api, results_page
from docs.lesson_pages import lesson_files, lessons_page, word
from docs.notebooks import ROOT, address, lessons

DOCS = ROOT / "docs"
# Files of the repository that are pages, beside those of docs/.
PAGES = {
    "contributing": ROOT / "CONTRIBUTING.md",
    "changelog": ROOT / "CHANGELOG.md",
    "experiments": ROOT / "experiments" / "README.md",
}
PICTURES = ("docs/diagrams", "results/experiments")
GUIDES = (
    *("reuse", "korean_text", "published_weights", "own_data", "resume"),
    *("serving", "distribution"),
)
REFERENCE = ("api/index", "results", "claims", "speed", "glossary")
PROJECT = ("experiments", "house", "contributing", "changelog")
NAMED = re.compile(r"(?<!\[)`(?:(\d\d_\w+)|keras_seq\.(\w+)\.(\w+))`")
LINK = re.compile(r"(!?\[[^\]\[]+\])\((?!https?:)([^()#\s]+)(#[\w-]*)?\)")


@functools.cache
def markdown_pages():
    """Map the names of pages to the Markdown files of the repository."""
    found = dict(PAGES)
    for path in sorted(DOCS.rglob("*.md")):
        found[path.relative_to(DOCS).with_suffix("").as_posix()] = path
    return found


@functools.cache
def targets():
    """Map the files of the repository to those of their pages: dict of str."""
    found = markdown_pages()
    where = {str(p.relative_to(ROOT)): f"{n}.md" for n, p in found.items()}
    for path in lessons():
        where[f"tutorials/{path.name}"] = f"tutorials/{path.stem}.ipynb"
    return where | {"tutorials/README.md": "tutorials/index.md"}


def relink(text, name):
    """Replace links to files by links to pages; what is no page loses its.

    Names of lessons and of the library become links too.

    Args:
        text: str, Markdown.
        name: str, the name of its page.
    """
    folder = markdown_pages()[name].parent
    up = "../" * name.count("/")

    def new(match):
        label, target, anchor = match.groups()
        file = os.path.relpath(folder / target, ROOT)
        if file in targets():
            return f"{label}({up}{targets()[file]}{anchor or ''})"
        if Path(file).parent.as_posix() in PICTURES:
            return f"{label}({up}{'/'.join(Path(file).parts[-2:])})"
        if not (ROOT / file).exists():
            return match[0]
        url = address()
        return f"{label}({url}/blob/main/{file})" if url else label[1:-1]

    text = LINK.sub(new, text)
    return NAMED.sub(lambda match: link_code(match, up), text)


def link_code(match, up):
    """Link the name of a lesson, or a public name of the library."""
    lesson, package, public = match.groups()
    if lesson and f"tutorials/{lesson}.py" in targets():
        return f"[{match[0]}]({up}tutorials/{lesson}.ipynb)"
    if public in api.public_names().get(package, ()):
        return f"[{match[0]}]({up}api/{package}/{public}.md)"
    return match[0]


def contents(language):
    """Return the table of contents of the site, which is in the sidebar."""
    names = [f"howto/{guide}" for guide in GUIDES]
    guides = [n if n in markdown_pages() else Path(n).name for n in names]
    listed = {"index", "install", *guides, *REFERENCE, *PROJECT}
    others = sorted(set(markdown_pages()) - listed)
    parts = {
        None: ["install", "tutorials/index"],
        "How-to": [*guides, *others],
        "Reference": REFERENCE,
        "Project": PROJECT,
    }
    lines = []
    for caption, entries in parts.items():
        lines += ["", "```{toctree}", ":hidden:"]
        if caption:
            lines.append(f":caption: {word(caption, language)}")
        lines += ["", *entries, "```"]
    return "\n".join(lines) + "\n"


def assemble(language):
    """Return the sources in a language: dict, file -> str or bytes."""
    files = {}
    for name, path in markdown_pages().items():
        files[f"{name}.md"] = relink(path.read_text("utf-8"), name)
    files["results.md"] = results_page.page()
    files["index.md"] += contents(language)
    files["tutorials/index.md"] = lessons_page(language)
    for path in lessons():
        files |= dict(lesson_files(path, language))
    for folder in PICTURES:
        for path in (ROOT / folder).glob("*.[ps][nv]g"):
            files[f"{path.parent.name}/{path.name}"] = path.read_bytes()
    return files


def catalogs(language):
    """Return the messages of the Markdown pages: dict, file -> bytes.

    Their links are those of the pages, as in the sources. The lessons are
    translated in `lesson_files`.
    """
    home, files = Path(language, "LC_MESSAGES"), {}
    for path in (DOCS / "locale" / home).rglob("*.po"):
        file = path.relative_to(DOCS / "locale" / home)
        name = file.with_suffix("").as_posix()
        if file.parts[0] == "tutorials":
            continue
        catalog = read_po(io.BytesIO(path.read_bytes()), locale=language)
        if name in markdown_pages():
            for message in [m for m in catalog if m.id]:
                catalog.delete(message.id)
                texts = message.id, message.string
                catalog.add(*(relink(text, name) for text in texts))
        buffer = io.BytesIO()
        write_po(buffer, catalog)
        files[str(home / file)] = buffer.getvalue()
    return files
