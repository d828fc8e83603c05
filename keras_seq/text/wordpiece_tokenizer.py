"""WordPiece: frequent words whole, and other words split into subwords.

Characters make texts long. Whole words make the vocabulary large, and new
words are still unknown. WordPiece keeps the frequent words and splits every
other word into the longest pieces of its vocabulary, from left to right. A
piece that continues a word is written with "##":

    word   = piece_1 ##piece_2 ... ##piece_n     # "강아지가" = 강아지 ##가
    piece  = the longest one in the vocabulary that the rest begins with
    [UNK]  = the whole word, if at some point no piece fits

The text is first split into words at white space, and at every punctuation
mark and Chinese character, which become words of their own. This cannot be
undone: `detokenize` writes a space between words, also around punctuation, so
that "don't!" comes back as "don ' t !". White space other than one space,
control characters, and with `lower_case` case and accents, do not come back
either, nor do words that are [UNK].

Shapes: B batch.
Paper: Schuster & Nakajima (2012), "Japanese and Korean voice search"; Devlin
    et al. (2019), arXiv:1810.04805, and its code for the words; Song et al.
    (2020), arXiv:2012.15524, the linear-time algorithm that is used here.
Differs from the paper: the vocabulary is learned from the counts of subwords,
    as in tensorflow-text, not by the likelihood of a language model;
    `lower_case` removes accents of Latin, Greek and Cyrillic letters only and
    keeps Hangul syllables, which BERT's lower-casing splits into jamo.
"""

import keras

from keras_seq.text.offsets import (
    offsets_before_change,
    offsets_in_characters,
)
from keras_seq.text.special_tokens import SPECIAL_TOKENS, UNKNOWN
from keras_seq.text.tokenizer import Tokenizer
from keras_seq.text.unicode import import_tensorflow_text, utf8
from keras_seq.text.vocabulary_training import training_texts
from keras_seq.text.wordpiece_vocabulary import (
    PREFIX,
    join_words,
    learn_pieces,
    lower,
    piece_to_bytes,
)

WORD_BYTES = 800  # 200 characters of 4 bytes: BERT's longest word


@keras.saving.register_keras_serializable("keras_seq")
class WordPieceTokenizer(Tokenizer):
    """Splits words into the longest pieces of a vocabulary (WordPiece).

    Ids: 0 `pad_id`, 1 `unknown_id`, 2 `start_id`, 3 `end_id`, 4 `mask_id`,
    then the pieces in the given order, from 5 on.

    Args:
        vocabulary: iterable of str in NFC, without repetition and without
            the special tokens; a piece that continues a word begins with
            "##".
        lower_case: bool, whether to lower-case texts and remove accents.
            Default False.
        special_tokens_in_strings: bool, whether "[MASK]" and the other special
            tokens are recognized in a text. Default False.
    Raises:
        ValueError: if `vocabulary` is empty, repeats a piece, or contains
            anything that is not a piece.
        ImportError: if tensorflow-text is not installed.
    Example:
        >>> tokenizer = WordPieceTokenizer(["강아지", "##가", "dog", "##s"])
        >>> ids = tokenizer.tokenize("강아지가 dogs!")
        >>> tokenizer.tokens(ids)
        ['강아지', '##가', 'dog', '##s', '[UNK]']
        >>> tokenizer.detokenize(ids[:4])
        '강아지가 dogs'
    """

    def __init__(self, vocabulary, lower_case=False, **kwargs):
        super().__init__(**kwargs)
        text = import_tensorflow_text()
        import tensorflow as tf

        names = [*SPECIAL_TOKENS, *_checked_vocabulary(vocabulary)]
        self.lower_case = bool(lower_case)
        self.set_pieces(names, piece_to_bytes)
        self._splitter = text.FastBertTokenizer(
            names,
            suffix_indicator=PREFIX,
            max_bytes_per_word=WORD_BYTES,
            token_out_type=tf.int32,
            unknown_token=SPECIAL_TOKENS[UNKNOWN],
        )

    @classmethod
    def train(cls, texts, vocabulary_size=None, *, lower_case=False):
        """Learn the pieces of the words of texts.

        Args:
            texts: str or iterable of str.
            vocabulary_size: int > 6, the maximum number of ids, special
                tokens included. Two pieces for each character come first, so
                that a small vocabulary lacks the rarest characters.
            lower_case: bool, as for the constructor. Default False.
        Returns:
            WordPieceTokenizer.
        Raises:
            ValueError: if `texts` contain no word.
        """
        if isinstance(texts, bool):  # PyTorch calls `train(mode)` of layers
            return cls
        texts = training_texts(texts)
        return cls(learn_pieces(texts, vocabulary_size, lower_case), lower_case)

    def detokenize(self, ids):
        """Convert ids to words with a space between them.

        Args, Returns, Raises: as `Tokenizer.detokenize`.
        """
        return join_words(super().detokenize(ids))

    def look_up_tensor(self, texts):
        """Convert tf string (B,) to ragged int32 (B, None)."""
        return self._splitter.tokenize(
            lower(texts) if self.lower_case else texts
        )

    def look_up_tensor_with_offsets(self, texts):
        """Convert tf string (B,) to ids, starts and ends of pieces."""
        read = lower(texts) if self.lower_case else texts
        ids, *offsets = self._splitter.tokenize_with_offsets(read)
        starts, ends = offsets_in_characters(read, *offsets)
        if self.lower_case:
            starts, ends = offsets_before_change(texts, lower, starts, ends)
        return ids, starts, ends

    def vocabulary_config(self):
        pieces = self.piece_names[len(SPECIAL_TOKENS) :].tolist()
        return {"vocabulary": pieces, "lower_case": self.lower_case}


def _checked_vocabulary(vocabulary):
    """Check the pieces: a list of str, each a word or the rest of one."""
    vocabulary = list(vocabulary)
    for piece in vocabulary:
        word = isinstance(piece, str) and piece.split() == [piece]
        special = piece in SPECIAL_TOKENS
        if not word or special or utf8(piece).decode() != piece:
            raise ValueError(
                "`vocabulary` must be pieces in NFC without white space and "
                f"without the special tokens. Received {piece!r}."
            )
    if not vocabulary or len(set(vocabulary)) < len(vocabulary):
        raise ValueError(
            "`vocabulary` must be at least one piece, without repetition. "
            f"Received {len(vocabulary)}, {len(set(vocabulary))} of them "
            "different."
        )
    return vocabulary
