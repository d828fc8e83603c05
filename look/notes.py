"""What the page needs beside the models: digits, positions, gradients, titles.

Shapes: P patches, D width, K lags.
"""

import pathlib

import keras
import numpy as np

from keras_seq import data
from keras_seq.evaluation import gradient_by_lag
from keras_seq.layers import GRU, LSTM, SimpleRNN
from look import corpus

LAYERS = {"rnn": SimpleRNN, "gru": GRU, "lstm": LSTM}
LAGS, ROWS = 200, 8
LESSONS = pathlib.Path("tutorials")


def lesson_titles():
    """Map the name of a lesson to its title in English and in Korean."""
    from babel.messages.pofile import read_po

    found = {}
    for path in sorted(LESSONS.glob("*.py")):
        lines = path.read_text("utf-8").splitlines()
        title = next(x[4:] for x in lines if x.startswith("# # "))
        with (corpus.LOCALE / f"{path.stem}.po").open("rb") as file:
            found[path.stem] = title, read_po(file)[title].string
    return found


def digits_of_test():
    """Return the first test image of each digit, in sixteenths, and labels."""
    images, labels = data.digits("test")
    first = [int(np.argmax(labels == digit)) for digit in range(10)]
    pixels = np.rint(images[first] * 16).astype(int).reshape(10, -1)
    return {"digits": pixels.tolist(), "labels": labels[first].tolist()}


def similarity(model):
    """Return the cosines of a ViT's position embeddings: (P, P)."""
    vectors = keras.ops.convert_to_numpy(model.patch_embedding.positions)[1:]
    vectors = vectors - vectors.mean(axis=0)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.round(vectors @ vectors.T, 4).tolist()


def gradients(cell, model, tokenizer):
    """Return the gradient by lag of a character model: list of K + 1."""
    text = "\n".join(corpus.quoted_lines()[1])
    ids = tokenizer.tokenize([text])[0][: ROWS * (LAGS + 1)]
    x = model.token_embedding(ids.reshape(ROWS, LAGS + 1))
    layer = LAYERS[cell](model.recurrent_layers[0].units)
    layer.build(tuple(x.shape))
    layer.set_weights(model.recurrent_layers[0].get_weights())
    return [float(f"{value:.4g}") for value in gradient_by_lag(layer, x)]
