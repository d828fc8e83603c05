"""Each experiment in its short form: its results file, its figures, its model
reloaded in a fresh process, its --help."""

import contextlib
import json
import os
import pathlib
import re
import runpy
import subprocess
import sys
import time

import pytest

from keras_seq.training import Run

ROOT = pathlib.Path(__file__).parent.parent
HOME = ROOT / "experiments"
EXPERIMENTS = sorted(path.stem for path in HOME.glob("[!_]*.py"))
PROMISED = {
    "hello_rnn": ("hello_accuracy", "loss_lstm"),
    "five_settings": (
        "one_to_one_accuracy",
        "one_to_many_exact_match",
        "many_to_one_accuracy",
        "many_to_many_exact_match",
        "synced_accuracy",
    ),
    "gates": (
        "adding_mse_rnn_50",
        "gradient_ratio_rnn",
        "gradient_ratio_gru",
        "gradient_ratio_lstm",
        "gru_to_lstm_params",
        "gru_to_lstm_step_time",
    ),
    "adding_length": ("longest_learned_rnn", "longest_learned_lstm"),
    "word_vectors": ("nearest_of_the_same_group", "perplexity"),
    "electricity": (
        "mae_rnn",
        "mae_gru",
        "mae_gru_spread",
        "mae_lstm",
        "gru_to_lstm_params",
        "gru_to_lstm_kept_bytes",
        "gru_to_lstm_step_time",
    ),
    "emoji_captions": (
        "combination_test_exact_en",
        "combination_test_exact_ko",
        "style_test_exact_en",
        "style_test_exact_ko",
        "seconds_training",
    ),
    "seq2seq": (
        "exact_match",
        "exact_match_scheduled_sampling",
        "exact_match_shortest_third",
        "exact_match_longest_third",
        "recency_first",
        "recency_last",
    ),
    "attention": (
        "exact_match_bahdanau",
        "alignment_bahdanau",
        "exact_match_longest_third",
        "exported_answers_the_same",
    ),
    "transformer": (
        "exact_match",
        "exact_match_longest_third",
        "exact_match_no_positions",
        "core_difference",
    ),
    "chatbot": ("perplexity_attention", "chrf_transformer"),
    "gpt": (
        "loss",
        "sort_accuracy",
        "tokens_per_second_cached",
        "tokens_per_second_uncached",
        "exported_answers_the_same",
    ),
    "shakespeare": ("loss", "loss_validation", "seconds_training"),
    "bert": ("mlm_accuracy", "nsp_accuracy", "mlm_loss"),
    "finetune": (
        "accuracy_pretrained_50",
        "accuracy_recurrent_50",
        "tagging_f1",
        "span_exact_match",
        "span_f1",
        "exported_answers_the_same",
    ),
    "summaries": ("rouge_l", "distinct", "seconds_training"),
    "vit": (
        "vit_accuracy_100",
        "cnn_accuracy_10",
        "vit_accuracy_permuted",
        "params_vit",
        "params_cnn",
        "exported_answers_the_same",
    ),
    "photographs": ("accuracy", "accuracy_validation", "seconds_training"),
    "sentence_length": ("bleu_one_vector", "bleu_attention_quarter_4"),
    "ladder": (
        "exact_match_luong",
        "exact_match_luong_beam",
        "length_penalty_transformer",
        "seconds_transformer",
    ),
}
EXPORTED = ("attention", "chatbot", "gpt", "finetune", "vit")
UNDRAWN = ("ladder",)
BEFORE = {"finetune": ("--pretrained", "bert")}  # what it goes on from
pytestmark = pytest.mark.experiment


