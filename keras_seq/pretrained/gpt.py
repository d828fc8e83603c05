"""Load GPT-2; query, key and value of a block are side by side in one tensor.

Its kernels are (in, out), as in Keras.

Shapes: V vocabulary, P positions, D width, L layers, H heads, F inner width.
"""

import numpy as np

from keras_seq.pretrained.folder import (
    ACTIVATIONS,
    ModelFolder,
    merge_options,
)


def load_gpt(model_class, path, pad_id=None, **options):
    """Load a GPT-2 in the format of `transformers`.

    Args:
        model_class: the class `GPT`.
        path: path of a folder with config.json and model.safetensors.
        pad_id: as in `GPT`; the published vocabulary has no padding.
        options: of `keras.Model`, such as dtype.
    Returns:
        a built `GPT` with the published weights.
    Raises:
        ValueError: if a file, a tensor, a shape or an option is not supported.
    """
    folder = ModelFolder(path, "gpt2")
    arguments = {**_gpt_arguments(folder), "pad_id": pad_id}
    model = model_class(**merge_options(arguments, options))
    model.build()
    folder.rename_tensors(_tensor_name)
    V, D = arguments["vocabulary_size"], arguments["hidden_dim"]
    P = arguments["max_sequence_length"]
    table = folder.take_tensor("wte.weight", V, D)
    model.token_embedding.embeddings.assign(table)
    table = folder.take_tensor("wpe.weight", P, D)
    model.position_embedding.embeddings.assign(table)
    for i, block in enumerate(model.blocks):
        _load_block(folder, f"h.{i}.", block, D)
    _load_norm(folder, "ln_f", model.layer_norm, D)
    folder.check_all_taken()
    return model


def _gpt_arguments(folder):
    """Return the constructor arguments of a `GPT` but `pad_id`."""
    activation = folder.require(
        "activation_function", *ACTIVATIONS, default="gelu_new"
    )
    dropout = folder.fraction("resid_pdrop", 0.1)
    for option, value in (
        ("scale_attn_weights", True),
        ("scale_attn_by_inverse_layer_idx", False),
        ("add_cross_attention", False),
        ("tie_word_embeddings", True),
        ("embd_pdrop", dropout),  # ours has one for both
    ):
        folder.require(option, value, default=value)
    D, H = folder.width_and_heads("n_embd", "n_head")
    F = 4 * D
    if folder.config.get("n_inner") is not None:
        F = folder.positive_int("n_inner")
    return {
        "vocabulary_size": folder.positive_int("vocab_size"),
        "hidden_dim": D,
        "num_heads": H,
        "num_layers": folder.positive_int("n_layer"),
        "max_sequence_length": folder.positive_int("n_positions"),
        "intermediate_dim": F,
        "dropout": dropout,
        "attention_dropout": folder.fraction("attn_pdrop", 0.1),
        "activation": ACTIVATIONS[activation],
        "layer_norm_epsilon": folder.positive("layer_norm_epsilon", 1e-5),
    }


def _tensor_name(name):
    """Remove the prefix, which some files lack; None for a buffer."""
    name = name.removeprefix("transformer.")
    buffers = (".attn.bias", ".attn.masked_bias", "lm_head.weight")
    return None if name.endswith(buffers) else name


def _load_block(folder, prefix, block, D):
    attention = block.self_attention
    H, F = attention.num_heads, block.intermediate_dense.units
    kernels = folder.take_tensor(f"{prefix}attn.c_attn.weight", D, 3 * D)
    biases = folder.take_tensor(f"{prefix}attn.c_attn.bias", 3 * D)
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
    kernel = folder.take_tensor(f"{prefix}attn.c_proj.weight", D, D)
    attention.output_dense.kernel.assign(kernel.reshape(H, -1, D))
    bias = folder.take_tensor(f"{prefix}attn.c_proj.bias", D)
    attention.output_dense.bias.assign(bias)
    for name, dense, shape in (
        ("c_fc", block.intermediate_dense, (D, F)),
        ("c_proj", block.output_dense, (F, D)),
    ):
        name = f"{prefix}mlp.{name}"
        dense.kernel.assign(folder.take_tensor(f"{name}.weight", *shape))
        dense.bias.assign(folder.take_tensor(f"{name}.bias", shape[1]))
    _load_norm(folder, f"{prefix}ln_1", block.attention_residual.norm, D)
    _load_norm(folder, f"{prefix}ln_2", block.feed_forward_residual.norm, D)


def _load_norm(folder, name, norm, D):
    norm.gamma.assign(folder.take_tensor(f"{name}.weight", D))
    norm.beta.assign(folder.take_tensor(f"{name}.bias", D))
