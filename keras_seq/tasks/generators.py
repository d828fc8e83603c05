"""Tasks that generate text: a language model, and a translator.

Both train with teacher forcing, by shifting the ids by one token, and
generate autoregressively with a sampler of `keras_seq.generation`.

Shapes: N texts, B batch, T length.
"""

import keras
import numpy as np

from keras_seq.export import export_text_model
from keras_seq.generation import Greedy, generate
from keras_seq.tasks.task import (
    Task,
    check_vocabulary,
    text_list,
)
from keras_seq.text.tokenizer import check_tokenizer
from keras_seq.training import TokenCrossEntropy

IGNORED = -100  # label of padding, which the loss leaves out


@keras.saving.register_keras_serializable("keras_seq")
class CausalLM(Task):
    """Continue texts with a causal language model.

    Args:
        model: `RecurrentLM` or `GPT`, ids (B, T) to logits (B, T, V).
        tokenizer: `keras_seq.text.Tokenizer` of the texts.
        start_token: bool, put the start token before every text. Default
            True; False for a model that was trained without one, such as a
            published GPT-2.
    Call arguments:
        inputs: int (B, T), ids.
    Returns:
        float (B, T, V), logits of the next token.
    Raises:
        ValueError: if `model` is not a `keras.Model`, or `tokenizer` not a
            `Tokenizer`.
    Example:
        >>> texts = ["hello", "안녕하세요"]
        >>> tokenizer = CharTokenizer.train(texts)
        >>> model = RecurrentLM(tokenizer.vocabulary_size(), 8)
        >>> lm = CausalLM(model, tokenizer)
        >>> history = lm.fit(texts, verbose=0)
        >>> len(lm.generate(["hel", "안녕"], max_length=3))
        2
    """

    def __init__(self, model, tokenizer, start_token=True, **kwargs):
        super().__init__(model, tokenizer, **kwargs)
        if getattr(model, "pad_id", None) == tokenizer.end_id:
            raise ValueError(
                "`model` must not have the end token of the tokenizer as its "
                "padding: load it with pad_id=None. Received pad_id="
                f"{model.pad_id}."
            )
        self.start_token = start_token

    def prepare(self, x, y=None):
        """Turn texts into ids, and the same ids one token later.

        Args:
            x: list of N str.
            y: None: the targets are the texts.
        Returns:
            int (N, T), and int (N, T), -100 where a text has ended.
        """
        if y is not None:
            raise ValueError(
                f"`y` must be None: the targets are the texts. Received {y!r}."
            )
        texts = text_list(x=x)
        ids = self.tokenizer.tokenize(texts, start=self.start_token, end=True)
        lengths = self.lengths(ids)
        if self.tokenizer.pad_id == self.tokenizer.end_id:
            lengths = np.minimum(lengths + 1, ids.shape[1])  # with the end
        real = np.arange(1, ids.shape[1]) < lengths[:, None]
        return ids[:, :-1], np.where(real, ids[:, 1:], IGNORED)

    def lengths(self, ids):
        """Count the tokens of each row in front of its padding: int (N,)."""
        padding = ids == self.tokenizer.pad_id
        padding[:, 0] = False  # may be the start token of GPT-2
        first = padding.argmax(axis=1)
        return np.where(padding.any(axis=1), first, ids.shape[1])

    def default_loss(self):
        return TokenCrossEntropy(IGNORED)

    def generate(self, texts, *, max_length, sampler=None):
        """Continue each text.

        A model without the tokenizer's padding, such as a published GPT-2,
        reads texts of different lengths in separate batches.

        Args:
            texts: list of B str, the prompts.
            max_length: int > 0, the largest number of tokens to add, without
                those of the prompt.
            sampler: optional `Greedy`, `Sampling` or `BeamSearch`. Default
                `Greedy()`.
        Returns:
            list of B str, the continuations, without the prompts.
        """
        ids = self.tokenizer.tokenize(
            text_list(texts=texts), start=self.start_token
        )
        groups = np.zeros(len(ids), int)
        if self.model.pad_id != self.tokenizer.pad_id:
            groups = self.lengths(ids)
        answers = np.zeros((len(ids), max_length), "int32")
        for length in np.unique(groups):
            rows = groups == length
            prompts = ids[rows][:, : length or None]
            answers[rows] = generate(
                self.model,
                prompts,
                Greedy() if sampler is None else sampler,
                max_length=max_length,
                end_id=self.tokenizer.end_id,
            ).ids
        return self.tokenizer.detokenize(answers)

    def export(self, path, *, max_length, sampler=None):
        """Write a SavedModel: `text` to `text` and `score`.

        Args:
            path: str or Path, a folder.
            max_length, sampler: as for `generate`.
        """
        export_text_model(
            self.model,
            path,
            source_tokenizer=self.tokenizer,
            source_start=self.start_token,
            sampler=Greedy() if sampler is None else sampler,
            max_length=max_length,
            end_id=self.tokenizer.end_id,
        )

    def get_config(self):
        return {**super().get_config(), "start_token": self.start_token}


