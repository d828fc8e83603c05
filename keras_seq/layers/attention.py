"""Attention: an average of all values, weighted by how well each fits a query.

A recurrent encoder must store a whole sentence in one state of fixed width, a
bottleneck. Attention keeps the vector of every token instead. Each token has a
key, which is compared with the query, and a value, which is averaged (for
Bahdanau and Luong both are the encoder's output, or a projection of it). Query
and key give an attention score; the softmax of the scores gives the attention
weights, a probability distribution over the tokens (in translation: the
alignment of target and source); the weighted average of the values is the
attention output, also called the context vector. The layers differ in how they
compute the scores (`AdditiveAttention`, `LuongAttention`,
`MultiHeadAttention`). This file contains the rest, which has no trainable
weights and is shared by all of them.

    e_ts = score(query_t, key_s)             # depends on the layer
    a_ts = exp(e_ts) / sum_s' exp(e_ts')     # over the s' that mask keeps
    c_t  = sum_s a_ts v_s

Masks are bool, True where a token is kept: a padding mask hides padding, a
causal mask (look-ahead mask) hides later tokens. A model computes its padding
mask once, from the ids (`padding_mask`), and passes it by name. A masked value
has weight 0 exactly. If all values of a query are masked, its context vector is
zero.

Shapes: B batch, T queries, S values, D width; ... any axes, such as B or B, H.
Paper: Bahdanau, Cho & Bengio (2015), arXiv:1409.0473, eq. (5)-(6); in this
    general form: Vaswani et al. (2017), arXiv:1706.03762, section 3.2.
Differs from the paper: nothing.
"""

import functools
import numbers

import keras
from keras import ops

from keras_seq import checks


def causal_mask(length, values=None):
    """Create a causal mask (look-ahead mask), which hides later tokens.

    Args:
        length: int > 0 or scalar int tensor, number of queries T.
        values: optional int > 0 or scalar int tensor, number of values S.
            Default T.
    Returns:
        bool (T, S), True where column <= row.
    Raises:
        ValueError: if a length is a number but not an int > 0.
    Example:
        >>> ops.convert_to_numpy(causal_mask(3)).astype(int).tolist()
        [[1, 0, 0], [1, 1, 0], [1, 1, 1]]
    """
    values = length if values is None else values
    for name, size in (("length", length), ("values", values)):
        if isinstance(size, numbers.Number):
            checks.positive_int(**{name: size})
    t, s = (ops.arange(size, dtype="int32") for size in (length, values))
    return s[None, :] <= t[:, None]


def segment_mask(segment_ids):
    """Create a mask that separates the sequences packed into one row.

    Args:
        segment_ids: int (B, T), which sequence of its row a token belongs to.
    Returns:
        bool (B, T, T), True where both tokens belong to the same sequence.
    Raises:
        ValueError: if `segment_ids` do not have the shape (B, T).
    Example:
        >>> mask = segment_mask(np.array([[1, 1, 2]]))
        >>> ops.convert_to_numpy(mask)[0].astype(int).tolist()
        [[1, 1, 0], [1, 1, 0], [0, 0, 1]]
    """
    segment_ids = ops.convert_to_tensor(segment_ids)
    if len(segment_ids.shape) != 2:
        raise ValueError(
            "`segment_ids` must have the shape (B, T). "
            f"Received the shape {tuple(segment_ids.shape)}."
        )
    return segment_ids[:, :, None] == segment_ids[:, None, :]


def positions_in_segments(mask):
    """Count the earlier tokens of the same segment.

    Args:
        mask: bool (B, T, T), as `segment_mask` returns it.
    Returns:
        int (B, T), the position of each token in its segment.
    """
    return ops.sum(ops.cast(ops.tril(mask, -1), "int32"), axis=2)


def attend(scores, values, mask=None, dropout=None, scale=1.0):
    """Turn scores into attention weights, and average the values with them.

    The softmax is computed in float32 at least, in every precision policy.

    Args:
        scores: float (..., T, S), how well each value fits each query.
        values: float (..., S, D).
        mask: optional bool, broadcast to `scores`, True where a query may
            attend to a value.
        dropout: optional function, applied to the weights before the average.
        scale: float, factor of the scores in the softmax. Default 1.
    Returns:
        context, float (..., T, D), and weights, float (..., T, S), in the
        dtype of `values`. The weights of a query add up to 1; they are
        exactly 0 where `mask` is False, which may be everywhere.
    Raises:
        ValueError: if `mask` is not bool.
    Example:
        >>> scores, values = ops.zeros((1, 4)), ops.ones((4, 3))
        >>> mask = ops.convert_to_tensor([True, True, False, False])
        >>> context, weights = attend(scores, values, mask)
        >>> ops.convert_to_numpy(weights).tolist()
        [[0.5, 0.5, 0.0, 0.0]]
    """
    dtype = keras.backend.standardize_dtype(scores.dtype)
    weights = ops.cast(scores, dtype if dtype == "float64" else "float32")
    weights = weights if scale == 1 else weights * scale
    if mask is not None:
        mask = _bool(mask)
        # In float32, exp(-1e9 - max) is 0. If all values are masked, the
        # softmax is uniform: the second `where` replaces it with zeros.
        weights = ops.where(mask, weights, -1e9)
    weights = ops.softmax(weights, axis=-1)
    if mask is not None:
        weights = ops.where(mask, weights, 0.0)
    weights = ops.cast(weights, values.dtype)
    kept = weights if dropout is None else dropout(weights)
    return ops.matmul(kept, values), weights


