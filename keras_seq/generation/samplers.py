"""Choosing: a model gives odds for the next token, and one must be picked.

The likeliest token at every step is the plainest way, and it loops: "I do
not know. I do not know." Drawing by the odds does not loop, but the many
unlikely tokens together come up too often; so the odds are sharpened, or
their tail is cut off. And any way of choosing may be forbidden something.

    Greedy     id = argmax(logits)
    Sampling   id ~ softmax(logits / temperature), within top_k and top_p

Shapes: B batch, W beams of a row (1 but in beam search), R = B * W rows,
    L generated length, V vocabulary.
Paper: top-k: Fan, Lewis & Dauphin (2018), arXiv:1805.04833; nucleus (top-p):
    Holtzman et al. (2020), arXiv:1904.09751, section 3.1; repetition penalty:
    Keskar et al. (2019), arXiv:1909.05858, section 4.1; no n-gram twice:
    Paulus, Xiong & Socher (2018), arXiv:1705.04304, section 2.5.
Differs from the paper: the repetition penalty multiplies a negative logit,
    since dividing it would make the token likelier.
"""

import dataclasses
import numbers

import keras
from keras import ops

from keras_seq import checks

NEVER = -1e9  # the logit of padding; finite, since -inf - -inf is no number
FORBIDDEN = -1e8  # of a token that is ruled out: still before padding


