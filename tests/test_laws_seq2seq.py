"""Laws of the encoder-decoders: masks, attention, steps, beam search."""

import itertools

import keras
import numpy as np
import pytest
from cases import BATCH, VOCAB, sentences
from keras import ops

import keras_seq
from keras_seq.generation import BeamSearch, Greedy, generate
from keras_seq.layers import attend
from keras_seq.models import ScheduledSampling

pytestmark = pytest.mark.usefixtures("eager_functions")

SMALL = {"hidden_dim": 14, "num_heads": 2, "num_layers": 2}
MODELS = {
    "plain": ("Seq2Seq", {}),
    "plain, both ways": (
        "Seq2Seq",
        {"cell": "lstm", "num_layers": 2, "bidirectional": True},
    ),
    "plain, reversed": ("Seq2Seq", {"cell": "rnn", "reverse_source": True}),
    "plain, context fed": (
        "Seq2Seq",
        {"num_layers": 2, "bidirectional": True, "feed_context": True},
    ),
    "bahdanau": ("BahdanauSeq2Seq", {}),
    "bahdanau lstm": ("BahdanauSeq2Seq", {"cell": "lstm", "num_layers": 2}),
    "luong dot": ("LuongSeq2Seq", {"score_mode": "dot"}),
    "luong general": ("LuongSeq2Seq", {"bidirectional": True}),
    "luong concat": (
        "LuongSeq2Seq",
        {"score_mode": "concat", "input_feeding": False},
    ),
    "bahdanau half": ("BahdanauSeq2Seq", {"dtype": "mixed_bfloat16"}),
    "luong half": ("LuongSeq2Seq", {"dtype": "mixed_bfloat16"}),
    "transformer": ("Transformer", SMALL),
    "transformer pre-norm": (
        "Transformer",
        {
            **SMALL,
            "normalize_first": True,
            "position_encoding": "learned",
            "shared": True,
            "tied": True,
        },
    ),
    "transformer half": (
        "Transformer",
        {**SMALL, "num_layers": 1, "dtype": "mixed_bfloat16"},
    ),
}


def make(name, vocabulary=VOCAB):
    keras.utils.set_random_seed(3)
    kind, options = MODELS[name]
    sizes = {
        "source_vocabulary_size": VOCAB,
        "target_vocabulary_size": vocabulary,
    }
    width = {} if kind == "Transformer" else {"units": 7}
    model = getattr(keras_seq.models, kind)(**sizes, **{**width, **options})
    model({k: v % vocabulary for k, v in sentences().items()})
    # But for the norms, which would blow up every rounding of a deep stack.
    model.set_weights([2 * w if w.ndim > 1 else w for w in model.get_weights()])
    return model


@pytest.fixture(scope="session", params=MODELS)
def model(request, tmp_path_factory):
    """Make a model of sharpened weights, reloaded from a file."""
    path = tmp_path_factory.mktemp("laws") / "model.keras"
    make(request.param).save(path)
    return keras.models.load_model(path)


def numbers(x):
    return ops.convert_to_numpy(ops.cast(x, "float32"))


def needs_attention(model):
    if isinstance(model, keras_seq.models.Seq2Seq):
        pytest.skip("this model has no attention")


def greedy_search(model, source):
    """Generate with one setting in all laws, so that it is compiled once."""
    return generate(model, source, max_length=5)


def is_half(model):
    return model.dtype_policy.name != "float32"


def test_padding_added_changes_no_real_output(model):
    x = sentences()
    wider = {k: np.pad(v, ((0, 0), (0, 2))) for k, v in x.items()}
    real = x["target"] != 0
    y, z = numbers(model(x))[real], numbers(model(wider))[:, :3][real]
    np.testing.assert_allclose(y, z, atol=0.05 if is_half(model) else 1e-5)


def test_future_tokens_cannot_change_the_past(model):
    x = sentences()
    target = x["target"].copy()
    target[:, 2] = 1 + target[:, 2] % (VOCAB - 1)
    other = numbers(model({**x, "target": target}))
    assert np.array_equal(numbers(model(x))[:, :2], other[:, :2])


