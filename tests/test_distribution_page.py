"""The examples of docs/distribution.md run, with the losses of one device."""

import os
import pathlib
import re
import subprocess
import sys

import keras
import numpy as np
import pytest

import keras_seq.models  # noqa: F401 - registers the classes of the files

ROOT = pathlib.Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "distribution.md").read_text("utf-8")


def examples(title):
    """Return the Python blocks of a section of the page."""
    section = re.search(
        rf"^## {re.escape(title)}$(.*?)(?=^## |\Z)", PAGE, SECTION
    )
    return re.findall(r"```python\n(.*?)```", section[1], re.DOTALL)


SECTION = re.MULTILINE | re.DOTALL


def run(command, folder, **env):
    """Run Python in a folder, and return what it printed."""
    done = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **env},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


@pytest.mark.skipif(
    keras.backend.backend() != "jax", reason="keras.distribution is JAX's"
)
def test_data_and_model_parallelism_have_the_losses_of_one_device(tmp_path):
    code = [
        *examples("One device"),
        *examples("Several devices of a machine (JAX)"),
        "assert len(devices) == 4",
        "np.testing.assert_allclose(copied_loss, loss, atol=1e-5)",
        "np.testing.assert_allclose(split_loss, loss, atol=1e-5)",
    ]
    four = "--xla_force_host_platform_device_count=4"
    flags = f"{os.environ.get('XLA_FLAGS', '')} {four}"
    run(["-c", "\n".join(code)], tmp_path, XLA_FLAGS=flags)


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow",
    reason="tf.distribute is TensorFlow's",
)
def test_a_mirrored_strategy_has_the_losses_of_one_device(tmp_path):
    code = [
        "import tensorflow as tf",
        "(cpu,) = tf.config.list_physical_devices('CPU')",
        "halves = [tf.config.LogicalDeviceConfiguration()] * 2",
        "tf.config.set_logical_device_configuration(cpu, halves)",
        # Each device draws a dropout mask of its own.
        examples("One device")[0].replace("layers=2", "layers=2, dropout=0.0"),
        *examples("TensorFlow"),
        "np.testing.assert_allclose(mirrored_loss, loss, atol=1e-5)",
    ]
    run(["-c", "\n".join(code)], tmp_path, CUDA_VISIBLE_DEVICES="")


@pytest.mark.skipif(
    keras.backend.backend() != "torch",
    reason="DistributedDataParallel is PyTorch's",
)
def test_two_processes_of_pytorch_have_the_losses_of_one(tmp_path):
    (tmp_path / "train_torch.py").write_text(examples("PyTorch")[0])
    torchrun = ["-m", "torch.distributed.run", "--standalone"]
    losses, logits = {}, {}
    for count in (1, 2):
        command = [*torchrun, f"--nproc_per_node={count}", "train_torch.py"]
        lines = run(command, tmp_path).splitlines()
        losses[count] = [float(line) for line in lines]
        model = keras.models.load_model(tmp_path / "model.keras")
        logits[count] = model.predict(np.ones((1, 8), "int32"), verbose=0)
    assert len(losses[1]) == 4
    np.testing.assert_allclose(losses[2], losses[1], atol=1e-5)
    np.testing.assert_allclose(logits[2], logits[1], atol=1e-5)
