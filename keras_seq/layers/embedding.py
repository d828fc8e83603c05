"""Embedding: each token id becomes a vector.

A network computes with numbers, so a token id is turned into a vector. An
embedding is a learned table in which tokens that occur in similar contexts get
similar vectors. It equals the one-hot vector (`one_hot.py`) times a matrix,
computed as the lookup of a row. A model's output layer can use the same table
(weight tying: tied embeddings); a second table can hold a vector for each
position. The texts of a batch, which are processed together, are padded to one
length; a padding mask marks the real tokens.

    x_t = E[id_t]  =  onehot(id_t) @ E       # TokenEmbedding
    logits_t = h_t @ E^T                     # TokenEmbedding.logits, tied
    x_t <- x_t + P[t]                        # PositionEmbedding

Shapes: B batch, T length, V vocabulary, D width.
Paper: Bengio, Ducharme, Vincent & Jauvin (2003), JMLR 3, section 2; tied
    logits: Press & Wolf (2017), arXiv:1608.05859; scaling by sqrt(D):
    Vaswani et al. (2017), arXiv:1706.03762, section 3.4; positions: Gehring
    et al. (2017), arXiv:1705.03122, section 3.1.
Differs from the paper: nothing.
"""

import keras
import numpy as np
from keras import ops

from keras_seq import checks

# Arguments of Keras's layer that `TokenEmbedding` does not offer; `pad_id`
# stands for `mask_zero`.
FIXED = {"tie_weights": True, "mask_zero": False}
FIXED |= {"reverse_dtype": None, "logit_soft_cap": None}


def padding_mask(ids, pad_id=0):
    """Mark the real tokens of a batch.

    Args:
        ids: int (B, S).
        pad_id: optional int, the id of padding. Default 0; None if every id is
            a real token.
    Returns:
        bool (B, S), True where a token is real. For attention scores of shape
        (B, H, T, S), use `mask[:, None, None, :]`.
    Raises:
        ValueError: if `ids` are not of rank 2.
    Example:
        >>> mask = keras_seq.layers.padding_mask(np.array([[5, 3, 0]]))
        >>> ops.convert_to_numpy(mask).tolist()
        [[True, True, False]]
    """
    if len(ids.shape) != 2:
        raise ValueError(
            f"`ids` must have shape (B, S). Received {tuple(ids.shape)}."
        )
    if pad_id is None:
        return ops.ones_like(ids, dtype="bool")
    return ops.not_equal(ids, pad_id)


def position_ids(mask):
    """Number the real tokens of each row from 0.

    Args:
        mask: bool (B, T), True where a token is real.
    Returns:
        int (B, T); padding has the position of the token before it, or 0.
    """
    count = ops.cumsum(ops.cast(mask, "int32"), axis=1)
    return ops.maximum(count - 1, 0)


class TokenLayer(keras.layers.Layer):
    """Base class of `TokenEmbedding` and `OneHot`: integer ids as input."""

    def __init__(self, vocabulary_size, pad_id, **kwargs):
        super().__init__(**kwargs)
        vocabulary_size = checks.positive_int(vocabulary_size=vocabulary_size)
        self.vocabulary_size = vocabulary_size
        self.pad_id = checks.padding(vocabulary_size, pad_id)
        self.autocast = False  # half precision would round the ids

    def __call__(self, ids, *args, **kwargs):
        values = self.concrete(ids)
        if values is not None:
            checks.ids(self.vocabulary_size, ids=values)
        return super().__call__(ids, *args, **kwargs)

    def concrete(self, ids):
        """Return the ids as a NumPy array, or None if they cannot be read."""
        if isinstance(ids, (np.ndarray, list)):
            return np.asarray(ids)
        if keras.backend.backend() == "torch":  # it would break torch.compile
            return None
        try:
            return np.asarray(ids)
        except (TypeError, ValueError, NotImplementedError):
            return None  # symbolic, or traced for a compiled function

    def as_int(self, ids):
        dtype = keras.backend.standardize_dtype(ids.dtype)
        if dtype in ("float16", "bfloat16"):
            raise ValueError(
                f"`ids` must not be {dtype}, which rounds large ids. Declare "
                "keras.Input(..., dtype='int32'). Received ids of dtype "
                f"{dtype}."
            )
        # TensorFlow looks up int32 and int64 only.
        return ids if dtype in ("int32", "int64") else ops.cast(ids, "int32")

    def compute_mask(self, ids, previous_mask=None):
        if self.pad_id is None:
            return previous_mask
        return ops.not_equal(ids, self.pad_id)  # (B, T)

    def get_config(self):
        ids = {"vocabulary_size": self.vocabulary_size, "pad_id": self.pad_id}
        return {**super().get_config(), **ids}


