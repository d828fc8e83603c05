"""Keras code that uses recurrent layers, with only the import changed.

The layers take Keras's arguments, positional and by name, give Keras's numbers
and reach Keras's fused functions; bad arguments raise with their names.
"""

import pydoc

import keras
import numpy as np
import pytest
from keras import ops

from keras_seq import layers, plots
from keras_seq.layers import GRU, LSTM, OneHot, SimpleRNN, TokenEmbedding

KINDS = {"SimpleRNN": SimpleRNN, "LSTM": LSTM, "GRU": GRU}
GATED = {"LSTM": LSTM, "GRU": GRU}
STATES = {"SimpleRNN": 1, "LSTM": 2, "GRU": 1}
BATCH, LENGTH, WIDTH, UNITS = 3, 5, 7, 11

every_kind = pytest.mark.parametrize("name", KINDS)
gated = pytest.mark.parametrize("name", GATED)
BACKEND = keras.backend.backend()


def floats(*shape):
    shape = shape or (BATCH, LENGTH, WIDTH)
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def numbers(x):
    return [ops.convert_to_numpy(part) for part in keras.tree.flatten(x)]


def assert_same(ours, theirs, atol=1e-5):
    for a, b in zip(numbers(ours), numbers(theirs), strict=True):
        np.testing.assert_allclose(a, b, atol=atol)


def twins(name, **options):
    """Build our layer and Keras's with the same arguments and weights."""
    ours = KINDS[name](UNITS, **options)
    theirs = getattr(keras.layers, name)(UNITS, **options)
    for layer in (ours, theirs):
        layer.build((BATCH, LENGTH, WIDTH))
    ours.set_weights(theirs.get_weights())
    return ours, theirs


# --- What Keras's own tests of the three layers cover ---


@every_kind
@pytest.mark.parametrize(
    "options",
    [
        {"dropout": 0.5},
        {"dropout": 0.5, "recurrent_dropout": 0.5},
        {"return_sequences": True, "kernel_regularizer": "l2"},
    ],
    ids=str,
)
def test_weights_losses_shapes_and_config_are_as_in_keras(name, options):
    ours, theirs = twins(name, **options)
    y, expected = (layer(floats(), training=True) for layer in (ours, theirs))
    assert y.shape == expected.shape
    assert len(ours.losses) == len(theirs.losses)
    for attribute in ("trainable_weights", "non_trainable_weights"):
        assert [w.path.split("/", 1)[1] for w in getattr(ours, attribute)] == [
            w.path.split("/", 1)[1] for w in getattr(theirs, attribute)
        ]
    config = ours.get_config()
    assert config == {**theirs.get_config(), "name": ours.name}
    assert type(ours).from_config(config).get_config() == config


@every_kind
@pytest.mark.parametrize("rates", [(0.4, 0.0), (0.0, 0.4), (0.4, 0.4)])
def test_dropout_with_the_same_seed_gives_the_numbers_of_keras(name, rates):
    ours, theirs = twins(
        name, dropout=rates[0], recurrent_dropout=rates[1], seed=1
    )
    for _ in range(2):  # a new mask for each batch
        y = ours(floats(), training=True)
        assert_same(y, theirs(floats(), training=True))
    assert not np.allclose(numbers(y)[0], numbers(ours(floats()))[0])


@gated
@pytest.mark.parametrize("implementation", [0, 1, 2])
@pytest.mark.parametrize("options", [{}, {"dropout": 0.4, "seed": 1}], ids=str)
def test_every_implementation_gives_the_numbers_of_keras(
    name, implementation, options
):
    ours, theirs = twins(
        name, implementation=implementation, use_cudnn=False, **options
    )
    assert ours.cell.implementation == implementation
    y = ours(floats(), training=True)
    assert_same(y, theirs(floats(), training=True))


def test_reset_before_gives_the_numbers_of_keras_with_dropout():
    options = {"dropout": 0.3, "recurrent_dropout": 0.4, "seed": 1}
    ours, theirs = twins("GRU", reset_after=False, **options)
    assert_same(ours(floats(), training=True), theirs(floats(), training=True))


