"""Attending: a decoder that looks at a memory at every step.

The encoder's vector of every token is kept, the memory, and a decoder looks at
it at every step, weighing each vector by how well it fits its state. Whether
it looks before it moves or after, and how it scores, the two next chapters
differ in. All else is here, once: what is asked of a memory, the cells with
what they look at, and the loop over them.

    e_ts = score(query_t, keys(m_s))         # the keys once, not per step
    a_t  = softmax_s(e_t),   c_t = sum_s a_ts m_s
    h_t  = cells(x_t, h_{t-1})               # x_t or h_t made with c_t

Shapes: B batch, T target length, S source length, U units, D memory width,
    K width of a key, Q query width, V vocabulary.
Paper: Bahdanau, Cho & Bengio (2015), arXiv:1409.0473; Luong, Pham & Manning
    (2015), arXiv:1508.04025, section 3.1.
Differs from the paper: see the two.
"""

import keras
from keras import ops

from keras_seq.attention import attend
from keras_seq.embedding import padding_mask
from keras_seq.freezing import keeps_frozen
from keras_seq.language_model import CELLS, input_embedding
from keras_seq.rnn import step_cells
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
            self.embedding.units + self.extra_width, self.encoder.width
        )
        self.loop.built = True
        self.head.build((None, None, self.config["units"]))

    def call(self, inputs, training=False, return_attention_scores=False):
        _, state = self.start(inputs["source"], training)
        x = self.dropout(self.embedding(inputs["target"]), training=training)
        y = self.loop(x, initial_state=[state], training=training)
        width = self.cell_width
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
        y = self.readout(y[:, : self.cell_width], x)
        return self.head(y), state
