# %% [markdown]
# # 03. Five settings: which steps get an input, and which are read
#
# A recurrent layer computes a state at every step. But not every step needs an
# input, and not every state has to be used. Choosing both gives five settings,
# and nearly every task with sequences is one of them. In this lesson you work
# through all five on paper with one network of two units, then train a small
# model for each: images of digits, their names in English and Korean, names in
# ten languages, sums, and video clips. You need lesson `02_gates`. Running
# everything takes about four minutes on two processor cores.

# %%
import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # keeps TensorFlow's log quiet

import inspect

import keras
import numpy as np
from keras import layers, ops
from sklearn.linear_model import LogisticRegression

from keras_seq import data, plots
from keras_seq.evaluation import tfidf_accuracy
from keras_seq.layers import GRU, LSTM, SimpleRNN, TokenEmbedding
from keras_seq.text import CharTokenizer
from keras_seq.training import Lesson, TokenCrossEntropy

np.set_printoptions(precision=3, suppress=True)
lesson = Lesson("03_five_settings", following="04_seq2seq")

# %% tags=["parameters"]
EPOCHS = 16
LANGUAGES = data.LANGUAGES
SUMS = 19_200
CLIPS = 3200
SEED = 0
JIT = keras.backend.backend() != "torch"  # compile the loop over the steps

# %% [markdown]
# ## Question
#
# The networks of the last lesson read a sequence and answered with one number.
# But "535+61" should be answered with three digits, an image with a sentence, a
# video with a label for each frame. **How does one recurrent layer serve for
# inputs and outputs of such different shapes, and what does each need as a
# loss?**
#
# At the end there will be one picture with five pairs of bars, each a share of
# right answers on held-out data beside a plain baseline (another seed changes
# the last digit):
#
# | setting | task | model | baseline |
# |---|---|---|---|
# | one to one | image of a digit: which one? | 0.99 | 0.97 |
# | one to many | image of a digit: its name in two languages | 0.99 | 0.97 |
# | many to one | a name: which of ten languages? | 0.85 | 0.83 |
# | many to many | "535+61": "596" | 0.98 | 0.36 |
# | synchronous | a video clip: which digit in each frame? | 0.94 | 0.73 |

# %% [markdown]
# ## What failed
#
# The network of the last lesson added two numbers. Does it also add numbers
# that are *written*? The inputs are now the characters of "535+61", and there
# are 1,999 possible sums. As on paper, it is easier from the right, because the
# carry goes to the left. So we write every problem backwards: "16+535". The
# model is like that of the last lesson, an LSTM and a `Dense` layer with one
# output, behind an embedding of the characters. `train` will train all models
# of this lesson in the same way: Adam, with a learning rate that falls to zero
# along a cosine.


