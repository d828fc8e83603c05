"""Build the page: models, onnxruntime-web and the static files in one folder.

build/look/index.html ...      the page, as in look/page
build/look/palette.css         the colors of the diagrams
build/look/ort/                onnxruntime-web, from npm
build/look/models/             see `exports`
"""

import functools
import gzip
import http.server
import pathlib
import shutil
import subprocess
import typing

from diagrams.palette import variables
from look.exports import MANIFEST, export_all, write_json

PAGE = pathlib.Path(__file__).parent / "page"
PACKAGES = pathlib.Path(__file__).parent / "package.json"
BUILT = pathlib.Path("build/look")
NPM = pathlib.Path("build/npm")
ORT = "node_modules/onnxruntime-web/dist"
WASM = "ort-wasm-simd-threaded.wasm"


def install():
    """Install the npm packages, unless they are there."""
    if (NPM / ORT).is_dir():
        return
    NPM.mkdir(parents=True, exist_ok=True)
    shutil.copy(PACKAGES, NPM)
    subprocess.run(
        ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund"],
        cwd=NPM,
        check=True,
    )


def palette_css():
    """Return the colors of the diagrams as CSS variables, light and dark."""
    light, dark = (
        "".join(f"--{name}:{color};" for name, color in variables(k).items())
        for k in (False, True)
    )
    return (
        f":root{{{light}}}\n"
        f"@media (prefers-color-scheme:dark){{:root{{{dark}}}}}\n"
    )


def copy_page(folder=BUILT):
    """Copy the static files: a second is enough after a change of the page."""
    shutil.copytree(PAGE, folder, dirs_exist_ok=True)
    (folder / "palette.css").write_text(palette_css(), encoding="utf-8")


def copy_runtime(folder=BUILT):
    """Copy onnxruntime-web; its wasm is gzipped, from 14 MB to 4."""
    ort = folder / "ort"
    ort.mkdir(parents=True, exist_ok=True)
    shutil.copy(NPM / ORT / "ort.wasm.bundle.min.mjs", ort)
    packed = ort / f"{WASM}.gz"
    if not packed.exists():
        wasm = (NPM / ORT / WASM).read_bytes()
        packed.write_bytes(gzip.compress(wasm, 9, mtime=0))
    return packed.stat().st_size


def build(folder=BUILT):
    """Build everything."""
    install()
    copy_page(folder)
    size = copy_runtime(folder)
    manifest = export_all(folder / "models")
    manifest["runtime"] = {"bytes": size}
    write_json(manifest, folder / "models" / MANIFEST)


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serve files; .mjs is a script, and nothing is logged."""

    extensions_map: typing.ClassVar = {
        **http.server.SimpleHTTPRequestHandler.extensions_map,
        ".mjs": "text/javascript",
        ".gz": "application/octet-stream",
    }

    def log_message(self, *args):
        pass


def server(folder=BUILT, port=8000):
    """Return a server of the built page at the loopback address."""
    handler = functools.partial(Handler, directory=str(folder))
    return http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
