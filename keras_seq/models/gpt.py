"""GPT: a Transformer that only writes.

Without a source there is nothing to encode: half of the Transformer goes, and
what is left is a language model like that of the recurrent chapter, but one
that sees all it has read, word by word, instead of one state. Trained on
enough text, it turns out to translate, answer and summarise unasked.

    x = dropout(E[ids] + P[0 ... T-1])
    x = blocks(x)                       # pre-norm, no look ahead
    logits = norm(x) E^T                # tied

Shapes: B batch, T length, D width, H heads, V vocabulary, N room for tokens.
Paper: Radford et al. (2018), "Improving language understanding by generative
    pre-training"; pre-norm, last norm and sizes: Radford et al. (2019),
    "Language models are unsupervised multitask learners", section 2.3.
Differs from the paper: padding; each row's positions count its real tokens;
    the blocks' kernels begin as Keras draws them, not all alike and narrow.
"""

import typing

import keras
from keras import ops

from keras_seq import checks
from keras_seq.generation.prompts import check_input_length, split_prompt
from keras_seq.layers.attention import causal_mask
from keras_seq.layers.embedding import TokenEmbedding, padding_mask
from keras_seq.layers.layer_normalization import LayerNormalization
from keras_seq.layers.position_encoding import PositionEmbedding, position_ids
from keras_seq.layers.trainable import propagate_trainable
from keras_seq.layers.transformer_encoder import (
    TransformerEncoder,
    check_heads,
)


