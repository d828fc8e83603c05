# %% [markdown]
# # 13. Vision Transformer: a picture as a sequence of patches
#
# Every model since lesson 04 has read text. A Transformer, however, does not
# need text: it needs a sequence of vectors. A [Vision
# Transformer](glossary.md#vision-transformer) (ViT) cuts a picture into squares
# and reads them as a sequence, as if they were words. In this lesson you cut
# two letters of four by four pixels by hand and let a single head tell them
# apart. Then you train a ViT on handwritten digits beside a convolutional
# network of the same size, and find out what is built into the convolutional
# network and what the ViT must learn. You need `06_self_attention`,
# `07_transformer` and `10_bert`. Running everything takes about four minutes on
# two processor cores.

# %%
import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # keeps TensorFlow's log quiet

import inspect

import keras
import numpy as np
from keras import ops

from keras_seq import data, plots
from keras_seq.evaluation import attention_rollout
from keras_seq.layers import MultiHeadAttention, PatchEmbedding, Patches
from keras_seq.layers.position_encoding import sinusoidal_positions_2d
from keras_seq.models import ResNet, ViT
from keras_seq.training import Lesson, reset_weights

np.set_printoptions(precision=3, suppress=True)
lesson = Lesson("13_vit", following="14_which_model_when")

# %% tags=["parameters"]
EPOCHS = 15
SIZES = (75, 300, 1200)
RATES = (0.001, 0.003, 0.01)
SEEDS = (0, 1, 2)

# %% [markdown]
# ## Question
#
# A digit of 8 × 8 pixels, written by hand: which one is it? There are 1,200
# labeled digits to learn from, or only 300, or 75. **How does a Transformer
# read a picture, and what does it have to learn that a convolutional network
# need not?**
#
# The number at the end is the accuracy on 355 digits that were not used for
# training. Always naming the most frequent digit gets 0.10. Taking the label of
# the most similar known digit gets 0.98 with 1,200 known digits and 0.91 with
# 75, and a convolutional network gets about the same. The ViT, with as many
# weights, the same data, the same number of training steps and the same search
# for a learning rate, gets about **0.92** with 1,200 digits and only about
# **0.66** with 75.

# %% [markdown]
# ## What failed
#
# BERT and GPT begin with a table of embeddings: one row for each
# [token](glossary.md#token) of a finite vocabulary. A picture has no words. The
# smallest thing it has is the pixel, so why not one token for each pixel? Let
# us count what attention would need, for the usual size of a photograph, 224 by
# 224 pixels.

