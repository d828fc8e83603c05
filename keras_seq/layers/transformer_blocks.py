"""Blocks: look around, then think, and add what was found to what was there.

A deep stack of attentions alone does not train: each layer averages what the
one below it gave. The Transformer's block lets every vector pass by, adds what
the attention found, and then what a small network, the same at each place,
makes of it. The norm keeps the sum in bounds: behind it, as in the paper, or
on the way into the function, which leaves a straight path from top to bottom
and so learns without a warm-up.

    post-norm:  x <- norm(x + f(x))          # as in the paper
    pre-norm:   x <- x + f(norm(x))
    encoder:    f = look at oneself, FFN     # see the chapter above
    decoder:    f = look at oneself and not ahead, look at a memory, FFN

Shapes: B batch, T length, N positions asked for, S length of the memory, D
    width, H heads.
Paper: Vaswani et al. (2017), arXiv:1706.03762, sections 3.1, 3.3, 5.4;
    pre-norm: Xiong et al. (2020), arXiv:2002.04745; stochastic depth: Huang
    et al. (2016), arXiv:1603.09382, section 3.
Differs from the paper: dropout on the attention weights too, as in its code;
    stochastic depth draws for each row and each function, not for a batch and
    a block, and scales what stays in training, not what is there at test.
"""

import keras

from keras_seq import checks
from keras_seq.layers.feed_forward import FeedForward
from keras_seq.layers.layer_normalization import LayerNormalization
from keras_seq.layers.multi_head_attention import MultiHeadAttention
from keras_seq.layers.trainable import propagate_trainable


class _Residual(keras.layers.Layer):
    """Go around a function: add what comes in to what it gives, and norm."""

    def __init__(
        self, dropout, normalize_first, epsilon, skipped=0.0, **kwargs
    ):
        super().__init__(**kwargs)
        policy = self.dtype_policy
        self.norm = LayerNormalization(epsilon=epsilon, dtype=policy)
        self.dropout = keras.layers.Dropout(dropout, dtype=policy)
        self.normalize_first = normalize_first
        self.skip = None
        if skipped:  # one draw for each row of the batch: all of y, or nothing
            self.skip = keras.layers.Dropout(
                skipped, noise_shape=(None, 1, 1), dtype=policy
            )

    def build(self, x_shape):
        self.norm.build(x_shape)

    def enter(self, x):
        """Give what the function reads."""
        return self.norm(x) if self.normalize_first else x

    def around(self, x, function, training=False):
        """Add to x the first thing that the function gives; give the rest."""
        y, *more = function(self.enter(x))
        y = self.dropout(y, training=training)
        if self.skip is not None:
            y = self.skip(y, training=training)
        x = x + y
        return x if self.normalize_first else self.norm(x), *more


class _Block(keras.layers.Layer):
    """What both blocks share: arguments, and a network behind attention.

    Args: see `TransformerEncoder`.
    """

    num_attentions = 1  # before the network

    def __init__(
        self,
        units,
        num_heads,
        *,
        hidden=None,
        dropout=0.1,
        attention_dropout=None,
        activation="relu",
        normalize_first=False,
        epsilon=1e-5,
        stochastic_depth=0.0,
        kernel_initializer="glorot_uniform",
        **kwargs,
    ):
        super().__init__(**kwargs)
        units, num_heads = checks.positive_int(units=units, num_heads=num_heads)
        checks.positive(epsilon=epsilon)
        if units % num_heads:
            raise ValueError(
                "`num_heads` must divide the width. Received "
                f"num_heads={num_heads}, units={units}."
            )
        hidden = 4 * units if hidden is None else hidden
        on_weights = dropout if attention_dropout is None else attention_dropout
        checks.fraction(
            dropout=dropout,
            attention_dropout=on_weights,
            stochastic_depth=stochastic_depth,
        )
        self.config = {
            "units": units,
            "num_heads": num_heads,
            "hidden": hidden,
            "dropout": dropout,
            "attention_dropout": attention_dropout,
            "activation": activation,
            "normalize_first": normalize_first,
            "epsilon": epsilon,
            "stochastic_depth": stochastic_depth,
        }
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        policy = self.dtype_policy
        self.attentions = [
            MultiHeadAttention(
                num_heads,
                units // num_heads,
                dropout=on_weights,
                kernel_initializer=self.kernel_initializer,
                dtype=policy,
            )
            for _ in range(self.num_attentions)
        ]
        self.network = FeedForward(
            units,
            hidden,
            activation=activation,
            kernel_initializer=self.kernel_initializer,
            dtype=policy,
        )
        self.residuals = [
            _Residual(
                dropout,
                normalize_first,
                epsilon,
                stochastic_depth,
                dtype=policy,
            )
            for _ in range(self.num_attentions + 1)
        ]
        self.supports_masking = True

    def build_parts(self, x_shape, memory_shape=None):
        shape = (*x_shape[:-1], self.config["units"])
        if x_shape[-1] != shape[-1]:
            raise ValueError(
                "`units` must be the width of the input, to which the block "
                f"adds. Received units={shape[-1]}, an input of {x_shape[-1]}."
            )
        self.attentions[0].build(shape)
        for attention in self.attentions[1:]:
            attention.build(shape, memory_shape or shape)
        self.network.build(shape)
        for residual in self.residuals:
            residual.build(shape)
        propagate_trainable(self)

    def think(self, x, training=False):
        """Go through the small network, the last part of the block."""
        (x,) = self.residuals[-1].around(
            x, lambda h: [self.network(h)], training
        )
        return x

    def get_config(self):
        kernel = keras.initializers.serialize(self.kernel_initializer)
        return {
            **super().get_config(),
            **checks.plain(self.config),
            "kernel_initializer": kernel,
        }


