"""A weight of ours and a tensor of theirs, paired, for both ways.

Their kernels are (out, in), the transpose of ours, that of a convolution by
patches (out, channels, height, width); and the heads stand side by side where
ours have an axis of their own.

Shapes: D width, H heads, K head width.
"""

import typing

import numpy as np
from keras import ops


class Weight(typing.NamedTuple):
    """Pair a weight of ours with a tensor of theirs."""

    name: str  # theirs, without the model's prefix
    variable: typing.Any  # ours
    shape: tuple  # theirs
    order: tuple = ()  # their axes, as ours stand, where that differs

    def assign(self, x):
        """Take the values of their tensor, a NumPy array."""
        x = x.transpose(self.order) if self.order else x
        self.variable.assign(x.reshape(self.variable.shape))

    def numpy(self):
        """Give the values as their tensor has them."""
        x = ops.convert_to_numpy(ops.cast(self.variable, "float32"))
        if self.order:
            x = x.reshape([self.shape[axis] for axis in self.order])
            return x.transpose(np.argsort(self.order))
        return x.reshape(self.shape)


def dense(name, layer, out, width):
    """Give each `Weight` of a dense layer."""
    yield Weight(f"{name}.weight", layer.kernel, (out, width), (1, 0))
    yield Weight(f"{name}.bias", layer.bias, (out,))


def norm(name, layer, D):
    """Give each `Weight` of a norm."""
    yield Weight(f"{name}.weight", layer.gamma, (D,))
    yield Weight(f"{name}.bias", layer.beta, (D,))


def looks(at, names, attention, D):
    """Give each `Weight` of an attention; `names` are of query, key, value."""
    layers = (
        attention.query_dense,
        attention.key_dense,
        attention.value_dense,
        attention.output_dense,
    )
    for name, layer in zip((*names, "output.dense"), layers):
        yield Weight(f"{at}{name}.weight", layer.kernel, (D, D), (1, 0))
        yield Weight(f"{at}{name}.bias", layer.bias, (D,))
