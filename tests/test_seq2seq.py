"""Sequence-to-sequence models equal their papers and check their inputs."""

import inspect
import itertools

import keras
import numpy as np
import oracles
import pytest
from cases import BATCH, VOCAB, sentences
from keras import ops

from keras_seq import training
from keras_seq.generation import BeamSearch, Greedy, generate
from keras_seq.layers import (
    AdditiveAttention,
    LuongAttention,
    attend,
    causal_mask,
    padding_mask,
)
from keras_seq.models import (
    BahdanauSeq2Seq,
    LuongSeq2Seq,
    RecurrentLM,
    ScheduledSampling,
    Seq2Seq,
    Seq2SeqDecoder,
    Seq2SeqEncoder,
)


def numbers(x):
    return ops.convert_to_numpy(ops.cast(x, "float32"))


def made(cls, *sizes, **options):
    """Make a model with every weight drawn, its biases too."""
    sizes = sizes or (VOCAB, VOCAB, 7)
    model = cls(*sizes, **options)
    model(sentences())
    rng = np.random.default_rng(0)
    model.set_weights(
        [0.6 * rng.normal(size=w.shape) for w in model.get_weights()]
    )
    return model


def values(layer):
    return [numbers(w) for w in layer.weights]


@pytest.mark.parametrize("bidirectional", [True, False])
def test_bahdanau_equals_the_paper(bidirectional):
    model = made(BahdanauSeq2Seq, bidirectional=bidirectional)
    x = sentences()
    logits, weights = model(x, return_attention_scores=True)
    memory, finals = map(keras.tree.flatten, model.encoder(x["source"]))
    (W_s, b_s), last = values(model.bridge), numbers(finals[0])[:, -7:]
    cell = model.decoder.cell
    (W,), (U,) = (
        values(d)
        for d in (cell.attention.query_dense, cell.attention.memory_dense)
    )
    (table,) = values(model.token_embedding)
    W_o, b_o = values(model.head)
    for row, length in ((0, 5), (1, 3)):  # the second ends in padding
        t, a = oracles.bahdanau(
            table[x["target"][row]],
            numbers(memory[0])[row, :length],
            np.tanh(last[row] @ W_s + b_s),
            values(cell.cells[0]),
            *(W, U, numbers(cell.attention.scale)[:, 0]),
            *values(model.maxout),
        )
        found = numbers(weights)[row, :, :length]
        np.testing.assert_allclose(found, a, atol=1e-5)
        found = numbers(logits)[row]
        np.testing.assert_allclose(found, t @ W_o + b_o, atol=1e-4)


@pytest.mark.parametrize("feeding", [True, False])
@pytest.mark.parametrize(
    "score, scaled",
    [
        ("dot", False),
        ("dot", True),
        ("general", False),
        ("general", True),
        ("concat", False),
    ],
)
def test_luong_equals_the_paper(score, scaled, feeding):
    model = made(
        LuongSeq2Seq, score_mode=score, scaled=scaled, input_feeding=feeding
    )
    scale = 7**-0.5 if scaled else 1.0
    x = sentences()
    logits, weights = model(x, return_attention_scores=True)
    memory, finals = model.encoder(x["source"])
    cell = model.decoder.cell
    matrices = values(cell.attention)

    def scored(h, m):
        if score == "dot":
            return m @ h * scale
        if score == "general":
            return m @ matrices[0] @ h * scale
        v, W, U = sorted(matrices, key=lambda w: w.shape != (7, 1))
        joined = [np.concatenate([h, m_s]) for m_s in m]
        return np.tanh(np.stack(joined) @ np.concatenate([W, U])) @ v[:, 0]

    (table,) = values(model.token_embedding)
    W_o, b_o = values(model.head)
    for row, length in ((0, 5), (1, 3)):
        s, a = oracles.luong(
            table[x["target"][row]],
            numbers(memory)[row, :length],
            numbers(finals[0][0])[row],
            values(cell.cells[0]),
            scored,
            *values(cell.attentional_dense),
            feeding,
        )
        found = numbers(weights)[row, :, :length]
        np.testing.assert_allclose(found, a, atol=1e-5)
        found = numbers(logits)[row]
        np.testing.assert_allclose(found, s @ W_o + b_o, atol=1e-4)


