"""Speculative decoding: a small draft model proposes, the model verifies.

Autoregressive decoding calls a large model once for each token, and each call
reads all of its weights from memory. A call that reads five tokens takes
hardly longer than a call that reads one. So a small draft model proposes K
tokens, one after another, and the large model reads all of them in one call:
it predicts the next token after each. Proposals are accepted from left to
right, as long as each is the token that the large model itself predicts; the
first that is not is replaced by that prediction. A call gives 1 to K + 1
tokens, and they are those of greedy decoding, whatever the draft model is.

    x_1 ... x_K     = greedy decoding of the draft model after x_0
    y_0 ... y_K     = argmax(model([x_0 x_1 ... x_K]))   # y_i follows x_i
    a               = largest number with x_i = y_i-1 for i = 1 ... a
    accept y_0 ... y_a, and remove the last K - a tokens from both caches

x_0 is the newest token, which neither model has read. The caches are key-value
caches: what a removed token left there is masked, and overwritten later.

Shapes: B batch, T prompt length, L generated length, K draft tokens, V
    vocabulary.
Paper: Leviathan, Kalman & Matias (2023), arXiv:2211.17192, algorithm 1; Chen et
    al. (2023), arXiv:2302.01318, algorithm 2; greedy, with a model that
    proposes several tokens at once: Stern, Shazeer & Uszkoreit (2018),
    arXiv:1811.03115, section 3.
Differs from the paper: greedy decoding only. All rows of a batch accept as many
    tokens as the row with the fewest. The last tokens, K or fewer, are
    generated one at a time, so that no token is read beyond the last one.
"""

import numpy as np
from keras import ops

from keras_seq import checks
from keras_seq.generation.compiled_loop import compiled_loop
from keras_seq.generation.decoding import (
    GREEDY,
    check_generation,
    input_arrays,
)
from keras_seq.generation.decoding_loop import (
    Generated,
    check_end_id,
    end_and_fill_id,
    exclude_padding,
)
from keras_seq.generation.prompts import pad_to_bucket, vocabulary_size
from keras_seq.generation.search_state import initial_search_state


def generate_speculatively(
    model, draft_model, inputs, *, max_length, num_draft_tokens=4, end_id=None
):
    """Generate by speculative decoding: greedy decoding in fewer calls.

    The result is that of `Greedy()`, unless tokens are equally likely up to
    rounding. The larger the batch, the fewer proposals all rows accept.

    Args:
        model: a built `GPT`, or another `AutoregressiveModel` with
            `call_with_cache` and `trim_cache`.
        draft_model: a faster one, of the same vocabulary, with `trim_cache`.
        inputs: prompt ids, int (B, T), padded on either side.
        max_length: int > 0, the largest number of tokens to add, L.
        num_draft_tokens: int > 0, the number of proposals K. Default 4.
        end_id: optional int, the end token, as in `generate`. Default None:
            the model's `end_id`, if it has one.
    Returns:
        `Generated(ids, scores, None)`, NumPy: int (B, L) and float (B,).
    Raises:
        ValueError: if an argument is invalid, or a model is not built.
    Example:
        >>> model, draft_model = GPT(13, 8), GPT(13, 4, num_layers=1)
        >>> prompts = np.array([[5, 4, 3], [3, 4, 0]])
        >>> _ = model(prompts), draft_model(prompts)
        >>> found = generate_speculatively(
        ...     model, draft_model, prompts, max_length=7)
        >>> found.ids.shape
        (2, 7)
    """
    max_length, num_draft_tokens = checks.positive_int(
        max_length=max_length, num_draft_tokens=num_draft_tokens
    )
    check_generation(model, GREEDY, end_id)
    check_models(model, draft_model)
    loop = speculative_loop(
        model, draft_model, num_draft_tokens, max_length, end_id
    )
    inputs = _arrays(loop, model, draft_model, inputs, max_length)
    return Generated(*loop.run(inputs)[:2])


def _arrays(loop, model, draft_model, inputs, max_length):
    """Convert the inputs to NumPy, validated and padded for both models."""
    for each in (model, draft_model):
        inputs = input_arrays(each, inputs, max_length)
    if not loop.jit_compile:
        return inputs
    padded = (
        pad_to_bucket(each, inputs, max_length) for each in (model, draft_model)
    )
    return min(padded, key=np.size)  # XLA compiles each length anew


def speculative_loop(model, draft_model, *settings):
    """Return the compiled `decode_speculatively`, a `GenerationModel`."""
    return compiled_loop(
        model, *settings, loop=decode_speculatively, draft_model=draft_model
    )


def decode_speculatively(
    model, draft_model, inputs, num_draft_tokens, max_length, end_id=None
):
    """Run the loops of speculative decoding on tensors.

    Args:
        model: as in `generate_speculatively`.
        draft_model: as there.
        inputs: int tensor (B, T), prompts.
        num_draft_tokens: int > 0, K.
        max_length: int > 0, L.
        end_id: optional int. Default None: the model's own.
    Returns:
        ids, int32 (B, L); scores, float32 (B,); and two int32 scalars: how
        many times K tokens were proposed, and how many proposals all rows
        accepted.
    """
    K = min(num_draft_tokens, max_length - 1)
    search, draft_state = _start(model, draft_model, inputs, max_length, end_id)

    def one_round(search, draft_state, rounds):
        x, draft_state = propose(draft_model, search.last_ids, draft_state, K)
        verified = verify(model, search, x, end_id)
        rejected = K + 1 - (verified.step - search.step)
        draft_state = draft_model.trim_cache(draft_state, rejected)
        return verified, draft_state, rounds + 1

    def one_token(search):
        return (verify(model, search, search.last_ids[:, None], end_id),)

    search, _, rounds = ops.while_loop(
        unfinished(max_length - K),
        one_round,
        (search, draft_state, ops.zeros_like(search.step)),
    )
    accepted = search.step - rounds  # the model adds a token each time
    (search,) = ops.while_loop(unfinished(max_length), one_token, (search,))
    return search.generated_ids, search.scores, rounds, accepted


