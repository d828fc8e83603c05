"""Positions: tell each word its place, which attention cannot see.

To a recurrent network, the order of the words is the order of its steps. To
attention a sentence is a bag: exchange two words, and the same vectors come
out, exchanged. So each vector is told its place before anything looks at it:
by waves of many lengths, which also reach places never seen in training, or
by a vector learned for each place.

    PE(p, 2i)     = sin(p / 10000^(2i/D))
    PE(p, 2i + 1) = cos(p / 10000^(2i/D))
    x_p <- x_p + PE(p)                    # or + P[p], learned

Shapes: B batch, T length, D width.
Paper: Vaswani et al. (2017), arXiv:1706.03762, section 3.5; learned: Gehring
    et al. (2017), arXiv:1705.03122, section 3.1.
Differs from the paper: nothing.
"""

import math

import keras
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


@keras.saving.register_keras_serializable("keras_seq")
class PositionalEncoding(keras.layers.Layer):
    """Add to each vector what tells its place.

    Args:
        kind: "sinusoidal", waves; "learned", a vector for each place; "none",
            nothing, for who wants to see what is then lost.
        max_length: int > 0, how many places can be learned; the waves have no
            end. Default 512.
    Call arguments:
        x: float (B, T, D).
        positions: optional int (B, T). Default: 0 to T - 1.
    Returns:
        float (B, T, D).
    Raises:
        ValueError: if an argument is outside its range, or x is longer than
            what was learned. (Where a compiled function does not know the
            length, places beyond it become NaN.)
    """

    def __init__(self, kind="sinusoidal", max_length=512, **kwargs):
        super().__init__(**kwargs)
        checks.one_of(POSITIONS, kind=kind)
        checks.positive_int(max_length=max_length)
        self.kind, self.max_length = kind, max_length
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
            told = ops.take(table, ops.minimum(positions, most - 1), axis=0)
            known = (positions < most)[..., None]
            told = ops.where(known, told, float("nan"))
        return x + ops.cast(told, x.dtype)

    def get_config(self):
        own = {"kind": self.kind, "max_length": self.max_length}
        return {**super().get_config(), **own}
