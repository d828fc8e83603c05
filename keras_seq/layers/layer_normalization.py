"""Layer normalization: each vector by itself, to mean 0 and variance 1.

In a deep stack the sums grow, each layer's input drifts as those below it
learn, and with it the size of every step. The norm takes mean and spread out
of each vector, whatever else is in the batch, and gives the layer two vectors
of its own to put back what it needs.

    n = (x - mean(x)) / sqrt(var(x) + epsilon)     # over the width
    y = gamma * n + beta

Backwards, with s the gradient at n, it takes out the same two things again,
the mean of s and what of s points along n: neither can change n.

    dx = (s - mean(s) - n * mean(s * n)) / sqrt(var(x) + epsilon)

Shapes: ... any axes, D width.
Paper: Ba, Kiros & Hinton (2016), arXiv:1607.06450, eq. (4).
Differs from the paper: epsilon, against a division by zero.
"""

import keras
from keras import ops

from keras_seq import checks


@keras.saving.register_keras_serializable("keras_seq")
class LayerNormalization(keras.layers.LayerNormalization):
    """Norm the last axis, as Keras does; on TensorFlow with a short gradient.

    TensorFlow differentiates operation by operation, each a pass over the
    tensor; written out, the gradient takes fewer. JAX and PyTorch join them by
    themselves: there it is Keras's layer.

    Args:
        epsilon: float > 0, added to the variance. Default 1e-5.
        kwargs: initializers, regularizers and constraints of gamma and beta,
            as Keras's layer has them.
    Call arguments:
        inputs: float (..., D).
    Returns:
        float (..., D), computed in float32 at least.
    Raises:
        ValueError: if `epsilon` is not > 0.
    """

    def __init__(self, epsilon=1e-5, **kwargs):
        checks.positive(epsilon=epsilon)
        super().__init__(
            axis=-1, epsilon=epsilon, center=True, scale=True, **kwargs
        )

    def call(self, inputs):
        if keras.backend.backend() != "tensorflow":
            return super().call(inputs)
        dtype = keras.backend.result_type(inputs.dtype, "float32")
        n = _norm(ops.cast(inputs, dtype), self.epsilon)
        y = n * ops.cast(self.gamma, dtype) + ops.cast(self.beta, dtype)
        return ops.cast(y, self.compute_dtype)

    def get_config(self):
        fixed = ("axis", "center", "scale", "rms_scaling")
        config = super().get_config()
        return {key: config[key] for key in config if key not in fixed}


def _norm(x, epsilon):
    @ops.custom_gradient
    def norm(x):  # (What it is given becomes float32 in a graph: only x.)
        x = x - _mean(x)
        scale = ops.rsqrt(_mean(x * x) + epsilon)
        n = x * scale

        def gradient(s):
            return (s - _mean(s) - n * _mean(s * n)) * scale

        return n, gradient

    return norm(x)


def _mean(x):
    return ops.mean(x, axis=-1, keepdims=True)
