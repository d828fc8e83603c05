"""Multi-head attention: several attention distributions at once.

A single head gives each query only one attention distribution. A word may
relate to several others: its verb, its adjective, the noun that "it" refers to.
So multi-head attention projects queries, keys and values H times into narrow
spaces, the heads; each head has attention weights of its own; and the H context
vectors, concatenated, are projected back. Time steps do not depend on each
other, so all T queries are computed in parallel, in a few large products.

    q, k, v = x W_Q,  m W_K,  m W_V             # each (B, ., H, K)
    e       = q k^T / sqrt(K)                   # scaled dot-product attention
    c, a    = attend(e, v, mask)                # softmax over S
    y       = [c_1 ; ... ; c_H] W_O

In self-attention m = x; in cross-attention m is another sequence, such as the
output of an encoder. Without the division the scores would grow with K and
saturate the softmax. A padding mask hides padding, a causal mask later tokens.
In generation a key-value cache holds the keys and values of earlier tokens
(`key_value_cache.py`). With rotary positions, queries and keys are rotated by
angles that depend on their positions (`RotaryEmbedding`).

Shapes: B batch, T queries, S values, D width, H heads, K head width.
Paper: Vaswani et al. (2017), arXiv:1706.03762, section 3.2.
Differs from the paper: biases, and dropout of the attention weights, which it
    does not mention.
"""

import keras
import numpy as np
from keras import ops

from keras_seq import checks
from keras_seq.layers.attention import (
    attend,
    attend_fused,
    causal_mask,
    check_shapes,
    combine_masks,
    has_fused_attention,
)
from keras_seq.layers.position_encoding import RotaryEmbedding
from keras_seq.layers.trainable import propagate_trainable


