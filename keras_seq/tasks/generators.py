"""Tasks that generate text: a language model, and a translator.

Both train with teacher forcing, by shifting the ids by one token, and
generate autoregressively with a sampler of `keras_seq.generation`.

Shapes: N texts, B batch, T length.
"""

import keras

from keras_seq.export import export_text_model
from keras_seq.generation import Greedy, generate
from keras_seq.tasks.task import Task, check_tokenizer, text_list
from keras_seq.training import TokenCrossEntropy


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
        self.start_token = start_token

    def prepare(self, x, y=None):
        texts = text_list(x=x)
        ids = self.tokenizer.tokenize(texts, start=self.start_token, end=True)
        return ids[:, :-1], ids[:, 1:]

    def default_loss(self):
        return TokenCrossEntropy(self.tokenizer.pad_id)

    def generate(self, texts, *, max_length, sampler=None):
        """Continue each text.

        Args:
            texts: list of B str, the prompts.
            max_length: int > 0, the largest number of tokens to add.
            sampler: optional `Greedy`, `Sampling` or `BeamSearch`. Default
                `Greedy()`.
        Returns:
            list of B str, the continuations, without the prompts.
        """
        ids = self.tokenizer.tokenize(
            text_list(texts=texts), start=self.start_token
        )
        found = generate(
            self.model,
            ids,
            Greedy() if sampler is None else sampler,
            max_length=max_length,
            end_id=self.tokenizer.end_id,
        )
        return self.tokenizer.detokenize(found.ids)

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
        check_tokenizer(source_tokenizer=source_tokenizer)
        self.source_tokenizer = source_tokenizer

    def prepare(self, x, y):
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
