"""Sentences with a date in them, and where its year, month and day stand.

    "회의는 2031년 8월 26일에 열립니다."   year 4:8, month 10:11, day 13:15

The dates are those of `dates`, in ten languages and 110 formats; around them
stands a sentence, in English or Korean, often with another number in it.

Shapes: N sentences.
"""

import numpy as np

from keras_seq.checks import not_negative_int, one_of
from keras_seq.data.date_pairs import dates
from keras_seq.data.splits import SPLITS

FRAMES = (
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
YEAR, MONTH, DAY = 0, 5, 8  # where in "1950-03-05"


def dated_sentences(count, seed=0, split="train"):
    """Write sentences with a date in each.

    Baseline, F1 of the three spans: 0.62 for calling the first number of four
    digits the year, and of the other numbers the first one the day.

    Args:
        count: int > 0, number of sentences N; at most ten for each date of
            the split.
        seed: int >= 0, which dates and sentences are drawn, others for each
            split. Default 0.
        split: "train" or "test", the dates of which none is in both. Default
            "train".
    Returns:
        texts: list of N str in Unicode NFC.
        spans: int32 (N, 3, 2), where year, month and day begin and end, as
            text[begin:end].
    Raises:
        ImportError: if Babel is not installed.
        ValueError: if an argument is out of range.
    """
    one_of(SPLITS, split=split)
    not_negative_int(seed=seed)
    draw = np.random.default_rng([seed, SPLITS.index(split)])
    written, _, spans = dates(count, int(draw.integers(2**31)), split)
    chosen = draw.integers(len(FRAMES), size=count)
    frames = [FRAMES[i] for i in chosen]
    texts = [f.format(date) for f, date in zip(frames, written)]
    before = np.array([frame.index("{") for frame in frames], "int32")
    fields = spans[:, [YEAR, MONTH, DAY]]
    return texts, fields + before[:, None, None]
