"""The decoding loop: autoregressive generation, the same for every model.

A model predicts the probability distribution of the next token; a sampler
chooses a token; the token is the model's next input. Each row ends at its own
end token, and the loop ends when all rows have ended.

    logits, state = step(ids, state)
    log_p = log_softmax(constrain(logits))
    ids   = sampler(log_p)

Shapes: B batch, W beams of a row (1 except in beam search), R = B * W rows,
    L generated length, V vocabulary, S source length.
Paper: none.
Differs from the paper: nothing.
"""

import typing

import keras
from keras import ops

from keras_seq.generation.samplers import PADDING_LOGIT
from keras_seq.generation.search_state import initial_search_state

FIRST_LENGTH = 64  # steps, the first length of the caches


class Generated(typing.NamedTuple):
    """Hold the result of `generate`.

    Attributes:
        ids: int (B, L), the new tokens; padding after the end token.
        scores: float (B,), sum of the tokens' log-probabilities in nats,
            under the model (not under a temperature), without the tokens
            that the sampler's constraints exclude; of a `BeamSearch` s(Y),
            which its penalties change.
        attention: float (B, L, S), the weight of each source token at each
            step, 0 after the end; None if the model has no attention.

    With `BeamSearch(return_all_beams=True)` an axis W follows each B.

    Example:
        >>> model = keras_seq.models.RecurrentLM(13, 7)
        >>> prompt = np.array([[5, 4, 3]])
        >>> tuple(model(prompt).shape)
        (1, 3, 13)
        >>> found = generate(model, prompt, max_length=4)
        >>> found.ids.shape, found.scores.shape, found.attention
        ((1, 4), (1,), None)
    """

    ids: typing.Any
    scores: typing.Any
    attention: typing.Any = None


def decode(
    model, inputs, noise, sampler, max_length, end_id=None, top_k_fn=ops.top_k
):
    """Run the decoding loop on tensors, inside any compiled function.

    Args:
        model: a built `AutoregressiveModel`.
        inputs: tensor, prompts or sources.
        noise: float32 (B, L), from `sampler.draw_noise`.
        sampler: a `Sampler`.
        max_length: int > 0, L.
        end_id: optional int. Default None: the model's own.
        top_k_fn: function like `keras.ops.top_k`.
    Returns:
        `Generated`, of tensors.
    """
    end_id, fill_id = end_and_fill_id(model, end_id)
    noise = ops.repeat(noise, sampler.num_beams, axis=0)

    def one_step(search):
        step = search.step
        logits, model_state = model.step(search.last_ids, search.model_state)
        search = search._replace(model_state=model_state)
        log_p = _log_probabilities(model, logits, sampler, search, end_id)
        ids, scores, parents = sampler.next_tokens(
            search, log_p, ops.take(noise, step, axis=1), fill_id, top_k_fn
        )
        search = search.reorder(parents)
        return (search.append(ids, scores, end_id),)

    ends = cache_ends(model, max_length)
    search = _start(model, inputs, sampler, max_length, ends[0], fill_id)
    for start, end in zip([0, *ends], ends):
        if start > 0:
            search = _extended(model, search, end - start)
        (search,) = ops.while_loop(
            _unfinished, one_step, (search,), maximum_iterations=end - start
        )
    ids, scores, attention = sampler.results(search, fill_id, top_k_fn)
    return Generated(ids, scores, attention if search.has_attention else None)


def _unfinished(search):
    return ops.logical_not(ops.all(search.finished))


def _extended(model, search, length):
    """Extend the caches of the model's state for more steps."""
    state = model.extend_state(search.model_state, length)
    return search._replace(model_state=state)


def cache_ends(model, max_length):
    """Return the numbers of steps after which the key-value caches are full.

    A step attends to the whole cache, its empty part too. So a cache is
    first allocated for `FIRST_LENGTH` tokens, then extended to twice as many,
    and so on.

    Args:
        model: an `AutoregressiveModel`; one without `extend_state` has no
            cache that grows.
        max_length: int > 0, the largest number of steps.
    Returns:
        list of int; the last is `max_length`.
    Example:
        >>> from keras_seq.generation.decoding_loop import cache_ends
        >>> model = keras_seq.models.GPT(13, 8, num_layers=1)
        >>> cache_ends(model, 300)
        [64, 128, 256, 300]
    """
    ends, end = [], FIRST_LENGTH
    while hasattr(model, "extend_state") and end < max_length:
        ends.append(end)
        end *= 2
    return [*ends, max_length]


def _start(model, inputs, sampler, max_length, first_length, fill_id):
    """Read the prompts, and make `num_beams` rows of each."""
    ids, model_state = keras.tree.map_structure(
        lambda x: ops.repeat(x, sampler.num_beams, axis=0),
        model.start(inputs, max_length=first_length),
    )
    scores = sampler.initial_scores(ids)
    return initial_search_state(ids, model_state, scores, max_length, fill_id)


def _log_probabilities(model, logits, sampler, search, end_id):
    """Exclude padding and what the sampler excludes: float32 (R, V)."""
    check_end_id(end_id, logits.shape[-1], model.pad_id)
    logits = ops.cast(logits, "float32")
    logits = sampler.constrain(
        logits, search.generated_ids, search.step, end_id
    )
    return ops.log_softmax(exclude_padding(logits, model.pad_id), axis=-1)


def end_and_fill_id(model, end_id):
    """Return the end token and the id that follows it.

    Args:
        model: an `AutoregressiveModel`.
        end_id: optional int; None: the model's own, if it has one.
    Returns:
        int or None, the end token; and int, what a finished row is filled
        with.
    """
    end_id = getattr(model, "end_id", None) if end_id is None else int(end_id)
    fill_id = next(i for i in (model.pad_id, end_id, 0) if i is not None)
    return end_id, fill_id


def check_end_id(end_id, size, pad_id):
    """Raise a ValueError if an end token is padding, or not below `size`."""
    if end_id is not None and (end_id >= size or end_id == pad_id):
        raise ValueError(
            "`end_id` must be a token other than padding. Received "
            f"end_id={end_id}, {size} tokens, pad_id={pad_id}."
        )


def exclude_padding(logits, pad_id):
    """Make padding impossible: float (..., V) -> float32 (..., V)."""
    logits = ops.cast(logits, "float32")
    if pad_id is None:
        return logits
    is_padding = ops.arange(logits.shape[-1]) == pad_id
    return ops.where(is_padding, PADDING_LOGIT, logits)
