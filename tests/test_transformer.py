"""The Transformer beside Keras's attention, PyTorch's layers and the paper."""

import inspect

import keras
import numpy as np
import pytest
from cases import VOCAB, ids, query_and_memory, sentences, wide_floats
from keras import ops

from keras_seq import evaluation
from keras_seq.generation import BeamSearch, WithoutCache, generate
from keras_seq.layers import (
    MultiHeadAttention,
    PositionEmbedding,
    SinePositionEncoding,
    TokenEmbedding,
    TransformerDecoder,
    TransformerEncoder,
    attend,
    causal_mask,
    sinusoidal_positions,
)
from keras_seq.layers.activations import gelu, gelu_tanh
from keras_seq.layers.transformer_encoder import ResidualConnection
from keras_seq.models import GPT, RecurrentLM, Seq2Seq, Transformer
from keras_seq.training import TokenCrossEntropy

OPTIONS = {
    "plain": {},
    "narrow values": {"value_dim": 5},
    "no bias": {"use_bias": False},
    "another width": {"output_shape": 17},
}
CALLS = {
    "self": {},
    "causal": {"use_causal_mask": True},
    "masked": {"attention_mask": None},
    "memory": {"value": None},
    "memory and key": {"value": None, "key": None},
    "masked memory": {"value": None, "value_mask": None},
    "causal memory": {"value": None, "use_causal_mask": True},
}


def numbers(x):
    return ops.convert_to_numpy(ops.cast(x, "float32"))


def random_bool(*shape):
    x = np.random.default_rng(2).random(shape) > 0.4
    x[..., 0] = True  # with all values masked, Keras averages them
    return x


def arguments(call, query, memory):
    """Fill in what a call of CALLS names."""
    there = {
        "value": memory,
        "key": memory[:, ::-1],
        "value_mask": random_bool(*memory.shape[:2]),
        "attention_mask": random_bool(
            len(query), query.shape[1], query.shape[1]
        ),
    }
    return {k: there.get(k) if v is None else v for k, v in call.items()}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("options", OPTIONS)
def test_attention_is_that_of_keras(options, call):
    keras.utils.set_random_seed(0)
    query, memory = query_and_memory()
    theirs = keras.layers.MultiHeadAttention(3, 7, **OPTIONS[options])
    ours = MultiHeadAttention(3, 7, **OPTIONS[options])
    found = arguments(CALLS[call], query, memory)
    expected = {**found, "value": found.get("value", query)}
    for layer in (ours, theirs):  # on JAX Keras cannot call narrow values
        layer.build(query.shape, expected["value"].shape)
    rng = np.random.default_rng(1)
    theirs.set_weights([rng.normal(size=w.shape) for w in theirs.get_weights()])
    ours.set_weights(theirs.get_weights())
    y, a = ours(query, **found, return_attention_scores=True)
    z, b = theirs(query, **expected, return_attention_scores=True)
    np.testing.assert_allclose(numbers(a), numbers(b), atol=1e-5)
    np.testing.assert_allclose(numbers(y), numbers(z), rtol=1e-4, atol=1e-4)


FUSED = {
    "no mask": {},
    "causal": {"use_causal_mask": True},
    "padding": {"value_mask": None},
    "causal and padding": {"use_causal_mask": True, "value_mask": None},
    "attention mask": {"attention_mask": None},
    "a mask for each query alone": {"query_mask": None},
    "cross-attention": {"value": None, "value_mask": None},
    "causal cross-attention": {"value": None, "use_causal_mask": True},
}


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("call", FUSED)
def test_attention_without_scores_equals_attention_with_scores(call, dtype):
    query, memory = query_and_memory()
    there = {
        "value": memory,
        "query_mask": np.arange(2) < np.array([[2], [0], [1]]),
        "value_mask": np.arange(2) < np.array([[2], [0], [1]]),
        "attention_mask": np.arange(2) < np.array([[[2]], [[0]], [[1]]]),
    }
    if "value" in FUSED[call]:
        there["value_mask"] = np.arange(5) < np.array([[2], [0], [5]])
    options = {
        k: there.get(k) if v is None else v for k, v in FUSED[call].items()
    }
    layer = MultiHeadAttention(3, 7, dtype=dtype)
    y = layer(query, **options)
    expected, _ = layer(query, **options, return_attention_scores=True)
    assert y.dtype == expected.dtype
    near = 1e-5 if dtype == "float32" else 0.05
    np.testing.assert_allclose(numbers(y), numbers(expected), atol=near)
    assert np.isfinite(numbers(y)).all()