def test_legacy_implementation_argument_loads_in_a_functional_model():
    inputs = keras.Input((LENGTH, WIDTH))
    model = keras.Model(inputs, GRU(UNITS, implementation=0)(inputs))
    again = keras.Model.from_config(model.get_config())
    again.set_weights(model.get_weights())
    assert_same(again(floats()), model(floats()))


@every_kind
def test_stateful_layer_resets_its_state(name):
    layer = KINDS[name](UNITS, stateful=True)
    first = layer(floats())
    second = layer(floats())
    layer.reset_state()
    assert_same(layer(floats()), first)
    assert not np.allclose(numbers(first)[0], numbers(second)[0])


@every_kind
def test_stateful_layer_needs_a_fixed_batch_size(name):
    with pytest.raises(ValueError, match="batch size"):
        KINDS[name](UNITS, stateful=True)(keras.Input((LENGTH, WIDTH)))


@every_kind
def test_returned_states_continue_the_sequence(name):
    layer = KINDS[name](UNITS, return_state=True)
    whole = layer(floats())
    _, *states = layer(floats()[:, :2])
    assert len(states) == STATES[name]
    assert_same(layer(floats()[:, 2:], initial_state=states), whole)


@every_kind
def test_masking_layer_is_obeyed_as_in_keras(name):
    x = floats()
    x[1, 3:] = 0
    x[2, :2] = 0
    outputs = []
    for layer in twins(name, return_sequences=True, zero_output_for_mask=True):
        model = keras.Sequential([keras.layers.Masking(), layer])
        outputs.append(model(x))
    assert_same(*outputs)
    assert not numbers(outputs[0])[0][1, 3:].any()


@every_kind
@pytest.mark.parametrize("options", [{"unroll": True}, {"go_backwards": True}])
def test_unrolled_or_backwards_layer_equals_keras(name, options):
    ours, theirs = twins(name, return_sequences=True, **options)
    assert_same(ours(floats()), theirs(floats()))


@every_kind
def test_layer_is_saved_with_its_weights_and_loaded(name, tmp_path):
    inputs = keras.Input((None, WIDTH))
    layer = KINDS[name](UNITS, activity_regularizer="l2", dropout=0.2)
    model = keras.Model(inputs, layer(inputs))
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert type(again.layers[1]) is KINDS[name]
    assert type(again.layers[1].cell) is type(layer.cell)
    assert_same(again(floats()), model(floats()), atol=0)


@every_kind
def test_weights_file_of_keras_loads_into_ours(name, tmp_path):
    ours, theirs = (
        keras.Sequential([keras.Input((None, WIDTH)), layer])
        for layer in twins(name)
    )
    ours.layers[0].set_weights([w + 1 for w in ours.get_weights()])
    theirs.save_weights(tmp_path / "theirs.weights.h5")
    ours.load_weights(tmp_path / "theirs.weights.h5")
    assert_same(ours(floats()), theirs(floats()))


@every_kind
def test_mixed_precision_equals_keras(name):
    ours, theirs = twins(name, dtype="mixed_bfloat16")
    assert ours.cell.dtype_policy.name == "mixed_bfloat16"
    y, expected = (ops.cast(f(floats()), "float32") for f in (ours, theirs))
    assert_same(y, expected, atol=0.02)


@every_kind
def test_attributes_of_keras_layers_are_there(name):
    ours, theirs = twins(name, dropout=0.2, bias_initializer="ones")
    cell_arguments = set(ours.cell.arguments) - {"name", "seed", "trainable"}
    for attribute in cell_arguments - {"implementation"}:
        a, b = getattr(ours, attribute), getattr(theirs, attribute)
        is_object = hasattr(a, "get_config") and type(a) is type(b)
        assert a == b or a is b or is_object


