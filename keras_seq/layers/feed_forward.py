"""The small network of a block: what each position makes of what it found.

Attention only averages. What is to be made of the average, a network of two
layers works out, for each position by itself and for all alike: first wide,
then narrow again. Between its layers stood max(0, x) at first; GPT, BERT and
ViT have a curve without a kink.

    FFN(x)  = f(x W_1 + b_1) W_2 + b_2       # f = relu in the paper
    gelu(x) = x Phi(x)                       # Phi: a normal distribution's
    gelu_tanh(x) = x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2

Shapes: ... any axes, D width.
Paper: Vaswani et al. (2017), arXiv:1706.03762, eq. (2); GELU: Hendrycks &
    Gimpel (2016), arXiv:1606.08415, section 2.
Differs from the paper: nothing.
"""

import math

import keras
from keras import ops

from keras_seq import checks
from keras_seq.layers.multi_head_attention import cloned
from keras_seq.layers.trainable import propagate_trainable


@keras.saving.register_keras_serializable("keras_seq")
def gelu(x):
    """Compute GELU, x times the share of a normal distribution below x.

    On TensorFlow the gradient is written out, which makes it short, and both
    are computed in float32 at least: in half precision, 1 + erf loses what is
    left of it where x is far below 0.
    """
    dtype = keras.backend.standardize_dtype(x.dtype)
    ours = keras.backend.backend() == "tensorflow" and "float" in dtype
    if not ours or isinstance(x, keras.KerasTensor):
        return keras.activations.gelu(x, approximate=False)
    wide = keras.backend.result_type(dtype, "float32")
    return ops.cast(_gelu(ops.cast(x, wide)), dtype)


@ops.custom_gradient
def _gelu(x):
    s = x * 2**-0.5
    twice = 1.0 + ops.erf(s)

    def gradient(dy):
        slope = s * ops.exp(-0.5 * math.log(math.pi) - s * s)  # x density(x)
        return dy * (0.5 * twice + slope)

    return 0.5 * x * twice, gradient  # LiteRT knows it written so, as one op


@keras.saving.register_keras_serializable("keras_seq")
def gelu_tanh(x):
    """Compute GELU by a tanh, as GPT-2 does: within 0.0005 of the exact one."""
    return keras.activations.gelu(x, approximate=True)


def activation_of(name):
    """Find an activation as Keras does, and the two GELUs by their names."""
    if name in ("gelu", "gelu_tanh"):
        return gelu if name == "gelu" else gelu_tanh
    return keras.activations.get(name)


@keras.saving.register_keras_serializable("keras_seq")
class FeedForward(keras.layers.Layer):
    """Change each position by the same small network of two layers.

    Args:
        units: int > 0, width D of the output.
        hidden: int > 0, width of the layer between.
        activation: of the layer between, as in Keras, or "gelu_tanh", GELU
            by tanh. Default "relu".
        kernel_initializer: default "glorot_uniform".
    Call arguments:
        x: float (..., D).
    Returns:
        float (..., units).
    Raises:
        ValueError: if a width is no int > 0.
    """

    def __init__(
        self,
        units,
        hidden,
        *,
        activation="relu",
        kernel_initializer="glorot_uniform",
        **kwargs,
    ):
        super().__init__(**kwargs)
        units, hidden = checks.positive_int(units=units, hidden=hidden)
        activation = activation_of(activation)
        self.supports_masking = True
        self.inner, self.outer = (
            keras.layers.Dense(
                width,
                function,
                kernel_initializer=cloned(kernel_initializer),
                dtype=self.dtype_policy,
            )
            for width, function in ((hidden, activation), (units, None))
        )

    def build(self, x_shape):
        self.inner.build(x_shape)
        self.outer.build((*x_shape[:-1], self.inner.units))
        propagate_trainable(self)

    def call(self, x):
        return self.outer(self.inner(x))

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.outer.units,
            "hidden": self.inner.units,
            "activation": keras.activations.serialize(self.inner.activation),
            "kernel_initializer": keras.initializers.serialize(
                self.inner.kernel_initializer
            ),
        }
