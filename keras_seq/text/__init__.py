"""Strings to ids and back; the special ids are the same in every tokenizer."""

from keras_seq.text.char import CharTokenizer
from keras_seq.text.sentence_piece import SentencePieceTokenizer
from keras_seq.text.tokenizer import Tokenizer
from keras_seq.text.wordpiece import WordPieceTokenizer

__all__ = [
    "CharTokenizer",
    "SentencePieceTokenizer",
    "Tokenizer",
    "WordPieceTokenizer",
]
