"""Base class of the models that consist of a BERT and a head.

The same pretrained encoder is used for every task; only the head, one or two
layers on its outputs, is new. Several models may share one BERT.

Shapes: those of the model.
Paper: Devlin et al. (2019), arXiv:1810.04805, section 3, figure 1.
Differs from the paper: nothing.
"""

import keras

from keras_seq.models.bert import BERT
from keras_seq.models.servable_model import ServableModel


class BERTTask(ServableModel):
    """Base class of the models that put a head on a `BERT`.

    A subclass creates its head, calls `build_bert` in `build`, and calls
    `self.bert` in `call`. If it does not use the pooler, the pooler is frozen,
    also for other models that share this BERT.

    Args:
        bert: `BERT`, trained together with the head.
        use_pooler: bool, the head reads `pooled_output`. Default False.
    Raises:
        ValueError: if `bert` is not a `BERT`, or has no pooler and
            `use_pooler` is True.
    Example:
        >>> bert = BERT(13, 8, num_layers=1)
        >>> BERTTask(bert).bert is bert
        True
    """

    input_shapes = BERT.input_shapes

    def __init__(self, bert, use_pooler=False, **kwargs):
        kwargs.setdefault("dtype", getattr(bert, "dtype_policy", None))
        super().__init__(**kwargs)
        if not isinstance(bert, BERT):
            raise ValueError(f"`bert` must be a BERT. Received bert={bert!r}.")
        if use_pooler and bert.pooler is None:
            raise ValueError(
                "`bert` must have a pooler. Received a BERT with pooler=False."
            )
        if bert.pooler is not None and not use_pooler:
            bert.pooler_is_frozen_by_task |= bert.pooler.trainable
            bert.pooler.trainable = False
        elif use_pooler and bert.pooler_is_frozen_by_task:
            bert.pooler_is_frozen_by_task = False
            bert.pooler.trainable = bert.trainable
        self.bert, self.use_pooler = bert, use_pooler

    def id_limits(self):
        inputs = {k: n for k, n in self.bert.id_limits().items() if k != "y"}
        return inputs | super().id_limits()

    def build_bert(self):
        """Build the BERT, unless it is built."""
        if not self.bert.built:
            self.bert.build()

    def get_config(self):
        return {**super().get_config(), "bert": shared_config(self.bert)}

    @classmethod
    def from_config(cls, config):
        bert = keras.saving.deserialize_keras_object(config["bert"])
        return cls(**{**config, "bert": bert})


def shared_config(layer):
    """Serialize a layer so that two users of it share it again, or None."""
    if layer is None:
        return None
    config = keras.saving.serialize_keras_object(layer)
    return {**config, "shared_object_id": id(layer)}