# %%
def train(model, x, y, loss, batch_size=64, epochs=EPOCHS):
    steps = epochs * -(-len(x) // batch_size)
    falling = keras.optimizers.schedules.CosineDecay(4e-3, steps)
    optimizer = keras.optimizers.Adam(falling)
    model.compile(optimizer, loss=loss, jit_compile=JIT)
    model.fit(x, y, batch_size=batch_size, epochs=epochs)


def backwards(texts, length):
    """Fill up with spaces on the left, reverse, tokenize: (B, length)."""
    return characters.tokenize([text.rjust(length)[::-1] for text in texts])


characters = CharTokenizer("0123456789+ ")
problems, sums = data.addition(SUMS)
problems_test, sums_test = data.addition(2000, split="test")
x_sums, x_sums_test = backwards(problems, 7), backwards(problems_test, 7)
print(problems[0], "=", sums[0], "  ids, backwards:", x_sums[0])

# %%
wide = keras.initializers.RandomNormal(stddev=1.0, seed=SEED)


def read_problem():
    """Return the layers from the ids (B, 7) to the last state (B, 128)."""
    size = characters.vocabulary_size()
    embedding = TokenEmbedding(
        size, 32, pad_id=None, embeddings_initializer=wide
    )
    return [keras.Input((7,), dtype="int32"), embedding, LSTM(128)]


keras.utils.set_random_seed(SEED)
number = keras.Sequential([*read_problem(), layers.Dense(1)])
right_sums = np.array(sums_test, float)
train(number, x_sums, np.array(sums, float) / 1998, "mse", batch_size=128)
found = 1998 * ops.convert_to_numpy(number(x_sums_test))[:, 0]
number_right = np.mean(np.rint(found) == right_sums)
distance = np.median(np.abs(found - right_sums))
print(f"exactly right: {number_right:.3f}, half are within {distance:.1f}")

# %% [markdown]
# Half of the answers are within 4 of the right one, but only 8 of 100 are
# exactly right. The network has learned how large a sum is, not which digits it
# has. One output has to express 1,999 different answers. A last digit that is
# wrong by one is a difference of 0.0005 in it, which the squared error hardly
# notices. Later in this lesson the same LSTM reads the same problems, in as
# many training steps, and more than nine sums of ten are right in every digit.
# What changes is the output: four steps with a choice among characters at each,
# computed by a second LSTM.

# %% [markdown]
# ## Diagram
#
# ![Five settings of inputs and outputs: one to one, one to many, many to one,
# many to many after reading everything, and one output for each
# input.](../docs/diagrams/five_settings.en.svg)
#
# Here x is an input, h a state, y an output. Compare any two of the five
# drawings: the blue row is the same recurrence, and only the number of arrows
# into it and out of it changes. "One" means one vector without an axis of time,
# "many" means a sequence: a picture in and its caption out is [one to
# many](glossary.md#one-to-many). The two settings on the right are [many to
# many](glossary.md#many-to-many): both have a sequence on either side. They
# differ in *when* the output begins: after reading everything, so that the two
# lengths may differ, or at once, with one output for each input, which is why
# the last is called *synchronous*.
#
# ![A recurrent neural network. Left, one cell whose output is fed back to
# itself. Right, the same cell unrolled over the four letters h, e, l, l, which
# predicts e, l, l, o.](../docs/diagrams/rnn.en.svg)
#
# You have met three of them already. The character model of lesson `01_rnn`,
# above, is synchronous: a prediction at every letter. The adding problem of
# lesson `02_gates` is [many to one](glossary.md#many-to-one). And the bigram
# table of `00_before_you_start` is one to one, because it has no state at all.

# %% [markdown]
# ## A worked example
#
# A network of two units reads a rhythm. Its input is 1 when there is a tap and
# 0 when there is none. Its output is to say whether the present moment is *on
# the beat* or *between two beats*. W = (1, 0): a tap enters unit 1. U exchanges
# the two units: what was in unit 1 moves to unit 2, and the other way round.
# The bias is zero, and the output is y = unit 1 − unit 2, positive on the beat,
# negative between beats. Here are a tap, a pause and another tap (tanh 1 =
# 0.762, tanh 0.762 = 0.642, tanh 1.642 = 0.928):
#
# | step | input | the sum a | state h = tanh a | output y |
# |---|---|---|---|---|
# | 1 | 1 | (1, 0) | (0.762, 0) | 0.762 |
# | 2 | 0 | (0, 0.762) | (0, 0.642) | −0.642 |
# | 3 | 1 | (1 + 0.642, 0) | (0.928, 0) | 0.928 |
# | 4 | 0 | (0, 0.928) | (0, 0.730) | −0.730 |
# | 5 | 0 | (0.730, 0) | (0.623, 0) | 0.623 |
#
# Now read this table in five ways. The weights never change.
#
# **One to one.** Feed one tap, read one output: step 1 alone, 0.762. There is
# no step before it, so U has no work. Without U this is an ordinary
# *feed-forward network*, which has no state.
#
# **One to many.** Feed one tap and then zeros, read every step: 0.762, −0.642,
# 0.566. The network continues the beat by itself. Each output is a little
# weaker, because nothing new comes in.
#
# **Many to one.** Feed tap, pause, tap, read the last step only: 0.928. The
# sign means "on the beat". The size is larger than after one tap, because both
# taps point to the same answer.
#
# **Many to many.** Feed the three inputs, then zeros, and read what comes
# *after* the last input: −0.730, 0.623. Here the state is all that the output
# steps have of the input.
#
# **Synchronous.** Feed three inputs, read all three steps: 0.762, −0.642,
# 0.928.

# %%
W, b = np.array([[1.0, 0.0]]), np.zeros(2)
U = np.array([[0.0, 1.0], [1.0, 0.0]])  # the two units change places
A = np.array([[1.0], [-1.0]])


def states_of(inputs):
    """Return the states of all steps: (T, 2)."""
    h, states = np.zeros(2), []
    for x_t in inputs:
        h = np.tanh(x_t * W[0] + h @ U + b)
        states.append(h)
    return np.array(states)


by_hand = {
    "one to one": states_of([1])[-1] @ A,
    "one to many": (states_of([1, 0, 0]) @ A)[:, 0],
    "many to one": states_of([1, 0, 1])[-1] @ A,
    "many to many": (states_of([1, 0, 1, 0, 0])[3:] @ A)[:, 0],
    "synchronous": (states_of([1, 0, 1]) @ A)[:, 0],
}
for setting, y in by_hand.items():
    print(f"{setting:12}", y)

# %% [markdown]
# A layer has two switches for this. With `return_sequences=True` it returns the
# states of all steps, (B, T, units), otherwise the last state, (B, units). With
# `return_state=True` it returns, besides, the state with which another layer
# can go on, as its `initial_state`. For a `SimpleRNN` that is the last state
# once more; an LSTM returns h and c. So "many to many" is two layers: the first
# reads three inputs, the second takes its state and gets zeros.


# %%
def with_our_weights(**switches):
    layer = SimpleRNN(2, **switches)
    layer.build((None, None, 1))
    layer.set_weights([W, U, b])
    return layer


last, every = with_our_weights(), with_our_weights(return_sequences=True)
tap, rhythm = (np.reshape(x, (1, -1, 1)) for x in ([1.0], [1.0, 0.0, 1.0]))
silence = np.zeros((1, 2, 1))  # (B, T, D)
_, state = with_our_weights(return_state=True)(rhythm)
by_layer = {
    "one to one": last(tap),
    "one to many": every(np.concatenate([tap, silence], axis=1)),
    "many to one": last(rhythm),
    "many to many": every(silence, initial_state=[state]),
    "synchronous": every(rhythm),
}
for setting, h in by_layer.items():
    print(f"{setting:12} states {tuple(h.shape)!s:9}", end=" ")
    y = ops.convert_to_numpy(h) @ A
    print("outputs", y.ravel())
    assert np.allclose(y.ravel(), by_hand[setting], atol=1e-6)

# %% [markdown]
# ### Padding turns the answer around
#
# Two rhythms in one batch: tap, pause, tap and the shorter tap, pause. The
# second is padded with a zero. Many to one: the answer for the second must be
# that of its step 2, between beats, −0.642. But the layer reads the padding as
# one more pause and answers 0.566, on the beat. The [padding
# mask](glossary.md#padding-mask) is False there. A recurrent layer then skips
# the step: it repeats the state before it, and the last state is that of the
# last *real* step.

# %%
two = np.array([[[1.0], [0.0], [1.0]], [[1.0], [0.0], [0.0]]])  # (2, 3, 1)
mask = np.array([[True, True, True], [True, True, False]])
without_mask = ops.convert_to_numpy(last(two)) @ A
with_mask = ops.convert_to_numpy(last(two, mask=mask)) @ A
print("without the mask:", without_mask.ravel())
print("with the mask:   ", with_mask.ravel())
assert np.allclose(with_mask[1], by_hand["one to many"][1], atol=1e-6)

# %% [markdown]
# ## The equation
#
#     h_t  = f(x_t, h_(t-1))            the state; f is any cell
#     z_t  = h_t A + c                  logits, where a state is read
#     loss = - sum of m_t log softmax(z_t)[y_t] / sum of m_t
#
# x_t is the input of step t, or a vector of zeros, or one vector repeated at
# all steps. f is the cell: that of a `SimpleRNN`, an LSTM or a GRU. A and c are
# the weights of a `Dense` layer, the same at every step. y_t is the label of
# step t, and m_t is 1 where there is one that counts, 0 elsewhere. The loss is
# the cross entropy of lesson `00_before_you_start`. Its sums run over the steps
# that are read, for every sequence of the batch. So one loss serves for all
# five settings; what changes is the shape. B is the size of the batch, T the
# length of the input, L that of the output, D a width, C the number of classes
# and V that of characters:
#
# | setting | input | states read | logits | labels |
# |---|---|---|---|---|
# | one to one | `(B, D)` | the only one | `(B, C)` | `(B,)` |
# | one to many | `(B, D)` | all | `(B, L, V)` | `(B, L)` |
# | many to one | `(B, T, D)` | the last real one | `(B, C)` | `(B,)` |
# | many to many | `(B, T, D)` | after the last input | `(B, L, V)` | `(B, L)` |
# | synchronous | `(B, T, D)` | all | `(B, T, C)` | `(B, T)` |
#
# Where padding can occur, a part of the model must be told:
#
# | setting | padding stands | what needs the mask |
# |---|---|---|
# | one to one | nowhere | nothing |
# | one to many | after short outputs | the loss |
# | many to one | after short inputs | the recurrent layer |
# | many to many | after both | the layer that reads, and the loss |
# | synchronous | after both | the recurrent layer and the loss |
#
# In the code of the library, the embedding computes the mask of the ids, and
# Keras passes it on to the next layers. The loss computes its mask from the
# *labels*: a label equal to `pad_id` does not count.

# %%
print(inspect.getsource(TokenEmbedding.compute_mask))
print(inspect.getsource(TokenCrossEntropy.call))

# %% [markdown]
# ## Code
#
# ### One to one: which digit is this?
#
# `(B, 8, 8, 1)` → `(B, 10)`. The images are of 8 × 8 pixels. There is no time,
# so there is no recurrent layer: a small convolutional network turns an image
# into 128 numbers, and a `Dense` layer into 10 logits. (A convolution looks for
# the same small pattern everywhere in the image. [Dropout](glossary.md#dropout)
# sets a part of the numbers to zero at random, in training only, so that the
# network cannot rely on a few of them.) There is no padding, so `pad_id=None`:
# every label counts, also the label 0. The baseline is logistic regression,
# which is a single `Dense` layer on the 64 pixels. Scikit-learn fits it until
# it changes no more: a baseline that is not trained to its end would flatter
# the model.


# %%
def see():
    """Return the layers from an image (B, 8, 8, 1) to (B, 128)."""
    return [
        keras.Input((8, 8, 1)),
        layers.Conv2D(32, 3, padding="same", activation="relu"),
        layers.Conv2D(64, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(),
        layers.Dropout(0.3),
        layers.Flatten(),
        layers.Dense(128, activation="relu"),
        layers.Dropout(0.5),
    ]


def answers(model, x):
    return ops.convert_to_numpy(ops.argmax(model(x), axis=-1))


images, digits = data.digits("train")
images_test, digits_test = data.digits("test")
images, images_test = images[..., None], images_test[..., None]
all_count = TokenCrossEntropy(pad_id=None)

# %%
values, baselines = {}, {}
keras.utils.set_random_seed(SEED)
one_to_one = keras.Sequential([*see(), layers.Dense(10)])
train(one_to_one, images, digits, all_count)
right = answers(one_to_one, images_test) == digits_test
values["one to one"] = right.mean()
count = f"{np.sum(~right)} mistakes in {len(right)} images"
print(f"convolutions: {count}: {right.mean():.3f} right")

pixels, pixels_test = (x.reshape(len(x), 64) for x in (images, images_test))
plain = LogisticRegression(max_iter=1000).fit(pixels, digits)
right = plain.predict(pixels_test) == digits_test
baselines["one to one"] = right.mean()
print(
    f"logistic regression: {np.sum(~right)} mistakes: {right.mean():.3f} right"
)

# %% [markdown]
# ### One to many: what is this digit called?
#
# `(B, 8, 8, 1)` → `(B, L, V)`. The target is the name in two languages, for
# example "seven 칠", one character a step. How does the network say that a name
# is finished? By a character of its own, the [end
# token](glossary.md#end-token). Shorter names are padded after it, with the id
# 0, and here the loss has `pad_id=0`: what the network predicts after the end
# does not matter. `RepeatVector` copies the 128 numbers of the image to all L
# steps. (In the worked example, the steps after the first got zeros. Repeating
# spares the GRU from keeping the image in its state.) Every step gets the same
# input, so that only the state tells the steps apart.


# %%
def names_of(digits):
    both = [data.digit_captions(digits, code) for code in ("en", "ko")]
    return [" ".join(pair) for pair in zip(*both)]


called, called_test = names_of(digits), names_of(digits_test)
letters = CharTokenizer.train(called)
spelled = letters.tokenize(called, end=True)  # (B, L)
L, V = spelled.shape[1], letters.vocabulary_size()
print(called[0], spelled[0])
keras.utils.set_random_seed(SEED)
one_to_many = keras.Sequential(
    [
        *see(),
        layers.RepeatVector(L),  # (B, L, 128)
        GRU(128, return_sequences=True),
        layers.Dense(V),  # (B, L, V)
    ]
)
train(one_to_many, images, spelled, TokenCrossEntropy(pad_id=0))

# %% [markdown]
# A name counts as right if every character is, in both languages. The baseline
# is the logistic regression from above, with a table of the ten names. It is a
# strong one: it need not learn to spell.

# %%
spoken = np.array(letters.detokenize(answers(one_to_many, images_test)))
named = spoken == np.array(called_test)
values["one to many"] = named.mean()
baselines["one to many"] = baselines["one to one"]
print(f"{np.sum(~named)} mistakes: {named.mean():.3f} right in every character")
invented = sorted(set(spoken.tolist()) - set(called))
print("names that do not exist:", invented)

# %% [markdown]
# ### Many to one: which language is this?
#
# `(B, T)` → `(B, C)`. "Espagne", "İspanya", "스페인": the names of countries,
# languages, currencies and months, in ten languages. This is the setting of
# *sentiment*, where the input is a review and the output is "good" or "bad".
# (For Korean film reviews, `experiments/finetune.py` measures it: trained on
# 40,000 reviews, a recurrent network gets 0.847 right and counted groups of
# characters 0.852. The right setting alone wins nothing.)
#
# A name has 13 characters on average, and we read at most 36, so two thirds of
# a batch are padding, and the mask of the embedding is indispensable. One thing
# is new. The last state of a recurrent layer is nearest to the last letters,
# but the beginning of a name matters as much.
# [Bidirectional](glossary.md#bidirectional) layers run one layer forward and
# another backward, and put the two results side by side. So two last states
# come out: that after the last letter, and that after the first one, of a
# reader that began at the end. With the mask, the backward layer skips the
# padding, which it meets first, and begins at the last real letter.

# %%
texts, language = data.names("train", LANGUAGES)
texts_test, language_test = data.names("test", LANGUAGES)
alphabet = CharTokenizer.train(texts)
print(f"{len(texts)} names for training, {len(texts_test)} held out")
for i in range(500, len(texts), 1300):
    print(f"{LANGUAGES[language[i]]}: {texts[i]}")


def name_ids(texts):
    return alphabet.tokenize(texts, sequence_length=36, truncate=True)


keras.utils.set_random_seed(SEED)
embedding = TokenEmbedding(
    alphabet.vocabulary_size(), 64, embeddings_initializer=wide
)
many_to_one = keras.Sequential(
    [
        keras.Input((36,), dtype="int32"),
        embedding,  # (B, 36, 64) and the mask (B, 36)
        layers.Bidirectional(GRU(64, dropout=0.3)),  # (B, 128)
        layers.Dropout(0.5),
        layers.Dense(len(LANGUAGES)),
    ]
)

# %%
train(many_to_one, name_ids(texts), language, all_count)
guessed = answers(many_to_one, name_ids(texts_test))
values["many to one"] = np.mean(guessed == language_test)
baselines["many to one"] = tfidf_accuracy(
    texts, language, texts_test, language_test
)
print(f"GRU in both directions: {values['many to one']:.3f}")
print(f"counted groups of 1 to 4 letters: {baselines['many to one']:.3f}")
share = (name_ids(texts) == 0).mean()
print(f"padding: {share:.2f} of all positions")

# %% [markdown]
# ### Many to many: what is 535+61?
#
# `(B, 7)` → `(B, 4, V)`. This is the task that failed, and the same layers read
# the problem. What is new comes after them: the last state of the reading LSTM
# is repeated four times, and a second LSTM writes four characters. The part
# that reads is called an [encoder](glossary.md#encoder), the part that writes a
# [decoder](glossary.md#decoder). It is "many to one" followed by "one to many".
# Problems and sums are filled up with spaces to 7 and 4 characters. A space is
# an ordinary character here, which the network has to read and to write. So
# nothing is masked, and all four labels count.

# %%
y_sums = backwards(sums, 4)
keras.utils.set_random_seed(SEED)
many_to_many = keras.Sequential(
    [
        *read_problem(),  # (B, 128)
        layers.RepeatVector(4),  # (B, 4, 128)
        LSTM(128, return_sequences=True),
        layers.Dense(characters.vocabulary_size()),  # (B, 4, V)
    ]
)
train(many_to_many, x_sums, y_sums, all_count, batch_size=128)

# %% [markdown]
# A sum counts as right if all its digits are. The baseline adds each column
# alone and forgets the carry: it is right exactly where there is none.

# %%
written = characters.detokenize(answers(many_to_many, x_sums_test))
written = np.array([text[::-1].strip() for text in written])
exact = written == np.array(sums_test)
carries = np.array([data.carries(problem) for problem in problems_test])
values["many to many"] = exact.mean()
baselines["many to many"] = np.mean(carries == 0)
print([f"{p}={w}" for p, w in zip(problems_test[:5], written)])
print(f"one number as output: {number_right:.3f} exactly right")
print(f"four characters:      {exact.mean():.3f} exactly right")
for count in range(4):
    share = exact[carries == count].mean()
    print(f"with {count} carries: {share:.3f}")

# %% [markdown]
# ### Synchronous: which digit is in each frame?
#
# `(B, T, 12, 12, 1)` → `(B, T, 10)`. A digit moves through a clip of 12 frames.
# Once or twice it is replaced by another. In about a quarter of the frames it
# is hidden behind noise, and the label is still the digit behind it.
# `TimeDistributed` applies a layer to each frame separately, with the same
# weights. A layer over time, between these and the `Dense` layer, is what can
# remember. We train three models that differ in this layer only: none (the
# baseline), an LSTM of 64 units, and a bidirectional LSTM with 40 units for
# each direction, which has about as many weights. All clips have 12 frames, so
# there is no padding. Were some shorter, both the mask of the layer and the
# label `pad_id` would be needed.


# %%
def watch(over_time):
    each_frame = [
        layers.Conv2D(16, 4, strides=2, padding="same", activation="relu"),
        layers.Conv2D(32, 4, strides=2, padding="same", activation="relu"),
        layers.Dropout(0.2),
        layers.Flatten(),
        layers.Dense(64, activation="relu"),
    ]
    return keras.Sequential(
        [keras.Input((12, 12, 12, 1))]
        + [layers.TimeDistributed(layer) for layer in each_frame]
        + [*over_time, layers.Dense(10)]
    )


clips, frame_labels = data.moving_digits(CLIPS, 12, size=12)
test = {"count": 400, "frames": 12, "size": 12, "split": "test", "seed": 1}
clips_test, frame_labels_test = data.moving_digits(**test)
uncovered, _ = data.moving_digits(**test, occlusion=0)
hidden = (clips_test != uncovered).any(axis=(2, 3))  # (B, T)

# %%
over_time = {
    "no layer": [],
    "LSTM": [LSTM(64, return_sequences=True)],
    "both ways": [layers.Bidirectional(LSTM(40, return_sequences=True))],
}
seen, frames_right, half = {}, {}, (EPOCHS + 1) // 2
for kind, memory in over_time.items():
    keras.utils.set_random_seed(SEED)
    model = watch(memory)
    x, y = clips[..., None], frame_labels
    train(model, x, y, all_count, batch_size=32, epochs=half)
    weights = sum(layer.count_params() for layer in memory)
    print(f"{kind}: {weights:,} weights in the layer over time")
    seen[kind] = answers(model, clips_test[..., None])
    frames_right[kind] = seen[kind] == frame_labels_test

# %%
for kind, right in frames_right.items():
    print(f"{kind:10}{right.mean():.3f} of all frames,", end=" ")
    print(f"visible {right[~hidden].mean():.3f},", end=" ")
    print(f"hidden {right[hidden].mean():.3f}")
values["synchronous"] = frames_right["LSTM"].mean()
baselines["synchronous"] = frames_right["no layer"].mean()

# %% [markdown]
# ## Picture
#
# First the names that the network spelled: the mistakes come first.

# %%
show = np.argsort(named, kind="stable")[:16]
lesson.show(
    plots.captions(
        images_test[show, ..., 0], spoken[show], np.array(called_test)[show]
    ),
    "names",
    "One to many: 16 held-out digits with the name that the network spelled. "
    "The wrong ones come first, with the true name below.",
)
lesson.show(
    plots.confusion_matrix(language_test, guessed, LANGUAGES),
    "languages",
    "Many to one: the true language (rows) and the predicted one (columns). "
    "Most of each row is on the diagonal; Korean has a script of its own.",
)

# %% [markdown]
# Then one clip, as the model without a layer over time and the LSTM label it.
# We take the clip in which the two differ most.

# %%
gain = frames_right["LSTM"].sum(axis=1) - frames_right["no layer"].sum(axis=1)
clip = gain.argmax()
for kind, name in ("no layer", "clip_alone"), ("LSTM", "clip_lstm"):
    true, predicted = frame_labels_test[clip], seen[kind][clip]
    caption = (
        f"Synchronous: the 12 frames of a held-out clip, labeled with {kind} "
        f"over time: {np.sum(true == predicted)} of 12 are right."
    )
    lesson.show(plots.clip(clips_test[clip], true, predicted), name, caption)

# %% [markdown]
# Last, all five settings in one picture.

# %%
lesson.show(
    plots.bars(values, baselines, "share right, held out"),
    "five_settings",
    "Share of right answers in the five settings beside a plain baseline. The "
    "gaps are small on the left, and large for sums and clips.",
)

# %% [markdown]
# **What you should see.** First picture: the mistakes. Some are the name of
# another digit. Others are no name at all, such as `tight`: the network was
# undecided, and each step chose a character for itself. Second picture: a dark
# diagonal, and beside it the languages that are related. Spanish is taken for
# Italian and the other way round, Dutch for German. Korean is never mistaken:
# one letter is enough. Third and fourth picture: look at the frames of noise.
# Alone, such a frame is a guess. The LSTM repeats what it saw before, and it
# changes its answer when another digit appears. Last picture: compare the two
# bars of each pair. Only two of the five gaps are large.

# %% [markdown]
# ## The number beside a baseline

# %%
names_of_baselines = {
    "one to one": "logistic regression on the pixels",
    "one to many": "that, and a table of the names",
    "many to one": "counted groups of letters",
    "many to many": "columns added without a carry",
    "synchronous": "each frame alone",
}
for setting, value in values.items():
    metric = f"{setting}: share right, held out"
    name = names_of_baselines[setting]
    lesson.compare(metric, value, name, baselines[setting])
metric = "many to many: share right, held out"
lesson.compare(metric, values["many to many"], "one number", number_right)
metric = "synchronous, both ways: share right, held out"
both_ways_right = frames_right["both ways"].mean()
lesson.compare(metric, both_ways_right, "LSTM", values["synchronous"])

# %% [markdown]
# The two large gaps are where the baseline lacks what the task needs. Without
# the carry, only 36 of 100 sums can be right. Without memory, a hidden frame is
# a guess, right in about 1 of 10 cases; the LSTM is right in 0.94 of the hidden
# frames, as often as in the visible ones. And of the two networks that read the
# same sums, one gets 0.976 and the other 0.079. They differ in their output
# only (which gives the better one a second LSTM and so more weights).
#
# The other three gaps are small, and so are the test sets. For 355 images,
# 0.997 and 0.966 are 1 mistake and 12 mistakes; spelling the names makes 5. The
# 1,655 held-out names give a standard error of about 0.009, so 0.848 beside
# 0.833 is not much: the language of a short name shows in its groups of
# letters, and to count them needs no recurrent network.
#
# Textbooks recommend bidirectional layers wherever the whole sequence is known.
# Here that is not borne out: with about as many weights, reading both ways gets
# 0.946 of the frames and the LSTM 0.943, too close to tell. The reason is the
# task. The digit behind the noise is always one that was shown *before*, so the
# past is enough. Reading backward helps where the answer depends on what comes
# later: whether a "5" at the beginning of a date is a day or a month, for
# example. All numbers are those of one seed.

# %% [markdown]
# ## Pitfalls
#
# **The last state where all were wanted.** *Symptom:* an error about shapes:
# the labels are (B, T), the logits (B, C). Set `return_sequences=True`. In a
# stack of recurrent layers, every layer but the last needs it in any setting.
#
# **Label 0 is taken for padding.** *Symptom:* one class is never predicted, and
# it is the first. `TokenCrossEntropy()` ignores the label 0 unless you say
# `pad_id=None`. That is right for characters and wrong for digits.
#
# **Padding counts as success.** *Symptom:* an accuracy of 0.9 after the first
# epoch, and outputs that are mostly empty. The network has learned to predict
# padding. Give the loss *and* the metric the `pad_id`.
#
# **The mask is lost.** *Symptom:* the prediction for a text changes when more
# padding is added. Test exactly that. Some layers drop the mask, such as
# `Flatten`, and so does arithmetic with `keras.ops` between two layers.
#
# **Both directions where there is no future.** *Symptom:* excellent in
# training, useless in a live video. A layer that reads backward needs the end.
# And if the label is the next character, the backward half reads the answer.
#
# **All outputs from one vector, each on its own.** *Symptom:* half of one word
# and half of another. In "one to many" no step is told which character was
# chosen before. Lesson `04_seq2seq` gives the chosen character back as an
# input.

# %% [markdown]
# ## Exercises
#
# As before: a task, a cell for your code, a check that never stops the lesson,
# and a folded answer.

# %% [markdown]
# ### Exercise 1 (5 minutes): which shape?
#
# Return the shape of the logits, a tuple, for a setting (one of the five names
# in the table), B sequences, T input steps, L output steps and C classes or
# characters. The check compares with the five models of this lesson.


# %% tags=["exercise"]
def logits_shape(setting, B, T, L, C):
    raise NotImplementedError


# %%
with lesson.exercise(1):
    for setting, trained, inputs, steps in (
        ("one to one", one_to_one, images, 1),
        ("one to many", one_to_many, images, L),
        ("many to one", many_to_one, name_ids(texts[:3]), 1),
        ("many to many", many_to_many, x_sums, 4),
        ("synchronous", model, clips[..., None], 12),
    ):
        shape = tuple(trained(inputs[:3]).shape)
        T = inputs.shape[1] if setting[:3] != "one" else 1
        found = logits_shape(setting, 3, T, steps, shape[-1])
        assert found == shape, f"{setting}: {found}, the model says {shape}"

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def logits_shape(setting, B, T, L, C):
#     if setting.endswith("one"):
#         return B, C
#     return (B, T, C) if setting == "synchronous" else (B, L, C)
# ```
#
# </details>

# %% [markdown]
# ### Exercise 2 (15 minutes): the last real state
#
# A layer without a mask returns the states of all steps, (B, T, units), also
# those after padding. Return, for each sequence, the state of its last real
# step, (B, units). `mask`, (B, T), is True at real steps, and padding comes at
# the end. The check compares with a layer that gets the mask. Why does this
# work for a layer that reads forward, and not for one that reads backward?


# %% tags=["exercise"]
def last_real(states, mask):
    raise NotImplementedError


# %%
with lesson.exercise(2):
    layer = SimpleRNN(5, return_sequences=True)
    x = np.random.default_rng(2).normal(size=(3, 7, 2)).astype("float32")
    mask = np.arange(7) < np.array([[7], [4], [1]])
    masked = ops.convert_to_numpy(layer(x, mask=mask))[:, -1]
    found = np.array(last_real(ops.convert_to_numpy(layer(x)), mask))
    assert found.shape == (3, 5), f"(3, 5) is the shape, not {found.shape}"
    for b, length in enumerate((7, 4, 1)):
        message = f"wrong for a sequence of {length} steps"
        assert np.allclose(found[b], masked[b], atol=1e-5), message

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def last_real(states, mask):
#     last = mask.sum(axis=1) - 1
#     return states[np.arange(len(states)), last]
# ```
#
# A forward layer meets the padding after the real steps, when the state that we
# want has been computed. A backward layer meets it first, and every later state
# is different because of it.
#
# </details>

# %% [markdown]
# ### Exercise 3 (30 minutes): both directions, with a mask
#
# Compute what a bidirectional layer returns for every step. `forward` and
# `backward` are functions that read one sequence, (n, D), and return its n
# states, (n, units), in the order in which they read it. The result has the
# shape (B, T, 2 · units), with zeros at padding. At each step it holds the
# state of the forward reader, then that of the backward reader, both *at that
# step*.


# %% tags=["exercise"]
def read_both_ways(x, mask, forward, backward):
    raise NotImplementedError


# %%
with lesson.exercise(3):
    rng = np.random.default_rng(3)
    both = layers.Bidirectional(SimpleRNN(4, return_sequences=True))
    x = rng.normal(size=(3, 6, 2)).astype("float32")
    mask = np.arange(6) < np.array([[6], [4], [1]])
    right = ops.convert_to_numpy(both(x, mask=mask))
    arrays = both.get_weights()
    one_way = SimpleRNN(4, return_sequences=True)
    one_way(x)

    def reader(weights):
        def read(x):
            one_way.set_weights(weights)
            return ops.convert_to_numpy(one_way(x[None]))[0]

        return read

    found = read_both_ways(x, mask, reader(arrays[:3]), reader(arrays[3:]))
    assert np.shape(found) == (3, 6, 8), "the result must be (B, T, 2 units)"
    for half, name in (slice(4), "forward"), (slice(4, 8), "backward"):
        good = np.allclose(found[0, :, half], right[0, :, half], atol=1e-5)
        assert good, f"the {name} half is wrong without padding"
    message = "right without padding, wrong with it"
    assert np.allclose(found[mask], right[mask], atol=1e-5), message

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def read_both_ways(x, mask, forward, backward):
#     result = []
#     for sequence, real in zip(x, mask):
#         ahead = forward(sequence[real])
#         back = backward(sequence[real][::-1])[::-1]
#         states = np.concatenate([ahead, back], axis=-1)
#         padding = np.zeros((len(real) - len(states), states.shape[1]))
#         result.append(np.concatenate([states, padding]))
#     return np.array(result)
# ```
#
# </details>

# %% [markdown]
# ### Exercise 4 (an evening): add without reading to the end
#
# Two binary numbers, the lowest bit first: at each step the input is one bit of
# either number, and the output is one bit of their sum. That is synchronous,
# for numbers of any length, if the state carries the carry. Choose the weights
# of a `SimpleRNN` and of the `Dense` layer behind it by hand: W (2, units), U
# (units, units), b (units,), A (units, 1) and c (1,). The output is positive
# where the bit is 1, negative where it is 0. Three units are enough. Hint: let
# each say whether the sum of the two bits and the carry is at least 1, 2 or 3.
# And mind that the first state is 0, not −1.


# %% tags=["exercise"]
def adder_weights():
    raise NotImplementedError


# %%
with lesson.exercise(4):
    arrays = [np.array(array, "float32") for array in adder_weights()]
    recurrent = SimpleRNN(len(arrays[1]), return_sequences=True)
    adder = keras.Sequential(
        [keras.Input((None, 2)), recurrent, layers.Dense(1)]
    )
    adder.set_weights(arrays)
    bits = np.random.default_rng(4).integers(0, 2, (20, 100, 2))
    found = ops.convert_to_numpy(adder(bits.astype("float32")))[..., 0] > 0
    carry = np.zeros(20, int)
    for t in range(100):
        total = bits[:, t].sum(axis=-1) + carry
        carry = total // 2
        wrong = np.flatnonzero(found[:, t] != total % 2)
        message = f"wrong at bit {t}: the bits and the carry are {total[wrong]}"
        assert not len(wrong), message

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def adder_weights():
#     K = 20  # steep: every state is near 1 or -1
#     W = K * np.ones((2, 3))
#     U = np.zeros((3, 3))
#     U[1] = K / 2  # the carry is unit 2
#     b = -K * np.array([0.25, 1.25, 2.25])
#     return W, U, b, [[1], [-1], [1]], [0]
# ```
#
# A unit is 1 if its threshold is reached, otherwise −1. Unit 2, "at least 2",
# is the carry. It comes as 1 or −1 times one half, and as 0 at the first step,
# so the thresholds are 0.25, 1.25 and 2.25. Unit 1 − unit 2 + unit 3 is 1 for
# the sums 1 and 3, and −1 for 0 and 2. A trained network of the setting "many
# to many" has seen sums of three digits and knows no others; this one adds a
# hundred bits.
#
# </details>

# %% [markdown]
# ## Next
#
# The decoder of this lesson gets the same vector at every step and is never
# told which character it has written. And all that it knows of the input has to
# fit into the 128 numbers of one state. That is enough for 7 characters; for a
# sentence? The next lesson, `04_seq2seq`, builds encoder and decoder properly:
# the decoder reads its own last output, and we measure what fits into one
# vector and what does not.

# %%
lesson.finish()
