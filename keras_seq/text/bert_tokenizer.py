"""BERT's own tokenizer: the ids that published weights were trained with.

A published BERT knows a word by its place in `vocab.txt`, so its text must be
cut exactly as it was cut then, with all that is odd about it:

    clean   no control or format characters, no U+FFFD; white space is " "
    split   each Chinese character stands alone
    lower   optional: decompose, drop accents (Mn), lower-case each character
    words   between spaces; each punctuation mark and ASCII sign stands alone
    pieces  longest first, as in WordPiece; over 100 characters are [UNK]

Nothing is composed: lower-casing leaves a Korean syllable as two or three
jamo, which is how the uncased vocabularies write it, and without it a text
stays as it was typed. These ids are those of `transformers`, but for

- a text that reads "[MASK]" or another special name, which is plain text, as
  with its `split_special_tokens=True`;
- characters that came after Unicode 8.0 (2015), on which tables differ, and
  three older ones that have since become other than they were: U+166D,
  U+1734, U+111C9;
- half a surrogate pair, at which `transformers` raises; here it is dropped,
  as are bytes that are no UTF-8.

Shapes: B batch.
Paper: Devlin et al. (2019), arXiv:1810.04805, and `tokenization.py` of its
    code, as the package `tokenizers` of Hugging Face has it.
Differs from the paper: as that package does: final sigma is like any other.
"""

import keras

from keras_seq.text.bert_vocabulary import MARKS, read_folder, write_folder
from keras_seq.text.tokenizer import training
from keras_seq.text.unicode import import_tensorflow_text, utf8
from keras_seq.text.wordpiece import JOINER, Words, learn, write

LONGEST = 100  # characters of a word
PIECE_BYTES = 256  # what tensorflow-text takes
CHINESE = (  # U+2B920, not U+2B820: a slip of `tokenizers`
    r"\x{3400}-\x{4DBF}\x{4E00}-\x{9FFF}\x{F900}-\x{FAFF}"
    r"\x{20000}-\x{2A6DF}\x{2A700}-\x{2B73F}\x{2B740}-\x{2B81F}"
    r"\x{2B920}-\x{2CEAF}\x{2F800}-\x{2FA1F}"
)


