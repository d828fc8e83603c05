"""LuongSeq2Seq: attend to all source tokens after every decoder step.

Luong's decoder first computes its new hidden state h_t, attends with it, and
combines h_t and the context vector into the attentional state s_t. s_t predicts
the token and is an input of the next step (input feeding). The score is a
product of h_t and a memory vector, or a small network. The attention weights
a_t are the alignment of target and source.

    h_t  = cell([E[y_{t-1}] ; s_{t-1}], h_{t-1})     # s_{t-1}: input feeding
    a_t  = softmax_s(score(h_t, m_s))
    c_t  = sum_s a_ts m_s                            # the context vector
    s_t  = tanh([c_t ; h_t] W_c)                     # attentional state
    logits_t = s_t W_o + b_o

Shapes: B batch, T target length, S source length, U units, M memory width
    (U, or 2 U of a bidirectional encoder), K key width, Q query width (U), D
    embedding width, V target vocabulary.
Paper: Luong, Pham & Manning (2015), arXiv:1508.04025, section 3.1 (global
    attention), 3.3 (input feeding).
Differs from the paper: biases in the last two products; no local attention.
"""

import keras
from keras import ops

from keras_seq import checks
from keras_seq.layers.embedding import TokenEmbedding, padding_mask
from keras_seq.layers.luong_attention import LuongAttention
from keras_seq.layers.recurrent import step_cells
from keras_seq.layers.trainable import propagate_trainable
from keras_seq.models.language_model import RECURRENT_LAYERS
from keras_seq.models.seq2seq_encoder import (
    check_translation_config,
    make_encoder_and_bridge,
    start_tokens,
)
from keras_seq.models.servable_model import SOURCE_AND_TARGET, ServableModel


class LuongCell(keras.layers.Layer):
    """Compute one decoder step: step the recurrent cells, then attend.

    The state is a dict: "cells", a list for each layer of its states, float
    (B, U) each; "attentional", float (B, U), the attentional state;
    "attention", float (B, S), the attention weights of the last step; and
    "source", which no step changes: a dict of "memory", float (B, S, M),
    "keys", float (B, S, K), and "mask", (B, S).

    Args:
        units: int > 0, width U of every cell.
        cell: "rnn", "gru" or "lstm".
        num_layers: int > 0, number of cells on top of each other.
        score_mode: "dot", "general" or "concat".
        scaled: bool, divide the scores of "dot" and "general" by sqrt(Q).
        input_feeding: bool, let each step read the attentional state before.
        **kwargs: `name`, `dtype` and `trainable` of `keras.layers.Layer`.
    Call arguments:
        x: float (B, D), the embedding of the last token.
        states: a list of the state.
    Returns:
        float (B, U + S), s_t and the attention weights, and [new state].
    """

    def __init__(
        self,
        units,
        cell,
        num_layers,
        score_mode,
        scaled,
        input_feeding,
        **kwargs,
    ):
        super().__init__(**kwargs)
        policy = self.dtype_policy
        self.units, self.input_feeding = units, input_feeding
        self.attention = LuongAttention(score_mode, scaled, dtype=policy)
        self.cells = [
            RECURRENT_LAYERS[cell].cell_class(units, dtype=policy)
            for _ in range(num_layers)
        ]
        self.attentional_dense = keras.layers.Dense(units, "tanh", dtype=policy)
        self.state_size = [units]  # required by `keras.layers.RNN`, never read

    def build(self, x_shape, memory_shape):
        self.attention.build((None, 1, self.units), memory_shape)
        width = x_shape[-1] + (self.units if self.input_feeding else 0)
        for cell in self.cells:
            cell.build((None, width))
            width = self.units
        self.attentional_dense.build((None, memory_shape[-1] + self.units))
        propagate_trainable(self)

    def call(self, x, states):
        (state,) = states
        source = state["source"]
        if self.input_feeding:
            x = ops.concatenate([x, state["attentional"]], axis=-1)
        h, cells = step_cells(self.cells, x, state["cells"])
        context, weights = self.attention(
            h[:, None],
            source["memory"],
            memory_mask=ops.cast(source["mask"], "bool"),
            keys=source["keys"],
            return_attention_scores=True,
        )
        context, weights = context[:, 0], weights[:, 0]  # (B, M), (B, S)
        s = self.attentional_dense(ops.concatenate([context, h], axis=-1))
        new = {"cells": cells, "attentional": s, "attention": weights}
        return ops.concatenate([s, weights], axis=-1), [{**state, **new}]


