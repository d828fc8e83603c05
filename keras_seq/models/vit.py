"""Vision Transformer (ViT): an encoder-only Transformer on image patches.

The image is cut into patches, and one matrix embeds the pixels of each. The
rest is a Transformer encoder like BERT's, but pre-norm, with a class token in
front whose output is classified. A convolutional network has an inductive bias:
neighboring pixels belong together, and an object is the same object wherever it
is. ViT has almost none and must learn these two properties from many images.

    x_n    = patch_n W_e + b_e          # n = 1 ... N, row by row
    x      = dropout([x_0; x_1; ... x_N] + P[0 ... N])     # x_0: class token
    x      = [x_0; some of the others]  # patch dropout, only in training
    y      = norm(blocks(x))   # pre-norm, self-attention without a mask
    logits = y_0 W + b                  # or mean(y) W + b, without x_0

Shapes: B batch, H height or heads, W width, C channels, N patches, T tokens
    (N, or N + 1 with x_0), D width of a token.
Paper: Dosovitskiy et al. (2021), arXiv:2010.11929, eq. (1)-(4), section 3.2,
    table 1; mean and 2-D sinusoids: Beyer, Zhai & Kolesnikov (2022),
    arXiv:2205.01580; small sizes: Touvron et al. (2021), arXiv:2012.12877,
    table 1.
Differs from the paper: the head is one matrix in pretraining, too, with small
    random weights, not zeros; the kernels of the blocks have Keras's default
    initializer; dropout of the attention weights too, by default, and none
    inside the feed-forward networks.
"""

import typing

import keras
from keras import ops

from keras_seq import checks
from keras_seq.layers.layer_normalization import LayerNormalization
from keras_seq.layers.patches import PatchDropout, PatchEmbedding
from keras_seq.layers.position_encoding import interpolated_positions
from keras_seq.layers.trainable import propagate_trainable
from keras_seq.layers.transformer_encoder import TransformerEncoder
from keras_seq.models.servable_model import ServableModel


