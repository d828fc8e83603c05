"""Multi-head attention: several small looks at once, instead of one large one.

One softmax can look at one thing. A word wants several: its verb, its
adjective, what "it" stands for. So queries, keys and values are projected H
times into narrow spaces, each of which takes its own look; the H contexts side
by side are projected back. And nothing here waits for a step before it: all T
queries look at once, in a few large products.

    q, k, v = x W_Q,  m W_K,  m W_V             # each (B, H, ., K), m = x to
    e       = q k^T / sqrt(K)                   # look at oneself
    c, a    = attend(e, v, mask)                # softmax over S
    y       = [c_1 ; ... ; c_H] W_O

Without the division the scores would grow with K and the softmax saturate.
Projections of one tensor are one product, with the kernels side by side.

Shapes: B batch, T queries, S values, D width, H heads, K head width.
Paper: Vaswani et al. (2017), arXiv:1706.03762, section 3.2.
Differs from the paper: biases; dropout on the weights; both as in its code.
"""

import math

import keras
from keras import ops

from keras_seq import checks
from keras_seq.layers.attention import attend, causal_mask


@keras.saving.register_keras_serializable("keras_seq")
class MultiHeadAttention(keras.layers.Layer):
    """Look at a sequence with several heads.

    Weights have the order and shapes of `keras.layers.MultiHeadAttention`, so
    `set_weights` takes Keras's. Arguments and calls are Keras's too, but for
    `attention_axes`, `sliding_window`, `flash_attention` and `use_gate`, which
    are not here. A query that may look at nothing gets a context of zeros.

    Args:
        num_heads: int > 0, H.
        key_dim: int > 0, width K of each head's queries and keys.
        value_dim: optional int > 0, of each head's values. Default `key_dim`.
        dropout: float in [0, 1), of the attention weights. Default 0.
        use_bias: bool, default True.
        output_shape: optional int > 0, width of the output. Default: D of
            the query.
        kernel_initializer: default "glorot_uniform", which counts a kernel as
            the matrix (D, H * K) it is used as; Keras counts each head apart.
        bias_initializer: default "zeros".
        kernel_regularizer, bias_regularizer, kernel_constraint,
            bias_constraint: optional, as in Keras.
        seed: optional int, of the dropout.
    Call arguments:
        query: float (B, T, D).
        value: optional float (B, S, D'). Default: `query`, self-attention.
        key: optional float (B, S, D''). Default: `value`.
        query_mask, value_mask, key_mask: optional bool (B, T), (B, S), (B,
            S), True where a token is real. In self-attention, `query_mask`
            hides values too.
        attention_mask: optional bool (T, S), (B, T, S) or (B, H, T, S), each
            axis its size or 1: True where the query may look.
        return_attention_scores: bool, give the weights as well.
        use_causal_mask: bool, let each query see only itself and before.
        mask: optional, what Keras calls `query_mask` where there is no other
            tensor.
    Returns:
        float (B, T, D), or that and the weights, float (B, H, T, S).
    Raises:
        ValueError: if an argument is outside its range, or a mask is of
            another rank or no bool.
    """

    def __init__(
        self,
        num_heads,
        key_dim,
        value_dim=None,
        dropout=0.0,
        use_bias=True,
        output_shape=None,
        *,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        kernel_regularizer=None,
        bias_regularizer=None,
        kernel_constraint=None,
        bias_constraint=None,
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        value_dim = key_dim if value_dim is None else value_dim
        num_heads, key_dim, value_dim = checks.positive_int(
            num_heads=num_heads, key_dim=key_dim, value_dim=value_dim
        )
        checks.fraction(dropout=dropout)
        if output_shape is not None:
            output_shape = checks.positive_int(output_shape=output_shape)
        self.supports_masking = True
        self.num_heads, self.key_dim = num_heads, key_dim
        self.value_dim, self.output_width = value_dim, output_shape
        self.use_bias, self.seed = use_bias, seed
        self.dropout = keras.layers.Dropout(
            dropout, seed=seed, dtype=self.dtype_policy
        )
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.bias_regularizer = keras.regularizers.get(bias_regularizer)
        self.kernel_constraint = keras.constraints.get(kernel_constraint)
        self.bias_constraint = keras.constraints.get(bias_constraint)

    def build(self, query_shape, value_shape=None, key_shape=None):
        value_shape = value_shape or query_shape
        H, K, V = self.num_heads, self.key_dim, self.value_dim
        widths = {  # what stands on both sides of each product
            "query": ((query_shape[-1],), (H, K)),
            "key": ((key_shape or value_shape)[-1:], (H, K)),
            "value": (value_shape[-1:], (H, V)),
            "output": ((H, V), (self.output_width or query_shape[-1],)),
        }
        self.kernels, self.biases = {}, {}
        for name, (left, right) in widths.items():
            self.kernels[name] = self.add_weight(
                name=f"{name}_kernel",
                shape=(*left, *right),
                initializer=_matrix(self.kernel_initializer, len(left)),
                regularizer=self.kernel_regularizer,
                constraint=self.kernel_constraint,
            )
            if self.use_bias:
                self.biases[name] = self.add_weight(
                    name=f"{name}_bias",
                    shape=right,
                    initializer=cloned(self.bias_initializer),
                    regularizer=self.bias_regularizer,
                    constraint=self.bias_constraint,
                )

    def call(
        self,
        query,
        value=None,
        key=None,
        query_mask=None,
        value_mask=None,
        key_mask=None,
        attention_mask=None,
        return_attention_scores=False,
        training=None,
        use_causal_mask=False,
        mask=None,
    ):
        given = {"query": query, "value": value, "key": key}
        for name, x in given.items():
            if x is not None and len(x.shape) != 3:
                raise ValueError(
                    f"`{name}` must be (B, T, D). Received {name} of shape "
                    f"{tuple(x.shape)}."
                )
        query_mask = mask if query_mask is None else query_mask
        if value is None and value_mask is None:
            value_mask = query_mask
        if value is None and key is None:
            q, k, v = self._project(query, "query", "key", "value")
        else:
            (q,) = self._project(query, "query")
            value = query if value is None else value
            k, v = self.project_key_value(value, key)
        masks = [
            _along(query_mask, "query_mask", 2, (1, 3)),
            _along(value_mask, "value_mask", 2, (1, 2)),
            _along(key_mask, "key_mask", 2, (1, 2)),
            _along(attention_mask, "attention_mask", 4, ()),
        ]
        if use_causal_mask:
            masks.append(causal_mask(ops.shape(q)[2], ops.shape(k)[2]))
        keep = None
        for one in masks:
            if one is not None:
                keep = one if keep is None else ops.logical_and(keep, one)
        y, weights = self._look(q, k, v, keep, training)
        return (y, weights) if return_attention_scores else y

    def project_key_value(self, value, key=None):
        """Compute a memory's keys and values, once for all queries.

        Args:
            value: float (B, S, D').
            key: optional float (B, S, D'').
        Returns:
            keys, float (B, H, S, K), and values, float (B, H, S, V).
        """
        if key is None:
            return self._project(value, "key", "value")
        return self._project(key, "key") + self._project(value, "value")

    def empty_cache(self, rows, room):
        """Make a buffer for `step`: keys (B, H, S, K), values (B, H, S, V)."""
        return [
            ops.zeros((rows, self.num_heads, room, width), self.compute_dtype)
            for width in (self.key_dim, self.value_dim)
        ]

    def attend_to(self, query, memory, mask=None):
        """Look at keys and values: y (B, T, D), weights (B, H, T, S)."""
        (q,) = self._project(query, "query")
        return self._look(q, *memory, mask)

    def step(self, x, cache, slot, mask):
        """Look at oneself, at tokens seen before and at these.

        Args:
            x: float (B, T, D), the tokens that follow; mostly T = 1.
            cache: keys and values of (B, H, S, K) and (B, H, S, V), a buffer
                filled up to `slot`.
            slot: scalar int, where the first of x is to stand in it.
            mask: bool, broadcasts to (B, H, T, S).
        Returns:
            y, float (B, T, D), and the cache with x in it.
        """
        q, k, v = self._project(x, "query", "key", "value")
        slot = ops.cast(slot, "int32")
        zero = ops.zeros_like(slot)  # of the same type, which JAX asks for
        at = (zero, zero, slot, zero)
        cache = [
            ops.slice_update(old, at, ops.cast(new, old.dtype))
            for old, new in zip(cache, (k, v))
        ]
        y, _ = self._look(q, *cache, mask)
        return y, cache

    def _project(self, x, *names):
        """Multiply x by several kernels at once: a list of (B, H, T, .)."""
        rows, width = ops.shape(x)[1], x.shape[-1]
        flat = [ops.reshape(self.kernels[n], (width, -1)) for n in names]
        y = ops.matmul(x, ops.cast(_joined(flat, 1), self.compute_dtype))
        if self.use_bias:
            flat = [ops.reshape(self.biases[n], (-1,)) for n in names]
            y = y + ops.cast(_joined(flat, 0), self.compute_dtype)
        H = self.num_heads
        widths = [H * self.kernels[name].shape[-1] for name in names]
        return [
            ops.transpose(
                ops.reshape(part, (-1, rows, H, width // H)), (0, 2, 1, 3)
            )
            for part, width in zip(_apart(y, widths), widths)
        ]

    def _look(self, q, k, v, mask, training=False):
        q = q * self.key_dim**-0.5
        scores = ops.matmul(q, ops.transpose(k, (0, 1, 3, 2)))  # (B, H, T, S)
        context, weights = attend(
            scores, v, mask, lambda a: self.dropout(a, training=training)
        )
        context = ops.transpose(context, (0, 2, 1, 3))
        rows, flat = ops.shape(context)[1], self.num_heads * self.value_dim
        context = ops.reshape(context, (-1, rows, flat))
        kernel = ops.reshape(self.kernels["output"], (flat, -1))
        y = ops.matmul(context, ops.cast(kernel, self.compute_dtype))
        if self.use_bias:
            y = y + ops.cast(self.biases["output"], self.compute_dtype)
        return y, weights

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "key_dim": self.key_dim,
            "value_dim": self.value_dim,
            "dropout": self.dropout.rate,
            "use_bias": self.use_bias,
            "output_shape": self.output_width,
            "seed": self.seed,
            **{
                f"{part}_{kind}": getattr(keras, f"{kind}s").serialize(
                    getattr(self, f"{part}_{kind}")
                )
                for part in ("kernel", "bias")
                for kind in ("initializer", "regularizer", "constraint")
            },
        }


def cloned(initializer):
    """Copy an initializer: one that is asked twice draws the same numbers."""
    if isinstance(initializer, keras.initializers.Initializer):
        return initializer.clone()
    return initializer


def _matrix(initializer, axes):
    """Draw a kernel as the matrix that it is, `axes` of its axes its rows."""
    initializer = cloned(initializer)

    def draw(shape, dtype=None):
        matrix = math.prod(shape[:axes]), math.prod(shape[axes:])
        return ops.reshape(initializer(matrix, dtype=dtype), shape)

    return draw


def _joined(parts, axis):
    return parts[0] if len(parts) == 1 else ops.concatenate(parts, axis=axis)


def _apart(joined, sizes):
    """Split the last axis. (Of a slice, TensorFlow's gradient is slow.)"""
    if len(sizes) == 1:
        return [joined]
    ends = [sum(sizes[:n]) for n in range(1, len(sizes))]
    return ops.split(joined, ends, axis=-1)


def _along(mask, name, most, axes):
    """Lay a mask along (B, H, T, S); refuse what is none."""
    if mask is None:
        return None
    rank = len(mask.shape)
    if "bool" not in str(mask.dtype) or not 2 <= rank <= most:
        ranks = "2" if most == 2 else f"2 to {most}"
        raise ValueError(
            f"`{name}` must be bool of rank {ranks}. Received a mask of dtype "
            f"{mask.dtype}, shape {tuple(mask.shape)}."
        )
    if rank == 3:  # (B, T, S)
        return mask[:, None]
    for axis in axes:  # where a mask of (B, T) or (B, S) has none
        mask = ops.expand_dims(mask, axis)
    return mask
