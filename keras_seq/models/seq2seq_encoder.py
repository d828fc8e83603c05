"""Seq2SeqEncoder: read a sentence into vectors and a final state.

The encoder of every sequence-to-sequence model here is a recurrent network
without an output layer. It gives the hidden state at each source token, which
attention reads as its memory, and the final states, from which the decoder
starts: without attention, they are the one context vector. A bidirectional
encoder reads the sentence from both ends, so that each memory vector depends on
the tokens before and after its own. The bridge maps the encoder's final state
to the decoder's initial state.

    m_s = [forward h_s ; backward h_s]                # bidirectional
    m_s = h_s                                         # or one direction
    h_0 = tanh(final state W + b)                     # Bridge

Shapes: B batch, S source length, D embedding width, U units.
Paper: Sutskever, Vinyals & Le (2014), arXiv:1409.3215, section 3.3 (reversed
    source); bidirectional: Bahdanau, Cho & Bengio (2015), arXiv:1409.0473,
    section 3.2, and A.2.2 (bridge).
Differs from the paper: any cell.
"""

import keras
from keras import ops

from keras_seq import checks
from keras_seq.layers.embedding import TokenEmbedding, padding_mask
from keras_seq.layers.trainable import propagate_trainable
from keras_seq.models.language_model import (
    check_recurrent_config,
    masked_layer,
)


