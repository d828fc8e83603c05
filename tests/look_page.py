"""The built look-inside page in headless Chromium, for its tests."""

import ast
import contextlib
import os
import pathlib
import re
import shutil
import threading

import keras
import numpy as np
import pytest

BUILT = pathlib.Path("build/look")
AXE = pathlib.Path("build/axe-core/package/axe.min.js")
PANELS = (
    "gates",
    "forgetting",
    "alignment",
    "heads",
    "next",
    "fill",
    "patches",
)
NEEDS = {"heads": "gpt", "next": "gpt", "fill": "bert", "patches": "digits_vit"}
KINDS = ("seq2seq", "bahdanau", "luong", "transformer")
TYPED = ("gates", "alignment", "heads", "next", "fill")
SECONDS = 60_000  # milliseconds a panel may take on a busy machine

# Milliseconds from a keystroke to the last change of the panel, for each
# beginning of a text. A panel that draws twice (the beam search after the
# bars) has come to rest when it did not change for half a second.
KEYSTROKES = """async ([selector, values]) => {
  const pause = (wait) => new Promise((done) => setTimeout(done, wait));
  const times = [];
  for (const value of values) {
    const field = document.querySelector(selector);
    let start = performance.now(), last = 0;
    const watch = new MutationObserver(() => { last = performance.now(); });
    watch.observe(document.querySelector("#panel"),
      {childList: true, subtree: true});
    field.value = value;
    field.dispatchEvent(new InputEvent("input"));
    while (!last || performance.now() - last < 500) await pause(20);
    watch.disconnect();
    times.push(last - start);
  }
  return times; }"""

# Composition events of a browser that sends three jamo of one syllable.
COMPOSE = """(box) => {
  window.texts = [];
  const replace = history.replaceState.bind(history);
  history.replaceState = (data, unused, url) => {
    window.texts.push(new URLSearchParams(url.slice(1)).get("text"));
    replace(data, unused, url);
  };
  const event = (kind, composing) => box.dispatchEvent(kind === "input"
    ? new InputEvent("input", {isComposing: composing})
    : new CompositionEvent(kind));
  event("compositionstart");
  for (const jamo of ["1986ㄴ", "1986녀", "1986년"]) {
    box.value = jamo;
    event("input", true);
  }
  event("compositionend"); }"""


def why_not():
    """Return why the page cannot be tested here, or None."""
    if not os.environ.get("KERAS_SEQ_LOOK"):
        return "runs in a browser: make test-look"
    if not (BUILT / "models/manifest.json").exists():
        return "the page is not built: make look ARGS=build"
    if chromium() is None:
        return "Chromium is not installed"
    return None


def marks():
    """Return the marks of a module of tests that needs the built page."""
    reason = why_not()
    return [
        pytest.mark.tensorflow_only,
        pytest.mark.skipif(reason is not None, reason=str(reason)),
    ]


def chromium():
    names = ("chromium", "chromium-browser", "google-chrome")
    return next(filter(None, map(shutil.which, names)), None)


@contextlib.contextmanager
def served():
    """Serve the built page: the address of it."""
    from look.build import server

    running = server(BUILT, port=0)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{running.server_address[1]}/"
    running.shutdown()


@contextlib.contextmanager
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as running:
        found = running.chromium.launch(
            executable_path=chromium(), args=["--no-sandbox"]
        )
        yield found
        found.close()


