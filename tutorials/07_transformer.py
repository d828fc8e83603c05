# %% [markdown]
# # 07. The Transformer: all positions at once
#
# Lesson `06_self_attention` built one operation: every token of a text attends
# to every other. In this lesson the operation becomes a model. You add the
# order of the tokens, two techniques that let many layers be stacked, and a
# small dense network, compute the resulting block by hand on two tokens, stack
# blocks into an encoder and a decoder, and train them on the dates of lessons
# 04 and 05. Then you take the parts away again, one at a time, and see which of
# them matter. You need lessons 00 to 06. Everything runs in about four minutes
# on two processor cores.

# %%
import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # keeps TensorFlow's log quiet

import functools
import inspect

import keras
import numpy as np
from keras import ops
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

# %%
from keras_seq import data, plots
from keras_seq.evaluation import (
    attention_on_spans,
    exact_match,
    median_ratio,
    nearest_answer,
    time_interleaved,
)
from keras_seq.generation import generate
from keras_seq.layers import (
    LSTM,
    MultiHeadAttention,
    TransformerDecoder,
    TransformerEncoder,
)
from keras_seq.layers.position_encoding import sinusoidal_positions
from keras_seq.layers.transformer_encoder import ResidualConnection

# %%
from keras_seq.models import BahdanauSeq2Seq, Transformer
from keras_seq.text import CharTokenizer
from keras_seq.training import (
    BatchByLength,
    Lesson,
    SequenceAccuracy,
    TokenCrossEntropy,
    WarmupCosineDecay,
    teacher_forcing,
)

np.set_printoptions(precision=3, suppress=True)
lesson = Lesson("07_transformer", following="08_gpt")

# %% tags=["parameters"]
DATES = 10_000
TESTS = 1_500
WIDTH = 64
EPOCHS = 2
BUCKETS = (16, 24, 64)  # lengths to which batches are padded
AMOUNTS = (1_000,)
LENGTHS = (4, 16, 64, 256, 1024)
PARTS = 6  # how many of the changed models to train
DEPTH = 12  # blocks of the untrained stacks
SEED = 0

# %% [markdown]
# ## Question
#
# The translator of lesson 05 attends to the whole source at every step, but it
# still reads and writes with a recurrent network, one character after the
# other. In lesson 06 the characters of one text attended to each other without
# any recurrence. **Can a translator be built from attention alone? What else
# does it need, and what is the price?**
#
# The numbers at the end are the shares of 1,500 held-out dates that a model
# writes without an error. After two passes through 10,000 dates a small
# Transformer, with one block on each side, gets about **0.79**; without
# positions about 0.12, and without its residual connections about 0.14. Copying
# the answer of the most similar training date gets 0. You will also see that
# the attention model of lesson 05, with as many weights and steps, learns
# faster from so little data: it gets about 1.00. (A wider Transformer in a
# longer training, width 128 and five passes in `experiments/transformer.py`,
# got 0.996.)

# %% [markdown]
# ## What failed
#
# Lesson 06 stacked two layers of self-attention. Each layer concatenated its
# output with its input, so the vectors became wider with every layer, which
# cannot go on for long. Let us leave the concatenation out. Below, 20 random
# vectors pass through twelve untrained layers of attention, and then through
# twelve of the blocks that this lesson builds. The printed number is the mean
# cosine similarity of two different vectors: 1 means that they all point in the
# same direction.


# %%
def alike(x):
    x = ops.convert_to_numpy(x)[0]
    x = x / np.linalg.norm(x, axis=-1, keepdims=True)
    return (x @ x.T)[~np.eye(len(x), dtype=bool)].mean()


keras.utils.set_random_seed(SEED)
alone = np.random.default_rng(SEED).normal(size=(1, 20, 64)).astype("float32")
blocks = alone
print(f"depth  0: {alike(alone):.3f}")
for depth in range(1, DEPTH + 1):
    alone = MultiHeadAttention(num_heads=4, key_dim=16)(alone)
    blocks = TransformerEncoder(128, 4, normalize_first=True)(blocks)
    if depth in (1, 2, 4, 12):
        print(f"depth {depth:2}: attention {alike(alone):.3f}", end="")
        print(f"   blocks {alike(blocks):.3f}")

# %% [markdown]
# An output of attention is a weighted *average* of values. After two layers the
# averages of averages are all the same, and no later layer can tell the tokens
# apart any more. After twelve blocks they still differ. And apart from products
# with a matrix, attention computes nothing from a single vector by itself.
#
# The recurrent networks of lesson 05 have neither fault, but they pay with
# time. A date of 62 characters takes 62 steps, and none can begin before the
# one before it has ended.

