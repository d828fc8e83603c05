"""Layer normalization: Keras's layer, with a shorter gradient on TensorFlow.

Layer normalization gives each vector mean 0 and variance 1, then a learned
scale gamma and shift beta. It does not depend on the other vectors.

    n = (x - mean(x)) / sqrt(var(x) + epsilon)     # over the width
    y = gamma * n + beta

TensorFlow differentiates it operation by operation, each a pass over the
tensor. Let s be the gradient of the loss with respect to n. Its mean and its
projection on n have no effect on n, which is invariant to shifting and scaling
x, so the gradient with respect to x is

    (s - mean(s) - n * mean(s * n)) / sqrt(var(x) + epsilon)

Shapes: ... any axes, D width.
Paper: Ba, Kiros & Hinton (2016), arXiv:1607.06450, eq. (4).
Differs from the paper: epsilon, against a division by zero.
"""

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_seq")
class LayerNormalization(keras.layers.LayerNormalization):
    """`keras.layers.LayerNormalization`, faster on TensorFlow.

    The gradient above is used over the last axis, with gamma and beta.
    Elsewhere, and on JAX and PyTorch, which fuse operations themselves, this
    is Keras's own computation.

    Args:
        **kwargs: those of `keras.layers.LayerNormalization`.
    Call arguments:
        inputs: float (..., D).
    Returns:
        float (..., D), computed in float32 at least.
    Example:
        >>> layer = LayerNormalization(epsilon=1e-5)
        >>> y = ops.convert_to_numpy(layer(np.array([[1.0, 3.0]])))
        >>> y.round(3).tolist()
        [[-1.0, 1.0]]
    """

    def call(self, inputs):
        last = len(inputs.shape) - 1
        if (
            keras.backend.backend() != "tensorflow"
            or list(self.axis) not in ([-1], [last])
            or self.gamma is None
            or self.beta is None
        ):
            return super().call(inputs)
        dtype = keras.backend.result_type(inputs.dtype, "float32")
        n = _normalize(ops.cast(inputs, dtype), self.epsilon)
        y = n * ops.cast(self.gamma, dtype) + ops.cast(self.beta, dtype)
        return ops.cast(y, self.compute_dtype)


def _normalize(x, epsilon):
    # `epsilon` is no argument: a graph would turn it into a float32 tensor.
    @ops.custom_gradient
    def normalize(x):
        x = x - _mean(x)
        scale = ops.rsqrt(_mean(x * x) + epsilon)
        n = x * scale

        def gradient(s):
            return (s - _mean(s) - n * _mean(s * n)) * scale

        return n, gradient

    return normalize(x)


def _mean(x):
    return ops.mean(x, axis=-1, keepdims=True)
