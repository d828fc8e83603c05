"""The equations of the papers as NumPy loops, written apart from the code."""

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def simple_rnn(x, W, U, b):
    """Elman (1990): x float (T, D) -> h float (T, units)."""
    h, seen = np.zeros(U.shape[0]), []
    for x_t in x:
        h = np.tanh(x_t @ W + h @ U + b)
        seen.append(h)
    return np.stack(seen)


def lstm(x, W, U, b):
    """Hochreiter & Schmidhuber (1997), gates i, f, g, o -> h, c (T, units)."""
    n = U.shape[0]
    h, c, seen = np.zeros(n), np.zeros(n), []
    for x_t in x:
        a = x_t @ W + h @ U + b
        i, f, o = (sigmoid(a[k * n : (k + 1) * n]) for k in (0, 1, 3))
        c = f * c + i * np.tanh(a[2 * n : 3 * n])
        h = o * np.tanh(c)
        seen.append((h, c))
    return tuple(np.stack(values) for values in zip(*seen))


def gru(x, W, U, b):
    """Cho et al. (2014), the reset before the product -> h (T, units)."""
    n = U.shape[0]
    h, seen = np.zeros(n), []
    for x_t in x:
        a = x_t @ W + b
        z = sigmoid(a[:n] + h @ U[:, :n])
        r = sigmoid(a[n : 2 * n] + h @ U[:, n : 2 * n])
        candidate = np.tanh(a[2 * n :] + (r * h) @ U[:, 2 * n :])
        h = z * h + (1 - z) * candidate
        seen.append(h)
    return np.stack(seen)


def gru_after(x, h, W, U, b):
    """One GRU step as cuDNN has it: x (D,), h (n,), b (2, 3n) -> h (n,)."""
    n = len(h)
    a, c = x @ W + b[0], h @ U + b[1]
    z = sigmoid(a[:n] + c[:n])
    r = sigmoid(a[n : 2 * n] + c[n : 2 * n])
    candidate = np.tanh(a[2 * n :] + r * c[2 * n :])
    return z * h + (1 - z) * candidate


def softmax(e):
    e = np.exp(e - e.max())
    return e / e.sum()


def bahdanau(words, memory, h, cell, W, U, v, W_t, b_t):
    """Bahdanau et al. (2015), A.1.2 and A.2.2, for one sentence.

    words (T, E), memory (S, D), h (n,) -> maxout (T, n), alignment (T, S).
    """
    seen, n = [], len(h)
    for word in words:
        a = softmax(np.tanh(h @ W + memory @ U) @ v)
        c = a @ memory
        h = gru_after(np.concatenate([word, c]), h, *cell)
        t = np.concatenate([h, c, word]) @ W_t + b_t
        seen.append((np.maximum(t[:n], t[n:]), a))
    return tuple(np.stack(values) for values in zip(*seen))


def luong(words, memory, h, cell, score, W_c, b_c, feeding):
    """Luong et al. (2015), eq. (5) and (7), section 3.3, for one sentence.

    words (T, E), memory (S, D), h (n,), score (h, memory) -> e (S,);
    gives attentional states (T, n), alignment (T, S).
    """
    seen, s = [], np.zeros_like(h)
    for word in words:
        x = np.concatenate([word, s]) if feeding else word
        h = gru_after(x, h, *cell)
        a = softmax(score(h, memory))
        s = np.tanh(np.concatenate([a @ memory, h]) @ W_c + b_c)
        seen.append((s, a))
    return tuple(np.stack(values) for values in zip(*seen))
