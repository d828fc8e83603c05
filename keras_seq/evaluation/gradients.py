"""Vanishing gradients: the gradient of the last state by the lag of the input.

A network trained by gradient descent can only learn a long-term dependency if
the gradient of the last state with respect to the early input is not too
small. Backpropagation through time gives this gradient: a product of k
Jacobians, which shrinks (vanishing gradient) or grows (exploding gradient)
exponentially with k:

    dh_T / dx_{T-k} = J_T J_{T-1} ... J_{T-k+1} dh_{T-k} / dx_{T-k}
    lag k = sqrt(mean_b |d(v_b . h_T) / dx_{T-k}|^2),   |v_b| = 1, random

Shapes: B batch, T length, D input width.
Papers: Bengio, Simard & Frasconi (1994), "Learning long-term dependencies
    with gradient descent is difficult", IEEE Trans. Neural Networks 5(2),
    section III; Pascanu, Mikolov & Bengio (2013), arXiv:1211.5063, eq. (5).
Differs from the papers: the Jacobian is projected on one random direction per
    row; its Frobenius norm is sqrt(units) times as large on average.
"""

import keras
import numpy as np
from keras import ops

from keras_seq import checks


def gradient_by_lag(layer, x, seed=0):
    """Compute the norm of the gradient of the last state at each lag.

    Args:
        layer: callable, float (B, T, D) -> float (B, units): a recurrent
            layer that returns its last state and is not stateful, or any
            function. Called once to build, once for the gradient.
        x: float (B, T, D), inputs; the result is averaged over B.
        seed: int >= 0, seed of the random directions v. Default 0.
    Returns:
        float32 numpy (T,): entry k is the root mean square norm of the
        gradient with respect to x_{T-k}; entry 0 belongs to the last input.
    Raises:
        ValueError: if `x` is not (B, T, D) or `layer` does not return
            (B, units).
    Example:
        >>> layer = keras.layers.LSTM(4)
        >>> gradient_by_lag(layer, np.ones((2, 7, 3))).shape
        (7,)
    """
    x = np.asarray(ops.convert_to_numpy(x), "float32")
    if x.ndim != 3 or 0 in x.shape:
        raise ValueError(f"`x` must be (B, T, D). Received shape={x.shape}.")
    checks.not_negative_int(seed=seed)
    shape = tuple(layer(ops.convert_to_tensor(x)).shape)
    if len(shape) != 2 or shape[0] != len(x):
        raise ValueError(
            "`layer` must return the last state (B, units). Received an output "
            f"of shape={shape} for x of shape={x.shape}."
        )
    v = np.random.default_rng(seed).normal(size=shape).astype("float32")
    v /= np.linalg.norm(v, axis=-1, keepdims=True)
    v = ops.convert_to_tensor(v)

    def along_v(x):  # rows do not mix: each has its own v_b . h_T
        return ops.sum(v * ops.cast(layer(x), "float32"))

    gradient = input_gradient(along_v, x)  # (B, T, D)
    square = np.sum(np.square(gradient, dtype="float64"), axis=-1)
    return np.sqrt(np.mean(square, axis=0))[::-1].astype("float32")


def input_gradient(function, x):
    """Compute the gradient of a function with respect to its input.

    Args:
        function: callable, float tensor -> float scalar tensor.
        x: float array of any shape.
    Returns:
        numpy array in the shape of x.
    Example:
        >>> x = np.array([1.0, 2.0], "float32")
        >>> input_gradient(lambda x: ops.sum(x * x), x).tolist()
        [2.0, 4.0]
    """
    x = ops.convert_to_tensor(x)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
        gradient = tape.gradient(y, x)
    elif keras.backend.backend() == "jax":
        import jax

        gradient = jax.grad(function)(x)
    else:
        import torch

        x = x.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(function(x), x)
    return ops.convert_to_numpy(gradient)
