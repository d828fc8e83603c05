# %% [markdown]
# # The Transformer: the whole sequence at once
#
# Self-attention instead of recurrence (Vaswani et al. 2017): all positions are
# computed in one step.
#
#     recurrent   x1 -> h1 -> h2 -> h3 -> h4       S steps, one after another
#     attention   every x is compared with every x      1 step, S * S scores
#
# Measured: exact matches with and without positional encoding; the loss with
# normalization before or after the residual connection, with and without warmup
# and averaged weights; the time of a training step beside an LSTM's and a
# GRU's, by length; the speed of decoding with and without the key-value cache;
# attention computed by hand beside the layer.
#
# Data: `dates`, as in the experiment `attention`; `--data multi30k`, German to
# English (not measured yet).
# Expected: 0.99 of the dates right, few without positions; from 16 letters on a
# faster step than the LSTM's, at 512 over three times as fast; the cache over
# ten times as fast for 200 letters.
# Minutes, on two processor cores: 3.
#
# Shapes: B batch, S source length, T target length, D width, H heads, K head
# width.

# %%
import functools

import keras
import numpy as np

from keras_seq import data, plots
from keras_seq.evaluation import (
    bleu,
    exact_match,
    gradient_by_lag,
    median_ratio,
    nearest_answer,
    time_interleaved,
)
from keras_seq.generation import WithoutCache, generate
from keras_seq.layers import LSTM, MultiHeadAttention, TransformerEncoder
from keras_seq.models import GPT, RecurrentLM, Transformer
from keras_seq.text import CharTokenizer, SentencePieceTokenizer
from keras_seq.training import (
    BatchByLength,
    Run,
    TokenAccuracy,
    TokenCrossEntropy,
    WarmupCosineDecay,
    teacher_forcing,
)

run = Run(
    "transformer",
    data=("dates", "multi30k"),
    epochs={"dates": 5, "multi30k": 8},
)
metrics, baselines = {}, {}

# %% [markdown]
# ## The core, by hand
#
#     a = softmax(q k^T / sqrt(K)),   c = a v        for each head
#
# The layer's own weights, and NumPy:

# %%
layer = MultiHeadAttention(2, 4)
x = np.random.default_rng(run.seed).normal(size=(1, 5, 8)).astype("float32")
y = keras.ops.convert_to_numpy(layer(x))
Wq, bq, Wk, bk, Wv, bv, Wo, bo = layer.get_weights()
q, k, v = (
    np.einsum("btd,dhk->bhtk", x, W) + b[:, None]
    for W, b in ((Wq, bq), (Wk, bk), (Wv, bv))
)
a = np.exp(q @ k.swapaxes(2, 3) / np.sqrt(4))
a /= a.sum(axis=-1, keepdims=True)
by_hand = np.einsum("bhtk,hkd->btd", a @ v, Wo) + bo
metrics["core_difference"] = np.abs(by_hand - y).max()
print(f"by hand and by the layer: {metrics['core_difference']:.1e} apart")

# %% [markdown]
# ## The task of `seq2seq` and `attention`
#
# The data of the experiment `attention`, for more epochs of smaller batches: a
# Transformer's step is faster, and it needs more of them. Adam's learning rate
# is warmed up and then falls.

# %%
if run.data == "dates":
    count, unseen = (160, 100) if run.quick else (10_000, 1500)
    texts, answers, _ = data.dates(count, run.seed)
    texts_test, answers_test, _ = data.dates(unseen, run.seed, split="test")
    read, write = CharTokenizer.train(texts), CharTokenizer.train(answers)
    width, layers, dropout, batch, longest = 128, 1, 0.0, 32, 11
    highest = 3e-3  # rate
    metric, score = "exact_match", exact_match
else:
    texts, answers = data.multi30k()
    texts_test, answers_test = data.multi30k("test")
    if run.quick:
        texts, answers = texts[:500], answers[:500]
    size = 600 if run.quick else 4000
    read = SentencePieceTokenizer.train(texts, size)
    write = SentencePieceTokenizer.train(answers, size)
    width, layers, dropout, batch, longest = 256, 2, 0.2, 64, 60
    highest = 1e-3
    metric, score = "bleu", lambda *texts: bleu(*texts).score


def batches(texts, answers):
    pairs = teacher_forcing(
        read.tokenize(texts, end=True),
        write.tokenize(answers, start=True, end=True),
    )
    steps = [] if run.quick else [12, 16, 20, 24, 28, 32, 40]
    steps.append(64 if run.data == "dates" else 128)
    return BatchByLength(*pairs, batch, buckets=steps, seed=run.seed)


source_test = read.tokenize(texts_test, end=True)
nearest = nearest_answer(texts, answers, texts_test)