@every_kind
def test_every_argument_of_keras_cell_is_handed_to_ours(name):
    theirs = getattr(keras.layers, f"{name}Cell")(2)
    ours = set(getattr(layers, f"{name}Cell").arguments)
    assert ours - {"implementation"} == set(theirs.get_config()) - {"dtype"}
    assert ("implementation" in ours) == hasattr(theirs, "implementation")


@every_kind
def test_functions_of_the_user_need_not_be_registered(name):
    class Doubled(keras.regularizers.Regularizer):  # without get_config
        def __call__(self, x):
            return 2 * ops.sum(x * x)

    def start(shape, dtype=None):
        return 0.5 * ops.ones(shape, dtype)

    layer = KINDS[name](
        2,
        activation=lambda x: x,
        kernel_initializer=start,
        kernel_regularizer=Doubled(),
    )
    layer(floats())
    assert np.all(numbers(layer.cell.kernel)[0] == 0.5)
    assert len(layer.losses) == 1


# --- Keras's fused functions ---


@gated
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"use_bias": False},
        {"go_backwards": True, "return_sequences": True},
        {"dropout": 0.5, "seed": 3, "return_sequences": True},
        {"stateful": True},
        {"dtype": "float64"},
    ],
    ids=str,
)
@pytest.mark.skipif(BACKEND != "torch", reason="the function is PyTorch's")
def test_pytorch_runs_its_fused_function(name, options, monkeypatch):
    import torch

    calls = []
    function = getattr(torch, name.lower())

    def spy(*args):
        calls.append(args)
        return function(*args)

    monkeypatch.setattr(torch, name.lower(), spy)
    gradients = []
    x = np.random.default_rng(0).normal(size=(BATCH, LENGTH, WIDTH))
    for use_cudnn in ("auto", False):
        keras.utils.set_random_seed(2)
        layer = GATED[name](
            UNITS, return_state=True, use_cudnn=use_cudnn, **options
        )
        layer.build(x.shape)
        sequences = torch.tensor(x, requires_grad=True)
        outputs = [layer(sequences, training=True) for _ in range(2)]
        sum((y**2).sum() for ys in outputs for y in ys).backward()
        found = [y.detach() for ys in outputs for y in ys]
        found += [w.value.grad for w in layer.trainable_variables]
        gradients.append([*found, sequences.grad])
    assert len(calls) == 2
    for one, other in zip(*gradients):
        np.testing.assert_allclose(one, other, atol=2e-5)


@gated
@pytest.mark.parametrize(
    "options",
    [
        {"activation": "relu"},
        {"recurrent_dropout": 0.5},
        {"unroll": True},
        {"use_cudnn": False},
        {"dtype": "mixed_bfloat16"},
    ],
    ids=str,
)
@pytest.mark.skipif(BACKEND != "torch", reason="the function is PyTorch's")
def test_pytorch_runs_the_loop_where_its_function_differs(
    name, options, monkeypatch
):
    import torch

    monkeypatch.setattr(torch, name.lower(), None)
    assert np.isfinite(
        numbers(GATED[name](UNITS, **options)(floats()))[0]
    ).all()
    masked = GATED[name](UNITS)
    masked(floats(), mask=np.ones((BATCH, LENGTH), bool))


@gated
def test_fused_function_gives_the_numbers_of_the_cell(name):
    ours, _ = twins(name, return_sequences=True, return_state=True)
    slow = GATED[name].from_config({**ours.get_config(), "use_cudnn": False})
    slow.build((BATCH, LENGTH, WIDTH))
    slow.set_weights(ours.get_weights())
    assert_same(slow(floats()), ours(floats()))


@gated
@pytest.mark.skipif(BACKEND == "torch", reason="we call PyTorch's ourselves")
def test_fused_function_gets_the_weights_of_our_cell(name, monkeypatch):
    received = {}

    def fused(*args, **kwargs):
        received.update(kwargs)
        raise NotImplementedError

    from keras.src import backend

    monkeypatch.setattr(backend, name.lower(), fused)
    layer, _ = twins(name)
    layer(floats())
    for weight in ("kernel", "recurrent_kernel", "bias"):
        assert received[weight] is getattr(layer.cell, weight)
    assert received["activation"] is layer.cell.activation


