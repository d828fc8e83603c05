"""Benchmarks: functions in turns, correct ratios, equal networks."""

import json
import math
import time
import types

import keras
import numpy as np
import pytest

from benchmarks import (
    bert,
    berts,
    contenders,
    decoding,
    generation,
    memory,
    padding,
    recurrent,
    report,
    results,
    scaling,
    speculative,
    tables,
    training,
    transformer,
    vit,
)
from keras_seq.evaluation import median_ratio, time_interleaved

SHAPE = (2, 3, 5, 7)  # B, T, D, U


NOT_ON_JAX = pytest.mark.skipif(
    keras.backend.backend() == "jax",
    reason="JAX compiles each of many small steps; nothing here is JAX's own",
)


@pytest.fixture
def eager(monkeypatch):
    """Run models and functions eagerly: compiling takes most of the time.

    That they compile is tested by `test_a_training_step_changes_the_outputs`
    and by the decoding tests.
    """
    make = berts.ours

    def ours(*args):
        model = make(*args)
        model.run_eagerly = True
        return model

    monkeypatch.setattr(berts, "ours", ours)
    if keras.backend.backend() != "tensorflow":
        yield
        return
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def test_every_function_runs_once_a_round():
    calls = []
    functions = {name: lambda n=name: calls.append(n) for name in "abc"}
    time_interleaved(functions, rounds=11, warmup=2)
    assert all(
        sorted(calls[i : i + 3]) == ["a", "b", "c"]
        for i in range(0, 3 * (11 + 2), 3)
    )


def test_the_order_changes_from_round_to_round():
    calls = []
    functions = {name: lambda n=name: calls.append(n) for name in "ab"}
    time_interleaved(functions, rounds=11, warmup=0)
    assert len({tuple(calls[i : i + 2]) for i in range(0, 22, 2)}) == 2


def test_the_warm_up_is_not_timed():
    seconds = time_interleaved({"a": lambda: None}, rounds=5, warmup=3)
    assert len(seconds["a"]) == 5


def test_times_are_measured_in_seconds():
    seconds = time_interleaved({"a": lambda: time.sleep(0.02)}, 3, 0)
    assert 0.02 <= report.summary(seconds["a"])["median"] < 1


def test_a_slow_round_does_not_change_the_ratio():
    assert median_ratio([1, 1, 100], [2, 2, 200]) == 0.5


def test_a_table_has_every_value_under_its_name():
    lines = report.table([{"a": 1, "long": 2}, {"a": 333, "long": 4}])
    assert lines.splitlines()[0::2] == ["  a  long", "  1     2"]


def test_the_file_holds_the_date_and_the_machine(tmp_path):
    path = tmp_path / "new" / "results.json"
    report.write(path, answer=42)
    assert list(json.loads(path.read_text())) == ["date", "machine", "answer"]


@pytest.mark.tensorflow_only
@pytest.mark.parametrize("asked", ["0", "1"])
def test_the_file_holds_whether_onednn_was_enabled(
    tmp_path, monkeypatch, asked
):
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", asked)
    path = tmp_path / "results.json"
    args = types.SimpleNamespace(rounds=1, quick=False, out=path)
    report.publish("name", args, [{"ms": 3}], dict)
    assert json.loads(path.read_text())["onednn"] == bool(int(asked))


@pytest.mark.parametrize("gpu, device", [(None, "cpu"), ("a GPU", "cuda")])
def test_pytorch_runs_where_keras_does(monkeypatch, gpu, device):
    monkeypatch.setattr(report, "accelerator", lambda: gpu)
    assert report.machine()["accelerator"] == gpu
    assert contenders.torch_device() == device


@pytest.mark.parametrize("kind", recurrent.OURS)
def test_pytorch_with_the_same_weights_gives_the_same_outputs(kind):
    pytest.importorskip("torch")
    found = recurrent.rivals(kind, SHAPE, peers=("torch",))
    assert recurrent.largest_difference(found) < 1e-5


def test_other_outputs_are_not_timed():
    h = np.zeros((2, 3, 7))
    found = {
        "keras_seq": contenders.Contender(lambda: h, None),
        "keras": contenders.Contender(lambda: h + 2e-4, None),
    }
    with pytest.raises(ValueError, match="`keras` must give our outputs"):
        recurrent.largest_difference(found)


