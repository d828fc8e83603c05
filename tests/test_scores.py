"""Scores of texts, compared with sacrebleu, brute force and manual sums."""

import functools
import random
import sys

import pytest

from keras_seq import evaluation
from keras_seq.evaluation.text_scores import (
    levenshtein,
    longest_common_subsequence,
)

# Independent of the backend: one is enough.
pytestmark = pytest.mark.tensorflow_only

REFERENCES = [
    "The cat is on the mat , near the door .",
    "A man in a red shirt rides a bicycle down the street .",
    "내일 시간 있어요? 네, 있어요.",
]
HYPOTHESES = [
    "the cat sat on the mat , near a door .",
    "A man in a shirt rides down the red street .",
    "내일은 시간이 있어요? 네!",
]
EACH = (
    evaluation.bleu,
    evaluation.chrf,
    evaluation.exact_match,
    evaluation.edit_distance,
    evaluation.rouge_l,
)


def edits(a, b):
    """Count edits by the definition, trying everything."""

    @functools.cache
    def best(i, j):
        if i == len(a) or j == len(b):
            return len(a) - i + len(b) - j
        kept = best(i + 1, j + 1) + (a[i] != b[j])
        return min(kept, best(i + 1, j) + 1, best(i, j + 1) + 1)

    return best(0, 0)


def subsequences(text):
    """Give all 2^n subsequences of a text."""
    found = {""}
    for char in text:
        found |= {start + char for start in found}
    return found


def words(seed, count=60):
    draw = random.Random(seed)
    for _ in range(count):
        yield tuple(
            "".join(draw.choices("ab가🙂", k=draw.randrange(8)))
            for _ in range(2)
        )


@pytest.mark.parametrize("tokenize", ["13a", "char", "intl", "none"])
def test_bleu_is_that_of_sacrebleu(tokenize):
    sacrebleu = pytest.importorskip("sacrebleu")
    found = evaluation.bleu(REFERENCES, HYPOTHESES, tokenize, lowercase=False)
    expected = sacrebleu.corpus_bleu(
        HYPOTHESES, [REFERENCES], tokenize=tokenize
    )
    assert found.score == pytest.approx(expected.score)
    assert 0 < found.score < 100
    assert f"tok:{tokenize}" in found.signature
    assert sacrebleu.__version__ in found.signature


def test_bleu_ignores_case_unless_told():
    pytest.importorskip("sacrebleu")
    texts = [text.upper() for text in REFERENCES]
    found = evaluation.bleu(REFERENCES, texts)
    assert found.score == pytest.approx(100)
    assert "case:lc" in found.signature
    assert evaluation.bleu(REFERENCES, texts, lowercase=False).score < 50


def test_chrf_is_that_of_sacrebleu():
    sacrebleu = pytest.importorskip("sacrebleu")
    for word_order in (0, 2):
        found = evaluation.chrf(REFERENCES, HYPOTHESES, word_order)
        expected = sacrebleu.corpus_chrf(
            HYPOTHESES, [REFERENCES], word_order=word_order
        )
        assert found.score == pytest.approx(expected.score)
        assert f"nw:{word_order}" in found.signature


def test_references_come_first():
    pytest.importorskip("sacrebleu")
    # All that is generated is correct, but half of it is missing.
    assert evaluation.bleu(["a b c d e f g h"], ["a b c d"]).score < 50
    assert evaluation.edit_distance(["abcd"], [""], normalized=True) == 1


def test_exact_match_counts_equal_texts():
    wanted, given = ["a", "b", "가", ""], ["a", "B", "가", " "]
    assert evaluation.exact_match(wanted, given) == 0.5


def test_edit_distance_is_that_of_the_definition():
    for a, b in words(1):
        assert levenshtein(a, b) == edits(a, b)
        assert evaluation.edit_distance([a], [b]) == edits(a, b)


def test_edit_distance_is_a_mean_and_the_error_rate_is_not():
    wanted, given = ["kitten", "가"], ["sitting", "나다"]
    assert evaluation.edit_distance(wanted, given) == (3 + 2) / 2
    assert evaluation.edit_distance(wanted, given, normalized=True) == 5 / 7


def test_longest_common_subsequence_is_that_of_the_definition():
    for a, b in words(2):
        common = subsequences(a) & subsequences(b)
        assert longest_common_subsequence(a, b) == max(map(len, common))


def test_rouge_l_of_lin_2004():
    # Section 3.1: P = R = 3/4 for the first, 2/4 for the second.
    wanted = ["police killed the gunman"] * 2
    given = ["Police kill the gunman.", "the gunman kill police"]
    assert evaluation.rouge_l(wanted[:1], given[:1]) == 3 / 4
    assert evaluation.rouge_l(wanted, given) == (3 / 4 + 2 / 4) / 2


