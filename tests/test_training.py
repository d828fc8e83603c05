"""Laws of `keras_seq.training`: losses, metrics, batches, baselines, runs."""

import io
import json
import pathlib
import sys

import keras
import numpy as np
import pytest
from keras import ops

from keras_seq import evaluation, training

B, T, V = 3, 5, 7
RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(B, T, V)).astype("float32")
LABELS = np.array([[1, 2, 3, 0, 0], [4, 5, 6, 1, 2], [3, 0, 0, 0, 0]])
METRICS = [
    training.NatsPerToken,
    training.Perplexity,
    training.TokenAccuracy,
    training.SequenceAccuracy,
]


def oracle_nats(labels, logits):
    """Cross entropy of every token, written from the definition."""
    logits = np.asarray(logits, "float64")
    logits = logits - logits.max(-1, keepdims=True)
    log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    return -np.take_along_axis(log_p, labels[..., None], -1)[..., 0]


def loss_of(labels, logits, weight=None, **arguments):
    loss = training.TokenCrossEntropy(**arguments)(labels, logits, weight)
    return float(ops.convert_to_numpy(loss))


# Loss


def test_loss_is_the_mean_over_real_tokens():
    real = LABELS != 0
    want = oracle_nats(LABELS, LOGITS)[real].mean()
    assert np.isclose(loss_of(LABELS, LOGITS), want, rtol=1e-5)


def test_more_padding_does_not_change_the_loss():
    labels = np.pad(LABELS, [(0, 0), (0, 6)])
    logits = np.pad(LOGITS, [(0, 0), (0, 6), (0, 0)], constant_values=9)
    before = loss_of(LABELS, LOGITS)
    assert np.isclose(loss_of(labels, logits), before, rtol=1e-5)


def test_smoothed_labels_are_spread_evenly_and_padding_is_left_out():
    real = LABELS != 0
    theirs = keras.losses.CategoricalCrossentropy(
        from_logits=True, label_smoothing=0.3
    )
    want = theirs(np.eye(V, dtype="float32")[LABELS[real]], LOGITS[real])
    found = loss_of(LABELS, LOGITS, label_smoothing=0.3)
    assert np.isclose(found, float(want), rtol=1e-5)
    half = loss_of(LABELS, LOGITS.astype("float16"), label_smoothing=0.3)
    assert np.isclose(half, found, rtol=1e-2)
    with pytest.raises(ValueError, match="label_smoothing"):
        training.TokenCrossEntropy(label_smoothing=1.0)


def test_without_pad_id_every_token_counts():
    want = oracle_nats(LABELS, LOGITS).mean()
    assert np.isclose(loss_of(LABELS, LOGITS, pad_id=None), want, rtol=1e-5)


def test_pad_id_may_lie_outside_the_vocabulary():
    labels = np.where(LABELS == 0, -100, LABELS)
    got = loss_of(labels, LOGITS, pad_id=-100)
    assert np.isclose(got, loss_of(LABELS, LOGITS), rtol=1e-6)


def test_labels_are_never_cast_to_float():
    pad_id = 2**24 + 1  # as float32 it would be 2**24
    labels = np.where(LABELS == 0, pad_id, LABELS)
    got = loss_of(labels, LOGITS, pad_id=pad_id)
    assert np.isclose(got, loss_of(LABELS, LOGITS), rtol=1e-6)


@pytest.mark.parametrize("shape", [(T, B), (B,), (B, T, 1), (B, T + 1)])
def test_labels_must_match_the_shape_of_the_logits(shape):
    labels = np.ones(shape, "int32")
    with pytest.raises(ValueError, match="shape of `y_true`"):
        loss_of(labels, LOGITS)
    for metric in (training.TokenAccuracy(), training.NatsPerToken()):
        with pytest.raises(ValueError, match="shape of `y_true`"):
            metric(labels, LOGITS)


@pytest.mark.parametrize("label", [V, -1])
@pytest.mark.parametrize(
    "make", [training.TokenCrossEntropy, *METRICS], ids=lambda x: x.__name__
)
def test_labels_outside_the_vocabulary_are_named(make, label):
    labels = np.where(LABELS == 6, label, LABELS)
    with pytest.raises(ValueError, match=r"`y_true` must be in \[0, 7\)"):
        make()(labels, LOGITS)
    make(pad_id=label)(labels, LOGITS)


@pytest.mark.parametrize("label", [V, -1])
def test_labels_outside_the_vocabulary_are_not_silent_in_fit(label):
    labels = np.where(LABELS == 6, label, LABELS)
    model = tiny_model()
    if keras.backend.backend() == "jax":
        assert np.isnan(model.train_on_batch(LABELS, labels))
        return
    with pytest.raises(Exception, match="range|valid|bound|label|target"):
        model.train_on_batch(LABELS, labels)


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="is about its graphs"
)
def test_loss_and_nats_have_no_assertions_that_prevent_merging():
    import tensorflow as tf

    loss, metric = training.TokenCrossEntropy(), training.NatsPerToken()

    @tf.function(input_signature=[tf.TensorSpec((None, None, V))])
    def both(logits):
        labels = tf.ones(tf.shape(logits)[:-1], tf.int32)
        return loss(labels, logits), metric.measure(labels, logits)

    ops_of_it = both.get_concrete_function().graph.get_operations()
    assert "Assert" not in {op.type for op in ops_of_it}  # each stands alone


def test_loss_takes_one_label_per_row():
    want = oracle_nats(LABELS[:, 0], LOGITS[:, 0]).mean()
    assert np.isclose(loss_of(LABELS[:, 0], LOGITS[:, 0]), want, rtol=1e-5)


@pytest.mark.parametrize("shape", [(B,), (B, T)])
def test_weights_multiply_the_nats(shape):
    weight = RNG.uniform(size=shape).astype("float32")
    spread = weight[:, None] if weight.ndim == 1 else weight
    real = LABELS != 0
    want = (oracle_nats(LABELS, LOGITS) * spread)[real].sum() / real.sum()
    assert np.isclose(loss_of(LABELS, LOGITS, weight), want, rtol=1e-5)


