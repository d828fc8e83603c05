"""Transformer: no recurrence at all, only attention and small networks.

A recurrent network reads word after word: 50 words are 50 steps, one after the
other, and the first word reaches the last through all of them. Here every word
looks at every other in one step, whatever lies between, and in training all
places are computed at once. Only speaking is still one word after the other;
what was computed of the words before is kept, keys and values, so that a step
costs one word and not the whole sentence again.

    x = dropout(sqrt(D) E[source] + PE),    memory = encoder blocks(x)
    y = dropout(sqrt(D) E'[target] + PE),   y = decoder blocks(y, memory)
    logits = y W + b                        # tied: y E'^T

Shapes: B batch, T target length, S source length, D width, H heads, K head
    width, V vocabulary, N room for tokens in a buffer.
Paper: Vaswani et al. (2017), arXiv:1706.03762, sections 3.1, 3.4 and 5.
Differs from the paper: the embeddings are tied only where asked; a pre-norm
    stack ends in one more norm.
"""

import typing

import keras
from keras import ops

from keras_seq import checks
from keras_seq.layers.embedding import TokenEmbedding, padding_mask
from keras_seq.layers.layer_normalization import LayerNormalization
from keras_seq.layers.position_encoding import (
    POSITION_ENCODINGS,
    PositionEmbedding,
    SinePositionEncoding,
)
from keras_seq.layers.trainable import propagate_trainable
from keras_seq.layers.transformer_decoder import TransformerDecoder
from keras_seq.layers.transformer_encoder import (
    TransformerEncoder,
    check_heads,
)


