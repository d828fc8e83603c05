"""BLEU and chrF: the overlap of n-grams with a reference translation.

    BLEU    precision of word n-grams, n = 1..4, with a penalty for short texts
    chrF    F-score of character n-grams, for languages with long words

Both are computed by sacrebleu and returned with its signature, which belongs
beside every figure: a BLEU without its tokenizer cannot be compared. Nothing
is downloaded.

Shapes: N pairs of texts.
Paper: BLEU: Papineni et al. (2002), ACL, P02-1040; sacrebleu: Post (2018),
    arXiv:1804.08771; chrF: Popovic (2015), WMT, W15-3049.
Differs from the paper: nothing.
"""

import typing

from keras_seq import checks
from keras_seq.evaluation.text_scores import check_texts

OFFLINE = ("13a", "char", "intl", "zh", "none")  # spm, flores200 download


class Score(typing.NamedTuple):
    """A score of sacrebleu and the settings it was computed with.

    Attributes:
        score: float in [0, 100].
        signature: str, for example "nrefs:1|case:lc|eff:no|tok:13a|...".
    Example:
        >>> Score(27.5, "nrefs:1|case:lc").score
        27.5
    """

    score: float
    signature: str


def bleu(references, hypotheses, tokenize="13a", lowercase=True):
    """Compute the BLEU of a whole test set, not the mean over its lines.

    Args:
        references: list of N > 0 str, one for each hypothesis.
        hypotheses: list of N str, the outputs of the model.
        tokenize: "13a", "intl", "zh", "char" (for Korean, without a word
            segmenter) or "none" (for tokenized text). Default "13a".
        lowercase: bool, whether to ignore case. Default True.
    Returns:
        `Score(score, signature)`.
    Raises:
        ValueError: if the lists are empty, differ in length or hold anything
            but str, or `tokenize` is unknown.
        ImportError: if sacrebleu is not installed.
    Example:
        >>> score = bleu(["the cat sat on the mat"], ["the cat sat on a mat"])
        >>> round(score.score, 1)
        53.7
    """
    references, hypotheses = check_texts(references, hypotheses)
    checks.one_of(OFFLINE, tokenize=tokenize)
    metrics = sacrebleu_metrics("bleu")
    metric = metrics.BLEU(tokenize=tokenize, lowercase=lowercase)
    return corpus_score(metric, references, hypotheses)


def chrf(references, hypotheses, word_order=0, lowercase=False):
    """Compute the chrF of a whole test set; chrF++ with `word_order=2`.

    Args:
        references: list of N > 0 str, one for each hypothesis.
        hypotheses: list of N str, the outputs of the model.
        word_order: int >= 0, longest word n-gram that counts beside the
            character n-grams of 1 to 6. Default 0: none.
        lowercase: bool, whether to ignore case. Default False.
    Returns:
        `Score(score, signature)`.
    Raises:
        ValueError: if the lists are empty, differ in length or hold anything
            but str, or `word_order` is not an int >= 0.
        ImportError: if sacrebleu is not installed.
    Example:
        >>> round(chrf(["내일 시간 있어요"], ["내일 시간 있어요"]).score)
        100
    """
    references, hypotheses = check_texts(references, hypotheses)
    checks.not_negative_int(word_order=word_order)
    metrics = sacrebleu_metrics("chrf")
    metric = metrics.CHRF(word_order=word_order, lowercase=lowercase)
    return corpus_score(metric, references, hypotheses)


def sacrebleu_metrics(caller):
    """Import sacrebleu's metrics; the error names the package to install."""
    try:
        from sacrebleu import metrics
    except ImportError as error:
        raise ImportError(
            f'{caller}() needs sacrebleu: pip install "keras_seq[tutorials]"'
        ) from error
    return metrics


def corpus_score(metric, references, hypotheses):
    """Return the `Score` of a metric of sacrebleu."""
    found = metric.corpus_score(hypotheses, [references])
    return Score(float(found.score), str(metric.get_signature()))
