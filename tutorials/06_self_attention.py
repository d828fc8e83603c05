# %% [markdown]
# # 06. Self-attention: every word attends to every other word
#
# In the last lesson a decoder attended to the states of an encoder, and both
# were still recurrent networks. Here the recurrence is dropped: the words of
# one sentence attend to each other, all at the same time, in a few matrix
# products. You compute this on paper for three words of two numbers each. You
# see what a mask hides, and that the order of the words is lost until you add
# it. Then you train two such layers to look up a letter in a list of pairs. You
# need the lessons 00 to 05. Running everything takes about three minutes on two
# processor cores.

# %%
import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # keeps TensorFlow's log quiet

import functools
import inspect

import keras
import numpy as np
from keras import ops

# %%
from keras_seq import data, plots
from keras_seq.evaluation import gradient_by_lag, time_interleaved
from keras_seq.layers import (
    GRU,
    LSTM,
    LuongAttention,
    MultiHeadAttention,
    PositionEmbedding,
    SimpleRNN,
    SinePositionEncoding,
    TokenEmbedding,
    attend,
    causal_mask,
)
from keras_seq.training import Lesson

np.set_printoptions(precision=3, suppress=True)
lesson = Lesson("06_self_attention", following="07_transformer")

# %% tags=["parameters"]
PAIRS = 8
ROWS = 32_000
EPOCHS = 6
LENGTHS = (128, 256, 512, 1024, 2048)
SEED = 0
JIT = keras.backend.backend() != "torch"  # compile the loop over the steps

# %% [markdown]
# ## Question
#
# Read `c9k8j3f1??c` and answer: which digit followed the letter `c`? The answer
# is 9. With eight pairs of a letter and a digit this is *associative recall*, a
# small model of what reading needs all the time: "she" and "that house" refer
# to something further back, and what they refer to is found by its content and
# not by its distance. **Can a model without any recurrence, which reads all
# tokens at once, find the right pair?**
#
# The number at the end is the share of right answers on sequences that were not
# used for training. Always naming the most frequent digit of the sequence is
# right in about 0.29 of the cases. An LSTM gets about 0.63. Two layers of this
# lesson, with as many weights, the same data and the same training steps, get
# more than **0.99**.

# %% [markdown]
# ## What failed
#
# In lesson 05 the [query](glossary.md#query) was the decoder's state, and the
# encoder's state of a token was both its [key](glossary.md#key) and its
# [value](glossary.md#value). The decoder could reach every token of the source.
# But the states came from a recurrent network, which needs one step after
# another, and *within* the source nothing had changed: what token 3 knew of
# token 12 still had to pass through all the states between. Here are the two
# models we have so far, on the new task: an LSTM that answers from its last
# state, and the same LSTM with Luong's attention, whose query is the last
# state.

# %%
WIDTH, HEADS = 64, 2
x, y = data.recall(ROWS, PAIRS, seed=SEED)
x_test, y_test = data.recall(2000, PAIRS, seed=SEED + 1)
for row, digit in zip(x_test[:3], y_test):
    print("".join(data.RECALL_VOCABULARY[i] for i in row), "->", digit)


# %%
def normal():
    return keras.initializers.RandomNormal(stddev=0.5)


def embed(ids):
    size = len(data.RECALL_VOCABULARY)
    options = {"pad_id": None, "embeddings_initializer": normal()}
    return TokenEmbedding(size, WIDTH, **options)(ids)


def lstm_model(units, with_attention):
    ids = keras.Input((None,), dtype="int32")
    states = LSTM(units, return_sequences=True)(embed(ids))
    last = states[:, -1:]
    if with_attention:  # [context; state], as in lesson 05
        context = LuongAttention("general")(last, states)
        last = keras.layers.Concatenate()([context, last])
    return keras.Model(ids, keras.layers.Dense(10)(last[:, 0]))


# %%
histories = {}


def learn(name, model, rate=0.003):
    """Train a model; every model of this lesson gets the same data."""
    model.compile(
        keras.optimizers.Adam(rate, global_clipnorm=1.0),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=JIT,
    )
    print(f"\n{name}: {model.count_params():,} weights")
    history = model.fit(
        *(x, y),
        batch_size=128,
        epochs=EPOCHS,
        validation_data=(x_test, y_test),
    ).history
    histories[name] = history["val_accuracy"]


