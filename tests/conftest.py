"""What every test starts from: a backend, a seed, no window, no network."""

import gc
import itertools
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

# Before keras is imported: a backend chosen here, not in somebody's ~/.keras.
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("MPLBACKEND", "Agg")
# The tests' tensors are tiny: PyTorch's threads would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import keras
import pytest

TESTS_RUN = itertools.count(1)
TENSORFLOW_ONLY = ("tensorflow_only", "tutorial", "experiment")
ONCE = "does not depend on the backend: runs on TensorFlow"
# What XLA compiles here runs once or twice: compiling is all of its time, and
# its older loops compile in half of it.
COMPILE_FAST = (
    "--xla_backend_optimization_level=0 "
    "--xla_llvm_disable_expensive_passes=true "
    "--xla_cpu_use_fusion_emitters=false"
)


def pytest_report_header():
    """Say above the results which backend they are of."""
    return f"keras: {keras.__version__} on {keras.backend.backend()}"


def pytest_configure(config):
    """Let XLA compile fast, and the processes of a test run share JAX's."""
    flags = os.environ.get("XLA_FLAGS", "")
    if COMPILE_FAST not in flags and _is_known(COMPILE_FAST):
        os.environ["XLA_FLAGS"] = f"{flags} {COMPILE_FAST}".strip()
    if keras.backend.backend() != "jax":
        return
    import jax

    name = "JAX_COMPILATION_CACHE_DIR"
    if name not in os.environ:
        folder = os.environ[name] = tempfile.mkdtemp(prefix="keras_seq-jax-")
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    jax.config.update("jax_compilation_cache_dir", os.environ[name])
    settings = {
        "jax_persistent_cache_min_compile_time_secs": 0,
        "jax_persistent_cache_min_entry_size_bytes": -1,
    }
    for name, value in settings.items():
        jax.config.update(name, value)
        os.environ[name.upper()] = str(value)  # for processes that tests start


def _is_known(flags):
    """Tell whether XLA knows these flags: unknown ones end a process.

    TensorFlow's release is named in setup.cfg, JAX's is not: ask it, in
    another process.
    """
    if keras.backend.backend() != "jax":
        return True
    asked = subprocess.run(
        [sys.executable, "-c", "import jax; jax.devices('cpu')"],
        env={**os.environ, "XLA_FLAGS": flags},
        capture_output=True,
    )
    return asked.returncode == 0


def pytest_collection_finish():
    """Let the garbage collector run less often, and skip what was imported."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 100)


def pytest_sessionfinish():
    """Skip what is left when pytest collects garbage at its end, ten times."""
    gc.freeze()


def pytest_collection_modifyitems(items):
    """Skip on other backends what needs TensorFlow, or runs once."""
    if keras.backend.backend() == "tensorflow":
        return
    skip = pytest.mark.skip(reason="runs on the TensorFlow backend alone")
    for item in items:
        if item.get_closest_marker("once"):
            item.add_marker(pytest.mark.skip(reason=ONCE))
        if any(item.get_closest_marker(name) for name in TENSORFLOW_ONLY):
            item.add_marker(skip)


@pytest.fixture(autouse=True)
def same_start():
    """Give every test the same seed, and the next one float32 again."""
    keras.utils.set_random_seed(7)
    yield
    keras.config.set_dtype_policy("float32")


@pytest.fixture(autouse=True)
def forget_compiled():
    """Let go of JAX's compiled code before there is too much of it.

    Linux grants a process 65,530 maps of memory; XLA on a CPU takes a few for
    each function that it compiles, and crashes when there are no more.
    """
    yield
    maps = pathlib.Path("/proc/self/maps")
    if (
        keras.backend.backend() == "jax"
        and next(TESTS_RUN) % 20 == 0
        and maps.exists()
        and maps.read_bytes().count(b"\n") > 40_000
    ):
        import jax

        jax.clear_caches()


@pytest.fixture
def real_data():
    """Give a function from a path below KERAS_SEQ_DATA to that Path.

    It skips the test, and says why, where the data set is not at hand.
    """

    def find(name):
        root = os.environ.get("KERAS_SEQ_DATA")
        if not root:
            pytest.skip(f"needs {name}: KERAS_SEQ_DATA is not set")
        path = pathlib.Path(root, name)
        if not path.exists():
            pytest.skip(f"needs {name}: not in KERAS_SEQ_DATA")
        return path

    return find


@pytest.fixture
def eager_functions():
    """Run functions of TensorFlow eagerly: tracing takes most of the time.

    `test_generation.py` compares a compiled loop with one that runs so.
    """
    if keras.backend.backend() != "tensorflow":
        yield
        return
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def quick_collection():
    """Let the garbage collector see only what the test itself creates.

    Keras collects garbage for every layer that it quantizes, which takes
    seconds in a process that has run thousands of tests.
    """
    gc.freeze()
    yield
    gc.unfreeze()
