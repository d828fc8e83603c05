"""Bahdanau attention: look back at the source before every step.

One vector for the whole source is a bottleneck: long sentences come out
worse. Here the encoder's vector of every token is kept, m_s, and before each
step the decoder asks with its state which of them it needs now. A small
network scores each (v, W, U); their weighted mean c_t is read together with
the last word. The weights a_t are an alignment of the two sentences that
nobody has taught it.

    e_ts = v . tanh(h_{t-1} W + m_s U)               # m_s U once, not per step
    a_t  = softmax_s(e_t),   c_t = sum_s a_ts m_s
    h_t  = cell([E[y_{t-1}] ; c_t], h_{t-1})         # looks, then moves
    t_t  = max of pairs of  [h_t ; c_t ; E[y_{t-1}]] W_t      # maxout
    logits_t = t_t W_o + b_o,   h_0 = tanh(backward m_1 W_s)

Shapes: B batch, T target length, S source length, U units, D memory width,
    Q query width, V vocabulary.
Paper: Bahdanau, Cho & Bengio (2015), arXiv:1409.0473, eq. (5)-(6), appendix
    A.1.2 (scores), A.2.2 (h_0 and maxout).
Differs from the paper: c_t is read beside the embedding by any cell, with
    `num_layers` cells on top of each other, of which the top one asks; the
    maxout reads h_t where A.2.2 has h_{t-1}; dropout before the first cell and
    before the logits, none between the cells.
"""

import keras
from keras import ops

from keras_seq import checks
from keras_seq.attending import AttendingCell, Attention, AttentionSeq2Seq
from keras_seq.freezing import keeps_frozen


@keras.saving.register_keras_serializable("keras_seq")
class AdditiveAttention(Attention):
    """Score by a small network: v . tanh(query W + memory U).

    Args:
        units: int > 0, width of that network.
    Call arguments:
        query: float (B, T, Q).
        memory: float (B, S, D).
        memory_mask: optional bool (B, S), True where memory is real.
        keys: optional float (B, S, units), `layer.keys(memory)`, to reuse
            where the same memory is asked many times.
        return_attention_scores: bool, give the weights as well.
    Returns:
        context, float (B, T, D), or context and weights, float (B, T, S).
    Raises:
        ValueError: if `units` is no int > 0.
    Our names: `query_dense` holds W, `memory_dense` holds U, `scale` is v.
    """

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units = checks.positive_int(units=units)
        options = {"use_bias": False, "dtype": self.dtype_policy}
        self.query_dense = keras.layers.Dense(units, **options)
        self.memory_dense = keras.layers.Dense(units, **options)

    @keeps_frozen
    def build(self, query_shape, memory_shape):
        self.query_dense.build(query_shape)
        self.memory_dense.build(memory_shape)
        self.scale = self.add_weight(
            name="scale", shape=(self.units, 1), initializer="glorot_uniform"
        )

    def keys(self, memory):
        """Compute m_s U: float (B, S, D) -> (B, S, units)."""
        checks.built(self, "layer")
        return self.memory_dense(memory)

    def score(self, query, keys):
        """Compute e_ts: float (B, T, Q), (B, S, units) -> (B, T, S)."""
        # Not Dense(...) nor matmul: of three axes with two, TensorFlow makes
        # a Tensordot, whose gradient in a loop over sequences of unknown
        # length XLA cannot compile.
        W, v = (
            ops.cast(weight, self.compute_dtype)
            for weight in (self.query_dense.kernel, self.scale[:, 0])
        )
        asked = ops.einsum("btq,qu->btu", query, W)
        hidden = ops.tanh(asked[:, :, None] + keys[:, None])
        return ops.einsum("btsu,u->bts", hidden, v)

    def get_config(self):
        return {**super().get_config(), "units": self.units}


class _LookThenMove(AttendingCell):
    """Ask with the state before the step, as Bahdanau does."""

    def call(self, x, states):
        (state,) = states
        context, weights = self.look(state["cells"][-1][0], state["source"])
        x = ops.concatenate([x, context], axis=-1)
        h, cells = self.move(x, state["cells"])
        output = ops.concatenate([h, context, weights], axis=-1)
        return output, [{**state, "cells": cells, "attention": weights}]


@keras.saving.register_keras_serializable("keras_seq")
class BahdanauSeq2Seq(AttentionSeq2Seq):
    """Translate, looking back at the source before every step.

    Args: those of `EncoderDecoder` (see `Seq2Seq`), but
        bidirectional: bool, default True: so that each memory vector knows
            what stands before and after its token.
    Call arguments:
        inputs: dict of "source", int (B, S), and "target", int (B, T), the
            target from its start token on.
        return_attention_scores: bool, give the alignment as well.
    Returns:
        logits, float (B, T, V), of the token that follows each; or logits and
        weights, float (B, T, S), 0 on padding.
    Raises:
        ValueError: if an argument is outside its range.
    """

    def __init__(self, *args, bidirectional=True, **kwargs):
        super().__init__(*args, bidirectional=bidirectional, **kwargs)
        units, policy = self.config["units"], self.dtype_policy
        attention = AdditiveAttention(units, dtype=policy)
        self.loop = self.loop_of(_LookThenMove, attention)
        self.maxout = keras.layers.Dense(2 * units, dtype=policy)

    @property
    def bridge_width(self):
        # Of the reader that goes backwards, and so ends at token 1; with
        # `reverse_source` at the last.
        return self.config["units"]

    @property
    def cell_width(self):
        return self.config["units"] + self.encoder.width

    @property
    def extra_width(self):
        return self.encoder.width

    @keeps_frozen
    def build(self, inputs_shape):
        super().build(inputs_shape)
        width = self.cell_width + self.embedding.units
        self.maxout.build((None, None, width))

    def readout(self, y, x):
        t = self.maxout(ops.concatenate([y, x], axis=-1))
        return ops.maximum(*ops.split(t, 2, axis=-1))
