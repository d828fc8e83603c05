"""The look-inside page in headless Chromium: `make test-look`."""

import re

import pytest

from tests import look_page
from tests.look_page import AXE, COMPOSE, PANELS, SECONDS, TYPED, Page

pytestmark = look_page.marks()
LANGUAGES = ("en", "ko")


@pytest.fixture(scope="module")
def browser():
    with look_page.browser() as found:
        yield found


@pytest.fixture(scope="module")
def address():
    with look_page.served() as found:
        yield found


@pytest.fixture
def page(browser, address):
    found = Page(browser, address)
    yield found
    found.page.close()
    outside = [x for x in found.asked if not x.startswith(("data:", address))]
    assert [x for x in outside if x != "about:blank"] == []
    assert found.errors == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_opens_without_errors_or_requests_outside(
    page, panel, language
):
    shown = page.open(panel, language)
    assert shown.locator("h2").inner_text()
    assert shown.get_attribute("html", "lang") == language
    assert shown.locator(".explain").count() >= 1
    hangul = re.search("[가-힣]", shown.inner_text("h2"))
    assert (hangul is not None) == (language == "ko")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("panel", PANELS)
def test_nothing_critical_or_serious_for_accessibility(page, panel, language):
    if not AXE.exists():
        pytest.skip("axe-core is not there: make test-look")
    shown = page.open(panel, language)
    shown.add_script_tag(path=str(AXE))
    found = shown.evaluate("axe.run().then((x) => x.violations)")
    serious = [
        (x["id"], [node["html"][:120] for node in x["nodes"][:3]])
        for x in found
        if x["impact"] in ("critical", "serious")
    ]
    assert serious == []


@pytest.mark.parametrize("panel", PANELS)
def test_no_panel_scrolls_sideways_on_a_narrow_screen(browser, address, panel):
    page = Page(browser, address, width=360)
    shown = page.open(panel, "ko")
    assert shown.evaluate("document.documentElement.scrollWidth") <= 360
    shown.close()


def test_a_panel_is_usable_within_8_megabytes(browser, address):
    context = browser.new_context()
    shown = context.new_page()
    sizes = []
    shown.on(
        "response",
        lambda x: sizes.append(int(x.headers.get("content-length", 0))),
    )
    shown.goto(f"{address}#panel=gates")
    shown.wait_for_function(
        "document.body.dataset.ready === 'gates'", timeout=SECONDS
    )
    context.close()
    assert sum(sizes) < 8e6


def test_all_models_have_at_most_30_megabytes():
    files = (look_page.BUILT / "models").glob("*.gz")
    assert sum(file.stat().st_size for file in files) < 30e6


@pytest.mark.parametrize("panel", PANELS)
def test_every_control_is_reached_by_tab(page, panel):
    shown = page.open(panel)
    wanted = shown.evaluate(
        "[...document.querySelectorAll('a, button, select, input, textarea,"
        " summary')].filter((x) => x.tabIndex >= 0 && !x.disabled &&"
        " x.checkVisibility()).length"
    )
    shown.evaluate("document.activeElement.blur(); window.seen = new Set()")
    for _ in range(2 * wanted + 20):
        shown.keyboard.press("Tab")
        shown.evaluate(
            "document.activeElement.matches('a, button, select, input,"
            " textarea, summary') && seen.add(document.activeElement)"
        )
    assert shown.evaluate("seen.size") == wanted


# What is pressed after Tab has reached an element, and what the address says.
KEYS = {
    "gates": [
        ("textarea", ["End", "!"], "text=.*%21"),
        ("select", ["End"], ""),
    ],
    "forgetting": [("input[type=range]", ["ArrowRight"], "lag=")],
    "alignment": [
        ("input[type=text]", ["End", "Backspace"], "text="),
        ("button[data-key=luong]", ["Enter"], "model=luong"),
        ("input[type=range]", ["ArrowRight"], "step="),
    ],
    "heads": [
        ("textarea", ["End", "!"], "text=.*%21"),
        ("button[data-key=causal1]", ["Enter"], "causal=off"),
        ("button[data-key=token3]", ["Enter"], "token=3"),
        ("button[data-key=head0_2]", ["Space"], "layer=0&head=2"),
    ],
    "next": [
        ("input[type=text]", ["End", "e"], "text=.*e"),
        ("input[type=range]", ["ArrowRight"], "temperature=1.1"),
        ("button[data-key=best]", ["Enter"], "text=.*\\+"),
    ],
    "fill": [
        ("input[type=text]", ["End", "!"], "text=.*%21"),
        ("button[data-key=token2]", ["Enter"], "hidden=2"),
    ],
    "patches": [
        ("button[data-key=pixel0]", ["ArrowRight", "Enter"], "pixels=0"),
        ("button[data-key=patch2]", ["Enter"], "patch=2"),
    ],
}


