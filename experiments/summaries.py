# %% [markdown]
# # Summaries: the first line of a docstring from its body
#
# A docstring explains a function twice: in one line, and at length below it. A
# Transformer (Vaswani et al. 2017) learns to write the line from the body. Both
# have the same subwords and one embedding matrix, so that words of the body are
# easy to repeat; nothing else helps it to copy.
#
# Measured: ROUGE-L on held-out docstrings, beside the lead, the body's first
# sentence, and the summary of the nearest training body; the share of different
# summaries among all that are written.
#
# Data: `docstrings`, those of the installed packages.
# Expected: ROUGE-L 0.16, below the lead (0.18) and the nearest summary (0.28):
# twelve epochs are too few.
# Minutes, on two processor cores: 24.
#
# Shapes: N docstrings, S tokens of a body, T of a summary.

# %%
import time

import keras
import numpy as np

from keras_seq import data, plots
from keras_seq.evaluation import nearest_answer, rouge_l
from keras_seq.generation import BeamSearch, generate
from keras_seq.models import Transformer
from keras_seq.text import SentencePieceTokenizer
from keras_seq.training import (
    BatchByLength,
    NatsPerToken,
    Run,
    TokenCrossEntropy,
    WarmupCosineDecay,
    teacher_forcing,
)

run = Run("summaries", data=("docstrings",), epochs=12)
WORDS, UNITS, LAYERS, BATCH, RATE = 4000, 128, 2, 64, 2e-3
options = {}
if run.quick:
    WORDS, LAYERS, options = 600, 1, {"packages": ["numpy"]}
metrics, baselines = {}, {}

# %% [markdown]
# ## Bodies and summaries
#
# No summary of the test set is one of the training set.

# %%
train, test = (data.docstrings(part, **options) for part in ("train", "test"))
if run.quick:
    train, test = ([texts[:100] for texts in pair] for pair in (train, test))
pieces = SentencePieceTokenizer.train([*train[0], *train[1]], WORDS)
source = pieces.tokenize(train[0], end=True)
target = pieces.tokenize(train[1], start=True, end=True)
asked = pieces.tokenize(test[0], end=True)
LENGTH = target.shape[1]
for body, summary in list(zip(*test))[::500]:
    print(f"{body}\n    -> {summary}")

# %% [markdown]
# ## Baselines

# %%
lead = [body.split(". ")[0] for body in test[0]]
nearest = nearest_answer(*train, test[0])
baselines["rouge_l"] = rouge_l(test[1], lead)
baselines["rouge_l_nearest"] = rouge_l(test[1], nearest)
baselines["distinct"] = len({*test[1]}) / len(test[1])

# %% [markdown]
# ## A small Transformer
#
# Source, target and logits share one matrix. One setting was tried.

# %%
V = pieces.vocabulary_size()
model = Transformer(
    V,
    V,
    UNITS,
    num_heads=4,
    num_layers=LAYERS,
    dropout=0.2,
    normalize_first=True,
    shared=True,
    tied=True,
)
batches = BatchByLength(*teacher_forcing(source, target), BATCH, seed=run.seed)
model(batches[0][0])  # makes the weights
model.supports_jit = False  # XLA compiles each length anew
print(f"{model.count_params():,} parameters")
total = run.epochs * len(batches)
model.compile(
    keras.optimizers.Adam(
        WarmupCosineDecay(RATE, total, total // 10), clipnorm=1.0
    ),
    TokenCrossEntropy(label_smoothing=0.1),
    metrics=[NatsPerToken()],
)
batches.start_at(run.epochs_done("summaries"))
begin = time.process_time()
model.fit(
    batches,
    epochs=run.epochs,
    shuffle=False,  # the batches are, each epoch anew
    callbacks=run.callbacks("summaries", every=2),
    verbose=2,
)
metrics["seconds_training"] = run.seconds("summaries")
# Of all cores, in this part of the run; the clock also counts other processes.
metrics["processor_seconds_training"] = time.process_time() - begin

# %% [markdown]
# ## Held-out docstrings

# %%
predictions = []
for start in range(0, len(asked), 100):
    part = asked[start : start + 100]
    found = generate(model, part, BeamSearch(4), max_length=LENGTH)
    predictions += pieces.detokenize(found.ids)
metrics["rouge_l"] = rouge_l(test[1], predictions)
metrics["distinct"] = len({*predictions}) / len(predictions)
metrics["known"] = float(np.mean([text in {*train[1]} for text in predictions]))
for body, true, summary in list(zip(*test, predictions))[::100]:
    print(f"{body}\n    true:    {true}\n    written: {summary}")

# %% [markdown]
# ## What each token was written from
#
# The cross-attention of one held-out docstring with a short body.

# %%
shortest = int(np.argmin((asked > 0).sum(axis=1)))
row = asked[shortest : shortest + 1]
row = row[:, row[0] > 0]
found = generate(model, row, max_length=LENGTH)
written = [t for t in pieces.tokens(found.ids)[0] if t != "[PAD]"]
run.save(
    plots.alignment(
        found.attention[0, : len(written)], pieces.tokens(row)[0], written
    ),
    "alignment",
)

# %%
run.finish(model, metrics, baselines, {"rouge_l": "above the lead"})
