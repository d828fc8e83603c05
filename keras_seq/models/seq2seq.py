"""Seq2Seq: one network reads the sentence, another writes from what is left.

A language model goes on in the language it began in, and its output is as
long as its input. Here an encoder reads the whole source into its state, and
a decoder, a language model that begins at that state instead of at zero,
writes the target until it says the end. The two lengths are free. All that
the decoder ever learns of the source is one vector of fixed width.

    c   = encoder(x_1 ... x_S)                        # its last state
    h_0 = c                                           # of the decoder

Shapes: B batch, S source length, T target length, V vocabulary, U units.
Paper: Sutskever, Vinyals & Le (2014), arXiv:1409.3215.
Differs from the paper: any cell; one layer, no reversed source by default.
"""

import inspect

import keras
from keras import ops

from keras_seq import checks
from keras_seq.layers.embedding import padding_mask
from keras_seq.layers.trainable import propagate_trainable
from keras_seq.models.decoder import Seq2SeqDecoder, with_schedule
from keras_seq.models.language_model import CELLS, input_embedding


@keras.saving.register_keras_serializable("keras_seq")
class Seq2SeqEncoder(keras.layers.Layer):
    """Read a sentence: a vector for each token, and the state at the end.

    Args:
        vocabulary_size: int > 0, number of tokens V.
        units: int > 0, width U of every layer and direction.
        cell: "rnn", "gru" or "lstm". Default "gru".
        num_layers: int > 0. Default 1.
        embedding_dim: optional int > 0. Default None: `units`.
        bidirectional: bool, read from both ends. Default False.
        dropout: float in [0, 1), before every layer. Default 0.
        reverse_source: bool, read the tokens of each row last to first, which
            puts the first words of both languages near each other. Default
            False.
        return_state: bool, give the final states as well. Default False.
        pad_id: optional int, the id that means padding. Default 0.
    Call arguments:
        ids: int (B, S).
    Returns:
        float (B, S, U), in the order of `ids` however they were read; (B, S,
        2 U) if bidirectional; with `return_state` also a list for each layer
        of its states, float (B, U) or (B, 2 U) each, forward | backward.
    Raises:
        ValueError: if an argument is outside its range.
    """

    def __init__(
        self,
        vocabulary_size,
        units,
        *,
        cell="gru",
        num_layers=1,
        embedding_dim=None,
        bidirectional=False,
        dropout=0.0,
        reverse_source=False,
        return_state=False,
        pad_id=0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        checks.one_of(CELLS, cell=cell)
        width = units if embedding_dim is None else embedding_dim
        units, width, num_layers = checks.positive_int(
            units=units, embedding_dim=width, num_layers=num_layers
        )
        checks.fraction(dropout=dropout)
        self.config = {
            "vocabulary_size": vocabulary_size,
            "units": units,
            "cell": cell,
            "num_layers": num_layers,
            "embedding_dim": embedding_dim,
            "bidirectional": bidirectional,
            "dropout": dropout,
            "reverse_source": reverse_source,
            "return_state": return_state,
            "pad_id": pad_id,
        }
        policy = self.dtype_policy
        self.embedding = input_embedding(vocabulary_size, width, pad_id, policy)
        self.recurrent = [
            CELLS[cell](
                units, return_sequences=True, return_state=True, dtype=policy
            )
            for _ in range(num_layers)
        ]
        self.width = units
        if bidirectional:
            self.width = 2 * units
            self.recurrent = [
                keras.layers.Bidirectional(layer, dtype=policy)
                for layer in self.recurrent
            ]
        self.dropout = keras.layers.Dropout(dropout, dtype=policy)
        self.reverse_source = reverse_source
        self.bidirectional = bidirectional
        self.return_state = return_state

    def build(self, ids_shape):
        self.embedding.build(ids_shape)
        width = self.embedding.embedding_dim
        for layer in self.recurrent:
            layer.build((*ids_shape, width))
            width = self.width
        propagate_trainable(self)

    def call(self, ids, training=False):
        # Padding then comes first; a masked step leaves the state alone.
        ids = ops.flip(ids, axis=1) if self.reverse_source else ids
        mask = padding_mask(ids, self.embedding.pad_id)
        x = self.embedding(ids)
        finals = []
        for layer in self.recurrent:
            x = self.dropout(x, training=training)
            x, *final = layer(x, mask=mask, training=training)
            finals.append(self._both(final))
        x = ops.flip(x, axis=1) if self.reverse_source else x
        return (x, finals) if self.return_state else x

    def _both(self, final):
        if not self.bidirectional:
            return final
        half = len(final) // 2  # h (and c) forward, then h (and c) backward
        return [
            ops.concatenate(pair, axis=-1)
            for pair in zip(final[:half], final[half:])
        ]

    def get_config(self):
        return {**super().get_config(), **checks.plain(self.config)}


def parameters_of(cls):
    """List a constructor's named parameters, and those that it hands on.

    Returns:
        dict of name to `inspect.Parameter`: without `*args`, none of a parent
        that must be given; without `**kwargs`, none of a parent.
    """
    found, anything = {}, True
    for owner in cls.__mro__[:-1]:  # all but `object`
        if "__init__" not in vars(owner):
            continue
        own = list(inspect.signature(owner.__init__).parameters.values())[1:]
        for p in own:
            given = p.kind == p.KEYWORD_ONLY or p.default is not p.empty
            named = p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
            if named and (anything or given):
                found.setdefault(p.name, p)
        kinds = {p.kind for p in own}
        anything = anything and inspect.Parameter.VAR_POSITIONAL in kinds
        if inspect.Parameter.VAR_KEYWORD not in kinds:
            break
    return found


def signature_of(parameters):
    """Make a signature of such; None, so Python's own, where none can be."""
    try:  # which wants the positional ones first
        ordered = sorted(parameters.values(), key=lambda p: p.kind)
        return inspect.Signature(ordered)
    except ValueError:  # and then those without a default
        return None


class EncoderDecoder(keras.Model):
    """Hold what all translators share: arguments, encoder, first state.

    `help` of a subclass lists these arguments beside its own.

    Args:
        source_vocabulary_size: int > 0, number of source tokens.
        target_vocabulary_size: int > 0, number of target tokens V.
        units: int > 0, width U of every layer and direction.
        cell: "rnn", "gru" or "lstm". Default "gru".
        num_layers: int > 0, layers of the encoder, and of the decoder.
            Default 1.
        embedding_dim: optional int > 0, of both. Default None: `units`.
        bidirectional: bool, let the encoder read from both ends; the decoder
            then begins at tanh([forward | backward] W). Default False.
        dropout: float in [0, 1), before every layer. Default 0.
        reverse_source: bool, read each source last token first (Sutskever
            2014, section 3.3). Default False.
        start_id: int, the first id of every target. Default 2.
        end_id: int, the last one. Default 3.
        pad_id: optional int, the id that means padding in source and target,
            where it stands at the end. Default 0.
    """

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        cls.__signature__ = signature_of(parameters_of(cls))

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
        start_id=2,
        end_id=3,
        pad_id=0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        source_vocabulary_size, target_vocabulary_size, units = (
            checks.positive_int(
                source_vocabulary_size=source_vocabulary_size,
                target_vocabulary_size=target_vocabulary_size,
                units=units,
            )
        )
        start_id, end_id = checks.id_below(
            target_vocabulary_size, start_id=start_id, end_id=end_id
        )
        pad_id = checks.padding(target_vocabulary_size, pad_id)
        checks.not_padding(pad_id, start_id=start_id, end_id=end_id)
        self.start_id, self.end_id, self.pad_id = start_id, end_id, pad_id
        shared = {  # by encoder and decoder
            "cell": cell,
            "num_layers": num_layers,
            "embedding_dim": embedding_dim,
            "dropout": dropout,
            "pad_id": pad_id,
        }
        reading = {
            "bidirectional": bidirectional,
            "reverse_source": reverse_source,
        }
        self.config = {
            "source_vocabulary_size": source_vocabulary_size,
            "target_vocabulary_size": target_vocabulary_size,
            "units": units,
            "start_id": start_id,
            "end_id": end_id,
            **shared,
            **reading,
        }
        self.shared = {**shared, "dtype": self.dtype_policy}
        self.encoder = Seq2SeqEncoder(
            source_vocabulary_size,
            units,
            return_state=True,
            **reading,
            **self.shared,
        )
        self.bridge = None
        if self.bridge_width:
            states = len(CELLS[cell].cell_class.state_names)
            self.bridge = [
                keras.layers.Dense(units, "tanh", dtype=self.dtype_policy)
                for _ in range(num_layers * states)
            ]

    @property
    def bridge_width(self):
        """How much of the encoder's state the bridge reads; 0: no bridge."""
        return 2 * self.config["units"] if self.config["bidirectional"] else 0

    def build(self, inputs_shape):
        self.encoder.build(inputs_shape["source"])
        for dense in self.bridge or ():
            dense.build((None, self.bridge_width))
        propagate_trainable(self)

    def read(self, source, training=False):
        """Encode: int (B, S) -> float (B, S, D), the decoder's first states."""
        memory, finals = self.encoder(source, training=training)
        if self.bridge is None:
            return memory, finals
        dense, width = iter(self.bridge), self.bridge_width
        return memory, [
            [next(dense)(state[:, -width:]) for state in layer]
            for layer in finals
        ]

    def first_ids(self, source):
        return ops.full((ops.shape(source)[0],), self.start_id, dtype="int32")

    def get_config(self):
        return {**super().get_config(), **checks.plain(self.config)}


@keras.saving.register_keras_serializable("keras_seq")
class Seq2Seq(EncoderDecoder):
    """Translate through one vector of fixed width.

    Args: those of `EncoderDecoder`, which are
        source_vocabulary_size, target_vocabulary_size, units: int > 0.
        cell="gru", num_layers=1, embedding_dim=None, bidirectional=False,
        dropout=0.0, reverse_source=False, start_id=2, end_id=3, pad_id=0;
        and
        scheduled_sampling: optional `ScheduledSampling`, used in training.
            Default None.
        feed_context: bool, let every step and its logits read the context, as
            in Cho et al. (2014), not only the first state. Default False.
    Call arguments:
        inputs: dict of "source", int (B, S), and "target", int (B, T), the
            target from its start token on.
    Returns:
        float (B, T, target_vocabulary_size), logits of the next token.
    Raises:
        ValueError: if an argument is outside its range.
    """

    def __init__(
        self, *args, scheduled_sampling=None, feed_context=False, **kwargs
    ):
        super().__init__(*args, **kwargs)
        self.config = {**self.config, "feed_context": feed_context}
        self.scheduled_sampling = scheduled_sampling
        self.decoder = Seq2SeqDecoder(
            self.config["target_vocabulary_size"],
            self.config["units"],
            scheduled_sampling=scheduled_sampling,
            feed_context=feed_context,
            **self.shared,
        )

    def build(self, inputs_shape):
        super().build(inputs_shape)
        self.decoder.build(inputs_shape["target"])
        propagate_trainable(self)

    def call(self, inputs, training=False):
        _, states = self.read(inputs["source"], training)
        return self.decoder(inputs["target"], states, training=training)

    def encode(self, source):
        """Give the context: all that the decoder learns of the source.

        Args:
            source: int (B, S).
        Returns:
            float (B, C), the first states of the decoder's layers side by
            side; C is `units` for one layer of "rnn" or "gru".
        """
        _, states = self.read(source)
        return ops.concatenate(keras.tree.flatten(states), axis=-1)

    def start(self, source, max_length=None):
        """Read the source: int (B, S) -> int (B,), the start token; state."""
        states = self.decoder.begin(self.read(source)[1])
        return self.first_ids(source), states

    def step(self, ids, state):
        """Score the next token: int (B,) -> logits (B, V), new state."""
        return self.decoder.step(ids, state)

    def get_config(self):
        schedule = keras.saving.serialize_keras_object(self.scheduled_sampling)
        return {**super().get_config(), "scheduled_sampling": schedule}

    @classmethod
    def from_config(cls, config):
        return cls(**with_schedule(config))
