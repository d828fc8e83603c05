"""Samplers: choose the next token from the model's probability distribution.

Greedy decoding takes the most likely token at every step, and tends to repeat
itself: "I am sure. I am sure." Sampling draws from the distribution,
which avoids repetition. But there are so many unlikely tokens that one of them
is drawn too often. A temperature below 1 makes the probable tokens more
probable; top-k keeps the k most probable tokens; top-p keeps the fewest tokens
whose probabilities add up to at least p. Every sampler has further options.

    Greedy     id = argmax(log p)
    Sampling   id ~ softmax(log p / temperature), within top_k and top_p

Shapes: B batch, W beams of a row (1 except in beam search), R = B * W rows,
    L generated length, V vocabulary.
Paper: top-k: Fan, Lewis & Dauphin (2018), arXiv:1805.04833; nucleus (top-p):
    Holtzman et al. (2020), arXiv:1904.09751, section 3.1; repetition penalty:
    Keskar et al. (2019), arXiv:1909.05858, section 4.1; no repeated n-grams:
    Paulus, Xiong & Socher (2018), arXiv:1705.04304, section 2.5.
Differs from the paper: the repetition penalty multiplies a negative logit,
    since dividing it would make the token more likely; penalty and n-gram
    rule count generated tokens only, not those of the prompt.
"""

import dataclasses
import numbers

import keras
from keras import ops

from keras_seq import checks

# Logits of excluded tokens: finite, since -inf - -inf is not a number.
PADDING_LOGIT = -1e9
EXCLUDED_LOGIT = -1e8  # still above padding


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sampler:
    """Base class of the samplers: the constraints on what is generated.

    To write another sampler, subclass `Greedy`, or `Sampling` if it needs
    random numbers, and override `choose` (in KerasHub: `get_next_token`).
    `noise` is a column of `draw_noise`: uniform random numbers in `Sampling`,
    zeros in `Greedy`. A sampler with options must be a dataclass, as below:
    compiled loops are kept by its fields. A search that keeps several
    hypotheses of a row, as `BeamSearch` does, overrides `num_beams`,
    `initial_scores`, `next_tokens` and `results`.

    Args:
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
        >>> import dataclasses
        >>> from keras_seq.generation.samplers import EXCLUDED_LOGIT
        >>> @dataclasses.dataclass(frozen=True, kw_only=True)
        ... class MinP(Sampling):  # Nguyen et al. (2024), arXiv:2407.01082
        ...     min_p: float = 0.1  # as a fraction of the best token's p
        ...     def choose(self, log_probabilities, noise, top_k_fn=ops.top_k):
        ...         best = ops.max(log_probabilities, axis=-1, keepdims=True)
        ...         kept = log_probabilities >= best + np.log(self.min_p)
        ...         log_p = ops.where(kept, log_probabilities, EXCLUDED_LOGIT)
        ...         return super().choose(log_p, noise, top_k_fn)
        >>> sampler, noise = MinP(min_p=0.5), ops.array([0.99], "float32")
        >>> log_p = ops.log(ops.array([[0.02, 0.9, 0.08]], "float32"))
        >>> int(sampler.choose(log_p, noise)[0])
        1
    """

    min_length: int = 0
    repetition_penalty: float = 1.0
    no_repeat_ngram_size: int = 0

    num_beams = 1  # hypotheses of each row; unannotated: not a field

    def __post_init__(self):
        checks.not_negative_int(
            min_length=self.min_length,
            no_repeat_ngram_size=self.no_repeat_ngram_size,
        )
        penalty = self.repetition_penalty
        if not isinstance(penalty, numbers.Real) or not penalty >= 1:
            raise ValueError(
                "`repetition_penalty` must be a number >= 1. Received "
                f"repetition_penalty={self.repetition_penalty!r}."
            )

    def draw_noise(self, shape):
        """Return zeros, float32 (B, L): this sampler does not draw."""
        return ops.zeros(shape, dtype="float32")

    def choose(self, log_probabilities, noise, top_k_fn=ops.top_k):
        """Choose the next token of each row.

        Args:
            log_probabilities: float32 (R, V), after `constrain`.
            noise: float32 (R,) in [0, 1), a column of `draw_noise`.
            top_k_fn: function like `keras.ops.top_k`.
        Returns:
            int (R,).
        """
        raise NotImplementedError

    def constrain(self, logits, generated_ids, step, end_id):
        """Apply the constraints to the logits.

        Args:
            logits: float32 (R, V).
            generated_ids: int (R, L), of which `step` columns are written.
            step: int scalar.
            end_id: int or None, the end token.
        Returns:
            float32 (R, V).
        """
        size = logits.shape[-1]
        if self.repetition_penalty != 1:
            written = ops.arange(generated_ids.shape[1], dtype="int32") < step
            written = ops.broadcast_to(written[None], ops.shape(generated_ids))
            rate = self.repetition_penalty
            lowered = ops.where(logits > 0, logits / rate, logits * rate)
            seen = _contains(generated_ids, written, size)
            logits = ops.where(seen, lowered, logits)
        if self.no_repeat_ngram_size:
            repeated = _completes_ngram(
                generated_ids, step, self.no_repeat_ngram_size, size
            )
            logits = ops.where(repeated, EXCLUDED_LOGIT, logits)
        if self.min_length and end_id is not None:
            too_early = ops.logical_and(
                ops.arange(size) == end_id, step < self.min_length
            )
            logits = ops.where(too_early, EXCLUDED_LOGIT, logits)
        return logits

    def initial_scores(self, ids):
        """Return the scores before the first step, float32 (R,)."""
        return ops.cast(ops.zeros_like(ids), "float32")

    def next_tokens(self, search, log_p, noise, fill_id, top_k_fn=ops.top_k):
        """Choose the next token of each row.

        Args:
            search: `SearchState`.
            log_p: float32 (R, V), log-probabilities of the next token.
            noise: float32 (R,) in [0, 1).
            fill_id: int, the id that follows the end token.
            top_k_fn: function like `keras.ops.top_k`.
        Returns:
            ids, int32 (R,); scores, float32 (R,); and parents, int (B, W),
            the beam that each row continues, or None if each continues
            itself.
        """
        ids = ops.cast(self.choose(log_p, noise, top_k_fn), "int32")
        gain = ops.take_along_axis(log_p, ids[:, None], axis=-1)[:, 0]
        gain = ops.where(search.finished, 0.0, gain)
        ids = ops.where(search.finished, fill_id, ids)
        return ids, search.scores + gain, None

    def results(self, search, fill_id, top_k_fn=ops.top_k):
        """Return ids, scores and attention of a search that is over."""
        return search.generated_ids, search.scores, search.attention


