"""BahdanauSeq2Seq: attend to all source tokens before every decoder step.

One context vector of fixed width cannot hold a long sentence (the bottleneck of
`Seq2Seq`). Here the encoder's vector of every source token is kept: the memory.
Before each step the decoder computes an attention score for every memory
vector; the softmax gives the attention weights, and the weighted average is the
context vector c_t, a new one for each target token. The attention weights are
the alignment: they show the source tokens of each target token.

    e_ts = v . tanh(h_{t-1} W + m_s U)               # m_s U once, not per step
    a_t  = softmax_s(e_t),   c_t = sum_s a_ts m_s    # the context vector
    h_t  = cell([E[y_{t-1}] ; c_t], h_{t-1})
    t_t  = max(a, b),  [a ; b] = [h_t ; c_t ; E[y_{t-1}]] W_t + b_t   # maxout
    logits_t = t_t W_o + b_o,   h_0 = tanh(backward m_1 W_s + b_s)

Shapes: B batch, T target length, S source length, U units, M memory width
    (2 U of a bidirectional encoder), K key width (U), D embedding width, V
    target vocabulary.
Paper: Bahdanau, Cho & Bengio (2015), arXiv:1409.0473, eq. (5)-(6), appendix
    A.1.2 (scores), A.2.2 (h_0 and maxout).
Differs from the paper: the cell may be of any type; its input is the embedding
    and c_t, concatenated. `num_layers` cells may be stacked; the hidden state
    of the top one is the query. The maxout reads h_t where A.2.2 has h_{t-1}.
    Dropout is before the first cell and before the logits, not between cells.
"""

import keras
from keras import ops

from keras_seq import checks
from keras_seq.layers.additive_attention import AdditiveAttention
from keras_seq.layers.embedding import TokenEmbedding, padding_mask
from keras_seq.layers.recurrent import step_cells
from keras_seq.layers.trainable import propagate_trainable
from keras_seq.models.language_model import RECURRENT_LAYERS
from keras_seq.models.seq2seq_encoder import (
    Bridge,
    check_translation_config,
    make_encoder,
    start_tokens,
)
from keras_seq.models.servable_model import SOURCE_AND_TARGET, ServableModel


