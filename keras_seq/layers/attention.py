"""Attention: look at everything, and take a mean weighted by relevance.

A state of fixed width has to hold a whole sentence. Attention keeps every
vector of it instead, scores each against what is wanted now, and gives their
mean, weighted by the softmax of the scores. How to score is what the next
chapters differ in; what is done with the scores is the same in all of them,
and stands here, with no weights of its own.

    a_ts = exp(e_ts) / sum_s' exp(e_ts')     # over the s' that mask keeps
    c_t  = sum_s a_ts v_s

Masks are bool, True where a token is kept. They are made once, from the ids
(`padding_mask`), and passed by name. Padding has weight 0 exactly; a query that
may look at nothing gets a context of zeros.

Shapes: B batch, T queries, S values, D width; ... any axes, such as B or B, H.
Paper: Bahdanau, Cho & Bengio (2015), arXiv:1409.0473, eq. (5)-(6); in this
    general form: Vaswani et al. (2017), arXiv:1706.03762, section 3.2.
Differs from the paper: nothing.
"""

import numbers

import keras
from keras import ops

from keras_seq import checks
from keras_seq.layers.trainable import propagate_trainable

SCORES = ("dot", "general", "concat")


def causal_mask(length, values=None):
    """Let each step see itself and what came before.

    Args:
        length: int > 0 or scalar int tensor, T.
        values: optional, likewise, S. Default T.
    Returns:
        bool (T, S), True where column <= row.
    Raises:
        ValueError: if a length is a number but no int > 0.
    """
    values = length if values is None else values
    for name, size in (("length", length), ("values", values)):
        if isinstance(size, numbers.Number):
            checks.positive_int(**{name: size})
    t, s = (ops.arange(size, dtype="int32") for size in (length, values))
    return s[None, :] <= t[:, None]


def attend(scores, values, mask=None, dropout=None):
    """Turn scores into weights, and values into their weighted mean.

    The softmax is taken in float32 at least, whatever the precision policy.

    Args:
        scores: float (..., T, S), how well each value fits each query.
        values: float (..., S, D).
        mask: optional bool, broadcast to `scores`: True where a value may be
            looked at.
        dropout: optional callable, applied to the weights before the mean.
    Returns:
        context, float (..., T, D), and weights, float (..., T, S) in the
        dtype of `values`: they sum to 1, or are all 0 where `mask` keeps
        nothing; and are exactly 0 where it keeps a value out.
    Raises:
        ValueError: if `mask` is no bool.
    """
    dtype = keras.backend.standardize_dtype(scores.dtype)
    weights = ops.cast(scores, dtype if dtype == "float64" else "float32")
    if mask is not None and not _is_bool(mask):
        raise ValueError(
            "`mask` must be bool, True where a value may be looked at. "
            f"Received a mask of dtype {mask.dtype}."
        )
    if mask is not None:
        # In float32, exp(-1e9 - max) is 0. Where all are kept out the softmax
        # is even, finite and without gradient: the zeros below end it.
        weights = ops.where(mask, weights, -1e9)
    weights = ops.softmax(weights, axis=-1)
    if mask is not None:
        weights = ops.where(mask, weights, 0.0)
    weights = ops.cast(weights, values.dtype)
    kept = weights if dropout is None else dropout(weights)
    return ops.matmul(kept, values), weights


def _is_bool(mask):
    return "bool" in str(mask.dtype)


class Attention(keras.layers.Layer):
    """Ask a memory: what every score has in common.

    A subclass gives `keys(memory)`, float (B, S, D) -> (B, S, K), what does
    not depend on who asks, and `score(query, keys)`, float (B, T, S). Call
    arguments, returns and paper stand with each of them.
    """

    def call(
        self,
        query,
        memory,
        memory_mask=None,
        keys=None,
        return_attention_scores=False,
    ):
        keys = self.keys(memory) if keys is None else keys
        mask = None if memory_mask is None else memory_mask[:, None]
        found = attend(self.score(query, keys), memory, mask)
        return found if return_attention_scores else found[0]


