# %% [markdown]
# # GPT: a decoder-only language model
#
# The Transformer's blocks with a causal mask predict the next character
# (Radford et al. 2018, 2019). Measured: nats per character on held-out text,
# beside counted unigrams and trigrams; rows of digits sorted right, as in
# minGPT; gradient accumulation beside one large batch; tokens per second with
# and without the key-value cache; the exported model's answers beside those of
# Python.
#
# Data: `pydocs`, Python's documentation; `--data tinyshakespeare` with the
# sizes of nanoGPT's setting for a small computer: 4 layers, 4 heads, width 128,
# windows of 64, batches of 12, 2,000 steps, no dropout. (The learning rate and
# the initializers are our own. It reads 1.5 million characters, the networks of
# the experiment `hello_rnn` nearly two million.)
# Expected: Tiny Shakespeare at most 1.88 nats per character (trigrams 2.05);
# every unseen row sorted; the cache 13 times as fast for 200 characters.
# Minutes, on two processor cores: 4, and 3 for Tiny Shakespeare.
#
# `--devices data|model` trains on several devices (docs/distribution.md).
#
# Shapes: B batch, T length, V vocabulary, L layers, H heads.

# %%
import functools

import keras
import numpy as np

from keras_seq import data, export, plots
from keras_seq.evaluation import ngram_loss, time_interleaved
from keras_seq.generation import Greedy, Sampling, WithoutCache, generate
from keras_seq.models import GPT
from keras_seq.text import CharTokenizer
from keras_seq.training import (
    NatsPerToken,
    Run,
    TokenCrossEntropy,
    WarmupCosineDecay,
    next_token_windows,
)

run = Run("gpt", data=("pydocs", "tinyshakespeare"), devices=True)
metrics, baselines = {}, {}

# %% [markdown]
# ## Prose, letter by letter
#
# 2,000 batches of 12 windows, drawn from all windows of the training text.
# `--devices data` divides the rows of a batch among all devices, `--devices
# model` the heads and the inner width of the network (docs/distribution.md).

# %%
texts = data.pydocs_text if run.data == "pydocs" else data.tinyshakespeare
train, test = texts("train"), texts("test")
LENGTH, BATCH, STEPS = 64, 12, 20 if run.quick else 2000
LAYERS = 1 if run.quick else 4
if run.quick:
    train, test = train[:20_000], test[:5000]
tokenizer = CharTokenizer.train(train)
V = tokenizer.vocabulary_size()
train_ids, test_ids = tokenizer.tokenize(train), tokenizer.tokenize(test)
for name, n in (("unigram", 1), ("trigram", 3)):
    baselines[f"loss_{name}"] = ngram_loss(train_ids, test_ids, n, V)


