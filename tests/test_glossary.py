"""The glossary: its entries, the links of the lessons to it, its Korean text.

Nothing is imported from the package, so that the tests take no time.
"""

import ast
import pathlib
import re
import runpy

import pytest

pytestmark = pytest.mark.once

ROOT = pathlib.Path(__file__).parent.parent
PAGES = ROOT / "docs"
NOTEBOOKS = runpy.run_path(str(PAGES / "notebooks.py"))
blocks, messages = NOTEBOOKS["blocks"], NOTEBOOKS["messages"]
PAGE = (PAGES / "glossary.md").read_text("utf-8").strip()
KOREAN = messages("glossary", NOTEBOOKS["MESSAGES"].parent)
PARAMETERS = '# %% tags=["parameters"]\n'  # every lesson has this cell
LINK = re.compile(r"\[([^][]+)\]\(glossary\.md#([\w-]+)\)")
LESSONS = [
    *("00_before_you_start", "01_rnn", "02_gates", "03_five_settings"),
    *("04_seq2seq", "05_attention", "06_self_attention", "07_transformer"),
    *("08_gpt", "09_chatbot", "10_bert", "11_finetuning_sentences"),
    *("12_finetuning_words", "13_vit", "14_which_model_when"),
]


def anchor(heading):
    """Return the anchor that Markdown makes of a heading, as MyST does."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def without_brackets(text):
    return " ".join(re.sub(r"\([^)]*\)", "", text).split())


def entries():
    """Split the page: list of (term, Korean term, definition, reference)."""
    found = []
    for part in re.split(r"^### ", PAGE, flags=re.MULTILINE)[1:]:
        part = re.sub(r"\n## [A-Z]\n", "", part)  # of the next letter
        found.append(tuple(part.strip().split("\n\n")))
    return found


ENTRIES = entries()
TERMS = {anchor(entry[0]): entry for entry in ENTRIES}
every_entry = pytest.mark.parametrize("entry", ENTRIES, ids=list(TERMS))


def lessons():
    """Read the lessons: dict, name -> Markdown without line breaks."""
    found = {}
    for path in sorted((ROOT / "tutorials").glob("*.py")):
        text = path.read_text("utf-8")
        if PARAMETERS in text:
            text = re.sub(r"^# ?", "", text, flags=re.MULTILINE)
            found[path.stem] = " ".join(text.split())
    return found


def public_names(package):
    """Return `__all__` of a package, read from its source."""
    source = ROOT / "keras_seq" / package / "__init__.py"
    for node in ast.parse(source.read_text("utf-8")).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == "__all__":
            return ast.literal_eval(node.value)
    raise AssertionError(f"{source} has no __all__")


@every_entry
def test_entry_has_a_korean_term_a_definition_and_a_reference(entry):
    _, korean, definition, reference = entry
    assert re.search("[가-힣]", korean) and not korean.endswith(".")
    assert definition.endswith(".") and not re.search("[가-힣]", definition)
    assert re.match(r"(Lessons?|Page|Library|Keras): ", reference)


def test_entries_are_in_alphabetical_order_and_no_anchor_is_there_twice():
    anchors = [anchor(entry[0]) for entry in ENTRIES]
    assert anchors == sorted(set(anchors))
    letters = re.findall(r"^## (.+)$", PAGE, re.MULTILINE)
    assert letters == sorted({name[0].upper() for name in anchors})


def test_no_two_terms_have_the_same_korean_term():
    assert len({entry[1] for entry in ENTRIES}) == len(ENTRIES)


def test_each_link_inside_the_page_has_an_entry():
    assert set(re.findall(r"\]\(#([^)]*)\)", PAGE)) <= set(TERMS)
    for page in re.findall(r"\]\(([\w-]+\.md)\)", PAGE):
        assert (PAGES / page).is_file()


def test_each_link_of_the_lessons_has_an_entry():
    texts = [*lessons().values()]
    for name in lessons():
        texts += messages(name).values()
    links = {link for text in texts for link in LINK.findall(text)}
    assert len(links) > 40
    assert not {name for _, name in links} - set(TERMS)


@pytest.mark.parametrize("name", lessons())
def test_korean_lessons_use_the_korean_term_of_the_glossary(name):
    """Either may be longer: top-k and top-k 샘플링."""
    for text, target in LINK.findall(" ".join(messages(name).values())):
        used = without_brackets(text)
        term = without_brackets(TERMS[target][1])
        assert used and (used in term or term in used)


def test_diagrams_use_the_korean_term_of_the_glossary():
    rows = (ROOT / "diagrams" / "words.tsv").read_text("utf-8").splitlines()
    compared = 0
    for row in rows[1:]:
        _, english, korean = row.split("\t")
        term = TERMS.get(anchor(english.replace("\\n", " ")))
        if term:
            korean = without_brackets(korean.replace("\\n", " "))
            assert korean in f"{term[1]}, {without_brackets(term[1])}"
            compared += 1
    assert compared > 15


@every_entry
def test_lessons_of_an_entry_are_lessons_that_explain_it(entry):
    """A lesson explains a term where it links it; some are not written yet."""
    named = re.findall(r"`(\d\d_\w+)`", entry[3])
    assert set(named) <= set(LESSONS) and named == sorted(named)
    link = f"](glossary.md#{anchor(entry[0])})"
    written = lessons()
    linking = {name for name, text in written.items() if link in text}
    if linking and set(named) & set(written):
        assert set(named) & linking


@every_entry
def test_names_of_the_library_exist(entry):
    for package, name in re.findall(r"`keras_seq\.(\w+)\.(\w+)`", entry[3]):
        assert name in public_names(package)
    for path in re.findall(r"`(keras_seq/[^`]+)`", entry[3]):
        assert (ROOT / path).is_file()


def test_korean_has_each_message_with_its_links_and_code():
    english = {message for _, message, _ in blocks(PAGE)} - {""}
    assert english == set(KOREAN)
    for message, translation in KOREAN.items():
        for kept in (r"\]\([^)]*\)", r"`[^`]+`"):
            found = [set(re.findall(kept, m)) for m in (message, translation)]
            assert found[0] == found[1], message


@every_entry
def test_korean_page_exchanges_the_two_terms(entry):
    term, korean, definition, _ = entry
    assert KOREAN[term] == korean and KOREAN[korean] == term
    assert re.search(r"(다|세요)(\([^)]*\))?\.$", KOREAN[definition])
