"""Character sequences: the word "hello", and addition.

"hello" is the usual first example of a recurrent network. Four steps over
`HELLO_VOCABULARY`, from Karpathy (2015), "The Unreasonable Effectiveness of
Recurrent Neural Networks". Baseline, accuracy: at most 0.75 without memory,
because "l" is followed once by "l" and once by "o".

Addition reads "535+61" and writes "596", after Zaremba & Sutskever (2014),
"Learning to Execute", arXiv:1410.4615: source and target differ in length,
and every carry matters. For each number the maximum number of digits is drawn
first, then a value, so that short numbers are frequent. One problem in five
is held out, together with the same problem in the other order: "61+535" is in
the same split as "535+61". Baseline, exact match: 0.002 for always giving the
most frequent answer.

Both are generated, so no license applies.
"""

from itertools import combinations_with_replacement, islice

import numpy as np

from keras_seq.checks import not_negative_int, one_of, positive_int
from keras_seq.data.splits import SPLITS, held_out

HELLO_VOCABULARY = "helo"


def hello():
    """Return the word "hello" as a source and a target, shifted by one.

    Returns:
        source: str, "hell".
        target: str, "ello".
    Example:
        >>> from keras_seq import data
        >>> data.hello()
        ('hell', 'ello')
    """
    return "hell", "ello"


def addition(count, digits=3, seed=0, split="train"):
    """Generate addition problems and their answers, no problem twice.

    Args:
        count: int > 0, number of problems.
        digits: int in [1, 9], maximum digits of a number. Default 3.
        seed: int >= 0, seed of the problems. Default 0.
        split: str, "train" or "test". Default "train".
    Returns:
        problems: list of `count` different str, e.g. "535+61".
        answers: list of `count` str, e.g. "596".
    Raises:
        ValueError: if an argument is out of range, or if the split has fewer
            than `count` problems.
    Example:
        >>> from keras_seq import data
        >>> problems, answers = data.addition(3)
        >>> [str(sum(map(int, p.split("+")))) for p in problems] == answers
        True
    """
    positive_int(count=count)
    not_negative_int(seed=seed)
    one_of(range(1, 10), digits=digits)
    one_of(SPLITS, split=split)
    _check_count(count, digits, split)
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
    """Count the carries of an addition.

    Args:
        problem: str, e.g. "535+61".
    Returns:
        int >= 0; 0 if each column can be added independently.
    Example:
        >>> from keras_seq import data
        >>> data.carries("95+7")
        2
    """
    a, b = (int(number) for number in problem.split("+"))
    tens = [10**power for power in range(1, len(problem))]
    return sum(a % ten + b % ten >= ten for ten in tens)


def _split_of(a, b):
    return SPLITS[held_out(f"{min(a, b)}+{max(a, b)}")]


def _check_count(count, digits, split):
    """Raise if the split has fewer problems."""
    if count <= 100**digits // 20:
        return  # the smaller split holds a fifth: no need to count
    pairs = combinations_with_replacement(range(10**digits), 2)
    exist = sum(1 + (a != b) for a, b in pairs if _split_of(a, b) == split)
    if count > exist:
        raise ValueError(
            f"`count` must be at most {exist}, the number of different "
            f"problems with digits={digits}, split={split!r}. "
            f"Received count={count}."
        )
