"""Speculative decoding gives the result of greedy decoding."""

import concurrent.futures
import gc
import types
import weakref

import keras
import numpy as np
import pytest
from cases import VOCAB, ids
from keras import ops

from keras_seq.generation import (
    WithoutCache,
    generate,
    generate_speculatively,
)
from keras_seq.generation.search_state import initial_search_state
from keras_seq.generation.speculative import speculative_loop, verify
from keras_seq.models import GPT, RecurrentLM

LENGTH = 11
JAX = keras.backend.backend() == "jax"


def gpt(vocabulary_size=VOCAB, hidden_dim=14, **options):
    options = {"num_heads": 2, "num_layers": 1, **options}
    model = GPT(vocabulary_size, hidden_dim, **options)
    model(ids() % vocabulary_size)
    return model


@pytest.fixture(scope="module")
def pair():
    """Make a model and a draft model, compiled once for all tests."""
    return gpt(), gpt()


SCALES = {"embeddings": 0.1, "kernel": 0.7}  # of other weights: 0


def draw_weights(model, draft_model, seed=0, deviation=0.1):
    """Draw weights that make sharp distributions; add noise for the draft."""
    draw = np.random.default_rng(seed)
    weights = [
        np.full(w.shape, 3.0)
        if w.name == "gamma"
        else draw.normal(size=w.shape) * SCALES.get(w.name, 0.0)
        for w in model.weights
    ]
    noise = [1 + deviation * draw.normal(size=w.shape) for w in weights]
    model.set_weights(weights)
    draft_model.set_weights([w * n for w, n in zip(weights, noise)])


def assert_greedy(model, draft_model, prompts, K=3, length=LENGTH, **options):
    options["max_length"] = length
    found = generate_speculatively(
        model, draft_model, prompts, num_draft_tokens=K, **options
    )
    expected = generate(model, prompts, **options)
    assert np.array_equal(found.ids, expected.ids)
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-4)
    assert found.ids.dtype == expected.ids.dtype
    assert found.attention is None
    return found


def counts(model, draft_model, prompts, K):
    """Return how often K tokens were proposed, and how many accepted."""
    loop = speculative_loop(model, draft_model, K, LENGTH, None)
    return tuple(int(count) for count in loop.run(prompts)[2:])


PROMPTS = {
    "one token": ids() * (np.arange(5) == 2),
    "padded on either side": ids(),
    "reversed": ids()[:, ::-1],
}


@pytest.mark.parametrize("K", [1, 2, 3, 4, 5, 6])
def test_the_result_is_that_of_greedy_decoding(pair, K):
    for seed, prompts in enumerate(PROMPTS.values()):
        draw_weights(*pair, seed=10 * K + seed)
        assert_greedy(*pair, prompts, K)


def test_some_proposals_are_accepted_and_some_are_not(pair):
    draw_weights(*pair)
    rounds, accepted = counts(*pair, ids(), K=3)
    assert 0 < accepted < 3 * rounds


def test_every_proposal_of_an_equal_model_is_accepted(pair):
    draw_weights(*pair, deviation=0)
    assert_greedy(*pair, ids(), K=4)
    assert counts(*pair, ids(), K=4) == (2, 8)


def test_the_model_may_be_its_own_draft_model(pair):
    draw_weights(*pair)
    assert_greedy(pair[0], pair[0], ids())


def test_no_proposal_of_the_least_likely_token_is_accepted(pair):
    draw_weights(*pair, deviation=0)
    norm = pair[1].layer_norm
    norm.set_weights([-w for w in norm.get_weights()])  # the logits too
    assert_greedy(*pair, ids(), K=4)
    assert counts(*pair, ids(), K=4) == (LENGTH - 4, 0)


def test_a_draft_model_of_another_size(pair):
    draw_weights(*pair)
    draft_model = gpt(hidden_dim=6, max_sequence_length=50)
    assert_greedy(pair[0], draft_model, ids())


