"""Laws of masks and of generation, for every model."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from cases import BATCH, LENGTH, VOCAB, ids
from keras import ops

from keras_seq.generation import (
    BeamSearch,
    Greedy,
    Sampling,
    WithoutCache,
    generate,
)
from keras_seq.layers import GRU, LSTM, ChronoInitializer, TokenEmbedding
from keras_seq.models import GPT, RecurrentLM

pytestmark = pytest.mark.usefixtures("eager_functions")

LANGUAGE_MODELS = {
    **{
        cell: (RecurrentLM, {"units": 7, "cell": cell})
        for cell in ("rnn", "gru", "lstm")
    },
    "gpt": (GPT, {"hidden_dim": 14, "num_heads": 2, "max_sequence_length": 37}),
}
MODELS = {
    f"{kind} {dtype}": (kind, dtype)
    for kind in LANGUAGE_MODELS
    for dtype in ("float32", "mixed_bfloat16")
}


@pytest.fixture(scope="session", params=MODELS)
def model(request, tmp_path_factory):
    """Make a model of sharpened weights, reloaded from a file."""
    kind, dtype = MODELS[request.param]
    keras.utils.set_random_seed(1)
    cls, options = LANGUAGE_MODELS[kind]
    layers = 1 if (kind, dtype) == ("gpt", "mixed_bfloat16") else 2
    made = cls(VOCAB, **options, num_layers=layers, dtype=dtype)
    made(ids())
    made.set_weights([3 * w for w in made.get_weights()])
    path = tmp_path_factory.mktemp("laws") / "model.keras"
    made.save(path)
    return keras.models.load_model(path)


def numbers(x):
    return ops.convert_to_numpy(x)


def logits(model, x):
    return ops.convert_to_numpy(ops.cast(model(x), "float32"))


def is_half(model):
    return model.dtype_policy.name != "float32"


def test_padding_added_changes_no_real_output(model):
    x = ids()
    for padding in (((0, 0), (0, 2)), ((0, 0), (2, 0))):
        wider = np.pad(x, padding)
        y, z = logits(model, wider)[wider != 0], logits(model, x)[x != 0]
        # The sums of a GPT grow longer, by zeros; and some processors cut a
        # product of more rows into other blocks, which round otherwise.
        single, half = (1e-5, 0.05) if isinstance(model, GPT) else (1e-6, 0.0)
        close = half if is_half(model) else single
        np.testing.assert_allclose(y, z, rtol=0, atol=close)


def test_future_tokens_cannot_change_the_past(model):
    x = ids()
    other = x.copy()
    other[:, 3:] = 1 + other[:, 3:] % (VOCAB - 1)
    assert np.array_equal(logits(model, x)[:, :3], logits(model, other)[:, :3])


def test_a_row_of_padding_gives_no_nan(model):
    assert np.isfinite(logits(model, np.zeros_like(ids()))).all()
    found = generate(model, np.zeros_like(ids()), max_length=3)
    assert np.isfinite(found.scores).all()


def test_step_logits_equal_the_logits_of_the_whole_sequence(model):
    x = np.abs(ids()) + (ids() == 0)
    whole = logits(model, x)
    token, state = model.start(x[:, :1])
    for t in range(LENGTH):
        step, state = model.step(token, state)
        step = ops.convert_to_numpy(ops.cast(step, "float32"))
        close = 0.05 if is_half(model) else 1e-5
        np.testing.assert_allclose(step, whole[:, t], atol=close)
        token = x[:, min(t + 1, LENGTH - 1)]


def greedy_by_hand(model, row, length, end_id=None):
    """Feed the growing prefix at each step."""
    row, new, score = [t for t in row if t], [], 0.0
    for _ in range(length):
        y = logits(model, np.array([row + new]))[0, -1].astype("float64")
        y[model.pad_id] = -np.inf
        new.append(int(y.argmax()))
        score += y.max() - np.log(np.exp(y).sum())
        if new[-1] == end_id:
            break
    return new + [0] * (length - len(new)), score


def test_greedy_decoding_equals_the_growing_prefix(model):
    if is_half(model):
        pytest.skip("bfloat16 ties are broken by the order of the sums")
    found = generate(model, ids(), max_length=4)
    for row, new, score in zip(ids(), found.ids, found.scores):
        expected, expected_score = greedy_by_hand(model, row, 4)
        assert list(new) == expected
        np.testing.assert_allclose(score, expected_score, atol=1e-4)


def test_without_cache_generates_the_same_tokens(model):
    if is_half(model):
        pytest.skip("bfloat16 ties are broken by the order of the sums")
    uncached = WithoutCache(model)
    for prompt in (ids(), ids()[:, ::-1]):  # of one shape: compiled once
        again = generate(uncached, prompt, max_length=7)
        once = generate(model, prompt, max_length=7)
        assert np.array_equal(again.ids, once.ids)
        np.testing.assert_allclose(again.scores, once.scores, atol=1e-4)


def test_each_row_ends_at_its_own_end_token(model):
    free = generate(model, ids(), max_length=6).ids
    end = int(free[0, 1])
    stopped = generate(model, ids(), max_length=6, end_id=end).ids
    for with_end, without in zip(stopped, free):
        ends = np.flatnonzero(without == end)
        keep = ends[0] + 1 if len(ends) else 6
        assert np.array_equal(with_end[:keep], without[:keep])
        assert not with_end[keep:].any()


def test_padding_is_never_generated(model):
    hot = generate(model, ids(), Sampling(temperature=50.0), max_length=29)
    assert (hot.ids != 0).all()


def test_a_row_alone_generates_what_it_generates_in_a_batch(model):
    together = generate(model, ids(), max_length=5).ids
    alone = [generate(model, x[None], max_length=5).ids[0] for x in ids()]
    assert np.array_equal(together, alone)


def test_the_same_seed_gives_the_same_tokens(model):
    a, b, c = (
        generate(model, ids(), Sampling(seed=s), max_length=11).ids
        for s in (1, 1, 2)
    )
    assert np.array_equal(a, b) and not np.array_equal(a, c)


@pytest.mark.parametrize(
    "sampler",
    [Sampling(top_k=1), Sampling(top_p=1e-6), Sampling(temperature=1e-4)],
)
def test_sampling_in_the_limit_is_greedy(model, sampler):
    if is_half(model):
        pytest.skip("bfloat16 ties are broken by the order of the sums")
    limit = generate(model, ids(), sampler, max_length=5).ids
    assert np.array_equal(limit, generate(model, ids(), max_length=5).ids)


P = np.array([0.0, 0.4, 0.1, 0.2, 0.3], "float32")


def shares(sampler, count=40_000):
    """Measure how often each of five tokens is drawn, for their P."""
    noise = ops.convert_to_tensor((np.arange(count) + 0.5) / count, "float32")
    logits = ops.convert_to_tensor(np.log(P + 1e-30), "float32")
    chosen = sampler.choose(ops.tile(logits[None], (count, 1)), noise)
    return np.bincount(ops.convert_to_numpy(chosen), minlength=5) / count


@pytest.mark.parametrize(
    "sampler, expected",
    [
        (Sampling(), P),
        (Sampling(top_k=2), [0, 4 / 7, 0, 0, 3 / 7]),
        (Sampling(top_k=99), P),
        (Sampling(top_p=0.5), [0, 4 / 7, 0, 0, 3 / 7]),
        (Sampling(top_p=1.0), P),
        (Sampling(top_k=2, top_p=0.5), [0, 1, 0, 0, 0]),
        (Sampling(temperature=0.5), P**2 / (P**2).sum()),
        (Greedy(), [0, 1, 0, 0, 0]),
    ],
    ids=repr,
)
def test_tokens_are_drawn_by_their_probability(sampler, expected):
    np.testing.assert_allclose(shares(sampler), expected, atol=1e-3)


@pytest.mark.parametrize(
    "arguments",
    [
        {"temperature": 0},
        {"temperature": 1e10},
        {"temperature": "a"},
        {"top_k": 0},
        {"top_p": 0.0},
        {"top_p": 1.1},
        {"seed": -1},
        {"repetition_penalty": "a"},
    ],
)
def test_an_invalid_argument_of_sampling_is_named(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        Sampling(**arguments)


def test_generate_validates_model_and_length(model):
    with pytest.raises(ValueError, match="max_length"):
        generate(model, ids(), max_length=0)
    with pytest.raises(ValueError, match="not built"):
        generate(RecurrentLM(VOCAB, 7), ids(), max_length=1)
    with pytest.raises(ValueError, match="start"):
        generate(keras.Sequential(), ids(), max_length=1)


@pytest.mark.parametrize("shape", [(BATCH,), (BATCH, 0)])
def test_a_prompt_of_a_wrong_shape_is_an_error(model, shape):
    with pytest.raises(ValueError, match="prompt"):
        generate(model, np.ones(shape, "int32"), max_length=1)


def test_a_stateful_model_continues_from_its_last_batch():
    x = ids()
    whole = RecurrentLM(VOCAB, 7, num_layers=2)
    halves = RecurrentLM(VOCAB, 7, num_layers=2, stateful=True)
    whole(x), halves(x[:, :3])
    for ours, theirs in zip(halves.trainable_weights, whole.trainable_weights):
        ours.assign(theirs)
    halves.reset_states()
    y = np.concatenate([logits(halves, x[:, :3]), logits(halves, x[:, 3:])], 1)
    expected = logits(whole, x)
    np.testing.assert_allclose(y[x != 0], expected[x != 0], atol=1e-6)


def test_ids_in_half_precision_are_an_error():
    with pytest.raises(ValueError, match="ids"):
        TokenEmbedding(VOCAB, 7)(ops.ones((2, 3), "bfloat16"))


def test_generation_does_not_change_a_stateful_model():
    x = ids()
    model = RecurrentLM(VOCAB, 7, stateful=True)
    twin = RecurrentLM(VOCAB, 7)
    model(x), twin(x)
    for theirs, ours in zip(twin.trainable_weights, model.trainable_weights):
        theirs.assign(numbers(ours).copy())
    before = [w.copy() for w in model.get_weights()]
    found = generate(model, x[:1], max_length=3).ids
    assert np.array_equal(found, generate(twin, x[:1], max_length=3).ids)
    assert all(map(np.array_equal, before, model.get_weights()))


def test_sampling_under_a_global_half_precision_policy():
    keras.config.set_dtype_policy("mixed_bfloat16")
    model = RecurrentLM(VOCAB, 7)
    model(ids())
    found = generate(model, ids(), Sampling(seed=0), max_length=5)
    assert (found.ids > 0).all() and np.isfinite(found.scores).all()


@pytest.mark.skipif(
    keras.backend.backend() == "jax",
    reason="JAX has float64 only with JAX_ENABLE_X64",
)
@pytest.mark.parametrize("kind", LANGUAGE_MODELS)
@pytest.mark.parametrize("sampler", [Sampling(seed=0), BeamSearch(num_beams=2)])
def test_generation_in_double_precision(request, kind, sampler):
    cls, options = LANGUAGE_MODELS[kind]
    options = {**options, "num_layers": 1}
    narrow = cls(VOCAB, **options)
    narrow(ids())
    single = generate(narrow, ids(), sampler, max_length=4)
    request.addfinalizer(lambda: keras.config.set_floatx("float32"))
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    wide = cls(VOCAB, **options)
    wide(ids())
    wide.set_weights(narrow.get_weights())
    found = generate(wide, ids(), sampler, max_length=4)
    assert np.array_equal(single.ids, found.ids)
    np.testing.assert_allclose(single.scores, found.scores, rtol=1e-4)


DOUBLE = """
import numpy as np
from keras_seq.generation import BeamSearch, Sampling, WithoutCache, generate
from keras_seq.generation import generate_speculatively
from keras_seq.models import GPT, BahdanauSeq2Seq, RecurrentLM