@keras.saving.register_keras_serializable("keras_seq")
class LuongSeq2Seq(ServableModel):
    """Translate with attention that is computed after each decoder step.

    Args:
        source_vocabulary_size: int > 0, number of source tokens.
        target_vocabulary_size: int > 0, number of target tokens V.
        units: int > 0, width U of every layer and direction.
        score_mode: "dot", "general" or "concat"; "dot" needs an encoder that
            is not bidirectional. Default "general".
        scaled: bool, divide the scores of "dot" and "general" by sqrt(Q).
            Default False.
        input_feeding: bool, let each step read s_{t-1}. Default True.
        cell: "rnn", "gru" or "lstm". Default "gru".
        num_layers: int > 0, of the encoder and of the decoder. Default 1.
        embedding_dim: optional int > 0, width D of both token embeddings.
            Default None: `units`.
        bidirectional: bool, let the encoder read from both ends; the decoder
            then starts at tanh([forward ; backward] W + b). Default False.
        dropout: float in [0, 1), dropout rate before each layer of the
            encoder, before the decoder and before the logits. Default 0.
        reverse_source: bool, read each source from its last token to its
            first. Default False.
        start_id: int, id of the start token. Default 2.
        end_id: int, id of the end token. Default 3.
        pad_id: optional int, id of padding, at the end. Default 0.
        **kwargs: `name`, `dtype` and `trainable` of `keras.Model`.
    Call arguments:
        inputs: dict of "source", int (B, S), and "target", int (B, T), the
            target from its start token on.
        training: bool, apply dropout. Default False.
        return_attention_scores: bool, return the weights too. Default False.
    Returns:
        float (B, T, V), logits of the next token, or that and the weights,
        float (B, T, S), 0 on padding.
    Raises:
        ValueError: if an argument is outside its range, or `inputs` is not
            a dict with both keys.

    Example:
        >>> model = LuongSeq2Seq(13, 17, units=8, score_mode="dot")
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
        score_mode="general",
        scaled=False,
        input_feeding=True,
        cell="gru",
        num_layers=1,
        embedding_dim=None,
        bidirectional=False,
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
            "score_mode": score_mode,
            "scaled": scaled,
            "input_feeding": input_feeding,
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
        if config["score_mode"] == "dot" and config["bidirectional"]:
            raise ValueError(
                '`score_mode="dot"` needs a memory as wide as the decoder. '
                "Received bidirectional=True, which doubles it."
            )
        self.start_id, self.end_id = config["start_id"], config["end_id"]
        self.units, self.pad_id = config["units"], config["pad_id"]
        self.encoder, self.bridge = make_encoder_and_bridge(config, policy)
        # No mask: padding stands at the end, and changes nothing before it.
        self.token_embedding = TokenEmbedding(
            config["target_vocabulary_size"],
            config["embedding_dim"] or config["units"],
            pad_id=None,
            embeddings_initializer=keras.initializers.RandomNormal(0, 1.0),
            dtype=policy,
        )
        self.dropout = keras.layers.Dropout(config["dropout"], dtype=policy)
        own = ("units", "cell", "num_layers")
        own += ("score_mode", "scaled", "input_feeding")
        self.decoder = keras.layers.RNN(
            LuongCell(**{name: config[name] for name in own}, dtype=policy),
            return_sequences=True,
            dtype=policy,
        )
        self.head = keras.layers.Dense(
            config["target_vocabulary_size"], dtype=policy
        )

    def build(self, inputs_shape):
        checks.has_keys(inputs_shape, "source", "target")
        self.encoder.build(inputs_shape["source"])
        if self.bridge is not None:
            self.bridge.build()
        self.token_embedding.build(inputs_shape["target"])
        x, memory = self.token_embedding.embedding_dim, self.encoder.output_dim
        self.decoder.cell.build((None, x), (None, None, memory))
        self.decoder.built = True
        self.head.build((None, None, self.units))
        propagate_trainable(self)

    def call(self, inputs, training=False, return_attention_scores=False):
        checks.has_keys(inputs, "source", "target")
        state = self._initial_state(inputs["source"], training)
        x = self.token_embedding(inputs["target"])  # (B, T, D)
        x = self.dropout(x, training=training)
        y = self.decoder(x, initial_state=[state], training=training)
        s, weights = y[:, :, : self.units], y[:, :, self.units :]
        logits = self.head(self.dropout(s, training=training))
        return (logits, weights) if return_attention_scores else logits

    def _initial_state(self, source, training=False):
        memory, cells = self.encoder(source, training=training)
        if self.bridge is not None:
            cells = self.bridge(cells)
        return {
            "cells": cells,
            "attentional": ops.zeros_like(cells[-1][0]),
            "attention": ops.zeros_like(memory[:, :, 0]),
            "source": {
                "memory": memory,
                "keys": self.decoder.cell.attention.keys(memory),
                "mask": padding_mask(source, self.pad_id),
            },
        }

    def start(self, source, max_length=None):
        """Encode the source.

        Args:
            source: int (B, S).
            max_length: not used: the state has a fixed size. Default None.
        Returns:
            int (B,), the start token of each row, and the decoder's state:
            see `LuongCell`.
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
        y, (state,) = self.decoder.cell(self.token_embedding(ids), [state])
        return self.head(y[:, : self.units]), state

    def get_config(self):
        return {**super().get_config(), **self.config}
