# %% [markdown]
# # 01. A recurrent neural network: one function, used at every step
#
# A [recurrent neural network](glossary.md#recurrent-neural-network) (RNN) reads
# a [sequence](glossary.md#sequence) one element at a time and carries a vector
# of numbers from each step to the next. That vector is all it has of the past.
# In this lesson you compute four steps of it on paper, with three numbers in
# the vector and a single one in the matrix that matters most. Then a layer
# computes the same, a second network learns the same task by itself, and a
# third one learns to predict English, character by character. At the end you
# measure how far back its memory reaches.

# %%
import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # keeps TensorFlow's log quiet

import inspect
from collections import Counter

import keras
import numpy as np
from keras import ops

from keras_seq import data, plots
from keras_seq.evaluation import gradient_by_lag, input_gradient, ngram_loss
from keras_seq.generation import Sampling, generate
from keras_seq.layers import OneHot, SimpleRNN, SimpleRNNCell
from keras_seq.models import RecurrentLM
from keras_seq.text import CharTokenizer
from keras_seq.training import Lesson, TokenCrossEntropy, next_token_windows

np.set_printoptions(precision=3, suppress=True)
lesson = Lesson("01_rnn", following="02_gates")

# %% tags=["parameters"]
EPOCHS = 8
CHARACTERS = 250_000
SEED = 0

# %% [markdown]
# ## Question
#
# Read the word "hello" letter by letter and predict the next letter each time:
# after `h` comes `e`, after `e` comes `l`. After `l` it gets difficult, because
# the first `l` is followed by another one and the second by `o`. **What must a
# model carry along to tell two equal inputs apart, and how far can it carry
# it?**
#
# There will be two numbers at the end. On "hello": 4 letters of 4 right,
# where a model that uses only the last letter gets 3. On unseen English:
# about **1.40 nats per character**, where the bigram table of the lesson
# before gets 2.50 and counting three characters at a time 1.91. One more
# baseline, counting five at a time, is not beaten.

# %% [markdown]
# ## What failed
#
# The bigram table predicts from the last character alone. Let us count what it
# cannot tell apart: in "hello" the two `l`, in the real text `th` and `wh`,
# which both end in `h`.

# %%
source, target = data.hello()
print("pairs of hello:", dict(Counter(zip(source, target))))
print(f"best mean loss by the last letter: {2 * np.log(2) / 4:.3f} nats")

