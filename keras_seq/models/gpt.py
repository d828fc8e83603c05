"""GPT: a decoder-only Transformer, an autoregressive language model.

A decoder-only model has no encoder and no cross-attention, so its blocks are
`TransformerEncoder` with a causal mask. The model predicts each token from all
tokens before it and can attend to each of them; a recurrent model must compress
them into one hidden state. A GPT trained on enough text can translate, answer
and summarize without fine-tuning (zero-shot).

    x = dropout(E[ids] + P[0 ... T-1])  # or rotary positions in the blocks
    x = blocks(x)                       # pre-norm, causal mask
    logits = norm(x) E^T                # output weights tied to the embedding

Shapes: B batch, T length, D width, H heads, V vocabulary, N cache length.
Paper: Radford et al. (2018), "Improving language understanding by generative
    pre-training"; pre-norm, final norm and sizes: Radford et al. (2019),
    "Language models are unsupervised multitask learners", section 2.3.
Differs from the paper: padding, on either side, is not counted as a position;
    the kernels of the blocks have Keras's default initializer, not a normal
    one of standard deviation 0.02.
"""

import typing

import keras
from keras import ops

from keras_seq import checks
from keras_seq.generation.prompts import check_input_length, split_prompt
from keras_seq.layers.attention import (
    causal_mask,
    positions_in_segments,
    segment_mask,
)
from keras_seq.layers.embedding import (
    PositionEmbedding,
    TokenEmbedding,
    position_ids,
)
from keras_seq.layers.key_value_cache import empty_cache, extend_caches
from keras_seq.layers.layer_normalization import LayerNormalization
from keras_seq.layers.trainable import propagate_trainable
from keras_seq.layers.transformer_encoder import TransformerEncoder
from keras_seq.models.servable_model import ServableModel


