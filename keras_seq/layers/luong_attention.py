"""Luong attention: attention scores from a product, or from a network.

The memory is the encoder's output, one vector m_s for each source token.
Bahdanau's attention runs a small network for every pair of a query and an m_s.
The scores "dot" and "general" need only one matrix product, which is faster and
takes less memory; "concat" is a network again. The query is the decoder's new
hidden state h_t, where Bahdanau's is the previous one, h_{t-1}. The attention
weights a_t are the alignment of target and source, and c_t is the context
vector.

    dot:     e_ts = h_t . m_s
    general: e_ts = h_t . (m_s W_a)
    concat:  e_ts = v_a . tanh([h_t ; m_s] W_a)  # W_a (Q + D, Q), v_a (Q,)
    a_t = softmax_s(e_t),   c_t = sum_s a_ts m_s     # see `attend`

Shapes: B batch, T queries, S values, Q query width, D memory width.
Paper: Luong, Pham & Manning (2015), arXiv:1508.04025, section 3.1, eq. (7).
Differs from the paper: `scaled` divides dot and general by sqrt(Q), after
    Vaswani et al. (2017), because large scores saturate the softmax.
"""

import keras
from keras import ops

from keras_seq import checks
from keras_seq.layers.attention import attend
from keras_seq.layers.trainable import propagate_trainable

SCORE_MODES = ("dot", "general", "concat")


@keras.saving.register_keras_serializable("keras_seq")
class LuongAttention(keras.layers.Layer):
    """Attend with the score "dot", "general" or "concat".

    Args:
        score_mode: "dot", which has no weights and needs D = Q; "general", a
            matrix between query and memory; "concat", a network that reads
            both. Default "general".
        scaled: bool, divide "dot" and "general" by sqrt(Q). Default False, as
            in the paper.
    Call arguments:
        query: float (B, T, Q), states of the decoder.
        memory: float (B, S, D), output of the encoder.
        memory_mask: optional bool (B, S), True where a source token is real.
        keys: optional float (B, S, Q), `layer.keys(memory)`, to compute them
            once for several calls with the same memory.
        return_attention_scores: bool, return the attention weights too.
            Default False.
    Returns:
        context, float (B, T, D), or context and weights, float (B, T, S).
    Raises:
        ValueError: if `score_mode` is unknown, `scaled` is True with
            "concat", or D is not Q with "dot".
    Weights: `memory_dense` holds W_a, of "concat" its lower half; its upper
        half is in `query_dense`; `scale` is v_a.
    Example:
        >>> layer = LuongAttention("general")
        >>> query, memory = np.ones((2, 1, 5)), np.ones((2, 4, 7))
        >>> tuple(layer(query, memory).shape)
        (2, 1, 7)
    """

    def __init__(self, score_mode="general", scaled=False, **kwargs):
        super().__init__(**kwargs)
        checks.one_of(SCORE_MODES, score_mode=score_mode)
        if scaled and score_mode == "concat":
            raise ValueError(
                '`scaled` must be False with `score_mode="concat"`. Received '
                f"scaled={scaled}, score_mode={score_mode!r}."
            )
        self.score_mode, self.scaled = score_mode, scaled
        self.supports_masking = True

    def build(self, query_shape, memory_shape):
        width = query_shape[-1]
        if self.score_mode == "dot" and memory_shape[-1] != width:
            raise ValueError(
                '`score_mode="dot"` needs a memory as wide as the query. '
                f"Received widths {memory_shape[-1]} and {width}."
            )
        options = {"use_bias": False, "dtype": self.dtype_policy}
        if self.score_mode == "concat":
            # Not `Dense`: see `AdditiveAttention`.
            self.query_dense = keras.layers.EinsumDense(
                "btq,qu->btu", (None, width), dtype=self.dtype_policy
            )
            self.query_dense.build(query_shape)
            self.query_dense.supports_masking = True
            self.scale = self.add_weight(
                name="scale", shape=(width, 1), initializer="glorot_uniform"
            )
        if self.score_mode != "dot":
            self.memory_dense = keras.layers.Dense(width, **options)
            self.memory_dense.build(memory_shape)
            # The mask is applied to the scores.
            self.memory_dense.supports_masking = True
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
        """Compute m_s W_a, or m_s with "dot": (B, S, D) -> (B, S, Q).

        Raises:
            ValueError: if the layer is not built.
        """
        checks.built(self, "layer")
        return memory if self.score_mode == "dot" else self.memory_dense(memory)

    def score(self, query, keys):
        """Compute e_ts: float (B, T, Q), (B, S, Q) -> (B, T, S)."""
        if self.score_mode == "concat":
            h = self.query_dense(query)
            v = ops.cast(self.scale[:, 0], self.compute_dtype)
            hidden = ops.tanh(h[:, :, None] + keys[:, None])
            return ops.einsum("btsu,u->bts", hidden, v)
        if self.scaled:
            query = query * query.shape[-1] ** -0.5
        return ops.matmul(query, ops.transpose(keys, (0, 2, 1)))

    def get_config(self):
        own = {"score_mode": self.score_mode, "scaled": self.scaled}
        return {**super().get_config(), **own}
