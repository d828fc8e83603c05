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