class Page:
    """A page that remembers errors and the addresses it asked for."""

    def __init__(self, browser, address, width=1280):
        self.address, self.errors, self.asked = address, [], []
        size = {"width": width, "height": 900}
        self.page = browser.new_page(viewport=size)
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda one: self.asked.append(one.url))

    def _console(self, message):
        if message.type in ("error", "warning"):
            self.errors.append(message.text)

    def open(self, panel, language="en", **state):
        """Open a panel, and wait until it has drawn its default."""
        model = NEEDS.get(panel)
        if model and not (BUILT / f"models/{model}.onnx.gz").exists():
            pytest.skip(f"{model} is not trained: python -m look train")
        pairs = {"panel": panel, "lang": language, **state}
        text = "&".join(f"{key}={value}" for key, value in pairs.items())
        self.page.goto("about:blank")
        self.page.goto(f"{self.address}#{text}")
        self.ready(panel)
        return self.page

    def ready(self, panel):
        self.page.wait_for_function(
            f"document.body.dataset.ready === '{panel}'", timeout=SECONDS
        )

    def tab_to(self, selector, most=150):
        """Press Tab until the element with the focus matches a selector."""
        for _ in range(most):
            self.page.keyboard.press("Tab")
            if self.page.evaluate(
                "(x) => document.activeElement.matches(x)", selector
            ):
                return
        raise AssertionError(f"Tab does not reach {selector}")

    def press(self, selector, *keys):
        """Tab to an element and press keys."""
        self.tab_to(selector)
        for key in keys:
            self.page.keyboard.press(key)


def opened(page, panel, state):
    """Open a panel with a state of the address."""
    base = page.url.partition("#")[0]
    page.goto("about:blank")
    page.goto(f"{base}#panel={panel}&{state}")
    page.wait_for_function(f"document.body.dataset.ready === '{panel}'")
    return page


def hangul(text):
    return re.search("[가-힣]", text) is not None


def of_both_languages(texts, count=25):
    """Return as many texts with Hangul as without."""
    korean = [text for text in texts if hangul(text)][:count]
    other = [text for text in texts if not hangul(text)][:count]
    assert len(korean) == len(other) == count
    return other + korean


def run(program):
    """Run lines of Python; return the value of the last one."""
    *first, last = ast.parse(program).body
    names = {}
    exec(compile(ast.Module(first, []), "shown", "exec"), names)
    return eval(compile(ast.Expression(last.value), "shown", "eval"), names)


def to_numpy(x):
    return keras.ops.convert_to_numpy(x)


def shown_as(value, digits=3):
    return f"{abs(float(value)):.{digits}f}"


def power_shown_as(value):
    """Return a small number as the panel on forgetting shows it."""
    if value >= 1e-3:
        return shown_as(value)
    digits, _, power = f"{value:.1e}".partition("e-")
    return f"{digits} · 10^−{int(power)}"


def expected_distribution(logits, temperature, top_k, top_p):
    """Return what `Sampling` draws from, from its definition: float (V,)."""
    p = np.exp((logits - logits.max()) / temperature)
    order = np.argsort(-p, kind="stable")[:top_k]
    p = p[order] / p[order].sum()
    keep = np.cumsum(p) - p < top_p
    found = np.zeros(len(logits))
    found[order[keep]] = p[keep] / p[keep].sum()
    return found


def arrays_of(name):
    """Return the larger arrays of an exported model: set of bytes, sorted."""
    import gzip

    import onnx

    blob = gzip.decompress((BUILT / f"models/{name}.onnx.gz").read_bytes())
    arrays = _arrays(onnx.load_from_string(blob).graph)
    return {np.sort(array, axis=None).tobytes() for array in arrays}


def _arrays(graph):
    from onnx import numpy_helper

    for tensor in graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.dtype == np.float16:
            yield array
    for node in graph.node:
        for attribute in node.attribute:
            yield from _arrays(attribute.g)


def arrays_in(path):
    """Return the weights of a file as `arrays_of` gives them.

    A converter writes the two rows of a GRU's bias alone, and the Transformer
    of the dates multiplies its embedding by the square root of its width, 8.
    """
    found = set()
    with np.load(path) as file:
        for name in file.files[1:]:
            weight = file[name]
            rows = list(weight) if len(weight) == 2 else []
            for array in (weight, 8 * weight, *rows):
                found.add(np.sort(array, axis=None).tobytes())
    return found


@contextlib.contextmanager
def page_without_panel():
    """Open the page without a panel, for scripts and programs."""
    with served() as address, browser() as running:
        found = Page(running, address)
        found.page.goto(f"{address}#panel=none")
        yield found.page