def test_dot_score_needs_a_memory_as_wide_as_the_query():
    with pytest.raises(ValueError, match="score_mode"):
        LuongSeq2Seq(VOCAB, VOCAB, 7, score_mode="dot", bidirectional=True)
    with pytest.raises(ValueError, match="score_mode"):
        LuongAttention("dot").build((3, 2, 7), (3, 5, 11))


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_reverse_source_reads_each_row_from_its_end(cell):
    source = sentences()["source"]
    options = {"cell": cell, "num_layers": 2, "return_state": True}
    plain, reverse = (
        Seq2SeqEncoder(VOCAB, 7, reverse_source=r, **options)
        for r in (False, True)
    )
    plain(source), reverse(source)
    reverse.set_weights(plain.get_weights())
    turned = source.copy()
    for row in turned:
        real = np.flatnonzero(row)
        row[real] = row[real][::-1]
    memory, states = plain(turned)
    reversed_memory, reversed_states = reverse(source)
    for a, b in zip(*map(keras.tree.flatten, (states, reversed_states))):
        np.testing.assert_allclose(numbers(a), numbers(b), atol=1e-6)
    found, expected = numbers(reversed_memory), numbers(memory)
    for row, a, b in zip(source, found, expected):
        real = np.flatnonzero(row)
        np.testing.assert_allclose(a[real], b[real][::-1], atol=1e-6)


def test_a_decoder_starts_from_zeros_by_default():
    x = sentences()["target"]
    decoder = Seq2SeqDecoder(VOCAB, 7, cell="lstm")
    zeros = [[np.zeros((BATCH, 7), "float32")] * 2]  # h and c of an LSTM
    a, b = numbers(decoder(x)), numbers(decoder(x, zeros))
    np.testing.assert_allclose(a, b, atol=1e-6)


def test_with_feed_context_every_step_and_its_logits_read_the_context():
    """With zero weights for the context, the decoder equals the plain one."""
    fed, plain = made(Seq2Seq, feed_context=True), made(Seq2Seq)
    x, U = sentences(), 7
    kernel, maxout = (
        fed.decoder.recurrent_layers[0].cell.kernel,
        fed.decoder.maxout,
    )
    copied = [w for w in fed.weights if w.path.split("/")[-2] != maxout.name]
    for ours, value in zip(copied, plain.get_weights(), strict=True):
        if ours is kernel:  # the rows of the token, then those of the context
            value = np.concatenate([value, np.zeros((U, value.shape[1]))])
        ours.assign(value)
    pass_h = np.zeros((3 * U, 2 * U))  # [h ; token ; context] -> h, twice
    pass_h[:U] = np.tile(np.eye(U), 2)
    maxout.set_weights([pass_h, np.zeros(2 * U)])
    np.testing.assert_allclose(numbers(fed(x)), numbers(plain(x)), atol=1e-6)
    for weight in (kernel, maxout.kernel):
        before, change = numbers(weight), np.zeros(weight.shape)
        change[-U:] = np.random.default_rng(0).normal(size=change[-U:].shape)
        weight.assign(before + change)
        differs = np.abs(numbers(fed(x)) - numbers(plain(x)))
        assert (differs.max(axis=-1) > 1e-3)[x["target"] != 0].all()
        weight.assign(before)


@pytest.mark.parametrize("cell, width", [("gru", 14), ("lstm", 28)])
def test_the_context_vector_is_the_decoders_whole_initial_state(cell, width):
    model = made(Seq2Seq, cell=cell, num_layers=2)
    x = sentences()
    context = numbers(model.encode(x["source"]))
    assert context.shape == (BATCH, width)
    states = [
        numbers(s)
        for s in keras.tree.flatten(model.start(x["source"])[1]["cells"])
    ]
    assert np.array_equal(np.concatenate(states, axis=-1), context)