@keras.saving.register_keras_serializable("keras_seq")
class ViT(ServableModel):
    """Classify images, read as sequences of patches.

    `ViT(1000, **ViT.sizes["B/16"])` has the published size of ViT-B/16 for
    images of 224 x 224: 86,567,656 weights.

    Args:
        num_classes: optional int > 0. None: no head, the pooled vector is
            returned.
        hidden_dim: int > 0, width D of the token vectors.
        image_size: int > 0, or two: height and width. Default 224.
        patch_size: int > 0, or two, which divide it. Default 16.
        num_heads: int > 0, number of attention heads, a divisor of
            `hidden_dim`. Default 4.
        num_layers: int > 0, number of blocks. Default 4.
        channels: int > 0, C. Default 3.
        intermediate_dim: optional int > 0, inner width of the feed-forward
            networks. Default 4 D.
        dropout: float in [0, 1). Default 0.
        attention_dropout: optional float in [0, 1), dropout of the attention
            weights. Default: `dropout`.
        stochastic_depth: float in [0, 1), probability that an image skips a
            sublayer of the last block in training; it grows linearly from the
            first block. Default 0.
        patch_dropout: float in [0, 1), fraction of the patches of an image
            that is dropped in training. Default 0.
        activation: str or function, activation of the feed-forward networks.
            Default "gelu", the exact function.
        layer_norm_epsilon: float > 0. Default 1e-6.
        pooling: "token", a class token in front, or "mean", the average over
            the patches, without a class token. Default "token".
        position_encoding: "learned", "sinusoidal", in two dimensions (then
            `hidden_dim` is a multiple of 4), or "none". Default "learned".
    Call arguments:
        images: float (B, H, W, C), of `image_size`. Ints are not rescaled.
        return_attention_scores: bool, return the attention weights as well.
            Default False.
        training: bool, apply dropout. Default False.
    Returns:
        logits, float (B, num_classes), or without a head the pooled vector,
        float (B, D); or that and a list of the
        attention weights of each block, float (B, H, T, T), where T counts
        the patches that are not dropped.
    Raises:
        ValueError: if an argument is outside its range, or the images are of
            another size.
    Example:
        >>> model = ViT(10, 8, image_size=6, patch_size=3, num_layers=1)
        >>> tuple(model(ops.ones((2, 6, 6, 3))).shape)
        (2, 10)
    """

    sizes: typing.ClassVar = {
        f"{name}/{side}": {
            "hidden_dim": D,
            "num_heads": num_heads,
            "num_layers": num_layers,
            "patch_size": side,
        }
        for name, D, num_heads, num_layers, sides in (
            ("Ti", 192, 3, 12, (16,)),
            ("S", 384, 6, 12, (16,)),
            ("B", 768, 12, 12, (32, 16)),
            ("L", 1024, 16, 24, (32, 16)),
            ("H", 1280, 16, 32, (14,)),
        )
        for side in sides
    }

    def __init__(
        self,
        num_classes,
        hidden_dim,
        *,
        image_size=224,
        patch_size=16,
        num_heads=4,
        num_layers=4,
        channels=3,
        intermediate_dim=None,
        dropout=0.0,
        attention_dropout=None,
        stochastic_depth=0.0,
        patch_dropout=0.0,
        activation="gelu",
        layer_norm_epsilon=1e-6,
        pooling="token",
        position_encoding="learned",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self._create_layers(
            num_classes=num_classes,
            hidden_dim=hidden_dim,
            image_size=image_size,
            patch_size=patch_size,
            num_heads=num_heads,
            num_layers=num_layers,
            channels=channels,
            intermediate_dim=intermediate_dim,
            dropout=dropout,
            attention_dropout=attention_dropout,
            stochastic_depth=stochastic_depth,
            patch_dropout=patch_dropout,
            activation=activation,
            layer_norm_epsilon=layer_norm_epsilon,
            pooling=pooling,
            position_encoding=position_encoding,
        )

    def _create_layers(self, **config):
        self.config = config = _checked(config)
        dtype = self.dtype_policy
        self.use_class_token = config["pooling"] == "token"
        self.patch_embedding = PatchEmbedding(
            config["hidden_dim"],
            config["patch_size"],
            config["image_size"],
            channels=config["channels"],
            class_token=self.use_class_token,
            position_encoding=config["position_encoding"],
            dtype=dtype,
        )
        self.dropout = keras.layers.Dropout(config["dropout"], dtype=dtype)
        self.patch_dropout = PatchDropout(
            config["patch_dropout"], int(self.use_class_token), dtype=dtype
        )
        self.blocks = [self._block(n) for n in range(config["num_layers"])]
        self.layer_norm = LayerNormalization(
            epsilon=config["layer_norm_epsilon"], dtype=dtype
        )
        self.head = None
        if config["num_classes"] is not None:
            normal = keras.initializers.TruncatedNormal(stddev=0.02)
            self.head = keras.layers.Dense(
                config["num_classes"], kernel_initializer=normal, dtype=dtype
            )

    def _block(self, n):
        config = self.config
        depth = (n + 1) / config["num_layers"]
        return TransformerEncoder(
            config["intermediate_dim"],
            config["num_heads"],
            dropout=config["dropout"],
            attention_dropout=config["attention_dropout"],
            activation=config["activation"],
            layer_norm_epsilon=config["layer_norm_epsilon"],
            normalize_first=True,
            stochastic_depth=config["stochastic_depth"] * depth,
            dtype=self.dtype_policy,
        )

    def build(self, images_shape=None):
        self.patch_embedding.build(images_shape)
        D = self.config["hidden_dim"]
        for layer in (self.patch_dropout, *self.blocks, self.layer_norm):
            layer.build((None, None, D))
        if self.head is not None:
            self.head.build((None, D))
        propagate_trainable(self)

    def call(self, images, return_attention_scores=False, training=False):
        checks.boolean(return_attention_scores=return_attention_scores)
        x = self._embed(images, training)
        all_weights = []
        # Of the last block, only the output of the class token is read.
        class_token_only = self.use_class_token and not return_attention_scores
        for block in self.blocks:
            if class_token_only and block is self.blocks[-1]:
                x = block.encode_queries(x[:, :1], x, training=training)
            else:
                x = block(
                    x,
                    return_attention_scores=return_attention_scores,
                    training=training,
                )
            if return_attention_scores:
                x, weights = x
                all_weights.append(weights)
        x = self.layer_norm(x)
        x = x[:, 0] if self.use_class_token else ops.mean(x, axis=1)
        logits = x if self.head is None else self.head(x)
        return (logits, all_weights) if return_attention_scores else logits

    def _embed(self, images, training):
        x = self.dropout(self.patch_embedding(images), training=training)
        return self.patch_dropout(x, training=training)

    def encode(self, images, training=False):
        """Return the vectors of all tokens.

        Args:
            images: float (B, H, W, C).
            training: bool, apply dropout. Default False.
        Returns:
            float (B, T, D), with a class token its vector first.
        """
        if not self.built:
            self.build()
        x = self._embed(images, training)
        for block in self.blocks:
            x = block(x, training=training)
        return self.layer_norm(x)

    def resized(self, image_size):
        """Return the same model for images of another size.

        Learned position embeddings are interpolated by cubic convolution, as
        in `transformers`; see section 3.2 of the paper.

        Args:
            image_size: int > 0, or two: height and width.
        Returns:
            a built `ViT`, with copies of these weights, all trainable.
        Raises:
            ValueError: if `image_size` is not a size, the patches do not
                divide it, or this model is not built, or is quantized.
        """
        checks.built(self)
        config = {**self.get_config(), "image_size": image_size}
        new = type(self).from_config({**config, "trainable": True})
        new.build()
        old_grid, new_grid = self.patch_embedding.grid, new.patch_embedding.grid
        if len(self.weights) != len(new.weights):
            raise ValueError(
                "`resized` needs a model that is neither quantized nor has "
                f"LoRA weights. Received {len(self.weights)} weights, and "
                f"{len(new.weights)} in the new model."
            )
        positions = self.patch_embedding.positions
        for old, copy in zip(self.weights, new.weights, strict=True):
            dtype = "float64" if old.dtype == "float64" else "float32"
            x = ops.convert_to_numpy(ops.cast(old, dtype))
            if old is positions:
                x = interpolated_positions(x, old_grid, new_grid)
            copy.assign(x)
        return new

    def input_signature(self):
        size, channels = self.config["image_size"], self.config["channels"]
        return keras.InputSpec(shape=(None, *size, channels), dtype="float32")

    def get_config(self):
        return {**super().get_config(), **self.config}


def _checked(config):
    config = checks.transformer_config(**config)
    if config["num_classes"] is not None:
        checks.positive_int(num_classes=config["num_classes"])
    checks.fraction(
        stochastic_depth=config["stochastic_depth"],
        patch_dropout=config["patch_dropout"],
    )
    checks.one_of(("token", "mean"), pooling=config["pooling"])
    for name in ("image_size", "patch_size"):
        config[name] = checks.size(**{name: config[name]})
    return config
