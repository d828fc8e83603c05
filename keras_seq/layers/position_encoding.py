"""Positional encoding: sines and cosines of the position of each token.

A recurrent network reads tokens in their order. Attention ignores order: if the
input tokens are permuted, the outputs are permuted in the same way
(permutation equivariance). So the position of each token is added to its vector
before the first block: as sines and cosines of many wavelengths, which are
defined for positions beyond those of training too, or as an embedding that is
learned for each position (`PositionEmbedding` in `embedding.py`). Or nothing
is added, and queries and keys are rotated by an angle that grows with the
position (rotary position embedding, RoPE): their product, the attention score,
then depends on the distance of the two positions alone.

    PE(p, 2i)     = sin(p / 10000^(2i/D))
    PE(p, 2i + 1) = cos(p / 10000^(2i/D))
    x_p <- x_p + PE(p)                    # or + P[p], learned

    rotary, for each pair (a, b) = (q_i, q_{i + K/2}) and angle t = p w_i:
    (a, b) <- (a cos t - b sin t, b cos t + a sin t),   w_i = 10000^(-2i/K)

A patch of an image has two positions, its column c and its row r. Each gets
half of the width, all sines before all cosines:

    w_i      = 10000^(-i / (D/4 - 1))     # i = 0 ... D/4 - 1
    PE(c, r) = [sin(c w); cos(c w); sin(r w); cos(r w)]

Shapes: B batch, T length, D width, H heads, K head width.
Paper: Vaswani et al. (2017), arXiv:1706.03762, section 3.5; of patches: Beyer,
    Zhai & Kolesnikov (2022), arXiv:2205.01580, after Chen, Xie & He (2021),
    arXiv:2104.02057, section 5; rotary: Su et al. (2021), arXiv:2104.09864,
    eq. (13)-(15), (34).
Differs from the paper: patches are encoded as in Beyer's code; Chen's divides i
    by D/4, not D/4 - 1: its longest wavelength is shorter. Su rotates the pairs
    (q_2i, q_2i+1); here the two halves of a head are paired, as in GPT-NeoX,
    Llama and KerasHub.
"""

import math

import keras
import numpy as np
from keras import ops

from keras_seq import checks

POSITION_ENCODINGS = ("sinusoidal", "learned", "none")


def sinusoidal_positions(positions, units, max_wavelength=10000):
    """Encode positions by sines and cosines of many wavelengths.

    Args:
        positions: int or float (...,).
        units: int > 0, width D of the encoding.
        max_wavelength: float > 0, base of the wavelengths, which grow from 2
            pi towards 2 pi times this. Default 10000.
    Returns:
        float32 (..., D), sines at even indices, cosines at odd ones.
    Raises:
        ValueError: if `units` is not an int > 0.
    Example:
        >>> tuple(sinusoidal_positions(ops.arange(5), units=8).shape)
        (5, 8)
    """
    checks.positive_int(units=units)
    i = ops.cast(ops.arange(units), "float32")
    rate = ops.exp(-(i - i % 2) * (math.log(max_wavelength) / units))
    angle = ops.expand_dims(ops.cast(positions, "float32"), -1) * rate
    return ops.where(i % 2 == 0, ops.sin(angle), ops.cos(angle))


