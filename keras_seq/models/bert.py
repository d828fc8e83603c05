"""BERT: an encoder-only Transformer, bidirectional.

A language model such as GPT predicts the next token, so no position attends to
a later one. In BERT every position attends to all positions. It is pretrained
with masked language modeling and next sentence prediction (`bert_pretraining`).
The special token [CLS] stands before the text, and its output represents the
whole text. The segment embedding G marks the first and the second text.

    x      = dropout(norm(E[ids] + P[0 ... T-1] + G[segments]))
    x      = blocks(x)                 # post-norm, bidirectional self-attention
    pooled = tanh(x_0 W + b)           # of the first token, [CLS]

Shapes: B batch, T length, D width, H heads, M masked positions.
Paper: Devlin et al. (2019), arXiv:1810.04805, section 3, figure 2, appendix A;
    small sizes: Turc et al. (2019), arXiv:1908.08962.
Differs from the paper: padding, on either side, is not counted as a position.
"""

import typing

import keras
from keras import ops

from keras_seq import checks
from keras_seq.layers.embedding import (
    PositionEmbedding,
    TokenEmbedding,
    padding_mask,
    position_ids,
)
from keras_seq.layers.layer_normalization import LayerNormalization
from keras_seq.layers.trainable import propagate_trainable
from keras_seq.layers.transformer_encoder import TransformerEncoder
from keras_seq.models.servable_model import ServableModel


def bert_initializer():
    """Return the initializer of all kernels and embeddings of BERT."""
    return keras.initializers.TruncatedNormal(stddev=0.02)


