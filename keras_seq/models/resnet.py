"""ResNet: a residual network of convolutions, what ViT is measured against.

A convolution looks at three by three pixels, the same way everywhere: it knows
beforehand that neighbours belong together, and that a thing is the same thing
wherever it stands. Layer upon layer sees more, but a deep stack trains badly:
so each pair of convolutions only adds to what came in. Where the image halves,
its filters double.

    f(x) = norm(relu(norm(x * K_1)) * K_2)       # *: a convolution, 3 x 3
    x    <- relu(x + f(x))                       # a block
    x    <- relu([x; 0] + f(x))                  # halved: every second pixel
    logits = mean(x) W + b                       # over the pixels

Shapes: B batch, H height, W width, C channels, F filters.
Paper: He et al. (2016), arXiv:1512.03385, eq. (1), section 4.2, tables 1 and 6;
    norm: Ioffe & Szegedy (2015), arXiv:1502.03167.
Differs from the paper: no weight decay of its own; ask the optimizer for it.
"""

import typing

import keras
from keras import ops

from keras_seq import checks
from keras_seq.layers.trainable import propagate_trainable


class ConvNorm(keras.layers.Layer):
    """Convolve and norm, at every pixel or at one in `stride` each way."""

    def __init__(self, filters, stride=1, **kwargs):
        super().__init__(**kwargs)
        policy = {"dtype": self.dtype_policy}
        self.filters, self.stride = filters, stride
        self.convolution = keras.layers.Conv2D(
            filters,
            3,
            strides=stride,
            # "same" would begin at another pixel where every second is taken.
            padding="same" if stride == 1 else "valid",
            use_bias=False,  # the norm has one
            kernel_initializer="he_normal",
            data_format="channels_last",
            **policy,
        )
        self.norm = keras.layers.BatchNormalization(
            momentum=0.9, epsilon=1e-5, **policy
        )

    def build(self, x_shape):
        self.convolution.build(x_shape)
        self.norm.build((*x_shape[:-1], self.filters))

    def call(self, x, training=False):
        if self.stride > 1:
            x = ops.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
        return self.norm(self.convolution(x), training=training)


class ResidualBlock(keras.layers.Layer):
    """Add to the pixels what two convolutions make of them."""

    def __init__(self, filters, stride=1, **kwargs):
        super().__init__(**kwargs)
        policy = {"dtype": self.dtype_policy}
        self.filters, self.stride = filters, stride
        self.inner = ConvNorm(filters, stride, **policy)
        self.outer = ConvNorm(filters, **policy)

    def build(self, x_shape):
        self.inner.build(x_shape)
        self.outer.build((*x_shape[:-1], self.filters))

    def call(self, x, training=False):
        y = ops.relu(self.inner(x, training=training))
        y = self.outer(y, training=training)
        return ops.relu(self._around(x) + y)

    def _around(self, x):
        """Give what goes around: x, as small and as wide as its sum."""
        more = self.filters - x.shape[-1]
        if self.stride > 1:  # (A slice's size JAX does not know to be y's.)
            x = ops.average_pool(x, 1, self.stride, data_format="channels_last")
        return ops.pad(x, ((0, 0), (0, 0), (0, 0), (0, more))) if more else x