text = data.pydocs_text("train")[:CHARACTERS]
text_test = data.pydocs_text("test")[: CHARACTERS // 10]
for start in "th", "wh":
    triples = zip(text, text[1:], text[2:])
    after = Counter(c for a, b, c in triples if a + b == start)
    total = sum(after.values())
    shares = [f"{c!r} {n / total:.0%}" for c, n in after.most_common(3)]
    print(f"after {start}:", ", ".join(shares))

# %% [markdown]
# After `l` the best a bigram table can do is one half for `l` and one half
# for `o`: a loss of log 2 at two of four letters, 0.347 on average, and one
# letter wrong. In the text, `i` follows `wh` nearly as often as `e` does, but
# seldom follows `th`. The table has one row for `h`, so it predicts the same
# mixture after both. What would help stands one character further back, and
# the model has no place to keep it.

# %% [markdown]
# ## Diagram
#
# ![A recurrent neural network. Left, one cell whose output is fed back to
# itself. Right, the same cell unrolled over the four letters h, e, l, l, which
# predicts e, l, l, o.](../docs/diagrams/rnn.en.svg)
#
# Left, the network as it is stored: one cell with a loop. Right, *unrolled*:
# the same cell drawn once for each time step. The blue vector h is the
# [hidden state](glossary.md#hidden-state). W and U carry no index: they are
# the same matrices at every step. So four letters and four thousand need
# equally many weights, and what is learned at one position holds at all of
# them.
#
# ![Five settings of inputs and outputs: one to one, one to many, many to one,
# many to many after reading everything, and one output for each
# input.](../docs/diagrams/five_settings.en.svg)
#
# The same cell serves for many kinds of inputs and outputs. This lesson uses
# the last of these five settings: one output for each input. The others come
# in lesson `03_five_settings`.

# %% [markdown]
# ## A worked example
#
# The vocabulary is `h`, `e`, `l`, `o`, one-hot encoded, and the hidden state
# has three units. We choose the weights ourselves, so that each unit has a
# meaning:
#
# | unit | after reading |
# |---|---|
# | 1 | 1 if the letter is `h` |
# | 2 | 1 if the letter is `e` |
# | 3 | 1 if the letter is `l`, but −1 if an `e` came just before |
#
# The first half of each line is the work of the input matrix W: its row for `h`
# is (1, 0, 0), and so on. "But if an `e` came just before" needs the state of
# the step before, and so it is the work of the recurrent matrix U. One number
# is enough: from unit 2 to unit 3, the weight −3. All other entries of U are
# zero, and so is the bias b. Now compute. The sum first, then tanh, which
# squeezes every number into the range from −1 to 1 (tanh 1 = 0.762):
#
# | step | letter | the sum a | state h = tanh a |
# |---|---|---|---|
# | 1 | `h` | (1, 0, 0) | (0.762, 0, 0) |
# | 2 | `e` | (0, 1, 0) | (0, 0.762, 0) |
# | 3 | `l` | (0, 0, 1 − 3 · 0.762) = (0, 0, −1.285) | (0, 0, −0.858) |
# | 4 | `l` | (0, 0, 1) | (0, 0, 0.762) |
#
# Steps 3 and 4 have the same input and the same weights. Only the state
# before differs, and the results have opposite signs. That is the idea.

# %%
W = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]], "float32")
U = np.zeros((3, 3), "float32")
U[1, 2] = -3  # unit 2 of the step before lowers unit 3
b = np.zeros(3, "float32")


def step(x_t, h):
    """One function, the same weights at every step."""
    return np.tanh(x_t @ W + h @ U + b)


letters = data.HELLO_VOCABULARY  # "helo"
ids = np.array([letters.index(letter) for letter in source])
labels = np.array([letters.index(letter) for letter in target])
x_hello = np.eye(4, dtype="float32")[ids]  # (T, D) = (4, 4)
h, by_hand = np.zeros(3, "float32"), []
for letter, x_t in zip(source, x_hello):
    h = step(x_t, h)
    by_hand.append(h)
    print(letter, h)

# %% [markdown]
# ### From states to probabilities
#
# A second matrix A turns each state into four logits, one for each letter,
# and softmax turns those into probabilities. Unit 1 is to raise `e`, unit 2
# is to raise `l`, and unit 3 is to raise `o` when it is positive and `l` when
# it is negative; all with the weight 4. At step 3 the logits are (0, 0, 3.43,
# −3.43). e to the power 3.43 is 30.9, the other three give 1, 1 and 0.03, and
# 30.9 / 32.9 = 0.938.

# %%
A = 4 * np.array([[0, 1, 0, 0], [0, 0, 1, 0], [0, 0, -1, 1]], "float32")
powers = np.exp(np.array(by_hand) @ A)
p = powers / powers.sum(axis=1, keepdims=True)
print("input      " + "".join(f"{letter:>7}" for letter in letters))
for letter, row, label in zip(source, p, target):
    print(f"{letter} -> {label}:    " + "".join(f"{q:7.3f}" for q in row))
print(f"mean loss: {-np.log(p[np.arange(4), labels]).mean():.3f} nats")

# %% [markdown]
# All four letters are right, at 0.106 nats instead of 0.347. Now the layer.
# `SimpleRNN` creates three arrays, W, U and b, in this order. We put ours in
# and expect the same states. `trace` returns them under their textbook name,
# and the picture shows them.