@keras.saving.register_keras_serializable("keras_seq")
class Seq2SeqEncoder(keras.layers.Layer):
    """Encode a sentence: a vector for each token, and the final states.

    Args:
        vocabulary_size: int > 0, number of source tokens.
        units: int > 0, width U of every layer and direction.
        cell: "rnn", "gru" or "lstm". Default "gru".
        num_layers: int > 0, number of recurrent layers. Default 1.
        embedding_dim: optional int > 0, width D of the token embedding.
            Default None: `units`.
        bidirectional: bool, read from both ends. Default False.
        dropout: float in [0, 1), dropout rate before each layer. Default 0.
        reverse_source: bool, read the tokens of each row from last to first,
            which brings the first words of both languages near each other.
            Default False.
        return_state: bool, return the final states as well. Default False.
        pad_id: optional int, the id of padding. Default 0.
        **kwargs: `name`, `dtype` and `trainable` of `keras.layers.Layer`.
    Call arguments:
        ids: int (B, S).
        training: bool, apply dropout. Default False.
    Returns:
        float (B, S, U), in the order of `ids` also with `reverse_source`; (B,
        S, 2 U) if bidirectional. With `return_state` also a list for each
        layer of its final states, float (B, U) or (B, 2 U) each, forward
        before backward.
    Raises:
        ValueError: if an argument is outside its range.

    Example:
        >>> encoder = Seq2SeqEncoder(13, 8, return_state=True)
        >>> memory, states = encoder(np.array([[5, 6, 7], [8, 9, 0]]))
        >>> tuple(memory.shape), tuple(states[0][0].shape)
        ((2, 3, 8), (2, 8))
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
        config = {
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
        self.config = check_recurrent_config(
            config, "bidirectional", "reverse_source", "return_state"
        )
        self._make_layers()

    def _make_layers(self):
        config, policy = self.config, self.dtype_policy
        self.bidirectional = config["bidirectional"]
        self.reverse_source = config["reverse_source"]
        self.return_state = config["return_state"]
        self.output_dim = config["units"] * (2 if self.bidirectional else 1)
        self.token_embedding = TokenEmbedding(
            config["vocabulary_size"],
            config["embedding_dim"] or config["units"],
            pad_id=config["pad_id"],
            embeddings_initializer=keras.initializers.RandomNormal(0, 1.0),
            dtype=policy,
        )
        self.recurrent_layers = [
            self._recurrent_layer() for _ in range(config["num_layers"])
        ]
        self.dropout = keras.layers.Dropout(config["dropout"], dtype=policy)

    def _recurrent_layer(self):
        layer = masked_layer(
            self.config, return_state=True, dtype=self.dtype_policy
        )
        if not self.bidirectional:
            return layer
        return keras.layers.Bidirectional(layer, dtype=self.dtype_policy)

    def build(self, ids_shape):
        self.token_embedding.build(ids_shape)
        width = self.token_embedding.embedding_dim
        for layer in self.recurrent_layers:
            layer.build((*ids_shape, width))
            width = self.output_dim
        propagate_trainable(self)

    def call(self, ids, training=False):
        # Reversed, padding stands first: a masked step keeps the zero state.
        ids = ops.flip(ids, axis=1) if self.reverse_source else ids
        mask = padding_mask(ids, self.config["pad_id"])
        x, states = self.token_embedding(ids), []
        for layer in self.recurrent_layers:
            x = self.dropout(x, training=training)
            x, *final = layer(x, mask=mask, training=training)
            states.append(self._join_directions(final))
        x = ops.flip(x, axis=1) if self.reverse_source else x
        return (x, states) if self.return_state else x

    def _join_directions(self, final):
        if not self.bidirectional:
            return final
        half = len(final) // 2  # h (and c) forward, then h (and c) backward
        return [
            ops.concatenate([forward, backward], axis=-1)
            for forward, backward in zip(final[:half], final[half:])
        ]

    def get_config(self):
        return {**super().get_config(), **self.config}


class Bridge(keras.layers.Layer):
    """Map the encoder's final states to the decoder's initial states.

    Each state of each layer (h, and c of an LSTM) has a dense layer of its
    own: h_0 = tanh(final state W + b).

    Args:
        input_dim: int > 0, width of the encoder's states.
        units: int > 0, width U of the decoder's states.
        cell: "rnn", "gru" or "lstm".
        num_layers: int > 0, number of layers of both.
        **kwargs: `name`, `dtype` and `trainable` of `keras.layers.Layer`.
    Call arguments:
        states: list for each layer of its states, float (B, input_dim) each.
    Returns:
        The same list with float (B, U).

    Example:
        >>> from keras_seq.models.seq2seq_encoder import Bridge
        >>> bridge = Bridge(input_dim=16, units=8, cell="gru", num_layers=1)
        >>> forward_and_backward = np.ones((2, 16), "float32")
        >>> [[h]] = bridge([[forward_and_backward]])
        >>> tuple(h.shape)
        (2, 8)
    """

    def __init__(self, input_dim, units, cell, num_layers, **kwargs):
        super().__init__(**kwargs)
        self.input_dim = input_dim
        num_states = 2 if cell == "lstm" else 1  # h and c, or h
        self.dense_layers = [
            keras.layers.Dense(units, "tanh", dtype=self.dtype_policy)
            for _ in range(num_layers * num_states)
        ]

    def build(self, states_shape=None):
        for dense in self.dense_layers:
            dense.build((None, self.input_dim))
        propagate_trainable(self)

    def call(self, states):
        dense = iter(self.dense_layers)
        return [[next(dense)(state) for state in layer] for layer in states]


def check_translation_config(config):
    """Validate the arguments that all sequence-to-sequence models share.

    `Seq2SeqEncoder` validates the others.

    Args:
        config: dict of a constructor's arguments, by name.
    Returns:
        dict, `config` with Python's own numbers in place of NumPy's.
    Raises:
        ValueError: if a vocabulary size, `start_id`, `end_id`, `pad_id` or a
            bool is outside its range.
    """
    sizes = ("source_vocabulary_size", "target_vocabulary_size")
    checks.positive_int(**{name: config[name] for name in sizes})
    ids = {name: config[name] for name in ("start_id", "end_id")}
    target_vocabulary_size, pad_id = config[sizes[1]], config["pad_id"]
    checks.id_below(target_vocabulary_size, **ids)
    checks.padding(target_vocabulary_size, pad_id)
    checks.not_padding(pad_id, **ids)
    flags = ("bidirectional", "reverse_source")
    flags += ("feed_context", "scaled", "input_feeding")
    checks.boolean(**{name: config[name] for name in flags if name in config})
    return checks.plain(config)


def make_encoder(config, dtype):
    """Make the encoder of a sequence-to-sequence model from its arguments."""
    names = ("units", "cell", "num_layers", "embedding_dim", "dropout")
    names += ("bidirectional", "reverse_source", "pad_id")
    return Seq2SeqEncoder(
        config["source_vocabulary_size"],
        return_state=True,
        dtype=dtype,
        **{name: config[name] for name in names},
    )


def make_encoder_and_bridge(config, dtype):
    """Make an encoder, and a bridge if it is bidirectional, else None."""
    encoder = make_encoder(config, dtype)
    if not config["bidirectional"]:  # its states suit the decoder as they are
        return encoder, None
    names = ("units", "cell", "num_layers")
    sizes = {name: config[name] for name in names}
    return encoder, Bridge(encoder.output_dim, **sizes, dtype=dtype)


def start_tokens(source, start_id):
    """Return the start token for each row of a batch of sources.

    Args:
        source: int (B, S), the source sentences.
        start_id: int, id of the start token.
    Returns:
        int (B,).
    Raises:
        ValueError: if `source` is not a tensor of two axes.
    """
    if isinstance(source, dict):
        raise ValueError(
            "`source` must be an int tensor (B, S), not a dict of inputs. "
            f"Received a dict with the keys {list(source)}."
        )
    if len(source.shape) != 2:
        raise ValueError(
            "`source` must be an int tensor (B, S). Received shape "
            f"{tuple(source.shape)}."
        )
    return ops.full((ops.shape(source)[0],), start_id, dtype="int32")
