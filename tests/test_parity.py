"""Same weights, same numbers as Keras's own layers and as the papers."""

import keras
import numpy as np
import oracles
import pytest
from cases import LENGTH, UNITS, WIDTH, floats, ids
from keras import ops

import keras_seq
from keras_seq.layers import GRU, LSTM, SimpleRNN, TokenEmbedding

KINDS = {
    "rnn": (SimpleRNN, keras.layers.SimpleRNN, {}),
    "lstm": (LSTM, keras.layers.LSTM, {}),
    "lstm no forget bias": (
        LSTM,
        keras.layers.LSTM,
        {"unit_forget_bias": False},
    ),
    "gru": (GRU, keras.layers.GRU, {}),
    "gru reset before": (GRU, keras.layers.GRU, {"reset_after": False}),
}
MASKS = {
    "no mask": None,
    "padded at the end": [[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 0, 0, 0, 0]],
    "padded at the start": [[0, 0, 1, 1, 1], [1, 1, 1, 1, 1], [0, 0, 0, 0, 1]],
    "holes": [[1, 0, 1, 0, 1], [0, 1, 0, 1, 0], [1, 1, 0, 0, 1]],
    "a row of padding": [[1, 1, 1, 1, 1], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1]],
}
OPTIONS = {
    "last": {},
    "sequences": {"return_sequences": True},
    "backwards": {"return_sequences": True, "go_backwards": True},
    "unrolled": {"return_sequences": True, "unroll": True},
    "no bias": {"use_bias": False},
    "relu": {"activation": "relu"},
    "zeros": {"return_sequences": True, "zero_output_for_mask": True},
}
every_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture
def eagerly():
    """Run JAX step by step: compiling each tiny loop takes half a second."""
    if keras.backend.backend() != "jax":
        yield
        return
    import jax

    with jax.disable_jit():
        yield


def flat(values):
    values = keras.tree.flatten(values)
    return [ops.convert_to_numpy(ops.cast(v, "float32")) for v in values]


def assert_same(ours, theirs):
    ours, theirs = flat(ours), flat(theirs)
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, atol=1e-5)


def give_weights(ours, theirs, seed=0):
    """Draw every weight, biases too, and hand the same to both."""
    rng = np.random.default_rng(seed)
    drawn = [0.4 * rng.normal(size=w.shape) for w in theirs.get_weights()]
    theirs.set_weights(drawn)
    ours.set_weights(drawn)


def pair(kind, wrap=lambda layer: layer, **options):
    """Build our layer and Keras's with the same arguments and weights."""
    ours, theirs, arguments = KINDS[kind]
    layers = [wrap(c(UNITS, **arguments, **options)) for c in (ours, theirs)]
    for layer in layers:
        layer(floats())
    give_weights(*layers)
    return layers


@every_kind
@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("options", OPTIONS)
def test_layer_equals_keras_whatever_the_options(kind, options):
    ours, theirs = pair(kind, return_state=True, **OPTIONS[options])
    x, keep = floats(), np.array(MASKS["holes"], bool)
    assert_same(ours(x, mask=keep), theirs(x, mask=keep))


@every_kind
@pytest.mark.usefixtures("eagerly")
def test_layer_equals_keras_wherever_the_mask_is(kind):
    ours, theirs = pair(kind, return_sequences=True, return_state=True)
    for mask in MASKS.values():
        keep = None if mask is None else np.array(mask, bool)
        assert_same(ours(floats(), mask=keep), theirs(floats(), mask=keep))


@every_kind
def test_initial_state_equals_keras(kind):
    ours, theirs = pair(kind, return_sequences=True, return_state=True)
    state = [
        np.full((3, UNITS), 0.1 * (i + 1), "float32")
        for i in range(len(ours.cell.state_names))
    ]
    x = floats()
    assert_same(ours(x, initial_state=state), theirs(x, initial_state=state))


@every_kind
def test_stateful_layer_equals_keras(kind):
    ours, theirs = pair(kind, stateful=True)
    for layer in (ours, theirs):
        layer.reset_state()
    for _ in range(3):
        assert_same(ours(floats()), theirs(floats()))