def test_all_padding_has_loss_and_gradient_zero():
    def loss(logits):
        return training.TokenCrossEntropy()(np.zeros((B, T), int), logits)

    assert float(loss(LOGITS)) == 0
    assert np.all(evaluation.input_gradient(loss, LOGITS) == 0)


def test_an_implicit_mask_on_the_logits_changes_nothing():
    embed = keras.layers.Embedding(V, V, mask_zero=True)
    logits = embed(np.array([[1, 2, 0, 0, 0]] * B))
    assert logits._keras_mask is not None
    want = loss_of(LABELS, ops.convert_to_numpy(logits))
    assert np.isclose(loss_of(LABELS, logits), want, rtol=1e-6)


def test_half_precision_logits_do_not_overflow():
    logits = (LOGITS * 1000).astype("float16")
    want = oracle_nats(LABELS, logits)[LABELS != 0].mean()
    loss = training.TokenCrossEntropy()(LABELS, logits)
    assert keras.backend.standardize_dtype(loss.dtype) == "float32"
    assert np.isclose(float(loss), want, rtol=1e-5)


def test_gradient_is_softmax_minus_label_over_real_tokens():
    gradient = evaluation.input_gradient(
        lambda logits: training.TokenCrossEntropy()(LABELS, logits), LOGITS
    )
    p = np.exp(LOGITS) / np.exp(LOGITS).sum(-1, keepdims=True)
    real = (LABELS != 0)[..., None]
    want = (p - np.eye(V)[LABELS]) * real / real.sum()
    assert np.allclose(gradient, want, atol=1e-6)


# Two views of each row


def two_views(labels, logits, weight=None, **arguments):
    loss = training.TwoViewCrossEntropy(**arguments)(labels, logits, weight)
    return float(ops.convert_to_numpy(loss))


def oracle_apart(one, other):
    """Symmetric divergence of each pair of rows, from the definition."""
    p, q = (np.exp(x) / np.exp(x).sum(-1, keepdims=True) for x in (one, other))
    return ((p * np.log(p / q) + q * np.log(q / p)) / 2).sum(-1)


PAIRED = np.concatenate([LABELS, LABELS]), RNG.normal(size=(2 * B, T, V))


@pytest.mark.parametrize("place", [0, slice(None)])
def test_two_view_loss_adds_the_divergence_to_the_cross_entropy(place):
    labels, logits = (x[:, place] for x in PAIRED)
    nats, apart = (
        oracle_nats(labels, logits),
        oracle_apart(*np.split(logits, 2)),
    )
    want = nats.mean() + 0.7 * apart.mean()
    assert np.isclose(
        two_views(labels, logits, consistency_weight=0.7), want, rtol=1e-5
    )
    weight = np.arange(2.0 * B, dtype="float32")
    spread = weight.reshape(-1, *[1] * (labels.ndim - 1))
    want = ((nats + 0.7 * np.concatenate([apart, apart])) * spread).mean()
    found = two_views(labels, logits, weight, consistency_weight=0.7)
    assert np.isclose(found, want, rtol=1e-5)


def test_equal_views_have_the_cross_entropy_as_loss_in_half_precision():
    labels, logits = PAIRED[0][:, 0], np.tile(LOGITS[:, 0] * 1000, (2, 1))
    logits = logits.astype("float16")
    want = oracle_nats(labels, logits).mean()
    assert np.isclose(two_views(labels, logits), want, rtol=1e-5)


def test_two_views_need_an_even_number_of_rows_and_a_weight():
    with pytest.raises(ValueError, match="even number of rows"):
        two_views(LABELS[:, 0], LOGITS[:, 0])  # B is odd
    with pytest.raises(ValueError, match="`consistency_weight`"):
        training.TwoViewCrossEntropy(consistency_weight=0)
    one = training.TwoViewCrossEntropy(consistency_weight=0.7, name="of_mine")
    two = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(one)
    )
    assert two.get_config() == {"consistency_weight": 0.7, "name": "of_mine"}


def test_two_views_train_at_any_batch_size():
    def batches():
        for size in (1, 3, 2):
            yield np.ones((2 * size, V), "float32"), np.ones(2 * size, "int32")

    model = keras.Sequential([keras.Input((V,)), keras.layers.Dense(2)])
    model.compile("adam", training.TwoViewCrossEntropy())
    for x, y in batches():
        assert np.isfinite(model.train_on_batch(x, y))


# Metrics


def epoch_of(metric, weights=(None, None)):
    """Feed the batch as two batches of unlike size; return the result."""
    for rows, weight in zip((slice(0, 1), slice(1, B)), weights, strict=True):
        metric.update_state(LABELS[rows], LOGITS[rows], weight)
    return float(metric.result())


def test_nats_and_perplexity_weigh_by_token_not_by_batch():
    want = oracle_nats(LABELS, LOGITS)[LABELS != 0].mean()
    assert np.isclose(epoch_of(training.NatsPerToken()), want, rtol=1e-5)
    got = epoch_of(training.Perplexity())
    assert np.isclose(got, np.exp(want), rtol=1e-5)


def test_token_accuracy_counts_real_tokens():
    want = (LOGITS.argmax(-1) == LABELS)[LABELS != 0].mean()
    assert np.isclose(epoch_of(training.TokenAccuracy()), want)


def test_weights_weigh_the_mean_of_a_metric():
    weights = np.array([2.0, 0.0, 1.0], "float32")
    real = (LABELS != 0) * weights[:, None]
    want = (oracle_nats(LABELS, LOGITS) * real).sum() / real.sum()
    got = epoch_of(training.NatsPerToken(), (weights[:1], weights[1:]))
    assert np.isclose(got, want, rtol=1e-5)


def test_a_sequence_is_right_when_all_its_real_tokens_are():
    labels = np.array([[1, 2, 0], [1, 2, 3], [0, 0, 0]])
    guess = np.array([[1, 2, 5], [1, 4, 3], [1, 1, 1]])
    metric = training.SequenceAccuracy()
    metric.update_state(labels, np.eye(V)[guess])
    assert float(metric.result()) == 0.5  # the padding row is not counted


def test_sequence_accuracy_takes_one_label_per_row():
    metric = training.SequenceAccuracy(pad_id=None)
    metric.update_state(np.array([1, 2]), np.eye(V)[[1, 3]])
    assert float(metric.result()) == 0.5


