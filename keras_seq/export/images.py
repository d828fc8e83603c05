"""Write image classifiers: pixels in, a label out, in three formats.

    images, uint8 of any size -> resized, (x / 255 - mean) / std -> logits
        -> label

    tf_saved_model   a folder, for TensorFlow
    onnx             a file, for ONNX Runtime
    litert           a file, for LiteRT on phones and small devices

All three are Keras's own export of one small model around yours.

Shapes: B images, H height, W width, C channels, K classes.
"""

import pathlib
import subprocess
import sys
import tempfile

import keras
import numpy as np
from keras import ops

from keras_seq import checks
from keras_seq.export.reading import ENDPOINT
from keras_seq.export.writing import check_backend, check_labels, in_tensorflow

SUFFIXES = {"tf_saved_model": "", "onnx": ".onnx", "litert": ".tflite"}
ALONE = """
import sys
import numpy as np

images, path = np.load(sys.argv[2]), sys.argv[1]
if path.endswith(".onnx"):
    import onnxruntime
    session = onnxruntime.InferenceSession(path)
    (given,) = session.get_inputs()
    found = session.run(None, {given.name: images})
elif path.endswith(".tflite"):
    import tensorflow as tf
    interpreter = tf.lite.Interpreter(path)
    (given,) = interpreter.get_input_details()
    interpreter.resize_tensor_input(given["index"], images.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(given["index"], images)
    interpreter.invoke()
    outputs = interpreter.get_output_details()
    found = [interpreter.get_tensor(output["index"]) for output in outputs]
else:
    import tensorflow as tf
    served = tf.saved_model.load(path).signatures["serving_default"]
    found = served(images=tf.constant(images))
    found = [found["probabilities"].numpy()]
np.save(sys.argv[3], next(p for p in found if p.ndim == 2))
"""


class PixelClassifier(keras.Model):
    """Read pixels as cameras give them: what is written.

    Args:
        model: a built model, float (B, H, W, C) -> logits (B, K).
        image_size: int > 0, or two: height and width that the model reads.
        mean, std: floats, of all channels or one for each.
    Call arguments:
        images: uint8 (B, H, W, C), of any size; resized without a blur
            (bilinear), which all three formats do alike.
    Returns:
        dict: `label`, int32 (B,), the likeliest class; `probabilities`,
        float32 (B, K).
    """

    def __init__(self, model, image_size, mean=0.0, std=1.0):
        super().__init__(dtype="float32")  # pixels are, whatever the model is
        self.model = model
        self.mean, self.std = (np.array(v, "float32") for v in (mean, std))
        self.resize = keras.layers.Resizing(
            *checks.size(image_size=image_size),
            data_format="channels_last",
            dtype="float32",
        )

    def call(self, images):
        x = self.resize(ops.cast(images, "float32") / 255)
        logits = self.model((x - self.mean) / self.std, training=False)
        p = ops.softmax(ops.cast(logits, "float32"), axis=-1)
        # The first of the largest. (Keras's argmax looks at bits, which the
        # two file formats have no ops for.)
        most, K = ops.max(p, axis=-1, keepdims=True), p.shape[-1]
        label = ops.min(ops.where(p < most, K, ops.arange(K)), axis=-1)
        return {"label": ops.cast(label, "int32"), "probabilities": p}


def export_image_classifier(
    model,
    path,
    *,
    labels,
    image_size,
    channels=3,
    mean=0.0,
    std=1.0,
    format="tf_saved_model",
):
    """Write a classifier of images that takes pixels of any image size.

    Args:
        model: a built model, images float (B, H, W, C) -> logits float
            (B, K): a `ViT` or a `ResNet`, say.
        path: str or Path: a folder; for "onnx" and "litert" a file, .onnx and
            .tflite. What was written there before is replaced.
        labels: list of K str, the names of the classes.
        image_size: int > 0, or two: height and width that the model reads.
        channels: int > 0, C. Default 3.
        mean, std: float, or C of them, std > 0: pixels in [0, 1] less the
            mean, divided by std, are what the model reads. Default 0 and 1;
            most published ViTs read 0.5 and 0.5.
        format: "tf_saved_model", "onnx" or "litert", as Keras calls them.
            Default "tf_saved_model".
    Returns:
        None. What is written takes `images`, uint8 (B, H, W, C), and gives
        `label`, string (B,), the likeliest class, and `probabilities`, float
        (B, K). The two files give the class's number, int32 (B,); its name is
        in `labels`.
    Raises:
        ValueError: if the backend cannot write this format (TensorFlow can;
            JAX a SavedModel), `model` is not built, or for a file not in
            float32, `labels` are not K names, `path` does not end as it must,
            or another argument is outside its range.
        ImportError: if onnx or tf2onnx, which Keras needs, is not installed.
    """
    checks.one_of(SUFFIXES, format=format)
    checks.positive_int(channels=channels)
    _check_scale(channels, mean=mean, std=std)
    check_backend()
    checks.built(model)
    if format != "tf_saved_model":
        _check_float32_on_tensorflow(model, format)
    wanted = SUFFIXES[format]
    if pathlib.Path(path).suffix != wanted and wanted:
        raise ValueError(
            f"`path` must end in {wanted} for format={format!r}. Received "
            f"path={str(path)!r}."
        )
    reader = PixelClassifier(model, image_size, mean, std)
    size = reader.resize.height, reader.resize.width
    logits = reader(np.zeros((1, *size, channels), "uint8"))["probabilities"]
    labels = check_labels(labels, logits.shape[1:])
    if format == "tf_saved_model":
        _write_saved_model(reader, path, labels, channels)
        return
    spec = keras.InputSpec(
        shape=(None, None, None, channels), dtype="uint8", name="images"
    )
    pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
    reader.export(
        str(path), format=format, input_signature=[spec], verbose=False
    )


