"""Transformer encoder block: self-attention, then a feed-forward network.

Attention only averages vectors. The position-wise feed-forward network, two
dense layers with the same weights at every position, then transforms each
vector: first to a wide inner layer, then back to the width of the input.

    FFN(x) = act(x W_1 + b_1) W_2 + b_2      # act = relu in the paper, or GELU

A deep stack of attention layers alone is hard to train: repeated averaging
makes the token vectors alike, and gradients vanish. The Transformer adds the
input of each sublayer to its output (residual connection). Layer normalization
gives each vector mean 0 and variance 1, then a learned scale and shift. It is
applied after the addition (post-norm), as in the paper, or before the sublayer
(pre-norm), which leaves a direct path through all blocks and trains without a
warm-up.

    post-norm:  x <- norm(x + f(x))          # as in the paper
    pre-norm:   x <- x + f(norm(x))

Shapes: B batch, T length, N queries of `encode_queries`, D width, H heads,
    F inner width.
Paper: Vaswani et al. (2017), arXiv:1706.03762, sections 3.1, 3.3, 5.4;
    layer normalization: Ba, Kiros & Hinton (2016), arXiv:1607.06450, eq. (4);
    pre-norm: Xiong et al. (2020), arXiv:2002.04745; stochastic depth: Huang
    et al. (2016), arXiv:1603.09382, section 3.
Differs from the paper: dropout of the attention weights too, as in its code.
    Stochastic depth drops a sublayer of an example, not a block of the whole
    batch, and scales the kept outputs in training, not in inference.
"""

import keras
from keras import ops

from keras_seq import checks
from keras_seq.layers.activations import activation_of
from keras_seq.layers.initializers import clone_initializer, get_initializers
from keras_seq.layers.key_value_cache import attend_with_cache
from keras_seq.layers.layer_normalization import LayerNormalization
from keras_seq.layers.multi_head_attention import MultiHeadAttention
from keras_seq.layers.trainable import propagate_trainable


class ResidualConnection(keras.layers.Layer):
    """Residual connection with layer normalization, pre-norm or post-norm.

    Args:
        config: dict, arguments of a `TransformerEncoder`.
    """

    def __init__(self, config, **kwargs):
        super().__init__(**kwargs)
        policy = self.dtype_policy
        self.normalize_first = config["normalize_first"]
        self.norm = LayerNormalization(
            epsilon=config["layer_norm_epsilon"], dtype=policy
        )
        self.dropout = keras.layers.Dropout(config["dropout"], dtype=policy)
        self.stochastic_depth = None
        if config["stochastic_depth"]:  # drops all of a row, or nothing
            self.stochastic_depth = keras.layers.Dropout(
                config["stochastic_depth"], (None, 1, 1), dtype=policy
            )

    def build(self, x_shape):
        self.norm.build(x_shape)

    def normalize_input(self, x):
        """Return the input of the sublayer: norm(x) if pre-norm, else x."""
        return self.norm(x) if self.normalize_first else x

    def add(self, x, y, training=False):
        """Add the output y of the sublayer to x, and normalize if post-norm."""
        y = self.dropout(y, training=training)
        if self.stochastic_depth is not None:
            y = self.stochastic_depth(y, training=training)
        x = x + y
        return x if self.normalize_first else self.norm(x)


