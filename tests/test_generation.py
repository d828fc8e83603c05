"""The compiled decoding loop: threads, memory, new weights, compilations."""

import gc
import threading
import weakref

import keras
import numpy as np
import pytest
from cases import VOCAB, ids
from keras import ops

from keras_seq.generation import (
    BeamSearch,
    Greedy,
    Sampling,
    WithoutCache,
    compiled_loop,
    decoding_loop,
    generate,
)
from keras_seq.generation.prompts import bucket_length
from keras_seq.models import GPT, RecurrentLM, Transformer

BACKEND = keras.backend.backend()
MODELS = {
    "recurrent": (RecurrentLM, (VOCAB, 7), {}),
    "gpt": (GPT, (VOCAB, 14), {"num_heads": 2, "num_layers": 1}),
}
PROMPTS = np.abs(ids()) + (ids() == 0)


def built(kind):
    keras.utils.set_random_seed(2)
    if kind == "transformer":
        model = Transformer(VOCAB, VOCAB, 14, num_heads=2, num_layers=1)
        model({"source": PROMPTS, "target": PROMPTS})
    else:
        cls, sizes, options = MODELS[kind]
        model = cls(*sizes, **options)
        model(PROMPTS)
    model.set_weights([3 * w for w in model.get_weights()])
    return model


@pytest.mark.tensorflow_only
@pytest.mark.parametrize(
    "sampler", [Greedy(), Sampling(seed=3), BeamSearch(2)], ids=str
)
@pytest.mark.parametrize("kind", [*MODELS, "transformer"])
def test_a_compiled_loop_gives_the_tokens_of_an_eager_one(
    kind, sampler, request
):
    model = built(kind)
    compiled = generate(model, PROMPTS, sampler, max_length=6)
    request.getfixturevalue("eager_functions")
    eager = generate(built(kind), PROMPTS, sampler, max_length=6)
    np.testing.assert_array_equal(compiled.ids, eager.ids)
    np.testing.assert_allclose(compiled.scores, eager.scores, atol=1e-4)


def in_threads(calls):
    """Run functions at the same time; return their results in order."""
    results, start = [None] * len(calls), threading.Barrier(len(calls))

    def run(index):
        start.wait()
        try:
            results[index] = calls[index]()
        except Exception as error:  # compared with the expected result
            results[index] = error

    threads = [
        threading.Thread(target=run, args=(i,)) for i in range(len(calls))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@pytest.mark.parametrize("kind", MODELS)
def test_16_threads_get_16_equal_answers(kind):
    model = built(kind)
    expected = generate(model, PROMPTS, max_length=5)
    model = built(kind)  # compiled by one of the threads

    def call():
        return generate(model, PROMPTS, max_length=5)

    for found in in_threads([call] * 16) + in_threads([call] * 16):
        assert not isinstance(found, Exception), found
        assert np.array_equal(found.ids, expected.ids)
        assert np.allclose(found.scores, expected.scores, atol=1e-5)


def test_threads_may_use_different_settings_of_one_model():
    model = built("recurrent")
    settings = [
        (Greedy(), 4),
        (Greedy(), 6),
        (Sampling(seed=3), 4),
        (BeamSearch(2), 4),
    ]
    calls = [
        lambda sampler=sampler, length=length: (
            generate(model, PROMPTS, sampler, max_length=length).ids
        )
        for sampler, length in settings * 4
    ]
    # Another thread predicts with the same weights, in the same time.
    logits = ops.convert_to_numpy(model(PROMPTS))
    calls.append(lambda: ops.convert_to_numpy(model(PROMPTS)))
    *found, predicted = in_threads(calls)
    expected = [call() for call in calls[:4]]
    for n, each in enumerate(found):
        assert np.array_equal(each, expected[n % 4]), each
    assert np.allclose(predicted, logits, atol=1e-5)


@pytest.mark.parametrize("wrapper", [lambda model: model, WithoutCache])
@pytest.mark.usefixtures("quick_collection")
def test_a_model_is_freed_after_generation(wrapper):
    alive = []
    for _ in range(3):
        model = built("gpt")
        generate(wrapper(model), PROMPTS, max_length=3)
        generate(wrapper(model), PROMPTS, BeamSearch(2), max_length=3)
        alive.append(weakref.ref(model))
        del model
    gc.collect()
    assert [reference() for reference in alive] == [None] * 3


@pytest.mark.parametrize("kind", MODELS)
def test_new_weights_are_used(kind, tmp_path):
    model, other = built(kind), built(kind)
    other.set_weights([-w for w in other.get_weights()])
    first = generate(model, PROMPTS, max_length=5)
    expected = generate(other, PROMPTS, max_length=5)
    assert not np.array_equal(first.ids, expected.ids)
    weights = model.get_weights()
    model.set_weights(other.get_weights())
    changed = generate(model, PROMPTS, max_length=5)
    assert np.array_equal(changed.ids, expected.ids)
    assert np.allclose(changed.scores, expected.scores, atol=1e-5)
    model.set_weights(weights)
    model.save_weights(tmp_path / "model.weights.h5")
    other.load_weights(tmp_path / "model.weights.h5")
    assert np.array_equal(generate(other, PROMPTS, max_length=5).ids, first.ids)


@pytest.mark.usefixtures("quick_collection")
def test_a_model_quantized_after_generation_generates():
    model, twin = built("recurrent"), built("recurrent")
    generate(model, PROMPTS, max_length=5)
    model.quantize("int8")
    twin.quantize("int8")
    found = generate(model, PROMPTS, max_length=5)
    assert np.array_equal(found.ids, generate(twin, PROMPTS, max_length=5).ids)


def test_generation_leaves_no_trace_in_a_saved_model(tmp_path):
    model = built("gpt")
    before = len(model.variables), len(list(model.layers))
    expected = generate(model, PROMPTS, max_length=5).ids
    assert before == (len(model.variables), len(list(model.layers)))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert np.array_equal(generate(loaded, PROMPTS, max_length=5).ids, expected)


@pytest.mark.parametrize("sampler", [Greedy(), BeamSearch(3)])
@pytest.mark.parametrize("kind", ["gpt", "transformer"])
def test_caches_that_grow_change_nothing(kind, sampler, monkeypatch):
    model = built(kind)
    expected = generate(model, PROMPTS, sampler, max_length=9)
    monkeypatch.setattr(decoding_loop, "FIRST_LENGTH", 2)
    assert decoding_loop.cache_ends(model, 9) == [2, 4, 8, 9]
    found = generate(built(kind), PROMPTS, sampler, max_length=9)
    assert np.array_equal(found.ids, expected.ids)
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-5)


