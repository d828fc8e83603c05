"""Build the site: build/site/en and build/site/ko.

    make site

Nothing is trained and nothing downloaded. The pages of each language are first
assembled in build/sphinx: the Markdown files of the repository, the
executed notebooks of docs/executed (of a lesson without one the notebook that
was not executed), and the pages that are generated, those of the API and of
the results. Then Sphinx makes HTML of them, both languages at once.
"""

import functools
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
from base64 import b64decode, b64encode
from pathlib import Path

import nbformat
from babel.messages.pofile import read_po, write_po

from docs import api, results_page
from docs.notebooks import ROOT, in_language, lessons, notebook
from docs.pages import executed
from docs.repository import blob, colab

DOCS, SITE = ROOT / "docs", ROOT / "build" / "site"
WORK = ROOT / "build" / "sphinx"
LANGUAGES = ("en", "ko")
# Files of the repository that are pages, beside those of docs/.
PAGES = {
    "contributing": ROOT / "CONTRIBUTING.md",
    "changelog": ROOT / "CHANGELOG.md",
    "experiments": ROOT / "experiments" / "README.md",
}
PICTURES = ("docs/diagrams", "results/experiments")
LAST = ("results", "claims", "speed", "glossary")  # of the reference
WORDS = {
    "Lessons": "단원",
    "How-to": "사용 안내",
    "Reference": "참고 자료",
    "Project": "프로젝트",
    "Download this notebook": "이 노트북 내려받기",
    "Open in Colab": "Colab에서 열기",
}
HOME = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>keras_seq</title>
<link rel="icon" href="en/_static/favicon.svg">
<meta name="viewport" content="width=device-width, initial-scale=1">
<script>
const korean = navigator.language.startsWith("ko");
location.replace((korean ? "ko" : "en") + "/index.html");
</script>
<main><h1>keras_seq</h1>
<p><a href="en/index.html">English</a></p>
<p lang="ko"><a href="ko/index.html">한국어</a></p></main>
</html>
"""


def word(text, language):
    return WORDS[text] if language == "ko" else text


def markdown_pages():
    """Map the names of pages to the Markdown files of the repository."""
    found = dict(PAGES)
    for path in sorted(DOCS.rglob("*.md")):
        found[path.relative_to(DOCS).with_suffix("").as_posix()] = path
    return found


def relink(text, path, name):
    """Make the links of a file those of its page; what is no page loses it.

    Args:
        text: str, Markdown.
        path: Path of the file.
        name: str, the name of its page.
        where: dict of str, file relative to the repository -> page.
    """

    up = "../" * name.count("/")

    def new(match):
        label, target, anchor = match.groups()
        file = os.path.relpath(path.parent / target, ROOT)
        if file in where:
            return f"{label}({up}{where[file]}{anchor or ''})"
        if Path(file).parent.as_posix() in PICTURES:
            return f"{label}({up}{'/'.join(Path(file).parts[-2:])})"
        if not (ROOT / file).exists():
            return match[0]
        address = blob(file)
        return f"{label}({address})" if address else label[1:-1]

    link = r"(!?\[[^\]\[]+\])\((?!https?:)([^()#\s]+)(#[\w-]*)?\)"
    return re.sub(link, new, text)


def lesson_files(path, language):
    """Yield (file, content) of the page of a lesson and of its download."""
    name = path.stem
    english = executed(name)
    if english is None:
        english = in_language(notebook(path), "en", name, "..")
    source = notebook(path)
    for cell, ran in zip(source.cells, english.cells):
        if cell.cell_type == "code" and "outputs" in ran:
            cell.outputs = ran.outputs
            cell.execution_count = ran.execution_count
    page = in_language(source, language, name, "..")
    yield f"downloads/{name}.ipynb", nbformat.writes(with_diagrams(page))
    yield f"tutorials/{name}.captions", json.dumps(captions(page))
    links = [
        "{download}`"
        + word("Download this notebook", language)
        + f" <../downloads/{name}.ipynb>`"
    ]
    if address := colab(name, language):
        links.append(f"[{word('Open in Colab', language)}]({address})")
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
        if cell.cell_type == "markdown":
            for name in set(re.findall(r"\.\./diagrams/([\w.]+)", cell.source)):
                svg = (DOCS / "diagrams" / name).read_bytes()
                cell.setdefault("attachments", {})[name] = {
                    "image/svg+xml": b64encode(svg).decode()
                }
            cell.source = cell.source.replace("../diagrams/", "attachment:")
            cell.source = re.sub(
                r"\[([^\]]+)\]\([./]*glossary\.md[^)]*\)", r"\1", cell.source
            )
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


def contents(language, names):
    """Return the table of contents of the site, which stands in the sidebar."""
    howto = sorted(name for name in names if name.startswith("howto/"))
    other = sorted(
        set(names) - {"index", "install", "contributing", "house"} - {*LAST}
    )
    rest = [name for name in other if name not in howto]
    parts = {
        None: ["install", "tutorials/index"],
        "How-to": howto,
        "Reference": ["api/index", *LAST],
        "Project": ["contributing", "house", *rest],
    }
    lines = []
    for caption, entries in parts.items():
        lines += ["", "```{toctree}", ":hidden:"]
        if caption:
            lines.append(f":caption: {word(caption, language)}")
        lines += ["", *entries, "```"]
    return "\n".join(lines) + "\n"


def assemble(language):
    """Return the source of a language: dict, name of a file -> str."""
    found = markdown_pages()
    files = {}
    for name, path in found.items():
        text = path.read_text("utf-8")
        files[f"{name}.md"] = relink(text, path, name)
    files["results.md"] = results_page.page()
    files["index.md"] += contents(language, [*found, "results"])
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
    home = Path(language, "LC_MESSAGES")
    pages, files = markdown_pages(), {}
    for path in (DOCS / "locale" / home).rglob("*.po"):
        file = path.relative_to(DOCS / "locale" / home)
        name = file.with_suffix("").as_posix()
        if file.parts[0] == "tutorials":
            continue
        catalog = read_po(io.BytesIO(path.read_bytes()), locale=language)
        if name in pages:
            for message in list(catalog):
                if message.id:
                    catalog.delete(message.id)
                    text = message.id, message.string
                    catalog.add(*(relink(t, pages[name], name) for t in text))
        buffer = io.BytesIO()
        write_po(buffer, catalog)
        files[str(home / file)] = buffer.getvalue()
    return files


def write(folder, files):
    """Write files that have changed, and remove those that are not there."""
    for path in folder.rglob("*") if folder.exists() else ():
        if path.is_file() and str(path.relative_to(folder)) not in files:
            path.unlink()
    for name, content in files.items():
        path = folder / name
        content = content.encode() if isinstance(content, str) else content
        if not path.exists() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def main():
    write(WORK / "locale", catalogs("ko"))
    reference = api.pages()
    builds = []
    for language in LANGUAGES:
        files = assemble(language)
        files |= {f"{name}.md": text for name, text in reference.items()}
        write(WORK / language / "source", files)
        builds.append(subprocess.Popen(sphinx(language), cwd=ROOT))
    failed = [build.wait() for build in builds]
    shutil.rmtree(SITE, ignore_errors=True)
    for language in LANGUAGES:
        shutil.copytree(
            WORK / language / "html",
            SITE / language,
            ignore=shutil.ignore_patterns("_sources", ".*", "objects.inv"),
        )
    (SITE / "index.html").write_text(HOME, "utf-8")
    print(SITE / "index.html")
    sys.exit(max(failed))


def sphinx(language):
    """Return the command that makes the HTML of a language."""
    return [
        *(sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going"),
        *("-b", "html", "-c", DOCS, "-D", f"language={language}"),
        *("-d", WORK / language / "doctrees"),
        *(WORK / language / "source", WORK / language / "html"),
    ]


if __name__ == "__main__":
    main()
