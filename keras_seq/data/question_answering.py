"""Facts about functions: answer a question by a span of the text.

    text      "load_table returns a dict. sort_row returns None. sort_row was
               added in version 3.4. load_table was added in version 2.7."
    question  "In which version was load_table added?"
    answer    "2.7" = text[117:120]

Extractive question answering, as in SQuAD. A text states the same two kinds
of facts about two functions, so that the model has to find the function
first. One question in ten is about a third function, and has no answer in the
text (as in SQuAD 2.0). The functions do not exist, and the names of one split
are in no text of the other.

Baseline, exact match: 0.47 for the first fact of the kind that the question
is about (`first_facts`).

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
KINDS = (  # statement, question, possible answers
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
    """Generate texts of facts, a question about each text, and its answer.

    Args:
        count: int > 0, number of questions N.
        seed: int >= 0, seed of the texts; the two splits have different
            ones. Default 0.
        split: str, "train" or "test". Default "train".
    Returns:
        questions: list of N str.
        texts: list of N str.
        answers: list of N str, "" for a question without an answer.
        spans: int32 (N, 2), the answer is text[begin:end]; (0, 0) for a
            question without an answer.
    Raises:
        ValueError: if an argument is out of range.
    Example:
        >>> from keras_seq import data
        >>> questions, texts, answers, spans = data.function_facts(3)
        >>> [t[b:e] for t, (b, e) in zip(texts, spans)] == answers
        True
    """
    positive_int(count=count)
    not_negative_int(seed=seed)
    one_of(SPLITS, split=split)
    every = map("_".join, itertools.product(VERBS, NOUNS))
    names = [name for name in every if SPLITS[held_out(name)] == split]
    rng = np.random.default_rng([seed, SPLITS.index(split)])
    rows = [_example(rng, names) for _ in range(count)]
    questions, texts, answers, spans = map(list, zip(*rows))
    return questions, texts, answers, np.array(spans, "int32")


def first_facts(questions, texts):
    """Answer each question with the first fact of its kind: a baseline.

    Args:
        questions: list of N str, as `function_facts` returns them.
        texts: list of N str, as `function_facts` returns them.
    Returns:
        list of N str.
    Raises:
        ValueError: if a question is of no known kind, or its text has no
            fact of this kind.
    Example:
        >>> from keras_seq import data
        >>> text = "load_row takes no arguments. sort_key returns a list."
        >>> data.first_facts(["What does sort_row return?"], [text])
        ['a list']
    """
    return [_first_fact(*pair) for pair in zip(questions, texts, strict=True)]


def _first_fact(question, text):
    for statement, form, _ in KINDS:
        before, after = map(re.escape, form.split("{}"))
        if re.fullmatch(rf"{before}\w+{after}", question):
            fact = re.escape(statement[2:]).replace(r"\{\}", "(.+?)")
            found = re.search(f"{fact}( |$)", text)
            if found:
                return found[1]
    raise ValueError(
        "`questions` must be of a kind that their text has a fact of. "
        f"Received {question!r}, {text!r}."
    )


def _example(rng, names):
    """Generate one example: question, text, answer, span."""
    *pair, other = rng.choice(names, 3, replace=False)
    kinds = [KINDS[n] for n in rng.choice(len(KINDS), 2, replace=False)]
    facts = list(itertools.product(pair, kinds))
    text, examples = "", []
    for n in rng.permutation(len(facts)):
        name, (statement, question, choices) = facts[n]
        answer = choices[rng.integers(len(choices))]
        text += " " * bool(text)
        begin = len(text) + statement.format(name, "\0").index("\0")
        text += statement.format(name, answer)
        span = begin, begin + len(answer)
        examples.append((question.format(name), answer, span))
    if rng.random() < 0.1:
        (_, question, _), answer, span = kinds[0], "", (0, 0)
        return question.format(other), text, answer, span
    question, answer, span = examples[rng.integers(len(examples))]
    return question, text, answer, span
