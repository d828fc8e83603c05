"""ViT's folder: its patches are cut by a convolution, its head is a classifier.

    theirs                                          ours
    patch_embeddings.projection.weight (D, C, h, w)  embedding   (h w C, D)
    cls_token                          (1, 1, D)     token       (D,)
    position_embeddings                (1, T, D)     positions   (T, D)

Shapes: D width, C channels, h and w height and width of a patch, T tokens.
"""

from keras_seq import checks
from keras_seq.pretrained.folder import (
    ACTIVATIONS,
    Folder,
    classes,
    in_their_words,
    with_options,
    write,
)
from keras_seq.pretrained.weights import Weight, dense, looks, norm

SIZES = {  # their option: our argument
    "hidden_size": "units",
    "num_attention_heads": "num_heads",
    "num_hidden_layers": "num_layers",
    "num_channels": "channels",
    "intermediate_size": "hidden",
}
THEIRS = ("ViTForImageClassification", "ViTModel")


def load_vit(make, folder, **options):
    """Read a ViT as `transformers` writes it.

    Args:
        make: the class `ViT`.
        folder: path of a folder with config.json and model.safetensors.
        options: of `ViT`; `image_size` resizes, `num_classes` is a new head's.
    Returns:
        what `make` made, with the published weights.
    Raises:
        ValueError: if a file, a tensor, a shape or an option is not as it
            must be.
    """
    read, size = Folder(folder, "vit"), options.pop("image_size", None)
    arguments, classes = _arguments(read), _classes(read)
    arguments = with_options(arguments, options)
    read.rename(lambda name: _name(name, "num_classes" in options))
    model = make(**{"num_classes": classes, **arguments})
    _check_published(model)
    model.build()
    for weight in _weights(model):
        if "num_classes" in options and weight.name.startswith("classifier."):
            continue
        weight.assign(read.take(weight.name, *weight.shape))
    read.finish()
    if size is None:
        return model
    resized = model.resized(size)
    resized.trainable = model.trainable
    return resized


def save_vit(model, folder, labels=None):
    """Write a ViT as `transformers` does.

    Args, Raises: as `pretrained.save`.
    """
    checks.built(model)
    _check_published(model)
    head, config = model.head is not None, model.config
    named = classes(config["num_classes"] or 0, labels)
    sizes = {name: config[name] for name in ("image_size", "patch_size")}
    config = {
        "architectures": [THEIRS[0 if head else 1]],
        "model_type": "vit",
        **in_their_words(config, SIZES),
        # One number for a square, which more of their code can read.
        **{k: H if H == W else [H, W] for k, (H, W) in sizes.items()},
        "qkv_bias": True,
        **(named if head else {}),
    }
    tensors = {}
    for weight in _weights(model):
        within = head and not weight.name.startswith("classifier.")
        tensors["vit." * within + weight.name] = weight.numpy()
    write(folder, config, tensors)


def _check_published(model):
    """Refuse an option that leaves no place for what was published."""
    for option, value in (
        ("pooling", "token"),
        ("position_encoding", "learned"),
    ):
        if model.config[option] != value:
            raise ValueError(
                f"`{option}` must be {value!r}, as in what is published. "
                f"Received {option}={model.config[option]!r}."
            )


def _name(name, new_head):
    """Drop the prefix, and call None what is not asked for."""
    name = name.removeprefix("vit.")
    left_aside = ("pooler.", *["classifier."] * new_head)
    return None if name.startswith(left_aside) else name


def _arguments(read):
    """Give the arguments of a `ViT`, but for its head."""
    read.require("qkv_bias", True, default=True)
    activation = read.require("hidden_act", *ACTIVATIONS, default="gelu")
    sizes = {ours: read.number(theirs) for theirs, ours in SIZES.items()}
    read.width("hidden_size", "num_attention_heads")
    on_weights = "attention_probs_dropout_prob"
    return {
        **sizes,
        "image_size": read.size("image_size"),
        "patch_size": read.size("patch_size"),
        "dropout": read.fraction("hidden_dropout_prob", 0.0),
        "attention_dropout": read.fraction(on_weights, 0.0),
        "activation": ACTIVATIONS[activation],
        "epsilon": read.positive("layer_norm_eps", 1e-12),
    }


def _classes(read):
    """Count the classes of a head: None where there is no head."""
    kinds = [[kind] for kind in THEIRS]
    kind = read.require("architectures", *kinds, None)
    head = any(name.startswith("classifier.") for name in read.tensors)
    if kind == ["ViTModel"] or (kind is None and not head):
        return None
    return read.count_labels() or None


def _weights(model):
    """Give each `Weight` of a `ViT`."""
    D, (h, w) = model.config["units"], model.config["patch_size"]
    kernel = (D, model.config["channels"], h, w)
    at, T = "embeddings.", model.num_tokens
    patches = f"{at}patch_embeddings.projection"
    yield Weight(f"{at}cls_token", model.token, (1, 1, D))
    yield Weight(
        f"{at}position_embeddings",
        model.position_embedding.embeddings,
        (1, T, D),
    )
    yield Weight(
        f"{patches}.weight", model.embedding.kernel, kernel, (2, 3, 1, 0)
    )
    yield Weight(f"{patches}.bias", model.embedding.bias, (D,))
    for i, block in enumerate(model.blocks):
        at, attention = f"encoder.layer.{i}.", block.self_attention
        names = (f"attention.{name}" for name in ("query", "key", "value"))
        yield from looks(f"{at}attention.", names, attention, D)
        inner = block.feed_forward.intermediate_dense
        outer = block.feed_forward.output_dense
        yield from dense(f"{at}intermediate.dense", inner, inner.units, D)
        yield from dense(f"{at}output.dense", outer, D, inner.units)
        first, second = block.attention_residual, block.feed_forward_residual
        yield from norm(f"{at}layernorm_before", first.norm, D)
        yield from norm(f"{at}layernorm_after", second.norm, D)
    yield from norm("layernorm", model.norm, D)
    if model.head is not None:
        yield from dense("classifier", model.head, model.head.units, D)
