"""RecurrentLM: predict the next token from a state that saw all before it.

An n-gram model looks at n - 1 tokens and has a table for all of them. The
recurrent language model looks at the state instead, which has seen
everything, and one matrix turns it into a score for each possible next token.

    h_t      = cell(E[id_t], h_{t-1})            # once per layer
    logits_t = h_t W + b                         # for id_{t+1}
    loss     = - mean_t log softmax(logits_t)[id_{t+1}]

Shapes: B batch, T length, V vocabulary, U units.
Paper: Mikolov et al. (2010), "Recurrent neural network based language
    model", Interspeech; dropout between layers only: Zaremba, Sutskever &
    Vinyals (2014), arXiv:1409.2329.
Differs from the paper: trained through whole windows rather than five steps;
    LSTM and GRU cells as well.
"""

import keras
from keras import ops

from keras_seq import checks
from keras_seq.generation.prompts import split_prompt
from keras_seq.layers.embedding import TokenEmbedding
from keras_seq.layers.gru import GRU
from keras_seq.layers.lstm import LSTM
from keras_seq.layers.recurrent import step_cells
from keras_seq.layers.simple_rnn import SimpleRNN
from keras_seq.layers.trainable import propagate_trainable

CELLS = {"rnn": SimpleRNN, "gru": GRU, "lstm": LSTM}


def input_embedding(vocabulary_size, units, pad_id, policy, spread=1.0):
    """Make a table of vectors for a recurrent layer to read.

    Vectors of length about 1 would do for tied logits; as an input wider
    ones learn faster.
    """
    return TokenEmbedding(
        vocabulary_size,
        units,
        pad_id=pad_id,
        embeddings_initializer=keras.initializers.RandomNormal(0, spread),
        dtype=policy,
    )


@keras.saving.register_keras_serializable("keras_seq")
class RecurrentLM(keras.Model):
    """Score the next token at every step of a sequence.

    Args:
        vocabulary_size: int > 0, number of tokens V.
        units: int > 0, width U of every layer.
        embedding_dim: optional int > 0, width of the embedding. Default
            None: `units`, which `tied` needs.
        cell: "rnn", "gru" or "lstm". Default "lstm".
        num_layers: int > 0, layers on top of each other. Default 1.
        dropout: float in [0, 1), before each layer and before the logits.
            Default 0.
        tied: bool, score with the embedding table itself (Press & Wolf
            2017). Default False.
        stateful: bool, each batch begins where the last one ended, row by
            row, until `reset_states()`; the batch size is then fixed. Call
            `build((B, T))` before the first `fit`. Default False.
        pad_id: optional int, the id that means padding. Default 0; None
            where every id is a real token.
    Call arguments:
        ids: int (B, T).
    Returns:
        float (B, T, vocabulary_size), logits.
    Raises:
        ValueError: if an argument is outside its range.
    """

    def __init__(
        self,
        vocabulary_size,
        units,
        *,
        cell="lstm",
        num_layers=1,
        embedding_dim=None,
        dropout=0.0,
        tied=False,
        stateful=False,
        pad_id=0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        checks.one_of(CELLS, cell=cell)
        width = units if embedding_dim is None else embedding_dim
        vocabulary_size, units, width, num_layers = checks.positive_int(
            vocabulary_size=vocabulary_size,
            units=units,
            embedding_dim=width,
            num_layers=num_layers,
        )
        checks.fraction(dropout=dropout)
        pad_id = checks.padding(vocabulary_size, pad_id)
        if tied and width != units:
            raise ValueError(
                "`tied` needs an embedding as wide as the layers. Received "
                f"embedding_dim={embedding_dim}, units={units}."
            )
        self.pad_id = pad_id
        self.config = {
            "vocabulary_size": vocabulary_size,
            "units": units,
            "cell": cell,
            "num_layers": num_layers,
            "embedding_dim": embedding_dim,
            "dropout": dropout,
            "tied": tied,
            "stateful": stateful,
            "pad_id": pad_id,
        }
        policy = self.dtype_policy
        spread = width**-0.5 if tied else 1.0
        self.embedding = input_embedding(
            vocabulary_size, width, pad_id, policy, spread
        )
        self.recurrent = [
            CELLS[cell](
                units,
                return_sequences=True,
                return_state=True,
                stateful=stateful,
                dtype=policy,
            )
            for _ in range(num_layers)
        ]
        self.dropout = keras.layers.Dropout(dropout, dtype=policy)
        self.head = None
        if not tied:
            self.head = keras.layers.Dense(vocabulary_size, dtype=policy)

    @property
    def input_width(self):
        return self.embedding.embedding_dim

    def build(self, ids_shape):
        self.embedding.build(ids_shape)
        shape = (*ids_shape, self.input_width)
        for layer in self.recurrent:
            layer.build(shape)
            shape = (*ids_shape, layer.units)
        if self.head is not None:
            self.head.build(shape)
        propagate_trainable(self)

    def call(self, ids, training=False):
        x, _ = self._read(ids, self.embedding.compute_mask(ids), training)
        return self._score(self.dropout(x, training=training))

    def _read(self, ids, mask, training=False, states=None):
        x = inputs = self.input_to_layers(ids, states)
        finals = []
        for layer, initial in zip(
            self.recurrent, states or [None] * len(self.recurrent)
        ):
            x = self.dropout(x, training=training)
            if initial is not None and layer.stateful:
                layer = keras.layers.RNN(  # leaves the layer's own state be
                    layer.cell,
                    return_sequences=True,
                    return_state=True,
                    dtype=layer.dtype_policy,
                )
            x, *final = layer(
                x, initial_state=initial, mask=mask, training=training
            )
            finals.append(final)
        return self.readout(x, inputs), finals

    def input_to_layers(self, ids, states):
        """Give what the first layer reads, float (B, ..., D)."""
        return self.embedding(ids)

    def readout(self, h, inputs):
        """Give what is scored: the last layer's h, whatever the first read."""
        return h

    def _score(self, x):
        return self.embedding.logits(x) if self.head is None else self.head(x)

    def start(self, prompt, max_length=None):
        """Read all of a prompt but its last token, which `step` takes.

        Args:
            prompt: int (B, T), T > 0; rows may be padded on either side.
            max_length: not used; a recurrent state has a fixed size.
        Returns:
            int (B,), the last token of each row, and the state before it.
        """
        last, before = split_prompt(prompt, self.embedding.pad_id)
        zeros = self.zero_states(ops.shape(prompt)[0])
        _, state = self._read(prompt, before, states=zeros)
        return last, state

    def zero_states(self, rows):
        """Give states of zeros: a list for each layer, float (rows, U) each."""
        return [layer.get_initial_state(rows) for layer in self.recurrent]

    def step(self, ids, state):
        """Score the next token: int (B,) -> logits (B, V), new state."""
        x = self.input_to_layers(ids, state)
        cells = [layer.cell for layer in self.recurrent]
        h, states = step_cells(cells, x, state)
        return self._score(self.readout(h, x)), states

    def reset_states(self):
        """Forget: a stateful model begins anew at the next batch."""
        for layer in self.recurrent:
            layer.reset_state()

    def get_config(self):
        return {**super().get_config(), **checks.plain(self.config)}