@keras.saving.register_keras_serializable("keras_seq")
class GPT(keras.Model):
    """Score the next token at every step, seeing all the steps before it.

    `GPT(50257, **GPT.sizes["gpt2"], pad_id=None)` has the size published as
    GPT-2, 124,439,808 weights.

    Args:
        vocabulary_size: int > 0, number of tokens V.
        units: int > 0, width D of every layer.
        num_heads: int > 0, H, a divisor of `units`. Default 4.
        num_layers: int > 0. Default 4.
        max_length: int > 0, the most tokens it can see, prompt and answer
            together. Default 256.
        hidden: optional int > 0, inner width of the blocks. Default 4 D.
        dropout: float in [0, 1). Default 0.1.
        attention_dropout: optional float in [0, 1), of the attention weights.
            Default: `dropout`.
        activation: of the blocks. Default "gelu_tanh", GELU by tanh, as the
            published weights want it; "gelu" is the exact one, by erf.
        epsilon: float > 0, of the norms. Default 1e-5.
        pad_id: optional int, the id that means padding, on either side.
            Default 0; None where every id is a real token.
    Call arguments:
        ids: int (B, T).
        return_attention_scores: bool, give the weights as well.
    Returns:
        logits, float (B, T, V), of the token that follows each; or logits and
        a list of the weights of each layer, float (B, H, T, T).
    Raises:
        ValueError: if an argument is outside its range, or the ids are longer
            than `max_length`.
    """

    sizes: typing.ClassVar = {
        name: {
            "units": units,
            "num_heads": num_heads,
            "num_layers": num_layers,
            "max_length": 1024,
        }
        for name, units, num_heads, num_layers in (
            ("gpt2", 768, 12, 12),
            ("gpt2-medium", 1024, 16, 24),
            ("gpt2-large", 1280, 20, 36),
            ("gpt2-xl", 1600, 25, 48),
        )
    }

    def __init__(
        self,
        vocabulary_size,
        units,
        *,
        num_heads=4,
        num_layers=4,
        max_length=256,
        hidden=None,
        dropout=0.1,
        attention_dropout=None,
        activation="gelu_tanh",
        epsilon=1e-5,
        pad_id=0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        vocabulary_size, units, num_layers, max_length = checks.positive_int(
            vocabulary_size=vocabulary_size,
            units=units,
            num_layers=num_layers,
            max_length=max_length,
        )
        pad_id = checks.padding(vocabulary_size, pad_id)
        checks.fraction(dropout=dropout)
        self.pad_id, self.max_length = pad_id, max_length
        hidden = checks.positive_int(
            hidden=4 * units if hidden is None else hidden
        )
        check_heads(units, num_heads)
        block = {
            "num_heads": num_heads,
            "hidden": hidden,
            "dropout": dropout,
            "attention_dropout": attention_dropout,
            "activation": activation,
            "epsilon": epsilon,
        }
        self.config = {
            "vocabulary_size": vocabulary_size,
            "units": units,
            "num_layers": num_layers,
            "max_length": max_length,
            "pad_id": pad_id,
            **block,
        }
        policy = self.dtype_policy
        small = keras.initializers.RandomNormal(stddev=0.02)
        self.embedding = TokenEmbedding(
            vocabulary_size,
            units,
            pad_id=pad_id,
            embeddings_initializer=small,
            dtype=policy,
        )
        self.position_embedding = PositionEmbedding(
            max_length, small, dtype=policy
        )
        self.dropout = keras.layers.Dropout(dropout, dtype=policy)
        self.blocks = [
            TransformerEncoder(
                hidden,
                num_heads,
                dropout,
                activation,
                epsilon,
                normalize_first=True,
                attention_dropout=attention_dropout,
                dtype=policy,
            )
            for _ in range(num_layers)
        ]
        self.norm = LayerNormalization(epsilon=epsilon, dtype=policy)

    def build(self, ids_shape):
        self.embedding.build()
        shape = (*ids_shape, self.config["units"])
        for layer in (self.position_embedding, *self.blocks, self.norm):
            layer.build(shape)
        propagate_trainable(self)

    def call(self, ids, training=False, return_attention_scores=False):
        mask = padding_mask(ids, self.pad_id)
        x = self.dropout(self._embed(ids, mask), training=training)
        all_weights = []
        for block in self.blocks:
            x = block(
                x,
                mask=mask,
                use_causal_mask=True,
                return_attention_scores=return_attention_scores,
                training=training,
            )
            if return_attention_scores:
                x, weights = x
                all_weights.append(weights)
        logits = self.embedding.logits(self.norm(x))
        return (logits, all_weights) if return_attention_scores else logits

    def _embed(self, ids, mask):
        places = None if self.pad_id is None else position_ids(mask)
        x = self.embedding(ids)
        return x + self.position_embedding(x, places)

    def start(self, prompt, max_length=None):
        """Read all of a prompt but its last token, which `step` takes.

        Args:
            prompt: int (B, T), T > 0; rows may be padded on either side.
            max_length: optional int, how often `step` will be called.
                Default: until `max_length` of the model is full.
        Returns:
            int (B,), the last token of each row, and the state before it.
        """
        last, before = split_prompt(prompt, self.pad_id)
        T = ops.shape(prompt)[1]
        if isinstance(T, int):
            check_input_length(self, T, 1 if max_length is None else max_length)
        steps = self.max_length - T + 1 if max_length is None else max_length
        rows, room = ops.shape(prompt)[0], T + steps
        visible = ops.pad(before, ((0, 0), (0, steps)), constant_values=False)
        mask = ops.logical_and(
            visible[:, None, None], causal_mask(T, room)
        )  # (B, 1, T, N)
        x = self._embed(prompt, padding_mask(prompt, self.pad_id))
        caches = []
        for block in self.blocks:
            empty = block.self_attention.empty_cache(rows, room)
            x, cache = block.step(x, empty, 0, mask)
            caches.append(cache)
        state = {
            "caches": caches,
            "visible": visible,
            "count": ops.sum(ops.cast(before, "int32"), axis=1),
            "slot": ops.full((rows,), T, dtype="int32"),
        }
        return last, state

    def max_prompt_length(self, max_length):
        """Return the longest prompt that `max_length` tokens may follow."""
        checks.positive_int(max_length=max_length)
        if max_length > self.max_length:
            raise ValueError(
                "`max_length` must be at most the length of the context. "
                f"Received max_length={max_length}, and a context of "
                f"{self.max_length} tokens."
            )
        return self.max_length - max_length + 1

    def step(self, ids, state):
        """Score the next token: int (B,) -> logits (B, V), new state."""
        slots = state["slot"]
        room = ops.shape(state["visible"])[1]
        now = ops.arange(room, dtype="int32") == slots[0]
        visible = ops.logical_or(state["visible"], now)
        mask = visible[:, None, None]
        x = self.embedding(ids[:, None])
        x = x + self.position_embedding(x, state["count"][:, None])
        caches = []
        for block, cache in zip(self.blocks, state["caches"]):
            x, cache = block.step(x, cache, slots[0], mask)
            caches.append(cache)
        logits = self.embedding.logits(self.norm(x))[:, 0]
        return logits, {
            "caches": caches,
            "visible": visible,
            "count": state["count"] + 1,
            "slot": slots + 1,
        }

    def get_config(self):
        return {**super().get_config(), **checks.plain(self.config)}
