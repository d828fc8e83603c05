"""Scores of generated texts: exact match, edit distance, ROUGE-L, token F1.

    exact match     share of the texts that are equal
    edit distance   fewest characters to insert, delete or replace
    ROUGE-L         F1 of the longest common subsequence of tokens
    token F1        F1 of the tokens in any order, for short answers

Every score takes the references first, then the hypotheses, one str each.

Shapes: N pairs of texts, M and K lengths of a pair.
Paper: ROUGE-L: Lin (2004), W04-1013, section 3.1; edit distance: Levenshtein
    (1966); token F1: Rajpurkar et al. (2016), arXiv:1606.05250, section 6.1.
Differs from the paper: ROUGE-L is the plain F1 (beta = 1), as in current
    practice; token F1 counts articles.
"""

import unicodedata
from collections import Counter

import numpy as np

from keras_seq import checks

TOKENS = ("words", "characters")


def exact_match(references, hypotheses):
    """Compute the share of hypotheses that equal their reference.

    Args:
        references: list of N > 0 str, one for each hypothesis.
        hypotheses: list of N str, the outputs of the model.
    Returns:
        float in [0, 1].
    Raises:
        ValueError: if the lists are empty, differ in length or hold anything
            but str.
    Example:
        >>> exact_match(["1950-03-05", "2001-01-01"], ["1950-03-05", "2001"])
        0.5
    """
    pairs = zip(*check_texts(references, hypotheses))
    return float(np.mean([wanted == given for wanted, given in pairs]))


def edit_distance(references, hypotheses, normalized=False):
    """Compute the mean edit distance, in code points.

    Args:
        references: list of N > 0 str, one for each hypothesis.
        hypotheses: list of N str, the outputs of the model.
        normalized: bool, divide the edits of all pairs by the number of
            characters of all references: the character error rate, which can
            be above 1. Default False.
    Returns:
        float >= 0.
    Raises:
        ValueError: if the lists are empty, differ in length or hold anything
            but str, or if `normalized` and all references are empty.
    Example:
        >>> edit_distance(["kitten"], ["sitting"])
        3.0
    """
    references, hypotheses = check_texts(references, hypotheses)
    pairs = zip(references, hypotheses)
    edits = sum(levenshtein(wanted, given) for wanted, given in pairs)
    size = sum(map(len, references)) if normalized else len(references)
    if not size:
        raise ValueError(
            "`references` must hold a character with normalized=True. "
            f"Received {len(references)} empty texts."
        )
    return edits / size


def rouge_l(references, hypotheses, tokens="words"):
    """Compute the mean ROUGE-L, F1 of the longest common subsequence.

    Case is ignored. Words are runs of letters and digits of any script,
    without stemming; punctuation is not counted. Use characters for Korean,
    where a particle attached to a noun makes another word.

    Args:
        references: list of N > 0 str, one for each hypothesis.
        hypotheses: list of N str, the outputs of the model.
        tokens: "words", or "characters", those of the words. Default "words".
    Returns:
        float in [0, 1]; a pair in which a text has no token counts 0.
    Raises:
        ValueError: if the lists are empty, differ in length or hold anything
            but str, or `tokens` is unknown.
    Example:
        >>> rouge_l(["police killed the gunman"], ["police kill the gunman"])
        0.75
    """
    references, hypotheses = check_texts(references, hypotheses)
    checks.one_of(TOKENS, tokens=tokens)
    scores = []
    for wanted, given in zip(references, hypotheses):
        wanted, given = split(wanted, tokens), split(given, tokens)
        common = longest_common_subsequence(wanted, given)
        # 2 P R / (P + R), with P = common / K and R = common / M
        scores.append(2 * common / max(1, len(wanted) + len(given)))
    return float(np.mean(scores))


def token_f1(references, hypotheses, tokens="words"):
    """Compute the mean F1 of tokens in any order, as SQuAD scores answers.

    Args:
        references: list of N > 0 str, one for each hypothesis.
        hypotheses: list of N str, the outputs of the model.
        tokens: "words", or "characters", those of the words. Default "words".
    Returns:
        float in [0, 1]; a pair without any token counts 1, a pair in which
        one text has no token counts 0.
    Raises:
        ValueError: if the lists are empty, differ in length or hold anything
            but str, or `tokens` is unknown.
    Example:
        >>> token_f1(["a a b"], ["a"])
        0.5
    """
    references, hypotheses = check_texts(references, hypotheses)
    checks.one_of(TOKENS, tokens=tokens)
    scores = []
    for pair in zip(references, hypotheses):
        wanted, given = (Counter(split(text, tokens)) for text in pair)
        common, total = (wanted & given).total(), wanted + given
        scores.append(2 * common / total.total() if total else 1.0)
    return float(np.mean(scores))


def levenshtein(a, b):
    """Return the number of edits between two sequences, M and K tokens: int."""
    b = np.array(list(b), dtype=object)
    steps = np.arange(len(b) + 1)
    row = steps  # of an empty a: insert all
    for i, token in enumerate(a, 1):
        replaced = row[:-1] + (b != token)
        new = np.minimum(row + 1, np.concatenate([[i], replaced]))
        row = np.minimum.accumulate(new - steps) + steps  # insertions
    return int(row[-1])


def longest_common_subsequence(a, b):
    """Return the length of the longest common subsequence: int."""
    b = np.array(list(b), dtype=object)
    row = np.zeros(len(b) + 1, int)
    for token in a:
        longer = np.where(b == token, row[:-1] + 1, row[1:])
        row = np.maximum.accumulate(np.concatenate([[0], longer]))
    return int(row[-1])


def split(text, kind):
    """Split a text into lower-case words, or into their characters."""
    text = unicodedata.normalize("NFC", text.lower())
    # Letters, numbers, and the marks on them, which r"\w" leaves out.
    kinds = [unicodedata.category(c)[0] in "LNM" for c in text]
    words = "".join(c if kind else " " for c, kind in zip(text, kinds)).split()
    return words if kind == "words" else list("".join(words))


def check_texts(references, hypotheses):
    """Validate references and hypotheses and return them as lists of str."""
    references = checks.strings(references=references)
    hypotheses = checks.strings(hypotheses=hypotheses)
    if not references or len(references) != len(hypotheses):
        raise ValueError(
            "`hypotheses` must be as many as `references`, at least one. "
            f"Received {len(hypotheses)} and {len(references)}."
        )
    return references, hypotheses