def run_images_alone(path, images):
    """Classify in a new process that knows neither this library nor Keras.

    Args:
        path: str or Path, what `export_image_classifier` wrote.
        images: uint8 (B, H, W, C).
    Returns:
        float32 (B, K), the probabilities.
    Raises:
        ValueError: if `images` are none.
        RuntimeError: if that process fails, with what it said.
    """
    images = np.asarray(images)
    if images.ndim != 4 or images.dtype != np.uint8:
        raise ValueError(
            "`images` must be uint8 (B, H, W, C). Received "
            f"{images.dtype} of shape {images.shape}."
        )
    with tempfile.TemporaryDirectory() as folder:
        given, found = (f"{folder}/{name}.npy" for name in ("given", "found"))
        np.save(given, images)
        done = subprocess.run(
            [sys.executable, "-c", ALONE, str(path), given, found],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
        )
        if done.returncode:
            raise RuntimeError(f"The process failed: {done.stderr[-2000:]}")
        return np.load(found)


def _in_float32(value):
    """Give what is read of a number: infinity, where it is too large."""
    with np.errstate(over="ignore"):
        return np.array(value).astype("float32")


def _check_scale(channels, **both):
    for name, value in both.items():
        try:
            each = np.array(value)
        except ValueError:  # rows of several lengths
            each = np.array(None)
        numbers = each.dtype.kind in "iuf"
        numbers = numbers and np.isfinite(_in_float32(each)).all()
        if not numbers or each.shape not in ((), (channels,)):
            raise ValueError(
                f"`{name}` must be a float32 number, or one for each of "
                f"{channels} channels. Received {name}={value!r}."
            )
    if np.any(_in_float32(both["std"]) < np.finfo("float32").tiny):
        raise ValueError(
            f"`std` must be > 0 in float32. Received std={both['std']!r}."
        )


def _check_float32_on_tensorflow(model, format):
    backend = keras.backend.backend()
    if backend != "tensorflow":
        raise ValueError(
            f"The Keras backend must be tensorflow for format={format!r}. "
            f"Received backend={backend!r}."
        )
    other = _not_in_float32(model)
    if other:
        raise ValueError(
            f"`model` must compute in float32 for format={format!r}, whose "
            "ops in other precisions are not those of TensorFlow: make it anew "
            'with dtype="float32" and give it the weights. Received '
            f"dtype={other[0]!r}."
        )


def _not_in_float32(layer):
    """List the other precisions in a model and in the models within."""
    other = layer.weights and layer.compute_dtype != "float32"
    found = [layer.dtype_policy.name] if other else []
    for part in getattr(layer, "layers", []):
        found += _not_in_float32(part)
    return found


def _write_saved_model(reader, path, labels, channels):
    """Write the folder, whose labels are names."""
    import tensorflow as tf

    spec = tf.TensorSpec([None, None, None, channels], tf.uint8, name="images")
    classify = in_tensorflow(reader, reader.call, spec)

    def answer(images):
        rows = tf.shape(images)[0]
        missing = tf.maximum(0, 1 - rows)  # JAX takes no batch of none
        found = classify(tf.pad(images, [[0, missing], *[[0, 0]] * 3]))
        names = tf.gather(tf.constant(labels), found["label"])
        found = {**found, "label": names}
        return {name: value[:rows] for name, value in found.items()}

    served = tf.function(answer, input_signature=[spec], autograph=False)
    served.get_concrete_function()  # the archive wants it traced
    archive = keras.export.ExportArchive()
    archive.add_endpoint(ENDPOINT, served)
    archive.write_out(str(path), verbose=False)
