"""Sentences with a date: tag the year, the month and the day (NER).

    "회의는 2031년 8월 26일에 열립니다."   year 4:8, month 10:12, day 13:15

The dates are those of `dates`, in ten languages and 110 formats. The sentence
around a date is in English or Korean and often contains another number.

Baseline, F1 of the three spans: 0.62 for tagging the first number of four
digits as the year, and the first of the other numbers as the day.

Shapes: N sentences.
"""

import numpy as np

from keras_seq.checks import not_negative_int, one_of
from keras_seq.data.localized_dates import dates
from keras_seq.data.splits import SPLITS

TEMPLATES = (
    "The meeting of {} was put off.",
    "{} was a long day.",
    "Version 3 came out on {}, 12 days late.",
    "Invoice 2041 is due {}.",
    "The 7 of us met on {} in room 1950.",
    "Nobody remembers what happened on {}!",
    "회의는 {}에 열립니다.",
    "{}에 태어났어요.",
    "3번 버스는 {}부터 다니지 않습니다.",
    "영화는 {}, 극장 12곳에서 시작해요.",
)
YEAR, MONTH, DAY = 0, 5, 8  # index of a character of each in "1950-03-05"


def dated_sentences(count, seed=0, split="train"):
    """Generate sentences that contain a date each.

    Args:
        count: int > 0, number of sentences N; at most ten for each date of
            the split.
        seed: int >= 0, seed of the dates and sentences; the two splits have
            different ones. Default 0.
        split: str, "train" or "test"; no date is in both. Default "train".
    Returns:
        texts: list of N str in Unicode NFC.
        spans: int32 (N, 3, 2), begin and end of the year, the month and the
            day: text[begin:end].
    Raises:
        ImportError: if Babel is not installed.
        ValueError: if an argument is out of range.
    Example:
        >>> from keras_seq import data
        >>> texts, spans = data.dated_sentences(5)
        >>> begin, end = spans[0, 0]
        >>> len(texts), len(texts[0][begin:end])
        (5, 4)
    """
    one_of(SPLITS, split=split)
    not_negative_int(seed=seed)
    rng = np.random.default_rng([seed, SPLITS.index(split)])
    written, _, spans = dates(count, int(rng.integers(2**31)), split)
    chosen = rng.integers(len(TEMPLATES), size=count)
    templates = [TEMPLATES[i] for i in chosen]
    texts = [t.format(date) for t, date in zip(templates, written)]
    before = np.array([t.index("{") for t in templates], "int32")
    fields = spans[:, [YEAR, MONTH, DAY]]
    return texts, fields + before[:, None, None]