@keras.saving.register_keras_serializable("keras_seq")
class TokenEmbedding(TokenLayer, keras.layers.ReversibleEmbedding):
    """Look up the vector of each id in a table; compute tied logits.

    A `keras.layers.ReversibleEmbedding`; `logits(h)` is its `reverse=True`.

    Args:
        vocabulary_size: int > 0, number of rows V of the table.
        embedding_dim: int > 0, width D of each vector.
        scale: bool, multiply the vectors by sqrt(embedding_dim) as the
            Transformer does. Default False.
        pad_id: optional int in [0, vocabulary_size), the id of padding, whose
            steps are masked for the following layers. Default 0; None if every
            id is a real token.
        embeddings_initializer: as in `keras.layers.Embedding`. Default
            "uniform", between -0.05 and 0.05.
        embeddings_regularizer: optional, as there. Default None.
        embeddings_constraint: optional, as there. Default None.
    Call arguments:
        ids: int (B, T), each in [0, vocabulary_size). An id outside raises a
            ValueError in a NumPy array or a list and, except on PyTorch, in an
            eager tensor. Elsewhere, as in a compiled model, the backend
            decides: a negative id counts from the end; one beyond gives NaN on
            JAX, zeros or an error on TensorFlow, an error on PyTorch.
    Returns:
        float (B, T, embedding_dim).
    Raises:
        ValueError: if a size is not an int > 0, `pad_id` or an id is outside
            the vocabulary, or the ids have half precision.
    Example:
        >>> layer = keras_seq.layers.TokenEmbedding(10, 4)
        >>> x = layer(np.array([[2, 7, 0]]))
        >>> tuple(x.shape), tuple(layer.logits(x).shape)
        ((1, 3, 4), (1, 3, 10))
    """

    def __init__(
        self,
        vocabulary_size,
        embedding_dim,
        *,
        scale=False,
        pad_id=0,
        embeddings_initializer="uniform",
        **kwargs,
    ):
        checks.given(embeddings_initializer=embeddings_initializer)
        super().__init__(
            vocabulary_size,
            pad_id,
            input_dim=checks.positive_int(vocabulary_size=vocabulary_size),
            output_dim=checks.positive_int(embedding_dim=embedding_dim),
            embeddings_initializer=embeddings_initializer,
            **FIXED,
            **kwargs,
        )
        self.supports_masking = True  # Keras's layer does so by `mask_zero`
        self.embedding_dim = self.output_dim
        self.scale = checks.boolean(scale=scale)
        self.factor = self.output_dim**0.5 if scale else 1.0

    def add_weight(self, *args, name=None, **kwargs):
        if name == "embeddings":  # a cast would copy the table in each lookup
            kwargs["autocast"] = False
        return super().add_weight(*args, name=name, **kwargs)

    def call(self, ids):
        ids = self.as_int(ids)
        if keras.backend.backend() != "tensorflow":
            x = ops.take(self.embeddings, ids, axis=0)
            return ops.cast(x, self.compute_dtype) * self.factor
        # TensorFlow's gradient of a lookup is a list of rows in which an id
        # that occurs n times has n rows. Adam squares the rows before it adds
        # them, and steps sqrt(n) times too far. The lookup in a product has a
        # dense gradient, so that all backends agree.
        table = ops.cast(self.embeddings, self.compute_dtype)
        return ops.take(ops.multiply(table, self.factor), ids, axis=0)

    def quantized_call(self, ids):
        return super().quantized_call(self.as_int(ids)) * self.factor

    def logits(self, h):
        """Compute tied logits h @ E^T: float (..., D) -> (..., V)."""
        h = ops.cast(h, self.compute_dtype)
        if self.quantization_mode is not None:
            y = super().quantized_call(h, reverse=True)
            if self.lora_enabled:  # Keras leaves it out
                change = self.lora_embeddings_a @ self.lora_embeddings_b
                change = ops.cast(ops.transpose(change), h.dtype)
                y = y + h @ change * (self.lora_alpha / self.lora_rank)
            return y
        table = ops.cast(self.embeddings, self.compute_dtype)
        return ops.matmul(h, ops.transpose(table))

    def compute_output_shape(self, input_shape):
        return (*input_shape, self.embedding_dim)

    def quantize(self, mode=None, type_check=True, config=None):
        super().quantize(mode, type_check=False, config=config)

    def get_config(self):
        config = super().get_config()
        for name in ("input_dim", "output_dim", *FIXED):
            del config[name]
        return {**config, "embedding_dim": self.output_dim, "scale": self.scale}


