"""The configuration of Sphinx; `make site` runs it for each language.

Pages are assembled by docs/website.py; `-D language=ko` selects Korean.
"""

import json
import re
from pathlib import Path

import keras_seq
from docs import docstrings, korean_search, translation

DOCS = Path(__file__).parent

project = "keras_seq"
author = "The keras_seq contributors"
copyright = author
version = release = keras_seq.__version__
language = "en"
locale_dirs = ["../../locale"]  # copied there by website.py
gettext_compact = False
gettext_additional_targets = ["image"]
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
smartquotes = False
exclude_patterns = ["downloads"]
html_title = "keras_seq"
html_theme = "furo"
html_static_path = ["_static"]
templates_path = ["_templates"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_favicon = "_static/favicon.svg"
html_copy_source = False
html_use_index = False
html_show_sphinx = False
html_search_scorer = str(DOCS / "_static" / "scorer.js")
html_sidebars = {
    "**": [
        "sidebar/brand.html",
        "sidebar/search.html",
        "sidebar/language.html",
        "sidebar/scroll-start.html",
        "sidebar/navigation.html",
        "sidebar/scroll-end.html",
    ]
}
html_theme_options = {"top_of_page_buttons": []}
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"

# Notebooks are executed by docs/pages.py, never here.
nb_execution_mode = "off"
nb_merge_streams = True
nb_render_markdown_format = "commonmark"
myst_heading_anchors = 4
myst_enable_extensions = ["attrs_block", "attrs_inline", "colon_fence"]

# In docstrings `name` is code.
default_role = "literal"
autodoc_member_order = "bysource"
autodoc_typehints = "none"
napoleon_numpy_docstring = False
napoleon_custom_sections = [
    ("Call arguments", "params_style"),
    ("Returned values", "params_style"),
]


def describe_pictures(app, doctree):
    """Give the pictures of a notebook their captions as alternative texts.

    MyST-NB names the file of a picture by the SHA-256 of its bytes and does
    not read the text in the metadata of the output.
    """
    path = Path(app.env.doc2path(app.env.docname))
    if path.suffix != ".ipynb":
        return
    captions = json.loads(path.with_suffix(".captions").read_text("utf-8"))
    for picture in doctree.findall(lambda node: node.tagname == "image"):
        name = Path(picture["uri"]).stem
        if name in captions:
            picture["alt"] = captions[name]


def add_to_context(app, page, template, context, doctree):
    """Link the twin in the other language; mend furo's navigation."""
    korean = app.config.language == "ko"
    up = "../" * (page.count("/") + 1)
    context["twin"] = {
        "language": "en" if korean else "ko",
        "name": "English" if korean else "한국어",
        "url": f"{up}{'en' if korean else 'ko'}/{page}.html",
    }
    tree = context.get("furo_navigation_tree", "")
    # A checkbox says by itself whether it is checked; a heading has a level.
    tree = tree.replace(' role="switch"', "")
    tree = tree.replace('role="heading"', 'role="heading" aria-level="2"')
    if korean:
        tree = re.sub(r"Toggle navigation of ([^\"]*)", r"\1: 펼치기", tree)
    context["furo_navigation_tree"] = tree


def setup(app):
    app.add_search_language(korean_search.SearchKorean)
    app.connect("doctree-read", describe_pictures)
    # After furo's own, which makes the navigation.
    app.connect("html-page-context", add_to_context, priority=900)
    docstrings.setup(app)
    translation.setup(app)
