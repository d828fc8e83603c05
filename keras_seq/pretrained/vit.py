"""Load and save ViT; its patches are embedded by a convolution.

    published                                        ours
    patch_embeddings.projection.weight (D, C, h, w)  dense              (hwC, D)
    cls_token                          (1, 1, D)     class_token        (D,)
    position_embeddings                (1, T, D)     positions (T, D)

Shapes: D width, C channels, h and w height and width of a patch, T tokens.
"""

from keras_seq import checks
from keras_seq.pretrained.folder import (
    ACTIVATIONS,
    ModelFolder,
    label_maps,
    merge_options,
    published_config,
    write_folder,
)
from keras_seq.pretrained.weights import (
    Weight,
    attention_weights,
    dense_weights,
    feed_forward_weights,
    norm_weights,
)

SIZE_OPTIONS = {  # option of config.json: argument of `ViT`
    "hidden_size": "hidden_dim",
    "num_attention_heads": "num_heads",
    "num_hidden_layers": "num_layers",
    "num_channels": "channels",
    "intermediate_size": "intermediate_dim",
}
WITH_HEAD, WITHOUT_HEAD = "ViTForImageClassification", "ViTModel"


def load_vit(model_class, path, **options):
    """Load a ViT in the format of `transformers`.

    Args:
        model_class: the class `ViT`.
        path: path of a folder with config.json and model.safetensors.
        options: of `ViT`; `image_size` resizes it, `num_classes` makes a new
            head.
    Returns:
        a built `ViT` with the published weights.
    Raises:
        ValueError: if a file, a tensor, a shape or an option is not supported.
    """
    folder, image_size = (
        ModelFolder(path, "vit"),
        options.pop("image_size", None),
    )
    arguments, num_classes = _vit_arguments(folder), _num_classes(folder)
    arguments = merge_options(arguments, options)
    new_head = "num_classes" in options
    folder.rename_tensors(lambda name: _tensor_name(name, new_head))
    model = model_class(**{"num_classes": num_classes, **arguments})
    _check_published(model)
    model.build()
    for weight in _vit_weights(model):
        if new_head and weight.name.startswith("classifier."):
            continue
        weight.assign(folder.take_tensor(weight.name, *weight.shape))
    folder.check_all_taken()
    if image_size is None:
        return model
    resized = model.resized(image_size)
    resized.trainable = model.trainable
    return resized


def save_vit(model, path, labels=None):
    """Save a ViT in the format of `transformers`.

    Args:
        model: a built `ViT`.
        path: path of a folder.
        labels: optional list of str, names of the classes.
    Raises:
        ValueError: as `pretrained.save`.
    """
    checks.built(model)
    _check_published(model)
    head, config = model.head is not None, model.config
    maps = label_maps(config["num_classes"] or 0, labels)
    sizes = {name: config[name] for name in ("image_size", "patch_size")}
    config = {
        "architectures": [WITH_HEAD if head else WITHOUT_HEAD],
        "model_type": "vit",
        **published_config(config, SIZE_OPTIONS),
        # One number for a square, which more of their code can read.
        **{k: H if H == W else [H, W] for k, (H, W) in sizes.items()},
        "qkv_bias": True,
        **(maps if head else {}),
    }
    tensors = {}
    for weight in _vit_weights(model):
        of_encoder = head and not weight.name.startswith("classifier.")
        tensors["vit." * of_encoder + weight.name] = weight.numpy()
    write_folder(path, config, tensors)


def _check_published(model):
    """Raise if the published format has no place for an option."""
    for option, value in (
        ("pooling", "token"),
        ("position_encoding", "learned"),
    ):
        if model.config[option] != value:
            raise ValueError(
                f"`{option}` must be {value!r}, as in published models. "
                f"Received {option}={model.config[option]!r}."
            )


def _tensor_name(name, new_head):
    """Remove the prefix of a name; None for a tensor that is not used."""
    name = name.removeprefix("vit.")
    unused = ("pooler.", "classifier.") if new_head else ("pooler.",)
    return None if name.startswith(unused) else name


def _vit_arguments(folder):
    """Return the constructor arguments of a `ViT` but `num_classes`."""
    folder.require("qkv_bias", True, default=True)
    activation = folder.require("hidden_act", *ACTIVATIONS, default="gelu")
    sizes = {
        ours: folder.positive_int(theirs)
        for theirs, ours in SIZE_OPTIONS.items()
    }
    folder.width_and_heads("hidden_size", "num_attention_heads")
    option = "attention_probs_dropout_prob"
    return {
        **sizes,
        "image_size": folder.size("image_size"),
        "patch_size": folder.size("patch_size"),
        "dropout": folder.fraction("hidden_dropout_prob", 0.0),
        "attention_dropout": folder.fraction(option, 0.0),
        "activation": ACTIVATIONS[activation],
        "layer_norm_epsilon": folder.positive("layer_norm_eps", 1e-12),
    }


def _num_classes(folder):
    """Return the number of classes, or None if there is no head."""
    architecture = folder.require(
        "architectures", [WITH_HEAD], [WITHOUT_HEAD], None
    )
    head = any(name.startswith("classifier.") for name in folder.tensors)
    if architecture == [WITHOUT_HEAD] or (architecture is None and not head):
        return None
    return folder.num_labels() or None


def _vit_weights(model):
    """Yield each `Weight` of a `ViT`."""
    D, (h, w) = model.config["hidden_dim"], model.config["patch_size"]
    ours, prefix = model.patch_embedding, "embeddings."
    yield Weight(f"{prefix}cls_token", ours.class_token, (1, 1, D))
    yield Weight(
        f"{prefix}position_embeddings",
        ours.positions,
        (1, ours.num_tokens, D),
    )
    name = f"{prefix}patch_embeddings.projection"
    shape = (D, model.config["channels"], h, w)
    yield Weight(f"{name}.weight", ours.dense.kernel, shape, (2, 3, 1, 0))
    yield Weight(f"{name}.bias", ours.dense.bias, (D,))
    for i, block in enumerate(model.blocks):
        yield from _block_weights(f"encoder.layer.{i}.", block, D)
    yield from norm_weights("layernorm", model.layer_norm, D)
    if model.head is not None:
        units = model.head.units
        yield from dense_weights("classifier", model.head, units, D)


def _block_weights(prefix, block, D):
    """Yield each `Weight` of a block of ViT."""
    names = (f"attention.{name}" for name in ("query", "key", "value"))
    yield from attention_weights(
        f"{prefix}attention.", names, block.self_attention, D
    )
    yield from feed_forward_weights(prefix, block, D)
    first, second = block.attention_residual, block.feed_forward_residual
    yield from norm_weights(f"{prefix}layernorm_before", first.norm, D)
    yield from norm_weights(f"{prefix}layernorm_after", second.norm, D)
