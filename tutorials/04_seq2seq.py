# %% [markdown]
# # 04. Encoder and decoder: read the whole source, then write the target
#
# "Sonntag, 5. März 1950" is to become "1950-03-05". The two texts differ in
# length, their parts stand in a different order, and the first character of
# the answer depends on the last word of the source. Two recurrent networks
# solve this together (Sutskever, Vinyals and Le 2014; Cho et al. 2014): an
# [encoder](glossary.md#encoder) reads the source into one vector, and a
# [decoder](glossary.md#decoder) writes the target from that vector. In this
# lesson you compute both by hand with two units each, train them on dates in
# ten languages, Korean among them, and then take the vector between them apart:
# what it holds, what it has lost, and how narrow it may be. You need lessons
# `00_before_you_start` to `03_five_settings`. Running everything takes three to
# four minutes on two processor cores.

# %%
import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # keeps TensorFlow's log quiet

import inspect
import re
from collections import Counter
from itertools import pairwise

import keras
import numpy as np
from keras import ops

from keras_seq import data, plots
from keras_seq.evaluation import (
    exact_match,
    gradient_by_lag,
    input_gradient,
    nearest_answer,
)
from keras_seq.generation import generate

# %%
from keras_seq.models import (
    ScheduledSampling,
    Seq2Seq,
    Seq2SeqDecoder,
    Seq2SeqEncoder,
)
from keras_seq.text import CharTokenizer
from keras_seq.training import (
    BatchByLength,
    Lesson,
    TokenCrossEntropy,
    WarmupCosineDecay,
    teacher_forcing,
)

np.set_printoptions(precision=3, suppress=True)
lesson = Lesson("04_seq2seq", following="05_attention")

# %% tags=["parameters"]
DATES = 20_000
TESTS = 1_500
WIDTHS = (32, 64, 128)
NARROW = (4, 16)
EPOCHS = 4
SEED = 0

# %% [markdown]
# ## Question
#
# **How can one network hand a text of any length to another one, if all that it
# may hand over is a list of numbers of fixed length? How many numbers must
# there be, and what gets lost?**
#
# The answer will be a share of 1,500 [held-out](glossary.md#held-out) dates,
# written without a single error: about **0.99** with 128 units, 0.40 with 64
# and almost none with 32. Copying the numbers of the source and guessing July
# for the month gets 0.28. Repeating the answer to the most similar training
# date gets 0. One result will differ from what the lectures say: long dates
# turn out to be no harder than short ones.

# %% [markdown]
# ## What failed
#
# The networks of lesson `03_five_settings` had one output for each input, or
# one output at the end. Could they do it? First the data, then four counts.
# `data.dates` draws a date, a language and one of its formats; it also returns
# the part of the source that each character of the answer comes from.

# %%
texts, answers, _ = data.dates(DATES, seed=SEED)
texts_test, answers_test, spans = data.dates(TESTS, seed=SEED, split="test")
for text, answer in zip(texts_test[:8], answers_test):
    print(answer, "<-", text)

begins = spans[:, :, 0]  # where the field of each character begins
shares = {
    "source shorter than the answer": [len(text) < 10 for text in texts_test],
    "day stands before the year": begins[:, 8] < begins[:, 0],
    "source does not begin with the year": begins[:, 0] > 0,
    "answer occurs in the training set": np.isin(answers_test, answers),
}
for name, found in shares.items():
    print(f"{name}: {np.mean(found):.0%}")

# %% [markdown]
# One output for each input: the network would have to write the ten characters
# while it reads the first ten letters. Some sources have fewer than ten, and in
# 96 of 100 the year is not at the beginning, so its first digit would be due
# before any of it has been read. One output at the end: a class for each date.
# The network could then answer only with dates that it was trained on, and not
# one of the held-out dates is among them. The answer must be *composed*,
# character by character, and it must wait until everything has been read.

# %% [markdown]
# ## Diagram
#
# ![Five settings of inputs and outputs: one to one, one to many, many to one,
# many to many after reading everything, and one output for each
# input.](../docs/diagrams/five_settings.en.svg)
#
# Of the five settings we now need the fourth: many to many, after reading
# everything. It is the third one, many to one, followed by the second, one to
# many. The middle piece is what this lesson is about.
#
# ![The encoder reads the source into its final state, the context vector of
# fixed width. The decoder starts from it and predicts the target, one token at
# a time, from the start token to the end
# token.](../docs/diagrams/encoder_decoder.en.svg)
#
# Left, the encoder: a recurrent network without an output layer. Only its last
# state is kept, the [context vector](glossary.md#context-vector) c. Right, the
# decoder: a language model like the one of lesson `01_rnn`, except that its
# state does not begin at zero but at c. It reads a [start
# token](glossary.md#start-token) `<sos>`, because at the first step there is no
# earlier output to read, and it stops when it predicts the [end
# token](glossary.md#end-token) `<eos>`. So the length of the target is
# predicted like everything else, and it does not depend on the length of the
# source.
#
# At each step the decoder reads one token. In training that is the *true*
# token before the one to be predicted: [teacher
# forcing](glossary.md#teacher-forcing). When the model is used there is no true
# answer, and the decoder reads the token that it has just predicted (the dashed
# arrows): it runs *free*.

