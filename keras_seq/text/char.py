"""Characters: the vocabulary that needs no training and no language.

A text is normalised to NFC, so that a Korean syllable typed as three jamo and
the same syllable typed as one character get the same id, and then every code
point is looked up. The vocabulary is sorted, so looking up is a binary search:

    place = searchsorted(vocabulary, point)
    id    = 5 + place   if vocabulary[place] == point   else unknown_id

The same two lines run twice: in NumPy for Python strings, where neither
tensorflow nor tensorflow_text is imported, and in TensorFlow for string
tensors, inside `tf.function` and inside a SavedModel. Both give the same ids.

Shapes: B batch, T longest text of the batch.
"""

from collections import Counter

import keras
import numpy as np

from keras_seq.text.tokenizer import (
    SPECIALS,
    Tokenizer,
    check_vocabulary_size,
    training,
)
from keras_seq.text.unicode import normalise

FIRST = len(SPECIALS)  # the id of the first character


def code_points(text):
    """str to int32 (T,); a lone surrogate counts as a code point."""
    data = text.encode("utf-32-le", errors="surrogatepass")
    return np.frombuffer(data, "<u4").astype("int32")


BROKEN = "\ufffd"  # what a decoder puts in place of bytes it cannot read


def _sorted_characters(characters):
    """Check a vocabulary and sort it: one str, ascending code points."""
    characters = list(characters)
    for char in characters:
        single = isinstance(char, str) and len(char) == 1
        # What NFC rewrites, and half a surrogate pair, no text can contain;
        # and what stands for broken bytes must stay unknown.
        if (
            not single
            or normalise(char) != char
            or 0xD800 <= ord(char) < 0xE000
            or char == BROKEN
        ):
            raise ValueError(
                "`characters` must be single code points in NFC. "
                f"Received {char!r}."
            )
    if not characters or len(set(characters)) < len(characters):
        raise ValueError(
            "`characters` must be at least one, each given once "
            "(`CharTokenizer.train` takes any text). "
            f"Received {len(characters)}, {len(set(characters))} of them "
            "different."
        )
    return "".join(sorted(characters))


@keras.saving.register_keras_serializable("keras_seq")
class CharTokenizer(Tokenizer):
    """Turns text into one id per character, and back.

    Ids: 0 `pad_id`, 1 `unknown_id`, 2 `start_id`, 3 `end_id`, 4 `mask_id`,
    then the characters in the order of their code points, from 5 on. A text
    of known characters comes back exactly, in NFC.

    Args:
        characters: str or iterable of single code points in NFC, in any
            order, each once. Repeated ones are refused; `train` counts text.
    Raises:
        ValueError: if `characters` is empty, repeats one, or holds anything
            that no normalised text can contain.
    """

    def __init__(self, characters, **kwargs):
        super().__init__(**kwargs)
        self.characters = _sorted_characters(characters)
        self._set_pieces(self.characters, str.encode)

    @training
    def train(cls, texts, vocabulary_size=None):
        """Collect the vocabulary of a text.

        Args:
            texts: str or iterable of str.
            vocabulary_size: optional int > 5, the most ids to use, specials
                counted; the most frequent characters stay, and of equally
                frequent ones the lower code point. Default: all of them.
        Returns:
            CharTokenizer.
        """
        if vocabulary_size is not None:
            what = f"{FIRST} special ids and a character"
            check_vocabulary_size(vocabulary_size, FIRST + 1, what)
            vocabulary_size -= FIRST
        counts = Counter()
        for text in texts:
            counts.update(text)
        del counts[BROKEN]
        by_count = sorted(counts, key=lambda char: (-counts[char], char))
        return cls(by_count[:vocabulary_size])

    def _look_up(self, texts):
        """List of str to a list of int (T,)."""
        vocabulary = code_points(self.characters)
        rows = []
        for text in texts:
            points = code_points(normalise(text))
            place = np.searchsorted(vocabulary, points)
            place = np.minimum(place, len(vocabulary) - 1)
            known = vocabulary[place] == points
            rows.append(np.where(known, FIRST + place, self.unknown_id))
        return rows

    def _look_up_tensor(self, texts):
        """tf string (B,) to ragged int32 (B, None)."""
        import tensorflow as tf

        ragged = tf.strings.unicode_decode(texts, "UTF-8")
        vocabulary = tf.constant(code_points(self.characters))
        place = tf.searchsorted(vocabulary, ragged.flat_values)
        place = tf.minimum(place, len(self.characters) - 1)
        known = tf.gather(vocabulary, place) == ragged.flat_values
        return ragged.with_flat_values(
            tf.where(known, FIRST + place, self.unknown_id)
        )

    def _look_up_with_offsets(self, texts):
        """The same, and where a character begins and ends."""
        import tensorflow as tf

        ids = self._look_up_tensor(texts)
        begins = tf.gather(ids.row_starts(), ids.value_rowids())
        place = tf.range(tf.size(ids.values)) - tf.cast(begins, tf.int32)
        return ids, ids.with_values(place), ids.with_values(place + 1)

    def _vocabulary(self):
        return {"characters": self.characters}
