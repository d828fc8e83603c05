"""MaskedLM: train a masked language model on texts, and fill in [MASK].

In each epoch the masks are drawn anew, as in RoBERTa (dynamic masking): the
positions are drawn again whenever a batch is read.

Shapes: N texts, B batch, T length, M masked positions.
Paper: Devlin et al. (2019), arXiv:1810.04805, section 3.1; dynamic masking:
    Liu et al. (2019), arXiv:1907.11692, section 4.1.
"""

import keras
import numpy as np

from keras_seq import checks
from keras_seq.models import BERTPretrainer
from keras_seq.tasks.task import PackedTask, text_list
from keras_seq.text import MaskedLMMaskGenerator
from keras_seq.training import TokenCrossEntropy


@keras.saving.register_keras_serializable("keras_seq")
class MaskedLM(PackedTask):
    """Train a masked language model on texts, and fill in masked tokens.

    Args:
        model: `BERTPretrainer`. To be trained here it needs
            `next_sentence=False`.
        tokenizer: `keras_seq.text.Tokenizer` of the texts. `fill_mask` needs
            one with `special_tokens_in_strings=True`, so that "[MASK]" in a
            text is the mask token.
        sequence_length: optional int > 2, the length to which every text is
            padded or truncated. Default: that of the longest text.
        mask_selection_rate: float in (0, 1), the fraction of the tokens that
            is selected in training. Default 0.15.
    Call arguments:
        inputs: as of the model.
    Returns:
        as of the model.
    Raises:
        ValueError: if an argument is of another type or out of range.
    Example:
        >>> texts = ["it is red", "it is blue"]
        >>> tokenizer = WordPieceTokenizer(
        ...     ["it", "is", "red", "blue"], special_tokens_in_strings=True)
        >>> bert = BERT(tokenizer.vocabulary_size(), 8, num_heads=2,
        ...             num_layers=1)
        >>> model = BERTPretrainer(bert, next_sentence=False)
        >>> masked_lm = MaskedLM(model, tokenizer, mask_selection_rate=0.4)
        >>> history = masked_lm.fit(texts, verbose=0)
        >>> [(token, probability)] = masked_lm.fill_mask(
        ...     ["it is [MASK]"], top=1)[0][0]
        >>> 0 < probability < 1
        True
    """

    def __init__(
        self,
        model,
        tokenizer,
        sequence_length=None,
        mask_selection_rate=0.15,
        **kwargs,
    ):
        super().__init__(model, tokenizer, sequence_length, **kwargs)
        if not isinstance(model, BERTPretrainer):
            raise ValueError(
                f"`model` must be a BERTPretrainer. Received model={model!r}."
            )
        self.mask_selection_rate = mask_selection_rate
        self.mask_generator = MaskedLMMaskGenerator(
            tokenizer, mask_selection_rate
        )

    def fit(self, x, *, batch_size=32, validation_data=None, **options):
        """Train on texts, with masks drawn anew in each epoch.

        Args:
            x: list of N str.
            batch_size: int > 0. Default 32.
            validation_data: optional list of str, masked once.
            options: further arguments of `keras.Model.fit`, such as
                `epochs`.
        Returns:
            `keras.callbacks.History`.
        """
        if not self.model.compiled:
            self.compile()
        if validation_data is not None:
            validation_data = self.batches(validation_data, batch_size)
        return self.model.fit(
            self.batches(x, batch_size, dynamic=True),
            validation_data=validation_data,
            **options,
        )

    def evaluate(self, x, *, batch_size=32, **options):
        """Compute the loss and the metrics on texts.

        Args:
            x, batch_size: as for `fit`.
            options: further arguments of `keras.Model.evaluate`.
        Returns:
            scalar, list or dict, as `keras.Model.evaluate`.
        """
        if not self.model.compiled:
            self.compile()
        return self.model.evaluate(self.batches(x, batch_size), **options)

    def batches(self, texts, batch_size, dynamic=False):
        """Create the masked batches of some texts.

        Args:
            texts: list of N str.
            batch_size: int > 0.
            dynamic: bool, draw the masks anew in each epoch. Default False.
        Returns:
            `keras.utils.PyDataset`.
        """
        if self.model.next_sentence:
            raise ValueError(
                "`model` must be a BERTPretrainer with next_sentence=False: a "
                "list of texts has no pairs. Received next_sentence=True."
            )
        packed = self.packer()(text_list(x=texts))
        return MaskedBatches(packed, self.mask_generator, batch_size, dynamic)

    def default_loss(self):
        return {"masked_lm": TokenCrossEntropy(self.tokenizer.pad_id)}

    def fill_mask(self, texts, top=5):
        """Predict the masked tokens of each text.

        Args:
            texts: list of N str that contain "[MASK]".
            top: int > 0, number of candidates. Default 5.
        Returns:
            list of N lists, for each "[MASK]" of a text a list of `top`
            tuples of a token, str, and its probability, float, the most
            probable first.
        Raises:
            ValueError: if no text contains "[MASK]".
        """
        texts = text_list(texts=texts)
        packed = self.packer()(texts)
        mask_id = self.tokenizer.mask_id
        counts = (packed["token_ids"] == mask_id).sum(axis=1)
        if not counts.any() and any("[MASK]" in text for text in texts):
            raise ValueError(
                "`tokenizer` must be created with special_tokens_in_strings="
                'True, so that "[MASK]" in a text is the mask token.'
            )
        ids, p = self.model.fill_mask(packed, mask_id, top)
        candidates = [
            list(zip(self.tokenizer.tokens(row), map(float, values)))
            for row, values in zip(ids, p)
        ]
        ends = np.cumsum(counts)
        return [
            candidates[end - count : end] for end, count in zip(ends, counts)
        ]

    def get_config(self):
        own = {"mask_selection_rate": self.mask_selection_rate}
        return {**super().get_config(), **own}


class MaskedBatches(keras.utils.PyDataset):
    """Serve batches of packed texts, with some tokens masked.

    Args:
        packed: dict of int (N, T): `token_ids` and `segment_ids`.
        generator: `MaskedLMMaskGenerator`.
        batch_size: int > 0, rows of a batch.
        dynamic: bool, draw the masks anew in each epoch. Default False.
    Returns:
        item i: the inputs of a `BERTPretrainer`, and its labels.
    """

    def __init__(self, packed, generator, batch_size, dynamic=False):
        super().__init__()
        self.packed, self.generator = packed, generator
        self.batch_size = checks.positive_int(batch_size=batch_size)
        self.dynamic, self.epoch = dynamic, 0

    def __len__(self):
        return -(-len(self.packed["token_ids"]) // self.batch_size)

    def __getitem__(self, index):
        rows = slice(index * self.batch_size, (index + 1) * self.batch_size)
        inputs = {name: x[rows] for name, x in self.packed.items()}
        step = self.epoch * len(self) + index
        inputs = self.generator(inputs, np.int64(step))
        return inputs, {"masked_lm": inputs.pop("labels")}

    def on_epoch_end(self):
        self.epoch += int(self.dynamic)
