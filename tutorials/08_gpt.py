# %% [markdown]
# # 08. GPT: half a Transformer learns from text alone
#
# The Transformer of the last lesson has two halves: an encoder that reads a
# source and a decoder that writes a target. Remove the encoder, and the part of
# the decoder that reads it. What remains is a GPT (generative pre-trained
# Transformer, 2018): it reads a text and predicts the next
# [token](glossary.md#token), at every position at once. In this lesson you
# train one on the characters of lessons 00 and 01, beside the recurrent network
# of lesson 01. Then you pick tokens from its predictions in five ways, each of
# them first on paper. You need `07_transformer` and `01_rnn`. Running
# everything takes three to four minutes on two processor cores.

# %%
import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # keeps TensorFlow's log quiet

import functools
import inspect
import itertools
import logging
import re
import time

# %%
import keras
import numpy as np
from keras import ops
from matplotlib.figure import Figure
from matplotlib.text import Text

from keras_seq import data, plots
from keras_seq.evaluation import ngram_loss, time_interleaved
from keras_seq.generation import (
    BeamSearch,
    Greedy,
    Sampling,
    WithoutCache,
    generate,
)
from keras_seq.layers import MultiHeadAttention
from keras_seq.models import GPT, RecurrentLM
from keras_seq.text import CharTokenizer
from keras_seq.training import Lesson, TokenCrossEntropy, next_token_windows

np.set_printoptions(precision=3, suppress=True)
logging.getLogger("tensorflow").setLevel("ERROR")  # no hints about speed
lesson = Lesson("08_gpt", following="09_chatbot")

# %% tags=["parameters"]
EPOCHS = 8
CHARACTERS = 250_000
LAYERS = 3
WIDTH = 128
ROUNDS = 6
LENGTHS = (50, 100, 200)
SEED = 0

# %% [markdown]
# ## Question
#
# A Transformer that translates needs pairs: somebody has to write a target for
# every source. Text alone is plentiful and free. **What can half a Transformer
# learn from text alone, and how does a prediction become a text?**
#
# The number at the end is again the loss on held-out documentation of Python:
# lesson 00 had 2.50 nats per character with a bigram table, lesson 01 had 1.40
# with a recurrent network and 1.40 with counts of five characters. On the same
# characters and with equally many steps, the GPT of this lesson gets about
# **1.39**. That is not better than the recurrent network, although GPT has five
# times as many weights. The pictures will show why.


# %% [markdown]
# ## What failed
#
# The Transformer failed at nothing here; it simply cannot begin without a
# source. So look at the models of text that we have. The best table of lesson
# 01 counts five characters at a time: the next one, and the four before it.
# Why not six, or eight?