@keras.saving.register_keras_serializable("keras_seq")
class GPT(ServableModel):
    """Predict the next token at every position from the tokens before it.

    `GPT(50257, **GPT.sizes["gpt2"], pad_id=None)` has the published size of
    GPT-2, 124,439,808 weights.

    Args:
        vocabulary_size: int > 0, number of tokens V.
        hidden_dim: int > 0, width D of the token vectors.
        num_heads: int > 0, number of heads H, divides `hidden_dim`. Default 4.
        num_layers: int > 0, number of blocks. Default 4.
        max_sequence_length: int > 0, the longest input: prompt and answer
            together, but for the last new token. Default 256.
        intermediate_dim: optional int > 0, inner width of a block. Default 4 D.
        dropout: float in [0, 1). Default 0.1.
        attention_dropout: optional float in [0, 1). Default: `dropout`.
        activation: of the feed-forward networks. Default "gelu_tanh", the
            approximation that GPT-2 was trained with; "gelu" is exact.
        layer_norm_epsilon: float > 0. Default 1e-5.
        position_encoding: "learned" or "rotary". Default "learned".
        pad_id: optional int, id of padding. Default 0. None: no padding.
    Call arguments:
        inputs: int (B, T), token ids; or a dict of `token_ids` and
            `segment_ids`, int (B, T) each, as `pack_sequences` makes it: each
            segment attends to itself alone and begins at position 0.
        return_attention_scores: bool, return the weights too. Default False.
        training: bool, apply dropout. Default False.
    Returns:
        logits of the next token, float (B, T, V); or the logits and a list of
        the attention weights of each block, float (B, H, T, T).
    Raises:
        ValueError: if an argument is outside its range, or the input is longer
            than `max_sequence_length`.
    Example:
        >>> model = GPT(13, 8, num_heads=2, num_layers=1)
        >>> tuple(model(np.array([[5, 3, 7], [4, 9, 0]])).shape)
        (2, 3, 13)
        >>> generate(model, np.array([[5, 3, 7]]), max_length=4).ids.shape
        (1, 4)
    """

    sizes: typing.ClassVar = {
        name: {"hidden_dim": D, "num_heads": H, "num_layers": layers}
        | {"max_sequence_length": 1024}
        for name, D, H, layers in (
            ("gpt2", 768, 12, 12),
            ("gpt2-medium", 1024, 16, 24),
            ("gpt2-large", 1280, 20, 36),
            ("gpt2-xl", 1600, 25, 48),
        )
    }

    def __init__(
        self,
        vocabulary_size,
        hidden_dim,
        *,
        num_heads=4,
        num_layers=4,
        max_sequence_length=256,
        intermediate_dim=None,
        dropout=0.1,
        attention_dropout=None,
        activation="gelu_tanh",
        layer_norm_epsilon=1e-5,
        position_encoding="learned",
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
            intermediate_dim=intermediate_dim,
            dropout=dropout,
            attention_dropout=attention_dropout,
            activation=activation,
            layer_norm_epsilon=layer_norm_epsilon,
            position_encoding=position_encoding,
            pad_id=pad_id,
        )
        checks.one_of(
            ("learned", "rotary"), position_encoding=position_encoding
        )
        self.pad_id = self.config["pad_id"]
        self.max_sequence_length = self.config["max_sequence_length"]
        self._create_layers()

    def _create_layers(self):
        config, dtype = self.config, self.dtype_policy
        normal = keras.initializers.RandomNormal(stddev=0.02)
        self.token_embedding = TokenEmbedding(
            config["vocabulary_size"],
            config["hidden_dim"],
            pad_id=self.pad_id,
            embeddings_initializer=normal,
            dtype=dtype,
        )
        self.position_embedding = None
        if config["position_encoding"] == "learned":
            self.position_embedding = PositionEmbedding(
                self.max_sequence_length, normal.clone(), dtype=dtype
            )
        self.dropout = keras.layers.Dropout(config["dropout"], dtype=dtype)
        self.blocks = [
            TransformerEncoder(
                config["intermediate_dim"],
                config["num_heads"],
                dropout=config["dropout"],
                attention_dropout=config["attention_dropout"],
                activation=config["activation"],
                layer_norm_epsilon=config["layer_norm_epsilon"],
                normalize_first=True,
                rotary=config["position_encoding"] == "rotary",
                dtype=dtype,
            )
            for _ in range(config["num_layers"])
        ]
        self.layer_norm = LayerNormalization(
            epsilon=config["layer_norm_epsilon"], dtype=dtype
        )

    def build(self, inputs_shape=None):
        self.token_embedding.build()
        shape = (None, None, self.config["hidden_dim"])
        for layer in (self.position_embedding, *self.blocks, self.layer_norm):
            if layer is not None:
                layer.build(shape)
        propagate_trainable(self)

    def call(self, inputs, return_attention_scores=False, training=False):
        checks.boolean(return_attention_scores=return_attention_scores)
        token_ids, attention_mask = inputs, None
        if isinstance(inputs, dict):
            checks.has_keys(inputs, "token_ids", "segment_ids")
            token_ids = inputs["token_ids"]
            attention_mask = segment_mask(inputs["segment_ids"])
        mask = self.token_embedding.compute_mask(token_ids)
        positions = None if mask is None else position_ids(mask)
        if attention_mask is not None:
            positions = positions_in_segments(attention_mask)
        x = self._embed(token_ids, positions)
        x = self.dropout(x, training=training)
        all_weights = []
        for block in self.blocks:
            x = block(
                x,
                mask=mask,
                attention_mask=attention_mask,
                use_causal_mask=True,
                return_attention_scores=return_attention_scores,
                training=training,
                positions=positions,
            )
            if return_attention_scores:
                x, weights = x
                all_weights.append(weights)
        logits = self.token_embedding.logits(self.layer_norm(x))
        return (logits, all_weights) if return_attention_scores else logits

    def _embed(self, token_ids, positions):
        x = self.token_embedding(token_ids)
        if self.position_embedding is None:  # rotary: the blocks need them
            check_input_length(self, x.shape[1], 1)
            return x
        return x + self.position_embedding(x, positions)

    def start(self, prompt, max_length=None):
        """Fill the key-value cache with all but the last token (prefill).

        Prompts end in different columns. So the last real token of each row
        is masked, and the first `step` writes it to column T of all rows.

        Args:
            prompt: int (B, T), T > 0; rows may be padded on either side.
            max_length: optional int, how many times `step` will be called.
                Default: until `max_sequence_length` is reached.
        Returns:
            The last token of each row, int (B,), and the state before it.
        """
        last, before = split_prompt(prompt, self.pad_id)
        B, T = ops.shape(prompt)
        check_input_length(self, T, 1 if max_length is None else max_length)
        if max_length is None:
            max_length = self.max_sequence_length - T + 1
        N = T + max_length
        # True where a token is real, or will be once it is generated.
        new = ((0, 0), (0, max_length))
        padding_mask = ops.pad(before, new, constant_values=True)  # (B, N)
        mask = padding_mask[:, None, None] & causal_mask(T, N)  # (B, 1, T, N)
        positions = position_ids(before)
        x = self._embed(prompt, positions)
        caches = []
        for block in self.blocks:
            cache = empty_cache(block.self_attention, B, N)
            x, cache = block.step(x, cache, 0, mask, positions)
            caches.append(cache)
        return last, {
            "caches": caches,
            "padding_mask": padding_mask,
            "position": ops.sum(ops.cast(before, "int32"), axis=1),
            "cache_update_index": ops.full((B,), T, dtype="int32"),
        }

    def max_prompt_length(self, max_length):
        """Return the longest prompt that `max_length` tokens may follow."""
        checks.within_positions(max_length, self.max_sequence_length)
        return self.max_sequence_length - max_length + 1

    def step(self, ids, state):
        """Predict the next token: int (B,) -> logits (B, V), new state."""
        logits, state = self.call_with_cache(ids[:, None], state)
        return logits[:, 0], state

    def call_with_cache(self, token_ids, state):
        """Predict the token after each of the newest tokens.

        Args:
            token_ids: int (B, T), the newest tokens of each row, no padding.
            state: what `start` or the previous call returned.
        Returns:
            Logits, float (B, T, V), and the new state.
        """
        T, index = token_ids.shape[1], state["cache_update_index"][0]
        t = ops.arange(T, dtype="int32")
        padding_mask = state["padding_mask"][:, None, None]  # (B, 1, 1, N)
        n = ops.arange(ops.shape(padding_mask)[3], dtype="int32")
        mask = padding_mask & (n <= index + t[:, None])  # (B, 1, T, N)
        positions = state["position"][:, None] + t
        x = self._embed(token_ids, positions)
        caches = []
        for block, cache in zip(self.blocks, state["caches"]):
            x, cache = block.step(x, cache, index, mask, positions)
            caches.append(cache)
        logits = self.token_embedding.logits(self.layer_norm(x))
        return logits, {
            **state,
            "caches": caches,
            "position": state["position"] + T,
            "cache_update_index": state["cache_update_index"] + T,
        }

    def trim_cache(self, state, num_tokens):
        """Remove the newest tokens, int or scalar int tensor, from a state."""
        names = ("position", "cache_update_index")
        return {**state, **{name: state[name] - num_tokens for name in names}}

    extend_state = staticmethod(extend_caches)

    def get_config(self):
        return {**super().get_config(), **self.config}