def test_attention_without_scores_learns_as_attention_with_scores():
    query, memory = query_and_memory()
    mask = np.arange(5) < np.array([[2], [0], [5]])
    layer = MultiHeadAttention(3, 7)
    layer.build(query.shape, memory.shape)

    def loss(x, scores):
        y = layer(x, memory, value_mask=mask, return_attention_scores=scores)
        return ops.sum(ops.square(y[0] if scores else y))

    slopes = [
        evaluation.input_gradient(lambda x, s=s: loss(x, s), query)
        for s in (True, False)
    ]
    np.testing.assert_allclose(*slopes, atol=1e-5)
    assert np.isfinite(slopes[1]).all()


@pytest.mark.parametrize("dtype", ["int32", "float32", "list"])
def test_an_attention_mask_need_not_be_bool(dtype):
    query, memory = query_and_memory()
    mask = random_bool(3, 2, 5)
    layer = MultiHeadAttention(2, 3)
    expected = layer(query, memory, attention_mask=mask)
    other = mask.tolist() if dtype == "list" else mask.astype(dtype)
    found = layer(query, memory, attention_mask=other)
    assert np.array_equal(numbers(found), numbers(expected))


def test_the_attributes_and_arguments_are_those_of_keras():
    ours, theirs = (
        cls(2, 3, 5, 1.0, False, (8,), None, None, None, "he_normal")
        for cls in (MultiHeadAttention, keras.layers.MultiHeadAttention)
    )
    for name in ("num_heads", "key_dim", "value_dim", "dropout", "use_bias"):
        assert getattr(ours, name) == getattr(theirs, name)
    again = MultiHeadAttention.from_config(theirs.get_config())
    assert again(wide_floats()).shape == (3, 5, 8)


def test_key_and_value_must_be_of_one_length():
    query, memory = query_and_memory()
    layer = MultiHeadAttention(2, 3)
    with pytest.raises(ValueError, match="`value` and `key`.*must be equal"):
        layer(query, memory, key=memory[:, :3])
    layer(query, memory)
    with pytest.raises(ValueError, match="`key` must be as long as `value`"):
        layer(query, memory, key=memory[:, :3])


def test_attend_takes_a_list_as_its_mask():
    _, weights = attend(ops.zeros((1, 2)), ops.ones((2, 3)), [[True, False]])
    assert numbers(weights).tolist() == [[1, 0]]


def test_the_kernel_is_initialized_as_a_matrix():
    layer = MultiHeadAttention(4, 16)
    layer.build((None, None, 64))
    kernel = layer.get_weights()[0]
    limit = (6 / (64 + 64)) ** 0.5
    assert kernel.shape == (64, 4, 16)
    assert 0.95 * limit < np.abs(kernel).max() <= limit


def test_a_query_with_all_values_masked_has_weights_of_zero():
    query, memory = query_and_memory()
    mask = np.ones((3, 2, 5), bool)
    mask[1] = False
    layer = MultiHeadAttention(2, 3)
    y, weights = layer(
        query, memory, attention_mask=mask, return_attention_scores=True
    )
    assert not numbers(weights)[1].any() and np.isfinite(numbers(y)).all()
    np.testing.assert_allclose(numbers(weights)[[0, 2]].sum(-1), 1, atol=1e-6)


