"""Transformer decoder block: self-attention, cross-attention, feed-forward.

The decoder applies causal self-attention to the target, so that no position
attends to later tokens (causal mask). Cross-attention follows: queries from the
decoder, keys and values from the encoder output. A position-wise feed-forward
network is last.

    x <- residual connection around causal self-attention(x)
    x <- residual connection around cross-attention(x, encoder output)
    x <- residual connection around feed-forward network(x)

The residual connections and the feed-forward network are those of the encoder
block (`transformer_encoder.py`).

Shapes: B batch, T target length, S source length, D width, H heads.
Paper: Vaswani et al. (2017), arXiv:1706.03762, sections 3.1, 3.2.3.
Differs from the paper: dropout of the attention weights too, as in its code.
"""

import keras

from keras_seq.layers.key_value_cache import attend_to, attend_with_cache
from keras_seq.layers.trainable import propagate_trainable
from keras_seq.layers.transformer_encoder import TransformerBlock


@keras.saving.register_keras_serializable("keras_seq")
class TransformerDecoder(TransformerBlock):
    """Apply causal self-attention, cross-attention and a feed-forward network.

    The width D is that of the input.

    Args:
        intermediate_dim: int > 0, inner width of the feed-forward network.
        num_heads: int > 0, number of attention heads H. It must divide D.
        dropout: float in [0, 1), dropout of the output of each sublayer.
            Default 0.
        activation: str or function, activation of the feed-forward network.
            Default "relu".
        layer_norm_epsilon: float > 0, added to the variance in each layer
            normalization. Default 1e-5.
        kernel_initializer: initializer of all kernels. Default
            "glorot_uniform".
        bias_initializer: initializer of all biases. Default "zeros".
        normalize_first: bool, pre-norm instead of the paper's post-norm.
            Default False.
        attention_dropout: optional float in [0, 1), dropout of the attention
            weights. Default: `dropout`.
        stochastic_depth: float in [0, 1), probability that a row of the
            batch skips a sublayer in training. Default 0.
        rotary: bool, rotary positions in the self-attention. Default False.
    Call arguments:
        x: float (B, T, D), the target.
        encoder_output: float (B, S, D').
        mask: optional bool (B, T), True where a target token is real.
        encoder_output_mask: optional bool (B, S), True where a source token
            is real.
        return_attention_scores: bool, return the attention weights too.
            Default False.
        training: bool, apply dropout. Default False.
        x_mask: optional, the implicit mask of x, which Keras passes.
    Returns:
        float (B, T, D), or that, the weights of the self-attention, float (B,
        H, T, T), and the weights of the cross-attention, float (B, H, T, S).
    Raises:
        ValueError: if an argument is outside its range, or `num_heads` does
            not divide D.
    Example:
        >>> block = TransformerDecoder(intermediate_dim=32, num_heads=2)
        >>> target, encoder_output = np.ones((3, 5, 8)), np.ones((3, 7, 6))
        >>> _, weights, cross_weights = block(
        ...     target, encoder_output, return_attention_scores=True
        ... )
        >>> tuple(weights.shape), tuple(cross_weights.shape)
        ((3, 2, 5, 5), (3, 2, 5, 7))
    """

    def build(self, x_shape, encoder_output_shape=None):
        self.self_attention = self.make_attention(
            "self_attention", x_shape[-1], self.config["rotary"]
        )
        self.self_attention_residual = self.make_residual(
            "self_attention_residual"
        )
        self.cross_attention = self.make_attention(
            "cross_attention", x_shape[-1]
        )
        self.cross_attention_residual = self.make_residual(
            "cross_attention_residual"
        )
        self.self_attention.build(x_shape)
        self.self_attention_residual.build(x_shape)
        self.cross_attention.build(x_shape, encoder_output_shape or x_shape)
        self.cross_attention_residual.build(x_shape)
        self.build_feed_forward(x_shape)
        propagate_trainable(self)

    def call(
        self,
        x,
        encoder_output,
        mask=None,
        encoder_output_mask=None,
        return_attention_scores=False,
        training=False,
        x_mask=None,
    ):
        h = self.self_attention_residual.normalize_input(x)
        y = self.self_attention(
            h,
            value_mask=x_mask if mask is None else mask,
            use_causal_mask=True,
            return_attention_scores=return_attention_scores,
            training=training,
        )
        y, weights = y if return_attention_scores else (y, None)
        x = self.self_attention_residual.add(x, y, training=training)

        h = self.cross_attention_residual.normalize_input(x)
        y = self.cross_attention(
            h,
            encoder_output,
            value_mask=encoder_output_mask,
            return_attention_scores=return_attention_scores,
            training=training,
        )
        y, cross_weights = y if return_attention_scores else (y, None)
        x = self.cross_attention_residual.add(x, y, training=training)

        x = self.apply_feed_forward(x, training=training)
        return (x, weights, cross_weights) if return_attention_scores else x

    def step(
        self,
        x,
        cache,
        cache_update_index,
        mask,
        source,
        source_mask,
        scores=False,
    ):
        """Process the next tokens, with a key-value cache.

        Args:
            x: float (B, T, D), the tokens that follow; mostly T = 1.
            cache: see `key_value_cache.attend_with_cache`.
            cache_update_index: scalar int, index of the first of x in the
                cache.
            mask: bool, broadcasts to (B, H, T, length of the cache).
            source: keys and values of the encoder output, see
                `key_value_cache.project_key_value`.
            source_mask: bool, broadcasts to (B, H, T, S).
            scores: bool, return the weights of the cross-attention too.
                Default False.
        Returns:
            float (B, T, D); the cache with x in it; and, with `scores=True`,
            the weights, float (B, H, T, S).
        """
        h = self.self_attention_residual.normalize_input(x)
        y, cache = attend_with_cache(
            self.self_attention, h, cache, cache_update_index, mask
        )
        x = self.self_attention_residual.add(x, y)

        h = self.cross_attention_residual.normalize_input(x)
        y, weights = attend_to(self.cross_attention, h, source, source_mask)
        x = self.cross_attention_residual.add(x, y)

        x = self.apply_feed_forward(x)
        return (x, cache, weights) if scores else (x, cache)
