"""GPT-2's tokenizer: byte-level byte pair encoding (BPE).

A vocabulary of characters has unknown characters; one of bytes has none. The
256 bytes are the first pieces, and the pair of pieces that is most frequent in
the training texts is merged to a new piece, a subword, again and again:

    words   = the text split into words, a space at the start of its word
    pieces  = the UTF-8 bytes of a word
    merge the pair of adjacent pieces with the lowest rank in `merges`, until
    no pair is left that can be merged

The words are those of GPT-2's regular expression: contractions ('s, 't, ...),
letters, numbers and other signs, each with at most one space before it, and
white space. Every text comes back exactly; nothing is normalized. The ids are
those of `transformers`, except for characters that were added to Unicode
recently, on which tables of letters and numbers differ.

GPT-2 has one special token, "<|endoftext|>", which is `start_id`, `end_id`,
`unknown_id` and `pad_id` here. There is no mask token: `mask_id` is None.

Shapes: B batch, W words of all texts, N bytes of all words.
Paper: Radford et al. (2019), "Language Models are Unsupervised Multitask
    Learners", section 2.2; Sennrich et al. (2016), arXiv:1508.07909 (BPE).
Differs from the paper: nothing.
"""

import keras
import numpy as np

from keras_seq.text.byte_pair_merging import MergeTable, merge_symbols
from keras_seq.text.gpt2_tokenizer_files import (
    END_OF_TEXT,
    byte_characters,
    read_folder,
    write_folder,
)
from keras_seq.text.offsets import count_below
from keras_seq.text.tokenizer import Tokenizer
from keras_seq.text.unicode import import_tensorflow_text

SPACE = r"\x09-\x0d\x{85}\p{Z}"  # white space, in a set
WORD = (
    r"'s|'t|'re|'ve|'m|'ll|'d"
    r"| ?\p{L}+| ?\p{N}+"
    rf"| ?[^{SPACE}\p{{L}}\p{{N}}]+|[{SPACE}]+"
)
SEPARATOR = b"\xff"  # no UTF-8 text contains this byte


