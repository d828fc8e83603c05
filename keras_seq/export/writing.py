"""Write SavedModels: tokenizer, network, loop and detokenizer in one graph.

Shapes: B texts, S source ids, L generated ids, W beams, C classes.
"""

import contextlib
from unittest import mock

import keras
from keras import ops

from keras_seq import checks
from keras_seq.export.reading import ENDPOINT
from keras_seq.generation.decoding import GREEDY, check_generation
from keras_seq.generation.decoding_loop import decode
from keras_seq.generation.prompts import vocabulary_size
from keras_seq.generation.samplers import Sampling
from keras_seq.text import Tokenizer
from keras_seq.text.unicode import import_tensorflow_text


def export_text_model(
    model,
    path,
    *,
    source_tokenizer,
    target_tokenizer=None,
    sampler=GREEDY,
    max_length,
    end_id=None,
    source_start=False,
    source_end=False,
    attention=False,
):
    """Write a SavedModel that reads a text and writes one.

    It gives the strings that these lines give in Python:

        ids = source_tokenizer.tokenize(texts)
        said = generate(model, ids, sampler, max_length=max_length)
        target_tokenizer.detokenize(said.ids)

    A translator so gives a translation, and a language model what it adds to
    the prompt, without the prompt.

    Args:
        model: a built model with `start`, `step` and the tokenizers' `pad_id`.
        path: str or Path, a folder; a SavedModel in it is replaced.
        source_tokenizer: `Tokenizer` of what the model reads.
        target_tokenizer: optional `Tokenizer` of what it says. Default: the
            `source_tokenizer`.
        sampler: `Greedy(...)`, the default, `Sampling(...)` or
            `BeamSearch(...)`. A draw without a seed is a new one for each
            request; one with a seed is always the same, and on the
            TensorFlow backend that of `generate` (JAX draws other numbers).
        max_length: int > 0, the most tokens to say, L.
        end_id: optional int, the token that ends a row. Default: the model's
            own `end_id`, or that of the `target_tokenizer`, which ends the
            text.
        source_start, source_end: bool, the marks put around a source, which
            must be those of the training. Default False.
        attention: bool, give the alignment as well. Default False.
    Returns:
        None. The signature "serving_default" takes `text`, string (B,), and
        gives a dict of `text`, string (B,), `score`, float (B,), as
        `Generated.scores`; and with `attention` of `attention`, float (B, L,
        S), `source_tokens`, string (B, S), and `target_tokens`, string (B,
        L), "[PAD]" where nothing is. With `return_all_beams` an axis W follows
        B in all but `source_tokens`.
    Raises:
        ValueError: if the backend is PyTorch, `model` is not built or cannot
            generate, its vocabularies are not the tokenizers', `attention`
            is wanted of a model that has none, or `max_length` is no int > 0,
            or more than the model can say. A served text longer than the
            model can read is answered with an error.
    """
    target_tokenizer = target_tokenizer or source_tokenizer
    max_length = checks.positive_int(max_length=max_length)
    check_backend()
    check_generation(model, sampler, end_id)
    check_source(model, "source_tokenizer", source_tokenizer)
    _check_target(model, target_tokenizer)
    if end_id is None:
        end_id = getattr(model, "end_id", None)
    if end_id is None:
        end_id = target_tokenizer.end_id
    most = None  # tokens of a text that can be read
    if hasattr(model, "max_prompt_length"):
        most = model.max_prompt_length(max_length)
    import tensorflow as tf

    def say(ids, noise):
        with _portable_ops():
            said = decode(model, ids, noise, sampler, max_length, end_id)
        if not attention:
            return {"ids": said.ids, "score": said.scores}
        if said.attention is None:
            raise ValueError(
                "`attention` needs a model that looks at its source. Received "
                f"attention=True, model={model!r}."
            )
        return dict(zip(("ids", "score", "attention"), said))

    ids_spec = tf.TensorSpec([None, None], tf.int32, name="ids")
    noise_spec = tf.TensorSpec([None, max_length], tf.float32, name="noise")
    speak = in_tensorflow(model, say, ids_spec, noise_spec)

    def answer(text):
        source = source_tokenizer.tokenize(
            text, start=source_start, end=source_end
        )
        if most is not None:
            tf.debugging.assert_less_equal(
                tf.shape(source)[1],
                most,
                f"A text has more than {most} tokens.",
            )
        answers = speak(
            source, _noise(sampler, [tf.shape(text)[0], max_length])
        )
        ids = answers.pop("ids")  # (B, L), or (B, W, L)
        rows = tf.reshape(ids, [-1, max_length])
        written = target_tokenizer.detokenize(rows)
        answers["text"] = tf.reshape(written, tf.shape(ids)[:-1])
        if attention:
            names = target_tokenizer.tokens(rows)
            answers["target_tokens"] = tf.reshape(names, tf.shape(ids))
            answers["source_tokens"] = source_tokenizer.tokens(source)
        return answers

    write(path, answer)


