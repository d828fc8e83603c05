"""The Korean text of the pages: complete, with the same links and code.

Sphinx splits a page into messages; without Sphinx (the extra `docs`) these
tests are skipped. Pages that are generated from results/ are not compared:
their rows change with every measurement.
"""

import pathlib
import re
import shutil
import subprocess
import sys

import pytest

pytest.importorskip("sphinx")
pytest.importorskip("myst_parser")
from babel.messages.pofile import read_po

DOCS = pathlib.Path(__file__).parents[1] / "docs"
KOREAN = DOCS / "locale" / "ko" / "LC_MESSAGES"
PAGES = [
    *("index", "install", "serving", "distribution", "glossary"),
    *(f"howto/{page.stem}" for page in sorted((DOCS / "howto").glob("*.md"))),
]
CODE = re.compile(r"``.+?``|`[^`]*`")
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)]*)\)")
SETTINGS = {
    "extensions": "myst_parser",
    "gettext_compact": "0",
    "gettext_additional_targets": "image",
    "suppress_warnings": "myst.xref_missing,toc.not_included",
}


def read(path):
    """Read a catalog: dict, English -> Korean."""
    with path.open("rb") as file:
        return {m.id: m.string for m in read_po(file) if m.id}


@pytest.fixture(scope="module")
def english(tmp_path_factory):
    """Let Sphinx split the pages; return the folder of the messages."""
    folder = tmp_path_factory.mktemp("pages")
    source, target = folder / "source", folder / "messages"
    shutil.copytree(DOCS / "diagrams", source / "diagrams")
    for page in PAGES:
        (source / page).parent.mkdir(exist_ok=True)
        shutil.copy(DOCS / f"{page}.md", source / f"{page}.md")
    options = [f"-D{name}={value}" for name, value in SETTINGS.items()]
    command = ["-m", "sphinx", "-q", "-C", "-b", "gettext", *options]
    subprocess.run([sys.executable, *command, source, target], check=True)
    return target


@pytest.mark.parametrize("page", PAGES)
def test_every_message_of_a_page_has_its_translation(page, english):
    wanted = read(english / f"{page}.pot").keys()
    found = read(KOREAN / f"{page}.po")
    assert found.keys() == wanted
    assert all(found.values())


@pytest.mark.parametrize("page", PAGES)
def test_a_translation_keeps_code_and_links_and_is_korean(page):
    for message, korean in read(KOREAN / f"{page}.po").items():
        for part in (CODE, LINK):
            both = [sorted(part.findall(text)) for text in (message, korean)]
            assert both[0] == both[1], message
        words = re.findall(r"[a-z]{3,}", CODE.sub("", message))
        if len(words) > 6:
            assert re.search("[가-힣]", korean), message
