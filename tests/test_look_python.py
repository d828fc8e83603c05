"""The Python that the look-inside page shows: `make test-look`."""

import re

import pytest

from tests import look_page
from tests.look_page import (
    KINDS,
    PANELS,
    opened,
    power_shown_as,
    run,
    shown_as,
    to_numpy,
)

pytestmark = look_page.marks()


@pytest.fixture(scope="module")
def page():
    with look_page.page_without_panel() as found:
        yield found


PROGRAMS = [("alignment", kind) for kind in KINDS] + [
    (panel, None) for panel in PANELS if panel != "alignment"
]


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("panel, model", PROGRAMS)
def test_the_python_that_is_shown_gives_the_numbers(
    page, panel, model, language
):
    state = "" if model is None else f"&model={model}"
    opened(page, panel, f"lang={language}{state}")
    program, text = (page.inner_text(f".explain {x}") for x in ("pre", "dl"))
    given = re.compile("(text|image) = .*\\n")
    assert max(map(len, given.sub("", program).split("\n"))) <= 44  # the box
    value = run(program)
    if panel == "forgetting":
        assert power_shown_as(value) in text.split("\n")[1]
    elif panel == "next":
        assert to_numpy(value.ids).size == 4
    elif panel == "fill":
        assert shown_as(value[0][1]) in text
    elif model == "seq2seq":
        assert shown_as(to_numpy(value).ravel()[0]) in text
    elif panel == "gates":
        assert shown_as(to_numpy(value)) in text
    else:  # the largest weight or share
        assert shown_as(to_numpy(value).max()) in text


@pytest.mark.parametrize(
    "panel, state",
    [("forgetting", "weights=trained"), ("fill", "hidden=2")],
)
def test_the_python_of_another_state_gives_the_numbers(page, panel, state):
    opened(page, panel, state)
    value, text = run(page.inner_text("pre")), page.inner_text(".explain dl")
    if panel == "forgetting":
        assert power_shown_as(value) in text.split("\n")[1]
    else:
        assert shown_as(value[1][0]) in text


@pytest.mark.parametrize(
    "panel, state",
    [
        *((x, "weights=untrained") for x in ("gates", "heads", "patches")),
        *((x, "weights=untrained") for x in ("alignment", "fill")),
        *(("heads", f"{switch}=off") for switch in ("causal", "positions")),
        *((x, f"text={'and+' * 80}") for x in ("heads", "next")),
    ],
)
def test_no_python_is_shown_for_numbers_it_would_not_give(page, panel, state):
    opened(page, panel, state)
    assert page.locator(".explain").count() == 1
    assert page.locator(".explain pre").count() == 0
