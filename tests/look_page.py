"""The built look-inside page in headless Chromium, for its tests."""

import contextlib
import os
import pathlib
import shutil
import threading

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
SECONDS = 60_000  # milliseconds a panel may take on a busy machine


def why_not():
    """Return why the page cannot be tested here, or None."""
    if not os.environ.get("KERAS_SEQ_LOOK"):
        return "runs in a browser: make test-look"
    if not (BUILT / "models/manifest.json").exists():
        return "the page is not built: make look ARGS=build"
    if chromium() is None:
        return "Chromium is not installed"
    return None


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

    def message(self):
        return self.page.inner_text("#message")
