"""ResNet: a residual network of convolutions, the baseline of ViT.

A convolution reads 3 x 3 pixels and has the same weights everywhere. This is
its inductive bias: neighboring pixels belong together, and an object is the
same object wherever it is. A deep plain stack is hard to train (degradation),
so every two convolutions have a residual connection around them. Where height
and width are halved, the number of filters doubles.

    f(x) = norm(conv_2(relu(norm(conv_1(x)))))  # 3 x 3; batch norm
    x    <- relu(x + f(x))                  # a block
    x    <- relu([x'; 0] + f(x))            # strides 2: x' is x at every
                                            # second row and column
    logits = mean(x) W + b                  # over the pixels

Shapes: B batch, H height, W width, C channels, F filters.
Paper: He et al. (2016), arXiv:1512.03385, eq. (1), section 4.2, tables 1 and 6;
    batch norm: Ioffe & Szegedy (2015), arXiv:1502.03167.
Differs from the paper: weight decay is left to the optimizer.
"""

import typing

import keras
from keras import ops

from keras_seq import checks
from keras_seq.layers.trainable import propagate_trainable
from keras_seq.models.servable_model import ServableModel


class ConvBatchNorm(keras.layers.Layer):
    """Apply a 3 x 3 convolution, then batch normalization.

    Args:
        filters: int > 0, F.
        strides: int > 0. Default 1.
    Call arguments:
        x: float (B, H, W, C).
        training: bool, normalize by the batch's statistics. Default False.
    Returns:
        float (B, ceil(H / strides), ceil(W / strides), F).
    """

    def __init__(self, filters, strides=1, **kwargs):
        super().__init__(**kwargs)
        self.filters, self.strides = filters, strides
        self.conv = keras.layers.Conv2D(
            filters,
            3,
            strides=strides,
            # With strides 2, "same" would start at another pixel.
            padding="same" if strides == 1 else "valid",
            use_bias=False,  # the normalization has one
            kernel_initializer="he_normal",
            data_format="channels_last",
            dtype=self.dtype_policy,
        )
        self.batch_norm = keras.layers.BatchNormalization(
            momentum=0.9, epsilon=1e-5, dtype=self.dtype_policy
        )

    def build(self, x_shape):
        self.conv.build(x_shape)
        self.batch_norm.build((*x_shape[:-1], self.filters))

    def call(self, x, training=False):
        if self.strides > 1:
            x = ops.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
        return self.batch_norm(self.conv(x), training=training)


class ResidualBlock(keras.layers.Layer):
    """Apply two convolutions with a residual connection.

    Args:
        filters: int > 0, F, at least C.
        strides: int > 0, of the first convolution. Default 1.
    Call arguments:
        x: float (B, H, W, C).
        training: bool, normalize by the batch's statistics. Default False.
    Returns:
        float (B, ceil(H / strides), ceil(W / strides), F).
    """

    def __init__(self, filters, strides=1, **kwargs):
        super().__init__(**kwargs)
        dtype = self.dtype_policy
        self.filters, self.strides = filters, strides
        self.conv_1 = ConvBatchNorm(filters, strides, dtype=dtype)
        self.conv_2 = ConvBatchNorm(filters, dtype=dtype)

    def build(self, x_shape):
        self.conv_1.build(x_shape)
        self.conv_2.build((*x_shape[:-1], self.filters))

    def call(self, x, training=False):
        y = ops.relu(self.conv_1(x, training=training))
        y = self.conv_2(y, training=training)
        return ops.relu(self._shortcut(x) + y)

    def _shortcut(self, x):
        """Subsample x, and pad its channels with zeros, to the output shape."""
        more = self.filters - x.shape[-1]
        if self.strides > 1:  # (JAX cannot infer the size of a strided slice.)
            x = ops.average_pool(
                x, 1, self.strides, data_format="channels_last"
            )
        return ops.pad(x, ((0, 0), (0, 0), (0, 0), (0, more))) if more else x


