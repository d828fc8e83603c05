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
from keras_seq.layers.initializers import clone_initializer, get_initializers
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
    """Apply the same network of two dense layers at each position.

    The width D of the output is that of the input.

    Args:
        intermediate_dim: int > 0, width of the layer between.
        activation: str or function, activation of the layer between, as in
            Keras, or "gelu_tanh". Default "relu".
        kernel_initializer: initializer of both kernels. Default
            "glorot_uniform".
        bias_initializer: initializer of both biases. Default "zeros".
    Call arguments:
        x: float (..., D).
    Returns:
        float (..., D).
    Raises:
        ValueError: if `intermediate_dim` is not an int > 0.
    """

    def __init__(
        self,
        intermediate_dim,
        *,
        activation="relu",
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.intermediate_dim = checks.positive_int(
            intermediate_dim=intermediate_dim
        )
        self.activation = activation_of(activation)
        self.initializers = get_initializers(
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
        )

    def build(self, x_shape):
        self.intermediate_dense = self._dense(
            self.intermediate_dim, self.activation
        )
        self.output_dense = self._dense(int(x_shape[-1]))
        self.intermediate_dense.build(x_shape)
        self.output_dense.build((*x_shape[:-1], self.intermediate_dim))
        propagate_trainable(self)

    def _dense(self, units, activation=None):
        return keras.layers.Dense(
            units,
            activation,
            dtype=self.dtype_policy,
            **{k: clone_initializer(x) for k, x in self.initializers.items()},
        )

    def call(self, x):
        return self.output_dense(self.intermediate_dense(x))

    def get_config(self):
        serialize = keras.initializers.serialize
        return {
            **super().get_config(),
            "intermediate_dim": self.intermediate_dim,
            "activation": keras.activations.serialize(self.activation),
            **{name: serialize(x) for name, x in self.initializers.items()},
        }