@every_kind
def test_two_halves_of_a_stateful_run_equal_the_whole(kind):
    whole, _ = pair(kind)
    halves = type(whole)(**{**whole.get_config(), "stateful": True})
    x = floats()
    halves.build(x[:, :2].shape)
    halves.set_weights(whole.get_weights())
    halves(x[:, :2])
    assert_same(halves(x[:, 2:]), whole(x))


@every_kind
def test_bidirectional_equals_keras(kind):
    ours, theirs = pair(kind, keras.layers.Bidirectional, return_sequences=True)
    keep = np.array(MASKS["padded at the end"], bool)
    assert_same(ours(floats(), mask=keep), theirs(floats(), mask=keep))


@every_kind
def test_stacked_cells_equal_keras(kind):
    ours, theirs, arguments = KINDS[kind]
    stacks = [
        keras.layers.RNN(
            [getattr(home, name)(u, **arguments) for u in (UNITS, 2)],
            return_sequences=True,
        )
        for home, name in (
            (keras_seq.layers, f"{ours.__name__}Cell"),
            (keras.layers, f"{theirs.__name__}Cell"),
        )
    ]
    for stack in stacks:
        stack(floats())
    give_weights(*stacks)
    assert_same(stacks[0](floats()), stacks[1](floats()))


@every_kind
def test_untrained_weights_have_keras_shapes_and_biases(kind):
    ours, theirs, arguments = KINDS[kind]
    a, b = ours(UNITS, **arguments), theirs(UNITS, **arguments)
    a.build((None, LENGTH, WIDTH))
    b.build((None, LENGTH, WIDTH))
    assert [w.shape for w in a.weights] == [w.shape for w in b.weights]
    assert np.array_equal(a.get_weights()[-1], b.get_weights()[-1])


@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
def test_keras_code_works_when_only_the_import_changes(kind):
    ours, theirs, arguments = KINDS[kind]
    for layer in (ours, theirs):
        model = keras.Sequential(
            [
                keras.Input((None,), dtype="int32"),
                keras.layers.Embedding(13, WIDTH, mask_zero=True),
                layer(
                    5,
                    "tanh",
                    kernel_regularizer="l2",
                    recurrent_constraint="max_norm",
                    bias_initializer="ones",
                    dropout=0.2,
                    recurrent_dropout=0.1,
                    seed=1,
                    return_sequences=True,
                    name="first",
                    **arguments,
                ),
                layer(2, **arguments),
            ]
        )
        model.compile("sgd", "mse")
        model.fit(ids(), np.zeros((3, 2)), verbose=0)
        assert model.get_layer("first").units == 5
        assert model.predict(ids(), verbose=0).shape == (3, 2)


@pytest.mark.parametrize("name", ["SimpleRNN", "LSTM", "GRU"])
def test_every_argument_of_keras_is_an_argument_of_ours(name):
    import inspect

    theirs = inspect.signature(getattr(keras.layers, name)).parameters
    ours = inspect.signature(getattr(keras_seq.layers, name)).parameters
    assert list(ours.items()) == list(theirs.items())


@every_kind
def test_layer_equals_the_paper(kind):
    if kind == "gru":
        pytest.skip("the paper resets before the product")
    ours, _ = pair(kind, return_sequences=True)
    x, (W, U, b) = floats(), ours.get_weights()
    if "gru" in kind:
        expected = oracles.gru(x[0], W, U, b)
    elif "lstm" in kind:
        expected, _ = oracles.lstm(x[0], W, U, b)
    else:
        expected = oracles.simple_rnn(x[0], W, U, b)
    np.testing.assert_allclose(flat(ours(x))[0][0], expected, atol=1e-5)


def test_lstm_trace_equals_the_paper():
    ours, _ = pair("lstm")
    h, c = oracles.lstm(floats()[0], *ours.get_weights())
    trace = ours.trace(floats())
    np.testing.assert_allclose(flat(trace["hidden_state"])[0][0], h, atol=1e-5)
    np.testing.assert_allclose(flat(trace["cell_state"])[0][0], c, atol=1e-5)