# %%
layer = SimpleRNN(3, return_sequences=True)
layer.build((None, None, 4))
layer.set_weights([W, U, b])
states = layer(x_hello[None])  # (B, T, U) = (1, 4, 3)
print(ops.convert_to_numpy(states)[0])
assert np.allclose(by_hand, ops.convert_to_numpy(states)[0], atol=1e-6)

trace = layer.trace(x_hello[None])
trace = {name: ops.convert_to_numpy(v) for name, v in trace.items()}
lesson.show(
    plots.gates(trace, source),
    "hello_states",
    "The three units of the hidden state over the letters h, e, l, l. The two "
    "steps that read l have opposite signs in the last unit.",
)

# %% [markdown]
# ## The equation
#
#     h_t = tanh(x_t W + h_(t-1) U + b)        the hidden state, h_0 = 0
#     z_t = h_t A + c                          logits of the next token
#     p_t = softmax(z_t)                       its probabilities
#
# x_t is the input at time step t, a row of D numbers: one-hot or an embedding.
# h_t has as many entries as the layer has *units*. W, of shape (D, units),
# reads the input; U, of shape (units, units), reads the previous state; b is
# the bias. A and c are the weights of an ordinary `Dense` layer. In the library
# the first equation is the method `step` of the cell (`project` is the matrix
# product, with dropout if there is any), and the model is an embedding, the
# layer and the `Dense` layer:

# %%
print(inspect.getsource(SimpleRNNCell.step))
print(inspect.getsource(RecurrentLM.call))

# %% [markdown]
# How does such a network learn? The loss at step t depends on W and U through
# *every* step up to t, so its gradient is computed from the last step back to
# the first: [backpropagation through
# time](glossary.md#backpropagation-through-time). On its way back each step
# multiplies the gradient by the slope of tanh, 1 − h_t², and by U:
#
#     dL/dh_(t-1) = (dL/dh_t * (1 - h_t^2)) U^T
#
# Take a single unit with U = 0.5 and a state near zero, where the slope is 1.
# After ten steps the gradient has been multiplied by 0.5 ten times: 0.001 is
# left. That is a [vanishing gradient](glossary.md#vanishing-gradient). With U =
# 2 it has grown to 1024, an [exploding
# gradient](glossary.md#exploding-gradient). And where the state is near 1 or
# −1 the slope of tanh is nearly zero, so a gradient can vanish with a large U
# too.

# %% [markdown]
# ## Code
#
# First the small task, now learned: eight units, random weights, one word. The
# id of `h` is 0, which is usually padding, so the loss gets `pad_id=None`.

# %%
keras.utils.set_random_seed(SEED)
hello = keras.Sequential(
    [
        keras.Input((None,), dtype="int32"),
        OneHot(4),
        SimpleRNN(8, return_sequences=True),
        keras.layers.Dense(4),
    ]
)
loss = TokenCrossEntropy(pad_id=None)
hello.compile(keras.optimizers.Adam(0.1), loss=loss)
hello.fit(ids[None], labels[None], epochs=40, verbose=0)
p = ops.convert_to_numpy(ops.softmax(hello(ids[None])))[0]
print("input      " + "".join(f"{letter:>7}" for letter in letters))
for letter, row, label in zip(source, p, target):
    print(f"{letter} -> {label}:    " + "".join(f"{q:7.3f}" for q in row))
hello_right = np.mean(p.argmax(axis=1) == labels)
hello_loss = -np.log(p[np.arange(4), labels]).mean()

# %% [markdown]
# Then the text, cut into windows of 64 characters as in the lesson before. The
# state begins at zero in every window.

# %%
tokenizer = CharTokenizer.train(text)
text_ids, test_ids = (tokenizer.tokenize([t])[0] for t in (text, text_test))
size = tokenizer.vocabulary_size()
x, y = next_token_windows(text_ids, length=64)
x_test, y_test = next_token_windows(test_ids, length=64)