class TransformerBlock(keras.layers.Layer):
    """The arguments and sublayers that encoder and decoder block share."""

    def __init__(
        self,
        intermediate_dim,
        num_heads,
        dropout=0.0,
        activation="relu",
        layer_norm_epsilon=1e-5,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        normalize_first=False,
        *,
        attention_dropout=None,
        stochastic_depth=0.0,
        rotary=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.supports_masking = True
        F, H = intermediate_dim, num_heads
        F, H = checks.positive_int(intermediate_dim=F, num_heads=H)
        checks.positive(layer_norm_epsilon=layer_norm_epsilon)
        checks.fraction(dropout=dropout, stochastic_depth=stochastic_depth)
        if attention_dropout is None:
            attention_dropout = dropout
        checks.fraction(attention_dropout=attention_dropout)
        self.activation = activation_of(activation)
        self.initializers = get_initializers(
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
        )
        self.config = {
            "intermediate_dim": F,
            "num_heads": H,
            "dropout": dropout,
            "layer_norm_epsilon": layer_norm_epsilon,
            "normalize_first": checks.boolean(normalize_first=normalize_first),
            "attention_dropout": attention_dropout,
            "stochastic_depth": stochastic_depth,
            "rotary": checks.boolean(rotary=rotary),
        }

    def make_attention(self, name, width, rotary=False):
        """Create an attention layer whose heads together have this width."""
        H = self.config["num_heads"]
        checks.heads(width, H)
        return MultiHeadAttention(
            H,
            width // H,
            dropout=self.config["attention_dropout"],
            rotary=rotary,
            name=name,
            dtype=self.dtype_policy,
            **self.initializers,
        )

    def make_residual(self, name):
        """Create the residual connection of one sublayer."""
        policy = self.dtype_policy
        return ResidualConnection(self.config, name=name, dtype=policy)

    def build_feed_forward(self, x_shape):
        """Create the feed-forward network and its residual connection."""
        inner = self.config["intermediate_dim"]
        self.intermediate_dense = self._dense(
            "intermediate_dense", inner, self.activation
        )
        self.output_dense = self._dense("output_dense", x_shape[-1])
        self.feed_forward_residual = self.make_residual("feed_forward_residual")
        self.intermediate_dense.build(x_shape)
        self.output_dense.build((*x_shape[:-1], inner))
        self.feed_forward_residual.build(x_shape)

    def _dense(self, name, units, activation=None):
        return keras.layers.Dense(
            units,
            activation,
            name=name,
            dtype=self.dtype_policy,
            **{k: clone_initializer(x) for k, x in self.initializers.items()},
        )

    def apply_feed_forward(self, x, training=False):
        """Apply the feed-forward network with its residual connection."""
        h = self.feed_forward_residual.normalize_input(x)
        y = self.output_dense(self.intermediate_dense(h))
        return self.feed_forward_residual.add(x, y, training=training)

    def get_config(self):
        serialize = keras.initializers.serialize
        return {
            **super().get_config(),
            **checks.plain(self.config),
            "activation": keras.activations.serialize(self.activation),
            **{name: serialize(x) for name, x in self.initializers.items()},
        }


@keras.saving.register_keras_serializable("keras_seq")
class TransformerEncoder(TransformerBlock):
    """Apply self-attention, then a position-wise feed-forward network.

    Args:
        intermediate_dim: int > 0, inner width of the feed-forward network.
        num_heads: int > 0, number of attention heads H, a divisor of D.
        dropout: float in [0, 1), of the output of each sublayer. Default 0.
        activation: of the feed-forward network. Default "relu".
        layer_norm_epsilon: float > 0, of each normalization. Default 1e-5.
        kernel_initializer: of all kernels. Default "glorot_uniform".
        bias_initializer: of all biases. Default "zeros".
        normalize_first: bool, pre-norm, not post-norm. Default False.
        attention_dropout: optional float in [0, 1), of the attention weights.
            Default: `dropout`.
        stochastic_depth: float in [0, 1), probability that a row of the batch
            skips a sublayer in training. Default 0.
        rotary: bool, rotary positions in the self-attention. Default False.
    Call arguments:
        x: float (B, T, D).
        mask: optional bool (B, T), True where a token is real.
        attention_mask: optional bool (T, T), (B, T, T) or (B, H, T, T), True
            where a query may attend to a key. An axis may be 1.
        use_causal_mask: bool, hide later positions. Default False.
        return_attention_scores: bool, return the weights too. Default False.
        training: bool, apply dropout. Default False.
        x_mask: optional, the implicit mask of x, which Keras passes.
        positions: optional int (B, T), for `rotary`. Default: 0 to T - 1.
    Returns:
        float (B, T, D), or that and the weights, float (B, H, T, T).
    Raises:
        ValueError: if an argument is outside its range, or `num_heads` does
            not divide D.
    Example:
        >>> block = TransformerEncoder(intermediate_dim=32, num_heads=2)
        >>> x = np.ones((3, 5, 8), "float32")
        >>> tuple(block(x).shape)
        (3, 5, 8)
    """

    def build(self, x_shape):
        self.self_attention = self.make_attention(
            "self_attention", x_shape[-1], self.config["rotary"]
        )
        self.attention_residual = self.make_residual("attention_residual")
        self.self_attention.build(x_shape)
        self.attention_residual.build(x_shape)
        self.build_feed_forward(x_shape)
        propagate_trainable(self)

    def call(
        self,
        x,
        mask=None,
        attention_mask=None,
        use_causal_mask=False,
        return_attention_scores=False,
        training=False,
        x_mask=None,
        positions=None,
    ):
        h = self.attention_residual.normalize_input(x)
        y = self.self_attention(
            h,
            value_mask=x_mask if mask is None else mask,
            attention_mask=attention_mask,
            use_causal_mask=use_causal_mask,
            return_attention_scores=return_attention_scores,
            training=training,
            positions=positions,
        )
        y, weights = y if return_attention_scores else (y, None)
        x = self.attention_residual.add(x, y, training=training)
        x = self.apply_feed_forward(x, training=training)
        return (x, weights) if return_attention_scores else x

    def encode_queries(
        self,
        query,
        x,
        mask=None,
        attention_mask=None,
        return_attention_scores=False,
        training=False,
    ):
        """Compute the outputs at N positions only, in a model's last block.

        Args:
            query: float (B, N, D), the vectors of these positions in `x`.
            x: float (B, T, D).
            mask: as in a call.
            attention_mask: as in a call, with N in place of the first T.
            return_attention_scores: as in a call.
            training: as in a call.
        Returns:
            float (B, N, D), or that and the weights, float (B, H, N, T).
        """
        checks.built(self, "layer")
        query, x = (ops.cast(each, self.compute_dtype) for each in (query, x))
        residual = self.attention_residual
        y = self.self_attention(
            residual.normalize_input(query),
            residual.normalize_input(x),
            value_mask=mask,
            attention_mask=attention_mask,
            return_attention_scores=return_attention_scores,
            training=training,
        )
        y, weights = y if return_attention_scores else (y, None)
        y = residual.add(query, y, training=training)
        y = self.apply_feed_forward(y, training=training)
        return (y, weights) if return_attention_scores else y

    def step(self, x, cache, cache_update_index, mask, positions=None):
        """Process the next tokens: see `key_value_cache.attend_with_cache`."""
        h = self.attention_residual.normalize_input(x)
        y, cache = attend_with_cache(
            self.self_attention, h, cache, cache_update_index, mask, positions
        )
        x = self.attention_residual.add(x, y)
        return self.apply_feed_forward(x), cache
