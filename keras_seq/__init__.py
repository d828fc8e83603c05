"""keras_seq: from the recurrent network to the Vision Transformer, in Keras.

`keras_seq.layers` and `keras_seq.models` hold one file per idea, and
`keras_seq.generation` the autoregressive decoding that all models share.
`keras_seq.tasks` puts a model and its tokenizer together: strings in, strings
out. Importing the package registers every layer and model, so that a saved
model can be loaded.
"""

from keras_seq import (
    evaluation,
    generation,
    layers,
    models,
    tasks,
    text,
    training,
)

__version__ = "0.1.0"

__all__ = [
    "__version__",
    "evaluation",
    "generation",
    "layers",
    "models",
    "tasks",
    "text",
    "training",
]
