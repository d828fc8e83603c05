"""Pretraining of BERT: masked language modeling and next sentence prediction.

Neither task needs labeled data. In masked language modeling (MLM) 15% of the
tokens are chosen: 80% of them are replaced by [MASK], 10% by a random token,
10% are kept, and the model predicts the original tokens from both sides
(`MaskedLMMaskGenerator`). In next sentence prediction (NSP) the model predicts
whether the second of two texts followed the first. The trained encoder is then
fine-tuned for tasks with few labels, see `bert_tasks`.

    masked_lm     = norm(gelu(x_p W + b)) E^T + c   # p: masked positions; tied
    next_sentence = pooled W + b                    # 0: IsNext, 1: NotNext

Shapes: B batch, T length, D width, V vocabulary, M masked positions.
Paper: Devlin et al. (2019), arXiv:1810.04805, section 3.1, appendix A.
Differs from the paper: nothing.
"""

import keras
import numpy as np
from keras import ops

from keras_seq import checks
from keras_seq.layers.activations import activation_of
from keras_seq.layers.embedding import TokenEmbedding
from keras_seq.layers.initializers import clone_initializer, get_initializers
from keras_seq.layers.layer_normalization import LayerNormalization
from keras_seq.layers.trainable import propagate_trainable
from keras_seq.models.bert import bert_initializer, gather_positions
from keras_seq.models.bert_task import BERTTask, shared_config


@keras.saving.register_keras_serializable("keras_seq")
class MaskedLMHead(keras.layers.Layer):
    """Predict the tokens at masked positions from the output of an encoder.

    Args:
        vocabulary_size: optional int > 0, V. Default: that of
            `token_embedding`.
        token_embedding: optional `TokenEmbedding`, of an encoder: its matrix
            is used for the logits as well (tied weights), and is frozen if the
            head is. Default None: the head has a kernel of its own, (D, V).
        intermediate_activation: str or function. Default "relu".
        activation: optional str or function, of the outputs, such as
            "softmax". Default None: the outputs are logits.
        layer_norm_epsilon: float > 0. Default 1e-5.
        kernel_initializer: initializer. Default "glorot_uniform".
        bias_initializer: initializer. Default "zeros".
    Call arguments:
        inputs: float (B, T, D).
        mask_positions: optional int (B, M). Default: all T positions.
    Returns:
        float (B, M, V), or (B, T, V) without `mask_positions`.
    Raises:
        ValueError: if an argument is invalid, or `vocabulary_size` and
            `token_embedding` are both missing or differ in size.
    Example:
        >>> head = MaskedLMHead(13)
        >>> logits = head(ops.ones((2, 5, 8)), np.array([[1, 2], [0, 4]]))
        >>> tuple(logits.shape)
        (2, 2, 13)
    """

    def __init__(
        self,
        vocabulary_size=None,
        token_embedding=None,
        intermediate_activation="relu",
        activation=None,
        layer_norm_epsilon=1e-5,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.supports_masking = True
        if token_embedding is not None:
            _check_embedding(token_embedding)
            tied_size = token_embedding.vocabulary_size
            if vocabulary_size is None:
                vocabulary_size = tied_size
            checks.one_of((tied_size,), vocabulary_size=vocabulary_size)
        self.vocabulary_size = checks.positive_int(
            vocabulary_size=vocabulary_size
        )
        self.token_embedding = token_embedding
        self.intermediate_activation = activation_of(intermediate_activation)
        self.activation = activation_of(activation)
        self.initializers = get_initializers(
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
        )
        checks.positive(layer_norm_epsilon=layer_norm_epsilon)
        self.layer_norm_epsilon = layer_norm_epsilon

    def build(self, inputs_shape, mask_positions_shape=None):
        D, V = inputs_shape[-1], self.vocabulary_size
        kernel = self.initializers["kernel_initializer"]
        bias = self.initializers["bias_initializer"]
        self.intermediate_dense = keras.layers.Dense(
            D,
            self.intermediate_activation,
            kernel_initializer=clone_initializer(kernel),
            bias_initializer=clone_initializer(bias),
            dtype=self.dtype_policy,
        )
        self.intermediate_dense.build((None, None, D))
        self.layer_norm = LayerNormalization(
            epsilon=self.layer_norm_epsilon, dtype=self.dtype_policy
        )
        self.layer_norm.build((None, None, D))
        if self.token_embedding is None:
            self.kernel = self.add_weight(
                (D, V), clone_initializer(kernel), name="kernel"
            )
        elif not self.token_embedding.built:
            self.token_embedding.build()
        self.bias = self.add_weight((V,), clone_initializer(bias), name="bias")
        propagate_trainable(self)

    def call(self, inputs, mask_positions=None):
        if mask_positions is not None:
            inputs = gather_positions(inputs, mask_positions)
        x = self.layer_norm(self.intermediate_dense(inputs))
        if self.token_embedding is None:
            logits = ops.matmul(x, ops.cast(self.kernel, x.dtype))
        else:
            logits = self.token_embedding.logits(x)
        return self.activation(logits + ops.cast(self.bias, logits.dtype))

    def compute_mask(self, inputs, previous_mask=None):
        return None  # the loss masks by the labels

    def get_config(self):
        activation = keras.activations.serialize
        serialize = keras.initializers.serialize
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "token_embedding": shared_config(self.token_embedding),
            "intermediate_activation": activation(self.intermediate_activation),
            "activation": activation(self.activation),
            "layer_norm_epsilon": self.layer_norm_epsilon,
            **{name: serialize(x) for name, x in self.initializers.items()},
        }

    @classmethod
    def from_config(cls, config):
        found = keras.saving.deserialize_keras_object(config["token_embedding"])
        return cls(**{**config, "token_embedding": found})


