# %% [markdown]
# # 14. Which model when: the whole road on one task
#
# Every model of this course was shown on a task of its own, with its own data
# and its own number of steps. In this lesson six of them do the same task: read
# a list of dates in English and Korean, and write it in one fixed form. You
# count by hand what a recurrent layer and an attention layer cost, train the
# six models on equal data with equal steps and about equal numbers of weights,
# and then read two tables and a guide in which every line has a number. You
# need lessons 00 to 13. Running everything takes about four minutes on two
# processor cores.

# %%
import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # keeps TensorFlow's log quiet

import datetime
import functools
import inspect
import re
import time

import keras
import numpy as np
from keras import ops
from matplotlib.figure import Figure

# %%
from keras_seq import plots
from keras_seq.evaluation import exact_match, nearest_answer, time_interleaved
from keras_seq.generation import generate
from keras_seq.layers import (
    GRU,
    LSTM,
    LSTMCell,
    MultiHeadAttention,
    SimpleRNN,
)

# %%
from keras_seq.models import (
    BahdanauSeq2Seq,
    LuongSeq2Seq,
    Seq2Seq,
    Transformer,
)
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
lesson = Lesson("14_which_model_when")

# %% tags=["parameters"]
ROAD = ("RNN", "GRU", "LSTM", "Bahdanau", "Luong", "Transformer")
LISTS = 8_000
TESTS = 300  # held-out lists of each number of dates
EPOCHS = 4
BUCKETS = (20, 40)  # lengths to which we pad
SEED = 0

# %% [markdown]
# ## Question
#
# **Which model should one take, and how can one know before weeks of training
# have been spent?**
#
# "Not always a Transformer" is easy to say. Here it gets numbers. A list
# such as `March 5, 1950; 1986년 2월 1일` has to become `1950-03-05
# 1986-02-01`, and an answer counts only if every character is right. On 600
# [held-out](glossary.md#held-out) lists of one and two dates the model with
# Bahdanau's attention gets about **1.00**, the Transformer **0.88**, and
# the three with one vector between 0.31 and 0.38, after equally many steps.
# Copying the numbers and guessing July gets 0.39. And on lists of three
# dates, one more than in training, all six get 0.

# %% [markdown]
# ## What failed
#
# Nothing failed in the lessons before; what fails is to compare their numbers.
# Here are four of them, all for the same task, dates of ten languages that were
# not used for training.

# %%
FOUND = (
    # lesson, model, dates, epochs, right
    ("04", "Seq2Seq, 128 units", 20_000, 4, 0.99),
    ("05", "Seq2Seq, 128 units", 10_000, 2, 0.10),
    ("05", "Bahdanau, 128 units", 10_000, 2, 1.00),
    ("07", "Transformer, width 64", 10_000, 2, 0.79),
)
for number, model, dates, epochs, right in FOUND:
    print(f"lesson {number}: {model:22} {right:.2f}", end="")
    print(f"   {dates * epochs:6,} dates read in training")

# %% [markdown]
# Is the Transformer better than the model with one [context
# vector](glossary.md#context-vector), or worse? By these lines it is both: 0.79
# is more than 0.10 and less than 0.99. The model of the first line has read
# four times as many dates as the others. And the lines do not even say that the
# model with attention of lesson 05 has about six times as many weights as the
# Transformer of lesson 07, and another learning rate. A comparison needs one
# task, equal data, equal steps and about equal numbers of weights, and the same
# care on all sides. That is what this lesson is for.

# %% [markdown]
# ## Diagram
#
# What stands between a source and its answer? In the oldest of the models, one
# vector of fixed width:
#
# ![The encoder reads the source into its final state, the context vector of
# fixed width; the decoder starts from it and predicts the target, one token at
# a time.](../docs/diagrams/encoder_decoder.en.svg)
#
# With attention, all states of the encoder, weighted anew at each step:
#
# ![Bahdanau's decoder attends with its previous hidden state, and its cell
# reads the context vector. Luong's decoder first computes its new hidden state
# and attends with it.](../docs/diagrams/bahdanau_luong.en.svg)
#
# In a Transformer there is no recurrence on either side:
#
# ![An encoder block: self-attention, then a position-wise feed-forward network,
# each with a residual connection and layer
# normalization.](../docs/diagrams/encoder_block.en.svg)
#
# | model | reads the source | between source and answer | writes |
# |---|---|---|---|
# | RNN, GRU, LSTM | step by step | one vector | step by step |
# | Bahdanau, Luong | step by step | all vectors | step by step |
# | Transformer | all at once | all vectors | step by step |
#
# The last column is the same everywhere. Whatever differs in speed when a model
# writes is a matter of the cost of one step.