@pytest.mark.parametrize("kind", METRICS)
def test_nothing_real_gives_no_nan(kind):
    metric = kind()
    metric.update_state(np.zeros((B, T), int), LOGITS)
    assert np.isfinite(float(metric.result()))


@pytest.mark.parametrize("kind", [*METRICS, training.TokenCrossEntropy])
def test_config_round_trip(kind):
    one = kind(pad_id=11, name="of_mine")
    config = keras.saving.serialize_keras_object(one)
    assert config["registered_name"] == f"keras_seq>{kind.__name__}"
    two = keras.saving.deserialize_keras_object(config)
    assert two.get_config() == one.get_config()
    assert (two.pad_id, two.name) == (11, "of_mine")


@pytest.mark.parametrize("kind", [*METRICS, training.TokenCrossEntropy])
def test_pad_id_must_be_an_int(kind):
    with pytest.raises(ValueError, match="`pad_id`"):
        kind(pad_id="0")


def tiny_model(learning_rate=0.1, **arguments):
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            keras.layers.Embedding(V, 5),
            keras.layers.Dense(V),
        ]
    )
    optimizer = keras.optimizers.RMSprop(learning_rate)
    model.compile(optimizer, training.TokenCrossEntropy(), **arguments)
    return model


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_loss_and_metrics_work_in_fit_and_evaluate(policy):
    keras.config.set_dtype_policy(policy)
    try:
        model = tiny_model(metrics=[kind() for kind in METRICS])
    finally:
        keras.config.set_dtype_policy("float32")
    model.fit(LABELS, LABELS, epochs=20, batch_size=2, verbose=0)
    logs = model.evaluate(LABELS, LABELS, verbose=0, return_dict=True)
    assert set(logs) == {"loss", *(kind().name for kind in METRICS)}
    assert logs["token_accuracy"] == logs["sequence_accuracy"] == 1
    got = np.log(logs["perplexity"])
    assert np.isclose(got, logs["nats_per_token"], atol=1e-5)


def test_fit_takes_a_weight_per_row():
    model = tiny_model(weighted_metrics=[training.NatsPerToken()])
    model.fit(LABELS, LABELS, sample_weight=np.ones(B), verbose=0)


# Gradients


def linear_recurrence(a, units):
    return keras.layers.SimpleRNN(
        units,
        activation="linear",
        use_bias=False,
        kernel_initializer="identity",
        recurrent_initializer=keras.initializers.Identity(gain=a),
    )


@pytest.mark.parametrize("a", [0.5, 1.0, 1.5])
def test_a_linear_recurrence_has_the_gradient_a_to_the_lag(a):
    x = RNG.normal(size=(3, 11, 5))
    norms = evaluation.gradient_by_lag(linear_recurrence(a, 5), x)
    assert norms.shape == (11,)
    assert np.allclose(norms, a ** np.arange(11), rtol=1e-4)


def test_lag_zero_is_the_last_input():
    x = RNG.normal(size=(2, 3, 5))
    norms = evaluation.gradient_by_lag(lambda x: x[:, -1], x)
    assert np.allclose(norms, [1, 0, 0])


def test_gradient_wants_the_last_state_only():
    layer = keras.layers.SimpleRNN(5, return_sequences=True)
    with pytest.raises(ValueError, match="`layer`"):
        evaluation.gradient_by_lag(layer, np.zeros((2, 3, 5)))
    with pytest.raises(ValueError, match="`x`"):
        evaluation.gradient_by_lag(layer, np.zeros((2, 3)))


# Batches

ROWS = [np.arange(1, n + 1) for n in RNG.integers(1, 70, size=101)]


def served(data):
    """The batches of an epoch, as lists of rows without their padding."""
    pairs = [data[i] for i in range(len(data))]
    return [[row[row > 0].tolist() for row in x] for x, _ in pairs]


def test_every_row_comes_once_an_epoch():
    data = training.BatchByLength(ROWS, ROWS, 7)
    for _ in range(2):
        rows = [row for batch in served(data) for row in batch]
        assert sorted(map(len, rows)) == sorted(map(len, ROWS))
        data.on_epoch_end()


def test_a_stopped_fit_goes_on_with_the_epochs_it_would_have_had():
    one, two = (training.BatchByLength(ROWS, ROWS, 7) for _ in "ab")
    one.on_epoch_end(), one.on_epoch_end()
    two.start_at(2)
    for (a, _), (b, _) in zip(one, two, strict=True):
        assert np.array_equal(a, b)
    with pytest.raises(ValueError, match="`epoch` must be an int >= 0"):
        one.start_at(-1)


def test_the_same_seed_gives_the_same_epochs():
    one, two = (training.BatchByLength(ROWS, ROWS, 7, seed=3) for _ in "ab")
    first = served(one)
    assert first == served(two)
    one.on_epoch_end()
    two.on_epoch_end()
    assert first != served(one) == served(two)


