"""All diagrams by name, and the table of their words."""

import pathlib

from diagrams import (
    alignment,
    attention,
    embedding,
    generation,
    pretraining,
    recurrent,
    transformer,
    translation,
    vision,
)
from diagrams.canvas import Canvas

HOME = pathlib.Path(__file__).parent
FOLDER = HOME.parent / "docs" / "diagrams"
LANGUAGES = ("en", "ko")
# name: (function, height)
DIAGRAMS = {
    **embedding.DIAGRAMS,
    **recurrent.DIAGRAMS,
    **translation.DIAGRAMS,
    **alignment.DIAGRAMS,
    **attention.DIAGRAMS,
    **transformer.DIAGRAMS,
    **generation.DIAGRAMS,
    **pretraining.DIAGRAMS,
    **vision.DIAGRAMS,
}


def read_words(language):
    """Read one language of words.tsv: a dict from keys to texts."""
    lines = (HOME / "words.tsv").read_text("utf-8").splitlines()
    rows = [line.split("\t") for line in lines[1:] if line]
    column = 1 + LANGUAGES.index(language)
    return {row[0]: row[column].replace("\\n", "\n") for row in rows}


def draw(name, language):
    """Return one diagram as SVG."""
    function, height = DIAGRAMS[name]
    canvas = Canvas(height, language, read_words(language))
    function(canvas)
    return canvas.svg(name)
