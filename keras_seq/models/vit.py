"""ViT: a Transformer that reads an image as a row of patches.

Take every patch of an image for a word: one matrix makes a vector of its
pixels, and the rest is BERT, with a token in front that gathers what the
answer needs. What a convolution knows beforehand, that neighbours belong
together and that a thing is the same thing wherever it stands, this model
must learn, from many images.

    x_n    = patch_n W_e + b_e          # n = 1 ... N, row by row
    x      = dropout([x_0; x_1; ... x_N] + P[0 ... N])     # x_0: learned
    x      = [x_0; some of the others]  # in training, if it is asked for
    x      = norm(blocks(x))            # pre-norm, looks everywhere
    logits = x_0 W + b                  # or mean(x) W + b, and no x_0

Shapes: B batch, H height (of weights: heads), W width, C channels, N patches,
    T tokens (N, or N + 1 with x_0), D width of a token.
Paper: Dosovitskiy et al. (2021), arXiv:2010.11929, eq. (1)-(4), section 3.2,
    table 1; mean and waves: Beyer, Zhai & Kolesnikov (2022), arXiv:2205.01580;
    small sizes: Touvron et al. (2021), arXiv:2012.12877, table 1.
Differs from the paper: the head is one matrix in pretraining, too, and begins
    small, not at 0; blocks' kernels begin as Keras draws them; dropout of the
    attention weights too, by default, and none inside the small network.
"""

import math
import typing

import keras
from keras import ops

from keras_seq import checks
from keras_seq.layers.layer_normalization import LayerNormalization
from keras_seq.layers.patches import PatchDropout, Patches
from keras_seq.layers.position_encoding import (
    POSITION_ENCODINGS,
    PositionEmbedding,
    interpolated_positions,
    sinusoidal_positions_2d,
)
from keras_seq.layers.trainable import propagate_trainable
from keras_seq.layers.transformer_encoder import (
    TransformerEncoder,
    check_heads,
)

POOLINGS = ("token", "mean")