def test_there_are_few_shapes_and_little_padding():
    data = training.BatchByLength(ROWS, ROWS, 7)
    shapes = set()
    for _ in range(5):
        shapes |= {data[i][0].shape for i in range(len(data))}
        data.on_epoch_end()
    assert len(shapes) <= len(data.buckets) + 1
    assert {length for _, length in shapes} <= {8, 12, 16, 24, 32, 48, 64, 96}


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("size", [1, 7, 50, 101, 103])
def test_every_batch_is_full_but_one_and_no_row_is_cut(size, shuffle):
    inputs = {"source": ROWS, "target": ROWS[::-1]}
    data = training.BatchByLength(inputs, ROWS, size, shuffle=shuffle)
    for _ in range(2):
        sizes = [len(data[i][1]) for i in range(len(data))]
        assert len(sizes) == -(-len(ROWS) // size)
        assert sizes.count(size) >= len(sizes) - 1
        for name in inputs:
            rows = [r for i in range(len(data)) for r in data[i][0][name]]
            lengths = sorted((row > 0).sum() for row in rows)
            assert lengths == sorted(map(len, ROWS))
        data.on_epoch_end()


def test_left_over_rows_move_to_the_next_bucket():
    rows = [[1] * n for n in (2, 2, 2, 5, 5, 11, 11, 11, 11)]
    data = training.BatchByLength(
        rows, np.arange(9), 4, buckets=[2, 5, 11], shuffle=False
    )
    batches = {tuple(data[i][1]): data[i][0].shape[1] for i in range(3)}
    assert batches == {(0, 1, 2, 3): 5, (4, 5, 6, 7): 11, (8,): 11}


def test_a_long_source_is_not_cut_among_rows_of_long_targets():
    source, target = [[1] * 4, [1]], [[1], [1] * 9]
    data = training.BatchByLength(
        {"source": source}, target, 2, buckets=[2, 4, 9]
    )
    ((x, y),) = [data[i] for i in range(len(data))]
    assert (x["source"].shape, y.shape) == ((2, 4), (2, 9))
    assert x["source"].sum(1).tolist() in ([4, 1], [1, 4])


def test_inputs_and_targets_of_a_row_stay_together():
    source = [row[: len(row) // 2] for row in ROWS]
    inputs = {"source": source, "target": ROWS}
    labels = np.array([len(row) for row in ROWS])
    data = training.BatchByLength(inputs, labels, 7)
    for i in range(len(data)):
        x, y = data[i]
        assert np.array_equal((x["target"] > 0).sum(1), y)
        assert np.array_equal((x["source"] > 0).sum(1), y // 2)


def test_a_short_target_of_a_long_source_has_short_padding():
    inputs = {"source": ROWS, "target": [row[:11] for row in ROWS]}
    data = training.BatchByLength(inputs, inputs["target"], 7)
    for i in range(len(data)):
        x, y = data[i]
        assert x["target"].shape == y.shape
        assert y.shape[1] == min(12, x["source"].shape[1])
    shapes = [
        (data[i][0]["source"].shape[1], data[i][1].shape[1]) for i in (0, 1)
    ]
    assert shapes[0][0] != shapes[1][0] and shapes[0][1] != shapes[1][1]


def test_labels_of_a_source_alone_need_no_padding():
    data = training.BatchByLength({"source": ROWS}, np.arange(len(ROWS)), 7)
    assert {data[i][1].ndim for i in range(len(data))} == {1}


def test_unshuffled_rows_keep_their_order_in_a_bucket():
    rows = [[1, 1], [2], [3, 3], [4]]
    data = training.BatchByLength(rows, [0, 1, 2, 3], 4, shuffle=False)
    assert data[0][1].tolist() == [0, 1, 2, 3]


def test_the_first_two_batches_differ_in_length():
    data = training.BatchByLength(ROWS, ROWS, 7, buckets=[64, 71])
    for _ in range(7):
        assert data[0][0].shape[1] != data[1][0].shape[1]
        data.on_epoch_end()


def test_fit_runs_on_batches_by_length():
    rows = [row % V for row in ROWS]
    data = training.BatchByLength(rows, rows, 50, buckets=[41, 71])
    model = tiny_model(metrics=[training.TokenAccuracy()])
    curves = model.fit(data, epochs=2, verbose=0).history
    assert curves["loss"][1] < curves["loss"][0]


def test_a_row_beyond_the_last_bucket_is_named_by_its_number():
    with pytest.raises(ValueError, match="`buckets`.*row 1 of length 5"):
        training.BatchByLength([[1], [1] * 5], [0, 1], 2, buckets=[2, 4])


@pytest.mark.parametrize(
    "name, arguments",
    [
        ("batch_size", {"batch_size": 0}),
        ("buckets", {"buckets": [4, 2]}),
        ("targets", {"targets": [1, 2, 3]}),
        ("inputs", {"inputs": [[1.5], [2]]}),
    ],
)
def test_bad_batches_raise_errors_with_their_names(name, arguments):
    good = {"inputs": [[1], [2]], "targets": [0, 1], "batch_size": 2}
    with pytest.raises(ValueError, match=f"`{name}`"):
        training.BatchByLength(**{**good, **arguments})


def test_windows_are_shifted_by_one_token():
    x, y = training.next_token_windows(np.arange(12), 3)
    assert x.tolist() == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    assert np.array_equal(y, x + 1)
    assert x.dtype == y.dtype == "int32"


def test_windows_overlap_by_the_stride():
    x, y = training.next_token_windows(np.arange(7), 3, stride=2)
    assert x[:, 0].tolist() == [0, 2]
    assert y[-1, -1] == 5


def test_a_text_must_fill_one_window():
    assert training.next_token_windows(np.arange(4), 3)[0].shape == (1, 3)
    with pytest.raises(ValueError, match="`ids`"):
        training.next_token_windows(np.arange(3), 3)


# Baselines


@pytest.mark.parametrize("n", [1, 2, 3, 5])
@pytest.mark.parametrize("context", [[1, 2, 1, 2], [6, 6, 6, 6]])
def test_ngram_probabilities_sum_to_one(n, context):
    train = RNG.integers(0, 5, size=97)  # 5 and 6 are never seen
    total = sum(
        evaluation.ngram_probabilities(train, [*context, token], n, V)[-1]
        for token in range(V)
    )
    assert np.isclose(total, 1)


def test_a_unigram_adds_one():
    p = evaluation.ngram_probabilities([0, 0, 1], [0, 1, 2], 1, 3)
    assert np.allclose(p, [3 / 6, 2 / 6, 1 / 6])


def test_a_bigram_has_witten_bell_smoothing():
    # After 0 came 0 and 1, once each: c = 2, t = 2.
    p = evaluation.ngram_probabilities([0, 0, 1], [0, 1, 2], 2, 3)
    assert np.allclose(p, [3 / 6, (1 + 2 * 2 / 6) / 4, 1 / 6])


def test_a_longer_context_lowers_the_loss_on_a_periodic_text():
    text = np.tile([0, 0, 1, 1], 50)
    losses = [evaluation.ngram_loss(text, text, n, 2) for n in (1, 2, 3)]
    assert losses[0] > losses[1] > losses[2]
    assert losses[2] < 0.1


def test_bad_ngrams_raise_errors_with_their_names():
    with pytest.raises(ValueError, match="`test_ids`"):
        evaluation.ngram_loss([0, 1], [2], 1, 2)
    with pytest.raises(ValueError, match="must be below 2..63"):
        evaluation.ngram_loss([0, 1], [1], 4, np.int64(2**16))
    with pytest.raises(ValueError, match="`vocabulary_size`"):
        evaluation.ngram_loss([0, 1], [1], 5, 30_000)
    with pytest.raises(ValueError, match="`n`"):
        evaluation.ngram_loss([0, 1], [1], 0, 2)


# Samples


def test_a_sample_is_printed_after_every_second_epoch(capsys):
    sample = training.SampleEachEpoch(lambda: ["안녕", "hello"], every=2)
    tiny_model().fit(LABELS, LABELS, epochs=5, verbose=0, callbacks=[sample])
    assert capsys.readouterr().out == "안녕\nhello\n" * 2


def test_a_sample_that_stdout_cannot_encode_does_not_crash(monkeypatch):
    stdout = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stdout)
    sample = training.SampleEachEpoch(lambda: "한 a")
    sample.on_epoch_end(0)
    sample.on_train_end()
    stdout.flush()
    assert stdout.buffer.getvalue().strip() == b"? a"


def test_bad_samples_raise_errors_with_their_names():
    with pytest.raises(ValueError, match="`every`"):
        training.SampleEachEpoch(str, every=0)
    with pytest.raises(ValueError, match="`sample`"):
        training.SampleEachEpoch("hello")


# Runs


def start(folder, *argv, **arguments):
    """A run in `folder`, with the command line `argv`."""
    arguments = {"data": ("pydocs", "shakespeare"), "epochs": 3} | arguments
    argv = ["--out", str(folder), *argv]
    return training.Run("test", argv=argv, **arguments)


def test_options_have_defaults(tmp_path):
    run = start(tmp_path)
    assert (run.data, run.epochs, run.seed) == ("pydocs", 3, 0)
    assert (run.quick, run.resume, run.out) == (False, False, tmp_path)


def test_quick_means_one_epoch_unless_told(tmp_path):
    assert start(tmp_path, "--quick").epochs == 1
    assert start(tmp_path, "--quick", "--epochs", "2").epochs == 2


def test_xla_compiles_no_quick_form_on_tensorflow(tmp_path):
    expected = {
        "tensorflow": (False, True),
        "jax": ("auto", True),
        "torch": ("auto", "auto"),
    }[keras.backend.backend()]
    runs = start(tmp_path, "--quick"), start(tmp_path)
    assert tuple(run.jit_compile for run in runs) == expected


def test_an_experiment_may_have_options_of_its_own(tmp_path):
    own = {"rung": {"choices": ["a", "b"]}, "chat": {"action": "store_true"}}
    run = start(tmp_path, "--rung", "a", arguments=own)
    assert run.options == {"rung": "a", "chat": False}
    run.callbacks("fit")  # from here on there is something to go on with
    start(tmp_path, "--rung=a", "--chat", "--resume", arguments=own)
    with pytest.raises(ValueError, match="`resume`"):
        start(tmp_path, "--rung=b", "--resume", arguments=own)


def test_only_a_run_with_devices_takes_the_option(tmp_path, capsys):
    with pytest.raises(SystemExit):
        start(tmp_path, "--devices", "data")
    assert "--devices" in capsys.readouterr().err
    run = start(tmp_path, devices=True)
    assert (run.devices, run.num_devices()) == (None, 1)


@pytest.mark.skipif(
    keras.backend.backend() == "jax", reason="JAX has keras.distribution"
)
@pytest.mark.parametrize("devices", ["data", "model"])
def test_several_devices_need_jax(tmp_path, devices):
    with pytest.raises(ValueError, match="`devices` must not be given"):
        start(tmp_path, "--devices", devices, devices=True)


@pytest.mark.parametrize("name", ["data", "metrics", "top-k", "help"])
def test_an_option_may_not_take_the_name_of_another(tmp_path, name):
    with pytest.raises(ValueError, match="`arguments`"):
        start(tmp_path, arguments={name: {}})


def test_teacher_forcing_shifts_the_target_and_leaves_padding_out():
    sources = np.array([[5, 6, 3], [7, 3, 0]])
    targets = [[2, 8, 3, 0], [2, 8, 9, 3]]
    inputs, labels = training.teacher_forcing(sources, targets)
    found = [[list(row) for row in rows] for rows in (*inputs.values(), labels)]
    assert found == [
        [[5, 6, 3], [7, 3]],
        [[2, 8], [2, 8, 9]],
        [[8, 3], [8, 9, 3]],
    ]


@pytest.mark.parametrize("wrong", ["--epochs=0", "--data=x", "--seed=-1"])
def test_a_wrong_command_line_raises_an_error_with_its_name(
    tmp_path, wrong, capsys
):
    with pytest.raises(SystemExit):
        start(tmp_path, wrong)
    assert wrong.partition("=")[0] in capsys.readouterr().err


class Kill(keras.callbacks.Callback):
    """Stop the process in the middle of the second epoch."""

    def on_train_batch_end(self, batch, logs=None):
        if self.model.optimizer.iterations >= 3:
            raise KeyboardInterrupt


def train(run, *callbacks, stage="one", model=None, every=1):
    """Fit two batches an epoch, in the order given."""
    model = model or tiny_model(0.01)
    model.fit(
        LABELS,
        LABELS,
        batch_size=2,
        shuffle=False,
        epochs=run.epochs,
        callbacks=[*run.callbacks(stage, every), *callbacks],
        verbose=0,
    )
    return model


@pytest.mark.tensorflow_only
def test_a_step_is_traced_once(tmp_path):
    model, traced = tiny_model(), []

    def loss(y, logits):
        traced.append(logits)
        return keras.ops.mean(logits)

    model.compile("adam", loss)
    x = np.ones((5, 3), "int32")
    callbacks = start(tmp_path).callbacks("one")
    model.fit(x, x, epochs=2, callbacks=callbacks, verbose=0)
    assert len(traced) == 1


def test_a_run_killed_in_its_first_backup_restarts_that_fit(tmp_path):
    run = start(tmp_path)
    run.callbacks("one")
    broken = tmp_path / "resume" / "one" / "epoch_1.weights.h5"
    broken.parent.mkdir(exist_ok=True)
    broken.write_bytes(b"half a file")
    model = train(start(tmp_path, "--resume"))
    assert int(model.optimizer.iterations) == 6


def test_a_killed_run_resumes_as_if_never_stopped(tmp_path):
    whole = start(tmp_path / "whole")
    model = train(whole)
    with pytest.raises(KeyboardInterrupt):
        train(start(tmp_path / "parts"), Kill())
    parts = start(tmp_path / "parts", "--resume")
    resumed = train(parts)
    assert int(resumed.optimizer.iterations) == 6
    for a, b in zip(resumed.get_weights(), model.get_weights(), strict=True):
        assert np.allclose(a, b, atol=1e-6)
    assert parts.history("one")["epoch"] == [0, 1, 2]
    assert parts.seconds("one") > 0
    assert np.allclose(
        parts.history("one")["loss"], whole.history("one")["loss"]
    )


def test_a_resumed_run_draws_the_same_random_numbers(tmp_path):
    def noisy():
        inner = tiny_model()
        layers = [*inner.layers, keras.layers.GaussianNoise(1.0, seed=5)]
        model = keras.Sequential([keras.Input((None,), dtype="int32"), *layers])
        model.compile("sgd", training.TokenCrossEntropy())
        return model

    model = train(start(tmp_path / "whole"), model=noisy())
    with pytest.raises(KeyboardInterrupt):
        train(start(tmp_path / "parts"), Kill(), model=noisy())
    parts = start(tmp_path / "parts", "--resume")
    resumed = train(parts, model=noisy())
    for a, b in zip(resumed.get_weights(), model.get_weights(), strict=True):
        assert np.allclose(a, b, atol=1e-6)


def test_between_backups_a_killed_run_goes_on_from_the_last(tmp_path):
    model = train(start(tmp_path / "whole"), every=2)
    with pytest.raises(KeyboardInterrupt):
        train(start(tmp_path / "parts"), Kill(), every=2)
    parts = start(tmp_path / "parts", "--resume")
    assert parts.epochs_done("one") == 0  # one is in the log, none is kept
    resumed = train(parts, every=2)
    for a, b in zip(resumed.get_weights(), model.get_weights(), strict=True):
        assert np.allclose(a, b, atol=1e-6)
    assert parts.history("one")["epoch"] == [0, 1, 2]


def test_an_early_stop_between_backups_is_kept(tmp_path):
    run = start(tmp_path)
    stop = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: setattr(
            stopped, "stop_training", epoch == 1
        )
    )
    stopped = tiny_model(0.01)
    train(run, stop, model=stopped, every=5)
    assert run.seconds("one") > 0
    again = start(tmp_path, "--resume")
    model = train(again, every=5)
    assert int(model.optimizer.iterations) == 4
    assert again.epochs_done("one") == 2
    for a, b in zip(model.get_weights(), stopped.get_weights(), strict=True):
        assert np.array_equal(a, b)


def test_backups_need_a_positive_interval(tmp_path):
    with pytest.raises(ValueError, match="`every`"):
        start(tmp_path).callbacks("one", every=0)


def test_a_finished_stage_is_restored_and_not_trained(tmp_path):
    done = train(start(tmp_path))
    run = start(tmp_path, "--resume")
    model = train(run)
    assert int(model.optimizer.iterations) == 6
    for a, b in zip(model.get_weights(), done.get_weights(), strict=True):
        assert np.array_equal(a, b)
    assert run.history("one")["epoch"] == [0, 1, 2]
    assert run.epochs_done("one") == 3 and run.epochs_done("two") == 0
    assert start(tmp_path).epochs_done("one") == 0


def test_the_stage_after_a_restored_one_trains_all_its_epochs(tmp_path):
    train(start(tmp_path))
    run = start(tmp_path, "--resume")
    model = train(run, stage="two", model=train(run))
    assert run.history("two")["epoch"] == [0, 1, 2]
    assert int(model.optimizer.iterations) == 12


def test_an_epoch_without_a_quantity_has_nan_in_its_curve(tmp_path):
    run, model = start(tmp_path), tiny_model()
    callbacks = run.callbacks("one")
    data = (LABELS, LABELS)
    model.fit(
        *data,
        validation_data=data,
        validation_freq=2,
        epochs=3,
        callbacks=callbacks,
        verbose=0,
    )
    missing = np.isnan(run.history("one")["val_loss"])
    assert missing.tolist() == [True, False, True]
    curves = start(tmp_path, "--resume").history("one")
    assert np.array_equal(np.isnan(curves["val_loss"]), missing)


def fail_after(write, successes):
    """Return `write`, which leaves half a file and fails after some calls."""
    calls = iter(range(successes))

    def limited(path, *args, **kwargs):
        if next(calls, None) is None:
            path.write_bytes(b"half a file")
            raise OSError(28, "No space left on device")
        return write(path, *args, **kwargs)

    return limited


@pytest.mark.parametrize("file", ["weights", "run.json"])
def test_a_full_disk_leaves_the_last_complete_backup(
    tmp_path, monkeypatch, file
):
    whole = train(start(tmp_path / "whole"))
    run, model = start(tmp_path / "parts"), tiny_model(0.01)
    if file == "weights":
        model.save_weights = fail_after(model.save_weights, 1)
        with pytest.raises(OSError, match="No space left"):
            train(run, model=model)
    else:
        write = pathlib.Path.write_text
        with monkeypatch.context() as patch:
            # The state is written when the stage begins, and every epoch.
            limited = fail_after(write, 2)
            patch.setattr(
                pathlib.Path, "write_text", lambda *args: limited(*args)
            )
            with pytest.raises(OSError, match="No space left"):
                train(run, model=model)
    assert not list(tmp_path.rglob("unfinished*"))
    parts = start(tmp_path / "parts", "--resume")
    assert parts.epochs_done("one") == 1
    resumed = train(parts)
    assert parts.history("one")["epoch"] == [0, 1, 2]
    for a, b in zip(resumed.get_weights(), whole.get_weights(), strict=True):
        assert np.allclose(a, b, atol=1e-6)


def test_a_full_disk_leaves_the_results_of_before(tmp_path, monkeypatch):
    path = tmp_path / "results.json"
    training.write_results(path, {"loss": 0.5})
    failing = fail_after(None, 0)
    monkeypatch.setattr(
        pathlib.Path, "write_text", lambda *args: failing(*args)
    )
    with pytest.raises(OSError, match="No space left"):
        training.write_results(path, {"loss": 0.25})
    assert json.loads(path.read_bytes()) == {"loss": 0.5}
    assert [file.name for file in tmp_path.iterdir()] == ["results.json"]


def test_only_the_last_backup_is_kept(tmp_path):
    train(start(tmp_path))
    weights = [file.name for file in tmp_path.rglob("*.weights.h5")]
    assert weights == ["epoch_3.weights.h5"]


def test_an_unbuilt_model_is_named(tmp_path):
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    (backup,) = start(tmp_path).callbacks("one")
    backup.set_model(model)
    with pytest.raises(ValueError, match="must be built"):
        backup.on_train_begin()


@pytest.mark.parametrize(
    "text, described",
    [
        ("# %% [markdown]\n# # Title\n#\n#     x = 1\n\n# %%\n", True),
        ("# %%\n# Title\n", False),
        ('"""Title"""\n', False),
    ],
)
def test_help_prints_the_first_cell_of_the_script(
    tmp_path, monkeypatch, capsys, text, described
):
    script = tmp_path / "script.py"
    script.write_text(text)
    monkeypatch.setattr(sys, "argv", [str(script), "--help"])
    with pytest.raises(SystemExit):
        training.Run("test", data=("pydocs",))
    shown = capsys.readouterr().out
    assert ("Title\n\n    x = 1\n" in shown) == described
    assert ("Title" in shown) == described


@pytest.mark.parametrize(
    "launcher", ["ipykernel_launcher.py", "colab_kernel_launcher.py"]
)
def test_in_a_notebook_the_options_have_their_defaults(
    tmp_path, monkeypatch, launcher
):
    monkeypatch.chdir(tmp_path)
    argv = [f"/somewhere/{launcher}", "-f", "kernel-7.json"]
    monkeypatch.setattr(sys, "argv", argv)
    run = training.Run("test", data=("pydocs",), epochs=3)
    assert (run.epochs, run.quick) == (3, False)
    run = training.Run("test", data=("pydocs",), argv=["--quick"])
    assert run.quick
    monkeypatch.setattr(sys, "argv", ["test.py", "--epochs", "2"])
    assert training.Run("test", data=("pydocs",)).epochs == 2


@pytest.mark.parametrize("resume", [[], ["--resume"]])
def test_a_damaged_page_is_named(tmp_path, resume):
    start(tmp_path).callbacks("one")
    (tmp_path / "resume" / "run.json").write_text('{"options"')
    with pytest.raises(ValueError, match="run.json must hold the state"):
        start(tmp_path, *resume)


@pytest.mark.parametrize("stage", ["", ".", "..", "a/b", 3])
def test_a_stage_has_the_name_of_a_file(tmp_path, stage):
    with pytest.raises(ValueError, match="`stage` must be a file name"):
        start(tmp_path).callbacks(stage)


def test_a_stage_that_has_not_begun_has_no_history(tmp_path):
    with pytest.raises(ValueError, match="`stage` must have begun"):
        start(tmp_path).history("one")
    with pytest.raises(ValueError, match="`stage` must be one of"):
        start(tmp_path).seconds("one")


@pytest.mark.parametrize("data", ["names", 5, [3], ()])
def test_the_data_of_a_run_are_names(tmp_path, data):
    with pytest.raises(ValueError, match="`data` must be"):
        start(tmp_path, data=data)


def test_every_data_set_has_its_epochs(tmp_path):
    with pytest.raises(ValueError, match="`epochs` must have each"):
        start(tmp_path, epochs={"pydocs": 1})


def test_a_fresh_run_deletes_the_old_state_and_nothing_else(tmp_path):
    train(start(tmp_path))
    (tmp_path / "notes.txt").touch()
    (tmp_path / "resume" / "mine.csv").touch()
    start(tmp_path)
    left = sorted(p.name for p in tmp_path.rglob("*"))
    assert left == ["mine.csv", "notes.txt", "resume"]


def test_a_run_with_other_options_cannot_be_resumed(tmp_path):
    start(tmp_path).callbacks("one")
    with pytest.raises(ValueError, match="`resume`.*shakespeare"):
        start(tmp_path, "--resume", "--data", "shakespeare")


def test_the_clock_counts_the_parts_before(tmp_path):
    start(tmp_path).callbacks("one")
    page = tmp_path / "resume" / "run.json"
    state = json.loads(page.read_text()) | {"seconds": 1000.0}
    page.write_text(json.dumps(state))
    run = start(tmp_path, "--resume")
    run.finish(None, {}, {})
    results = json.loads((tmp_path / "results.json").read_text())
    assert 1000 <= results["seconds"] < 1100


def test_results_have_their_keys_and_the_table_its_columns(tmp_path, capsys):
    run = start(tmp_path, "--seed", "2")
    run.finish(
        tiny_model(),
        {"loss": np.float32(1 / 3), "정확도": 1},
        {"loss_trigram": 2.5, "loss": 0.5},
        {"loss": "<= 0.4"},
    )
    text = (tmp_path / "results.json").read_text(encoding="utf-8")
    results = json.loads(text)
    assert results["metrics"] == {"loss": 0.333333, "정확도": 1}
    assert "정확도" in text
    assert results["params"] == V * 5 + 5 * V + V
    assert (results["experiment"], results["seed"]) == ("test", 2)
    assert results["backend"] == keras.backend.backend()
    assert set(results["versions"]) == {"python", "keras", "backend"}
    assert set(results) >= {"data", "seconds", "baselines", "epochs", "quick"}
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["loss", "0.33333", "0.5", "<=", "0.4"]
    assert lines[3].split() == ["loss_trigram", "2.5"]
    assert (tmp_path / "model.keras").exists()


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), [1]])
def test_results_must_be_finite_numbers(tmp_path, bad):
    with pytest.raises(ValueError, match=r"`metrics\['loss'\]`"):
        start(tmp_path).finish(None, {"loss": bad}, {})


