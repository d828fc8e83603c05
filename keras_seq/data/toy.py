"""Two toys on characters: the word "hello", and addition on paper.

"hello" is the example that every lecture on recurrent networks begins with.
Addition reads "535+61" and writes "596": the input and the output differ in
length, the answer cannot be guessed, and no carry may be forgotten.
"""

from itertools import combinations_with_replacement, islice

import numpy as np

from keras_seq.checks import not_negative_int, one_of, positive_int
from keras_seq.data.splits import SPLITS, held_out

HELLO_VOCABULARY = "helo"


def hello():
    """Give the lecture's own example: after each letter, the next one.

    Four steps over the letters of `HELLO_VOCABULARY`, from Karpathy (2015),
    "The Unreasonable Effectiveness of Recurrent Neural Networks". Baseline:
    a model without memory gets 0.75 right at best, as "l" is followed once
    by "l" and once by "o".

    Returns:
        source: str, "hell".
        target: str, "ello".
    """
    return "hell", "ello"


def addition(count, digits=3, seed=0, split="train"):
    """Write sums such as "535+61" and their answers, no problem twice.

    After Zaremba & Sutskever (2014), "Learning to Execute", arXiv:1410.4615.
    For each number a length is drawn first, then a value with at most so many
    digits, so that short numbers appear too. One problem in five is held out
    for testing, always together with its mirror image: "61+535" is in the
    same split as "535+61". Generated, so no licence applies. Baseline: the
    commonest answer always is right for 0.002 of the problems.

    Args:
        count: int > 0, number of problems.
        digits: int in 1..9, most digits of a number. Default 3.
        seed: int >= 0, which problems are drawn. Default 0.
        split: "train" or "test". Default "train".
    Returns:
        problems: list of `count` different str, as "535+61".
        answers: list of `count` str, as "596".
    Raises:
        ValueError: if an argument is out of range, or if the split has fewer
            than `count` problems.
    """
    positive_int(count=count)
    not_negative_int(seed=seed)
    one_of(range(1, 10), digits=digits)
    one_of(SPLITS, split=split)
    _refuse_more_than_exist(count, digits, split)
    rng = np.random.default_rng(seed)
    problems = {}  # a dict holds each problem once, in the order drawn
    while len(problems) < count:
        limits = 10 ** rng.integers(1, digits + 1, size=(2, count))
        for a, b in rng.integers(limits).T.tolist():
            if _split_of(a, b) == split:
                problems[f"{a}+{b}"] = str(a + b)
    chosen = dict(islice(problems.items(), count))
    return list(chosen), list(chosen.values())


def carries(problem):
    """Count the columns of a sum that carry a 1 to the next.

    Args:
        problem: str, as "535+61".
    Returns:
        int >= 0; 0 if each column can be added by itself.
    """
    a, b = (int(number) for number in problem.split("+"))
    tens = [10**place for place in range(1, len(problem))]
    return sum(a % ten + b % ten >= ten for ten in tens)


def _split_of(a, b):
    return SPLITS[held_out(f"{min(a, b)}+{max(a, b)}")]


def _refuse_more_than_exist(count, digits, split):
    if count <= 100**digits // 20:
        return  # the smaller split holds a fifth: no need to count them all
    pairs = combinations_with_replacement(range(10**digits), 2)
    exist = sum(1 + (a != b) for a, b in pairs if _split_of(a, b) == split)
    if count > exist:
        raise ValueError(
            f"`count` must be at most {exist}, the number of different "
            f"problems with digits={digits}, split={split!r}. "
            f"Received count={count}."
        )