# %% [markdown]
# ## Diagram
#
# ![Positional encoding. Left, a vector of the position is added to the vector
# of each token, so that the same words in another order give other inputs.
# Right, the sinusoidal encoding of each position: short waves in the first
# columns, long waves in the last.](../docs/diagrams/positions.en.svg)
#
# First the order, as in lesson 06. A [positional
# encoding](glossary.md#positional-encoding) is a vector for each position, and
# it is added to the vector of the token there. It can be computed from sines
# and cosines, as on the right, or learned like an embedding. The rest of the
# model stays blind to the order, but the same character at two positions is now
# two different inputs.
#
# ![The encoder block of the Transformer, post-norm and pre-norm:
# self-attention, then a feed-forward network, each with a residual connection
# and layer normalization.](../docs/diagrams/encoder_block.en.svg)
#
# Then the block. Attention mixes the tokens; the [position-wise feed-forward
# network](glossary.md#position-wise-feed-forward-network), two dense layers
# with a ReLU between them, transforms each token by itself, with the same
# weights at every position. Each of the two has a [residual
# connection](glossary.md#residual-connection): its input is added to its
# output, so that it only has to compute a change. [Layer
# normalization](glossary.md#layer-normalization) brings every vector to mean 0
# and variance 1. The paper of 2017 (Vaswani et al.) normalizes after the
# addition (*post-norm*, left), most later models before attention and before
# the dense layers (*pre-norm*, right), so that a path of nothing but additions
# leads from the input to the output.
#
# ![The decoder block of the Transformer: causal self-attention over the target,
# cross-attention to the encoder output, then a feed-forward
# network.](../docs/diagrams/decoder_block.en.svg)
#
# The decoder block has one sublayer more. (It is drawn in post-norm; the model
# of this lesson is pre-norm on both sides.) Its self-attention is masked, so
# that no position sees a later one. Then comes
# [cross-attention](glossary.md#cross-attention): the queries come from the
# target, the keys and values from the output of the encoder. It is the
# attention of lesson 05, with a position of the target in place of the
# recurrent state.

# %% [markdown]
# ## A worked example
#
# One pre-norm block, two tokens of width 2, one head. The tokens are
#
#     x_1 = (3, 1)        x_2 = (2, 6)
#
# **Normalize.** x_1 has the mean 2; its deviations are (1, −1), their variance
# is 1. x_2 has the mean 4, the deviations (−2, 2) and the variance 4, whose
# root is 2. So the normalized vectors are n_1 = (1, −1) and n_2 = (−1, 1). (Of
# two entries, normalization leaves only which one is larger.)

# %%
x = np.array([[3, 1], [2, 6]], "float32")


def normalize(x, epsilon=1e-5):
    deviation = x - x.mean(axis=-1, keepdims=True)
    variance = (deviation**2).mean(axis=-1, keepdims=True)
    return deviation / np.sqrt(variance + epsilon)


n = normalize(x)
print(n)

# %% [markdown]
# **Attend.** The keys and the values are the normalized vectors themselves: W_K
# = W_V = identity. The queries are −c times these, with c = log(2) / √2 =
# 0.490, so that each token attends more to a vector in the opposite direction.
# The score of token 1 with itself is the dot product, divided by the root of
# the width 2:
#
#     q_1 · k_1 / √2 = −c · (1 · 1 + (−1) · (−1)) / √2 = −log 2
#     q_1 · k_2 / √2 = −c · (1 · (−1) + (−1) · 1) / √2 = +log 2
#
# The softmax: e to the −log 2 is 0.5, e to the log 2 is 2, and their sum is
# 2.5. So token 1 gives itself the weight 0.2 and token 2 the weight 0.8, and
# its context vector is 0.2 · (1, −1) + 0.8 · (−1, 1) = (−0.6, 0.6).
#
# **Add.** The residual connection adds this to the input, not to the normalized
# input: (3, 1) + (−0.6, 0.6) = (2.4, 1.6), and for token 2 (2, 6) + (0.6, −0.6)
# = (2.6, 5.4).

# %%
c = np.log(2) / np.sqrt(2)
W_Q, W_K, W_V = -c * np.eye(2), np.eye(2), np.eye(2)
scores = (n @ W_Q) @ (n @ W_K).T / np.sqrt(2)
weights = np.exp(scores) / np.exp(scores).sum(axis=-1, keepdims=True)
h = x + weights @ (n @ W_V)
print("scores\n", scores)
print("attention weights\n", weights)
print("after the first residual connection\n", h)

# %% [markdown]
# **The feed-forward network.** Again normalize: (2.4, 1.6) has the mean 2 and
# the deviations (0.4, −0.4), which become (1, −1); token 2 becomes (−1, 1).
# With W_1 = identity, the ReLU leaves (1, 0) and (0, 1). W_2 has the rows (1,
# 0) and (0, 2), so the outputs are (1, 0) and (0, 2). The second residual
# connection adds them:
#
#     y_1 = (2.4, 1.6) + (1, 0) = (3.4, 1.6)
#     y_2 = (2.6, 5.4) + (0, 2) = (2.6, 7.4)
#
# Attention moved information from each token to the other; the feed-forward
# network did not. And note what the residual connection does: both times the
# sublayer read only (1, −1) and (−1, 1), in which the original numbers are
# lost. The output still depends on them, because the residual connection added
# them.

# %%
W_1, W_2 = np.eye(2), np.diag([1.0, 2.0])
by_hand = h + np.maximum(normalize(h) @ W_1, 0) @ W_2
print(by_hand)

