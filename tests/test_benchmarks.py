"""The benchmark's machinery: fair turns, true ratios, the same networks."""

import json
import math
import time

import numpy as np
import pytest

from benchmarks import (
    contenders,
    decoding,
    generation,
    recurrent,
    report,
    transformer,
)
from keras_seq.training import interleave, ratio

SHAPE = (2, 3, 5, 7)  # B, T, D, U


def test_every_function_runs_once_a_round():
    calls = []
    functions = {name: lambda n=name: calls.append(n) for name in "abc"}
    interleave(functions, rounds=11, warmup=2)
    assert all(
        sorted(calls[i : i + 3]) == ["a", "b", "c"]
        for i in range(0, 3 * (11 + 2), 3)
    )


def test_the_order_changes_from_round_to_round():
    calls = []
    functions = {name: lambda n=name: calls.append(n) for name in "ab"}
    interleave(functions, rounds=11, warmup=0)
    assert len({tuple(calls[i : i + 2]) for i in range(0, 22, 2)}) == 2


def test_the_warm_up_is_not_timed():
    seconds = interleave({"a": lambda: None}, rounds=5, warmup=3)
    assert len(seconds["a"]) == 5


def test_what_sleeps_is_measured_in_seconds():
    seconds = interleave({"a": lambda: time.sleep(0.02)}, 3, 0)
    assert 0.02 <= report.summary(seconds["a"])["median"] < 1


def test_a_slow_round_does_not_change_the_ratio():
    assert ratio([1, 1, 100], [2, 2, 200]) == 0.5


def test_a_table_has_every_value_under_its_name():
    lines = report.table([{"a": 1, "long": 2}, {"a": 333, "long": 4}])
    assert lines.splitlines()[0::2] == ["  a  long", "  1     2"]


def test_the_file_says_when_and_on_what_machine(tmp_path):
    path = tmp_path / "new" / "results.json"
    report.write(path, answer=42)
    assert list(json.loads(path.read_text())) == ["date", "machine", "answer"]


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
def test_greedy_and_the_growing_prefix_say_the_same(kind):
    result = decoding.measure(kind, 2, decoding.QUICK_SIZES, rounds=1)
    assert result["same_tokens"] == 1.0
    assert set(result["tokens_per_second"]) == {
        "greedy",
        "beam 4",
        "growing prefix",
    }


@pytest.mark.parametrize("kind", transformer.KINDS)
def test_blocks_are_compared_with_each_peer(kind):
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


def test_speaking_is_compared_with_and_without_the_cache():
    result = generation.measure(generation.QUICK_SIZES, 2, 5, (), rounds=1)
    assert result["same_tokens"] == 1.0
    assert set(result["ratio"]) == {"uncached"}
    assert set(result["tokens_per_second"]) == {"keras_seq", "uncached"}
