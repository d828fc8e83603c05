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
# Expected: the dates of 04 and 05, at least 0.99 exact; little without
# positions; on long texts a quicker training step than the LSTM's; and
# speaking, which stays one word after the other, made cheap by a cache.
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
    warmup_cosine,
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
# The dates of 05, for twice as many epochs: a Transformer's step is quicker,
# and it needs more of them. Adam's rate is warmed up and then falls.

# %%
COUNT, LAYERS = (640, 1) if run.quick else (10_000, 2)
texts, answers, _ = data.dates(COUNT, seed=run.seed)
test = data.dates(1500, seed=run.seed, split="test")
texts_test, answers_test, _ = test
read, write = CharTokenizer.train(texts), CharTokenizer.train(answers)


def batches(texts, answers):
    pairs = teacher_forcing(
        read.tokenize(texts, end=True),
        write.tokenize(answers, start=True, end=True),
    )
    steps = (64,) if run.quick else (16, 20, 24, 28, 32, 40, 64)
    return BatchByLength(*pairs, 64, buckets=steps, seed=run.seed)


source_test = read.tokenize(texts_test, end=True)
nearest = nearest_answer(texts, answers, texts_test)
nearest = exact_match(answers_test, nearest)


def make(**options):
    keras.utils.set_random_seed(run.seed)
    sizes = {"num_heads": 4, "num_layers": LAYERS, "dropout": 0.0}
    model = Transformer(
        read.vocab_size, write.vocab_size, 128, **{**sizes, **options}
    )
    model(batches(texts[:64], answers[:64])[0][0])  # makes the weights
    return model


def train(stage, model, epochs, rate=2e-3, share=0.1):
    """Train; the first share of the steps warms the rate up."""
    print(f"\n{stage}: {model.count_params():,} parameters")
    training = batches(texts, answers)
    steps = epochs * len(training)
    schedule = warmup_cosine(rate, steps, int(share * steps))
    model.compile(
        keras.optimizers.Adam(schedule, clipnorm=1.0),
        loss=TokenCrossEntropy(),
        metrics=[TokenAccuracy()],
        jit_compile="auto",
    )
    callbacks = run.callbacks(stage)
    model.fit(training, epochs=epochs, callbacks=callbacks, verbose=2)


def dates_right(model):
    said = write.detokenize(generate(model, source_test, max_length=11).ids)
    return np.array(said) == answers_test


model = make(norm_first=True)
train("transformer", model, run.epochs)
right = dates_right(model)
metrics["exact_match"] = right.mean()
by_length = np.argsort([len(text) for text in texts_test], kind="stable")
metrics["exact_match_longest_third"] = right[by_length[-500:]].mean()

# %% [markdown]
# ## Without positions
#
# To attention a sentence is a bag: "05.03." and "03.05." are the same letters.

# %%
blind = make(norm_first=True, positions="none")
train("blind", blind, run.epochs)
metrics["exact_match_no_positions"] = dates_right(blind).mean()
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
# Post-norm, as in the paper, or pre-norm; with the rate warmed up or at once.
# Four blocks on each side, one epoch: nats per letter of the test answers.

# %%
trials = (
    ("post_norm", "warmed_up"),
    ("post_norm", "at_once"),
    ("pre_norm", "warmed_up"),
    ("pre_norm", "at_once"),
)
for name, how in trials[:1] if run.quick else trials:
    share = 0.2 if how == "warmed_up" else 0.0
    trial = make(norm_first=name == "pre_norm", num_layers=2 * LAYERS)
    train(f"{name}_{how}", trial, 1, rate=3e-3, share=share)
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
milliseconds = {"LSTM": [], "GRU": [], "Transformer": []}
for length in lengths:
    shape = (2048 // length, length + 1)
    rows = np.random.default_rng(0).integers(1, 64, shape)
    pair = rows[:, :-1], rows[:, 1:]
    steps = {}
    for name, made in (
        ("LSTM", RecurrentLM(64, 256, cell="lstm")),
        ("GRU", RecurrentLM(64, 296, cell="gru")),
        (
            "Transformer",
            GPT(64, 148, num_layers=2, max_length=512, dropout=0.0),
        ),
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
# ## The lecture's table, in numbers
#
# What the decoder of 04 can know of this text is one vector; here it is one
# for each letter.

# %%
table = {
    "steps to read a text of 60": ("60", "1"),
    f"training step, {lengths[-1]} letters (ms)": tuple(
        f"{milliseconds[kind][-1]:.0f}" for kind in ("LSTM", "Transformer")
    ),
    f"numbers kept of {one.shape[1]} letters": (
        "128",
        f"{one.shape[1] * 128}",
    ),
}
print(f"{'':<36}{'recurrent':>16}{'Transformer':>16}")
for name, cells in table.items():
    print(f"{name:<36}{cells[0]:>16}{cells[1]:>16}")

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