@keras.saving.register_keras_serializable("keras_seq")
class MultiHeadAttention(keras.layers.MultiHeadAttention):
    """Attend to a sequence with several heads.

    Keras's layer, with its arguments and weights; its computation is written
    out here. A query that may attend to nothing gets a context of zeros, where
    Keras averages all values.

    Args:
        num_heads: int > 0, number of heads H.
        key_dim: int > 0, width K of the queries and keys of each head.
        value_dim: optional int > 0, width of the values of each head. Default
            `key_dim`.
        dropout: float in [0, 1], dropout of the attention weights. Default 0.
        use_bias: bool. Default True.
        output_shape: optional int > 0 or tuple of them, last axes of the
            output. Default: the width D of the query.
        attention_axes: None or (1,). Another value is not supported.
        sliding_window: None. Another value is not supported.
        flash_attention: optional bool, as in Keras: not saved in the config.
            Default None: Keras decides.
        kernel_initializer: initializer of the kernels. Default
            "glorot_uniform".
        bias_initializer: initializer of the biases. Default "zeros".
        kernel_regularizer: optional regularizer of the kernels.
        bias_regularizer: optional regularizer of the biases.
        activity_regularizer: None. Another value is not supported.
        kernel_constraint: optional constraint of the kernels.
        bias_constraint: optional constraint of the biases.
        use_gate: False. True is not supported.
        seed: optional int, seed of the dropout.
        rotary: bool, rotate queries and keys by their positions (RoPE), for
            self-attention; `key_dim` is then even. Keyword only. Default
            False.
    Call arguments:
        query: float (B, T, D).
        value: optional float (B, S, D'). Default: `query`, self-attention.
        key: optional float (B, S, D''). Default: `value`.
        query_mask: optional bool (B, T), True where a token is real. In
            self-attention it hides values too.
        value_mask: optional bool (B, S), True where a token is real.
        key_mask: optional bool (B, S), True where a token is real.
        attention_mask: optional (T, S), (B, T, S) or (B, H, T, S), True or
            not 0 where a query may attend to a value. An axis may be 1.
        return_attention_scores: bool, return the weights too. Default False.
        use_causal_mask: bool, let each query attend only to itself and
            earlier positions. Default False.
        mask: optional, the mask that Keras passes if `query` is the only input.
        positions: optional int (B, T), for `rotary`. Default: 0 to T - 1.
    Returns:
        float (B, T, D), or that and the weights, float (B, H, T, S).
    Raises:
        ValueError: if an argument is outside its range or not supported; the
            lengths of key, value or a mask differ; weights are to be returned
            with `flash_attention`; or a `value` is given with `rotary`.
    Example:
        >>> layer = MultiHeadAttention(num_heads=2, key_dim=4)
        >>> x, y = np.ones((3, 5, 8)), np.ones((3, 7, 6))
        >>> tuple(layer(x, y).shape)  # cross-attention
        (3, 5, 8)
        >>> layer = MultiHeadAttention(num_heads=2, key_dim=4)
        >>> _, weights = layer(x, use_causal_mask=True,
        ...                    return_attention_scores=True)
        >>> tuple(weights.shape)
        (3, 2, 5, 5)
    """

    def __init__(
        self,
        num_heads,
        key_dim,
        value_dim=None,
        dropout=0.0,
        use_bias=True,
        output_shape=None,
        *args,
        rotary=False,
        **kwargs,
    ):
        sizes = checks.positive_int(
            num_heads=num_heads,
            key_dim=key_dim,
            value_dim=key_dim if value_dim is None else value_dim,
        )
        checks.within(0, 1, dropout=dropout)
        use_bias = checks.boolean(use_bias=use_bias)
        super().__init__(
            *sizes, dropout, use_bias, output_shape, *args, **kwargs
        )
        self.rotary = checks.boolean(rotary=rotary)
        self.rotary_embedding = None
        if rotary:
            self.rotary_embedding = RotaryEmbedding(dtype=self.dtype_policy)
        _check_config(self.get_config())

    def build(self, query_shape, value_shape=None, key_shape=None):
        super().build(query_shape, value_shape or query_shape, key_shape)
        for layer in (self.query_dense, self.key_dense, self.value_dense):
            layer.supports_masking = True  # the mask is applied to the scores
        propagate_trainable(self)

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
        positions=None,
    ):
        check_shapes(query=query, value=value, key=key)
        if return_attention_scores and self._flash_attention:
            raise ValueError(
                "`flash_attention` must not be True with "
                "`return_attention_scores`. Received True for both."
            )
        query_mask = mask if query_mask is None else query_mask
        if value is None and value_mask is None:
            value_mask = query_mask
        q, k, v = self.project(query, value, key, positions)
        keep = combine_masks(
            q, k, query_mask, value_mask, key_mask, attention_mask
        )
        fused = not return_attention_scores and self._can_fuse(training)
        is_causal = use_causal_mask and fused and keep is None
        if use_causal_mask and not is_causal:
            causal = causal_mask(ops.shape(q)[1], ops.shape(k)[1])
            keep = causal if keep is None else ops.logical_and(keep, causal)
        if fused:
            y = attend_fused(q, k, v, keep, is_causal, self._flash_attention)
            return self.output_dense(y)
        q, k, v = heads_first(q), heads_first(k), heads_first(v)
        context, weights = self.weighted_context(q, k, v, keep, training)
        y = self.output_dense(context)
        return (y, weights) if return_attention_scores else y

    def project(self, query, value=None, key=None, positions=None):
        """Compute queries, keys and values of heads, float (B, ., H, K)."""
        if self.rotary and value is not None:
            raise ValueError(
                "`value` must be None with rotary=True: rotary positions are "
                "for self-attention."
            )
        value = query if value is None else value
        key = value if key is None else key
        q, k = self.query_dense(query), self.key_dense(key)
        if self.rotary:
            q = self.rotary_embedding(q, positions)
            k = self.rotary_embedding(k, positions)
        return q, k, self.value_dense(value)

    def _can_fuse(self, training):
        """Return whether to use the fused operation; on JAX it needs V = K."""
        drops = self.dropout and training
        if self.key_dim != self.value_dim or drops:
            return False
        return self._flash_attention or has_fused_attention()

    def weighted_context(self, q, k, v, mask=None, training=False):
        """Return context (B, T, H, V) and weights of q, k, v (B, H, ., .)."""
        scale = self.key_dim**-0.5
        if self.compute_dtype == "float16":  # scores can exceed its range
            q, scale = q * scale, 1.0
        scores = ops.matmul(q, ops.transpose(k, (0, 1, 3, 2)))  # (B, H, T, S)

        def dropout(weights):
            return self._dropout_layer(weights, training=training)

        context, weights = attend(scores, v, mask, dropout, scale)
        return heads_first(context), weights

    def compute_output_spec(self, *args, **kwargs):
        # Keras's method requires a value, and uses T in place of S.
        return keras.Operation.compute_output_spec(self, *args, **kwargs)

    def compute_output_shape(
        self, query_shape, value_shape=None, key_shape=None
    ):
        value_shape = value_shape or query_shape
        return super().compute_output_shape(query_shape, value_shape, key_shape)

    def get_config(self):
        return {**super().get_config(), "rotary": self.rotary}


def heads_first(x):
    """Exchange the axes of time and heads: (B, T, H, K) <-> (B, H, T, K)."""
    return ops.transpose(x, (0, 2, 1, 3))


def _check_config(config):
    """Raise a ValueError for an argument that Keras does not check."""
    if config["output_shape"] is not None:
        for width in np.ravel(config["output_shape"]):
            checks.positive_int(output_shape=width)
    if config["seed"] is not None:
        checks.not_negative_int(seed=config["seed"])
    checks.given(
        kernel_initializer=config["kernel_initializer"],
        bias_initializer=config["bias_initializer"],
    )
    if config["rotary"] and config["key_dim"] % 2:
        raise ValueError(
            "`key_dim` must be even with rotary=True. Received "
            f"key_dim={config['key_dim']}."
        )
    only_keras = ("sliding_window", "activity_regularizer", "use_gate")
    unsupported = {k: config[k] for k in only_keras if config.get(k)}
    if config["attention_axes"] not in (None, (1,), [1]):
        unsupported["attention_axes"] = config["attention_axes"]
    if unsupported:
        raise ValueError(
            f"{list(unsupported)} are supported by "
            f"`keras.layers.MultiHeadAttention` only. Received {unsupported}."
        )
