"""What surrounds a `fit`: losses, metrics, batches, baselines, results.

No file here knows a chapter: every part works with any Keras model.
"""

from keras_seq.training.again import begin_again
from keras_seq.training.baselines import ngram_loss, ngram_probabilities
from keras_seq.training.batching import (
    BatchByLength,
    next_token_windows,
    teacher_forcing,
    untuned,
    without_padding,
)
from keras_seq.training.callbacks import SampleEachEpoch, StopWhen
from keras_seq.training.gradients import gradient_by_lag, input_gradient
from keras_seq.training.losses import TokenCrossEntropy, TwoViewCrossEntropy
from keras_seq.training.metrics import (
    NatsPerToken,
    Perplexity,
    SequenceAccuracy,
    TokenAccuracy,
)
from keras_seq.training.retrieval import (
    nearest_answer,
    shared_words_accuracy,
    tfidf_accuracy,
)
from keras_seq.training.rollout import attention_rollout
from keras_seq.training.run import Run, write_results
from keras_seq.training.schedules import Noam, warmup_cosine
from keras_seq.training.scores import (
    Score,
    attention_on_spans,
    bleu,
    chrf,
    edit_distance,
    entity_f1,
    exact_match,
    rouge_l,
    token_f1,
)
from keras_seq.training.timing import interleave, ratio

__all__ = [
    "BatchByLength",
    "NatsPerToken",
    "Noam",
    "Perplexity",
    "Run",
    "SampleEachEpoch",
    "Score",
    "SequenceAccuracy",
    "StopWhen",
    "TokenAccuracy",
    "TokenCrossEntropy",
    "TwoViewCrossEntropy",
    "attention_on_spans",
    "attention_rollout",
    "begin_again",
    "bleu",
    "chrf",
    "edit_distance",
    "entity_f1",
    "exact_match",
    "gradient_by_lag",
    "input_gradient",
    "interleave",
    "nearest_answer",
    "next_token_windows",
    "ngram_loss",
    "ngram_probabilities",
    "ratio",
    "rouge_l",
    "shared_words_accuracy",
    "teacher_forcing",
    "tfidf_accuracy",
    "token_f1",
    "untuned",
    "warmup_cosine",
    "without_padding",
    "write_results",
]
