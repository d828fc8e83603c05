"""Training: losses, metrics, schedules, callbacks, batches, resumable runs.

Nothing here depends on a layer or a model: every part works with any Keras
model.
"""

from keras_seq.training.batching import BatchByLength
from keras_seq.training.callbacks import SampleEachEpoch, StopWhen
from keras_seq.training.datasets import (
    next_token_windows,
    pack_sequences,
    teacher_forcing,
    without_autotune,
    without_padding,
)
from keras_seq.training.distribution import layout_map
from keras_seq.training.lesson import Lesson
from keras_seq.training.losses import TokenCrossEntropy, TwoViewCrossEntropy
from keras_seq.training.metrics import (
    NatsPerToken,
    Perplexity,
    SequenceAccuracy,
    TokenAccuracy,
)
from keras_seq.training.reset import reset_weights
from keras_seq.training.results import write_results
from keras_seq.training.run import Run
from keras_seq.training.schedules import NoamDecay, WarmupCosineDecay

__all__ = [
    "BatchByLength",
    "Lesson",
    "NatsPerToken",
    "NoamDecay",
    "Perplexity",
    "Run",
    "SampleEachEpoch",
    "SequenceAccuracy",
    "StopWhen",
    "TokenAccuracy",
    "TokenCrossEntropy",
    "TwoViewCrossEntropy",
    "WarmupCosineDecay",
    "layout_map",
    "next_token_windows",
    "pack_sequences",
    "reset_weights",
    "teacher_forcing",
    "without_autotune",
    "without_padding",
    "write_results",
]