@keras.saving.register_keras_serializable("keras_seq")
class ResNet(keras.Model):
    """Classify images of any size with residual convolutions.

    `ResNet(10, **ResNet.sizes["20"])` has the size published as ResNet-20
    for CIFAR-10: 269,722 trainable weights, 0.27 million.

    Args:
        num_classes: int > 0.
        filters: list of int > 0, F of each stage, each at least as many as
            the one before; between stages the image halves. Default (16, 32,
            64).
        num_blocks: int > 0, blocks of each stage. Default 3: 20 layers.
        first_stride: int > 0, of the first convolution. Default 1. With 2,
            as in the paper's table 1, what follows sees a fourth of the pixels.
        channels: int > 0, C. Default 3.
    Call arguments:
        images: float (B, H, W, C).
    Returns:
        logits, float (B, num_classes).
    Raises:
        ValueError: if an argument is outside its range.
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
        first_stride=1,
        channels=3,
        **kwargs,
    ):
        super().__init__(**kwargs)
        num_classes, num_blocks, first_stride, channels = checks.positive_int(
            num_classes=num_classes,
            num_blocks=num_blocks,
            first_stride=first_stride,
            channels=channels,
        )
        filters = _rising(filters)
        self.config = {
            "num_classes": num_classes,
            "filters": filters,
            "num_blocks": num_blocks,
            "first_stride": first_stride,
            "channels": channels,
        }
        policy = {"dtype": self.dtype_policy}
        self.first = ConvNorm(filters[0], first_stride, **policy)
        self.blocks = [
            ResidualBlock(F, 2 if stage and not block else 1, **policy)
            for stage, F in enumerate(filters)
            for block in range(num_blocks)
        ]
        self.head = keras.layers.Dense(num_classes, **policy)

    @classmethod
    def matching(
        cls, count, num_classes, *, num_blocks=3, channels=3, **kwargs
    ):
        """Make the one with as many weights as another model, or nearly so.

        Args:
            count: int > 0, trainable weights: as of `ViT.count_params()`.
            num_classes, num_blocks, channels: as above.
            kwargs: first_stride, and of `keras.Model`, such as dtype.
        Returns:
            `ResNet`, not built yet, of stages of F // 4, F // 2 and F.
        Raises:
            ValueError: if an argument is no int > 0, or `count` is less than
                the smallest has.
        """
        options = {"num_blocks": num_blocks, "channels": channels}
        checks.positive_int(count=count, num_classes=num_classes, **options)

        def stages(F):
            return F // 4, F // 2, F

        def missed(F):
            return count - count_weights(num_classes, stages(F), **options)

        F = 4
        if missed(F) < 0:
            raise ValueError(
                f"`count` must be at least {count - missed(F)}, the weights of "
                f"the smallest. Received count={count}."
            )
        while missed(F + 1) >= 0:
            F += 1
        F = min(F, F + 1, key=lambda F: abs(missed(F)))
        return cls(num_classes, stages(F), **options, **kwargs)

    def build(self, images_shape=None):
        F = self.config["channels"]
        for layer in (self.first, *self.blocks):
            layer.build((None, None, None, F))
            F = layer.filters
        self.head.build((None, F))
        propagate_trainable(self)

    def call(self, images, training=False):
        C = self.config["channels"]
        if len(images.shape) != 4 or images.shape[-1] != C:
            raise ValueError(
                f"`images` must be (B, H, W, C) with C = {C}. Received images "
                f"of shape {tuple(images.shape)}."
            )
        x = ops.cast(images, self.compute_dtype)  # of whole numbers, too
        x = ops.relu(self.first(x, training=training))
        for block in self.blocks:
            x = block(x, training=training)
        return self.head(ops.mean(x, axis=(1, 2)))

    def get_config(self):
        return {**super().get_config(), **self.config}


def count_weights(num_classes, filters, num_blocks, channels):
    """Count the trainable weights of a `ResNet`, without making it."""
    count, before = (filters[-1] + 1) * num_classes, channels
    layers = [1] + [2 * num_blocks] * len(filters)
    for F, convolutions in zip((filters[0], *filters), layers):
        for _ in range(convolutions):
            count += 9 * before * F + 2 * F  # and the norm's two
            before = F
    return count


def _rising(filters):
    """Refuse what is no list of int > 0, each at least the one before."""
    stages = filters if isinstance(filters, (tuple, list)) else ()
    for F in stages:
        checks.positive_int(filters=F)
    if not stages or sorted(stages) != list(stages):
        raise ValueError(
            "`filters` must be a list of int > 0, each at least as many as "
            f"the one before. Received filters={filters!r}."
        )
    return tuple(map(int, stages))
