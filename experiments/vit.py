# %% [markdown]
# # ViT: an image as a sequence of patches, beside a ResNet
#
# A convolution is told that neighbors belong together, and that a thing is the
# same thing wherever it stands; a Vision Transformer (Dosovitskiy et al. 2021)
# has to learn both.
#
#     image -> patches -> dense layer -> + positions -> blocks -> class
#
# The paper says: with few images the convolutional network is better, with many
# the gap closes. Measured: the accuracy of a ViT and a ResNet with as many
# weights and epochs, from a tenth of the images, a quarter, half and all,
# beside a logistic regression; both for longer; the ViT without positions, with
# patches shuffled, and with other choices; the answers of three exported
# formats beside those of Python.
#
# Data: `digits`; `--data cifar10-10k`, 10,000 photographs.
# Expected: with a tenth of the digits far behind the ResNet (0.61), but
# 0.93 with 28 times the epochs and MixUp (the ResNet 0.96); with all of them
# nearer, and 0.99 with eight times the epochs and half the learning rate. With
# photographs the gap opens: 0.64 and 0.76 with all of them.
# Minutes, on two processor cores: 11; photographs 142.
#
# Shapes: B batch, H height, W width, C channels, N patches, D width.

# %%
import keras
import numpy as np
import tensorflow as tf
from sklearn.linear_model import LogisticRegression

from keras_seq import data, export, plots
from keras_seq.evaluation import attention_rollout
from keras_seq.layers import Patches
from keras_seq.models import ResNet, ViT
from keras_seq.training import Run, reset_weights, without_autotune

EPOCHS = {"digits": 15, "cifar10-10k": 65}
run = Run("vit", data=tuple(EPOCHS), epochs=EPOCHS)
metrics, baselines = {}, {}
if run.data == "digits":
    NAMES, RATE = list("0123456789"), 6e-3
    MEAN, STD = 0.0, 1.0
    SIZE = {"image_size": 8, "patch_size": 2, "channels": 1}
    SIZE |= {"hidden_dim": 64, "num_heads": 4, "num_layers": 2}
    SIZE["position_encoding"], OTHER = "learned", "sinusoidal"
    SHIFT, BETWEEN, STRIDE = 0.06, "bilinear", 1
    (x, y), (test_x, test_y) = map(data.digits, ("train", "test"))
    x, test_x = x[..., None], test_x[..., None]
else:
    NAMES, RATE = list(data.CIFAR10_LABELS), 1e-3
    MEAN, STD = 0.5, 0.25  # about that of all pixels
    SIZE = {"image_size": 32, "patch_size": 4, "channels": 3}
    SIZE |= {"hidden_dim": 96, "num_heads": 4, "num_layers": 4}
    SIZE["position_encoding"], OTHER = "sinusoidal", "learned"
    SIZE["patch_dropout"] = 0.5
    SHIFT, BETWEEN, STRIDE = 0.125, "nearest", 2
    (x, y), (test_x, test_y) = map(data.cifar10_10k, ("train", "test"))
SEEDS, PERCENTS, K, BATCH = 3, (10, 25, 50, 100), len(NAMES), 64
if run.quick:
    SEEDS, PERCENTS, SIZE["num_layers"] = 1, (10, 100), 1
    x, y, test_x, test_y = (part[:160] for part in (x, y, test_x, test_y))
x, test_x = (x - MEAN) / STD, (test_x - MEAN) / STD
order = np.random.default_rng(0).permutation(len(x))  # a tenth is the first
x, y = x[order], y[order]

# %% [markdown]
# ## Cut, and put back
#
# Nothing is lost: patches are the pixels in another order.