def sampled(k, **options):
    """Make a model that reads a share k of true tokens, and its plain twin."""
    schedule = ScheduledSampling("constant", k)
    model = Seq2Seq(VOCAB, VOCAB, 7, scheduled_sampling=schedule, **options)
    twin = Seq2Seq(VOCAB, VOCAB, 7, **options)
    model(sentences()), twin(sentences())
    rng = np.random.default_rng(0)
    for ours, theirs in zip(model.trainable_weights, twin.trainable_weights):
        ours.assign(0.6 * rng.normal(size=ours.shape))
        theirs.assign(ours)
    return model, twin


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("feed", [False, True])
def test_scheduled_sampling_with_epsilon_one_is_teacher_forcing(cell, feed):
    model, twin = sampled(1.0, cell=cell, num_layers=2, feed_context=feed)
    x = sentences()
    a, b = numbers(model(x, training=True)), numbers(twin(x, training=True))
    real = x["target"] != 0
    np.testing.assert_allclose(a[real], b[real], atol=1e-5)


@pytest.mark.parametrize("feed", [False, True])
def test_scheduled_sampling_with_epsilon_zero_reads_only_predictions(feed):
    model, twin = sampled(1e-9, num_layers=2, feed_context=feed)
    x = sentences()
    whole = numbers(model(x, training=True))
    ids, (_, state) = x["target"][:, 0], twin.start(x["source"])
    for t in range(3):
        logits, state = twin.step(ids, state)
        np.testing.assert_allclose(whole[:, t], numbers(logits), atol=1e-5)
        ids = numbers(logits).argmax(-1)