@pytest.mark.parametrize("length", [1, 3])
def test_fewer_tokens_than_are_proposed(pair, length):
    draw_weights(*pair)
    found = generate_speculatively(*pair, ids(), max_length=length)
    expected = generate(pair[0], ids(), max_length=LENGTH).ids
    assert np.array_equal(found.ids, expected[:, :length])


def test_rows_end_at_different_times(pair):
    lengths = set()
    for seed in range(6):
        draw_weights(*pair, seed)
        found = assert_greedy(*pair, ids(), end_id=5)
        lengths |= set((found.ids > 0).sum(axis=1).tolist())
    assert len(lengths) > 3 and LENGTH in lengths


def test_the_end_token_follows_the_end_without_padding():
    model, draft_model = gpt(pad_id=None), gpt(pad_id=None)
    for seed in range(6):
        draw_weights(model, draft_model, seed)
        found = assert_greedy(model, draft_model, ids(), end_id=5).ids
        ended = np.cumsum(found == 5, axis=1) > 0
        assert (found[ended] == 5).all()
    assert not ended.all()


def test_the_last_position_is_reached_without_nan():
    model, draft_model = (gpt(max_sequence_length=9) for _ in range(2))
    for deviation in (0, 0.1):
        draw_weights(model, draft_model, deviation=deviation)
        found = assert_greedy(model, draft_model, ids(), K=4, length=5)
        assert np.isfinite(found.scores).all()


@pytest.mark.parametrize(
    "dtype",
    [
        "mixed_bfloat16",
        pytest.param(
            "mixed_float16",
            marks=pytest.mark.skipif(JAX, reason="fails on JAX's processor"),
        ),
    ],
)
def test_half_precision(dtype):
    model = gpt(dtype=dtype)
    found = generate_speculatively(model, model, ids(), max_length=LENGTH)
    assert ((found.ids > 0) & (found.ids < VOCAB)).all()
    assert np.isfinite(found.scores).all()


def test_two_threads_may_use_the_same_models(pair):
    draw_weights(*pair)
    expected = generate(pair[0], ids(), max_length=LENGTH).ids

    def call(K):
        return generate_speculatively(
            *pair, ids(), max_length=LENGTH, num_draft_tokens=K
        ).ids

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for found in pool.map(call, [2, 3, 2, 3]):
            assert np.array_equal(found, expected)


@pytest.mark.usefixtures("quick_collection")
def test_both_models_are_freed_after_generation():
    model, draft_model = gpt(), gpt()
    generate_speculatively(model, draft_model, ids(), max_length=2)
    alive = [weakref.ref(model), weakref.ref(draft_model)]
    del draft_model
    gc.collect()
    assert alive[0]() is model and alive[1]() is None
    del model
    gc.collect()
    assert alive[0]() is None


def logits(x):
    return ops.convert_to_numpy(ops.cast(x, "float32"))


def test_a_call_with_cache_gives_the_logits_of_steps(pair):
    model, _ = pair
    x = np.random.default_rng(1).integers(1, VOCAB, (3, 7))
    _, start = model.start(ids(), max_length=7)
    steps, state = [], start
    for t in range(7):
        y, state = model.step(x[:, t], state)
        steps.append(logits(y))
    first, state = model.call_with_cache(x[:, :4], start)
    last, _ = model.call_with_cache(x[:, 4:], state)
    found = np.concatenate([logits(first), logits(last)], axis=1)
    np.testing.assert_allclose(found, np.stack(steps, 1), atol=1e-4)


def test_removed_tokens_have_no_influence(pair):
    model, _ = pair
    x = np.random.default_rng(1).integers(1, VOCAB, (3, 7))
    _, state = model.start(ids(), max_length=7)
    _, state = model.call_with_cache(x[:, :2], state)
    expected, _ = model.call_with_cache(x[:, 2:4], state)
    _, other = model.call_with_cache(x[:, 3:], state)
    found, _ = model.call_with_cache(x[:, 2:4], model.trim_cache(other, 4))
    assert np.array_equal(logits(found), logits(expected))


