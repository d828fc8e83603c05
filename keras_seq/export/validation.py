"""Validate a model for export, and that tokenizers and labels fit it.

Shapes: B texts, C classes.
"""

import keras

from keras_seq import checks
from keras_seq.generation.prompts import vocabulary_size
from keras_seq.text.tokenizer import check_tokenizer


def check_source(model, name, tokenizer):
    """Validate the tokenizer of what a model reads.

    Args:
        model: `keras.Model`.
        name: str, the argument that holds the tokenizer.
        tokenizer: must be a `Tokenizer` with the model's `pad_id`, and no
            more ids than the model has.
    Raises:
        ValueError: if it is not.
    """
    check_tokenizer(tokenizer, name)
    if getattr(model, "pad_id", tokenizer.pad_id) != tokenizer.pad_id:
        raise ValueError(
            f"`model` must have the `pad_id` of `{name}`; otherwise it would "
            "read the padding of short texts as tokens. Received "
            f"pad_id={model.pad_id}, and {tokenizer.pad_id} in the tokenizer."
        )
    size = vocabulary_size(model, "source_vocabulary_size")
    if size is not None and tokenizer.vocabulary_size() > size:
        raise ValueError(
            f"`{name}` must not have more ids than the model. Received "
            f"{tokenizer.vocabulary_size()} ids, and a model of {size}."
        )


def check_target(model, tokenizer):
    """Validate the tokenizer of what a model generates.

    Args:
        model: an `AutoregressiveModel`.
        tokenizer: must be a `Tokenizer` with all ids of the model.
    Raises:
        ValueError: if it is not.
    """
    check_tokenizer(tokenizer, "target_tokenizer")
    size = vocabulary_size(model, "target_vocabulary_size")
    if size is not None and tokenizer.vocabulary_size() < size:
        raise ValueError(
            "`target_tokenizer` must have every id that the model may "
            f"generate. Received {tokenizer.vocabulary_size()} ids, and a "
            f"model of {size}."
        )


def check_labels(labels, shape=None):
    """Validate the names of the classes.

    Args:
        labels: list of str.
        shape: optional tuple, the shape of the model's outputs without their
            batch axis; must be (C,).
    Returns:
        list of C str.
    Raises:
        ValueError: if `labels` are not C different names.
    """
    labels = checks.strings(labels=labels)
    if shape is not None and tuple(shape) != (len(labels),):
        raise ValueError(
            "`labels` must be one for each class of the model. Received "
            f"{len(labels)} labels, outputs of shape {(None, *shape)}."
        )
    if len(set(labels)) < len(labels):
        raise ValueError(
            f"`labels` must be names, no two alike. Received {labels!r}."
        )
    return labels


def check_float32_on_tensorflow(model, format):
    """Validate the backend and the precision for ONNX and LiteRT.

    Args:
        model: built `keras.Model`, must compute in float32.
        format: str, the format, for the message.
    Raises:
        ValueError: if the backend is not TensorFlow, or a layer has another
            precision.
    """
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
            "ops differ from TensorFlow's in other precisions: create it with "
            'dtype="float32" and set the weights. Received '
            f"dtype={other[0]!r}."
        )


def _not_in_float32(layer):
    """List the other precisions in a model and its layers."""
    other = layer.weights and layer.compute_dtype != "float32"
    found = [layer.dtype_policy.name] if other else []
    for part in getattr(layer, "layers", []):
        found += _not_in_float32(part)
    return found
