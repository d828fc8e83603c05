"""A folder: options by name, and arrays by name, each to be taken once.

`config.json` says what the model is, and `model.safetensors` holds its arrays.
"""

import json
import pathlib

import numpy as np

from keras_seq import checks

# Their name of an activation: ours.
ACTIVATIONS = {"gelu": "gelu", "gelu_new": "gelu_tanh", "relu": "relu"}


def import_safetensors():
    """The one door to the package that reads and writes the arrays."""
    try:
        import safetensors.numpy
    except ImportError as error:
        raise ImportError(
            "Published weights need the package safetensors: pip install "
            '"keras_seq[pretrained]".'
        ) from error
    return safetensors


FREE = {"dropout", "attention_dropout"}  # what changes no answer


def with_options(arguments, options):
    """Add options to what a folder says; refuse one that it says itself."""
    for option in arguments.keys() & options.keys() - FREE:
        raise ValueError(
            f"`{option}` must be left out: config.json says what it is. "
            f"Received {option}={options[option]!r}."
        )
    return {**arguments, **options}


def find(folder, name):
    """Find a file of a folder: its path.

    Raises:
        ValueError: if there is no such file.
    """
    path = pathlib.Path(folder, name)
    if not path.is_file():
        raise ValueError(
            f"`folder` must hold {name}. Received folder={folder}, "
            "which does not."
        )
    return path


def read_config(folder):
    """Read the options in a folder's `config.json`: a dict.

    Raises:
        ValueError: if the file is missing or damaged.
    """
    path = find(folder, "config.json")
    try:
        config = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} must hold JSON: {error}.") from error
    if not isinstance(config, dict):
        raise ValueError(
            f"{path} must hold options by name. Received {config!r}."
        )
    return config


class Folder:
    """Read a folder: its options, and its tensors, each to be taken once.

    Args:
        folder: path.
        kind: str, what `config.json` must say under "model_type".
    Raises:
        ValueError: if a file is missing or damaged, or of another kind.
        ImportError: if the package safetensors is not installed.
    """

    def __init__(self, folder, kind):
        self.folder = pathlib.Path(folder)
        self.config = read_config(folder)
        self.require("model_type", kind)
        self.tensors = self._read(find(folder, "model.safetensors"))

    def _read(self, path):
        safetensors = import_safetensors()
        try:
            return safetensors.numpy.load_file(path)
        except (safetensors.SafetensorError, TypeError, KeyError) as error:
            raise ValueError(
                f"{path} must be a whole file of numbers that NumPy knows: "
                f"{error!r}."
            ) from error

    def require(self, option, *allowed, default=None):
        """Refuse an option that our model does not have; give its value."""
        value = self.config.get(option, default)
        if value not in allowed:
            known = " or ".join(repr(choice) for choice in allowed)
            raise ValueError(
                f"`{option}` in config.json must be {known}, which is what "
                f"can be read. Received {option}={value!r}."
            )
        return value

    def number(self, option):
        """Give an option that must be an int > 0."""
        value = self.config.get(option)
        if not isinstance(value, int) or value < 1:
            raise ValueError(
                f"`{option}` in config.json must be an int > 0. Received "
                f"{option}={value!r}."
            )
        return value

    def size(self, option):
        """Give an option that must be an int > 0, or two: height and width."""
        value = self.config.get(option)
        try:
            return checks.size(**{option: value})
        except ValueError as error:
            raise ValueError(f"In config.json: {error}") from error

    def width(self, option, heads):
        """Give a width, and the number of heads, which must divide it."""
        D, H = self.number(option), self.number(heads)
        if D % H:
            raise ValueError(
                f"`{heads}` in config.json must divide the width. Received "
                f"{heads}={H}, {option}={D}."
            )
        return D, H

    def fraction(self, option, default):
        """Give an option that must be a number in [0, 1)."""
        value = self.config.get(option, default)
        checks.fraction(**{option: value})
        return value

    def positive(self, option, default):
        """Give an option that must be a number > 0."""
        value = self.config.get(option, default)
        checks.positive(**{option: value})
        return value

    def count_labels(self):
        """Count the classes that are named; where none is, there are two."""
        labels = self.config.get("id2label")
        if labels is not None and not isinstance(labels, dict):
            raise ValueError(
                "`id2label` in config.json must name the classes. Received "
                f"id2label={labels!r}."
            )
        return 2 if labels is None else len(labels)

    def rename(self, change):
        """Change the name of each tensor; drop those that `change` calls None.

        Args:
            change: function of str to str or None.
        """
        named = {}
        for name, x in self.tensors.items():
            new = change(name)
            if new in named:
                raise ValueError(
                    f"`folder` must hold each tensor once. Received {new!r} "
                    f"twice, once as {name!r}."
                )
            if new is not None:
                named[new] = x
        self.tensors = named

    def take(self, name, *shape):
        """Give the tensor of this name and shape, as float32, only once."""
        if name not in self.tensors:
            raise ValueError(
                f"`folder` must hold the tensor {name!r}, of shape {shape}. "
                f"Received folder={self.folder}, without it."
            )
        x = self.tensors.pop(name)
        if x.shape != shape:
            raise ValueError(
                f"Tensor {name!r} must have shape {shape}, as config.json "
                f"says. Received shape {x.shape}."
            )
        if x.dtype.kind != "f" and x.dtype.name != "bfloat16":
            raise ValueError(
                f"Tensor {name!r} must hold floats. Received {x.dtype}."
            )
        return x.astype("float32")

    def finish(self):
        """Refuse what was left over: the model would not be the published."""
        if self.tensors:
            raise ValueError(
                "Every tensor must have its place in the model. Received "
                f"{sorted(self.tensors)} beside those it has."
            )


def classes(count, labels=None):
    """Name the classes of a head, as a folder does; refuse other names."""
    usual = [f"LABEL_{c}" for c in range(count)]
    names = usual if labels is None else checks.strings(labels=labels)
    if not len(names) == len(set(names)) == count:
        raise ValueError(
            f"`labels` must be {count} names, no two alike. Received "
            f"labels={labels!r}."
        )
    return {
        "id2label": dict(enumerate(names)),
        "label2id": {name: c for c, name in enumerate(names)},
    }


def in_their_words(config, sizes):
    """Say in their words what a model of encoder blocks is."""
    config = checks.plain(config)
    names = {ours: theirs for theirs, ours in ACTIVATIONS.items()}
    checks.one_of(tuple(names), activation=config["activation"])
    if config["hidden"] is None:
        config["hidden"] = 4 * config["units"]
    if config["attention_dropout"] is None:
        config["attention_dropout"] = config["dropout"]
    return {
        **{theirs: config[ours] for theirs, ours in sizes.items()},
        "hidden_act": names[config["activation"]],
        "hidden_dropout_prob": config["dropout"],
        "attention_probs_dropout_prob": config["attention_dropout"],
        "layer_norm_eps": config["epsilon"],
    }


def write(folder, config, tensors):
    """Write a folder.

    Args:
        folder: path; made where there is none, its two files replaced.
        config: dict of the options.
        tensors: dict of str to NumPy arrays.
    """
    safetensors, folder = import_safetensors(), pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(config, indent=2)
    (folder / "config.json").write_text(text + "\n", encoding="utf-8")
    tensors = {name: np.ascontiguousarray(x) for name, x in tensors.items()}
    # Without this word, `transformers` does not know whose arrays they are.
    safetensors.numpy.save_file(
        tensors, folder / "model.safetensors", metadata={"format": "pt"}
    )
