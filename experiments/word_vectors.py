# %% [markdown]
# # Word vectors: are related words close?
#
# A GRU learns to predict the next word of docstrings. No one tells it what a
# word means; each word begins as a random vector. Measured: of the words of
# nine groups, written down before any training (types, numbers, forms of "to
# be" and so on), the share whose nearest word, among the 2,000 most common, is
# of the same group, after training and before; and a map of the groups.
#
# Data: `docstrings`, of the packages that are installed with this library.
# Expected: 0.16 of the words, none before training, 0.003 by chance.
# Minutes, on two processor cores: 10.

# %%
import re
from collections import Counter

import keras
import numpy as np

from keras_seq import data, plots
from keras_seq.models import RecurrentLM
from keras_seq.training import (
    Perplexity,
    Run,
    TokenCrossEntropy,
    WarmupCosineDecay,
    next_token_windows,
)

run = Run("word_vectors", data=("docstrings",), epochs=10)
GROUPS = {
    "types": "int float str list dict tuple set bool string integer",
    "numbers": "one two three four five zero",
    "first, second": "first second third last next previous",
    "to be": "is are was were be been",
    "articles": "a an the this that these those",
    "opposites": "true false yes no none",
    "sizes": "size length width height shape rank",
    "parts of a class": "method attribute property class instance object",
    "function verbs": "returns raises creates computes converts applies",
}
KNOWN, WINDOW = (200 if run.quick else 2000), 32

# %% [markdown]
# ## From texts to numbers of words
#
# A word is a run of letters, in lower case; other marks are words of one
# character. Number 0 is padding, number 1 every word that is not among the
# known ones.


# %%
def words_of(split):
    count = 200 if run.quick else 100_000
    bodies, summaries = data.docstrings(split, count)
    text = "\n".join(f"{s} {b}" for s, b in zip(summaries, bodies))
    return re.findall(r"[a-z]+|[^\sa-z]", text.lower())


train, test = words_of("train"), words_of("test")
common = [word for word, _ in Counter(train).most_common(KNOWN)]
ids_of = {word: number for number, word in enumerate(common, 2)}
x, y = next_token_windows([ids_of.get(w, 1) for w in train], WINDOW)
held_out = next_token_windows([ids_of.get(w, 1) for w in test], WINDOW)
print(f"{len(train):,} words, {len(set(train)):,} different")

# %% [markdown]
# ## The model
#
# The vector of a word is a row of the embedding. It is the only thing that the
# GRU knows of the word.

# %%
model = RecurrentLM(KNOWN + 2, 128, cell="gru", embedding_dim=64, dropout=0.1)
model(x[:1])
before = keras.ops.convert_to_numpy(model.token_embedding.embeddings)
steps = run.epochs * -(-len(x) // 64)
rate = WarmupCosineDecay(4e-3, steps, steps // 20)
model.compile(
    keras.optimizers.Adam(rate, clipnorm=1.0),
    TokenCrossEntropy(),
    metrics=[Perplexity()],
    jit_compile=run.jit_compile,
)
model.fit(
    *(x, y, 64),
    epochs=run.epochs,
    callbacks=run.callbacks("gru"),
    verbose=2,
)
after = keras.ops.convert_to_numpy(model.token_embedding.embeddings)

# %% [markdown]
# ## The nearest word
#
# Nearest is the word of the greatest cosine, the word itself left out.


# %%
def nearest(table, word, count=5):
    unit = table / np.linalg.norm(table, axis=-1, keepdims=True)
    cosines = unit @ unit[ids_of[word]]
    order = [n for n in np.argsort(-cosines) if n > 1 and n != ids_of[word]]
    return [common[n - 2] for n in order[:count]]


groups = {
    name: [word for word in words.split() if word in ids_of]
    for name, words in GROUPS.items()
}
groups = {name: words for name, words in groups.items() if len(words) > 1}


def share(table):
    hits = [
        nearest(table, word, 1)[0] in words
        for words in groups.values()
        for word in words
    ]
    return float(np.mean(hits))


for words in groups.values():
    for word in words[:2]:
        print(f"{word:>10}: {', '.join(nearest(after, word))}")
count = sum(map(len, groups.values()))
by_chance = sum(len(w) * (len(w) - 1) for w in groups.values()) / count
metrics = {
    "nearest_of_the_same_group": share(after),
    "perplexity": model.evaluate(*held_out, verbose=0)[1],
}
baselines = {
    "nearest_of_the_same_group": share(before),
    "nearest_by_chance": by_chance / (len(common) - 1),
    "perplexity": float(len(common) + 2),
}

# %%
rows = [ids_of[word] for words in groups.values() for word in words]
run.save(plots.embedding_map(after[rows], groups), "word_map")
run.save(plots.embedding_map(before[rows], groups), "word_map_untrained")
run.finish(model, metrics, baselines)
