"""Embedding: a token is a point in space, not a row of zeros and one 1.

A network reads numbers, so a token id becomes a vector. One-hot vectors need
no learning, but every two words are equally far apart and the width is the
vocabulary. A learned table puts words that behave alike close together; it
is the one-hot vector times a matrix, done by looking up a row. Texts in a
batch are filled up to one length; which ids are such padding is told here.

    x_t = onehot(id_t)                       # OneHot
    x_t = E[id_t]  =  onehot(id_t) @ E       # TokenEmbedding
    logits_t = h_t @ E^T                     # TokenEmbedding.logits, tied

Shapes: B batch, T length, V vocabulary, D width.
Paper: Bengio, Ducharme, Vincent & Jauvin (2003), JMLR 3, section 2; tied
    logits: Press & Wolf (2017), arXiv:1608.05859; scaling by sqrt(D):
    Vaswani et al. (2017), arXiv:1706.03762, section 3.4.
Differs from the paper: nothing.
"""

import keras
from keras import ops

from keras_seq import checks


def padding_mask(ids, pad_id=0):
    """Tell the real tokens from padding.

    Args:
        ids: int (B, S).
        pad_id: int, the id that means padding, default 0; None where every
            id is a real token.
    Returns:
        bool (B, S), True where a token is real. For scores of (B, H, T, S),
        take `mask[:, None, None, :]`.
    Raises:
        ValueError: if `ids` are not of rank 2.
    """
    if len(ids.shape) != 2:
        raise ValueError(
            f"`ids` must have shape (B, S). Received {tuple(ids.shape)}."
        )
    if pad_id is None:
        return ops.ones_like(ids, dtype="bool")
    return ops.not_equal(ids, pad_id)


class _TokenLayer(keras.layers.Layer):
    """What both layers share: integer ids in, and a mask of the padding."""

    def __init__(self, vocabulary_size, pad_id, **kwargs):
        super().__init__(**kwargs)
        vocabulary_size = checks.positive_int(vocabulary_size=vocabulary_size)
        self.vocabulary_size = vocabulary_size
        self.pad_id = checks.padding(vocabulary_size, pad_id)
        self.autocast = False  # half precision would round the ids

    def whole(self, ids):
        dtype = keras.backend.standardize_dtype(ids.dtype)
        if dtype in ("float16", "bfloat16"):
            raise ValueError(
                f"`ids` must not be {dtype}, which rounds large ids. Declare "
                "keras.Input(..., dtype='int32'). Received ids of dtype "
                f"{dtype}."
            )
        known = dtype in ("int32", "int64")  # TensorFlow looks up no others
        return ids if known else ops.cast(ids, "int32")

    def compute_mask(self, ids, previous_mask=None):
        if self.pad_id is None:
            return previous_mask
        return ops.not_equal(ids, self.pad_id)  # (B, T)

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "pad_id": self.pad_id,
        }


@keras.saving.register_keras_serializable("keras_seq")
class OneHot(_TokenLayer):
    """Turn each id into a row of zeros with a single one.

    Args:
        vocabulary_size: int > 0, number of ids V.
        pad_id: optional int in [0, vocabulary_size), the id that means padding;
            its steps are masked for the layers that follow. Default None.
    Call arguments:
        ids: int (B, T), each in [0, vocabulary_size).
    Returns:
        float (B, T, vocabulary_size).
    Raises:
        ValueError: if `vocabulary_size` is no int > 0, `pad_id` is outside, or
            the ids come in half precision.
    """

    def __init__(self, vocabulary_size, pad_id=None, **kwargs):
        super().__init__(vocabulary_size, pad_id, **kwargs)

    def call(self, ids):
        ids = self.whole(ids)
        return ops.one_hot(ids, self.vocabulary_size, dtype=self.compute_dtype)

    def compute_output_shape(self, ids_shape):
        return (*ids_shape, self.vocabulary_size)


@keras.saving.register_keras_serializable("keras_seq")
class TokenEmbedding(_TokenLayer):
    """Look each id up in a learned table; used backwards, give logits.

    Args:
        vocabulary_size: int > 0, number of rows V of the table.
        units: int > 0, width D of each vector.
        scale: bool, multiply the vectors by sqrt(units) as the Transformer
            does. Default False.
        pad_id: optional int in [0, vocabulary_size), the id that means padding;
            its steps are masked for the layers that follow. Default 0; None
            where every id is a real token.
        embeddings_initializer: as in `keras.layers.Embedding`; default
            "uniform", between -0.05 and 0.05.
        embeddings_regularizer, embeddings_constraint: optional, likewise.
    Call arguments:
        ids: int (B, T), each in [0, vocabulary_size).
    Returns:
        float (B, T, units).
    Raises:
        ValueError: if a size is no int > 0, `pad_id` is outside, or the
            ids come in half precision.
    """

    def __init__(
        self,
        vocabulary_size,
        units,
        *,
        scale=False,
        pad_id=0,
        embeddings_initializer="uniform",
        embeddings_regularizer=None,
        embeddings_constraint=None,
        **kwargs,
    ):
        super().__init__(vocabulary_size, pad_id, **kwargs)
        self.units = checks.positive_int(units=units)
        self.scale = scale
        self.initializer = keras.initializers.get(embeddings_initializer)
        self.regularizer = keras.regularizers.get(embeddings_regularizer)
        self.constraint = keras.constraints.get(embeddings_constraint)

    def build(self, ids_shape=None):
        self.embeddings = self.add_weight(
            name="embeddings",
            shape=(self.vocabulary_size, self.units),
            initializer=self.initializer,
            regularizer=self.regularizer,
            constraint=self.constraint,
        )

    def call(self, ids):
        ids = self.whole(ids)
        # TensorFlow's gradient of a lookup is a list of rows in which an id
        # seen n times stands n times. Adam squares those rows before it adds
        # them, and steps sqrt(n) times too far. Looking up in a product
        # makes the gradient an ordinary matrix, and every backend agrees.
        table = ops.cast(self.embeddings, self.compute_dtype)
        factor = self.units**0.5 if self.scale else 1.0
        return ops.take(ops.multiply(table, factor), ids, axis=0)

    def logits(self, h):
        """Score every token by its vector: float (..., D) -> (..., V)."""
        h = ops.cast(h, self.compute_dtype)
        table = ops.cast(self.embeddings, self.compute_dtype)
        return ops.matmul(h, ops.transpose(table))

    def compute_output_shape(self, ids_shape):
        return (*ids_shape, self.units)

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "scale": self.scale,
            "embeddings_initializer": keras.initializers.serialize(
                self.initializer
            ),
            "embeddings_regularizer": keras.regularizers.serialize(
                self.regularizer
            ),
            "embeddings_constraint": keras.constraints.serialize(
                self.constraint
            ),
        }
