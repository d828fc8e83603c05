"""Character tokenizer: one id per character, for any language, untrained.

A text is normalized to NFC, so that a Korean syllable typed as three jamo and
the same syllable typed as one character get the same id. Then every code
point is looked up. The vocabulary is sorted, so the lookup is a binary search:

    index = searchsorted(vocabulary, point)
    id    = 5 + index   if vocabulary[index] == point   else unknown_id

These lines are written twice: in NumPy for Python strings, without TensorFlow
and tensorflow-text, and in TensorFlow for string tensors, inside `tf.function`
and in a SavedModel. Both give the same ids.

Shapes: B batch, T longest text of the batch.
"""

from collections import Counter

import keras
import numpy as np

from keras_seq.text.special_tokens import (
    SPECIAL_TOKENS,
    split_at_special_tokens,
)
from keras_seq.text.tokenizer import Tokenizer
from keras_seq.text.unicode import REPLACEMENT, normalize
from keras_seq.text.vocabulary_training import (
    check_vocabulary_size,
    training_texts,
)

FIRST = len(SPECIAL_TOKENS)  # the id of the first character


def code_points(text):
    """Convert str to int32 (T,); a lone surrogate is a code point."""
    data = text.encode("utf-32-le", errors="surrogatepass")
    return np.frombuffer(data, "<u4").astype("int32")


def _sorted_characters(characters):
    """Check a vocabulary and sort it: one str, ascending code points."""
    characters = list(characters)
    for char in characters:
        single = isinstance(char, str) and len(char) == 1
        # No normalized text contains what NFC changes or a lone surrogate;
        # the replacement character must stay unknown.
        if (
            not single
            or normalize(char) != char
            or 0xD800 <= ord(char) < 0xE000
            or char == REPLACEMENT
        ):
            raise ValueError(
                "`characters` must be single code points in NFC. "
                f"Received {char!r}."
            )
    if not characters or len(set(characters)) < len(characters):
        raise ValueError(
            "`characters` must be at least one, without repetition "
            "(`CharTokenizer.train` takes any text). "
            f"Received {len(characters)}, {len(set(characters))} of them "
            "different."
        )
    return "".join(sorted(characters))


@keras.saving.register_keras_serializable("keras_seq")
class CharTokenizer(Tokenizer):
    """Converts texts to one id per character, and back.

    Ids: 0 `pad_id`, 1 `unknown_id`, 2 `start_id`, 3 `end_id`, 4 `mask_id`,
    then the characters in the order of their code points, from 5 on. A text
    of known characters comes back exactly, in NFC.

    Args:
        characters: str or iterable of single code points in NFC, in any
            order, without repetition. `train` takes them from a text.
        special_tokens_in_strings: bool, whether "[MASK]" and the other special
            tokens are recognized in a text. Default False.
    Raises:
        ValueError: if `characters` is empty, repeats one, or contains one
            that no normalized text contains.
    Example:
        >>> tokenizer = CharTokenizer.train("안녕하세요")
        >>> ids = tokenizer.tokenize(["안녕", "하!"], end=True)
        >>> ids.tolist()
        [[7, 5, 3], [9, 1, 3]]
        >>> tokenizer.detokenize(ids)
        ['안녕', '하\ufffd']
    """

    def __init__(self, characters, **kwargs):
        super().__init__(**kwargs)
        self.characters = _sorted_characters(characters)
        self.set_pieces([*SPECIAL_TOKENS, *self.characters], str.encode)

    @classmethod
    def train(cls, texts, vocabulary_size=None):
        """Collect the characters of texts.

        Args:
            texts: str or iterable of str.
            vocabulary_size: optional int > 5, the maximum number of ids,
                special tokens included; the most frequent characters are
                kept, and of equally frequent ones the lower code point.
                Default None: all characters.
        Returns:
            CharTokenizer.
        """
        if isinstance(texts, bool):  # PyTorch calls `train(mode)` of layers
            return cls
        if vocabulary_size is not None:
            what = f"{FIRST} special tokens and a character"
            check_vocabulary_size(vocabulary_size, FIRST + 1, what)
            vocabulary_size -= FIRST
        counts = Counter()
        for text in training_texts(texts):
            counts.update(text)
        del counts[REPLACEMENT]
        by_count = sorted(counts, key=lambda char: (-counts[char], char))
        return cls(by_count[:vocabulary_size])

    def tokenize_rows(self, texts):
        """Convert texts to ids in NumPy: list of str to arrays (T,)."""
        texts = map(normalize, texts)
        if not self.special_tokens_in_strings:
            return [self._look_up(text) for text in texts]
        names = self.special_tokens()
        ids = dict(zip(names, self.special_ids()))
        rows = []
        for text in texts:
            parts = split_at_special_tokens(text, names)
            rows.append(
                np.concatenate(
                    [
                        [ids[part]] if n % 2 else self._look_up(part)
                        for n, part in enumerate(parts)
                    ]
                ).astype("int32")
            )
        return rows

    def _look_up(self, text):
        """Convert a normalized str to int (T,)."""
        vocabulary, points = code_points(self.characters), code_points(text)
        index = np.searchsorted(vocabulary, points)
        index = np.minimum(index, len(vocabulary) - 1)
        known = vocabulary[index] == points
        return np.where(known, FIRST + index, self.unknown_id)

    def look_up_tensor(self, texts):
        """Convert tf string (B,) to ragged int32 (B, None)."""
        import tensorflow as tf

        ragged = tf.strings.unicode_decode(texts, "UTF-8")
        vocabulary = tf.constant(code_points(self.characters))
        index = tf.searchsorted(vocabulary, ragged.flat_values)
        index = tf.minimum(index, len(self.characters) - 1)
        known = tf.gather(vocabulary, index) == ragged.flat_values
        return ragged.with_flat_values(
            tf.where(known, FIRST + index, self.unknown_id)
        )

    def look_up_tensor_with_offsets(self, texts):
        """Convert tf string (B,) to ids, starts and ends of characters."""
        import tensorflow as tf

        ids = self.look_up_tensor(texts)
        begins = tf.gather(ids.row_starts(), ids.value_rowids())
        index = tf.range(tf.size(ids.values)) - tf.cast(begins, tf.int32)
        return ids, ids.with_values(index), ids.with_values(index + 1)

    def vocabulary_config(self):
        return {"characters": self.characters}
