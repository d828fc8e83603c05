"""Key-value cache (KV cache): multi-head attention token by token.

In autoregressive generation each token attends to itself and to all tokens
before it. Their keys and values do not change, so they are computed once and
kept in a cache: a step computes one token, not the whole sequence again.

    k_t, v_t = x_t W_K, x_t W_V          # written to index t of the cache
    y_t      = attention of q_t to k_1 ... k_t, v_1 ... v_t

In cross-attention the keys and values come from the encoder output, so they are
computed once, before the first token.

Shapes: B batch, T new tokens, S length of the cache, or of the source, D width,
    H heads, K and V head width of keys and values.
Paper: Shazeer (2019), arXiv:1911.02150, section 2.4.
Differs from the paper: nothing.
"""

from keras import ops

from keras_seq.layers.multi_head_attention import heads_first


def empty_cache(attention, batch_size, length):
    """Create an empty key-value cache for `attend_with_cache`.

    Args:
        attention: `MultiHeadAttention`.
        batch_size: int or scalar int tensor, B.
        length: int or scalar int tensor, number of tokens S it can hold.
    Returns:
        list of two float tensors of zeros, keys (B, H, S, K) and values (B,
        H, S, V).
    """
    H = attention.num_heads
    return [
        ops.zeros((batch_size, H, length, width), attention.compute_dtype)
        for width in (attention.key_dim, attention.value_dim)
    ]


def extend_caches(state, length):
    """Extend the key-value caches of a model's state for more tokens.

    Args:
        state: dict with "caches", a list of keys (B, H, S, K) and values (B,
            H, S, V); and optionally "padding_mask", bool (B, S), False where
            the cache holds padding.
        length: int > 0, number of tokens to extend by.
    Returns:
        dict, the state with caches of length S + length; the end is empty.
    """
    padding = ((0, 0), (0, length))
    caches = [
        [ops.pad(each, ((0, 0), *padding, (0, 0))) for each in cache]
        for cache in state["caches"]
    ]
    extended = {**state, "caches": caches}
    if "padding_mask" in state:
        extended["padding_mask"] = ops.pad(
            state["padding_mask"], padding, constant_values=True
        )
    return extended


def attend_with_cache(
    attention, x, cache, cache_update_index, mask, positions=None
):
    """Apply self-attention to the next tokens, with a key-value cache.

    Args:
        attention: `MultiHeadAttention`, built.
        x: float (B, T, D), the tokens that follow; mostly T = 1.
        cache: keys (B, H, S, K) and values (B, H, S, V), filled up to
            `cache_update_index`.
        cache_update_index: scalar int, index of the first of x in the cache.
        mask: bool, broadcasts to (B, H, T, S).
        positions: optional int (B, T), for a layer with `rotary`. Default:
            from `cache_update_index` on.
    Returns:
        float (B, T, D), and the cache with x in it.
    Example:
        >>> layer = MultiHeadAttention(num_heads=2, key_dim=4)
        >>> x = np.ones((3, 5, 8), "float32")
        >>> expected = layer(x, use_causal_mask=True)
        >>> cache = empty_cache(layer, 3, 5)
        >>> for t in range(5):
        ...     token, mask = x[:, t : t + 1], ops.arange(5) <= t
        ...     y, cache = attend_with_cache(layer, token, cache, t, mask)
        >>> bool(ops.all(ops.abs(y[:, 0] - expected[:, -1]) < 1e-5))
        True
    """
    index = ops.cast(cache_update_index, "int32")
    if attention.rotary and positions is None:
        positions = ops.arange(ops.shape(x)[1], dtype="int32")[None] + index
    q, k, v = attention.project(x, positions=positions)
    zero = ops.zeros_like(index)  # of the same type, as JAX requires
    start = (zero, zero, index, zero)
    cache = [
        ops.slice_update(old, start, ops.cast(new, old.dtype))
        for old, new in zip(cache, (heads_first(k), heads_first(v)))
    ]
    context, _ = attention.weighted_context(heads_first(q), *cache, mask)
    return attention.output_dense(context), cache


def project_key_value(attention, value):
    """Compute the keys and values of another sequence for `attend_to`.

    Args:
        attention: `MultiHeadAttention`, built.
        value: float (B, S, D').
    Returns:
        keys, float (B, H, S, K), and values, float (B, H, S, V).
    """
    k, v = attention.key_dense(value), attention.value_dense(value)
    return heads_first(k), heads_first(v)


def attend_to(attention, query, key_value, mask=None):
    """Attend to keys and values that `project_key_value` computed.

    Args:
        attention: `MultiHeadAttention`, built.
        query: float (B, T, D).
        key_value: keys, float (B, H, S, K), and values, float (B, H, S, V).
        mask: optional bool, broadcasts to (B, H, T, S).
    Returns:
        float (B, T, D), and the weights, float (B, H, T, S).
    """
    q = attention.query_dense(query)
    context, weights = attention.weighted_context(
        heads_first(q), *key_value, mask
    )
    return attention.output_dense(context), weights
