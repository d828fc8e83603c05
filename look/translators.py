"""Train four translators of dates: ten languages to ISO 8601.

The same dates, steps, batches, width and learning rate for all, as in lesson
05 (the Transformer has a learning rate and a batch size of its own, as in
lesson 07). Without attention, one context vector holds the whole date.
"""

import keras
import numpy as np

from keras_seq import data
from keras_seq.evaluation import exact_match
from keras_seq.generation import generate
from keras_seq.models import (
    BahdanauSeq2Seq,
    LuongSeq2Seq,
    Seq2Seq,
    Transformer,
)
from keras_seq.text import CharTokenizer
from keras_seq.training import (
    BatchByLength,
    TokenCrossEntropy,
    WarmupCosineDecay,
    teacher_forcing,
)

ROWS, TESTS, UNITS, WIDTH = 16_000, 500, 96, 64
BUCKETS = (12, 16, 20, 24, 28, 32, 40, 64)
KINDS = {
    "seq2seq": Seq2Seq,
    "bahdanau": BahdanauSeq2Seq,
    "luong": LuongSeq2Seq,
    "transformer": Transformer,
}


def new_model(kind, sizes, seed=0):
    """Return an untrained model."""
    keras.utils.set_random_seed(seed)
    if kind == "transformer":
        model = Transformer(
            *sizes,
            WIDTH,
            num_heads=4,
            num_layers=1,
            intermediate_dim=2 * WIDTH,
            dropout=0.0,
            normalize_first=True,
            max_sequence_length=64,
        )
    else:
        model = KINDS[kind](*sizes, UNITS, bidirectional=True)
    ids = np.ones((1, 2), "int32")
    model({"source": ids, "target": ids})
    return model


def train(kind, epochs=2):
    """Train one model: returns it and its tokenizers."""
    texts, answers, _ = data.dates(ROWS)
    read, write = CharTokenizer.train(texts), CharTokenizer.train(answers)
    pairs = teacher_forcing(
        read.tokenize(texts, end=True),
        write.tokenize(answers, start=True, end=True),
    )
    alone = kind == "transformer"
    batches = BatchByLength(*pairs, 32 if alone else 64, buckets=BUCKETS)
    sizes = read.vocabulary_size(), write.vocabulary_size()
    model = new_model(kind, sizes)
    rate = WarmupCosineDecay(5e-3 if alone else 4e-3, epochs * len(batches))
    adam = keras.optimizers.Adam(rate, clipnorm=1.0)
    model.compile(adam, loss=TokenCrossEntropy())
    model.fit(batches, epochs=epochs, shuffle=False, verbose=2)
    tokenizers = {"source": read, "target": write}
    print(f"held-out dates right: {accuracy(model, tokenizers):.3f}")
    return model, tokenizers


def accuracy(model, tokenizers):
    """Return the share of held-out dates that are written without an error."""
    texts, answers, _ = data.dates(TESTS, split="test")
    source = tokenizers["source"].tokenize(texts, end=True)
    ids = generate(model, source, max_length=11).ids
    return exact_match(answers, tokenizers["target"].detokenize(ids))
