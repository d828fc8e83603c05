"""Pretraining: hide words and ask for them, so that both sides help.

A model that sees the words to the right cannot be asked for the next one. So
BERT is asked for words that were hidden, and whether the second of two texts
followed the first. Neither needs a label, and what it then knows of language
is the start for tasks with few of them.

    masked = norm(gelu(x_p W + b)) E^T + c    # p: the hidden places; tied
    next   = pooled W + b                     # 0 it followed, 1 it did not

Shapes: B batch, T length, D width, V vocabulary, M places asked for.
Paper: Devlin et al. (2019), arXiv:1810.04805, section 3.1, appendix A.
Differs from the paper: nothing.
"""

import keras
import numpy as np
from keras import ops

from keras_seq import checks
from keras_seq.layers.feed_forward import activation_of
from keras_seq.layers.layer_normalization import LayerNormalization
from keras_seq.layers.trainable import propagate_trainable
from keras_seq.models.bert import BERT, bert_initializer


class BERTTask(keras.Model):
    """What every model on top of a BERT shares: it, and whether it pools.

    A head that does not use the pooler freezes it, for other models that share
    this BERT too (until a BERT that was frozen is freed).
    """

    pools = True

    def __init__(self, bert, **kwargs):
        kwargs.setdefault("dtype", getattr(bert, "dtype_policy", None))
        super().__init__(**kwargs)
        if not isinstance(bert, BERT):
            raise ValueError(f"`bert` must be a BERT. Received bert={bert!r}.")
        if self.pools and bert.pooler is None:
            raise ValueError(
                "`bert` must have a pooler. Received one with pooler=False."
            )
        if bert.pooler is not None:
            bert.pooler.trainable = self.pools and bert.trainable
        self.bert = bert

    def dense(self, units, activation=None):
        """Make a layer of a head."""
        return keras.layers.Dense(
            units,
            activation_of(activation),
            kernel_initializer=bert_initializer(),
            dtype=self.dtype_policy,
        )

    def build_on(self, *layers):
        """Build the BERT, if it is new, and layers as wide as it is."""
        if not self.bert.built:
            self.bert.build()
        for layer in layers:
            layer.build((None, self.bert.config["units"]))
        propagate_trainable(self)

    def get_config(self):
        bert = keras.saving.serialize_keras_object(self.bert)
        bert["shared_object_id"] = id(self.bert)  # so that two find one again
        return {**super().get_config(), "bert": bert}

    @classmethod
    def from_config(cls, config):
        bert = keras.saving.deserialize_keras_object(config["bert"])
        return cls(**{**config, "bert": bert})


@keras.saving.register_keras_serializable("keras_seq")
class BERTPretrainer(BERTTask):
    """Ask a BERT for hidden words, and whether one text followed the other.

    Compile with a `TokenCrossEntropy()` for `masked`, where label 0 is no
    question, and a `TokenCrossEntropy(pad_id=None)` for `next`.

    Args:
        bert: `BERT`, which learns.
        next_sentence: bool, ask whether the second text followed the first.
            Default True.
    Call arguments:
        inputs: as of `BERT`; its `mask_positions` are the masked tokens.
            Default: all T.
    Returns:
        dict of logits: `masked`, float (B, M, V), and, if asked, `next`,
        float (B, 2): 0, it followed; 1, it did not.
    Raises:
        ValueError: if `bert` is none, or has no pooler where the next
            sentence is asked for.
    """

    def __init__(self, bert, *, next_sentence=True, **kwargs):
        self.pools = next_sentence
        super().__init__(bert, **kwargs)
        self.next_sentence = next_sentence
        self.transform = self.dense(
            bert.config["units"], bert.config["activation"]
        )
        self.norm = LayerNormalization(
            epsilon=bert.config["epsilon"], dtype=self.dtype_policy
        )
        self.next = self.dense(2) if next_sentence else None

    def build(self, inputs_shape=None):
        heads = [self.transform, self.norm]
        if self.next_sentence:
            heads.append(self.next)
        self.build_on(*heads)
        self.bias = self.add_weight(
            name="bias",
            shape=(self.bert.config["vocabulary_size"],),
            initializer="zeros",
        )

    def call(self, inputs, training=False):
        found = self.bert(inputs, training=training)
        x = self.norm(self.transform(found["sequence_output"]))
        masked = self.bert.embedding.logits(x)
        logits = {"masked_lm": masked + ops.cast(self.bias, masked.dtype)}
        if self.next_sentence:
            logits["next_sentence"] = self.next(found["pooled_output"])
        return logits

    def fill_mask(self, inputs, mask_id=4, top=5):
        """Guess the hidden words.

        Args:
            inputs: as in a call, NumPy arrays; `mask_positions` is ignored.
            mask_id: int, the id that hides a word. Default 4.
            top: int > 0, guesses for each, at most V. Default 5.
        Returns:
            int (N, top), ids, the likeliest first, and float (N, top), their
            probabilities, for each of the N places hidden, row by row.
        Raises:
            ValueError: if `top` is no int > 0, or more than V, or `mask_id` is
                no id.
        """
        checks.positive_int(top=top)
        V = self.bert.config["vocabulary_size"]
        checks.id_below(V, mask_id=mask_id)
        if top > V:
            raise ValueError(
                f"`top` must be at most {V} tokens. Received top={top}."
            )
        texts = (
            dict(inputs) if isinstance(inputs, dict) else {"token_ids": inputs}
        )
        texts.pop("mask_positions", None)
        logits = self(texts)["masked_lm"]
        p = ops.softmax(ops.cast(logits, "float32"))
        p, ids = map(ops.convert_to_numpy, ops.top_k(p, top))
        hidden = np.asarray(texts["token_ids"]) == mask_id
        return ids[hidden], p[hidden]

    def get_config(self):
        return {**super().get_config(), "next_sentence": self.next_sentence}
