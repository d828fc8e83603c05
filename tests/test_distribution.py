"""Several devices: the losses and the answers of one device."""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

import keras_seq.models  # noqa: F401 - registers the classes of the files
from keras_seq.generation import generate
from keras_seq.training import layout_map

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "jax", reason="keras.distribution is JAX's"
)

FOUR = "--xla_force_host_platform_device_count=4"
FLAGS = f"{os.environ.get('XLA_FLAGS', '')} {FOUR}".strip()

# In a process of its own: the number of devices is set before JAX is imported.
SCRIPT = """
import json, sys
import keras, numpy as np
from keras_seq.generation import generate
from keras_seq.models import BERT, GPT, BERTClassifier, Transformer, ViT
from keras_seq.training import layout_map

kind, path = sys.argv[1:]
devices = keras.distribution.list_devices()
assert len(devices) == 4
if kind == "data":
    keras.distribution.set_distribution(
        keras.distribution.DataParallel(devices=devices)
    )
elif kind == "model":
    mesh = keras.distribution.DeviceMesh((2, 2), ["batch", "model"], devices)
    keras.distribution.set_distribution(
        keras.distribution.ModelParallel(
            layout_map=layout_map(mesh), batch_dim_name="batch"
        )
    )
draw = np.random.default_rng(0)
ids = draw.integers(1, 13, (8, 6)).astype("int32")
images = draw.random((8, 6, 6, 3), "float32")
sizes = {"num_heads": 2, "num_layers": 1, "dropout": 0.0}
makers = {
    "GPT": lambda: (GPT(13, 8, **sizes), ids, ids),
    "BERT": lambda: (
        BERTClassifier(BERT(13, 8, **sizes), 3, dropout=0.0), ids, ids[:, 0] % 3
    ),
    "Transformer": lambda: (
        Transformer(13, 13, 8, **sizes), {"source": ids, "target": ids}, ids
    ),
    "ViT": lambda: (
        ViT(3, 8, image_size=6, patch_size=3, **sizes), images, ids[:, 0] % 3
    ),
}
found = {}
for name, make in makers.items():
    keras.utils.set_random_seed(0)
    model, x, y = make()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss)
    losses = [float(model.train_on_batch(x, y)) for _ in range(4)]
    weights = model.trainable_variables
    whole = [w.value.sharding.is_fully_replicated for w in weights]
    found[name] = {"losses": losses, "split": sum(not each for each in whole)}
    if name == "GPT":
        found["answer"] = generate(model, ids, max_length=3).ids.tolist()
        model.save(path)
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Train on one device and on four, in each of the two ways."""
    folder, found = tmp_path_factory.mktemp("devices"), {}
    for kind in ("one", "data", "model"):
        path = folder / f"{kind}.keras"
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, kind, str(path)],
            env={**os.environ, "XLA_FLAGS": FLAGS},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        last = done.stdout.splitlines()[-1]
        found[kind] = {**json.loads(last), "path": path}
    return found


@pytest.mark.parametrize("kind", ["data", "model"])
@pytest.mark.parametrize("name", ["GPT", "BERT", "Transformer", "ViT"])
def test_four_devices_give_the_losses_of_one(runs, kind, name):
    several, one = runs[kind][name], runs["one"][name]
    np.testing.assert_allclose(several["losses"], one["losses"], atol=1e-5)
    assert bool(several["split"]) == (kind == "model")


@pytest.mark.parametrize("kind", ["data", "model"])
def test_a_model_of_four_devices_generates_and_is_read_on_one(runs, kind):
    assert runs[kind]["answer"] == runs["one"]["answer"]
    model = keras.models.load_model(runs[kind]["path"])
    ids = np.random.default_rng(0).integers(1, 13, (8, 6)).astype("int32")
    answer = generate(model, ids, max_length=3).ids.tolist()
    assert answer == runs["one"]["answer"]


# Two epochs on one device; and one on four of each kind, in one run.
OPTION = """
import json, sys
import keras, numpy as np
from keras_seq.models import GPT
from keras_seq.training import Run, TokenCrossEntropy

ids = np.random.default_rng(0).integers(1, 13, (16, 6)).astype("int32")


def train(folder, *argv):
    argv = ["--out", f"{sys.argv[1]}/{folder}", *argv]
    run = Run("trial", data=("random",), epochs=2, devices=True, argv=argv)
    with run.scope():
        model = GPT(13, 8, num_heads=4, num_layers=1)
        model(ids[:1])
        model.compile(keras.optimizers.Adam(0.01), TokenCrossEntropy())
        model.fit(
            ids, ids, batch_size=8, callbacks=run.callbacks("fit"),
            epochs=run.epochs, shuffle=False, verbose=0,
        )
    model.evaluate(ids[:7], ids[:7], verbose=0)  # 4 devices cannot share 7
    run.finish(model, {}, {})
    return run.history("fit")["loss"]


one = train("one")
train("four", "--devices", "data", "--epochs", "1")
four = train("four", "--devices", "model", "--resume")
np.testing.assert_allclose(four, one, atol=1e-5)
"""


def test_a_run_takes_its_devices_as_an_option(tmp_path):
    command = [sys.executable, "-c", OPTION, str(tmp_path)]
    env = {**os.environ, "XLA_FLAGS": FLAGS}
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]
    used = {}
    for folder in ("one", "four"):
        text = (tmp_path / folder / "results.json").read_text("utf-8")
        results = json.loads(text)
        used[folder] = (results["devices"], results["num_devices"])
    assert used == {"one": (None, 1), "four": ("model", 4)}


def test_a_layout_needs_its_axis():
    devices = keras.distribution.list_devices()[:1]
    mesh = keras.distribution.DeviceMesh((1,), ["batch"], devices)
    with pytest.raises(ValueError, match="`axis` must be the name"):
        layout_map(mesh)
