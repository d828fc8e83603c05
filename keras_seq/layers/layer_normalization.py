"""Layer normalization: each vector is normalized to mean 0 and variance 1.

In a deep stack the distribution of the inputs of each layer drifts while the
layers below it learn, and with it the size of every step. Layer normalization
computes the mean and variance of each vector, independent of the rest of the
batch, and normalizes with them; a learned scale gamma and shift beta follow.

    n = (x - mean(x)) / sqrt(var(x) + epsilon)     # over the width
    y = gamma * n + beta

Let s be the gradient with respect to n. The backward pass removes two
components of s, its mean and its projection on n, because n is invariant to
shifting and scaling x.

    dx = (s - mean(s) - n * mean(s * n)) / sqrt(var(x) + epsilon)

Shapes: ... any axes, D width.
Paper: Ba, Kiros & Hinton (2016), arXiv:1607.06450, eq. (4).
Differs from the paper: epsilon, against a division by zero.
"""

import numbers

import keras
from keras import ops

from keras_seq import checks


@keras.saving.register_keras_serializable("keras_seq")
class LayerNormalization(keras.layers.LayerNormalization):
    """`keras.layers.LayerNormalization`, faster on TensorFlow.

    TensorFlow differentiates operation by operation, each a pass over the
    tensor; the gradient above needs fewer. It is used over the last axis, with
    gamma and beta. Everywhere else, and on JAX and PyTorch, which join
    operations themselves, this is Keras's own computation.

    Args:
        axis: int or list of int, the axes to normalize. Default -1.
        epsilon: float > 0, added to the variance. Default 1e-3.
        center: bool, add beta. Default True.
        scale: bool, multiply by gamma. Default True.
        beta_initializer: initializer of beta. Default "zeros".
        gamma_initializer: initializer of gamma. Default "ones".
        beta_regularizer: optional regularizer of beta.
        gamma_regularizer: optional regularizer of gamma.
        beta_constraint: optional constraint of beta.
        gamma_constraint: optional constraint of gamma.
        rms_scaling: bool, as in Keras, which has deprecated it. Default False.
    Call arguments:
        inputs: float (..., D).
    Returns:
        float (..., D), computed in float32 at least.
    Raises:
        ValueError: if `axis` is neither int nor list, `epsilon` is not > 0,
            or `center` or `scale` is not a bool.
    Example:
        >>> layer = LayerNormalization(epsilon=1e-5)
        >>> y = ops.convert_to_numpy(layer(np.array([[1.0, 3.0]])))
        >>> y.round(3).tolist()
        [[-1.0, 1.0]]
    """

    def __init__(
        self,
        axis=-1,
        epsilon=1e-3,
        center=True,
        scale=True,
        beta_initializer="zeros",
        gamma_initializer="ones",
        beta_regularizer=None,
        gamma_regularizer=None,
        beta_constraint=None,
        gamma_constraint=None,
        **kwargs,
    ):
        checks.positive(epsilon=epsilon)
        if isinstance(axis, numbers.Integral):
            axis = int(axis)
        elif not isinstance(axis, (list, tuple)):
            raise ValueError(
                "`axis` must be an int or a list of int; pass `epsilon` by "
                f"name. Received axis={axis!r}."
            )
        super().__init__(
            axis,
            epsilon,
            checks.boolean(center=center),
            checks.boolean(scale=scale),
            beta_initializer,
            gamma_initializer,
            beta_regularizer,
            gamma_regularizer,
            beta_constraint,
            gamma_constraint,
            **kwargs,
        )

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
    @ops.custom_gradient
    def normalize(x):  # (Only x: in a graph, arguments become float32.)
        x = x - _mean(x)
        scale = ops.rsqrt(_mean(x * x) + epsilon)
        n = x * scale

        def gradient(s):
            return (s - _mean(s) - n * _mean(s * n)) * scale

        return n, gradient

    return normalize(x)


def _mean(x):
    return ops.mean(x, axis=-1, keepdims=True)
