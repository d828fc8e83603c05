# %% [markdown]
# # Seq2Seq: an encoder, one context vector, a decoder
#
# The encoder (Sutskever, Vinyals & Le 2014; Cho et al. 2014) reads a date into
# its last state; the decoder starts from that state and writes the same date in
# ISO format until it predicts the end token.
#
#     "Sonntag, 5. März 1950"  ->  encoder  ->  c  ->  decoder  ->  "1950-03-05"
#
# The textbook says: c has a fixed width and is a *bottleneck*, long sources
# suffer from it, and it depends most on what was read last. Measured: exact
# matches by the width of c and by the length of the source; the gradient of c
# by the position of the letter; scheduled sampling beside teacher forcing.
#
# Data: `dates` in ten languages; no date of the test set was used in training.
# Expected: 0.98 of the dates right through 128 numbers, about a third through
# 64, almost no date through 32; long dates no worse than short ones.
# Minutes, on two processor cores: 2.
#
# Shapes: B batch, S source length, T target length, V letters, U units.

# %%
import keras
import numpy as np

from keras_seq import data, plots
from keras_seq.evaluation import exact_match, gradient_by_lag, nearest_answer
from keras_seq.generation import generate
from keras_seq.models import ScheduledSampling, Seq2Seq
from keras_seq.text import CharTokenizer
from keras_seq.training import (
    BatchByLength,
    Run,
    TokenAccuracy,
    TokenCrossEntropy,
    WarmupCosineDecay,
    teacher_forcing,
)

run = Run("seq2seq", data=("dates",), epochs=4)
COUNT, UNSEEN = (320, 100) if run.quick else (20_000, 1500)
WIDTHS = (128,) if run.quick else (32, 64, 128)
metrics, baselines = {}, {}

# %% [markdown]
# ## Dates in ten languages
#
# Ten languages, 110 formats, one right answer. The year often comes last and is
# needed first, "März" becomes "03", the weekday is not needed: few letters of
# the answer are where they were in the source. No date of the test set was used
# in training, so the answer to the nearest known text is always wrong. The
# experiments `attention` and `transformer` share this task, with half as many
# dates.

# %%
texts, answers, _ = data.dates(COUNT, seed=run.seed)
texts_test, answers_test, _ = data.dates(UNSEEN, seed=run.seed, split="test")
for pair in zip(texts_test[:6], answers_test):
    print(*pair, sep="  ->  ")
nearest = nearest_answer(texts, answers, texts_test)
nearest = exact_match(answers_test, nearest)

# %% [markdown]
# ## Teacher forcing is shifting the data
#
# The decoder is fed the right answer up to a letter, and asked for the next:
# its input is the target from the start mark on, its label the same target
# one letter later. So `fit` needs no loop of ours. We train the same model
# three times, with contexts of 32, 64 and 128 numbers.
#
#     input   [START] 1 9 5 0 - 0 3 - 0 5
#     label   1 9 5 0 - 0 3 - 0 5 [END]

# %%
letters = CharTokenizer.train(texts)
digits = CharTokenizer.train(answers)
pairs = teacher_forcing(
    letters.tokenize(texts), digits.tokenize(answers, start=True, end=True)
)
source_test = letters.tokenize(texts_test)


def batches():
    steps = (64,) if run.quick else (12, 16, 20, 24, 28, 32, 40, 64)
    return BatchByLength(*pairs, 64, buckets=steps, seed=run.seed)


def make(units, **options):
    keras.utils.set_random_seed(run.seed)
    model = Seq2Seq(
        letters.vocabulary_size(), digits.vocabulary_size(), units, **options
    )
    model(batches()[0][0])  # makes the weights
    return model


def train(stage, model):
    training = batches()
    steps = run.epochs * len(training)
    falling = WarmupCosineDecay(4e-3, steps)
    model.compile(
        keras.optimizers.Adam(falling, clipnorm=1.0),
        loss=TokenCrossEntropy(),
        metrics=[TokenAccuracy()],
        jit_compile="auto",  # XLA would compile longer than we train
    )
    print(f"\n{stage}: {model.count_params():,} parameters")
    callbacks = run.callbacks(stage)
    training.start_at(run.epochs_done(stage))  # 0, if it was not stopped
    model.fit(
        training,
        epochs=run.epochs,
        shuffle=False,  # the batches are, each epoch anew
        callbacks=callbacks,
        verbose=2,
    )
    predictions = generate(model, source_test, max_length=11).ids
    return np.array(digits.detokenize(predictions)) == answers_test