def _check_embedding(token_embedding):
    if not isinstance(token_embedding, TokenEmbedding):
        raise ValueError(
            "`token_embedding` must be a TokenEmbedding. Received "
            f"token_embedding={token_embedding!r}."
        )


@keras.saving.register_keras_serializable("keras_seq")
class NextSentenceHead(keras.layers.Dense):
    """Predict from a pooled vector whether a second text followed the first.

    Args:
        **kwargs: arguments of `keras.layers.Dense` but `units`, which is 2.
    Call arguments:
        inputs: float (B, D), `pooled_output` of a `BERT`.
    Returns:
        float (B, 2), logits unless there is an `activation`: 0, IsNext, the
        text followed; 1, NotNext.
    Raises:
        ValueError: if `Dense` has no argument of a name, or the value is not
            valid.
    Example:
        >>> tuple(NextSentenceHead()(ops.ones((3, 8))).shape)
        (3, 2)
    """

    def __init__(self, **kwargs):
        super().__init__(2, **kwargs)

    def quantize(self, mode=None, type_check=True, config=None):
        # With type_check=True Keras raises an error for a subclass.
        super().quantize(mode, type_check=False, config=config)

    def get_config(self):
        config = super().get_config()
        return {k: x for k, x in config.items() if k != "units"}


@keras.saving.register_keras_serializable("keras_seq")
class BERTPretrainer(BERTTask):
    """Train a BERT with masked language modeling and next sentence prediction.

    Compile it with `TokenCrossEntropy()` for `masked_lm`, which ignores label
    0, and `TokenCrossEntropy(pad_id=None)` for `next_sentence`.

    Args:
        bert: `BERT`, trained together with the heads.
        next_sentence: bool, train next sentence prediction as well. Default
            True.
    Call arguments:
        inputs: as of `BERT`; `mask_positions` are the positions to predict.
            Default: all T.
        training: bool, apply dropout. Default False.
    Returns:
        dict of logits: `masked_lm`, float (B, M, V), and, if trained,
        `next_sentence`, float (B, 2): 0, IsNext; 1, NotNext.
    Raises:
        ValueError: if `bert` is not a `BERT`, or has no pooler and
            `next_sentence` is True.
    Example:
        >>> model = BERTPretrainer(BERT(13, 8, num_heads=2, num_layers=1))
        >>> ids = np.array([[2, 5, 4, 3]])  # 4: [MASK]
        >>> inputs = {"token_ids": ids, "mask_positions": np.array([[2]])}
        >>> {name: tuple(x.shape) for name, x in model(inputs).items()}
        {'masked_lm': (1, 1, 13), 'next_sentence': (1, 2)}
    """

    def __init__(self, bert, *, next_sentence=True, **kwargs):
        next_sentence = checks.boolean(next_sentence=next_sentence)
        super().__init__(bert, use_pooler=next_sentence, **kwargs)
        self.next_sentence = next_sentence
        self.masked_lm_head = MaskedLMHead(
            token_embedding=bert.token_embedding,
            intermediate_activation=bert.config["activation"],
            layer_norm_epsilon=bert.config["layer_norm_epsilon"],
            kernel_initializer=bert_initializer(),
            dtype=self.dtype_policy,
        )
        self.next_sentence_head = None
        if next_sentence:
            self.next_sentence_head = NextSentenceHead(
                kernel_initializer=bert_initializer(), dtype=self.dtype_policy
            )

    def build(self, inputs_shape=None):
        self.build_bert()
        D = self.bert.config["hidden_dim"]
        self.masked_lm_head.build((None, None, D))
        if self.next_sentence_head is not None:
            self.next_sentence_head.build((None, D))
        propagate_trainable(self)

    def call(self, inputs, training=False):
        outputs = self.bert(inputs, training=training)
        # `bert` has gathered the masked positions already.
        logits = {"masked_lm": self.masked_lm_head(outputs["sequence_output"])}
        if self.next_sentence_head is not None:
            pooled = outputs["pooled_output"]
            logits["next_sentence"] = self.next_sentence_head(pooled)
        return logits

    def fill_mask(self, inputs, mask_id, top=5):
        """Predict the masked tokens of some texts.

        Args:
            inputs: as in a call, NumPy arrays; `mask_positions` is ignored.
            mask_id: int, id of [MASK]: `mask_id` of the tokenizer.
            top: int > 0, number of predictions for each, at most V. Default 5.
        Returns:
            int (N, top), token ids, the most probable first, and float (N,
            top), their probabilities, for each of the N masked tokens, row by
            row.
        Raises:
            ValueError: if `top` is not an int in [1, V], `mask_id` is not an
                id, or no token is masked.
        """
        checks.positive_int(top=top)
        V = self.bert.config["vocabulary_size"]
        checks.within(1, V, top=top)
        checks.id_below(V, mask_id=mask_id)
        inputs = inputs if isinstance(inputs, dict) else {"token_ids": inputs}
        inputs = {k: x for k, x in inputs.items() if k != "mask_positions"}
        masked = np.asarray(inputs["token_ids"]) == mask_id
        if not masked.any():
            raise ValueError(
                f"`mask_id` must be in `inputs`. Received mask_id={mask_id}."
            )
        logits = ops.reshape(self(inputs)["masked_lm"], (-1, V))
        logits = ops.take(logits, np.flatnonzero(masked), axis=0)  # (N, V)
        p = ops.softmax(ops.cast(logits, "float32"))
        p, ids = map(ops.convert_to_numpy, ops.top_k(p, top))
        return ids, p

    def get_config(self):
        return {**super().get_config(), "next_sentence": self.next_sentence}