@dataclasses.dataclass(frozen=True, kw_only=True)
class Greedy(Sampler):
    """Take the most likely token at every step.

    Args:
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
        >>> model = keras_seq.models.RecurrentLM(13, 7)
        >>> prompt = np.array([[5, 4, 3]])
        >>> tuple(model(prompt).shape)
        (1, 3, 13)
        >>> generate(model, prompt, Greedy(), max_length=4).ids.shape
        (1, 4)
    """

    def choose(self, log_probabilities, noise, top_k_fn=ops.top_k):
        """Return the most likely token: float (R, V) -> int (R,)."""
        return ops.argmax(log_probabilities, axis=-1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sampling(Sampler):
    """Draw each token from the model's probability distribution.

    Args:
        temperature: float in [1e-6, 1e6]; below 1 sharpens the distribution,
            above 1 flattens it. Default 1.
        top_k: optional int > 0, keep only the k most likely tokens. Default
            None.
        top_p: optional float in [1e-9, 1], keep the fewest most likely tokens
            whose probabilities sum to at least p. Default None.
        seed: optional int >= 0; the same seed gives the same tokens. Default
            None: new tokens at each call (see
            `keras.utils.set_random_seed`).
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
        >>> model = keras_seq.models.RecurrentLM(13, 7)
        >>> prompt = np.array([[5, 4, 3]])
        >>> tuple(model(prompt).shape)
        (1, 3, 13)
        >>> sampler = Sampling(temperature=0.8, top_p=0.9, seed=1)
        >>> generate(model, prompt, sampler, max_length=4).ids.shape
        (1, 4)
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    seed: int | None = None

    def __post_init__(self):
        super().__post_init__()
        # Beyond these the logits exceed the resolution of float32.
        checks.within(1e-6, 1e6, temperature=self.temperature)
        if self.seed is not None:
            checks.not_negative_int(seed=self.seed)
        if self.top_k is not None:
            checks.positive_int(top_k=self.top_k)
        if self.top_p is not None:
            checks.within(1e-9, 1, top_p=self.top_p)

    def draw_noise(self, shape):
        """Draw the random numbers of all steps, float32 (B, L) in [0, 1)."""
        seed = None if self.seed is None else int(self.seed)
        return keras.random.uniform(shape, dtype="float32", seed=seed)

    def choose(self, log_probabilities, noise, top_k_fn=ops.top_k):
        """Draw by inverse transform: float (R, V), noise (R,) -> int (R,)."""
        size = log_probabilities.shape[-1]
        p = ops.softmax(log_probabilities / self.temperature, axis=-1)
        p, ids = top_k_fn(p, min(self.top_k or size, size))  # most likely first
        if self.top_p is not None:
            total = ops.sum(p, axis=-1, keepdims=True)
            before = ops.cumsum(p, axis=-1) - p
            p = ops.where(before < self.top_p * total, p, 0.0)
        cumulative = ops.cumsum(p, axis=-1)
        passed = cumulative <= noise[:, None] * cumulative[:, -1:]
        rank = ops.sum(ops.cast(passed, "int32"), axis=-1, keepdims=True)
        return ops.take_along_axis(ids, rank, axis=-1)[:, 0]


def _contains(ids, keep, size):
    """Mark the kept ids of each row: int, bool (R, N) -> bool (R, size)."""
    rows = ops.arange(ops.shape(ids)[0], dtype="int32")[:, None]
    where = ops.stack([ops.broadcast_to(rows, ops.shape(ids)), ids], axis=-1)
    count = ops.scatter(
        ops.reshape(where, (-1, 2)),
        ops.reshape(ops.cast(keep, "int32"), (-1,)),
        (ops.shape(ids)[0], size),
    )
    return count > 0


def _completes_ngram(ids, step, n, size):
    """Mark the tokens that would repeat an n-gram: bool (R, size)."""
    windows = ids.shape[1] - n + 1
    if windows < 1:  # the buffer is shorter than n tokens
        return ops.zeros((1, size), dtype="bool")
    same = ops.arange(windows, dtype="int32")[None] + n - 1 < step
    for k in range(n - 1):  # compare the last n - 1 tokens with each window
        last = ops.take(ids, ops.maximum(step - n + 1 + k, 0), axis=1)[:, None]
        same = ops.logical_and(same, ids[:, k : k + windows] == last)
    same = ops.broadcast_to(same, ops.shape(ids[:, n - 1 :]))
    return _contains(ids[:, n - 1 :], same, size)
