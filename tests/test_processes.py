"""Two processes train as one; one of them is killed, and the run resumes.

The script is that of docs/distribution.md.
"""

import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import time

import keras
import numpy as np
import pytest

import keras_seq.models  # noqa: F401 - registers the classes of the files

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "jax",
    reason="keras.distribution connects processes on JAX only",
)
ROOT = pathlib.Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "distribution.md").read_text("utf-8")
(SCRIPT,) = re.findall(r"```python\n(# train\.py\n.*?)```", PAGE, re.DOTALL)

# A dead process is found after seconds, not after 100.
BEFORE = """
import functools, jax
jax.distributed.initialize = functools.partial(
    jax.distributed.initialize, heartbeat_timeout_seconds=8
)
"""
AFTER = """
logits = keras.ops.convert_to_numpy(model(rows[:5, :-1]))
np.save(run.out / f"logits_{share}.npy", logits)
"""
# The second process is killed in its fourth epoch.
KILL = """
import signal

class Kill(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if share == 1 and self.model.optimizer.iterations > 13:
            os.kill(os.getpid(), signal.SIGKILL)

run_callbacks = run.callbacks
run.callbacks = lambda stage: [*run_callbacks(stage), Kill()]
model = GPT("""


def start(folder, count, *options, kill=False):
    """Start the processes of a run."""
    code = BEFORE + SCRIPT + AFTER
    if kill:
        code = code.replace("\nmodel = GPT(", KILL)
        assert "Kill()" in code
    env = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }
    if count > 1:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        env["KERAS_DISTRIBUTION_JOB_ADDRESSES"] = f"127.0.0.1:{port}"
        env["KERAS_DISTRIBUTION_NUM_PROCESSES"] = str(count)
    return [
        subprocess.Popen(
            [sys.executable, "-c", code, "--out", str(folder), *options],
            env={**env, "KERAS_DISTRIBUTION_PROCESS_ID": str(number)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(count)
    ]


def finish(processes):
    """Wait for processes that should succeed."""
    for process in processes:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors[-4000:]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Train with one process, this one, and with two others."""
    folder = tmp_path_factory.mktemp("processes")
    processes = start(folder / "2", 2)
    before = keras.distribution.distribution()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["train.py", "--out", str(folder / "1")])
        try:
            exec(compile(SCRIPT, "docs/distribution.md", "exec"), {})
        finally:
            keras.distribution.set_distribution(before)
    finish(processes)
    return folder


def losses(folder):
    page = json.loads((folder / "resume" / "run.json").read_text("utf-8"))
    return page["stages"]["fit"]["history"]["loss"]


def weights(folder):
    """Return the weights and the optimizer's variables of a saved model."""
    model = keras.models.load_model(folder / "model.keras")
    variables = [*model.weights, *model.optimizer.variables]
    return [keras.ops.convert_to_numpy(each) for each in variables]


def assert_same(one, other):
    for a, b in zip(weights(one), weights(other), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_two_processes_have_the_losses_of_one(runs):
    assert len(losses(runs / "1")) == 6
    np.testing.assert_allclose(
        losses(runs / "2"), losses(runs / "1"), atol=1e-5
    )
    results = json.loads((runs / "2" / "results.json").read_text("utf-8"))
    assert results["num_devices"] == 2


def test_a_model_saved_by_two_processes_is_read_by_one(runs):
    rows = np.random.default_rng(0).integers(1, 13, (64, 9))
    model = keras.models.load_model(runs / "2" / "model.keras")
    logits = keras.ops.convert_to_numpy(model(rows[:5, :-1]))
    for share in (0, 1):
        saved = np.load(runs / "2" / f"logits_{share}.npy")
        np.testing.assert_allclose(logits, saved, atol=1e-5)


def test_a_killed_process_ends_the_run_which_resumes(runs, tmp_path):
    processes = start(tmp_path, 2, kill=True)
    processes[1].wait(timeout=300)
    killed_at = time.monotonic()
    _, errors = processes[0].communicate(timeout=90)
    assert time.monotonic() - killed_at < 60
    assert processes[1].returncode < 0 < abs(processes[0].returncode)
    assert "JaxRuntimeError" in errors
    assert "Terminating process" in errors
    assert not (tmp_path / "results.json").exists()
    assert len(losses(tmp_path)) == 3

    finish(start(tmp_path, 2, "--resume"))
    np.testing.assert_allclose(losses(tmp_path), losses(runs / "2"), atol=1e-5)
    assert_same(tmp_path, runs / "2")