def fixed(y, pad_id=0):
    """Make a model that predicts the tokens y, whatever it reads."""
    return types.SimpleNamespace(
        pad_id=pad_id,
        call_with_cache=lambda x, state: (10 * ops.one_hot(y, VOCAB), state),
        trim_cache=lambda state, num_tokens: int(num_tokens),
    )


def verified(x, y, finished, end_id=None):
    """Verify x, whose first column is the newest token, with y."""
    x, y = (np.array(each, "int32") for each in (x, y))
    search = initial_search_state(
        ops.convert_to_tensor(x[:, 0]), None, ops.zeros(len(x)), 7, 0
    )
    finished = ops.convert_to_tensor(np.array(finished))
    search = search._replace(finished=finished)
    model = fixed(ops.convert_to_tensor(y))
    return verify(model, search, ops.convert_to_tensor(x), end_id)


def test_the_row_with_the_fewest_accepted_proposals_decides():
    found = verified(
        x=[[1, 5, 6, 7], [1, 5, 6, 7]],
        y=[[5, 6, 8, 9], [5, 4, 7, 9]],  # 2 and 1 of 3 agree
        finished=[False, False],
    )
    assert int(found.step) == 2 and found.model_state == 2
    ids = ops.convert_to_numpy(found.generated_ids)
    assert ids[:, :4].tolist() == [[5, 6, 0, 0], [5, 4, 0, 0]]
    assert ops.convert_to_numpy(found.last_ids).tolist() == [6, 4]


def test_finished_rows_do_not_limit_the_others():
    found = verified(
        x=[[1, 5, 6, 7], [0, 9, 9, 9], [1, 5, 9, 9]],
        y=[[5, 6, 7, 8], [4, 4, 4, 4], [5, 2, 3, 4]],  # the last ends by 2
        finished=[False, True, False],
        end_id=2,
    )
    assert int(found.step) == 4 and found.model_state == 0
    ids = ops.convert_to_numpy(found.generated_ids)
    expected = [[5, 6, 7, 8], [0, 0, 0, 0], [5, 2, 0, 0]]
    assert ids[:, :4].tolist() == expected
    assert ops.convert_to_numpy(found.lengths).tolist() == [4, 0, 2]
    finished = ops.convert_to_numpy(found.finished).tolist()
    assert finished == [False, True, True]
    assert float(found.scores[1]) == 0


BAD = {
    "call_with_cache": lambda: {"model": recurrent()},
    "draft_model.*trim_cache": lambda: {"draft_model": recurrent()},
    "`model.*trim_cache, call_with_cache": lambda: {
        "model": WithoutCache(gpt())
    },
    "draft_model.*start, step": lambda: {"draft_model": None},
    "draft_model.*not built": lambda: {"draft_model": GPT(VOCAB, 8)},
    "vocabulary_size": lambda: {"draft_model": gpt(7)},
    "pad_id": lambda: {"draft_model": gpt(pad_id=None)},
    "max_length": lambda: {"max_length": 0},
    "num_draft_tokens": lambda: {"num_draft_tokens": 0},
    "num_draft_tokens=2.5": lambda: {"num_draft_tokens": 2.5},
    "end_id": lambda: {"end_id": VOCAB},
    "end_id=0": lambda: {"end_id": 0},
    "`inputs` must be int ids": lambda: {"inputs": [[1.5]]},
    "prompt": lambda: {"inputs": [1, 2]},
    "at most 2 tokens": lambda: {"draft_model": gpt(max_sequence_length=5)},
}


def recurrent():
    model = RecurrentLM(VOCAB, 7)
    model(ids())
    return model


@pytest.mark.parametrize("message", BAD)
def test_an_invalid_argument_is_an_error(message):
    model = gpt()
    arguments = {"model": model, "draft_model": model, "inputs": ids()}
    arguments |= {"max_length": 4, **BAD[message]()}
    with pytest.raises(ValueError, match=message):
        generate_speculatively(**arguments)
