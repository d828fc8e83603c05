"""Read SavedModels: what they take and give, and what they answer.

Shapes: B texts.
"""

import json
import pathlib
import subprocess
import sys
from collections.abc import Sized

from keras_seq.text.unicode import import_tensorflow_text, utf8

ENDPOINT = "serving_default"
ROWS = 64  # texts that `run` answers at a time
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
    """Say what a SavedModel takes and gives, without loading it.

    Args:
        path: str or Path, the folder.
    Returns:
        list of str, the lines: its signatures, the inputs and outputs of
        each, and the ops that it needs beyond `tf.raw_ops`: those of
        tensorflow_text, and XlaCallModule where JAX wrote it.
    Raises:
        ValueError: if there is no SavedModel at `path`, or a damaged one.
    """
    import tensorflow as tf
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf import saved_model_pb2

    check_path(path)
    saved = saved_model_pb2.SavedModel()
    try:
        found = pathlib.Path(path, "saved_model.pb").read_bytes()
        saved.ParseFromString(found)
    except DecodeError as error:
        raise ValueError(
            f"`path` must hold a SavedModel. Received path={str(path)!r}, "
            f"whose saved_model.pb is damaged: {error}."
        ) from error
    (graph,) = saved.meta_graphs
    lines = []
    for name, signature in sorted(graph.signature_def.items()):
        if name.startswith("__"):  # TensorFlow's own
            continue
        lines.append(name)
        for kind, tensors in (
            ("input", signature.inputs),
            ("output", signature.outputs),
        ):
            for tensor, info in sorted(tensors.items()):
                dtype = tf.dtypes.as_dtype(info.dtype).name
                shape = tuple(tf.TensorShape(info.tensor_shape).as_list())
                lines.append(f"  {kind:6} {tensor}: {dtype} {shape}")
    functions = {f.signature.name for f in graph.graph_def.library.function}
    used = {op.name for op in graph.meta_info_def.stripped_op_list.op}
    used = {op for op in used - functions if not hasattr(tf.raw_ops, op)}
    return [*lines, f"ops beyond tf.raw_ops: {', '.join(sorted(used))}"]


def run(path, texts):
    """Load a SavedModel and answer.

    Args:
        path: str or Path, the folder.
        texts: list of str, or of UTF-8 bytes; or where it reads more than
            `text` a dict of such, of equal lengths, by the names of inputs.
    Returns:
        list of dict, for each text its answers by name: str, float, or nested
        lists of them.
    Raises:
        ValueError: if there is no SavedModel at `path`, `texts` are no lists
            of texts, or not what it reads.
    """
    check_path(path)
    columns = check_texts(texts)
    import_tensorflow_text()  # its ops, or else the graph cannot be loaded
    import tensorflow as tf

    served = tf.saved_model.load(str(path)).signatures[ENDPOINT]
    names = set(served.structured_input_signature[1])
    if set(columns) != names:
        raise ValueError(
            "`texts` must be what the SavedModel reads. Received "
            f"{sorted(columns)}, and it reads {sorted(names)}."
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
    """Answer in a new process that knows nothing of this library.

    It imports tensorflow and tensorflow_text alone, as a server would.

    Args:
        path: str or Path, the folder of an exported model.
        texts: as for `run`.
        output: str, the answers to give, one of strings. Default "text".
    Returns:
        list of str, the answers; a list for each where a text has several,
        as the hypotheses of a beam, or tags.
    Raises:
        ValueError: if there is no SavedModel at `path`, or `texts` are no
            lists of texts.
        RuntimeError: if that process fails, with what it said.
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
    """Give lists of texts by their names; refuse a text, and what is none."""
    columns = texts if isinstance(texts, dict) else {"text": texts}
    for column in columns.values():
        single = isinstance(column, (str, bytes))
        several = isinstance(column, Sized) and not single
        if not several or not all(isinstance(t, (str, bytes)) for t in column):
            raise ValueError(
                "`texts` must be a list of str, or a dict of such. "
                f"Received texts={texts!r}."
            )
    columns = {
        name: [t if isinstance(t, bytes) else utf8(t, None).decode() for t in c]
        for name, c in columns.items()
    }
    if len(set(map(len, columns.values()))) != 1:
        raise ValueError(
            "`texts` must have as many of each. Received "
            f"{ {name: len(column) for name, column in columns.items()} }."
        )
    return columns


def check_path(path):
    if not pathlib.Path(path, "saved_model.pb").is_file():
        raise ValueError(
            "`path` must be the folder of a SavedModel. Received "
            f"path={str(path)!r}, where there is no saved_model.pb."
        )


def _plain(value):
    """Make Python values of bytes, NumPy numbers and arrays."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    value = value.tolist()
    return [_plain(v) for v in value] if _nested_bytes(value) else value


def _nested_bytes(value):
    return isinstance(value, list) and any(
        isinstance(v, bytes) or _nested_bytes(v) for v in value
    )