def test_the_schedule_counts_the_steps_and_is_saved(tmp_path):
    schedule = ScheduledSampling("linear", 1.0, slope=0.01, floor=0.1)
    model = Seq2Seq(VOCAB, VOCAB, 7, scheduled_sampling=schedule)
    x = sentences()
    loss = training.TokenCrossEntropy()
    model.compile("adam", loss, run_eagerly=True)  # compiling takes longer
    model.fit(x, x["target"], epochs=2, batch_size=1, verbose=0)
    model.evaluate(x, x["target"], verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.scheduled_sampling == schedule
    assert int(numbers(again.decoder.iterations)) == 2 * BATCH


@pytest.mark.parametrize(
    "arguments",
    [
        {"decay": "cosine", "k": 1.0},
        {"decay": "linear", "k": 1.1},
        {"decay": "linear", "k": "a"},
        {"decay": "inverse_sigmoid", "k": 1.0},
        {"decay": "linear", "k": 1.0, "slope": -1},
        {"decay": "linear", "k": 1.0, "floor": 1.0},
    ],
)
def test_a_bad_schedule_argument_raises_with_its_name(arguments):
    name = "decay" if arguments["decay"] == "cosine" else list(arguments)[-1]
    with pytest.raises(ValueError, match=f"`{name}`"):
        ScheduledSampling(**arguments)


@pytest.mark.parametrize("cls", [Seq2Seq, BahdanauSeq2Seq, LuongSeq2Seq])
@pytest.mark.parametrize(
    "bad, name",
    [
        ({"embedding_dim": 0}, "embedding_dim"),
        ({"pad_id": VOCAB}, "pad_id"),
        ({"dropout": 1.5}, "dropout"),
    ],
)
def test_a_bad_argument_raises_with_its_name(cls, bad, name):
    with pytest.raises(ValueError, match=f"`{name}`"):
        cls(2 * VOCAB, VOCAB, 7, **bad)


@pytest.mark.parametrize("cls", [Seq2Seq, BahdanauSeq2Seq, LuongSeq2Seq])
@pytest.mark.parametrize(
    "bad", [None, float("nan"), np.ones(3), "yes"], ids=str
)
def test_a_bool_argument_must_be_true_or_false(cls, bad):
    names = {
        Seq2Seq: ["feed_context"],
        BahdanauSeq2Seq: [],
        LuongSeq2Seq: ["scaled", "input_feeding"],
    }
    for name in ["bidirectional", "reverse_source", *names[cls]]:
        with pytest.raises(ValueError, match=f"`{name}` must be True or False"):
            cls(VOCAB, VOCAB, 7, **{name: bad})


@pytest.mark.parametrize("cls", [Seq2Seq, BahdanauSeq2Seq, LuongSeq2Seq])
def test_inputs_must_be_a_dict_of_source_and_target(cls):
    x = sentences()
    rule = '`inputs` must be a dict with the keys "source" and "target"'
    for bad, received in (
        ({"source": x["source"]}, r"\['source'\]"),
        ([x["source"], x["target"]], "inputs of type"),
        (x["source"], "one tensor of shape"),
    ):
        message = f"{rule}.*Received.*{received}"
        with pytest.raises(ValueError, match=message):
            cls(VOCAB, VOCAB, 7)(bad)
        model = cls(VOCAB, VOCAB, 7)
        model.compile("adam", training.TokenCrossEntropy())
        with pytest.raises(ValueError, match=message):
            model.fit(bad, x["target"], verbose=0)


@pytest.mark.parametrize("cls", [Seq2Seq, BahdanauSeq2Seq, LuongSeq2Seq])
def test_generate_needs_the_source_without_a_dict(cls):
    model, x = cls(VOCAB, VOCAB, 7), sentences()
    model(x)
    with pytest.raises(ValueError, match=r"not a dict.*\['source'\]"):
        generate(model, {"source": x["source"]}, max_length=2)


@pytest.mark.parametrize(
    "cls, score",
    [
        (AdditiveAttention, 7),
        (LuongAttention, "general"),
        (LuongAttention, "concat"),
    ],
)
def test_attention_keys_need_a_built_layer(cls, score):
    memory, query = (np.ones((2, T, 7), "float32") for T in (5, 3))
    layer = cls(score)
    with pytest.raises(ValueError, match="`layer` must have weights"):
        layer.keys(memory)
    found = layer(query, memory)
    again = layer(query, memory, keys=layer.keys(memory))
    np.testing.assert_allclose(numbers(again), numbers(found), atol=1e-6)


@pytest.mark.parametrize("cls", [Seq2Seq, BahdanauSeq2Seq, LuongSeq2Seq])
def test_a_source_of_padding_trains_without_nan(cls):
    x = sentences()
    x["source"][1] = 0
    model = cls(VOCAB, VOCAB, 7, dropout=0.2)
    loss = training.TokenCrossEntropy()
    model.compile("adam", loss, run_eagerly=True)  # compiling takes longer
    loss = model.fit(x, x["target"], verbose=0).history["loss"]
    assert np.isfinite(loss).all()
    assert all(np.isfinite(w).all() for w in model.get_weights())


def test_masks_are_false_on_padding_and_on_the_future():
    found = numbers(padding_mask(np.array([[5, 0, 7]])))
    assert found.tolist() == [[1, 0, 1]]
    assert numbers(padding_mask(np.array([[5, 0]]), None)).all()
    assert np.array_equal(numbers(causal_mask(5)), np.tri(5))
    assert np.array_equal(numbers(causal_mask(3, np.int64(5))), np.tri(3, 5))
    for lengths, name in (((np.int64(0),), "length"), ((3, 0), "values")):
        with pytest.raises(ValueError, match=name):
            causal_mask(*lengths)


@pytest.mark.parametrize("cls", [Seq2Seq, BahdanauSeq2Seq, LuongSeq2Seq])
def test_help_lists_every_argument_with_its_meaning(cls):
    found = list(inspect.signature(cls).parameters)
    config = cls(VOCAB, VOCAB, 7).get_config()
    assert found[:3] == [
        "source_vocabulary_size",
        "target_vocabulary_size",
        "units",
    ]
    own = set(config) - {"name", "trainable", "dtype"}
    assert own == set(found) - {"kwargs"}
    arguments = (
        inspect.getdoc(cls).split("Args:")[1].split("Call arguments:")[0]
    )
    assert all(f"    {name}: " in arguments for name in own)


@pytest.mark.skipif(
    keras.backend.backend() == "jax", reason="has no float64 unless told to"
)
def test_attend_keeps_double_precision():
    scores = np.random.default_rng(0).normal(size=(2, 3, 5))
    _, weights = attend(*map(ops.convert_to_tensor, (scores, scores[:, :1].mT)))
    e = np.exp(scores)
    e /= e.sum(axis=-1, keepdims=True)
    found = ops.convert_to_numpy(weights)
    np.testing.assert_allclose(found, e, rtol=1e-14)


def test_a_subclass_may_have_other_arguments():
    class Deep(LuongSeq2Seq):
        def __init__(self, depth=2, *args, **kwargs):
            super().__init__(*args, num_layers=depth, **kwargs)

    assert Deep(1, VOCAB, VOCAB, 7).config["num_layers"] == 1


def test_attend_needs_a_bool_mask():
    scores, values = np.zeros((2, 3, 5)), np.zeros((2, 5, 7))
    with pytest.raises(ValueError, match="mask"):
        attend(scores, values, np.ones((2, 1, 5), "int32"))


@pytest.fixture(scope="session")
def translator():
    keras.utils.set_random_seed(5)
    return made(BahdanauSeq2Seq, VOCAB, VOCAB, 7, cell="rnn")


def test_every_hypothesis_has_its_own_attention_weights(translator):
    source = sentences()["source"]
    sampler = BeamSearch(4, length_penalty=0.0, return_all_beams=True)
    predictions = generate(translator, source, sampler, max_length=5)
    assert predictions.ids.shape == (BATCH, 4, 5)
    assert predictions.attention.shape == (BATCH, 4, 5, 5)
    assert (np.diff(predictions.scores, axis=-1) <= 0).all()
    for beam in range(4):
        ids, going = predictions.ids[:, beam], predictions.ids[:, beam] != 0
        target = np.pad(ids[:, :-1], ((0, 0), (1, 0)), constant_values=2)
        logits, weights = translator(
            {"source": source, "target": target}, return_attention_scores=True
        )
        expected = numbers(weights) * going[:, :, None]
        np.testing.assert_allclose(
            predictions.attention[:, beam], expected, atol=1e-5
        )
        logits = numbers(logits).astype("float64")
        logits[..., 0] = -np.inf
        log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        log_p = np.take_along_axis(log_p, ids[..., None], -1)[..., 0]
        np.testing.assert_allclose(
            predictions.scores[:, beam],
            np.where(going, log_p, 0).sum(-1),
            atol=1e-4,
        )


def test_coverage_penalty_ranks_by_the_attention_weights(translator):
    source, options = sentences()["source"], {"return_all_beams": True}
    plain, covering = (
        generate(
            translator,
            source,
            BeamSearch(4, coverage_penalty=beta, **options),
            max_length=4,
        )
        for beta in (0.0, 0.5)
    )
    for b in range(BATCH):
        real = source[b] != 0
        covered = plain.attention[b].sum(1)[:, real].clip(1e-9, 1)
        expected = plain.scores[b] + 0.5 * np.log(covered).sum(-1)
        np.testing.assert_allclose(
            covering.scores[b], np.sort(expected)[::-1], atol=1e-4
        )


def test_coverage_penalty_needs_a_model_with_attention():
    sampler = BeamSearch(2, coverage_penalty=0.1)
    with pytest.raises(ValueError, match="coverage_penalty"):
        generate(made(Seq2Seq), sentences()["source"], sampler, max_length=2)


def test_missing_hypotheses_are_padding(translator):
    sampler = BeamSearch(23, return_all_beams=True)
    predictions = generate(
        translator, sentences()["source"], sampler, max_length=1
    )
    there = np.isfinite(predictions.scores)
    assert (there.sum(-1) == VOCAB - 1).all()  # every token but padding
    assert (predictions.ids[there] != 0).all() and not predictions.ids[
        ~there
    ].any()


def restricted_by_hand(logits, predictions, rate, n):
    """Compute the restrictions of one row with plain loops."""
    logits = logits.copy()
    for token in set(predictions):
        logits[token] = logits[token] * (
            rate if logits[token] < 0 else 1 / rate
        )
    for i in range(len(predictions) - n + 1):
        if (
            n
            and predictions[i : i + n - 1]
            == predictions[len(predictions) - n + 1 :]
        ):
            logits[predictions[i + n - 1]] = -1e8
    return logits


@pytest.mark.parametrize("rate, n", [(1.3, 0), (1.0, 1), (1.0, 2), (2.0, 3)])
def test_restrictions_equal_plain_loops(rate, n):
    rng = np.random.default_rng(0)
    predictions = rng.integers(0, 3, (5, 11)).astype("int32")
    logits = rng.normal(size=(5, 7)).astype("float32")
    sampler = Greedy(repetition_penalty=rate, no_repeat_ngram_size=n)
    for t in range(12):
        found = sampler.constrain(
            ops.convert_to_tensor(logits),
            ops.convert_to_tensor(predictions),
            t,
            6,
        )
        rows = zip(logits, predictions[:, :t].tolist())
        expected = [restricted_by_hand(*row, rate, n) for row in rows]
        np.testing.assert_allclose(numbers(found), expected, rtol=1e-5)


def test_restrictions_hold_in_beam_search(translator):
    source = sentences()["source"]
    sampler = BeamSearch(3, no_repeat_ngram_size=2, min_length=9)
    predictions = generate(translator, source, sampler, max_length=9).ids
    assert not (predictions == translator.end_id).any()
    for row in predictions:
        pairs = list(itertools.pairwise(row))
        assert len(set(pairs)) == len(pairs)


@pytest.mark.tensorflow_only
@pytest.mark.parametrize(
    "cls, options",
    [
        (Seq2Seq, {"bidirectional": True, "cell": "lstm"}),
        (BahdanauSeq2Seq, {}),
        (LuongSeq2Seq, {"score_mode": "concat"}),
        (LuongSeq2Seq, {"score_mode": "general"}),
    ],
)
def test_lengths_unknown_to_the_graph_train_under_xla(cls, options):
    rng = np.random.default_rng(0)
    sources = [rng.integers(4, VOCAB, n) for n in (3, 5, 11, 13)]
    targets = [rng.integers(4, VOCAB, n) for n in (2, 3, 5, 7)]
    x = {"source": sources, "target": targets}
    batches = training.BatchByLength(x, targets, 2, buckets=(5, 13))
    model = cls(VOCAB, VOCAB, 7, **options)
    loss = training.TokenCrossEntropy()
    model.compile("adam", loss, jit_compile=True)
    losses = model.fit(batches, epochs=2, verbose=0).history["loss"]
    assert losses[1] < losses[0]


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("pad_id, fused", [(0, False), (None, "auto")])
def test_cudnn_is_used_only_without_padding(cell, pad_id, fused):
    """TensorFlow's cuDNN kernels fail on a mask that begins with padding."""
    options = {"cell": cell, "pad_id": pad_id}
    encoder = Seq2SeqEncoder(VOCAB, 7, bidirectional=True, **options)
    layers = [encoder.recurrent_layers[0].forward_layer]
    layers += RecurrentLM(VOCAB, 7, **options).recurrent_layers
    layers += Seq2SeqDecoder(VOCAB, 7, **options).recurrent_layers
    assert [layer.use_cudnn for layer in layers] == [fused] * 3