# %% [markdown]
# ## A worked example
#
# The source has three letters: a day, a dot and a month, each of them 3 or 5.
# The target is the month, then the day: `5.3` becomes `35`. So three letters
# become two, in reverse order. Two simple recurrent networks with two units
# each are enough. A letter enters as one number: 5 is +1, 3 is −1, everything
# else is 0.
#
# **Encoder.** Unit 2 takes the new letter, unit 1 collects what both units held
# before:
#
# | reads | unit 1: old unit 1 + old unit 2 → tanh | unit 2: letter → tanh |
# |---|---|---|
# | `5` | 0 + 0 → 0 | 1 → 0.762 |
# | `.` | 0 + 0.762 → 0.642 | 0 → 0 |
# | `3` | 0.642 + 0 → 0.566 | −1 → −0.762 |
#
# The context vector is (0.566, −0.762). The sign of unit 1 is the day, the sign
# of unit 2 is the month. Note the sizes: the month, just read, is larger than
# the day, which has passed through tanh three times.

# %%
source_tokens, target_tokens = ".35", ["<pad>", "<sos>", "<eos>", "3", "5"]
E_read = np.array([[0], [0], [-1], [1]], "float32")  # padding, `.`, `3`, `5`
W_read = np.array([[0, 1]], "float32")
U_read = np.array([[1, 0], [1, 0]], "float32")


def encode(letters):
    """Return the state after each letter."""
    states = [np.zeros(2)]
    for letter in letters:
        x = E_read[1 + source_tokens.index(letter)]
        states.append(np.tanh(x @ W_read + states[-1] @ U_read))
    return states[1:]


states = encode("5.3")
context = states[-1]
for letter, h in zip("5.3", states):
    print(f"reads {letter}: {h}")

# %% [markdown]
# **Decoder.** Unit 1 is what is written next, unit 2 is what is still to come.
# At each step the two change places, and 0.6 times the token that was just read
# is subtracted from the number that is moved to unit 2: what has been written
# is crossed off. (The arrow is tanh again.)
#
# | reads | unit 1: old unit 2 | unit 2: old unit 1 − 0.6 · token | writes |
# |---|---|---|---|
# | `<sos>` | −0.762 → −0.642 | 0.566 → 0.513 | `3` |
# | `3` | 0.513 → 0.472 | −0.642 + 0.6 → −0.042 | `5` |
# | `5` | −0.042 → −0.042 | 0.472 − 0.6 → −0.127 | `<eos>` |
#
# The logit of `5` is 8 times unit 1, that of `3` is −8 times unit 1, and that
# of `<eos>` is always 2. So the end is predicted when unit 1 is near zero, that
# is, when nothing is left to write. (Two more tokens never occur as an output;
# their logits are −99.)

# %%
E_write = np.array([[0], [0], [0], [-1], [1]], "float32")
W_write = np.array([[0, -0.6]], "float32")
U_write = np.array([[0, 1], [1, 0]], "float32")
A = np.array([[0, 0, 0, -8, 8], [0, 0, 0, 0, 0]], "float32")
d = np.array([-99, -99, 2, 0, 0], "float32")


def decode_step(token, h):
    """Read one token; return the probabilities of the next, and the state."""
    x = E_write[target_tokens.index(token)]
    h = np.tanh(x @ W_write + h @ U_write)
    powers = np.exp(h @ A + d)
    return powers / powers.sum(), h


h, by_hand, nats = context, [], []
true = ["<sos>", "3", "5", "<eos>"]
for token, label in pairwise(true):
    p, h = decode_step(token, h)
    by_hand.append(p)
    right = p[target_tokens.index(label)]
    nats.append(-np.log(right))
    print(f"reads {token:5} state {h}  ", end="")
    print(f"p({label}) = {right:.3f}  loss {nats[-1]:.3f}")
print(f"mean loss: {np.mean(nats):.3f}")

# %% [markdown]
# The inputs of this loop were the true tokens: that was teacher forcing, and
# the mean of the three losses, 0.150, is what training would reduce. The
# prediction at each step was right as well, so a decoder that runs free reads
# the same tokens and writes the same answer. Now suppose that it makes one
# mistake and writes 5 first. The crossing-off then goes wrong:

# %%
_, h = decode_step("<sos>", context)
token, written = "5", ["5"]  # the true first token is 3
while token != "<eos>" and len(written) < 6:
    p, h = decode_step(token, h)
    token = target_tokens[p.argmax()]
    written.append(token)
    print(f"state {h}  predicts {token} (p = {p.max():.3f})")
print("written:", " ".join(written))

# %% [markdown]
# The 5 was subtracted where a 3 had to be, and unit 2 is −0.846 instead of
# −0.042. One step later this number is in unit 1, and the decoder writes a
# third digit instead of the end. The state of the decoder was one that never
# occurs with true inputs. This is called *exposure bias*, and we shall measure
# it.
#
# Now the model of the library, a `Seq2Seq` of two simple recurrent networks
# with our weights. Context vector, probabilities and answer are the same.

# %%
toy = Seq2Seq(4, 5, 2, cell="rnn", embedding_dim=1, start_id=1, end_id=2)
inputs_toy = {
    "source": np.array([[3, 1, 2]]),
    "target": np.array([[1, 3, 4]]),
}
toy(inputs_toy)  # creates the weights
b = np.zeros(2)
reading, writing = [E_read, W_read, U_read, b], [E_write, W_write, U_write, b]
toy.set_weights([*reading, *writing, A, d])
c = ops.convert_to_numpy(toy.encode(inputs_toy["source"]))
p = ops.convert_to_numpy(ops.softmax(toy(inputs_toy)))
print("context vector:", c[0])
assert np.allclose(c[0], context, atol=1e-6)
assert np.allclose(p[0], by_hand, atol=1e-6)
written = generate(toy, inputs_toy["source"], max_length=5).ids[0]
print("5.3 ->", [target_tokens[i] for i in written])

