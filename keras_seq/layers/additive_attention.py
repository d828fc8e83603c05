"""Additive attention: scores from a feed-forward network, after Bahdanau.

The decoder of a translator attends to the output of its encoder. The query is
the decoder's previous hidden state h_{t-1}. A network with one hidden layer
computes an attention score from the query and the vector m_s of each source
token. The softmax of the scores gives the attention weights, and the average of
the m_s with these weights is the context vector c_t. The network is trained
with the rest of the model, so the alignment of target and source is learned
without examples of alignments.

    e_ts = v . tanh(h_{t-1} W + m_s U)       # m_s U once, not per step
    a_t  = softmax_s(e_t),   c_t = sum_s a_ts m_s         # see `attend`

`keras.layers.AdditiveAttention` has neither W nor U, so it is another layer.

Shapes: B batch, T queries, S values, Q query width, D memory width.
Paper: Bahdanau, Cho & Bengio (2015), arXiv:1409.0473, eq. (5)-(6), appendix
    A.1.2.
Differs from the paper: nothing.
"""

import keras
from keras import ops

from keras_seq import checks
from keras_seq.layers.attention import attend
from keras_seq.layers.trainable import propagate_trainable


@keras.saving.register_keras_serializable("keras_seq")
class AdditiveAttention(keras.layers.Layer):
    """Attend with the score v . tanh(query W + memory U).

    Args:
        units: int > 0, width of the hidden layer of the scoring network.
    Call arguments:
        query: float (B, T, Q), states of the decoder.
        memory: float (B, S, D), output of the encoder.
        memory_mask: optional bool (B, S), True where a source token is real.
        keys: optional float (B, S, units), `layer.keys(memory)`, to compute
            them once for several calls with the same memory.
        return_attention_scores: bool, return the attention weights too.
            Default False.
    Returns:
        context, float (B, T, D), or context and weights, float (B, T, S).
    Raises:
        ValueError: if `units` is not an int > 0.
    Weights: `query_dense` holds W, `memory_dense` holds U, `scale` is v.
    Example:
        >>> layer = AdditiveAttention(8)
        >>> query, memory = np.ones((2, 1, 5)), np.ones((2, 4, 7))
        >>> context, weights = layer(
        ...     query, memory, return_attention_scores=True
        ... )
        >>> tuple(context.shape), tuple(weights.shape)
        ((2, 1, 7), (2, 1, 4))
    """

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units = checks.positive_int(units=units)
        self.supports_masking = True
        # Not `Dense`: for a product of three axes with two, TensorFlow makes a
        # Tensordot, whose gradient in a loop over sequences of unknown length
        # XLA cannot compile.
        self.query_dense = keras.layers.EinsumDense(
            "btq,qu->btu", (None, units), dtype=self.dtype_policy
        )
        self.memory_dense = keras.layers.Dense(
            units, use_bias=False, dtype=self.dtype_policy
        )

    def build(self, query_shape, memory_shape):
        self.query_dense.build(query_shape)
        self.memory_dense.build(memory_shape)
        self.scale = self.add_weight(
            name="scale", shape=(self.units, 1), initializer="glorot_uniform"
        )
        for layer in (self.query_dense, self.memory_dense):
            layer.supports_masking = True  # the mask is applied to the scores
        propagate_trainable(self)

    def call(
        self,
        query,
        memory,
        memory_mask=None,
        keys=None,
        return_attention_scores=False,
    ):
        keys = self.keys(memory) if keys is None else keys
        mask = None if memory_mask is None else memory_mask[:, None]
        context, weights = attend(self.score(query, keys), memory, mask)
        return (context, weights) if return_attention_scores else context

    def keys(self, memory):
        """Compute m_s U, which no query changes: (B, S, D) -> (B, S, units).

        Raises:
            ValueError: if the layer is not built.
        """
        checks.built(self, "layer")
        return self.memory_dense(memory)

    def score(self, query, keys):
        """Compute e_ts: float (B, T, Q), (B, S, units) -> (B, T, S)."""
        h = self.query_dense(query)
        v = ops.cast(self.scale[:, 0], self.compute_dtype)
        hidden = ops.tanh(h[:, :, None] + keys[:, None])  # (B, T, S, units)
        return ops.einsum("btsu,u->bts", hidden, v)

    def get_config(self):
        return {**super().get_config(), "units": self.units}
