"""The address of the repository: `url` of setup.cfg, if there is one."""

import configparser
from pathlib import Path

ROOT = Path(__file__).parent.parent


def address():
    """Return the address, for example https://github.com/OWNER/NAME, or ""."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", "utf-8")
    return setup.get("metadata", "url", fallback="").rstrip("/")


def blob(file):
    """Return the address of a file of the repository, or ""."""
    return f"{address()}/blob/main/{file}" if address() else ""


def colab(name, language):
    """Return the address that opens a lesson in Colab, or ""."""
    start = "https://github.com/"
    if not address().startswith(start):
        return ""
    folder = "docs/executed/" + ("ko/" if language == "ko" else "")
    return (
        "https://colab.research.google.com/github/"
        f"{address().removeprefix(start)}/blob/main/{folder}{name}.ipynb"
    )
