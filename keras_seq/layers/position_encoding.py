"""Positions: tell each word its place, which attention cannot see.

To a recurrent network, the order of the words is the order of its steps. To
attention a sentence is a bag: exchange two words, and the same vectors come
out, exchanged. So each vector is told its place before anything looks at it:
by waves of many lengths, which also reach places never seen in training, or
by a vector learned for each place.

    PE(p, 2i)     = sin(p / 10000^(2i/D))
    PE(p, 2i + 1) = cos(p / 10000^(2i/D))
    x_p <- x_p + PE(p)                    # or + P[p], learned

A patch of an image has a place in two directions, column x and row y; each
gets half of the width, all sines before all cosines:

    w_i      = 10000^(-i / (D/4 - 1))     # i = 0 ... D/4 - 1
    PE(x, y) = [sin(x w); cos(x w); sin(y w); cos(y w)]

Shapes: B batch, T length, D width.
Paper: Vaswani et al. (2017), arXiv:1706.03762, section 3.5; learned: Gehring
    et al. (2017), arXiv:1705.03122, section 3.1; of patches: Beyer, Zhai &
    Kolesnikov (2022), arXiv:2205.01580, after Chen, Xie & He (2021),
    arXiv:2104.02057, section 5.
Differs from the paper: nothing from Beyer's code; in that of Chen it is D/4
    which divides i, so that the longest wave is a little shorter.
"""

import math

import keras
import numpy as np
from keras import ops

from keras_seq import checks

POSITIONS = ("sinusoidal", "learned", "none")


def sinusoidal_positions(positions, units):
    """Tell each position by waves of many lengths.

    Args:
        positions: int or float (...,).
        units: int > 0, D.
    Returns:
        float32 (..., D), sines at the even places, cosines at the odd.
    Raises:
        ValueError: if `units` is no int > 0.
    """
    checks.positive_int(units=units)
    i = ops.cast(ops.arange(units), "float32")
    rate = ops.exp(-(i - i % 2) * (math.log(10000.0) / units))
    angle = ops.cast(positions, "float32")[..., None] * rate
    return ops.where(i % 2 == 0, ops.sin(angle), ops.cos(angle))


