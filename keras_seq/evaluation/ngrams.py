"""n-gram language model: the baseline of a neural language model.

A neural language model should have a lower held-out loss than counts of
three-letter sequences. The probabilities of each order are smoothed by those
of the next lower order (Witten-Bell smoothing, add-one for single tokens):

    p_1(w)   = (c(w) + 1) / (N + V)
    p_k(w|h) = (c(h w) + t(h) p_{k-1}(w|h')) / (c(h) + t(h))

c counts occurrences, t(h) the different tokens that followed the context h,
and h' is h without its oldest token. For an unseen context, p_k = p_{k-1}.

Shapes: N train tokens, M test tokens, V vocabulary.
Paper: Chen & Goodman (1999), "An empirical study of smoothing techniques for
    language modeling", Computer Speech & Language 13(4), Witten-Bell.
Differs from the paper: single tokens are smoothed by adding one.
"""

import numpy as np

from keras_seq import checks


def ngram_loss(train_ids, test_ids, n, vocabulary_size):
    """Compute the held-out cross entropy of an interpolated n-gram model.

    Args:
        train_ids: int (N,), the training text.
        test_ids: int (M,), the held-out text.
        n: int > 0, tokens in an n-gram.
        vocabulary_size: int > 0, V; V^n must be below 2^63.
    Returns:
        float, nats per test token.
    Raises:
        ValueError: if ids are empty or not in [0, V), or V^n is too large.
    Example:
        >>> round(ngram_loss([0, 1] * 50, [0, 1] * 5, 2, 2), 2)
        0.08
    """
    p = ngram_probabilities(train_ids, test_ids, n, vocabulary_size)
    return float(-np.mean(np.log(p)))


def ngram_probabilities(train_ids, test_ids, n, vocabulary_size):
    """Compute the probability of each test token given its context.

    Args:
        train_ids: int (N,), the training text.
        test_ids: int (M,), the held-out text. Its first n - 1 tokens have a
            shorter context.
        n: int > 0, tokens in an n-gram: the context has n - 1 tokens.
        vocabulary_size: int > 0, V; V^n must be below 2^63.
    Returns:
        float64 (M,), each in (0, 1).
    Raises:
        ValueError: if ids are empty or not in [0, V), or V^n is too large.
    Example:
        >>> ngram_probabilities([0, 0, 1], [0, 1], 1, 2).tolist()
        [0.6, 0.4]
    """
    checks.positive_int(n=n, vocabulary_size=vocabulary_size)
    vocabulary_size = int(vocabulary_size)  # a NumPy int would overflow
    if vocabulary_size**n >= 2**63:
        raise ValueError(
            "`vocabulary_size` ** `n` must be below 2**63. "
            f"Received vocabulary_size={vocabulary_size}, n={n}."
        )
    train = token_ids("train_ids", train_ids, vocabulary_size)
    test = token_ids("test_ids", test_ids, vocabulary_size)
    counts = np.bincount(train, minlength=vocabulary_size)
    p = (counts[test] + 1) / (len(train) + vocabulary_size)
    for order in range(2, n + 1):
        if min(len(train), len(test)) >= order:
            # The first order - 1 tokens keep their lower-order estimate.
            p[order - 1 :] = witten_bell(
                grams(train, order, vocabulary_size),
                grams(test, order, vocabulary_size),
                p[order - 1 :],
                vocabulary_size,
            )
    return p


def witten_bell(train, test, lower, vocabulary_size):
    """Interpolate p_k from counts and p_{k-1}, by the equation above.

    Args:
        train: int64 (N',), n-grams as numbers.
        test: int64 (M',), n-grams as numbers.
        lower: float64 (M',), p_{k-1} of the last token of each test n-gram.
        vocabulary_size: int > 0; number // V is the context.
    """
    kinds, c = np.unique(train, return_counts=True)
    contexts, first, t = np.unique(
        kinds // vocabulary_size, return_index=True, return_counts=True
    )
    c_context = np.add.reduceat(c, first)
    history = test // vocabulary_size
    c_h, t_h = look_up(history, contexts, c_context, t)
    (c_hw,) = look_up(test, kinds, c)
    seen = c_h > 0
    p = (c_hw + t_h * lower) / np.where(seen, c_h + t_h, 1)
    return np.where(seen, p, lower)


def grams(ids, order, vocabulary_size):
    """Return the n-grams of a text as numbers, with ids as digits to base V."""
    windows = np.lib.stride_tricks.sliding_window_view(ids, order)
    return windows @ vocabulary_size ** np.arange(order - 1, -1, -1)


def look_up(wanted, keys, *values):
    """Return each column of `values` at the `wanted` keys, 0 if unknown."""
    at = np.searchsorted(keys, wanted)
    at[at == len(keys)] = 0
    known = keys[at] == wanted
    return [np.where(known, column[at], 0) for column in values]


def token_ids(name, ids, vocabulary_size):
    """Return ids as int64 (N,), N > 0, each in [0, vocabulary_size)."""
    ids = np.asarray(ids)
    fits = ids.ndim == 1 and ids.size and ids.dtype.kind in "iu"
    if not fits or ids.min() < 0 or ids.max() >= vocabulary_size:
        raise ValueError(
            f"`{name}` must be int (N,), N > 0, each in "
            f"[0, {vocabulary_size}). "
            f"Received {ids.dtype} of shape {ids.shape}."
        )
    return ids.astype("int64")