block = TransformerEncoder(
    intermediate_dim=2, num_heads=1, normalize_first=True
)
block.build((1, 2, 2))
zero = np.zeros(2)
block.self_attention.set_weights(
    [a for W in (W_Q, W_K, W_V) for a in (W[:, None], zero[None])]
    + [np.eye(2)[None], zero]  # W_O
)
block.intermediate_dense.set_weights([W_1, zero])
block.output_dense.set_weights([W_2, zero])
found = ops.convert_to_numpy(block(x[None]))[0]
assert np.allclose(found, by_hand, atol=1e-4)
print("The layer agrees.")

# %% [markdown]
# ### Positions by hand
#
# Now exchange the two tokens. The outputs are exchanged too, and are otherwise
# the same: this block cannot know which token came first. With width 2 the
# sinusoidal encoding of position p is (sin p, cos p), so position 0 gets (0, 1)
# and position 1 gets (0.841, 0.540). Add it first, and the order matters.

# %%
swapped = x[::-1].copy()
found = ops.convert_to_numpy(block(swapped[None]))[0]
print("exchanged, without positions\n", found)
assert np.allclose(found[::-1], by_hand, atol=1e-4)

p = np.arange(2)
PE = np.stack([np.sin(p), np.cos(p)], axis=-1).astype("float32")
print("positional encoding\n", PE)
assert np.allclose(PE, sinusoidal_positions(p, units=2), atol=1e-6)
found = ops.convert_to_numpy(block(np.stack([x + PE, swapped + PE])))
print("x_1 first:", found[0, 0], " x_1 second:", found[1, 1])

# %% [markdown]
# ## The equation
#
#     PE(p, 2i)     = sin(p / 10000^(2i/D))
#     PE(p, 2i + 1) = cos(p / 10000^(2i/D))
#     x_p           = sqrt(D) E[token_p] + PE(p)
#
#     norm(x) = gamma * (x - mean(x)) / sqrt(var(x) + epsilon) + beta
#     FFN(x)  = max(0, x W_1 + b_1) W_2 + b_2
#
#     encoder block:  x <- x + attention(norm(x), norm(x))
#                     x <- x + FFN(norm(x))
#     decoder block:  y <- y + attention(norm(y), norm(y)), causal
#                     y <- y + attention(norm(y), x)
#                     y <- y + FFN(norm(y))
#     logits = norm(y) W + b
#
# p is the position of a token, i counts pairs of columns, D is the width, the
# same everywhere in the model. E is the embedding; its entries begin small, and
# the factor sqrt(D) brings them to about the size of PE. gamma and beta are
# learned, one number for each of the D entries; epsilon prevents a division by
# zero. attention(q, m) is multi-head attention with queries from q and keys and
# values from m, as in lesson 06. W_1 has the shape (D, F), W_2 (F, D), and F is
# usually 4 D (2 D in the model below). x after the last block is the output of
# the encoder, and it is normalized once more; the decoder reads it in every one
# of its blocks. The block is short enough to read whole; `normalize_input` and
# `add` are the residual connection:

# %%
print(inspect.getsource(TransformerEncoder.call))
print(inspect.getsource(ResidualConnection.normalize_input))
print(inspect.getsource(ResidualConnection.add))

# %% [markdown]
# **Why is it parallel?** In the equations of an LSTM, h_t needs h_(t−1), so T
# positions are T steps. In the equations above no line needs the *output* of
# the same block at another position. All T positions of a text, and all texts
# of a batch, are rows of the same matrix products. For the decoder this holds
# in training only, when the whole target is known: [teacher
# forcing](glossary.md#teacher-forcing) gives it the true characters, and the
# [causal mask](glossary.md#causal-mask) hides from position t the characters
# that it will not know when the model writes. *When* the model writes, each
# character depends on the one before, and the steps return. The price is the
# table of scores: T times T of them for each head.

# %% [markdown]
# ## Code
#
# The data of lessons 04 and 05: 10,000 dates in ten languages, Korean among
# them, 1,500 held-out dates, and the same tokenizers.

# %%
texts, answers, _ = data.dates(DATES, seed=SEED)
texts_test, answers_test, spans = data.dates(TESTS, seed=SEED, split="test")
read, write = CharTokenizer.train(texts), CharTokenizer.train(answers)
sizes = read.vocabulary_size(), write.vocabulary_size()
korean = [i for i, text in enumerate(texts_test) if "년" in text]
for i in (*range(4), korean[0]):
    print(texts_test[i], "->", answers_test[i])


def batches(texts, answers, size, **options):
    pairs = teacher_forcing(
        read.tokenize(texts, end=True),
        write.tokenize(answers, start=True, end=True),
    )
    return BatchByLength(*pairs, size, buckets=BUCKETS, **options)


held_out = batches(texts_test, answers_test, 300, shuffle=False)

# %% [markdown]
# One function trains every model of this lesson. `SequenceAccuracy` is the
# share of answers with *every* character right while the true characters are
# fed. For greedy decoding it equals the exact match of lessons 04 and 05: as
# long as all characters so far are right, the model reads its own characters
# and the true ones are the same.


