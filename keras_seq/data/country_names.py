"""Which language is this name? Spain, Spanien, España, Espagne, İspanya.

Babel carries the Unicode consortium's Common Locale Data Repository: every
country, language, currency and month by its name in every language. Ten
languages here, nine of them in Latin letters, so that the letters alone do not
tell, and Korean, which they do.
"""

import unicodedata
from collections import Counter

import numpy as np

from keras_seq.checks import one_of
from keras_seq.data.splits import SPLITS, held_out

LANGUAGES = ("de", "en", "es", "fi", "fr", "it", "ko", "nl", "pl", "tr")


def names(split="train", languages=LANGUAGES):
    """Load names of countries, languages, currencies and months.

    From the CLDR locales in Babel (Unicode licence 3.0). A name that two of
    the languages share, as "Angola", is left out; the others are about 8,400
    names, one in five of them held out by a checksum of the name. Baselines,
    accuracy with Babel 2.18: 0.12 for the commonest language always; counts
    of character 1-3-grams with naive Bayes 0.75, with logistic regression
    0.82.

    Args:
        split: "train" or "test". Default "train".
        languages: sequence of str, codes of Babel's locales. Default
            `LANGUAGES`.
    Returns:
        texts: list of N str in Unicode NFC, sorted by code point.
        labels: int32 (N,), the place of the name's language in `languages`.
    Raises:
        ImportError: if Babel is not installed.
        ValueError: if `split` or one of `languages` is unknown, or one of
            them is given twice.
    """
    one_of(SPLITS, split=split)
    if not languages or len(set(languages)) < len(languages):
        raise ValueError(
            "`languages` must be one or more, each once. Received "
            f"languages={languages!r}."
        )
    known = [_names_of(language) for language in languages]
    uses = Counter(name for own in known for name in own)
    labelled = sorted(
        (name, label)
        for label, own in enumerate(known)
        for name in own
        if uses[name] == 1 and SPLITS[held_out(name)] == split
    )
    texts = [name for name, _ in labelled]
    return texts, np.array([label for _, label in labelled], dtype="int32")


def _names_of(language):
    """Collect what a language calls countries, currencies and the like."""
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
    found = [locale.territories, locale.languages, locale.currencies, months]
    return {
        unicodedata.normalize("NFC", name)
        for table in found
        for name in table.values()
    }