@gated
def test_use_cudnn_is_obeyed_as_in_keras(name):
    for choice in ("auto", True, False):
        layer = GATED[name](UNITS, use_cudnn=choice)
        assert layer.use_cudnn is choice
    masked = GATED[name](UNITS, use_cudnn=True, recurrent_dropout=0.1)
    with pytest.raises(ValueError, match="use_cudnn"):
        masked(floats())
    with pytest.raises(ValueError, match="use_cudnn"):
        GATED[name](UNITS, use_cudnn="never")


@gated
def test_cell_runs_wherever_the_fused_function_is_switched_off(name):
    class Cell(GATED[name].cell_class):
        def step(self, x, states, x_dropout=None, h_dropout=None):
            values = super().step(x, states, x_dropout, h_dropout)
            return {k: ops.zeros_like(v) for k, v in values.items()}

    class Layer(GATED[name]):
        cell_class = Cell

    assert not numbers(Layer(UNITS, use_cudnn=False)(floats()))[0].any()


@pytest.mark.skipif(
    keras.backend.backend() != "torch", reason="torch.compile is PyTorch's"
)
@gated
def test_torch_compile_breaks_the_graph_no_more_often_than_keras(name):
    import torch

    x = torch.tensor(floats())
    ours, theirs = (
        torch._dynamo.explain(layer)(x).graph_break_count
        for layer in twins(name)
    )
    assert ours <= theirs


# --- Bad arguments and inputs ---


@pytest.mark.parametrize(
    "arguments, name",
    [
        ({"kernel_initializer": None}, "kernel_initializer"),
        ({"use_bias": np.ones(3)}, "use_bias"),
        ({"unit_forget_bias": float("nan")}, "unit_forget_bias"),
        ({"dropout": 1.5}, "dropout"),
        ({"recurrent_dropout": -0.1}, "recurrent_dropout"),
        ({"use_cudnn": np.ones(2)}, "use_cudnn"),
        ({"implementation": 1, "dropout": 0.1}, "use_cudnn"),
        ({"go_backwards": None}, "go_backwards"),
    ],
    ids=str,
)
def test_bad_argument_is_named(arguments, name):
    with pytest.raises(ValueError, match=name):
        LSTM(4, **arguments)


def test_numpy_bools_are_taken_and_saved_as_bools():
    config = LSTM(4, use_bias=np.bool_(True), stateful=np.bool_(0)).get_config()
    assert config["use_bias"] is True and config["stateful"] is False


@pytest.mark.parametrize(
    "state",
    [
        np.zeros((BATCH, UNITS)),
        [np.zeros((BATCH, UNITS))],
        [np.zeros((BATCH, UNITS))] * 3,
        [np.zeros((BATCH, UNITS + 1))] * 2,
    ],
    ids=["one tensor", "one", "three", "too wide"],
)
def test_wrong_states_of_an_lstm_are_named(state):
    layer = LSTM(UNITS)
    with pytest.raises(ValueError, match="initial_state.*hidden_state.*cell_s"):
        layer(floats(), initial_state=state)
    with pytest.raises(ValueError, match="initial_state"):
        layer.trace(floats(), initial_state=state)


@pytest.mark.parametrize(
    "layer", [OneHot(7), TokenEmbedding(7, 3)], ids=lambda x: x.name
)
@pytest.mark.parametrize("bad", [-1, 7])
def test_ids_outside_the_vocabulary_are_named(layer, bad):
    for ids in (np.array([[1, bad]]), [[1, bad]]):
        with pytest.raises(ValueError, match=f"`ids`.*7.*{bad}"):
            layer(ids)
    assert layer(np.zeros((2, 0), "int32")).shape[:2] == (2, 0)
    if keras.backend.backend() != "torch":
        with pytest.raises(ValueError, match=f"`ids`.*7.*{bad}"):
            layer(ops.convert_to_tensor(np.array([[1, bad]], "int32")))


