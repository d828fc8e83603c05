"""export_text_classifier: a SavedModel that classifies texts.

    text -> ids -> model -> probabilities -> label

A model returns logits or probabilities. The softmax of a softmax is nearly
uniform, and the softmax of a single output is always 1, so the kind of output
is detected from the activation of the last layer, or must be given.

    C outputs, logits           softmax
    1 output, a logit           sigmoid: the probability of the second label
    probabilities               as they are

Shapes: B texts, S tokens, C classes.
"""

import keras
from keras import ops

from keras_seq import checks
from keras_seq.export.saved_model import (
    check_backend,
    tensorflow_function,
    write_text_function,
)
from keras_seq.export.validation import check_labels, check_source


def export_text_classifier(
    model,
    path,
    *,
    tokenizer,
    labels,
    from_logits=None,
    sequence_length=None,
    start=False,
    end=False,
):
    """Write a SavedModel that classifies texts.

    Args:
        model: a built model, ids int (B, S) -> float (B, C), or (B, 1).
        path: str or Path, a folder; a SavedModel in it is replaced.
        tokenizer: `Tokenizer` of the texts.
        labels: list of C str, the names of the classes; two for one output.
        from_logits: optional bool, the outputs are logits, not probabilities.
            Default: detected from the activation of the last layer.
        sequence_length: optional int > 0, pad or truncate to it. Default None.
        start: bool, add the start token to a text. Default False.
        end: bool, add the end token to a text. Default False.
    Returns:
        None. The signature "serving_default" takes `text`, string (B,), and
        returns `label`, string (B,), and `probabilities`, float (B, C).
    Raises:
        ValueError: if an argument is invalid, or the backend is PyTorch.
    """
    check_backend()
    checks.built(model)
    check_source(model, "tokenizer", tokenizer)
    labels = check_labels(labels)
    from_logits = resolve_from_logits(model, from_logits)
    classify = _classifier(model, labels, from_logits)
    options = {"start": start, "end": end, "sequence_length": sequence_length}
    options["truncate"] = sequence_length is not None
    write_text_function(
        path, lambda text: classify(tokenizer.tokenize(text, **options))
    )


def _classifier(model, labels, from_logits):
    """Return a TensorFlow function: ids int (B, S) -> label, probabilities."""
    import tensorflow as tf

    def probabilities(ids):
        outputs = ops.cast(model(ids, training=False), "float32")
        p = class_probabilities(outputs, from_logits)
        check_labels(labels, p.shape[1:])
        return p

    ids_spec = tf.TensorSpec([None, None], tf.int32, name="ids")
    run = tensorflow_function(model, probabilities, ids_spec)

    def classify(ids):
        p = run(ids)
        label = tf.gather(tf.constant(labels), tf.argmax(p, axis=-1))
        return {"label": label, "probabilities": p}

    return classify


def class_probabilities(outputs, from_logits):
    """Convert a model's outputs to the probabilities of the classes.

    Args:
        outputs: float (B, C), or (B, 1): that of the second of two classes.
        from_logits: bool, the outputs are logits.
    Returns:
        float (B, C), or (B, 2).
    """
    if outputs.shape[1:] == (1,):
        p = ops.sigmoid(outputs) if from_logits else outputs
        return ops.concatenate([1 - p, p], axis=-1)
    return ops.softmax(outputs, axis=-1) if from_logits else outputs


def resolve_from_logits(model, from_logits=None):
    """Detect whether a model returns logits.

    Args:
        model: `keras.Model`.
        from_logits: optional bool, what the caller states.
    Returns:
        bool.
    Raises:
        ValueError: if it can neither be detected nor is stated, or if the
            last layer contradicts the statement.
    """
    if from_logits is not None:
        checks.boolean(from_logits=from_logits)
    activation = output_activation(model)
    detected = {"linear": True, "softmax": False, "sigmoid": False}.get(
        activation
    )
    if detected is None and from_logits is None:
        raise ValueError(
            "`from_logits` must be given: whether `model` returns logits "
            "cannot be detected from its last layer. Received "
            f"from_logits=None, activation={activation!r}."
        )
    if None not in (detected, from_logits) and detected != from_logits:
        raise ValueError(
            "`from_logits` must agree with the last layer of `model`. "
            f"Received from_logits={from_logits}, activation={activation!r}."
        )
    return detected if from_logits is None else bool(from_logits)


def output_activation(model):
    """Return the name of a model's last activation, or None.

    Args:
        model: `keras.Model`. The last layer of a subclassed model is unknown.
    Returns:
        str such as "linear" or "softmax", or None if it is not found.
    """
    outputs = getattr(model, "outputs", None)
    layers = getattr(model, "layers", None)
    if not outputs or not layers or len(outputs) > 1:
        return None
    last = layers[-1]
    if not isinstance(model, keras.Sequential) and not _gives(last, outputs[0]):
        return None
    if isinstance(last, keras.layers.Softmax):
        return "softmax"
    if getattr(last, "outputs", None):
        return output_activation(last)
    activation = getattr(last, "activation", None)
    return getattr(activation, "__name__", None)


def _gives(layer, output):
    """Whether `output` is the output of `layer`, called once."""
    try:
        return layer.output is output
    except (AttributeError, ValueError):  # never called, or more than once
        return False
