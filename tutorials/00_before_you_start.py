# %% [markdown]
# # 00. Before you start: from text to numbers, and from numbers to a loss
#
# Every model of this course, from a recurrent network of 1990 to a Vision
# Transformer, begins and ends with the same few steps. Text becomes integers,
# integers become vectors, vectors become probabilities, and one number measures
# how good those probabilities are. This lesson does each step by hand, with
# numbers that you can check on paper, and then lets a layer do it. At the end
# you train the smallest language model there is. You need Python, a little
# NumPy, and no knowledge of neural networks.

# %%
import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # keeps TensorFlow's log quiet

import inspect

import keras
import numpy as np
from keras import ops
from matplotlib.figure import Figure

from keras_seq import data, plots
from keras_seq.evaluation import ngram_loss
from keras_seq.layers import TokenEmbedding, attend, causal_mask, padding_mask
from keras_seq.text import CharTokenizer
from keras_seq.training import Lesson, TokenCrossEntropy, next_token_windows

np.set_printoptions(precision=3, suppress=True)
lesson = Lesson("00_before_you_start", following="01_rnn")

# %% tags=["parameters"]
EPOCHS = 8
CHARACTERS = 250_000
SEED = 0

# %% [markdown]
# ## Question
#
# You read the letter `q`. Which letter comes next? You would bet on `u`, and
# you would be right nearly every time. After a space you would be much less
# sure. **Can a program learn to be sure exactly where it should be, with
# nothing but a text and a rule for getting a little better?**
#
# The answer will be one number, about **2.50 [nats](glossary.md#nat) per
# character** on text that the program has never seen. A program that uses only
# how frequent each character is gets 3.20, and blind guessing gets 4.68; lower
# is better. By the end of the lesson you will know what a nat is, and you will
# have met the number 2.50 twice: once learned, once counted.

# %% [markdown]
# ## What failed
#
# There is no lesson before this one, so let us begin with what you might try
# first. A [token](glossary.md#token) is one unit of text: here a character, in
# later lessons a word or a piece of one. A [tokenizer](glossary.md#tokenizer)
# replaces each token by an integer, its *id*, which is its row number in a list
# called the [vocabulary](glossary.md#vocabulary). The ids are numbers, so why
# not calculate with them? Fit a straight line, next id = a · id + b, by least
# squares, and round what it predicts.
#
# We fit on the [training set](glossary.md#training-set) and count how often the
# prediction is right on [held-out](glossary.md#held-out) text, which was not
# used for fitting. Beside it stands a [baseline](glossary.md#baseline), the
# plainest program that solves the same task: always answer "space".

