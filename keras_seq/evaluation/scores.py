"""Scores of texts: how near is what a model wrote to what was wanted.

    exact match     share of the texts that are equal
    edit distance   fewest characters to insert, delete or replace
    BLEU            share of the n-grams, n = 1..4, that a reference has too
    chrF            the same by characters, for languages with long words
    ROUGE-L         F1 of the longest common subsequence of tokens
    token F1        the same of the tokens in any order, for short answers

Every score takes the references first, then the hypotheses, a str each. BLEU
and chrF are sacrebleu's, with its signature, which belongs beside any figure:
a BLEU without its tokenizer cannot be compared. Nothing is downloaded.

Shapes: N pairs of texts, M and K lengths of a pair.
Paper: BLEU: Papineni et al. (2002), ACL, P02-1040; sacrebleu: Post (2018),
    arXiv:1804.08771; chrF: Popovic (2015), WMT, W15-3049; ROUGE-L: Lin (2004),
    W04-1013, section 3.1; edit distance: Levenshtein (1966); token F1:
    Rajpurkar et al. (2016), arXiv:1606.05250, section 6.1.
Differs from the paper: ROUGE-L is the plain F1 (beta = 1), as everywhere today;
    of token F1, articles count too.
"""

import itertools
import typing
import unicodedata
from collections import Counter

import numpy as np

from keras_seq import checks

OFFLINE = ("13a", "char", "intl", "zh", "none")  # spm, flores200 download
TOKENS = ("words", "characters")


class Score(typing.NamedTuple):
    """A figure of sacrebleu, and how it came about.

    Attributes:
        score: float in [0, 100].
        signature: str, e.g. "nrefs:1|case:lc|eff:no|tok:13a|...".
    """

    score: float
    signature: str


def bleu(references, hypotheses, tokenize="13a", lowercase=True):
    """Compute BLEU over a whole test set, not the mean over its lines.

    Args:
        references: list of N > 0 str, one for each hypothesis.
        hypotheses: list of N str, what the model wrote.
        tokenize: "13a", "intl", "zh", "char" (for Korean, without a word
            splitter) or "none" (for text that is split already). Default
            "13a".
        lowercase: bool, ignore case. Default True.
    Returns:
        `Score(score, signature)`.
    Raises:
        ValueError: if the lists are empty, differ in length or hold anything
            but str, or `tokenize` is unknown.
        ImportError: if sacrebleu is not installed.
    """
    references, hypotheses = _pairs(references, hypotheses)
    checks.one_of(OFFLINE, tokenize=tokenize)
    metrics = _sacrebleu("bleu")
    metric = metrics.BLEU(tokenize=tokenize, lowercase=lowercase)
    return _scored(metric, references, hypotheses)


def chrf(references, hypotheses, word_order=0, lowercase=False):
    """Compute chrF, or chrF++ with `word_order=2`, over a whole test set.

    Args:
        references, hypotheses: as for `bleu`.
        word_order: int >= 0, longest n-gram of words that counts as well as
            those of 1 to 6 characters. Default 0: none.
        lowercase: bool, ignore case. Default False.
    Returns:
        `Score(score, signature)`.
    Raises:
        ValueError: as `bleu`, or if `word_order` is no int >= 0.
        ImportError: if sacrebleu is not installed.
    """
    references, hypotheses = _pairs(references, hypotheses)
    checks.not_negative_int(word_order=word_order)
    metrics = _sacrebleu("chrf")
    metric = metrics.CHRF(word_order=word_order, lowercase=lowercase)
    return _scored(metric, references, hypotheses)


def exact_match(references, hypotheses):
    """Compute the share of hypotheses that are their reference, in [0, 1].

    Args:
        references, hypotheses: lists of N > 0 str each.
    Raises:
        ValueError: if the lists are empty, differ in length or hold anything
            but str.
    """
    pairs = zip(*_pairs(references, hypotheses))
    return float(np.mean([wanted == given for wanted, given in pairs]))


