"""The site in Chromium, over a loopback server: `make test-site`.

`make test` skips these tests unless `make site` was run before.
"""

import html.parser
import json
import re
import urllib.parse

import pytest
import site_browser as browser
from site_browser import SITE

from benchmarks import claims, results, tables

# Query -> the page that must be among the first three.
ENGLISH = {
    "LSTM": "api/layers/LSTM",
    "MultiHeadAttention": "api/layers/MultiHeadAttention",
    "BeamSearch": "api/generation/BeamSearch",
    "vanishing gradient": "glossary",
    "teacher forcing": "glossary",
    "key-value cache": "glossary",
    "perplexity": "glossary",
    "recurrent neural network": "tutorials/01_rnn",
    "self-attention": "tutorials/06_self_attention",
    "transformer": "tutorials/07_transformer",
    "chatbot": "tutorials/09_chatbot",
    "fine-tuning sentences": "tutorials/11_finetuning_sentences",
    "install": "install",
    "korean text": "howto/korean_text",
    "published weights": "howto/published_weights",
    "own data": "howto/own_data",
    "resume training": "howto/resume",
    "serving": "serving",
    "several devices": "distribution",
    "lectures claim": "claims",
}
KOREAN = {
    "행렬": "tutorials/01_rnn",  # in the text with particles: 행렬에는, 행렬의
    "순환 신경망": "tutorials/01_rnn",
    "게이트": "tutorials/02_gates",
    "셀프 어텐션": "tutorials/06_self_attention",
    "트랜스포머": "tutorials/07_transformer",
    "챗봇": "tutorials/09_chatbot",
    "비전 트랜스포머": "tutorials/13_vit",
    "기울기 소실": "glossary",
    "교사 강요": "glossary",
    "빔 서치": "glossary",
    "단어 집합": "glossary",
    "잔차 연결": "glossary",
    "퍼플렉서티": "glossary",
    "미세 조정": "glossary",
    "용어집": "glossary",
    "설치": "install",
    "한국어": "howto/korean_text",
    "공개된 가중치": "howto/published_weights",
    "LSTM": "api/layers/LSTM",
    "BERTTokenizer": "api/text/BERTTokenizer",
}
QUERIES = [("en", *item) for item in ENGLISH.items()]
QUERIES += [("ko", *item) for item in KOREAN.items()]
# Of the API a page of each kind is examined by axe; of all else every page.
SAMPLES = ("index", "layers", "layers/LSTM", "layers/attend", "data/CAPTIONS")


def needed():
    """Return what is missing for these tests, or None."""
    if not (SITE / "en" / "index.html").exists():
        return "there is no build/site: run make site"
    if not browser.chromium():
        return "Chromium is not installed"
    if not browser.AXE.exists():
        return "axe-core is not there: run make test-site"
    return None


pytestmark = [
    pytest.mark.skipif(needed() is not None, reason=str(needed())),
    pytest.mark.tensorflow_only,  # the pages are the same on all backends
]
PAGES = browser.pages()


@pytest.fixture(scope="module")
def base():
    """Give the address of the site, with a slash at the end."""
    server = browser.serve(SITE)
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


@pytest.fixture(scope="module")
def chromium():
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        window = started.chromium.launch(
            executable_path=browser.chromium(), args=["--no-sandbox"]
        )
        yield window
        window.close()


@pytest.fixture(scope="module")
def visits(chromium, base):
    """Give {page: Visit}, each opened once in a narrow window."""
    page = chromium.new_page(viewport={"width": 360, "height": 740})
    yield {name: browser.visit(page, base, name) for name in PAGES}
    page.close()


@pytest.fixture(scope="module")
def page(chromium):
    """Give a wide page."""
    window = chromium.new_page(viewport={"width": 1280, "height": 900})
    yield window
    window.close()


def test_no_page_has_an_error_in_the_console(visits):
    assert not {n: v.errors for n, v in visits.items() if v.errors}


def test_no_page_asks_another_host(visits):
    assert not {n: v.outside for n, v in visits.items() if v.outside}


def test_nothing_that_a_page_loads_is_missing(visits):
    assert not {n: v.missing for n, v in visits.items() if v.missing}


def test_no_page_scrolls_sideways_in_a_narrow_window(visits):
    wide = {n: v.too_wide for n, v in visits.items() if v.too_wide > 0}
    assert not wide


def test_each_page_links_its_twin_in_the_other_language(visits, base):
    other = {"en": "ko", "ko": "en"}
    for name, found in visits.items():
        language, _, rest = name.partition("/")
        if rest:
            assert found.twin == f"{base}{other[language]}/{rest}"
            assert f"{other[language]}/{rest}" in visits


def test_the_last_build_took_two_minutes_on_two_cores_or_less():
    """By the time of processors: others may compute on the machine."""
    seconds = browser.ROOT / "build" / "sphinx" / "seconds"
    assert int(seconds.read_text("utf-8")) <= 2 * 120


