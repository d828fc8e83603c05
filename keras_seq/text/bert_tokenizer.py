"""BERT's tokenizer: the ids that published BERT weights were trained with.

A published BERT identifies a piece by its line in `vocab.txt`, so its text
must be split exactly as in its training:

    clean   remove control and format characters and U+FFFD; white space is " "
    split   a space around each Chinese character
    lower   optional: decompose, remove accents (Mn), lower-case
    words   split at spaces; each punctuation mark and ASCII sign is a word
    pieces  the longest first, as in WordPiece; words of more than 100
            characters are [UNK]

Nothing is composed: lower-casing splits a Korean syllable into two or three
jamo, as the uncased vocabularies contain them; without it a text stays as it
was typed. The ids are those of `transformers`, except for

- characters that were added after Unicode 8.0 (2015), on which tables differ,
  and three older ones whose category has changed: U+166D, U+1734, U+111C9;
- lone surrogates, for which `transformers` raises an error; here they are
  removed, as are bytes that are not UTF-8.

A special token in a text, e.g. "[MASK]", is recognized with
`special_tokens_in_strings=True`, which is the default of `transformers`.
Otherwise it is plain text, as with its `split_special_tokens=True`.

Shapes: B batch.
Paper: Devlin et al. (2019), arXiv:1810.04805, and `tokenization.py` of its
    code, as implemented in the package `tokenizers` of Hugging Face.
Differs from the paper: as that package does: a final sigma is lower-cased
    like any other.
"""

import keras

from keras_seq.text.bert_tokenizer_files import (
    SPECIAL_TOKENS,
    read_folder,
    write_folder,
)
from keras_seq.text.bert_words import (
    LONGEST_WORD,
    split_words,
    split_words_with_offsets,
)
from keras_seq.text.tokenizer import Tokenizer
from keras_seq.text.unicode import import_tensorflow_text, utf8
from keras_seq.text.vocabulary_training import training_texts
from keras_seq.text.wordpiece_vocabulary import (
    PREFIX,
    join_words,
    learn_pieces,
    piece_to_bytes,
)

PIECE_BYTES = 256  # the limit of tensorflow-text


