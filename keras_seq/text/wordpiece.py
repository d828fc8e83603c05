"""WordPiece: words where they are frequent, parts of words where they are not.

Characters make texts long; whole words make a vocabulary that never ends and
still meets new words every day. WordPiece keeps the frequent words and cuts
any other into the longest pieces it knows, from left to right. A piece that
continues a word is written with ##, so a word can be put together again:

    word   = piece_1 ##piece_2 ... ##piece_n     # "강아지가" = 강아지 ##가
    piece  = the longest one in the vocabulary that the rest begins with
    [UNK]  = the whole word, if at some point no piece fits

Words come first: the text is split at white space, and at every punctuation
mark and Chinese character, which stand alone. That cannot be undone, so
`detokenize` writes words with a space between them, also around punctuation:
"don't!" comes back as "don ' t !". What else does not come back: white space
other than one space, control characters, case and accents with `lower_case`,
and every word that is [UNK].

Shapes: B batch.
Paper: Schuster & Nakajima (2012), "Japanese and Korean voice search"; Devlin
et al. (2019), arXiv:1810.04805, and its code for the words; Song et al.
(2020), arXiv:2012.15524, the linear-time search that runs here.
Differs from the paper: the vocabulary is learned from the counts of parts of
words, as tensorflow-text does, not by the likelihood of a language model;
`lower_case` takes accents from Latin, Greek and Cyrillic letters alone and
leaves Hangul whole, which BERT's own lower-casing breaks into jamo.
"""

import keras

from keras_seq.text.layout import UNKNOWN
from keras_seq.text.offsets import before_change, in_characters
from keras_seq.text.tokenizer import (
    SPECIALS,
    Tokenizer,
    check_vocabulary_size,
    training,
)
from keras_seq.text.unicode import (
    import_tensorflow_text,
    is_tf_tensor,
    normalise_tensor,
    utf8,
)

JOINER = "##"
ALPHABET = 3000  # characters at most; 1000, the usual limit, breaks Korean
WORD_BYTES = 800  # 200 characters of 4 bytes: BERT's longest word


def lower(texts):
    """Lower-case letters without their accents: tf string (B,) to (B,)."""
    import tensorflow as tf

    # To the splitter NUL is white space, to what lowers letters the end.
    texts = tf.strings.regex_replace(texts, r"\x00", " ")
    texts = tf.strings.lower(texts, encoding="utf-8")
    texts = import_tensorflow_text().normalize_utf8(texts, "NFD")
    return normalise_tensor(
        tf.strings.regex_replace(texts, r"[\x{300}-\x{36f}]", "")
    )


def write(piece):
    """Put a space before a piece that begins a word."""
    begins = not piece.startswith(JOINER) or piece == JOINER
    return f" {piece}".encode() if begins else piece[len(JOINER) :].encode()


def _cut(pieces, room):
    """Keep `room` pieces: all single characters, then the most frequent."""
    single = [p for p in pieces if len(p.removeprefix(JOINER)) == 1]
    longer = [p for p in pieces if len(p.removeprefix(JOINER)) > 1]
    return single + longer[: room - len(single)]