@keras.saving.register_keras_serializable("keras_seq")
class Seq2SeqLM(Task):
    """Translate texts with an encoder-decoder model.

    Args:
        model: `Seq2Seq`, `BahdanauSeq2Seq`, `LuongSeq2Seq` or `Transformer`.
        tokenizer: `keras_seq.text.Tokenizer` of the target texts.
        source_tokenizer: optional `Tokenizer` of the source texts. Default:
            `tokenizer`.
    Call arguments:
        inputs: dict of "source", int (B, S), and "target", int (B, T).
    Returns:
        float (B, T, V), logits of the next target token.
    Raises:
        ValueError: if `model` is not a `keras.Model`, or a tokenizer not a
            `Tokenizer`.
    Example:
        >>> sources, targets = ["one", "two"], ["하나", "둘"]
        >>> tokenizer = CharTokenizer.train(sources + targets)
        >>> V = tokenizer.vocabulary_size()
        >>> translator = Seq2SeqLM(BahdanauSeq2Seq(V, V, 8), tokenizer)
        >>> history = translator.fit(sources, targets, verbose=0)
        >>> len(translator.generate(["one"], max_length=4))
        1
    """

    def __init__(self, model, tokenizer, source_tokenizer=None, **kwargs):
        super().__init__(model, tokenizer, **kwargs)
        if source_tokenizer is None:
            source_tokenizer = tokenizer
        check_tokenizer(source_tokenizer, "source_tokenizer")
        check_vocabulary(model, source_tokenizer)
        for name in ("pad_id", "start_id", "end_id"):
            ids = getattr(model, name, None), getattr(tokenizer, name)
            if ids[0] != ids[1]:
                raise ValueError(
                    f"`tokenizer` must have the `{name}` of the model. "
                    f"Received {ids[1]}, and {ids[0]} in the model."
                )
        self.source_tokenizer = source_tokenizer

    def prepare(self, x, y):
        """Turn texts into the inputs and labels of teacher forcing.

        Args:
            x: list of N str, the sources.
            y: list of N str, the targets.
        Returns:
            dict of int (N, S) and (N, T), and labels, int (N, T).
        """
        sources, targets = text_list(x=x), text_list(y=y)
        if len(sources) != len(targets):
            raise ValueError(
                "`y` must hold one target for each source. Received "
                f"{len(targets)} targets and {len(sources)} sources."
            )
        ids = self.tokenizer.tokenize(targets, start=True, end=True)
        inputs = {
            "source": self.source_tokenizer.tokenize(sources),
            "target": ids[:, :-1],
        }
        return inputs, ids[:, 1:]

    def default_loss(self):
        return TokenCrossEntropy(self.tokenizer.pad_id)

    def generate(self, texts, *, max_length, sampler=None):
        """Translate each text.

        Args:
            texts: list of B str, the sources.
            max_length: int > 0, the largest number of target tokens.
            sampler: optional `Greedy`, `Sampling` or `BeamSearch`. Default
                `Greedy()`.
        Returns:
            list of B str, the translations.
        """
        ids = self.source_tokenizer.tokenize(text_list(texts=texts))
        sampler = Greedy() if sampler is None else sampler
        found = generate(self.model, ids, sampler, max_length=max_length)
        return self.tokenizer.detokenize(found.ids)

    def export(self, path, *, max_length, sampler=None, attention=False):
        """Write a SavedModel: `text` to `text` and `score`.

        Args:
            path: str or Path, a folder.
            max_length, sampler: as for `generate`.
            attention: bool, return the alignment as well. Default False.
        """
        export_text_model(
            self.model,
            path,
            source_tokenizer=self.source_tokenizer,
            target_tokenizer=self.tokenizer,
            sampler=Greedy() if sampler is None else sampler,
            max_length=max_length,
            attention=attention,
        )

    def get_config(self):
        source = keras.saving.serialize_keras_object(self.source_tokenizer)
        return {**super().get_config(), "source_tokenizer": source}