@keras.saving.register_keras_serializable("keras_seq")
class ViT(keras.Model):
    """Classify images, read as rows of patches.

    `ViT(1000, **ViT.sizes["B/16"])` has the size published as ViT-B/16 for
    images of 224 x 224: 86,567,656 weights.

    Args:
        num_classes: optional int > 0; None for no head: what is pooled comes
            out.
        units: int > 0, width D of every layer.
        image_size: int > 0, or two: height and width. Default 224.
        patch_size: int > 0, or two, which divide them. Default 16.
        num_heads: int > 0, H, a divisor of `units`. Default 4.
        num_layers: int > 0. Default 4.
        channels: int > 0, C. Default 3.
        hidden: optional int > 0, inner width of the blocks. Default 4 D.
        dropout: float in [0, 1). Default 0.
        attention_dropout: optional float in [0, 1), of the attention weights.
            Default: `dropout`.
        stochastic_depth: float in [0, 1), how often an image skips a function
            of the last block in training; less below, in equal steps. Default
            0.
        patch_dropout: float in [0, 1), the share of the patches of an image
            that is not read in training. Default 0.
        activation: of the blocks. Default "gelu", the exact one, by erf.
        epsilon: float > 0, of the norms. Default 1e-6.
        pooling: "token", one in front that is learned, or "mean", of the
            patches, without one. Default "token".
        position_encoding: "learned", "sinusoidal", waves in both directions
            (`units` a multiple of 4), or "none". Default "learned".
    Call arguments:
        images: float (B, H, W, C), of `image_size`.
        return_attention_scores: bool, give the weights as well.
    Returns:
        logits, float (B, num_classes); or logits and a list of the weights of
        each layer, float (B, H, T, T), T less what is not read.
    Raises:
        ValueError: if an argument is outside its range, or the images are of
            another size.
    """

    sizes: typing.ClassVar = {
        f"{name}/{side}": {
            "units": units,
            "num_heads": num_heads,
            "num_layers": num_layers,
            "patch_size": side,
        }
        for name, units, num_heads, num_layers, sides in (
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
        units,
        *,
        image_size=224,
        patch_size=16,
        num_heads=4,
        num_layers=4,
        channels=3,
        hidden=None,
        dropout=0.0,
        attention_dropout=None,
        stochastic_depth=0.0,
        patch_dropout=0.0,
        activation="gelu",
        epsilon=1e-6,
        pooling="token",
        position_encoding="learned",
        **kwargs,
    ):
        super().__init__(**kwargs)
        units, num_layers, channels = checks.positive_int(
            units=units, num_layers=num_layers, channels=channels
        )
        if num_classes is not None:
            num_classes = checks.positive_int(num_classes=num_classes)
        checks.fraction(
            dropout=dropout,
            stochastic_depth=stochastic_depth,
            patch_dropout=patch_dropout,
        )
        checks.one_of(POOLINGS, pooling=pooling)
        checks.one_of(POSITION_ENCODINGS, position_encoding=position_encoding)
        image_size = checks.size(image_size=image_size)
        policy = {"dtype": self.dtype_policy}
        self.patches = Patches(patch_size, **policy)
        self.grid = self.patches.grid(image_size)
        hidden = checks.positive_int(
            hidden=4 * units if hidden is None else hidden
        )
        check_heads(units, num_heads)
        block = {
            "num_heads": num_heads,
            "hidden": hidden,
            "dropout": dropout,
            "attention_dropout": attention_dropout,
            "activation": activation,
            "epsilon": epsilon,
        }
        self.config = {
            "num_classes": num_classes,
            "units": units,
            "image_size": image_size,
            "patch_size": self.patches.patch_size,
            "num_layers": num_layers,
            "channels": channels,
            "stochastic_depth": stochastic_depth,
            "patch_dropout": patch_dropout,
            "pooling": pooling,
            "position_encoding": position_encoding,
            **block,
        }
        self.embedding = keras.layers.Dense(
            units, kernel_initializer="lecun_normal", **policy
        )
        self.position_embedding = None
        if position_encoding == "sinusoidal":
            sinusoidal_positions_2d(*self.grid, units)  # checks the width
        elif position_encoding == "learned":
            self.position_embedding = PositionEmbedding(
                self.num_tokens,
                keras.initializers.RandomNormal(stddev=0.02),
                **policy,
            )
        self.dropout = keras.layers.Dropout(dropout, **policy)
        self.patch_dropout = PatchDropout(
            patch_dropout, int(pooling == "token"), **policy
        )
        self.blocks = [
            TransformerEncoder(
                hidden,
                num_heads,
                dropout,
                activation,
                epsilon,
                normalize_first=True,
                attention_dropout=attention_dropout,
                stochastic_depth=stochastic_depth * layer / num_layers,
                **policy,
            )
            for layer in range(1, num_layers + 1)
        ]
        self.norm = LayerNormalization(epsilon=epsilon, **policy)
        self.head = None
        if num_classes is not None:
            small = keras.initializers.TruncatedNormal(stddev=0.02)
            self.head = keras.layers.Dense(
                num_classes, kernel_initializer=small, **policy
            )

    @property
    def num_tokens(self):
        """T, the patches and the token in front of them, where one is."""
        return math.prod(self.grid) + (self.config["pooling"] == "token")

    def build(self, images_shape=None):
        D, size = self.config["units"], self.config["image_size"]
        wanted = (None, *size, self.config["channels"])
        self._check_images(images_shape or wanted)
        self.embedding.build(self.patches.compute_output_shape(wanted))
        if self.config["pooling"] == "token":
            self.token = self.add_weight(
                name="token", shape=(D,), initializer="zeros"
            )
        if self.position_embedding is not None:
            self.position_embedding.build((None, None, D))
        for layer in (*self.blocks, self.norm):
            layer.build((None, None, D))
        if self.head is not None:
            self.head.build((None, D))
        propagate_trainable(self)

    def call(self, images, training=False, return_attention_scores=False):
        token = self.config["pooling"] == "token"
        # Of the last block, the token is all that is read.
        few = 1 if token and not return_attention_scores else None
        x = self.encode(images, training, few, return_attention_scores)
        x, weights = x if return_attention_scores else (x, None)
        x = x[:, 0] if token else ops.mean(x, axis=1)
        logits = x if self.head is None else self.head(x)
        return (logits, weights) if return_attention_scores else logits

    def encode(
        self,
        images,
        training=False,
        few=None,
        return_attention_scores=False,
    ):
        """Give each token's vector, float (B, T, D), and, if asked, weights.

        With `few`, only that many tokens, the first, go through the last block.
        """
        self._check_images(images.shape)
        x = self.embedding(self.patches(images))
        if self.config["pooling"] == "token":
            token = ops.cast(self.token, x.dtype)
            token = ops.broadcast_to(token, (ops.shape(x)[0], 1, x.shape[-1]))
            x = ops.concatenate([token, x], axis=1)
        x = self.dropout(self._place(x), training=training)
        x = self.patch_dropout(x, training=training)
        all_weights = []
        for block in self.blocks:
            options = {
                "return_attention_scores": return_attention_scores,
                "training": training,
            }
            if few and block is self.blocks[-1]:
                x = block.encode_queries(x[:, :few], x, **options)
            else:
                x = block(x, **options)
            if return_attention_scores:
                x, weights = x
                all_weights.append(weights)
        x = self.norm(x)
        return (x, all_weights) if return_attention_scores else x

    def _check_images(self, shape):
        wanted = (*self.config["image_size"], self.config["channels"])
        if tuple(shape)[1:] != wanted:
            raise ValueError(
                f"`images` must be (B, H, W, C) with (H, W, C) = {wanted}. "
                f"Received images of shape {tuple(shape)}."
            )

    def _place(self, x):
        if self.position_embedding is not None:
            return x + self.position_embedding(x)
        if self.config["position_encoding"] == "none":
            return x
        waves = sinusoidal_positions_2d(*self.grid, self.config["units"])
        # A token is at no place. (No len() of what a graph computes.)
        before = self.num_tokens - math.prod(self.grid)
        return x + ops.cast(ops.pad(waves, ((before, 0), (0, 0))), x.dtype)

    def resized(self, image_size):
        """Make the same model for images of another size.

        What was learned for each place is interpolated by cubic convolution,
        as in `transformers`; see section 3.2 of the paper.

        Args:
            image_size: int > 0, or two: height and width.
        Returns:
            a built `ViT`, with copies of these weights, all to be trained.
        Raises:
            ValueError: if `image_size` is none, the patches do not divide it,
                or this model is not built.
        """
        checks.built(self)
        changed = {"image_size": image_size, "trainable": True}
        config = {**self.get_config(), **changed}
        new = type(self).from_config(config)
        new.build()
        learned = getattr(self.position_embedding, "embeddings", None)
        for old, copy in zip(self.weights, new.weights, strict=True):
            wide = "float64" if old.dtype == "float64" else "float32"
            x = ops.convert_to_numpy(ops.cast(old, wide))
            if old is learned:
                x = interpolated_positions(x, self.grid, new.grid)
            copy.assign(x)
        return new

    def get_config(self):
        return {**super().get_config(), **checks.plain(self.config)}