def learn(texts, vocabulary_size, lower_case=False):
    """Learn the pieces of words: an iterable of clean str to a list of str.

    Args: see `WordPieceTokenizer.train`.
    """
    import tensorflow as tf

    import_tensorflow_text()
    from tensorflow_text.tools.wordpiece_vocab import (
        bert_vocab_from_dataset as learner,
    )

    least = len(SPECIALS) + 2
    what = "the special ids and a character, at and after a word's start"
    check_vocabulary_size(vocabulary_size, least, what)
    # The learner knows no white space but ASCII's.
    texts = [utf8(text, None).decode().replace("\0", " ") for text in texts]
    texts = [" ".join(text.split()) for text in texts]
    if not any(texts):
        raise ValueError("`texts` must hold a word. Received none.")
    room = vocabulary_size - len(SPECIALS)
    data = tf.data.Dataset.from_tensor_slices(texts).batch(1024)
    pieces = learner.bert_vocab_from_dataset(
        data.map(lower) if lower_case else data,
        vocabulary_size,
        list(SPECIALS),
        learn_params={
            "max_unique_chars": min(ALPHABET, room // 2),
            "lower_thresh": 2,  # the usual 10 starves a small corpus
        },
    )
    # The learner stops near vocabulary_size, and not always below it.
    return _cut(pieces[len(SPECIALS) :], room)


def _checked_vocabulary(vocabulary):
    """List of pieces, each a word or the rest of one, each once."""
    vocabulary = list(vocabulary)
    for piece in vocabulary:
        word = isinstance(piece, str) and piece.split() == [piece]
        if not word or piece in SPECIALS or utf8(piece).decode() != piece:
            raise ValueError(
                "`vocabulary` must be pieces in NFC without white space, the "
                f"special ids not among them. Received {piece!r}."
            )
    if not vocabulary or len(set(vocabulary)) < len(vocabulary):
        raise ValueError(
            "`vocabulary` must be at least one piece, each given once. "
            f"Received {len(vocabulary)}, {len(set(vocabulary))} of them "
            "different."
        )
    return vocabulary


class Words(Tokenizer):
    """What the tokenizers share whose pieces make up words: the way back."""

    def detokenize(self, ids):
        """Write ids as words with a space between them.

        Pad, start and mask print nothing; unknown prints U+FFFD as a word;
        the first `end_id` of a row ends it, and what follows is dropped.

        Args, Returns, Raises: as `CharTokenizer.detokenize`.
        """
        written = super().detokenize(ids)
        if is_tf_tensor(ids):
            import tensorflow as tf

            return tf.strings.strip(written)
        if isinstance(written, str):
            return written.strip(" ")
        return [text.strip(" ") for text in written]


@keras.saving.register_keras_serializable("keras_seq")
class WordPieceTokenizer(Words):
    """Turns text into the longest known pieces of its words, and back.

    Ids: 0 `pad_id`, 1 `unknown_id`, 2 `start_id`, 3 `end_id`, 4 `mask_id`,
    then the pieces in the order given, from 5 on.

    Args:
        vocabulary: iterable of str in NFC, each once, without the special
            ids; a piece that continues a word begins with "##".
        lower_case: bool, lower-case every text and take accents off.
            Default: False.
    Raises:
        ValueError: if `vocabulary` is empty, repeats a piece, or holds
            anything that is no piece.
        ImportError: where there is no tensorflow-text.
    """

    def __init__(self, vocabulary, lower_case=False, **kwargs):
        super().__init__(**kwargs)
        text = import_tensorflow_text()
        import tensorflow as tf

        vocabulary = _checked_vocabulary(vocabulary)
        self.lower_case = bool(lower_case)
        self._set_pieces(vocabulary, write)
        self._splitter = text.FastBertTokenizer(
            [*SPECIALS, *vocabulary],
            suffix_indicator=JOINER,
            max_bytes_per_word=WORD_BYTES,
            token_out_type=tf.int32,
            unknown_token=SPECIALS[UNKNOWN],
        )

    @training
    def train(cls, texts, vocabulary_size, *, lower_case=False):
        """Learn the pieces of the words of a text.

        Args:
            texts: str or iterable of str.
            vocabulary_size: int > 6, the most ids to use, specials counted. Two
                for each character come first, so that a small one leaves
                out the rarest characters.
            lower_case: bool, as for the constructor. Default: False.
        Returns:
            WordPieceTokenizer.
        Raises:
            ValueError: if there is no word in `texts`.
        """
        return cls(learn(texts, vocabulary_size, lower_case), lower_case)

    def _look_up_tensor(self, texts):
        """tf string (B,) to ragged int32 (B, None)."""
        return self._splitter.tokenize(
            lower(texts) if self.lower_case else texts
        )

    def _look_up_with_offsets(self, texts):
        """The same, and where each piece begins and ends."""
        read = lower(texts) if self.lower_case else texts
        ids, *offsets = self._splitter.tokenize_with_offsets(read)
        starts, ends = in_characters(read, *offsets)
        if self.lower_case:
            starts, ends = before_change(texts, lower, starts, ends)
        return ids, starts, ends

    def _vocabulary(self):
        pieces = self._names[len(SPECIALS) :].tolist()
        return {"vocabulary": pieces, "lower_case": self.lower_case}
