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
# written without a single error: about **0.98** through 128 numbers, about 0.37
# with 64 and nearly none with 32. Copying the numbers of the source and
# guessing July for the month gets 0.28. Repeating the answer to the most
# similar training date gets 0.

# %% [markdown]
# ## What failed
#
# The networks of lesson `03_five_settings` had one output for each input, or
# one output at the end. Could they do it? First the data, then three counts.
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
# | reads | unit 1 = tanh(unit 1 + unit 2) | unit 2 = tanh(letter) |
# |---|---|---|
# | `5` | tanh(0 + 0) = 0 | tanh(1) = 0.762 |
# | `.` | tanh(0 + 0.762) = 0.642 | tanh(0) = 0 |
# | `3` | tanh(0.642 + 0) = 0.566 | tanh(−1) = −0.762 |
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
    """Read the letters; return the last state."""
    h = np.zeros(2)
    for letter in letters:
        x = E_read[1 + source_tokens.index(letter)]
        h = np.tanh(x @ W_read + h @ U_read)
        print(f"reads {letter}: {h}")
    return h


context = encode("5.3")

# %% [markdown]
# **Decoder.** Unit 1 is what is written next, unit 2 is what is still to come.
# At each step the two change places, and 0.6 times the token that was just read
# is subtracted from the number that is moved to unit 2: what has been written
# is crossed off.
#
# | reads | unit 1 = tanh(unit 2) | unit 2 = tanh(unit 1 − 0.6 · token) | predicts |
# |---|---|---|---|
# | `<sos>` | tanh(−0.762) = −0.642 | tanh(0.566) = 0.513 | `3` |
# | `3` | tanh(0.513) = 0.472 | tanh(−0.642 + 0.6) = −0.042 | `5` |
# | `5` | tanh(−0.042) = −0.042 | tanh(0.472 − 0.6) = −0.127 | `<eos>` |
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


h, by_hand, true = context, [], ["<sos>", "3", "5", "<eos>"]
for token, label in zip(true, true[1:]):
    p, h = decode_step(token, h)
    by_hand.append(p)
    nats = -np.log(p[target_tokens.index(label)])
    print(f"reads {token:5} state {h}  p({label}) = {np.exp(-nats):.3f}", end="")
    print(f"  loss {nats:.3f}")

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
inputs = {"source": np.array([[3, 1, 2]]), "target": np.array([[1, 3, 4]])}
toy(inputs)  # creates the weights
b = np.zeros(2)
reading, writing = [E_read, W_read, U_read, b], [E_write, W_write, U_write, b]
toy.set_weights([*reading, *writing, A, d])
c = ops.convert_to_numpy(toy.encode(inputs["source"]))
p = ops.convert_to_numpy(ops.softmax(toy(inputs)))
print("context vector:", c[0])
assert np.allclose(c[0], context, atol=1e-6)
assert np.allclose(p[0], by_hand, atol=1e-6)
written = generate(toy, inputs["source"], max_length=5).ids[0]
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


def train(make):
    keras.utils.set_random_seed(SEED)
    model = make()
    batches = BatchByLength(forced, labels, 64, buckets=BUCKETS, seed=SEED)
    model(batches[0][0])  # creates the weights
    rate = WarmupCosineDecay(4e-3, EPOCHS * len(batches))
    optimizer = keras.optimizers.Adam(rate, clipnorm=1.0)
    model.compile(optimizer, loss=TokenCrossEntropy())
    print(f"{model.count_params():,} weights")
    model.fit(batches, epochs=EPOCHS, shuffle=False)  # `batches` shuffles
    return model


models = {n: train(lambda n=n: Seq2Seq(*sizes, n)) for n in WIDTHS}
narrow, *_, middle, wide = *WIDTHS[:1], *WIDTHS[-2:]
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


def right_with_true_inputs(model):
    logits = model.predict(inputs_test, batch_size=500, verbose=0)
    return logits.argmax(axis=-1) == labels_test


def right_running_free(model):
    written = generate(model, source_test, max_length=11).ids
    return written == labels_test


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
# TODO text