# %%
text, text_test = data.pydocs_text("train"), data.pydocs_text("test")
text, text_test = text[:CHARACTERS], text_test[: CHARACTERS // 10]
print(text[:75])
tokenizer = CharTokenizer.train(text)
ids, ids_test = (tokenizer.tokenize([t])[0] for t in (text, text_test))
vocabulary_size = tokenizer.vocabulary_size()
print("The first ids:", ids[:10])
print("Size of the vocabulary:", vocabulary_size)

slope, intercept = np.polyfit(ids[:-1], ids[1:], 1)
guess = np.rint(slope * ids_test[:-1] + intercept)
space = tokenizer.tokenize([" "])[0, 0]
print(f"Straight line:  {np.mean(guess == ids_test[1:]):.2%} right")
print(f"Always a space: {np.mean(space == ids_test[1:]):.2%} right")
guesses = np.unique(guess).astype(int)[:, None]
print("The line predicts only:", tokenizer.detokenize(guesses))

# %% [markdown]
# The line is almost never right, and far less often than the baseline. The
# reason is that ids are *names*, not *amounts*. The tokenizer sorts its
# characters, so `b` stands between `a` and `c`, but nothing about English makes
# `b` an average of `a` and `c`. A line must answer with something near the mean
# of all ids, whichever characters happen to stand there: `Y`, `Z`, `[` and the
# backslash. We need another way to turn a name into numbers, and another kind
# of answer than a single number.

# %% [markdown]
# ## Diagram
#
# ![A token id selects a row of a table. The same row results from multiplying a
# one-hot vector by the table.](../docs/diagrams/embedding.en.svg)
#
# From left to right: the text is cut into tokens, each token has an id, each id
# selects one row of a table of numbers. The row is what a network computes
# with. The second diagram belongs to the end of the worked example: which
# positions of a [batch](glossary.md#batch) are real, and which positions each
# one may use. (There, a *query* is a position that uses others, and a *value*
# is what it uses; `05_attention` explains both words.)
#
# ![Left, a padding mask: the two positions of padding are hidden. Middle, a
# causal mask: each position may use itself and the positions before it. Right,
# equal weights under both masks.](../docs/diagrams/masks.en.svg)

# %% [markdown]
# ## A worked example
#
# We need only three words, and a fourth token `[PAD]` that fills gaps:
#
# | token | `[PAD]` | `the` | `cat` | `sat` |
# |---|---|---|---|---|
# | id | 0 | 1 | 2 | 3 |
#
# ### Tensors and their shapes
#
# A [tensor](glossary.md#tensor) is an array of numbers; its *shape* lists how
# many entries it has along each axis. Sentences are processed several at a
# time, in a batch, and the rows of a tensor are all equally long. So the
# shorter sentence is *padded*: filled up with `[PAD]`. Two sentences of at most
# three tokens have the shape (2, 3), which we always read as (B, T): B
# sentences in the batch, T positions, also called [time
# steps](glossary.md#time-step). Most errors of beginners are errors of shape,
# and printing a shape finds them.

# %%
batch = np.array([[1, 2, 3], [2, 3, 0]])  # the cat sat / cat sat [PAD]
print("shape (B, T):", batch.shape)

# %% [markdown]
# ### One-hot encoding
#
# How do you turn a name into numbers without pretending that it is an amount?
# Give every token an axis of its own. [One-hot
# encoding](glossary.md#one-hot-encoding) turns an id into a vector of zeros
# with a single one, at the position of the id. With V tokens in the vocabulary
# the result has the shape (B, T, V). No two tokens are closer to each other
# than any other two, which is honest, but also a loss: `cat` is not allowed to
# resemble `dog` more than it resembles `the`.

# %%
one_hot = np.eye(4)[batch]
print("shape (B, T, V):", one_hot.shape)
print("the cat sat:")
print(one_hot[0])

# %% [markdown]
# ### Embedding
#
# An [embedding](glossary.md#embedding) is a table with one row of D numbers for
# each token, and these numbers are learned. Multiply a one-hot vector by the
# table, and every row is multiplied by zero but one: the product *is* that row.
# So a program does not multiply; it looks the row up. Follow `cat`:
#
#     0 · (0, 0) + 0 · (1, 0) + 1 · (0, 2) + 0 · (3, 1) = (0, 2)

# %%
E = np.array([[0, 0], [1, 0], [0, 2], [3, 1]], "float32")  # (V, D) = (4, 2)
print("one-hot times table:", (one_hot @ E)[0].tolist())
print("looked up:          ", E[batch][0].tolist())
assert np.array_equal(one_hot @ E, E[batch])

keras_layer = keras.layers.Embedding(4, 2)
our_layer = TokenEmbedding(4, 2)
for layer in keras_layer, our_layer:
    layer.build((None, None))
    layer.set_weights([E])
    assert np.array_equal(ops.convert_to_numpy(layer(batch)), E[batch])
print("Both layers agree. Shape (B, T, D):", our_layer(batch).shape)

# %% [markdown]
# ### Logits and softmax
#
# A model that must choose among three words produces three numbers, one for
# each: the [logits](glossary.md#logits). They may be negative and have no fixed
# sum. [Softmax](glossary.md#softmax) turns them into probabilities: raise e to
# each logit, then divide by the sum. Take the logits 2, 1 and 0:
#
# | logit | e to the logit | divided by the sum 11.11 |
# |---|---|---|
# | 2 | 7.39 | 0.665 |
# | 1 | 2.72 | 0.245 |
# | 0 | 1.00 | 0.090 |
#
# Only differences count: add 5 to all three logits, and every exponential is
# multiplied by the same number, which the division removes.

# %%
logits = np.array([2.0, 1.0, 0.0], "float32")
powers = np.exp(logits)
probabilities = powers / powers.sum()
print("by hand:   ", probabilities)
print("ops.softmax:", ops.convert_to_numpy(ops.softmax(logits)))
print("plus 5:    ", ops.convert_to_numpy(ops.softmax(logits + 5)))
assert np.allclose(probabilities, ops.softmax(logits), atol=1e-6)

# %% [markdown]
# ### Cross entropy, measured in nats
#
# How good are these probabilities? That depends on what really came next. The
# [cross entropy](glossary.md#cross-entropy) of one prediction is −log p, where
# p is the probability that the model gave to the right token. If the first word
# was right, that is −log 0.665 = 0.408. If the third was, −log 0.090 = 2.408.
# Being sure and right costs nothing; being sure and wrong costs a lot.
#
# With the natural logarithm the unit is called a *nat*. (With the logarithm to
# base 2 it is a bit; one nat is 1.44 bits.) To get a feeling for nats, undo the
# logarithm: a loss of log 3 = 1.10 nats is the loss of a blind choice among
# three equally likely tokens. This number, e to the loss, is the
# [perplexity](glossary.md#perplexity): with that many equally likely tokens, a
# blind choice would have the same loss. The curve below shows the whole range.

# %%
figure = Figure(figsize=(6, 3.4), layout="constrained")
axes = figure.subplots()
p = np.linspace(0.01, 1, 200)
axes.plot(p, -np.log(p), color="#0072B2")
for value in probabilities:
    axes.plot(value, -np.log(value), "o", color="#D55E00")
    label = f"-log {value:.3f} = {-np.log(value):.3f}"
    axes.annotate(label, (value + 0.02, -np.log(value) + 0.1))
axes.set_xlabel("probability given to the right token")
axes.set_ylabel("cross entropy (nats)")
axes.spines[["top", "right"]].set_visible(False)
lesson.show(
    figure,
    "cross_entropy",
    "Cross entropy by the probability of the right token: 0 at probability 1, "
    "and steeper and steeper towards 0. Dots: the three words of the example.",
)

# %% [markdown]
# ### Gradient
#
# Learning means changing the logits so that the loss falls. In which direction?
# The [gradient](glossary.md#gradient) of the loss is the list of its slopes,
# one for each logit: how fast the loss rises if that logit grows. For softmax
# followed by cross entropy the gradient is as simple as one could wish:
#
#     gradient = probabilities - one-hot vector of the right token
#
# Let the first word be right: (0.665, 0.245, 0.090) − (1, 0, 0) = (−0.335,
# 0.245, 0.090). Raising the first logit lowers the loss, raising the others
# increases it, and the three slopes add up to zero. *Gradient descent* takes a
# small step against the gradient. With a step size (*learning rate*) of 1 the
# logits become (2.335, 0.755, −0.090), and the loss falls from 0.408 to 0.258.

# %%
gradient = probabilities - np.array([1, 0, 0])
print("gradient:      ", gradient)
print("after one step:", logits - 1.0 * gradient)


def cross_entropy(z, label):
    return np.log(np.exp(z).sum()) - z[label]


here = logits.astype("float64")
there = here + np.array([0.001, 0, 0])  # measure the first slope
rise = cross_entropy(there, 0) - cross_entropy(here, 0)
print(f"first slope, measured: {rise / 0.001:.3f}")

# %% [markdown]
# Now the same step in Keras, by a model that is a single table. The second row
# holds our logits, the id 1 selects it, and the label is 0, the first word.

# %%
tiny = keras.Sequential(
    [keras.Input((None,), dtype="int32"), TokenEmbedding(3, 3, pad_id=None)]
)
tiny.compile(keras.optimizers.SGD(1.0), loss=TokenCrossEntropy(pad_id=None))
tiny.set_weights([np.array([[0, 0, 0], logits, [0, 0, 0]], "float32")])
loss = tiny.train_on_batch(np.array([[1]]), np.array([[0]]))
print(f"Keras: loss {float(loss):.3f}, then row", tiny.get_weights()[0][1])
assert np.allclose(tiny.get_weights()[0][1], logits - gradient, atol=1e-5)

# %% [markdown]
# ### Masks: what does not count
#
# `[PAD]` is not a word. If it counted in the loss, a model could improve its
# number by predicting padding. A [padding mask](glossary.md#padding-mask) is
# True where a token is real and False where it is padding. Masks in this course
# always mean "True: keep". Say the three positions of the second sentence cost
# 0.4, 0.8 and 6.0 nats, and the last is padding. The plain mean is 2.4; the
# mean of the real ones is (0.4 + 0.8) / 2 = 0.6. To give `TokenCrossEntropy`
# these very numbers, we use logarithms of probabilities as logits: softmax
# turns them back into the probabilities.

# %%
mask = batch != 0
print(mask)
nats = np.array([0.4, 0.8, 6.0])
print("plain mean:", nats.mean(), " real tokens only:", nats[mask[1]].mean())
assert np.array_equal(ops.convert_to_numpy(padding_mask(batch)), mask)

p_right = np.exp(-nats)  # the probability of the label at each position
other = np.log((1 - p_right) / 3)
scores = np.tile(other[:, None], (1, 4))
labels = np.array([3, 1, 0])  # the last label is padding
scores[np.arange(3), labels] = -nats
loss = TokenCrossEntropy(pad_id=0)(labels[None], scores[None])
print(f"TokenCrossEntropy: {float(loss):.3f}")

# %% [markdown]
# Later models also *average* over positions, with [attention
# weights](glossary.md#attention-weights): a softmax over the positions of the
# sentence. There a mask must work before the softmax. A hidden position gets
# the logit minus a billion, e to that power is 0, and the others share its
# probability: with the logits 2, 1 and 0 and the third one hidden, 7.39 and
# 2.72 are divided by 10.11 and give 0.731 and 0.269. Setting a weight to 0
# *after* the softmax would leave a sum of 0.91.
#
# A [causal mask](glossary.md#causal-mask) hides what comes later: a model that
# is to predict the next word must not use it. Row t shows what position t may
# use.

# %%
keep = np.array([True, True, False])
hidden = np.where(keep, logits, -1e9)
weights = np.exp(hidden - hidden.max())
weights = weights / weights.sum()
print("by hand:", weights, "average of the rows:", weights @ E[1:])

tensors = map(ops.convert_to_tensor, (logits[None], E[1:], keep[None]))
context, scores = attend(*tensors)
print("attend: ", ops.convert_to_numpy(scores[0]), end=" ")
print("average of the rows:", ops.convert_to_numpy(context[0]))
assert np.allclose(weights @ E[1:], context[0], atol=1e-6)
print("causal mask:")
print(ops.convert_to_numpy(causal_mask(3)).astype(int))

# %% [markdown]
# ## The equation
#
# Now put the pieces together. A table with V rows and V columns can serve as a
# complete *language model*, a model of the next token: row i holds the logits
# of what follows token i. Because it uses pairs of tokens it is called a
# *bigram* model.
#
#     z_t = E[x_t]                            logits: a row of the table
#     p_t = softmax(z_t)                      probabilities of the next token
#     L   = - mean over t of log p_t[y_t]     loss, in nats per token
#     dL/dz_t = (p_t - onehot(y_t)) / N       gradient, N tokens in the batch
#
# x_t is the id at position t, and y_t = x_(t+1) is the id that really follows,
# the *label*. E is the table, of shape (V, V); its entries are the
# *parameters*, or *weights*, of the model. z_t and p_t have V entries each. N
# is the number of real tokens, B times T here. Here is the code of the library
# for the first and the third equation; what it does besides is handle number
# types, scale and padding:

# %%
print(inspect.getsource(TokenEmbedding.call))
print(inspect.getsource(TokenCrossEntropy.call))

# %% [markdown]
# ## Code
#
# The text is the documentation that comes with Python: 240,000 characters for
# training, and 24,000 from other documents held out. We cut it into windows of
# 64 characters; the labels are the same windows, moved by one character.

# %%
x, y = next_token_windows(ids, length=64)
x_test, y_test = next_token_windows(ids_test, length=64)
print("inputs (windows, T):", x.shape, " held out:", x_test.shape)
print("input:", tokenizer.detokenize(x[:1, :20]))
print("label:", tokenizer.detokenize(y[:1, :20]))

# %% [markdown]
# The whole model is one layer. `fit` goes through the training windows in
# random order, 32 at a time; one pass through all of them is an
# [epoch](glossary.md#epoch). After each batch the *optimizer* changes the
# table. We use Adam, gradient descent that adapts its step to each weight. The
# held-out windows serve to report the loss after each epoch, and nothing is
# chosen by it.

# %%
keras.utils.set_random_seed(SEED)
model = keras.Sequential(
    [
        keras.Input((None,), dtype="int32"),
        TokenEmbedding(vocabulary_size, vocabulary_size),
    ]
)
model.compile(keras.optimizers.Adam(0.02), loss=TokenCrossEntropy())
print(f"{model.count_params():,} weights; training takes about 20 seconds.")
before = model.evaluate(x_test, y_test, verbose=0)
history = model.fit(
    *(x, y),
    batch_size=32,
    epochs=EPOCHS,
    validation_data=(x_test, y_test),
).history
after = history["val_loss"][-1]
print(f"held out, before: {before:.2f} nats, after: {after:.2f}")

# %% [markdown]
# ## Picture
#
# A learned table can be read. For five characters, here is what the model
# predicts, and below it what counting finds: how often each pair occurs in the
# training text, divided by how often its first character does.

# %%
rows, columns = list("qth.("), list(" ehuaio)\n")
row_ids = tokenizer.tokenize(["".join(rows)])[0]
column_ids = tokenizer.tokenize(["".join(columns)])[0]
counts = np.zeros((vocabulary_size, vocabulary_size))
np.add.at(counts, (ids[:-1], ids[1:]), 1)
counted = counts[row_ids] / counts[row_ids].sum(axis=1, keepdims=True)
table = model.get_weights()[0]
learned = ops.convert_to_numpy(ops.softmax(table))[row_ids]
for name, p in ("learned", learned), ("counted", counted):
    p = p[:, column_ids]
    other = (1 - p.sum(axis=1, keepdims=True)).clip(0)
    p = np.concatenate([p, other], axis=1)
    lesson.show(
        plots.probabilities(p, [*columns, "other"], rows),
        f"table_{name}",
        f"Probability of the next character (columns) after each of five "
        f"characters (rows), {name}. After q, nearly always u; after h, e in "
        f"about half of the cases.",
    )

# %%
size = vocabulary_size
unigram, bigram, trigram = (
    ngram_loss(ids, ids_test, n, size) for n in (1, 2, 3)
)
figure = plots.curves(
    {
        "bigram table": {
            "training": [before, *history["loss"]],
            "held out": [before, *history["val_loss"]],
        }
    },
    x=np.arange(EPOCHS + 1),
    baselines={"unigram": unigram, "bigram, counted": bigram},
)
lesson.show(
    figure,
    "loss",
    "Loss by epoch. It starts at log V, falls below the unigram baseline "
    "in the first epoch and levels off at the loss of the counted bigrams.",
)

# %% [markdown]
# **What you should see.** In the first picture look at row `q`: one dark cell
# at `u`. Then row `t`: several pale cells, because `th`, `te`, `ti` and `t`
# with a space are all common; where the language leaves a choice, a good model
# spreads its probability. In row `.` a sentence has ended, and most of the
# probability is shared by the space and the line break (⏎). Now compare with
# the second picture, cell by cell: no number differs by much more than 0.02.
# One small difference cannot vanish: a softmax never gives exactly 0, so the
# learned table keeps a little probability for pairs that do not occur at all.
# In the third picture the curve starts at about 4.68, passes the unigram line
# in the first epoch, and then stays within 0.01 nats of the other dashed line.
# (The training curve is the mean *during* each epoch, so at first it lies above
# the held-out one.)

# %% [markdown]
# ## The number beside a baseline
#
# Two baselines, both counted from the training text, without any gradient. The
# *unigram* model ignores the input and always predicts how frequent each
# character is. The *counted bigram* model divides counts of pairs, smoothed so
# that a pair that never occurred does not get probability zero.

# %%
loss = model.evaluate(x_test, y_test, verbose=0)
metric = "held-out nats per character, learned table"
lesson.compare(metric, loss, "unigram, counted", unigram)
lesson.compare(metric, loss, "bigram, counted", bigram)
print(f"perplexity: {np.exp(loss):.1f}, unigram {np.exp(unigram):.1f}")
right = np.mean(table[x_test].argmax(axis=-1) == y_test)
print(f"most likely character is the right one: {right:.1%}")
print(f"trigram, counted, for comparison: {trigram:.3f}")

# %% [markdown]
# About 2.50 nats: learned and counted agree to the second decimal. What does
# that show? That gradient descent on cross entropy finds *frequencies*.
# Counting was never mentioned; the loss is lowest where the probabilities equal
# the frequencies, and small steps lead there. It also shows that one character
# of context is worth 0.7 nats here: the perplexity falls from 25 to 12. Even
# so, the character that the model finds most likely is right only 27 times in
# 100.
#
# What does it not show? That learning is better than counting. For this task it
# is slower and exactly as good. Learning pays where counting breaks down: the
# number of contexts of ten characters is astronomically large, and nearly all
# of those in a new text have never been seen. Nor is 2.50 good: counting
# *three* characters at a time gets 1.91 on the same text. The number is of one
# text in one language; another Python version, with a slightly different
# documentation, moves it in the second decimal.

# %% [markdown]
# ## Pitfalls
#
# **Softmax twice, or not at all.** *Symptom:* the loss falls, but stays far too
# high, and there is no error. Our models return logits, and the loss applies
# softmax itself, so the model must not. Keras's
# `loss="sparse_categorical_crossentropy"` expects probabilities; use
# `TokenCrossEntropy()`, or Keras's class with `from_logits=True`.
#
# **Padding in the mean.** *Symptom:* the loss is suspiciously low, and gets
# lower when you pad to a greater length. Compare losses per real token only.
#
# **A mask the wrong way round.** *Symptom:* the model predicts well in training
# and produces nonsense afterwards, or the output changes when you add padding.
# Some libraries mean "True: hide". Test it: change a hidden token and see that
# no visible output changes.
#
# **Overflow.** *Symptom:* `nan` after some steps. e to the power 89 does not
# fit into a 32-bit float. Subtract the largest logit first; exercise 2.
#
# **Nats, bits, or per what?** *Symptom:* a published number that you cannot
# reach, or beat without effort. 2.50 nats per character are 3.61 bits per
# character, and losses per word cannot be compared with losses per character.
#
# **Off by one.** *Symptom:* a loss near zero within an epoch. The labels are
# not moved, so the model copies its input. Print an input beside its label, as
# we did above.

# %% [markdown]
# ## Exercises
#
# Each exercise has a task, a cell for your code, and a cell that checks it. The
# checks print what is wrong and never stop the lesson, so you can run
# everything first and come back. The answers are folded; a wrong attempt
# teaches more than a right answer read.

# %% [markdown]
# ### Exercise 1 (5 minutes): nats into perplexity and bits
#
# Return the perplexity that belongs to a loss in nats, and the same loss in
# bits.


# %% tags=["exercise"]
def perplexity_and_bits(nats):
    raise NotImplementedError


# %%
with lesson.exercise(1):
    perplexity, bits = perplexity_and_bits(np.log(8))
    assert np.isclose(perplexity, 8), "log 8 nats: a choice among 8 tokens"
    assert np.isclose(bits, 3), "a choice among 8 tokens takes 3 bits"

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def perplexity_and_bits(nats):
#     return np.exp(nats), nats / np.log(2)
# ```
#
# </details>

# %% [markdown]
# ### Exercise 2 (15 minutes): a softmax that survives large logits
#
# `np.exp(1000)` is infinite, and infinity divided by infinity is `nan`. Write a
# softmax over the last axis that gives the right result for any logits, for a
# tensor of any rank. Hint: only differences of logits count.


# %% tags=["exercise"]
def stable_softmax(logits):
    raise NotImplementedError


# %%
with lesson.exercise(2):
    expected = [0.665, 0.245, 0.090]
    small = stable_softmax(np.array([2.0, 1.0, 0.0]))
    assert np.allclose(small, expected, atol=1e-3), "2, 1, 0: see the table"
    large = stable_softmax(np.array([[1002.0, 1001, 1000], [2, 1, 0]]))
    assert np.isfinite(large).all(), "subtract the largest logit first"
    message = "each row has its own largest logit and its own sum"
    assert np.allclose(large, [expected] * 2, atol=1e-3), message

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def stable_softmax(logits):
#     powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
#     return powers / powers.sum(axis=-1, keepdims=True)
# ```
#
# The largest exponent is now 0, so the largest power is 1 and cannot overflow;
# a power that underflows to 0 belongs to a probability that is 0 anyway.
#
# </details>

# %% [markdown]
# ### Exercise 3 (30 minutes): a cross entropy that ignores padding
#
# In NumPy, without a loop: logits of shape (B, T, V), labels of shape (B, T).
# Return the mean cross entropy over the positions whose label is not `pad_id`.
# The check compares with `TokenCrossEntropy` on random numbers.


# %% tags=["exercise"]
def masked_cross_entropy(logits, labels, pad_id=0):
    raise NotImplementedError


# %%
with lesson.exercise(3):
    rng = np.random.default_rng(3)
    random_logits = rng.normal(size=(2, 5, 7)).astype("float32")
    random_labels = np.array([[3, 1, 6, 2, 4], [5, 5, 0, 0, 0]])
    found = masked_cross_entropy(random_logits, random_labels)
    right = float(TokenCrossEntropy()(random_labels, random_logits))
    everywhere = TokenCrossEntropy(pad_id=None)(random_labels, random_logits)
    message = "this is the mean over all positions, padding included"
    assert not np.isclose(found, float(everywhere), atol=1e-5), message
    assert np.isclose(found, right, atol=1e-4), f"{found} should be {right}"

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def masked_cross_entropy(logits, labels, pad_id=0):
#     shifted = logits - logits.max(axis=-1, keepdims=True)
#     total = np.exp(shifted).sum(axis=-1, keepdims=True)
#     log_p = shifted - np.log(total)
#     nats = -np.take_along_axis(log_p, labels[..., None], axis=-1)[..., 0]
#     real = labels != pad_id
#     return (nats * real).sum() / real.sum()
# ```
#
# `take_along_axis` picks, at each position, the entry of the label. Taking the
# logarithm of the sum, instead of the softmax, avoids the logarithm of zero.
#
# </details>

# %% [markdown]
# ### Exercise 4 (an evening): two characters of context
#
# Build a Keras model whose logits are the *sum* of two table rows: one selected
# by the current character, as before, and one by the character before it. (For
# the first character of a window, use id 0 as the character before.) The check
# trains it exactly as the lesson trained the bigram table; its held-out loss
# must be at least 0.1 nats lower, and it must not use later characters. Why
# does it still not reach the counted trigram? Try to say it before you open the
# answer.


# %% tags=["exercise"]
def two_back(vocabulary_size):
    raise NotImplementedError


# %%
with lesson.exercise(4):
    longer = two_back(vocabulary_size)
    changed = x_test[:1].copy()
    changed[0, -1] = (changed[0, -1] + 1) % vocabulary_size
    a, b = (ops.convert_to_numpy(longer(i)) for i in (x_test[:1], changed))
    assert a.shape == (1, 64, vocabulary_size), "logits must be (B, T, V)"
    assert np.allclose(a[0, :-1], b[0, :-1]), "it uses later characters"
    longer.compile(keras.optimizers.Adam(0.02), loss=TokenCrossEntropy())
    longer.fit(x, y, batch_size=32, epochs=EPOCHS)
    nats = longer.evaluate(x_test, y_test, verbose=0)
    assert nats < loss - 0.1, f"{nats:.3f} is not 0.1 below {loss:.3f}"

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def two_back(vocabulary_size):
#     ids = keras.Input((None,), dtype="int32")
#     previous = ops.pad(ids[:, :-1], ((0, 0), (1, 0)))
#     size = vocabulary_size
#     current_row = TokenEmbedding(size, size, pad_id=None)(ids)
#     previous_row = TokenEmbedding(size, size, pad_id=None)(previous)
#     return keras.Model(ids, current_row + previous_row)
# ```
#
# About 2.28 nats. A sum of logits multiplies two predictions: "after `h`, often
# `e`" and "two after `t`, often `e`". It cannot express that a *pair* means
# something else than its two characters do, as counted trigrams can. A model
# that combines what it has read before it predicts is the subject of the next
# lesson.
#
# </details>

# %% [markdown]
# ## Next
#
# This model uses nothing but the last character. After `th` and after `wh` it
# predicts exactly the same, because both end in `h`. Counting longer contexts
# does not scale, and a table for each position, as in exercise 4, grows with
# every character that you look back and treats each position separately. The
# next lesson, `01_rnn`, keeps *one* vector that is updated at every character
# by the same small function, and so can, in principle, carry along what stood
# far back in the text.

# %%
lesson.finish()
