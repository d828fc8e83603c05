"""Train a GPT and a BERT on the lessons and dialogues, in pieces of words.

Both read the same text with the same WordPiece vocabulary, English and Korean
in one, and have the same size. The text is small, so they know its subject,
neural networks, and little else.

Shapes: T length of a window.
"""

import keras
import numpy as np

from keras_seq.models import BERT, GPT, BERTPretrainer
from keras_seq.text import MaskedLMMaskGenerator, WordPieceTokenizer
from keras_seq.training import (
    TokenCrossEntropy,
    WarmupCosineDecay,
    next_token_windows,
)
from look import corpus

VOCABULARY, WIDTH, LAYERS, LENGTH = 5000, 96, 2, 64
SIZE = {"num_heads": 4, "num_layers": LAYERS, "max_sequence_length": LENGTH}


def tokenizer_of(lines):
    """Return a WordPiece tokenizer of the training lines."""
    return WordPieceTokenizer.train(lines, VOCABULARY)


def new_gpt(vocabulary_size, seed=0):
    """Return an untrained GPT; the page shows it as well."""
    keras.utils.set_random_seed(seed)
    model = GPT(vocabulary_size, WIDTH, dropout=0.1, pad_id=None, **SIZE)
    model.build()
    return model


def new_bert(vocabulary_size, seed=0):
    """Return an untrained BERT with its head for masked tokens."""
    keras.utils.set_random_seed(seed)
    bert = BERT(vocabulary_size, WIDTH, dropout=0.1, num_segments=1, **SIZE)
    model = BERTPretrainer(bert, next_sentence=False)
    model.build()
    for weight in model.weights:  # as in lesson 10: small models, large weights
        if weight.path.endswith(("kernel", "embeddings")):
            weight.assign(5 * weight)
    return model


def compiled(model, steps, loss):
    adam = keras.optimizers.AdamW(
        WarmupCosineDecay(3e-3, steps), weight_decay=0.05, global_clipnorm=1.0
    )
    model.compile(adam, loss=loss)
    return model


def train_gpt(epochs=15, batch_size=32):
    """Train the GPT: returns it and its tokenizer."""
    lines = corpus.lines()
    tokenizer = tokenizer_of(lines[0])
    rows = [np.concatenate(tokenizer.tokenize_rows(part)) for part in lines]
    pairs, held_out = (next_token_windows(x, length=LENGTH) for x in rows)
    steps = epochs * -(-len(pairs[0]) // batch_size)
    loss = TokenCrossEntropy(pad_id=None)
    model = compiled(new_gpt(tokenizer.vocabulary_size()), steps, loss)
    model.fit(
        *pairs,
        batch_size=batch_size,
        epochs=epochs,
        validation_data=held_out,
        verbose=2,
    )
    return model, {"text": tokenizer}


def masked(mask, ids, step):
    """Return inputs with masked tokens, and their labels."""
    found = mask(ids, step)
    inputs = {"token_ids": found["token_ids"], "segment_ids": 0 * ids}
    inputs["mask_positions"] = found["mask_positions"]
    return inputs, {"masked_lm": found["labels"]}


def train_bert(epochs=30, batch_size=64):
    """Train the BERT: returns it and its tokenizer."""
    lines = corpus.lines()
    tokenizer = tokenizer_of(lines[0])
    options = {"start": True, "end": True, "sequence_length": LENGTH}
    ids, test = (tokenizer.tokenize(x, truncate=True, **options) for x in lines)
    mask = MaskedLMMaskGenerator(tokenizer)
    steps = epochs * -(-len(ids) // batch_size)
    loss = {"masked_lm": TokenCrossEntropy()}
    model = compiled(new_bert(tokenizer.vocabulary_size()), steps, loss)
    for epoch in range(epochs):  # other tokens are masked in each epoch
        x, y = masked(mask, ids, epoch)
        model.fit(x, y, batch_size=batch_size, verbose=2)
    x, y = masked(mask, test, 0)
    model.evaluate(x, y, verbose=2)
    return model, {"text": tokenizer}
