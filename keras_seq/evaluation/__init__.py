"""Evaluation: scores, baselines, gradients by lag, rollout, and timing."""

from keras_seq.evaluation.bleu import Score, bleu, chrf
from keras_seq.evaluation.gradients import gradient_by_lag, input_gradient
from keras_seq.evaluation.ngrams import ngram_loss, ngram_probabilities
from keras_seq.evaluation.retrieval import (
    nearest_answer,
    shared_words_accuracy,
    tfidf_accuracy,
)
from keras_seq.evaluation.rollout import attention_rollout
from keras_seq.evaluation.span_scores import attention_on_spans, entity_f1
from keras_seq.evaluation.text_scores import (
    edit_distance,
    exact_match,
    rouge_l,
    token_f1,
)
from keras_seq.evaluation.timing import median_ratio, time_interleaved

__all__ = [
    "Score",
    "attention_on_spans",
    "attention_rollout",
    "bleu",
    "chrf",
    "edit_distance",
    "entity_f1",
    "exact_match",
    "gradient_by_lag",
    "input_gradient",
    "median_ratio",
    "nearest_answer",
    "ngram_loss",
    "ngram_probabilities",
    "rouge_l",
    "shared_words_accuracy",
    "tfidf_accuracy",
    "time_interleaved",
    "token_f1",
]
