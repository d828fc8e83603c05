"""Seq2SeqDecoder: a language model that starts from a given state.

A language model starts from a state of zeros. The decoder of a
sequence-to-sequence model starts from the context vector, the encoder's final
state, so its predictions depend on the source. In training it reads the true
token before each one that it predicts (teacher forcing): the target shifted by
one. In generation it reads its own predictions (autoregressive decoding).

    h_0      = c                                      # the context vector
    h_t      = cell(E[y_{t-1}], h_{t-1})              # y_0 is the start token
    logits_t = h_t W + b                              # for y_t
    with feed_context:
    h_t      = cell([E[y_{t-1}] ; c], h_{t-1})
    t_t      = max(a, b),  [a ; b] = [h_t ; E[y_{t-1}] ; c] W_t + b_t   # maxout
    logits_t = t_t W + b

Shapes: B batch, T target length, V target vocabulary, D embedding width, U
    units.
Paper: Sutskever, Vinyals & Le (2014), arXiv:1409.3215; feed_context: Cho et
    al. (2014), arXiv:1406.1078, section 2.2 and appendix A.1.2.
Differs from the paper: any cell; c is read once, as the initial state, unless
    `feed_context` is True, as in Cho.
"""

import keras
from keras import ops

from keras_seq.layers.embedding import TokenEmbedding
from keras_seq.layers.recurrent import step_cells
from keras_seq.layers.trainable import propagate_trainable
from keras_seq.models.language_model import (
    check_recurrent_config,
    masked_layer,
)
from keras_seq.models.scheduled_sampling import decode_with_own_predictions
from keras_seq.models.servable_model import ServableModel


