"""Activation functions: GELU, which BERT, GPT and ViT use in place of ReLU.

ReLU, max(0, x), keeps an input or drops it, and has no derivative at 0. GELU
multiplies x by the probability that a standard normal random variable is
smaller than x, which gives a smooth function.

    gelu(x)      = x Phi(x)                  # Phi: that probability
    gelu_tanh(x) = x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2

Shapes: ... any axes.
Paper: Hendrycks & Gimpel (2016), arXiv:1606.08415, section 2.
Differs from the paper: nothing.
"""

import math

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_seq")
def gelu(x):
    """Compute GELU: x times the normal distribution function at x.

    On TensorFlow the gradient is written out, which takes fewer operations.
    There both value and gradient are computed in float32 at least: in half
    precision, 1 + erf is rounded to 0 where x is far below 0.

    Args:
        x: float tensor.
    Returns:
        float, shape and dtype of `x`.
    """
    dtype = keras.backend.standardize_dtype(x.dtype)
    custom = keras.backend.backend() == "tensorflow" and "float" in dtype
    if not custom or isinstance(x, keras.KerasTensor):
        return keras.activations.gelu(x, approximate=False)
    wide = keras.backend.result_type(dtype, "float32")
    return ops.cast(_gelu(ops.cast(x, wide)), dtype)


@ops.custom_gradient
def _gelu(x):
    s = x * 2**-0.5
    two_phi = 1.0 + ops.erf(s)

    def gradient(dy):
        slope = s * ops.exp(-0.5 * math.log(math.pi) - s * s)  # x density(x)
        return dy * (0.5 * two_phi + slope)

    return 0.5 * x * two_phi, gradient  # LiteRT fuses this form to one op


@keras.saving.register_keras_serializable("keras_seq")
def gelu_tanh(x):
    """Compute GELU by tanh, as GPT-2 does: within 0.0005 of the exact one.

    Args:
        x: float tensor.
    Returns:
        float, shape and dtype of `x`.
    """
    return keras.activations.gelu(x, approximate=True)


def activation_of(name):
    """Return an activation as `keras.activations.get`, or a GELU above.

    Args:
        name: str, such as "relu", "gelu" or "gelu_tanh"; a function; or None.
    Returns:
        function of a tensor.
    """
    if name in ("gelu", "gelu_tanh"):
        return gelu if name == "gelu" else gelu_tanh
    return keras.activations.get(name)
