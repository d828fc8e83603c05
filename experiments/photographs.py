# %% [markdown]
# # Photographs: how accurate in half an hour
#
# The experiment `vit` compares two networks of one size with one recipe. Here
# each network has a recipe of its own, and about half an hour:
#
#     resnet   residual convolutions (He et al. 2016)
#     vit      Vision Transformer (Dosovitskiy et al. 2021)
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
from keras_seq.models import ResNet, ViT
from keras_seq.training import Run, WarmupCosineDecay, without_autotune

EPOCHS = {"digits": 20, "cifar10-10k": 80}
run = Run(
    "photographs",
    data=tuple(EPOCHS),
    epochs=EPOCHS,
    arguments={"network": {"choices": ("resnet", "vit"), "default": "resnet"}},
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
K, SIDE, C, BATCH = len(NAMES), x.shape[1], x.shape[-1], 128
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
augmented = keras.layers.Pipeline(layers)
rows = {"images": x, "labels": np.eye(K, dtype="float32")[y]}
rows = tf.data.Dataset.from_tensor_slices(rows).shuffle(len(x)).repeat()
rows = rows.batch(BATCH).map(augmented)
rows = rows.map(lambda row: (row["images"], row["labels"]))
rows = without_autotune(rows.prefetch(4))  # else `fit` may end late

# %% [markdown]
# ## Two networks, two recipes
#
# The ResNet learns by stochastic gradient descent with Nesterov momentum, the
# ViT by AdamW; the learning rate rises, then falls along a cosine to zero.
# Label smoothing; no weight decay of biases and normalizations.

# %%
STEPS_PER_EPOCH = -(-len(x) // BATCH)
STEPS = STEPS_PER_EPOCH * run.epochs


def schedule(peak):
    return WarmupCosineDecay(peak, STEPS, STEPS // 10)


if run.options["network"] == "resnet":
    filters = (32, 64, 128, 256) if PHOTOS else (16, 32)
    model = ResNet(K, (8,) if run.quick else filters, num_blocks=1, channels=C)
    optimizer = keras.optimizers.SGD(
        schedule(0.1), momentum=0.9, nesterov=True, weight_decay=5e-3
    )
else:
    model = ViT(
        K,
        128 if PHOTOS else 64,
        image_size=SIDE,
        patch_size=4 if PHOTOS else 2,
        num_heads=4,
        num_layers=1 if run.quick else 6,
        channels=C,
        patch_dropout=0.5 if PHOTOS else 0.0,
        position_encoding="sinusoidal",
    )
    optimizer = keras.optimizers.AdamW(
        schedule(1e-3), weight_decay=0.05, clipnorm=1.0
    )
optimizer.exclude_from_weight_decay(var_names=["beta", "gamma", "bias"])
model.build()
if not run.jit_compile:
    model.supports_jit = False
model.compile(
    optimizer,
    keras.losses.CategoricalCrossentropy(True, label_smoothing=0.1),
    metrics=["accuracy"],
    jit_compile="auto",
)
print(f"{run.options['network']}: {model.count_params():,} parameters")
model.fit(
    rows.skip(run.epochs_done("fit") * STEPS_PER_EPOCH),
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
