"""Transformer: an encoder-decoder with attention instead of recurrence.

A recurrent network reads a sequence of 50 tokens in 50 steps, one after the
other. Information from the first token must pass through every hidden state to
reach the last one. Here self-attention connects any two tokens of a text in one
step, and cross-attention connects source and target. In training all positions
are computed in parallel: the decoder reads the true target (teacher forcing),
and a causal mask hides the later tokens. Generation remains autoregressive; the
keys and values of earlier tokens are cached, so that a step computes one token.

    x = dropout(sqrt(D) E[source] + PE),    memory = encoder blocks(x)
    y = dropout(sqrt(D) E'[target] + PE),   y = decoder blocks(y, memory)
    logits = y W + b                        # tied: y E'^T

Shapes: B batch, T target length, S source length, D width, H heads, K head
    width, V vocabulary, N length of the key-value cache.
Paper: Vaswani et al. (2017), arXiv:1706.03762, sections 3.1, 3.4 and 5.
Differs from the paper: the output weights are tied to the embedding only if
    `tied` is True; a pre-norm stack ends in one more layer normalization.
"""

import typing

import keras
from keras import ops

from keras_seq import checks
from keras_seq.layers.embedding import TokenEmbedding, padding_mask
from keras_seq.layers.key_value_cache import extend_caches
from keras_seq.layers.position_encoding import POSITION_ENCODINGS
from keras_seq.layers.trainable import propagate_trainable
from keras_seq.models.servable_model import SOURCE_AND_TARGET, ServableModel
from keras_seq.models.transformer_stacks import DecoderStack, EncoderStack