# %%
for side in (1, 4, 16, 32):
    tokens = (224 // side) ** 2
    megabytes = tokens**2 * 4 / 1e6  # four bytes each
    print(f"{side:2} x {side:2} pixels: {tokens:6,} tokens,", end="")
    print(f"{tokens**2:14,} attention weights, {megabytes:10,.3f} MB")

# %% [markdown]
# That is one head of one layer for one picture. Self-attention compares each
# token with each, so the number of weights grows with the square of the number
# of tokens: ten gigabytes for single pixels, and 0.15 megabytes for squares of
# 16 × 16.
#
# The opposite is the whole picture as one vector. That is how a plain method
# works, the nearest neighbor: compare the 64 pixels with those of all known
# digits. It is our [baseline](glossary.md#baseline). Here are the digits, the
# part of the training data that is kept for choices, the validation set, and
# what happens to the baseline if the test digits are moved to the right by a
# single pixel.


# %%
def nearest(known, names, asked):
    """Give each image the name of the most similar known image."""
    a, b = (images.reshape(len(images), -1) for images in (asked, known))
    distance = (b**2).sum(axis=1) - 2 * a @ b.T  # and a^2, the same for all b
    return names[distance.argmin(axis=1)]


# %%
images, labels = data.digits("train")
order = np.random.default_rng(0).permutation(len(images))
images, labels = images[order][..., None], labels[order]
x, y = images[: max(SIZES)], labels[: max(SIZES)]
x_val, y_val = images[-242:], labels[-242:]
x_test, y_test = data.digits("test")
x_test = x_test[..., None]  # (N, H, W, C) = (355, 8, 8, 1)
moved = np.pad(x_test, ((0, 0), (0, 0), (1, 0), (0, 0)))[:, :, :-1]
print(f"{len(x)} to learn from, {len(x_val)} to choose by, {len(x_test)} test")

neighbor = {}
for size in SIZES:
    right = nearest(x[:size], y[:size], x_test) == y_test
    neighbor[size] = right.mean()
    print(f"nearest of {size:5,}: {right.mean():.3f}")
most_frequent = np.mean(y_test == np.bincount(y).argmax())
neighbor_moved = np.mean(nearest(x, y, moved) == y_test)
print(f"most frequent digit: {most_frequent:.3f}")
print(f"nearest of {len(x):,}, test digits moved: {neighbor_moved:.3f}")

# %% [markdown]
# With 1,200 known digits the nearest one is nearly always right, 0.983: this is
# a strong baseline. But it compares pixel with pixel, and after a move of one
# pixel it compares the wrong ones: 0.662 is left. To a person it is the same
# digit.

# %% [markdown]
# ## Diagram
#
# ![An image is cut into four patches. One matrix turns each patch into a token,
# a class token stands in front, position embeddings are added, and the class is
# predicted from the output of the class
# token.](../docs/diagrams/patches.en.svg)
#
# ViT takes the middle way. The picture is cut into squares, the
# [patches](glossary.md#patch), row by row. The pixels of a patch, written one
# after the other, are a vector, and one matrix W_e projects it to the width of
# the model: this takes the place of the table of embeddings. In front stands a
# learned vector, the [class token](glossary.md#class-token), which has the role
# of `[CLS]` in BERT: its output represents the whole picture. A learned
# position embedding is added to every token. Then come the blocks of an
# encoder.
#
# ![The encoder block: self-attention, then a feed-forward network, each with a
# residual connection. Left with layer normalization after the addition, right
# before the sublayer.](../docs/diagrams/encoder_block.en.svg)
#
# The block is the one of lesson 07, in the form on the right: pre-norm, as in
# GPT. Attention has no mask, as in BERT: every patch may attend to every other.
# Nothing in the blocks is made for pictures.

# %% [markdown]
# ## A worked example
#
# Two letters of the Korean alphabet, 4 × 4 pixels each: `ㅗ` is the vowel o,
# and `ㅜ` is the vowel u. With patches of 2 × 2, they consist of the same four
# patches, with the upper and the lower half exchanged:
#
#     ㅗ  0 1 | 1 0        ㅜ  1 1 | 1 1
#         0 1 | 1 0            0 0 | 0 0
#         ---------            ---------
#         1 1 | 1 1            0 1 | 1 0
#         0 0 | 0 0            0 1 | 1 0
#
# Written row by row, the first patch of `ㅗ` is (0, 1, 0, 1). The matrix W_e
# has four rows, one for each pixel, and three columns. The first column is (½,
# ½, −½, −½): the upper pixels minus the lower ones, which finds a horizontal
# stroke. The second is (−½, ½, −½, ½): right minus left, which finds a
# vertical one. The third column is zero; it is kept free for the position. For
# the first patch the first number is ½ · (0 + 1 − 0 − 1) = 0, and the second
# is ½ · (−0 + 1 − 0 + 1) = 1. The position embedding P adds 1 to the third
# number of the upper patches and −1 to that of the lower ones:
#
# | n | patch of ㅗ | times W_e | P | token |
# |---|---|---|---|---|
# | 0 | class token | | (0, 0, 0) | (1, 0, 0) |
# | 1 | (0, 1, 0, 1) | (0, 1, 0) | (0, 0, 1) | (0, 1, 1) |
# | 2 | (1, 0, 1, 0) | (0, −1, 0) | (0, 0, 1) | (0, −1, 1) |
# | 3 | (1, 1, 0, 0) | (1, 0, 0) | (0, 0, −1) | (1, 0, −1) |
# | 4 | (1, 1, 0, 0) | (1, 0, 0) | (0, 0, −1) | (1, 0, −1) |
#
# For `ㅜ` the patches 3 and 4 come first, so their tokens are (1, 0, 1), and
# those of the vertical strokes are (0, 1, −1) and (0, −1, −1). The class token,
# (1, 0, 0), is learned, and here we choose it. First in NumPy, then with the
# layer:

# %%
o = np.array([[0, 1, 1, 0], [0, 1, 1, 0], [1, 1, 1, 1], [0, 0, 0, 0]])
u = np.concatenate([o[2:], o[:2]])
letters = np.stack([o, u]).astype("float32")[..., None]  # (B, H, W, C)


def cut(image, side=2):
    """Cut an image (H, W, C) into patches, row by row: (N, P)."""
    H, W, _ = image.shape
    corners = [(i, j) for i in range(0, H, side) for j in range(0, W, side)]
    pieces = [image[i : i + side, j : j + side] for i, j in corners]
    return np.stack([piece.ravel() for piece in pieces])


W_e = np.array([[1, -1, 0], [1, 1, 0], [-1, -1, 0], [-1, 1, 0]]) / 2
class_token = np.array([1, 0, 0])
P = np.zeros((5, 3))
P[1:3, 2], P[3:, 2] = 1, -1  # upper and lower patches


def embed(image):
    return np.concatenate([class_token[None], cut(image) @ W_e]) + P


tokens = np.stack([embed(image) for image in letters])  # (B, T, D)
print("ㅗ:\n", tokens[0], "\nㅜ:\n", tokens[1], sep="")

# %%
embedding = PatchEmbedding(3, patch_size=2, image_size=4, channels=1)
embedding.build()
embedding.dense.set_weights([W_e, np.zeros(3)])
embedding.class_token.assign(class_token)
embedding.positions.assign(P)
found = ops.convert_to_numpy(embedding(letters))
assert np.allclose(found, tokens, atol=1e-6)

layer = Patches(2)
pieces = layer(letters)  # (B, N, P) = (2, 4, 4)
assert np.allclose(pieces, [cut(image) for image in letters])
assert np.allclose(layer.join(pieces, 4), letters)
print("The layers agree, and the patches can be joined again.")

# %% [markdown]
# ### One head tells them apart
#
# Are the horizontal strokes above or below? One head with a width of 1 can
# answer that. Its query is 2 times the first number of the token, its key is
# the first number (is this a horizontal stroke?), and its value is the third
# (where is it?). We need the query of the class token alone, and it is 2. The
# score of the two horizontal strokes is 2 · 1 = 2, and that of the two vertical
# ones 2 · 0 = 0. The class token also attends to itself, and its own key is 1,
# so it gets 2 as well. The square root of the width is 1, so the scores are not
# divided. Softmax: e² is 7.39 and e⁰ is 1, the sum is 3 · 7.39 + 2 · 1 = 24.17.
#
# | token of ㅗ | score | weight | value | weight times value |
# |---|---|---|---|---|
# | class token | 2 | 0.306 | 0 | 0 |
# | vertical, above | 0 | 0.041 | 1 | 0.041 |
# | vertical, above | 0 | 0.041 | 1 | 0.041 |
# | horizontal, below | 2 | 0.306 | −1 | −0.306 |
# | horizontal, below | 2 | 0.306 | −1 | −0.306 |
#
# The sum is −0.529. For `ㅜ` the weights are the same and all values have the
# other sign: 0.529. Below zero is o, above zero is u.

# %%
W_Q, W_K, W_V = np.array([[2, 0, 0], [1, 0, 0], [0, 0, 1]], "float32")


def read(tokens):
    """Return what the class token reads: one number for each image."""
    query, key, value = tokens[:, 0] @ W_Q, tokens @ W_K, tokens @ W_V
    powers = np.exp(query[:, None] * key)
    weights = powers / powers.sum(axis=1, keepdims=True)
    return (weights * value).sum(axis=1)


print("with positions:   ", read(tokens))
print("without positions:", read(tokens - P))

head = MultiHeadAttention(num_heads=1, key_dim=1, use_bias=False)
head.build((None, None, 3))
W_O = np.array([[[0, 0, 1]]])  # the answer becomes the third number
head.set_weights([*(w.reshape(3, 1, 1) for w in (W_Q, W_K, W_V)), W_O])
x_0 = head(found[:, :1], found)  # only the class token asks: (B, 1, D)
assert np.allclose(ops.convert_to_numpy(x_0)[:, 0, 2], read(tokens), atol=1e-6)
print("The layer agrees.")

# %% [markdown]
# Without the [positional encoding](glossary.md#positional-encoding) both
# answers are the same, and not because of the weights that we chose. The two
# letters have the same patches, and attention does not depend on their order,
# so *no* weights could tell the letters apart. Only P tells a ViT which patch
# is above and which is below, and P is learned.

# %% [markdown]
# ## The equation
#
#     x_n    = patch_n W_e + b_e                    n = 1 ... N, row by row
#     x      = [x_0; x_1; ... x_N] + P              x_0: class token
#     y      = norm(blocks(x))                      pre-norm, no mask
#     logits = y_0 W + b
#
# patch_n is a row of side · side · C numbers, where C is the number of
# channels: 3 for color, 1 for gray. W_e has that many rows and D columns, and D
# is the width of the model. x_0 is a learned vector of D numbers, and P has N +
# 1 rows of D numbers: one for each patch and one for the class token. y_0 is
# the output of the class token, and W has a column for each class. For our
# digits of 8 × 8 with patches of 2 × 2, N is 16 and a patch has 4 numbers. For
# the published ViT-B/16 and pictures of 224 × 224, N is 196, a patch has 16 ·
# 16 · 3 = 768 numbers, and D happens to be 768, too. In the library:

# %%
print(inspect.getsource(Patches.call))
print(inspect.getsource(PatchEmbedding.call))

# %% [markdown]
# ### What a convolution assumes
#
# A [convolutional neural network](glossary.md#convolutional-neural-network)
# moves a small window over the picture, here 3 × 3 pixels, and computes the
# same weighted sum at every place. This is built on two assumptions.
# *Locality*: pixels that belong together are close together, so each sum
# contains nine neighboring pixels and no others. *Translation equivariance*: a
# stroke is the same stroke wherever it is, so the weights are the same
# everywhere; if the picture moves, the result moves with it. Neither has to be
# learned from data. Such assumptions are the [inductive
# bias](glossary.md#inductive-bias) of a model.

# %%
convolution = keras.layers.Conv2D(4, 3, padding="same")
here, there = convolution(x_test), convolution(moved)  # (B, H, W, 4)
# The same numbers one column further right, apart from the edges.
assert np.allclose(here[:, :, :-2], there[:, :, 1:-1], atol=1e-5)
print("The result of the convolution has moved with the picture.")

# %% [markdown]
# What about ViT? W_e is the same for each patch, and so are the matrices of the
# blocks. But when a stroke moves by one pixel, its place within the patch
# changes, and the patch becomes another vector. From the first layer on, each
# patch may attend to every other one, near or far. And the rows of P begin as
# random numbers, so before training patch 1 is no closer to patch 2 than to
# patch 16. A ViT can learn both assumptions, but it has to learn them from
# data.

# %% [markdown]
# ## Code
#
# The two models: a ViT with two blocks, four heads and a width of 64, and a
# `ResNet`, convolutions with residual connections (He et al. 2016). The library
# makes it as large as the ViT. The third is the ViT without positions, for
# later.

# %%
SIZE = {"image_size": 8, "patch_size": 2, "channels": 1, "hidden_dim": 64}
SIZE |= {"num_heads": 4, "num_layers": 2}


def make(name):
    """Make a model with new weights."""
    positions = "none" if name == "ViT, no positions" else "learned"
    model = ViT(10, **SIZE, position_encoding=positions)
    model.build()
    if name == "ResNet":
        count = model.count_params()
        model = ResNet.from_param_count(count, 10, num_blocks=1, channels=1)
        model.build()
    return model


models = {}
for name in ("ViT", "ResNet", "ViT, no positions"):
    models[name] = model = make(name)
    adam = keras.optimizers.AdamW(weight_decay=0.05, global_clipnorm=1.0)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(adam, loss, jit_compile=False)
    trained = sum(int(np.prod(w.shape)) for w in model.trainable_weights)
    print(f"{name}: {trained:,} weights")

# %% [markdown]
# A fair comparison needs the same for both: the same images, the same number of
# steps, and equal care in the choice of the learning rate. The batch has 60
# images. An epoch always has 20 steps: from 75 images, each is read 16 times in
# an epoch, from 1,200 once. Nothing is done to the images: no copies of them
# are moved or turned. `reset_weights` gives a compiled model new weights and a
# new optimizer, so that nothing is compiled again. The learning rate rises
# during the first tenth of the epochs and then falls along a cosine, as before.


# %%
def learn(name, size, rate, seed=0, pixels=x):
    """Train a model from new weights on the first images."""
    keras.utils.set_random_seed(seed)
    reset_weights(models[name], make(name))
    rows = np.resize(np.arange(size), max(SIZES))  # again from the first

    def rate_of(epoch):
        done = (epoch + 1) / (EPOCHS + 1)
        return rate * min(1, 10 * done, (1 + np.cos(np.pi * done)) / 2)

    models[name].fit(
        *(pixels[rows], y[rows]),
        batch_size=60,
        epochs=EPOCHS,
        verbose=0,
        callbacks=[keras.callbacks.LearningRateScheduler(rate_of)],
    )


def accuracy(name, pixels, names=y_test):
    logits = ops.convert_to_numpy(models[name](pixels))
    return np.mean(logits.argmax(axis=1) == names)


# %% [markdown]
# Which learning rate? We try three for each model and each amount of data, and
# keep the one with the highest accuracy on the validation set, never on the
# test set. Then two more seeds with this rate. Each model is tested three
# times: on the test digits as they are, on the moved ones, and on digits whose
# 16 patches are put together in another order, the same order for all. The
# results of the last two follow further down. This is the longest cell: about
# two minutes.

# %%
cutter = Patches(SIZE["patch_size"])
shuffled = np.random.default_rng(1).permutation(16)


def puzzle(pixels):
    """Put the patches of each image together in another order."""
    pieces = ops.convert_to_numpy(cutter(pixels))[:, shuffled]
    return ops.convert_to_numpy(cutter.join(pieces, 8))


views = {"as they are": x_test, "moved": moved, "shuffled": puzzle(x_test)}


def tested(name):
    return [accuracy(name, pixels) for pixels in views.values()]


# %%
best, results = {}, {}
for size in SIZES:
    for name in ("ViT", "ResNet"):
        tried, tests = {}, {}
        for rate in RATES:
            learn(name, size, rate, SEEDS[0])
            tried[rate] = accuracy(name, x_val, y_val)
            tests[rate] = tested(name)
        best[name, size] = rate = max(tried, key=tried.get)
        rows = [tests[rate]]
        for seed in SEEDS[1:]:
            learn(name, size, rate, seed)
            rows.append(tested(name))
        results[name, size] = np.array(rows)  # (seeds, views)
        shares = ", ".join(f"{r:g}: {a:.3f}" for r, a in tried.items())
        print(f"{size:5,} images, {name:6} validation by rate: {shares}")
        print(f"{'':13} test, by seed: {results[name, size][:, 0]}")

# %% [markdown]
# ## Picture
#
# First the held-out accuracy by the amount of data, beside the baseline; the
# bands are from the worst to the best of three seeds. After it the same picture
# for photographs, from the long experiment (`experiments/vit.py`): 32 × 32
# pixels in color, ten classes, 1,000 to 10,000 images to learn from, a ViT and
# a ResNet of 453,000 and 452,000 weights, and 65 epochs for both, with images
# that are moved, mirrored and mixed. Both have the same learning rate; it was
# not searched for each of them as it was here. To save time, the ViT learns
# from half of the patches of each image, and the ResNet starts with every
# second pixel. All that took more than two hours, so its results are only drawn
# (`results/experiments/vit-cifar10-10k.json`).
#
# To draw a digit, shuffle its patches and see which of them a small ViT reads,
# open the <a href="../../look/index.html#panel=patches&amp;lang=en">look-inside
# page</a>.

# %%
accuracies = {
    name: np.transpose([results[name, size][:, 0] for size in SIZES])
    for name in ("ViT", "ResNet")
}
accuracies["nearest neighbor"] = [neighbor[size] for size in SIZES]
by_amount = {"ylabel": "accuracy, held out", "xlabel": "images to learn from"}
figure = plots.curves(accuracies, **by_amount, x=SIZES)
figure.axes[0].set_xscale("log")
figure.axes[0].set_xticks(SIZES, [f"{size:,}" for size in SIZES], minor=False)
figure.axes[0].minorticks_off()
lesson.show(
    figure,
    "digits",
    "Held-out accuracy on digits by the number of training images. The ResNet "
    "and the nearest neighbor are about equal, the ViT is below both, and the "
    "distance becomes smaller with more images.",
)

# %%
PHOTOS = (1000, 2500, 5000, 10_000)
photographs = {
    "ViT": [0.440, 0.507, 0.557, 0.636],
    "ResNet": [0.475, 0.605, 0.688, 0.761],
    "logistic regression": [0.255, 0.255, 0.283, 0.315],
}
figure = plots.curves(photographs, **by_amount, x=PHOTOS)
figure.axes[0].set_xscale("log")
figure.axes[0].set_xticks(PHOTOS, [f"{size:,}" for size in PHOTOS])
figure.axes[0].minorticks_off()
lesson.show(
    figure,
    "photographs",
    "Held-out accuracy on photographs by the number of training images, kept "
    "results of the long experiment. The ViT is below the ResNet everywhere, "
    "and the distance becomes larger with more images.",
)

# %% [markdown]
# ### What the position embedding contains
#
# Now the assumptions themselves. We have cut the test pictures and put their 16
# patches together in another order, the same one for every picture: for a
# person, a puzzle. Each model gets four numbers: its accuracy on the test
# digits as they are, moved to the right by one pixel, and shuffled. For the
# fourth it is trained anew, on shuffled pictures, with the same rate, seeds and
# number of steps, and tested on shuffled ones. All are means of three seeds,
# apart from the ViT without positions, which has one. (For it the two trainings
# do not differ, so it is not trained a second time.)

# %%
full, last = max(SIZES), SEEDS[-1]


def learned_positions():
    positions = models["ViT"].patch_embedding.positions
    return ops.convert_to_numpy(positions)[1:]  # without the class token


table = {n: results[n, full].mean(axis=0) for n in ("ViT", "ResNet")}
kept, positions = models["ViT"].get_weights(), learned_positions()
for name in table:
    found = []
    for seed in SEEDS:
        learn(name, full, best[name, full], seed, pixels=puzzle(x))
        found.append(accuracy(name, puzzle(x_test)))
    print(f"{name}, both shuffled, by seed: {np.array(found)}")
    table[name] = [*table[name], np.mean(found)]
puzzle_positions = learned_positions()
models["ViT"].set_weights(kept)  # the one that learned whole pictures

# %%
learn("ViT, no positions", full, best["ViT", full], last)
table["ViT, no positions"] = tested("ViT, no positions")
table["nearest neighbor"] = [neighbor[full], neighbor_moved]
print(f"{'test digits':18}", *(f"{v:>12}" for v in views), " both shuffled")
for name, row in table.items():
    print(f"{name:18}", *(f"{value:12.3f}" for value in row))

figure = plots.patches(
    x_test[0],
    ops.convert_to_numpy(cutter(x_test[:1])).reshape(4, 4, 2, 2, 1),
    puzzle(x_test[:1])[0],
)
figure.axes[2].set_title("the patches shuffled", fontsize=12)
lesson.show(
    figure,
    "puzzle",
    "A digit, its sixteen patches, and the same patches in another order. "
    "The third picture is no longer readable for a person.",
)

# %% [markdown]
# What has P learned? Each row of P belongs to one patch, and two rows can be
# compared by the cosine of the angle between them: 1 for the same direction, 0
# for unrelated ones. (What all rows have in common says nothing about places,
# so their mean is subtracted first.) The picture has a small map for each
# patch: how similar are its row and the rows of all 16 patches? Below it the
# same as numbers: for patches that touch each other, and for all other pairs.

# %%
start = ops.convert_to_numpy(make("ViT").patch_embedding.positions)[1:]
sines = ops.convert_to_numpy(sinusoidal_positions_2d(4, 4, 64))
start, positions, puzzle_positions, sines = (
    vectors - vectors.mean(axis=0)
    for vectors in (start, positions, puzzle_positions, sines)
)
lesson.show(
    plots.position_similarity(positions, (4, 4)),
    "positions",
    "Similarity of the learned position embeddings: for each of the 16 "
    "patches a map of the cosines with all patches. No pattern is visible.",
)
lesson.show(
    plots.position_similarity(sines, (4, 4)),
    "sines",
    "The same for sines and cosines of row and column, which are not learned: "
    "each patch is most similar to its neighbors.",
)

# %%
place = np.array([divmod(n, 4) for n in range(16)])
steps = np.abs(place[:, None] - place).sum(axis=2)  # on the grid
true_steps = steps[shuffled][:, shuffled]  # patch n was patch shuffled[n]
for name, vectors, distance in (
    ("before training", start, steps),
    ("after training", positions, steps),
    ("puzzle, as laid out", puzzle_positions, steps),
    ("puzzle, true places", puzzle_positions, true_steps),
    ("sines and cosines", sines, steps),
):
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosine = unit @ unit.T
    touching, others = cosine[distance == 1], cosine[distance > 1]
    print(f"{name:20} touching: {touching.mean():6.3f}", end="")
    print(f"   others: {others.mean():6.3f}")

# %% [markdown]
# ### Which patches the class token depends on
#
# ![Attention rollout: for each layer the weights are averaged with the
# identity, and the results are multiplied.](../docs/diagrams/rollout.en.svg)
#
# The weights of the last layer say from which *tokens* the class token takes
# its answer. But each of these is already a mixture, made by the layer below.
# [Attention rollout](glossary.md#attention-rollout) follows the mixture back to
# the patches. In each layer it averages the heads, and averages the result with
# the identity matrix, because the residual connection passes on each vector
# itself: A = (weights + I) / 2. Then it multiplies: A_2 A_1. In the diagram,
# the class token x_0 gives x_2 0.40 in layer 2, but 0.40 of x_2 came from x_1,
# and in the product both end with about the same: 0.26 and 0.28.

# %%
layer_1 = np.array([[0.6, 0.2, 0.2], [0.1, 0.8, 0.1], [0.1, 0.8, 0.1]])
layer_2 = np.array([[0.1, 0.1, 0.8], [0.2, 0.6, 0.2], [0.2, 0.2, 0.6]])
A_1, A_2 = (layer_1 + np.eye(3)) / 2, (layer_2 + np.eye(3)) / 2
print("by hand, x_0:", (A_2 @ A_1)[0])
both = [weights[None, None] for weights in (layer_1, layer_2)]
assert np.allclose(attention_rollout(both)[0], A_2 @ A_1, atol=1e-6)

logits, weights = models["ViT"](x_test, return_attention_scores=True)
rollout = attention_rollout(weights)[:, 0, 1:]  # (N, 16): of the class token
answers = ops.convert_to_numpy(logits).argmax(axis=1)
rows = [np.flatnonzero(y_test == digit)[0] for digit in range(1, 9)]
names = zip(*(data.digit_captions(answers[rows], k) for k in ("en", "ko")))
lesson.show(
    plots.attention_maps(
        x_test[rows],
        rollout[rows].reshape(8, 4, 4),
        [f"{english} {korean}" for english, korean in names],
    ),
    "rollout",
    "Eight held-out digits with the answers of the ViT, and below them the "
    "attention rollout of the class token over the 16 patches: often bright "
    "where the patch is empty.",
)

# %% [markdown]
# Is the map an explanation? A test: exchange four of the 16 patches for those
# at the same places of another digit, chosen at random, and classify again. If
# the map shows what the answer depends on, the accuracy must fall most when the
# four patches with the most rollout are exchanged. For comparison we exchange
# the four with the most weight in the last layer alone, the four with the most
# ink, four at random, and the four with the least rollout. Then the test is
# repeated, but the patches are emptied instead of exchanged.

# %%
pieces = ops.convert_to_numpy(cutter(x_test))  # (N, 16, 4)
ink, rng = pieces.mean(axis=2), np.random.default_rng(0)
other_digits = pieces[rng.permutation(len(pieces))]
last_layer = ops.convert_to_numpy(weights[-1]).mean(axis=1)[:, 0, 1:]
print(f"as they are: {accuracy('ViT', x_test):.3f}")
for name, rank in (
    ("most rollout", rollout),
    ("last layer", last_layer),
    ("most ink", ink),
    ("at random", rng.random(ink.shape)),
    ("least rollout", -rollout),
):
    chosen = rank.argsort(axis=1)[:, -4:, None]
    print(f"four patches, {name:13}:", end="")
    for word, source in ("exchanged", other_digits), ("emptied", 0 * pieces):
        mixed, new = pieces.copy(), np.take_along_axis(source, chosen, axis=1)
        np.put_along_axis(mixed, chosen, new, axis=1)
        share = accuracy("ViT", ops.convert_to_numpy(cutter.join(mixed, 8)))
        print(f"   {word} {share:.3f}", end="")
    print()
for name, chosen in ("empty patches", ink == 0), ("others", ink > 0):
    print(f"rollout of {name}: {rollout[chosen].mean():.3f} on average")

# %% [markdown]
# **What you should see.** In the first picture the horizontal axis is
# logarithmic. With 75 images the ViT is far below the others, and its line is
# the steepest. The lines of ResNet and nearest neighbor almost coincide. In the
# second picture, with photographs, both lines rise, and the distance between
# them grows. The third picture shows on the right what a digit looks like in
# the last column of the table, where both models are trained and tested on
# shuffled digits: the accuracy of the ViT is not lower there. In the picture of
# the learned positions only the dark red cell of each patch with itself stands
# out. In the picture of the sines and cosines its neighbors are red, too, and
# distant patches are blue.
#
# The last picture has the digits from 1 to 8; below each is the answer of the
# ViT, which may be wrong. Yellow and orange mean a large rollout, and they are
# often on empty patches beside the stroke. The numbers printed after the test
# agree: on average an empty patch gets more rollout than another one.

# %% [markdown]
# ## The number beside a baseline

# %%
for (name, size), rows in results.items():
    metric = f"accuracy, held out, {name}, {size:,} images"
    lesson.compare(metric, rows[:, 0].mean(), "nearest", neighbor[size])
vit = results["ViT", full][:, 0].mean()
metric = f"accuracy, held out, ViT, {full:,} images"
lesson.compare(metric, vit, "most frequent digit", most_frequent)

# %% [markdown]
# "ViT is behind a convolutional network if there is little data" is borne out,
# and clearly: about 0.66 and 0.90 with 75 digits. With 1,200 it is 0.92 and
# 0.98. But the ResNet is no better than the nearest neighbor, which was not
# trained at all: these digits are all of one size and in the middle, so
# comparing pixels is enough. For photographs it is not: a logistic regression
# gets 0.315, the ViT 0.636 and the ResNet 0.761, with 10,000 images; the last
# two are means of three seeds.
#
# "ViT is ahead if there is much data" is *not* borne out at these sizes. With
# digits the distance shrinks; with photographs it grows from 0.035 at 1,000
# images to 0.125 at 10,000. Why? Ten thousand is little. In the paper
# (Dosovitskiy et al. 2021, figure 4) a ViT is still behind a ResNet after
# pretraining on 9 million photographs, and ahead after 90 million. Our
# measurement ends at about a thousandth of the first number, so it neither
# confirms nor contradicts the paper. A part of the distance is also time, not
# data: with eight times the epochs and half the learning rate, the ViT of the
# long experiment gets 0.992 on digits and not 0.930 (one seed,
# `results/experiments/vit-digits.json`). The ResNet, which gets 0.993 there
# with the short training, was not trained longer.
#
# ### What the models assume
#
# A ViT that was trained on whole pictures gets less than 0.2 when the patches
# are shuffled. But one that was *trained* on shuffled pictures is as good as
# before: the layout that people can read is of no use to it. And the ResNet?
# Its assumption, that neighbors belong together, no longer holds for the
# puzzle. One would expect its accuracy to fall by much, but it falls by little:
# 0.977 instead of 0.985, no more than seeds differ. Each patch of 2 × 2 stays
# whole, and these digits are easy. Without positions the ViT gets about 0.73,
# and exactly the same for the shuffled digits: its input is a set of patches
# without an order.
#
# "A convolutional network recognizes an object wherever it is" is not borne out
# here. After a move of one pixel the ResNet gets about 0.65, no more than the
# nearest neighbor; the ViT gets about 0.43. The result of each convolution
# moves with the picture, as checked above. But between convolutions the network
# keeps only every second pixel, twice, and after a move by one pixel it keeps
# others (Zhang 2019). The usual remedy, for both models, is to train on
# pictures that are moved a little; it is not measured here.
#
# "Neighboring patches get similar positions" is not borne out either. It holds
# for sines and cosines by construction. The paper shows it for P too, after
# much more training. Here the similarity of touching patches is near 0, as
# before training. The model only has to tell 16 places apart, and rows of
# random numbers do that already.
#
# And the rollout? It does contain information: exchanging the four patches with
# the most rollout does clearly more harm than exchanging four at random, and
# more than exchanging the four with the most weight in the last layer. But it
# does not show the shape of the digit. This ViT depends much on where a digit
# is *empty*. Note that the conclusion depends on the test. An empty patch
# cannot be emptied, so from emptying patches alone you would have concluded
# that the rollout marks patches that do not matter.

# %% [markdown]
# ## Pitfalls
#
# **Pixels from 0 to 255.** *Symptom:* the loss is large and hardly falls, and a
# published model answers nonsense. A model expects its pixels in the range it
# was trained with, here 0 to 1. Print the smallest and the largest.
#
# **Channels first.** *Symptom:* an error about shapes, or, if a side happens to
# be as long as the number of channels, none at all. The layers here expect (B,
# H, W, C). A gray picture needs an axis for its one channel: `images[...,
# None]`.
#
# **Pixels of a patch in another order.** *Symptom:* a published model answers
# nonsense, although all weights fit. `reshape` without `transpose` cuts strips
# instead of squares; it raises no error. Join the patches again and look at the
# picture, as above.
#
# **Pictures of another size.** *Symptom:* an error, because P has a row for
# each patch and no others. Resize the pictures, or interpolate P:
# `ViT.resized(image_size)` does that.
#
# **Too little data to train from scratch.** *Symptom:* all training images
# right, and the held-out accuracy behind a simple baseline. Start from
# pretrained weights (`keras_seq.pretrained.load`), or train on changed copies
# of the images, moved and mirrored. Compute the baseline first.
#
# **An unfair comparison.** *Symptom:* one model is better only because it got
# more steps, or because the learning rate suits it and not the other. Count the
# steps, and search for the learning rate of both.

# %% [markdown]
# ## Exercises
#
# As before: a task, a cell for your code, a check, and a folded answer.

# %% [markdown]
# ### Exercise 1 (5 minutes): count
#
# Pictures of H × W pixels with C channels are cut into patches of side × side
# and projected to the width D. Return two numbers: how many tokens the encoder
# reads, and how many weights the `PatchEmbedding` has, with class token and
# learned positions.


# %% tags=["exercise"]
def count(H, W, C, side, D):
    raise NotImplementedError


# %%
with lesson.exercise(1):
    for H, W, C, side, D in ((4, 4, 1, 2, 3), (6, 12, 3, 3, 8)):
        check = PatchEmbedding(D, side, (H, W), channels=C)
        check.build()
        tokens_found, weights_found = count(H, W, C, side, D)
        message = f"{tokens_found} tokens, not {check.num_tokens}"
        assert tokens_found == check.num_tokens, message
        message = f"{weights_found} weights, not {check.count_params()}"
        assert weights_found == check.count_params(), message

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def count(H, W, C, side, D):
#     tokens = (H // side) * (W // side) + 1
#     matrix = side * side * C * D + D  # W_e and b_e
#     return tokens, matrix + D + tokens * D
# ```
#
# One D for the class token, and one for each row of P. Twice the side means a
# fourth of the patches and a matrix four times as large.
#
# </details>

# %% [markdown]
# ### Exercise 2 (15 minutes): cut without a loop
#
# Cut a batch of pictures, (B, H, W, C), into patches, (B, N, P), with `reshape`
# and `transpose` alone. Hint: first split H into rows of patches and rows of
# pixels, and W likewise, so that there are six axes.


# %% tags=["exercise"]
def cut_all(images, side):
    raise NotImplementedError


# %%
with lesson.exercise(2):
    rng = np.random.default_rng(2)
    batch = rng.normal(size=(2, 6, 9, 2)).astype("float32")
    expected = ops.convert_to_numpy(Patches(3)(batch))
    found = np.asarray(cut_all(batch, 3))
    assert found.shape == expected.shape, f"{expected.shape} is the shape"
    first = np.allclose(found[:, 0], expected[:, 0])
    assert first, "the first patch has other pixels: transpose is missing"
    assert np.allclose(found, expected), "only the first patch is right"

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def cut_all(images, side):
#     B, H, W, C = images.shape
#     rows, columns = H // side, W // side
#     x = images.reshape(B, rows, side, columns, side, C)
#     x = x.transpose(0, 1, 3, 2, 4, 5)  # (B, rows, columns, side, side, C)
#     return x.reshape(B, rows * columns, side * side * C)
# ```
#
# A convolution whose window is as large as its step does the same and
# multiplies by W_e at once; many programs embed patches in that way.
#
# </details>

# %% [markdown]
# ### Exercise 3 (15 minutes): solve the puzzle
#
# Our trained ViT has never seen shuffled pictures, and it fails on them.
# `positions` is its P, of shape (17, 64), and `shuffled` is the order of the
# puzzle: patch n of a shuffled picture is patch `shuffled[n]` of the original.
# Return another P with which the same model, without training, gives the same
# answers for shuffled pictures as it gave for the original ones.


# %% tags=["exercise"]
def solve(positions, shuffled):
    raise NotImplementedError


# %%
with lesson.exercise(3):
    variable = models["ViT"].patch_embedding.positions
    before = ops.convert_to_numpy(variable)
    expected = ops.convert_to_numpy(models["ViT"](x_test[:50]))
    found = np.asarray(solve(before.copy(), shuffled))
    assert found.shape == before.shape, f"the shape must be {before.shape}"
    message = "the class token stays in front, with its own row"
    assert np.allclose(found[0], before[0]), message
    variable.assign(found)
    logits = ops.convert_to_numpy(models["ViT"](puzzle(x_test[:50])))
    variable.assign(before)
    assert np.allclose(logits, expected, atol=1e-3), "other answers"

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def solve(positions, shuffled):
#     return np.concatenate([positions[:1], positions[1:][shuffled]])
# ```
#
# Each patch takes its row of P along. The tokens are then the same as before,
# in another order, and the blocks do not see the order. So the arrangement of
# the patches is contained in P alone.
#
# </details>

# %% [markdown]
# ### Exercise 4 (30 minutes): attention rollout
#
# `layers` is a list of attention weights, (B, H, T, T) each, the first layer
# first. Return the rollout, (B, T, T).


# %% tags=["exercise"]
def roll_out(layers):
    raise NotImplementedError


# %%
with lesson.exercise(4):
    rng = np.random.default_rng(4)
    random_layers = rng.dirichlet(np.ones(5), size=(3, 2, 4, 5))
    expected = attention_rollout(list(random_layers))
    found = np.asarray(roll_out(list(random_layers)))
    assert found.shape == (2, 5, 5), f"the shape is {found.shape}"
    assert np.allclose(found.sum(axis=2), 1), "the rows must have the sum 1"
    backwards = attention_rollout(list(random_layers[::-1]))
    message = "multiplied in the other order"
    assert not np.allclose(found, backwards, atol=1e-5), message
    assert np.allclose(found, expected, atol=1e-5), "other numbers"

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def roll_out(layers):
#     found = identity = np.eye(layers[0].shape[-1])
#     for weights in layers:
#         found = (weights.mean(axis=1) + identity) / 2 @ found
#     return found
# ```
#
# The later layer stands on the left: it reads what the earlier one has mixed.
#
# </details>

# %% [markdown]
# ### Exercise 5 (an evening): a convolution made of attention
#
# Can attention do what a convolution does? Take one token for each pixel of a
# picture of n × n, row by row, and a class token in front, whose value is 0. A
# convolution of 3 × 3 is then nine heads: one attends to the pixel above left,
# one to the pixel above, and so on, row by row. Where the picture ends, they
# attend to the class token instead. Return the scores of the nine heads, (9, T,
# T) with T = n · n + 1, so that each query gives more than 0.999 of its weight
# to its one key. The row of the class token itself does not matter.


# %% tags=["exercise"]
def nine_heads(n):
    raise NotImplementedError


# %%
with lesson.exercise(5):
    n, rng = 5, np.random.default_rng(5)
    image, kernel = rng.normal(size=(n, n)), rng.normal(size=(3, 3))
    scores = np.asarray(nine_heads(n), float)
    assert scores.shape == (9, 26, 26), f"the shape is {scores.shape}"
    powers = np.exp(scores - scores.max(axis=2, keepdims=True))
    a = powers / powers.sum(axis=2, keepdims=True)
    assert a[:, 1:].max(axis=2).min() > 0.999, "a query has more than one key"
    values = np.concatenate([[0], image.ravel()])
    found = (kernel.reshape(9, 1) * (a @ values)).sum(axis=0)[1:].reshape(n, n)
    wide = np.pad(image, 1)
    windows = np.lib.stride_tricks.sliding_window_view(wide, (3, 3))
    expected = (windows * kernel).sum(axis=(2, 3))
    inside = np.allclose(found[1:-1, 1:-1], expected[1:-1, 1:-1], atol=0.1)
    assert inside, "other numbers, already inside the picture"
    assert np.allclose(found, expected, atol=0.1), "wrong at the edges"

# %% [markdown]
# <details><summary>Answer</summary>
#
# ```python
# def nine_heads(n):
#     scores = np.zeros((9, n * n + 1, n * n + 1))
#     offsets = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
#     for head, (i, j) in enumerate(offsets):
#         for row in range(n):
#             for column in range(n):
#                 r, c = row + i, column + j
#                 inside = 0 <= r < n and 0 <= c < n
#                 key = 1 + r * n + c if inside else 0
#                 scores[head, 1 + row * n + column, key] = 100
#     return scores
# ```
#
# So a convolution is a special case of attention (Cordonnier, Loukas and Jaggi
# 2020). The convolution has these nine tables from the start; attention can be
# any other table as well, and must learn from data which one it needs. It has
# less inductive bias, and so it needs more data.
#
# </details>

# %% [markdown]
# ## Next
#
# You have now met every model of this course, and each had a data set of its
# own. They have never stood side by side on one task. When is a recurrent
# network enough, when does attention pay, when is a Transformer worth its data,
# and what does a table of counts or a nearest neighbor get? The last lesson,
# `14_which_model_when`, compares them, and every line of its advice cites a
# number.

# %%
lesson.finish()
