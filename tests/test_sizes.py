"""Published parameter counts."""

import math
import types
from unittest import mock

import keras
import pytest

from keras_seq.layers import GRU, LSTM, SimpleRNN
from keras_seq.models import BERT, GPT, RecurrentLM, ResNet, Transformer, ViT
from keras_seq.models.resnet import count_params


@pytest.mark.parametrize(
    "layer, count",
    [
        (SimpleRNN(64), 12_352),
        (GRU(64, reset_after=False), 3 * 12_352),
        (GRU(64), 37_248),
        (LSTM(64), 49_408),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_layer_has_the_published_count(layer, count):
    layer.build((None, None, 128))
    assert layer.count_params() == count


@pytest.mark.parametrize("tied, head", [(False, 64 * 65 + 65), (True, 0)])
def test_language_model_has_the_expected_count(tied, head):
    model = RecurrentLM(65, 64, num_layers=2, tied=tied)
    model.build((None, None))
    layer = 4 * 64 * (64 + 64 + 1)
    assert model.count_params() == 65 * 64 + 2 * layer + head


def count_without_allocating(model, shape):
    """Build a model without allocating its weights, and count them."""
    asked = []

    def note(layer, shape=(), *_, **__):
        asked.append(math.prod(shape))
        return types.SimpleNamespace(shape=shape)

    with mock.patch.object(keras.layers.Layer, "add_weight", note):
        model.build(shape)
    return sum(asked)


PUBLISHED = {
    "gpt2": 124_439_808,
    "gpt2-medium": 354_823_168,
    "gpt2-large": 774_030_080,
    "gpt2-xl": 1_557_611_200,
}


@pytest.mark.parametrize("name", GPT.sizes)
def test_gpt_has_the_published_count(name):
    model = GPT(50257, **GPT.sizes[name], pad_id=None)
    found = count_without_allocating(model, (None, None))
    assert found == PUBLISHED[name]


BERTS = {
    "tiny": 4_385_920,
    "mini": 11_170_560,
    "small": 28_763_648,
    "medium": 41_373_184,
    "base": 109_482_240,
    "large": 335_141_888,
}


@pytest.mark.parametrize("name", BERT.sizes)
def test_bert_has_the_published_count(name):
    model = BERT(30522, **BERT.sizes[name])
    assert count_without_allocating(model, (None, None)) == BERTS[name]


VITS = {  # 1,000 classes of images of 224 x 224
    "Ti/16": 5_717_416,
    "S/16": 22_050_664,
    "B/32": 88_224_232,
    "B/16": 86_567_656,
    "L/32": 306_535_400,
    "L/16": 304_326_632,
    "H/14": 632_045_800,
}


@pytest.mark.parametrize("name", ViT.sizes)
def test_vit_has_the_published_count(name):
    model = ViT(1000, **ViT.sizes[name])
    assert count_without_allocating(model, None) == VITS[name]


RESNETS = {"20": 0.27, "32": 0.46, "44": 0.66, "56": 0.85, "110": 1.7}


@pytest.mark.parametrize("name", ResNet.sizes)
def test_resnet_has_the_published_millions_of_weights(name):
    count = count_params(10, channels=3, **ResNet.sizes[name])
    assert name != "20" or count == 269_722
    digits = 1 if name == "110" else 2
    assert round(count / 1e6, digits) == RESNETS[name]


@pytest.mark.parametrize(
    "name, layers, width", [("base", 6, 512), ("big", 6, 1024)]
)
def test_transformer_has_the_expected_count(name, layers, width):
    options = {**Transformer.sizes[name], "shared": True, "tied": True}
    model = Transformer(37000, 37000, **options)
    shapes = {"source": (None, None), "target": (None, None)}
    look, norm = 4 * width * (width + 1), 2 * width
    network = width * (4 * width) * 2 + 5 * width
    encoder, decoder = look + network + 2 * norm, 2 * look + network + 3 * norm
    count = 37000 * width + layers * (encoder + decoder)
    assert count_without_allocating(model, shapes) == count


def test_counting_without_allocating_gives_the_same_count():
    model = GPT(13, 6, num_heads=2, num_layers=2, max_sequence_length=7)
    model.build((None, None))
    twin = GPT(13, 6, num_heads=2, num_layers=2, max_sequence_length=7)
    count = count_without_allocating(twin, (None, None))
    assert count == model.count_params()