def test_bucket_lengths_are_few_and_close():
    lengths = [bucket_length(n) for n in range(1, 1025)]
    assert all(n <= b <= max(n, 1.5 * n) for n, b in enumerate(lengths, 1))
    assert len(set(lengths)) == 20


def count_starts(model, monkeypatch):
    """Count how many times `start` is traced, or runs on PyTorch."""
    starts, start = [], model.start

    def counted(*args, **kwargs):
        starts.append(args)
        return start(*args, **kwargs)

    monkeypatch.setattr(model, "start", counted)
    return starts


@pytest.mark.skipif(BACKEND == "torch", reason="PyTorch compiles nothing")
@pytest.mark.parametrize("kind", MODELS)
def test_similar_prompt_lengths_are_compiled_once(kind, monkeypatch):
    model = built(kind)
    expected = [
        generate(built(kind), np.ones((2, n), "int32"), max_length=4).ids
        for n in (9, 12)
    ]
    starts = count_starts(model, monkeypatch)
    found = [
        generate(model, np.ones((2, n), "int32"), max_length=4).ids
        for n in (9, 10, 11, 12)
    ]
    # JAX: one bucket. TensorFlow: once for 9, once for any length.
    assert len(starts) == (1 if BACKEND == "jax" else 2)
    assert np.array_equal(found[0], expected[0])
    assert np.array_equal(found[-1], expected[1])


def test_a_prompt_of_the_greatest_length_is_not_padded_beyond_it():
    model = GPT(VOCAB, 8, num_heads=2, num_layers=1, max_sequence_length=13)
    model(PROMPTS)
    found = generate(model, np.ones((2, 9), "int32"), max_length=5)
    assert found.ids.shape == (2, 5)
    wide = Transformer(
        VOCAB,
        VOCAB,
        8,
        num_layers=1,
        position_encoding="learned",
        max_sequence_length=5,
    )
    wide({"source": PROMPTS[:, :5], "target": PROMPTS[:, :2]})
    source = np.ones((2, 5), "int32")
    found = generate(wide, source, max_length=3)
    assert found.attention.shape == (2, 3, 5)


def test_attention_has_the_length_of_the_source():
    model = Transformer(VOCAB, VOCAB, 8, num_layers=1)
    model({"source": PROMPTS, "target": PROMPTS})
    for length in (5, 7, 11):
        source = np.ones((2, length), "int32")
        attention = generate(model, source, max_length=3).attention
        assert attention.shape == (2, 3, length)
        assert np.allclose(attention[:, 0].sum(-1), 1, atol=1e-5)


def test_only_the_latest_settings_are_kept(monkeypatch):
    monkeypatch.setattr(compiled_loop, "MAX_LOOPS", 2)
    model = RecurrentLM(VOCAB, 5, cell="rnn")
    model(PROMPTS)
    first = compiled_loop.compiled_loop(model, Greedy(), 1, None)
    for length in (2, 3):
        compiled_loop.compiled_loop(model, Greedy(), length, None)
    second = compiled_loop.compiled_loop(model, Greedy(), 1, None)
    assert second is not first
    assert compiled_loop.compiled_loop(model, Greedy(), 1, None) is second


def test_a_sampler_whose_options_are_not_fields_raises():
    class Kth(Greedy):
        def __init__(self, k):
            super().__init__()
            object.__setattr__(self, "k", k)

    with pytest.raises(ValueError, match=r"dataclass.*Received.*\['k'\]"):
        generate(built("recurrent"), PROMPTS, Kth(2), max_length=2)