@pytest.mark.parametrize("layer", [OneHot, TokenEmbedding])
def test_summary_of_a_token_layer_shows_its_output_shape(layer):
    width = {} if layer is OneHot else {"embedding_dim": 13}
    model = keras.Sequential([layer(13, **width)])
    model(np.ones((2, 3), "int32"))
    lines = []
    model.summary(print_fn=lines.append)
    assert "3, 13)" in "".join(lines)
    assert model.layers[0].compute_output_shape(input_shape=(2, 3)) == (
        2,
        3,
        13,
    )


@pytest.mark.skipif(
    keras.backend.backend() != "torch", reason="memory of PyTorch"
)
def test_lookup_does_not_copy_the_table_on_pytorch():
    import torch

    layer = TokenEmbedding(20_000, 256, dtype="mixed_bfloat16", scale=True)
    ids = torch.ones((1, 3), dtype=torch.int32)
    layer(ids)
    with torch.profiler.profile(profile_memory=True) as profile:
        layer(ids)
    largest = max(event.cpu_memory_usage for event in profile.events())
    assert largest < 1e5


# --- Documentation ---


@every_kind
def test_help_shows_the_main_arguments_on_its_first_page(name):
    text = pydoc.render_doc(KINDS[name], renderer=pydoc.plaintext)
    page = "\n".join(text.split("\n")[:60])
    assert "units: int > 0" in page
    assert "return_sequences: bool" in page
    assert "`trace(" in page


@every_kind
def test_docstring_lists_every_argument(name):
    import inspect

    for found in (KINDS[name], KINDS[name].cell_class):
        text = inspect.getdoc(found)
        if found is KINDS[name]:
            names = set(inspect.signature(found).parameters) - {"kwargs"}
            assert "zero_output_for_mask: bool" in text
        else:
            names = set(found.arguments) - {"name", "trainable"}
        assert not [n for n in names if f"\n    {n}: " not in text]


# --- Public examples of keras.io that use recurrent layers ---


def test_layer_carries_its_state_from_batch_to_batch():
    lstm = LSTM(UNITS, stateful=True)  # working_with_rnns
    paragraphs = [floats(BATCH, length, WIDTH) for length in (2, 3, 5)]
    for paragraph in paragraphs[:2]:
        lstm(paragraph)
    output = lstm(paragraphs[2])
    whole = LSTM(UNITS)
    whole.build((BATCH, None, WIDTH))
    whole.set_weights(lstm.get_weights()[:3])
    assert_same(whole(np.concatenate(paragraphs, 1)), output)
    lstm.reset_state()
    assert not any(part.any() for part in numbers(lstm.states))


def test_stack_of_bidirectional_layers_trains():
    model = keras.Sequential(  # working_with_rnns
        [
            keras.Input((LENGTH, WIDTH)),
            keras.layers.Bidirectional(LSTM(UNITS, return_sequences=True)),
            keras.layers.Bidirectional(LSTM(3)),
            keras.layers.Dense(2),
        ]
    )
    model.compile("adam", "mse")
    model.fit(floats(), np.zeros((BATCH, 2)), verbose=0)
    assert model.predict(floats(), verbose=0).shape == (BATCH, 2)


