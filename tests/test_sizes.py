"""Published parameter counts."""

import pytest

from keras_seq import GRU, LSTM, RecurrentLM, SimpleRNN


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
def test_language_model_counts_its_parts(tied, head):
    model = RecurrentLM(65, 64, num_layers=2, tied=tied)
    model.build((None, None))
    layer = 4 * 64 * (64 + 64 + 1)
    assert model.count_params() == 65 * 64 + 2 * layer + head