# %%
patches = Patches(SIZE["patch_size"])
cut = patches(test_x[:8])  # (8, N, P)
joined = keras.ops.convert_to_numpy(patches.join(cut, SIZE["image_size"]))
metrics["patches_put_back_difference"] = np.abs(joined - test_x[:8]).max()
side, C = SIZE["patch_size"], SIZE["channels"]
GRID = (SIZE["image_size"] // side,) * 2
pieces = keras.ops.convert_to_numpy(cut)[0].reshape(*GRID, side, side, C)
pictures = [part * STD + MEAN for part in (test_x[0], pieces, joined[0])]
run.save(plots.patches(*pictures), "patches")

# %% [markdown]
# ## Two networks of one size, trained alike
#
# In each epoch the images are shifted a little; photographs are also mirrored,
# and a piece of one is put into another, with its share of the label (CutMix,
# Yun et al. 2019). The positions of the digits' patches are learned, as in the
# paper; those of the photographs' are sinusoidal in two dimensions. The other
# way is measured below. To save time, the ViT reads half of the patches of a
# photograph, other ones each time (Liu et al. 2022), and the ResNet every
# second pixel at first.

# %%
PHOTOS = run.data != "digits"
MIX = "cutmix" if PHOTOS else None


def augmentation(mix):
    """Make anew what shows an image otherwise each time: with new seeds."""
    layers = [keras.layers.RandomTranslation(SHIFT, SHIFT, "constant", BETWEEN)]
    if PHOTOS:
        layers.append(keras.layers.RandomFlip("horizontal"))
    if mix == "cutmix":
        layers.append(keras.layers.CutMix(1.0))
    if mix == "mixup":
        layers.append(keras.layers.MixUp(0.4))
    return keras.layers.Pipeline(layers)


def make(kind, **options):
    """Make a ViT, or a ResNet of as many weights."""
    vit = ViT(K, **{**SIZE, **options})
    vit.build()
    if kind == "vit":
        return vit
    cnn = ResNet.from_param_count(
        vit.count_params(), K, num_blocks=1, input_strides=STRIDE, channels=C
    )
    cnn.build()
    return cnn


def compiled(model):
    """Prepare a model for as many trainings as are wanted."""
    if not run.jit_compile:
        model.supports_jit = False
    model.compile(
        keras.optimizers.AdamW(RATE, weight_decay=0.05, clipnorm=1.0),
        keras.losses.CategoricalCrossentropy(True, label_smoothing=0.1),
        metrics=["accuracy"],
        jit_compile="auto",
    )
    return model


def batches(count, mix):
    """Read the first images again and again, in another order and place."""
    some = {
        "images": x[:count],
        "labels": np.eye(K, dtype="float32")[y[:count]],
    }
    rows = tf.data.Dataset.from_tensor_slices(some).shuffle(count).repeat()
    rows = rows.batch(BATCH).map(augmentation(mix))
    rows = rows.map(lambda row: (row["images"], row["labels"]))
    return without_autotune(rows.prefetch(4))  # else `fit` may end late


def train(stage, model, fresh, percent, mix=MIX, longer=1, peak=RATE):
    """Train from new weights; give the accuracy on what was held out.

    The learning rate rises to `peak` for a tenth of the epochs, and falls
    along a cosine. `longer`: times the usual number of epochs.
    """
    epochs = run.epochs * longer

    def rate(epoch):
        done, rise = (epoch + 0.5) / epochs, 0.1
        if done < rise:
            return peak * done / rise
        return peak / 2 * (1 + np.cos(np.pi * (done - rise) / (1 - rise)))

    reset_weights(model, fresh)
    count = len(x) * percent // 100
    steps = -(-count // BATCH)
    print(f"\n{stage}: {model.count_params():,} weights")
    model.fit(
        batches(count, mix).skip(run.epochs_done(stage) * steps),
        epochs=epochs,
        steps_per_epoch=steps,
        callbacks=[
            keras.callbacks.LearningRateScheduler(rate),
            *run.callbacks(stage, every=epochs if run.data == "digits" else 1),
        ],
        verbose=2,
    )
    return accuracy(model, test_x)


def accuracy(model, images):
    logits = model.predict(images, 256, verbose=0)
    return float(np.mean(logits.argmax(axis=-1) == test_y))


# %% [markdown]
# ## Accuracy by the number of images
#
# The plain baseline: a logistic regression on the pixels.

# %%
vit, cnn = compiled(make("vit")), compiled(make("cnn"))
pair = {"vit": ("ViT", vit), "cnn": ("ResNet", cnn)}
found = {"ViT": [], "ResNet": [], "pixels": []}
for seed in range(run.seed, run.seed + SEEDS):
    keras.utils.set_random_seed(seed)
    for kind, (name, model) in pair.items():
        found[name].append(
            [
                train(f"{kind}_{percent}_{seed}", model, make(kind), percent)
                for percent in PERCENTS
            ]
        )
flat, test_flat = (images.reshape(len(images), -1) for images in (x, test_x))
for percent in PERCENTS:
    count = len(x) * percent // 100
    plain = LogisticRegression(max_iter=100).fit(flat[:count], y[:count])
    found["pixels"].append(plain.score(test_flat, test_y))
for kind, (name, model) in pair.items():
    weights = model.trainable_weights
    metrics[f"params_{kind}"] = sum(int(np.prod(w.shape)) for w in weights)
    for column, percent in enumerate(PERCENTS):
        runs = np.array(found[name])[:, column]
        metrics[f"{kind}_accuracy_{percent}"] = runs.mean()
        metrics[f"{kind}_accuracy_{percent}_spread"] = np.ptp(runs)
        baselines[f"{kind}_accuracy_{percent}"] = found["pixels"][column]
figure = plots.curves(
    found, "accuracy", f"images to learn from, in % of {len(x):,}", x=PERCENTS
)
run.save(figure, "accuracy")
last = PERCENTS[-1]
seconds = [run.seconds(f"{kind}_{last}_{run.seed}") for kind in pair]
metrics["pair_100_minutes"] = sum(seconds) / 60
for percent in (PERCENTS[0], last):
    cnn_is, vit_is = (
        metrics[f"{k}_accuracy_{percent}"] for k in ("cnn", "vit")
    )
    metrics[f"gap_{percent}"] = cnn_is - vit_is

# %% [markdown]
# ## Accuracy by the length of training
#
# A network that has to learn what neighbors are may need more time, not more
# images: the ViT with all digits, for eight times the epochs. And both networks
# with a tenth, for 28 times the epochs, which are 1,260 steps instead of 45;
# pairs of images are mixed (MixUp, Zhang et al. 2018). This was chosen with the
# ViT, on the other nine tenths of the training digits.

# %%
if run.data == "digits":
    few = 2 if run.quick else 28
    for kind, (_, model) in pair.items():
        runs = []
        for seed in range(run.seed, run.seed + SEEDS):
            keras.utils.set_random_seed(seed)
            stage = f"{kind}_10_longer_{seed}"
            runs.append(
                train(stage, model, make(kind), 10, mix="mixup", longer=few)
            )
        metrics[f"{kind}_accuracy_10_longer"] = np.mean(runs)
        metrics[f"{kind}_accuracy_10_longer_spread"] = np.ptp(runs)
        baselines[f"{kind}_accuracy_10_longer"] = found["pixels"][0]
    keras.utils.set_random_seed(run.seed)
    longer = 2 if run.quick else 8
    metrics["vit_accuracy_longer"] = train(
        "vit_longer", vit, make("vit"), last, longer=longer, peak=RATE / 2
    )
    baselines["vit_accuracy_longer"] = found["ViT"][0][-1]  # of this seed

# %% [markdown]
# ## Attention rollout
#
# The attention weights of its layers, multiplied (Abnar & Zuidema 2020).

# %%
shown = test_x[:16]
logits, weights = vit(shown, return_attention_scores=True)
looked = attention_rollout(weights)[:, 0, 1:].reshape(len(shown), *GRID)
predictions = keras.ops.convert_to_numpy(logits).argmax(axis=-1)
pictures = shown * STD + MEAN
figure = plots.attention_maps(pictures, looked, [NAMES[n] for n in predictions])
run.save(figure, "looks")

# %% [markdown]
# ## Without positions, and with other choices
#
# The patches of each test image in another order: without positions the
# network's answer is the same.
#
# Other choices: the other kind of positions; the mean of all patches instead of
# a class token; CutMix for digits, or none for photographs. (Photographs: a
# quarter of them.)

# %%
percent = last if run.data == "digits" else PERCENTS[1]
usually = found["ViT"][0][PERCENTS.index(percent)]  # of the same seed
shuffled = np.random.default_rng(0).permutation(GRID[0] * GRID[1])
puzzle = keras.ops.take(patches(test_x), shuffled, axis=1)
puzzle = patches.join(puzzle, SIZE["image_size"])
puzzle = keras.ops.convert_to_numpy(puzzle)
metrics["vit_accuracy_permuted"] = accuracy(vit, puzzle)
baselines["vit_accuracy_permuted"] = accuracy(vit, test_x)
others = {}
mixing = "not_mixed" if PHOTOS else "mixed"
variants = (
    ("no_positions", {"position_encoding": "none"}, MIX),
    (OTHER, {"position_encoding": OTHER}, MIX),
    ("mean", {"pooling": "mean"}, MIX),
    (mixing, {}, None if PHOTOS else "cutmix"),
)
for name, options, mix in variants[:1] if run.quick else variants:
    keras.utils.set_random_seed(run.seed)
    others[name] = compiled(make("vit", **options))
    metrics[f"vit_accuracy_{name}"] = train(
        f"vit_{name}",
        others[name],
        make("vit", **options),
        percent,
        mix=mix,
    )
    baselines[f"vit_accuracy_{name}"] = usually
metrics["vit_accuracy_no_positions_permuted"] = accuracy(
    others["no_positions"], puzzle
)

# %% [markdown]
# ## Learned positions
#
# How similar the learned positions of two patches are: is it higher for
# neighbors?

# %%
learner = others.get("learned", vit)
table = learner.patch_embedding.positions
learned = keras.ops.convert_to_numpy(table)[1:]
run.save(plots.position_similarity(learned, GRID), "positions")

# %% [markdown]
# ## Export: pixels in, a label out
#
# Three formats, each run in a process without this library: up to 500 test
# images, enlarged before, as a camera might return them. (All three are of a
# model in float32.)

# %%
served = ViT.from_config({**vit.get_config(), "dtype": "float32"})
served.build()
served.set_weights(vit.get_weights())
served.supports_jit = bool(run.jit_compile)
large = keras.ops.image.resize(test_x[:500] * STD + MEAN, (37, 41))
asked = np.round(255 * keras.ops.convert_to_numpy(large)).astype("uint8")
seen = keras.ops.image.resize(asked / np.float32(255), vit.config["image_size"])
seen = (keras.ops.convert_to_numpy(seen) - MEAN) / STD
here = served.predict(seen, 256, verbose=0)
files = {
    "tf_saved_model": "saved_model",
    "onnx": "vit.onnx",
    "litert": "vit.tflite",
}
if run.quick:
    files = {"tf_saved_model": "saved_model"}
if keras.backend.backend() != "tensorflow":
    print("No export: the three are written on TensorFlow.")
    files = {}
options = {"labels": NAMES, "image_size": SIZE["image_size"], "channels": C}
options |= {"mean": MEAN, "std": STD}
for kind, name in files.items():
    path = run.out / name
    export.export_image_classifier(served, path, format=kind, **options)
    there = export.run_images_alone(path, asked)
    same = here.argmax(axis=-1) == there.argmax(axis=-1)
    metrics[f"exported_{kind}_the_same"] = np.mean(same)
if files:
    metrics["exported_answers_the_same"] = min(
        metrics[f"exported_{kind}_the_same"] for kind in files
    )

# %%
expected = {name: "1.0" for name in metrics if name.startswith("exported")}
if run.data == "digits":
    expected["vit_accuracy_longer"] = "0.99"
else:
    expected |= {"vit_accuracy_100": "0.62", "cnn_accuracy_100": "0.75"}
    expected["pair_100_minutes"] = "30 at most"
run.finish(vit, metrics, baselines, expected)
