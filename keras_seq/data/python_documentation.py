"""Python's documentation: English prose that every installation contains.

The module `pydoc_data.topics` of the standard library has some 80 documents,
which `help("assert")` prints: 0.46 million characters about the language. Each
Python version has its own texts, so figures differ a little between them.

Every tenth document by name is a test document. A fifth of the characters are
in paragraphs that appear in two documents; a paragraph of a test document is
therefore removed from every training document, so that memorizing it does not
help.

Baseline: a character trigram model, counted on the training text.

License of the texts: PSF-2.0, as Python.
"""

import re
import unicodedata
from pydoc_data.topics import topics

from keras_seq.checks import one_of
from keras_seq.data.splits import SPLITS

# A paragraph begins like a sentence, after an optional bullet or footnote
# number, and ends like one; titles, signatures and code do not.
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
    """Load the documents that Python's `help()` prints.

    Args:
        split: optional str, "train", "test" or None for all. Default None.
    Returns:
        dict of name (str) -> document (str), sorted by name, in Unicode NFC;
        about 70 training and 8 test documents.
    Raises:
        ValueError: if `split` is unknown.
    Example:
        >>> from keras_seq import data
        >>> "assert" in data.pydocs()
        True
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
    """Load the prose of the documents as one string, for a character model.

    Args:
        split: optional str, "train", "test" or None for all. Default "train".
    Returns:
        str in Unicode NFC, one paragraph per line, without repeated
        paragraphs; about 240,000 training and 24,000 test characters.
    Raises:
        ValueError: if `split` is unknown.
    Example:
        >>> from keras_seq import data
        >>> data.pydocs_text("test").count("\\n") > 50
        True
    """
    documents = pydocs(split).values()
    found = [text for document in documents for text in paragraphs(document)]
    return "\n".join(dict.fromkeys(found)) + "\n"


def paragraphs(document):
    """Extract the prose of a document.

    Args:
        document: str, a value of `pydocs`.
    Returns:
        list of str, one paragraph each on one line, without titles, code,
        grammar, signatures and bullets.
    Example:
        >>> from keras_seq import data
        >>> data.paragraphs("Title\\n*****\\n\\nIt is\\nshort.\\n\\n   >>> x")
        ['It is short.']
    """
    prose = [
        PROSE.fullmatch(block.strip())
        for block in _blocks(document)
        if not CODE.search(block)
    ]
    return [_flat(match[1]) for match in prose if match]


def sentences(document):
    """Extract the sentences of a document.

    Args:
        document: str, a value of `pydocs`.
    Returns:
        list of str, the sentences of `paragraphs(document)`.
    Example:
        >>> from keras_seq import data
        >>> data.sentences("It is\\nshort. Is it?\\n")
        ['It is short.', 'Is it?']
    """
    return [
        sentence
        for paragraph in paragraphs(document)
        for sentence in split_sentences(paragraph)
    ]


def split_sentences(paragraph):
    """Split English prose into sentences.

    Args:
        paragraph: str.
    Returns:
        list of str. A sentence ends where ".", "!" or "?" is followed by a
        capital letter, a quotation mark or a parenthesis.
    Example:
        >>> from keras_seq import data
        >>> data.split_sentences("Add one, e.g. 2. Then stop.")
        ['Add one, e.g. 2.', 'Then stop.']
    """
    return SENTENCE_END.split(paragraph)


def _blocks(document):
    return re.split(r"\n\s*\n", document.rstrip())


def _flat(block):
    return " ".join(block.split())
