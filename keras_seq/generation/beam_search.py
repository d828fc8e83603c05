"""BeamSearch: keep several beginnings alive, and choose between whole ends.

The likeliest first token need not begin the likeliest sentence. Beam search
carries the W best beginnings along, tries every next token for each, and
keeps the W best of those W * V. As every token costs probability, the plain
sum prefers short sentences; and a decoder may say half of its source twice
and the other half never. Two penalties mend it:

    s(Y)  = log P(Y) / lp(Y) + cp(Y)
    lp(Y) = ((5 + |Y|) / (5 + 1))^alpha             # length_penalty = alpha
    cp(Y) = beta * sum_s log(min(sum_t a_ts, 1))    # coverage_penalty = beta

A hypothesis that has ended stays in its beam as it is (padding follows with
probability 1), and competes by log P / lp with those still growing.

Shapes: B batch, W beams, L generated length, V vocabulary, S source length.
Paper: Wu et al. (2016), arXiv:1609.08144, eq. (14); beam search for neural
    translation: Sutskever, Vinyals & Le (2014), arXiv:1409.3215, section 3.2.
Differs from the paper: the length penalty also takes part in the search; no
    pruning by a distance to the best; the coverage of a source token is held
    at 1e-9 or more, so that its logarithm is finite.
"""

import dataclasses
import math
import numbers

from keras import ops

from keras_seq import checks
from keras_seq.generation.samplers import FORBIDDEN, NEVER, Greedy, beam_rows


@dataclasses.dataclass(frozen=True, kw_only=True)
class BeamSearch(Greedy):
    """Search for the likeliest whole sequence with a beam of beginnings.

    The scores it gives are s(Y); without penalties, sums of log-probabilities.

    Args: those of `Greedy`, and
        width: int > 0, number of beams W.
        length_penalty: float >= 0, alpha; 0 ranks by probability alone,
            larger values prefer longer sequences. Default 0.6.
        coverage_penalty: float >= 0, beta; ranks hypotheses down that leave
            source tokens out. Needs a model with attention. Default 0.
        return_all: bool, give all W hypotheses, the best first: ids (B, W, L),
            scores (B, W), attention (B, W, L, S). Where there are fewer than
            W, padding with a score of -inf. Default False.
    Raises:
        ValueError: if an argument is outside its range.
    """

    width: int = dataclasses.field(kw_only=False)
    length_penalty: float = 0.6
    coverage_penalty: float = 0.0
    return_all: bool = False

    def __post_init__(self):
        super().__post_init__()
        checks.positive_int(width=self.width)
        for name in ("length_penalty", "coverage_penalty"):
            value = getattr(self, name)
            number = isinstance(value, numbers.Real) and math.isfinite(value)
            if not number or value < 0:
                raise ValueError(
                    f"`{name}` must be a finite number >= 0. Received "
                    f"{name}={value!r}."
                )

    def begin(self, ids):
        """Let one beam of each row begin: all begin alike."""
        first = ops.arange(ops.shape(ids)[0]) % self.width == 0
        return ops.cast(ops.where(first, 0.0, NEVER), "float32")

    def pick(self, search, log_p, noise, fill):
        """Choose the W best of all continuations of a row's beams."""
        size, ended = log_p.shape[-1], search["ended"]
        stay = ops.where(ops.arange(size) == fill, 0.0, NEVER)
        stay = ops.cast(stay, log_p.dtype)  # Keras's floatx, until here
        log_p = ops.where(ended[:, None], stay, log_p)
        score = search["score"][:, None] + log_p  # (R, V)
        going = ops.logical_not(ended)
        length = search["length"] + ops.cast(going, "int32")
        rank = score / self.lp(length)[:, None]
        score, rank = (
            ops.reshape(x, (-1, self.width * size)) for x in (score, rank)
        )
        _, best = ops.top_k(rank, self.width)  # (B, W)
        best = ops.cast(best, "int32")
        score = ops.take_along_axis(score, best, axis=-1)
        ids = ops.reshape(best % size, (-1,))
        return ids, ops.reshape(score, (-1,)), best // size

    def lp(self, length):
        length = ops.cast(length, "float32")
        return ((5.0 + length) / 6.0) ** self.length_penalty

    def cp(self, attention, mask):
        covered = ops.clip(ops.sum(attention, axis=1), 1e-9, 1.0)  # (R, S)
        missed = ops.where(mask, ops.log(covered), 0.0)
        return self.coverage_penalty * ops.sum(missed, axis=-1)

    def finish(self, search, fill):
        """Rank the W hypotheses of each row by s(Y), the best first."""
        attention = search.get("attention")
        score = search["score"] / self.lp(search["length"])
        if self.coverage_penalty:
            if attention is None:
                raise ValueError(
                    "`coverage_penalty` needs a model with attention. "
                    f"Received coverage_penalty={self.coverage_penalty}."
                )
            mask = search["state"]["source"]["mask"]
            score = score + self.cp(attention, mask)
        real = search["score"] > FORBIDDEN / 2  # else no such hypothesis
        score = ops.where(real, score, -float("inf"))
        said = ops.where(real[:, None], search["said"], fill)
        score = ops.reshape(score, (-1, self.width))
        score, order = ops.top_k(score, self.width if self.return_all else 1)
        said = self.ranked(said, order)
        if attention is not None:
            attention = self.ranked(attention, order)
        return said, score if self.return_all else score[:, 0], attention

    def ranked(self, x, order):
        """Reorder (R, ...) by order (B, N): (B, N, ...), or (B, ...)."""
        x = ops.take(x, beam_rows(order, self.width), axis=0)
        if not self.return_all:
            return x
        return ops.reshape(x, (-1, self.width, *ops.shape(x)[1:]))
