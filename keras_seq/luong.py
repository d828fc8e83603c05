"""Luong attention: move first, then look, and remember where you looked.

Bahdanau's decoder looks before it moves, with a network for a score. Here it
moves first and asks with its new state, which already knows the last word;
the score can be a plain dot product; and the decoder scores its next word by
an attentional state, made of what it is and what it saw. That state is fed
back in (input feeding), or else no step knows what was looked at before.

    h_t  = cell([E[y_{t-1}] ; s_{t-1}], h_{t-1})     # moves, then looks
    e_ts = h_t . m_s                                 # dot
    e_ts = h_t . (m_s W)                             # general
    e_ts = v . tanh([h_t ; m_s] W)                   # concat
    scaled: e_ts / sqrt(Q)                           # dot and general
    a_t  = softmax_s(e_t),   c_t = sum_s a_ts m_s
    s_t  = tanh([c_t ; h_t] W_c)                     # attentional state
    logits_t = s_t W_o + b_o

Shapes: B batch, T target length, S source length, U units, D memory width,
    Q query width, V vocabulary.
Paper: Luong, Pham & Manning (2015), arXiv:1508.04025, eq. (5)-(7) and the
    scores after them, section 3.1 (global attention), 3.3 (input feeding).
Differs from the paper: no location-based score (8), no local attention; biases
    in the last two products; products may be scaled, as in Vaswani et al.
    (2017), section 3.2.1. A sum over Q = 256 numbers is large, the softmax of
    it saturates, and what is almost one or zero learns slowly where else to
    look.
"""

import keras
from keras import ops

from keras_seq import checks
from keras_seq.attending import AttendingCell, Attention, AttentionSeq2Seq
from keras_seq.bahdanau import AdditiveAttention
from keras_seq.freezing import keeps_frozen

SCORES = ("dot", "general", "concat")


@keras.saving.register_keras_serializable("keras_seq")
class LuongAttention(Attention):
    """Score by a product of query and memory, or by a small network.

    Args:
        score: "dot", which has no weights and wants D = Q; "general", a
            matrix between them; "concat", a network that reads both (it is
            Bahdanau's, of width Q). Default "general".
        scaled: bool, divide dot and general by sqrt(Q). Default False, as in
            the paper.
    Call arguments:
        query: float (B, T, Q).
        memory: float (B, S, D).
        memory_mask: optional bool (B, S), True where memory is real.
        keys: optional float (B, S, Q), `layer.keys(memory)`, to reuse where
            the same memory is asked many times.
        return_attention_scores: bool, give the weights as well.
    Returns:
        context, float (B, T, D), or context and weights, float (B, T, S).
    Raises:
        ValueError: if `score` is unknown, or "dot" and D is not Q.
    Our names: `general` holds W_a, `concat` holds W_a in two halves and v_a.
    """

    def __init__(self, score="general", scaled=False, **kwargs):
        super().__init__(**kwargs)
        checks.one_of(SCORES, score=score)
        if scaled and score == "concat":
            raise ValueError(
                "`scaled` is for products, dot and general. Received "
                f"scaled={scaled}, score={score!r}."
            )
        self.kind, self.scaled = score, scaled
        self.general = self.concat = None

    @keeps_frozen
    def build(self, query_shape, memory_shape):
        width, options = query_shape[-1], {"dtype": self.dtype_policy}
        if self.kind == "dot" and memory_shape[-1] != width:
            raise ValueError(
                '`score="dot"` needs a memory as wide as the query. Received '
                f"widths {memory_shape[-1]} and {width}."
            )
        if self.kind == "general":
            self.general = keras.layers.Dense(width, use_bias=False, **options)
            self.general.build(memory_shape)
        if self.kind == "concat":
            self.concat = AdditiveAttention(width, **options)
            self.concat.build(query_shape, memory_shape)

    def keys(self, memory):
        """Compute what does not depend on the query: float (B, S, Q)."""
        checks.built(self, "layer")
        if self.kind == "concat":
            return self.concat.keys(memory)
        return memory if self.kind == "dot" else self.general(memory)

    def score(self, query, keys):
        """Compute e_ts: float (B, T, Q), (B, S, Q) -> (B, T, S)."""
        if self.kind == "concat":
            return self.concat.score(query, keys)
        if self.scaled:
            query = query * query.shape[-1] ** -0.5
        return ops.matmul(query, ops.transpose(keys, (0, 2, 1)))

    def get_config(self):
        own = {"score": self.kind, "scaled": self.scaled}
        return {**super().get_config(), **own}


class _MoveThenLook(AttendingCell):
    """Ask with the state after the step; `fed` is the attentional state."""

    def __init__(self, *args, input_feeding, **kwargs):
        super().__init__(*args, **kwargs)
        self.input_feeding = input_feeding
        self.combine = keras.layers.Dense(
            self.units, "tanh", dtype=self.dtype_policy
        )

    def build_stack(self, width, memory_width):
        super().build_stack(width, memory_width)
        self.combine.build((None, memory_width + self.units))

    def call(self, x, states):
        (state,) = states
        if self.input_feeding:
            x = ops.concatenate([x, state["fed"]], axis=-1)
        h, cells = self.move(x, state["cells"])
        context, weights = self.look(h, state["source"])
        s = self.combine(ops.concatenate([context, h], axis=-1))
        new = {"cells": cells, "fed": s, "attention": weights}
        return ops.concatenate([s, weights], axis=-1), [{**state, **new}]


@keras.saving.register_keras_serializable("keras_seq")
class LuongSeq2Seq(AttentionSeq2Seq):
    """Translate, looking at the source after every move.

    Args: those of `EncoderDecoder` (see `Seq2Seq`), and
        score: "dot", "general" or "concat"; "dot" wants an encoder that reads
            in one direction. Default "general".
        scaled: bool, divide dot and general by sqrt(Q). Default False.
        input_feeding: bool, give each step the attentional state before it.
            Default True.
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

    def __init__(
        self,
        *args,
        score="general",
        scaled=False,
        input_feeding=True,
        **kwargs,
    ):
        super().__init__(*args, **kwargs)
        if score == "dot" and self.config["bidirectional"]:
            raise ValueError(
                '`score="dot"` needs a memory as wide as the decoder. Received '
                "bidirectional=True, which doubles it."
            )
        own = {"score": score, "scaled": scaled, "input_feeding": input_feeding}
        self.config = {**self.config, **own}
        attention = LuongAttention(score, scaled, dtype=self.dtype_policy)
        self.loop = self.loop_of(
            _MoveThenLook, attention, input_feeding=input_feeding
        )

    @property
    def cell_width(self):
        return self.config["units"]

    @property
    def extra_width(self):
        return self.config["units"] if self.config["input_feeding"] else 0

    def start(self, source, training=False):
        """Read the source: int (B, S) -> int (B,), the start token; state."""
        ids, state = super().start(source, training)
        return ids, {**state, "fed": ops.zeros_like(state["cells"][-1][0])}

    def readout(self, y, x):
        return y
