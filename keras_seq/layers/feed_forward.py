"""Position-wise feed-forward network: two dense layers at each position.

Attention only averages vectors. The feed-forward network then transforms each
vector by two dense layers, with the same weights at every position: first to a
wide inner layer, then back to the width of the input. The activation between
them is max(0, x) in the Transformer; GPT, BERT and ViT use GELU, which is
smooth.

    FFN(x)  = f(x W_1 + b_1) W_2 + b_2       # f = relu in the paper
    gelu(x) = x Phi(x)                       # Phi: normal distribution function
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
    """Compute GELU: x times the normal distribution function at x.

    On TensorFlow the gradient is written out, which makes it short, and both
    are computed in float32 at least: in half precision, 1 + erf is rounded to
    0 where x is far below 0.

    Args:
        x: float tensor.
    Returns:
        float, shape and dtype of `x`.
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

    return 0.5 * x * twice, gradient  # LiteRT fuses this form to one op


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
    """Return an activation as `keras.activations.get`, and the two GELUs.

    Args:
        name: str, such as "relu", "gelu" or "gelu_tanh"; a function; or None.
    Returns:
        function of a tensor.
    """
    if name in ("gelu", "gelu_tanh"):
        return gelu if name == "gelu" else gelu_tanh
    return keras.activations.get(name)


@keras.saving.register_keras_serializable("keras_seq")
class FeedForward(keras.layers.Layer):
    """Apply two dense layers at each position: D to inner width to D.

    Args:
        intermediate_dim: int > 0, width of the inner layer.
        activation: str or function, activation of the inner layer, as in
            Keras, or "gelu_tanh". Default "relu".
        kernel_initializer: initializer of both kernels. Default
            "glorot_uniform".
        bias_initializer: initializer of both biases. Default "zeros".
    Call arguments:
        x: float (..., D).
    Returns:
        float (..., D).
    Raises:
        ValueError: if `intermediate_dim` is not an int > 0, or an initializer
            is not one.
    Example:
        >>> layer = FeedForward(intermediate_dim=32, activation="gelu")
        >>> tuple(layer(np.ones((2, 5, 8), "float32")).shape)
        (2, 5, 8)
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