@keras.saving.register_keras_serializable("keras_seq")
class AdditiveAttention(Attention):
    """Score by a small network: v . tanh(query W + memory U).

    Args:
        units: int > 0, width of that network.
    Call arguments:
        query: float (B, T, Q).
        memory: float (B, S, D).
        memory_mask: optional bool (B, S), True where memory is real.
        keys: optional float (B, S, units), `layer.keys(memory)`, to reuse
            where the same memory is asked many times.
        return_attention_scores: bool, give the weights as well.
    Returns:
        context, float (B, T, D), or context and weights, float (B, T, S).
    Raises:
        ValueError: if `units` is no int > 0.
    Our names: `query_dense` holds W, `memory_dense` holds U, `scale` is v.
    """

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units = checks.positive_int(units=units)
        options = {"use_bias": False, "dtype": self.dtype_policy}
        # Not Dense: of three axes with two, TensorFlow computes a Tensordot,
        # whose gradient in a loop over sequences of unknown length XLA cannot
        # compile.
        self.query_dense = keras.layers.EinsumDense(
            "btq,qu->btu", (None, units), dtype=self.dtype_policy
        )
        self.memory_dense = keras.layers.Dense(units, **options)

    def build(self, query_shape, memory_shape):
        self.query_dense.build(query_shape)
        self.memory_dense.build(memory_shape)
        self.scale = self.add_weight(
            name="scale", shape=(self.units, 1), initializer="glorot_uniform"
        )
        propagate_trainable(self)

    def keys(self, memory):
        """Compute m_s U: float (B, S, D) -> (B, S, units)."""
        checks.built(self, "layer")
        return self.memory_dense(memory)

    def score(self, query, keys):
        """Compute e_ts: float (B, T, Q), (B, S, units) -> (B, T, S)."""
        asked = self.query_dense(query)
        v = ops.cast(self.scale[:, 0], self.compute_dtype)
        hidden = ops.tanh(asked[:, :, None] + keys[:, None])
        return ops.einsum("btsu,u->bts", hidden, v)

    def get_config(self):
        return {**super().get_config(), "units": self.units}


@keras.saving.register_keras_serializable("keras_seq")
class LuongAttention(Attention):
    """Score by a product of query and memory, or by a small network.

    Args:
        score_mode: "dot", which has no weights and wants D = Q; "general", a
            matrix between them; "concat", a network that reads both (it is
            Bahdanau's, of width Q). Default "general".
        scaled: bool, divide dot and general by sqrt(Q). Default False, as in
            the paper.
    Call arguments:
        query: float (B, T, Q).
        memory: float (B, S, D).
        memory_mask: optional bool (B, S), True where memory is real.
        keys: optional float (B, S, Q), `layer.keys(memory)`, to reuse where
            the same memory is asked many times.
        return_attention_scores: bool, give the weights as well.
    Returns:
        context, float (B, T, D), or context and weights, float (B, T, S).
    Raises:
        ValueError: if `score_mode` is unknown, or "dot" and D is not Q.
    Our names: `general` holds W_a, `concat` holds W_a in two halves and v_a.
    """

    def __init__(self, score_mode="general", scaled=False, **kwargs):
        super().__init__(**kwargs)
        checks.one_of(SCORES, score_mode=score_mode)
        if scaled and score_mode == "concat":
            raise ValueError(
                "`scaled` is for products, dot and general. Received "
                f"scaled={scaled}, score_mode={score_mode!r}."
            )
        self.score_mode, self.scaled = score_mode, scaled
        self.general = self.concat = None

    def build(self, query_shape, memory_shape):
        width, options = query_shape[-1], {"dtype": self.dtype_policy}
        if self.score_mode == "dot" and memory_shape[-1] != width:
            raise ValueError(
                '`score_mode="dot"` needs a memory as wide as the query. '
                f"Received widths {memory_shape[-1]} and {width}."
            )
        if self.score_mode == "general":
            self.general = keras.layers.Dense(width, use_bias=False, **options)
            self.general.build(memory_shape)
        if self.score_mode == "concat":
            self.concat = AdditiveAttention(width, **options)
            self.concat.build(query_shape, memory_shape)
        propagate_trainable(self)

    def keys(self, memory):
        """Compute what does not depend on the query: float (B, S, Q)."""
        checks.built(self, "layer")
        if self.score_mode == "concat":
            return self.concat.keys(memory)
        return memory if self.score_mode == "dot" else self.general(memory)

    def score(self, query, keys):
        """Compute e_ts: float (B, T, Q), (B, S, Q) -> (B, T, S)."""
        if self.score_mode == "concat":
            return self.concat.score(query, keys)
        if self.scaled:
            query = query * query.shape[-1] ** -0.5
        return ops.matmul(query, ops.transpose(keys, (0, 2, 1)))

    def get_config(self):
        own = {"score_mode": self.score_mode, "scaled": self.scaled}
        return {**super().get_config(), **own}