@keras.saving.register_keras_serializable("keras_seq")
class PositionEmbedding(keras.layers.Layer):
    """Encode each position by a vector that is learned.

    Args:
        sequence_length: int > 0, number of positions.
        initializer: initializer of the vectors. Default "glorot_uniform".
    Call arguments:
        x: float (B, T, D), the vectors that the embedding is to be added to.
        positions: optional int (B, T). Default: 0 to T - 1.
    Returns:
        float (B, T, D), the embedding without x; NaN at positions outside [0,
        sequence_length).
    Raises:
        ValueError: if `sequence_length` is not an int > 0, or x is not (B, T,
            D), or T is known and greater than `sequence_length`.
    Example:
        >>> layer = PositionEmbedding(sequence_length=7)
        >>> x = ops.ones((2, 5, 8))
        >>> tuple((x + layer(x)).shape)
        (2, 5, 8)
        >>> tuple(layer.embeddings.shape)
        (7, 8)
    """

    def __init__(self, sequence_length, initializer="glorot_uniform", **kwargs):
        super().__init__(**kwargs)
        self.sequence_length = checks.positive_int(
            sequence_length=sequence_length
        )
        self.initializer = keras.initializers.get(initializer)
        self.supports_masking = True

    def build(self, x_shape):
        self.embeddings = self.add_weight(
            name="embeddings",
            shape=(self.sequence_length, x_shape[-1]),
            initializer=self.initializer,
        )

    def _check_input(self, x):
        if len(x.shape) != 3:
            raise ValueError(
                f"`x` must be (B, T, D). Received x of shape {tuple(x.shape)}."
            )
        length = x.shape[1]
        if keras.backend.backend() == "torch" and x.device.type == "meta":
            return  # shape inference, which makes up an unknown length
        if isinstance(length, int) and length > self.sequence_length:
            raise ValueError(
                "`sequence_length` (`max_sequence_length` of a model) must be "
                "at least the length T of the input. Received "
                f"sequence_length={self.sequence_length} and T={length}."
            )

    def call(self, x, positions=None):
        self._check_input(x)
        if positions is None:
            positions = ops.arange(ops.shape(x)[1])[None]
        # A product has a dense gradient: see `TokenEmbedding.call`.
        table, size = ops.multiply(self.embeddings, 1.0), self.sequence_length
        vectors = ops.take(table, ops.clip(positions, 0, size - 1), axis=0)
        known = (positions >= 0) & (positions < size)
        # NaN, since a compiled function can raise no error.
        vectors = ops.where(ops.expand_dims(known, -1), vectors, float("nan"))
        return ops.broadcast_to(ops.cast(vectors, x.dtype), ops.shape(x))

    def get_config(self):
        return {
            **super().get_config(),
            "sequence_length": self.sequence_length,
            "initializer": keras.initializers.serialize(self.initializer),
        }
