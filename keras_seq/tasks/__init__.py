"""Tasks: a model and its tokenizer in one object, strings in, strings out."""

from keras_seq.tasks.classifiers import TextClassifier, TokenClassifier
from keras_seq.tasks.generators import CausalLM, Seq2SeqLM
from keras_seq.tasks.masked_lm import MaskedLM
from keras_seq.tasks.question_answering import QuestionAnswering
from keras_seq.tasks.task import Task

__all__ = [
    "CausalLM",
    "MaskedLM",
    "QuestionAnswering",
    "Seq2SeqLM",
    "Task",
    "TextClassifier",
    "TokenClassifier",
]
