"""Read and write the folder of a published model.

`config.json` holds its options by name, `model.safetensors` its tensors by
name. Each tensor is used exactly once.
"""

import json
import pathlib

import numpy as np

from keras_seq import checks

# Published name of an activation: our name.
ACTIVATIONS = {"gelu": "gelu", "gelu_new": "gelu_tanh", "relu": "relu"}


def import_safetensors():
    """Import the package that reads and writes the tensors."""
    try:
        import safetensors.numpy
    except ImportError as error:
        raise ImportError(
            "Published weights need the package safetensors: pip install "
            '"keras_seq[pretrained]".'
        ) from error
    return safetensors


TRAINING_OPTIONS = {"dropout", "attention_dropout"}  # no effect in inference


def merge_options(arguments, options):
    """Add a user's options to the constructor arguments of a folder.

    Args:
        arguments: dict, the arguments that config.json determines.
        options: dict, those of the user.
    Returns:
        dict of both.
    Raises:
        ValueError: if an option is determined by config.json.
    """
    for option in arguments.keys() & options.keys() - TRAINING_OPTIONS:
        raise ValueError(
            f"`{option}` must be left out: config.json determines it. "
            f"Received {option}={options[option]!r}."
        )
    return {**arguments, **options}


def find_file(folder, name):
    """Return the path of a file in a folder.

    Raises:
        ValueError: if it does not exist.
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
    path = find_file(folder, "config.json")
    try:
        config = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} must hold JSON: {error}.") from error
    if not isinstance(config, dict):
        raise ValueError(
            f"{path} must hold options by name. Received {config!r}."
        )
    return config


class ModelFolder:
    """The options and tensors of a folder; each tensor is taken once.

    Args:
        folder: path.
        model_type: str, the required "model_type" of `config.json`.
    Attributes:
        config: dict, the options.
        tensors: dict of NumPy arrays that were not taken yet, by name.
    Raises:
        ValueError: if a file is missing or damaged, or of another kind.
        ImportError: if the package safetensors is not installed.
    """

    def __init__(self, folder, model_type):
        self.folder = pathlib.Path(folder)
        self.config = read_config(folder)
        self.require("model_type", model_type)
        self.tensors = self._read(find_file(folder, "model.safetensors"))

    def _read(self, path):
        safetensors = import_safetensors()
        try:
            return safetensors.numpy.load_file(path)
        except (safetensors.SafetensorError, TypeError, KeyError) as error:
            raise ValueError(
                f"{path} must be a complete file of NumPy's number types: "
                f"{error!r}."
            ) from error

    def require(self, option, *allowed, default=None):
        """Return an option; raise a ValueError if it is not supported."""
        value = self.config.get(option, default)
        if value not in allowed:
            known = " or ".join(repr(choice) for choice in allowed)
            raise ValueError(
                f"`{option}` in config.json must be {known} to be supported. "
                f"Received {option}={value!r}."
            )
        return value

    def positive_int(self, option):
        """Return an option that must be an int > 0."""
        value = self.config.get(option)
        if not isinstance(value, int) or value < 1:
            raise ValueError(
                f"`{option}` in config.json must be an int > 0. Received "
                f"{option}={value!r}."
            )
        return value

    def size(self, option):
        """Return an option that must be an int > 0, or height and width."""
        value = self.config.get(option)
        try:
            return checks.size(**{option: value})
        except ValueError as error:
            raise ValueError(f"In config.json: {error}") from error

    def width_and_heads(self, option, heads):
        """Return a width, and the number of heads, which must divide it."""
        D, H = self.positive_int(option), self.positive_int(heads)
        if D % H:
            raise ValueError(
                f"`{heads}` in config.json must divide the width. Received "
                f"{heads}={H}, {option}={D}."
            )
        return D, H

    def fraction(self, option, default):
        """Return an option that must be a number in [0, 1)."""
        value = self.config.get(option, default)
        checks.fraction(**{option: value})
        return value

    def positive(self, option, default):
        """Return an option that must be a number > 0."""
        value = self.config.get(option, default)
        checks.positive(**{option: value})
        return value

    def num_labels(self):
        """Return the number of named classes; 2 if there are no names."""
        labels = self.config.get("id2label")
        if labels is not None and not isinstance(labels, dict):
            raise ValueError(
                "`id2label` in config.json must name the classes. Received "
                f"id2label={labels!r}."
            )
        return 2 if labels is None else len(labels)

    def rename_tensors(self, new_name):
        """Change the name of each tensor.

        Args:
            new_name: function of str to str, or to None for a tensor that is
                dropped.
        """
        named = {}
        for name, x in self.tensors.items():
            new = new_name(name)
            if new in named:
                raise ValueError(
                    f"`folder` must hold each tensor once. Received {new!r} "
                    f"twice, once as {name!r}."
                )
            if new is not None:
                named[new] = x
        self.tensors = named

    def take_tensor(self, name, *shape):
        """Return the tensor of this name and shape, as float32, once."""
        if name not in self.tensors:
            raise ValueError(
                f"`folder` must hold the tensor {name!r}, of shape {shape}. "
                f"Received folder={self.folder}, without it."
            )
        x = self.tensors.pop(name)
        if x.shape != shape:
            raise ValueError(
                f"Tensor {name!r} must have shape {shape}, from config.json. "
                f"Received shape {x.shape}."
            )
        if x.dtype.kind != "f" and x.dtype.name != "bfloat16":
            raise ValueError(
                f"Tensor {name!r} must hold floats. Received {x.dtype}."
            )
        return x.astype("float32")

    def check_all_taken(self):
        """Raise a ValueError if the model has no weight for a tensor."""
        if self.tensors:
            raise ValueError(
                "Every tensor must belong to a weight of the model. Received "
                f"{sorted(self.tensors)} as well."
            )


def label_maps(count, labels=None):
    """Return the names of the classes as two maps of `config.json`.

    Args:
        count: int, number of classes.
        labels: optional list of str. Default: LABEL_0 and so on.
    Returns:
        dict of `id2label` and `label2id`.
    Raises:
        ValueError: if `labels` are not `count` different names.
    """
    default = [f"LABEL_{c}" for c in range(count)]
    names = default if labels is None else checks.strings(labels=labels)
    if not len(names) == len(set(names)) == count:
        raise ValueError(
            f"`labels` must be {count} names, no two alike. Received "
            f"labels={labels!r}."
        )
    return {
        "id2label": dict(enumerate(names)),
        "label2id": {name: c for c, name in enumerate(names)},
    }


def published_config(config, size_options):
    """Return the options of `config.json` for a BERT or a ViT.

    Args:
        config: dict, `config` of the model.
        size_options: dict of the published names of sizes: our names.
    Returns:
        dict of the published options.
    """
    names = {ours: theirs for theirs, ours in ACTIVATIONS.items()}
    checks.one_of(tuple(names), activation=config["activation"])
    attention_dropout = config["attention_dropout"]
    if attention_dropout is None:
        attention_dropout = config["dropout"]
    return {
        **{theirs: config[ours] for theirs, ours in size_options.items()},
        "hidden_act": names[config["activation"]],
        "hidden_dropout_prob": config["dropout"],
        "attention_probs_dropout_prob": attention_dropout,
        "layer_norm_eps": config["layer_norm_epsilon"],
    }


def write_folder(folder, config, tensors):
    """Write the folder of a model.

    Args:
        folder: path; created if it is missing, its two files are replaced.
        config: dict, the options.
        tensors: dict of NumPy arrays by name.
    """
    safetensors, folder = import_safetensors(), pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(config, indent=2)
    (folder / "config.json").write_text(text + "\n", encoding="utf-8")
    tensors = {name: np.ascontiguousarray(x) for name, x in tensors.items()}
    # Without this entry, `transformers` does not load the tensors.
    safetensors.numpy.save_file(
        tensors, folder / "model.safetensors", metadata={"format": "pt"}
    )