def python(*arguments, lines=()):
    """Run Python in the folder of the checkout; fail with its output."""
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        input="\n".join(map(str, lines)),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    """Give a folder that all processes of a test run share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session", params=EXPERIMENTS)
def finished(request, shared):
    """Run one experiment in its short form; give its name and its folder."""
    return request.param, finish(request.param, shared)


def finish(name, shared):
    """Run an experiment, after the one that it goes on from; give its folder.

    The processes of pytest-xdist share a folder: the first one runs the
    experiment; another one runs those that have not begun, until it is done.
    """
    out = shared / name
    done, failed = (out.with_suffix(f".{end}") for end in ("done", "failed"))
    try:
        out.mkdir()
    except FileExistsError:
        while not (done.exists() or failed.exists()):
            others = [n for n in EXPERIMENTS if not (shared / n).exists()]
            if others:
                with contextlib.suppress(Exception):  # reported by its tests
                    finish(others[0], shared)
            else:
                time.sleep(1)
        assert done.exists(), failed.read_text("utf-8")
        return out
    try:
        given = []
        if name in BEFORE:
            option, before = BEFORE[name]
            given = [option, finish(before, shared)]
        run_here(name, "--quick", "--out", out, *given)
        done.touch()
    except BaseException as error:
        failed.write_text(f"{name} failed in another process: {error}", "utf-8")
        raise
    return out


def run_here(name, *options):
    """Run an experiment in this process, in which Keras is imported already.

    A process of its own would import for a third of its time.
    """
    script = str(HOME / f"{name}.py")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        patch.setattr("sys.argv", [script, *map(str, options)])
        runpy.run_path(script, run_name="__main__")


def test_results_file_holds_what_is_promised(finished):
    name, out = finished
    results = json.loads((out / "results.json").read_text("utf-8"))
    assert results["experiment"] == name
    assert results["backend"] == "tensorflow"
    assert set(PROMISED[name]) <= set(results["metrics"])
    assert results["baselines"] and results["seconds"] > 0


def test_the_export_gives_the_same_answers(finished):
    name, out = finished
    if name not in EXPORTED:
        pytest.skip(f"{name} exports nothing")
    metrics = json.loads((out / "results.json").read_text("utf-8"))["metrics"]
    assert metrics["exported_answers_the_same"] == 1.0


def test_pictures_are_drawn(finished):
    name, out = finished
    if name in UNDRAWN:
        pytest.skip(f"{name} draws nothing")
    pictures = list(out.glob("*.png"))
    assert pictures and all(p.stat().st_size > 5000 for p in pictures)


def test_every_experiment_has_its_line_in_the_index():
    index = (HOME / "README.md").read_text("utf-8")
    lines = re.findall(r"^\| \[`(\w+)`\]\((\w+)\.py\) \|", index, re.MULTILINE)
    assert sorted(lines) == [(name, name) for name in EXPERIMENTS]
    assert set(EXPERIMENTS) == set(PROMISED)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_experiment_is_cells_without_classes(name):
    text = (HOME / f"{name}.py").read_text("utf-8")
    assert text.startswith("# %% [markdown]\n")
    assert "\nclass " not in text


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_help_describes_the_experiment(name, monkeypatch, capsys):
    script = HOME / f"{name}.py"
    monkeypatch.setattr("sys.argv", [str(script), "--help"])
    with pytest.raises(SystemExit, match="0"):
        Run(name, data=("pydocs",))
    shown = capsys.readouterr().out
    for part in ("Measured", "\nData: `", "\nExpected", "\nMinutes, on two"):
        assert part in shown
    assert f'"{name}"' in script.read_text("utf-8")  # its name for `Run`


def test_an_experiment_is_described_by_its_help():
    shown = python("-m", "experiments.hello_rnn", "--help")
    title = "Three recurrent cells as language models of characters"
    assert shown.startswith("usage: hello_rnn [-h] [--quick]")
    assert f"\n\n{title}\n\nA simple recurrent network" in shown
    assert "default: 8 (pydocs), 2 (tinyshakespeare)" in shown


LOAD = """
import sys, keras, keras_seq
for path in map(str.strip, sys.stdin):
    print(path, keras.models.load_model(path).built)
"""


def test_the_models_load_in_a_fresh_process(shared):
    paths = [finish(name, shared) / "model.keras" for name in EXPERIMENTS]
    loaded = python("-c", LOAD, lines=paths).splitlines()
    assert loaded == [f"{path} True" for path in paths]
