"""Train a GPT and a BERT on texts in English and Korean, as WordPiece subwords.

Both read the same text with the same WordPiece vocabulary, both languages in
one, and have the same size. Text and models are small: they have learned which
subwords occur near each other, and hardly what a sentence means.

Shapes: T length of a window.
"""

import itertools

import keras
import numpy as np

from keras_seq import data
from keras_seq.demo.store import load_small
from keras_seq.models import BERT, GPT, BERTClassifier, BERTPretrainer
from keras_seq.text import MaskedLMMaskGenerator, WordPieceTokenizer
from keras_seq.training import (
    BatchByLength,
    TokenAccuracy,
    TokenCrossEntropy,
    WarmupCosineDecay,
    next_token_windows,
    without_padding,
)
from look import corpus
from look.exports import WEIGHTS
from look.initial_values import attend_near

VOCABULARY, WIDTH, LAYERS, LENGTH = 6000, 96, 2, 64
BUCKETS = 16, 24, 32, 48, LENGTH
SIZE = {"num_heads": 4, "num_layers": LAYERS, "max_sequence_length": LENGTH}


def tokenizer_of(lines):
    """Return a WordPiece tokenizer of the training lines."""
    return WordPieceTokenizer.train(lines, VOCABULARY)


def new_gpt(vocabulary_size, seed=0):
    """Return an untrained GPT."""
    keras.utils.set_random_seed(seed)
    model = GPT(vocabulary_size, WIDTH, dropout=0.0, pad_id=None, **SIZE)
    model.build()
    attend_near(model, model)
    return model


def new_bert(vocabulary_size, seed=0):
    """Return an untrained BERT with its head for masked tokens."""
    keras.utils.set_random_seed(seed)
    bert = BERT(vocabulary_size, WIDTH, dropout=0.0, num_segments=1, **SIZE)
    model = BERTPretrainer(bert, next_sentence=False)
    model.build()
    attend_near(model, bert)
    return model


def compiled(model, steps, loss, metrics=None, rate=3e-3):
    adam = keras.optimizers.AdamW(
        WarmupCosineDecay(rate, steps, steps // 20),
        weight_decay=0.05,
        global_clipnorm=1.0,
    )
    model.compile(adam, loss, metrics=metrics)
    return model


def train_gpt(epochs=10, batch_size=32):
    """Train the GPT: returns it and its tokenizer."""
    lines = corpus.many_lines()
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


def masked_batches(batches, mask):
    """Yield batches without end; each epoch masks other tokens."""
    steps = itertools.count()
    while True:
        for n in range(len(batches)):
            yield masked(mask, batches[n][0], next(steps))
        batches.on_epoch_end()


def train_bert(epochs=20, batch_size=64):
    """Train the BERT: returns it and its tokenizer."""
    lines = corpus.many_lines()
    tokenizer = tokenizer_of(lines[0])
    options = {"start": True, "end": True, "sequence_length": LENGTH}
    ids, test = (tokenizer.tokenize(x, truncate=True, **options) for x in lines)
    mask, ask = (MaskedLMMaskGenerator(tokenizer, p) for p in (0.25, 0.15))
    batches = BatchByLength(
        without_padding(ids), len(ids) * [0], batch_size, buckets=BUCKETS
    )
    model = new_bert(tokenizer.vocabulary_size())
    loss, metrics = TokenCrossEntropy(), {"masked_lm": [TokenAccuracy()]}
    compiled(model, epochs * len(batches), {"masked_lm": loss}, metrics)
    model.fit(
        masked_batches(batches, mask),
        epochs=epochs,
        steps_per_epoch=len(batches),
        validation_data=masked(ask, test, 0),
        verbose=2,
    )
    return model, {"text": tokenizer}


def train_reviews(epochs=3, batch_size=64):
    """Fine-tune the BERT on Korean film reviews, good or bad."""
    pretrained, tokenizers = load_small(WEIGHTS / "bert.npz")
    keras.utils.set_random_seed(0)
    model = BERTClassifier(pretrained.bert, 2, pooling="mean")
    options = {"start": True, "end": True, "sequence_length": LENGTH}
    rows, test = (
        (tokenizers["text"].tokenize(texts, truncate=True, **options), labels)
        for texts, labels in map(data.nsmc, ("train", "test"))
    )
    steps = epochs * -(-len(rows[0]) // batch_size)
    compiled(
        model,
        steps,
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        ["accuracy"],
        rate=1e-3,
    )
    model.fit(*rows, batch_size=batch_size, epochs=epochs, verbose=2)
    model.evaluate(*test, verbose=2)
    return model, tokenizers