def test_a_figure_is_saved_as_png(tmp_path):
    figure = pytest.importorskip("matplotlib.figure").Figure()
    start(tmp_path).save(figure, "curves")
    assert (tmp_path / "curves.png").read_bytes()[1:4] == b"PNG"


def test_bad_runs_raise_errors_with_their_names(tmp_path):
    with pytest.raises(ValueError, match="`epochs`"):
        start(tmp_path, epochs=0)
    with pytest.raises(ValueError, match="`data`"):
        start(tmp_path, data="pydocs")
    with pytest.raises(ValueError, match="`stage`"):
        start(tmp_path).callbacks("../one")


def test_a_stage_has_one_fit(tmp_path):
    run = start(tmp_path)
    run.callbacks("one")
    with pytest.raises(ValueError, match="`stage` must be new"):
        run.callbacks("one")


def test_noam_rises_linearly_and_decays_with_the_square_root():
    """Vaswani et al. (2017), eq. (3), with steps counted from 1."""
    schedule = training.NoamDecay(512, warmup_steps=4000)
    for step in (0, 1, 3998, 3999, 4000, 100_000):
        s = step + 1
        expected = 512**-0.5 * min(s**-0.5, s * 4000**-1.5)
        np.testing.assert_allclose(float(schedule(step)), expected, rtol=1e-5)
    again = training.NoamDecay.from_config(
        training.NoamDecay(7, 11, 2.0).get_config()
    )
    assert float(again(10)) == pytest.approx(2.0 * 77**-0.5)


