"""Python's own documentation: real English that every Python brings along.

`help("assert")` prints one of some 80 documents that stand in the standard
library as `pydoc_data.topics`: 0.46 million characters about the language,
free to read without a download. Their licence is Python's (PSF-2.0). Each
Python version has its own texts, so figures differ a little between them.

The documents repeat each other: a fifth of the characters are in paragraphs
that stand in two documents. A paragraph of a test document is therefore
taken out of every training document, or a test would reward learning by
heart.
"""

import re
import unicodedata
from pydoc_data.topics import topics

from keras_seq.checks import one_of
from keras_seq.data.splits import SPLITS

# A paragraph begins like a sentence (after a bullet or a footnote's number)
# and ends like one; titles, signatures and code do not.
PROSE = re.compile(
    r"(?:(?:\*|\d+\.|\[\d+\])\s+)?"
    r'((?:["“‘(A-Z]|\*\S).*\s.*[.:!?][”")]*)',
    re.DOTALL,
)
CODE = re.compile(r">>>|::=|\| |[*=~-]{4}|^\s+\w+ = ", re.MULTILINE)
SENTENCE_END = re.compile(
    r"(?<!\be\.g\.)(?<!\bi\.e\.)(?:(?<=[.!?])|(?<=[.!?][”)]))\s+"
    r'(?=["“‘(*A-Z])'
)


def pydocs(split=None):
    """Load the documents of Python's `help()`, as they are printed.

    Every tenth document by name is a test document. A plain baseline for
    their characters is a trigram model counted on the training text.

    Args:
        split: "train", "test" or None for all. Default None.
    Returns:
        dict of name (str) -> document (str), sorted by name, in Unicode NFC.
        About 70 and 8 documents; those of "train" lack what "test" has too.
    Raises:
        ValueError: if `split` is another word.
    """
    one_of((None, *SPLITS), split=split)
    documents = {
        name: unicodedata.normalize("NFC", topics[name])
        for name in sorted(topics)
    }
    tests = {name: documents[name] for name in list(documents)[::10]}
    if split != "train":
        return documents if split is None else tests
    seen = {_flat(block) for text in tests.values() for block in _blocks(text)}
    rest = {
        name: "\n\n".join(b for b in _blocks(text) if _flat(b) not in seen)
        for name, text in documents.items()
        if name not in tests
    }
    return {name: text for name, text in rest.items() if text}


def pydocs_text(split="train"):
    """Load the prose of the documents as one string for a character model.

    Args:
        split: "train", "test" or None for all. Default "train".
    Returns:
        str in Unicode NFC, a paragraph per line, no paragraph twice; about
        240,000 and 24,000 characters.
    Raises:
        ValueError: if `split` is another word.
    """
    documents = pydocs(split).values()
    found = [text for document in documents for text in paragraphs(document)]
    return "\n".join(dict.fromkeys(found)) + "\n"


def paragraphs(document):
    """Take the prose out of a document.

    Args:
        document: str, one of `pydocs`.
    Returns:
        list of str, each a paragraph on one line, without titles, code,
        grammar, signatures and bullets.
    """
    prose = [
        PROSE.fullmatch(block.strip())
        for block in _blocks(document)
        if not CODE.search(block)
    ]
    return [_flat(match[1]) for match in prose if match]


def sentences(document):
    """Take the sentences out of a document.

    Args:
        document: str, one of `pydocs`.
    Returns:
        list of str, the sentences of `paragraphs(document)`.
    """
    return [
        sentence
        for paragraph in paragraphs(document)
        for sentence in split_sentences(paragraph)
    ]


def split_sentences(paragraph):
    """Cut English prose into sentences.

    Args:
        paragraph: str.
    Returns:
        list of str, cut where a mark that ends a sentence is followed by a
        capital, a quotation or a parenthesis.
    """
    return SENTENCE_END.split(paragraph)


def _blocks(document):
    return re.split(r"\n\s*\n", document.rstrip())


def _flat(block):
    return " ".join(block.split())
