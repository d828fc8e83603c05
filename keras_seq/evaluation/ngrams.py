"""What counting alone achieves: the held-out loss of an n-gram model.

A language model that cannot beat three-letter counts has learned nothing
that needs a network. Each order is smoothed by the order below it, down to
the even guess over the vocabulary (Witten-Bell, add-one for single tokens):

    p_1(w)   = (c(w) + 1) / (N + V)
    p_k(w|h) = (c(h w) + t(h) p_{k-1}(w|h')) / (c(h) + t(h))

with c how often, t(h) how many different tokens followed the context h, and
h' the context without its oldest token. An unseen h has c = t = 0: p_{k-1}.

Shapes: N train tokens, M test tokens, V vocabulary.
Paper: Chen & Goodman (1999), "An empirical study of smoothing techniques for
    language modeling", Computer Speech & Language 13(4), Witten-Bell.
Differs from the paper: single tokens are smoothed by adding one.
"""

import numpy as np

from keras_seq import checks


def ngram_loss(train_ids, test_ids, n, vocabulary_size):
    """Return the held-out cross entropy of an interpolated n-gram model.

    Args: those of `ngram_probabilities`.
    Returns:
        float, nats per test token.
    """
    p = ngram_probabilities(train_ids, test_ids, n, vocabulary_size)
    return float(-np.mean(np.log(p)))


def ngram_probabilities(train_ids, test_ids, n, vocabulary_size):
    """Return the probability of each test token after those before it.

    Args:
        train_ids: int (N,), the text that is counted.
        test_ids: int (M,), the text that is judged. Its first n - 1 tokens
            have a shorter context, nothing is assumed before them.
        n: int > 0, tokens in an n-gram: 1 looks at no context, 3 at two.
        vocabulary_size: int > 0, V; V^n must be below 2^63.
    Returns:
        float64 (M,), each in (0, 1).
    Raises:
        ValueError: if ids are empty or not in [0, V), or V^n is too large.
    """
    checks.positive_int(n=n, vocabulary_size=vocabulary_size)
    vocabulary_size = int(vocabulary_size)  # NumPy's would overflow below
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
            # The first order - 1 tokens keep the estimate of their order.
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
        train, test: int64 (N',), (M',), n-grams as numbers.
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
    """Number the n-grams of a text: its ids as digits to the base V."""
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