@pytest.mark.parametrize("panel", PANELS)
def test_the_keyboard_alone_is_enough(page, panel):
    page.open(panel)
    other = "forgetting" if panel == "gates" else "gates"
    page.open(other).focus("#language")
    page.press(f"#tab-{panel}", "Enter")
    page.ready(panel)
    for selector, keys, address in KEYS[panel]:
        before = page.page.inner_text("#panel")
        page.press(f"#panel {selector}", *keys)
        page.page.wait_for_function(
            "([panel, part, old]) => location.hash.includes(panel)"
            " && location.hash.match(part)"
            " && document.querySelector('#panel').innerText !== old",
            arg=[f"panel={panel}", address, before],
            timeout=SECONDS // 4,
        )


def test_the_keyboard_alone_moves_through_the_letters(page):
    shown = page.open("gates")
    shown.focus(".letters button[tabindex='0']")
    shown.keyboard.press("Home")
    shown.keyboard.press("ArrowRight")
    shown.keyboard.press("ArrowRight")
    title = shown.inner_text(".explain h3")
    assert title.startswith("Step 3,")
    assert "step=2" in shown.url


ODD = "", "가" * 500, "a b " * 125, "🙂👨‍👩‍👧 é ﷽", "\u0000\ud800", "   "


@pytest.mark.parametrize("panel", TYPED)
@pytest.mark.parametrize("text", ODD)
def test_odd_texts_give_a_message_and_no_exception(page, panel, text):
    shown = page.open(panel)
    field = shown.locator("#panel .field.wide").locator("input, textarea")
    field.evaluate(
        "(box, text) => { box.value = text;"
        " box.dispatchEvent(new InputEvent('input')); }",
        text,
    )
    if panel == "gates" and text == "   ":  # a space is a letter
        shown.wait_for_timeout(2500)
        return
    shown.wait_for_function(
        "document.querySelector('#message').textContent !== ''",
        timeout=SECONDS,
    )


def test_an_empty_image_gives_a_message(page):
    shown = page.open("patches")
    shown.click("text=Clear")
    shown.wait_for_function(
        "document.querySelector('#message').textContent !== ''"
    )


@pytest.mark.parametrize("panel", TYPED)
def test_korean_is_read_once_per_syllable(page, panel):
    shown = page.open(panel, "ko")
    field = shown.locator("#panel .field.wide").locator("input, textarea")
    field.evaluate(COMPOSE)
    shown.wait_for_function("window.texts.length > 0", timeout=SECONDS)
    shown.wait_for_timeout(1000)
    assert set(shown.evaluate("window.texts")) == {"1986년"}
    assert "1986%EB%85%84" in shown.url


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_nothing_moves_for_readers_who_prefer_that(page, motion):
    page.page.emulate_media(reduced_motion=motion)
    shown = page.open("next")
    moving = shown.eval_on_selector_all(
        "*",
        "all => all.map((x) => getComputedStyle(x)).filter((x) =>"
        " x.transitionDuration !== '0s' || x.animationName !== 'none').length",
    )
    assert (moving > 0) == (motion == "no-preference")


@pytest.mark.parametrize("panel", PANELS)
def test_pictures_have_names_and_a_table(page, panel):
    shown = page.open(panel)
    names = shown.eval_on_selector_all(
        "#panel canvas, #panel svg",
        "all => all.map((x) => x.getAttribute('aria-label'))",
    )
    assert all(names)
    shown.click("details.table summary")
    shown.wait_for_selector("details.table tbody tr")
    numbers = shown.locator("details.table td").all_inner_texts()
    assert any(re.fullmatch(r"−?\d+\.\d+", x) for x in numbers)
    headed = shown.locator("details.table th[scope=row]").count()
    assert headed == shown.locator("details.table tbody tr").count()


def test_the_address_brings_a_state_back(page):
    shown = page.open("gates", text="abc", cell="gru", unit="7", step="1")
    assert shown.input_value("#panel textarea") == "abc"
    assert shown.inner_text(".explain h3").startswith("Step 2,")
    assert shown.input_value("select") == "7"


def test_languages_change_in_place(page):
    shown = page.open("alignment")
    shown.click("#language")
    shown.wait_for_function("document.documentElement.lang === 'ko'")
    page.ready("alignment")
    assert "번역" in shown.inner_text("h2")


def test_untrained_weights_give_other_numbers(page):
    shown = page.open("alignment")
    trained = shown.inner_text(".answers")
    shown.click("text=untrained")
    shown.wait_for_function(
        "(old) => document.querySelector('.answers').innerText !== old",
        arg=trained,
        timeout=SECONDS,
    )


def test_every_text_of_the_page_has_both_languages(page):
    shown = page.open("gates")
    missing = shown.evaluate(
        "import('./words.js').then((x) => Object.entries(x.every).filter("
        "([, pair]) => pair.length !== 2 || pair.includes('')))"
    )
    assert missing == []


@pytest.mark.parametrize("panel", PANELS)
def test_links_to_lessons_exist(page, panel):
    shown = page.open(panel)
    links = shown.eval_on_selector_all(
        ".explain a", "all => all.map((x) => x.getAttribute('href'))"
    )
    assert links
    for link in links:
        name = re.fullmatch(r"\.\./en/tutorials/(\w+)\.html", link).group(1)
        assert (look_page.BUILT.parents[1] / f"tutorials/{name}.py").exists()
