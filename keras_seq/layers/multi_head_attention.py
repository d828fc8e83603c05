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
saturate the softmax. The projections of one tensor are one product, with the
kernels side by side. A padding mask hides padding, a causal mask later tokens.
In generation a key-value cache holds the keys and values of earlier tokens.

Shapes: B batch, T queries, S values, D width, H heads, K head width.
Paper: Vaswani et al. (2017), arXiv:1706.03762, section 3.2.
Differs from the paper: biases; dropout of the weights; both as in its code.
"""

import keras
from keras import ops

from keras_seq import checks
from keras_seq.layers.attention import (
    attend,
    attend_fused,
    causal_mask,
    check_sequences,
    combine_masks,
)
from keras_seq.layers.head_projection import head_dense, project
from keras_seq.layers.initializers import get_initializers
from keras_seq.layers.trainable import propagate_trainable


@keras.saving.register_keras_serializable("keras_seq")
class MultiHeadAttention(keras.layers.Layer):
    """Attend to a sequence with several heads.

    A drop-in for `keras.layers.MultiHeadAttention`, with its arguments, calls
    and weights, in `set_weights` and in `.weights.h5` files. A query that may
    attend to nothing gets a context of zeros, where Keras averages all values.

    Args:
        num_heads: int > 0, number of heads H.
        key_dim: int > 0, width K of the queries and keys of each head.
        value_dim: optional int > 0, width of the values of each head. Default
            `key_dim`.
        dropout: float in [0, 1], dropout of the attention weights. Default 0.
        use_bias: bool. Default True.
        output_shape: optional int > 0 or tuple of one, width of the output.
            Default: the width D of the query.
        attention_axes: None or (1,). Another value is not supported.
        sliding_window: None. Another value is not supported.
        flash_attention: optional bool, as in Keras, which decides if None.
        kernel_initializer: initializer of the kernels, drawn as matrices (D,
            H * K). Default "glorot_uniform".
        bias_initializer: initializer of the biases. Default "zeros".
        kernel_regularizer: optional regularizer of the kernels.
        bias_regularizer: optional regularizer of the biases.
        activity_regularizer: None. Another value is not supported.
        kernel_constraint: optional constraint of the kernels.
        bias_constraint: optional constraint of the biases.
        use_gate: False. True is not supported.
        seed: optional int, seed of the dropout.
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
        mask: optional, Keras's name of `query_mask` in self-attention.
    Returns:
        float (B, T, D), or that and the weights, float (B, H, T, S).
    Raises:
        ValueError: if an argument is outside its range or not supported,
            lengths do not fit, or `flash_attention` is to return weights.
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
        attention_axes=None,
        sliding_window=None,
        flash_attention=None,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        kernel_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        kernel_constraint=None,
        bias_constraint=None,
        use_gate=False,
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self._set_sizes(num_heads, key_dim, value_dim, output_shape)
        self._set_options(dropout, use_bias, flash_attention, seed)
        _check_supported(
            attention_axes=attention_axes,
            sliding_window=sliding_window,
            activity_regularizer=activity_regularizer,
            use_gate=use_gate,
        )
        self.dense_options = get_initializers(
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
        ) | {
            "kernel_regularizer": keras.regularizers.get(kernel_regularizer),
            "bias_regularizer": keras.regularizers.get(bias_regularizer),
            "kernel_constraint": keras.constraints.get(kernel_constraint),
            "bias_constraint": keras.constraints.get(bias_constraint),
        }

    def _set_sizes(self, num_heads, key_dim, value_dim, output_shape):
        value_dim = key_dim if value_dim is None else value_dim
        if isinstance(output_shape, (tuple, list)) and len(output_shape) == 1:
            (output_shape,) = output_shape
        if output_shape is not None:
            output_shape = checks.positive_int(output_shape=output_shape)
        self.num_heads, self.key_dim, self.value_dim = checks.positive_int(
            num_heads=num_heads, key_dim=key_dim, value_dim=value_dim
        )
        self.output_width = output_shape

    def _set_options(self, dropout, use_bias, flash_attention, seed):
        checks.within(0, 1, dropout=dropout)
        if seed is not None:
            checks.not_negative_int(seed=seed)
        if flash_attention and dropout:
            raise ValueError(
                "`flash_attention` must not be True with dropout. Received "
                f"flash_attention={flash_attention}, dropout={dropout}."
            )
        self.supports_masking = True
        self.use_bias = checks.boolean(use_bias=use_bias)
        self.dropout, self.seed = dropout, seed
        self.flash_attention = flash_attention
        self._dropout_layer = keras.layers.Dropout(
            dropout, seed=seed, dtype=self.dtype_policy
        )

    def build(self, query_shape, value_shape=None, key_shape=None):
        value_shape = value_shape or query_shape
        heads = {"query": self.key_dim, "key": self.key_dim}
        heads["value"] = self.value_dim
        query, key, value = (
            self._dense("btd,dhk->bthk", (None, self.num_heads, width), 1, name)
            for name, width in heads.items()
        )
        width = self.output_width or int(query_shape[-1])
        output = self._dense(
            "bthk,hkd->btd", (None, width), 2, "attention_output"
        )
        # (Keras's names, so that weight files of its layer can be loaded.)
        self.query_dense, self.key_dense = query, key
        self.value_dense, self.output_dense = value, output
        query.build(query_shape)
        key.build(key_shape or value_shape)
        value.build(value_shape)
        output.build((*query_shape[:2], self.num_heads, self.value_dim))
        propagate_trainable(self)

    def _dense(self, equation, shape, rows, name):
        use_bias, options = self.use_bias, self.dense_options
        own = {"name": name, "dtype": self.dtype_policy}
        return head_dense(equation, shape, rows, use_bias, options, **own)

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
        check_sequences(query=query, value=value, key=key)
        self._check_scores(return_attention_scores)
        query_mask = mask if query_mask is None else query_mask
        if value is None and value_mask is None:
            value_mask = query_mask
        q, k, v = self._project(query, value, key)
        keep = combine_masks(
            q, k, query_mask, value_mask, key_mask, attention_mask
        )
        fused = not return_attention_scores and self._can_fuse(training)
        is_causal = use_causal_mask and fused and keep is None
        if use_causal_mask and not is_causal:
            causal = causal_mask(ops.shape(q)[1], ops.shape(k)[1])
            keep = causal if keep is None else ops.logical_and(keep, causal)
        if fused:
            flash = self.flash_attention
            context = attend_fused(q, k, v, keep, is_causal, flash)
            return self.output_dense(context)
        q, k, v = heads_first(q), heads_first(k), heads_first(v)
        context, weights = self.weighted_context(q, k, v, keep, training)
        y = self.output_dense(context)
        return (y, weights) if return_attention_scores else y

    def _check_scores(self, return_attention_scores):
        if return_attention_scores and self.flash_attention:
            raise ValueError(
                "`flash_attention` must not be True with "
                "`return_attention_scores`. Received True for both."
            )

    def _project(self, query, value, key):
        """Compute queries, keys and values: (B, ., H, K), one product each."""
        value = query if value is None else value
        key = value if key is None else key
        if key is query and value is query:
            return project(
                query, [self.query_dense, self.key_dense, self.value_dense]
            )
        (q,) = project(query, [self.query_dense])
        if key is value:
            return q, *project(value, [self.key_dense, self.value_dense])
        (k,) = project(key, [self.key_dense])
        (v,) = project(value, [self.value_dense])
        return q, k, v

    def _can_fuse(self, training):
        """Return whether no dropout is active and V = K, as JAX requires."""
        drops = self.dropout and training
        return self.key_dim == self.value_dim and not drops

    def weighted_context(self, q, k, v, mask=None, training=False):
        """Compute contexts (B, T, H, V) and weights of (B, H, ., .) tensors."""
        q = q * self.key_dim**-0.5
        scores = ops.matmul(q, ops.transpose(k, (0, 1, 3, 2)))  # (B, H, T, S)
        context, weights = attend(
            scores, v, mask, lambda a: self._dropout_layer(a, training=training)
        )
        return heads_first(context), weights

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "key_dim": self.key_dim,
            "value_dim": self.value_dim,
            "dropout": self.dropout,
            "use_bias": self.use_bias,
            "output_shape": self.output_width,
            "flash_attention": self.flash_attention,
            "seed": self.seed,
            **{name: serialize(x) for name, x in self.dense_options.items()},
        }


def heads_first(x):
    """Exchange the axes of time and heads: (B, T, H, K) <-> (B, H, T, K)."""
    return ops.transpose(x, (0, 2, 1, 3))


def _check_supported(attention_axes, **others):
    if attention_axes not in (1, (1,), [1]):
        others["attention_axes"] = attention_axes
    for name, value in others.items():
        if value is not None and value is not False:
            raise ValueError(
                f"`{name}` is supported by `keras.layers.MultiHeadAttention` "
                f"only. Received {name}={value!r}."
            )