class BahdanauCell(keras.layers.Layer):
    """Compute one decoder step: attend, then step the recurrent cells.

    The state is a dict: "cells", a list for each layer of its states, float
    (B, U) each; "attention", float (B, S), the attention weights of the last
    step; and "source", which no step changes: a dict of "memory", float (B,
    S, M), "keys", float (B, S, K), and "mask", (B, S).

    Args:
        units: int > 0, width U of every cell.
        cell: "rnn", "gru" or "lstm".
        num_layers: int > 0, number of cells on top of each other.
        **kwargs: `name`, `dtype` and `trainable` of `keras.layers.Layer`.
    Call arguments:
        x: float (B, D), the embedding of the last token.
        states: a list of the state.
    Returns:
        float (B, U + M + S): h_t, c_t and the attention weights side by side;
        and a list of the new state.
    """

    def __init__(self, units, cell, num_layers, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.attention = AdditiveAttention(units, dtype=self.dtype_policy)
        self.cells = [
            RECURRENT_LAYERS[cell].cell_class(units, dtype=self.dtype_policy)
            for _ in range(num_layers)
        ]
        self.state_size = [units]  # required by `keras.layers.RNN`, never read

    def build(self, x_shape, memory_shape):
        self.attention.build((None, 1, self.units), memory_shape)
        width = x_shape[-1] + memory_shape[-1]
        for cell in self.cells:
            cell.build((None, width))
            width = self.units
        propagate_trainable(self)

    def call(self, x, states):
        (state,) = states
        source, previous_h = state["source"], state["cells"][-1][0]
        context, weights = self.attention(
            previous_h[:, None],
            source["memory"],
            memory_mask=ops.cast(source["mask"], "bool"),
            keys=source["keys"],
            return_attention_scores=True,
        )
        context, weights = context[:, 0], weights[:, 0]  # (B, M), (B, S)
        x = ops.concatenate([x, context], axis=-1)
        h, cells = step_cells(self.cells, x, state["cells"])
        output = ops.concatenate([h, context, weights], axis=-1)
        return output, [{**state, "cells": cells, "attention": weights}]


@keras.saving.register_keras_serializable("keras_seq")
class BahdanauSeq2Seq(ServableModel):
    """Translate with additive attention, computed before each decoder step.

    Args:
        source_vocabulary_size: int > 0, number of source tokens.
        target_vocabulary_size: int > 0, number of target tokens V.
        units: int > 0, width U of every layer and direction.
        cell: "rnn", "gru" or "lstm". Default "gru".
        num_layers: int > 0, of the encoder and of the decoder. Default 1.
        embedding_dim: optional int > 0, width D of both token embeddings.
            Default None: `units`.
        bidirectional: bool, let the encoder read from both ends, so that
            each memory vector depends on the tokens before and after its
            own. Default True.
        dropout: float in [0, 1), dropout rate before each layer of the
            encoder, before the decoder and before the logits. Default 0.
        reverse_source: bool, read each source from its last token to its
            first. Default False.
        start_id: int, id of the start token. Default 2.
        end_id: int, id of the end token. Default 3.
        pad_id: optional int, id of padding in source and target, where it
            stands at the end. Default 0.
        **kwargs: `name`, `dtype` and `trainable` of `keras.Model`.
    Call arguments:
        inputs: dict of "source", int (B, S), and "target", int (B, T), the
            target from its start token on.
        training: bool, apply dropout. Default False.
        return_attention_scores: bool, return the attention weights as well.
            Default False.
    Returns:
        float (B, T, V), logits of the next token; with
        `return_attention_scores` also the weights, float (B, T, S), 0 on
        padding.
    Raises:
        ValueError: if an argument is outside its range, or `inputs` is not
            a dict with both keys.

    Example:
        >>> model = BahdanauSeq2Seq(13, 17, units=8)
        >>> source = np.array([[5, 6, 7], [8, 9, 0]])
        >>> target = np.array([[2, 5], [2, 6]])  # each from its start token
        >>> inputs = {"source": source, "target": target}
        >>> logits, weights = model(inputs, return_attention_scores=True)
        >>> tuple(logits.shape), tuple(weights.shape)
        ((2, 2, 17), (2, 2, 3))
        >>> generate(model, source, max_length=4).attention.shape
        (2, 4, 3)
    """

    input_shapes = SOURCE_AND_TARGET

    def __init__(
        self,
        source_vocabulary_size,
        target_vocabulary_size,
        units,
        *,
        cell="gru",
        num_layers=1,
        embedding_dim=None,
        bidirectional=True,
        dropout=0.0,
        reverse_source=False,
        start_id=2,
        end_id=3,
        pad_id=0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        config = {
            "source_vocabulary_size": source_vocabulary_size,
            "target_vocabulary_size": target_vocabulary_size,
            "units": units,
            "cell": cell,
            "num_layers": num_layers,
            "embedding_dim": embedding_dim,
            "bidirectional": bidirectional,
            "dropout": dropout,
            "reverse_source": reverse_source,
            "start_id": start_id,
            "end_id": end_id,
            "pad_id": pad_id,
        }
        self.config = check_translation_config(config)
        self._make_layers()

    def _make_layers(self):
        config, policy = self.config, self.dtype_policy
        units, cell = config["units"], config["cell"]
        self.start_id, self.end_id = config["start_id"], config["end_id"]
        self.units, self.pad_id = units, config["pad_id"]
        self.encoder = make_encoder(config, policy)
        layers = config["num_layers"]
        self.bridge = Bridge(units, units, cell, layers, dtype=policy)
        # No mask: padding stands at the end, and changes nothing before it.
        self.token_embedding = TokenEmbedding(
            config["target_vocabulary_size"],
            config["embedding_dim"] or units,
            pad_id=None,
            embeddings_initializer=keras.initializers.RandomNormal(0, 1.0),
            dtype=policy,
        )
        self.dropout = keras.layers.Dropout(config["dropout"], dtype=policy)
        self.decoder = keras.layers.RNN(
            BahdanauCell(units, cell, layers, dtype=policy),
            return_sequences=True,
            dtype=policy,
        )
        self.maxout = keras.layers.Dense(2 * units, dtype=policy)
        self.head = keras.layers.Dense(
            config["target_vocabulary_size"], dtype=policy
        )

    def build(self, inputs_shape):
        checks.has_keys(inputs_shape, "source", "target")
        self.encoder.build(inputs_shape["source"])
        self.bridge.build()
        self.token_embedding.build(inputs_shape["target"])
        x, memory = self.token_embedding.embedding_dim, self.encoder.output_dim
        self.decoder.cell.build((None, x), (None, None, memory))
        self.decoder.built = True
        self.maxout.build((None, None, self.units + memory + x))
        self.head.build((None, None, self.units))
        propagate_trainable(self)

    def call(self, inputs, training=False, return_attention_scores=False):
        checks.has_keys(inputs, "source", "target")
        state = self._initial_state(inputs["source"], training)
        x = self.token_embedding(inputs["target"])  # (B, T, D)
        x = self.dropout(x, training=training)
        y = self.decoder(x, initial_state=[state], training=training)
        width = self.units + self.encoder.output_dim
        h_and_context, weights = y[:, :, :width], y[:, :, width:]
        t = self.dropout(self._readout(h_and_context, x), training=training)
        logits = self.head(t)
        return (logits, weights) if return_attention_scores else logits

    def _initial_state(self, source, training=False):
        memory, final = self.encoder(source, training=training)
        # The last U columns: of a bidirectional encoder the backward state,
        # which read token 1 last (with `reverse_source` the last token).
        final = [[state[:, -self.units :] for state in each] for each in final]
        return {
            "cells": self.bridge(final),
            "attention": ops.zeros_like(memory[:, :, 0]),
            "source": {
                "memory": memory,
                "keys": self.decoder.cell.attention.keys(memory),
                "mask": padding_mask(source, self.pad_id),
            },
        }

    def _readout(self, h_and_context, x):
        t = self.maxout(ops.concatenate([h_and_context, x], axis=-1))
        return ops.maximum(*ops.split(t, 2, axis=-1))

    def start(self, source, max_length=None):
        """Encode the source.

        Args:
            source: int (B, S).
            max_length: not used: the state has a fixed size. Default None.
        Returns:
            int (B,), the start token of each row, and the decoder's state:
            see `BahdanauCell`.
        """
        ids = start_tokens(source, self.start_id)
        return ids, self._initial_state(source)

    def step(self, ids, state):
        """Compute the logits of the next token.

        Args:
            ids: int (B,), the newest token of each row.
            state: as `start` returns it.
        Returns:
            float (B, V), logits, and the new state.
        """
        x = self.token_embedding(ids)
        y, (state,) = self.decoder.cell(x, [state])
        h_and_context = y[:, : self.units + self.encoder.output_dim]
        return self.head(self._readout(h_and_context, x)), state

    def get_config(self):
        return {**super().get_config(), **self.config}