# %%
text = data.pydocs_text("train")[:CHARACTERS]
text_test = data.pydocs_text("test")[: CHARACTERS // 10]
tokenizer = CharTokenizer.train(text)
text_ids, test_ids = (tokenizer.tokenize([t])[0] for t in (text, text_test))
size = tokenizer.vocabulary_size()

counted = {}
for n in range(2, 9):
    counted[n] = ngram_loss(text_ids, test_ids, n, size)
    known = {text[i : i + n - 1] for i in range(len(text) - n + 2)}
    asked = [text_test[i : i + n - 1] for i in range(len(text_test) - n + 2)]
    new = np.mean([context not in known for context in asked])
    print(f"{n} characters: {counted[n]:.2f} nats, new contexts {new:.0%}")

# %% [markdown]
# From five characters on it becomes *worse*. A table knows only contexts that
# it has met, letter by letter: with seven characters of context, one context in
# three of the held-out text is new to it, and it has to fall back on shorter
# ones. The recurrent network can use a new context, because similar contexts
# lead to similar states. But it must press everything into one vector, and it
# has to compute one character after the other. A model that looks back at every
# earlier character by [self-attention](glossary.md#self-attention) would have
# neither limit.

# %% [markdown]
# ## Diagram
#
# ![The decoder block of a Transformer: causal self-attention, cross-attention
# to the output of the encoder, a feed-forward network, each with a residual
# connection and layer normalization.](../docs/diagrams/decoder_block.en.svg)
#
# The decoder block of lesson `07_transformer`. Take away the panel on the left
# and, on the right, the cross-attention with its K and V. Two sublayers remain:
# causal self-attention and the feed-forward network. That is an encoder block
# whose attention looks at earlier positions only, and indeed the library
# builds GPT from `TransformerEncoder` with `use_causal_mask=True`. One detail
# differs from the diagram: GPT normalizes *before* each sublayer (pre-norm),
# and once more at the end.
#
# ![Left, a padding mask. Middle, a causal mask: a triangle, each query keeps
# itself and what comes before. Right, equal weights under both
# masks.](../docs/diagrams/masks.en.svg)
#
# The [causal mask](glossary.md#causal-mask) in the middle does more than
# prevent cheating. Row t of the triangle is the prediction after t tokens,
# computed from those t tokens and nothing else. One pass over a window of 64
# characters therefore contains 64 different predictions, with contexts of 1 to
# 64 characters, and each of them is a training example.

# %% [markdown]
# ## A worked example
#
# ### Every position is an example
#
# Write down the examples in the word "banana": after `b` comes `a`, after `ba`
# comes `n`, and so on. Six letters hold five examples. And this is what they
# cost: with a causal mask, one pass through the network; without one, five
# passes over five prefixes.

# %%
word = "banana"
for t in range(1, len(word)):
    print(f"{word[:t]:>5} -> {word[t]}")

x, y = next_token_windows(text_ids, length=64)
x_test, y_test = next_token_windows(test_ids, length=64)
print(f"{len(x):,} windows hold {y.size:,} examples", x.shape)

# %% [markdown]
# ### Causal attention, and what can be kept
#
# Now in numbers: three tokens with vectors of width 2, one head. The letters
# are `b` = (0, 1), `a` = (1, 0) and `b` again. Values and keys are the vectors
# themselves, and the query is the vector times √2 · log 3. Divided by √2, the
# square root of the width, the score of two equal letters is log 3, and of two
# different letters 0. So before the softmax is normalized, an equal letter has
# the weight 3 and a different one the weight 1:
#
# | query | may attend to | weights | output |
# |---|---|---|---|
# | 1: `b` | `b` | 1 | (0, 1) |
# | 2: `a` | `b`, `a` | 1/4, 3/4 | (0.75, 0.25) |
# | 3: `b` | `b`, `a`, `b` | 3/7, 1/7, 3/7 | (0.143, 0.857) |
#
# Look at the third row. Its query is new, but the keys and values of the first
# two tokens are those of the rows above, and because of the mask no later token
# can ever change them. So when a text is generated token by token, they are
# kept: this is the [key-value cache](glossary.md#key-value-cache). The code
# below computes row by row with what was kept, and the layer all rows at once.

# %%
vectors = np.array([[0, 1], [1, 0], [0, 1]], "float32")
W_query = np.sqrt(2) * np.log(3) * np.eye(2)


def attention_row(query, keys, values):
    weights = np.exp(query @ keys.T / np.sqrt(2))
    return weights / weights.sum() @ values


cache, rows = np.zeros((0, 2)), []  # here the keys are also the values
for vector in vectors:
    cache = np.concatenate([cache, vector[None]])
    rows.append(attention_row(vector @ W_query, cache, cache))
print("row by row, with a cache:\n", np.array(rows))

layer = MultiHeadAttention(num_heads=1, key_dim=2, use_bias=False)
layer.build((None, None, 2))
one = np.eye(2)[:, None]  # (D, H, K)
layer.set_weights([W_query[:, None], one, one, np.eye(2)[None]])
at_once = layer(vectors[None], use_causal_mask=True)[0]
assert np.allclose(rows, ops.convert_to_numpy(at_once), atol=1e-6)
print("The layer computes the same, all rows at once.")

# %% [markdown]
# ![Generating four tokens without a cache computes 1 + 2 + 3 + 4 = 10 tokens,
# with a key-value cache 4.](../docs/diagrams/kv_cache.en.svg)
#
# Keys and values are kept, in every block and head: 2 · 128 numbers for each
# token in each of the three blocks of the model below, 768 together. Queries
# are not kept: each is used once, for the output of its own position.
#
# ### Five ways to pick a token
#
# The model predicts a distribution, but a text needs one token. Suppose that
# after "I drink" (나는 ... 마신다) it predicts this:
#
# | token | tea | coffee | water | juice | ink |
# |---|---|---|---|---|---|
# | probability p | 0.50 | 0.25 | 0.15 | 0.07 | 0.03 |
#
# The last one is a mistake, and every real model spreads a little probability
# over thousands of such mistakes. To draw from a distribution, lay the
# probabilities side by side on a ruler from 0 to 1, take a random number r, and
# see whose piece it falls into. The ends of the pieces are 0.50, 0.75, 0.90,
# 0.97 and 1. Let r be 0.95 in all of what follows.
#
# **1. [Greedy decoding](glossary.md#greedy-decoding)** takes the largest: tea,
# always. No random number is used.
#
# **2. [Sampling](glossary.md#sampling) with a
# [temperature](glossary.md#temperature)** τ divides the logits by τ. On
# probabilities this means: raise p to the power 1/τ and divide by the sum. With
# τ = 1 nothing changes, and r = 0.95 lies between 0.90 and 0.97: juice. With τ
# = 0.5 each p is squared: 0.25, 0.0625, 0.0225, 0.0049 and 0.0009, together
# 0.3408. Divided by that: 0.734, 0.183, 0.066, 0.014, 0.003. The ends are
# 0.734, 0.917 and 0.983, so r = 0.95 picks water. With τ = 2 it is the square
# root, ink rises from 0.03 to 0.085, and r = 0.95 picks it.
#
# **3. [Top-k](glossary.md#top-k)** keeps the k most probable tokens. With k = 2
# tea and coffee remain, 0.50 / 0.75 = 0.667 and 0.333: coffee.
#
# **4. [Top-p](glossary.md#top-p)** keeps the fewest tokens whose probabilities
# reach p, however many that takes. With p = 0.8, tea and coffee reach 0.75,
# which is not enough; with water it is 0.90. The three are divided by 0.90:
# 0.556, 0.278, 0.167. The ends are 0.556 and 0.833: water.

# %%
TOKENS = ["tea 차", "coffee 커피", "water 물", "juice 주스", "ink 잉크"]
p = np.array([0.50, 0.25, 0.15, 0.07, 0.03])


def with_temperature(p, t):
    return p ** (1 / t) / (p ** (1 / t)).sum()


def keep(p, kept):
    return np.where(kept, p, 0) / p[kept].sum()


def top_k(p, k):
    return keep(p, p >= np.sort(p)[-k])


def top_p(p, enough):
    order = np.argsort(-p)
    before = np.cumsum(p[order]) - p[order]  # probability of the better ones
    kept = np.zeros(len(p), bool)
    kept[order[before < enough]] = True
    return keep(p, kept)


# %% [markdown]
# Each function returns a new distribution. `pick` lays it on the ruler. The
# library gets the same p and must choose the same for each of 100 numbers r.

# %%
METHODS = {
    "greedy": (top_k(p, 1), Greedy()),
    "temperature 1": (p, Sampling()),
    "temperature 0.5": (with_temperature(p, 0.5), Sampling(temperature=0.5)),
    "temperature 2": (with_temperature(p, 2), Sampling(temperature=2.0)),
    "top-k, k = 2": (top_k(p, 2), Sampling(top_k=2)),
    "top-p, p = 0.8": (top_p(p, 0.8), Sampling(top_p=0.8)),
}


def pick(p, r):
    return int(np.sum(np.cumsum(p) <= r))


log_p = ops.log(ops.convert_to_tensor(p[None], "float32"))
for name, (q, sampler) in METHODS.items():
    print(f"{name:16}", q, TOKENS[pick(q, 0.95)])
    for r in np.linspace(0.005, 0.995, 100):  # the library: always the same
        noise = ops.convert_to_tensor([r], "float32")
        assert int(sampler.choose(log_p, noise)[0]) == pick(q, r)


# %%
def draw_cuts(cuts, labels):
    figure = Figure(figsize=(9, 4.6), layout="constrained")
    grid = figure.subplots(2, 3, sharey=True, sharex=True)
    for axes, (name, q) in zip(grid.flat, cuts.items()):
        first = next(iter(cuts.values()))
        axes.bar(range(len(q)), first, color="#DDDDDD", label="predicted")
        axes.bar(range(len(q)), q, width=0.5, color="#0072B2", label="used")
        axes.set_title(name, fontsize=11)
        axes.set_xticks(range(len(q)), labels)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in grid[:, 0]:
        axes.set_ylabel("probability")
    grid[0, 0].legend(frameon=False)
    for text in figure.findobj(Text):
        text.set_fontfamily(plots.font_family("".join(labels)))
    return figure


# %%
cuts = {"temperature 1": p} | {name: q for name, (q, _) in METHODS.items()}
lines = [label.replace(" ", "\n") for label in TOKENS]
lesson.show(
    draw_cuts(cuts, lines),
    "cuts",
    "Probabilities of five tokens, predicted (wide, grey) and after each "
    "method (narrow, blue). Greedy, top-k and top-p cut off the right side, "
    "a temperature changes the slope and keeps all.",
)

# %% [markdown]
# Grey is what the model predicts, blue is what is drawn from. Look at the right
# end of each panel. Greedy decoding, top-k and top-p leave nothing to ink. A
# temperature of 0.5 leaves it a trace, and 2 makes it more probable.
#
# ### The fifth way: beam search
#
# The other four decide token by token. [Beam
# search](glossary.md#beam-search) compares whole sequences. Their probability
# is a product: of the first token, times the second given the first, and so on.
#
# ![A tree of two tokens with a beam of two. Greedy decoding takes no, 0.5, then
# problem, 0.4, together 0.2. The other branch, you're, 0.4, then welcome, 0.9,
# has 0.36.](../docs/diagrams/beam_search.en.svg)
#
# Greedy decoding takes "no" (0.5) and then "problem" (0.4): 0.5 · 0.4 = 0.2. It
# has no chance of finding "you're welcome": 0.4 · 0.9 = 0.36. A beam of two
# keeps the two best beginnings, extends each by every token, and keeps the two
# best of the six results. To let the library do it, we need a model; anything
# with the methods `start` and `step` will do, even a table.

# %%
FOLLOWS = {
    "<sos>": {"no": 0.5, "you're": 0.4, "it's": 0.1},
    "no": {"problem": 0.4, "way": 0.35, "doubt": 0.25},
    "you're": {"welcome": 0.9, "kind": 0.06, "right": 0.04},
}


def beam_search(width, length):
    beams = {("<sos>",): 1.0}
    for _ in range(length):
        found = {
            (*tokens, token): probability * q
            for tokens, probability in beams.items()
            for token, q in FOLLOWS[tokens[-1]].items()
        }
        best = sorted(found, key=found.get)[::-1][:width]
        beams = {tokens: found[tokens] for tokens in best}
        print({" ".join(t[1:]): round(q, 3) for t, q in beams.items()})
    return beams


for width in 1, 2:
    print("beams:", width)
    beams = beam_search(width, 2)


# %%
class Table(keras.Model):
    """A table of logits, (V, V), as a language model for `generate`."""

    pad_id = None

    def __init__(self, logits):
        super().__init__()
        self.logits, self.built = logits, True

    def start(self, prompt, max_length=None):
        return prompt[:, -1], ops.zeros_like(prompt[:, -1])

    def step(self, ids, state):
        return ops.take(self.logits, ids, axis=0), state


# %%
names = ["<sos>", *(word for row in FOLLOWS.values() for word in row)]
table = np.full((len(names), len(names)), -1e4, "float32")  # log of nearly 0
for first, row in FOLLOWS.items():
    for second, q in row.items():
        table[names.index(first), names.index(second)] = np.log(q)
for sampler in Greedy(), BeamSearch(2, length_penalty=0.0):
    found = generate(Table(table), np.array([[0]]), sampler, max_length=2)
    probability = np.exp(found.scores[0])
    print([names[i] for i in found.ids[0]], f"{probability:.2f}")
best = max(beams, key=beams.get)
assert best[1:] == tuple(names[i] for i in found.ids[0])

# %% [markdown]
# ## The equation
#
#     x    = E[id_1 ... id_T] + P[1 ... T]      embeddings plus positions
#     x   <- x + attention(norm(x))             causal; in every block
#     x   <- x + FFN(norm(x))                   in every block
#     z_t  = norm(x_t) E^T                      logits of the next token
#     p_t  = softmax(z_t)                       its probabilities
#     L    = - mean over t of log p_t[id_(t+1)] loss, in nats per token
#
# id_t is the token at position t; E, of shape (V, D), is the embedding of V
# tokens in D numbers, and it serves twice: the logits are products of the last
# vector with the rows of the same E (tied weights). P, of shape (T, D), is a
# learned embedding of the positions. FFN is the position-wise feed-forward
# network, and norm is layer normalization. p_t is a function of id_1 ... id_t
# alone, so the probability of a whole text is the product of all p_t[id_(t+1)],
# and L is −log of it, divided by the number of tokens: a model that lowers L
# makes the *whole text* more probable. A model that predicts each token from
# its own output so far is called
# [autoregressive](glossary.md#autoregressive).

# %%
print(inspect.getsource(GPT.call))
print(inspect.getsource(Sampling.choose))

# %% [markdown]
# ## Code
#
# Two models, one function to train them. Data, windows, batches, optimizer,
# clipping, the form of the learning rate and the number of steps are those of
# lesson 01 for both. The peak of the learning rate is that of lesson 01 for the
# recurrent network and that of `experiments/gpt.py` for GPT; neither was tuned
# for this comparison.


# %%
def train(model, peak, train_data, epochs, **options):
    keras.utils.set_random_seed(SEED)
    steps = epochs * -(-len(train_data[0]) // 32)
    rate = keras.optimizers.schedules.CosineDecay(
        peak / 10, steps, warmup_target=peak, warmup_steps=max(1, steps // 20)
    )
    optimizer = keras.optimizers.Adam(rate, global_clipnorm=1.0)
    model.compile(optimizer, loss=TokenCrossEntropy(pad_id=None))
    begin = time.perf_counter()
    history = model.fit(
        *train_data, batch_size=32, epochs=epochs, **options
    ).history
    seconds = time.perf_counter() - begin
    name = type(model).__name__
    print(f"{name}: {model.count_params():,} weights, {steps:,} steps", end="")
    print(f", {seconds:.0f} s")
    return history


# %%
def make_gpt(vocabulary_size, width, layers):
    keras.utils.set_random_seed(SEED)
    gpt = GPT(
        vocabulary_size,
        width,
        num_heads=4,
        num_layers=layers,
        max_sequence_length=64,
        dropout=0.0,
        pad_id=None,
    )
    gpt(np.zeros((1, 64), "int32"))  # creates the weights
    return gpt


held_out = {"validation_data": (x_test, y_test)}
keras.utils.set_random_seed(SEED)
rnn = RecurrentLM(size, 256, cell="rnn", embedding_dim=64, pad_id=None)
rnn(x[:1])
histories = {"RNN": train(rnn, 4e-3, (x, y), EPOCHS, **held_out)}
model = make_gpt(size, WIDTH, LAYERS)
histories["GPT"] = train(model, 2e-3, (x, y), EPOCHS, **held_out)

# %% [markdown]
# Is the mask really tight? Change the last character of a window: the logits
# of all positions before it must stay exactly as they are.

# %%
changed = x_test[:1].copy()
changed[0, -1] = (changed[0, -1] + 1) % size
one, other = (ops.convert_to_numpy(model(w)) for w in (x_test[:1], changed))
difference = np.abs(one - other).max(axis=(0, 2))
print("largest change, positions 1 to 63:", difference[:-1].max())
print("largest change, position 64:      ", difference[-1])
assert difference[:-1].max() < 1e-4 < difference[-1]

# %% [markdown]
# ### One prompt, five continuations
#
# The model was trained on windows of 64 characters and has 64 position vectors,
# so prompt and answer together may have no more. `write` gets around that: it
# generates 32 characters, then takes the last 32 as the next prompt, and so on.
# The prompts begin paragraphs of the held-out text.

# %%
SAMPLERS = {
    "greedy": Greedy(),
    "beam search, 4": BeamSearch(4, length_penalty=0.0),
    "temperature 0.7": Sampling(temperature=0.7),
    "top-k, k = 5": Sampling(top_k=5),
    "top-p, p = 0.9": Sampling(top_p=0.9),
    "temperature 1": Sampling(),
}


# %%
def write(model, ids, sampler, rounds):
    keras.utils.set_random_seed(SEED)
    for _ in range(rounds):
        new = generate(model, ids[:, -32:], sampler, max_length=32).ids
        ids = np.concatenate([ids, new], axis=1)
    return ids[:, 32:]


begin = [i + 1 for i, c in enumerate(text_test[:-400]) if c == "\n"]
begin = np.array(begin[:: max(1, len(begin) // 16)][:16])
prompts = test_ids[begin[:, None] + np.arange(32)]
texts = {}
for name, sampler in SAMPLERS.items():
    found = write(model, prompts, sampler, ROUNDS)
    texts[name] = tokenizer.detokenize(found)
    shown = texts[name][0][:140].replace("\n", "⏎")
    print(f"\n{name}: {tokenizer.detokenize(prompts[:1])[0]}|{shown}")

# %% [markdown]
# ## Picture
#
# First, how the two models learned, beside the counts.
#
# To try temperature, top-k, top-p and beam search on a text that you type, open
# the <a href="../../look/index.html#panel=next&amp;lang=en">look-inside
# page</a>.

# %%
baselines = {"bigram": counted[2], "trigram": counted[3]}
baselines["five-gram"] = counted[5]
curves = {
    name: {"training": history["loss"], "held out": history["val_loss"]}
    for name, history in histories.items()
}
lesson.show(
    plots.curves(curves, baselines=baselines),
    "loss",
    "Loss by epoch of RNN and GPT, training and held out, beside three "
    "counted baselines.",
)

# %% [markdown]
# Second, the loss at each position of the window. Position 1 has a context of
# one character, position 64 of 64.


# %%
def loss_by_position(model):
    logits = model.predict(x_test, batch_size=64, verbose=0)
    log_p = ops.convert_to_numpy(ops.log_softmax(logits))
    return -np.take_along_axis(log_p, y_test[..., None], -1)[..., 0].mean(0)


by_position = {"RNN": loss_by_position(rnn), "GPT": loss_by_position(model)}
# %%
groups = [slice(0, 1), slice(1, 2), slice(2, 4), slice(4, 8)]
groups += [slice(8, 16), slice(16, 32), slice(32, 64)]
grouped = {k: [v[g].mean() for g in groups] for k, v in by_position.items()}
for name, values in grouped.items():
    print(f"{name}:", " ".join(f"{value:.2f}" for value in values))
figure = plots.curves(
    grouped,
    x=range(len(groups)),
    xlabel="characters of context",
    ylabel="held-out loss (nats)",
    baselines={"five-gram": counted[5]},
)
ticks = ["1", "2", "3-4", "5-8", "9-16", "17-32", "33-64"]
figure.axes[0].set_xticks(range(len(groups)), ticks)
lesson.show(
    figure,
    "loss_by_position",
    "Held-out loss by the number of characters of context, for RNN and GPT. "
    "Both fall steeply over the first eight characters.",
)

# %% [markdown]
# Third, the attention of some heads. For each head we measure on 64 held-out
# windows how much of its weight lies on the previous character, how far back it
# looks on average, and how much of its weight lies on spaces. Then we draw the
# head that looks at the previous character most, the one of layer 1 that puts
# the most weight on spaces, and the one that looks farthest.

# %%
_, weights = model(x_test[:64], return_attention_scores=True)
weights = np.stack([ops.convert_to_numpy(w) for w in weights])  # L B H T T
t = np.arange(64)
distance = (weights * (t[:, None] - t)).sum(-1).mean((1, 3))  # (L, H)
previous = weights[..., t[1:], t[:-1]].mean((1, 3))
space = tokenizer.tokenize([" "])[0, 0]
on_space = (weights * (x_test[:64] == space)[None, :, None, None]).sum(-1)
on_space = on_space.mean((1, 3))
print(f"share of spaces in the text: {np.mean(x_test == space):.2f}")
for i, h in np.ndindex(distance.shape):
    print(
        f"layer {i + 1}, head {h + 1}: distance {distance[i, h]:5.1f}", end=""
    )
    print(f", previous {previous[i, h]:.2f}, spaces {on_space[i, h]:.2f}")

# %%
sentence = "The value of the expression"
_, maps = model(tokenizer.tokenize([sentence]), return_attention_scores=True)
maps = np.stack([ops.convert_to_numpy(m)[0] for m in maps])  # (L, H, T, T)
symbols = [plots.VISIBLE.get(letter, letter) for letter in sentence]
figure = Figure(figsize=(9.5, 3.9), layout="constrained")
first = np.arange(len(distance))[:, None] == 0  # layer 1
kinds = {"previous character": previous, "spaces": on_space * first}
kinds["farthest"] = distance
for axes, (kind, score) in zip(figure.subplots(1, 3), kinds.items()):
    i, h = np.unravel_index(score.argmax(), score.shape)
    axes.imshow(maps[i, h], cmap="Blues", vmin=0, vmax=1)
    axes.set_title(f"{kind}: layer {i + 1}, head {h + 1}", fontsize=10)
    axes.set_xticks(range(len(symbols)), symbols, fontsize=8)
    axes.set_yticks(range(len(symbols)), symbols, fontsize=8)
    axes.set_xlabel("key: attended to")
figure.axes[0].set_ylabel("query: predicts the next")
lesson.show(
    figure,
    "heads",
    "Attention weights of three heads on one phrase: a row for each character "
    "and how it distributes its weight over itself and earlier ones.",
)

# %% [markdown]
# Fourth, repetition. Of all pairs of neighboring words in a continuation, how
# many are different? And of all its words, how many occur in the training text?
# The real text, which continues the same prompts, has both shares too and is
# the baseline.


# %%
def words(text):
    return re.findall("[a-z]+", text.lower())[1:-1]  # both ends may be cut


def different_pairs(text):
    pairs = list(itertools.pairwise(words(text)))
    return len(set(pairs)) / max(1, len(pairs))


training_words = set(words(text))


def known_words(text):
    found = [word in training_words for word in words(text)]
    return sum(found) / max(1, len(found))


# %%
real = test_ids[begin[:, None] + 32 + np.arange(32 * ROUNDS)]
texts["the real text"] = tokenizer.detokenize(real)
different = {k: np.mean([*map(different_pairs, v)]) for k, v in texts.items()}
known = {k: np.mean([*map(known_words, v)]) for k, v in texts.items()}
for name in texts:
    print(f"{name:16} {different[name]:.2f} {known[name]:.2f}")

# %%
figure = Figure(figsize=(9, 3.2), layout="constrained")
left, right = figure.subplots(1, 2, sharey=True)
colors = ["#0072B2"] * (len(texts) - 1) + ["#595959"]
for axes, shares, label in (
    (left, different, "share of different word pairs"),
    (right, known, "share of words in the training text"),
):
    bars = axes.barh(list(shares), list(shares.values()), color=colors)
    axes.bar_label(bars, fmt="%.2f", padding=3)
    axes.set_xlim(0, 1.15)
    axes.set_xlabel(label)
    axes.spines[["top", "right"]].set_visible(False)
left.invert_yaxis()
lesson.show(
    figure,
    "repetition",
    "Two shares of continuations by method. Left, greedy decoding and beam "
    "search repeat themselves. Right, sampling makes up words.",
)

# %% [markdown]
# Last, what the cache is worth: milliseconds per token, for answers of
# different lengths after a prompt of eight characters. Untrained weights do,
# because the time does not depend on their values.

# %%
longest = 8 + max(LENGTHS)
timed = GPT(size, WIDTH, num_layers=LAYERS, max_sequence_length=longest)
eight = 1 + x_test[:1, :8] * 0
timed(eight)
writers = {"with cache": timed, "without cache": WithoutCache(timed)}
milliseconds = {name: [] for name in writers}
for length in LENGTHS:
    runs = {
        name: functools.partial(generate, writer, eight, max_length=length)
        for name, writer in writers.items()
    }
    for name, s in time_interleaved(runs, rounds=3, warmup=1).items():
        milliseconds[name].append(1000 * np.median(s) / length)
        print(f"{length:4} tokens {name:14} {milliseconds[name][-1]:.2f} ms")
lesson.show(
    plots.curves(
        milliseconds,
        x=LENGTHS,
        xlabel="tokens generated",
        ylabel="milliseconds per token",
    ),
    "cache",
    "Time per token by the length of the answer: nearly constant with a "
    "key-value cache, growing without one.",
)

# %% [markdown]
# **What you should see.** In the picture of the loss, look at the left. After
# one epoch the recurrent network is already below the trigram, and GPT is not
# yet below the bigram. Then GPT catches up, and all lines meet near the
# five-gram. At the end compare the dotted lines with the solid ones: GPT has
# passed the recurrent network on the training text, but not on the held-out
# text. In the second picture the two lines nearly coincide, and from the ninth
# character on both are flat: neither model gains from a longer context.
#
# The heads agree with that. In layer 1 there is one that puts about half of its
# weight on the previous character, a dark line just below the diagonal, and one
# that puts about 0.31 of it on spaces, twice their share of the text. Even the
# head that looks farthest looks back only about four characters on average. In
# its map, find the columns of the first `e` and the first space: many later
# rows use them.
#
# In the bars, greedy decoding is the shortest on the left: only about half of
# its word pairs are different, because it ends in a loop, "the string of the
# string of the string". Beam search is between. Sampling hardly repeats itself.
# But look at the right: at temperature 1 only about 0.81 of the words occur in
# the training text, where the real text has 0.96. Read the continuations above
# for some of the others. A lower temperature, top-k and top-p have 0.90 to
# 0.93. That is the trade: the sure choices are dull, and the bold ones are
# often nonsense.
#
# In the last picture, a token takes about 2 ms with the cache, however long the
# text is; without, about 3 ms in a text of 50 tokens and 7 ms in one of 200. In
# the experiment with four texts at once and four layers it is thirteen times as
# fast with the cache (`results/experiments/gpt-pydocs.json`). One thing
# flatters the cache here: `WithoutCache` computes a buffer of the final length
# at each step, and the growing prefix of the diagram would be about half as
# much.


# %% [markdown]
# ## The number beside a baseline

# %%
nats = {
    "RNN": rnn.evaluate(x_test, y_test, verbose=0),
    "GPT": model.evaluate(x_test, y_test, verbose=0),
}
metric = "held-out nats per character, GPT"
lesson.compare(metric, nats["GPT"], "RNN, same steps", nats["RNN"])
for n, name in (2, "bigram"), (5, "five-gram"):
    lesson.compare(metric, nats["GPT"], f"{name}, counted", counted[n])
for what, name, shares in (
    ("different word pairs", "greedy", different),
    ("known words", "temperature 1", known),
):
    value, real_value = shares[name], shares["the real text"]
    lesson.compare(f"{what}, {name}", value, "the real text", real_value)
lesson.compare(
    f"ms per token, {LENGTHS[-1]} tokens, cache",
    *(milliseconds["with cache"][-1], "without cache"),
    milliseconds["without cache"][-1],
)
for name, value in nats.items():
    print(f"{name}: {value:.3f} nats, perplexity {np.exp(value):.1f}", end="")
    print(f", on the training text {histories[name]['loss'][-1]:.3f}")

# %% [markdown]
# About 1.39 nats for GPT and 1.38 for the recurrent network: with the same
# characters, windows and steps, and rates that were not tuned, GPT is *not*
# better, with 617,000 weights instead of 117,000, and it took about five times
# as long. Counting five characters gets 1.40. The textbooks say that the
# Transformer has replaced recurrent networks, so why not here? Three reasons
# can be read off the pictures.
#
# *It has to learn what is near.* A recurrent network reads the last character
# last, and so it counts most, by construction. To GPT all positions are equal
# at first. It must learn which one is the previous, as some heads of layer 1
# did, and after two epochs it is still behind the trigram table.
#
# *It has more weights than this text can fill.* On the training text it is
# ahead of the recurrent network (1.11 and 1.14), on held-out text it is not:
# [overfitting](glossary.md#overfitting). More text should help.
#
# *Nothing far away is needed.* The strength of attention is a short way to
# inputs far back, and here the last eight to sixteen characters decide.
#
# What do more steps bring? With four layers and 2,000 steps of 12 windows each,
# which begin anywhere in the text, `experiments/gpt.py` gets 1.35 on this text
# (`results/experiments/gpt-pydocs.json`). On Tiny Shakespeare, four times as
# much text, it gets 1.82 (`results/experiments/gpt-tinyshakespeare.json`);
# there a simple recurrent network has 1.73 and a GRU 1.59, but they read a
# third more characters (`results/experiments/hello_rnn-tinyshakespeare.json`).
# So GPT is not ahead there, either. Its successes come from sizes that no
# lesson can show: GPT-2 had up to 1,500 million weights and 40 GB of text
# (Radford et al., 2019).
#
# What this lesson does show: half a Transformer learns from text alone; a
# causal mask turns each window into 64 examples; and the same model writes a
# loop or invents words, depending on how its tokens are picked.

# %% [markdown]
# ## Pitfalls
#
# **No causal mask, or one that is shifted.** *Symptom:* the training loss falls
# close to 0 within an epoch, and generated text is nonsense. The model reads
# the answer instead of predicting it. Make the check above: change the last
# character, and see whether earlier logits change.
#
# **Labels not shifted.** *Symptom:* the same, loss close to 0. Input and label
# must be one token apart; `next_token_windows` does it.
#
# **Longer than the window.** *Symptom:* an error about `max_sequence_length`;
# in other libraries, fluent text that suddenly becomes nonsense. Positions that
# were never trained have random vectors. Shorten the prompt, as `write` does.
#
# **Temperature 0.** *Symptom:* a division by zero. The limit of low
# temperatures is greedy decoding: use `Greedy()`.
#
# **A fixed seed in a loop.** *Symptom:* every continuation is the same, or
# every round of `write` draws the same random numbers. `Sampling(seed=...)`
# gives the same tokens at each call; set the seed outside, once.
#
# **Loss compared across tokenizers.** *Symptom:* a model with subwords has a
# much higher loss than one with characters, and seems worse. But a subword is
# several characters long. Compare nats per *character*, or per byte.

# %% [markdown]
# ## Exercises
#
# As before: a task, a cell for your code, a check that never stops the lesson,
# and a folded answer.

# %% [markdown]
# ### Exercise 1 (5 minutes): count the examples
#
# For N windows of length T return three numbers: how many training examples
# they hold with a causal mask; the mean number of tokens of context of these
# examples; and how many pairs (query, key) the mask keeps in one window.


# %% tags=["exercise"]
def count_examples(windows, length):
    raise NotImplementedError


# %%
with lesson.exercise(1):
    kept = np.tril(np.ones((7, 7)))
    right = 5 * 7, kept.sum(axis=1).mean(), kept.sum()
    for found, expected, what in zip(
        count_examples(5, 7), right, ("examples", "context", "pairs")
    ):
        assert found == expected, f"{what}: {found} instead of {expected}"

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def count_examples(windows, length):
#     pairs = length * (length + 1) // 2
#     return windows * length, (length + 1) / 2, pairs
# ```
#
# A triangle with its diagonal: 1 + 2 + ... + T = T (T + 1) / 2. The work of
# attention grows with the square of the length.
#
# </details>

# %% [markdown]
# ### Exercise 2 (15 minutes): min-p
#
# Another way to cut (Nguyen et al., 2024): keep the tokens that are at least
# `share` times as probable as the most probable one. Take a distribution p of
# shape (V,), in any order, and return the new distribution. When the model is
# sure this keeps few tokens, and when it is unsure many.


# %% tags=["exercise"]
def min_p(p, share):
    raise NotImplementedError


# %%
with lesson.exercise(2):
    found = min_p(p, 0.2)
    assert np.isclose(np.sum(found), 1), "the sum must be 1"
    expected = np.array([0.5, 0.25, 0.15, 0, 0]) / 0.9
    assert np.allclose(found, expected), f"0.2 of 0.5 is 0.1: not {found}"
    found = min_p(p[::-1], 0.2)
    assert np.allclose(found, expected[::-1]), "p need not be sorted"
    assert np.allclose(min_p(p, 1), [1, 0, 0, 0, 0]), "share 1 is greedy"

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def min_p(p, share):
#     kept = np.where(p >= share * p.max(), p, 0)
#     return kept / kept.sum()
# ```
#
# </details>

# %% [markdown]
# ### Exercise 3 (30 minutes): one step with a cache
#
# Write one step of causal self-attention with one head: `vector` (D,) is the
# newest token, `W` holds three matrices (D, K) for query, key and value, and
# `cache` is a pair (keys, values) of shape (t, K) each, for the t tokens
# before. Return the output (K,) and the new cache. The check compares with the
# layer, which computes all rows at once.


# %% tags=["exercise"]
def attention_step(vector, W, cache):
    raise NotImplementedError


# %%
with lesson.exercise(3):
    rng = np.random.default_rng(3)
    W, inputs = rng.normal(size=(3, 5, 4)), rng.normal(size=(6, 5))
    head = MultiHeadAttention(1, 4, use_bias=False, output_shape=4)
    head.build((None, None, 5))
    head.set_weights([*W[:, :, None], np.eye(4)[None]])
    right = ops.convert_to_numpy(head(inputs[None], use_causal_mask=True))[0]
    cache = np.zeros((0, 4)), np.zeros((0, 4))
    for t, vector in enumerate(inputs):
        found, cache = attention_step(vector, W, cache)
        message = f"{len(cache[0])} keys after {t + 1} tokens"
        assert len(cache[0]) == len(cache[1]) == t + 1, message
        message = f"row {t + 1} is wrong: is the score divided by √K?"
        assert np.allclose(found, right[t], atol=1e-4), message

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def attention_step(vector, W, cache):
#     query, key, value = vector @ W
#     keys = np.concatenate([cache[0], key[None]])
#     values = np.concatenate([cache[1], value[None]])
#     weights = np.exp(keys @ query / np.sqrt(len(query)))
#     return weights / weights.sum() @ values, (keys, values)
# ```
#
# There is no mask in it: what must not be seen is not in the cache yet.
#
# </details>

# %% [markdown]
# ### Exercise 4 (an evening): beam search on a trained model
#
# `next_log_p(ids)` takes a list of ids and returns the log-probabilities of the
# next one, (V,). Return the best continuation of `length` ids that a beam of
# `width` finds, without any length penalty. The check compares with the
# library, on a random table and on the trained GPT.


# %% tags=["exercise"]
def best_beam(next_log_p, prompt, width, length):
    raise NotImplementedError


# %%
with lesson.exercise(4):
    rng = np.random.default_rng(4)
    random_table = Table(rng.normal(size=(9, 9)).astype("float32"))
    for one, prompt in (random_table, [2]), (model, list(test_ids[:8])):

        def next_log_p(ids, one=one):
            if one is random_table:
                logits = one.logits[ids[-1]]
            else:
                logits = one(np.array([ids]))[0, -1]
            return ops.convert_to_numpy(ops.log_softmax(logits))

        for width in 1, 3:
            sampler = BeamSearch(width, length_penalty=0.0)
            right = generate(one, np.array([prompt]), sampler, max_length=5)
            found = list(best_beam(next_log_p, prompt, width, 5))
            assert len(found) == 5, f"{len(found)} ids instead of 5"
            message = f"width {width}: {found}, not {right.ids[0]}"
            assert found == list(right.ids[0]), message

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def best_beam(next_log_p, prompt, width, length):
#     beams = [(0.0, list(prompt))]
#     for _ in range(length):
#         found = []
#         for score, ids in beams:
#             log_p = next_log_p(ids)
#             for token in np.argsort(-log_p)[:width]:
#                 found.append((score + log_p[token], [*ids, int(token)]))
#         beams = sorted(found, key=lambda beam: -beam[0])[:width]
#     return beams[0][1][len(prompt) :]
# ```
#
# Of each beam only its `width` best extensions can survive, so the others need
# not be looked at. With a width of 1 this is greedy decoding.
#
# </details>

# %% [markdown]
# ## Next
#
# This model continues whatever text it is given. Given a question, it writes
# more of what usually follows in its text, which need not be an answer: nothing
# in a documentation says that a question wants one. What must change, the model
# or the text? The next lesson, `09_chatbot`, trains models on questions and
# answers, in English and in Korean.


# %%
lesson.finish()
