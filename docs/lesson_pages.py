"""Make the pages of the lessons, from their executed notebooks.

A lesson whose notebook in docs/executed is not that of its script has a page
without outputs; tests/test_executed.py names it.
"""

import hashlib
import json
import re
from base64 import b64decode, b64encode

import nbformat

from docs.notebooks import (
    ROOT,
    address,
    in_language,
    keep_outputs,
    lessons,
    notebook,
)
from docs.pages import executed

WORDS = {
    "Lessons": "단원",
    "How-to": "사용 안내",
    "Reference": "참고 자료",
    "Project": "프로젝트",
    "Download this notebook": "이 노트북 내려받기",
    "Open in Colab": "Colab에서 열기",
}


def word(text, language):
    return WORDS[text] if language == "ko" else text


def colab(name, language):
    """Return the address that opens a lesson in Colab, or ""."""
    start = "https://github.com/"
    if not address().startswith(start):
        return ""
    folder = "docs/executed/" + ("ko/" if language == "ko" else "")
    return (
        "https://colab.research.google.com/github/"
        f"{address().removeprefix(start)}/blob/main/{folder}{name}.ipynb"
    )


def with_outputs(path):
    """Return the notebook of a lesson, with outputs if they are current."""
    lesson, kept = notebook(path), executed(path.stem)
    if kept:
        keep_outputs(lesson, kept)
    return lesson


def lesson_files(path, language):
    """Yield (file, content) of the page of a lesson and of its download."""
    name = path.stem
    page = in_language(with_outputs(path), language, name, "..")
    yield f"downloads/{name}.ipynb", nbformat.writes(with_diagrams(page))
    yield f"tutorials/{name}.captions", json.dumps(captions(page))
    label = word("Download this notebook", language)
    links = ["{download}`" + f"{label} <../downloads/{name}.ipynb>`"]
    if address := colab(name, language):
        links.append(f"[{word('Open in Colab', language)}]({address})")
    if "install" in page.cells[0].metadata.get("tags", ()):
        del page.cells[0]  # a page begins with its title
    title, _, rest = page.cells[0].source.partition("\n")
    page.cells[0].source = f"{title}\n\n{' · '.join(links)}\n{rest}"
    yield f"tutorials/{name}.ipynb", nbformat.writes(page)


def captions(lesson):
    """Map the SHA-256 of each picture to its caption."""
    found = {}
    for cell in lesson.cells:
        for output in cell.get("outputs", ()):
            if picture := output.get("data", {}).get("image/png"):
                alt = output.metadata.get("image/png", {}).get("alt", "")
                found[hashlib.sha256(b64decode(picture)).hexdigest()] = alt
    return found


def with_diagrams(lesson):
    """Return a copy of a notebook that contains its diagrams."""
    lesson = nbformat.from_dict(lesson)
    for cell in lesson.cells:
        if cell.cell_type != "markdown":
            continue
        for name in set(re.findall(r"\.\./diagrams/([\w.]+)", cell.source)):
            svg = (ROOT / "docs" / "diagrams" / name).read_bytes()
            data = {"image/svg+xml": b64encode(svg).decode()}
            cell.setdefault("attachments", {})[name] = data
        text = cell.source.replace("../diagrams/", "attachment:")
        # There is no glossary and no look-inside page beside the file.
        text = re.sub(r"\[([^\]]+)\]\(\.\./glossary[^)]*\)", r"\1", text)
        link = r'<a\s+href="\.\./\.\./look/[^"]*">(.*?)</a>'
        cell.source = re.sub(link, r"\1", text, flags=re.DOTALL)
    return lesson


def lessons_page(language):
    """Return the list of the lessons: title, question and first diagram."""
    lines = [f"# {word('Lessons', language)}", ""]
    for path in lessons():
        page = in_language(notebook(path), language, path.stem, "..")
        text = "\n\n".join(
            cell.source for cell in page.cells if cell.cell_type == "markdown"
        )
        title = text.split("\n")[0].removeprefix("# ")
        question = re.search(r"\*\*(.+?[?？])\*\*", text, re.DOTALL)[1]
        diagram = re.search(r"!\[[^\]]+\]\([^)]+\)", text)[0]
        lines += [f"## [{title}]({path.stem}.ipynb)", ""]
        lines += [" ".join(question.split()), "", diagram, ""]
    lines += ["```{toctree}", ":hidden:", ""]
    return "\n".join([*lines, *(path.stem for path in lessons()), "```", ""])
