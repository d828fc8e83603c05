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
from keras_seq.attention import attend, padding_mask
from keras_seq.freezing import keeps_frozen
from keras_seq.language_model import CELLS, input_embedding
from keras_seq.seq2seq import EncoderDecoder


class Attention(keras.layers.Layer):
    """Ask a memory: what every score has in common.

    A subclass gives `keys(memory)`, float (B, S, D) -> (B, S, K), what does
    not depend on who asks, and `score(query, keys)`, float (B, T, S). Call
    arguments, returns and paper stand with each of them.
    """

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
        found = attend(self.score(query, keys), memory, mask)
        return found if return_attention_scores else found[0]


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
        checks.positive_int(units=units)
        self.units = units
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
        after = []
        for cell, before in zip(self.cells, states):
            x, new = cell(x, before)
            after.append(new)
        return x, after


class _LookThenMove(AttendingCell):
    """Ask with the state before the step, as Bahdanau does."""

    def call(self, x, states):
        (state,) = states
        context, weights = self.look(state["cells"][-1][0], state["source"])
        x = ops.concatenate([x, context], axis=-1)
        h, cells = self.move(x, state["cells"])
        output = ops.concatenate([h, context, weights], axis=-1)
        return output, [{**state, "cells": cells, "attention": weights}]


class AttentionSeq2Seq(EncoderDecoder):
    """Hold what both attentions share: the loop over a decoder that looks.

    A subclass gives its `loop`, `loop_of` an `AttendingCell` whose output ends
    in the weights; `cell_width()`, how wide that is before them;
    `extra_width()`, of what the cells read beside the embedding; and
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
            config["target_vocab_size"], width, None, policy
        )
        self.dropout = keras.layers.Dropout(config["dropout"], dtype=policy)
        self.head = keras.layers.Dense(
            config["target_vocab_size"], dtype=policy
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

    @keeps_frozen
    def build(self, inputs_shape):
        super().build(inputs_shape)
        self.embedding.build(inputs_shape["target"])
        self.loop.cell.build_stack(
            self.embedding.units + self.extra_width(), self.encoder.width
        )
        self.loop.built = True
        self.head.build((None, None, self.config["units"]))

    def call(self, inputs, training=False, return_attention_scores=False):
        _, state = self.start(inputs["source"], training)
        x = self.dropout(self.embedding(inputs["target"]), training=training)
        y = self.loop(x, initial_state=[state], training=training)
        width = self.cell_width()
        y, weights = y[:, :, :width], y[:, :, width:]
        y = self.dropout(self.readout(y, x), training=training)
        logits = self.head(y)
        return (logits, weights) if return_attention_scores else logits

    def start(self, source, training=False):
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
        y = self.readout(y[:, : self.cell_width()], x)
        return self.head(y), state


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

    def cell_width(self):
        return self.config["units"] + self.encoder.width

    def extra_width(self):
        return self.encoder.width

    @keeps_frozen
    def build(self, inputs_shape):
        super().build(inputs_shape)
        width = self.cell_width() + self.embedding.units
        self.maxout.build((None, None, width))

    def readout(self, y, x):
        t = self.maxout(ops.concatenate([y, x], axis=-1))
        return ops.maximum(*ops.split(t, 2, axis=-1))