@keras.saving.register_keras_serializable("keras_seq")
class BERTTokenizer(Tokenizer):
    """Splits texts into the pieces of a published BERT.

    Ids: the lines of `vocab.txt`, from 0. `pad_id`, `unknown_id`, `start_id`,
    `end_id` and `mask_id` are those of [PAD], [UNK], [CLS], [SEP] and [MASK].
    Offsets count the characters of a text as it was given (`normal_form` is
    None).

    Args:
        vocabulary: iterable of str of at most 256 bytes, without repetition,
            the five special tokens included; a piece that continues a word
            begins with "##".
        lower_case: bool, whether to lower-case texts. Default True, "uncased".
        strip_accents: optional bool, whether to remove accents. Default None:
            as `lower_case`.
        tokenize_chinese_chars: bool, whether each Chinese character is a word.
            Default True.
        special_tokens_in_strings: bool, whether "[MASK]" and the other special
            tokens are recognized in a text. Default False.
    Raises:
        ValueError: if `vocabulary` repeats a piece, lacks a special token, or
            contains anything that is not a line.
        ImportError: if tensorflow-text is not installed.
    Example:
        >>> tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
        >>> tokenizer = BERTTokenizer(
        ...     [*tokens, "the", "dog", "##s"], special_tokens_in_strings=True
        ... )
        >>> ids = tokenizer.tokenize("The [MASK] dogs", start=True, end=True)
        >>> tokenizer.tokens(ids)
        ['[CLS]', 'the', '[MASK]', 'dog', '##s', '[SEP]']
        >>> tokenizer.tokenize_with_offsets("The dogs")[1].tolist()
        [[0, 3], [4, 7], [7, 8]]
    """

    normal_form = None

    def __init__(
        self,
        vocabulary,
        lower_case=True,
        strip_accents=None,
        tokenize_chinese_chars=True,
        **kwargs,
    ):
        super().__init__(**kwargs)
        text = import_tensorflow_text()
        import tensorflow as tf

        vocabulary = _checked_vocabulary(vocabulary)
        (
            self.pad_id,
            self.unknown_id,
            self.start_id,
            self.end_id,
            self.mask_id,
        ) = (vocabulary.index(token) for token in SPECIAL_TOKENS)
        self.lower_case = bool(lower_case)
        self.strip_accents = strip_accents
        self.tokenize_chinese_chars = bool(tokenize_chinese_chars)
        self.set_pieces(vocabulary, piece_to_bytes)
        self._splitter = text.FastWordpieceTokenizer(
            vocabulary,
            suffix_indicator=PREFIX,
            max_bytes_per_word=4 * LONGEST_WORD,
            token_out_type=tf.int32,
            unknown_token=vocabulary[self.unknown_id],
            no_pretokenization=True,
        )

    @classmethod
    def train(cls, texts, vocabulary_size=None, *, lower_case=True):
        """Learn a vocabulary from texts.

        Args:
            texts: str or iterable of str.
            vocabulary_size: int > 6, the maximum number of ids, special
                tokens included.
            lower_case: bool, as for the constructor. Default True.
        Returns:
            BERTTokenizer; its special tokens have the ids 0 to 4.
        Raises:
            ValueError: if `texts` contain no word.
        """
        if isinstance(texts, bool):  # PyTorch calls `train(mode)` of layers
            return cls
        import tensorflow as tf

        texts = [utf8(text, None) for text in training_texts(texts)]
        words = split_words(tf.constant(texts, tf.string), lower_case)
        texts = tf.strings.reduce_join(words, axis=-1, separator=" ").numpy()
        texts = (text.decode() for text in texts)
        pieces = learn_pieces(texts, vocabulary_size)
        return cls([*SPECIAL_TOKENS, *pieces], lower_case)

    @classmethod
    def from_huggingface(cls, folder, **options):
        """Read a published tokenizer.

        Args:
            folder: str or Path of a folder with `vocab.txt` or
                `tokenizer.json`, and optionally `tokenizer_config.json`,
                without which the default options are used.
            **options: other arguments of the constructor, e.g.
                `special_tokens_in_strings`.
        Returns:
            BERTTokenizer.
        Raises:
            ValueError: if a file is missing or damaged, or an option is not
                supported, such as tokens added to the vocabulary.
        """
        try:
            return cls(**read_folder(folder), **options)
        except ValueError as error:
            raise ValueError(
                "`folder` must hold a tokenizer of BERT. Received "
                f"folder={str(folder)!r}: {error}"
            ) from error

    def to_huggingface(self, folder):
        """Write `vocab.txt` and `tokenizer_config.json`.

        Args:
            folder: str or Path of a folder, which is created if necessary;
                the two files in it are replaced.
        """
        write_folder(folder, **self.vocabulary_config())

    def detokenize(self, ids):
        """Convert ids to words with a space between them.

        Args, Returns, Raises: as `Tokenizer.detokenize`.
        """
        return join_words(super().detokenize(ids))

    def _split_options(self):
        return (
            self.lower_case,
            self.strip_accents,
            self.tokenize_chinese_chars,
        )

    def look_up_tensor(self, texts):
        """Convert tf string (B,) to ragged int32 (B, None)."""
        import tensorflow as tf

        words = split_words(texts, *self._split_options())
        size = tf.strings.length(words.values, unit="UTF8_CHAR")
        too_long = "x" * (4 * LONGEST_WORD + 1)  # exceeds max_bytes_per_word
        words = words.with_values(
            tf.where(size > LONGEST_WORD, too_long, words.values)
        )
        return self._splitter.tokenize(words).merge_dims(1, 2)

    def look_up_tensor_with_offsets(self, texts):
        """Convert tf string (B,) to ids, starts and ends of pieces."""
        return split_words_with_offsets(
            texts, self._splitter.tokenize_with_offsets, *self._split_options()
        )

    def vocabulary_config(self):
        return {
            "vocabulary": self.piece_names.tolist(),
            "lower_case": self.lower_case,
            "strip_accents": self.strip_accents,
            "tokenize_chinese_chars": self.tokenize_chinese_chars,
        }


def _checked_vocabulary(vocabulary):
    """Check the lines of a vocabulary: a list of str without repetition."""
    vocabulary, seen = list(vocabulary), set()
    for piece in vocabulary:
        if not isinstance(piece, str) or {*piece} & {*"\n\r\0"}:
            raise ValueError(
                f"`vocabulary` must be lines of text. Received {piece!r}."
            )
        if len(piece.removeprefix(PREFIX).encode()) > PIECE_BYTES:
            raise ValueError(
                f"`vocabulary` must be pieces of at most {PIECE_BYTES} bytes. "
                f"Received {piece!r}."
            )
        if piece in seen:
            raise ValueError(
                "`vocabulary` must hold each piece once. Received "
                f"{piece!r} twice."
            )
        seen.add(piece)
    for token in SPECIAL_TOKENS:
        if token not in seen:
            raise ValueError(
                f"`vocabulary` must hold {token}. Received {len(vocabulary)} "
                "pieces without it."
            )
    return vocabulary
