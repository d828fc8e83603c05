"""Names in ten languages: classify a name by its language.

    "Spain" en    "Spanien" de    "España" es    "Espagne" fr    "İspanya" tr

The package Babel contains the Common Locale Data Repository (CLDR) of the
Unicode Consortium: the name of every country, language, currency and month in
every language. Nine of the ten languages use Latin letters, so that a
classifier has to learn sequences of letters; the tenth is Korean.

A name that two of the languages share, such as "Angola", is left out. About
8,400 names remain. One in five is held out by a checksum of the name.

Baselines, accuracy with Babel 2.18: 0.12 for always answering the most
frequent language; counts of character 1-grams to 3-grams with naive Bayes
0.75, with logistic regression 0.82.

Shapes: N names.
License of the data: Unicode License v3.
"""

import unicodedata
from collections import Counter

import numpy as np

from keras_seq.checks import one_of
from keras_seq.data.splits import SPLITS, held_out

LANGUAGES = ("de", "en", "es", "fi", "fr", "it", "ko", "nl", "pl", "tr")


def names(split="train", languages=LANGUAGES):
    """Load names of countries, languages, currencies and months.

    Args:
        split: str, "train" or "test". Default "train".
        languages: sequence of str, codes of Babel's locales. Default
            `LANGUAGES`.
    Returns:
        texts: list of N str in Unicode NFC, sorted by code point.
        labels: int32 (N,), the index of the language in `languages`.
    Raises:
        ImportError: if Babel is not installed.
        ValueError: if `split` or a language is unknown, or a language is
            repeated.
    Example:
        >>> from keras_seq import data
        >>> texts, labels = data.names("train", ("de", "ko"))
        >>> labels[texts.index("한국어")].item()
        1
    """
    one_of(SPLITS, split=split)
    if not languages or len(set(languages)) < len(languages):
        raise ValueError(
            "`languages` must be one or more codes without repetition. "
            f"Received languages={languages!r}."
        )
    by_language = [_names_of(language) for language in languages]
    uses = Counter(name for found in by_language for name in found)
    labeled = sorted(
        (name, label)
        for label, found in enumerate(by_language)
        for name in found
        if uses[name] == 1 and SPLITS[held_out(name)] == split
    )
    texts = [name for name, _ in labeled]
    return texts, np.array([label for _, label in labeled], dtype="int32")


def _names_of(language):
    """Collect the names of a language: a set of str in NFC."""
    try:
        from babel import Locale
        from babel.localedata import locale_identifiers
    except ImportError as error:
        raise ImportError(
            'names() needs Babel: pip install "keras_seq[tutorials]"'
        ) from error
    if language not in locale_identifiers():
        raise ValueError(
            "`languages` must be codes of Babel's locales. "
            f"Received language={language!r}."
        )
    locale = Locale.parse(language)
    months = locale.months["stand-alone"]["wide"]
    tables = [locale.territories, locale.languages, locale.currencies, months]
    return {
        unicodedata.normalize("NFC", name)
        for table in tables
        for name in table.values()
    }
