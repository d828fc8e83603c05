"""Extractive question answering: find the answer to a question in a text.

Shapes: N texts, B batch, T length.
"""

import keras
import numpy as np

from keras_seq.export import export_bert_span_qa
from keras_seq.models import BERTSpanQA, best_span
from keras_seq.tasks.task import PackedTask, text_list
from keras_seq.text import span_to_tokens, tokens_to_text
from keras_seq.text.unicode import normalize
from keras_seq.training import TokenCrossEntropy


@keras.saving.register_keras_serializable("keras_seq")
class QuestionAnswering(PackedTask):
    """Answer questions with a part of a text.

    Args:
        model: `BERTSpanQA`.
        tokenizer: `keras_seq.text.Tokenizer` of questions and texts.
        sequence_length: optional int > 2, the length of question and text
            together, to which the text is truncated. Default: that of the
            longest pair.
    Call arguments:
        inputs: dict of `token_ids` and `segment_ids`, int (B, T).
    Returns:
        dict of logits, float32 (B, T): `start` and `end`.
    Raises:
        ValueError: if an argument is of another type.
    Example:
        >>> question, text = ["Where?"], ["Bora lives in Seoul."]
        >>> tokenizer = CharTokenizer.train(question + text)
        >>> bert = BERT(tokenizer.vocabulary_size(), 8, num_heads=2,
        ...             num_layers=1)
        >>> qa = QuestionAnswering(BERTSpanQA(bert), tokenizer)
        >>> history = qa.fit((question, text), ["Seoul"], verbose=0)
        >>> len(qa.predict((question, text)))
        1
    """

    truncate = "only_second"

    def __init__(self, model, tokenizer, sequence_length=None, **kwargs):
        super().__init__(model, tokenizer, sequence_length, **kwargs)
        if not isinstance(model, BERTSpanQA):
            raise ValueError(
                f"`model` must be a BERTSpanQA. Received model={model!r}."
            )

    def prepare(self, x, y):
        """Turn questions, texts and answers into arrays.

        Args:
            x: tuple of N questions and N texts, lists of str.
            y: list of N str, parts of the texts, "" for no answer. An answer
                that occurs more than once is its first occurrence.
        Returns:
            inputs of the model, and a dict of int (N,), `start` and `end`.
        """
        questions, texts = _pair(x)
        form = self.tokenizer.normal_form
        texts = [normalize(text, form) for text in texts]
        answers = [normalize(answer, form) for answer in text_list(y=y)]
        if len(answers) != len(texts):
            raise ValueError(
                "`y` must hold one answer for each text. Received "
                f"{len(answers)} answers and {len(texts)} texts."
            )
        starts = np.array([t.find(a) for t, a in zip(texts, answers)])
        if (starts < 0).any():
            n = int(np.argmin(starts))
            raise ValueError(
                "`y` must hold parts of the texts, or '' without an "
                f"answer. Received {answers[n]!r} for {texts[n]!r}."
            )
        ends = starts + [len(answer) for answer in answers]
        packed = self.packer()(questions, texts, offsets=True)
        spans = span_to_tokens(packed, starts, ends)
        packed.pop("offsets")
        return packed, {"start": spans[:, 0], "end": spans[:, 1]}

    def default_loss(self):
        return {
            name: TokenCrossEntropy(pad_id=None) for name in ("start", "end")
        }

    def predict(self, x, batch_size=32, max_length=30):
        """Answer each question.

        Args:
            x: tuple of N questions and N texts, lists of str.
            batch_size: int > 0. Default 32.
            max_length: int > 0, the largest number of tokens of an answer.
                Default 30.
        Returns:
            list of N str, parts of the texts in NFC, "" for no answer.
        """
        questions, texts = _pair(x)
        packed = self.packer()(questions, texts, offsets=True)
        inputs = {k: packed[k] for k in ("token_ids", "segment_ids")}
        logits = self.model.predict(inputs, batch_size, verbose=0)
        spans = best_span(logits["start"], logits["end"], max_length)
        spans = keras.ops.convert_to_numpy(spans)
        form = self.tokenizer.normal_form
        return tokens_to_text(packed, texts, spans, form)

    def export(self, path, *, max_length=30):
        """Write a SavedModel: `question` and `text` to `answer`, `score`.

        Args:
            path: str or Path, a folder.
            max_length: as for `predict`.
        """
        export_bert_span_qa(
            self.model, path, packer=self.packer(), max_length=max_length
        )


def _pair(x):
    """Check a tuple of questions and texts."""
    if not isinstance(x, tuple) or len(x) != 2:
        raise ValueError(
            f"`x` must be a tuple of questions and texts. Received {x!r}."
        )
    return text_list(questions=x[0]), text_list(texts=x[1])
