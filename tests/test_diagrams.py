"""The diagrams of docs/diagrams: what is written, legible and in its place.

Needs neither Keras nor a browser; the width of a text is estimated
(diagrams/widths.py).
"""

import ast
import itertools
import pathlib
import re
import sys
import xml.etree.ElementTree as ET

import pytest

from diagrams import collection, palette
from diagrams.widths import BOLD, em_width

pytestmark = pytest.mark.once

SVG = "{http://www.w3.org/2000/svg}"
HOME = pathlib.Path(collection.__file__).parent
FILES = [
    collection.FOLDER / f"{name}.{language}.svg"
    for name in collection.DIAGRAMS
    for language in collection.LANGUAGES
]
HANGUL = re.compile("[가-힣]")
CLASSES = {
    *("ks-diagram", "ks-paper", "ks-panel", "ks-bold", "ks-dash", "ks-soft"),
    *("ks-t-soft", "ks-head-soft", "ks-ink-fill"),
    *(
        f"ks-{part}{role}"
        for role in palette.ROLES
        for part in ("", "line-", "head-", "t-")
    ),
}

every_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)


def parse(path):
    return ET.parse(path).getroot()


def rectangle(element):
    x, y = (float(element.get(name, 0)) for name in "xy")
    size = (float(element.get(name)) for name in ("width", "height"))
    return (x, y, *(a + b for a, b in zip((x, y), size)))


def extent(text):
    """Estimate the rectangle of a text: left, top, right, bottom."""
    size = float(text.get("font-size"))
    runs = [(text.text or "", size)]
    for run in text:
        own = float(run.get("font-size", size))
        runs += [(run.text or "", own), (run.tail or "", size)]
    width = sum(em_width(part) * each for part, each in runs)
    width *= BOLD if "ks-bold" in text.get("class", "") else 1
    x, y = float(text.get("x")), float(text.get("y"))
    left = {"start": 0, "middle": 0.5, "end": 1}[text.get("text-anchor")]
    x -= left * width
    bottom = y + 0.22 * size
    if text.find(f"{SVG}tspan") is not None:  # a subscript
        bottom = y + 4 + 0.22 * 11
    return x, y - 0.78 * size, x + width, bottom


def inside(inner, outer, slack=0.5):
    return (
        inner[0] >= outer[0] - slack
        and inner[1] >= outer[1] - slack
        and inner[2] <= outer[2] + slack
        and inner[3] <= outer[3] + slack
    )


def overlap(a, b, slack=1.0):
    return (
        min(a[2], b[2]) - max(a[0], b[0]) > slack
        and min(a[3], b[3]) - max(a[1], b[1]) > slack
    )


def words_of(text):
    return "".join(text.itertext())


def segments(root):
    """List the straight pieces of all lines."""
    for path in root.iter(f"{SVG}path"):
        numbers = [float(n) for n in re.findall(r"-?[\d.]+", path.get("d"))]
        points = list(zip(numbers[::2], numbers[1::2]))
        yield from itertools.pairwise(points)


def crosses(segment, box):
    """Tell whether a line goes through a rectangle, by 200 of its points."""
    (x0, y0), (x1, y1) = segment
    left, top, right, bottom = box
    return any(
        left + 1 < x0 + (x1 - x0) * k / 200 < right - 1
        and top + 2 < y0 + (y1 - y0) * k / 200 < bottom - 2
        for k in range(201)
    )


def test_folder_has_each_diagram_in_both_languages_and_nothing_else():
    assert sorted(collection.FOLDER.glob("*.svg")) == sorted(FILES)


@every_file
def test_file_is_what_the_script_writes(path):
    name, language, _ = path.name.split(".")
    assert path.read_text("utf-8") == collection.draw(name, language)


@every_file
def test_file_has_a_title_and_a_description(path):
    root = parse(path)
    title, described = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert root.get("role") == "img"
    both = f"{title.get('id')} {described.get('id')}"
    assert root.get("aria-labelledby") == both
    assert len(title.text) > 4
    assert len(described.text) > 60
    assert "{" not in title.text + described.text


@every_file
def test_file_is_736_wide_and_needs_nothing_from_elsewhere(path):
    assert parse(path).get("viewBox").startswith("0 0 736 ")
    text = path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
    for part in ("http", "<script", "url(", "@import", "@font-face", "<image"):
        assert part not in text


@every_file
def test_text_is_large_enough(path):
    for element in parse(path).iter():
        assert float(element.get("font-size", 11)) >= 11


@every_file
def test_text_lies_inside_the_picture_and_its_box(path):
    root = parse(path)
    page = tuple(float(n) for n in root.get("viewBox").split())
    for text in root.iter(f"{SVG}text"):
        assert inside(extent(text), page), words_of(text)
    for group in root.iter(f"{SVG}g"):
        box = rectangle(group.find(f"{SVG}rect"))
        for text in group.iter(f"{SVG}text"):
            assert inside(extent(text), box), words_of(text)