def examined():
    """List the pages that axe-core examines."""
    for name in PAGES:
        rest = name.partition("/")[2].removesuffix(".html")
        if not rest.startswith("api/") or rest[4:] in SAMPLES:
            yield name


@pytest.mark.parametrize("name", examined())
def test_axe_finds_nothing_critical_or_serious(page, base, name):
    assert not browser.accessibility(page, base + name)


@pytest.mark.parametrize("language, query, expected", QUERIES)
def test_search_lists_the_page_in_the_first_three(
    page, base, language, query, expected
):
    found = browser.search(page, base, language, query)
    assert f"{expected}.html" in found


class Document(html.parser.HTMLParser):
    """The links, anchors and table cells of a page."""

    def __init__(self, name):
        super().__init__()
        self.links, self.anchors, self.cells, self.pictures = [], set(), [], []
        self.in_cell = False
        self.feed((SITE / name).read_text("utf-8"))

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if "id" in attributes:
            self.anchors.add(attributes["id"])
        if tag == "a" and "href" in attributes:
            self.links.append(attributes["href"])
        if tag == "img":
            self.pictures.append(attributes)
        if tag in ("td", "th"):
            self.in_cell = True
            self.cells.append("")

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self.in_cell = False

    def handle_data(self, data):
        if self.in_cell:
            self.cells[-1] += data


@pytest.fixture(scope="module")
def documents():
    """Give {page: Document}."""
    return {name: Document(name) for name in PAGES}


def test_links_lead_to_pages_and_anchors(documents):
    dead = []
    for name, document in documents.items():
        for link in document.links:
            parts = urllib.parse.urlsplit(link)
            if parts.scheme or not (parts.path or parts.fragment):
                continue
            target = (SITE / name).parent / urllib.parse.unquote(parts.path)
            target = target.resolve() if parts.path else SITE / name
            page = target.relative_to(SITE.resolve()).as_posix()
            if not target.is_file():
                dead.append((name, link))
            elif parts.fragment and page in documents:
                anchor = urllib.parse.unquote(parts.fragment)
                if anchor not in documents[page].anchors:
                    dead.append((name, link))
    assert not dead


def test_every_picture_has_an_alternative_text(documents):
    for name, document in documents.items():
        for picture in document.pictures:
            assert picture.get("alt", "").strip(), (name, picture)


def cells(markdown):
    """Return the cells of the tables of a Markdown text, without marks."""
    lines = [x for x in markdown.splitlines() if re.match(r"\|(?!-)", x)]
    text = [cell for line in lines for cell in line.strip("|").split("|")]
    return [" ".join(re.sub("`", "", cell).split()) for cell in text]


def numbers(texts):
    return re.findall(r"-?\d[\d,.]*", " ".join(texts))


@pytest.mark.parametrize(
    "name, written",
    [("speed", tables.speeds), ("claims", claims.verdicts)],
)
def test_tables_of_the_pages_are_those_of_the_results(documents, name, written):
    shown = [" ".join(c.split()) for c in documents[f"en/{name}.html"].cells]
    assert numbers(shown) == numbers(cells(written()))


def test_numbers_of_the_results_are_those_of_the_kept_files(documents):
    shown = documents["en/results.html"].cells
    rows = [shown[i : i + 6] for i in range(0, len(shown), 6)][1:]
    expected = [
        (kept["baselines"].get(metric), kept["metrics"][metric])
        for stem, names in results.SHOWN.items()
        if (path := results.RESULTS / f"{stem}.json").exists()
        for kept in [json.loads(path.read_text("utf-8"))]
        for metric in names
    ]
    assert len(rows) >= len(expected) > 20
    for row, (baseline, measured) in zip(rows, expected):
        assert row[4].strip() == f"{measured:.3g}"
        if baseline is not None:
            assert row[3].strip() == f"{baseline:.3g}"


@pytest.mark.parametrize("name", ["results", "speed", "claims"])
def test_korean_tables_have_the_same_numbers(documents, name):
    number = re.compile(r"\s*-?\d[\d,.]*%?\s*")
    english, korean = (
        [
            c
            for c in documents[f"{code}/{name}.html"].cells
            if number.fullmatch(c)
        ]
        for code in ("en", "ko")
    )
    assert len(english) > 20 and english == korean


@pytest.mark.parametrize("name", ["results", "speed", "claims"])
def test_cells_of_korean_tables_are_korean(documents, name):
    """A new row needs its message in docs/locale/ko/LC_MESSAGES/NAME.po."""
    english = set(documents[f"en/{name}.html"].cells)
    same = english & set(documents[f"ko/{name}.html"].cells)
    word = re.compile(r"(?<![\w./])[a-z]{3,}(?![\w./])")  # not in a path
    assert not [cell for cell in same if len(word.findall(cell)) > 2]


def test_each_layer_and_model_has_a_lesson(documents):
    for name, document in documents.items():
        if re.match("en/api/(layers|models)/", name):
            assert any("tutorials/" in link for link in document.links), name
