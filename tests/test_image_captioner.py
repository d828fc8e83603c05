"""ImageCaptioner: its grid, its attention maps, its steps."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_seq.generation import generate
from keras_seq.models import ImageCaptioner, ResNet

SIDES = 13, 22
SIZES = {"target_vocabulary_size": 17, "units": 7, "filters": (3, 5)}


def draw_images():
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (2, *SIDES, 3)).astype("uint8")


def assert_close(*values):
    """Compare tensors, of whatever backend."""
    one, other = map(ops.convert_to_numpy, values)
    np.testing.assert_allclose(one, other, atol=1e-5)


def make(**options):
    keras.utils.set_random_seed(3)
    model = ImageCaptioner(**SIZES, **options)
    model({"images": draw_images(), "target": np.array([[2, 5]] * 2)})
    return model


@pytest.mark.parametrize("strides", [1, 2])
def test_the_grid_has_the_shape_of_the_features(strides):
    model = ResNet(7, (2, 3, 3), num_blocks=1, input_strides=strides)
    features = model.features(np.zeros((1, *SIDES, 3), "float32"))
    assert features.shape == (1, *model.grid_shape(*SIDES), 3)


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_each_word_has_attention_weights_over_the_grid(cell):
    model = make(cell=cell)
    found = generate(model, draw_images(), max_length=4)
    h, w = model.grid_shape(*SIDES)
    assert found.attention.shape == (2, 4, h * w) == (2, 4, 24)
    np.testing.assert_allclose(found.attention[:, 0].sum(axis=-1), 1, atol=1e-5)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_steps_give_the_logits_of_teacher_forcing(cell):
    model, images = make(cell=cell), draw_images()
    target = np.array([[2, 5, 6], [2, 7, 3]])
    logits, weights = model(
        {"images": images, "target": target}, return_attention_scores=True
    )
    ids, state = model.start(images)
    assert ops.convert_to_numpy(ids).tolist() == [2, 2]
    for t in range(3):
        each, state = model.step(target[:, t], state)
        assert_close(each, logits[:, t])
        assert_close(state["attention"], weights[:, t])


def test_integer_pixels_are_divided_by_255():
    model, images = make(), draw_images()
    target = np.array([[2, 5]] * 2)
    whole = model({"images": images, "target": target})
    shares = model({"images": images / np.float32(255), "target": target})
    assert_close(whole, shares)


def test_another_image_gives_another_caption_probability():
    model = make()
    target = np.array([[2, 5]] * 2)
    logits = model({"images": draw_images(), "target": target})
    one, other = ops.convert_to_numpy(logits)
    assert abs(one - other).max() > 1e-3


def test_float_images_give_the_words_of_uint8_images():
    model, images = make(), draw_images()
    scaled = images.astype("float32") / 255
    found = [generate(model, x, max_length=3).ids for x in (images, scaled)]
    np.testing.assert_array_equal(*found)