def sinusoidal_positions_2d(rows, columns, units):
    """Encode the positions of a grid by sines and cosines.

    Args:
        rows: int > 0, number of rows of the grid.
        columns: int > 0, number of columns of the grid.
        units: int > 0, width D of the encoding, a multiple of 4.
    Returns:
        float32 (rows * columns, D), row by row: sines and cosines of the
        column, then of the row.
    Raises:
        ValueError: if an argument is not an int > 0, or 4 does not divide
            `units`.
    Example:
        >>> tuple(sinusoidal_positions_2d(rows=2, columns=3, units=8).shape)
        (6, 8)
    """
    checks.positive_int(rows=rows, columns=columns, units=units)
    if units % 4:
        raise ValueError(
            "`units` must be a multiple of 4: sines and cosines, of the column "
            f"and of the row. Received units={units}."
        )
    i = ops.cast(ops.arange(units // 4), "float32")
    rate = ops.exp(-i * (math.log(10000.0) / max(units // 4 - 1, 1)))
    patch = ops.arange(rows * columns)
    x, y = (
        ops.cast(position, "float32")[:, None] * rate
        for position in (patch % columns, patch // columns)
    )
    return ops.concatenate([ops.sin(x), ops.cos(x), ops.sin(y), ops.cos(y)], 1)


def interpolated_positions(table, old, new):
    """Interpolate learned positions of a grid to a grid of another size.

    By cubic convolution, as PyTorch does it: Keys (1981), "Cubic convolution
    interpolation for digital image processing", IEEE Trans. ASSP 29(6), eq.
    (8), with a = -0.75; beyond the border, the border is repeated.

    Args:
        table: float (T, D), NumPy array, a vector for each position of the
            grid, row by row. Vectors in front of them, such as that of a class
            token, are not changed.
        old: two ints > 0, rows and columns of the grid of `table`.
        new: two ints > 0, rows and columns of the grid to return.
    Returns:
        float (T', D), NumPy array.
    Raises:
        ValueError: if `table` has fewer rows than the grid has positions.
    """
    before = len(table) - math.prod(old)
    if before < 0:
        raise ValueError(
            f"`table` must have a row for each position of {tuple(old)}. "
            f"Received {len(table)} rows."
        )
    grid = table[before:].reshape(*old, -1)
    row_weights, column_weights = map(_cubic, old, new)
    grid = np.einsum(
        "yr,rcd,xc->yxd", row_weights, grid, column_weights, optimize=True
    )
    positions = grid.reshape(math.prod(new), -1)
    return np.concatenate([table[:before], positions])


def _cubic(old, new, a=-0.75):
    """Compute the weights of old positions for each new one: (new, old)."""
    center = (np.arange(new) + 0.5) * (old / new) - 0.5
    weights = np.zeros((new, old))
    for step in (-1, 0, 1, 2):
        near = np.floor(center) + step
        d = np.abs(center - near)
        inner = ((a + 2) * d - (a + 3)) * d**2 + 1
        outer = a * (((d - 5) * d + 8) * d - 4)
        edge = np.clip(near, 0, old - 1).astype(int)
        weights[np.arange(new), edge] += np.where(d <= 1, inner, outer)
    return weights


@keras.saving.register_keras_serializable("keras_seq")
class SinePositionEncoding(keras.layers.Layer):
    """Encode each position by sines and cosines of many wavelengths.

    Args:
        max_wavelength: float > 0, base of the wavelengths, which grow from 2
            pi towards 2 pi times this. Default 10000.
    Call arguments:
        x: float (B, T, D), the vectors that the encoding is to be added to.
        positions: optional int (B, T). Default: 0 to T - 1.
    Returns:
        float (B, T, D), the encoding without x.
    Raises:
        ValueError: if an argument is outside its range, or x is not (B, T,
            D).
    Example:
        >>> x = ops.ones((2, 5, 8))
        >>> y = x + SinePositionEncoding()(x)
        >>> tuple(y.shape)
        (2, 5, 8)
    """

    def __init__(self, max_wavelength=10000, **kwargs):
        super().__init__(**kwargs)
        checks.positive(max_wavelength=max_wavelength)
        self.max_wavelength = max_wavelength
        self.supports_masking = True

    def call(self, x, positions=None):
        if len(x.shape) != 3:
            raise ValueError(
                f"`x` must be (B, T, D). Received x of shape {tuple(x.shape)}."
            )
        if positions is None:
            positions = ops.arange(ops.shape(x)[1])[None]
        encoding = sinusoidal_positions(
            positions, x.shape[-1], self.max_wavelength
        )
        return ops.broadcast_to(ops.cast(encoding, x.dtype), ops.shape(x))

    def get_config(self):
        own = {"max_wavelength": self.max_wavelength}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable("keras_seq")
class RotaryEmbedding(keras.layers.Layer):
    """Rotate queries or keys by the angle of their position.

    `MultiHeadAttention(rotary=True)` applies it to both.

    Args:
        max_wavelength: float > 0, base of the wavelengths, which grow from 2
            pi towards 2 pi times this. Default 10000.
    Call arguments:
        x: float (B, T, H, K) or (B, T, K), K even.
        positions: optional int (B, T). Default: 0 to T - 1.
    Returns:
        float of the shape of x; each vector keeps its length.
    Raises:
        ValueError: if `max_wavelength` is not > 0, or x has another rank or an
            odd K.
    Example:
        >>> rotary = RotaryEmbedding()
        >>> q, k = np.ones((2, 1, 6, 4, 8), "float32")  # all tokens are equal
        >>> q, k = rotary(q), rotary(k)
        >>> score = [float(ops.sum(q[0, i, 0] * k[0, j, 0]))
        ...          for i, j in ((2, 1), (5, 4))]  # equal distances
        >>> bool(abs(score[0] - score[1]) < 1e-5)
        True
    """

    def __init__(self, max_wavelength=10000, **kwargs):
        super().__init__(**kwargs)
        checks.positive(max_wavelength=max_wavelength)
        self.max_wavelength = max_wavelength
        self.supports_masking = True

    def call(self, x, positions=None):
        rank, K = len(x.shape), x.shape[-1]
        if rank not in (3, 4) or K % 2:
            raise ValueError(
                "`x` must be (B, T, H, K) or (B, T, K), K even. Received x of "
                f"shape {tuple(x.shape)}."
            )
        if positions is None:
            positions = ops.arange(ops.shape(x)[1])[None]
        i = ops.arange(K // 2, dtype="float32")
        rate = ops.exp(i * (-2 * math.log(self.max_wavelength) / K))
        angle = ops.expand_dims(ops.cast(positions, "float32"), -1) * rate
        if rank == 4:  # the same in all heads
            angle = ops.expand_dims(angle, axis=2)
        sin, cos = (ops.cast(f(angle), x.dtype) for f in (ops.sin, ops.cos))
        a, b = ops.split(x, 2, axis=-1)
        return ops.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1)

    def get_config(self):
        own = {"max_wavelength": self.max_wavelength}
        return {**super().get_config(), **own}
