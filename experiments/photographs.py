# %% [markdown]
# # Photographs: how accurate in half an hour
#
# The experiment `vit` compares two networks of one size with one recipe. Here
# each network has a recipe of its own, and about half an hour:
#
#     resnet   residual convolutions (He et al. 2016)
#     vit      Vision Transformer (Dosovitskiy et al. 2021)
#     hybrid   three convolutions, then a ViT on their output (Xiao et al. 2021)
#     masked   the ViT, pretrained to predict the pixels of masked patches of
#              the same images, without their labels (SimMIM, Xie et al. 2022)
#
# Measured: the accuracy on the test images, without and with test-time
# augmentation (the mean of the logits of an image and its mirror image), beside
# a logistic regression; the confusion matrix.
#
# Data: `digits`, a trial of the recipe; `--data cifar10-10k`, a fifth of
# CIFAR-10, 10,000 photographs for training and 2,000 for the test:
#
#     python -m experiments.photographs --data cifar10-10k \
#         --dtype mixed_bfloat16 --network resnet
#
# Expected: not measured yet; nothing was searched for the recipes.
# Minutes, on two processor cores: about 30 for each network.
#
# Shapes: B batch, H height, W width, C channels.

# %%
import keras
import numpy as np
import tensorflow as tf
from sklearn.linear_model import LogisticRegression

from keras_seq import data, plots
from keras_seq.layers import Patches
from keras_seq.models import ResNet, ViT
from keras_seq.training import Run, WarmupCosineDecay, without_autotune

EPOCHS = {"digits": 20, "cifar10-10k": 80}
NETWORKS = ("resnet", "vit", "hybrid", "masked")
run = Run(
    "photographs",
    data=tuple(EPOCHS),
    epochs=EPOCHS,
    arguments={"network": {"choices": NETWORKS, "default": "resnet"}},
)
PHOTOS = run.data != "digits"
load, NAMES = (
    (data.cifar10_10k, data.CIFAR10_LABELS)
    if PHOTOS
    else (data.digits, "0123456789")
)
(x, y), (test_x, test_y) = map(load, ("train", "test"))
if not PHOTOS:
    x, test_x = x[..., None], test_x[..., None]
if run.quick:
    x, y, test_x, test_y = (part[:160] for part in (x, y, test_x, test_y))
order = np.random.default_rng(0).permutation(len(x))
cut = len(x) * 19 // 20  # the rest are validation images
(x, validation_x), (y, validation_y) = (
    np.split(part[order], [cut]) for part in (x, y)
)
MEAN, STD = x.mean(axis=(0, 1, 2)), x.std(axis=(0, 1, 2))
x, validation_x, test_x = (
    (images - MEAN) / STD for images in (x, validation_x, test_x)
)
NETWORK = run.options["network"]
K, SIDE, C = len(NAMES), x.shape[1], x.shape[-1]
BATCH = 128 if NETWORK == "resnet" else 64
metrics, baselines = {}, {}

# %% [markdown]
# ## Data augmentation
#
# In each epoch an image is shifted by up to an eighth, photographs are also
# mirrored, and a patch of one is pasted into another; the label becomes a mean
# by area (CutMix, Yun et al. 2019).

# %%
SHIFT = 0.125 if PHOTOS else 0.06
FLOAT32 = {"dtype": "float32"}  # CutMix fails in bfloat16
layers = [
    keras.layers.RandomTranslation(
        SHIFT, SHIFT, "reflect", "nearest", **FLOAT32
    )
]
if PHOTOS:
    layers += [
        keras.layers.RandomFlip("horizontal", **FLOAT32),
        keras.layers.CutMix(1.0, **FLOAT32),
    ]


def batches(layers):
    """Return the training images without end, augmented by these layers."""
    rows = {"images": x, "labels": np.eye(K, dtype="float32")[y]}
    rows = tf.data.Dataset.from_tensor_slices(rows).shuffle(len(x)).repeat()
    return rows.batch(BATCH).map(keras.layers.Pipeline(layers))


# %% [markdown]
# ## The network
#
# The convolutions of the hybrid halve the grid twice, so that each of its
# tokens stands for as many pixels as a patch of the ViT. Both read half of the
# tokens of an image in training, others each time (Liu et al. 2022).

# %%
PATCH = 4 if PHOTOS else 2


def vision_transformer(side, patch, channels, patch_dropout):
    return ViT(
        K,
        128 if PHOTOS else 64,
        image_size=side,
        patch_size=patch,
        num_heads=4,
        num_layers=1 if run.quick else 6,
        channels=channels,
        patch_dropout=patch_dropout if PHOTOS else 0.0,
        pooling="mean",
        position_encoding="sinusoidal",
    )


def convolution(filters, strides):
    return [
        keras.layers.Conv2D(filters, 3, strides, "same", use_bias=False),
        keras.layers.BatchNormalization(),
        keras.layers.ReLU(),
    ]


if NETWORK == "resnet":
    filters = (32, 64, 128, 256) if PHOTOS else (16, 32)
    model = ResNet(K, (8,) if run.quick else filters, num_blocks=1, channels=C)
