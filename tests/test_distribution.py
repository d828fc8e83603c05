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
sizes = {"num_heads": 2, "num_layers": 2, "dropout": 0.0}
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
    flags = os.environ.get("XLA_FLAGS", "")  # conftest's: compile fast
    flags += " --xla_force_host_platform_device_count=4"
    for kind in ("one", "data", "model"):
        path = folder / f"{kind}.keras"
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, kind, str(path)],
            env={**os.environ, "XLA_FLAGS": flags},
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


def test_a_layout_needs_its_axis():
    devices = keras.distribution.list_devices()[:1]
    mesh = keras.distribution.DeviceMesh((1,), ["batch"], devices)
    with pytest.raises(ValueError, match="`axis` must be the name"):
        layout_map(mesh)