ids = np.array([[5, 4, 3], [3, 4, 0]])
gpt = GPT(13, 8, num_layers=1, num_heads=2, max_sequence_length=9)
lm = RecurrentLM(13, 7, cell="gru")
gpt(ids), lm(ids)
for model in (gpt, WithoutCache(gpt), lm):
    for sampler in (Sampling(seed=0), BeamSearch(num_beams=2)):
        assert generate(model, ids, sampler, max_length=3).ids.shape == (2, 3)
found = generate_speculatively(gpt, gpt, ids, max_length=3, num_draft_tokens=1)
assert found.ids.shape == (2, 3)
model = BahdanauSeq2Seq(13, 13, 7)
model({"source": ids, "target": ids})
assert generate(model, ids, max_length=3).attention.shape == (2, 3, 3)
"""


@pytest.mark.skipif(
    keras.backend.backend() != "jax", reason="the others always have float64"
)
def test_generation_where_jax_has_64_bits():
    subprocess.run(
        [sys.executable, "-c", DOUBLE],
        env={**os.environ, "JAX_ENABLE_X64": "1"},
        check=True,
    )


def test_a_prompt_may_be_a_list(model):
    found = generate(model, ids().tolist(), max_length=2).ids
    assert np.array_equal(found, generate(model, ids(), max_length=2).ids)


@pytest.mark.parametrize("end_id", [0, VOCAB, -1, "a"])
def test_an_invalid_end_token_is_an_error(model, end_id):
    with pytest.raises(ValueError, match="end_id"):
        generate(model, ids(), max_length=1, end_id=end_id)


@pytest.mark.parametrize("sampler", [None, Sampling, "greedy"])
def test_an_invalid_sampler_is_an_error(model, sampler):
    with pytest.raises(ValueError, match="sampler"):
        generate(model, ids(), sampler, max_length=1)


def test_chrono_initialization_is_not_overwritten_silently():
    bias = ChronoInitializer(10)
    with pytest.raises(ValueError, match="unit_forget_bias"):
        LSTM(3, bias_initializer=bias)
    with pytest.raises(ValueError, match="shape"):
        GRU(3, bias_initializer=bias).build((None, None, 2))


def test_chrono_initialization_sets_the_time_constants():
    bias = ChronoInitializer(100, seed=1)
    layer = LSTM(64, bias_initializer=bias, unit_forget_bias=False)
    layer.build((None, None, 2))
    i, f, g, o = np.split(layer.get_weights()[-1], 4)
    spans = 1 + np.exp(f)  # 1 / (1 - sigmoid(f))
    assert spans.min() > 2 and 50 < spans.max() < 101
    assert np.array_equal(i, -f) and not g.any() and not o.any()


@pytest.mark.parametrize(
    "inputs",
    [[["a"]], [[1.5, 2.0]], [[1, 2], [3]], [[1, -3]], [[1, 1000]], [[]]],
)
def test_a_prompt_that_is_not_ids_is_an_error(model, inputs):
    with pytest.raises(ValueError, match="`inputs`"):
        generate(model, inputs, max_length=1)