def test_a_source_of_padding_gives_no_nan(model):
    x = {**sentences(), "source": np.zeros((BATCH, 5), "int32")}
    assert np.isfinite(numbers(model(x))).all()
    generated = greedy_search(model, x["source"])
    assert np.isfinite(generated.scores).all()
    if generated.attention is not None:
        assert not generated.attention.any()


@pytest.mark.parametrize("sampler", [Greedy(), BeamSearch(3)], ids=repr)
def test_attention_on_padding_is_exactly_zero(model, sampler):
    needs_attention(model)
    x = sentences()
    _, weights = model(x, return_attention_scores=True)
    generated = generate(model, x["source"], sampler, max_length=5)
    weights = weights if isinstance(weights, dict) else {"cross": [weights]}
    by_side = {"encoder": [], "decoder": [], **weights}
    by_side["cross"] = [*by_side["cross"], generated.attention]
    for side, layers in by_side.items():
        ids = x["target" if side == "decoder" else "source"]
        for found in map(numbers, layers):  # (B, T, S) or (B, H, T, S)
            found = found if found.ndim == 4 else found[:, None]
            hidden = np.broadcast_to(ids[:, None, None] == 0, found.shape)
            assert not found[hidden].any()
            total = found.sum(-1)[:, :, 0]  # before any row has ended
            np.testing.assert_allclose(total, 1, atol=0.02)


def test_steps_give_the_logits_of_the_whole_target(model):
    x = sentences()
    whole = numbers(model(x))
    _, state = model.start(x["source"])
    for t in range(2):
        step, state = model.step(x["target"][:, t], state)
        close = 0.1 if is_half(model) else 1e-5
        np.testing.assert_allclose(numbers(step), whole[:, t], atol=close)


def test_a_beam_of_width_one_is_greedy_search(model):
    source = sentences()["source"]
    greedy = greedy_search(model, source)
    beam = generate(
        model, source, BeamSearch(1, length_penalty=0), max_length=5
    )
    assert np.array_equal(beam.ids, greedy.ids)
    np.testing.assert_allclose(beam.scores, greedy.scores, atol=1e-4)


@pytest.fixture(scope="module", params=["plain", "bahdanau", "transformer"])
def all_targets(request):
    """Give a model, and the log-probability of every target of 3 tokens."""
    model, length = make(request.param, vocabulary=5), 3
    found = {}

    def grow(token, state, target=(), total=0.0):
        logits, state = model.step(token, state)
        logits = numbers(logits)[0].astype("float64")
        logits[0] = -np.inf  # padding is never generated
        log_p = logits - np.log(np.exp(logits).sum())
        for word in (1, 2, 3, 4):
            longer, score = (*target, word), total + log_p[word]
            if word != model.end_id and len(longer) < length:
                grow(np.array([word]), state, longer, score)
            else:
                found[longer] = score

    grow(*model.start(sentences()["source"][:1]))
    return model, found


@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_a_beam_as_wide_as_the_tree_is_exhaustive(all_targets, alpha):
    model, log_p = all_targets
    sampler = BeamSearch(60, length_penalty=alpha, return_all_beams=True)
    source = sentences()["source"][:1]
    found = generate(model, source, sampler, max_length=3)
    scores = {y: p / ((5 + len(y)) / 6) ** alpha for y, p in log_p.items()}
    best = sorted(scores, key=scores.get, reverse=True)
    padding = (0,) * (3 - len(best[0]))
    assert tuple(found.ids[0, 0]) == best[0] + padding
    expected = [scores[target] for target in best[:20]]
    np.testing.assert_allclose(found.scores[0, :20], expected, atol=1e-4)


@pytest.fixture(scope="module", params=["luong half", "transformer"])
def constrained(request):
    """Give a model for the laws of the samplers, which no model changes."""
    return make(request.param)


def test_the_end_token_does_not_come_before_min_length(constrained):
    source = sentences()["source"]
    ids = generate(constrained, source, Greedy(min_length=4), max_length=6).ids
    assert not (ids[:, :4] == constrained.end_id).any()