# %% [markdown]
# ## The equation
#
#     h_s = cell(E[x_s], h_(s-1))              encoder, h_0 = 0, s = 1 ... S
#     c   = h_S                                context vector
#     g_t = cell'(E'[y_(t-1)], g_(t-1))        decoder, g_0 = c, y_0 = <sos>
#     p_t = softmax(g_t A + d)                 probabilities of y_t
#     loss = mean over t of -log p_t[y_t]      t = 1 ... T, y_T = <eos>
#
# x_1 ... x_S is the source, y_1 ... y_T the target; E and E' are their
# embeddings. The two cells, here GRUs, have weights of their own: reading and
# writing are different tasks. The loss is the cross entropy of a language
# model, but its gradient does not stop at the start token: it passes through c
# into the encoder, which so learns what the decoder needs to know. S does not
# occur in the equations of the decoder, nor T in those of the encoder. In the
# library:

# %%
print(inspect.getsource(Seq2Seq.call))
print(inspect.getsource(Seq2Seq._initial_states))
print(inspect.getsource(Seq2SeqDecoder.step))

# %% [markdown]
# ## Code
#
# Teacher forcing is a matter of data: the decoder gets the target without its
# last token as input, and without its first token as label.

# %%
read, write = CharTokenizer.train(texts), CharTokenizer.train(answers)
source, source_test = read.tokenize(texts), read.tokenize(texts_test)
target = write.tokenize(answers, start=True, end=True)
forced, labels = teacher_forcing(source, target)
print("input:", *write.tokens(forced["target"][0]))
print("label:", *write.tokens(labels[0]))
sizes = read.vocabulary_size(), write.vocabulary_size()
print("tokens of the source, of the target:", sizes)

# %% [markdown]
# One function trains every model of this lesson: the same dates in the same
# batches, the same seed, the same number of steps.

# %%
BUCKETS = (12, 16, 20, 24, 28, 32, 40, 64)  # sources are padded to these


def train(make, pairs=(forced, labels)):
    keras.utils.set_random_seed(SEED)
    model = make()
    batches = BatchByLength(*pairs, 64, buckets=BUCKETS, seed=SEED)
    model(batches[0][0])  # creates the weights
    rate = WarmupCosineDecay(4e-3, EPOCHS * len(batches))
    optimizer = keras.optimizers.Adam(rate, clipnorm=1.0)
    model.compile(optimizer, loss=TokenCrossEntropy())
    print(f"{model.count_params():,} weights")
    model.fit(batches, epochs=EPOCHS, shuffle=False)  # `batches` shuffles
    return model


models = {n: train(lambda n=n: Seq2Seq(*sizes, n)) for n in WIDTHS}
middle, wide = WIDTHS[-2:]
model = models[wide]
for ids in source_test[:2], source_test[:2, :10]:
    print(f"source {ids.shape}, context vectors {model.encode(ids).shape}")

# %% [markdown]
# How good are they? Two ways to measure. With true inputs: how often is the
# most probable token the right one? And free: [greedy
# decoding](glossary.md#greedy-decoding) takes the most probable token at each
# step, and the decoder reads it at the next.

# %%
labels_test = write.tokenize(answers_test, end=True)  # (N, 11)
inputs_test = {
    "source": source_test,
    "target": write.tokenize(answers_test, start=True),
}


# %%
def right_with_true_inputs(model):
    logits = model.predict(inputs_test, batch_size=500, verbose=0)
    return logits.argmax(axis=-1) == labels_test


def right_running_free(model):
    written = generate(model, source_test, max_length=11).ids
    return written == labels_test


# %%
def report(model):
    loss = model.evaluate(inputs_test, labels_test, verbose=0, batch_size=500)
    true, free = right_with_true_inputs(model), right_running_free(model)
    first = np.where(free.all(axis=1), 11, free.argmin(axis=1))  # first error
    after = np.arange(11) > first[:, None]
    print(f"  loss with true inputs {loss:.3f} nats per character")
    for name, right in ("true inputs", true), ("running free", free):
        exact, later = right.all(axis=1).mean(), right[after].mean()
        print(f"  {name:12} characters right {right.mean():.3f}", end="")
        print(f"  whole dates {exact:.3f}  after an error {later:.3f}")
    return free.all(axis=1)


exact = {}
for n, model in models.items():
    print(n, "units:")
    exact[n] = report(model)

# %% [markdown]
# Look at the 64 units. With true inputs 0.93 of the characters are right, but
# only 0.40 of the whole dates: in a whole date *all* eleven tokens must be
# right. A small loss per character promises little. And the share of whole
# dates is the same in both lines, which is no accident: as long as every
# prediction is right, a decoder running free reads the true tokens anyway. The
# two lines part only *after* an error. Given the true tokens again, the model
# gets 0.95 of the remaining characters right; reading its own, 0.82. That is
# the exposure bias of the worked example, measured.
#
# [Scheduled sampling](glossary.md#scheduled-sampling) (Bengio et al. 2015) is
# the proposed remedy: already in training, the decoder reads its own last
# prediction instead of the true token, first never, at the end half of the
# time. We train the 64 units once more in this way, everything else equal.

