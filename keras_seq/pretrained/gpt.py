"""GPT-2's folder: its blocks hold query, key and value side by side.

Its kernels are (in, out), as ours are.

Shapes: V vocabulary, P positions, D width, L layers, H heads, F inner width.
"""

import numpy as np

from keras_seq.pretrained.folder import Folder, with_options


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
    dropout = read.fraction("resid_pdrop", 0.1)
    for option, value in (
        ("scale_attn_weights", True),
        ("scale_attn_by_inverse_layer_idx", False),
        ("add_cross_attention", False),
        ("tie_word_embeddings", True),
        ("embd_pdrop", dropout),  # ours has one for both
    ):
        read.require(option, value, default=value)
    V, P, L = map(read.number, ("vocab_size", "n_positions", "n_layer"))
    D, H = read.width("n_embd", "n_head")
    F = 4 * D if read.config.get("n_inner") is None else read.number("n_inner")
    arguments = {
        "vocabulary_size": V,
        "units": D,
        "num_heads": H,
        "num_layers": L,
        "max_length": P,
        "hidden": F,
        "dropout": dropout,
        "attention_dropout": read.fraction("attn_pdrop", 0.1),
        "activation": activations[activation],
        "epsilon": read.positive("layer_norm_epsilon", 1e-5),
        "pad_id": pad_id,
    }
    model = make(**with_options(arguments, options))
    model.build((None, None))
    read.rename(_gpt_name)
    model.embedding.embeddings.assign(read.take("wte.weight", V, D))
    model.position_embedding.embeddings.assign(read.take("wpe.weight", P, D))
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
    attention, network = block.self_attention, block.feed_forward
    H, F = attention.num_heads, network.intermediate_dim
    kernels = read.take(f"{at}attn.c_attn.weight", D, 3 * D)
    biases = read.take(f"{at}attn.c_attn.bias", 3 * D)
    layers = (
        attention.query_dense,
        attention.key_dense,
        attention.value_dense,
    )
    for layer, kernel, bias in zip(
        layers,
        np.split(kernels, 3, axis=1),
        np.split(biases, 3),
    ):
        layer.kernel.assign(kernel.reshape(D, H, -1))
        layer.bias.assign(bias.reshape(H, -1))
    out = read.take(f"{at}attn.c_proj.weight", D, D)
    attention.output_dense.kernel.assign(out.reshape(H, -1, D))
    bias = read.take(f"{at}attn.c_proj.bias", D)
    attention.output_dense.bias.assign(bias)
    for name, dense, shape in (
        ("c_fc", network.intermediate_dense, (D, F)),
        ("c_proj", network.output_dense, (F, D)),
    ):
        dense.kernel.assign(read.take(f"{at}mlp.{name}.weight", *shape))
        dense.bias.assign(read.take(f"{at}mlp.{name}.bias", shape[1]))
    _norm(read, f"{at}ln_1", block.attention_residual.norm, D)
    _norm(read, f"{at}ln_2", block.feed_forward_residual.norm, D)


def _norm(read, name, norm, D):
    norm.gamma.assign(read.take(f"{name}.weight", D))
    norm.beta.assign(read.take(f"{name}.bias", D))
