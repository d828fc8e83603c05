"""Warn of messages of a page that have no Korean; `make site` then fails.

Not on pages that change with every measurement or experiment, where only
English is shown until it is translated; tests/test_site.py finds it there. The
pages of the API and the changelog stay English. The lessons are translated in
docs/notebooks.py, which raises an exception.
"""

import re

from babel.messages.pofile import read_po
from sphinx.transforms import SphinxTransform
from sphinx.util import logging
from sphinx.util.nodes import extract_messages

ENGLISH = re.compile(
    "(api|tutorials)/|(changelog|contributing|experiments|house"
    "|results|claims|speed)$"
)
# Code, targets of links, numbers with a unit.
NO_WORDS = re.compile(r"`[^`]*`|\]\([^)]*\)|\d (ms|MiB|tokens/s)$")
logger = logging.getLogger(__name__)


def messages(folder, name):
    """Return the English messages of the catalog of a page: set of str."""
    path = folder / f"{name}.po"
    if not path.exists():
        return set()
    return {
        message.id for message in read_po(path.open("rb")) if message.string
    }


class WarnOfEnglish(SphinxTransform):
    """Compare the messages of a page with its catalog."""

    default_priority = 15  # before Sphinx puts in the translations

    def apply(self, **kwargs):
        name = self.env.docname
        if self.config.language != "ko" or ENGLISH.match(name):
            return
        folder = self.env.srcdir / self.config.locale_dirs[0]
        known = messages(folder / "ko" / "LC_MESSAGES", name)
        for node, message in extract_messages(self.document):
            words = re.search("[A-Za-z]{2}", NO_WORDS.sub("", message))
            image = message.startswith(".. image::")
            if words and not image and message not in known:
                logger.warning("no Korean for %r", message, location=node)


def setup(app):
    app.add_transform(WarnOfEnglish)