def edit_distance(references, hypotheses, normalized=False):
    """Compute the mean edit distance, in code points.

    Args:
        references, hypotheses: lists of N > 0 str each.
        normalized: bool, divide the edits of all pairs by the characters of
            all references: the character error rate, which can be above 1.
            Default False.
    Returns:
        float >= 0.
    Raises:
        ValueError: as `exact_match`, or if `normalized` and all references
            are empty.
    """
    references, hypotheses = _pairs(references, hypotheses)
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

    Of case nothing counts; words are runs of letters and digits of any
    script, without stemming, and punctuation is no token. In Korean, where a
    particle makes another word of a noun, take characters.

    Args:
        references, hypotheses: lists of N > 0 str each.
        tokens: "words" or "characters" (those of the words). Default "words".
    Returns:
        float in [0, 1]; a pair in which a text has no token counts 0.
    Raises:
        ValueError: as `exact_match`, or if `tokens` is unknown.
    """
    references, hypotheses = _pairs(references, hypotheses)
    checks.one_of(TOKENS, tokens=tokens)
    scores = []
    for wanted, given in zip(references, hypotheses):
        wanted, given = _tokens(wanted, tokens), _tokens(given, tokens)
        common = longest_common(wanted, given)
        # 2 P R / (P + R), with P = common / K and R = common / M
        scores.append(2 * common / max(1, len(wanted) + len(given)))
    return float(np.mean(scores))


def attention_on_spans(weights, spans):
    """Compute the share of attention that falls where it should, in [0, 1].

    Args:
        weights: float (B, T, S), each row with sum 1, or 0 where nothing was
            written.
        spans: int (B, T, 2), where to look in truth, source[begin:end]; an
            empty one says nothing, and its row is not counted.
    Returns:
        float, the mean over the rows that have a span.
    Raises:
        ValueError: if the shapes do not fit, a weight is not finite, a span
            lies outside the source, or every span is empty.
    """
    weights, spans = np.asarray(weights, "float64"), np.asarray(spans)
    if weights.ndim != 3 or spans.shape != (*weights.shape[:2], 2):
        raise ValueError(
            "`spans` must be (B, T, 2) for `weights` (B, T, S). Received "
            f"shapes {spans.shape} and {weights.shape}."
        )
    if not np.isfinite(weights).all():
        raise ValueError(
            "`weights` must be finite. Received some that are not."
        )
    begin, end = spans[..., :1], spans[..., 1:]
    if spans.min() < 0 or spans.max() > weights.shape[-1]:
        raise ValueError(
            "`spans` must lie in the source. Received some from "
            f"{spans.min()} to {spans.max()}, and {weights.shape[-1]} tokens."
        )
    if not (end > begin).any():
        raise ValueError(
            "`spans` must hold one that is not empty. Received only such."
        )
    place = np.arange(weights.shape[-1])
    inside = (place >= begin) & (place < end)
    share = np.sum(weights * inside, axis=-1)
    return float(share[(end > begin)[..., 0]].mean())


def levenshtein(a, b):
    """Count the edits between two sequences: M and K tokens -> int."""
    b = np.array(list(b), dtype=object)
    steps = np.arange(len(b) + 1)
    row = steps  # of an empty a: insert all
    for i, token in enumerate(a, 1):
        replaced = row[:-1] + (b != token)
        new = np.minimum(row + 1, np.concatenate([[i], replaced]))
        row = np.minimum.accumulate(new - steps) + steps  # insertions
    return int(row[-1])


def token_f1(references, hypotheses, tokens="words"):
    """Compute the mean F1 of tokens in any order, as SQuAD scores answers.

    Args:
        references, hypotheses, tokens: as of `rouge_l`.
    Returns:
        float in [0, 1]; of two texts without a token 1, of one 0.
    Raises:
        ValueError: as `rouge_l`.
    """
    references, hypotheses = _pairs(references, hypotheses)
    checks.one_of(TOKENS, tokens=tokens)
    scores = []
    for pair in zip(references, hypotheses):
        wanted, given = (Counter(_tokens(text, tokens)) for text in pair)
        common, total = (wanted & given).total(), wanted + given
        scores.append(2 * common / total.total() if total else 1.0)
    return float(np.mean(scores))


def entity_f1(references, hypotheses):
    """Compute the F1 of entities: runs of tokens of one tag, found whole.

    As the CoNLL-2003 task scores names (Tjong Kim Sang & De Meulder 2003,
    arXiv:cs/0306050, section 3.4): a run that is a token too long or too short
    is wrong. Two entities of one tag without a token between them are one.

    Args:
        references, hypotheses: int (B, T), tags; 0 or less is no entity.
            Tokens whose reference is below 0, as `tag_spans` and `align_tags`
            give it, are left out of both: nothing is asked there.
    Returns:
        float in [0, 1]; where neither has an entity 1.
    Raises:
        ValueError: if they are no integers (B, T), or differ in shape.
    """
    references, hypotheses = np.asarray(references), np.asarray(hypotheses)
    if references.ndim != 2 or references.shape != hypotheses.shape:
        raise ValueError(
            "`references` and `hypotheses` must be int (B, T), alike. "
            f"Received shapes {references.shape} and {hypotheses.shape}."
        )
    for name, tags in (("references", references), ("hypotheses", hypotheses)):
        if tags.size and tags.dtype.kind not in "iu":
            raise ValueError(
                f"`{name}` must be integers. Received {tags.dtype}."
            )
    asked = references >= 0
    wanted, given = (_entities(x, asked) for x in (references, hypotheses))
    total = len(wanted) + len(given)
    return 2 * len(wanted & given) / total if total else 1.0


def _entities(tags, asked):
    """List the runs: a set of (row, first token, last token, tag)."""
    found = set()
    for n, (row, counts) in enumerate(zip(tags, asked)):
        tokens = enumerate(row[counts].tolist())
        for tag, run in itertools.groupby(tokens, lambda x: x[1]):
            places = [place for place, _ in run]
            if tag > 0:
                found.add((n, places[0], places[-1], tag))
    return found


def longest_common(a, b):
    """Count the tokens of the longest common subsequence -> int."""
    b = np.array(list(b), dtype=object)
    row = np.zeros(len(b) + 1, int)
    for token in a:
        longer = np.where(b == token, row[:-1] + 1, row[1:])
        row = np.maximum.accumulate(np.concatenate([[0], longer]))
    return int(row[-1])


def _tokens(text, kind):
    text = unicodedata.normalize("NFC", text.lower())
    # Letters, numbers, and the marks on them, which r"\w" leaves out.
    kinds = [unicodedata.category(c)[0] in "LNM" for c in text]
    words = "".join(c if kind else " " for c, kind in zip(text, kinds)).split()
    return words if kind == "words" else list("".join(words))


def _pairs(references, hypotheses):
    """Check two lists of texts, and give them as lists."""
    references = _texts("references", references)
    hypotheses = _texts("hypotheses", hypotheses)
    if not references or len(references) != len(hypotheses):
        raise ValueError(
            "`hypotheses` must be as many as `references`, at least one. "
            f"Received {len(hypotheses)} and {len(references)}."
        )
    return references, hypotheses


def _texts(name, texts):
    found = None if isinstance(texts, (str, bytes)) else list(texts)
    if found is None or not all(isinstance(text, str) for text in found):
        raise ValueError(
            f"`{name}` must be a list of str. Received {name}={texts!r}."
        )
    return found


def _sacrebleu(name):
    try:
        from sacrebleu import metrics
    except ImportError as error:
        raise ImportError(
            f'{name}() needs sacrebleu: pip install "keras_seq[tutorials]"'
        ) from error
    return metrics


def _scored(metric, references, hypotheses):
    found = metric.corpus_score(hypotheses, [references])
    return Score(float(found.score), str(metric.get_signature()))