@pytest.mark.parametrize(
    "bad",
    [{"hidden_dim": 0}, {"warmup_steps": 0}, {"scale": 0}, {"scale": "a"}],
)
def test_bad_noam_raises_an_error_with_its_name(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        training.NoamDecay(**{"hidden_dim": 8, **bad})


def test_a_warm_up_rises_to_the_rate_and_the_cosine_ends_at_zero():
    schedule = training.WarmupCosineDecay(0.3, 110, warmup_steps=10)
    rates = [float(schedule(step)) for step in (0, 5, 10, 60, 110)]
    np.testing.assert_allclose(rates, [0, 0.15, 0.3, 0.15, 0], atol=1e-6)
    plain = training.WarmupCosineDecay(0.3, 100)
    rates = [float(plain(step)) for step in (0, 50, 100)]
    np.testing.assert_allclose(rates, [0.3, 0.15, 0], atol=1e-6)


def test_the_schedules_of_a_saved_optimizer_are_restored():
    for schedule in (
        training.WarmupCosineDecay(0.3, 110, warmup_steps=10),
        training.NoamDecay(512),
    ):
        optimizer = keras.optimizers.SGD(schedule)
        again = keras.optimizers.SGD.from_config(optimizer.get_config())
        config = keras.optimizers.serialize(again)["config"]["learning_rate"]
        assert config["config"] == schedule.get_config()


@pytest.mark.parametrize(
    "bad",
    [
        {"learning_rate": 0},
        {"total_steps": 0},
        {"warmup_steps": -1},
        {"warmup_steps": 7},
    ],
)
def test_a_bad_warm_up_raises_an_error_with_its_name(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        training.WarmupCosineDecay(
            **{"learning_rate": 0.1, "total_steps": 7, **bad}
        )


def test_padding_is_left_out_of_every_column():
    packed = {
        "token_ids": [[5, 6, 0], [0, 7, 0]],
        "segment_ids": [[0, 1, 0], [0, 1, 0]],
    }
    found = training.without_padding(packed)
    rows = {name: [row.tolist() for row in x] for name, x in found.items()}
    assert rows == {"token_ids": [[5, 6], [7]], "segment_ids": [[0, 1], [1]]}
    (row,) = training.without_padding(np.array([[1, 0, 2]]), pad_id=1)
    assert row.tolist() == [0, 2]


def test_a_dataset_without_autotune_has_the_same_elements():
    import tensorflow as tf

    dataset = tf.data.Dataset.range(7).batch(3).prefetch(2)
    quiet = training.without_autotune(dataset)
    assert not quiet.options().autotune.enabled
    assert list(quiet.unbatch().as_numpy_iterator()) == list(range(7))


def small_network(units=3):
    return keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(units), keras.layers.Dense(1)]
    )


