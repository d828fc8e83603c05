"""Build the site: build/site/en and build/site/ko.

    make site

Nothing is trained and nothing is downloaded. `docs.sources` assembles the
pages of each language; Sphinx makes HTML of them, both languages at once.
"""

import hashlib
import os
import shutil
import subprocess
import sys

from docs import api
from docs.notebooks import ROOT
from docs.sources import assemble, catalogs

SITE, WORK = ROOT / "build" / "site", ROOT / "build" / "sphinx"
LOOK = ROOT / "build" / "look"
LANGUAGES = ("en", "ko")
HOME = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>keras_seq</title>
<link rel="icon" href="en/_static/favicon.svg">
<meta name="viewport" content="width=device-width, initial-scale=1">
<script>
const korean = navigator.language.startsWith("ko");
location.replace((korean ? "ko" : "en") + "/index.html");
</script>
<main><h1>keras_seq</h1>
<p><a href="en/index.html">English</a></p>
<p lang="ko"><a href="ko/index.html">한국어</a></p></main>
</html>
"""
NO_LOOK = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Look inside</title>
<link rel="icon" href="../en/_static/favicon.svg">
<meta name="viewport" content="width=device-width, initial-scale=1">
<main><h1>Look inside</h1>
<p>This copy of the site was built without the look-inside page.
<code>make look</code> opens it.</p>
<p lang="ko">이 사이트에는 ‘모델 속 들여다보기’ 페이지가 들어 있지 않습니다.
<code>make look</code>으로 열 수 있습니다.</p>
<p><a href="../en/index.html">English</a>
<a href="../ko/index.html" lang="ko">한국어</a></p></main>
</html>
"""


def write(folder, files):
    """Write files that have changed, and remove those that are not there."""
    for path in folder.rglob("*") if folder.exists() else ():
        if path.is_file() and str(path.relative_to(folder)) not in files:
            path.unlink()
    for name, content in files.items():
        path = folder / name
        content = content.encode() if isinstance(content, str) else content
        if not path.exists() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def sphinx(language):
    """Return the command that makes the HTML of a language."""
    folder = WORK / language
    return [
        *(sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going"),
        *("-b", "html", "-c", ROOT / "docs", "-D", f"language={language}"),
        *("-d", folder / "doctrees", folder / "source", folder / "html"),
    ]


def begin_anew_if_tools_changed():
    """Remove what was built by other scripts, templates or settings.

    Sphinx builds again only what belongs to changed pages and docstrings.
    """
    docs = ROOT / "docs"
    tools = [*docs.glob("*.py"), *(docs / "_templates").rglob("*.html")]
    digest = hashlib.sha256()
    for path in sorted(tools):
        digest.update(path.read_bytes())
    known = WORK / "tools"
    if not known.exists() or known.read_text("utf-8") != digest.hexdigest():
        shutil.rmtree(WORK, ignore_errors=True)
        WORK.mkdir(parents=True)
        known.write_text(digest.hexdigest(), "utf-8")


def publish(work, look, site):
    """Copy the HTML of each language, and the look-inside page, to a folder.

    Args:
        work: Path, with a folder `html` for each language.
        look: Path of the look-inside page; if it does not exist, a page
            says so in its place.
        site: Path, is made anew.
    """
    shutil.rmtree(site, ignore_errors=True)
    ignored = shutil.ignore_patterns("_sources", ".*", "objects.inv")
    for language in LANGUAGES:
        html = work / language / "html"
        shutil.copytree(html, site / language, ignore=ignored)
    if look.is_dir():  # built by `make look ARGS=build`
        shutil.copytree(look, site / "look")
    else:
        (site / "look").mkdir()
        (site / "look" / "index.html").write_text(NO_LOOK, "utf-8")
    (site / "index.html").write_text(HOME, "utf-8")


def main():
    begin_anew_if_tools_changed()
    write(WORK / "locale", catalogs("ko"))
    reference = {f"{name}.md": text for name, text in api.pages().items()}
    builds = []
    for language in LANGUAGES:
        write(WORK / language / "source", assemble(language) | reference)
        builds.append(subprocess.Popen(sphinx(language), cwd=ROOT))
    failed = max(build.wait() for build in builds)
    publish(WORK, LOOK, SITE)
    seconds = sum(os.times()[:4])  # of processors, Sphinx's included
    (WORK / "seconds").write_text(f"{seconds:.0f}\n", "utf-8")
    print(f"{SITE / 'index.html'}: {seconds:.0f} s on one processor")
    sys.exit(failed)


if __name__ == "__main__":
    main()
