"""Three published problems that only a long memory solves.

All three hide what matters among what does not, and ask for it much later.
They are generated, without limit, so no licence applies; another seed is
another set, and a seed gives the same set on every machine.

    adding    two marked numbers of T: what is their sum?
    copying   ten symbols, then a long silence: what were they?
    recall    c9k8j3f1??c: which digit stood behind the c?

Shapes: N rows, T length.
Papers: Hochreiter & Schmidhuber (1997), "Long Short-Term Memory", sec. 5.4;
    Arjovsky, Shah & Bengio (2016), arXiv:1511.06464, sec. 5.1 and 5.2;
    Ba, Hinton, Mnih, Leibo & Ionescu (2016), arXiv:1610.06258, sec. 4.1.
"""

import string

import numpy as np

from keras_seq.checks import not_negative_int, one_of, positive_int

RECALL_VOCABULARY = "?" + string.digits + string.ascii_lowercase


def adding(count, length, seed=0):
    """Mark two numbers of a long row; the answer is their sum.

    The form of Le, Jaitly & Hinton (2015), arXiv:1504.00941, and Arjovsky et
    al. (2016): one mark is in the first half of the row, one in the second.
    Baseline: predicting the mean, 1, has a squared error of 1/6 = 0.167.

    Args:
        count: int > 0, number of rows N.
        length: int > 1, length T of a row.
        seed: int >= 0, which rows are drawn. Default 0.
    Returns:
        x: float32 (N, T, 2), a number in [0, 1) and its mark, 0 or 1.
        y: float32 (N, 1), the sum of the two marked numbers.
    Raises:
        ValueError: if an argument is out of range.
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
    """Repeat some symbols after a long silence.

    A row is `length` symbols, blanks, one delimiter, then blanks again, in
    place of which the answer repeats the symbols: T = delay + 2 * length. Id
    0 is the blank, 1 to `symbols` are the symbols, `symbols` + 1 is the
    delimiter. The blanks are input, not padding: do not mask id 0.

    Baseline: knowing all but the symbols costs length * log(symbols) /
    (delay + 2 * length) nats a step.

    Args:
        count: int > 0, number of rows N.
        delay: int > 0, steps from the last symbol to the delimiter.
        symbols: int > 0, number of different symbols. Default 8.
        length: int > 0, number of symbols to remember. Default 10.
        seed: int >= 0, which rows are drawn. Default 0.
    Returns:
        x: int32 (N, T), ids in 0..symbols + 1.
        y: int32 (N, T), blank, but the symbols at the last `length` steps.
    Raises:
        ValueError: if an argument is out of range.
    """
    positive_int(count=count, delay=delay, symbols=symbols, length=length)
    not_negative_int(seed=seed)
    rng = np.random.default_rng(seed)
    remembered = rng.integers(1, symbols + 1, (count, length))
    x = np.zeros((count, delay + 2 * length), dtype="int32")
    y = np.zeros_like(x)
    x[:, :length] = remembered
    x[:, length + delay - 1] = symbols + 1
    y[:, -length:] = remembered
    return x, y


def recall(count, pairs, seed=0):
    """Find the digit that stood behind a letter: "c9k8j3f1??c" -> "9".

    The letters of a row are all different. Baselines: 0.1 without reading;
    1 / pairs + (1 - 1 / pairs) / 10 for any one digit of the row.

    Args:
        count: int > 0, number of rows N.
        pairs: int in 1..26, letters with a digit; T = 2 * pairs + 3.
        seed: int >= 0, which rows are drawn. Default 0.
    Returns:
        x: int32 (N, T), places in `RECALL_VOCABULARY`, where "?" is 0.
        y: int32 (N,), the digit itself, 0 to 9.
    Raises:
        ValueError: if an argument is out of range.
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