@every_file
def test_texts_do_not_overlap(path):
    texts = list(parse(path).iter(f"{SVG}text"))
    for a, b in itertools.combinations(texts, 2):
        both = words_of(a), words_of(b)
        assert not overlap(extent(a), extent(b)), both


@every_file
def test_no_line_and_no_edge_of_a_box_goes_through_a_text(path):
    root = parse(path)
    lines = list(segments(root))
    boxes = [rectangle(r) for r in root.iter(f"{SVG}rect")]
    for text in root.iter(f"{SVG}text"):
        place = extent(text)
        for line in lines:
            assert not crosses(line, place), (words_of(text), line)
        for box in boxes:
            free = inside(place, box) or not overlap(place, box, 2)
            assert free, (words_of(text), box)


@every_file
def test_colors_are_only_those_of_the_palette(path):
    root = parse(path)
    assert root.find(f"{SVG}style").text.strip() == palette.style_sheet()
    for element in root.iter():
        assert set(element.get("class", "").split()) <= CLASSES
        assert not {"fill", "stroke", "style"} & set(element.attrib)


@every_file
def test_korean_file_is_korean_and_english_file_is_not(path):
    root = parse(path)
    drawn = [words_of(text) for text in root.iter(f"{SVG}text")]
    if path.name.endswith(".ko.svg"):
        assert sum(bool(HANGUL.search(text)) for text in drawn) >= 3
        assert HANGUL.search(root.find(f"{SVG}title").text)
        assert HANGUL.search(root.find(f"{SVG}desc").text)
    elif path.name != "alignment.en.svg":  # of a Korean date
        assert not HANGUL.search(path.read_text("utf-8"))


def test_each_row_of_the_words_has_both_languages():
    lines = (HOME / "words.tsv").read_text("utf-8").splitlines()
    rows = [line.split("\t") for line in lines if line]
    keys = [row[0] for row in rows]
    assert len(keys) == len(set(keys))
    for row in rows[1:]:
        assert len(row) == 3 and all(row), row
        assert not HANGUL.search(row[1]), row
        # Foreign words of an example and names of keys stay as they are.
        assert row[0].startswith(("target.", "qkv.")) or HANGUL.search(row[2])


def test_every_word_is_used():
    code = "".join(p.read_text("utf-8") for p in HOME.glob("*.py"))
    for key in collection.read_words("en"):
        first, last = key.split(".")[0], key.split(".")[-1]
        if last in ("title", "caption"):
            assert first in collection.DIAGRAMS
        else:
            assert f'"{key}"' in code or f'f"{first}.' in code, key


def plain(text):
    """Write an equation as both a docstring and a picture would have it."""
    for old, new in zip("×·←−", ("*", ".", "<-", "-")):
        text = text.replace(old, new)
    return re.sub(r"[\s_{}]", "", text)


# diagram: file of the library, left sides of its equations in the diagram
EQUATIONS = {
    "rnn": ("layers/simple_rnn.py", ["h_t ="]),
    "lstm": ("layers/lstm.py", [f"{name}_t =" for name in "ifgoch"]),
    "gru": ("layers/gru.py", [f"{name}_t =" for name in "zrnh"]),
    "bahdanau_luong": ("models/bahdanau.py", ["e_ts =", "h_t  ="]),
    "encoder_block": (
        "layers/transformer_encoder.py",
        ["x <- norm(", "x <- x + f("],
    ),
    "fine_tuning": ("models/bert_tasks.py", ["start_t, end_t ="]),
}


def docstring_equation(path, start):
    """Find the line of a file that has an equation, without its comment."""
    library = HOME.parent / "keras_seq"
    lines = (library / path).read_text("utf-8").splitlines()
    (line, *_) = [line for line in lines if start in line]
    return re.split(r"\s+# ", line[line.index(start) :])[0]


@pytest.mark.parametrize("name", EQUATIONS)
def test_equations_are_those_of_the_library(name):
    path, starts = EQUATIONS[name]
    root = parse(collection.FOLDER / f"{name}.en.svg")
    drawn = {plain(words_of(text)) for text in root.iter(f"{SVG}text")}
    for start in starts:
        assert plain(docstring_equation(path, start)) in drawn, start


def test_luong_steps_before_it_attends_and_bahdanau_after():
    root = parse(collection.FOLDER / "bahdanau_luong.en.svg")
    drawn = [plain(words_of(text)) for text in root.iter(f"{SVG}text")]
    for start in ("h_t  =", "s_t  =", "logits_t ="):
        equation = docstring_equation("models/luong.py", start)
        assert plain(equation) in drawn
    steps = [text for text in drawn if text.startswith(("ht=", "at="))]
    assert [text[:2] for text in steps] == ["at", "ht", "ht", "at"]


def test_drawing_code_is_short_and_needs_only_the_standard_library():
    for path in HOME.glob("*.py"):
        text = path.read_text("utf-8")
        assert text.count("\n") <= 300, path.name
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                assert node.end_lineno - node.lineno < 40, node.name
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module]
            for name in names:
                top = name.split(".")[0]
                assert top == "diagrams" or top in sys.stdlib_module_names