@pytest.mark.parametrize(
    "mask",
    [
        {"attention_mask": np.ones((3, 2, 7), bool)},
        {"attention_mask": np.ones((3, 5, 5), bool)},
        {"attention_mask": np.ones(5, bool)},
        {"attention_mask": np.ones((1, 3, 1, 2, 5), bool)},
        {"key_mask": np.ones((3, 7), "int32")},
        {"value_mask": np.ones((3, 2), "int32")},
        {"value_mask": np.ones((3, 2, 5), bool)},
        {"query_mask": np.ones((3, 5), bool)},
        {"query_mask": np.ones(3, bool)},
    ],
    ids=lambda mask: next(iter(mask)),
)
def test_a_mask_of_another_rank_or_length_is_an_error(mask):
    with pytest.raises(ValueError, match=next(iter(mask))):
        MultiHeadAttention(2, 3)(*query_and_memory(), **mask)


def of_torch(theirs, *memory):
    """Lay the weights of a torch layer out as ours: a list of arrays."""
    state = {k: v.detach().numpy() for k, v in theirs.state_dict().items()}
    D = state["linear2.bias"].size
    H = theirs.self_attn.num_heads

    def attention(name):
        kernels = state[f"{name}.in_proj_weight"].reshape(3, D, D)
        biases = state[f"{name}.in_proj_bias"].reshape(3, H, D // H)
        for kernel, bias in zip(kernels, biases):
            yield from (kernel.T.reshape(D, H, D // H), bias)
        out = state[f"{name}.out_proj.weight"].T
        yield from (out.reshape(H, D // H, D), state[f"{name}.out_proj.bias"])

    def norm(number):
        return [state[f"norm{number}.weight"], state[f"norm{number}.bias"]]

    weights = [*attention("self_attn"), *norm(1)]
    if memory:
        weights += [*attention("multihead_attn"), *norm(2)]
    for name in ("linear1", "linear2"):
        weights += [state[f"{name}.weight"].T, state[f"{name}.bias"]]
    return weights + norm(2 + len(memory))


@pytest.mark.parametrize("shape", [(3, 11), (3, 5, 2, 11)])
@pytest.mark.parametrize("kind", ["query", "value", "key"])
def test_inputs_of_attention_must_have_three_axes(kind, shape):
    given = dict.fromkeys(("query", "value", "key"), wide_floats())
    given[kind] = np.ones(shape, "float32")
    attention = MultiHeadAttention(1, 3)
    attention(wide_floats())
    with pytest.raises(ValueError, match=f"`{kind}` must be"):
        attention(**given)


@pytest.mark.parametrize("normalize_first", [False, True])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_encoder_block_is_that_of_torch(normalize_first, activation):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    theirs = torch.nn.TransformerEncoderLayer(
        14, 2, 17, 0.0, activation, batch_first=True, norm_first=normalize_first
    ).eval()
    ours = TransformerEncoder(
        17, 2, activation=activation, normalize_first=normalize_first
    )
    x = np.random.default_rng(0).normal(size=(3, 5, 14)).astype("float32")
    mask = ids() != 0
    ours(x)
    ours.set_weights(of_torch(theirs))
    for options, causal in (({}, None), ({"use_causal_mask": True}, True)):
        hidden = ~numbers(causal_mask(5)).astype(bool) if causal else None
        with torch.no_grad():
            expected = theirs(
                torch.tensor(x),
                None if hidden is None else torch.tensor(hidden),
                src_key_padding_mask=torch.tensor(~mask),
            )
        y = numbers(ours(x, mask=mask, **options))
        real = mask.copy()
        real[2] &= not causal  # its first queries see nothing: NaN there
        found = np.nan_to_num(expected.numpy())
        np.testing.assert_allclose(y[real], found[real], atol=1e-4)


@pytest.mark.parametrize("normalize_first", [False, True])
def test_decoder_block_is_that_of_torch(normalize_first):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    theirs = torch.nn.TransformerDecoderLayer(
        14, 2, 17, 0.0, batch_first=True, norm_first=normalize_first
    ).eval()
    ours = TransformerDecoder(17, 2, normalize_first=normalize_first)
    rng = np.random.default_rng(0)
    x, memory = (rng.normal(size=(3, n, 14)).astype("float32") for n in (3, 5))
    mask = sentences()["source"] != 0
    ours(x, memory)
    ours.set_weights(of_torch(theirs, memory))
    with torch.no_grad():
        expected = theirs(
            torch.tensor(x),
            torch.tensor(memory),
            torch.tensor(~numbers(causal_mask(3)).astype(bool)),
            memory_key_padding_mask=torch.tensor(~mask),
        ).numpy()
    y = numbers(ours(x, memory, encoder_output_mask=mask))
    np.testing.assert_allclose(y, expected, atol=1e-4)


@pytest.mark.parametrize(
    "layer", [SinePositionEncoding(), PositionEmbedding(7)], ids=repr
)
def test_position_layers_require_three_axes(layer):
    with pytest.raises(ValueError, match=r"`x` must be \(B, T, D\)"):
        layer(np.ones((3, 5), "float32"))


def test_a_position_without_an_embedding_gives_nan():
    layer = PositionEmbedding(7)
    positions = np.array([[-7, -1, 0, 6, 7]])
    found = numbers(layer(np.ones((1, 5, 3), "float32"), positions))
    lost = np.isnan(found).all(axis=-1)
    assert lost.tolist() == [[True, True, False, False, True]]


@pytest.mark.parametrize("units", [6, 7])
def test_sinusoids_are_those_of_the_paper(units):
    expected = np.zeros((11, units))
    for p in range(11):
        for i in range(units):
            angle = p / 10000 ** (2 * (i // 2) / units)
            expected[p, i] = np.cos(angle) if i % 2 else np.sin(angle)
    found = numbers(sinusoidal_positions(np.arange(11), units))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_an_input_longer_than_the_position_embedding_raises():
    with pytest.raises(ValueError, match="sequence_length"):
        PositionEmbedding(4)(wide_floats())
    with pytest.raises(ValueError, match="max_sequence_length"):
        GPT(VOCAB, 8, num_heads=2, max_sequence_length=4)(ids())


def test_without_positions_the_order_of_the_tokens_has_no_effect():
    """Exchange two source words, and the memory is only exchanged."""
    keras.utils.set_random_seed(0)
    options = {"num_heads": 2, "num_layers": 2}
    x = ids()[:1]
    swapped = x[:, [1, 0, 2, 3, 4]]
    for positions, same in (("none", True), ("sinusoidal", False)):
        model = Transformer(
            VOCAB, VOCAB, 8, position_encoding=positions, **options
        )
        model({"source": x, "target": x})
        memory, *_ = model.encode(x)
        other, *_ = model.encode(swapped)
        alike = np.allclose(
            numbers(memory)[:, [1, 0, 2, 3, 4]], numbers(other), atol=1e-5
        )
        assert alike == same


def test_first_adam_step_of_a_repeated_position_is_the_learning_rate():
    """As of a repeated id: the gradient of a lookup must be whole."""
    model = GPT(
        VOCAB, 8, num_heads=2, num_layers=1, max_sequence_length=5, dropout=0.0
    )
    x = np.abs(ids()) + (ids() == 0)
    model(x)
    model.compile(
        keras.optimizers.Adam(0.01, epsilon=1e-12), TokenCrossEntropy()
    )
    before = numbers(model.position_embedding.embeddings)
    model.train_on_batch(x, x)
    step = np.abs(numbers(model.position_embedding.embeddings) - before)
    np.testing.assert_allclose(step, 0.01, rtol=1e-3)


def test_the_start_id_must_not_be_the_padding_id():
    for make in (Transformer, Seq2Seq):
        for name in ("start_id", "end_id"):
            with pytest.raises(ValueError, match=name):
                make(VOCAB, VOCAB, 8, **{name: 0})


@pytest.mark.parametrize("pad_id, T", [(None, 5), (0, 4)])
def test_without_cache_generates_up_to_the_context_length(pad_id, T):
    model = GPT(
        VOCAB,
        8,
        num_heads=2,
        num_layers=1,
        max_sequence_length=8,
        pad_id=pad_id,
    )
    x = (np.abs(ids()) + (ids() == 0))[:, :T]
    model(x)
    uncached = WithoutCache(model)
    assert uncached.max_prompt_length(4) == T
    expected = generate(model, x, max_length=4).ids
    assert np.array_equal(generate(uncached, x, max_length=4).ids, expected)
    with pytest.raises(ValueError, match="`inputs`"):
        generate(uncached, np.ones((3, T + 1), "int32"), max_length=4)


def test_a_prompt_longer_than_the_model_raises():
    model = GPT(VOCAB, 8, num_heads=2, max_sequence_length=8)
    model(ids())
    with pytest.raises(ValueError, match="`inputs`.*9 tokens"):
        model.start(np.ones((1, 9), "int32"))


@pytest.mark.parametrize("steps", [0, 5, 9])
def test_gpt_generates_no_further_than_max_sequence_length(steps):
    model = GPT(VOCAB, 8, num_heads=2, max_sequence_length=8)
    model(ids())
    with pytest.raises(ValueError, match="max_length"):
        model.start(ids(), max_length=steps)


def test_a_longer_prompt_raises_after_a_shorter_one():
    """A function compiled for any length does not know it any more."""
    model = GPT(VOCAB, 8, num_heads=2, max_sequence_length=8)
    model(ids())
    for length in (2, 5):
        generate(model, ids()[:, :length], max_length=4)
    with pytest.raises(ValueError, match="`inputs`"):
        generate(model, np.ones((3, 6), "int32"), max_length=4)
    wide = Transformer(
        VOCAB, VOCAB, 8, position_encoding="learned", max_sequence_length=5
    )
    wide(sentences())
    with pytest.raises(ValueError, match="`max_length`"):
        generate(wide, ids(), max_length=6)
    with pytest.raises(ValueError, match="`inputs`"):
        generate(wide, np.ones((3, 6), "int32"), max_length=4)


def test_the_four_kernels_are_initialized_differently():
    layer = MultiHeadAttention(4, 16)
    layer.build((None, None, 64))
    kernels = [w.reshape(64, 64) for w in layer.get_weights()[::2]]
    for i, kernel in enumerate(kernels):
        for other in kernels[:i]:
            assert (
                np.abs(np.corrcoef(kernel.ravel(), other.ravel())[0, 1]) < 0.1
            )


def test_the_mask_of_the_embedding_is_used():
    """Keras hands its mask over by names that depend on the other inputs."""
    keras.utils.set_random_seed(0)
    embedding, x = TokenEmbedding(VOCAB, 8), ids()
    mask, other = x != 0, np.ones((5, 5), bool)
    attention, block = MultiHeadAttention(2, 4), TransformerEncoder(32, 2)
    h = ops.convert_to_tensor(numbers(embedding(x)))  # without Keras's mask
    for layer, named in ((attention, "value_mask"), (block, "mask")):
        expected = numbers(layer(h, **{named: mask}))
        for found in (
            layer(embedding(x)),
            layer(embedding(x), attention_mask=other),
        ):
            np.testing.assert_allclose(
                numbers(found)[mask], expected[mask], atol=1e-6
            )
    block = TransformerDecoder(32, 2)
    expected = numbers(block(h, h, mask=mask, encoder_output_mask=mask))
    found = numbers(block(embedding(x), embedding(x)))
    np.testing.assert_allclose(found[mask], expected[mask], atol=1e-6)


def test_an_attention_mask_of_a_block_is_applied():
    block, x = TransformerEncoder(44, 1), wide_floats()
    expected = numbers(block(x, use_causal_mask=True))
    found = numbers(block(x, attention_mask=causal_mask(5)))
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("normalize_first", [True, False])
def test_encode_queries_computes_some_positions_only(normalize_first):
    block, x = (
        TransformerEncoder(44, 1, normalize_first=normalize_first),
        wide_floats(),
    )
    mask = np.arange(5) < np.array([[5], [3], [1]])[: len(x)]
    y, weights = map(numbers, block(x, mask=mask, return_attention_scores=True))
    few, looked = map(
        numbers,
        block.encode_queries(
            x[:, 3:0:-2], x, mask=mask, return_attention_scores=True
        ),
    )
    np.testing.assert_allclose(few, y[:, 3:0:-2], atol=1e-5)
    np.testing.assert_allclose(looked, weights[:, :, 3:0:-2], atol=1e-6)
    with pytest.raises(ValueError, match="not built"):
        TransformerEncoder(44, 1).encode_queries(x, x)


class LastPositions(keras.layers.Layer):
    """Compute two positions of a block, as the last block of a model does."""

    def __init__(self, block, **kwargs):
        super().__init__(**kwargs)
        self.block = block

    def build(self, x_shape):
        if not self.block.built:
            self.block.build(x_shape)

    def call(self, x):
        keep = np.tri(2, 5, dtype=bool)  # for each query
        return self.block.encode_queries(x[:, 2:4], x, attention_mask=keep)

    def get_config(self):
        block = keras.saving.serialize_keras_object(self.block)
        return {**super().get_config(), "block": block}

    @classmethod
    def from_config(cls, config):
        block = keras.saving.deserialize_keras_object(config.pop("block"))
        return cls(block, **config)


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_a_model_that_uses_encode_queries_is_saved(dtype, tmp_path):
    x = keras.Input((5, 11))
    block = TransformerEncoder(44, 1, dtype=dtype)
    y = LastPositions(block, dtype=dtype)(x)
    assert y.shape == (None, 2, 11)
    model = keras.Model(x, y)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(
        tmp_path / "model.keras", {"LastPositions": LastPositions}
    )
    assert np.array_equal(
        numbers(model(wide_floats())), numbers(loaded(wide_floats()))
    )


def test_the_arguments_of_a_call_are_those_of_keras_in_their_order():
    theirs, ours = (
        list(inspect.signature(cls.call).parameters)
        for cls in (keras.layers.MultiHeadAttention, MultiHeadAttention)
    )
    assert ours[: len(theirs)] == theirs


def test_all_arguments_can_be_given_in_the_order_of_keras():
    given = (
        *(2, 3, 5, 0.25, False, (7,), (1,), None, None, "he_normal", "ones"),
        *("l1", "l2", None, "max_norm", "non_neg", False, 11),
    )
    count = len(inspect.signature(keras.layers.MultiHeadAttention).parameters)
    assert len(given) == count - 1  # all but `kwargs`
    theirs, ours = (
        cls(*given, name="attention").get_config()
        for cls in (keras.layers.MultiHeadAttention, MultiHeadAttention)
    )
    for key in theirs:
        assert ours[key] == theirs[key]
    assert ours["seed"] == 11


def test_a_beam_of_one_is_greedy_for_gpt_too():
    keras.utils.set_random_seed(0)
    model = GPT(VOCAB, 8, num_heads=2, max_sequence_length=16)
    model(ids())
    greedy = generate(model, ids(), max_length=7)
    one = generate(model, ids(), BeamSearch(1, length_penalty=0), max_length=7)
    wide = generate(
        model, ids(), BeamSearch(VOCAB, length_penalty=0), max_length=2
    )
    assert np.array_equal(one.ids, greedy.ids)
    best = [best_pair(model, row) for row in ids()]
    assert np.array_equal(wide.ids, best)


def best_pair(model, row):
    """Find the most probable two tokens after a row, by trying all pairs."""
    tokens = [t for t in row if t]
    rows = [[*tokens, a, b] for a in range(1, VOCAB) for b in range(1, VOCAB)]
    logits = numbers(model(np.array(rows)))[:, -3:-1].astype("float64")
    logits[..., 0] = -np.inf  # padding is never generated
    log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    pairs = np.array(rows)[:, -2:]
    total = np.take_along_axis(log_p, pairs[..., None], -1).sum((1, 2))
    return pairs[total.argmax()]


def test_gpt_attends_neither_to_padding_nor_to_later_tokens():
    model = GPT(VOCAB, 8, num_heads=2, num_layers=3, max_sequence_length=5)
    x = ids()
    _, weights = model(x, return_attention_scores=True)
    assert len(weights) == 3
    for found in map(numbers, weights):
        hidden = np.broadcast_to((x == 0)[:, None, None], found.shape)
        assert not found[hidden].any()
        assert not np.triu(found, 1).any()
        total = found.sum(-1).transpose(0, 2, 1)[x != 0]
        np.testing.assert_allclose(total, 1, atol=1e-5)


def test_a_stateful_model_cannot_be_read_again():
    model = RecurrentLM(VOCAB, 7, stateful=True)
    model(ids())
    with pytest.raises(ValueError, match="stateful"):
        WithoutCache(model)


def test_gpt_generates_up_to_max_sequence_length():
    model = GPT(VOCAB, 8, num_heads=2, max_sequence_length=8)
    x = np.abs(ids()) + (ids() == 0)
    model(x)
    token, state = model.start(x, max_length=4)
    generated = [x]
    for _ in range(4):
        whole = numbers(model(np.concatenate(generated, axis=1)))[:, -1]
        logits, state = model.step(token, state)
        np.testing.assert_allclose(numbers(logits), whole, atol=1e-5)
        token = 1 + numbers(logits)[:, 1:].argmax(-1)  # 0 is padding
        generated.append(token[:, None])


@pytest.mark.parametrize("kind", [TransformerEncoder, TransformerDecoder])
def test_the_heads_must_divide_the_width_of_the_input(kind):
    with pytest.raises(ValueError, match="`num_heads` must divide the width"):
        kind(8, 2).build((None, None, 11))


def test_dropout_of_the_weights_is_apart_from_that_of_the_sums():
    x = wide_floats()
    for options, same in (
        ({"dropout": 0.0}, True),
        ({"dropout": 0.0, "attention_dropout": 0.5}, False),
        ({"dropout": 0.5, "attention_dropout": 0.0}, False),
    ):
        block = TransformerEncoder(44, 1, **options)
        _, weights = block(x, return_attention_scores=True, training=True)
        alike = np.allclose(
            numbers(block(x)), numbers(block(x, training=True)), atol=1e-6
        )
        assert alike == same
        np.testing.assert_allclose(numbers(weights).sum(-1), 1, atol=1e-5)


def test_attention_dropout_of_gpt_can_be_zero():
    config = GPT(13, 8, dropout=0.5, attention_dropout=0.0).get_config()
    model = GPT.from_config(config)
    model.build((None, None))
    for block in model.blocks:
        assert block.self_attention.dropout == 0.0
        assert block.attention_residual.dropout.rate == 0.5


@pytest.mark.parametrize("normalize_first", [False, True])
def test_stochastic_depth_skips_a_sublayer_for_whole_rows(normalize_first):
    block = TransformerEncoder(
        8, 1, normalize_first=normalize_first, stochastic_depth=0.25
    )
    residual = ResidualConnection(block.config)
    residual.build((None, 3, 7))
    draw = np.random.default_rng(0)
    x, y = draw.normal(size=(2, 997, 3, 7)).astype("float32")

    def left(y, training):
        found = residual.add(
            ops.convert_to_tensor(x), ops.convert_to_tensor(y), training
        )
        return numbers(found)

    found = left(y, True)
    around, through = left(0 * y, False), left(y / 0.75, False)
    skipped = np.isclose(found, around, atol=1e-5).all(axis=(1, 2))
    assert (
        np.isclose(found, through, atol=1e-5).all(axis=(1, 2))[~skipped].all()
    )
    assert 0.2 < skipped.mean() < 0.3


def test_without_stochastic_depth_a_block_has_no_stochastic_depth():
    x = wide_floats()
    blocks = [
        TransformerEncoder(44, 11, normalize_first=True, stochastic_depth=rate)
        for rate in (0.0, 0.99)
    ]
    a, _ = (numbers(block(x)) for block in blocks)
    blocks[1].set_weights(blocks[0].get_weights())
    assert np.array_equal(numbers(blocks[1](x)), a)
    assert blocks[0].attention_residual.stochastic_depth is None
    assert blocks[0].feed_forward_residual.stochastic_depth is None


def test_regularizers_and_constraints_reach_the_kernels():
    layer = MultiHeadAttention(
        2, 3, kernel_regularizer="l2", bias_constraint="non_neg"
    )
    layer(wide_floats())
    assert len(layer.losses) == 4
    assert layer.query_dense.bias.constraint is not None
    assert layer.output_dense.bias.constraint is not None
    again = MultiHeadAttention.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()


def test_gelu_and_its_gradient_are_those_of_keras():
    x = np.linspace(-6, 6, 61).astype("float32").reshape(1, -1)
    ours, theirs = (
        keras.Sequential([keras.Input((61,)), keras.layers.Activation(f)])
        for f in (gelu, keras.activations.gelu)
    )
    np.testing.assert_allclose(numbers(gelu(x)), numbers(ours(x)), atol=1e-6)
    np.testing.assert_allclose(numbers(ours(x)), numbers(theirs(x)), atol=1e-6)
    slopes = [
        evaluation.input_gradient(lambda x, f=model: ops.sum(f(x)), x)
        for model in (ours, theirs)
    ]
    np.testing.assert_allclose(*slopes, atol=1e-5)


def test_gelu_in_half_precision_is_exact_far_below_zero():
    x = ops.convert_to_tensor(np.array([-4.0, -3.5], "float16"))
    exact = np.array([-1.2668e-4, -8.1420e-4])
    np.testing.assert_allclose(numbers(gelu(x)), exact, rtol=0.02)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_gelu_in_half_precision_has_the_dtype_and_gradient_of_keras(dtype):
    x = np.linspace(-4, 4, 33).astype("float32")
    exact = evaluation.input_gradient(lambda x: ops.sum(gelu(x)), x)
    half = evaluation.input_gradient(
        lambda x: ops.sum(ops.cast(gelu(ops.cast(x, dtype)), "float32")), x
    )
    np.testing.assert_allclose(half, exact, atol=0.01)
    assert gelu(ops.cast(x, dtype)).dtype == ops.cast(x, dtype).dtype


def test_gelu_by_tanh_is_near_the_exact_one():
    x = np.linspace(-8, 8, 4001, dtype="float32")
    exact = numbers(keras.activations.gelu(x, approximate=False))
    difference = np.abs(numbers(gelu_tanh(x)) - exact).max()
    assert 1e-4 < difference < 5e-4


def test_kernels_have_the_given_initializer_and_differ():
    draw = keras.initializers.TruncatedNormal(stddev=0.02)
    block = TransformerEncoder(124, 1, kernel_initializer=draw)
    again = TransformerEncoder.from_config(block.get_config())
    for one in (block, again):
        one.build((None, None, 31))
        kernels = [w for w in one.weights if "kernel" in w.path]
        x = [keras.ops.convert_to_numpy(w).ravel() for w in kernels]
        assert len(x) == 6 and all(0.015 < k.std() < 0.02 for k in x)
        assert len({k[0] for k in x}) == 6


def test_a_layer_with_new_weights_is_compiled_anew():
    x = sentences()["source"]
    sizes = {"num_heads": 1, "num_layers": 1}
    model = Transformer(VOCAB, VOCAB, 6, **sizes)
    model(sentences())
    before = generate(model, x, max_length=3).scores
    model.head.enable_lora(2)
    assert np.allclose(generate(model, x, max_length=3).scores, before)
    model.head.lora_kernel_b.assign(
        np.random.default_rng(0).normal(size=model.head.lora_kernel_b.shape)
    )
    assert not np.allclose(generate(model, x, max_length=3).scores, before)


def test_scores_beyond_float16_do_not_overflow():
    if keras.backend.backend() == "tensorflow":
        pytest.skip("Keras's operation without scores overflows")
    layer = MultiHeadAttention(1, 64, use_bias=False, dtype="float16")
    layer.build((1, 3, 64))
    eye = np.eye(64)
    for dense in (layer.query_dense, layer.key_dense, layer.value_dense):
        dense.kernel.assign(eye.reshape(64, 1, 64))
    layer.output_dense.kernel.assign(eye.reshape(1, 64, 64))
    x = np.full((1, 3, 64), 40, "float16")  # q . k = 102,400 > 65,504
    y, _ = layer(x, return_attention_scores=True)
    assert np.array_equal(numbers(y), x)
    assert np.array_equal(numbers(layer(x)), x)


def test_the_output_shape_of_self_attention_needs_one_shape():
    layer = MultiHeadAttention(2, 4)
    assert tuple(layer.compute_output_shape((3, 5, 8))) == (3, 5, 8)
