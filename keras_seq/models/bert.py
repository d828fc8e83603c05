"""BERT: a Transformer that only reads, both ways.

GPT never sees the words to the right: it could not learn to predict them.
Who only wants to understand a text need not give them up: BERT looks to both
sides of every word. How it learns, when it is not to predict the next one, is
the next chapter.

    x      = dropout(norm(E[ids] + G[segments] + P[0 ... T-1]))
    x      = blocks(x)                        # post-norm, looks everywhere
    pooled = tanh(x_0 W + b)                  # of the first token, [CLS]

Shapes: B batch, T length, D width, H heads, M places asked for.
Paper: Devlin et al. (2019), arXiv:1810.04805, section 3, figure 2, appendix A;
    small sizes: Turc et al. (2019), arXiv:1908.08962.
Differs from the paper: positions count a row's real tokens, so that padding
    may stand on either side.
"""

import typing

import keras
from keras import ops

from keras_seq import checks
from keras_seq.layers.embedding import TokenEmbedding, padding_mask
from keras_seq.layers.layer_normalization import LayerNormalization
from keras_seq.layers.position_encoding import PositionEmbedding, position_ids
from keras_seq.layers.trainable import propagate_trainable
from keras_seq.layers.transformer_encoder import (
    TransformerEncoder,
    check_heads,
)


def bert_initializer():
    """Make the initializer of every table and kernel: blocks do little yet."""
    return keras.initializers.TruncatedNormal(stddev=0.02)