keras.utils.set_random_seed(SEED)
model = RecurrentLM(size, 256, cell="rnn", embedding_dim=64, pad_id=None)
model(x[:1])  # creates the weights
steps = EPOCHS * -(-len(x) // 32)
rate = keras.optimizers.schedules.CosineDecay(
    4e-4, steps, warmup_target=4e-3, warmup_steps=max(1, steps // 20)
)
optimizer = keras.optimizers.Adam(rate, global_clipnorm=1.0)
model.compile(optimizer, loss=TokenCrossEntropy(pad_id=None))
print(f"{model.count_params():,} weights; training takes about a minute.")

# %% [markdown]
# Two settings are new. The learning rate rises during the first twentieth of
# the steps and then falls along a cosine, so that the first steps, when the
# weights are still random, are small. And `global_clipnorm=1.0` is [gradient
# clipping](glossary.md#gradient-clipping): if the gradient of all weights
# together is longer than 1, it is shortened to length 1, in the same
# direction. The last picture shows what happens without it. As before,
# nothing is chosen by the held-out loss.

# %%
history = model.fit(
    *(x, y),
    batch_size=32,
    epochs=EPOCHS,
    validation_data=(x_test, y_test),
).history

# %% [markdown]
# The model can now continue a text. It predicts a distribution, we draw one
# character from it, and that character is the next input: this is
# [sampling](glossary.md#sampling). The [temperature](glossary.md#temperature)
# divides the logits before the softmax. Below 1 the probable characters become
# more probable still; at 1 the distribution is the model's own.

# %%
prompt = "The value of "
prompt_ids = tokenizer.tokenize([prompt])
for temperature in 0.5, 1.0:
    sampler = Sampling(temperature=temperature, seed=SEED)
    new = generate(model, prompt_ids, sampler, max_length=200).ids
    print(f"\ntemperature {temperature}:")
    print(prompt + tokenizer.detokenize(new)[0])

# %% [markdown]
# ## Picture
#
# Four pictures: what the small network predicts, how the large one learned, how
# far back its gradient reaches, and what clipping does.
#
# How far back the gradient of a trained network reaches, from one to two
# hundred steps, is shown with a slider by the <a
# href="../../look/index.html#panel=forgetting&amp;lang=en">look-inside
# page</a>.

# %%
lesson.show(
    plots.probabilities(p, letters, source),
    "hello_probabilities",
    "Probability of the next letter (columns) after each letter of hell "
    "(rows), learned. The two rows of l are different: first l, then o.",
)
unigram, bigram, trigram, five = (
    ngram_loss(text_ids, test_ids, n, size) for n in (1, 2, 3, 5)
)
counted = {"unigram": unigram, "bigram": bigram}
counted |= {"trigram": trigram, "five-gram": five}
curves = {"training": history["loss"], "held out": history["val_loss"]}
lesson.show(
    plots.curves({"RNN": curves}, baselines=counted),
    "loss",
    "Loss by epoch beside four counted baselines. The curve of the RNN passes "
    "the trigram line and approaches the line of the five-gram.",
)

# %% [markdown]
# The third picture measures the gradient of the last state with respect to the
# input k characters earlier, k being the *lag*. To see what U does, three
# untrained layers stand beside the trained one; their U is a rotation,
# stretched by 0.5, 1 or 3.

# %%
inputs = ops.convert_to_numpy(model.token_embedding(x_test[:32]))
trained = SimpleRNN(256)  # returns the last state
trained.build((None, None, 64))
trained.set_weights(model.recurrent_layers[0].get_weights())
norms = {"trained on text": gradient_by_lag(trained, inputs)}
for gain in 0.5, 1.0, 3.0:
    stretched = keras.initializers.Orthogonal(gain=gain, seed=SEED)
    untrained = SimpleRNN(256, recurrent_initializer=stretched)
    norms[f"untrained, U x {gain}"] = gradient_by_lag(untrained, inputs)
lesson.show(
    plots.gradient_by_lag(norms, unit="characters"),
    "gradient_by_lag",
    "Gradient of the last state by the lag of the input, logarithmic. With U "
    "times 0.5 or 1 it vanishes, with U times 3 it explodes.",
)
for label, norm in norms.items():
    shares = "".join(f"{norm[k] / norm[0]:10.1e}" for k in (1, 10, 30, 63))
    print(f"{label:20} lag 1, 10, 30, 63: {shares}")

# %% [markdown]
# The last picture trains a network whose gradient explodes, twice from the
# same start, with plain gradient descent. The task is easy: the mean of the
# last three of 40 random numbers.

# %%
rng = np.random.default_rng(SEED)
numbers = rng.uniform(-1, 1, size=(320, 40, 1)).astype("float32")
means = numbers[:, -3:].mean(axis=1)
clipped, always_0 = {}, {"always 0": np.mean(means**2)}
for name, clip in ("not clipped", None), ("clipped to 1", 1.0):
    keras.utils.set_random_seed(SEED)
    stretched = keras.initializers.Orthogonal(gain=2.0)
    cell = SimpleRNN(16, recurrent_initializer=stretched)
    net = keras.Sequential([keras.Input((40, 1)), cell, keras.layers.Dense(1)])
    net.compile(keras.optimizers.SGD(0.2, global_clipnorm=clip), "mse")
    losses = net.fit(numbers, means, epochs=10, verbose=0).history["loss"]
    # Not a number, or beyond a 32-bit float: drawn at 1e38.
    losses = np.nan_to_num(losses, nan=1e38, posinf=1e38)
    clipped[name] = np.minimum(losses, 1e38)
lesson.show(
    plots.curves(clipped, "squared error (log)", baselines=always_0, log=True),
    "clipping",
    "Squared error by epoch of a network with an exploding gradient. Without "
    "clipping it leaves the range of 32-bit floats; with clipping it falls.",
)

# %% [markdown]
# **What you should see.** In the first picture compare the last two rows:
# both read `l`, and their dark cells are in different columns. In the second,
# the curve is below the trigram line after the first epochs and ends near the
# line of the five-gram. In the third picture the vertical axis is
# logarithmic, so a straight line is an exponential. The two lower untrained
# lines fall steeply: with U times 1, a rotation that by itself keeps every
# length, it is the slope of tanh that makes the gradient shrink. The upper
# line rises, more than a million times in 63 steps. Find the trained network
# among them, and read off at which lag a hundredth is left. In the last
# picture, without clipping, steps along an enormous gradient throw the
# weights away for good. Clipping prevents that and no more: after 100 steps
# the error is near that of always answering 0.

# %% [markdown]
# ## The number beside a baseline

# %%
nats = model.evaluate(x_test, y_test, verbose=0)
metric = "held-out nats per character, RNN"
for name, value in counted.items():
    lesson.compare(metric, nats, f"{name}, counted", value)
    print(f"{name:10} {value:.3f} nats, perplexity {np.exp(value):5.1f}")
print(f"RNN        {nats:.3f} nats, perplexity {np.exp(nats):5.1f}")
best = "best by the last letter"
lesson.compare("hello: share of letters right", hello_right, best, 0.75)
lesson.compare("hello: nats per letter", hello_loss, best, np.log(2) / 2)
grams = {text[i : i + 5] for i in range(len(text) - 4)}
print(f"different five-character strings in the text: {len(grams):,}")

# %% [markdown]
# About 1.40 nats, a perplexity of 4: after each character the model is as
# unsure as in a blind choice among four. The bigram table had twelve, the
# trigram seven. So the state carries more than two characters, and it uses
# them.
#
# But counting *five* characters, smoothed with shorter ones, gets 1.40 as
# well: on this text the recurrent network is no better than a good table. (It
# even has a small handicap: in each window it begins without any context, and
# the counts do not.) What it does show is how the same loss is reached: with
# 117,000 weights for any length of context, while the table stores counts of
# 42,000 different strings of five characters, and one in seven of those in
# the held-out text is missing from it. On 240,000 characters the two come out
# even. And "hello" shows only that four steps *can* be learned; one word that
# serves for training and for testing proves nothing about other words.
#
# Does the network forget? The gradient by lag is evidence that it can hardly
# *learn* a [long-term dependency](glossary.md#long-term-dependency), a
# prediction that depends on an input far back. It is no proof that a recurrent
# network cannot *hold* one: in exercise 3 you build one that does.

# %% [markdown]
# ## Pitfalls
#
# **Only the last output.** *Symptom:* an error about shapes, (B, units) where
# (B, T, units) was expected. `SimpleRNN` returns the last state unless you set
# `return_sequences=True`.
#
# **Axes exchanged.** *Symptom:* no error, and a poor loss. With (T, B, D)
# instead of (B, T, D) the layer reads across the batch, from one sequence to
# the next. Print the shape.
#
# **A loss that jumps.** *Symptom:* the loss suddenly rises, or becomes `nan`.
# Clip the gradient, or lower the learning rate. Clipping cannot help against
# a vanishing gradient, which is short already.
#
# **State carried over by accident.** *Symptom:* a prediction changes when you
# shuffle the batch. With `stateful=True` each batch begins where the one before
# ended; that only makes sense if the texts continue.
#
# **Its own output as input.** *Symptom:* a good loss and poor generated text.
# In training every input is the true character; when it generates, the model
# reads its own, and one wrong character leads to a state it has not met before.

# %% [markdown]
# ## Exercises
#
# As before: a task, a cell for your code, a check, and a folded answer.

# %% [markdown]
# ### Exercise 1 (5 minutes): count the weights
#
# Return the number of weights of W, U, b, A and c together, for inputs of width
# `inputs`, a state of `units` numbers and `outputs` logits. Why is the number
# of time steps not an argument?


# %% tags=["exercise"]
def count_weights(inputs, units, outputs):
    raise NotImplementedError


# %%
with lesson.exercise(1):
    found = count_weights(4, 3, 4)
    assert found == 40, f"12 + 9 + 3 + 12 + 4 = 40, not {found}"
    message = "the network that learned hello has another number"
    assert count_weights(4, 8, 4) == hello.count_params(), message

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def count_weights(inputs, units, outputs):
#     recurrent = inputs * units + units * units + units
#     return recurrent + units * outputs + outputs
# ```
#
# The same weights serve at every step, so the length does not matter.
#
# </details>

# %% [markdown]
# ### Exercise 2 (15 minutes): the layer in NumPy
#
# Compute all states of a batch: x of shape (B, T, D), result (B, T, units). A
# loop over the time steps is fine, one over the batch is not needed. The check
# compares with `SimpleRNN` and random weights.


# %% tags=["exercise"]
def simple_rnn(x, W, U, b):
    raise NotImplementedError


# %%
with lesson.exercise(2):
    rng = np.random.default_rng(2)
    batch = rng.normal(size=(2, 5, 3)).astype("float32")
    check = SimpleRNN(7, bias_initializer="ones", return_sequences=True)
    right = ops.convert_to_numpy(check(batch))
    found = simple_rnn(batch, *check.get_weights())
    assert np.shape(found) == (2, 5, 7), "the result must be (B, T, units)"
    assert np.allclose(found[:, 0], right[:, 0], atol=1e-5), "step 1 is wrong"
    assert np.allclose(found, right, atol=1e-5), "step 1 is right, others not"

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def simple_rnn(x, W, U, b):
#     h, states = np.zeros((len(x), len(U))), []
#     for t in range(x.shape[1]):
#         h = np.tanh(x[:, t] @ W + h @ U + b)
#         states.append(h)
#     return np.stack(states, axis=1)
# ```
#
# </details>

# %% [markdown]
# ### Exercise 3 (30 minutes): remember one bit
#
# Choose W (3, 1), U (1, 1) and b (1,) of a network with a single unit. Its
# inputs are one-hot: `-` is id 0, `+` is id 1, and `.` is id 2. The first input
# is `-` or `+`, then 100 dots follow. At the end the state must still be below
# −0.5 after `-` and above 0.5 after `+`. When it works, compute by which factor
# a gradient is multiplied at each step back.


# %% tags=["exercise"]
def remember():
    raise NotImplementedError


# %%
with lesson.exercise(3):
    found = [np.array(array, float) for array in remember()]
    shapes = [array.shape for array in found]
    assert shapes == [(3, 1), (1, 1), (1,)], f"wrong shapes: {shapes}"
    for first, sign in (0, -1), (1, 1):
        h = np.zeros(1)
        for number, i in enumerate([first] + [2] * 100):
            h = np.tanh(np.eye(3)[i] @ found[0] + h @ found[1] + found[2])
            message = f"forgotten after {number} dots: {h[0]:.3f}"
            assert sign * h[0] > 0.5, message

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def remember():
#     return [[-2], [2], [0]], [[2]], [0]
# ```
#
# With U = 2 the state has two stable values, 0.958 and −0.958, which reproduce
# themselves: tanh(2 · 0.958) = 0.958. The first input chooses one of them. But
# there the slope of tanh is 1 − 0.958² = 0.083, and the gradient is multiplied
# by 2 · 0.083 = 0.166 at each step. After ten steps 0.00000002 is left: exactly
# where the network remembers safely, it learns nothing from the distant past
# (Bengio, Simard and Frasconi 1994).
#
# </details>

# %% [markdown]
# ### Exercise 4 (an evening): backpropagation through time
#
# For one sequence x of shape (T, D), return the gradient of the sum of the last
# state's entries with respect to every input, of shape (T, D). Keep the states
# on the way forward, then go back with the equation above. What arrives at the
# input is the gradient before U^T, multiplied by W^T instead. The check
# compares with Keras, first on "hell" with the weights of the worked example.


# %% tags=["exercise"]
def last_state_gradient(x, W, U, b):
    raise NotImplementedError


# %%
with lesson.exercise(4):
    rng = np.random.default_rng(4)
    random_layer = SimpleRNN(5, return_sequences=True)
    random_x = rng.normal(size=(7, 2)).astype("float32")
    random_layer(random_x[None])
    for one, x_one in (layer, x_hello), (random_layer, random_x):
        right = input_gradient(
            lambda x, one=one: ops.sum(one(x)[:, -1]), x_one[None]
        )[0]
        found = last_state_gradient(x_one, *one.get_weights())
        assert np.shape(found) == right.shape, f"{right.shape} is the shape"
        last = np.allclose(found[-1], right[-1], atol=1e-5)
        assert last, "wrong already at the last input"
        assert np.allclose(found, right, atol=1e-5), "wrong further back"

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def last_state_gradient(x, W, U, b):
#     h = [np.zeros(len(U))]
#     for x_t in x:
#         h.append(np.tanh(x_t @ W + h[-1] @ U + b))
#     dh, gradient = np.ones(len(U)), np.zeros(x.shape)
#     for t in reversed(range(len(x))):
#         da = dh * (1 - h[t + 1] ** 2)
#         gradient[t] = da @ W.T
#         dh = da @ U.T
#     return gradient
# ```
#
# On "hell" the gradient is zero for the first two letters: the only weight in U
# leads from unit 2 to unit 3, and none leads on from unit 3. The network built
# by hand looks back one step and no further.
#
# </details>

# %% [markdown]
# ## Next
#
# The state of this network is overwritten at every step: whatever it is to
# keep must pass through W, U and tanh again, and the gradient takes the same
# way back and fades. Clipping limits a gradient that explodes; against one
# that vanishes the cell itself must change. The next lesson, `02_gates`,
# builds two cells that decide at each step what to keep: the LSTM and the
# GRU.

# %%
lesson.finish()