def test_no_pair_of_tokens_is_repeated(constrained):
    source = sentences()["source"]
    sampler = Greedy(no_repeat_ngram_size=2, min_length=11)
    for row in generate(constrained, source, sampler, max_length=11).ids:
        pairs = list(itertools.pairwise(row))
        assert len(set(pairs)) == len(pairs)


def test_a_repetition_penalty_makes_repetition_rarer(constrained):
    source = sentences()["source"]
    kinds = [
        len(
            np.unique(generate(constrained, source, sampler, max_length=11).ids)
        )
        for sampler in (Greedy(), Greedy(repetition_penalty=50.0))
    ]
    assert kinds[1] >= kinds[0]


@pytest.mark.parametrize(
    "arguments",
    [
        {"num_beams": 0},
        {"num_beams": 2, "length_penalty": -1},
        {"num_beams": 2, "length_penalty": float("inf")},
        {"num_beams": 2, "coverage_penalty": -1},
        {"num_beams": 2, "min_length": -1},
        {"num_beams": 2, "repetition_penalty": 0.5},
    ],
)
def test_a_bad_beam_search_argument_raises_with_its_name(arguments):
    with pytest.raises(ValueError, match=list(arguments)[-1]):
        BeamSearch(**arguments)


def test_attend_is_the_softmax_of_the_unmasked_scores():
    scores = np.random.default_rng(0).normal(size=(2, 3, 5))
    values = np.random.default_rng(1).normal(size=(2, 5, 7))
    mask = np.ones((2, 1, 5), bool)
    mask[0, :, 3:], mask[1] = False, False
    context, weights = attend(
        ops.convert_to_tensor(scores, "float32"),
        ops.convert_to_tensor(values, "float32"),
        ops.convert_to_tensor(mask),
    )
    expected = np.exp(scores) * mask
    expected[0] /= expected[0].sum(-1, keepdims=True)
    np.testing.assert_allclose(numbers(weights), expected, atol=1e-6)
    np.testing.assert_allclose(numbers(context), expected @ values, atol=1e-6)


def test_additive_attention_is_that_of_the_paper():
    """Bahdanau et al. (2015), A.1.2: e_ts = v . tanh(W h_t + U m_s)."""
    rng = np.random.default_rng(0)
    query, memory = rng.normal(size=(1, 2, 5)), rng.normal(size=(1, 3, 7))
    layer = keras_seq.layers.AdditiveAttention(11)
    _, weights = layer(
        query.astype("float32"),
        memory.astype("float32"),
        return_attention_scores=True,
    )
    by_shape = {w.shape: numbers(w) for w in layer.weights}
    W, U = by_shape[(5, 11)], by_shape[(7, 11)]
    v = next(w.ravel() for s, w in by_shape.items() if np.prod(s) == 11)
    e = np.tanh((query @ W)[:, :, None] + (memory @ U)[:, None]) @ v
    expected = np.exp(e) / np.exp(e).sum(-1, keepdims=True)
    np.testing.assert_allclose(numbers(weights), expected, atol=1e-5)


@pytest.mark.parametrize(
    "schedule, step, expected",
    [
        (ScheduledSampling("constant", 0.7), 9, 0.7),
        (ScheduledSampling("linear", 1.0, slope=0.1, floor=0.25), 3, 0.7),
        (ScheduledSampling("linear", 1.0, slope=0.1, floor=0.25), 99, 0.25),
        (ScheduledSampling("exponential", 0.5), 3, 0.125),
        (ScheduledSampling("inverse_sigmoid", 10.0), 0, 10 / 11),
    ],
)
def test_epsilon_follows_its_schedule(schedule, step, expected):
    found = numbers(schedule.epsilon(ops.convert_to_tensor(step)))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_scheduled_sampling_trains_in_plain_fit():
    model = keras_seq.models.Seq2Seq(
        VOCAB,
        VOCAB,
        7,
        scheduled_sampling=ScheduledSampling("constant", 0.5),
        dropout=0.1,
    )
    x = sentences()
    model(x)
    optimizer = keras.optimizers.Adam(0.03)
    model.compile(optimizer, keras_seq.training.TokenCrossEntropy())
    losses = model.fit(x, x["target"], epochs=20, verbose=0).history["loss"]
    assert np.isfinite(losses).all() and losses[-1] < losses[0]
