# %% [markdown]
# # 02. Gates: LSTM and GRU, and why a simple network forgets
#
# The network of the last lesson rewrites its hidden state at every step, and
# what it read a hundred steps ago is lost. Here you see on paper why it cannot
# even learn to keep it, build an LSTM in four steps, then the smaller GRU, and
# let all three add two numbers that stand far apart. You need lesson `01_rnn`.
# Running everything takes three to four minutes on two processor cores.

# %%
import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # keeps TensorFlow's log quiet

import inspect

import keras
import numpy as np
from keras import ops

from keras_seq import data, plots
from keras_seq.evaluation import gradient_by_lag, median_ratio, time_interleaved
from keras_seq.layers import (
    GRU,
    LSTM,
    ChronoInitializer,
    GRUCell,
    LSTMCell,
    SimpleRNN,
)
from keras_seq.training import Lesson, StopWhen

np.set_printoptions(precision=3, suppress=True)
lesson = Lesson("02_gates", following="03_five_settings")

# %% tags=["parameters"]
LENGTHS = (50, 100, 200)
ROWS = 32_000
EPOCHS = 4
UNITS = 64
SEED = 0
JIT = keras.backend.backend() != "torch"  # compile the loop over the steps

# %% [markdown]
# ## Question
#
# Somebody reads you a hundred random numbers between 0 and 1, and taps on the
# table at two of them. Then you are asked for their sum. The first tap may be
# ninety steps old. An output that depends on an input far back is called a
# [long-term dependency](glossary.md#long-term-dependency). **How must a network
# be built so that it can learn one?**
#
# The answer will be a squared error on sequences that were not used for
# training. Always answering 1, the mean of such sums, has an error of 0.167. A
# simple recurrent network gets about 0.165 for a hundred steps. The two cells
# of this lesson, GRU and LSTM, get less than **0.003**.

# %% [markdown]
# ## What failed
#
# First the network of the last lesson, on sequences of only 50 steps. At each
# step the input is a pair: the number, and a mark that is 1 at the two numbers
# to add and 0 elsewhere. `learn_to_add` trains any recurrent layer on this
# *adding problem*, with a `Dense` layer that turns the last hidden state into
# one number. It stops early once the error on 500 validation sequences is below
# 0.003. All networks of this lesson get the same data, the same optimizer and
# at most 1,000 training steps.

# %%


def learn_to_add(make_layer, length):
    keras.utils.set_random_seed(SEED)
    model = keras.Sequential(
        [keras.Input((None, 2)), make_layer(length), keras.layers.Dense(1)]
    )
    optimizer = keras.optimizers.Adam(0.01, clipnorm=1.0)
    model.compile(optimizer, "mse", jit_compile=JIT)
    x, y = data.adding(ROWS, length, seed=SEED)
    model.fit(
        *(x, y),
        batch_size=128,
        epochs=EPOCHS,
        validation_data=data.adding(500, length, seed=SEED + 1),
        callbacks=[StopWhen("val_loss", below=0.003)],
    )
    return model


# %%
def simple_rnn(length):
    return SimpleRNN(UNITS)


short = LENGTHS[0]
models = {("RNN", short): learn_to_add(simple_rnn, short)}
x, y = data.adding(2000, short, seed=SEED + 2)
error = models["RNN", short].evaluate(x, y, batch_size=500, verbose=0)
print(f"squared error, held out: {error:.3f}")
print(f"always 1:                {np.mean((y - 1) ** 2):.3f}")

# %% [markdown]
# After four passes through 32,000 sequences the error is about 0.17, no better
# than the constant. Its 64 units could hold two numbers. What is missing is a
# signal: the [vanishing gradient](glossary.md#vanishing-gradient) says almost
# nothing about inputs that are long past. The worked example begins there.

