"""Text: tokenizers, and the inputs and labels of BERT.

Tokenizers convert strings to ids and back; their special tokens have the same
ids, except for those of a published vocabulary. `MultiSegmentPacker` makes
rows of one text or two, `MaskedLMMaskGenerator` masks tokens for masked
language modeling, `sentence_pairs` makes pairs for next sentence prediction,
and the other functions convert labels of words and characters to labels of
tokens.
"""

from keras_seq.text.bert_tokenizer import BERTTokenizer
from keras_seq.text.char_tokenizer import CharTokenizer
from keras_seq.text.gpt2_tokenizer import GPT2Tokenizer
from keras_seq.text.masked_lm_mask_generator import MaskedLMMaskGenerator
from keras_seq.text.multi_segment_packer import MultiSegmentPacker
from keras_seq.text.next_sentence import fill_texts, sentence_pairs
from keras_seq.text.sentence_piece_tokenizer import SentencePieceTokenizer
from keras_seq.text.tag_alignment import align_tags, word_tags
from keras_seq.text.token_spans import (
    span_to_tokens,
    tag_spans,
    tokens_to_text,
)
from keras_seq.text.tokenizer import Tokenizer
from keras_seq.text.wordpiece_tokenizer import WordPieceTokenizer

__all__ = [
    "BERTTokenizer",
    "CharTokenizer",
    "GPT2Tokenizer",
    "MaskedLMMaskGenerator",
    "MultiSegmentPacker",
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
