"""RecurrentLM: predict the next token from the hidden state of an RNN.

An n-gram model predicts the next token from the n - 1 tokens before it, and
needs a count for each combination. A recurrent language model predicts it
from the hidden state, which summarizes all tokens before, and one matrix
turns that state into a logit for each token of the vocabulary, a score whose
softmax is the probability of the token. The perplexity is the number of tokens
among which a model that is equally unsure would choose at random. The model is
autoregressive: to generate text, each predicted token is its next input.

    h_t      = cell(E[id_t], h_{t-1})            # once per layer
    logits_t = h_t W + b                         # for id_{t+1}
    loss     = - mean_t log softmax(logits_t)[id_{t+1}]   # cross entropy
    perplexity = exp(loss)

Shapes: B batch, T length, V vocabulary, D embedding width, U units.
Paper: Mikolov et al. (2010), "Recurrent neural network based language
    model", Interspeech; dropout between layers only: Zaremba, Sutskever &
    Vinyals (2014), arXiv:1409.2329.
Differs from the paper: backpropagation through whole windows, not through one
    step; LSTM and GRU cells as well.
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
from keras_seq.models.servable_model import ServableModel

RECURRENT_LAYERS = {"rnn": SimpleRNN, "gru": GRU, "lstm": LSTM}


def check_recurrent_config(config, *booleans):
    """Validate the arguments that the recurrent models have in common.

    Args:
        config: dict of a constructor's arguments, by name.
        *booleans: str, names of the arguments that are bools.
    Returns:
        dict, `config` with Python's own numbers in place of NumPy's.
    Raises:
        ValueError: if an argument is outside its range.

    Example:
        >>> config = {"vocabulary_size": np.int64(13), "units": 8}
        >>> config |= {"num_layers": 1, "embedding_dim": None, "cell": "gru"}
        >>> config |= {"dropout": 0.0, "pad_id": 0}
        >>> from keras_seq.models import language_model
        >>> config = language_model.check_recurrent_config(config)
        >>> config["vocabulary_size"]
        13
    """
    checks.one_of(RECURRENT_LAYERS, cell=config["cell"])
    sizes = ["vocabulary_size", "units", "num_layers"]
    if config["embedding_dim"] is not None:
        sizes.append("embedding_dim")
    checks.positive_int(**{name: config[name] for name in sizes})
    checks.fraction(dropout=config["dropout"])
    checks.padding(config["vocabulary_size"], config["pad_id"])
    checks.boolean(**{name: config[name] for name in booleans})
    return checks.plain(config)


def masked_layer(config, **options):
    """Create a recurrent layer that is called with a padding mask.

    With a mask, TensorFlow's cuDNN kernels fail on rows that begin with
    padding or consist of it. So cuDNN is used only if `pad_id` is None.

    Args:
        config: dict with "cell", "units" and "pad_id".
        options: further arguments of the layer.
    Returns:
        `SimpleRNN`, `GRU` or `LSTM`, with `return_sequences=True`.
    """
    if config["cell"] != "rnn" and config["pad_id"] is not None:
        options["use_cudnn"] = False
    return RECURRENT_LAYERS[config["cell"]](
        config["units"], return_sequences=True, **options
    )


@keras.saving.register_keras_serializable("keras_seq")
class RecurrentLM(ServableModel):
    """Predict the next token at every time step of a sequence.

    Args:
        vocabulary_size: int > 0, number of tokens V.
        units: int > 0, width U of every recurrent layer.
        cell: "rnn", "gru" or "lstm". Default "lstm".
        num_layers: int > 0, number of recurrent layers. Default 1.
        embedding_dim: optional int > 0, width D of the token embedding.
            Default None: `units`.
        dropout: float in [0, 1), dropout rate before each recurrent layer
            and before the logits. Default 0.
        tied: bool, use the embedding matrix for the logits as well (Press &
            Wolf 2017); needs an embedding as wide as the layers. Default
            False.
        stateful: bool, start each batch from the final states of the batch
            before, row by row, until `reset_states()`. The batch size is
            then fixed: call `build((B, T))` before the first `fit`. Default
            False.
        pad_id: optional int, the id of padding. Default 0; None if every id
            is a real token.
        **kwargs: `name`, `dtype` and `trainable` of `keras.Model`.
    Call arguments:
        ids: int (B, T).
        training: bool, apply dropout. Default False.
    Returns:
        float (B, T, vocabulary_size), the logits of the next token.
    Raises:
        ValueError: if an argument is outside its range.

    Example:
        >>> model = RecurrentLM(vocabulary_size=13, units=8, cell="gru")
        >>> ids = np.array([[5, 6, 7], [8, 9, 0]])
        >>> tuple(model(ids).shape)
        (2, 3, 13)
        >>> generate(model, ids, max_length=4).ids.shape
        (2, 4)
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
        config = {
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
        self.config = check_recurrent_config(config, "tied", "stateful")
        if tied and embedding_dim not in (None, units):
            raise ValueError(
                "`tied` needs an embedding as wide as the layers. Received "
                f"embedding_dim={embedding_dim}, units={units}."
            )
        self._make_layers()

    def _make_layers(self):
        config, policy = self.config, self.dtype_policy
        self.pad_id = config["pad_id"]
        width = config["embedding_dim"] or config["units"]
        # Vectors of length about 1 suit tied logits; as an input, entries of
        # about 1 learn faster.
        stddev = width**-0.5 if config["tied"] else 1.0
        self.token_embedding = TokenEmbedding(
            config["vocabulary_size"],
            width,
            pad_id=self.pad_id,
            embeddings_initializer=keras.initializers.RandomNormal(0, stddev),
            dtype=policy,
        )
        self.recurrent_layers = [
            masked_layer(
                config,
                return_state=True,
                stateful=config["stateful"],
                dtype=policy,
            )
            for _ in range(config["num_layers"])
        ]
        self.dropout = keras.layers.Dropout(config["dropout"], dtype=policy)
        self.head = None
        if not config["tied"]:
            self.head = keras.layers.Dense(
                config["vocabulary_size"], dtype=policy
            )

    def build(self, ids_shape):
        self.token_embedding.build(ids_shape)
        width = self.token_embedding.embedding_dim
        for layer in self.recurrent_layers:
            layer.build((*ids_shape, width))
            width = layer.units
        if self.head is not None:
            self.head.build((*ids_shape, width))
        propagate_trainable(self)

    def call(self, ids, training=False):
        mask = self.token_embedding.compute_mask(ids)
        x = self.token_embedding(ids)  # (B, T, D)
        for layer in self.recurrent_layers:
            x = self.dropout(x, training=training)
            x, *_ = layer(x, mask=mask, training=training)  # (B, T, U)
        return self.logits(self.dropout(x, training=training))

    def logits(self, h):
        """Compute the logits of hidden states: (..., U) -> (..., V)."""
        if self.head is None:
            return self.token_embedding.logits(h)
        return self.head(h)

    def start(self, prompt, max_length=None):
        """Read all tokens of the prompts but the last, which `step` reads.

        Args:
            prompt: int (B, T), T > 0; rows may be padded on either side.
            max_length: not used: the state has a fixed size. Default None.
        Returns:
            int (B,), the last token of each row, and the state before it: a
            list for each layer of its states, float (B, U) each.
        """
        last, before = split_prompt(prompt, self.pad_id)
        x, states = self.token_embedding(prompt), []
        for layer in self.recurrent_layers:
            zeros = layer.get_initial_state(ops.shape(prompt)[0])
            x, *state = without_stored_state(layer)(
                x, initial_state=zeros, mask=before
            )
            states.append(state)
        return last, states

    def step(self, ids, state):
        """Compute the logits of the next token.

        Args:
            ids: int (B,), the newest token of each row.
            state: as `start` returns it.
        Returns:
            float (B, V), logits, and the new state.
        """
        cells = [layer.cell for layer in self.recurrent_layers]
        h, state = step_cells(cells, self.token_embedding(ids), state)
        return self.logits(h), state

    def reset_states(self):
        """Set the states that a stateful model keeps to zero."""
        for layer in self.recurrent_layers:
            layer.reset_state()

    def get_config(self):
        return {**super().get_config(), **self.config}


def without_stored_state(layer):
    """Return a layer with the same weights that keeps no state.

    A stateful layer stores the final state of each call, for the next batch
    of training. Reading a prompt must leave that state as it is, so the
    layer's cell is run by a plain `keras.layers.RNN` instead.

    Args:
        layer: a recurrent layer.
    Returns:
        `layer` itself if it is not stateful.

    Example:
        >>> from keras_seq.models import language_model
        >>> layer = GRU(4, stateful=True, return_state=True)
        >>> layer.build((2, 3, 5))
        >>> plain = language_model.without_stored_state(layer)
        >>> plain.stateful, plain.cell is layer.cell
        (False, True)
    """
    if not layer.stateful:
        return layer
    return keras.layers.RNN(
        layer.cell,
        return_sequences=True,
        return_state=True,
        dtype=layer.dtype_policy,
    )
