"""Strings to ids and back; special ids are alike, but in `BERTTokenizer`."""

from keras_seq.text.char import CharTokenizer
from keras_seq.text.published import BERTTokenizer
from keras_seq.text.sentence_piece import SentencePieceTokenizer
from keras_seq.text.tokenizer import Tokenizer
from keras_seq.text.wordpiece import WordPieceTokenizer

__all__ = [
    "BERTTokenizer",
    "CharTokenizer",
    "SentencePieceTokenizer",
    "Tokenizer",
    "WordPieceTokenizer",
]