@keras.saving.register_keras_serializable("keras_seq")
class Transformer(ServableModel):
    """Translate with an encoder-decoder Transformer.

    `Transformer(37000, 37000, **Transformer.sizes["base"], shared=True,
    tied=True)` is the base model of the paper: 63,082,496 weights.

    Args:
        source_vocabulary_size: int > 0, number of source tokens.
        target_vocabulary_size: int > 0, number of target tokens V.
        hidden_dim: int > 0, width D of the token vectors.
        num_heads: int > 0, number of attention heads H, a divisor of
            `hidden_dim`. Default 8.
        num_layers: int > 0, blocks of the encoder, and of the decoder.
            Default 6.
        intermediate_dim: optional int > 0, inner width of a block. Default 4 D.
        dropout: float in [0, 1). Default 0.1.
        attention_dropout: optional float in [0, 1), dropout of the attention
            weights. Default: `dropout`.
        activation: str or function, activation of the feed-forward networks.
            Default "relu".
        normalize_first: bool, pre-norm instead of the paper's post-norm.
            Default False.
        position_encoding: "sinusoidal", "learned" or "none". Default
            "sinusoidal".
        max_sequence_length: int > 0, the longest source and target if the
            positions are learned; the default length of the key-value cache.
            Default 512.
        tied: bool, use the target embedding as output weights. Default False.
        shared: bool, one embedding for source and target, which then have one
            vocabulary. Default False.
        start_id: int, id of the first token of every target. Default 2.
        end_id: int, id of the last one. Default 3.
        pad_id: optional int, id of padding, at the end of source and target.
            Default 0. None: every id is a real token.
    Call arguments:
        inputs: dict of "source", int (B, S), and "target", int (B, T), from
            the start token on.
        return_attention_scores: bool, return the weights too. Default False.
        training: bool, apply dropout. Default False.
    Returns:
        logits of the next token, float (B, T, V); or the logits and a dict of
        lists of the attention weights of each block: "encoder", float (B, H,
        S, S), "decoder", (B, H, T, T), and "cross", (B, H, T, S).
    Raises:
        ValueError: if an argument is outside its range, or `inputs` is not a
            dict with both keys.
    Example:
        >>> model = Transformer(13, 17, 8, num_heads=2, num_layers=1)
        >>> source, target = np.array([[5, 7, 3]]), np.array([[2, 9]])
        >>> tuple(model({"source": source, "target": target}).shape)
        (1, 2, 17)
        >>> generate(model, source, max_length=4).ids.shape
        (1, 4)
    """

    input_shapes = SOURCE_AND_TARGET
    sizes: typing.ClassVar = {
        "base": {"hidden_dim": 512, "num_heads": 8, "num_layers": 6},
        "big": {
            "hidden_dim": 1024,
            "num_heads": 16,
            "num_layers": 6,
            "dropout": 0.3,
        },
    }

    def __init__(
        self,
        source_vocabulary_size,
        target_vocabulary_size,
        hidden_dim,
        *,
        num_heads=8,
        num_layers=6,
        intermediate_dim=None,
        dropout=0.1,
        attention_dropout=None,
        activation="relu",
        normalize_first=False,
        position_encoding="sinusoidal",
        max_sequence_length=512,
        tied=False,
        shared=False,
        start_id=2,
        end_id=3,
        pad_id=0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.config = checks.transformer_config(
            source_vocabulary_size=source_vocabulary_size,
            target_vocabulary_size=target_vocabulary_size,
            hidden_dim=hidden_dim,
            num_heads=num_heads,
            num_layers=num_layers,
            intermediate_dim=intermediate_dim,
            dropout=dropout,
            attention_dropout=attention_dropout,
            activation=activation,
            normalize_first=normalize_first,
            position_encoding=position_encoding,
            max_sequence_length=max_sequence_length,
            tied=tied,
            shared=shared,
        )
        self._create_layers(start_id, end_id, pad_id)

    def _check_arguments(self, start_id, end_id, pad_id):
        config = self.config
        checks.one_of(
            POSITION_ENCODINGS, position_encoding=config["position_encoding"]
        )
        V = config["target_vocabulary_size"]
        self.pad_id = checks.padding(V, pad_id)
        self.start_id, self.end_id = checks.id_below(
            V, start_id=start_id, end_id=end_id
        )
        checks.not_padding(pad_id, start_id=start_id, end_id=end_id)
        if config["shared"] and config["source_vocabulary_size"] != V:
            raise ValueError(
                "`shared` needs one vocabulary for both sides. Received sizes "
                f"{config['source_vocabulary_size']} and {V}."
            )

    def _create_layers(self, start_id, end_id, pad_id):
        self._check_arguments(start_id, end_id, pad_id)
        config, dtype = self.config, self.dtype_policy
        V = config["target_vocabulary_size"]
        target_embedding = source_embedding = self._embedding(V)
        if not config["shared"]:
            V_source = config["source_vocabulary_size"]
            source_embedding = self._embedding(V_source)
        self.encoder = EncoderStack(source_embedding, config, dtype=dtype)
        self.decoder = DecoderStack(target_embedding, config, dtype=dtype)
        tied = config["tied"]
        self.head = None if tied else keras.layers.Dense(V, dtype=dtype)

    def _embedding(self, vocabulary_size):
        D = self.config["hidden_dim"]
        initializer = keras.initializers.RandomNormal(stddev=D**-0.5)
        return TokenEmbedding(
            vocabulary_size,
            D,
            scale=True,  # by sqrt(D)
            pad_id=self.pad_id,
            embeddings_initializer=initializer,
            dtype=self.dtype_policy,
        )

    def build(self, inputs_shape=None):
        self.encoder.build()
        self.decoder.build()
        if self.head is not None:
            self.head.build((None, None, self.config["hidden_dim"]))
        propagate_trainable(self)

    def call(self, inputs, return_attention_scores=False, training=False):
        checks.boolean(return_attention_scores=return_attention_scores)
        checks.has_keys(inputs, "source", "target")
        encoder_output, mask, encoder_weights = self.encode(
            inputs["source"], return_attention_scores, training
        )
        x, decoder_weights, cross_weights = self.decoder(
            inputs["target"],
            encoder_output,
            encoder_output_mask=mask,
            return_attention_scores=return_attention_scores,
            training=training,
        )
        logits = self._logits(x)
        if not return_attention_scores:
            return logits
        return logits, {
            "encoder": encoder_weights,
            "decoder": decoder_weights,
            "cross": cross_weights,
        }

    def encode(self, source, return_attention_scores=False, training=False):
        """Encode the source.

        Args:
            source: int (B, S).
            return_attention_scores: bool. Default False.
            training: bool, apply dropout. Default False.
        Returns:
            float (B, S, D), the output of the encoder; its padding mask, bool
            (B, S); and a list of the attention weights of each block, empty
            without `return_attention_scores`.
        """
        mask = padding_mask(source, self.pad_id)
        x, weights = self.encoder(
            source,
            mask=mask,
            return_attention_scores=return_attention_scores,
            training=training,
        )
        return x, mask, weights

    def _logits(self, x):
        if self.head is None:
            return self.decoder.embedding.logits(x)
        return self.head(x)

    def start(self, source, max_length=None):
        """Encode the source, and allocate the key-value caches.

        Args:
            source: int (B, S).
            max_length: optional int, how many times `step` will be called.
                Default: `max_sequence_length`.
        Returns:
            The start token of each row, int (B,), and the state before it.
        """
        if max_length is None:
            max_length = self.config["max_sequence_length"]
        self.max_prompt_length(max_length)
        encoder_output, mask, _ = self.encode(source)
        state = self.decoder.start(encoder_output, mask, max_length)
        B = ops.shape(source)[0]
        return ops.full((B,), self.start_id, dtype="int32"), state

    def max_prompt_length(self, max_length):
        """Return the longest source, or None if it is not limited.

        Args:
            max_length: int > 0, tokens to generate.
        Raises:
            ValueError: if these are more than the learned positions.
        """
        checks.positive_int(max_length=max_length)
        if self.config["position_encoding"] != "learned":
            return None
        limit = self.config["max_sequence_length"]
        checks.within_positions(max_length, limit)
        return limit

    def step(self, ids, state):
        """Predict the next token.

        Args:
            ids: int (B,), the newest token of each row.
            state: what `start` or the previous `step` returned.
        Returns:
            Logits, float (B, V), and the new state.
        """
        x, state = self.decoder.step(ids, state)
        return self._logits(x)[:, 0], state

    extend_state = staticmethod(extend_caches)

    def get_config(self):
        return {
            **super().get_config(),
            **self.config,
            "start_id": self.start_id,
            "end_id": self.end_id,
            "pad_id": self.pad_id,
        }
