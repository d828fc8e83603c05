"""Dates as people write them in ten languages, and their ISO 8601 form.

    "Sonntag, 5. März 1950"  ->  "1950-03-05"
    "1950년 3월 5일 일요일"    ->  "1950-03-05"

The task is short, has one right answer, and cannot be done letter by letter:
the year often stands last and is wanted first, "März" becomes "03", the
weekday is to be passed over. As every date is written field by field, it is
known which characters of the source each character of the answer comes from.

The formats are those of the Unicode consortium's Common Locale Data
Repository, from Babel. Left out are those that do not tell the date: years of
two digits or of whole weeks (Y: the last days of 1950 may lie in 1951), and
slashes, as 3/5/1950 is in May or in March. Other numbers tell by their form:
"5.3.1950" and "5-3-1950" begin with the day in each of the languages that write
so, "1950. 3. 5." with the year.

Shapes: N dates.
"""

import datetime
import re
import unicodedata
from functools import cache
from itertools import islice

import numpy as np

from keras_seq.checks import not_negative_int, one_of, positive_int
from keras_seq.data.country_names import LANGUAGES
from keras_seq.data.splits import SPLITS, held_out

YEARS = range(1900, 2100)
# CLDR's names for what a format shows: E weekday, G era ("AD"), MMM "Mar".
SKELETONS = (
    *("yMd", "yMMdd", "yMEd", "yMEEEEd"),
    *("yMMMd", "yMMMEd", "yMMMEEEEd", "yMMMMd", "yMMMMEd"),
    *("GyMMMd", "GyMMMEd", "GyMMMEEEEd", "GyMMMMd", "GyMMMMEd"),
)
AMBIGUOUS = re.compile(r"/|Y|(?<!y)yy(?!y)")
# The field that writes each character of "1950-03-05"; none writes a hyphen.
ISO_FIELDS = "yyyy-MM-dd"


def dates(count, seed=0, split="train"):
    """Write dates in ten languages, with ISO 8601 and where it stands.

    From the CLDR locales in Babel (Unicode licence 3.0): the short, medium,
    long and full formats and some skeletons of the languages of `names`, 110
    formats in all. A date of the years 1900 to 2099 is drawn first, then a
    language, then one of its formats, each evenly. One date in five is held
    out by a checksum of its ISO form, 58,502 and 14,547 dates, so no date is
    in both splits, however it is written; and no text has two answers. Texts
    have 8 to 62 characters, 21 on average; a third has up to 15, a third has
    23 or more.

    Baselines, exact match, with Babel 2.18: 0 for the answer to the nearest
    training text, since every date is new; 0.31 for copying the numbers and
    calling each month that is a word July.

    Args:
        count: int > 0, number of dates N; at most ten for each date of the
            split.
        seed: int >= 0, which dates and formats are drawn. Default 0.
        split: "train" or "test". Default "train".
    Returns:
        texts: list of N different str in Unicode NFC, as "5. März 1950".
        answers: list of N str of 10 characters, as "1950-03-05".
        spans: int32 (N, 10, 2), for each character of the answer where in the
            text its field begins and ends, as text[begin:end]: of a digit the
            year, month or day it belongs to; of a hyphen the empty 0, 0.
    Raises:
        ImportError: if Babel is not installed.
        ValueError: if an argument is out of range.
    """
    positive_int(count=count)
    not_negative_int(seed=seed)
    one_of(SPLITS, split=split)
    days, formats = _days(split), _formats()
    if count > 10 * len(days):
        raise ValueError(
            f"`count` must be at most {10 * len(days)}, ten for each date of "
            f"split={split!r}. Received count={count}."
        )
    rng = np.random.default_rng(seed)
    found = {}  # a dict holds each text once, in the order drawn
    while len(found) < count:
        chosen = rng.random((count, 3)) * (len(days), len(LANGUAGES), 1)
        for day, language, style in chosen.tolist():
            known = formats[LANGUAGES[int(language)]]
            pattern = known[int(style * len(known))]
            date = days[int(day)]
            text, spans = _write(date, LANGUAGES[int(language)], pattern)
            found[text] = date.isoformat(), spans
    drawn = dict(islice(found.items(), count))
    answers, spans = zip(*drawn.values())
    return list(drawn), list(answers), np.array(spans, dtype="int32")


@cache
def _days(split):
    """List the dates of a split, from the first to the last."""
    first = datetime.date(YEARS.start, 1, 1).toordinal()
    after = datetime.date(YEARS.stop, 1, 1).toordinal()
    every = (datetime.date.fromordinal(day) for day in range(first, after))
    return [d for d in every if SPLITS[held_out(d.isoformat())] == split]


@cache
def _formats():
    """List the unambiguous formats of each language, in pieces.

    Returns:
        dict of language -> list of formats. A format is a tuple of pieces
        (name, text): ("y", "y"), ("M", "MMMM"), ("d", "dd"), other fields
        likewise, ("", ". ") for what stands between them.
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
        own = [str(pattern) for pattern in locale.date_formats.values()]
        known = locale.datetime_skeletons
        own += [str(known[name]) for name in SKELETONS if name in known]
        clear = [
            tuple(_piece(*token) for token in tokenize_pattern(pattern))
            for pattern in own
            if not AMBIGUOUS.search(pattern)
        ]
        wide = [_widened(pieces) for pieces in clear if ("G", "G") in pieces]
        formats[language] = list(dict.fromkeys(clear + wide))
    return formats


def _piece(kind, value):
    """Name a token of Babel's: ("field", ("M", 4)) or ("chars", ". ")."""
    return ("", value) if kind == "chars" else (value[0], value[0] * value[1])


def _widened(pieces):
    """Spell a format out, as CLDR does where longer fields are asked for."""
    longer = {"E": "EEEE", "MMM": "MMMM", "G": "GGGG"}
    return tuple((name, longer.get(value, value)) for name, value in pieces)


def _write(date, language, pattern):
    """Write a date field by field, keeping where each field stands."""
    from babel.dates import DateTimeFormat

    fields = DateTimeFormat(date, language)
    text, places = "", {"-": (0, 0)}
    for name, value in pattern:
        piece = unicodedata.normalize("NFC", fields[value] if name else value)
        # CLDR calls a month L where its name stands alone: Finnish does.
        places["M" if name == "L" else name] = len(text), len(text + piece)
        text += piece
    return text, [places[field] for field in ISO_FIELDS]