keras.utils.set_random_seed(SEED)
learn("LSTM", lstm_model(88, with_attention=False), rate=0.01)
keras.utils.set_random_seed(SEED)
learn("LSTM with attention", lstm_model(80, with_attention=True))

# %% [markdown]
# The LSTM alone is right in about 0.63 of the cases, with the best of three
# learning rates that were tried: 0.01. (With 0.003, the rate of all other
# models here, and with 0.001, it stayed at the baseline of 0.29 that you will
# see below.) With attention, the LSTM has every answer right after two epochs.
# So attention solves the task, and the recurrent network below it only prepares
# the states, in 19 steps, each of which waits for the one before. Is it needed
# at all?

# %% [markdown]
# ## Diagram
#
# ![The query of "drank" is compared with the key of every word of its own
# sentence. Softmax turns the scores into weights, and the weighted average of
# the values is the output.](../docs/diagrams/query_key_value.en.svg)
#
# In [self-attention](glossary.md#self-attention) query, key and value all come
# from the same sequence. Each token has a vector x, and three matrices turn it
# into three others. The query describes what the token looks for, the key what
# it can be found by, and the value is what it passes on. The diagram follows
# one token, "drank". For all other tokens the same is computed at the same
# time.
#
# ![Three heads side by side: one attends to the word before, one to the
# subject, one to verb and object. Their outputs are concatenated and
# projected.](../docs/diagrams/heads.en.svg)
#
# One softmax per token makes one distribution, but a verb has a subject *and*
# an object. [Multi-head attention](glossary.md#multi-head-attention) has
# several sets of the three matrices, its *heads*. Each has attention weights of
# its own; what the heads find is concatenated, and a fourth matrix W_O brings
# it back to the old width.

# %% [markdown]
# ## A worked example
#
# Three words, two numbers each. The first number is 1 for a word that can be
# the subject, the second is 1 for a word that can be the object. The verb
# `drank` needs both and has −1 in both places.
#
# | word | vector x | query | key | value |
# |---|---|---|---|---|
# | `cat` | (1, 0) | (−2, 0) | (1, 0) | (10, 0) |
# | `drank` | (−1, −1) | (2, 0) | (−1, −1) | (−10, −10) |
# | `milk` | (0, 1) | (0, 0) | (0, 1) | (0, 10) |
#
# The three matrices are as simple as possible. W_Q multiplies the first number
# by −2 and drops the second, so each query fits the opposite of the word's own
# first number. W_K leaves x as it is, and W_V multiplies it by 10.
#
# Follow `drank`. Its query (2, 0) is compared with each key by a dot product.
# The scores are divided by the square root of 2, since query and key have two
# numbers (the reason comes below). Then softmax:
#
# | key of | score | divided by √2 | e to that | divided by the sum 5.36 |
# |---|---|---|---|---|
# | `cat` | 2 · 1 + 0 · 0 = 2 | 1.41 | 4.11 | 0.768 |
# | `drank` | 2 · (−1) + 0 · (−1) = −2 | −1.41 | 0.24 | 0.045 |
# | `milk` | 2 · 0 + 0 · 1 = 0 | 0 | 1.00 | 0.187 |
#
# `drank` has found its subject. Its output is the average of the values:
#
#     0.768 · (10, 0) + 0.045 · (−10, −10) + 0.187 · (0, 10) = (7.23, 1.42)
#
# The same for `cat` and `milk`, and all three at once: one product gives the
# nine scores, a second one the three averages. No word waits for another.

# %%
words = np.array([[1, 0], [-1, -1], [0, 1]], "float32")  # cat drank milk
W_Q = np.array([[-2, 0], [0, 0]], "float32")
W_K, W_V = np.eye(2, dtype="float32"), 10 * np.eye(2, dtype="float32")


