"""Multi-head attention with a key-value cache (KV cache), for generation.

In autoregressive generation each token attends to itself and to all tokens
before it. Their keys and values do not change, so they are computed once and
kept in a cache: a step computes one token, not the whole sequence again.

    k_t, v_t = x_t W_K, x_t W_V          # written to slot t of the cache
    y_t      = attention of q_t to k_1 ... k_t, v_1 ... v_t

In cross-attention the keys and values come from the encoder output, so they are
computed once, before the first token.

Shapes: B batch, T new tokens, S slots in the cache, or source length, D width,
    H heads, K and V head width of keys and values.
Paper: the layer is that of Vaswani et al. (2017), arXiv:1706.03762; a cache of
    keys and values: Shazeer (2019), arXiv:1911.02150, section 2.4.
Differs from the paper: nothing.
"""

import keras
from keras import ops

from keras_seq.layers.head_projection import project
from keras_seq.layers.multi_head_attention import (
    MultiHeadAttention,
    heads_first,
)


@keras.saving.register_keras_serializable("keras_seq")
class CachedMultiHeadAttention(MultiHeadAttention):
    """Multi-head attention that can also go token by token, with a cache.

    Args:
        num_heads: int > 0, number of heads H.
        key_dim: int > 0, width K of the queries and keys of each head.
        kwargs: further arguments, as of `MultiHeadAttention`.
    Call arguments:
        query, value, key and the masks, as of `MultiHeadAttention`.
    Returns:
        float (B, T, D), or that and the weights, float (B, H, T, S).
    Raises:
        ValueError: if an argument is outside its range or not supported, or
            the lengths of the inputs and masks do not fit.
    Example:
        >>> layer = CachedMultiHeadAttention(num_heads=2, key_dim=4)
        >>> x = np.ones((3, 5, 8), "float32")
        >>> expected = layer(x, use_causal_mask=True)
        >>> cache = layer.empty_cache(3, 5)
        >>> for slot in range(5):
        ...     mask = ops.arange(5) <= slot
        ...     y, cache = layer.step(x[:, slot : slot + 1], cache, slot, mask)
        >>> bool(ops.all(ops.abs(y[:, 0] - expected[:, -1]) < 1e-5))
        True
    """

    def empty_cache(self, batch_size, length):
        """Create an empty key-value cache for `step`.

        Args:
            batch_size: int or scalar int tensor, B.
            length: int or scalar int tensor, number of tokens S it can hold.
        Returns:
            list of two float tensors of zeros, keys (B, H, S, K) and values
            (B, H, S, V).
        """
        H = self.num_heads
        return [
            ops.zeros((batch_size, H, length, width), self.compute_dtype)
            for width in (self.key_dim, self.value_dim)
        ]

    def step(self, x, cache, slot, mask):
        """Apply self-attention to the next tokens, with a key-value cache.

        Args:
            x: float (B, T, D), the tokens that follow; mostly T = 1.
            cache: keys (B, H, S, K) and values (B, H, S, V), filled up to
                `slot`.
            slot: scalar int, index of the first of x in the cache.
            mask: bool, broadcasts to (B, H, T, S).
        Returns:
            float (B, T, D), and the cache with x in it.
        """
        q, k, v = project(
            x, [self.query_dense, self.key_dense, self.value_dense]
        )
        slot = ops.cast(slot, "int32")
        zero = ops.zeros_like(slot)  # of the same type, as JAX requires
        start = (zero, zero, slot, zero)
        cache = [
            ops.slice_update(old, start, ops.cast(new, old.dtype))
            for old, new in zip(cache, (heads_first(k), heads_first(v)))
        ]
        context, _ = self.weighted_context(heads_first(q), *cache, mask)
        return self.output_dense(context), cache

    def project_key_value(self, value):
        """Compute the keys and values of another sequence for `attend_to`.

        Args:
            value: float (B, S, D').
        Returns:
            keys, float (B, H, S, K), and values, float (B, H, S, V).
        """
        k, v = project(value, [self.key_dense, self.value_dense])
        return heads_first(k), heads_first(v)

    def attend_to(self, query, key_value, mask=None):
        """Attend to keys and values that `project_key_value` computed.

        Args:
            query: float (B, T, D).
            key_value: keys, float (B, H, S, K), and values, float (B, H, S,
                V).
            mask: optional bool, broadcasts to (B, H, T, S).
        Returns:
            float (B, T, D), and the weights, float (B, H, T, S).
        """
        (q,) = project(query, [self.query_dense])
        context, weights = self.weighted_context(
            heads_first(q), *key_value, mask
        )
        return self.output_dense(context), weights
