"""A weight of ours and a tensor of theirs, paired, for both ways.

Their kernels are (out, in), the transpose of ours, and the heads stand side
by side where ours have an axis of their own.

Shapes: D width, H heads, K head width.
"""

import typing

from keras import ops


class Weight(typing.NamedTuple):
    """Pair a weight of ours with a tensor of theirs."""

    name: str  # theirs, without the model's prefix
    variable: typing.Any  # ours
    shape: tuple  # theirs
    turned: bool = False  # theirs is a kernel (out, in)

    def assign(self, x):
        """Take the values of their tensor, a NumPy array."""
        x = x.T if self.turned else x
        self.variable.assign(x.reshape(self.variable.shape))

    def numpy(self):
        """Give the values as their tensor has them."""
        x = ops.convert_to_numpy(ops.cast(self.variable, "float32"))
        if self.turned:
            return x.reshape(self.shape[::-1]).T
        return x.reshape(self.shape)


def dense(name, layer, out, width):
    """Give each `Weight` of a dense layer."""
    yield Weight(f"{name}.weight", layer.kernel, (out, width), turned=True)
    yield Weight(f"{name}.bias", layer.bias, (out,))


def norm(name, layer, D):
    """Give each `Weight` of a norm."""
    yield Weight(f"{name}.weight", layer.gamma, (D,))
    yield Weight(f"{name}.bias", layer.beta, (D,))


def looks(at, names, attention, D):
    """Give each `Weight` of an attention; `names` are of query, key, value."""
    for ours, theirs in zip(attention.kernels, (*names, "output.dense")):
        kernel, bias = attention.kernels[ours], attention.biases[ours]
        yield Weight(f"{at}{theirs}.weight", kernel, (D, D), turned=True)
        yield Weight(f"{at}{theirs}.bias", bias, (D,))