def export_text_classifier(
    model, path, *, tokenizer, labels, start=False, end=False
):
    """Write a SavedModel that reads a text and says what kind it is.

    Args:
        model: a built model, ids int (B, S) -> logits float (B, C).
        path: str or Path, a folder; a SavedModel in it is replaced.
        tokenizer: `Tokenizer` of the texts.
        labels: list of C str, the names of the classes.
        start, end: bool, the marks put around a text, which must be those of
            the training. Default False.
    Returns:
        None. The signature "serving_default" takes `text`, string (B,), and
        gives a dict of `label`, string (B,), the likeliest class, and
        `probabilities`, float (B, C).
    Raises:
        ValueError: if the backend is PyTorch, `model` is not built, its
            vocabulary is not the tokenizer's, or `labels` are not C names.
    """
    check_backend()
    checks.built(model)
    check_source(model, "tokenizer", tokenizer)
    labels = check_labels(labels)
    import tensorflow as tf

    def odds(ids):
        logits = ops.cast(model(ids, training=False), "float32")
        check_labels(labels, logits.shape[1:])
        return ops.softmax(logits, axis=-1)

    ids_spec = tf.TensorSpec([None, None], tf.int32, name="ids")
    classify = in_tensorflow(model, odds, ids_spec)

    def answer(text):
        p = classify(tokenizer.tokenize(text, start=start, end=end))
        label = tf.gather(tf.constant(labels), tf.argmax(p, axis=-1))
        return {"label": label, "probabilities": p}

    write(path, answer)


def check_backend():
    backend = keras.backend.backend()
    if backend not in ("tensorflow", "jax"):
        raise ValueError(
            "The Keras backend must be tensorflow or jax, for Keras writes no "
            f"SavedModel from another. Received backend={backend!r}; save the "
            "model as .keras, and load it with KERAS_BACKEND=tensorflow."
        )


def check_source(model, name, tokenizer):
    """Refuse a tokenizer whose ids or whose padding the model misreads."""
    _check_tokenizer(name, tokenizer)
    if getattr(model, "pad_id", tokenizer.pad_id) != tokenizer.pad_id:
        raise ValueError(
            f"`model` must know padding by the `pad_id` of `{name}`, or short "
            "texts of a batch would be read with their padding. Received "
            f"pad_id={model.pad_id}, and {tokenizer.pad_id} there."
        )
    size = vocabulary_size(model, "source_vocabulary_size")
    if size is not None and tokenizer.vocabulary_size() > size:
        raise ValueError(
            f"`{name}` must give no id that the model does not know. Received "
            f"{tokenizer.vocabulary_size()} ids, and a model of {size}."
        )


