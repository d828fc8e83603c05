"""ResNet: the equations of its paper, sizes, and images of any size."""

import keras
import numpy as np
import pytest
from cases import images
from keras import ops

from keras_seq.models import ResNet, ViT
from keras_seq.models.resnet import count_params


def numbers(x):
    return ops.convert_to_numpy(ops.cast(x, "float32"))


def convolved(x, kernel, stride=1):
    """Convolve pixel by pixel, with zeros beyond the edge."""
    _, H, W, _ = x.shape
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    places = [range(0, size, stride) for size in (H, W)]
    return np.stack(
        [
            np.stack(
                [
                    np.einsum(
                        "bhwc,hwcf->bf",
                        padded[:, y : y + 3, x : x + 3],
                        kernel,
                    )
                    for x in places[1]
                ],
                axis=1,
            )
            for y in places[0]
        ],
        axis=1,
    )


def normed(x, norm):
    gamma, beta, mean, variance = map(numbers, norm.weights)
    return gamma * (x - mean) / np.sqrt(variance + 1e-5) + beta


def by_hand(model, x):
    """Compute the logits of a ResNet by the equations."""

    def function(part, x):
        kernel = numbers(part.conv.kernel)
        return normed(convolved(x, kernel, part.strides), part.batch_norm)

    x = np.maximum(function(model.input_conv, x), 0)
    for block in model.blocks:
        y = np.maximum(function(block.conv_1, x), 0)
        y = function(block.conv_2, y)
        around = np.zeros_like(y)
        around[..., : x.shape[-1]] = x[:, :: block.strides, :: block.strides]
        x = np.maximum(around + y, 0)
    kernel, bias = map(numbers, model.head.weights)
    return x.mean(axis=(1, 2)) @ kernel + bias


@pytest.mark.parametrize("input_strides", [1, 2, 3])
@pytest.mark.parametrize("size", [(6, 7), (1, 1)])
def test_logits_equal_the_equations(size, input_strides):
    model = ResNet(
        7, (3, 5), num_blocks=2, input_strides=input_strides, channels=2
    )
    model.build()
    draw = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(draw.uniform(0.1, 0.5, weight.shape))
        if "kernel" in weight.path:
            weight.assign(draw.normal(0.0, 0.3, weight.shape))
    x = draw.normal(size=(3, *size, 2)).astype("float32")
    wanted = by_hand(model, x)
    np.testing.assert_allclose(numbers(model(x)), wanted, rtol=1e-4, atol=1e-4)


def test_batch_statistics_are_used_in_training_only():
    model = ResNet(7, (3, 5), num_blocks=1, channels=2)
    before = numbers(model(images()))
    assert np.array_equal(numbers(model(images())), before)
    model(images(), training=True)
    assert not np.array_equal(numbers(model(images())), before)
    alone = numbers(model(images()[:1]))
    assert np.allclose(alone, numbers(model(images()))[:1], atol=1e-5)


def test_frozen_batch_norms_do_not_change_even_after_loading(tmp_path):
    model = ResNet(7, (3, 5), num_blocks=1, channels=2)
    wanted = numbers(model(images()))
    model.trainable = False
    model.save(tmp_path / "frozen.keras")
    for each in (model, keras.models.load_model(tmp_path / "frozen.keras")):
        assert np.array_equal(numbers(each(images(), training=True)), wanted)
        each.trainable = True
        each(images(), training=True)
        assert not np.array_equal(numbers(each(images())), wanted)


@pytest.mark.parametrize("size", [(None, None), (None, 15)])
def test_images_may_have_an_unknown_size(size):
    model = ResNet(7, (3, 5, 5), num_blocks=1, input_strides=2, channels=2)
    inputs = keras.Input((*size, 2))
    around = keras.Model(inputs, model(inputs))
    for H in (6, 7, 9):
        x = np.ones((2, H, 15, 2), "float32")
        assert np.allclose(numbers(around(x)), numbers(model(x)), atol=1e-5)


@pytest.mark.parametrize("filters", [(3,), (3, 5), (4, 4, 9)])
@pytest.mark.parametrize("num_blocks", [1, 2])
def test_count_params_equals_the_number_of_weights(filters, num_blocks):
    model = ResNet(7, filters, num_blocks=num_blocks, channels=2)
    model.build()
    there = sum(np.prod(weight.shape) for weight in model.trainable_weights)
    assert count_params(7, filters, num_blocks, 2) == there


@pytest.mark.parametrize("units, near", [(24, 0.04), (96, 0.02), (192, 0.01)])
def test_from_param_count_is_close_to_a_vit(units, near):
    vit = ViT(10, units, image_size=8, patch_size=2, channels=1)
    vit.build()
    wanted = vit.count_params()
    model = ResNet.from_param_count(wanted, 10, channels=1)
    options = {name: model.config[name] for name in ("filters", "num_blocks")}
    found = count_params(10, channels=1, **options)
    assert abs(found / wanted - 1) < near


def test_from_param_count_below_the_smallest_model_raises():
    least = count_params(10, (1, 2, 4), num_blocks=3, channels=3)
    assert ResNet.from_param_count(least, 10).config["filters"] == (1, 2, 4)
    with pytest.raises(
        ValueError, match=f"`param_count` must be at least {least}"
    ):
        ResNet.from_param_count(least - 1, 10)


def test_from_param_count_takes_input_strides():
    model = ResNet.from_param_count(50_000, 7, input_strides=2, channels=2)
    assert model.config == {
        **ResNet.from_param_count(50_000, 7, channels=2).config,
        "input_strides": 2,
    }


@pytest.mark.parametrize(
    "name", ["param_count", "num_classes", "num_blocks", "input_strides"]
)
def test_from_param_count_names_an_invalid_argument(name):
    good = {"param_count": 1000, "num_classes": 10, "num_blocks": 1}
    with pytest.raises(ValueError, match=f"`{name}`"):
        ResNet.from_param_count(**{**good, name: 0})


@pytest.mark.parametrize("shape", [(3, 6, 15, 3), (3, 6, 15)])
def test_images_with_other_channels_raise(shape):
    with pytest.raises(ValueError, match=r"`images`.*C = 2"):
        ResNet(7, channels=2)(np.zeros(shape, "float32"))


def test_images_may_be_integers():
    model, x = ResNet(3, (2, 3, 5)), np.arange(2 * 7 * 5 * 3) % 256
    x = x.reshape(2, 7, 5, 3)
    expected = numbers(model(x.astype("float32")))
    assert np.allclose(numbers(model(x.astype("uint8"))), expected, atol=1e-5)