def test_a_training_step_changes_the_outputs():
    (ours,) = recurrent.rivals("LSTM", SHAPE, peers=()).values()
    before = np.array(ours.forward())
    ours.step()
    assert np.abs(np.asarray(ours.forward()) - before).max() > 1e-5


def test_training_and_inference_are_each_compared_with_each_peer():
    results = recurrent.measure("GRU", SHAPE, ("keras",), rounds=2, builds=2)
    assert [result["mode"] for result in results] == [
        "training step",
        "inference",
    ]
    assert all(math.isfinite(r["ratio"]["keras"]) for r in results)


@pytest.mark.parametrize("kind", decoding.KINDS)
def test_greedy_and_the_growing_prefix_generate_the_same_tokens(kind):
    result = decoding.measure(kind, 2, decoding.QUICK_SIZES, rounds=1)
    assert result["same_tokens"] == 1.0
    assert set(result["tokens_per_second"]) == {
        "greedy",
        "beam 4",
        "growing prefix",
    }


@pytest.mark.parametrize("kind", transformer.KINDS)
def test_blocks_are_compared_with_each_peer(kind, eager):
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    peers = ("keras", "torch", "transformers")
    results = transformer.measure(
        kind, transformer.QUICK_SIZES, "float32", peers, rounds=1, builds=1
    )
    assert [r["mode"] for r in results] == ["training step", "inference"]
    for result in results:
        found = {"transformers"} if kind == "GPT" else {"keras", "torch"}
        assert set(result["ratio"]) == {*found, transformer.HALF}
        assert all(share > 0 for share in result["share"].values())


def test_blocks_that_are_not_the_same_are_not_timed(monkeypatch):
    encode, _ = transformer.of_keras_layers(transformer.QUICK_SIZES, "float32")
    twice = (lambda x: encode(encode(x)), None)
    monkeypatch.setitem(transformer.MAKE, "keras", lambda *args: twice)
    monkeypatch.setattr(transformer, "check_same", lambda *args: None)
    with pytest.raises(ValueError, match="as many weights"):
        transformer.rivals(
            "encoder", transformer.QUICK_SIZES, "float32", ("keras",)
        )


def test_blocks_of_other_outputs_are_not_timed(monkeypatch):
    sizes = transformer.QUICK_SIZES
    _, decode = transformer.of_keras_layers(sizes, "float32")
    elsewhere = (None, lambda x, memory: decode(x, 2 * memory))
    monkeypatch.setitem(transformer.MAKE, "keras", lambda *args: elsewhere)
    with pytest.raises(ValueError, match="must give our outputs"):
        transformer.rivals("decoder", sizes, "float32", ("keras",))


def test_the_operations_of_an_encoder_are_those_of_its_products():
    B, T, D = 2, 3, 5
    sizes = {"batch": B, "length": T, "units": D, "layers": 1}
    projections = 4 * (2 * B * T * D * D)
    mixing = 2 * (2 * B * T * T * D)
    network = 2 * (2 * B * T * D * 4 * D)
    expected = projections + mixing + network
    assert transformer.operations("encoder", sizes) == expected


def test_generation_is_compared_with_and_without_the_cache():
    result = generation.measure(generation.QUICK_SIZES, 2, 5, (), rounds=1)
    assert result["same_tokens"] == 1.0
    assert set(result["ratio"]) == {"uncached"}
    assert set(result["tokens_per_second"]) == {"keras_seq", "uncached"}


@NOT_ON_JAX
def test_speculative_decoding_is_compared_with_greedy():
    sizes = speculative.QUICK_SIZES
    *models, prompts, held_out = speculative.trained_models(sizes)
    result = speculative.measure(*models, prompts, sizes["length"], 2, 1)
    assert result["same_tokens"] == 1.0
    assert 0 <= result["accepted"] <= 1
    assert set(result["tokens_per_second"]) == {"greedy", "speculative"}
    assert 0 < held_out["loss"] < 10 and 0 <= held_out["agreement"] <= 1
    assert len(speculative.row(result)) == 5


def test_each_way_to_train_and_to_batch_is_measured(eager):
    sizes = training.QUICK_SIZES
    for way in training.WAYS:
        training.trainer(sizes, way)()
    results = training.measure_batching(sizes, rounds=1)
    assert [each["way"] for each in results][-1] == "pack_sequences"
    assert results[0]["ratio"] == {"padded": 1.0}
    assert all(len(training.row(each)) == 4 for each in results)


