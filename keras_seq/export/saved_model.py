"""SavedModels: functions of `keras.ops` as TensorFlow graphs, and their files.

Keras writes SavedModels from the TensorFlow and the JAX backend. A model that
is traced on JAX becomes one op of a TensorFlow graph.

Shapes: B texts.
"""

import contextlib
import os
import pathlib
import tempfile

import keras
from keras import ops

from keras_seq.export.reading import ENDPOINT, GRAPH
from keras_seq.text.unicode import import_tensorflow_text


def check_backend():
    """Raise a ValueError if Keras cannot write SavedModels on this backend."""
    backend = keras.backend.backend()
    if backend not in ("tensorflow", "jax"):
        raise ValueError(
            "The Keras backend must be tensorflow or jax: Keras writes no "
            f"SavedModel from another. Received backend={backend!r}; save the "
            "model as .keras, and load it with KERAS_BACKEND=tensorflow."
        )


def tensorflow_function(model, function, *signature):
    """Make a TensorFlow function of a function in `keras.ops`.

    Args:
        model: `keras.Model`, whose variables the function reads.
        function: takes and returns tensors of the backend.
        signature: `tf.TensorSpec` of each argument.
    Returns:
        A function of TensorFlow tensors.
    """
    archive = keras.export.ExportArchive()
    archive.track(model)
    return archive.add_endpoint("core", function, list(signature))


def exportable_top_k():
    """Return a function like `keras.ops.top_k` that TensorFlow can load.

    `ops.top_k` of JAX 0.10 is an op newer than TensorFlow 2.21 can load
    ("unregistered operation 'vhlo.composite_v2'").
    """
    if keras.backend.backend() == "jax":
        return portable_top_k
    return ops.top_k


def portable_top_k(x, k):
    """Return the k largest values and their indices, the largest first.

    Args:
        x: float (..., N).
        k: int > 0, at most N.
    Returns:
        values, float (..., k), and indices, int (..., k).
    """
    if k > 8:
        indices = ops.argsort(-x, axis=-1)[..., :k]
        return ops.take_along_axis(x, indices, axis=-1), indices
    rest, indices = ops.maximum(x, -3e38), []  # -inf marks what is taken
    for _ in range(k):
        index = ops.argmax(rest, axis=-1)[..., None]
        taken = ops.arange(x.shape[-1]) == index
        rest = ops.where(taken, -float("inf"), rest)
        indices.append(index)
    indices = ops.concatenate(indices, axis=-1)
    return ops.take_along_axis(x, indices, axis=-1), indices


def write_text_function(path, function, names=("text",)):
    """Save a function of strings as a SavedModel.

    Args:
        path: str or Path, the folder.
        function: takes a string tensor (B,) for each name, and returns a dict
            of tensors (B, ...).
        names: the inputs' names.
    """
    import_tensorflow_text()
    import tensorflow as tf

    def serve(*texts):
        rows = tf.shape(texts[0])[0]
        missing = tf.maximum(0, 1 - rows)  # the loop needs one row or more
        padded = [
            tf.pad(text, [[0, missing]], constant_values="") for text in texts
        ]
        outputs = function(*padded)
        return {name: value[:rows] for name, value in outputs.items()}

    signature = [tf.TensorSpec([None], tf.string, name=n) for n in names]
    # JAX has no gradient of a loop of unknown length, and none is needed.
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    write_endpoint(path, serve, signature, options)


def write_endpoint(path, function, signature, options=None):
    """Save a TensorFlow function as the one endpoint of a SavedModel."""
    import tensorflow as tf

    served = tf.function(function, input_signature=signature, autograph=False)
    served.get_concrete_function()  # `add_endpoint` needs it traced
    archive = keras.export.ExportArchive()
    archive.add_endpoint(ENDPOINT, served)
    with replacing(path) as new:
        archive.write_out(str(new), options=options, verbose=False)


@contextlib.contextmanager
def replacing(path):
    """Write a file or a SavedModel elsewhere first, then move it to `path`.

    If writing fails, `path` is as it was before: nothing, or the old export.
    Other files in the folder `path` stay.

    Args:
        path: str or Path, the final file or folder.
    Returns:
        A context manager of the Path to write to.
    """
    path = pathlib.Path(os.path.abspath(path))
    home = path if path.is_dir() else path.parent
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".export-", dir=home) as folder:
        new = pathlib.Path(folder, path.name)
        yield new
        if home is path:
            _replace_entries(path, new, pathlib.Path(folder, "replaced"))
        else:
            new.replace(path)


def _replace_entries(path, new, old):
    """Move the entries of `new` into `path`, and those they replace to `old`.

    The graph leaves first and arrives last: a folder without it does not load.
    """
    old.mkdir()
    names = sorted(new.iterdir(), key=lambda entry: entry.name == GRAPH)
    names = [entry.name for entry in names]  # the graph is the last
    moved = []
    try:
        for source, target, order in (
            (path, old, names[::-1]),
            (new, path, names),
        ):
            for name in order:
                if (source / name).exists():
                    (source / name).rename(target / name)
                    moved.append((source / name, target / name))
    except BaseException:
        for before, after in reversed(moved):
            after.rename(before)
        raise