def softmax(z):
    powers = np.exp(z - z.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


q, k, v = words @ W_Q, words @ W_K, words @ W_V
scores = q @ k.T / np.sqrt(2)  # (T, T): a row for each query
weights = softmax(scores)
context = weights @ v
print("weights:\n", weights, "\noutputs:\n", context, sep="")

layer = MultiHeadAttention(num_heads=1, key_dim=2, use_bias=False)
layer.build((None, None, 2))
W_O = np.eye(2)  # nothing to concatenate yet
layer.set_weights([W_Q[:, None], W_K[:, None], W_V[:, None], W_O[None]])
pair = layer(words[None], return_attention_scores=True)
found, found_weights = map(ops.convert_to_numpy, pair)
assert np.allclose(found[0], context, atol=1e-5)
assert np.allclose(found_weights[0, 0], weights, atol=1e-6)
print("The layer agrees. Weights (B, H, T, S):", found_weights.shape)

# %% [markdown]
# Look at the other rows. `cat`, too, finds its partner: 0.768 for `drank`. The
# query of `milk` is zero, all its scores are zero, and its weights are one
# third each. In this head, `milk` selects nothing.
#
# ### Two heads
#
# The second head does the same with the second number. Its W_Q drops the first
# number and multiplies the second by −2. The outputs of both heads are
# concatenated, 2 + 2 = 4 numbers, and W_O (4 × 2) returns to two: a tenth of
# the first number of head 1, and a tenth of the second number of head 2.

# %%
W_Q2 = np.array([[0, 0], [0, -2]], "float32")
heads = []
for W in W_Q, W_Q2:
    a = softmax(words @ W @ k.T / np.sqrt(2))
    heads.append(a @ v)
    print("drank attends to cat, drank, milk:", a[1])
W_O = np.array([[0.1, 0], [0, 0], [0, 0], [0, 0.1]], "float32")
by_hand = np.concatenate(heads, axis=1) @ W_O  # (T, 4) times (4, 2)
print(by_hand)

two_heads = MultiHeadAttention(num_heads=2, key_dim=2, use_bias=False)
two_heads.build((None, None, 2))
kernels = [np.stack(W, axis=1) for W in ((W_Q, W_Q2), (W_K,) * 2, (W_V,) * 2)]
two_heads.set_weights([*kernels, W_O.reshape(2, 2, 2)])


def call(x, **masks):
    return ops.convert_to_numpy(two_heads(x[None], **masks))[0]


assert np.allclose(call(words), by_hand, atol=1e-5)

# %% [markdown]
# Head 1 of `drank` finds `cat`, head 2 finds `milk`, and the verb that lacked
# both, (−1, −1), receives (0.72, 0.72).
#
# ### Why divide by the square root?
#
# Here it hardly matters, but a head usually has 64 numbers. If the numbers of a
# query and a key are independent, with mean 0 and variance 1, then the dot
# product of K of them has variance K, so its size grows like √K. Softmax of
# large numbers is nearly one-hot, and there its slope a · (1 − a) is nearly 0:
# the layer would begin with an arbitrary choice and get almost no gradient to
# change it. Ten random keys for each query, with and without the division:

# %%
rng = np.random.default_rng(SEED)
for K in (2, 16, 128, 1024):
    many_q, many_k = rng.normal(size=(2, 1000, 10, K))
    dots = (many_q[:, :1] @ many_k.swapaxes(1, 2))[:, 0]  # (1000, 10)
    print(f"K = {K:4}: size of the scores {dots.std():4.1f}", end="")
    for name, z in ("without", dots), ("with", dots / np.sqrt(K)):
        top = softmax(z).max(axis=1)
        print(f"   {name}: largest weight {top.mean():.2f}", end="")
        print(f", slope {np.mean(top * (1 - top)):.3f}", end="")
    print()

# %% [markdown]
# ### Two masks
#
# ![Left, a padding mask: the two positions of padding are hidden. Middle, a
# causal mask: each position may use itself and the positions before it. Right,
# equal weights under both masks.](../docs/diagrams/masks.en.svg)
#
# Lesson 00 had both. The [padding mask](glossary.md#padding-mask) takes away
# columns: no word may attend to padding. The [causal
# mask](glossary.md#causal-mask), also called look-ahead mask, takes away the
# upper triangle: no word may attend to a later one. A model that predicts the
# next word needs it: without it, the word to be predicted would be among its
# inputs. Both work before the softmax, where a hidden score becomes minus a
# billion. With the causal mask, `drank` can choose only between `cat` and
# itself: 4.11 and 0.24 divided by their sum, 4.36 before rounding, are 0.944
# and 0.056.

# %%
keep = np.tril(np.ones((3, 3), bool))
assert np.array_equal(ops.convert_to_numpy(causal_mask(3)), keep)
print("head 1, causal:\n", softmax(np.where(keep, scores, -1e9)), sep="")

other = words.copy()
other[2] = [7, -5]  # another last word
for causal in (False, True):
    change = call(other, use_causal_mask=causal)
    change = np.abs(change - call(words, use_causal_mask=causal))
    print(f"causal mask {causal}: outputs change by", change.max(axis=1))
assert change[:2].max() == 0

padded = np.concatenate([words, [[9, 9]]]).astype("float32")
real = np.array([[True, True, True, False]])
assert not np.allclose(call(padded)[:3], by_hand, atol=1e-2)
assert np.allclose(call(padded, value_mask=real)[:3], by_hand, atol=1e-5)
print("With the padding mask, padding changes nothing.")

# %% [markdown]
# Without a mask the new last word changes all three outputs. With the causal
# mask the first two do not change at all: not a little, but by 0. The future
# cannot change the past, so the outputs of a prefix can be computed once and
# kept.
#
# ### Order is not seen
#
# Nothing above used the *position* of a word. Korean says the same sentence
# with the verb at the end, `고양이가 우유를 마셨다`. The particles `가` and
# `를` say who acts and what is acted on, so our three vectors fit these words
# as well, and we only put the rows in another order. The outputs come out in
# that order, and each is the same as before. This property is called
# *permutation equivariance*.

# %%
korean = words[[0, 2, 1]]  # cat milk drank
assert np.allclose(call(korean), by_hand[[0, 2, 1]], atol=1e-5)
_, pair = two_heads(korean[None], return_attention_scores=True)
sentence = ["고양이가", "우유를", "마셨다"]
lesson.show(
    plots.attention_heads([pair[0]], sentence, sentence),
    "korean_heads",
    "Attention weights of the two heads on the Korean sentence. In the last "
    "row, the verb attends to the cat in head 1 and to the milk in head 2.",
)

# %% [markdown]
# For this Korean sentence that is welcome: `우유를 고양이가 마셨다`, with the
# object first, means the same. In English it is a serious fault: only the order
# tells "dog bites man" from "man bites dog", and our layer returns the same
# vectors for both.
#
# ![Left, the same words in two orders become different vectors once the vector
# of the position is added. Right, the sines and cosines of each
# position.](../docs/diagrams/positions.en.svg)
#
# The remedy is to put the position into x. A [positional
# encoding](glossary.md#positional-encoding) is a vector for each position that
# is added to the vector of the word; then a query can look for a word, for a
# position, or for both. It can be learned, like an embedding
# (`PositionEmbedding`), or be made of sines and cosines of many wavelengths
# (`SinePositionEncoding`). For two numbers it is one wave, (sin p, cos p):
# (0, 1) for the first word, (0.841, 0.540) for the second, (0.909, −0.416) for
# the third.

# %%
p = np.arange(3)
positions = np.stack([np.sin(p), np.cos(p)], axis=1).astype("float32")
layer = SinePositionEncoding()
assert np.allclose(layer(words[None])[0], positions, atol=1e-6)
backwards = words[[2, 1, 0]]  # milk drank cat
print("drank, without positions:", call(words)[1], call(backwards)[1])
with_positions = call(words + positions)[1], call(backwards + positions)[1]
print("drank, with positions:   ", *with_positions)
assert not np.allclose(*with_positions, atol=0.1)

# %% [markdown]
# ## The equation
#
#     q = x W_Q,   k = x W_K,   v = x W_V        for each head
#     e = q k^T / sqrt(K)                        scores
#     a = softmax(e)                             weights, each row has sum 1
#     c = a v                                    output of the head
#     y = [c_1 ; ... ; c_H] W_O                  the heads together
#
# x has a row for each of the T tokens and D columns. q, k and v have T rows and
# K columns, where K is the width of a head. e and a have the shape (T, T), a
# row for each query and a column for each key. H is the number of heads;
# usually H times K is D, so that eight heads cost about as much as one. W_O has
# the shape (H · K, D), so y is as large as x. A mask replaces entries of e by
# minus a billion. If k and v are computed from another sequence than q, the
# same equations are the [cross-attention](glossary.md#cross-attention) of
# lesson 05. In the library `project` is the first line, and `weighted_context`
# the next three; its `attend` is the function that you met in lesson 05:

# %%
print(inspect.getsource(MultiHeadAttention.project))
print(inspect.getsource(MultiHeadAttention.weighted_context))
print("def attend(scores, values, mask=None, dropout=None, scale=1.0):")
print(inspect.getsource(attend).split('"""')[-1])


# %% [markdown]
# ## Code
#
# Now associative recall, without any recurrence: token embedding plus position
# embedding, then one or two layers of self-attention. After each layer the
# context is concatenated with the vector that the token had before, [context;
# state], as in lesson 05. The last token, the one that asks, gives the logits
# of the ten digits. The second model that the function returns has the same
# layers and gives their attention weights.


# %%
def attention_model(layers, with_positions=True):
    ids = keras.Input((None,), dtype="int32")
    h = embed(ids)
    if with_positions:
        h = h + PositionEmbedding(2 * PAIRS + 3, initializer=normal())(h)
    maps = []
    for _ in range(layers):
        attention = MultiHeadAttention(HEADS, WIDTH // HEADS)
        context, weights = attention(h, return_attention_scores=True)
        h = keras.layers.Concatenate()([context, h])
        maps.append(weights)  # (B, H, T, T)
    logits = keras.layers.Dense(10)(h[:, -1])
    return keras.Model(ids, logits), keras.Model(ids, maps)


attention_maps = {}
for name, options in (
    ("self-attention, 2 layers", {"layers": 2}),
    ("self-attention, 1 layer", {"layers": 1}),
    ("2 layers, no positions", {"layers": 2, "with_positions": False}),
):
    keras.utils.set_random_seed(SEED)
    model, attention_maps[name] = attention_model(**options)
    learn(name, model)

# %% [markdown]
# ## Picture
#
# To see every head of a small trained model on a text that you type, with the
# causal mask and the positions on or off, open the <a
# href="../../look/index.html#panel=heads&amp;lang=en">look-inside page</a>.

# %%
counts = (x_test[:, :, None] == np.arange(1, 11)).sum(axis=1)  # of 0 to 9
most_frequent = np.mean(counts.argmax(axis=1) == y_test)
figure = plots.curves(
    histories,
    ylabel="share of right answers, held out",
    baselines={"most frequent digit": most_frequent},
)
lesson.show(
    figure,
    "recall",
    "Share of right answers by epoch. Two layers of self-attention with "
    "positions and the LSTM with attention reach 1. The LSTM alone rises at "
    "the end; the other two stay near the line of the most frequent digit.",
)

# %% [markdown]
# Which tokens do the heads attend to? One sequence that was not used for
# training, both layers, all heads. In the second layer only the last row
# matters: it is the token that gives the answer.

# %%
maps = attention_maps["self-attention, 2 layers"]
weights = [ops.convert_to_numpy(w) for w in maps(x_test[:500])]
symbols = [data.RECALL_VOCABULARY[i] for i in x_test[0]]
lesson.show(
    plots.attention_heads([w[0] for w in weights], symbols, symbols),
    "recall_heads",
    "Attention weights of two layers, two heads each, on one sequence. In "
    "layer 2 the last row attends to the digit that is the answer. In head 1 "
    "of layer 1 the digits attend to a letter that is not their own.",
)
digits = np.arange(1, 2 * PAIRS, 2)
before = weights[0][:, :, digits, digits - 1].mean(axis=(0, 2))
print("layer 1, digit to the letter before it, by head:", before)
print(f"spread evenly it would be {1 / len(symbols):.3f}")
rows = np.arange(500)
keys = np.argmax(x_test[:500, : 2 * PAIRS] == x_test[:500, -1:], axis=1)
found = weights[1][rows, :, -1, keys + 1].mean(axis=0)
print("layer 2, last token to the digit it needs, by head:", found)

# %% [markdown]
# Now the path. In a recurrent network the gradient takes k steps to reach the
# input k tokens back. In self-attention it takes one, whatever k is. Here are
# four untrained layers on the same random inputs, as in lessons 01 and 02.

# %%
inputs = np.random.default_rng(SEED).normal(size=(64, 150, WIDTH))
keras.utils.set_random_seed(SEED)
attention = MultiHeadAttention(HEADS, WIDTH // HEADS)
untrained = {
    "RNN": SimpleRNN(WIDTH),
    "GRU": GRU(WIDTH),
    "LSTM": LSTM(WIDTH),
    "self-attention": lambda x: attention(x)[:, -1],
}
lags = {name: gradient_by_lag(f, inputs) for name, f in untrained.items()}
lesson.show(
    plots.gradient_by_lag(lags),
    "gradient",
    "Gradient of the last output by the lag of the input, four untrained "
    "layers, logarithmic. The lines of the recurrent layers fall; the line of "
    "self-attention stays level.",
)
for name, norms in lags.items():
    shares = "".join(f"{norms[k] / norms[1]:10.1e}" for k in (10, 50, 149))
    print(f"{name:15} lag 10, 50, 149 / lag 1: {shares}")

# %% [markdown]
# And the price. Each token is compared with each, so a layer has T · T scores
# in every head. We double the length and measure the time of one layer, forward
# pass only, one sequence, beside an LSTM of the same width.

# %%
milliseconds = {"self-attention": [], "LSTM": []}
makers = (
    MultiHeadAttention(HEADS, WIDTH // HEADS),
    LSTM(WIDTH, return_sequences=True),
)
passes = {}
for name, layer in zip(milliseconds, makers):
    sequence = keras.Input((None, WIDTH))
    passes[name] = keras.Model(sequence, layer(sequence))
    passes[name].compile(jit_compile=JIT)

# %%
for length in LENGTHS:
    z = np.zeros((1, length, WIDTH), "float32")
    steps = {
        name: functools.partial(model.predict_on_batch, z)
        for name, model in passes.items()
    }
    for name, seconds in time_interleaved(steps, rounds=15, warmup=3).items():
        milliseconds[name].append(1000 * np.median(seconds))
    last = {k: f"{v[-1]:.1f} ms" for k, v in milliseconds.items()}
    print(f"T = {length:5}: {HEADS * length**2:>11,} weights,", last)

# %%
for name, times in milliseconds.items():
    print(f"{name}, last doubling: {times[-1] / times[-2]:.1f} times longer")
figure = plots.curves(
    milliseconds,
    x=LENGTHS,
    xlabel="length T (tokens)",
    ylabel="time of a layer (ms, log)",
    log=True,
)
figure.axes[0].set_xscale("log", base=2)
figure.axes[0].set_xticks(LENGTHS, LENGTHS)
lesson.show(
    figure,
    "cost",
    "Time of one layer by length, both axes logarithmic. The line of "
    "self-attention bends upwards and leaves that of the LSTM.",
)

# %% [markdown]
# **What you should see.** First picture: the LSTM with attention reaches 1 in
# the second epoch. Two layers of self-attention stay at the dashed line for two
# epochs, then jump. One layer stays there, and so do two layers without
# positions: they see which letters and digits occur, but not which digit
# follows which letter. Second picture, lower half: follow the last row, the
# token that asks. Its darkest cell is the digit that followed the same letter
# further up; over 500 sequences it gets more than 0.9 of the attention, in both
# heads.
#
# The upper half is a surprise. For layer 2 to find the digit, layer 1 must have
# connected each digit with its letter, and a textbook would draw an arrow from
# each digit to the letter before it. The trained layer does the opposite: a
# digit gives that letter almost no weight (0.002 and 0.018, where even
# spreading would give 0.053) and averages *other* letters. What is missing from
# an average can mark a digit, too. Exercise 4 builds the solution of the
# textbook; training is free to find another one.
#
# Third picture: the line of self-attention is level. The first of 150 inputs is
# as near as any other. The three recurrent layers lose between 15 and 32 powers
# of ten on the same way. Fourth picture: for short sequences the time hardly
# grows; there it is not the attention weights that cost most. At the end
# doubling the length costs more than three times as much for self-attention,
# and the number of weights grows four times. The LSTM needs less than twice the
# time.

# %% [markdown]
# ## The number beside a baseline

# %%
for name, shares in histories.items():
    metric = f"recall, held out, {name}"
    lesson.compare(metric, shares[-1], "most frequent digit", most_frequent)
print(f"any digit of the sequence: {1 / PAIRS + (1 - 1 / PAIRS) / 10:.3f}")


# %% [markdown]
# On this task, attention replaces recurrence: two layers get more than 0.99,
# with no state that is handed from step to step. What does that not show? That
# self-attention is *better* here. The LSTM with attention learned the task in
# fewer epochs, probably because its states contain order and neighbors anyway,
# and self-attention first has to learn from the positions what belongs
# together. The LSTM alone rose late and was not at its end; more steps would
# help it. One layer has fewer weights than the others, but that is not why it
# fails, as exercise 4 shows. And it is one seed of one artificial task.
#
# "Every pair is one step apart" is borne out: the gradient reaches all 150
# inputs alike. It is also spread over all of them, so none gets much; training
# must make the weights unequal. "Self-attention is fast because it is parallel"
# is *not* borne out by the last picture. For one sequence, 64 numbers wide, on
# two processor cores the LSTM was the faster layer at every length. Parallel
# computation needs something to run on: a GPU, or products large enough to fill
# the cores. Lesson `07_transformer` comes back to this. "The cost grows with
# the square of the length" is borne out for long sequences: for short ones the
# matrices W_Q, W_K, W_V and W_O, whose cost grows only with the length, and the
# time to start a computation are the larger part.

# %% [markdown]
# ## Pitfalls
#
# **The scale left out, or applied twice.** *Symptom:* the attention map is
# nearly one-hot before any training, or it stays nearly uniform, and the loss
# hardly moves. Divide by the root of the width of *one* head, not of D.
#
# **Softmax over the wrong axis.** *Symptom:* no error, since scores are square,
# and poor results. Each *row*, one query, must have the sum 1. Print
# `weights.sum(axis=-1)`.
#
# **No positions.** *Symptom:* training runs, and the model is as good as a bag
# of words. Shuffle the tokens of a test input: if the answer stays, positions
# are missing.
#
# **The causal mask forgotten, or turned around.** *Symptom:* in next-token
# prediction the loss falls to almost 0 within an epoch, and generated text is
# nonsense. Change the last token and see that no earlier output changes.
#
# **Padding not masked.** *Symptom:* a sentence gets another result in another
# batch, where it is padded to another length. Pass `value_mask`, and check it
# as in the worked example: padding must change nothing.
#
# **A row without any key.** *Symptom:* `nan`, in code that sets hidden scores
# to minus infinity: if all are hidden, softmax divides 0 by 0. This library
# returns zeros there, Keras the average of all values.
#
# **An attention map taken for an explanation.** *Symptom:* a story about one
# head and one picture. A weight says what is averaged, not that it changes the
# answer. Average over many inputs, as we did, and compare with a change of the
# input.

# %% [markdown]
# ## Exercises
#
# As before: a task, a cell for your code, a check, and a folded answer.

# %% [markdown]
# ### Exercise 1 (5 minutes): count
#
# Return two numbers for a layer with inputs of width D, H heads of width K and
# biases: how many weights it has, and how many attention weights it computes
# for one sequence of T tokens. Which of the two depends on the length?


# %% tags=["exercise"]
def count(D, H, K, T):
    raise NotImplementedError


# %%
with lesson.exercise(1):
    check = MultiHeadAttention(3, 5)
    _, map_7 = check(np.ones((1, 7, 8)), return_attention_scores=True)
    trained, computed = count(D=8, H=3, K=5, T=7)
    message = f"the layer has {check.count_params()} weights, not {trained}"
    assert trained == check.count_params(), message
    assert computed == np.prod(map_7.shape), f"the map is {map_7.shape}"


# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def count(D, H, K, T):
#     project = 3 * (D * H * K + H * K)
#     output = H * K * D + D
#     return project + output, H * T * T
# ```
#
# The matrices do not know the length, as the weights of an RNN do not. The
# attention weights grow with its square.
#
# </details>

# %% [markdown]
# ### Exercise 2 (15 minutes): attend to the token before
#
# The inputs are one-hot *positions*: row t of x has a 1 in column t. Choose W_Q
# and W_K, both (T, T), so that each token gives more than 0.99 of its attention
# to the token before it. The first token, which has none, may do as it likes.


# %% tags=["exercise"]
def attend_to_previous(T):
    raise NotImplementedError


# %%
with lesson.exercise(2):
    for T in (3, 10):
        W, M = attend_to_previous(T)
        q_t, k_t = np.eye(T) @ W, np.eye(T) @ M
        a = softmax(q_t @ k_t.T / np.sqrt(T))
        least = np.diagonal(a, offset=-1).min()
        assert least > 0.99, f"T = {T}: only {least:.3f} at the token before"


# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def attend_to_previous(T):
#     return 30 * np.eye(T, k=-1), np.eye(T)
# ```
#
# The query of token t is 30 times the position t − 1. The score is 30 / √T
# there and 0 elsewhere; with a small factor instead of 30 the attention would
# be spread.
#
# </details>

# %% [markdown]
# ### Exercise 3 (30 minutes): multi-head attention in NumPy
#
# x has the shape (B, T, D). The weights are those of a layer without biases:
# W_Q, W_K and W_V of shape (D, H, K), W_O of shape (H, K, D). `keep`, of shape
# (B, T, T), is True where a query may attend. Return (B, T, D). Hint:
# `np.einsum("btd,dhk->bhtk", x, W_Q)`.


# %% tags=["exercise"]
def multi_head(x, W_Q, W_K, W_V, W_O, keep):
    raise NotImplementedError


# %%
with lesson.exercise(3):
    rng = np.random.default_rng(3)
    batch = rng.normal(size=(2, 5, 6)).astype("float32")
    check = MultiHeadAttention(3, 4, use_bias=False)
    for name, keep in (
        ("no mask", np.ones((2, 5, 5), bool)),
        ("causal mask", np.tril(np.ones((2, 5, 5), bool))),
    ):
        expected = ops.convert_to_numpy(check(batch, attention_mask=keep))
        found = multi_head(batch, *check.get_weights(), keep)
        assert np.shape(found) == (2, 5, 6), f"the shape is {np.shape(found)}"
        assert np.allclose(found, expected, atol=1e-5), f"{name}: other numbers"


# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def multi_head(x, W_Q, W_K, W_V, W_O, keep):
#     q, k, v = (np.einsum("btd,dhk->bhtk", x, W) for W in (W_Q, W_K, W_V))
#     scores = q @ k.swapaxes(2, 3) / np.sqrt(q.shape[-1])
#     weights = softmax(np.where(keep[:, None], scores, -1e9))
#     return np.einsum("bhtk,hkd->btd", weights @ v, W_O)
# ```
#
# The `None` is the axis of the heads: all of them get the same mask. The last
# line concatenates and projects in one: it sums over heads and widths.
#
# </details>

# %% [markdown]
# ### Exercise 4 (an evening): recall without learning
#
# Solve associative recall by two calls of attention, with nothing learned.
# `tokens` has the shape (N, T, V), one-hot tokens, and `positions` (T, T),
# one-hot positions. `attention(query, key, value)` returns the averages. Return
# one row of ten numbers for each sequence, the largest at the right digit; in
# `RECALL_VOCABULARY`, the digits are in the columns 1 to 10. It must work for
# 26 pairs. Hint: in the first call each token finds out which token is before
# it.


# %% tags=["exercise"]
def recall_by_hand(tokens, positions, attention):
    raise NotImplementedError


# %%
with lesson.exercise(4):

    def attention_by_hand(query, key, value):
        dots = query @ np.swapaxes(key, -1, -2)
        return softmax(dots / np.sqrt(query.shape[-1])) @ value

    for pairs in (2, 26):
        ids, digit = data.recall(200, pairs, seed=4)
        one_hot = np.eye(len(data.RECALL_VOCABULARY))[ids], np.eye(ids.shape[1])
        found = np.array(recall_by_hand(*one_hot, attention_by_hand))
        assert found.shape == (200, 10), f"the shape is {found.shape}"
        share = np.mean(found.argmax(axis=1) == digit)
        assert share == 1, f"{pairs} pairs: {share:.2f} of them are right"

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def recall_by_hand(tokens, positions, attention):
#     previous = 100 * np.eye(len(positions), k=-1)
#     before = attention(previous, positions, tokens)
#     last = 100 * tokens[:, -1:]
#     return attention(last, before, tokens)[:, 0, 1:11]
# ```
#
# The first call is exercise 2: it gives each token the token before it. In the
# second call that is the *key*: the last token, `c`, looks for a token with `c`
# before it, and the value there is the digit. One call is not enough, since the
# key of a digit must already contain its letter. Two heads that work together
# like this have been found in trained language models, where they are called
# induction heads (Olsson et al., 2022).
#
# </details>

# %% [markdown]
# ## Next
#
# Attention without recurrence is a strong part, and no more than a part. Its
# output is an average of values, so between two layers nothing is computed
# except matrix products and a softmax. Each layer here made the vectors wider,
# which cannot go on for twelve layers, and deep stacks need help to train at
# all. The next lesson, `07_transformer`, adds what is missing: a residual
# connection instead of the concatenation, layer normalization, and a small
# network at each position. That is one block of a Transformer.

# %%
lesson.finish()
