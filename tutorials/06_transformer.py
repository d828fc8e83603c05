# %% [markdown]
# # 06. The Transformer: the whole sequence at once
#
# *What failed:* chapter 05's decoder looks back at will, but both networks
# still read word after word: 60 letters are 60 steps, one waiting for the
# other. *The idea* (Vaswani et al. 2017): if attention reaches everything
# anyway, drop the recurrence. All positions are computed in one step.
#
#     recurrent   x1 -> h1 -> h2 -> h3 -> h4         S steps, one after another
#     attention   every x looks at every x           1 step, S * S scores
#
# Expected: the dates of 04 and 05, as exact as with Bahdanau; nothing without
# positions; a training step that the LSTM's length overtakes; and speaking,
# which stays one word after the other, made cheap by a cache.
#
# Shapes: B batch, S source length, T target length, D width, H heads, K head
# width.

# %%
import functools

import keras
import numpy as np

from keras_seq import (
    GPT,
    MultiHeadAttention,
    RecurrentLM,
    Seq2Seq,
    Transformer,
    Uncached,
    data,
    generate,
    plots,
)
from keras_seq.text import CharTokenizer
from keras_seq.training import (
    BatchByLength,
    Run,
    TokenAccuracy,
    TokenCrossEntropy,
    exact_match,
    interleave,
    nearest_answer,
    ratio,
    teacher_forcing,
)

run = Run("06_transformer", data=("dates",), epochs=4)
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
# ## The task of 04 and 05
#
# The same dates, the same batches. Adam's step is warmed up and then falls.

# %%
COUNT = 1000 if run.quick else 12_000
texts, answers, _ = data.dates(COUNT, seed=run.seed)
test = data.dates(1500, seed=run.seed, split="test")
texts_test, answers_test, _ = test
read, write = CharTokenizer.train(texts), CharTokenizer.train(answers)
batches = BatchByLength(
    *teacher_forcing(
        read.tokenize(texts, end=True),
        write.tokenize(answers, start=True, end=True),
    ),
    batch_size=64,
    buckets=(16, 20, 24, 28, 32, 40, 64),
    seed=run.seed,
)
source_test = read.tokenize(texts_test, end=True)
nearest = nearest_answer(texts, answers, texts_test)
nearest = exact_match(answers_test, nearest)


def make(**options):
    keras.utils.set_random_seed(run.seed)
    sizes = {"num_heads": 4, "num_layers": 2, "dropout": 0.0}
    model = Transformer(
        read.vocab_size, write.vocab_size, 128, **{**sizes, **options}
    )
    model(batches[0][0])  # makes the weights
    return model


def train(stage, model, epochs, rate=2e-3, warm=0.1):
    print(f"\n{stage}: {model.count_params():,} parameters")
    steps = epochs * len(batches)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0 if warm else rate,
        steps,
        warmup_target=rate if warm else None,
        warmup_steps=int(warm * steps),
    )
    model.compile(
        keras.optimizers.Adam(schedule, clipnorm=1.0),
        loss=TokenCrossEntropy(),
        metrics=[TokenAccuracy()],
        jit_compile="auto",
    )
    callbacks = run.callbacks(stage)
    model.fit(batches, epochs=epochs, callbacks=callbacks, verbose=2)
    said = write.detokenize(generate(model, source_test, max_length=11).ids)
    return np.array(said) == answers_test


model = make(norm_first=True)
right = train("transformer", model, run.epochs)
metrics["exact_match"] = right.mean()
by_length = np.argsort([len(text) for text in texts_test], kind="stable")
metrics["exact_match_longest_third"] = right[by_length[-500:]].mean()

# %% [markdown]
# ## Without positions
#
# To attention a sentence is a bag: "05.03." and "03.05." are the same letters.

# %%
blind = make(norm_first=True, positions="none")
metrics["exact_match_no_positions"] = train("blind", blind, run.epochs).mean()
baselines |= dict.fromkeys((m for m in metrics if "exact" in m), nearest)

# %% [markdown]
# ## What the heads look at
#
# The decoder's looks at the source: a row of pictures for each layer.