def unfinished(length):
    """Return a loop condition: rows are unfinished, below this length."""

    def condition(search, *_):
        growing = ops.logical_not(ops.all(search.finished))
        return ops.logical_and(growing, search.step < length)

    return condition


def _start(model, draft_model, inputs, max_length, end_id):
    """Let both models read the prompts; allocate the buffers."""
    ids, state = model.start(inputs, max_length=max_length)
    _, draft_state = draft_model.start(inputs, max_length=max_length)
    scores = GREEDY.initial_scores(ids)
    _, fill_id = end_and_fill_id(model, end_id)
    search = initial_search_state(ids, state, scores, max_length, fill_id)
    return search, draft_state


def propose(draft_model, ids, state, num_draft_tokens):
    """Generate K tokens with the draft model, by greedy decoding.

    Args:
        draft_model: as in `generate_speculatively`.
        ids: int32 (B,), the newest token x_0.
        state: the draft model's state before it.
        num_draft_tokens: int > 0, K.
    Returns:
        x_0 ... x_K, int32 (B, K + 1), and the state after all of them.
    """
    x = [ids]
    for _ in range(num_draft_tokens + 1):
        logits, state = draft_model.step(x[-1], state)
        logits = exclude_padding(logits, draft_model.pad_id)
        x.append(ops.cast(ops.argmax(logits, axis=-1), "int32"))
    # The last step only writes x_K to the cache: it may be accepted.
    return ops.stack(x[:-1], axis=1), state


def verify(model, search, x, end_id=None):
    """Accept the proposals that are greedy, and one token after them.

    Args:
        model: as in `generate_speculatively`.
        search: `SearchState`, `model_state` is the state before x_0.
        x: int32 (B, K + 1), x_0 ... x_K; K may be 0.
        end_id: optional int. Default None: the model's own.
    Returns:
        `SearchState` of a + 1 tokens more.
    """
    end_id, fill_id = end_and_fill_id(model, end_id)
    logits, state = model.call_with_cache(x, search.model_state)
    check_end_id(end_id, logits.shape[-1], model.pad_id)
    log_p = ops.log_softmax(exclude_padding(logits, model.pad_id), axis=-1)
    y = ops.cast(ops.argmax(log_p, axis=-1), "int32")  # (B, K + 1)
    ended = _ended(search.finished, y, end_id)
    # What follows the end of a row need not agree.
    agrees = ops.logical_or(x[:, 1:] == y[:, :-1], ended[:, 1:-1])
    agrees = ops.cast(ops.all(agrees, axis=0), "int32")  # (K,)
    a = ops.cast(ops.sum(ops.cumprod(agrees)), "int32")
    accepted = ops.arange(x.shape[1], dtype="int32") <= a
    growing = ops.logical_and(accepted, ops.logical_not(ended[:, :-1]))
    gain = ops.where(growing, ops.max(log_p, axis=-1), 0.0)
    y = ops.where(growing, y, fill_id)
    column = (ops.zeros_like(search.step), search.step)  # JAX: of one dtype
    return search._replace(
        step=search.step + a + 1,
        last_ids=ops.take(y, a, axis=1),
        finished=ops.take(ended, a + 1, axis=1),
        generated_ids=ops.slice_update(search.generated_ids, column, y),
        lengths=search.lengths + ops.cast(ops.sum(growing, axis=1), "int32"),
        scores=search.scores + ops.cast(ops.sum(gain, axis=1), "float32"),
        model_state=model.trim_cache(state, x.shape[1] - 1 - a),
    )


def _ended(finished, y, end_id):
    """Return whether a row has ended before each of y: bool (B, K + 2)."""
    ends = ops.zeros_like(y) if end_id is None else ops.equal(y, end_id)
    ends = ops.concatenate(
        [ops.cast(each, "int32") for each in (finished[:, None], ends)], axis=1
    )
    return ops.cumsum(ends, axis=1) > 0


def check_models(model, draft_model):
    """Raise a ValueError if two models do not fit speculative decoding."""
    needed = "start", "step", "trim_cache"
    for name, each, methods in (
        ("model", model, (*needed, "call_with_cache")),
        ("draft_model", draft_model, needed),
    ):
        missing = [method for method in methods if not hasattr(each, method)]
        if missing:
            raise ValueError(
                f"`{name}` must have the methods {', '.join(methods)}, as "
                f"`GPT` has. Received {name}={each!r}, which has no "
                f"{', '.join(missing)}."
            )
        checks.built(each, name)
    ours, theirs = (
        (vocabulary_size(each, "target_vocabulary_size"), each.pad_id)
        for each in (model, draft_model)
    )
    if ours != theirs:
        raise ValueError(
            "`draft_model` must have the vocabulary_size and pad_id of "
            f"`model`. Received {theirs} and {ours}."
        )
