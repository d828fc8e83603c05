"""Units of masking: tokens, whole words or spans that are masked together.

Units are numbered, and chosen so that they fit into the number of tokens that
may be masked. All functions run in a TensorFlow graph, without a loop over
the tokens, and draw stateless random numbers.

Shapes: B batch, T length, W words.
Paper: spans: Joshi et al. (2020), arXiv:1907.10529, section 3.1.
"""

import numpy as np

LONGEST_SPAN = 10  # words
# p(n) ~ 0.2 * 0.8^(n-1). Joshi et al. write that longer spans are truncated
# to 10; their mean of 3.8, and their code, are of this distribution, in which
# longer spans are not drawn at all.
SHARES = 0.2 * 0.8 ** np.arange(LONGEST_SPAN)
CUMULATIVE = (np.cumsum(SHARES) / np.sum(SHARES)).astype("float32")


def draw(shape, seed):
    """Draw numbers in [0, 1): float32, the same on every machine."""
    import tensorflow as tf

    return tf.random.stateless_uniform(shape, seed, alg="philox")


def draw_for_units(units, seed):
    """Draw a number for each unit: int in [0, 2T], (B, T) to float (B, T)."""
    import tensorflow as tf

    batch, length = tf.unstack(tf.shape(units))
    u = draw([batch, 2 * length + 1], seed)
    return tf.gather(u, units, batch_dims=1)


def number_spans(words, ordinary, u):
    """Number the spans of words: int (B, T), in [0, 2T].

    Spans of random lengths follow each other over the words; a special token
    ends a span too.

    Args:
        words: int32 (B, T), the word of each token, from 1.
        ordinary: bool (B, T), False for special tokens.
        u: float32 (B, T) in [0, 1), which determines the lengths.
    """
    import tensorflow as tf

    draws = tf.reshape(u, [-1])
    lengths = 1 + tf.searchsorted(CUMULATIVE, draws, side="right")
    ends = tf.cumsum(tf.reshape(lengths, tf.shape(u)), axis=1)
    special = tf.cumsum(tf.cast(~ordinary, tf.int32), axis=1)
    return special + tf.searchsorted(ends, words - 1, side="right")


def count_in_words(flags, words):
    """Count the flags in the word of each token: bool, int to int (B, T)."""
    import tensorflow as tf

    size = tf.shape(words)[1] + 1
    none = tf.where(flags, words, size)  # `size` and above are not counted
    counts = tf.math.bincount(none, minlength=size, maxlength=size, axis=-1)
    return tf.gather(counts, words, batch_dims=1)


def choose_that_fit(sizes, room):
    """Choose from left to right whatever still fits: bool (B, W).

    A loop over W would be slow. Instead, choose all up to the first that does
    not fit, drop all that are larger than the remaining room, and repeat.

    Args:
        sizes: int32 (B, W), 0 for none.
        room: int32 (B,), the maximum sum of the chosen sizes.
    """
    import tensorflow as tf

    def some_left(waiting, chosen):
        return tf.reduce_any(waiting)

    def choose(waiting, chosen):
        left = room - tf.reduce_sum(tf.where(chosen, sizes, 0), axis=1)
        waiting &= sizes <= left[:, None]
        sums = tf.cumsum(tf.where(waiting, sizes, 0), axis=1)
        fits = waiting & (sums <= left[:, None])
        return waiting & ~fits, chosen | fits

    start = (sizes > 0, tf.zeros_like(sizes, tf.bool))
    return tf.while_loop(some_left, choose, start)[1]
