"""Open the pages of build/site in Chromium, and note what they do."""

import dataclasses
import functools
import http.server
import pathlib
import shutil
import threading

ROOT = pathlib.Path(__file__).parent.parent
SITE = ROOT / "build" / "site"
AXE = ROOT / "build" / "axe-core" / "package" / "axe.min.js"
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


@dataclasses.dataclass
class Visit:
    """What a page did when it was opened."""

    errors: list  # of the console, and uncaught exceptions
    outside: list  # requests to another host
    missing: list  # answers that were not found
    too_wide: int  # pixels by which the page scrolls sideways at 360
    twin: str  # the address of the same page in the other language


def chromium():
    """Return the path of an installed Chromium, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


def serve(folder):
    """Serve a folder at the loopback address; return the server."""
    handler = functools.partial(Quiet, directory=folder)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def pages():
    """List the pages of the site: "index.html", "en/index.html" and so on.

    The page that looks inside models has tests of its own.
    """
    found = [path.relative_to(SITE).as_posix() for path in SITE.rglob("*.html")]
    return sorted(n for n in found if "/_" not in n and n[:5] != "look/")


def visit(page, base, name):
    """Open a page in a window of 360 pixels; return what was noted."""
    noted = Visit([], [], [], 0, "")
    handlers = {
        "console": lambda m: m.type == "error" and noted.errors.append(m.text),
        "pageerror": lambda error: noted.errors.append(str(error)),
        "request": lambda r: (
            r.url.startswith((base, "data:", "blob:"))
            or noted.outside.append(r.url)
        ),
        "response": lambda r: r.status >= 400 and noted.missing.append(r.url),
    }
    for event, handler in handlers.items():
        page.on(event, handler)
    page.goto(base + name, timeout=60_000)
    noted.too_wide = page.evaluate(
        "document.documentElement.scrollWidth - innerWidth"
    )
    link = page.query_selector("article .twin-link, .sidebar-language a")
    noted.twin = link.evaluate("a => a.href") if link else ""
    for event, handler in handlers.items():
        page.remove_listener(event, handler)
    return noted


def accessibility(page, address):
    """Return the critical and serious violations that axe-core finds."""
    page.goto(address)
    page.evaluate(AXE.read_text("utf-8"))
    found = page.evaluate("axe.run().then(results => results.violations)")
    return [
        f"{rule['id']}: {rule['nodes'][0]['html'][:200]}"
        for rule in found
        if rule["impact"] in ("critical", "serious")
    ]


def search(page, base, language, query):
    """Return the pages of the first three results of a search."""
    page.goto(f"{base}{language}/search.html")
    page.fill("input[name=q]", query)
    page.press("input[name=q]", "Enter")
    page.wait_for_selector("#search-results li", timeout=60_000)
    links = page.eval_on_selector_all(
        "#search-results li > a:first-of-type", "all => all.map(a => a.href)"
    )
    start = f"{base}{language}/"
    return [
        link.removeprefix(start).partition("#")[0].partition("?")[0]
        for link in links[:3]
    ]
