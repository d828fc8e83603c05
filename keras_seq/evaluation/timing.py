"""Compare the running times of several functions.

The speed of a machine changes while it runs: the first function meets a cold
cache, the last one a warm processor. The functions therefore take turns. Each
round calls every function once, in a new random order, and the times are
compared round by round: a slow moment affects all functions of its round and
cancels in the ratio.

    seconds = time_interleaved({"ours": f, "theirs": g}, rounds=40)
    median_ratio(seconds["ours"], seconds["theirs"])  # below 1: ours is faster

A function must not return before its work is done: it must wait for the
device, and for values that are computed asynchronously (JAX).
"""

import random
import statistics
import time

from keras_seq import checks


def time_interleaved(functions, rounds=40, warmup=5, seed=0):
    """Time every function once per round, in a random order.

    Args:
        functions: dict, name -> function without arguments.
        rounds: int > 0, number of timed rounds. Default 40.
        warmup: int >= 0, number of rounds before, not timed. Default 5.
        seed: int, seed of the order. Default 0.
    Returns:
        dict, name -> list of float, the seconds of each round in order.
    Raises:
        ValueError: if `rounds` is not an int > 0.
    Example:
        >>> seconds = time_interleaved({"a": list, "b": dict}, rounds=3)
        >>> len(seconds["a"])
        3
    """
    checks.positive_int(rounds=rounds)
    names = list(functions)
    seconds = {name: [] for name in names}
    order = random.Random(seed)
    for number in range(warmup + rounds):
        order.shuffle(names)
        for name in names:
            begin = time.perf_counter()
            functions[name]()
            if number >= warmup:
                seconds[name].append(time.perf_counter() - begin)
    return seconds


def median_ratio(ours, theirs):
    """Return the median over the rounds of the ratio of two times.

    Args:
        ours: list of float, seconds of each round.
        theirs: list of float, seconds of the same rounds.
    Returns:
        float; below 1 if ours is faster.
    Example:
        >>> median_ratio([1, 1, 100], [2, 2, 200])
        0.5
    """
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