def make(**options):
    keras.utils.set_random_seed(run.seed)
    sizes = {"num_heads": 4, "num_layers": layers, "dropout": dropout}
    model = Transformer(
        read.vocabulary_size(),
        write.vocabulary_size(),
        width,
        **{**sizes, **options},
    )
    model(batches(texts[:64], answers[:64])[0][0])  # makes the weights
    if not run.jit_compile:
        model.supports_jit = False
    return model


def train(
    stage, model, epochs, rate=highest, share=0.1, averaged=False, rows=None
):
    """Train; the first share of the steps warms the rate up.

    Averaged: `fit` leaves the mean of the last 100 or so steps' weights.
    """
    print(f"\n{stage}: {model.count_params():,} parameters")
    training = batches(texts[:rows], answers[:rows])
    steps = epochs * len(training)
    schedule = WarmupCosineDecay(rate, steps, int(share * steps))
    model.compile(
        keras.optimizers.Adam(
            schedule, beta_2=0.98, clipnorm=1.0, use_ema=averaged
        ),
        loss=TokenCrossEntropy(),
        metrics=[TokenAccuracy()],
        jit_compile="auto",
    )
    callbacks = run.callbacks(stage)
    training.start_at(run.epochs_done(stage))
    model.fit(
        training,
        epochs=epochs,
        shuffle=False,  # the batches are, each epoch anew
        callbacks=callbacks,
        verbose=2,
    )


def answer(model):
    predictions = []
    for start in range(0, len(source_test), 500):
        part = source_test[start : start + 500]
        found = generate(model, part, max_length=longest)
        predictions += write.detokenize(found.ids)
    return predictions


