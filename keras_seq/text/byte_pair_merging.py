"""Byte pair encoding (BPE) in a TensorFlow graph: merge the bytes of words.

All words of a batch are split into subwords together. They are one flat list of
symbols, which are merged:

    rank[i]  = rank of the merge (symbol_i, symbol_i+1), if there is one and
               both are in the same word
    best[w]  = min over the pairs of word w
    merge every pair with rank = best of its word, from left to right
    repeat until no pair is left that can be merged

The number of rounds is that of the different merges in one word, a few dozen
for any text; each round costs as much as the symbols that are left.

Shapes: N symbols of all words, W words.
Paper: Sennrich, Haddow & Birch (2016), arXiv:1508.07909, algorithm 1.
"""

import numpy as np

NONE = np.iinfo("int32").max  # the rank of a pair that is not merged


class MergeTable:
    """Looks up the rank and the result of a merge.

    Args:
        merges: int (M, 3): the left id, the right id and the merged id, in
            the order of their ranks.
        vocabulary_size: int > 0, above all ids.
    """

    def __init__(self, merges, vocabulary_size):
        merges = np.asarray(merges, "int64").reshape(-1, 3)
        keys = merges[:, 0] * vocabulary_size + merges[:, 1]
        order = np.argsort(keys, kind="stable")
        self.vocabulary_size = vocabulary_size
        self.keys, self.ranks = keys[order], order.astype("int32")
        self.merged = merges[:, 2].astype("int32")

    def rank(self, left, right):
        """Return the rank of each pair, or `NONE`: int32 (N,)."""
        import tensorflow as tf

        if not len(self.keys):
            return tf.fill(tf.shape(left), NONE)
        keys = tf.cast(left, tf.int64) * self.vocabulary_size
        keys += tf.cast(right, tf.int64)
        index = tf.searchsorted(self.keys, keys)
        index = tf.minimum(index, len(self.keys) - 1)
        known = tf.gather(self.keys, index) == keys
        return tf.where(known, tf.gather(self.ranks, index), NONE)


def merge_symbols(symbols, table):
    """Merge the symbols of words as often as possible.

    Args:
        symbols: ragged int32 (W, None), the ids of the bytes of each word.
        table: `MergeTable`.
    Returns:
        ragged int32 (W, None), the ids of the pieces of each word.
    """
    import tensorflow as tf

    if not len(table.merged):
        return symbols
    count = symbols.nrows()

    def is_left(ids, words, done):
        return ~done

    def merge(ids, words, done):
        ranks = _ranks(ids, words, table)
        best = tf.math.unsorted_segment_min(ranks, words, count)
        chosen = (ranks != NONE) & (ranks == tf.gather(best, words))
        chosen = _without_overlaps(chosen)
        rank = tf.where(chosen, ranks, 0)
        ids = tf.where(chosen, tf.gather(table.merged, rank), ids)
        kept = ~tf.concat([[False], chosen], axis=0)[:-1]
        done = ~tf.reduce_any(chosen)
        return tf.boolean_mask(ids, kept), tf.boolean_mask(words, kept), done

    ids, words, _ = tf.while_loop(
        is_left,
        merge,
        (symbols.values, symbols.value_rowids(), tf.constant(False)),
        shape_invariants=(
            tf.TensorShape([None]),
            tf.TensorShape([None]),
            tf.TensorShape([]),
        ),
    )
    return tf.RaggedTensor.from_value_rowids(ids, words, count, validate=False)


def _ranks(ids, words, table):
    """Return the rank of each symbol with the next one: int32 (N,)."""
    import tensorflow as tf

    next_ids = tf.concat([ids[1:], ids[:1]], axis=0)
    same = tf.pad(words[1:] == words[:-1], [[0, 1]])[: tf.size(ids)]
    return tf.where(same, table.rank(ids, next_ids), NONE)


def _without_overlaps(chosen):
    """Of adjacent chosen pairs keep every second one: bool (N,).

    Two pairs of equal rank that overlap are two equal symbols, as in "aaa";
    the left pair is merged, and the right one no longer exists.
    """
    import tensorflow as tf

    index = tf.range(tf.size(chosen))
    before = tf.concat([[False], chosen], axis=0)[:-1]
    starts = chosen & ~before
    run = tf.cumsum(tf.cast(starts, tf.int32)) - 1
    first = tf.boolean_mask(index, starts)
    first = tf.concat([first, [0]], axis=0)  # not empty
    offset = index - tf.gather(first, tf.maximum(run, 0))
    return chosen & (offset % 2 == 0)