# %%
def train(make, amount=DATES, change=None):
    keras.utils.set_random_seed(SEED)
    training = batches(texts[:amount], answers[:amount], 32, seed=SEED)
    epochs = EPOCHS * DATES // amount  # fewer dates, more often
    steps = epochs * len(training)
    model = make()
    model(training[0][0])  # creates the weights
    if change:
        change(model)
    rate = WarmupCosineDecay(5e-3, steps, warmup_steps=steps // 10)
    model.compile(
        keras.optimizers.Adam(rate, clipnorm=1.0),
        loss=TokenCrossEntropy(),
        metrics=[SequenceAccuracy()],
    )
    print(f"{model.count_params():,} weights, {steps} steps")
    history = model.fit(training, epochs=epochs, shuffle=False).history
    loss, exact = model.evaluate(held_out, verbose=0)
    trained = history["sequence_accuracy"][-1]
    print(f"last epoch: {trained:.3f} of the training dates right")
    print(f"held out:   {exact:.3f} of the dates right, {loss:.3f} nats")
    return model, history["loss"][-1], exact


# %%
def transformer(**options):
    sizes_of_block = {"num_heads": 4, "intermediate_dim": 2 * WIDTH}
    options = sizes_of_block | options
    return Transformer(
        *sizes,
        WIDTH,
        num_layers=1,
        dropout=0.0,
        normalize_first=True,
        max_sequence_length=64,
        **options,
    )


# %%
model, last_loss, exact = train(transformer)
losses, right = {"full model": last_loss}, {"full model": exact}
source = read.tokenize(texts_test, end=True)
ids_written = generate(model, source, max_length=11).ids
written = write.detokenize(ids_written)
for text, answer in zip(texts_test[:5], written):
    print(answer, "<-", text)
print(f"exact match: {exact_match(answers_test, written):.3f}")

# %% [markdown]
# ### One part switched off at a time
#
# The same data, steps, seed and optimizer, six times. Positions and heads are
# arguments of the model; one head of width 64 has as many weights as four of
# width 16. For the other parts we replace methods of the blocks. In *no
# residual connection*, the output of a sublayer is not added to anything; in
# *no normalization*, it is added, but nothing is normalized; in *no
# feed-forward network*, a block ends after its attention, and more than a third
# of the weights are not used.


# %%
def residual_connections(model):
    for block in model.encoder.blocks:
        yield block.attention_residual
        yield block.feed_forward_residual
    for block in model.decoder.blocks:
        yield block.self_attention_residual
        yield block.cross_attention_residual
        yield block.feed_forward_residual


# %%
def drop_residual(residual):
    residual.add = lambda x, y, training=False: y


def drop_normalization(residual):
    residual.normalize_input = lambda x: x


def no_residual(model):
    for residual in residual_connections(model):
        drop_residual(residual)


# %%
def no_feed_forward(model):
    for block in (*model.encoder.blocks, *model.decoder.blocks):
        block.apply_feed_forward = lambda x, training=False: x
        block.intermediate_dense.trainable = False  # not used any more
        block.output_dense.trainable = False
        block.feed_forward_residual.trainable = False


def no_normalization(model):
    for residual in residual_connections(model):
        drop_normalization(residual)
        residual.norm.trainable = False  # not used any more
    for stack in model.encoder, model.decoder:
        stack.normalize = lambda x: x
        stack.layer_norm.trainable = False


# %%
def make(**options):
    return functools.partial(transformer, **options)


variants = {
    "learned positions": {"make": make(position_encoding="learned")},
    "no normalization": {"make": make(), "change": no_normalization},
    "no residual connection": {"make": make(), "change": no_residual},
    "no feed-forward network": {"make": make(), "change": no_feed_forward},
    "no positions": {"make": make(position_encoding="none")},
    "one head": {"make": make(num_heads=1)},
}
models = {}
for name, options in list(variants.items())[:PARTS]:
    print(f"\n{name}")
    models[name], losses[name], right[name] = train(**options)

# %% [markdown]
# Without its normalization the model is no worse: about 0.83. One block on each
# side is not deep. The effect of normalization shows in a deep stack. Again 20
# random vectors pass through twelve untrained blocks: whole blocks, blocks
# without residual connections, and blocks without normalization. The printed
# size is the root of the mean square of all entries.

# %%
changes = {"whole blocks": None, "no residual connection": drop_residual}
changes["no normalization"] = drop_normalization
for name, change in changes.items():
    keras.utils.set_random_seed(SEED)
    h = np.random.default_rng(SEED).normal(size=(1, 20, 64)).astype("float32")
    for _ in range(DEPTH):
        block = TransformerEncoder(128, 4, normalize_first=True)
        block.build(h.shape)
        if change:
            change(block.attention_residual)
            change(block.feed_forward_residual)
        h = block(h)
    size = np.sqrt(np.mean(ops.convert_to_numpy(h) ** 2))
    print(f"{name:23} size {size:8.2f}   similarity {alike(h):.3f}")

# %% [markdown]
# Without the residual connection all vectors end up in the same direction, as
# with attention alone. Without normalization they grow from a size of 1 to
# about 230: what a block adds is roughly proportional to its input, so the
# growth multiplies from block to block. A normalized block adds about as much
# at every depth, and after twelve of them the size is 4. (The similarity of
# whole blocks is not the one printed at the beginning, because the random
# weights are different.)

# %% [markdown]
# ### How much data does it want?
#
# A recurrent network reads from left to right because it is built that way, and
# the model of lesson 05 has one attention that does nothing but align. Such
# built-in assumptions are called an [inductive
# bias](glossary.md#inductive-bias). The Transformer has few: even that
# neighbors belong together has to be learned from data. So let both models
# learn from 1,000 and from 10,000 dates. Each sees 20,000 dates in all: the
# fewer there are, the more often it sees the same. Batches, steps and learning
# rate are the same for both, and the model of lesson 05 is 48 wide here instead
# of 64, so that it has about as many weights as the Transformer. Of the rates
# 0.0025, 0.005 and 0.01 the Transformer learns best with the second (measured
# on dates that are in neither set); the older model learns well with each.

# %%
bahdanau = functools.partial(BahdanauSeq2Seq, *sizes, WIDTH * 3 // 4)
amounts = (*AMOUNTS, DATES)
by_amount = {"Transformer": [], "BahdanauSeq2Seq": []}
for amount in amounts:
    print(f"\n{amount:,} dates")
    share = exact if amount == DATES else train(transformer, amount)[2]
    by_amount["Transformer"].append(share)
    by_amount["BahdanauSeq2Seq"].append(train(bahdanau, amount)[2])

# %% [markdown]
# ### The time of a training step
#
# One encoder block beside one LSTM with about as many weights, on random
# vectors. Each step has the same number of vectors, 2,048, in many short or few
# long sequences. The two layers take turns.

# %%
timed = {
    "LSTM": LSTM(167, return_sequences=True),
    "encoder block": TransformerEncoder(512, 4, normalize_first=True),
}
for name, layer in timed.items():
    timed[name] = keras.Sequential([keras.Input((None, 128)), layer])
    timed[name].compile("sgd", "mse")
    print(f"{name}: {timed[name].count_params():,} weights")
milliseconds = {name: [] for name in timed}
for length in LENGTHS:
    x = np.random.default_rng(SEED).normal(size=(2048 // length, length, 128))
    steps = {
        name: functools.partial(
            m.train_on_batch, x, np.zeros((*x.shape[:2], m.output_shape[-1]))
        )
        for name, m in timed.items()
    }
    seconds = time_interleaved(steps, rounds=7, warmup=2)
    for name in timed:
        milliseconds[name].append(1000 * np.median(seconds[name]))
    ratio = median_ratio(seconds["LSTM"], seconds["encoder block"])
    print(f"length {length}: LSTM / encoder block = {ratio:.2f}")

# %% [markdown]
# ## Picture
#
# First the positions. Left, the sinusoidal encoding: a row for each position, a
# column for each of the 64 entries. In the middle, the cosine similarity of
# each pair of positions. Right, the same for the positions that the encoder of
# the model with learned positions has *learned*.

# %%
table = models["learned positions"].encoder.position_encoding.embeddings
sines = sinusoidal_positions(np.arange(40), WIDTH)
sines, table = (ops.convert_to_numpy(v)[:40] for v in (sines, table))


def similarity(vectors):
    vectors = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors @ vectors.T


# %%
panels = {
    "sinusoidal encoding": (sines, "entry of the vector"),
    "similarity, sinusoidal": (similarity(sines), "position"),
    "similarity, learned": (similarity(table), "position"),
}
figure = Figure(figsize=(11, 3.6), layout="constrained")
for axes, (title, (values, label)) in zip(
    figure.subplots(1, 3), panels.items()
):
    image = axes.imshow(values, cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto")
    axes.set(title=title, xlabel=label, ylabel="position")
figure.colorbar(image, ax=axes)
lesson.show(
    figure,
    "positions",
    "Left, the sinusoidal encoding of 40 positions. Middle and right, how "
    "similar each pair of positions is, for sines and as learned.",
)

# %%
switched = {name: share for name, share in right.items() if name in models}
figure = Figure(figsize=(8, 3.6), layout="constrained")
axes = figure.subplots()
bars = axes.barh(list(switched), list(switched.values()), color="#0072B2")
axes.bar_label(bars, fmt="%.2f", label_type="center", color="white")
line = axes.axvline(exact, color="#D55E00", linestyle="--")
label = f"full model, {exact:.2f}"
axes.legend([line], [label], loc="lower right", bbox_to_anchor=(1, 1))
axes.set(xlim=(0, 1), xlabel="held-out dates right (share)")
axes.invert_yaxis()  # the first model on top
lesson.show(
    figure,
    "parts",
    "Share of held-out dates right of models in which one part is changed or "
    "switched off, a bar each. The dashed line is the full model.",
)

# %%
lesson.show(
    plots.curves(
        by_amount,
        x=amounts,
        xlabel="training dates",
        ylabel="held-out dates right (share)",
    ),
    "amount",
    "Share of held-out dates right by the number of training dates, of the "
    "Transformer and of the attention model of lesson 05, after equal steps "
    "with equal batches.",
)

# %%
figure = plots.curves(
    milliseconds,
    x=LENGTHS,
    xlabel="length of the sequences (logarithmic)",
    ylabel="one training step (ms)",
    log=True,
)
axes = figure.axes[0]
axes.set_xscale("log", base=2)
axes.set_xticks(LENGTHS, map(str, LENGTHS))
axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
axes.yaxis.set_major_formatter("{x:.0f}")
axes.minorticks_off()
lesson.show(
    figure,
    "step_time",
    "Time of one training step on 2,048 vectors by the length of the "
    "sequences, logarithmic, of an LSTM and an encoder block of equal size.",
)

# %% [markdown]
# Last, the cross-attention of the trained model on one English and one Korean
# date. Its one decoder block has four heads; the picture shows their mean. A
# frame marks the field that a digit comes from.

# %%
target = write.tokenize(answers_test[:300], start=True, end=True)
inputs = {"source": source[:300], "target": target[:, :-1]}
_, weights = model(inputs, return_attention_scores=True)
cross = ops.convert_to_numpy(weights["cross"][0])  # of the only block
print("cross-attention (B, H, T, S):", cross.shape)
months = ("January", "February", "March", "July", "October")
english = [i for i, text in enumerate(texts_test) if text.startswith(months)]
for name, i in ("English", english[0]), ("Korean", korean[0]):
    length = np.count_nonzero(source[i])
    frames = np.pad(spans[i], ((0, 1), (0, 0)))  # none for [END]
    figure = plots.alignment(
        cross[i, :, :, :length].mean(axis=0),
        read.tokens(source[i : i + 1, :length])[0],
        write.tokens(target[i : i + 1, 1:])[0],
        frames,
    )
    lesson.show(
        figure,
        f"cross_attention_{name.lower()}",
        f"Cross-attention on a held-out date, {name}: a row for each "
        "character written, a column for each character of the source. Mean "
        "of all heads.",
    )

# %% [markdown]
# **What you should see.** In the first picture, left, the columns on the left
# change from row to row and those on the right hardly at all: short and long
# waves. In the middle the dark diagonal says that neighbors are similar, and
# that only the distance of two positions matters: every diagonal has one color.
# On the right nothing of the kind was built in. Positions 13 to 31, or about
# these, have become similar, and the last rows were hardly trained, because few
# dates are that long. Second picture: the bars of no positions and of no
# residual connection end far to the left of the dashed line, then come learned
# positions and no feed-forward network; the bar of no normalization passes the
# line. Third picture: from 1,000 to 10,000 dates the line of the Transformer
# rises steeply, and the line above it has little room left. Fourth picture: the
# lines cross between the lengths 4 and 16. Where sequences are shorter the LSTM
# is faster, probably because the block computes many tiny tables of scores; at
# 16 and 64 the block is a little faster, at 256 about twice as fast, and at
# 1,024 it needs about a third of the time. (On another machine the lines cross
# elsewhere.) Note that the line of the block bends upward too: that is the
# table of scores.
#
# In the last two pictures look inside the frames. The model was never told
# which field belongs to which digit. In the English date the four rows of the
# year lead past the day to `2089`, those of the month back to `January`. In the
# Korean date the frames descend, because year, month and day have the order of
# the answer. Rows of a hyphen have no frame; their weight is spread.

# %% [markdown]
# ## The number beside a baseline

# %%
nearest = exact_match(answers_test, nearest_answer(texts, answers, texts_test))
metric = "held-out dates right"
lesson.compare(f"{metric}, Transformer", exact, "nearest date", nearest)
lesson.compare(
    f"{metric}, Transformer",
    exact,
    "BahdanauSeq2Seq",
    by_amount["BahdanauSeq2Seq"][-1],
)
for name, share in switched.items():
    lesson.compare(f"{metric}, {name}", share, "full model", exact)
    print(f"{name:25} loss {losses[name]:.3f}   right {share:.3f}")

fields, real = spans[:300], source[:300] > 0
shares = [attention_on_spans(cross[:, h, :10], fields) for h in range(4)]
print("attention on the right field, by head:", np.round(shares, 2))
share = attention_on_spans(cross[:, :, :10].mean(axis=1), fields)
even = real / real.sum(axis=-1, keepdims=True)
even = attention_on_spans(even[:, None].repeat(10, axis=1), fields)
lesson.compare("attention on the right field", share, "even weights", even)

# %% [markdown]
# **The parts.** Positions and residual connections matter most: 0.12 and 0.14
# instead of 0.79. Without positions the model cannot tell the day from the
# month in a date of digits; without residual connections the vector of a
# character reaches the end only as a part of averages. Without the feed-forward
# network it is 0.61, but that model has fewer weights, too. Learned positions
# get 0.35 after these few steps, probably because each has to be learned by
# itself, from the dates that are long enough to reach it, while the sines are
# there from the start. Two claims of the textbooks are *not* borne out at this
# size. Without normalization it is 0.83, with one head instead of four 0.73,
# and the full model changes by as much with another seed (not printed here).
# Normalization is for deep stacks, as you saw above, and for a digit of a date
# one weighted average of the source seems to be enough. And all of this is one
# seed, 626 steps, and a learning rate chosen for the full model. A part whose
# absence only slows the training looks as necessary here as one that is
# indispensable.
#
# **Data.** With 1,000 dates the Transformer gets 0.51 and the attention model
# of lesson 05 gets 0.985; with 10,000 it is 0.79 and about 1.00. Is it the data
# that is missing? With 1,000 dates, yes: in the last epoch the Transformer has
# 0.97 of its training dates right, but only 0.51 of the others. It has learned
# these dates and not how to read dates; the older model has 1.00 and 0.985. So
# the claim that a Transformer wants much data is borne out here. With 10,000
# dates it has 0.64 of the training dates right during the last epoch, and what
# is missing is training: in the longer experiment named at the beginning it
# reached 0.996. The conditions are the same for both: 20,000 dates in about 630
# steps of 32, one learning rate, about 90,000 weights, no dropout. The rate was
# chosen with 10,000 dates and not again with 1,000. On a task of this size the
# older model is the better choice.
#
# **Speed.** The table of scores, T · T for each head, is computed at once, and
# so a step of the block is faster than one of the LSTM at all but the shortest
# lengths, about three times at 1,024. Dates are short, and two processor cores
# can do little at once; on a processor with thousands of parallel units the
# difference should be larger, which is not measured here. What was measured is
# training. Writing is sequential in both.
#
# **Attention.** About 0.78 of the cross-attention is on the right field, 0.18
# if the weights were even. In lesson 05 it was more than 0.9. Here a vector of
# the encoder has already mixed characters, so the right information need not
# stand at the right place: read the maps with more care.

# %% [markdown]
# ## Pitfalls
#
# **No positions.** *Symptom:* no error. The loss falls for a while and stops,
# and the answers have many right digits in the wrong places, such as
# `1989-05-03` for `8.5.1993`. Check that the output changes when you exchange
# two tokens of the input.
#
# **The residual connection in the wrong place.** *Symptom:* a pre-norm stack
# that learns slowly. What is added must be x, not norm(x). A pre-norm stack
# also needs one more normalization at its end.
#
# **Post-norm without a warm-up.** *Symptom:* the loss stays high. (In a
# warm-up, which all models above have, the learning rate rises gradually to its
# peak.) In a measurement of the project (`experiments/transformer.py`: width
# 128, two blocks on each side, 5,000 dates once, one learning rate), the
# held-out loss was 0.68 nats per character with post-norm and a warm-up and
# 2.27 without one; with pre-norm it was 0.42 and 0.86.
#
# **Normalization over the wrong axis.** *Symptom:* a prediction that depends on
# the other texts of the batch. Layer normalization works on the last axis, the
# entries of one vector; batch normalization does not.
#
# **A missing causal mask.** *Symptom:* a loss of almost 0 after a few hundred
# steps, on held-out data too, and nonsense when the model writes: our model
# without the mask answers `1111-11-11` to most dates. In training the
# decoder has read the answer.
#
# **The target not shifted.** *Symptom:* the same. The decoder's input begins
# with the start token, and its label is one character further.
#
# **A longer text than in training.** *Symptom:* an error with learned
# positions, or a poor result with sinusoidal ones. They are *defined* for every
# position; the model has not learned what to do with those it never met.

# %% [markdown]
# ## Exercises
#
# A task, a cell for your code, a check, and a folded answer.

# %% [markdown]
# ### Exercise 1 (5 minutes): count the weights of a block
#
# Return the number of weights of an encoder block of width D whose feed-forward
# network is F wide inside. W_Q, W_K, W_V and W_O are D × D, each with a bias.
# Why is neither the length of the text nor the number of heads an argument?


# %% tags=["exercise"]
def count_weights(D, F):
    raise NotImplementedError


# %%
with lesson.exercise(1):
    for D, F, heads in (2, 2, 1), (8, 32, 2), (128, 512, 4):
        check = TransformerEncoder(F, heads)
        check.build((None, None, D))
        message = f"not the number of weights for D = {D}, F = {F}"
        assert count_weights(D, F) == check.count_params(), message

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def count_weights(D, F):
#     attention = 4 * (D * D + D)
#     feed_forward = D * F + F + F * D + D
#     norms = 2 * 2 * D
#     return attention + feed_forward + norms
# ```
#
# Every position uses the same weights, and the heads divide the width among
# them. With F = 4 D, two thirds of the weights are in the feed-forward network.
#
# </details>

# %% [markdown]
# ### Exercise 2 (20 minutes): a matrix that moves positions
#
# Why sines and cosines? Because a shift by k positions is then the same matrix
# everywhere: PE(p + k) = PE(p) M for *every* p. Return that M, of shape (D, D),
# for an even D. Hint: sin(a + b) = sin a cos b + cos a sin b and cos(a + b) =
# cos a cos b − sin a sin b, and each pair of columns has an angle of its own.


# %% tags=["exercise"]
def shift_matrix(k, D):
    raise NotImplementedError


# %%
with lesson.exercise(2):
    for k in (0, 1, 7, -3):
        M = np.array(shift_matrix(k, 8))
        assert M.shape == (8, 8), f"M must be (8, 8), not {M.shape}"
        at = np.arange(5, 30)
        now, later = (
            ops.convert_to_numpy(sinusoidal_positions(p, 8))
            for p in (at, at + k)
        )
        message = f"PE(p) M is not PE(p + k) for k = {k}"
        assert np.allclose(now @ M, later, atol=1e-4), message

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def shift_matrix(k, D):
#     M = np.zeros((D, D))
#     for i in range(0, D, 2):
#         b = k / 10000 ** (i / D)
#         M[i, i] = M[i + 1, i + 1] = np.cos(b)
#         M[i + 1, i], M[i, i + 1] = np.sin(b), -np.sin(b)
#     return M
# ```
#
# So "three characters to the left" is a linear map, which a query matrix can
# learn once for all positions. The product PE(p) · PE(p + k) is the sum of
# cos(b) over the pairs and depends on k alone: the stripes in the middle panel
# of the first picture.
#
# </details>

# %% [markdown]
# ### Exercise 3 (30 minutes): write without a cache
#
# Write the loop of greedy decoding with nothing but calls of the model. Begin
# with the start token, id 2, in every row. Call the model with a dict of
# `"source"` and of `"target"`, everything written so far, take the most likely
# token at the last position, but never padding, id 0, and append it. Repeat
# this `length` times. Return the ids (B, length) without the start token. What
# comes after the end token does not matter.


# %% tags=["exercise"]
def translate(model, source, length):
    raise NotImplementedError


# %%
with lesson.exercise(3):
    ids = np.asarray(translate(model, source[:8], 11))
    assert ids.shape == (8, 11), f"the ids must be (8, 11), not {ids.shape}"
    wanted = ids_written[:8]
    message = "the first character is not right"
    assert np.all(ids[:, 0] == wanted[:, 0]), message
    kept = wanted != 0  # up to the end token
    assert np.all(ids[kept] == wanted[kept]), "a later character is not right"

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def translate(model, source, length):
#     target = np.full((len(source), 1), 2)
#     for _ in range(length):
#         logits = model({"source": source, "target": target})
#         last = ops.convert_to_numpy(logits)[:, -1, 1:]
#         best = 1 + last.argmax(axis=-1)
#         target = np.concatenate([target, best[:, None]], axis=1)
#     return target[:, 1:]
# ```
#
# The source is encoded again in every step, and all keys and values of the
# target are computed again. `generate` keeps them, in a [key-value
# cache](glossary.md#key-value-cache), so that a step computes one position
# only. In a measurement of the project (`experiments/transformer.py`), a
# stack of four blocks wrote 200 tokens about 13 times faster that way.
#
# </details>

# %% [markdown]
# ### Exercise 4 (an evening): the decoder block in NumPy
#
# Compute a pre-norm decoder block with one head: y of shape (T, D), x of shape
# (S, D), the output of the encoder. `self_w` and `cross_w` hold W_Q, b_Q, W_K,
# b_K, W_V, b_V, W_O, b_O, with all W (D, D) and all b (D,); `dense_w` holds
# W_1, b_1, W_2, b_2. All gamma are 1 and all beta 0, so `normalize` from above
# will do. Do not forget the causal mask.


# %% tags=["exercise"]
def decoder_block(y, x, self_w, cross_w, dense_w):
    raise NotImplementedError


# %%
with lesson.exercise(4):
    check = TransformerDecoder(12, 1, normalize_first=True)
    rng = np.random.default_rng(4)
    y, x = (rng.normal(size=(n, 6)).astype("float32") for n in (5, 7))
    right_y = ops.convert_to_numpy(check(y[None], x[None]))[0]
    self_w, cross_w = (
        [w.reshape(6, 6) if w.size > 6 else w.ravel() for w in a.get_weights()]
        for a in (check.self_attention, check.cross_attention)
    )
    dense_w = check.intermediate_dense.get_weights()
    dense_w += check.output_dense.get_weights()
    found = decoder_block(y, x, self_w, cross_w, dense_w)
    assert np.shape(found) == (5, 6), "the result must be (T, D)"
    message = "the last position is wrong: look at the sublayers"
    assert np.allclose(found[-1], right_y[-1], atol=1e-4), message
    message = "the last position is right, an earlier one is not: the mask"
    assert np.allclose(found, right_y, atol=1e-4), message

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def decoder_block(y, x, self_w, cross_w, dense_w):
#     def attend_to(query, values, w, keep):
#         W_Q, b_Q, W_K, b_K, W_V, b_V, W_O, b_O = w
#         q, k, v = query @ W_Q + b_Q, values @ W_K + b_K, values @ W_V + b_V
#         scores = np.where(keep, q @ k.T / np.sqrt(q.shape[-1]), -1e9)
#         powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
#         return powers / powers.sum(axis=-1, keepdims=True) @ v @ W_O + b_O
#
#     W_1, b_1, W_2, b_2 = dense_w
#     causal = np.tril(np.ones((len(y), len(y)), bool))
#     n = normalize(y)
#     y = y + attend_to(n, n, self_w, causal)
#     y = y + attend_to(normalize(y), x, cross_w, True)
#     return y + np.maximum(normalize(y) @ W_1 + b_1, 0) @ W_2 + b_2
# ```
#
# The last position may see all the others, so it is right even without the
# mask: that is why the check looks at it first.
#
# </details>

# %% [markdown]
# ## Next
#
# Two problems remain. When the model writes, it still writes one character
# after the other. And the table of scores grows with the square of the length:
# a text twice as long has four times as many.
#
# There is also more in this model than a translator. Leave out the encoder and
# the cross-attention, and what is left predicts the next token of any text. It
# needs no pairs of source and target, only text, and of that there is much more
# than of dates. The next lesson, `08_gpt`, trains such a stack of blocks, and
# asks how to choose a token from the probabilities that it predicts.

# %%
lesson.finish()
