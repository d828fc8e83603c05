"""Encoder and decoder stacks: the two halves of the Transformer.

Each stack embeds its tokens, adds positional encodings and applies its blocks.
The decoder blocks attend to the output of the encoder (cross-attention).

    encoder:  x = blocks(dropout(sqrt(D) E[source] + PE))
    decoder:  y = blocks(dropout(sqrt(D) E'[target] + PE), x)

Generation reads one token after the other. The keys and values of earlier
tokens, and those of the encoder output, do not change: they are cached.

Shapes: B batch, T target length, S source length, D width, H heads, N length
    of the key-value cache.
Paper: Vaswani et al. (2017), arXiv:1706.03762, section 3.1 and figure 1.
Differs from the paper: a pre-norm stack ends in one more layer normalization.
"""

import keras
from keras import ops

from keras_seq.layers.embedding import PositionEmbedding, padding_mask
from keras_seq.layers.key_value_cache import empty_cache, project_key_value
from keras_seq.layers.layer_normalization import LayerNormalization
from keras_seq.layers.position_encoding import SinePositionEncoding
from keras_seq.layers.trainable import propagate_trainable
from keras_seq.layers.transformer_decoder import TransformerDecoder
from keras_seq.layers.transformer_encoder import TransformerEncoder


class _Stack(keras.layers.Layer):
    """The embedding, the blocks and the last normalization of a stack.

    Args:
        embedding: `TokenEmbedding`, which the other stack may share.
        config: dict, `config` of a `Transformer`.
    """

    block_class = None

    def __init__(self, embedding, config, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True
        dtype = self.dtype_policy
        self.embedding, self.width = embedding, config["hidden_dim"]
        self.position_encoding = _position_encoding(config, dtype)
        self.dropout = keras.layers.Dropout(config["dropout"], dtype=dtype)
        self.blocks = [
            self.block_class(
                config["intermediate_dim"],
                config["num_heads"],
                dropout=config["dropout"],
                attention_dropout=config["attention_dropout"],
                activation=config["activation"],
                normalize_first=config["normalize_first"],
                dtype=dtype,
            )
            for _ in range(config["num_layers"])
        ]
        self.layer_norm = None
        if config["normalize_first"]:
            self.layer_norm = LayerNormalization(epsilon=1e-5, dtype=dtype)

    def build(self, *shapes):
        if not self.embedding.built:
            self.embedding.build()
        for layer in (self.position_encoding, *self.blocks, self.layer_norm):
            if layer is not None:
                layer.build((None, None, self.width))
        propagate_trainable(self)

    def embed(self, ids, positions=None):
        """Embed tokens: int (B, T) -> float (B, T, D)."""
        x = self.embedding(ids)
        if self.position_encoding is None:
            return x
        return x + self.position_encoding(x, positions)

    def normalize(self, x):
        """Apply the last layer normalization of a pre-norm stack."""
        return x if self.layer_norm is None else self.layer_norm(x)


class EncoderStack(_Stack):
    """Encode the source with bidirectional self-attention.

    Args: see `_Stack`.
    Call arguments:
        source: int (B, S).
        mask: bool (B, S), True where a token is real.
        return_attention_scores: bool. Default False.
        training: bool. Default False.
    Returns:
        float (B, S, D), and a list of the attention weights of each block,
        float (B, H, S, S), empty without `return_attention_scores`.
    """

    block_class = TransformerEncoder

    def call(self, source, mask, return_attention_scores=False, training=False):
        x = self.dropout(self.embed(source), training=training)
        all_weights = []
        for block in self.blocks:
            x = block(
                x,
                mask=mask,
                return_attention_scores=return_attention_scores,
                training=training,
            )
            if return_attention_scores:
                x, weights = x
                all_weights.append(weights)
        return self.normalize(x), all_weights


class DecoderStack(_Stack):
    """Decode with causal self-attention and cross-attention to the source.

    Args: see `_Stack`.
    Call arguments:
        target: int (B, T).
        encoder_output: float (B, S, D).
        encoder_output_mask: bool (B, S), True where a source token is real.
        return_attention_scores: bool. Default False.
        training: bool. Default False.
    Returns:
        float (B, T, D), and two lists of the attention weights of each block,
        empty without `return_attention_scores`: self-attention, float (B, H,
        T, T), and cross-attention, float (B, H, T, S).
    """

    block_class = TransformerDecoder

    def call(
        self,
        target,
        encoder_output,
        encoder_output_mask=None,
        return_attention_scores=False,
        training=False,
    ):
        mask = padding_mask(target, self.embedding.pad_id)
        x = self.dropout(self.embed(target), training=training)
        all_weights, all_cross_weights = [], []
        for block in self.blocks:
            x = block(
                x,
                encoder_output,
                mask=mask,
                encoder_output_mask=encoder_output_mask,
                return_attention_scores=return_attention_scores,
                training=training,
            )
            if return_attention_scores:
                x, weights, cross_weights = x
                all_weights.append(weights)
                all_cross_weights.append(cross_weights)
        return self.normalize(x), all_weights, all_cross_weights

    def start(self, encoder_output, encoder_output_mask, max_length):
        """Return the state before the first token.

        Args:
            encoder_output: float (B, S, D).
            encoder_output_mask: bool (B, S).
            max_length: int > 0, how many times `step` will be called.
        Returns:
            dict of tensors, see `AutoregressiveModel.start`.
        """
        B = ops.shape(encoder_output)[0]
        keys_and_values = [
            project_key_value(block.cross_attention, encoder_output)
            for block in self.blocks
        ]
        caches = [
            empty_cache(block.self_attention, B, max_length)
            for block in self.blocks
        ]
        return {
            "caches": caches,
            "cache_update_index": ops.zeros((B,), dtype="int32"),
            "attention": ops.zeros_like(encoder_output[:, :, 0]),
            "source": {
                "keys_and_values": keys_and_values,
                "mask": encoder_output_mask,
            },
        }

    def step(self, ids, state):
        """Decode one more token: int (B,) -> float (B, 1, D), new state."""
        index, source = state["cache_update_index"], state["source"]
        N = ops.shape(state["caches"][0][0])[2]
        mask = ops.arange(N, dtype="int32") <= index[0]  # the same in all rows
        source_mask = source["mask"][:, None, None]  # (B, 1, 1, S)
        x = self.embed(ids[:, None], index[:, None])
        caches = []
        for block, cache, keys_and_values in zip(
            self.blocks, state["caches"], source["keys_and_values"]
        ):
            x, cache, weights = block.step(
                x,
                cache,
                index[0],
                mask,
                keys_and_values,
                source_mask,
                scores=True,
            )
            caches.append(cache)
        attention = ops.mean(weights[:, :, 0], axis=1)  # of the last block
        return self.normalize(x), {
            **state,
            "caches": caches,
            "cache_update_index": index + 1,
            "attention": attention,
        }


def _position_encoding(config, dtype):
    def learned():
        normal = keras.initializers.RandomNormal(stddev=0.02)
        return PositionEmbedding(
            config["max_sequence_length"], normal, dtype=dtype
        )

    create = {
        "sinusoidal": lambda: SinePositionEncoding(dtype=dtype),
        "learned": learned,
        "none": lambda: None,
    }
    return create[config["position_encoding"]]()
