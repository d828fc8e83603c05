"""What surrounds a `fit`: losses, metrics, batches, baselines, results.

No file here knows a chapter: every part works with any Keras model.
"""

from keras_seq.training.batching import (
    BatchByLength,
    next_token_windows,
    teacher_forcing,
    without_autotune,
    without_padding,
)
from keras_seq.training.callbacks import SampleEachEpoch, StopWhen
from keras_seq.training.losses import TokenCrossEntropy, TwoViewCrossEntropy
from keras_seq.training.metrics import (
    NatsPerToken,
    Perplexity,
    SequenceAccuracy,
    TokenAccuracy,
)
from keras_seq.training.reset import reset_weights
from keras_seq.training.run import Run, write_results
from keras_seq.training.schedules import Noam, warmup_cosine

__all__ = [
    "BatchByLength",
    "NatsPerToken",
    "Noam",
    "Perplexity",
    "Run",
    "SampleEachEpoch",
    "SequenceAccuracy",
    "StopWhen",
    "TokenAccuracy",
    "TokenCrossEntropy",
    "TwoViewCrossEntropy",
    "next_token_windows",
    "reset_weights",
    "teacher_forcing",
    "warmup_cosine",
    "without_autotune",
    "without_padding",
    "write_results",
]