# %% [markdown]
# ## Diagram
#
# ![The cell of an LSTM in four steps. The forget gate scales the old cell
# state, the input gate scales the candidate, their sum is the new cell state,
# and the output gate decides how much of it is passed on as the hidden
# state.](../docs/diagrams/lstm.en.svg)
#
# The long short-term memory (LSTM, 1997) carries a second vector beside the
# hidden state, the [cell state](glossary.md#cell-state) c: the horizontal line
# at the top. A *gate* is a vector of numbers between 0 and 1 that multiplies
# another vector: 0 blocks, 1 lets pass. The [forget
# gate](glossary.md#forget-gate), added in 2000, decides what is kept of c. The
# [candidate](glossary.md#candidate) is new content, and the [input
# gate](glossary.md#input-gate) decides how much of it is added. The [output
# gate](glossary.md#output-gate) decides how much of c is passed on as h. Note
# the plus sign: c is not rewritten, it is added to.
#
# ![The cell of a GRU. The update gate keeps a part of the previous hidden
# state, and the rest is filled with the candidate. The reset gate decides how
# much of the previous hidden state enters the
# candidate.](../docs/diagrams/gru.en.svg)
#
# The gated recurrent unit (GRU, 2014) needs only one vector and two gates. The
# [update gate](glossary.md#update-gate) z divides 1 into two shares: z of the
# old state is kept, 1 − z of the new content is written. The [reset
# gate](glossary.md#reset-gate) r decides how much of the old state takes part
# in forming that new content.

# %% [markdown]
# ## A worked example
#
# ### Why the gradient vanishes, or explodes
#
# Take a simple network with one unit and one recurrent weight u, and let the
# inputs be 0: h_t = tanh(u · h_(t−1)). Change h_(t−1) a little, and h_t changes
# by u · (1 − h_t²) times as much. One step back is one such factor; k steps
# back are a product of k of them. Near h = 0 each factor is u, so the product
# is u to the power k.

# %%
for u in (0.9, 1.0, 1.1):
    print(f"u = {u}: 10 steps back {u**10:.3f}, 50 steps back {u**50:.3g}")

# %% [markdown]
# With u = 0.9 only 0.005 is left after 50 steps, and with u = 1.1 the gradient
# has grown 117 times: an [exploding gradient](glossary.md#exploding-gradient).
# Only u = 1 keeps its size, and even then the slope of tanh, below 1 unless h
# is 0, shrinks the product. With many units, a matrix takes the place of u, and
# the argument stays: the same factor, again and again.
#
# ### An LSTM in four steps
#
# One unit, four time steps. Each input has three entries: a number, a "write"
# signal and a "read" signal. The cell is to store the first number, ignore the
# second, wait, and pass the stored one on at the end.
#
# | step | number | write | read |
# |---|---|---|---|
# | 1 | 1 | 1 | 0 |
# | 2 | −1 | 0 | 0 |
# | 3 | 0 | 0 | 0 |
# | 4 | 0 | 0 | 1 |
#
# A gate is a sigmoid, 1 / (1 + e to the −a). We choose weights that make it
# easy: K = log 9 has sigmoid(K) = 0.9 and sigmoid(−K) = 0.1, and A = log(3) / 2
# has tanh(A) = 0.5. Then all gates are 0.9, open, or 0.1, nearly closed.
#
# **Step 1, forget.** f = sigmoid(K − 2K · write) is 0.1 at the first step,
# which makes room for the new number, and 0.9 afterwards. With this gate alone,
# a content of 1 would become 0.1, then 0.09, then 0.081.

# %%
K, A = np.log(9), np.log(3) / 2
x = np.array([[1, 1, 0], [-1, 0, 0], [0, 0, 0], [0, 0, 1]], "float32")
number, write, read = x.T


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


f = sigmoid(K - 2 * K * write)
print("forget gate:     ", f)
print("1 would become:  ", np.cumprod(f))

# %% [markdown]
# **Step 2, input.** The candidate g = tanh(A · number) is what could be
# written, the gate i = sigmoid(−K + 2K · write) is how much of it is: 0.9 · 0.5
# = 0.45 at the first step, 0.1 · (−0.5) = −0.05 at the second.

# %%
g = np.tanh(A * number)
i = sigmoid(-K + 2 * K * write)
print("candidate:       ", g)
print("input gate:      ", i)
print("what is added:   ", i * g)