model = make(normalize_first=True)
train("transformer", model, run.epochs)
predictions = answer(model)
third = np.argsort([len(text) for text in texts_test])[-len(predictions) // 3 :]


def scores(predictions):
    """Score all answers, and those to the longest third of the texts."""
    parts = [[part[i] for i in third] for part in (answers_test, predictions)]
    return {
        metric: score(answers_test, predictions),
        f"{metric}_longest_third": score(*parts),
    }


metrics |= scores(predictions)
baselines |= scores(nearest)
for trio in zip(texts_test[:5], predictions):
    print(*trio, sep="  ->  ")

# %% [markdown]
# ## Without positions
#
# Attention alone does not depend on the order: "05.03." and "03.05." are the
# same letters. About half as many epochs.

# %%
blind = make(normalize_first=True, position_encoding="none")
train("blind", blind, (run.epochs + 1) // 2)
metrics[f"{metric}_no_positions"] = score(answers_test, answer(blind))
baselines[f"{metric}_no_positions"] = baselines[metric]

# %% [markdown]
# ## Attention weights
#
# Cross-attention of the decoder, and self-attention of the encoder: a row of
# pictures for each layer.

# %%
korean = (i for i, text in enumerate(texts_test) if "년" in text)
chosen = next(korean, 0)
one = source_test[chosen : chosen + 1]
one = one[:, : np.count_nonzero(one)]
generated = generate(model, one, max_length=longest).ids
generated = generated[:, : np.count_nonzero(generated)]
target = np.pad(generated, ((0, 0), (1, 0)), constant_values=model.start_id)[
    :, :-1
]
_, weights = model(
    {"source": one, "target": target}, return_attention_scores=True
)
letters = read.tokens(one)[0], write.tokens(generated)[0]
for side, names in (
    ("cross", letters),
    ("encoder", (letters[0], letters[0])),
):
    looks = [keras.ops.convert_to_numpy(w)[0] for w in weights[side]]
    run.save(plots.attention_heads(looks, *names), f"heads_{side}")

# %% [markdown]
# ## Post-norm and pre-norm, warmup, averaged weights
#
# Post-norm, as in the paper, or pre-norm; with or without warmup of the
# learning rate. The paper also averages the weights of its last checkpoints;
# Keras's optimizers do so at every step. (In a training as short as this one,
# the average is behind the weights, and worse.) Two blocks on each side, half
# the data once: nats per letter of the test answers.

# %%
trials = (
    ("post_norm", "warmed_up"),
    ("post_norm", "at_once"),
    ("pre_norm", "warmed_up"),
    ("pre_norm", "at_once"),
    ("pre_norm", "averaged"),
)
for name, how in trials[:1] if run.quick else trials:
    share, averaged = 0.0 if how == "at_once" else 0.2, how == "averaged"
    blocks = 1 if run.quick else 2
    trial = make(normalize_first=name == "pre_norm", num_layers=blocks)
    half = len(texts) // 2
    train(f"{name}_{how}", trial, 1, 4e-3, share, averaged, half)
    found = trial.evaluate(
        batches(texts_test, answers_test), verbose=0, return_dict=True
    )
    metrics[f"loss_{name}_{how}"] = found["loss"]

# %% [markdown]
# ## Parallel against sequential
#
# A training step of three language models with about as many weights, by the
# length of the text; 2,048 letters a step, whatever their length.

# %%
lengths = (16,) if run.quick else (16, 64, 256, 512)
blocks = 1 if run.quick else 2
readers = {
    "LSTM": RecurrentLM(64, 256, cell="lstm"),
    "GRU": RecurrentLM(64, 296, cell="gru"),
    "Transformer": GPT(
        64, 148, num_layers=blocks, max_sequence_length=512, dropout=0.0
    ),
}
if run.quick:
    del readers["GRU"]
for reader in readers.values():
    jit_compile = run.jit_compile and "auto"
    reader.compile("adam", TokenCrossEntropy(), jit_compile=jit_compile)
milliseconds = {name: [] for name in readers}
for length in lengths:
    shape = (2048 // length, length + 1)
    rows = np.random.default_rng(0).integers(1, 64, shape)
    pair = rows[:, :-1], rows[:, 1:]
    steps = {
        name: functools.partial(reader.train_on_batch, *pair)
        for name, reader in readers.items()
    }
    seconds = time_interleaved(steps, rounds=3 if run.quick else 6, warmup=2)
    for name, times in seconds.items():
        milliseconds[name].append(1000 * np.median(times))
    print(length, {k: f"{v[-1]:.0f} ms" for k, v in milliseconds.items()})
metrics[f"step_time_ratio_lstm_{lengths[-1]}"] = median_ratio(
    seconds["LSTM"], seconds["Transformer"]
)
for name in [name for name in readers if name != "Transformer"]:
    both = zip(lengths, milliseconds[name], milliseconds["Transformer"])
    quicker = [length for length, theirs, ours in both if ours < theirs]
    if quicker:
        metrics[f"quicker_than_{name.lower()}_from_length"] = quicker[0]
figure = plots.curves(
    milliseconds,
    x=lengths,
    xlabel="length (letters)",
    ylabel="training step (ms)",
)
run.save(figure, "step_time")

# %% [markdown]
# ## Generation with and without the cache
#
# With the keys and values of earlier letters cached, a step computes one
# letter.

# %%
long, deep = (20, 1) if run.quick else (200, 4)
speaker = GPT(64, 128, num_layers=deep, max_sequence_length=8 + long)
prompt = rows[:4, :8]
speaker(prompt)
speaker.supports_jit = bool(run.jit_compile)
says = {
    name: functools.partial(generate, m, prompt, max_length=long)
    for name, m in (("cached", speaker), ("uncached", WithoutCache(speaker)))
}
seconds = time_interleaved(says, rounds=3, warmup=1)
metrics[f"cache_speedup_{long}"] = median_ratio(
    seconds["uncached"], seconds["cached"]
)

# %% [markdown]
# ## Seq2Seq beside the Transformer, in numbers
#
# *Input*: the same number of letters in the longest rows instead of the
# shortest, by how much longer a step takes. *Dependencies*: the gradient of the
# last of 60 outputs with respect to the first input, beside the average one,
# before any training. *Speed*: a training step. *Context*: how many numbers the
# decoder gets of the text in the picture. *Attention*: the largest weight it
# gives to a single place of that text, on average.


# %%
def first_of_60(layer):
    noise = np.random.default_rng(run.seed).normal(size=(16, 60, 128))
    norms = gradient_by_lag(lambda x: layer(x)[:, -1], noise)
    return norms[-1] / norms.mean()


kinds = ("LSTM", "Transformer")
read_by = (
    LSTM(128, return_sequences=True),
    TransformerEncoder(4 * 128, 4),
)
peaks = [keras.ops.convert_to_numpy(w).max(-1).mean() for w in weights["cross"]]
cells = {
    "input": [milliseconds[k][-1] / milliseconds[k][0] for k in kinds],
    "dependencies": [first_of_60(layer) for layer in read_by],
    "speed": [milliseconds[k][-1] for k in kinds],
    "context": [128, one.shape[1] * width],
    "attention": [np.nan, np.mean(peaks)],
}
units = ("times longer", "of the average", "ms", "numbers", "of 1")
print(f"{'':<14}{'Seq2Seq':>12}{'Transformer':>12}")
for (row, pair), unit in zip(cells.items(), units):
    pair = ["none" if np.isnan(cell) else f"{cell:,.4g}" for cell in pair]
    print(f"{row:<14}{pair[0]:>12}{pair[1]:>12}  {unit}")

# %%
run.finish(
    model,
    metrics,
    baselines,
    expected={
        **({"exact_match": "0.99 or more"} if run.data == "dates" else {}),
        f"{metric}_no_positions": "less",
        "core_difference": "below 1e-5",
    },
)