@dataclasses.dataclass(frozen=True, kw_only=True)
class Greedy:
    """Take the likeliest token at every step.

    Args:
        min_length: int >= 0, tokens before the end token may come.
        repetition_penalty: float >= 1, divides the logits of tokens already
            said (of those below 0: multiplies). Default 1: no penalty.
        no_repeat_ngram: int >= 0, no n tokens in a row are said twice.
            Default 0: they may be.
    Raises:
        ValueError: if an argument is outside its range.
    """

    min_length: int = 0
    repetition_penalty: float = 1.0
    no_repeat_ngram: int = 0

    width = 1  # beams for each row

    def __post_init__(self):
        checks.not_negative_int(
            min_length=self.min_length, no_repeat_ngram=self.no_repeat_ngram
        )
        penalty = self.repetition_penalty
        if not isinstance(penalty, numbers.Real) or not penalty >= 1:
            raise ValueError(
                "`repetition_penalty` must be >= 1. Received "
                f"repetition_penalty={self.repetition_penalty!r}."
            )

    def noise(self, shape):
        return ops.zeros(shape, dtype="float32")

    def choose(self, logits, noise):
        return ops.argmax(logits, axis=-1)

    def restrict(self, logits, said, t, end_id):
        """Rule tokens out: logits (R, V), said int (R, L) up to step t."""
        size = logits.shape[-1]
        if self.repetition_penalty != 1:
            keep = ops.arange(said.shape[1], dtype="int32")[None] < t
            keep = ops.broadcast_to(keep, ops.shape(said))
            rate = self.repetition_penalty
            less = ops.where(logits > 0, logits / rate, logits * rate)
            logits = ops.where(_marked(said, keep, size), less, logits)
        if self.no_repeat_ngram:
            again = _completing(said, t, self.no_repeat_ngram, size)
            logits = ops.where(again, FORBIDDEN, logits)
        if self.min_length and end_id is not None:
            early = ops.logical_and(
                ops.arange(size) == end_id, t < self.min_length
            )
            logits = ops.where(early, FORBIDDEN, logits)
        return logits

    def begin(self, ids):
        """Give the scores to start from, float (R,)."""
        return ops.cast(ops.zeros_like(ids), "float32")

    def pick(self, search, log_p, noise, fill):
        """Choose a token for each row.

        Args:
            search: dict, see `decode`.
            log_p: float32 (R, V), log-probabilities of the next token.
            noise: float (R,) in [0, 1).
            fill: int, what is written after the end.
        Returns:
            ids int (R,), scores float (R,), and the beam that each row goes
            on from, int (B, W), or None where each goes on from itself.
        """
        ids = ops.cast(self.choose(log_p, noise), "int32")
        gain = ops.take_along_axis(log_p, ids[:, None], axis=-1)[:, 0]
        gain = ops.where(search["ended"], 0.0, gain)
        ids = ops.where(search["ended"], fill, ids)
        return ids, search["score"] + gain, None

    def finish(self, search, fill):
        """Give ids, scores and alignments of a search that has ended."""
        return search["said"], search["score"], search.get("attention")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sampling(Greedy):
    """Draw each token by its probability.

    Args: those of `Greedy`, and
        temperature: float in [1e-6, 1e6]; below 1 sharper, above 1 flatter.
            Default 1.
        top_k: optional int > 0, keep only the k likeliest tokens.
        top_p: optional float in [1e-9, 1], keep the fewest likeliest tokens
            whose probabilities reach p.
        seed: optional int >= 0; the same seed gives the same draw. Default
            None: a new draw at each call (`keras.utils.set_random_seed`
            rules).
    Raises:
        ValueError: if an argument is outside its range.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    seed: int | None = None

    def __post_init__(self):
        super().__post_init__()
        # Beyond these the logits leave what float32 can tell apart.
        checks.within(1e-6, 1e6, temperature=self.temperature)
        if self.seed is not None:
            checks.not_negative_int(seed=self.seed)
        if self.top_k is not None:
            checks.positive_int(top_k=self.top_k)
        if self.top_p is not None:
            checks.within(1e-9, 1, top_p=self.top_p)

    def noise(self, shape):
        seed = None if self.seed is None else int(self.seed)
        return keras.random.uniform(shape, dtype="float32", seed=seed)

    def choose(self, logits, noise):
        """Pick by inverse transform: logits (B, V), noise (B,) in [0, 1)."""
        size = logits.shape[-1]
        p = ops.softmax(logits / self.temperature, axis=-1)
        p, ids = ops.top_k(p, min(self.top_k or size, size))  # likeliest first
        if self.top_p is not None:
            total = ops.sum(p, axis=-1, keepdims=True)
            before = ops.cumsum(p, axis=-1) - p
            p = ops.where(before < self.top_p * total, p, 0.0)
        reached = ops.cumsum(p, axis=-1)
        passed = reached <= noise[:, None] * reached[:, -1:]
        rank = ops.sum(ops.cast(passed, "int32"), axis=-1, keepdims=True)
        return ops.take_along_axis(ids, rank, axis=-1)[:, 0]


def _marked(ids, keep, size):
    """Mark the ids of each row: int and bool (R, N) -> bool (R, size)."""
    rows = ops.arange(ops.shape(ids)[0], dtype="int32")[:, None]
    where = ops.stack([ops.broadcast_to(rows, ops.shape(ids)), ids], axis=-1)
    count = ops.scatter(
        ops.reshape(where, (-1, 2)),
        ops.reshape(ops.cast(keep, "int32"), (-1,)),
        (ops.shape(ids)[0], size),
    )
    return count > 0


def _completing(said, t, n, size):
    """Mark what would say n tokens in a row again: bool (R, size)."""
    windows = said.shape[1] - n + 1
    if windows < 1:  # no room for n tokens
        return ops.zeros((1, size), dtype="bool")
    again = ops.arange(windows, dtype="int32")[None] + n - 1 < t
    for k in range(n - 1):  # the last n - 1 tokens against every window
        last = ops.take(said, ops.maximum(t - n + 1 + k, 0), axis=1)[:, None]
        again = ops.logical_and(again, said[:, k : k + windows] == last)
    again = ops.broadcast_to(again, ops.shape(said[:, n - 1 :]))
    return _marked(said[:, n - 1 :], again, size)


def beam_rows(beams, width):
    """Find the rows of beams: int (B, N) below width -> int (B * N,)."""
    first = ops.arange(ops.shape(beams)[0], dtype="int32")[:, None] * width
    return ops.reshape(first + ops.cast(beams, "int32"), (-1,))
