"""Long-term dependencies: three published tasks that need a long memory.

In each task the relevant input comes early, the answer is needed much later,
and the steps between them are irrelevant. The data are generated, without
limit, so no license applies. A seed gives the same data on every machine.

    adding    two numbers of T are marked: what is their sum?
    copying   ten symbols, then a long delay: repeat the symbols
    recall    c9k8j3f1??c: which digit followed the letter c?

Baselines. adding: predicting the mean, 1, has a squared error of 1/6 = 0.167.
copying: predicting all but the symbols costs length * log(symbols) / (delay +
2 * length) nats per step. recall: 0.1 without reading; 1 / pairs + (1 - 1 /
pairs) / 10 for any digit of the sequence.

Shapes: N sequences, T length.
Papers: Hochreiter & Schmidhuber (1997), "Long Short-Term Memory", sec. 5.4;
    Arjovsky, Shah & Bengio (2016), arXiv:1511.06464, sec. 5.1 and 5.2;
    Ba, Hinton, Mnih, Leibo & Ionescu (2016), arXiv:1610.06258, sec. 4.1.
"""

import string

import numpy as np

from keras_seq.checks import not_negative_int, one_of, positive_int

RECALL_VOCABULARY = "?" + string.digits + string.ascii_lowercase


def adding(count, length, seed=0):
    """Generate the adding problem: the sum of two marked numbers.

    As in Le, Jaitly & Hinton (2015), arXiv:1504.00941, and Arjovsky et al.
    (2016): one mark is in the first half of the sequence, one in the second.

    Args:
        count: int > 0, number of sequences N.
        length: int > 1, length T of a sequence.
        seed: int >= 0, seed of the sequences. Default 0.
    Returns:
        x: float32 (N, T, 2), a number in [0, 1) and its mark, 0 or 1.
        y: float32 (N, 1), the sum of the two marked numbers.
    Raises:
        ValueError: if an argument is out of range.
    Example:
        >>> from keras_seq import data
        >>> x, y = data.adding(2, 7)
        >>> x.shape, y.shape, x[0, :, 1].sum().item()
        ((2, 7, 2), (2, 1), 2.0)
    """
    positive_int(count=count, length=length)
    not_negative_int(seed=seed)
    if length < 2:
        raise ValueError(f"`length` must be > 1. Received length={length}.")
    rng = np.random.default_rng(seed)
    numbers = rng.random((count, length), dtype="float32")
    marks = np.zeros_like(numbers)
    rows = np.arange(count)
    marks[rows, rng.integers(0, length // 2, count)] = 1
    marks[rows, rng.integers(length // 2, length, count)] = 1
    y = np.sum(numbers * marks, axis=1, keepdims=True)
    return np.stack([numbers, marks], axis=-1), y


def copying(count, delay, symbols=8, length=10, seed=0):
    """Generate the copying problem: repeat symbols after a long delay.

    A sequence is `length` symbols, blanks, one delimiter, then blanks again,
    where the answer repeats the symbols: T = delay + 2 * length. Id 0 is the
    blank, 1 to `symbols` are the symbols, `symbols` + 1 is the delimiter. The
    blanks are inputs, not padding: do not mask id 0.

    Args:
        count: int > 0, number of sequences N.
        delay: int > 0, steps from the last symbol to the delimiter.
        symbols: int > 0, number of different symbols. Default 8.
        length: int > 0, number of symbols to remember. Default 10.
        seed: int >= 0, seed of the sequences. Default 0.
    Returns:
        x: int32 (N, T), ids in [0, symbols + 1].
        y: int32 (N, T), blanks, then the symbols at the last `length` steps.
    Raises:
        ValueError: if an argument is out of range.
    Example:
        >>> from keras_seq import data
        >>> x, y = data.copying(2, 5, length=3)
        >>> x.shape, bool((x[:, :3] == y[:, -3:]).all())
        ((2, 11), True)
    """
    positive_int(count=count, delay=delay, symbols=symbols, length=length)
    not_negative_int(seed=seed)
    rng = np.random.default_rng(seed)
    sequence = rng.integers(1, symbols + 1, (count, length))
    x = np.zeros((count, delay + 2 * length), dtype="int32")
    y = np.zeros_like(x)
    x[:, :length] = sequence
    x[:, length + delay - 1] = symbols + 1
    y[:, -length:] = sequence
    return x, y


def recall(count, pairs, seed=0):
    """Generate associative recall: "c9k8j3f1??c" -> 9.

    The letters of a sequence are all different.

    Args:
        count: int > 0, number of sequences N.
        pairs: int in [1, 26], pairs of a letter and a digit;
            T = 2 * pairs + 3.
        seed: int >= 0, seed of the sequences. Default 0.
    Returns:
        x: int32 (N, T), indices in `RECALL_VOCABULARY`, where "?" is 0.
        y: int32 (N,), the digit, 0 to 9.
    Raises:
        ValueError: if an argument is out of range.
    Example:
        >>> from keras_seq import data
        >>> x, y = data.recall(2, 5)
        >>> x.shape, y.shape
        ((2, 13), (2,))
    """
    positive_int(count=count)
    not_negative_int(seed=seed)
    one_of(range(1, 27), pairs=pairs)
    rng = np.random.default_rng(seed)
    alphabet = np.tile(np.arange(26), (count, 1))
    letters = rng.permuted(alphabet, axis=1)[:, :pairs]
    digits = rng.integers(0, 10, (count, pairs))
    rows, asked = np.arange(count), rng.integers(0, pairs, count)
    x = np.zeros((count, 2 * pairs + 3), dtype="int32")
    x[:, 0 : 2 * pairs : 2] = letters + RECALL_VOCABULARY.index("a")
    x[:, 1 : 2 * pairs : 2] = digits + RECALL_VOCABULARY.index("0")
    x[:, -1] = x[rows, 2 * asked]
    return x, digits[rows, asked].astype("int32")
