"""Facts about functions that do not exist, and questions about them.

    text      "load_table returns a dict. It was added in version 3.4.
               sort_rows takes 2 arguments."
    question  "In which version was load_table added?"
    answer    "3.4", text[47:50]

Who answers must find the function first: another one beside it has facts of
the same kinds. One question in ten has no answer in the text.

Shapes: N questions.
"""

import itertools

import numpy as np

from keras_seq.checks import one_of, positive_int
from keras_seq.data.splits import SPLITS, held_out

VERBS = (
    *("load", "save", "read", "write", "open", "close", "sort", "split"),
    *("join", "copy", "move", "find", "check", "parse", "print", "count"),
)
NOUNS = (
    *("table", "file", "row", "line", "name", "path", "image", "node"),
    *("list", "key", "text", "date", "color", "page", "group", "array"),
)
TYPES = (
    *("a list", "a dict", "a string", "an integer", "a tuple", "a set"),
    *("a new object", "an array", "a float", "None", "True or False"),
)
ERRORS = (
    *("ValueError", "TypeError", "KeyError", "OSError", "IndexError"),
    *("RuntimeError", "ImportError", "AttributeError"),
)
VERSIONS = tuple(f"{a}.{b}" for a in (2, 3) for b in range(13))
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven")
KINDS = (  # what a text says, what is asked, and what may be answered
    ("{} returns {}.", "What does {} return?", TYPES),
    ("{} raises {} on failure.", "What does {} raise?", ERRORS),
    (
        "{} was added in version {}.",
        "In which version was {} added?",
        VERSIONS,
    ),
    ("{} takes {} arguments.", "How many arguments does {} take?", NUMBERS),
)


def function_facts(count, seed=0, split="train"):
    """Write texts of facts, a question about each, and its answer.

    A text tells four facts about two functions. The names of one split are
    in no text of the other. Baseline, exact match: 0.31 for the first fact of
    the kind that is asked for.

    Args:
        count: int > 0, number of questions N.
        seed: int, what is drawn. Default 0.
        split: "train" or "test". Default "train".
    Returns:
        questions: list of N str.
        texts: list of N str.
        answers: list of N str, "" where there is none.
        spans: int32 (N, 2), the answer is text[begin:end]; 0, 0 for none.
    Raises:
        ValueError: if an argument is out of range.
    """
    positive_int(count=count)
    one_of(SPLITS, split=split)
    every = map("_".join, itertools.product(VERBS, NOUNS))
    names = [name for name in every if SPLITS[held_out(name)] == split]
    rng = np.random.default_rng(seed)
    return tuple(
        np.array(column, "int32") if n == 3 else list(column)
        for n, column in enumerate(
            zip(*(_ask(rng, names) for _ in range(count)))
        )
    )


def _ask(rng, names):
    """Write one text: question, text, answer, span."""
    pair = rng.choice(names, 2, replace=False)
    every = list(itertools.product(pair, KINDS))
    told = rng.permutation(len(every))
    here, absent = told[:4], told[4:]
    text, places = "", {}
    for n in here:
        name, (statement, _, known) = every[n]
        answer = known[rng.integers(len(known))]
        text += " " * bool(text)
        begin = len(text) + statement.format(name, "\0").index("\0")
        text += statement.format(name, answer)
        places[n] = answer, (begin, begin + len(answer))
    asked = rng.choice(absent if rng.random() < 0.1 else here)
    name, (_, question, _) = every[asked]
    answer, span = places.get(asked, ("", (0, 0)))
    return question.format(name), text, answer, span