@keras.saving.register_keras_serializable("keras_seq")
class TransformerEncoder(_Block):
    """Look at oneself, then change each position.

    Args:
        units: int > 0, width D of the input and the output.
        num_heads: int > 0, H, a divisor of `units`.
        hidden: optional int > 0, inner width of the network. Default 4 D.
        dropout: float in [0, 1), of what is added. Default 0.1.
        attention_dropout: optional float in [0, 1), of the attention weights.
            Default: `dropout`.
        activation: of the network. Default "relu".
        normalize_first: bool, pre-norm instead of the paper's post-norm.
            Default False.
        epsilon: float > 0, of the norms. Default 1e-5.
        stochastic_depth: float in [0, 1), how often a row of the batch
            skips a function in training. Default 0.
        kernel_initializer: of all kernels. Default "glorot_uniform".
    Call arguments:
        x: float (B, T, D).
        mask: optional bool (B, T), True where a token is real.
        attention_mask: optional bool (T, T), (B, T, T) or (B, H, T, T), each
            axis its size or 1: True where a position may look.
        use_causal_mask: bool, let no position look ahead.
        return_attention_scores: bool, give the weights as well.
        x_mask: optional, what Keras calls `mask` where there is another
            tensor.
        query: optional float (B, N, D), those of x that are wanted: nothing
            is computed for the others, but to be looked at. Then an
            `attention_mask` has N for its first T, and what Keras hands on as
            the mask is still that of x. Default x.
    Returns:
        float (B, N, D), or that and the weights, float (B, H, N, T).
    Raises:
        ValueError: if an argument is outside its range, or `use_causal_mask`
            is asked of a `query`, whose places are not known.
    """

    def build(self, x_shape):
        self.build_parts(x_shape)

    def call(
        self,
        x,
        mask=None,
        attention_mask=None,
        use_causal_mask=False,
        return_attention_scores=False,
        training=False,
        x_mask=None,
        query=None,
    ):
        mask = x_mask if mask is None else mask
        if query is not None and use_causal_mask:
            raise ValueError(
                "`use_causal_mask` must be False with a `query`, whose places "
                "are not known. Received use_causal_mask=True."
            )

        residual, attention = self.residuals[0], self.attentions[0]

        def look(h):
            return attention(
                h,
                None if query is None else residual.enter(x),
                value_mask=mask,
                attention_mask=attention_mask,
                use_causal_mask=use_causal_mask,
                return_attention_scores=True,
                training=training,
            )

        y = x if query is None else query
        y, weights = residual.around(y, look, training)
        y = self.think(y, training)
        return (y, weights) if return_attention_scores else y

    def step(self, x, cache, slot, mask):
        """Go on, see `MultiHeadAttention.step`: x, cache, weights."""
        x, cache, weights = self.residuals[0].around(
            x, lambda h: self.attentions[0].step(h, cache, slot, mask)
        )
        return self.think(x), cache, weights


@keras.saving.register_keras_serializable("keras_seq")
class TransformerDecoder(_Block):
    """Look at oneself and not ahead, then at a memory, then change.

    Args: those of `TransformerEncoder`, which are
        units, num_heads: int > 0. hidden=None, dropout=0.1,
        attention_dropout=None, activation="relu", normalize_first=False,
        epsilon=1e-5, stochastic_depth=0., kernel_initializer="glorot_uniform".
    Call arguments:
        x: float (B, T, D).
        memory: float (B, S, D'), what the encoder gave.
        mask: optional bool (B, T), True where a target token is real.
        memory_mask: optional bool (B, S), True where the memory is real.
        return_attention_scores: bool, give both weights as well.
        x_mask: optional, what Keras calls `mask` where there is another
            tensor.
    Returns:
        float (B, T, D), or that and the weights on the target, float (B, H,
        T, T), and on the memory, float (B, H, T, S).
    Raises:
        ValueError: if an argument is outside its range.
    """

    num_attentions = 2

    def build(self, x_shape, memory_shape=None):
        self.build_parts(x_shape, memory_shape)

    def call(
        self,
        x,
        memory,
        mask=None,
        memory_mask=None,
        return_attention_scores=False,
        training=False,
        x_mask=None,
    ):
        mask = x_mask if mask is None else mask
        scores = {"return_attention_scores": True, "training": training}
        to_self, to_memory = self.attentions
        x, weights = self.residuals[0].around(
            x,
            lambda h: to_self(
                h, value_mask=mask, use_causal_mask=True, **scores
            ),
            training,
        )
        x, on_memory = self.residuals[1].around(
            x,
            lambda h: to_memory(h, memory, value_mask=memory_mask, **scores),
            training,
        )
        x = self.think(x, training)
        return (x, weights, on_memory) if return_attention_scores else x

    def step(self, x, cache, slot, mask, memory, memory_mask):
        """Go on: x, the cache with x in it, weights on the memory.

        Args:
            x: float (B, T, D), the tokens that follow; mostly T = 1.
            cache, slot, mask: as in `MultiHeadAttention.step`.
            memory: keys and values, what `project_memory` gave of it.
            memory_mask: bool, broadcasts to (B, H, T, S).
        """
        to_self, to_memory = self.attentions
        x, cache, _ = self.residuals[0].around(
            x, lambda h: to_self.step(h, cache, slot, mask)
        )
        x, weights = self.residuals[1].around(
            x, lambda h: to_memory.ask(h, memory, memory_mask)
        )
        return self.think(x), cache, weights
