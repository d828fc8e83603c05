"""BeamSearch: keep several hypotheses, and choose between whole sequences.

Greedy decoding can miss the most likely sequence, because the best first token
may not be part of it. Beam search keeps the W best hypotheses, extends each by
every token, and keeps the W best of those W * V. Each token lowers the
probability, so the plain sum of log-probabilities prefers short sentences; and
a decoder may translate half of its source twice and the other half never. Two
penalties correct this:

    s(Y)  = log P(Y) / lp(Y) + cp(Y)
    lp(Y) = ((5 + |Y|) / (5 + 1))^alpha             # length_penalty = alpha
    cp(Y) = beta * sum_s log(min(sum_t a_ts, 1))    # coverage_penalty = beta

A finished hypothesis stays in its beam unchanged (padding follows with
probability 1), and is ranked by log P / lp together with the unfinished ones.

Shapes: B batch, W beams, R = B * W rows, L generated length, V vocabulary,
    S source length.
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
from keras_seq.generation.samplers import (
    EXCLUDED_LOGIT,
    PADDING_LOGIT,
    Sampler,
)
from keras_seq.generation.search_state import beam_rows


@dataclasses.dataclass(frozen=True, kw_only=True)
class BeamSearch(Sampler):
    """Search for the most likely sequence, keeping several hypotheses.

    The scores are s(Y); without penalties, sums of log-probabilities.

    Args:
        num_beams: int > 0, number of hypotheses W.
        length_penalty: float >= 0, alpha; 0 ranks by probability alone,
            larger values prefer longer sequences. Default 0.6.
        coverage_penalty: float >= 0, beta; lowers the rank of hypotheses that
            leave source tokens without attention. Needs a model with
            attention. Default 0.
        return_all_beams: bool, return all W hypotheses, the best first: ids
            (B, W, L), scores (B, W), attention (B, W, L, S). If there are
            fewer than W, the rest is padding with a score of -inf. Default
            False.
        min_length: int >= 0, number of tokens before the end token is
            allowed. Default 0.
        repetition_penalty: float >= 1, divides the logits of the tokens
            generated so far (multiplies the negative ones). Default 1, no
            penalty.
        no_repeat_ngram_size: int >= 0, n: no n-gram is generated twice.
            Default 0, no constraint.
    Raises:
        ValueError: if an argument is outside its range.
    Example:
        >>> model = keras_seq.models.Seq2Seq(13, 11, 7)
        >>> source = np.array([[5, 4, 3]])
        >>> tuple(model({"source": source, "target": source}).shape)
        (1, 3, 11)
        >>> sampler = BeamSearch(2, return_all_beams=True)
        >>> generate(model, source, sampler, max_length=4).ids.shape
        (1, 2, 4)
    """

    num_beams: int = dataclasses.field(kw_only=False)
    length_penalty: float = 0.6
    coverage_penalty: float = 0.0
    return_all_beams: bool = False

    def __post_init__(self):
        super().__post_init__()
        checks.positive_int(num_beams=self.num_beams)
        for name in ("length_penalty", "coverage_penalty"):
            value = getattr(self, name)
            number = isinstance(value, numbers.Real) and math.isfinite(value)
            if not number or value < 0:
                raise ValueError(
                    f"`{name}` must be a finite number >= 0. Received "
                    f"{name}={value!r}."
                )

    def initial_scores(self, ids):
        """Exclude all beams of a row but the first: they are equal so far."""
        first = ops.arange(ops.shape(ids)[0]) % self.num_beams == 0
        return ops.cast(ops.where(first, 0.0, PADDING_LOGIT), "float32")

    def next_tokens(self, search, log_p, noise, fill_id, top_k_fn=ops.top_k):
        """Keep the W best of all W * V extensions of a row's hypotheses."""
        size, finished = log_p.shape[-1], search.finished
        stay = ops.where(ops.arange(size) == fill_id, 0.0, PADDING_LOGIT)
        stay = ops.cast(stay, log_p.dtype)  # `where` returned floatx
        log_p = ops.where(finished[:, None], stay, log_p)
        scores = search.scores[:, None] + log_p  # (R, V)
        growing = ops.cast(ops.logical_not(finished), "int32")
        penalty = self.lp(search.lengths + growing)
        ranks = ops.reshape(
            scores / penalty[:, None], (-1, self.num_beams * size)
        )
        scores = ops.reshape(scores, (-1, self.num_beams * size))
        _, best = top_k_fn(ranks, self.num_beams)  # (B, W)
        best = ops.cast(best, "int32")
        scores = ops.take_along_axis(scores, best, axis=-1)
        ids = ops.reshape(best % size, (-1,))
        return ids, ops.reshape(scores, (-1,)), best // size

    def lp(self, lengths):
        """Return the length penalty lp(Y): int (R,) -> float32 (R,)."""
        lengths = ops.cast(lengths, "float32")
        return ((5.0 + lengths) / 6.0) ** self.length_penalty

    def cp(self, attention, mask):
        """Return the coverage penalty cp(Y), float (R,)."""
        covered = ops.clip(ops.sum(attention, axis=1), 1e-9, 1.0)  # (R, S)
        logs = ops.where(mask, ops.log(covered), 0.0)
        return self.coverage_penalty * ops.sum(logs, axis=-1)

    def results(self, search, fill_id, top_k_fn=ops.top_k):
        """Rank the W hypotheses of each row by s(Y), the best first."""
        attention = search.attention
        scores = search.scores / self.lp(search.lengths)
        if self.coverage_penalty:
            if not search.has_attention:
                raise ValueError(
                    "`coverage_penalty` needs a model with attention. "
                    f"Received coverage_penalty={self.coverage_penalty}."
                )
            mask = search.model_state["source"]["mask"]
            scores = scores + self.cp(attention, mask)
        exists = search.scores > EXCLUDED_LOGIT / 2
        scores = ops.where(exists, scores, -float("inf"))
        ids = ops.where(exists[:, None], search.generated_ids, fill_id)
        scores = ops.reshape(scores, (-1, self.num_beams))
        kept = self.num_beams if self.return_all_beams else 1
        scores, order = top_k_fn(scores, kept)
        ids = self._ranked(ids, order)
        if search.has_attention:
            attention = self._ranked(attention, order)
        return ids, scores if self.return_all_beams else scores[:, 0], attention

    def _ranked(self, x, order):
        """Reorder (R, ...) by order (B, N): (B, N, ...), or (B, ...)."""
        x = ops.take(x, beam_rows(order, self.num_beams), axis=0)
        if not self.return_all_beams:
            return x
        return ops.reshape(x, (-1, self.num_beams, *ops.shape(x)[1:]))