def _check_target(model, tokenizer):
    """Refuse a tokenizer that cannot write all that the model may say."""
    _check_tokenizer("target_tokenizer", tokenizer)
    size = vocabulary_size(model, "target_vocabulary_size")
    if size is not None and tokenizer.vocabulary_size() < size:
        raise ValueError(
            "`target_tokenizer` must know every id that the model may say. "
            f"Received {tokenizer.vocabulary_size()} ids and a model of {size}."
        )


def check_labels(labels, shape=None):
    """Give the names of the classes as a list; refuse what is none."""
    labels = checks.strings(labels=labels)
    if shape is not None and tuple(shape) != (len(labels),):
        raise ValueError(
            "`labels` must be one for each class of the model. Received "
            f"{len(labels)} labels, logits of shape {(None, *shape)}."
        )
    if len(set(labels)) < len(labels):
        raise ValueError(
            f"`labels` must be names, no two alike. Received {labels!r}."
        )
    return labels


def _check_tokenizer(name, tokenizer):
    if not isinstance(tokenizer, Tokenizer):
        raise ValueError(
            f"`{name}` must be a Tokenizer. Received {name}={tokenizer!r}."
        )


def in_tensorflow(model, function, *signature):
    """Make a TensorFlow function of one in `keras.ops`, on either backend."""
    archive = keras.export.ExportArchive()
    archive.track(model)
    return archive.add_endpoint("core", function, list(signature))


def _portable_ops():
    """Keep what is traced within this context to ops that TensorFlow reads.

    `ops.top_k` of JAX 0.10 is an op newer than what TensorFlow 2.21 can load
    ("unregistered operation 'vhlo.composite_v2'").
    """
    if keras.backend.backend() != "jax":
        return contextlib.nullcontext()
    return mock.patch.object(ops, "top_k", _top_k)


def _top_k(x, k, sorted=True):
    """Do as `ops.top_k`: k times the largest, or where k is large, sort."""
    if k > 8:
        places = ops.argsort(-x, axis=-1)[..., :k]
        return ops.take_along_axis(x, places, axis=-1), places
    left, places = ops.maximum(x, -3e38), []  # -inf is what has been taken
    for _ in range(k):
        place = ops.argmax(left, axis=-1)[..., None]
        taken = ops.arange(x.shape[-1]) == place
        left = ops.where(taken, -float("inf"), left)
        places.append(place)
    places = ops.concatenate(places, axis=-1)
    return ops.take_along_axis(x, places, axis=-1), places


def _noise(sampler, shape):
    """Draw what `sampler.noise` would draw, in TensorFlow's graph."""
    import tensorflow as tf

    if not isinstance(sampler, Sampling):
        return tf.zeros(shape)
    if sampler.seed is not None:
        seed = sampler.seed % (2**31 - 2)  # as Keras folds it
        return tf.random.stateless_uniform(shape, [seed, 0])
    # tf.random.uniform would keep the seed that is set while exporting, and
    # every server would begin with the same draws.
    return tf.raw_ops.RandomUniform(shape=shape, dtype=tf.float32)


def write(path, answer, names=("text",)):
    """Save a function of strings, each (B,), to a dict of (B, ...)."""
    import_tensorflow_text()
    import tensorflow as tf

    def serve(*texts):
        rows = tf.shape(texts[0])[0]
        missing = tf.maximum(0, 1 - rows)  # no loop runs on no row
        padded = [
            tf.pad(text, [[0, missing]], constant_values="") for text in texts
        ]
        answers = answer(*padded)
        return {name: value[:rows] for name, value in answers.items()}

    signature = [tf.TensorSpec([None], tf.string, name=n) for n in names]
    served = tf.function(serve, input_signature=signature, autograph=False)
    served.get_concrete_function()  # the archive wants it traced
    archive = keras.export.ExportArchive()
    archive.add_endpoint(ENDPOINT, served)
    # JAX has no gradient of a loop of unknown length, and none is needed.
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    archive.write_out(str(path), options=options, verbose=False)