@keras.saving.register_keras_serializable("keras_seq")
class ResNet(ServableModel):
    """Classify images of any size with residual convolutions.

    `ResNet(10, **ResNet.sizes["20"])` has the size published as ResNet-20
    for CIFAR-10: 269,722 trainable weights, 0.27 million.

    Args:
        num_classes: int > 0, number of classes.
        filters: list of int > 0, F of each stage, not decreasing; the image is
            halved between stages. Default (16, 32, 64).
        num_blocks: int > 0, blocks of each stage. Default 3: 20 layers.
        input_strides: int > 0, strides of the first convolution; with 2, as
            in table 1 of the paper, the blocks see a quarter of the pixels.
            Default 1.
        channels: int > 0, C. Default 3.
    Call arguments:
        images: float (B, H, W, C). Ints are not rescaled.
        training: bool, normalize by the batch's statistics. Default False.
    Returns:
        logits, float (B, num_classes).
    Raises:
        ValueError: if an argument is outside its range, or the images have
            another number of channels.
    Example:
        >>> model = ResNet(10, filters=(2, 4), num_blocks=1)
        >>> tuple(model(ops.ones((3, 8, 8, 3))).shape)
        (3, 10)
    """

    sizes: typing.ClassVar = {
        str(6 * n + 2): {"filters": (16, 32, 64), "num_blocks": n}
        for n in (3, 5, 7, 9, 18)
    }

    def __init__(
        self,
        num_classes,
        filters=(16, 32, 64),
        *,
        num_blocks=3,
        input_strides=1,
        channels=3,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.config = checks.plain(
            {
                "num_classes": num_classes,
                "num_blocks": num_blocks,
                "input_strides": input_strides,
                "channels": channels,
            }
        )
        checks.positive_int(**self.config)
        self.config["filters"] = _checked_filters(filters)
        self._create_layers()

    def _create_layers(self):
        config, dtype = self.config, self.dtype_policy
        self.input_conv = ConvBatchNorm(
            config["filters"][0], config["input_strides"], dtype=dtype
        )
        self.blocks = []
        for stage, filters in enumerate(config["filters"]):
            for n in range(config["num_blocks"]):
                strides = 2 if stage > 0 and n == 0 else 1
                block = ResidualBlock(filters, strides, dtype=dtype)
                self.blocks.append(block)
        self.head = keras.layers.Dense(config["num_classes"], dtype=dtype)

    @classmethod
    def from_param_count(
        cls, param_count, num_classes, *, num_blocks=3, channels=3, **kwargs
    ):
        """Create the model whose number of weights is closest to a given one.

        Args:
            param_count: int > 0, trainable weights, such as
                `ViT.count_params()`.
            num_classes: int > 0, number of classes.
            num_blocks: int > 0, blocks of each stage. Default 3.
            channels: int > 0, C. Default 3.
            kwargs: `input_strides`, and arguments of `keras.Model`.
        Returns:
            `ResNet`, not built, with stages of F // 4, F // 2 and F filters.
        Raises:
            ValueError: if an argument is not an int > 0, or `param_count` is
                less than the smallest model has.
        """
        options = {"num_blocks": num_blocks, "channels": channels}
        checks.positive_int(
            param_count=param_count, num_classes=num_classes, **options
        )

        def missing(F):
            stages = F // 4, F // 2, F
            return param_count - count_params(num_classes, stages, **options)

        F = 4
        if missing(F) < 0:
            raise ValueError(
                f"`param_count` must be at least {param_count - missing(F)}, "
                "the weights of the smallest model. Received "
                f"param_count={param_count}."
            )
        while missing(F + 1) >= 0:
            F += 1
        F = min(F, F + 1, key=lambda F: abs(missing(F)))
        return cls(num_classes, (F // 4, F // 2, F), **options, **kwargs)

    def build(self, images_shape=None):
        F = self.config["channels"]
        for layer in (self.input_conv, *self.blocks):
            layer.build((None, None, None, F))
            F = layer.filters
        self.head.build((None, F))
        propagate_trainable(self)

    def call(self, images, training=False):
        x = self.features(images, training=training)
        return self.head(ops.mean(x, axis=(1, 2)))

    def features(self, images, training=False):
        """Compute the output of the last block: a vector per position.

        Args:
            images: float (B, H, W, C).
            training: bool, normalize by the batch's statistics. Default False.
        Returns:
            float (B, h, w, F), h and w of `grid_shape`.
        """
        C = self.config["channels"]
        if len(images.shape) != 4 or images.shape[-1] != C:
            raise ValueError(
                f"`images` must be (B, H, W, C) with C = {C}. Received images "
                f"of shape {tuple(images.shape)}."
            )
        x = ops.cast(images, self.compute_dtype)  # images may be uint8
        x = ops.relu(self.input_conv(x, training=training))
        for block in self.blocks:
            x = block(x, training=training)
        return x

    def grid_shape(self, height, width):
        """Return h and w of the features of an image of H x W pixels."""
        checks.positive_int(height=height, width=width)
        strides = self.config["input_strides"]
        strides *= 2 ** (len(self.config["filters"]) - 1)
        return -(-height // strides), -(-width // strides)

    def input_signature(self):
        shape = (None, None, None, self.config["channels"])
        return keras.InputSpec(shape=shape, dtype="float32")

    def get_config(self):
        return {**super().get_config(), **self.config}


def count_params(num_classes, filters, num_blocks, channels):
    """Return the number of trainable weights of a `ResNet`.

    Args:
        num_classes: int > 0.
        filters: list of int > 0.
        num_blocks: int > 0.
        channels: int > 0.
    Returns:
        int.
    """
    count, before = (filters[-1] + 1) * num_classes, channels
    num_convs = [1] + [2 * num_blocks] * len(filters)
    for F, convs in zip((filters[0], *filters), num_convs):
        for _ in range(convs):
            count += 9 * before * F + 2 * F  # with scale and offset
            before = F
    return count


def _checked_filters(filters):
    """Return a tuple of ints that do not decrease, or raise a ValueError."""
    stages = filters if isinstance(filters, (tuple, list)) else ()
    for F in stages:
        checks.positive_int(filters=F)
    if not stages or sorted(stages) != list(stages):
        raise ValueError(
            "`filters` must be a list of int > 0 that does not decrease. "
            f"Received filters={filters!r}."
        )
    return tuple(map(int, stages))
