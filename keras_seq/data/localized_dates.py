"""Dates: translate a date written in one of ten languages to ISO 8601.

    "Sonntag, 5. März 1950"  ->  "1950-03-05"
    "1950년 3월 5일 일요일"    ->  "1950-03-05"

The task is short and has one correct answer, and it needs an alignment that
is not monotonic: the year often comes last in the source and first in the
target, "März" becomes "03", and the weekday is ignored. Every date is written
field by field, so the correct alignment is known: the characters of the
source that each character of the answer comes from.

The formats are those of the Common Locale Data Repository (CLDR), from the
package Babel: the short, medium, long and full formats and some skeletons of
the languages of `names`, 110 formats in all. Ambiguous formats are left out:
years of two digits, years of whole weeks (Y: the last days of 1950 may belong
to 1951), and slashes (3/5/1950 is in May or in March). The other numeric
formats are unambiguous: "5.3.1950" and "5-3-1950" begin with the day in each
of the languages that use them, "1950. 3. 5." with the year.

A date of the years 1900 to 2099 is drawn first, then a language, then one of
its formats, each uniformly. One date in five is held out by a checksum of its
ISO form (58,502 training dates, 14,547 test dates), so that no date is in
both splits in any format. No text has two answers. Texts have 8 to 62
characters, 21 on average; one third has at most 15, one third at least 23.

Baselines, exact match with Babel 2.18: 0 for the answer to the nearest
training text, because every test date is new; 0.31 for copying the numbers
and replacing each month name by July.

Shapes: N dates.
License of the formats: Unicode License v3.
"""

import datetime
import re
import unicodedata
from functools import cache
from itertools import islice

import numpy as np

from keras_seq.checks import not_negative_int, one_of, positive_int
from keras_seq.data.locale_names import LANGUAGES
from keras_seq.data.splits import SPLITS, held_out

YEARS = range(1900, 2100)
# CLDR's names of formats: E weekday, G era ("AD"), MMM "Mar", MMMM "March".
SKELETONS = (
    *("yMd", "yMMdd", "yMEd", "yMEEEEd"),
    *("yMMMd", "yMMMEd", "yMMMEEEEd", "yMMMMd", "yMMMMEd"),
    *("GyMMMd", "GyMMMEd", "GyMMMEEEEd", "GyMMMMd", "GyMMMMEd"),
)
AMBIGUOUS = re.compile(r"/|Y|(?<!y)yy(?!y)")
# The field of each character of "1950-03-05"; a hyphen has no field.
ISO_FIELDS = "yyyy-MM-dd"


def dates(count, seed=0, split="train"):
    """Generate dates in ten languages, their ISO 8601 form and the alignment.

    Args:
        count: int > 0, number of dates N; at most ten for each date of the
            split.
        seed: int >= 0, seed of the dates and formats. Default 0.
        split: str, "train" or "test". Default "train".
    Returns:
        texts: list of N different str in Unicode NFC, e.g. "5. März 1950".
        answers: list of N str of 10 characters, e.g. "1950-03-05".
        spans: int32 (N, 10, 2), for each character of the answer the part
            text[begin:end] that it comes from: the year, month or day of a
            digit, the empty span (0, 0) of a hyphen.
    Raises:
        ImportError: if Babel is not installed.
        ValueError: if an argument is out of range.
    Example:
        >>> from keras_seq import data
        >>> texts, answers, spans = data.dates(3)
        >>> len(texts), len(answers[0]), spans.shape
        (3, 10, (3, 10, 2))
    """
    positive_int(count=count)
    not_negative_int(seed=seed)
    one_of(SPLITS, split=split)
    days = dates_of_split(split)
    if count > 10 * len(days):
        raise ValueError(
            f"`count` must be at most {10 * len(days)}, ten for each date of "
            f"split={split!r}. Received count={count}."
        )
    drawn = _draw(count, np.random.default_rng(seed), days)
    answers, spans = zip(*drawn.values())
    return list(drawn), list(answers), np.array(spans, dtype="int32")


def _draw(count, rng, days):
    """Draw `count` different texts: dict of text -> (answer, spans)."""
    formats = date_formats()
    found = {}  # a dict keeps each text once, in the order drawn
    while len(found) < count:
        chosen = rng.random((count, 3)) * (len(days), len(LANGUAGES), 1)
        for day, language, style in chosen.tolist():
            patterns = formats[LANGUAGES[int(language)]]
            pattern = patterns[int(style * len(patterns))]
            date = days[int(day)]
            text, spans = write_date(date, LANGUAGES[int(language)], pattern)
            found[text] = date.isoformat(), spans
    return dict(islice(found.items(), count))


@cache
def dates_of_split(split):
    """List the dates of a split in order: list of datetime.date."""
    first = datetime.date(YEARS.start, 1, 1).toordinal()
    after = datetime.date(YEARS.stop, 1, 1).toordinal()
    every = (datetime.date.fromordinal(day) for day in range(first, after))
    return [d for d in every if SPLITS[held_out(d.isoformat())] == split]


@cache
def date_formats():
    """List the unambiguous formats of each language, split into fields.

    Returns:
        dict of language -> list of formats. A format is a tuple of pairs
        (field, text): ("y", "y"), ("M", "MMMM"), ("d", "dd"), and ("", ". ")
        for the literal text between two fields.
    """
    try:
        from babel import Locale
        from babel.dates import tokenize_pattern
    except ImportError as error:
        raise ImportError(
            'dates() needs Babel: pip install "keras_seq[tutorials]"'
        ) from error
    formats = {}
    for language in LANGUAGES:
        locale = Locale.parse(language)
        patterns = [str(value) for value in locale.date_formats.values()]
        skeletons = locale.datetime_skeletons
        patterns += [str(skeletons[s]) for s in SKELETONS if s in skeletons]
        clear = [
            tuple(_field(*token) for token in tokenize_pattern(pattern))
            for pattern in patterns
            if not AMBIGUOUS.search(pattern)
        ]
        wide = [_widened(fields) for fields in clear if ("G", "G") in fields]
        formats[language] = list(dict.fromkeys(clear + wide))
    return formats


def _field(kind, value):
    """Convert a token of Babel: ("field", ("M", 4)) or ("chars", ". ")."""
    return ("", value) if kind == "chars" else (value[0], value[0] * value[1])


def _widened(fields):
    """Replace abbreviated fields by full ones, as CLDR's rules allow."""
    longer = {"E": "EEEE", "MMM": "MMMM", "G": "GGGG"}
    return tuple((name, longer.get(value, value)) for name, value in fields)


def write_date(date, language, pattern):
    """Write a date field by field and record the span of each field.

    Args:
        date: datetime.date.
        language: str, one of `LANGUAGES`.
        pattern: tuple of pairs, one of `date_formats()[language]`.
    Returns:
        text: str in Unicode NFC.
        spans: list of 10 pairs (begin, end), one for each character of
            `ISO_FIELDS`.
    """
    from babel.dates import DateTimeFormat

    fields = DateTimeFormat(date, language)
    text, spans = "", {"-": (0, 0)}
    for name, value in pattern:
        piece = unicodedata.normalize("NFC", fields[value] if name else value)
        # CLDR uses L for the stand-alone form of a month, e.g. in Finnish.
        spans["M" if name == "L" else name] = len(text), len(text + piece)
        text += piece
    return text, [spans[field] for field in ISO_FIELDS]