@keras.saving.register_keras_serializable("tests")
class NestedCell(keras.layers.Layer):
    """A cell of one's own with a nested state, beside a cell of ours."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.cell = layers.LSTMCell(UNITS)
        self.state_size = [UNITS, UNITS, 2]
        self.output_size = UNITS

    def build(self, input_shape):
        self.cell.build(input_shape)

    def call(self, x, states):
        h, c, count = states
        y, (h, c) = self.cell(x, [h, c])
        return y, [h, c, count + 1]


def test_cell_of_ours_works_inside_a_custom_cell():
    layer = keras.layers.RNN(NestedCell(), return_state=True)
    y, h, _, count = layer(floats())  # working_with_rnns, nested structures
    assert_same(y, h)
    assert np.all(numbers(count)[0] == LENGTH)
    inputs = keras.Input((None, WIDTH))
    model = keras.Model(inputs, keras.layers.RNN(NestedCell())(inputs))
    model.compile("rmsprop", "mse")
    model.fit(floats(), np.zeros((BATCH, UNITS)), verbose=0)


def test_text_classifier_with_two_bidirectional_lstms_trains():
    inputs = keras.Input((None,), dtype="int32")  # bidirectional_lstm_imdb
    x = keras.layers.Embedding(13, WIDTH)(inputs)
    x = keras.layers.Bidirectional(LSTM(3, return_sequences=True))(x)
    x = keras.layers.Bidirectional(LSTM(3))(x)
    model = keras.Model(inputs, keras.layers.Dense(1, "sigmoid")(x))
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    ids = np.random.default_rng(0).integers(0, 13, (4, LENGTH))
    labels = np.array([0, 1, 0, 1])
    history = model.fit(
        ids, labels, validation_data=(ids, labels), verbose=0
    ).history
    assert np.isfinite(history["val_loss"]).all()


def seq2seq(units=UNITS, source=7, target=5):
    """The functional translator of lstm_seq2seq: states to states."""
    encoder_inputs = keras.Input((None, source))
    _, h, c = LSTM(units, return_state=True)(encoder_inputs)
    decoder_inputs = keras.Input((None, target))
    decoder = LSTM(units, return_sequences=True, return_state=True)
    x, _, _ = decoder(decoder_inputs, initial_state=[h, c])
    outputs = keras.layers.Dense(target, activation="softmax")(x)
    return keras.Model([encoder_inputs, decoder_inputs], outputs)


def test_translator_is_rebuilt_for_inference_from_a_saved_model(tmp_path):
    model = seq2seq()  # lstm_seq2seq
    model.compile("rmsprop", "categorical_crossentropy")
    x, y = floats(BATCH, 4, 7), np.eye(5)[np.ones((BATCH, 3), int)]
    model.fit([x, y], y, verbose=0)
    model.save(tmp_path / "s2s.keras")
    again = keras.models.load_model(tmp_path / "s2s.keras")
    encoder_inputs, decoder_inputs = again.inputs
    lstms = [layer for layer in again.layers if isinstance(layer, LSTM)]
    encoder = keras.Model(encoder_inputs, lstms[0].output[1:])
    states = [keras.Input((UNITS,)), keras.Input((UNITS,))]
    h, *after = lstms[1](decoder_inputs, initial_state=states)
    decoder = keras.Model(
        [decoder_inputs, *states], [again.layers[-1](h), *after]
    )
    state, steps = encoder.predict(x, verbose=0), []
    for t in range(3):
        step, *state = decoder.predict([y[:, t : t + 1], *state], verbose=0)
        steps.append(step)
    expected = model.predict([x, y], verbose=0)
    np.testing.assert_allclose(np.concatenate(steps, 1), expected, atol=1e-5)


def test_addition_of_digits_trains_with_repeated_vector():
    model = keras.Sequential()  # addition_rnn
    model.add(keras.Input((LENGTH, 12)))
    model.add(LSTM(UNITS))
    model.add(keras.layers.RepeatVector(4))
    model.add(LSTM(UNITS, return_sequences=True))
    model.add(keras.layers.Dense(12, activation="softmax"))
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    rng = np.random.default_rng(0)
    x, y = (np.eye(12)[rng.integers(0, 12, (6, n))] for n in (LENGTH, 4))
    model.fit(x, y, batch_size=3, validation_data=(x, y), verbose=0)
    answers = np.argmax(model.predict(x, verbose=0), axis=-1)
    assert answers.shape == (6, 4)


@pytest.mark.parametrize("name", KINDS)
def test_a_trace_is_drawn_as_the_backend_returns_it(name):
    trace = KINDS[name](UNITS).trace(ops.ones((1, 2, WIDTH)))
    figure = plots.gates(trace, ["the end", "끝"])
    assert figure.axes[0].images[0].get_array().shape == (UNITS, 2)
