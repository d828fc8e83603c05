"""Seq2Seq: encode the source into one context vector, decode the target.

A language model continues its input, one token at a time. A
sequence-to-sequence model has two networks: the encoder reads the source into
its final state (of an LSTM: hidden and cell state), the context vector, and the
decoder, a language model that starts from the context vector, predicts the
target from the start token to the end token. In training the decoder reads the
true target, not its own predictions (teacher forcing). The two lengths are
independent. The context vector has a fixed width, however long the source is:
this bottleneck is what attention removes.

    context  = encoder(x_1 ... x_S)                   # the final state
    h_0      = context, or tanh(context W + b) of a bidirectional encoder
    h_t      = cell(E[y_{t-1}], h_{t-1})              # y_0 is the start token
    logits_t = h_t W + b                              # for y_t

Shapes: B batch, S source length, T target length, V target vocabulary, U
    units.
Paper: Sutskever, Vinyals & Le (2014), arXiv:1409.3215.
Differs from the paper: any cell; one layer and no reversed source by default.
"""

import keras
from keras import ops

from keras_seq import checks
from keras_seq.layers.trainable import propagate_trainable
from keras_seq.models.seq2seq_decoder import Seq2SeqDecoder
from keras_seq.models.seq2seq_encoder import (
    check_translation_config,
    make_encoder_and_bridge,
    start_tokens,
)
from keras_seq.models.servable_model import SOURCE_AND_TARGET, ServableModel


@keras.saving.register_keras_serializable("keras_seq")
class Seq2Seq(ServableModel):
    """Translate a source into a target through one context vector.

    Args:
        source_vocabulary_size: int > 0, number of source tokens.
        target_vocabulary_size: int > 0, number of target tokens V.
        units: int > 0, width U of every layer and direction.
        cell: "rnn", "gru" or "lstm". Default "gru".
        num_layers: int > 0, of the encoder and of the decoder. Default 1.
        embedding_dim: optional int > 0, width of both token embeddings.
            Default None: `units`.
        bidirectional: bool, let the encoder read from both ends; the decoder
            then starts at tanh([forward ; backward] W + b). Default False.
        dropout: float in [0, 1), dropout rate before each layer and before
            the logits. Default 0.
        reverse_source: bool, read each source from its last token to its
            first (Sutskever 2014, section 3.3). Default False.
        feed_context: bool, let every step of the decoder and its logits read
            the context vector, as in Cho et al. (2014), not only the initial
            state. Default False.
        scheduled_sampling: optional `ScheduledSampling`, used in training.
            Default None: teacher forcing.
        start_id: int, id of the start token. Default 2.
        end_id: int, id of the end token. Default 3.
        pad_id: optional int, id of padding in source and target, where it
            stands at the end. Default 0.
        **kwargs: `name`, `dtype` and `trainable` of `keras.Model`.
    Call arguments:
        inputs: dict of "source", int (B, S), and "target", int (B, T), the
            target from its start token on.
        training: bool, apply dropout and scheduled sampling. Default False.
    Returns:
        float (B, T, target_vocabulary_size), logits of the next token.
    Raises:
        ValueError: if an argument is outside its range, or `inputs` is not
            a dict with both keys.

    Example:
        >>> model = Seq2Seq(13, 17, units=8, bidirectional=True)
        >>> source = np.array([[5, 6, 7], [8, 9, 0]])
        >>> target = np.array([[2, 5], [2, 6]])  # each from its start token
        >>> tuple(model({"source": source, "target": target}).shape)
        (2, 2, 17)
        >>> generate(model, source, max_length=4).ids.shape
        (2, 4)
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
        bidirectional=False,
        dropout=0.0,
        reverse_source=False,
        feed_context=False,
        scheduled_sampling=None,
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
            "feed_context": feed_context,
            "start_id": start_id,
            "end_id": end_id,
            "pad_id": pad_id,
        }
        self.config = check_translation_config(config)
        self.scheduled_sampling = scheduled_sampling
        self._make_layers()

    def _make_layers(self):
        config, policy = self.config, self.dtype_policy
        self.start_id, self.end_id = config["start_id"], config["end_id"]
        self.pad_id = config["pad_id"]
        self.encoder, self.bridge = make_encoder_and_bridge(config, policy)
        self.decoder = Seq2SeqDecoder(
            config["target_vocabulary_size"],
            config["units"],
            cell=config["cell"],
            num_layers=config["num_layers"],
            embedding_dim=config["embedding_dim"],
            dropout=config["dropout"],
            feed_context=config["feed_context"],
            scheduled_sampling=self.scheduled_sampling,
            pad_id=config["pad_id"],
            dtype=policy,
        )

    def build(self, inputs_shape):
        checks.has_keys(inputs_shape, "source", "target")
        self.encoder.build(inputs_shape["source"])
        if self.bridge is not None:
            self.bridge.build()
        self.decoder.build(inputs_shape["target"])
        propagate_trainable(self)

    def call(self, inputs, training=False):
        checks.has_keys(inputs, "source", "target")
        states = self._initial_states(inputs["source"], training)
        return self.decoder(inputs["target"], states, training=training)

    def _initial_states(self, source, training=False):
        _, states = self.encoder(source, training=training)
        return states if self.bridge is None else self.bridge(states)

    def encode(self, source):
        """Compute the context vector: all that the decoder reads of a source.

        Args:
            source: int (B, S).
        Returns:
            float (B, C), the initial states of the decoder's layers side by
            side; C is `units` for one layer of "rnn" or "gru".
        """
        states = self._initial_states(source)
        return ops.concatenate(keras.tree.flatten(states), axis=-1)

    def start(self, source, max_length=None):
        """Encode the source.

        Args:
            source: int (B, S).
            max_length: not used: the state has a fixed size. Default None.
        Returns:
            int (B,), the start token of each row, and the decoder's state: a
            dict of "cells", a list for each layer of its states, float (B,
            U) each, and "source", a dict of "context", float (B, U).
        """
        ids = start_tokens(source, self.start_id)
        states = self._initial_states(source)
        context = {"context": states[-1][0]}
        return ids, {"cells": states, "source": context}

    def step(self, ids, state):
        """Compute the logits of the next token: see `Seq2SeqDecoder.step`."""
        return self.decoder.step(ids, state)

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