def sinusoidal_positions_2d(rows, columns, units):
    """Tell each place of a grid by waves along it and waves down it.

    Args:
        rows, columns: int > 0, of the grid.
        units: int > 0, D, a multiple of 4.
    Returns:
        float32 (rows * columns, D), row by row: sines and cosines of the
        column, then of the row.
    Raises:
        ValueError: if an argument is no int > 0, or 4 does not divide `units`.
    """
    checks.positive_int(rows=rows, columns=columns, units=units)
    if units % 4:
        raise ValueError(
            "`units` must be a multiple of 4: sines and cosines, of the column "
            f"and of the row. Received units={units}."
        )
    i = ops.cast(ops.arange(units // 4), "float32")
    rate = ops.exp(-i * (math.log(10000.0) / max(units // 4 - 1, 1)))
    place = ops.arange(rows * columns)
    x, y = (
        ops.cast(at, "float32")[:, None] * rate
        for at in (place % columns, place // columns)
    )
    return ops.concatenate([ops.sin(x), ops.cos(x), ops.sin(y), ops.cos(y)], 1)


def position_ids(mask):
    """Number the real tokens of each row from 0.

    Args:
        mask: bool (B, T), True where a token is real.
    Returns:
        int (B, T); padding has the place of the token before it, or 0.
    """
    count = ops.cumsum(ops.cast(mask, "int32"), axis=1)
    return ops.maximum(count - 1, 0)


def interpolated_positions(table, old, new):
    """Interpolate what was learned for the places of a grid to another grid.

    By cubic convolution, as PyTorch does it: Keys (1981), "Cubic convolution
    interpolation for digital image processing", IEEE Trans. ASSP 29(6), eq.
    (8), with a = -0.75; beyond the edge, the edge goes on.

    Args:
        table: float (T, D), numpy, a row for each place, row by row; rows
            before them (of a token at no place) stay as they are.
        old, new: two ints > 0, rows and columns of each grid.
    Returns:
        float (T', D), numpy: `table` itself where the grids are alike.
    Raises:
        ValueError: if the table has too few places.
    """
    before = len(table) - math.prod(old)
    if before < 0:
        raise ValueError(
            f"`table` must have a row for each place of {tuple(old)}. Received "
            f"{len(table)} rows."
        )
    grid = table[before:].reshape(*old, -1)
    down, along = (_cubic(*sizes) for sizes in zip(old, new))
    grid = np.einsum("yr,rcd,xc->yxd", down, grid, along, optimize=True)
    places = grid.reshape(math.prod(new), -1)
    return np.concatenate([table[:before], places])


def _cubic(old, new, a=-0.75):
    """Weigh the old places for each new one: float (new, old)."""
    place = (np.arange(new) + 0.5) * (old / new) - 0.5
    weights = np.zeros((new, old))
    for step in (-1, 0, 1, 2):
        near = np.floor(place) + step
        d = np.abs(place - near)
        inner = ((a + 2) * d - (a + 3)) * d**2 + 1
        outer = a * (((d - 5) * d + 8) * d - 4)
        edge = np.clip(near, 0, old - 1).astype(int)
        weights[np.arange(new), edge] += np.where(d <= 1, inner, outer)
    return weights


@keras.saving.register_keras_serializable("keras_seq")
class PositionalEncoding(keras.layers.Layer):
    """Add to each vector what tells its place.

    Args:
        kind: "sinusoidal", waves; "learned", a vector for each place; "none",
            nothing, to see what is then lost.
        max_length: int > 0, how many places can be learned; the waves have no
            end. Default 512.
    Call arguments:
        x: float (B, T, D).
        positions: optional int (B, T). Default: 0 to T - 1.
    Returns:
        float (B, T, D).
    Raises:
        ValueError: if an argument is outside its range, or x is no (B, T, D),
            or longer than what was learned. (Where a compiled function does
            not know the length, places beyond it become NaN, and so do those
            below 0.)
    """

    def __init__(self, kind="sinusoidal", max_length=512, **kwargs):
        super().__init__(**kwargs)
        checks.one_of(POSITIONS, kind=kind)
        self.kind = kind
        self.max_length = checks.positive_int(max_length=max_length)
        self.supports_masking = True

    def build(self, x_shape):
        if self.kind == "learned":
            self.embeddings = self.add_weight(
                name="embeddings",
                shape=(self.max_length, x_shape[-1]),
                initializer=keras.initializers.RandomNormal(stddev=0.02),
            )

    def call(self, x, positions=None):
        if self.kind == "none":
            return x
        if len(x.shape) != 3:
            raise ValueError(
                f"`x` must be (B, T, D). Received x of shape {tuple(x.shape)}."
            )
        length, units = x.shape[1:]
        learned, most = self.kind == "learned", self.max_length
        if learned and isinstance(length, int) and most < length:
            raise ValueError(
                "`max_length` must be at least the length of what is read. "
                f"Received max_length={most}, {length} tokens."
            )
        if positions is None:
            positions = ops.arange(ops.shape(x)[1])[None]
        if self.kind == "sinusoidal":
            told = sinusoidal_positions(positions, units)
        else:  # beyond what was learned: no number, where no error can be
            # (A product, not the weights: see `TokenEmbedding.call`.)
            table = ops.multiply(self.embeddings, 1.0)
            told = ops.take(table, ops.clip(positions, 0, most - 1), axis=0)
            known = (positions >= 0) & (positions < most)
            told = ops.where(known[..., None], told, float("nan"))
        return x + ops.cast(told, x.dtype)

    def get_config(self):
        own = {"kind": self.kind, "max_length": self.max_length}
        return {**super().get_config(), **own}