# %% [markdown]
# **Step 3, cell state.** Keep and add:
#
#     c_1 = 0.1 · 0     + 0.9 · 0.5    = 0.45
#     c_2 = 0.9 · 0.45  + 0.1 · (−0.5) = 0.355
#     c_3 = 0.9 · 0.355 + 0.1 · 0      = 0.3195
#     c_4 = 0.9 · 0.3195               = 0.2876
#
# **Step 4, output.** The gate o = sigmoid(−K + 2K · read) is 0.1 until the read
# signal comes, then 0.9, and h_4 = 0.9 · tanh(0.2876) = 0.252.

# %%
c, states = 0.0, []
for t in range(4):
    c = f[t] * c + i[t] * g[t]
    states.append(c)
o = sigmoid(-K + 2 * K * read)
h = o * np.tanh(states)
print("cell state:      ", np.array(states))
print("output gate:     ", o)
print("hidden state:    ", h)

# %% [markdown]
# Now the gradient. How does c_4 change with c_1? Along the line at the top the
# factors are f_2 · f_3 · f_4 = 0.9 · 0.9 · 0.9 = 0.729. There is no weight and
# no slope of tanh in it, only gates, and a gate depends on the input: it can be
# open at one step and closed at the next. A gate of 0.9 leaves 0.00003 after 99
# steps, a gate of 0.99 leaves 0.37. A content lasts for about 1 / (1 − f)
# steps.
#
# The layer of the library gets the same weights. W has one row for each input
# and one column for each of i, f, g, o; U, for the previous hidden state, is 0
# here, which is why we could calculate the gates of all steps at once.

# %%
W = np.array(
    [
        [0, 0, A, 0],  # number, to i, f, g, o
        [2 * K, -2 * K, 0, 0],  # write
        [0, 0, 0, 2 * K],  # read
    ]
)
U, b = np.zeros((1, 4)), np.array([-K, K, 0, -K])
layer = LSTM(1, return_sequences=True)
layer.build((None, None, 3))
layer.set_weights([W, U, b])
for name, values in layer.trace(x[None]).items():
    print(f"{name:13}", ops.convert_to_numpy(values)[0, :, 0])
found = ops.convert_to_numpy(layer(x[None]))[0, :, 0]
assert np.allclose(found, h, atol=1e-6)
print("The layer agrees.")

# %% [markdown]
# ### A GRU on the same inputs
#
# Both gates are sigmoid(K − 2K · write): at the first step z = r = 0.1,
# afterwards 0.9. Here z = 0.9 means *keep* 0.9 of the old state. The candidate
# n has the recurrent weight 1. A GRU has no output gate, so the read signal
# gets the weight 0. Follow the second step:
#
#     n_2 = tanh(−A + 0.9 · 0.45) = tanh(−0.144) = −0.143
#     h_2 = 0.9 · 0.45 + 0.1 · (−0.143)          =  0.391

# %%
z = r = sigmoid(K - 2 * K * write)
h, states = 0.0, []
for t in range(4):
    n = np.tanh(A * number[t] + r[t] * (1 * h))
    h = z[t] * h + (1 - z[t]) * n
    states.append(h)
print("by hand:     ", np.array(states))

W = np.array([[0, 0, A], [-2 * K, -2 * K, 0], [0, 0, 0]])  # to z, r, n
U, b = np.array([[0, 0, 1.0]]), np.array([[K, K, 0], [0, 0, 0]])
layer = GRU(1, return_sequences=True)
layer.build((None, None, 3))
layer.set_weights([W, U, b])
for name, values in layer.trace(x[None]).items():
    print(f"{name:13}", ops.convert_to_numpy(values)[0, :, 0])
found = ops.convert_to_numpy(layer(x[None]))[0, :, 0]
assert np.allclose(found, states, atol=1e-6)

# %% [markdown]
# ## The equation
#
# The LSTM, with a product of matrices where we had single weights:
#
#     i_t = sigmoid(x_t W_i + h_(t-1) U_i + b_i)      input gate
#     f_t = sigmoid(x_t W_f + h_(t-1) U_f + b_f)      forget gate
#     g_t =    tanh(x_t W_g + h_(t-1) U_g + b_g)      candidate
#     o_t = sigmoid(x_t W_o + h_(t-1) U_o + b_o)      output gate
#     c_t = f_t * c_(t-1) + i_t * g_t                 cell state
#     h_t = o_t * tanh(c_t)                           hidden state
#
# and the GRU:
#
#     z_t = sigmoid(x_t W_z + h_(t-1) U_z + b_z)                update gate
#     r_t = sigmoid(x_t W_r + h_(t-1) U_r + b_r)                reset gate
#     n_t = tanh(x_t W_h + b_h + r_t * (h_(t-1) U_h + b'_h))    candidate
#     h_t = z_t * h_(t-1) + (1 - z_t) * n_t                     hidden state
#
# x_t is the input at step t, with D entries; all the others have one entry for
# each unit. The W have the shape (D, units), the U (units, units), the b
# (units,). `*` multiplies entry by entry. The code of the library, one step
# each; `project` is the product with a matrix, and `ops.split` cuts one wide
# matrix into its gates:

# %%
print(inspect.getsource(LSTMCell.step))
print(inspect.getsource(GRUCell.step))

# %% [markdown]
# ## Code
#
# Now the adding problem for three lengths and three layers of 64 units. The
# LSTM starts with its forget gates open for 2 to T steps, each unit for a time
# of its own: that is what `ChronoInitializer` does with the bias b_f. The GRU
# starts as Keras starts it, so this favors the LSTM. Training all of them takes
# about two minutes.


# %%
def gru(length):
    return GRU(UNITS)


def lstm(length):
    chrono = ChronoInitializer(length, seed=SEED)
    return LSTM(UNITS, bias_initializer=chrono, unit_forget_bias=False)


makers = {"RNN": simple_rnn, "GRU": gru, "LSTM": lstm}
errors, always_1 = {name: [] for name in makers}, []
for length in LENGTHS:
    x, y = data.adding(2000, length, seed=SEED + 2)
    always_1.append(np.mean((y - 1) ** 2))
    for name in makers:
        print(f"\n{name}, {length} steps")
        if (name, length) not in models:
            models[name, length] = learn_to_add(makers[name], length)
        model = models[name, length]
        errors[name].append(model.evaluate(x, y, batch_size=500, verbose=0))

# %% [markdown]
# ## Picture
#
# To see the gates of a trained LSTM on a text that you type, letter by letter,
# open the <a
# href="../../look/index.html#panel=gates&amp;cell=lstm&amp;lang=en">look-inside
# page</a>.

# %%
figure = plots.curves(
    errors,
    x=LENGTHS,
    xlabel="length of the sequences (steps)",
    ylabel="squared error, held out",
    baselines={"always 1": 1 / 6},
    log=True,
)
lesson.show(
    figure,
    "adding",
    "Squared error of the adding problem by length. The simple network stays "
    "at the error of the constant, GRU and LSTM lie far below it.",
)

# %% [markdown]
# How far back does the gradient of the last state reach, before training and
# after? Each line is divided by its value at lag 0.

