"""Train the character models: RNN, GRU and LSTM, English and Korean in one.

All three read the same text in the same order, with the same width, steps and
learning rate, so that what the page shows side by side differs in the cell
alone.

Shapes: T length of a window.
"""

import keras

from keras_seq.models import RecurrentLM
from keras_seq.text import CharTokenizer
from keras_seq.training import (
    TokenCrossEntropy,
    WarmupCosineDecay,
    next_token_windows,
)
from look import corpus

UNITS, WIDTH, LENGTH = 128, 48, 64
RARE = 3  # a character seen less often is unknown


def tokenizer_of(text):
    """Return a tokenizer of the characters that are not rare."""
    known = {c for c in set(text) if text.count(c) >= RARE}
    return CharTokenizer.train("".join(c for c in text if c in known))


def windows():
    """Return the tokenizer, and windows of training and held-out text."""
    train, test = ("\n".join(lines) for lines in corpus.quoted_lines())
    tokenizer = tokenizer_of("\n".join([*corpus.lines()[0], train]))
    ids = [tokenizer.tokenize([text])[0] for text in (train, test)]
    return tokenizer, *(next_token_windows(x, length=LENGTH) for x in ids)


def new_model(cell, vocabulary_size, seed=0):
    """Return an untrained model."""
    keras.utils.set_random_seed(seed)
    model = RecurrentLM(
        vocabulary_size, UNITS, cell=cell, embedding_dim=WIDTH, pad_id=None
    )
    model.build((None, LENGTH))
    return model


def train(cell, epochs=10, batch_size=32):
    """Train one model: returns it and its tokenizer."""
    tokenizer, pairs, held_out = windows()
    model = new_model(cell, tokenizer.vocabulary_size())
    steps = epochs * -(-len(pairs[0]) // batch_size)
    adam = keras.optimizers.Adam(
        WarmupCosineDecay(6e-3, steps), global_clipnorm=1.0
    )
    model.compile(adam, loss=TokenCrossEntropy(pad_id=None))
    model.fit(
        *pairs,
        batch_size=batch_size,
        epochs=epochs,
        validation_data=held_out,
        verbose=2,
    )
    return model, {"text": tokenizer}