@keras.saving.register_keras_serializable("keras_seq")
class Transformer(keras.Model):
    """Translate with attention alone.

    `Transformer(37000, 37000, **Transformer.sizes["base"], shared=True,
    tied=True)` is the paper's base model: 63,082,496 weights.

    Args:
        source_vocabulary_size: int > 0, number of source tokens.
        target_vocabulary_size: int > 0, number of target tokens V.
        units: int > 0, width D of every layer.
        num_heads: int > 0, H, a divisor of `units`. Default 8.
        num_layers: int > 0, blocks of the encoder, and of the decoder.
            Default 6.
        hidden, dropout, attention_dropout, activation, normalize_first: of the
            blocks, see `TransformerEncoder`.
        position_encoding: "sinusoidal", the default, "learned" or "none".
        max_length: int > 0, the most tokens of a text where positions are
            learned; the room `start` makes. Default 512.
        tied: bool, score each token by its embedding. Default False.
        shared: bool, one embedding for both sides, which then have one
            vocabulary (the paper's way: with `tied`). Default False.
        start_id: int, the first id of every target. Default 2.
        end_id: int, the last one. Default 3.
        pad_id: optional int, the id that means padding in source and target,
            where it stands at the end. Default 0.
    Call arguments:
        inputs: dict of "source", int (B, S), and "target", int (B, T), the
            target from its start token on.
        return_attention_scores: bool, give the weights as well.
    Returns:
        logits, float (B, T, V), of the token that follows each; or logits and
        a dict of lists, a weight for each layer: "encoder", float (B, H, S,
        S), "decoder", (B, H, T, T), and "cross", (B, H, T, S).
    Raises:
        ValueError: if an argument is outside its range.
    """

    sizes: typing.ClassVar = {
        "base": {"units": 512, "num_heads": 8, "num_layers": 6},
        "big": {
            "units": 1024,
            "num_heads": 16,
            "num_layers": 6,
            "dropout": 0.3,
        },
    }

    def __init__(
        self,
        source_vocabulary_size,
        target_vocabulary_size,
        units,
        *,
        num_heads=8,
        num_layers=6,
        hidden=None,
        dropout=0.1,
        attention_dropout=None,
        activation="relu",
        normalize_first=False,
        position_encoding="sinusoidal",
        max_length=512,
        tied=False,
        shared=False,
        start_id=2,
        end_id=3,
        pad_id=0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        source_vocabulary_size, target_vocabulary_size, num_layers = (
            checks.positive_int(
                source_vocabulary_size=source_vocabulary_size,
                target_vocabulary_size=target_vocabulary_size,
                num_layers=num_layers,
            )
        )
        checks.fraction(dropout=dropout)
        start_id, end_id = checks.id_below(
            target_vocabulary_size, start_id=start_id, end_id=end_id
        )
        pad_id = checks.padding(target_vocabulary_size, pad_id)
        checks.not_padding(pad_id, start_id=start_id, end_id=end_id)
        checks.one_of(POSITION_ENCODINGS, position_encoding=position_encoding)
        if shared and source_vocabulary_size != target_vocabulary_size:
            raise ValueError(
                "`shared` needs one vocabulary for both sides. Received sizes "
                f"{source_vocabulary_size} and {target_vocabulary_size}."
            )
        self.start_id, self.end_id, self.pad_id = start_id, end_id, pad_id
        units = checks.positive_int(units=units)
        hidden = checks.positive_int(
            hidden=4 * units if hidden is None else hidden
        )
        check_heads(units, num_heads)
        block = {
            "hidden": hidden,
            "dropout": dropout,
            "attention_dropout": attention_dropout,
            "activation": activation,
            "normalize_first": normalize_first,
        }
        self.config = {
            "source_vocabulary_size": source_vocabulary_size,
            "target_vocabulary_size": target_vocabulary_size,
            "units": units,
            "num_heads": num_heads,
            "num_layers": num_layers,
            **block,
            "position_encoding": position_encoding,
            "max_length": max_length,
            "tied": tied,
            "shared": shared,
            "start_id": start_id,
            "end_id": end_id,
            "pad_id": pad_id,
        }
        policy = self.dtype_policy
        self.target_embedding = _embedding(
            target_vocabulary_size, units, pad_id, policy
        )
        self.source_embedding = self.target_embedding
        if not shared:
            self.source_embedding = _embedding(
                source_vocabulary_size, units, pad_id, policy
            )
        self.source_positions = self._position_layer()
        self.target_positions = self._position_layer()
        self.dropout = keras.layers.Dropout(dropout, dtype=policy)
        self.encoder, self.decoder = (
            [
                kind(
                    hidden,
                    num_heads,
                    dropout,
                    activation,
                    normalize_first=normalize_first,
                    attention_dropout=attention_dropout,
                    dtype=policy,
                )
                for _ in range(num_layers)
            ]
            for kind in (TransformerEncoder, TransformerDecoder)
        )
        self.encoder_norm, self.decoder_norm = (
            LayerNormalization(epsilon=1e-5, dtype=policy)
            if normalize_first
            else keras.layers.Identity(dtype=policy)
            for _ in range(2)
        )
        self.head = None
        if not tied:
            self.head = keras.layers.Dense(target_vocabulary_size, dtype=policy)

    def _position_layer(self):
        """Create the layer of `position_encoding`, None for "none"."""
        kind, policy = self.config["position_encoding"], self.dtype_policy
        if kind == "sinusoidal":
            return SinePositionEncoding(dtype=policy)
        if kind == "learned":
            initializer = keras.initializers.RandomNormal(stddev=0.02)
            return PositionEmbedding(
                self.config["max_length"], initializer, dtype=policy
            )
        return None

    def build(self, inputs_shape):
        self.source_embedding.build()
        if self.target_embedding is not self.source_embedding:
            self.target_embedding.build()
        shape = (None, None, self.config["units"])
        layers = [self.source_positions, self.target_positions]
        layers += [*self.encoder, *self.decoder]
        layers += [self.encoder_norm, self.decoder_norm]
        layers += [] if self.head is None else [self.head]
        for layer in layers:
            if layer is not None:
                layer.build(shape)
        propagate_trainable(self)

    def call(self, inputs, training=False, return_attention_scores=False):
        source, target = inputs["source"], inputs["target"]
        memory, memory_mask, encoder = self.encode(
            source, training, return_attention_scores
        )
        mask = padding_mask(target, self.pad_id)
        x = _with_positions(
            self.target_positions, self.target_embedding(target)
        )
        x = self.dropout(x, training=training)
        decoder, cross = [], []
        for block in self.decoder:
            x = block(
                x,
                memory,
                mask=mask,
                encoder_output_mask=memory_mask,
                return_attention_scores=return_attention_scores,
                training=training,
            )
            if return_attention_scores:
                x, weights, cross_weights = x
                decoder.append(weights)
                cross.append(cross_weights)
        logits = self._score(x)
        if not return_attention_scores:
            return logits
        return logits, {"encoder": encoder, "decoder": decoder, "cross": cross}

    def encode(self, source, training=False, return_attention_scores=False):
        """Read: int (B, S) -> memory (B, S, D), mask (B, S), weights."""
        mask = padding_mask(source, self.pad_id)
        x = _with_positions(
            self.source_positions, self.source_embedding(source)
        )
        x = self.dropout(x, training=training)
        all_weights = []
        for block in self.encoder:
            x = block(
                x,
                mask=mask,
                return_attention_scores=return_attention_scores,
                training=training,
            )
            if return_attention_scores:
                x, weights = x
                all_weights.append(weights)
        return self.encoder_norm(x), mask, all_weights

    def _score(self, x):
        x = self.decoder_norm(x)
        if self.head is None:
            return self.target_embedding.logits(x)
        return self.head(x)

    def start(self, source, max_length=None):
        """Read the source, and make room for an answer.

        Args:
            source: int (B, S).
            max_length: optional int, N, how often `step` will be called.
        Returns:
            int (B,), the start token, and the state before it.
        """
        most = self.config["max_length"]
        room = most if max_length is None else max_length
        self._check_room(room)
        memory, mask, _ = self.encode(source)
        rows = ops.shape(source)[0]
        memories = [
            b.cross_attention.project_key_value(memory) for b in self.decoder
        ]
        state = {
            "caches": [
                block.self_attention.empty_cache(rows, room)
                for block in self.decoder
            ],
            "slot": ops.zeros((rows,), dtype="int32"),
            "attention": ops.zeros_like(memory[:, :, 0]),
            "source": {"memories": memories, "mask": mask},
        }
        return ops.full((rows,), self.start_id, dtype="int32"), state

    def max_prompt_length(self, max_length):
        """Return the longest source, or None if it is not limited."""
        self._check_room(max_length)
        learned = self.config["position_encoding"] == "learned"
        return self.config["max_length"] if learned else None

    def _check_room(self, steps):
        checks.positive_int(max_length=steps)
        most = self.config["max_length"]
        if self.config["position_encoding"] == "learned" and steps > most:
            raise ValueError(
                "`max_length` must be at most the places learned. Received "
                f"max_length={steps}, where the model has {most}."
            )

    def step(self, ids, state):
        """Score the next token: int (B,) -> logits (B, V), new state."""
        slots, source = state["slot"], state["source"]
        room = ops.shape(state["caches"][0][0])[2]
        mask = ops.arange(room, dtype="int32") <= slots[0]
        memory_mask = source["mask"][:, None, None]
        x = self.target_embedding(ids[:, None])
        x = _with_positions(self.target_positions, x, slots[:, None])
        caches = []
        for block, cache, memory in zip(
            self.decoder, state["caches"], source["memories"]
        ):
            x, cache, weights = block.step(
                x, cache, slots[0], mask, memory, memory_mask, scores=True
            )
            caches.append(cache)
        attention = ops.mean(weights[:, :, 0], axis=1)  # of the last layer
        new = {"caches": caches, "slot": slots + 1, "attention": attention}
        return self._score(x)[:, 0], {**state, **new}

    def get_config(self):
        return {**super().get_config(), **checks.plain(self.config)}


def _with_positions(layer, x, positions=None):
    """Add the position encoding to x, if there is one."""
    return x if layer is None else x + layer(x, positions)


def _embedding(vocabulary_size, units, pad_id, policy):
    """Make vectors that are of length 1, about, before they are scaled."""
    checks.positive_int(units=units)
    return TokenEmbedding(
        vocabulary_size,
        units,
        scale=True,
        pad_id=pad_id,
        embeddings_initializer=keras.initializers.RandomNormal(
            stddev=units**-0.5
        ),
        dtype=policy,
    )