def _bool(mask):
    mask = ops.convert_to_tensor(mask)
    if keras.backend.standardize_dtype(mask.dtype) != "bool":
        raise ValueError(
            "`mask` must be bool, True where a query may attend to a value. "
            f"Received a mask of dtype {mask.dtype}."
        )
    return mask


def has_fused_attention():
    """Return whether the backend has a fast `dot_product_attention`.

    That is PyTorch, and JAX on a GPU or TPU. TensorFlow, and JAX on a CPU,
    compute it step by step as `attend` does, but more slowly.
    """
    if keras.backend.backend() == "jax":
        return not keras.distribution.list_devices()[0].startswith("cpu")
    return keras.backend.backend() == "torch"


def attend_fused(query, key, value, mask=None, is_causal=False, flash=None):
    """Average values as `attend` does, by one operation of the backend.

    The weights are not returned; with flash attention they are not even
    stored.

    Args:
        query: float (B, T, H, D).
        key: float (B, S, H, D).
        value: float (B, S, H, D).
        mask: optional bool (B, H, T, S), True where a query may attend to a
            value. An axis may be 1.
        is_causal: bool, apply a causal mask; `mask` must then be None. Default
            False.
        flash: optional bool, as in `keras.ops.dot_product_attention`.
    Returns:
        context, float (B, T, H, D), zero where `mask` is False for all values.
    """
    context = ops.dot_product_attention(
        query,
        key,
        value,
        mask=mask,
        scale=query.shape[-1] ** -0.5,
        is_causal=is_causal,
        flash_attention=flash,
    )
    if mask is None:
        return context
    # The operation averages all values if all are masked.
    attends = ops.transpose(ops.any(mask, axis=-1), (0, 2, 1))  # (B, T, H)
    attends = ops.expand_dims(attends, axis=-1)
    return ops.where(attends, context, ops.zeros_like(context))


def combine_masks(query, key, query_mask, value_mask, key_mask, attention_mask):
    """Combine all masks of multi-head attention but the causal one.

    Args:
        query: float (B, T, H, D), of which the shape is read.
        key: float (B, S, H, D), of which the shape is read.
        query_mask: optional (B, T), True or not 0 where a token is real.
        value_mask: optional (B, S), as `query_mask`.
        key_mask: optional (B, S), as `query_mask`.
        attention_mask: optional (T, S), (B, T, S) or (B, H, T, S), True or not
            0 where a query may attend to a value. An axis may be 1.
    Returns:
        bool that broadcasts to (B, H, T, S), or None without any mask.
    Raises:
        ValueError: if a mask has another rank or length.
    """
    T, S = query.shape[1], key.shape[1]
    masks = [
        _broadcastable("query_mask", query_mask, (None, T), {2: (1, 3)}),
        _broadcastable("value_mask", value_mask, (None, S), {2: (1, 2)}),
        _broadcastable("key_mask", key_mask, (None, S), {2: (1, 2)}),
        _broadcastable(
            "attention_mask", attention_mask, (T, S), {2: (0, 1), 3: 1, 4: ()}
        ),
    ]
    masks = [mask for mask in masks if mask is not None]
    return functools.reduce(ops.logical_and, masks) if masks else None


def _broadcastable(name, mask, last_axes, new_axes):
    """Insert the axes of its rank into a mask, to fit (B, H, T, S)."""
    if mask is None:
        return None
    mask = ops.cast(mask, "bool")
    rank = len(mask.shape)
    if rank not in new_axes or not all(
        None in (size, wanted) or size in (1, wanted)
        for size, wanted in zip(mask.shape[-2:], last_axes)
    ):
        ranks = " or ".join(map(str, new_axes))
        raise ValueError(
            f"`{name}` must have {ranks} axes, the last two of length "
            f"{last_axes} (None: any) or 1. Received a mask of shape "
            f"{tuple(mask.shape)}."
        )
    return ops.expand_dims(mask, new_axes[rank])


def check_shapes(**tensors):
    """Raise a ValueError unless all are (B, T, D), key as long as value."""
    lengths = {}
    for name, x in tensors.items():
        if x is None:
            continue
        if len(x.shape) != 3:
            raise ValueError(
                f"`{name}` must be (B, T, D). Received {name} of shape "
                f"{tuple(x.shape)}."
            )
        lengths[name] = x.shape[1]
    key, value = lengths.get("key"), lengths.get("value")
    if None not in (key, value) and key != value:
        raise ValueError(
            "`key` must be as long as `value`. Received lengths "
            f"{key} and {value}."
        )
