"""Pair each weight of a model with a tensor of a published folder.

A kernel of PyTorch is (out, in), the transpose of Keras's; that of a
convolution is (out, channels, height, width); and the heads of an attention
are side by side in one axis, where ours have an axis of their own.

Shapes: D width, H heads, K head width.
"""

import typing

import numpy as np
from keras import ops


class Weight(typing.NamedTuple):
    """A weight of a model and the published tensor that holds its values.

    Attributes:
        name: str, name of the tensor, without the prefix of the model.
        variable: `keras.Variable`.
        shape: tuple, shape of the tensor.
        axes: tuple, the axes of the tensor in the order of the variable.
            Default (): the same order.
    """

    name: str
    variable: typing.Any
    shape: tuple
    axes: tuple = ()

    def assign(self, x):
        """Assign the values of the tensor, a NumPy array, to the variable."""
        x = x.transpose(self.axes) if self.axes else x
        self.variable.assign(x.reshape(self.variable.shape))

    def numpy(self):
        """Return the values of the variable in the layout of the tensor."""
        x = ops.convert_to_numpy(ops.cast(self.variable, "float32"))
        if self.axes:
            x = x.reshape([self.shape[axis] for axis in self.axes])
            return x.transpose(np.argsort(self.axes))
        return x.reshape(self.shape)


def dense_weights(name, layer, units, width):
    """Yield each `Weight` of a dense layer, (width,) -> (units,)."""
    yield Weight(f"{name}.weight", layer.kernel, (units, width), (1, 0))
    yield Weight(f"{name}.bias", layer.bias, (units,))


def norm_weights(name, layer, width):
    """Yield each `Weight` of a layer normalization."""
    yield Weight(f"{name}.weight", layer.gamma, (width,))
    yield Weight(f"{name}.bias", layer.beta, (width,))


def attention_weights(prefix, names, attention, D):
    """Yield each `Weight` of a `MultiHeadAttention`.

    Args:
        prefix: str, of the names of all tensors.
        names: three str, of query, key and value.
        attention: `MultiHeadAttention`.
        D: int, width.
    """
    layers = (
        attention.query_dense,
        attention.key_dense,
        attention.value_dense,
        attention.output_dense,
    )
    for name, layer in zip((*names, "output.dense"), layers):
        yield Weight(f"{prefix}{name}.weight", layer.kernel, (D, D), (1, 0))
        yield Weight(f"{prefix}{name}.bias", layer.bias, (D,))


def feed_forward_weights(prefix, block, D):
    """Yield each `Weight` of the feed-forward network of a BERT or a ViT."""
    first, second = block.intermediate_dense, block.output_dense
    F = first.units
    yield from dense_weights(f"{prefix}intermediate.dense", first, F, D)
    yield from dense_weights(f"{prefix}output.dense", second, D, F)
