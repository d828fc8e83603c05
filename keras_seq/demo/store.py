"""Small trained models in one file each: weights in float16, and tokenizers.

    save_small(path, model, tokenizers)  ->  name.npz
    load_small(path)                     ->  model, tokenizers

A file holds the weights in the order of `model.weights`, and a JSON string with
the config of the model and of its tokenizers. Half precision halves the file;
the model computes in float32, with the rounded weights.
"""

import json
import pathlib

import keras
import numpy as np

from keras_seq import checks


def save_small(path, model, tokenizers):
    """Write a model and its tokenizers to one file.

    Args:
        path: str or Path, ending in .npz.
        model: a built `keras.Model`.
        tokenizers: dict of `keras_seq.text.Tokenizer`, by their roles.
    Raises:
        ValueError: if the model is not built or a weight exceeds float16.
    Example:
        >>> from keras_seq import demo
        >>> model, tokenizers = demo.load("dates_seq2seq")
        >>> demo.save_small("dates.npz", model, tokenizers)  # doctest: +SKIP
    """
    checks.built(model)
    weights = [keras.ops.convert_to_numpy(w) for w in model.weights]
    with np.errstate(over="ignore"):
        halves = [weight.astype("float16") for weight in weights]
    if not all(np.isfinite(half).all() for half in halves):
        raise ValueError(
            "`model` must have weights that float16 can hold, up to 65504. "
            f"Received one of {max(np.abs(w).max() for w in weights)}."
        )
    serialize = keras.saving.serialize_keras_object
    config = {
        "model": serialize(model),
        "tokenizers": {k: serialize(t) for k, t in tokenizers.items()},
    }
    named = {f"{n:03}": half for n, half in enumerate(halves)}
    text = np.frombuffer(json.dumps(config).encode(), "uint8")
    np.savez_compressed(path, config=text, **named)


def load_small(path):
    """Read a file that `save_small` wrote.

    Args:
        path: str or Path.
    Returns:
        the model, and a dict of its tokenizers.
    Raises:
        ValueError: if the file is missing or was not written by `save_small`.
    Example:
        >>> from keras_seq import demo
        >>> model, words = demo.load_small("dates.npz")  # doctest: +SKIP
    """
    if not pathlib.Path(path).is_file():
        raise ValueError(
            "`path` must be a file that `save_small` wrote. Received "
            f"path={str(path)!r}, which is no file."
        )
    with np.load(path) as file:
        if "config" not in file:
            raise ValueError(
                "`path` must be a file that `save_small` wrote. Received "
                f"path={str(path)!r}, which has no config."
            )
        config = json.loads(file["config"].tobytes())
        count = len(file.files) - 1
        weights = [file[f"{n:03}"] for n in range(count)]
    load = keras.saving.deserialize_keras_object
    model = load(config["model"])
    if not model.built:
        model.build_from_config(config["model"]["build_config"])
    model.set_weights([weight.astype("float32") for weight in weights])
    return model, {k: load(t) for k, t in config["tokenizers"].items()}