# %%
korean = next(i for i, text in enumerate(texts_test) if "년" in text)
one = source_test[korean : korean + 1]
one = one[:, : np.count_nonzero(one)]
said = generate(model, one, max_length=11).ids
target = np.pad(said, ((0, 0), (1, 0)), constant_values=model.start_id)[:, :-1]
_, weights = model(
    {"source": one, "target": target}, return_attention_scores=True
)
letters = read.tokens(one)[0], write.tokens(said)[0]
for side, names in (
    ("cross", letters),
    ("encoder", (letters[0], letters[0])),
):
    looks = [keras.ops.convert_to_numpy(w)[0] for w in weights[side]]
    run.save(plots.heads(looks, *names), f"heads_{side}")

# %% [markdown]
# ## Where the norm stands, and the warm-up
#
# Post-norm, as in the paper, or pre-norm; with the step warmed up or at once.
# Four blocks on each side, one epoch, four curves' ends.

# %%
curves = {}
for name, first in (("post-norm", False), ("pre-norm", True)):
    for how, warm in (("warmed up", 0.2), ("at once", 0.0)):
        stage = f"{name}, {how}"
        trial = make(norm_first=first, num_layers=4)
        train(stage, trial, 1, rate=3e-3, warm=warm)
        key = f"loss_{name}_{how}".replace("-", "_").replace(" ", "_")
        metrics[key] = run.history(stage)["loss"][-1]

# %% [markdown]
# ## Parallel against sequential
#
# A training step of three language models with about as many weights, by the
# length of the text; 2,048 letters a step, whatever their length.

# %%
lengths = (16, 32) if run.quick else (16, 64, 256, 512)
milliseconds = {"LSTM": [], "GRU": [], "Transformer": []}
for length in lengths:
    shape = (2048 // length, length + 1)
    rows = np.random.default_rng(0).integers(1, 64, shape)
    pair = rows[:, :-1], rows[:, 1:]
    steps = {}
    for name, made in (
        ("LSTM", RecurrentLM(64, 256, cell="lstm")),
        ("GRU", RecurrentLM(64, 296, cell="gru")),
        ("Transformer", GPT(64, 148, num_layers=2, max_length=512)),
    ):
        made.compile("adam", TokenCrossEntropy(), jit_compile="auto")
        steps[name] = functools.partial(made.train_on_batch, *pair)
    seconds = interleave(steps, rounds=3 if run.quick else 10, warmup=2)
    for name, times in seconds.items():
        milliseconds[name].append(1000 * np.median(times))
    print(length, {k: f"{v[-1]:.0f} ms" for k, v in milliseconds.items()})
metrics[f"step_time_ratio_lstm_{lengths[-1]}"] = ratio(
    seconds["LSTM"], seconds["Transformer"]
)
figure = plots.curves(
    milliseconds,
    x=lengths,
    xlabel="length (letters)",
    ylabel="training step (ms)",
)
run.save(figure, "step_time")

# %% [markdown]
# ## Speaking, with and without the cache
#
# Keys and values of what was said are kept, so that a step costs one letter.

# %%
long = 20 if run.quick else 200
speaker = GPT(64, 128, num_layers=4, max_length=8 + long)
prompt = rows[:4, :8]
speaker(prompt)
says = {
    name: functools.partial(generate, m, prompt, max_length=long)
    for name, m in (("cached", speaker), ("uncached", Uncached(speaker)))
}
seconds = interleave(says, rounds=3, warmup=1)
metrics[f"cache_speedup_{long}"] = ratio(seconds["uncached"], seconds["cached"])

# %% [markdown]
# ## The lecture's table, measured

# %%
plain = Seq2Seq(read.vocab_size, write.vocab_size, 128, bidirectional=True)
context = plain.encode(one).shape[1]
table = {
    "input": ("letter after letter", "all letters at once"),
    "steps to read 60 letters": ("60", "1"),
    f"training step, {lengths[-1]} letters (ms)": (
        f"{milliseconds['LSTM'][-1]:.0f}",
        f"{milliseconds['Transformer'][-1]:.0f}",
    ),
    f"numbers kept of {one.shape[1]} letters": (
        f"{context}",
        f"{one.shape[1] * 128}",
    ),
    "exact match": ("see 04", f"{metrics['exact_match']:.3f}"),
}
print(f"{'':<36}{'Seq2Seq':>22}{'Transformer':>22}")
for name, cells in table.items():
    print(f"{name:<36}{cells[0]:>22}{cells[1]:>22}")

# %%
run.finish(
    model,
    metrics,
    baselines,
    expected={
        "exact_match": "0.99 or more",
        "exact_match_no_positions": "little",
        "core_difference": "below 1e-5",
    },
)
