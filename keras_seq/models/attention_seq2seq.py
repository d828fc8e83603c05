"""Sequence-to-sequence models with attention, after Bahdanau and Luong.

The encoder's vector of every token is kept, the memory, and a decoder attends
to it at every step. Bahdanau's decoder attends with the state before the step,
Luong's with the state after it.

    Bahdanau:
    e_ts = v . tanh(h_{t-1} W + m_s U)               # m_s U once, not per step
    a_t  = softmax_s(e_t),   c_t = sum_s a_ts m_s
    h_t  = cell([E[y_{t-1}] ; c_t], h_{t-1})
    t_t  = max of pairs of  [h_t ; c_t ; E[y_{t-1}]] W_t      # maxout
    logits_t = t_t W_o + b_o,   h_0 = tanh(backward m_1 W_s)

    Luong:
    h_t  = cell([E[y_{t-1}] ; s_{t-1}], h_{t-1})     # s_{t-1}: input feeding
    a_t  = softmax_s(score(h_t, m_s)),   c_t = sum_s a_ts m_s
    s_t  = tanh([c_t ; h_t] W_c)                     # attentional state
    logits_t = s_t W_o + b_o

Shapes: B batch, T target length, S source length, U units, D memory width,
    Q query width, V vocabulary.
Paper: Bahdanau, Cho & Bengio (2015), arXiv:1409.0473, eq. (5)-(6), appendix
    A.1.2 (scores), A.2.2 (h_0 and maxout); Luong, Pham & Manning (2015),
    arXiv:1508.04025, section 3.1 (global attention), 3.3 (input feeding).
Differs from the paper: Bahdanau: c_t is read beside the embedding by any cell,
    with `num_layers` cells on top of each other, of which the top one attends;
    the maxout reads h_t where A.2.2 has h_{t-1}; dropout before the first cell
    and before the logits, none between the cells. Luong: biases in the last
    two products; no local attention.
"""

import keras
from keras import ops

from keras_seq.layers.additive_attention import AdditiveAttention
from keras_seq.layers.embedding import padding_mask
from keras_seq.layers.luong_attention import LuongAttention
from keras_seq.layers.simple_rnn import step_cells
from keras_seq.layers.trainable import propagate_trainable
from keras_seq.models.language_model import CELLS, input_embedding
from keras_seq.models.seq2seq import EncoderDecoder


class AttendingCell(keras.layers.Layer):
    """Hold a stack of cells and what they look at: one step of a decoder.

    Its state is a dict: "cells", a list for each layer of its states, float
    (B, U); "attention", float (B, S), where the step has looked; "source",
    which no step changes: "memory" (B, S, D), "keys" (B, S, K), "mask" (B, S).
    It travels through `keras.layers.RNN`, and through `generate`, as it is.
    """

    def __init__(self, cell, units, num_layers, attention, **kwargs):
        super().__init__(**kwargs)
        cell_class = CELLS[cell].cell_class
        self.cells = [
            cell_class(units, dtype=self.dtype_policy)
            for _ in range(num_layers)
        ]
        self.attention = attention
        self.units = units
        self.state_size = [units]  # Keras asks, but the state is always given

    def build_stack(self, width, memory_width):
        self.attention.build((None, 1, self.units), (None, None, memory_width))
        for cell in self.cells:
            cell.build((None, width))
            cell.built, width = True, self.units
        self.built = True

    def look(self, h, source):
        """Ask with h (B, U): context (B, D) and weights (B, S)."""
        context, weights = self.attention(
            h[:, None],
            source["memory"],
            memory_mask=ops.cast(source["mask"], "bool"),
            keys=source["keys"],
            return_attention_scores=True,
        )
        return context[:, 0], weights[:, 0]

    def move(self, x, states):
        """Step every cell: float (B, U) of the top one, all new states."""
        return step_cells(self.cells, x, states)