def fit(stage, model, x, y, rate, batch_size):
    """Train, the rate warmed up and then falling to zero."""
    model(x[:1])  # makes the weights
    if not run.jit_compile:
        model.supports_jit = False
    print(f"\n{stage}: {model.count_params():,} parameters")
    steps = -(-len(x) // batch_size) * run.epochs
    falling = WarmupCosineDecay(rate, steps, steps // 20)
    model.compile(
        keras.optimizers.AdamW(
            falling, weight_decay=0.1, beta_2=0.99, clipnorm=1.0
        ),
        TokenCrossEntropy(),
        metrics=[NatsPerToken()],
        jit_compile="auto",
    )
    model.fit(
        x,
        y,
        batch_size=batch_size,
        epochs=run.epochs,
        callbacks=run.callbacks(stage),
        verbose=2,
    )


draw = np.random.default_rng(run.seed)
begin = draw.integers(0, len(train_ids) - LENGTH, (BATCH * STEPS, 1))
windows = train_ids[begin + np.arange(LENGTH + 1)].astype("int32")
sizes = {"num_heads": 4, "num_layers": LAYERS}
with run.scope():
    model = GPT(V, 128, **sizes, max_sequence_length=LENGTH, dropout=0.0)
    fit("prose", model, windows[:, :-1], windows[:, 1:], 2e-3, BATCH)
held_out = next_token_windows(test_ids, LENGTH)
scores = model.evaluate(*held_out, 128, verbose=0, return_dict=True)
metrics["loss"] = scores["nats_per_token"]

# %% [markdown]
# ## A batch larger than the memory
#
# A large batch of a large model may not fit into memory. The gradients of
# several small ones are added up before the weights change: four batches of 3
# do what one of 12 does.

# %%
moved = {}
for parts in (1, 4):
    keras.utils.set_random_seed(run.seed)
    twin = GPT(
        V,
        32,
        num_heads=4,
        num_layers=1,
        max_sequence_length=LENGTH,
        dropout=0.0,
    )
    adam = keras.optimizers.Adam(
        1e-3, gradient_accumulation_steps=None if parts == 1 else parts
    )
    jit_compile = run.jit_compile and "auto"
    twin.compile(adam, TokenCrossEntropy(), jit_compile=jit_compile)
    for few in np.split(windows[:BATCH], parts):
        twin.train_on_batch(few[:, :-1], few[:, 1:])
    moved[parts] = np.concatenate([w.ravel() for w in twin.get_weights()])
metrics["accumulation_difference"] = np.abs(moved[1] - moved[4]).max()

# %% [markdown]
# ## One prompt, five samplers
#
# The same probabilities, and five ways to choose the next token.

# %%
prompt = next(line for line in test.split("\n") if len(line) >= 16)[:16]
SAMPLERS = {
    "greedy": Greedy(),
    "no 4 letters twice": Greedy(no_repeat_ngram_size=4),
    "temperature 0.7": Sampling(temperature=0.7, seed=run.seed),
    "top-k, 5": Sampling(top_k=5, seed=run.seed),
    "top-p, 0.9": Sampling(top_p=0.9, seed=run.seed),
}
for name, sampler in list(SAMPLERS.items())[-1 if run.quick else 0 :]:
    asked = tokenizer.tokenize([prompt])
    generated = generate(
        model, asked, sampler, max_length=LENGTH - len(prompt)
    ).ids
    written = tokenizer.detokenize(generated)[0].replace("\n", "⏎")
    print(f"{name:>20}: {prompt}|{written}")

# %% [markdown]
# ## Attention weights
#
# A row of pictures for each layer: the weights of the earlier letters, for each
# letter.

# %%
shown = tokenizer.tokenize([test[:24]])
_, weights = model(shown, return_attention_scores=True)
letters = tokenizer.tokens(shown)[0]
run.save(
    plots.attention_heads(
        [keras.ops.convert_to_numpy(w)[0] for w in weights], letters, letters
    ),
    "heads",
)

# %% [markdown]
# ## Sorting digits
#
# minGPT's own test, made harder: eight digits from 0 to 9 in, the same digits
# sorted out. Every third row has at most three different digits, because rows
# that repeat themselves would be rare. The loss counts the answer alone. 5,000
# rows that were not used in training (though many in another order) are sorted
# greedily; a row counts if all of it is right.

# %%
DIGITS = 6 if run.quick else 8
SORTED, UNSEEN = (200, 100) if run.quick else (96_000, 5000)
draw = np.random.default_rng(run.seed)
rows = draw.integers(0, 10, (SORTED + UNSEEN, DIGITS))
few = draw.integers(0, 10, (len(rows[::3]), 3))
which = draw.integers(0, 3, (len(few), DIGITS))
rows[::3] = np.take_along_axis(few, which, axis=1)
rows = np.unique(rows, axis=0)
np.random.default_rng(run.seed + 1).shuffle(rows)
whole = 1 + np.concatenate([rows, np.sort(rows, axis=1)], axis=1)  # 0: padding
x, y = whole[:, :-1].astype("int32"), whole[:, 1:].astype("int32")
y[:, : DIGITS - 1] = 0  # the question is not asked for
unseen = whole[-UNSEEN:]
sorter = GPT(
    11,
    48,
    num_heads=3,
    num_layers=min(3, LAYERS),
    max_sequence_length=2 * DIGITS,
    dropout=0.0,
)
fit("sorting", sorter, x[:-UNSEEN], y[:-UNSEEN], 4e-3, 64)
generated = generate(sorter, unseen[:, :DIGITS], max_length=DIGITS).ids
metrics["sort_accuracy"] = (generated == unseen[:, DIGITS:]).all(axis=1).mean()
baselines["sort_accuracy"] = (rows == np.sort(rows, axis=1)).all(axis=1).mean()

# %% [markdown]
# ## The speed of the key-value cache
#
# 200 tokens after a prompt of 8, for 4 rows: with keys and values cached, and
# with the whole prefix computed again at each step.

# %%
long = 20 if run.quick else 200
reader = GPT(V, 128, **sizes, max_sequence_length=8 + long)
eight = test_ids[None, :8].repeat(4, axis=0)
reader(eight)
reader.supports_jit = bool(run.jit_compile)
speakers = {"cached": reader, "uncached": WithoutCache(reader)}
says = {
    name: functools.partial(generate, speaker, eight, max_length=long)
    for name, speaker in speakers.items()
}
for name, seconds in time_interleaved(says, rounds=2, warmup=1).items():
    speed = 4 * long / np.median(seconds)
    metrics[f"tokens_per_second_{name}"] = speed
baselines["tokens_per_second_cached"] = metrics["tokens_per_second_uncached"]

# %% [markdown]
# ## Export: text in, text out

# %%
if keras.backend.backend() == "torch":
    print("No export: Keras writes no SavedModel from PyTorch.")
else:
    path = run.out / "saved_model"
    longest = LENGTH - len(prompt)
    export.export_text_model(
        model, path, source_tokenizer=tokenizer, max_length=longest
    )
    asked = [prompt, "안녕", prompt[:8]]
    if run.quick:  # not in a new process
        there = [row["text"] for row in export.run(path, asked)]
    else:
        there = export.run_alone(path, asked)
    here = generate(model, tokenizer.tokenize(asked), max_length=longest)
    here = tokenizer.detokenize(here.ids)
    same = np.mean([a == b for a, b in zip(here, there)])
    metrics["exported_answers_the_same"] = same

# %%
expected = {
    "sort_accuracy": "1.0",
    "exported_answers_the_same": "1.0",
    "accumulation_difference": "below 1e-4",
}
if run.data == "tinyshakespeare":
    expected["loss"] = "at most 1.88"
run.finish(model, metrics, baselines, expected)