elif NETWORK == "hybrid":
    D = 128 if PHOTOS else 64
    second = 2 if PHOTOS else 1
    model = keras.Sequential(
        [
            keras.Input((SIDE, SIDE, C)),
            *convolution(D // 4, 1),
            *convolution(D // 2, second),
            *convolution(D, 2),
            vision_transformer(SIDE // PATCH, 1, D, 0.5),
        ]
    )
else:
    model = vision_transformer(SIDE, PATCH, C, 0.5)
model.build((None, SIDE, SIDE, C))
print(f"{NETWORK}: {model.count_params():,} parameters")
STEPS_PER_EPOCH = -(-len(x) // BATCH)
STEPS = STEPS_PER_EPOCH * run.epochs


def adamw(peak, steps):
    optimizer = keras.optimizers.AdamW(
        WarmupCosineDecay(peak, steps, steps // 10),
        weight_decay=0.05,
        clipnorm=1.0,
    )
    optimizer.exclude_from_weight_decay(var_names=["beta", "gamma", "bias"])
    return optimizer


# %% [markdown]
# ## Masked patches
#
# Six tenths of the patches are replaced by the mean color, and a dense layer
# predicts their pixels from the output of the ViT. The loss is that of the
# masked patches alone. The dense layer is then dropped.

# %%
if NETWORK == "masked":
    MASKED = 0.6
    cut = Patches(PATCH, dtype="float32")
    N = (SIDE // PATCH) ** 2
    encoder = vision_transformer(SIDE, PATCH, C, 0.0)
    images = keras.Input((SIDE, SIDE, C))
    pixels = keras.layers.Dense(PATCH * PATCH * C)(encoder.encode(images))
    pretrainer = keras.Model(images, pixels)

    def mask(row):
        patches = cut(row["images"])
        noise = tf.random.uniform(tf.shape(patches)[:2])
        hidden = tf.argsort(tf.argsort(noise)) < int(N * MASKED)
        shown = tf.where(hidden[..., None], 0.0, patches)
        # The mean of the loss over all patches is then that of the masked.
        weights = tf.cast(hidden, "float32") / MASKED
        return cut.join(shown, (SIDE, SIDE)), patches, weights

    pretrainer.compile(adamw(1e-3, STEPS // 2), "mse", jit_compile=False)
    rows = batches(layers[:2]).map(mask)  # without CutMix
    rows = rows.skip(run.epochs_done("pretraining") * STEPS_PER_EPOCH)
    pretrainer.fit(
        without_autotune(rows.prefetch(4)),
        epochs=run.epochs // 2,
        steps_per_epoch=STEPS_PER_EPOCH,
        callbacks=run.callbacks("pretraining"),
        verbose=2,
    )
    metrics["loss_masked_patches"] = run.history("pretraining")["loss"][-1]
    metrics["seconds_pretraining"] = run.seconds("pretraining")
    model.set_weights(encoder.get_weights())

# %% [markdown]
# ## Training
#
# The ResNet learns by stochastic gradient descent with Nesterov momentum, the
# others by AdamW; the learning rate rises, then falls along a cosine to zero.
# Label smoothing; no weight decay of biases and normalizations.

# %%
if NETWORK == "resnet":
    optimizer = keras.optimizers.SGD(
        WarmupCosineDecay(0.1, STEPS, STEPS // 10),
        momentum=0.9,
        nesterov=True,
        weight_decay=5e-3,
    )
    optimizer.exclude_from_weight_decay(var_names=["beta", "gamma", "bias"])
else:
    optimizer = adamw(1e-3, STEPS)
if not run.jit_compile:
    model.supports_jit = False
model.compile(
    optimizer,
    keras.losses.CategoricalCrossentropy(True, label_smoothing=0.1),
    metrics=["accuracy"],
    jit_compile="auto",
)
rows = batches(layers).map(lambda row: (row["images"], row["labels"]))
rows = rows.skip(run.epochs_done("fit") * STEPS_PER_EPOCH).prefetch(4)
model.fit(
    without_autotune(rows),  # else `fit` may end late
    epochs=run.epochs,
    steps_per_epoch=STEPS_PER_EPOCH,
    validation_data=(validation_x, np.eye(K, dtype="float32")[validation_y]),
    callbacks=run.callbacks("fit"),
    verbose=2,
)

# %% [markdown]
# ## Accuracy
#
# The plain baseline: a logistic regression on the pixels.

# %%
logits = model.predict(test_x, 256, verbose=0).astype("float32")
metrics["accuracy"] = np.mean(logits.argmax(axis=-1) == test_y)
if PHOTOS:
    logits += model.predict(test_x[:, :, ::-1], 256, verbose=0)
    metrics["accuracy_augmented"] = np.mean(logits.argmax(axis=-1) == test_y)
metrics["accuracy_validation"] = run.history("fit")["val_accuracy"][-1]
metrics["seconds_training"] = run.seconds("fit")
predicted = logits.argmax(axis=-1)
run.save(plots.confusion_matrix(test_y, predicted, NAMES), "confusion")
baseline = LogisticRegression(max_iter=100).fit(x.reshape(len(x), -1), y)
baselines["accuracy"] = baseline.score(test_x.reshape(len(test_x), -1), test_y)
run.finish(model, metrics, baselines)