@pytest.mark.parametrize("name", ["Adam", "Nadam", "Adagrad", "SGD"])
def test_a_reset_model_trains_like_a_new_one(name):
    x, y = np.ones((7, 2)), np.ones((7, 1))
    optimizer = getattr(keras.optimizers, name)
    model, fresh = small_network(), small_network()
    model.compile(optimizer(0.1), "mse")
    model.fit(x, y, epochs=3, verbose=0)
    training.reset_weights(model, fresh)
    assert int(model.optimizer.iterations) == 0
    model.fit(x, y, epochs=2, verbose=0)
    fresh.compile(optimizer(0.1), "mse")
    fresh.fit(x, y, epochs=2, verbose=0)
    for again, new in zip(model.get_weights(), fresh.get_weights()):
        np.testing.assert_allclose(again, new, atol=1e-6)


def test_a_reset_model_has_the_seeds_of_the_new_one():
    def network():
        layers = [keras.Input((23,)), keras.layers.GaussianNoise(0.5)]
        return keras.Sequential(layers)

    x = np.ones((1, 23), "float32")
    model, fresh = network(), network()
    model.compile("sgd", "mse")
    model(x, training=True)
    training.reset_weights(model, fresh)
    found, wanted = (each(x, training=True) for each in (model, fresh))
    assert np.array_equal(*map(keras.ops.convert_to_numpy, (found, wanted)))


def test_a_model_frozen_after_compile_cannot_be_reset():
    model, fresh = small_network(), small_network()
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    model.layers[0].trainable = False
    before = model.get_weights()
    with pytest.raises(ValueError, match="`model` must be compiled again"):
        training.reset_weights(model, fresh)
    for a, b in zip(before, model.get_weights()):
        assert np.array_equal(a, b)


def test_reset_needs_compiled_models_of_one_shape():
    model = small_network()
    with pytest.raises(ValueError, match="`model` must be compiled"):
        training.reset_weights(model, small_network())
    model.compile("adam", "mse")
    with pytest.raises(ValueError, match="`fresh` must have"):
        training.reset_weights(model, small_network(5))
    with pytest.raises(ValueError, match="`fresh` must be a built"):
        training.reset_weights(model, None)