@keras.saving.register_keras_serializable("keras_seq")
class GPT2Tokenizer(Tokenizer):
    """Splits texts into the byte-level pieces of a published GPT-2.

    Ids: those of `vocab.json`. Offsets count the characters of a text as it
    was given (`normal_form` is None).

    Args:
        vocabulary: list of str, the pieces in the order of their ids, bytes
            written as GPT-2's printable characters, "<|endoftext|>" included.
        merges: list of str, "left right", in the order of their ranks.
        special_tokens_in_strings: bool, whether "<|endoftext|>" is recognized
            in a text. Default False.
    Raises:
        ValueError: if `vocabulary` repeats a piece, lacks one of the 256
            bytes or "<|endoftext|>", or a merge is not of known pieces.
        ImportError: if tensorflow-text is not installed.
    Example:
        >>> from keras_seq.text.gpt2_tokenizer_files import byte_characters
        >>> pieces = [*byte_characters(), "Ġh", "Ġhi", "<|endoftext|>"]
        >>> tokenizer = GPT2Tokenizer(pieces, ["Ġ h", "Ġh i"])
        >>> ids = tokenizer.tokenize("hi hi 안", end=True)
        >>> tokenizer.tokens(ids)[:3], len(ids)
        (['h', 'i', 'Ġhi'], 8)
        >>> tokenizer.detokenize(ids)
        'hi hi 안'
    """

    normal_form = None

    def __init__(self, vocabulary, merges, **kwargs):
        super().__init__(**kwargs)
        import_tensorflow_text()
        vocabulary = _checked_vocabulary(vocabulary)
        ids = {piece: n for n, piece in enumerate(vocabulary)}
        self.merges = [str(merge) for merge in merges]
        end = ids[END_OF_TEXT]
        self.pad_id = self.unknown_id = self.start_id = self.end_id = end
        self.mask_id = None
        bytes_of = {char: byte for byte, char in enumerate(byte_characters())}

        def to_bytes(piece):
            if bytes_of.keys() >= set(piece):
                return bytes(bytes_of[char] for char in piece)
            return piece.encode()  # a token that was added as a text

        self.set_pieces(vocabulary, to_bytes)
        self._lengths = np.array([*map(len, self.piece_bytes)], "int32")
        self._byte_ids = np.array(
            [ids[char] for char in byte_characters()], "int32"
        )
        merges = [_merge(n, merge, ids) for n, merge in enumerate(self.merges)]
        self._table = MergeTable(merges, len(vocabulary))

    @classmethod
    def from_huggingface(cls, folder, **options):
        """Read a published tokenizer.

        Args:
            folder: str or Path of a folder with `vocab.json` and
                `merges.txt`, or with `tokenizer.json`.
            **options: other arguments of the constructor.
        Returns:
            GPT2Tokenizer.
        Raises:
            ValueError: if a file is missing or damaged, or the tokenizer is
                not byte-level BPE as GPT-2's.
        """
        try:
            return cls(**read_folder(folder), **options)
        except ValueError as error:
            raise ValueError(
                "`folder` must hold a tokenizer of GPT-2. Received "
                f"folder={str(folder)!r}: {error}"
            ) from error

    def to_huggingface(self, folder):
        """Write `vocab.json`, `merges.txt` and `tokenizer_config.json`.

        Args:
            folder: str or Path of a folder, which is created if necessary.
        """
        write_folder(folder, **self.vocabulary_config())

    def look_up_tensor(self, texts):
        """Convert tf string (B,) to ragged int32 (B, None)."""
        import tensorflow as tf

        words = split_words(texts)  # ragged (B, None)
        # Words are frequent: each different one is merged once.
        different, index = tf.unique(words.values)
        symbols = tf.strings.bytes_split(different)
        values = tf.io.decode_raw(symbols.values, tf.uint8, fixed_length=1)
        symbols = symbols.with_values(
            tf.gather(self._byte_ids, tf.cast(values[:, 0], tf.int32))
        )
        pieces = merge_symbols(symbols, self._table)
        return words.with_values(tf.gather(pieces, index)).merge_dims(1, 2)

    def look_up_tensor_with_offsets(self, texts):
        """Convert tf string (B,) to ids, starts and ends of pieces."""
        import tensorflow as tf

        ids = self.look_up_tensor(texts)
        sizes = tf.cast(tf.gather(self._lengths, ids.values), tf.int64)
        total = tf.cumsum(sizes, exclusive=True)
        first = tf.gather(ids.row_starts(), ids.value_rowids())
        starts = total - tf.gather(total, first)
        _, begins = tf.strings.unicode_decode_with_offsets(texts, "UTF-8")
        ends = ids.with_values(starts + sizes)
        starts = ids.with_values(starts)
        return (
            ids,
            count_below(begins, starts, "right", -1),
            count_below(begins, ends),
        )

    def vocabulary_config(self):
        return {
            "vocabulary": self.piece_names.tolist(),
            "merges": self.merges,
        }


def split_words(texts):
    """Split texts into GPT-2's words: tf string (B,) to ragged (B, None).

    White space before a word belongs to the word if it is one space, and is a
    word of its own otherwise, without its last character. RE2 has no
    lookahead for this, so the white space is separated first.
    """
    import tensorflow as tf

    separated = tf.strings.regex_replace(
        texts,
        rf"([{SPACE}]+)([{SPACE}][^{SPACE}])",
        rb"\1" + SEPARATOR + rb"\2",
    )
    parts = tf.strings.split(separated, SEPARATOR)
    ended = tf.strings.regex_replace(
        parts.values, f"({WORD})", rb"\1" + SEPARATOR
    )
    words = tf.strings.split(ended, SEPARATOR)[:, :-1]  # the last is empty
    return parts.with_values(words).merge_dims(1, 2)


def _checked_vocabulary(vocabulary):
    vocabulary = [str(piece) for piece in vocabulary]
    known = set(vocabulary)
    if len(known) < len(vocabulary):
        raise ValueError(
            "`vocabulary` must hold each piece once. Received "
            f"{len(vocabulary)} pieces, {len(known)} of them different."
        )
    for piece in (*byte_characters(), END_OF_TEXT):
        if piece not in known:
            raise ValueError(
                f"`vocabulary` must hold the 256 bytes and {END_OF_TEXT!r}. "
                f"Received {len(vocabulary)} pieces without {piece!r}."
            )
    return vocabulary


def _merge(rank, merge, ids):
    """Look up the ids of a merge: left, right and merged."""
    parts = merge.split(" ")
    if len(parts) != 2 or not {*parts, "".join(parts)} <= ids.keys():
        raise ValueError(
            "`merges` must be two pieces of the vocabulary, whose "
            f"concatenation is in it too. Received {merge!r} at {rank}."
        )
    return [ids[parts[0]], ids[parts[1]], ids["".join(parts)]]