def test_an_entity_counts_only_if_all_of_it_was_found():
    true = [[0, 1, 1, 0, 2], [3, 0, 0, 0, 0]]
    assert evaluation.entity_f1(true, true) == 1
    short = [[0, 1, 0, 0, 2], [3, 0, 0, 0, 0]]
    assert evaluation.entity_f1(true, short) == 2 / 3
    long = [[0, 1, 1, 1, 2], [0, 0, 0, 0, 0]]
    assert evaluation.entity_f1(true, long) == 2 * 1 / 5
    assert evaluation.entity_f1([[0, 0]], [[0, 0]]) == 1
    with pytest.raises(ValueError, match=r"\(2, 5\) and \(1, 5\)"):
        evaluation.entity_f1(true, true[:1])


def test_ignored_tokens_are_not_entities():
    true = [[-100, 1, 0, 2, -100], [-100, 0, 0, -100, -100]]
    predicted = [[3, 1, 0, 2, 2], [1, 0, 0, 1, 1]]
    assert evaluation.entity_f1(true, predicted) == 1


def test_ignored_tokens_do_not_split_an_entity():
    true = [[-100, 1, -100, 1, -100, 0, 0]]  # words of two pieces each
    assert evaluation.entity_f1(true, [[0, 1, 0, 1, 0, 0, 0]]) == 1
    assert evaluation.entity_f1(true, [[0, 1, 1, 0, 0, 0, 0]]) == 0


def test_tags_that_are_no_integers_raise_errors():
    with pytest.raises(ValueError, match="`hypotheses` must be integers"):
        evaluation.entity_f1([[0, 1]], [[0.5, 1.0]])
    with pytest.raises(ValueError, match="`references` must be integers"):
        evaluation.entity_f1([["a", "b"]], [[0, 1]])


def test_token_f1_counts_each_token_once_in_any_order():
    assert evaluation.token_f1(["a b c"], ["c b x a"]) == 6 / 7
    assert evaluation.token_f1(["a a b"], ["a"]) == 0.5
    assert evaluation.token_f1(["", "a", ""], ["", "", "a"]) == 1 / 3
    assert evaluation.token_f1(["학교에"], ["학교"], tokens="characters") == 0.8


def test_words_keep_the_marks_on_their_letters():
    assert evaluation.token_f1(["हिन्दी"], ["हनद"]) == 0.0
    assert evaluation.token_f1(["cafe\u0301"], ["caf\xe9"]) == 1.0


def test_rouge_l_by_hand_with_different_lengths():
    # 3 of 3 words found among 5: P = 3/5, R = 1, F1 = 6/8.
    assert evaluation.rouge_l(["a b c"], ["a x b y c"]) == 0.75


def test_rouge_l_of_korean_counts_characters():
    wanted, given = ["강아지가 놀아요"], ["강아지는 놀아요."]
    assert evaluation.rouge_l(wanted, given) == 1 / 2
    assert evaluation.rouge_l(wanted, given, tokens="characters") == 6 / 7


def test_rouge_l_of_a_text_without_tokens_is_0():
    assert evaluation.rouge_l(["a b", "...", ""], ["", "...", ""]) == 0


@pytest.mark.parametrize("score", EACH)
def test_lists_of_texts_are_checked(score):
    pytest.importorskip("sacrebleu")
    with pytest.raises(ValueError, match="`hypotheses` must be as many"):
        score(["a", "b"], ["a"])
    with pytest.raises(ValueError, match="at least one"):
        score([], [])
    with pytest.raises(ValueError, match="`references` must be a list"):
        score("a", ["a"])
    with pytest.raises(ValueError, match="`hypotheses` must be a list"):
        score(["a"], [b"a"])


def test_bad_options_raise_errors_by_name():
    with pytest.raises(ValueError, match="`tokenize`"):
        evaluation.bleu(["a"], ["a"], tokenize="flores200")
    with pytest.raises(ValueError, match="`tokens`"):
        evaluation.rouge_l(["a"], ["a"], tokens="letters")
    with pytest.raises(ValueError, match="`word_order`"):
        evaluation.chrf(["a"], ["a"], word_order=-1)
    with pytest.raises(ValueError, match="`references` must hold"):
        evaluation.edit_distance([""], ["a"], normalized=True)


def test_a_missing_sacrebleu_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    assert evaluation.exact_match(["a"], ["a"]) == 1
    with pytest.raises(ImportError, match=r"bleu\(\) needs sacrebleu"):
        evaluation.bleu(["a"], ["a"])


def test_attention_counts_where_a_span_is_given():
    weights = [[[0.5, 0.25, 0.25], [1, 0, 0], [0, 0, 1]]]
    spans = [[(0, 2), (0, 0), (1, 2)]]
    assert evaluation.attention_on_spans(weights, spans) == (0.75 + 0) / 2


@pytest.mark.parametrize(
    "spans", [[[(0, 2)]], [[(0, 0), (1, 1)]], [[(0, 1), (1, 3)]]]
)
def test_attention_on_no_span_raises_an_error(spans):
    with pytest.raises(ValueError, match="`spans`"):
        evaluation.attention_on_spans([[[1, 0], [0, 1]]], spans)