@keras.saving.register_keras_serializable("keras_seq")
class BERTTokenizer(Words):
    """Turns text into the ids of a published BERT, and back.

    Ids: the lines of `vocab.txt`, from 0. Where [PAD], [UNK], [CLS], [SEP]
    and [MASK] stand, there are `pad_id`, `unknown_id`, `start_id`, `end_id`
    and `mask_id`.

    Args:
        vocabulary: iterable of str of at most 256 bytes, each once, those
            five among them; a piece that continues a word begins with "##".
        lower_case: bool, lower-case every text. Default: True, "uncased".
        strip_accents: optional bool, take accents off. Default: as
            `lower_case`.
        tokenize_chinese_chars: bool, let each Chinese character stand alone.
            Default: True.
    Raises:
        ValueError: if `vocabulary` repeats a piece, lacks one of the five, or
            holds anything that is no line.
        ImportError: where there is no tensorflow-text.
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
        for name, mark in MARKS.items():
            setattr(self, name, vocabulary.index(mark))
        self.lower_case = bool(lower_case)
        self.strip_accents = strip_accents
        self.tokenize_chinese_chars = bool(tokenize_chinese_chars)
        self._set_names(vocabulary, write)
        self._splitter = text.FastWordpieceTokenizer(
            vocabulary,
            suffix_indicator=JOINER,
            max_bytes_per_word=4 * LONGEST,
            token_out_type=tf.int32,
            unknown_token=MARKS["unknown_id"],
            no_pretokenization=True,
        )

    @training
    def train(cls, texts, vocabulary_size, *, lower_case=True):
        """Learn a vocabulary, for a BERT of one's own.

        Args:
            texts: str or iterable of str.
            vocabulary_size: int > 6, the most ids to use, specials counted.
            lower_case: bool, as for the constructor. Default: True.
        Returns:
            BERTTokenizer; the specials have the ids 0 to 4.
        Raises:
            ValueError: if there is no word in `texts`.
        """
        import tensorflow as tf

        texts = tf.constant([utf8(text, None) for text in texts], tf.string)
        words = split_words(texts, lower_case)
        texts = tf.strings.reduce_join(words, axis=-1, separator=" ").numpy()
        pieces = learn((text.decode() for text in texts), vocabulary_size)
        return cls([*MARKS.values(), *pieces], lower_case)

    @classmethod
    def from_huggingface(cls, folder):
        """Read a published tokenizer.

        Args:
            folder: path of a folder with `vocab.txt`, or, where there is
                none, `tokenizer.json`; and `tokenizer_config.json`, without
                which all is as by default.
        Returns:
            BERTTokenizer.
        Raises:
            ValueError: if a file is missing or damaged, or an option is not
                to be had here, such as tokens added to the vocabulary.
        """
        try:
            return cls(**read_folder(folder))
        except ValueError as error:
            raise ValueError(
                "`folder` must hold a tokenizer of BERT. Received "
                f"folder={str(folder)!r}: {error}"
            ) from error

    def to_huggingface(self, folder):
        """Write `vocab.txt` and `tokenizer_config.json`.

        Args:
            folder: path; made where there is none, the two files replaced.
        """
        write_folder(folder, **self._vocabulary())

    def _look_up_tensor(self, texts):
        """tf string (B,) to ragged int32 (B, None)."""
        import tensorflow as tf

        words = split_words(
            texts,
            self.lower_case,
            self.strip_accents,
            self.tokenize_chinese_chars,
        )
        size = tf.strings.length(words.values, unit="UTF8_CHAR")
        too_long = "x" * (4 * LONGEST + 1)  # more bytes than the splitter takes
        words = words.with_values(
            tf.where(size > LONGEST, too_long, words.values)
        )
        return self._splitter.tokenize(words).merge_dims(1, 2)

    def _vocabulary(self):
        return {
            "vocabulary": self._names.tolist(),
            "lower_case": self.lower_case,
            "strip_accents": self.strip_accents,
            "tokenize_chinese_chars": self.tokenize_chinese_chars,
        }


def split_words(texts, lower_case, strip_accents=None, chinese=True):
    """Cut texts as BERT does: tf string (B,) to ragged string (B, None)."""
    import tensorflow as tf

    def replace(pattern, by):
        return tf.strings.regex_replace(texts, pattern, by)

    texts = replace(r"[\t\n\r\p{Z}]", " ")
    texts = replace(r"[\p{C}\x{FFFD}]", "")
    if chinese:
        texts = replace(f"([{CHINESE}])", r" \1 ")
    if lower_case if strip_accents is None else strip_accents:
        texts = import_tensorflow_text().normalize_utf8(texts, "NFD")
        texts = replace(r"\p{Mn}", "")
    if lower_case:
        texts = replace("Σ", "σ")  # TensorFlow would write ς at a word's end
        texts = tf.strings.lower(texts, encoding="utf-8")
    texts = replace(r"([\p{P}!-/:-@\[-`{-~])", r" \1 ")
    return tf.strings.split(texts)


def _checked_vocabulary(vocabulary):
    """List of lines, each once, the special ones among them."""
    vocabulary, seen = list(vocabulary), set()
    for piece in vocabulary:
        if not isinstance(piece, str) or {*piece} & {*"\n\r\0"}:
            raise ValueError(
                f"`vocabulary` must be lines of text. Received {piece!r}."
            )
        if len(piece.removeprefix(JOINER).encode()) > PIECE_BYTES:
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
    for mark in MARKS.values():
        if mark not in seen:
            raise ValueError(
                f"`vocabulary` must hold {mark}. Received {len(vocabulary)} "
                "pieces without it."
            )
    return vocabulary