@keras.saving.register_keras_serializable("keras_seq")
class Seq2SeqDecoder(ServableModel):
    """Predict each next target token, starting from a given state.

    Args:
        vocabulary_size: int > 0, number of target tokens V.
        units: int > 0, width U of every layer.
        cell: "rnn", "gru" or "lstm". Default "gru".
        num_layers: int > 0, number of recurrent layers. Default 1.
        embedding_dim: optional int > 0, width D of the token embedding.
            Default None: `units`.
        dropout: float in [0, 1), dropout rate before each layer and before
            the logits. Default 0.
        feed_context: bool, let every step and its logits (a maxout of two)
            read the context vector: the initial h of the top layer. Default
            False.
        scheduled_sampling: optional `ScheduledSampling`; in training the
            decoder then reads its own predictions in place of a growing
            share of the true tokens. Default None: teacher forcing.
        pad_id: optional int, the id of padding. Default 0.
        **kwargs: `name`, `dtype` and `trainable` of `keras.Model`.
    Call arguments:
        ids: int (B, T), the target from its start token on.
        initial_state: optional list for each layer of its states, float (B,
            U) each. Default None: zeros.
        training: bool, apply dropout and scheduled sampling. Default False.
    Returns:
        float (B, T, vocabulary_size), logits of the token after each.
    Raises:
        ValueError: if an argument is outside its range.

    Example:
        >>> decoder = Seq2SeqDecoder(vocabulary_size=13, units=8)
        >>> context = ops.ones((2, 8))
        >>> logits = decoder(np.array([[2, 5, 6], [2, 7, 0]]), [[context]])
        >>> tuple(logits.shape)
        (2, 3, 13)
    """

    def __init__(
        self,
        vocabulary_size,
        units,
        *,
        cell="gru",
        num_layers=1,
        embedding_dim=None,
        dropout=0.0,
        feed_context=False,
        scheduled_sampling=None,
        pad_id=0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        config = {
            "vocabulary_size": vocabulary_size,
            "units": units,
            "cell": cell,
            "num_layers": num_layers,
            "embedding_dim": embedding_dim,
            "dropout": dropout,
            "feed_context": feed_context,
            "pad_id": pad_id,
        }
        self.config = check_recurrent_config(config, "feed_context")
        self.units, self.feed_context = self.config["units"], bool(feed_context)
        self.scheduled_sampling = scheduled_sampling
        self._make_layers()

    def _make_layers(self):
        config, policy, units = self.config, self.dtype_policy, self.units
        embedding_dim = config["embedding_dim"] or units
        self.input_dim = embedding_dim + (units if self.feed_context else 0)
        self.token_embedding = TokenEmbedding(
            config["vocabulary_size"],
            embedding_dim,
            pad_id=config["pad_id"],
            embeddings_initializer=keras.initializers.RandomNormal(0, 1.0),
            dtype=policy,
        )
        self.recurrent_layers = [
            masked_layer({**config, "units": units}, dtype=policy)
            for _ in range(config["num_layers"])
        ]
        self.dropout = keras.layers.Dropout(config["dropout"], dtype=policy)
        self.head = keras.layers.Dense(config["vocabulary_size"], dtype=policy)
        if self.feed_context:
            self.maxout = keras.layers.Dense(2 * units, dtype=policy)
        if self.scheduled_sampling is not None:
            self.seed_generator = keras.random.SeedGenerator()
            self.iterations = self.add_weight(  # training steps so far
                name="iterations",
                shape=(),
                dtype="int32",
                trainable=False,
                initializer="zeros",
            )

    def build(self, ids_shape):
        self.token_embedding.build(ids_shape)
        width = self.input_dim
        for layer in self.recurrent_layers:
            layer.build((*ids_shape, width))
            width = self.units
        if self.feed_context:
            self.maxout.build((*ids_shape, self.units + self.input_dim))
        self.head.build((*ids_shape, self.units))
        propagate_trainable(self)

    def call(self, ids, initial_state=None, training=False):
        if initial_state is None:
            rows = ops.shape(ids)[0]
            initial_state = [
                cell.get_initial_state(rows) for cell in self.cells
            ]
        if training and self.scheduled_sampling is not None:
            y = self._scheduled_sampling(ids, initial_state)
        else:
            y = self._teacher_forcing(ids, initial_state, training)
        return self.head(self.dropout(y, training=training))

    def _teacher_forcing(self, ids, initial_state, training):
        mask = self.token_embedding.compute_mask(ids)
        x = inputs = self.embed(ids, context=initial_state[-1][0])
        for layer, state in zip(self.recurrent_layers, initial_state):
            x = self.dropout(x, training=training)
            x = layer(x, initial_state=state, mask=mask, training=training)
        return self.readout(x, inputs)

    def _scheduled_sampling(self, ids, initial_state):
        epsilon = self.scheduled_sampling.epsilon(self.iterations)
        self.iterations.assign_add(1)
        ids = self.token_embedding.as_int(ids)
        draw = keras.random.uniform(
            ops.shape(ids), dtype="float32", seed=self.seed_generator
        )
        replaced = draw >= epsilon
        return decode_with_own_predictions(self, ids, initial_state, replaced)

    @property
    def cells(self):
        """The cell of each layer, a list from bottom to top."""
        return [layer.cell for layer in self.recurrent_layers]

    def embed(self, ids, context):
        """Make the first layer's input.

        Args:
            ids: int (B,) or (B, T).
            context: float (B, U), the context vector.
        Returns:
            float (B, D) or (B, T, D); with `feed_context` D + U.
        """
        x = self.token_embedding(ids)
        if not self.feed_context:
            return x
        context = ops.cast(context, x.dtype)
        if len(x.shape) == 3:
            context = ops.repeat(context[:, None], ops.shape(x)[1], axis=1)
        return ops.concatenate([x, context], axis=-1)

    def readout(self, h, inputs):
        """Return the input of the output layer: h, or the maxout."""
        if not self.feed_context:
            return h
        t = self.maxout(ops.concatenate([h, inputs], axis=-1))
        return ops.maximum(*ops.split(t, 2, axis=-1))

    def step(self, ids, state):
        """Compute the logits of the next token.

        Args:
            ids: int (B,), the newest token of each row.
            state: dict of "cells", a list for each layer of its states,
                float (B, U) each, and "source", which no step changes: a
                dict of "context", float (B, U).
        Returns:
            float (B, V), logits, and the new state.
        """
        x = self.embed(ids, state["source"]["context"])
        h, cells = step_cells(self.cells, x, state["cells"])
        return self.head(self.readout(h, x)), {**state, "cells": cells}

    def get_config(self):
        schedule = keras.saving.serialize_keras_object(self.scheduled_sampling)
        own = {**self.config, "scheduled_sampling": schedule}
        return {**super().get_config(), **own}

    @classmethod
    def from_config(cls, config):
        schedule = keras.saving.deserialize_keras_object(
            config["scheduled_sampling"]
        )
        return cls(**{**config, "scheduled_sampling": schedule})
