"""Patches: an image as a sequence of square patches.

The cost of attention grows with the square of the length, so one token for
each pixel would be too expensive. The image is cut into square patches, row by
row, and each patch is one vector. Nothing is lost: the patches can be joined to
the image again. Patch dropout keeps a random part of the patches in training,
so each step costs less.

Shapes: B batch, H height, W width, C channels, N patches, P number of values
    in a patch, T tokens (N, and those in front), D width of a token.
Paper: Dosovitskiy et al. (2021), arXiv:2010.11929, section 3.1; patch dropout:
    Liu et al. (2022), arXiv:2208.07220, section 3.
Differs from the paper: the patches that are kept are in random order, which
    has no effect: their positions are added before.
"""

import math

import keras
from keras import ops

from keras_seq import checks
from keras_seq.layers.position_encoding import (
    POSITION_ENCODINGS,
    sinusoidal_positions_2d,
)
from keras_seq.layers.trainable import propagate_trainable


@keras.saving.register_keras_serializable("keras_seq")
class Patches(keras.layers.Layer):
    """Cut images into patches, row by row, each flattened to a vector.

    The values of a patch are in the order height, width, channel. So a
    convolution with a kernel (height, width, C, D) and equal strides is the
    product with the same kernel reshaped to (P, D).

    Args:
        patch_size: int > 0, or two: height and width of a patch in pixels.
    Call arguments:
        images: float or int (B, H, W, C).
    Returns:
        float (B, N, P).
    Raises:
        ValueError: if `patch_size` is invalid or does not divide the images.
    Example:
        >>> layer = Patches((2, 3))
        >>> patches = layer(np.ones((5, 4, 6, 3)))
        >>> tuple(patches.shape)
        (5, 4, 18)
        >>> tuple(layer.join(patches, (4, 6)).shape)
        (5, 4, 6, 3)
    """

    def __init__(self, patch_size, **kwargs):
        super().__init__(**kwargs)
        self.patch_size = checks.size(patch_size=patch_size)

    def grid(self, image_size):
        """Compute the grid of patches.

        Args:
            image_size: height and width, int > 0 or None if unknown.
        Returns:
            number of rows and columns, int or None if unknown.
        Raises:
            ValueError: if `patch_size` does not divide `image_size`.
        """
        for size, side in zip(image_size, self.patch_size):
            if size is not None and size % side:
                raise ValueError(
                    "`patch_size` must divide the images, height and width. "
                    f"Received patch_size={self.patch_size}, images of "
                    f"{tuple(image_size)}."
                )
        return tuple(
            size and size // side
            for size, side in zip(image_size, self.patch_size)
        )

    def compute_output_shape(self, input_shape):
        if len(input_shape) != 4:
            raise ValueError(
                "`images` must be (B, H, W, C), with C = 1 for gray images. "
                f"Received images of shape {tuple(input_shape)}."
            )
        B, *image_size, C = input_shape
        grid, (h, w) = self.grid(image_size), self.patch_size
        return B, None if None in grid else math.prod(grid), C and h * w * C

    def call(self, images):
        self.compute_output_shape(tuple(images.shape))
        images = ops.cast(images, self.compute_dtype)  # such as uint8
        B, H, W, C = ops.shape(images)
        h, w = self.patch_size
        x = ops.reshape(images, (B, H // h, h, W // w, w, C))
        x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
        return ops.reshape(x, (B, (H // h) * (W // w), h * w * C))

    def join(self, patches, image_size):
        """Join patches to images again.

        Args:
            patches: float (B, N, P).
            image_size: int > 0, or two: H and W.
        Returns:
            float (B, H, W, C).
        Raises:
            ValueError: if the shape of `patches` does not fit `image_size`.
        """
        H, W = checks.size(image_size=image_size)
        (rows, columns), (h, w) = self.grid((H, W)), self.patch_size
        x = ops.convert_to_tensor(patches)
        count = rows * columns
        C, rest = divmod(x.shape[-1], h * w) if len(x.shape) == 3 else (0, 0)
        if not C or rest or x.shape[1] != count:
            raise ValueError(
                f"`patches` must be (B, {count}, {h * w} C), of images of "
                f"{(H, W)}. Received patches of shape {tuple(x.shape)}."
            )
        x = ops.reshape(x, (-1, rows, columns, h, w, C))
        x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
        return ops.reshape(x, (-1, H, W, C))

    def get_config(self):
        return {**super().get_config(), "patch_size": self.patch_size}


@keras.saving.register_keras_serializable("keras_seq")
class PatchDropout(keras.layers.Layer):
    """Drop a random part of the patches of each image in training.

    Args:
        rate: float in [0, 1), fraction of the patches dropped, rounded down.
        spared: int >= 0, number of tokens in front kept. Default 0.
        seed: optional int, seed of the draws. Default: random.
    Call arguments:
        x: float (B, T, D), tokens with their positional encoding added.
    Returns:
        float (B, T', D), in random order, with T' = T - floor(rate (T -
        spared)), in training; else x.
    Raises:
        ValueError: if an argument is outside its range, or, in training, `x`
            has no patches or an unknown number of them.
    Example:
        >>> layer = PatchDropout(0.5, spared=1)
        >>> tuple(layer(np.ones((2, 9, 3)), training=True).shape)
        (2, 5, 3)
    """

    def __init__(self, rate, spared=0, seed=None, **kwargs):
        super().__init__(**kwargs)
        checks.fraction(rate=rate)
        checks.not_negative_int(spared=spared)
        if seed is not None:
            checks.not_negative_int(seed=seed)
        self.rate, self.spared, self.seed = rate, spared, seed
        if rate:
            self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, x, training=False):
        if not training or not self.rate:
            return x
        T = x.shape[1] if len(x.shape) == 3 else None
        if T is None or self.spared >= T:
            raise ValueError(
                f"`x` must be (B, T, D) with a known T > {self.spared}. "
                f"Received x of shape {tuple(x.shape)}."
            )
        B, N = ops.shape(x)[0], T - self.spared
        noise = keras.random.uniform((B, N), seed=self.seed_generator)
        left_out = math.floor(self.rate * N + 1e-9)  # 0.29 of 100: 29
        left_out = min(left_out, N - 1)
        kept = ops.argsort(noise)[:, left_out:, None] + self.spared
        patches = ops.take_along_axis(x, kept, axis=1)
        return ops.concatenate([x[:, : self.spared], patches], axis=1)

    def get_config(self):
        own = {"rate": self.rate, "spared": self.spared, "seed": self.seed}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable("keras_seq")
class PatchEmbedding(keras.layers.Layer):
    """Embed the patches of images, with a class token and positions.

    Args:
        hidden_dim: int > 0, width D of the token vectors.
        patch_size: int > 0, or two: height and width of a patch.
        image_size: int > 0, or two: height and width of the images.
        channels: int > 0, C. Default 3.
        class_token: bool, put a learned vector in front. Default True.
        position_encoding: "learned", "sinusoidal" (in two dimensions, none
            for the class token), or "none". Default "learned".
    Call arguments:
        images: float or int (B, H, W, C).
    Returns:
        float (B, T, D): T = N, or N + 1 with a class token.
    Raises:
        ValueError: if an argument is outside its range, the images have
            another size, or `hidden_dim` is not a multiple of 4 for
            "sinusoidal".
    Example:
        >>> embedding = PatchEmbedding(8, patch_size=2, image_size=6)
        >>> tuple(embedding(ops.ones((1, 6, 6, 3))).shape)
        (1, 10, 8)
    """

    def __init__(
        self,
        hidden_dim,
        patch_size,
        image_size,
        *,
        channels=3,
        class_token=True,
        position_encoding="learned",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.hidden_dim, self.channels = checks.positive_int(
            hidden_dim=hidden_dim, channels=channels
        )
        _check_position_encoding(position_encoding, self.hidden_dim)
        self.position_encoding = position_encoding
        self.image_size = checks.size(image_size=image_size)
        self.patches = Patches(patch_size, dtype=self.dtype_policy)
        self.grid = self.patches.grid(self.image_size)  # rows, columns
        self.num_class_tokens = int(checks.boolean(class_token=class_token))
        self.num_tokens = math.prod(self.grid) + self.num_class_tokens
        self.dense = keras.layers.Dense(
            self.hidden_dim,
            kernel_initializer="lecun_normal",
            dtype=self.dtype_policy,
        )
        self.positions = None

    def build(self, images_shape=None):
        shape = (None, *self.image_size, self.channels)
        self.check_images(images_shape or shape)
        self.patches.build(shape)
        self.dense.build(self.patches.compute_output_shape(shape))
        if self.num_class_tokens:
            self.class_token = self.add_weight(
                name="class_token",
                shape=(self.hidden_dim,),
                initializer="zeros",
            )
        if self.position_encoding == "learned":
            self.positions = self.add_weight(
                name="positions",
                shape=(self.num_tokens, self.hidden_dim),
                initializer=keras.initializers.RandomNormal(stddev=0.02),
            )
        propagate_trainable(self)

    def call(self, images):
        self.check_images(images.shape)
        x = self.dense(self.patches(images))  # (B, N, D)
        if self.num_class_tokens:
            token = ops.cast(self.class_token, x.dtype)
            shape = (ops.shape(x)[0], 1, self.hidden_dim)
            x = ops.concatenate([ops.broadcast_to(token, shape), x], axis=1)
        if self.positions is not None:
            x = x + ops.cast(self.positions, x.dtype)
        if self.position_encoding == "sinusoidal":
            positions = sinusoidal_positions_2d(*self.grid, self.hidden_dim)
            before = ((self.num_class_tokens, 0), (0, 0))
            x = x + ops.cast(ops.pad(positions, before), x.dtype)
        return x

    def check_images(self, images_shape):
        """Raise a ValueError if images have another shape."""
        expected = (*self.image_size, self.channels)
        if tuple(images_shape)[1:] != expected:
            raise ValueError(
                f"`images` must be (B, H, W, C) with (H, W, C) = {expected}. "
                f"Received images of shape {tuple(images_shape)}."
            )

    def get_config(self):
        return {
            **super().get_config(),
            "hidden_dim": self.hidden_dim,
            "patch_size": self.patches.patch_size,
            "image_size": self.image_size,
            "channels": self.channels,
            "class_token": bool(self.num_class_tokens),
            "position_encoding": self.position_encoding,
        }


def _check_position_encoding(position_encoding, hidden_dim):
    checks.one_of(POSITION_ENCODINGS, position_encoding=position_encoding)
    if position_encoding == "sinusoidal" and hidden_dim % 4:
        raise ValueError(
            "`hidden_dim` must be a multiple of 4 for sinusoidal positions: "
            "sines and cosines, of the column and of the row. Received "
            f"hidden_dim={hidden_dim}."
        )
