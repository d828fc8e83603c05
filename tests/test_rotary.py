"""Rotary position embeddings: the rotation, and models that use it."""

import keras
import numpy as np
import pytest
from cases import VOCAB, ids
from keras import ops

from keras_seq.generation import WithoutCache, generate
from keras_seq.layers import (
    MultiHeadAttention,
    RotaryEmbedding,
    TransformerDecoder,
)
from keras_seq.layers.key_value_cache import empty_cache, project_key_value
from keras_seq.models import GPT

HEADS, WIDTH, LENGTH = 2, 6, 9


def numbers(x):
    return ops.convert_to_numpy(ops.cast(x, "float32"))


def floats(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def gpt(**options):
    keras.utils.set_random_seed(3)
    model = GPT(
        VOCAB,
        8,
        num_heads=2,
        num_layers=2,
        max_sequence_length=24,
        dropout=0.0,
        position_encoding="rotary",
        **options,
    )
    model.build((None, None))
    for weight in model.trainable_variables:
        weight.assign(keras.random.normal(weight.shape))
    return model


def test_pairs_are_rotated_as_complex_numbers():
    x, positions = floats(3, LENGTH, HEADS, WIDTH), np.arange(27).reshape(3, 9)
    rate = 100.0 ** (-2 * np.arange(WIDTH // 2) / WIDTH)
    turned = np.exp(1j * positions[:, :, None, None] * rate)
    a, b = np.split(x, 2, axis=-1)
    z = (a + 1j * b) * turned
    found = numbers(RotaryEmbedding(max_wavelength=100)(x, positions))
    expected = np.concatenate([z.real, z.imag], axis=-1)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_scores_depend_on_the_distance_alone():
    keras.utils.set_random_seed(1)
    layer = MultiHeadAttention(HEADS, WIDTH, rotary=True)
    x = floats(2, LENGTH, 5)
    first = layer(x, positions=np.arange(LENGTH)[None])
    later = layer(x, positions=np.arange(LENGTH)[None] + 100)
    other = layer(x, positions=2 * np.arange(LENGTH)[None])
    np.testing.assert_allclose(numbers(first), numbers(later), atol=1e-4)
    np.testing.assert_array_equal(numbers(layer(x)), numbers(first))
    assert np.abs(numbers(other) - numbers(first)).max() > 1e-3


def test_without_rotary_positions_have_no_effect():
    layer, x = MultiHeadAttention(HEADS, WIDTH), floats(2, LENGTH, 5)
    y = layer(x, positions=3 * np.arange(LENGTH)[None])
    np.testing.assert_array_equal(numbers(layer(x)), numbers(y))


def test_rotary_is_for_self_attention():
    layer = MultiHeadAttention(HEADS, WIDTH, rotary=True)
    with pytest.raises(ValueError, match="`value` must be None"):
        layer(floats(2, 3, 5), floats(2, 4, 5))


@pytest.mark.parametrize("shape", [(3, 5), (2, 3, 5), (1, 2, 3, 4, 6)])
def test_an_input_that_cannot_be_rotated_raises(shape):
    with pytest.raises(ValueError, match=r"`x` must be \(B, T, H, K\)"):
        RotaryEmbedding()(floats(*shape))


@pytest.mark.parametrize(
    ("pad_id", "prompt"),
    [
        (None, [[5, 4, 3]]),
        (0, [[5, 4, 3], [6, 0, 0]]),
        (0, [[5, 4, 3], [0, 0, 6]]),
    ],
    ids=["no padding", "right", "left"],
)
def test_the_cache_gives_the_tokens_of_the_whole_prefix(pad_id, prompt):
    model, prompt = gpt(pad_id=pad_id), np.array(prompt)
    cached = generate(model, prompt, max_length=7)
    whole = generate(WithoutCache(model), prompt, max_length=7)
    np.testing.assert_array_equal(cached.ids, whole.ids)
    np.testing.assert_allclose(cached.scores, whole.scores, atol=1e-4)


def test_padding_in_front_has_no_effect():
    model, x = gpt(), np.abs(ids())
    x[x == 0] = 1
    padded = np.pad(x, ((0, 0), (3, 0)))
    y = numbers(model(padded))[:, 3:]
    np.testing.assert_allclose(y, numbers(model(x)), atol=1e-4)


def test_each_packed_sequence_begins_at_position_0():
    model = gpt()
    packed = {
        "token_ids": np.array([[5, 4, 3, 7, 6]]),
        "segment_ids": np.array([[1, 1, 1, 2, 2]]),
    }
    logits = numbers(model(packed))
    for part in (slice(0, 3), slice(3, 5)):
        alone = numbers(model(packed["token_ids"][:, part]))
        np.testing.assert_allclose(logits[:, part], alone, atol=1e-4)


def test_the_order_of_the_tokens_has_an_effect():
    one, other = (
        numbers(gpt()(np.array([x])))[0, -1] for x in ([5, 4, 3], [4, 5, 3])
    )
    assert np.abs(one - other).max() > 1e-3


def test_an_input_longer_than_the_model_allows_raises():
    with pytest.raises(ValueError, match="at most 24 tokens"):
        gpt()(np.ones((1, 25), "int32"))


def test_a_rotary_model_has_no_position_embedding_and_is_saved(tmp_path):
    model, x = gpt(), ids()
    assert not any("position" in w.path for w in model.weights)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(numbers(loaded(x)), numbers(model(x)))


def test_steps_of_a_rotary_decoder_give_its_outputs():
    keras.utils.set_random_seed(1)
    block = TransformerDecoder(16, HEADS, rotary=True)
    x, memory = floats(2, 4, 8), floats(2, 5, 8)
    expected = numbers(block(x, memory))
    cache = empty_cache(block.self_attention, 2, 4)
    source = project_key_value(block.cross_attention, ops.array(memory))
    for t in range(4):
        mask = ops.arange(4) <= t
        y, cache = block.step(
            ops.array(x[:, t : t + 1]), cache, t, mask, source, None
        )
        np.testing.assert_allclose(numbers(y)[:, 0], expected[:, t], atol=1e-4)