@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
def test_trace_in_half_precision_is_the_output(kind):
    ours, _ = pair(kind, dtype="mixed_bfloat16")
    (last,) = flat(ours.trace(floats())["hidden_state"][:, -1])
    np.testing.assert_allclose(last, flat(ours(floats()))[0], atol=0.01)


def test_trace_of_a_stateful_layer_begins_where_it_stopped():
    ours, _ = pair("lstm", stateful=True)
    ours(floats())
    (last,) = flat(ours.trace(floats())["hidden_state"][:, -1])
    np.testing.assert_allclose(last, flat(ours(floats()))[0], atol=1e-6)


def test_arguments_by_position_are_those_of_keras():
    gates = "tanh", "sigmoid", False, "he_normal", "zeros", "ones"
    for layer, keras_layer, arguments in (
        (SimpleRNN, keras.layers.SimpleRNN, (gates[0], *gates[2:])),
        (LSTM, keras.layers.LSTM, (*gates, False, "l2", "l1", None, "l2")),
        (GRU, keras.layers.GRU, (*gates, "l2", "l1", None, "l2")),
    ):
        ours, theirs = layer(4, *arguments), keras_layer(4, *arguments)
        ours, theirs = ours.get_config(), theirs.get_config()
        assert {**ours, "name": theirs["name"]} == theirs


@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("fused", [False, True])
def test_last_traced_state_is_exactly_the_output(kind, backwards, fused):
    # `use_cudnn=False`: PyTorch and JAX have fused functions on a CPU too.
    options = {} if fused or kind == "rnn" else {"use_cudnn": False}
    ours, _ = pair(kind, go_backwards=backwards, **options)
    x = floats()
    state = [0.5 * np.ones((3, UNITS), "float32")] * len(ours.cell.state_names)
    # JAX compiles the two loops apart, and fuses them differently.
    rounded = fused or keras.backend.backend() == "jax"
    for mask in (None, "padded at the start", "holes", "a row of padding"):
        keep = np.array(MASKS[mask], bool) if mask else None
        for first in (None, state):
            trace = ours.trace(x, mask=keep, initial_state=first)
            (last,) = flat(trace["hidden_state"][:, -1])
            (output,) = flat(ours(x, mask=keep, initial_state=first))
            bits = 1e-6 if rounded else 0
            np.testing.assert_allclose(last, output, rtol=0, atol=bits)


def test_token_embedding_equals_keras():
    ours, theirs = TokenEmbedding(13, UNITS), keras.layers.Embedding(13, UNITS)
    ours(ids()), theirs(ids())
    give_weights(ours, theirs)
    assert_same(ours(ids()), theirs(ids()))


def test_scaled_embedding_is_sqrt_of_the_width_times_larger():
    plain, scaled = TokenEmbedding(13, 11), TokenEmbedding(13, 11, scale=True)
    plain(ids()), scaled(ids())
    give_weights(plain, scaled)
    assert_same(scaled(ids()), 11**0.5 * plain(ids()))


def test_tied_logits_are_products_with_the_table():
    layer = TokenEmbedding(13, WIDTH)
    layer(ids())
    (table,) = layer.get_weights()
    assert_same(layer.logits(floats()), floats() @ table.T)


def test_one_hot_embedding_and_lookup_are_the_same_product():
    layer = TokenEmbedding(13, UNITS)
    x = layer(ids())
    (table,) = layer.get_weights()
    assert_same(x, ops.matmul(keras_seq.layers.OneHot(13)(ids()), table))


def test_first_adam_step_of_a_repeated_id_is_the_learning_rate():
    model = keras.Sequential([TokenEmbedding(13, 2, pad_id=None)])
    x = np.full((1, 64), 3, "int32")
    model.compile(keras.optimizers.Adam(0.01), "mse")
    model.build((1, 64))
    before = model.get_weights()[0]
    model.fit(x, np.ones((1, 64, 2)), verbose=0)
    step = np.abs(model.get_weights()[0] - before)
    np.testing.assert_allclose(step[3], 0.01, rtol=1e-3)
    assert np.array_equal(step[[0, 12]], np.zeros((2, 2)))