@keras.saving.register_keras_serializable("keras_seq")
class BERT(ServableModel):
    """Encode a text: one vector for each token, and one for the whole text.

    `BERT(30522, **BERT.sizes["base"])` has the published size of BERT-base,
    uncased: 109,482,240 weights.

    Args:
        vocabulary_size: int > 0, number of tokens V.
        hidden_dim: int > 0, width D of the token vectors.
        num_heads: int > 0, number of heads H, a divisor of D. Default 4.
        num_layers: int > 0, number of blocks. Default 4.
        max_sequence_length: int > 0, the longest input. Default 512.
        num_segments: int > 0, number of segment embeddings. Default 2.
        intermediate_dim: optional int > 0, inner width of a block. Default 4 D.
        dropout: float in [0, 1). Default 0.1.
        attention_dropout: optional float in [0, 1). Default: `dropout`.
        activation: str or function, of each block. Default "gelu".
        layer_norm_epsilon: float > 0. Default 1e-12.
        pooler: bool, compute `pooled_output` as well. Default True.
        pad_id: optional int, id of padding, on either side. Default 0. None:
            every id is a real token.
    Call arguments:
        inputs: int (B, T), token ids; or a dict with `token_ids`, int (B, T);
            optionally `segment_ids`, int (B, T), in [0, num_segments),
            default 0; and optionally `mask_positions`, int (B, M): only the
            vectors of these real tokens are computed by the last block and
            returned. Outside [0, T) they are NaN.
        return_attention_scores: bool, return the attention weights as well.
            Default False.
        training: bool, apply dropout. Default False.
    Returns:
        dict: `sequence_output`, float (B, T, D), or (B, M, D) with
        `mask_positions`; and with a pooler `pooled_output`, float (B, D). Or
        that and a list of the attention weights of each block, float (B, H,
        T, T); with `mask_positions`, those of the last block are (B, H, 1 + M,
        T).
    Raises:
        ValueError: if an argument is outside its range, or the input has no
            `token_ids`, or is longer than `max_sequence_length`.
    Example:
        >>> bert = BERT(13, 8, num_heads=2, num_layers=1)
        >>> outputs = bert(np.array([[2, 5, 7, 3]]))
        >>> {name: tuple(x.shape) for name, x in outputs.items()}
        {'sequence_output': (1, 4, 8), 'pooled_output': (1, 8)}
    """

    input_shapes = dict.fromkeys(("token_ids", "segment_ids"), "(B, T)")
    sizes: typing.ClassVar = {
        name: {"hidden_dim": D, "num_heads": H, "num_layers": layers}
        for name, D, H, layers in (
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
        hidden_dim,
        *,
        num_heads=4,
        num_layers=4,
        max_sequence_length=512,
        num_segments=2,
        intermediate_dim=None,
        dropout=0.1,
        attention_dropout=None,
        activation="gelu",
        layer_norm_epsilon=1e-12,
        pooler=True,
        pad_id=0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.config = checks.transformer_config(
            vocabulary_size=vocabulary_size,
            hidden_dim=hidden_dim,
            num_heads=num_heads,
            num_layers=num_layers,
            max_sequence_length=max_sequence_length,
            num_segments=num_segments,
            intermediate_dim=intermediate_dim,
            dropout=dropout,
            attention_dropout=attention_dropout,
            activation=activation,
            layer_norm_epsilon=layer_norm_epsilon,
            pooler=pooler,
            pad_id=pad_id,
        )
        self.pad_id = self.config["pad_id"]
        self.max_sequence_length = self.config["max_sequence_length"]
        self._create_layers()

    def _create_layers(self):
        config, dtype = self.config, self.dtype_policy
        D = config["hidden_dim"]
        self.token_embedding = self._embedding("vocabulary_size", self.pad_id)
        self.segment_embedding = self._embedding("num_segments", None)
        self.position_embedding = PositionEmbedding(
            self.max_sequence_length, bert_initializer(), dtype=dtype
        )
        epsilon = config["layer_norm_epsilon"]
        self.layer_norm = LayerNormalization(epsilon=epsilon, dtype=dtype)
        self.dropout = keras.layers.Dropout(config["dropout"], dtype=dtype)
        self.blocks = [self._block() for _ in range(config["num_layers"])]
        self.pooler = None
        self.pooler_is_frozen_by_task = False  # see `BERTTask`
        if config["pooler"]:
            self.pooler = keras.layers.Dense(
                D, "tanh", kernel_initializer=bert_initializer(), dtype=dtype
            )

    def _embedding(self, size, pad_id):
        return TokenEmbedding(
            self.config[size],
            self.config["hidden_dim"],
            pad_id=pad_id,
            embeddings_initializer=bert_initializer(),
            dtype=self.dtype_policy,
        )

    def _block(self):
        return TransformerEncoder(
            self.config["intermediate_dim"],
            self.config["num_heads"],
            dropout=self.config["dropout"],
            attention_dropout=self.config["attention_dropout"],
            activation=self.config["activation"],
            layer_norm_epsilon=self.config["layer_norm_epsilon"],
            kernel_initializer=bert_initializer(),
            dtype=self.dtype_policy,
        )

    def build(self, inputs_shape=None):
        self.token_embedding.build()
        self.segment_embedding.build()
        D = self.config["hidden_dim"]
        for layer in (self.position_embedding, self.layer_norm, *self.blocks):
            layer.build((None, None, D))
        if self.pooler is not None:
            self.pooler.build((None, D))
        propagate_trainable(self)

    def call(self, inputs, return_attention_scores=False, training=False):
        checks.boolean(return_attention_scores=return_attention_scores)
        token_ids, segment_ids = token_and_segment_ids(inputs)
        mask = padding_mask(token_ids, self.pad_id)
        cls_index = first_token_index(mask)  # (B, 1)
        positions = _output_positions(inputs, cls_index)
        options = {
            "mask": mask,
            "return_attention_scores": return_attention_scores,
            "training": training,
        }
        x = self.token_embedding(token_ids)
        x = x + self.segment_embedding(segment_ids)
        x = x + self.position_embedding(x, position_ids(mask))
        x = self.dropout(self.layer_norm(x), training=training)
        all_weights = []
        for block in self.blocks:
            if positions is not None and block is self.blocks[-1]:
                queries = gather_positions(x, positions)
                x = block.encode_queries(queries, x, **options)
            else:
                x = block(x, **options)
            if return_attention_scores:
                x, weights = x
                all_weights.append(weights)
        if positions is None:  # of all tokens
            outputs = {"sequence_output": x}
            x = gather_positions(x, cls_index)
        else:  # x[:, 0] is [CLS]
            outputs = {"sequence_output": x[:, 1:]}
        if self.pooler is not None:
            outputs["pooled_output"] = self.pooler(x[:, 0])
        return (outputs, all_weights) if return_attention_scores else outputs

    def embed(self, inputs, pooling="mean"):
        """Return one vector for each text, for example to compare texts.

        Args:
            inputs: as in a call; `mask_positions` is ignored.
            pooling: "mean", the average over the real tokens, or "cls", the
                vector of the first token. Default "mean".
        Returns:
            float (B, D); zeros for the mean of a row of padding.
        Raises:
            ValueError: if `pooling` is another value, or as in a call.
        """
        checks.one_of(("mean", "cls"), pooling=pooling)
        token_ids, segment_ids = token_and_segment_ids(inputs)
        inputs = {"token_ids": token_ids, "segment_ids": segment_ids}
        mask = padding_mask(token_ids, self.pad_id)
        if pooling == "cls":
            inputs["mask_positions"] = first_token_index(mask)
            return self(inputs)["sequence_output"][:, 0]
        return mean_pooling(self(inputs)["sequence_output"], mask)

    def get_config(self):
        return {**super().get_config(), **self.config}


def token_and_segment_ids(inputs):
    """Return the token ids and the segment ids of an input of `BERT`.

    Returns:
        int (B, T), token ids; and int (B, T), segment ids, 0 by default.
    Raises:
        ValueError: if `inputs` is a list, or a dict without `token_ids`.
    """
    if not isinstance(inputs, (dict, list, tuple)):
        inputs = {"token_ids": inputs}
    if not isinstance(inputs, dict) or "token_ids" not in inputs:
        kind = type(inputs).__name__
        names = list(inputs) if kind == "dict" else ""
        raise ValueError(
            "`inputs` must be int (B, T), or a dict with `token_ids` and "
            f"optionally `segment_ids`. Received a {kind} {names}."
        )
    token_ids, segment_ids = inputs["token_ids"], inputs.get("segment_ids")
    if segment_ids is None:
        segment_ids = ops.zeros_like(token_ids)
    return token_ids, segment_ids


def first_token_index(mask):
    """Return the index of the first real token: bool (B, T) -> int (B, 1)."""
    return ops.argmax(ops.cast(mask, "int32"), axis=1)[:, None]


def _output_positions(inputs, cls_index):
    """Return `cls_index` and the mask positions: int (B, 1 + M), or None."""
    if not isinstance(inputs, dict) or inputs.get("mask_positions") is None:
        return None
    positions = ops.cast(inputs["mask_positions"], cls_index.dtype)
    return ops.concatenate([cls_index, positions], axis=1)


def mean_pooling(x, mask):
    """Average the real tokens, in float32: (B, T, D) -> (B, D), or zeros."""
    real = ops.expand_dims(ops.cast(mask, "float32"), axis=-1)
    total = ops.sum(ops.cast(x, "float32") * real, axis=1)
    return ops.cast(total / ops.maximum(ops.sum(real, axis=1), 1), x.dtype)


def gather_positions(x, positions):
    """Gather vectors: float (B, T, D), int (B, M) -> float (B, M, D).

    A position outside [0, T) gives NaN.
    """
    positions = ops.expand_dims(ops.cast(positions, "int32"), axis=-1)
    inside = ops.mod(positions, ops.shape(x)[1])
    vectors = ops.take_along_axis(x, inside, axis=1)
    return ops.where(positions == inside, vectors, float("nan"))
