"""Linear projections of attention heads, several in one matrix product.

    x W  ->  (B, T, H, K)        # W of shape (D, H, K), one layer of Keras

The projections of one tensor to queries, keys and values are computed by one
product, with the kernels side by side, which is faster than three.

Shapes: B batch, T length, D width, H heads, K head width.
"""

import math

import keras
from keras import ops

from keras_seq.layers.initializers import clone_initializer


def head_dense(equation, shape, rows, use_bias, options, **kwargs):
    """Create one projection, a `keras.layers.EinsumDense`.

    Args:
        equation: str, as in `EinsumDense`.
        shape: tuple, axes of the output behind B, None where unknown.
        rows: int, number of leading axes of the kernel that it sums over.
        use_bias: bool, with a bias for each known axis of `shape`.
        options: dict, initializers, regularizers and constraints.
        kwargs: arguments of every layer, such as name and dtype.
    Returns:
        `keras.layers.EinsumDense`, not built.
    """
    kernel = clone_initializer(options["kernel_initializer"])

    def draw_matrix(shape, dtype=None):
        """Draw the kernel as the matrix that it is in the product."""
        matrix = math.prod(shape[:rows]), math.prod(shape[rows:])
        return ops.reshape(kernel(matrix, dtype=dtype), shape)

    known = equation.split("->")[1][-sum(axis is not None for axis in shape) :]
    return keras.layers.EinsumDense(
        equation,
        shape,
        bias_axes=known if use_bias else None,
        **{
            **options,
            "kernel_initializer": draw_matrix,
            "bias_initializer": clone_initializer(options["bias_initializer"]),
        },
        **kwargs,
    )


def project(x, layers):
    """Apply several projections of `head_dense` to one tensor.

    Args:
        x: float (B, T, D).
        layers: list of n layers.
    Returns:
        list of n float (B, T, H, K).
    """
    if any(layer.quantization_mode for layer in layers):
        return [layer(x) for layer in layers]
    dtype, T = layers[0].compute_dtype, ops.shape(x)[1]
    shapes = [tuple(layer.kernel.shape[1:]) for layer in layers]
    kernels = [
        ops.reshape(layer.kernel, (x.shape[-1], math.prod(shape)))
        for layer, shape in zip(layers, shapes)
    ]
    y = ops.matmul(x, ops.cast(_concatenate(kernels, 1), dtype))
    if layers[0].bias is not None:
        biases = [ops.reshape(layer.bias, (-1,)) for layer in layers]
        y = y + ops.cast(_concatenate(biases, 0), dtype)
    parts = _split(y, [math.prod(shape) for shape in shapes])
    return [
        ops.reshape(part, (-1, T, *shape)) for part, shape in zip(parts, shapes)
    ]


def _concatenate(parts, axis):
    return parts[0] if len(parts) == 1 else ops.concatenate(parts, axis=axis)


def _split(y, widths):
    """Split the last axis. (TensorFlow's gradient of slices is slow.)"""
    if len(widths) == 1:
        return [y]
    ends = [sum(widths[:n]) for n in range(1, len(widths))]
    return ops.split(y, ends, axis=-1)