# %%
fall = 0.5 / (EPOCHS * -(-DATES // 64))  # from 1 to 0.5 while it trains
schedule = ScheduledSampling("linear", 1.0, slope=fall, floor=0.5)
sampled = train(lambda: Seq2Seq(*sizes, middle, scheduled_sampling=schedule))
print(middle, "units, scheduled sampling:")
exact_sampled = report(sampled)

# %% [markdown]
# It does what it is meant to do: after an error, running free now gets 0.92
# instead of 0.82. But no more whole dates are right (0.36 and 0.40), because a
# whole date is one without a *first* error. Where one wrong word is bearable,
# as in a long translation, recovering is worth more than here.

# %% [markdown]
# ## Picture
#
# ### Long sources
#
# The lectures call the context vector a [bottleneck](glossary.md#bottleneck):
# everything must pass through it, so long sources should suffer. Sort the
# held-out dates by the length of their source:

# %%
lengths = np.array([len(text) for text in texts_test])
order = np.argsort(lengths, kind="stable")
fifths = np.array_split(order, 5)
lesson.show(
    plots.curves(
        {f"{n} units": [r[t].mean() for t in fifths] for n, r in exact.items()},
        x=[lengths[t].mean().round() for t in fifths],
        xlabel="length of the source (characters), in fifths of the test set",
        ylabel="dates right, held out (share)",
    ),
    "by_length",
    "Share of held-out dates that are right, by the length of the source, for "
    "networks of three widths. No line ends lower than it began.",
)
thirds = np.array_split(order, 3)
for name, rows in ("shortest", thirds[0]), ("longest", thirds[2]):
    print(f"{name} third: {exact[wide][rows].mean():.3f} right")

# %% [markdown]
# For dates the claim is *not* borne out: the longest third is better than the
# shortest. The reason is that a long date says no more than a short one.
# "sunnuntaina 3. joulukuuta 2023 jälkeen Kristuksen syntymän" has 58 characters
# and contains a year, a month and a day. In a text each further word adds
# something that must be kept, and there the claim holds: with sentences, Cho et
# al. (2014, "On the properties of neural machine translation") measured that
# the quality falls as they get longer.
#
# But why are short dates a little harder? Look at the errors:

# %%
ids = generate(model, source_test, max_length=11).ids
free, written = ids == labels_test, write.detokenize(ids)
for row in np.flatnonzero(~exact[wide])[:6]:
    print(f"{texts_test[row]} -> {written[row]}, not {answers_test[row]}")
year_first = begins[:, 0] < begins[:, 8]
shortest = np.isin(np.arange(TESTS), thirds[0])
for name, rows in {
    "year first": year_first,
    "day before year": ~year_first,
    "day before year, shortest third": ~year_first & shortest,
}.items():
    fields = [
        free[rows, a:b].all(1).mean() for a, b in ((0, 4), (5, 7), (8, 10))
    ]
    print(
        f"{name}: {rows.sum()} dates, {exact[wide][rows].mean():.3f} right",
        end="",
    )
    print(", year {:.3f}, month {:.3f}, day {:.3f}".format(*fields))

# %% [markdown]
# Nearly all errors are in Korean dates, the only ones that begin with the year:
# about 0.91 of them are right, and 0.999 of the others, short ones included.
# Korean is one language of ten, and with the year in front, its month and its
# day stand where other languages have other things. The model finds the year
# but confuses digits of the other two, as in the lines above. What is hard is a
# *rare order*, not a length. A single average would have hidden this: look at
# the languages of your data one by one.

# %% [markdown]
# ### Narrow vectors
#
# 32 units failed. Was it the width of the context vector? The three networks
# above differ in everything: with 32 units the embeddings, the encoder and the
# decoder are small too. To ask about the vector alone, we keep two networks of
# 128 units and put a narrow vector between them: one `Dense` layer makes it, a
# second one widens it again (these two layers are an addition).


# %%
def narrowed(width):
    """Build two networks of full width with a narrow vector between them."""
    x = keras.Input((None,), dtype="int32", name="source")
    y = keras.Input((None,), dtype="int32", name="target")
    encoder = Seq2SeqEncoder(sizes[0], wide, return_state=True)
    _, ((h,),) = encoder(x)
    c = keras.layers.Dense(width, name="context")(h)
    start = keras.layers.Dense(wide)(c)
    logits = Seq2SeqDecoder(sizes[1], wide)(y, [[start]])
    return keras.Model({"source": x, "target": y}, logits)


through = {}
for width in NARROW:
    squeezed = train(lambda width=width: narrowed(width))
    through[width] = right_with_true_inputs(squeezed).all(axis=1).mean()

# %%
alone = dict.fromkeys(WIDTHS, np.nan) | through
whole = dict.fromkeys(NARROW, np.nan)
whole |= {width: right.mean() for width, right in exact.items()}
widths = sorted(alone)
name_alone = f"only the vector, between networks of {wide} units"
lesson.show(
    plots.curves(
        {
            "embeddings and networks too": [whole[width] for width in widths],
            name_alone: [alone[width] for width in widths],
        },
        x=widths,
        xlabel="width of the context vector",
        ylabel="dates right, held out (share)",
    ),
    "width",
    "Share of held-out dates that are right, by the width of the context "
    "vector. If only the vector is narrow, 16 numbers carry most dates; if the "
    "networks are small as well, 32 carry almost none.",
)
for width, share in through.items():
    print(f"{width} numbers between two networks of {wide}: {share:.3f} right")

# %% [markdown]
# Through 16 numbers 0.83 of the dates are right; the networks of 32 units, with
# a vector twice as wide, had 0.002. So their failure says little about the
# vector: within the same number of steps they have not learned to read and to
# write. With 4 numbers, though, almost nothing passes. And yet there is little
# to carry: a date is one of 73,049 days, which is 17 bits, and a single number
# has 32. (In exercise 4 you put a date into one.) What is scarce is not room,
# but a form that gradient descent finds and the decoder can take apart.
#
# "And wasteful for short inputs", the lectures add. Let us see how much of the
# 128 numbers is used. We take the training vectors, find the directions in
# which they vary most (principal components), and let the decoder write from
# held-out vectors of which only the first k directions are kept.


# %%
def contexts(model, ids):
    parts = np.split(ids, range(1000, len(ids), 1000))
    return np.concatenate(
        [ops.convert_to_numpy(model.encode(part)) for part in parts]
    )


def write_from(c):
    """Let the decoder run free from given context vectors."""
    ids, written = np.full(len(c), model.start_id), []
    state = {"cells": [[c]], "source": {"context": c}}
    for _ in range(11):
        logits, state = model.step(ids, state)
        ids = ops.convert_to_numpy(ops.argmax(logits, axis=-1))
        written.append(ids)
    return np.stack(written, axis=1)


some = slice(0, 5000)  # enough for what follows
c, c_test = contexts(model, source[some]), contexts(model, source_test)

# %%
center = c.mean(axis=0)
_, _, directions = np.linalg.svd(c - center, full_matrices=False)
kept = [k for k in (4, 8, 16, 24, 32, 48, 64, 96, 128) if k <= wide]
short, long = lengths <= 15, lengths >= 23
shares = {"at most 15 characters": [], "at least 23 characters": []}
for k in kept:
    axes = directions[:k]
    projected = center + (c_test - center) @ axes.T @ axes
    right = (write_from(projected) == labels_test).all(axis=1)
    for name, rows in zip(shares, (short, long)):
        shares[name].append(right[rows].mean())
lesson.show(
    plots.curves(
        shares,
        x=kept,
        xlabel="directions of the context vector that are kept",
        ylabel="dates right, held out (share)",
    ),
    "directions",
    "Share of held-out dates that are right if only the first k principal "
    "directions of the context vector are kept. The lines of short and of long "
    "sources coincide.",
)

# %% [markdown]
# About 32 directions suffice for 0.9 of the dates, and short sources need as
# many as long ones, because they say as much. In this sense nothing is wasted.
# What is fixed is the cost: 128 numbers of 32 bits are 512 bytes, for a source
# of 8 characters as for one of 62.
#
# ### What is in the vector?
#
# A [linear probe](glossary.md#linear-probe) is a linear model that predicts a
# property of the source from its vector. If that works on held-out vectors, the
# property is in there, and one matrix is enough to read it. For comparison, the
# same with an encoder that has not been trained, and with the most common
# class.


# %%
def probe(x, y, x_test, y_test):
    """Fit a linear model by least squares; return the share it gets right."""
    classes, y = np.unique(y, return_inverse=True)
    x, x_test = (np.c_[v, np.ones(len(v))] for v in (x, x_test))
    square = x.T @ x + np.eye(x.shape[1])  # (a little ridge)
    weights = np.linalg.solve(square, x.T @ np.eye(len(classes))[y])
    found = classes[(x_test @ weights).argmax(axis=1)]
    return np.mean(found == y_test)


# %%
def compare_probes(function, rows, rows_test):
    """Return the share right: untrained, trained, always the same class."""
    train_pairs = zip(texts[some], answers[some])
    y = np.array([function(*pair) for pair in train_pairs])[rows]
    test_pairs = zip(texts_test, answers_test)
    y_test = np.array([function(*pair) for pair in test_pairs])[rows_test]
    most_common = Counter(y.tolist()).most_common(1)[0][0]
    return [
        probe(before[rows], y, before_test[rows_test], y_test),
        probe(c[rows], y, c_test[rows_test], y_test),
        np.mean(y_test == most_common),
    ]


keras.utils.set_random_seed(SEED)
untrained = Seq2Seq(*sizes, wide)
untrained(inputs_toy)
before = contexts(untrained, source[some])
before_test = contexts(untrained, source_test)

# %%
every, every_test = np.ones(len(c), bool), np.ones(TESTS, bool)
print(f"{'':28} untrained  trained  most common")
for name, function in {
    "decade": lambda text, answer: answer[2],
    "last digit of the year": lambda text, answer: answer[3],
    "month": lambda text, answer: answer[5:7],
    "day": lambda text, answer: answer[8:],
    "first letter of the source": lambda text, answer: text[0],
    "last letter of the source": lambda text, answer: text[-1],
    "in Korean": lambda text, answer: bool(re.search("[가-힣]", text)),
}.items():
    found = compare_probes(function, every, every_test)
    print(f"{name:28}", *(f"{share:9.2f}" for share in found))

# %% [markdown]
# The untrained encoder can tell the last letter without an error, hence
# something of the year, which often stands there; of the day and the month it
# has kept almost nothing. Training has changed that: the decade and the last
# digit of the year, then the month, then the day, in this order. (The decoder,
# which is not linear, reads more than the probe.) Of the first letter, often
# that of a weekday, less is left: the answer does not need it. That the date
# was Korean is still in there. That had to be known for the order of the
# fields.
#
# ### Does it know the last letters best?
#
# So say the lectures. Two pictures. First, the probe again: how often can it
# name the letter that stands k places before the end?

# %%
LAST = 16
rows = np.array([len(text) >= LAST for text in texts[some]])
rows_test = lengths >= LAST
readable = np.array(
    [
        compare_probes(lambda t, _, k=k: t[-1 - k :][:1], rows, rows_test)
        for k in range(LAST)
    ]
)
labels_of_lines = ("untrained", "trained", "most common character")
lesson.show(
    plots.curves(
        dict(zip(labels_of_lines, readable.T)),
        x=range(LAST),
        xlabel="distance of the character from the end of the source",
        ylabel="read off the context vector, held out (share)",
    ),
    "readable",
    "Share of letters that a linear probe names, by their distance from the "
    "end of the source. Both encoders know the last letters best, the "
    "untrained one even better than the trained one.",
)

# %% [markdown]
# Second, the gradient, as in lesson `01_rnn`: how far does the context vector
# move if the embedding of one letter is changed a little?

# %%
length = sorted(lengths)[TESTS // 2]
alike = source_test[lengths == length, :length]  # no padding


def influence(model):
    """Norm of the gradient of c by each character, divided by the mean."""
    layer = model.encoder.recurrent_layers[0]
    x = model.encoder.token_embedding(alike)
    norms = gradient_by_lag(lambda x: layer(x)[0][:, -1], x)[::-1]
    return norms / norms.mean()


# %%
moved = {"untrained": influence(untrained), "trained": influence(model)}
lesson.show(
    plots.curves(
        moved,
        xlabel=f"position of the character in a source of {length}",
        ylabel="gradient of the context vector, mean 1",
        baselines={"all equal": 1.0},
    ),
    "recency",
    "Gradient of the context vector by each letter of the source, mean 1. "
    "Untrained, only the last letters move it; trained, all of them do, the "
    "last one most.",
)
for name, norms in moved.items():
    print(f"{name:9} first {norms[0]:.3f}, last {norms[-1]:.2f}")

# %% [markdown]
# For the letters, the claim is borne out, before training even more than after.
# For the *content* it is so only in part. In most formats the day is read
# before the year, and the probe finds the year best and the day worst: that
# fits. But Korean dates end with the day, and there, too, the day is wrong most
# often, and the year, read first, hardly ever. What the answer needs, and what
# was frequent in training, counts as much as what came last.
#
# ### How far back does the decoder look?
#
# The decoder is a recurrent network as well. How strongly does its state depend
# on a token that it read k steps before, and on the context vector, with which
# it began?

# %%
few = slice(0, 300)
start = c_test[few]
layer = model.decoder.recurrent_layers[0]
x = model.decoder.token_embedding(inputs_test["target"][few])
x = ops.convert_to_numpy(x)
v = np.random.default_rng(SEED).normal(size=start.shape).astype("float32")
v /= np.linalg.norm(v, axis=1, keepdims=True)


# %%
def state_along_v(x, c):
    return ops.sum(v * layer(x, initial_state=[c])[:, -1])


def size(gradient):
    return np.sqrt(np.mean(np.sum(gradient**2, axis=-1), axis=0))


by_token = size(input_gradient(lambda x: state_along_v(x, start), x))[::-1]
by_context = [
    size(input_gradient(lambda c, t=t: state_along_v(x[:, :t], c), start))
    for t in range(1, 12)
]

# %%
lesson.show(
    plots.curves(
        {"token read": by_token, "context vector": by_context},
        x=range(1, 12),
        xlabel="steps before the state",
        ylabel="gradient of the state of the decoder",
        log=True,
    ),
    "reach",
    "Gradient of the state of the decoder, logarithmic. The influence of a "
    "token that it read falls within eleven steps to a hundredth, that of the "
    "context vector does not fall.",
)

for k in 1, 6, 11:
    print(f"{k:2} steps before: token {by_token[k - 1]:.3f}", end="")
    print(f", context vector {by_context[k - 1]:.2f}")

# %% [markdown]
# **What you should see.** *Length:* three lines, one above the other, and none
# of them ends lower than it began. *Width:* the line of the vector alone lies
# far to the left of the other. *Directions:* both lines rise steeply between 16
# and 32 and stay together. *Letters:* follow the lines to the right, away from
# the end. The trained encoder stays above 0.8 for five letters (in nearly half
# of the sources the year and the space before it), then falls to about 0.4; the
# untrained one lies above it for ten letters. The lowest line jumps up at
# distance 4, where a space is often the right guess. *Gradient:* the untrained
# line is flat and then shoots up to 8; the trained one begins at a third of the
# mean and ends at three times the mean. *Decoder:* the lower line ends at
# 0.003. So the window through which the decoder sees its own output is short
# indeed. But the upper line stays between 0.6 and 1: the gates carry the
# context vector to the last step.

# %% [markdown]
# ## The number beside a baseline


# %%
def copied(text):
    """Copy the numbers of the source; a month that is a word is July."""
    numbers = re.findall("[0-9]+", text)
    year = max(numbers, key=len)
    rest = [number for number in numbers if number != year]
    if len(rest) == 1:
        rest = ["7", *rest]
    elif numbers[0] != year:
        rest = rest[::-1]
    month, day = rest
    return f"{year}-{month:0>2}-{day:0>2}"


common = Counter(answers).most_common(1)[0][0]
baselines = {
    "most common answer": [common] * TESTS,
    "answer to the nearest text": nearest_answer(texts, answers, texts_test),
    "numbers copied, July": [copied(text) for text in texts_test],
}
for name, found in baselines.items():
    share = exact_match(answers_test, found)
    print(f"{name:28} {share:.3f}")
    for n, right in exact.items():
        lesson.compare(f"dates right, {n} units", right.mean(), name, share)

# %% [markdown]
# The first two baselines are 0 by construction: no held-out date occurs in
# training. That makes them weak opponents. The third one is a few lines of
# Python, and 64 units are not much better. 128 units are: they know the month
# names in ten languages, and in which order each of them writes a date. What
# the number does *not* show: that the model knows the calendar (it was never
# asked for the 30th of February), that it could read a format that was not in
# training, or that one vector would do for a paragraph. It is one task with
# little to carry, one seed, and 1,252 steps; with more steps the smaller
# networks may gain as well.

# %% [markdown]
# ## Pitfalls
#
# **Target not shifted.** *Symptom:* the loss is nearly zero after a few
# batches, and the model running free repeats one token. Input and label of the
# decoder were the same sequence, so it learned to copy the token it reads.
#
# **No end token in the labels.** *Symptom:* the answer is right and then goes
# on until `max_length`. The model was never told that a text can be over.
#
# **The state after the padding.** *Symptom:* the translation of a text depends
# on the other texts in its batch. The last state must be the one after the last
# *real* letter; here the mask made from `pad_id` takes care of it.
#
# **Only measured with true inputs.** *Symptom:* a small loss, and answers that
# are wrong. A whole answer is right only if all of its tokens are. Report what
# the model writes running free.
#
# **States of different width.** *Symptom:* an error about `initial_state`. The
# last state of a bidirectional encoder is twice as wide as the state of the
# decoder; a `Dense` layer between them makes it fit. `Seq2Seq` adds it with
# `bidirectional=True`.
#
# **One tokenizer for two languages by accident.** *Symptom:* no error, and much
# of the answer is `[UNK]`. Source and target have vocabularies of their own;
# train each tokenizer on its own side.

# %% [markdown]
# ## Exercises
#
# As before: a task, a cell for your code, a check that never stops the lesson,
# and a folded answer.

# %% [markdown]
# ### Exercise 1 (5 minutes): shift a target
#
# Given the ids of a target without special tokens, return the input of the
# decoder and its labels, two lists of equal length.


# %% tags=["exercise"]
def shift(target, start_id, end_id):
    raise NotImplementedError


# %%
with lesson.exercise(1):
    x, y = (list(ids) for ids in shift([7, 8, 9], start_id=2, end_id=3))
    assert len(x) == len(y), f"{len(x)} inputs but {len(y)} labels"
    assert x == [2, 7, 8, 9], f"the input is {x}"
    assert y == [7, 8, 9, 3], f"the labels are {y}"
    x, y = (list(ids) for ids in shift([], start_id=2, end_id=3))
    assert (x, y) == ([2], [3]), "an empty target still has an end"

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def shift(target, start_id, end_id):
#     return [start_id, *target], [*target, end_id]
# ```
#
# </details>

# %% [markdown]
# ### Exercise 2 (15 minutes): run free
#
# Translate a text like `5.3` with `encode` and `decode_step` from the worked
# example. Return a string without `<sos>` and `<eos>`. Stop after five tokens
# even if no end token comes: a model that you did not choose the weights of may
# never predict one.


# %% tags=["exercise"]
def translate(letters):
    raise NotImplementedError


# %%
with lesson.exercise(2):
    for text, right in (
        ("5.3", "35"),
        ("3.5", "53"),
        ("5.5", "55"),
        ("3.3", "33"),
    ):
        found = translate(text)
        assert found == right, f"{text} gives {found!r}, not {right!r}"
    found = translate("...")
    assert found == "", f"nothing was read, but {found!r} is written"

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def translate(letters):
#     h, token, written = encode(letters)[-1], "<sos>", ""
#     for _ in range(5):
#         p, h = decode_step(token, h)
#         token = target_tokens[p.argmax()]
#         if token == "<eos>":
#             break
#         written += token
#     return written
# ```
#
# </details>

# %% [markdown]
# ### Exercise 3 (30 minutes): keep the order
#
# Choose other weights for the decoder so that `5.3` becomes `53`: the day
# first, then the month. The encoder, U and d stay as they are. Return W of
# shape (1, 2) and A of shape (2, 5). Hint: write from the other unit. In which
# unit must it then be crossed off?


# %% tags=["exercise"]
def keep_order():
    raise NotImplementedError


# %%
with lesson.exercise(3):
    W_new, A_new = (np.array(array, float) for array in keep_order())
    shapes = W_new.shape, A_new.shape
    assert shapes == ((1, 2), (2, 5)), f"wrong shapes: {shapes}"
    for text in "5.3", "3.5", "5.5", "3.3":
        h, i, found = encode(text)[-1], 1, ""
        while i != 2 and len(found) < 5:
            h = np.tanh(E_write[i] @ W_new + h @ U_write)
            i = int((h @ A_new + d).argmax())
            found += "" if i == 2 else target_tokens[i]
        right = text.replace(".", "")
        assert found == right, f"{text} gives {found!r}, not {right!r}"

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def keep_order():
#     return [[-0.6, 0]], [[0, 0, 0, 0, 0], [0, 0, 0, -8, 8]]
# ```
#
# After the first swap the day is in unit 2. Written from there, it is in unit 1
# one step later, and that is where it must be crossed off. The context vector
# has no order of its own: the decoder decides in which order to read it out.
#
# </details>

# %% [markdown]
# ### Exercise 4 (30 minutes): a date in one number
#
# How many numbers does a date need? Write `pack`, from "1950-03-05" to one
# number between −1 and 1, and `unpack`, back to the string. In between the
# check rounds the number to 32 bits, as in a context vector, and tries all
# 73,049 dates from 1900 to 2099. Hint: `datetime.date` has `fromisoformat` and
# `toordinal`. Why do the eight digits, read as one number, not work?


# %% tags=["exercise"]
def pack(iso):
    raise NotImplementedError


def unpack(number):
    raise NotImplementedError


# %%
with lesson.exercise(4):
    first, last = np.datetime64("1900-01-01"), np.datetime64("2099-12-31")
    every = [str(day) for day in np.arange(first, last + 1)]
    numbers = np.array([pack(iso) for iso in every], "float32")
    assert np.abs(numbers).max() <= 1, "the numbers must be from -1 to 1"
    message = f"only {len(set(numbers))} of {len(every)} numbers are different"
    assert len(set(numbers)) == len(every), message
    for iso, number in zip(every, numbers):
        found = unpack(float(number))
        assert found == iso, f"{iso} comes back as {found}"

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# import datetime
#
# first_day = datetime.date(1900, 1, 1).toordinal()
#
#
# def pack(iso):
#     day = datetime.date.fromisoformat(iso).toordinal() - first_day
#     return 2 * day / 73_048 - 1
#
#
# def unpack(number):
#     day = round((number + 1) / 2 * 73_048)
#     return datetime.date.fromordinal(day + first_day).isoformat()
# ```
#
# A number of 32 bits has 24 binary digits of precision, about 17 million
# different steps. 73,049 dates need 17 binary digits; the eight decimal digits
# go up to 20,991,231, which is too many. So even a vector of width 1 is not too
# narrow to *hold* a date. But neighboring dates then differ by 0.00003, and the
# decoder would have to take them apart with a few matrix products and tanh.
#
# </details>

# %% [markdown]
# ### Exercise 5 (an evening): the gradient that the encoder receives
#
# Return the gradient of the mean loss with respect to the context vector c, of
# shape (U,). The decoder is a simple recurrent network, h_t = tanh(E[y] W + h
# U + b), with logits h_t A + d; `ids` are its inputs and `labels` its labels.
# Go forward and keep the states and probabilities, then go back, as in the last
# exercise of lesson `01_rnn`. The gradient of the loss with respect to the
# logits is p minus the one-hot label. The check compares with Keras.


# %% tags=["exercise"]
def context_gradient(c, ids, labels, E, W, U, b, A, d):
    raise NotImplementedError


# %%
with lesson.exercise(5):
    keras.utils.set_random_seed(5)
    random_decoder = Seq2SeqDecoder(7, 3, cell="rnn")
    random_decoder(np.array([[2]]))
    x_toy, y_toy = inputs_toy["target"][0], np.array([3, 4, 2])
    x_random, y_random = np.array([2, 5, 6, 5]), np.array([5, 6, 5, 3])
    for decoder, c, x, y in (
        (toy.decoder, context, x_toy, y_toy),
        (random_decoder, np.array([0.5, -0.2, 0.1]), x_random, y_random),
    ):
        right = input_gradient(
            lambda c, f=decoder, x=x, y=y: TokenCrossEntropy()(
                y[None], f(x[None], [[c[None]]])
            ),
            c.astype("float32"),
        )
        found = context_gradient(c, x, y, *decoder.get_weights())
        assert np.shape(found) == c.shape, f"the shape must be {c.shape}"
        message = f"{np.array(found)} instead of {right}"
        assert np.allclose(found, right, atol=1e-5), message

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def context_gradient(c, ids, labels, E, W, U, b, A, d):
#     states, errors = [c], []
#     for i, y in zip(ids, labels):
#         states.append(np.tanh(E[i] @ W + states[-1] @ U + b))
#         p = np.exp(states[-1] @ A + d)
#         p /= p.sum()
#         p[y] -= 1
#         errors.append(p / len(ids))
#     dh = np.zeros(len(c))
#     for h, error in zip(states[:0:-1], errors[::-1]):
#         dh = ((dh + error @ A.T) * (1 - h**2)) @ U.T
#     return dh
# ```
#
# All that the encoder ever learns of the target passes through this one vector,
# in the other direction: the bottleneck is one for the gradient as well.
#
# </details>

# %% [markdown]
# ## Next
#
# The decoder sees the source once, through one vector, before it writes its
# first character. But the encoder had computed a state for *every* letter, and
# all of them except the last were thrown away. The next lesson, `05_attention`,
# keeps them, and lets the decoder choose at each step which of them to read.

# %%
lesson.finish()