# %%
middle = LENGTHS[1]
x, _ = data.adding(64, middle * 3 // 2, seed=SEED + 3)
keras.utils.set_random_seed(SEED)
lags = {}
for name in makers:
    untrained = gradient_by_lag(makers[name](middle), x)
    trained = gradient_by_lag(models[name, middle].layers[0], x)
    lags[f"{name}, untrained"], lags[f"{name}, trained"] = untrained, trained
    for when, norms in ("untrained", untrained), ("trained", trained):
        ratio = norms[middle] / norms[0]
        print(f"{name:5}{when:10} lag {middle} / lag 0: {ratio:.1e}")
lesson.show(
    plots.gradient_by_lag(lags),
    "gradient",
    "Gradient norm by lag, untrained and trained. After training, the line of "
    "the simple network falls steeply, those of GRU and LSTM stay high.",
)

# %% [markdown]
# Next, all gates on one sequence of 50 steps. A triangle marks a number that
# has to be added.

# %%
x, _ = data.adding(100, short, seed=SEED + 4)
marks = "".join("▲" if mark else "·" for mark in x[0, :, 1])
marked = x[:, 1:, 1] == 1
for name, state in ("LSTM", "cell_state"), ("GRU", "hidden_state"):
    trace = models[name, short].layers[0].trace(x)
    trace = {k: ops.convert_to_numpy(v) for k, v in trace.items()}
    jump = np.abs(np.diff(trace[state], axis=1)).mean(axis=-1)
    times = jump[marked].mean() / jump[~marked].mean()
    print(f"{name}: at a mark the state moves {times:.1f} times as far")
    lesson.show(
        plots.gates({k: v[0] for k, v in trace.items()}, marks, units=24),
        f"gates_{name.lower()}",
        f"All gates and states of the trained {name}, 24 units (rows) on one "
        "sequence. The two triangles mark the numbers to add.",
    )

# %% [markdown]
# Last, the opposite accident. A recurrent matrix that stretches every vector by
# 1.5 makes the gradient grow on its way back. *Gradient clipping* (`clipnorm`)
# shortens the gradient of each weight matrix to the length 1 where it is
# longer, and keeps its direction.

# %%
x, y = data.adding(ROWS // 20, short, seed=SEED)
losses = {}
for name, clip in ("not clipped", None), ("clipped", 1.0):
    keras.utils.set_random_seed(SEED)
    stretch = keras.initializers.Orthogonal(gain=1.5)
    layer = SimpleRNN(UNITS, recurrent_initializer=stretch)
    growth = gradient_by_lag(layer, x[:64])
    model = keras.Sequential(
        [keras.Input((None, 2)), layer, keras.layers.Dense(1)]
    )
    optimizer = keras.optimizers.SGD(0.03, clipnorm=clip)
    model.compile(optimizer, "mse", jit_compile=JIT)
    history = model.fit(x, y, batch_size=32, epochs=10, verbose=0)
    losses[name] = history.history["loss"]
print(f"over all steps the gradient grows {growth[-1] / growth[0]:.0f} times")
caption = (
    "Training loss by epoch with an exploding gradient: without clipping it "
    "leaves the range of the numbers, with clipping it stays below 1."
)
figure = plots.curves(losses, ylabel="squared error", log=True)
lesson.show(figure, "exploding", caption)

# %% [markdown]
# **What you should see.** First picture: one line at the dashed constant, and
# two about a hundred times lower. Second picture: compare each network before
# and after training. The *untrained* simple network is not the worst, because
# its matrix starts orthogonal, which neither stretches nor shrinks; its
# gradient is about 0.001 at lag 100. The untrained GRU loses more, about 10⁻²⁰:
# its gates start at 0.5. Training reverses the order. The GRU opens its gates
# (about 0.07), the LSTM keeps its own open (about 0.1), and in the simple
# network nothing is left.
#
# Third and fourth picture: look above the triangles. There the cell state of
# the LSTM takes a step, about 5 times as far as elsewhere; between them the
# forget gate is bright, and the rows of the cell state keep their color. In the
# GRU, look for *dark* cells of the update gate: a low z means "write". Last
# picture: without clipping, the loss explodes.

# %% [markdown]
# ## The number beside a baseline

# %%
for name, values in errors.items():
    for length, value, constant in zip(LENGTHS, values, always_1):
        metric = f"squared error, held out, {name}, {length} steps"
        lesson.compare(metric, value, "always 1", constant)

longest = LENGTHS[-1]
print("Trained on", longest, "steps, tested on longer sequences:")
for length in (longest, 2 * longest, 4 * longest, 8 * longest):
    x, y = data.adding(200, length, seed=SEED + 5)
    print(f"{length:6}", end="")
    for name in makers:
        found = ops.convert_to_numpy(models[name, longest](x))
        print(f"   {name} {np.mean((found - y) ** 2):.4f}", end="")
    print(f"   always 1 {np.mean((y - 1) ** 2):.4f}")

x, _ = data.adding(8, 10 * middle + 1, seed=SEED + 6)
for name in makers:
    norms = gradient_by_lag(models[name, middle].layers[0], x)
    print(f"{name:5}lag {10 * middle} / lag 0: {norms[-1] / norms[0]:.1e}")

# %% [markdown]
# And what do the gates cost? The three layers take turns in a training step on
# 64 sequences. "Kept" counts the values of each step that the gradient needs
# later: gates, candidates and states.

# %%
x, y = data.adding(64, middle, seed=SEED)
steps, layers = {}, {}
for name in makers:
    layers[name] = makers[name](middle)
    model = keras.Sequential(
        [keras.Input((None, 2)), layers[name], keras.layers.Dense(1)]
    )
    model.compile("sgd", "mse", jit_compile=JIT)
    steps[name] = lambda model=model: model.train_on_batch(x, y)
seconds = time_interleaved(steps, rounds=20)
for name, layer in layers.items():
    kept = len(layer.trace(x[:1])) * UNITS
    time = 1000 * np.median(seconds[name])
    print(f"{name:5}{layer.count_params():7,} weights", end="")
    print(f"{kept:5} kept per step{time:7.1f} ms")
ratio = median_ratio(seconds["GRU"], seconds["LSTM"])
print(f"time of the GRU / time of the LSTM: {ratio:.2f}")

# %% [markdown]
# With gates, a network of the same width learns within a thousand steps what it
# does not learn at all without them. Two statements of the textbooks need a
# footnote. "Gates prevent the vanishing gradient": not by themselves. The
# untrained GRU had the smallest gradient of all, and only training, or a good
# initial bias, opens the gates. And "LSTM and GRU remember": for hundreds of
# steps, not without limit. A gate below 1 is still a factor: 0.06 in a hundred
# steps would be 10⁻¹² in a thousand, if nothing else changed. The lines above
# show what is left there, and the errors on sequences longer than those in
# training. (A network trained on the longer ones might do better.)
#
# Is the GRU the better choice? It has three quarters of the weights (13,056
# beside 17,152), it keeps four values per unit and step instead of six, and a
# training step took about 0.8 of the time on two cores. It learned all three
# lengths without a special start. There is no winner: both are below 0.003,
# training stopped at different moments, and it is one seed of one artificial
# task. A simple network with other initial weights and another activation can
# learn it as well, over a few hundred steps (Le, Jaitly and Hinton, 2015).

# %% [markdown]
# ## Pitfalls
#
# **z the other way round.** *Symptom:* you read the picture of the update gate
# and it says the opposite, or your own GRU disagrees with the library. In
# Keras, PyTorch and here, z near 1 keeps the old state; several textbooks write
# (1 − z) there.
#
# **Gates in another order.** *Symptom:* weights copied from another library
# load without an error, and the output is nonsense. Keras stores i, f, g, o and
# z, r, n; PyTorch stores r, z, n.
#
# **A forget gate that starts half closed.** *Symptom:* on long sequences the
# loss of the LSTM stays at the baseline for many epochs, then falls, or never
# does. Keep `unit_forget_bias=True`, or use `ChronoInitializer`.
#
# **Gates against explosion.** *Symptom:* the loss jumps up or becomes `nan`,
# although the layer is an LSTM. Gates work against vanishing only; set
# `clipnorm` in the optimizer. The reverse fails as well: clipping does not
# bring a vanished gradient back.
#
# **Equal units are not equal weights.** *Symptom:* "the LSTM is better", but it
# has a third more weights than the GRU. State both numbers.
#
# **The last step is padding.** *Symptom:* short sequences get worse results
# than long ones. Pass `mask`: then a padded step leaves the state as it is.

# %% [markdown]
# ## Exercises
#
# As before: a task, a cell for your code, a check that never stops the lesson,
# and a folded answer.

# %% [markdown]
# ### Exercise 1 (5 minutes): count the weights
#
# Return the number of weights of an LSTM and of a GRU with D inputs. Mind that
# the GRU has two bias vectors for each gate and for the candidate.


# %% tags=["exercise"]
def count_weights(inputs, units):
    raise NotImplementedError


# %%
with lesson.exercise(1):
    found = count_weights(inputs=3, units=5)
    for layer, count in zip((LSTM(5), GRU(5)), found, strict=True):
        layer.build((None, None, 3))
        kind = type(layer).__name__
        message = f"{count} is not the number of weights of the {kind}"
        assert count == layer.count_params(), message

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def count_weights(inputs, units):
#     matrices = inputs * units + units * units
#     return 4 * (matrices + units), 3 * (matrices + 2 * units)
# ```
#
# </details>

# %% [markdown]
# ### Exercise 2 (15 minutes): a bias for a half-life
#
# A forget gate with all weights 0 depends on its bias alone: f = sigmoid(b_f).
# Return the bias at which half of the cell state is left after the given number
# of steps, if nothing is added.


# %% tags=["exercise"]
def forget_bias(steps):
    raise NotImplementedError


# %%
with lesson.exercise(2):
    for count in (1, 10, 1000):
        left = sigmoid(forget_bias(count)) ** count
        assert np.isclose(left, 0.5), f"after {count} steps {left:.3f} is left"

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def forget_bias(steps):
#     f = 0.5 ** (1 / steps)
#     return np.log(f / (1 - f))
# ```
#
# The inverse of the sigmoid is log(f / (1 − f)). For 10 steps the bias is 2.6,
# for 1,000 steps 7.3: it grows like the logarithm of the time.
#
# </details>

# %% [markdown]
# ### Exercise 3 (30 minutes): a whole LSTM in NumPy
#
# Inputs of shape (B, T, D), any number of units, recurrent weights that are not
# 0. The columns of the weights are i, f, g, o, with `units` columns each.
# Return the hidden state of every step, of shape (B, T, units). The check
# compares with the layer.


# %% tags=["exercise"]
def lstm_by_hand(x, kernel, recurrent_kernel, bias):
    raise NotImplementedError


# %%
with lesson.exercise(3):
    layer = LSTM(5, return_sequences=True)
    x = np.random.default_rng(3).normal(size=(2, 7, 3)).astype("float32")
    right = ops.convert_to_numpy(layer(x))
    found = np.array(lstm_by_hand(x, *layer.get_weights()))
    message = f"the shape is {found.shape}, not (B, T, units)"
    assert found.shape == (2, 7, 5), message
    message = "the first step is not right: are the columns i, f, g, o?"
    assert np.allclose(found[:, 0], right[:, 0], atol=1e-5), message
    message = "the first step is right, the later ones are not: h or c?"
    assert np.allclose(found, right, atol=1e-5), message

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def lstm_by_hand(x, kernel, recurrent_kernel, bias):
#     h = c = np.zeros((len(x), len(recurrent_kernel)))
#     outputs = []
#     for t in range(x.shape[1]):
#         a = x[:, t] @ kernel + h @ recurrent_kernel + bias
#         i, f, g, o = np.split(a, 4, axis=-1)
#         c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
#         h = sigmoid(o) * np.tanh(c)
#         outputs.append(h)
#     return np.stack(outputs, axis=1)
# ```
#
# </details>

# %% [markdown]
# ### Exercise 4 (an evening): add without learning
#
# Choose the weights of an LSTM with *one* unit and of the `Dense` layer behind
# it by hand, so that they solve the adding problem for 1,000 steps, with a
# squared error below 0.001. Return a list: kernel (2, 4), recurrent kernel (1,
# 4), bias (4,), then the kernel (1, 1) and the bias (1,) of the `Dense` layer.
# Hint: for small a, tanh(a) is nearly a, and for large b, sigmoid(b) is nearly
# 1.


# %% tags=["exercise"]
def adding_weights():
    raise NotImplementedError


# %%
with lesson.exercise(4):
    adder = keras.Sequential(
        [keras.Input((None, 2)), LSTM(1), keras.layers.Dense(1)]
    )
    adder.set_weights([np.array(w) for w in adding_weights()])
    x, y = data.adding(100, 1000, seed=4)
    error = np.mean((ops.convert_to_numpy(adder(x)) - y) ** 2)
    assert error < 0.001, f"the squared error is {error:.4f}"

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def adding_weights():
#     kernel = [[0, 0, 0.1, 0], [40, 0, 0, 0]]  # number, mark; to i, f, g, o
#     recurrent_kernel = [[0, 0, 0, 0]]
#     bias = [-20, 20, 0, 20]
#     return [kernel, recurrent_kernel, bias, [[10]], [0]]
# ```
#
# The forget and the output gate are always open, the input gate opens at a
# mark, and the candidate is a tenth of the number, which `Dense` undoes. So the
# cell *can* add over any distance. What limits the trained networks above is
# what gradient descent finds.
#
# </details>

# %% [markdown]
# ## Next
#
# These cells remember for hundreds of steps, but they still form a chain: step
# 1,000 has to wait for step 999, and all that is known of the past must fit
# into vectors of fixed size. Both limits return later in this course. The next
# lesson, `03_five_settings`, first asks something more practical. Here the
# input was a sequence and the output one number. What if the output is a
# sequence, too?

# %%
lesson.finish()
