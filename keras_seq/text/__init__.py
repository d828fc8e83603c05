"""Strings to ids and back; special ids are alike, but in `BERTTokenizer`.

And what BERT reads and is asked: rows of one text or two, hidden tokens,
pairs of sentences, and labels of words and characters on tokens.
"""

from keras_seq.text.aligning import align_tags, word_tags
from keras_seq.text.bert_tokenizer import BERTTokenizer
from keras_seq.text.char import CharTokenizer
from keras_seq.text.masking import Masker
from keras_seq.text.packing import Packer
from keras_seq.text.pairing import fill_texts, sentence_pairs
from keras_seq.text.sentence_piece import SentencePieceTokenizer
from keras_seq.text.spans import span_to_tokens, tag_spans, tokens_to_text
from keras_seq.text.tokenizer import Tokenizer
from keras_seq.text.wordpiece import WordPieceTokenizer

__all__ = [
    "BERTTokenizer",
    "CharTokenizer",
    "Masker",
    "Packer",
    "SentencePieceTokenizer",
    "Tokenizer",
    "WordPieceTokenizer",
    "align_tags",
    "fill_texts",
    "sentence_pairs",
    "span_to_tokens",
    "tag_spans",
    "tokens_to_text",
    "word_tags",
]