@keras.saving.register_keras_serializable("keras_seq")
class BERT(keras.Model):
    """Give each token a vector that knows its sentence, and one for all.

    `BERT(30522, **BERT.sizes["base"])` has the size published as
    BERT-base, uncased: 109,482,240 weights.

    Args:
        vocabulary_size: int > 0, number of tokens V.
        units: int > 0, width D of every layer.
        num_heads: int > 0, H, a divisor of `units`. Default 4.
        num_layers: int > 0. Default 4.
        max_length: int > 0, the most tokens it can read. Default 512.
        num_segments: int > 0, kinds of segments. Default 2.
        hidden: optional int > 0, inner width of the blocks. Default 4 D.
        dropout: float in [0, 1). Default 0.1.
        attention_dropout: optional float in [0, 1), of the attention weights.
            Default: `dropout`.
        activation: of the blocks. Default "gelu", the exact one, by erf;
            "gelu_tanh" is the one by tanh.
        epsilon: float > 0, of the norms. Default 1e-12.
        pooler: bool, give one vector for the whole as well. Default True.
        pad_id: optional int, the id that means padding, on either side.
            Default 0; None where every id is a real token.
    Call arguments:
        inputs: int (B, T), ids; or a dict of such, `token_ids` and
            `segment_ids`, in [0, num_segments). Without segments, all are 0.
            It may hold `mask_positions` too, int (B, M), of the tokens whose
            vectors are wanted, real ones: the last block then computes these
            and the first. (Outside [0, T), they become NaN.)
        return_attention_scores: bool, give the weights as well.
    Returns:
        dict: `sequence_output`, float (B, T, D), with positions
        (B, M, D), and with a pooler `pooled_output`, float (B, D); or that
        and a list of the weights of each layer, float (B, H, T, T), with
        positions (B, H, 1 + M, T) of the last.
    Raises:
        ValueError: if an argument is outside its range, or the ids are longer
            than `max_length`.
    """

    sizes: typing.ClassVar = {
        name: {"units": units, "num_heads": heads, "num_layers": layers}
        for name, units, heads, layers in (
            ("tiny", 128, 2, 2),
            ("mini", 256, 4, 4),
            ("small", 512, 8, 4),
            ("medium", 512, 8, 8),
            ("base", 768, 12, 12),
            ("large", 1024, 16, 24),
        )
    }

    def __init__(
        self,
        vocabulary_size,
        units,
        *,
        num_heads=4,
        num_layers=4,
        max_length=512,
        num_segments=2,
        hidden=None,
        dropout=0.1,
        attention_dropout=None,
        activation="gelu",
        epsilon=1e-12,
        pooler=True,
        pad_id=0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        vocabulary_size, units = checks.positive_int(
            vocabulary_size=vocabulary_size, units=units
        )
        num_layers, max_length, num_segments = checks.positive_int(
            num_layers=num_layers,
            max_length=max_length,
            num_segments=num_segments,
        )
        checks.fraction(dropout=dropout)
        pad_id = checks.padding(vocabulary_size, pad_id)
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
            "num_segments": num_segments,
            "pooler": pooler,
            "pad_id": pad_id,
            **block,
        }
        policy = {"dtype": self.dtype_policy}
        self.embedding, self.segments = (
            TokenEmbedding(
                count,
                units,
                pad_id=pad,
                embeddings_initializer=bert_initializer(),
                **policy,
            )
            for count, pad in ((vocabulary_size, pad_id), (num_segments, None))
        )
        self.position_embedding = PositionEmbedding(
            max_length, keras.initializers.RandomNormal(stddev=0.02), **policy
        )
        self.norm = LayerNormalization(epsilon=epsilon, **policy)
        self.dropout = keras.layers.Dropout(dropout, **policy)
        self.blocks = [
            TransformerEncoder(
                hidden,
                num_heads,
                dropout,
                activation,
                epsilon,
                kernel_initializer=bert_initializer(),
                attention_dropout=attention_dropout,
                **policy,
            )
            for _ in range(num_layers)
        ]
        self.pooler = None
        if pooler:
            self.pooler = keras.layers.Dense(
                units, "tanh", kernel_initializer=bert_initializer(), **policy
            )

    def build(self, inputs_shape=None):
        self.embedding.build()
        self.segments.build()
        shape = (None, None, self.config["units"])
        for layer in (self.position_embedding, self.norm, *self.blocks):
            layer.build(shape)
        if self.pooler is not None:
            self.pooler.build((None, shape[-1]))
        propagate_trainable(self)

    def call(self, inputs, training=False, return_attention_scores=False):
        ids = ids_of(inputs)
        mask = padding_mask(ids, self.pad_id)
        asked = self._asked(inputs, mask)
        x = self.embedding(ids) + self.segments(segments_of(inputs))
        places = None if self.pad_id is None else position_ids(mask)
        x = self.norm(x + self.position_embedding(x, places))
        x = self.dropout(x, training=training)
        all_weights = []
        for block in self.blocks:
            options = {
                "mask": mask,
                "return_attention_scores": return_attention_scores,
                "training": training,
            }
            if asked is not None and block is self.blocks[-1]:
                x = block.encode_queries(
                    gather_positions(x, asked), x, **options
                )
            else:
                x = block(x, **options)
            if return_attention_scores:
                x, weights = x
                all_weights.append(weights)
        found = {"sequence_output": x if asked is None else x[:, 1:]}
        if self.pooler is not None:
            first = (
                gather_positions(x, self.first_token_index(mask))
                if asked is None
                else x
            )
            found["pooled_output"] = self.pooler(first[:, 0])
        return (found, all_weights) if return_attention_scores else found

    def _asked(self, inputs, mask):
        """Give the first place and those asked for: int (B, 1 + M), or None."""
        places = (
            inputs.get("mask_positions") if isinstance(inputs, dict) else None
        )
        if places is None:
            return None
        first = self.first_token_index(mask)
        return ops.concatenate([first, ops.cast(places, first.dtype)], axis=1)

    def first_token_index(self, mask):
        """Find the first real token: int (B, 1)."""
        return ops.argmax(ops.cast(mask, "int32"), axis=1)[:, None]

    def embed(self, inputs, pooling="mean"):
        """Give each text one vector, to be compared with others.

        Args:
            inputs: as in a call; `mask_positions` are not looked at.
            pooling: "mean", of the real tokens, or "cls", the first token's.
        Returns:
            float (B, D); zeros for a mean of nothing.
        Raises:
            ValueError: if `pooling` is another word.
        """
        checks.one_of(("mean", "cls"), pooling=pooling)
        texts = texts_of(inputs)
        mask = padding_mask(texts["token_ids"], self.pad_id)
        if pooling == "cls":
            texts["mask_positions"] = self.first_token_index(mask)
            return self(texts)["sequence_output"][:, 0]
        return mean_of(self(texts)["sequence_output"], mask)

    def get_config(self):
        return {**super().get_config(), **checks.plain(self.config)}


def ids_of(inputs):
    """Give the ids of what a BERT reads: int (B, T)."""
    return inputs["token_ids"] if isinstance(inputs, dict) else inputs


def segments_of(inputs):
    """Give the segments likewise, all 0 where there are none."""
    if isinstance(inputs, dict) and "segment_ids" in inputs:
        return inputs["segment_ids"]
    return ops.zeros_like(ids_of(inputs))


def texts_of(inputs):
    """Give both, and no places: every token is wanted."""
    return {"token_ids": ids_of(inputs), "segment_ids": segments_of(inputs)}


def mean_of(x, mask):
    """Average the real tokens: (B, T, D) -> (B, D), zeros where none is."""
    real = ops.cast(mask, "float32")[..., None]  # bfloat16 counts to 256
    total = ops.sum(ops.cast(x, "float32") * real, axis=1)
    return ops.cast(total / ops.maximum(ops.sum(real, axis=1), 1), x.dtype)


def gather_positions(x, places):
    """Take vectors by place: float (B, T, D), int (B, M) -> (B, M, D).

    Where x has no such place they are NaN.
    """
    T, places = ops.shape(x)[1], ops.cast(places, "int32")
    known = ops.logical_and(places >= 0, places < T)[..., None]
    found = ops.take_along_axis(x, ops.mod(places, T)[..., None], axis=1)
    return ops.where(known, found, ops.cast(float("nan"), x.dtype))