class AttentionSeq2Seq(EncoderDecoder):
    """Hold what both attentions share: the loop over a decoder that looks.

    A subclass gives its `loop`, `loop_of` an `AttendingCell` whose output ends
    in the weights; `cell_width`, how wide that is before them;
    `extra_width`, of what the cells read beside the embedding; and
    `readout(y, x)`, what is scored.

    Call arguments:
        inputs: dict of "source", int (B, S), and "target", int (B, T), the
            target from its start token on.
        return_attention_scores: bool, give the alignment as well.
    Returns:
        logits, float (B, T, V), or logits and weights, float (B, T, S).
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        config, policy = self.config, self.dtype_policy
        width = config["embedding_dim"] or config["units"]
        # No mask: padding stands at the end and can change nothing before it.
        self.embedding = input_embedding(
            config["target_vocabulary_size"], width, None, policy
        )
        self.dropout = keras.layers.Dropout(config["dropout"], dtype=policy)
        self.head = keras.layers.Dense(
            config["target_vocabulary_size"], dtype=policy
        )

    def loop_of(self, cell_class, attention, **options):
        """Make the loop over a stack of cells that looks."""
        names = ("cell", "units", "num_layers")
        sizes = {name: self.config[name] for name in names}
        options = {**sizes, "attention": attention, **options}
        cell = cell_class(dtype=self.dtype_policy, **options)
        return keras.layers.RNN(
            cell, return_sequences=True, dtype=self.dtype_policy
        )

    def build(self, inputs_shape):
        super().build(inputs_shape)
        self.embedding.build(inputs_shape["target"])
        self.loop.cell.build_stack(
            self.embedding.units + self.extra_width, self.encoder.width
        )
        self.loop.built = True
        self.head.build((None, None, self.config["units"]))
        propagate_trainable(self)

    def call(self, inputs, training=False, return_attention_scores=False):
        _, state = self.start(inputs["source"], training=training)
        x = self.dropout(self.embedding(inputs["target"]), training=training)
        y = self.loop(x, initial_state=[state], training=training)
        width = self.cell_width
        y, weights = y[:, :, :width], y[:, :, width:]
        y = self.dropout(self.readout(y, x), training=training)
        logits = self.head(y)
        return (logits, weights) if return_attention_scores else logits

    def start(self, source, max_length=None, training=False):
        """Read the source: int (B, S) -> int (B,), the start token; state."""
        memory, cells = self.read(source, training)
        state = {
            "cells": cells,
            "attention": ops.zeros_like(memory[:, :, 0]),
            "source": {
                "memory": memory,
                "keys": self.loop.cell.attention.keys(memory),
                "mask": padding_mask(source, self.pad_id),
            },
        }
        return self.first_ids(source), state

    def step(self, ids, state):
        """Score the next token: int (B,) -> logits (B, V), new state."""
        x = self.embedding(ids)
        y, (state,) = self.loop.cell(x, [state])
        y = self.readout(y[:, : self.cell_width], x)
        return self.head(y), state


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

    def build(self, inputs_shape):
        super().build(inputs_shape)
        width = self.cell_width + self.embedding.units
        self.maxout.build((None, None, width))
        propagate_trainable(self)

    def readout(self, y, x):
        t = self.maxout(ops.concatenate([y, x], axis=-1))
        return ops.maximum(*ops.split(t, 2, axis=-1))


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
        score_mode: "dot", "general" or "concat"; "dot" needs an encoder that
            reads in one direction. Default "general".
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
        score_mode="general",
        scaled=False,
        input_feeding=True,
        **kwargs,
    ):
        super().__init__(*args, **kwargs)
        if score_mode == "dot" and self.config["bidirectional"]:
            raise ValueError(
                '`score_mode="dot"` needs a memory as wide as the decoder. '
                "Received bidirectional=True, which doubles it."
            )
        own = {
            "score_mode": score_mode,
            "scaled": scaled,
            "input_feeding": input_feeding,
        }
        self.config = {**self.config, **own}
        attention = LuongAttention(score_mode, scaled, dtype=self.dtype_policy)
        self.loop = self.loop_of(
            _MoveThenLook, attention, input_feeding=input_feeding
        )

    @property
    def cell_width(self):
        return self.config["units"]

    @property
    def extra_width(self):
        return self.config["units"] if self.config["input_feeding"] else 0

    def start(self, source, max_length=None, training=False):
        """Read the source: int (B, S) -> int (B,), the start token; state."""
        ids, state = super().start(source, max_length, training)
        return ids, {**state, "fed": ops.zeros_like(state["cells"][-1][0])}

    def readout(self, y, x):
        return y