@NOT_ON_JAX
def test_bert_is_compared_with_each_peer(eager):
    for name in ("keras_hub", "torch", "transformers", "safetensors"):
        pytest.importorskip(name)
    words, both = bert.measure(bert.QUICK_SIZES, "float32", rounds=1, builds=1)
    assert set(words["ratio"]) == {"keras_hub"}
    assert set(both["ratio"]) == {"keras_hub", "transformers"}
    ratios = [*words["ratio"].values(), *both["ratio"].values()]
    assert all(0 < r < math.inf for r in ratios)


def test_a_pretraining_step_of_bert_changes_the_outputs(eager):
    contender = bert.rivals(bert.QUICK_SIZES, "float32", peers=())[bert.BOTH]
    before = contender.forward()
    contender.step()
    assert np.abs(contender.forward() - before).max() > 1e-5


def test_a_bert_of_another_size_is_not_timed(monkeypatch):
    pytest.importorskip("keras_hub")
    make = berts.of_keras_hub
    monkeypatch.setattr(
        berts, "of_keras_hub", lambda s, dtype: make({**s, "layers": 2}, dtype)
    )
    with pytest.raises(ValueError, match="as many weights"):
        bert.rivals(bert.QUICK_SIZES, "float32", ("keras_hub",))


@pytest.mark.parametrize("peer", bert.PEERS)
def test_a_bert_of_other_outputs_is_not_timed(monkeypatch, peer):
    for name in (peer, "safetensors"):
        pytest.importorskip(name)
    order, make = berts.in_keras_hub_order, berts.of_transformers

    def reordered(weights):
        words, *rest = order(weights)
        return [words[::-1], *rest]

    def moved(mine):
        theirs = make(mine)
        theirs.cls.predictions.bias.data += 2e-4
        return theirs

    monkeypatch.setattr(berts, "in_keras_hub_order", reordered)
    monkeypatch.setattr(berts, "of_transformers", moved)
    with pytest.raises(ValueError, match=f"`{peer}` must give our outputs"):
        bert.rivals(bert.QUICK_SIZES, "float32", (peer,))


@NOT_ON_JAX
def test_padding_of_bert_is_counted_over_an_epoch(eager):
    pytest.importorskip("tensorflow_text")
    texts = ["a"] * 2 + [
        "a b a b a b a b a"
    ] * 3  # 3 and 11 ids with start and end
    found = padding.by_length("letters", texts, bert.QUICK_SIZES, rounds=1)
    real = 2 * 3 + 3 * 11
    assert found["padding"] == {
        "one length": pytest.approx(1 - real / (5 * 11)),
        "by length": pytest.approx(1 - real / (2 * 8 + 3 * 12)),
    }
    assert found["times_by_length"] > 0


def test_results_of_bert_become_lines_of_the_page(monkeypatch):
    took = {"keras_seq": {"median": 0.2}, "keras_hub": {"median": 0.3}}
    kept = [
        {
            "objective": bert.WORDS,
            "dtype": "float32",
            "seconds": took,
            "ratio": {"keras_hub": 0.67},
        },
        {
            "texts": "nsmc",
            "rows": 5000,
            "padding": {"one length": 0.84, "by length": 0.12},
            "seconds_per_text": {"one length": 0.009, "by length": 0.003},
            "times_by_length": 3.0,
        },
    ]
    monkeypatch.setattr(tables, "kept_rows", lambda stem: kept)
    assert list(tables.pretraining_rows("")) == [
        "| MLM, float32 | 200 ms | 0.67 |  |"
    ]
    assert list(tables.padding_rows("")) == [
        "| 5,000 of `nsmc` | 84% | 12% | 3.0 ms | 3.0 times |"
    ]


def tiny_vit():
    (sizes,) = vit.QUICK_SIZES.values()
    return sizes


@NOT_ON_JAX
def test_vit_is_compared_with_each_peer(eager):
    for name in ("keras_hub", "torch", "transformers", "safetensors"):
        pytest.importorskip(name)
    found = vit.measure("tiny", tiny_vit(), "float32", rounds=1, builds=1)
    assert [each["mode"] for each in found] == ["training step", "inference"]
    for each in found:
        assert set(each["ratio"]) == {"keras_hub", "transformers"}
        assert all(0 < r < math.inf for r in each["ratio"].values())
        assert each["share"] > 0