# %% [markdown]
# ## A worked example
#
# What does a layer cost? Count its *multiply-adds*: one number times another,
# added to a sum. A product of a matrix (a, b) and a matrix (b, c) needs a · b ·
# c of them. Take T = 3 tokens of width D = 2.
#
# **An LSTM** with 2 units computes two products at each step, before the gates:
#
#     x_t W:      (1, 2) times (2, 8)     16
#     h U:        (1, 2) times (2, 8)     16
#     three steps of 32                   96
#
# **Self-attention** with one head of width 2:
#
#     x W_Q, x W_K, x W_V: (3, 2) times (2, 2), each 12     36
#     scores Q K^T:        (3, 2) times (2, 3)              18
#     weighted sum A V:    (3, 3) times (3, 2)              18
#     output, times W_O:   (3, 2) times (2, 2)              12
#     together                                              84
#
# (Gates, softmax and biases are left out; they grow only with T · D or with T ·
# T.) Now both in NumPy, with a product that counts, and then the layers.

# %%
counted = 0


def times(A, B):
    """Multiply two matrices, and count the multiply-adds."""
    global counted
    counted += A.shape[0] * A.shape[1] * B.shape[1]
    return A @ B


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def lstm(x, W, U, b):
    h = c = np.zeros((1, len(U)))
    outputs = []
    for x_t in x:  # each step needs the h of the step before
        i, f, g, o = np.split(times(x_t[None], W) + times(h, U) + b, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        outputs.append(h[0])
    return np.array(outputs)


# %%
def self_attention(x, W_Q, W_K, W_V, W_O):
    Q, K, V = times(x, W_Q), times(x, W_K), times(x, W_V)
    powers = np.exp(times(Q, K.T) / np.sqrt(Q.shape[1]))
    A = powers / powers.sum(axis=1, keepdims=True)  # (T, T)
    return times(times(A, V), W_O)


keras.utils.set_random_seed(SEED)
x = np.array([[1, 0], [0, 1], [1, 1]], "float32")
layer = LSTM(2, return_sequences=True)
right = ops.convert_to_numpy(layer(x[None]))[0]
assert np.allclose(lstm(x, *layer.get_weights()), right, atol=1e-5)
print("LSTM, T = 3, D = 2:          ", counted)

counted = 0
layer = MultiHeadAttention(1, 2)
right = ops.convert_to_numpy(layer(x[None]))[0]
W_Q, _, W_K, _, W_V, _, W_O, _ = layer.get_weights()  # the biases are 0
matrices = [W.reshape(2, 2) for W in (W_Q, W_K, W_V, W_O)]
assert np.allclose(self_attention(x, *matrices), right, atol=1e-5)
print("self-attention, T = 3, D = 2:", counted)

# %% [markdown]
# Both layers give our numbers, and the counts are 96 and 84. With a fourth
# token it would be 128 and 128. From then on attention costs more, because 18 +
# 18 grows with T times T and everything else with T.

# %% [markdown]
# ## The equation
#
#     RNN                2 T D^2
#     GRU                6 T D^2
#     LSTM               8 T D^2
#     self-attention     4 T D^2 + 2 T^2 D
#     block              4 T D^2 + 2 T^2 D + 2 T D F
#
#     LSTM = self-attention where  8 T D^2 = 4 T D^2 + 2 T^2 D,  that is T = 2 D
#
#     products that must wait for each other:  T (recurrent),  1 (attention)
#
# T is the length, D the width of inputs and of units, F the inner width of the
# feed-forward network. Where does 8 T D² come from? A weight of a matrix is
# used once for each token. So the part that grows with T can be counted from
# the weights of a layer: their number, without biases, times T. What is left
# are the scores and the weighted sum, which have no weights at all.

# %%


def multiply_adds(layer, T, D):
    """Count from the weights: each is used once for each token."""
    layer.build((1, T, D))
    weights = sum(
        np.prod(w.shape) for w in layer.weights if "bias" not in w.path
    )
    pairs = 2 * T * T * D if isinstance(layer, MultiHeadAttention) else 0
    return int(T * weights + pairs)


D = 64
print("width 64   RNN        GRU        LSTM       self-attention")
for T in (16, 64, 128, 256, 1024):
    layers = SimpleRNN(D), GRU(D), LSTM(D), MultiHeadAttention(4, D // 4)
    found = [multiply_adds(layer, T, D) for layer in layers]
    expected = [2 * T * D**2, 6 * T * D**2, 8 * T * D**2]
    assert found == [*expected, 4 * T * D**2 + 2 * T * T * D]
    print(f"T = {T:4}", *(f"{count:10,}" for count in found))

# %% [markdown]
# With D = 64 the two lines cross at 128 tokens. Remember lesson
# `06_self_attention`: there the LSTM of width 64 was the faster layer at every
# measured length, from 128 on. From 128 tokens on it also has less to compute.
#
# But the count is not the time. In lesson `07_transformer` a whole block (D =
# 128, F = 512) and an LSTM of 167 units read sequences of 1,024 vectors. Which
# one has more to compute?

# %%
T, D, F, U = 1024, 128, 512, 167
block = T * (4 * D**2 + 2 * D * F) + 2 * T**2 * D
recurrent = T * 4 * (D * U + U**2)
print(f"block / LSTM at T = 1,024: {block / recurrent:.2f} times the work")
print("products in a row: block 1 for each matrix, LSTM", T)
print(inspect.getsource(LSTMCell.step))

# %% [markdown]
# The block computes more than twice as much and needed a third of the time: the
# LSTM has 1,024 small products that wait for each other (in the code, `h` on
# the right is that of the step before), the block a few large ones. So two
# numbers describe the cost of a layer: how much there is to compute, and how
# much of it can be computed at once. The first one favors attention in short
# sequences, the second one in training on long ones.

# %% [markdown]
# ## Code
#
# The data: lists of one or two dates, each written in one of two English or two
# Korean ways. Days are divided by their number, so that no day of a validation
# or test list occurs in training.

# %%
MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
FIRST = datetime.date(1900, 1, 1).toordinal()
AFTER = datetime.date(2100, 1, 1).toordinal()


def write_date(day, style):
    y, m, d, month = day.year, day.month, day.day, MONTHS[day.month - 1]
    return (
        f"{month} {d}, {y}",
        f"{d} {month[:3]} {y}",
        f"{y}년 {m}월 {d}일",
        f"{y}. {m}. {d}.",
    )[style]


# %%
def make_lists(count, sizes, remainders, seed):
    """Write lists of dates; a day belongs to a split by its number mod 5."""
    rng = np.random.default_rng(seed)
    days = [n for n in range(FIRST, AFTER) if n % 5 in remainders]
    texts, answers = [], []
    for _ in range(count):
        size = rng.choice(sizes)
        chosen = [datetime.date.fromordinal(n) for n in rng.choice(days, size)]
        styles = rng.integers(4, size=size)
        texts.append("; ".join(map(write_date, chosen, styles)))
        answers.append(" ".join(day.isoformat() for day in chosen))
    return texts, answers


texts, answers = make_lists(LISTS, (1, 2), (0, 1, 2), SEED)
for text, answer in zip(texts[:5], answers):
    print(answer, "<-", text)
read, write = CharTokenizer.train(texts), CharTokenizer.train(answers)
sizes = read.vocabulary_size(), write.vocabulary_size()
print("tokens of the source, of the answer:", sizes)


# %%
def batches(texts, answers, size, **options):
    pairs = teacher_forcing(
        read.tokenize(texts, end=True),
        write.tokenize(answers, start=True, end=True),
    )
    return BatchByLength(*pairs, size, buckets=BUCKETS, **options)


training = batches(texts, answers, 64, seed=SEED)
validation = make_lists(TESTS, (1, 2), (3,), SEED + 1)
validation = batches(*validation, TESTS // 2, shuffle=False)

# %% [markdown]
# Each model gets the best form that its lesson found. The encoders of the
# recurrent models read from both ends, and the decoder with one context vector
# reads it at *every* step (`feed_context`, lesson `05_attention`). The widths
# are chosen so that each model has about 100,000 weights. The learning rate,
# 0.005, is the one that lesson `07_transformer` chose for its Transformer; it
# was not searched again here, which favors the Transformer, if any of them. The
# [validation set](glossary.md#validation-set) only serves to draw the curves.

# %%
WIDTHS = {
    "RNN": 92,
    "GRU": 65,
    "LSTM": 55,
    "Bahdanau": 56,
    "Luong": 64,
    "Transformer": 68,
}
RATE = 5e-3


# %%
def make(name):
    width, recurrent = (
        WIDTHS[name],
        {"embedding_dim": 32, "bidirectional": True},
    )
    if name == "Bahdanau":
        return BahdanauSeq2Seq(*sizes, width, **recurrent)
    if name == "Luong":
        return LuongSeq2Seq(*sizes, width, **recurrent)
    if name == "Transformer":
        options = {"num_heads": 4, "num_layers": 1, "normalize_first": True}
        options |= {"dropout": 0.0, "intermediate_dim": 2 * width}
        return Transformer(*sizes, width, max_sequence_length=64, **options)
    cell = {"cell": name.lower(), "feed_context": True}
    return Seq2Seq(*sizes, width, **recurrent, **cell)


# %% [markdown]
# The time of training is taken without the time that the framework needs to
# prepare a graph for each length: seconds of a step in the last epoch, times
# the number of steps.


# %%
class Stopwatch(keras.callbacks.Callback):
    """Measure the training steps of each epoch."""

    def on_epoch_begin(self, epoch, logs=None):
        self.seconds = []

    def on_train_batch_begin(self, batch, logs=None):
        self.begin = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        self.seconds.append(time.perf_counter() - self.begin)


# %%
def train(name):
    keras.utils.set_random_seed(SEED)
    training = batches(texts, answers, 64, seed=SEED)
    model, watch = make(name), Stopwatch()
    model(training[0][0])  # creates the weights
    steps = EPOCHS * len(training)
    rate = WarmupCosineDecay(RATE, steps, warmup_steps=steps // 10)
    model.compile(
        keras.optimizers.Adam(rate, clipnorm=1.0),
        loss=TokenCrossEntropy(),
        metrics=[SequenceAccuracy()],
    )
    print(f"{name}: {model.count_params():,} weights, {steps} steps")
    history = model.fit(
        training,
        epochs=EPOCHS,
        shuffle=False,  # `training` shuffles
        validation_data=validation,
        callbacks=[watch],
    ).history["val_sequence_accuracy"]
    return model, history, np.mean(watch.seconds)


# %%
models, right_by_epoch, step_seconds = {}, {}, {}
for name in ROAD:
    found = train(name)
    models[name], right_by_epoch[name], step_seconds[name] = found

# %% [markdown]
# `SequenceAccuracy` is measured with teacher forcing: the decoder reads the
# true characters. Now each model writes by itself, 300 held-out lists each of
# one and two dates, and as many of *three*. No list in training had three: here
# you see what happens beyond the known length.

# %%
COUNTS = (1, 2, 3)
groups = [make_lists(TESTS, (n,), (4,), SEED + 1 + n) for n in COUNTS]
source = read.tokenize([t for group in groups for t in group[0]], end=True)
LONGEST = 11 * len(COUNTS)  # three dates, two spaces, the end


def share_right(model):
    """Return the share of right answers for each number of dates."""
    shares = []
    for n, (_, expected) in enumerate(groups):
        rows = source[n * TESTS : (n + 1) * TESTS]
        ids = generate(model, rows, max_length=LONGEST).ids
        shares.append(exact_match(expected, write.detokenize(ids)))
    return shares


by_count = {name: share_right(model) for name, model in models.items()}
right = {name: np.mean(shares[:2]) for name, shares in by_count.items()}

# %% [markdown]
# And the time of one answer to one text, a list of two dates; the answer has 21
# characters. The models take turns.

# %%
one = source[TESTS : TESTS + 1]
answer_seconds = time_interleaved(
    {
        name: functools.partial(generate, model, one, max_length=22)
        for name, model in models.items()
    },
    rounds=9,
    warmup=2,
)
answer_ms = {k: 1000 * np.median(v) for k, v in answer_seconds.items()}
print("             weights   right   ms a step   ms an answer")
for name, model in models.items():
    print(f"{name:12} {model.count_params():7,}   {right[name]:.3f}", end="")
    print(f"   {1000 * step_seconds[name]:9.1f}   {answer_ms[name]:12.1f}")

# %% [markdown]
# ## Picture
#
# First the count of the worked example, for each token of a sequence, by the
# length of the sequence.

# %%
D, T = 64, 2 ** np.arange(4, 10)
per_token = {
    "RNN": np.full(len(T), 2 * D**2),
    "GRU": np.full(len(T), 6 * D**2),
    "LSTM": np.full(len(T), 8 * D**2),
    "self-attention": 4 * D**2 + 2 * T * D,
}
figure = plots.curves(
    per_token,
    x=T,
    xlabel="length T (tokens)",
    ylabel="multiply-adds for each token, width 64",
)
figure.axes[0].set_xscale("log", base=2)
figure.axes[0].set_xticks(T, T)
lesson.show(
    figure,
    "cost",
    "Multiply-adds for each token by length. Three level lines of recurrent "
    "layers; self-attention crosses the GRU at 64 and the LSTM at 128 tokens.",
)

# %% [markdown]
# Then the six models: what they get right, after how many seconds of training,
# and for how many dates.

# %%
figure = Figure(figsize=(7.5, 4.5), layout="constrained")
axes = figure.add_subplot()
axes.set(
    xlabel="seconds of training", ylabel="share of right lists, validation"
)
axes.spines[["top", "right"]].set_visible(False)
for marker, (name, shares) in zip("os^DvP", right_by_epoch.items()):
    seconds = step_seconds[name] * len(training) * np.arange(1, EPOCHS + 1)
    (line,) = axes.plot(seconds, shares, marker=marker)
    axes.annotate(
        name,
        (seconds[-1], shares[-1]),
        (4, -5),
        textcoords="offset points",
        color=line.get_color(),
        va="top",
    )
lesson.show(
    figure,
    "training",
    "Share of right validation lists against the seconds of training, a point "
    "for each epoch. Bahdanau and Luong reach 1; one vector stays below 0.4.",
)

# %%
lesson.show(
    plots.curves(
        by_count,
        x=COUNTS,
        xlabel="number of dates in the list (three: in no training list)",
        ylabel="share of right lists, held out",
    ),
    "by_count",
    "Share of right held-out lists by the number of dates. Lists of three "
    "dates did not occur in training, and no model has any of them right.",
)
for name, shares in by_count.items():
    print(f"{name:12}", "  ".join(f"{share:.3f}" for share in shares))

# %% [markdown]
# **What you should see.** *Count:* three level lines, and the rising one of
# self-attention crosses the GRU at 64 and the LSTM at 128 tokens. It never
# meets the RNN. *Training:* the two models with recurrence and attention are at
# 1.0 after two epochs, the Transformer is at 0.82 after four, and its points
# lie close together, because its steps are shorter than theirs. The three
# models with one vector are still rising when the training ends, the RNN only a
# little; by then the learning rate is close to 0.
#
# Among them the simple RNN is the best, not the LSTM. That is no proof against
# gates: with equal numbers of *weights* it has 92 units, the GRU 65 and the
# LSTM 55, and here the width of the vector probably counts more than the memory
# of the cell (it was not measured separately). *Dates:* with one vector, 0.60
# to 0.76 of the single dates are right, and hardly any list of two. The step
# from one date to two costs the Transformer a fifth, and the other two nothing.
# At three dates all lines end at 0. (The line of Bahdanau lies under that of
# Luong.) The figures of 300 lists have a standard error of up to 0.03.

# %% [markdown]
# ## The number beside a baseline
#
# A plain [baseline](glossary.md#baseline): copy the numbers, and where the
# month is a word, write July. And the answer to the most similar training text.


# %%
def copied(text):
    """Copy the numbers of each date; a month that is a word is July."""
    found = []
    for date in text.split("; "):
        numbers = re.findall("[0-9]+", date)
        if len(numbers) == 2:
            day, year = numbers
            numbers = [year, "7", day]
        found.append("{:0>4}-{:0>2}-{:0>2}".format(*numbers))
    return " ".join(found)


known = [[t for group in groups[:2] for t in group[i]] for i in (0, 1)]
texts_test, answers_test = known
baselines = {
    "numbers copied, July": [copied(text) for text in texts_test],
    "nearest text": nearest_answer(texts, answers, texts_test),
}
for baseline, answered in baselines.items():
    share = exact_match(answers_test, answered)
    print(f"{baseline:22} {share:.3f}")
    for name in models:
        metric = f"lists right, held out, {name}"
        lesson.compare(metric, right[name], baseline, share)

# %% [markdown]
# Attention is worth most here: 1.00 and 0.88 beside 0.38 at best, with equal
# weights and steps. Without it, after these 500 steps, the networks are no
# better than copying the numbers, 0.39. The Transformer is behind the recurrent
# models with attention in what it gets right, 0.88 beside 1.00, and ahead of
# them in the time of a training step: 40 ms in one run and 55 in another,
# theirs 90 to 157. One vector with a simple RNN took 50 and 31 ms in the same
# two runs: which of these two is faster in training is not settled here. The
# Transformer is last when it writes: 38 and 45 ms for one answer, 16 to 24 with
# recurrence and attention, 5 to 12 with one vector.
#
# The times are from two runs on a machine that was busy with other work, and
# yours will differ: believe only large differences. The shares were the same in
# both runs, which had the same seed. And the lists of three dates: whatever a
# model has right, it has right at the lengths of its training, and nothing
# beyond. A number on texts like those of the training says nothing about longer
# ones.
#
# ### Seq2Seq beside Transformer
#
# Now the two tables of the lectures, with figures. The last column says where a
# figure is from: a lesson, this lesson ("here"), or a file in
# `results/experiments/` of the project.
#
# | | Seq2Seq | Transformer | source |
# |---|---|---|---|
# | **input**: is read | step by step | all at once | 04, 07 |
# | dates right, order unknown | does not occur | 0.13 | `transformer-dates` |
# | dates right, order known | 0.982 | 0.996 | `seq2seq-dates` and it |
# | **dependencies**: steps to the first token | `T` | 1 | 06 |
# | gradient over 150 inputs: powers of ten lost | 15 to 32 | 0 | 06 |
# | **speed**: a training step here | 31 to 111 ms | 40 to 55 ms | here |
# | a step on 512 characters | 3.3 | 1 | `transformer-dates` |
# | one answer | 5 to 12 ms | 38 to 45 ms | here |
# | **context**: numbers kept | `D` | `T · D` | 04, 07 |
# | lists of two dates right | 0.013 or less | 0.777 | here |
# | lists of three dates, none in training | 0 | 0 | here |
# | BLEU, German to English | 26.9 | 39.9 | `ladder-multi30k` |
# | **attention**: to the source | none | in each block | 04, 07 |
# | on the right field of a date | none | 0.78 | 07 |
# | scores in each head | none | `T · T` | 06 |
#
# `T` is the number of tokens of the source, `D` the width. Some pairs of this
# table differ in more than the model. Dates: 20,000 for four epochs on the
# left, 10,000 for five on the right, and three without positions. The step on
# 512 characters: one recurrent layer (LSTM) with as many weights, not a whole
# Seq2Seq. [BLEU](glossary.md#bleu), from 0 to 100, measures how many runs of 1
# to 4 words a translation has in common with a person's: 7,331,616 weights and
# twelve epochs on the left, 3,764,736 and 26 on the right, with other recipes.
# And a third column would be missing if the table ended here: with attention,
# the recurrent model gets 37.0 (5,440,928 weights, twelve epochs). So most of
# what the right side has ahead of the left one in BLEU seems to come from
# attention, not from the absence of recurrence.
#
# ### Six kinds of models
#
# | model | strength | figure | beside it | source |
# |---|---|---|---|---|
# | RNN | short training step | 11.7 ms | LSTM 27.6 ms | benchmark |
# | GRU, LSTM | sum, 200 steps | 0.0004, 0.0021 | RNN 0.170 | `gates-adding` |
# | Seq2Seq | other length, order | 0.982 | copying 0.28 | `seq2seq-dates` |
# | Transformer | sentences, BLEU | 39.9 | retrieval 11.4 | `ladder-multi30k` |
# | BERT | reviews, 1,000 labels | 0.788 | TF-IDF 0.761 | `finetune-nsmc` |
# | ViT | 10,000 photographs | 0.636 | linear 0.315 | `vit-cifar10-10k` |
#
# | model | weakness | figure | beside it | source |
# |---|---|---|---|---|
# | RNN | sum, 100 steps | 0.165 | constant 0.162 | `gates-adding` |
# | GRU, LSTM | recall of a digit, LSTM | 0.63 | attention 0.99 | 06 |
# | Seq2Seq | sentences, BLEU | 26.9 | attention 37.0 | `ladder-multi30k` |
# | Transformer | 1,000 dates | 0.51 | Bahdanau 0.985 | 07 |
# | BERT | docstrings, 1,600 labels | 0.642 | TF-IDF 0.739 | `finetune-pydocs` |
# | ViT | 10,000 photographs | 0.636 | ResNet 0.761 | `vit-cifar10-10k` |
#
# A sum (of the two marked numbers of a sequence, lesson `02_gates`) is judged
# by its squared error, the smaller the better; a date, a digit and a label by
# the share that is right. "Constant" is always answering the mean, "retrieval"
# the translation of the most similar known sentence. Copying is from lesson 04.
# The benchmark is `results/benchmarks/recurrent-tensorflow.json`, 64 sequences
# of 64 vectors, 128 units. BERT read for 28 minutes before it saw its first
# label (`bert-nsmc`); TF-IDF read nothing and was not tuned. The two models of
# BLEU in the second table differ as said above. Each line is one small task,
# not a law.
#
# ### The guide
#
# Read a line like this: if you have what the first column says, take the
# second; its figure stands beside that of another candidate. Of errors, nats
# and times the smaller figure is the better one, of everything else the larger
# one.
#
# | if you have | take | figure | beside it | source |
# |---|---|---|---|---|
# | a rule that you can write | the rule | 1.00 | networks 0 | exercise 3 |
# | small talk | retrieval | 83.0 | attention 78.9 | `chatbot-dialogues` |
# | texts, 1,600 labels | TF-IDF | 0.739 | BERT 0.642 | `finetune-pydocs` |
# | 1,000 labels, much text | BERT | 0.788 | scratch 0.710 | `finetune-nsmc` |
# | a label for each word | BERT | 0.977 | table 0.902 | `finetune-pydocs` |
# | a number after 200 steps | GRU | 0.0004 | RNN 0.170 | `gates-adding` |
# | the next character, minutes | RNN | 1.38 | GPT 1.39 | 08 |
# | text to text | attention | 0.88 to 1.00 | one vector 0.38 | here |
# | text to text, 1,000 pairs | Bahdanau | 0.985 | Transformer 0.51 | 07 |
# | 29,000 sentences | Transformer | 41.5 | Luong 40.1 | `ladder-multi30k` |
# | long texts to train on | Transformer | 1 | LSTM 3.3 | `transformer-dates` |
# | up to 10,000 pictures | ResNet | 0.761 | ViT 0.636 | `vit-cifar10-10k` |
#
# Line by line: the rule is judged on lists of three dates, retrieval (the
# answer to the most similar known prompt) by chrF (Bahdanau's attention has
# 78.9, the Transformer 76.7). The label for each word is judged by F1, and the
# table has the most frequent label of each word. The number after 200 steps is
# judged by its squared error; an LSTM has 0.0021, and its forget gate started
# open. The next character is judged in nats, after equal steps; 0.01 nats are
# no difference, but the GPT has five times as many weights as the RNN. The
# sentences are judged by BLEU; both models write with a beam of five, had about
# half an hour and recipes of their own, and were trained once. The long texts
# have 512 characters, and the figure is the time of a training step, that of
# the Transformer being 1.
#
# What all of this does *not* show: what happens with a hundred times as many
# weights or texts, where most Transformers of today are at home; what another
# seed gives; what a GPU does to the times; and what each model reaches when its
# own learning rate is searched and it is trained to its end. With more steps
# the models with one vector would get further, as the dates of lesson 04 show
# (0.99 after 1,252 steps with more weights), and the Transformer too. The guide
# is one for small data, minutes of training and two processor cores.

# %% [markdown]
# ## Pitfalls
#
# **Equal epochs, unequal steps.** *Symptom:* the model with the smaller batch
# is "better". With the same data, half the batch size means twice as many
# steps. State steps and texts read, not epochs alone.
#
# **Only one side was tuned.** *Symptom:* your own model wins, and the other one
# has its default learning rate. Give each side the same number of trials, on
# validation data.
#
# **A comparison without a baseline.** *Symptom:* 0.64 looks good until somebody
# counts words and gets 0.74. Measure the plain baseline before the first
# network.
#
# **Time taken with the first step in it.** *Symptom:* the model with more
# shapes is "slow". The first step of each shape prepares a graph and takes
# seconds. Measure later steps, and let the models take turns.
#
# **A test on known lengths only.** *Symptom:* everything is right in the test,
# and the first longer text in use is wrong. Keep one length out of training, as
# the lists of three dates here.
#
# **One seed.** *Symptom:* the order of two models changes when the run is
# repeated. A difference smaller than that between two seeds is none.

# %% [markdown]
# ## Exercises
#
# As before: a task, a cell for your code, a check that never stops the lesson,
# and a folded answer.

# %% [markdown]
# ### Exercise 1 (5 minutes): where do they cross?
#
# Return the length T at which self-attention of width D needs as many
# multiply-adds as a layer of D units: for a GRU and for an LSTM, two numbers.
# Is there such a length for a simple RNN?


# %% tags=["exercise"]
def crossing(D):
    raise NotImplementedError


# %%
with lesson.exercise(1):
    for D in (8, 48):
        found = crossing(D)
        for layer, T in zip((GRU(D), LSTM(D)), found, strict=True):
            ours = multiply_adds(layer, T, D)
            theirs = multiply_adds(MultiHeadAttention(1, D), T, D)
            kind = type(layer).__name__
            message = f"T = {T}: {kind} {ours:,}, self-attention {theirs:,}"
            assert ours == theirs, message

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def crossing(D):
#     return D, 2 * D
# ```
#
# 6 T D² = 4 T D² + 2 T² D gives T = D. A simple RNN needs 2 T D², less than the
# projections of attention alone: the lines never cross.
#
# </details>

# %% [markdown]
# ### Exercise 2 (15 minutes): predict, then look
#
# Five tasks of this course, each with two or three candidates. Which one has
# the best figure? Return a dict, task to candidate. First decide for all five,
# by what you know about the models, then let the check show the numbers.

# %%
CANDIDATES = {
    "sums of two numbers, exactly right": ("columns, no carry", "Seq2Seq"),
    "75 handwritten digits": ("ViT", "nearest digit", "most frequent"),
    "a hidden word, 3,000 steps": ("two neighbors", "network", "left neighbor"),
    "package of a docstring, 1,600 labels": ("TF-IDF", "BERT", "GRU"),
    "film review, 1,000 labels": ("TF-IDF", "pretrained", "from scratch"),
}


# %% tags=["exercise"]
def predict_best():
    raise NotImplementedError


# %%
with lesson.exercise(2):
    measured = (
        (0.362, 0.986),  # five_settings-names
        (0.66, 0.91, 0.10),  # lesson 13
        (0.334, 0.369, 0.14),  # lesson 10
        (0.739, 0.642, 0.655),  # finetune-pydocs
        (0.761, 0.788, 0.710),  # finetune-nsmc
    )
    chosen = predict_best()
    for (task, names), values in zip(CANDIDATES.items(), measured):
        figures = dict(zip(names, values))
        best = max(figures, key=figures.get)
        assert chosen[task] == best, f"{task}: {figures}"

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def predict_best():
#     best = "Seq2Seq", "nearest digit", "network", "TF-IDF", "pretrained"
#     return dict(zip(CANDIDATES, best))
# ```
#
# In three of the five tasks a network of this course is the best choice. The
# additions need a memory (the carry), a hidden word needs more than its two
# neighbors, and the reviews have much unlabeled text beside few labels. Where
# counting or comparing is all there is to do, counting and comparing win.
#
# </details>

# %% [markdown]
# ### Exercise 3 (30 minutes): write the rule
#
# Complete `copied` to a program that has every list right, those of three dates
# too. Note that the English formats differ in what comes first.


# %% tags=["exercise"]
def by_rule(text):
    raise NotImplementedError


# %%
with lesson.exercise(3):
    for texts_n, answers_n in groups:
        for text, answer in zip(texts_n, answers_n):
            found = by_rule(text)
            assert found == answer, f"{text} gives {found}, not {answer}"

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def by_rule(text):
#     found = []
#     for date in text.split("; "):
#         numbers = re.findall("[0-9]+", date)
#         if len(numbers) == 2:
#             day, year = numbers
#             name = re.search("[A-Z][a-z]{2}", date)[0]
#             month = [m[:3] for m in MONTHS].index(name) + 1
#             numbers = [year, month, day]
#         found.append("{:0>4}-{:0>2}-{:0>2}".format(*numbers))
#     return " ".join(found)
# ```
#
# A dozen lines, no weights, no training, and lists of any length. No network
# above can be better. A network pays where a rule is too long to write or
# nobody knows it: for ten languages, for typing errors, for sentences.
#
# </details>

# %% [markdown]
# ### Exercise 4 (an hour): what does writing cost?
#
# A decoder with one layer of self-attention (width D, one head) writes T
# tokens, one after the other. Count the multiply-adds of that layer, as in the
# worked example: with a [key-value cache](glossary.md#key-value-cache), where
# step t computes query, key, value and output of one token and attends to t
# tokens, and without, where step t computes the layer for all t tokens so far.
# Return both as integers. The check carries out the steps with the product that
# counts. How long may a text be before a step of the cached layer costs more
# than one of an LSTM of D units?


# %%
def written_with_cache(x, W_Q, W_K, W_V, W_O):
    K = V = np.zeros((0, x.shape[1]))
    for t in range(len(x)):
        row = x[t : t + 1]
        Q = times(row, W_Q)
        K = np.concatenate([K, times(row, W_K)])
        V = np.concatenate([V, times(row, W_V)])
        powers = np.exp(times(Q, K.T))
        times(times(powers / powers.sum(), V), W_O)


def written_anew(x, *matrices):
    for t in range(len(x)):
        self_attention(x[: t + 1], *matrices)


# %% tags=["exercise"]
def cost_of_writing(T, D):
    raise NotImplementedError


# %%
with lesson.exercise(4):
    for T, D in ((3, 2), (20, 4)):
        W, costs = np.eye(D), cost_of_writing(T, D)
        steps = written_with_cache, written_anew
        for step, cost in zip(steps, costs, strict=True):
            counted = 0
            step(np.ones((T, D)), W, W, W, W)
            message = (
                f"{step.__name__}, T = {T}, D = {D}: {cost}, not {counted}"
            )
            assert cost == counted, message

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def cost_of_writing(T, D):
#     first = T * (T + 1) // 2  # 1 + 2 + ... + T
#     squares = T * (T + 1) * (2 * T + 1) // 6
#     cached = T * 4 * D**2 + 2 * first * D
#     return cached, first * 4 * D**2 + 2 * squares * D
# ```
#
# With the cache, step t costs 4 D² + 2 t D, an LSTM 8 D²: they are equal at t =
# 2 D. So an LSTM writes a long text with less work, and keeps 2 D numbers,
# where the cache keeps 2 t D of them. That is the price of forgetting nothing.
#
# </details>

# %% [markdown]
# ## Next
#
# This was the last lesson. You have built every model of the road by hand,
# trained it, and seen where it is not needed. What you could not see here is
# what happens at sizes that two processor cores cannot train; for these, read
# the papers named in the lessons. The experiments of this project measure more
# than a lesson can, with real sentences, reviews and photographs
# (`experiments/README.md`), and their figures are kept in `results/`. Take a
# task of your own, write down a baseline and the number that would convince
# you, and only then choose the model.

# %%
lesson.finish()