models = {units: make(units) for units in WIDTHS}
right = {
    f"{units} units": train(f"units_{units}", model)
    for units, model in models.items()
}
model, untrained = models[128], make(128)
print(f"context: {model.encode(source_test[:1]).shape}, whatever the source")
for units in WIDTHS:
    metrics[f"exact_match_{units}_units"] = right[f"{units} units"].mean()
metrics["exact_match"] = metrics.pop("exact_match_128_units")

# %% [markdown]
# ## Exposure bias, and scheduled sampling
#
# In training the decoder reads right letters only; in generation it reads its
# own, mistakes included. Scheduled sampling (Bengio et al. 2015) feeds it its
# own letter with a probability that grows during training: the share of true
# letters falls linearly from 1 to 0.5. It need not help: an ISO date has few
# letters, and each depends on the context alone.

# %%
slope = 0.5 / (run.epochs * len(batches()))
falling = ScheduledSampling("linear", 1.0, slope=slope, floor=0.5)
sampled = train("sampled", make(128, scheduled_sampling=falling))
metrics["exact_match_scheduled_sampling"] = sampled.mean()
right["128 units, scheduled sampling"] = sampled
baselines |= dict.fromkeys(metrics, nearest)

# %% [markdown]
# ## The bottleneck: narrow, or long?
#
# *Narrow?* The same model with half the width gets the same number of steps.
# *Long* is another matter. The textbooks' rule is about sentences, where a
# longer one has more content. A date is three numbers, however many letters it
# takes, so we do not expect the longest third of the texts to do much worse
# than the shortest. The picture shows the test dates in tenths.

# %%
by_length = np.argsort([len(text) for text in texts_test], kind="stable")
thirds = np.array_split(right["128 units"][by_length], 3)
metrics["exact_match_shortest_third"] = thirds[0].mean()
metrics["exact_match_longest_third"] = thirds[2].mean()
lengths = np.array([len(texts_test[i]) for i in by_length])
figure = plots.curves(
    {
        name: [tenth.mean() for tenth in np.array_split(r[by_length], 10)]
        for name, r in right.items()
    },
    x=[tenth.mean().round() for tenth in np.array_split(lengths, 10)],
    xlabel="length of the source (letters)",
    ylabel="exact match, held out (share)",
)
run.save(figure, "by_length")

# %% [markdown]
# ## Recency: which letter changes the context most?
#
# The norm of the gradient of the context with respect to each letter's
# embedding, divided by the mean over the letters: below 1, the letter changes
# the context less than the average one. In an untrained GRU the last letter has
# the most influence, the first hardly any. Training may change that, because
# what counts in a date may be anywhere.


# %%
def recency(model, ids):
    encoder = model.encoder
    norms = gradient_by_lag(
        lambda x: encoder.recurrent_layers[0](x)[0][:, -1],
        encoder.token_embedding(ids),
    )
    return norms / norms.mean()


length = int(np.median(lengths))
alike = source_test[(source_test > 0).sum(axis=1) == length][:, :length]
before, after = recency(untrained, alike), recency(model, alike)
metrics["recency_first"], metrics["recency_last"] = after[-1], after[0]
baselines["recency_first"], baselines["recency_last"] = before[-1], before[0]
figure = plots.curves(
    {"untrained": before[::-1], "trained": after[::-1]},
    xlabel=f"place of the letter in a text of {length}",
    ylabel="gradient of the context, average 1",
    baselines={"all alike": 1.0},
)
run.save(figure, "recency")

# %% [markdown]
# ## The same weights at every place
#
# A network for texts of 60 letters has no more weights than one for 8: the
# same cell runs at every step. So the decoder's next letter depends on its
# state and the letter it reads, not on the step at which that happens.

# %%
print(f"{model.count_params():,} parameters for every length:")
for text in (texts_test[by_length[0]], texts_test[by_length[-1]]):
    predictions = generate(model, letters.tokenize([text]), max_length=11).ids
    print(f"{text}  ->  {digits.detokenize(predictions)[0]}")

# %%
run.finish(
    model,
    metrics,
    baselines,
    expected={
        "exact_match": "more than with 64 units",
        "recency_first": "below 1",
        "recency_last": "above 1",
    },
)