def test_operations_of_a_vit_are_the_published_ones():
    sizes = vit.SIZES["Ti/16 at 224"]
    whole = 2 * 8 * 1.26e9  # with a last block for all tokens
    saved = 2 * 8 * 196 * (10 * 192**2 + 2 * 197 * 192)
    assert vit.operations(sizes) == pytest.approx(whole - saved, rel=1e-2)


def test_a_vit_of_other_outputs_is_not_timed(monkeypatch):
    pytest.importorskip("keras_hub")
    order = vit.in_keras_hub_order
    monkeypatch.setattr(
        vit, "in_keras_hub_order", lambda w: [w[0] + w[1][0], *order(w)[1:]]
    )
    with pytest.raises(ValueError, match="`keras_hub` must give our outputs"):
        vit.rivals(tiny_vit(), "float32", ("keras_hub",))


def test_a_vit_of_another_size_is_not_timed(monkeypatch):
    pytest.importorskip("keras_hub")
    make = vit.of_keras_hub
    monkeypatch.setattr(
        vit, "of_keras_hub", lambda s, d: make({**s, "num_layers": 1}, d)
    )
    with pytest.raises(ValueError, match="as many weights"):
        vit.rivals(tiny_vit(), "float32", ("keras_hub",))


def test_results_of_vit_become_lines_of_the_page(monkeypatch):
    took = {
        "model": "CIFAR",
        "dtype": "float32",
        "mode": "training step",
        "seconds": {"keras_seq": {"median": 0.2}},
        "ratio": {"keras_hub": 0.67},
    }
    rows = [took, {**took, "share": 0.8}]
    monkeypatch.setattr(tables, "kept_rows", lambda stem: rows)
    assert list(tables.image_rows("")) == [
        "| CIFAR, training step, float32 | 200 ms | 0.67 |  |  |",
        "| CIFAR, training step, float32 | 200 ms | 0.67 |  | 80% |",
    ]


def test_the_figure_of_a_kept_run_is_copied(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "RESULTS", tmp_path / "results")
    run = {"experiment": "vit", "data": "digits", "seed": 0, "quick": False}
    (tmp_path / "results.json").write_text(json.dumps(run))
    (tmp_path / "accuracy.png").write_bytes(b"curve")
    path = results.keep(tmp_path)
    assert json.loads(path.read_text("utf-8"))["data"] == "digits"
    picture = path.with_name("vit-digits-accuracy.png")
    assert picture.read_bytes() == b"curve"


@pytest.mark.parametrize("option", ["rung", "network"])
def test_a_kept_run_of_one_model_has_its_name(tmp_path, monkeypatch, option):
    monkeypatch.setattr(results, "RESULTS", tmp_path / "results")
    run = {"experiment": "ladder", "data": "dates", "seed": 0, "quick": False}
    (tmp_path / "results.json").write_text(json.dumps({**run, option: "gru"}))
    assert results.keep(tmp_path).name == "ladder-dates-gru.json"


@pytest.mark.skipif(not memory.RESET.exists(), reason="Linux knows its peak")
def test_the_peak_of_memory_is_that_of_the_call():
    found = memory.peak_memory(lambda: np.ones(2**23).sum())  # 64 MiB
    assert 60 < found / 2**20 < 100


@pytest.mark.parametrize("kind", memory.KINDS)
def test_our_models_read_a_text(kind):
    sizes = memory.QUICK_SIZES
    sizes = memory.QUICK_ATTENTION if kind == "attention" else sizes
    found = memory.reader("keras_seq", kind, sizes)()
    assert all(np.isfinite(x).all() for x in keras.tree.flatten(found))


@NOT_ON_JAX
def test_the_cost_of_each_size_is_measured_and_drawn():
    for axis, values in scaling.QUICK.items():
        result = scaling.measure(axis, values, rounds=1)
        assert set(result["seconds"]) == set(scaling.LAYERS)
        (axes,) = scaling.draw(result).axes
        assert [text.get_text() for text in axes.get_xticklabels()] == [
            str(value) for value in values
        ]
