"""The Korean text of the pages keeps code and links, and is Korean.

`make site` finds messages that have no Korean (docs/translation.py); the
lessons and the glossary have tests of their own.
"""

import pathlib
import re

import pytest
from babel.messages.pofile import read_po

pytestmark = pytest.mark.once

DOCS = pathlib.Path(__file__).parents[1] / "docs"
HOME = DOCS / "locale" / "ko" / "LC_MESSAGES"
PAGES = [
    path.relative_to(HOME).with_suffix("").as_posix()
    for path in sorted([*HOME.glob("*.po"), *HOME.glob("howto/*.po")])
    if path.stem not in ("glossary", "sphinx")
]
CODE = re.compile(r"``.+?``|`[^`]*`")
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)]*)\)")


def messages(page):
    """Read a catalog: dict, English -> Korean."""
    with (HOME / f"{page}.po").open("rb") as file:
        return {m.id: m.string for m in read_po(file) if m.id}


@pytest.mark.parametrize("page", PAGES)
def test_a_translation_keeps_code_and_links(page):
    for message, korean in messages(page).items():
        for part in (CODE, LINK):
            both = [sorted(part.findall(text)) for text in (message, korean)]
            assert both[0] == both[1], message


@pytest.mark.parametrize("page", PAGES)
def test_a_sentence_is_translated(page):
    for message, korean in messages(page).items():
        words = re.findall(r"[a-z]{3,}", CODE.sub("", message))
        assert len(words) < 6 or re.search("[가-힣]", korean), message


def test_each_page_of_the_guides_has_a_catalog():
    guides = {f"howto/{p.stem}" for p in (DOCS / "howto").glob("*.md")}
    assert guides | {"index", "install", "serving", "distribution"} <= {*PAGES}
