"""Sequences packed into one row are read as if each were alone."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_seq.models import GPT
from keras_seq.training import TokenCrossEntropy, pack_sequences

VOCAB, LENGTH = 13, 11


def sequences(count=17, seed=3):
    """Draw sequences of 2 to LENGTH + 1 tokens."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(2, LENGTH + 2, count)
    return [rng.integers(1, VOCAB, size) for size in sizes]


def gpt(**options):
    keras.utils.set_random_seed(5)
    model = GPT(
        VOCAB,
        14,
        num_heads=2,
        num_layers=3,
        max_sequence_length=LENGTH,
        **options,
    )
    model.build((None, None))
    for weight in model.trainable_variables:  # as after training: no zeros
        weight.assign_add(
            0.2 * np.random.default_rng(1).normal(size=weight.shape)
        )
    return model


def test_every_token_is_packed_once_in_the_order_of_its_sequence():
    rows = sequences()
    inputs, labels = pack_sequences(rows, LENGTH)
    found = []
    for ids, numbers, after in zip(*inputs.values(), labels):
        assert (np.diff(np.trim_zeros(numbers, "b")) >= 0).all()
        for number in range(1, numbers.max() + 1):
            here = numbers == number
            assert (ids[here][1:] == after[here][:-1]).all()
            found.append((*ids[here], after[here][-1]))
        assert (ids[numbers == 0] == 0).all()
        assert (after[numbers == 0] == 0).all()
    assert sorted(found) == sorted(map(tuple, rows))


def test_few_places_are_empty():
    rng = np.random.default_rng(0)
    rows = [np.ones(size, int) for size in rng.integers(2, 40, 500)]
    inputs, _ = pack_sequences(rows, 64)
    assert (inputs["segment_ids"] > 0).mean() > 0.97


@pytest.mark.parametrize("pad_id", [0, 4, None])
def test_packed_sequences_have_the_logits_of_each_alone(pad_id):
    model = gpt(pad_id=pad_id)
    rows = sequences(7)
    if pad_id is not None:
        rows = [np.where(row == pad_id, 5, row) for row in rows]
    inputs, _ = pack_sequences(rows, LENGTH, pad_id=pad_id or 0)
    logits = ops.convert_to_numpy(model(inputs))
    assert np.isfinite(logits).all()
    for ids, numbers, found in zip(*inputs.values(), logits):
        for number in range(1, numbers.max() + 1):
            here = numbers == number
            alone = ops.convert_to_numpy(model(ids[here][None]))[0]
            np.testing.assert_allclose(found[here], alone, atol=2e-5)


def test_packed_training_has_the_loss_and_gradient_of_padded_training():
    rows = sequences()
    packed, labels = pack_sequences(rows, LENGTH)
    padded = np.zeros((len(rows), LENGTH), "int32")
    after = np.zeros_like(padded)
    for r, row in enumerate(rows):
        padded[r, : len(row) - 1], after[r, : len(row) - 1] = row[:-1], row[1:]
    trained = []
    for x, y in (packed, labels), (padded, after):
        model = gpt(dropout=0.0)
        model.compile(keras.optimizers.SGD(0.1), TokenCrossEntropy())
        loss = model.fit(x, y, batch_size=len(y), epochs=2, verbose=0)
        trained.append((loss.history["loss"], model.get_weights()))
    (loss, weights), (expected_loss, expected) = trained
    np.testing.assert_allclose(loss, expected_loss, rtol=1e-5)
    for one, other in zip(weights, expected):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_attention_weights_stay_within_a_sequence():
    inputs, _ = pack_sequences([[5, 6, 7], [8, 9], [4, 3, 2]], 5)
    _, weights = gpt()(inputs, return_attention_scores=True)
    numbers = inputs["segment_ids"]
    apart = (numbers[:, :, None] != numbers[:, None])[:, None]
    for layer in weights:
        assert (ops.convert_to_numpy(layer) * apart == 0).all()


@pytest.mark.parametrize(
    "rows",
    [
        [[5]],
        [[5, 6], [1.5, 2.0]],
        [[[5, 6]]],
        [list(range(1, LENGTH + 3))],
    ],
)
def test_what_cannot_be_packed_is_named(rows):
    with pytest.raises(ValueError, match=rf"`sequences` .*\[{len(rows) - 1}\]"):
        pack_sequences(rows, LENGTH)


def test_a_dict_without_segment_ids_is_named():
    with pytest.raises(ValueError, match='"token_ids" and "segment_ids"'):
        gpt()({"token_ids": np.ones((1, 3), "int32")})
