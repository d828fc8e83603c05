"""Facts about functions that do not exist, and questions about them.

    text      "load_table returns a dict. sort_row returns None. sort_row was
               added in version 3.4. load_table was added in version 2.7."
    question  "In which version was load_table added?"
    answer    "2.7", text[117:120]

Who answers must find the function first: another one beside it has facts of
the same kinds. One question in ten is about a third function, and has no
answer in the text.

Shapes: N questions.
"""

import itertools
import re

import numpy as np

from keras_seq.checks import not_negative_int, one_of, positive_int
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

    A text tells the same two kinds of facts about two functions. The names
    of one split are in no text of the other. Baseline, exact match: 0.47 for
    the first fact of the kind that is asked for (`first_facts`).

    Args:
        count: int > 0, number of questions N.
        seed: int >= 0, what is drawn, other things for each split. Default 0.
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
    not_negative_int(seed=seed)
    one_of(SPLITS, split=split)
    every = map("_".join, itertools.product(VERBS, NOUNS))
    names = [name for name in every if SPLITS[held_out(name)] == split]
    rng = np.random.default_rng([seed, SPLITS.index(split)])
    return tuple(
        np.array(column, "int32") if n == 3 else list(column)
        for n, column in enumerate(
            zip(*(_ask(rng, names) for _ in range(count)))
        )
    )


def first_facts(questions, texts):
    """Answer with the first fact of the kind that is asked for.

    Args:
        questions, texts: lists of N str, as `function_facts` gives them.
    Returns:
        list of N str.
    Raises:
        ValueError: if a question is of no kind, or its text tells no such
            fact.
    """
    return [_first_fact(*pair) for pair in zip(questions, texts, strict=True)]


def _first_fact(question, text):
    for statement, form, _ in KINDS:
        before, after = map(re.escape, form.split("{}"))
        if re.fullmatch(rf"{before}\w+{after}", question):
            told = re.escape(statement[2:]).replace(r"\{\}", "(.+?)")
            found = re.search(f"{told}( |$)", text)
            if found:
                return found[1]
    raise ValueError(
        "`questions` must be of a kind that the text tells of. Received "
        f"{question!r}, {text!r}."
    )


def _ask(rng, names):
    """Write one text: question, text, answer, span."""
    *pair, other = rng.choice(names, 3, replace=False)
    kinds = [KINDS[n] for n in rng.choice(len(KINDS), 2, replace=False)]
    told = list(itertools.product(pair, kinds))
    text, places = "", []
    for n in rng.permutation(len(told)):
        name, (statement, question, known) = told[n]
        answer = known[rng.integers(len(known))]
        text += " " * bool(text)
        begin = len(text) + statement.format(name, "\0").index("\0")
        text += statement.format(name, answer)
        span = begin, begin + len(answer)
        places.append((question.format(name), answer, span))
    if rng.random() < 0.1:
        (_, question, _), answer, span = kinds[0], "", (0, 0)
        return question.format(other), text, answer, span
    question, answer, span = places[rng.integers(len(places))]
    return question, text, answer, span
