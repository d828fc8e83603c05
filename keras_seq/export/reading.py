"""Read SavedModels: list their inputs and outputs, and run them.

Shapes: B texts.
"""

import json
import pathlib
import subprocess
import sys
from collections.abc import Sized

from keras_seq.text.unicode import import_tensorflow_text, utf8

ENDPOINT = "serving_default"
GRAPH = "saved_model.pb"  # a folder without this file does not load
ROWS = 64  # batch size of `run`
ALONE = """
import json, sys
import tensorflow as tf
import tensorflow_text

def plain(x):
    return x.decode("utf-8") if isinstance(x, bytes) else [plain(y) for y in x]

served = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
columns, output = json.load(sys.stdin)
texts = {name: tf.constant(x, tf.string) for name, x in columns.items()}
found = served(**texts)[output]
print(json.dumps(plain(found.numpy().tolist())))
"""


def show(path):
    """List what a SavedModel takes and returns, without loading it.

    Args:
        path: str or Path, the folder.
    Returns:
        list of str, the lines: its signatures, the inputs and outputs of
        each, and the ops that are not in `tf.raw_ops`: those of
        tensorflow_text, and XlaCallModule if it was exported from JAX.
    Raises:
        ValueError: if the SavedModel at `path` is missing or damaged.
    """
    import tensorflow as tf

    graph = _read_graph(path)
    lines = []
    for name, signature in sorted(graph.signature_def.items()):
        if not name.startswith("__"):  # TensorFlow's own
            lines += [name, *_tensors("input", signature.inputs)]
            lines += _tensors("output", signature.outputs)
    functions = {f.signature.name for f in graph.graph_def.library.function}
    used = {op.name for op in graph.meta_info_def.stripped_op_list.op}
    used = {op for op in used - functions if not hasattr(tf.raw_ops, op)}
    return [*lines, f"ops beyond tf.raw_ops: {', '.join(sorted(used))}"]


def _read_graph(path):
    """Parse the file of the graph, a `MetaGraphDef`."""
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf import saved_model_pb2

    check_path(path)
    saved = saved_model_pb2.SavedModel()
    try:
        saved.ParseFromString(pathlib.Path(path, GRAPH).read_bytes())
    except DecodeError as error:
        raise ValueError(
            f"`path` must hold a SavedModel. Received path={str(path)!r}, "
            f"whose {GRAPH} is damaged: {error}."
        ) from error
    (graph,) = saved.meta_graphs
    return graph


def _tensors(kind, tensors):
    """Yield a line for each input or output of a signature."""
    import tensorflow as tf

    for name, info in sorted(tensors.items()):
        dtype = tf.dtypes.as_dtype(info.dtype).name
        shape = tuple(tf.TensorShape(info.tensor_shape).as_list())
        yield f"  {kind:6} {name}: {dtype} {shape}"


def run(path, texts):
    """Load a SavedModel and process texts.

    Args:
        path: str or Path, the folder.
        texts: list of str, or of UTF-8 bytes. For other inputs than `text`, a
            dict of lists of equal lengths, by the inputs' names.
    Returns:
        list of dict, the outputs of each text by name: str, float, or nested
        lists of them.
    Raises:
        ValueError: if the SavedModel at `path` is missing, or `texts` are not
            lists of texts for its inputs.
    """
    check_path(path)
    columns = check_texts(texts)
    import_tensorflow_text()  # its ops, or else the graph cannot be loaded
    import tensorflow as tf

    served = tf.saved_model.load(str(path)).signatures[ENDPOINT]
    names = set(served.structured_input_signature[1])
    if set(columns) != names:
        raise ValueError(
            "`texts` must be the inputs of the SavedModel. Received "
            f"{sorted(columns)}, and its inputs are {sorted(names)}."
        )
    answers = []
    for at in range(0, len(next(iter(columns.values()))), ROWS):
        found = served(
            **{
                name: tf.constant(column[at : at + ROWS])
                for name, column in columns.items()
            }
        )
        values = [map(_plain, column.numpy()) for column in found.values()]
        answers += [dict(zip(found, row)) for row in zip(*values)]
    return answers


def run_alone(path, texts, output="text"):
    """Process texts in a new process that does not import this library.

    It imports only tensorflow and tensorflow_text, as a server does.

    Args:
        path: str or Path, the folder of an exported model.
        texts: list of str, or of UTF-8 bytes. For other inputs than `text`, a
            dict of lists of equal lengths, by the inputs' names.
        output: str, the output to return, one of strings. Default "text".
    Returns:
        list of str; or of lists, if a text has several: the hypotheses of a
        beam, or tags.
    Raises:
        ValueError: if the SavedModel at `path` is missing, or `texts` are not
            lists of texts.
        RuntimeError: if that process fails, with its error output.
    """
    check_path(path)
    columns = {
        name: [_text(text) for text in column]
        for name, column in check_texts(texts).items()
    }
    done = subprocess.run(
        [sys.executable, "-c", ALONE, str(path)],
        input=json.dumps([columns, output]),
        capture_output=True,
        encoding="utf-8",
        errors="replace",
    )
    if done.returncode:
        raise RuntimeError(f"The process failed: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def _text(text):
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else text


def check_texts(texts):
    """Validate texts, and return lists of them by the inputs' names."""
    columns = texts if isinstance(texts, dict) else {"text": texts}
    for column in columns.values():
        single = isinstance(column, (str, bytes))
        several = isinstance(column, Sized) and not single
        if not several or not all(isinstance(t, (str, bytes)) for t in column):
            raise ValueError(
                "`texts` must be a list of str, or a dict of lists of str. "
                f"Received texts={texts!r}."
            )
    columns = {
        name: [t if isinstance(t, bytes) else utf8(t, None).decode() for t in c]
        for name, c in columns.items()
    }
    if len(set(map(len, columns.values()))) != 1:
        raise ValueError(
            "`texts` must be lists of equal lengths. Received "
            f"{ {name: len(column) for name, column in columns.items()} }."
        )
    return columns


def check_path(path):
    """Raise a ValueError if a folder does not hold a SavedModel."""
    if not pathlib.Path(path, GRAPH).is_file():
        raise ValueError(
            "`path` must be the folder of a SavedModel. Received "
            f"path={str(path)!r}, a folder without {GRAPH}."
        )


def _plain(value):
    """Convert bytes, NumPy numbers and arrays to Python values."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    value = value.tolist()
    return [_plain(v) for v in value] if _nested_bytes(value) else value


def _nested_bytes(value):
    return isinstance(value, list) and any(
        isinstance(v, bytes) or _nested_bytes(v) for v in value
    )
