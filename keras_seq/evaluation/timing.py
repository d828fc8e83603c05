"""Time several functions against each other, fairly.

A machine is never quiet: what runs first meets a cold cache, what runs last a
warm processor. So the functions take turns. Each round calls every one of
them once, in a new random order, and the rounds are compared pairwise: what
slowed a round slowed all of it, and cancels in the ratio.

    seconds = interleave({"ours": f, "theirs": g}, rounds=40)
    ratio(seconds["ours"], seconds["theirs"])     # below 1: ours is faster

A function must not return before its work is done: to wait for a device, and
for a value that is computed later (JAX), is the function's own part.
"""

import random
import statistics
import time

from keras_seq import checks


def interleave(functions, rounds=40, warmup=5, seed=0):
    """Call every function once a round, in a random order, and time it.

    Args:
        functions: dict of name to a function without arguments.
        rounds: int > 0, how often each is timed. Default 40.
        warmup: int >= 0, rounds before that, not timed. Default 5.
        seed: int, of the order.
    Returns:
        dict of name to `rounds` floats, seconds, the rounds in order.
    Raises:
        ValueError: if `rounds` is no int > 0.
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


def ratio(ours, theirs):
    """Give the median over the rounds of our seconds over theirs."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
