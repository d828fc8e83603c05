"""Published weights: a folder as Hugging Face writes it, into our models.

A folder holds `config.json`, which says what the model is, and
`model.safetensors`, which holds named arrays and no code: nothing is unpickled.
Every tensor must be there, have its shape, and find its place; every option
that changes what is computed must be one that our model has.

    model = GPT.from_huggingface("gpt2")    # a folder on this machine

Shapes: V vocabulary, D width, H heads, K head width, F inner width.
"""

import json
import pathlib

import numpy as np

from keras_seq import checks


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
        path = self._file("config.json")
        try:
            self.config = json.loads(path.read_text("utf-8"))
        except ValueError as error:
            raise ValueError(f"{path} must hold JSON: {error}.") from error
        if not isinstance(self.config, dict):
            raise ValueError(
                f"{path} must hold options by name. Received {self.config!r}."
            )
        self.require("model_type", kind)
        self.tensors = self._read(self._file("model.safetensors"))

    def _file(self, name):
        path = self.folder / name
        if not path.is_file():
            raise ValueError(
                f"`folder` must hold {name}. Received folder={self.folder}, "
                "which does not."
            )
        return path

    def _read(self, path):
        try:
            import safetensors
            import safetensors.numpy
        except ImportError as error:
            raise ImportError(
                "Published weights need the package safetensors: pip install "
                '"keras_seq[pretrained]".'
            ) from error
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

    def real(self, option, default, least, most):
        """Give an option that must be a number in [least, most]."""
        value = self.config.get(option, default)
        checks.within(least, most, **{option: value})
        return value

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


def load_gpt(make, folder, pad_id=None, **options):
    """Read GPT-2 as `transformers` writes it.

    Args:
        make: the class `GPT`.
        folder: path of a folder with config.json and model.safetensors.
        pad_id: as in `GPT`; the published vocabulary has no padding.
        options: of `keras.Model`, such as dtype.
    Returns:
        what `make` made, with the published weights.
    Raises:
        ValueError: if a file, a tensor, a shape or an option is not as it
            must be.
    """
    read = Folder(folder, "gpt2")
    activations = {"gelu_new": "gelu_tanh", "gelu": "gelu", "relu": "relu"}
    activation = read.require(
        "activation_function", *activations, default="gelu_new"
    )
    dropout = read.real("resid_pdrop", 0.1, 0.0, 1.0)
    for option, value in (
        ("scale_attn_weights", True),
        ("scale_attn_by_inverse_layer_idx", False),
        ("add_cross_attention", False),
        ("tie_word_embeddings", True),
        ("attn_pdrop", dropout),  # ours has one for all
        ("embd_pdrop", dropout),
    ):
        read.require(option, value, default=value)
    V, P, D, L, H = map(
        read.number,
        ("vocab_size", "n_positions", "n_embd", "n_layer", "n_head"),
    )
    F = 4 * D if read.config.get("n_inner") is None else read.number("n_inner")
    if D % H:
        raise ValueError(
            "`n_head` in config.json must divide the width. Received "
            f"n_head={H}, n_embd={D}."
        )
    model = make(
        V,
        D,
        num_heads=H,
        num_layers=L,
        max_length=P,
        hidden=F,
        dropout=dropout,
        activation=activations[activation],
        epsilon=read.real("layer_norm_epsilon", 1e-5, 1e-12, 1.0),
        pad_id=pad_id,
        **options,
    )
    model.build((None, None))
    read.rename(_gpt_name)
    model.embedding.embeddings.assign(read.take("wte.weight", V, D))
    model.positions.embeddings.assign(read.take("wpe.weight", P, D))
    for i, block in enumerate(model.blocks):
        _gpt_block(read, f"h.{i}.", block, D)
    _norm(read, "ln_f", model.norm, D)
    read.finish()
    return model


def _gpt_name(name):
    """Drop the prefix, which some files lack, and what is no weight."""
    name = name.removeprefix("transformer.")
    buffers = (".attn.bias", ".attn.masked_bias", "lm_head.weight")
    return None if name.endswith(buffers) else name


def _gpt_block(read, at, block, D):
    attention, network = block.attentions[0], block.network
    H, F = attention.num_heads, network.inner.units
    kernels = read.take(f"{at}attn.c_attn.weight", D, 3 * D)
    biases = read.take(f"{at}attn.c_attn.bias", 3 * D)
    for name, kernel, bias in zip(
        ("query", "key", "value"),
        np.split(kernels, 3, axis=1),
        np.split(biases, 3),
    ):
        attention.kernels[name].assign(kernel.reshape(D, H, -1))
        attention.biases[name].assign(bias.reshape(H, -1))
    out = read.take(f"{at}attn.c_proj.weight", D, D)
    attention.kernels["output"].assign(out.reshape(H, -1, D))
    attention.biases["output"].assign(read.take(f"{at}attn.c_proj.bias", D))
    for name, dense, shape in (
        ("c_fc", network.inner, (D, F)),
        ("c_proj", network.outer, (F, D)),
    ):
        dense.kernel.assign(read.take(f"{at}mlp.{name}.weight", *shape))
        dense.bias.assign(read.take(f"{at}mlp.{name}.bias", shape[1]))
    for i, residual in enumerate(block.residuals, start=1):
        _norm(read, f"{at}ln_{i}", residual.norm, D)


def _norm(read, name, norm, D):
    norm.gamma.assign(read.take(f"{name}.weight", D))
    norm.beta.assign(read.take(f"{name}.bias", D))
