"""Masked language modeling on strings: train a BERT, and fill in [MASK].

Shapes: N texts, B batch, T length, M masked positions.
Paper: Devlin et al. (2019), arXiv:1810.04805, section 3.1.
"""

import keras

from keras_seq import checks
from keras_seq.models import BERTPretrainer
from keras_seq.tasks.task import Task


@keras.saving.register_keras_serializable("keras_seq")
class MaskedLM(Task):
    """Train a masked language model on texts, and fill in masked tokens.

    Args:
        model: `BERTPretrainer`; to be trained here, with
            `next_sentence=False`.
        tokenizer: `keras_seq.text.Tokenizer` of the texts.
        sequence_length: optional int > 2, the length to which every text is
            padded or truncated. Default: that of the longest text.
        mask_rate: float in (0, 1), fraction of the tokens that are masked in
            training. Default 0.15.
    Call arguments:
        inputs: dict of `token_ids`, `segment_ids` and optionally
            `mask_positions`, int.
    Returns:
        dict of logits, `masked_lm`, float (B, M, V).
    Raises:
        ValueError: if an argument is of another type or outside its range.
    """

    def __init__(
        self, model, tokenizer, sequence_length=None, mask_rate=0.15, **kwargs
    ):
        super().__init__(model, tokenizer, **kwargs)
        if not isinstance(model, BERTPretrainer):
            raise ValueError(
                f"`model` must be a BERTPretrainer. Received model={model!r}."
            )
        if sequence_length is not None:
            sequence_length = checks.positive_int(
                sequence_length=sequence_length
            )
        self.sequence_length, self.mask_rate = sequence_length, mask_rate
