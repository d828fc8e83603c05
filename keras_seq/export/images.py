"""export_image_classifier: pixels in, a label out, in three formats.

    images, uint8 of any size -> resized, (x / 255 - mean) / std -> model
        -> probabilities -> label

    tf_saved_model   a folder, for TensorFlow
    onnx             a file, for ONNX Runtime
    litert           a file, for LiteRT on phones and small devices

All three are written by Keras from one small model around the classifier.

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
from keras_seq.export.classifiers import (
    class_probabilities,
    resolve_from_logits,
)
from keras_seq.export.saved_model import (
    check_backend,
    replacing,
    tensorflow_function,
    write_endpoint,
)
from keras_seq.export.validation import (
    check_float32_on_tensorflow,
    check_labels,
)
from keras_seq.models import ResNet, ViT

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
    """Classify images of any size: the model that is exported.

    Args:
        model: a built model, float (B, H, W, C) -> (B, K).
        image_size: int > 0, or two: height and width that the model reads.
        mean: float, or one for each channel. Default 0.
        std: float, or one for each channel. Default 1.
        from_logits: bool, the model returns logits. Default True.
    Call arguments:
        images: uint8 (B, H, W, C), of any size; resized without antialiasing
            (bilinear), which all three formats do alike.
    Returns:
        dict: `label`, int32 (B,), the most probable class; `probabilities`,
        float32 (B, K).
    """

    def __init__(self, model, image_size, mean=0.0, std=1.0, from_logits=True):
        super().__init__(dtype="float32")  # pixels, whatever the model's dtype
        self.model, self.from_logits = model, from_logits
        self.mean, self.std = (np.array(v, "float32") for v in (mean, std))
        self.resize = keras.layers.Resizing(
            *checks.size(image_size=image_size),
            data_format="channels_last",
            dtype="float32",
        )

    def call(self, images):
        x = self.resize(ops.cast(images, "float32") / 255)
        outputs = self.model((x - self.mean) / self.std, training=False)
        p = class_probabilities(ops.cast(outputs, "float32"), self.from_logits)
        # The first of the largest. (Keras's argmax uses bit operations, which
        # ONNX and LiteRT do not have.)
        largest, K = ops.max(p, axis=-1, keepdims=True), p.shape[-1]
        label = ops.min(ops.where(p < largest, K, ops.arange(K)), axis=-1)
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
    from_logits=None,
    format="tf_saved_model",
):
    """Write an image classifier that takes pixels of any image size.

    Args:
        model: a built `ViT`, `ResNet` or other model, float (B, H, W, C) ->
            float (B, K).
        path: str or Path: a folder, or a file .onnx or .tflite.
        labels: list of K str, the names of the classes.
        image_size: int > 0, or two: height and width that the model reads.
        channels: int > 0, C. Default 3.
        mean: float, or C of them, subtracted from pixels in [0, 1]. Default 0.
        std: float > 0, or C of them; divides the pixels then. Default 1.
        from_logits: optional bool, `model` returns logits. Default: detected.
        format: "tf_saved_model", "onnx" or "litert". Default the first.
    Returns:
        None. The SavedModel takes `images`, uint8 (B, H, W, C), and returns
        `label`, string (B,), and `probabilities`, float (B, K). The two files
        return the number of the class, int32 (B,), as `label`.
    Raises:
        ValueError: if an argument is invalid, or the backend is PyTorch.
        ImportError: if a package that Keras needs for ONNX is missing.
    """
    _check(model, path, channels, format, mean=mean, std=std)
    from_logits = _from_logits(model, from_logits)
    reader = PixelClassifier(model, image_size, mean, std, from_logits)
    labels = _check_classes(reader, labels, channels)
    _write(reader, path, labels, channels, format)


def _from_logits(model, from_logits):
    ours = isinstance(model, (ViT, ResNet))  # they return logits
    if ours and from_logits is None:
        return True
    return resolve_from_logits(model, from_logits)


def _check(model, path, channels, format, **scale):
    checks.one_of(SUFFIXES, format=format)
    checks.positive_int(channels=channels)
    _check_scale(channels, **scale)
    check_backend()
    checks.built(model)
    if format != "tf_saved_model":
        check_float32_on_tensorflow(model, format)
    suffix = SUFFIXES[format]
    if suffix and pathlib.Path(path).suffix != suffix:
        raise ValueError(
            f"`path` must end in {suffix} for format={format!r}. Received "
            f"path={str(path)!r}."
        )


def _check_classes(reader, labels, channels):
    """Build the reader, and validate the labels of its classes."""
    size = reader.resize.height, reader.resize.width
    found = reader(np.zeros((1, *size, channels), "uint8"))
    return check_labels(labels, found["probabilities"].shape[1:])


def _write(reader, path, labels, channels, format):
    if format == "tf_saved_model":
        _write_saved_model(reader, path, labels, channels)
        return
    spec = keras.InputSpec(
        shape=(None, None, None, channels), dtype="uint8", name="images"
    )
    with replacing(path) as new:
        reader.export(
            str(new), format=format, input_signature=[spec], verbose=False
        )


def run_images_alone(path, images):
    """Classify in a new process that imports neither this library nor Keras.

    Args:
        path: str or Path, the export of `export_image_classifier`.
        images: uint8 (B, H, W, C).
    Returns:
        float32 (B, K), the probabilities.
    Raises:
        ValueError: if `images` are not uint8 (B, H, W, C).
        RuntimeError: if that process fails, with its error output.
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
    """Convert to float32: infinity if the number is too large."""
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


def _write_saved_model(reader, path, labels, channels):
    """Write the folder, in which labels are names."""
    import tensorflow as tf

    spec = tf.TensorSpec([None, None, None, channels], tf.uint8, name="images")
    classify = tensorflow_function(reader, reader.call, spec)

    def answer(images):
        rows = tf.shape(images)[0]
        missing = tf.maximum(0, 1 - rows)  # JAX needs one row or more
        found = classify(tf.pad(images, [[0, missing], *[[0, 0]] * 3]))
        names = tf.gather(tf.constant(labels), found["label"])
        found = {**found, "label": names}
        return {name: value[:rows] for name, value in found.items()}

    write_endpoint(path, answer, [spec])
