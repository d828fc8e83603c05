"""Keep measured results, and write their tables to README and docs/speed.md.

    python -m benchmarks.results keep runs/03_gates   # into results/
    python -m benchmarks.results pages                # only the tables

A kept file is the results.json of a tutorial with the machine and the date, and
for some tutorials a figure. The tables are generated from the files in
results/, never typed.
"""

import argparse
import json
import pathlib
import shutil

from benchmarks import report

ROOT = pathlib.Path(__file__).parent.parent
RESULTS = ROOT / "results"
BEGIN, END = "<!-- results -->\n", "<!-- end of results -->\n"

# Rows of the README from a kept file: metric -> name in the table.
SHOWN = {
    "01_hello_rnn-tinyshakespeare": {
        "loss_rnn": "RNN, nats per character",
        "loss_gru": "GRU, nats per character",
        "loss_lstm": "LSTM, nats per character",
    },
    "02_five_settings-names": {
        "many_to_one_accuracy": "name -> language",
        "many_to_many_exact_match": "three-digit addition, exact",
        "synced_accuracy": "a label for every frame of a clip",
    },
    "03_gates-adding": {
        "adding_mse_rnn_100": "adding over 100 steps, RNN, squared error",
        "adding_mse_lstm_100": "the same, LSTM",
    },
    "04_seq2seq-dates": {
        "exact_match": "dates -> ISO, exact, one context vector of 128",
    },
    "05_attention-dates": {
        "exact_match_bahdanau": "dates -> ISO, exact, Bahdanau",
        "exact_match_luong_dot": "the same, Luong, dot",
        "alignment_bahdanau": "attention on the correct span, Bahdanau",
    },
    "05_attention-docstrings": {
        "rouge_l_bahdanau": "docstring -> its summary, ROUGE-L",
    },
    "06_transformer-dates": {
        "exact_match": "dates -> ISO, exact, Transformer",
    },
    "07_chatbot-dialogues": {
        "chrf_recurrent": "dialogues, chrF, one context vector",
        "chrf_attention": "the same, Bahdanau",
        "chrf_transformer": "the same, Transformer",
    },
    "07_chatbot-chatbot_ko": {
        "chrf_recurrent": "Korean answers, chrF, one context vector",
        "chrf_attention": "the same, Bahdanau",
        "chrf_transformer": "the same, Transformer",
    },
    "08_gpt-tinyshakespeare": {
        "loss": "GPT, 1.5 million characters, nats per character",
    },
    "09_bert-pydocs": {
        "mlm_accuracy": "masked words of Python's documentation, accuracy",
        "nsp_accuracy": "next sentence prediction, accuracy",
    },
    "09_bert-nsmc": {
        "mlm_accuracy": "masked subwords of Korean film reviews (nsmc-40k)",
    },
    "10_finetune-pydocs": {
        "accuracy_pretrained_100": "docstring -> package, 100 labels, BERT",
        "accuracy_scratch_100": "the same, from scratch",
        "accuracy_pretrained_1600": "the same, 1,600 labels, BERT",
        "tagging_f1": "year, month and day in a sentence, entity F1",
        "span_exact_match": "answer span of a question in a text, exact",
    },
    "10_finetune-nsmc": {
        "accuracy_pretrained_1000": "reviews (nsmc-40k), 1,000 labels, BERT",
        "accuracy_scratch_1000": "the same, from scratch",
        "accuracy_pretrained_5000": "the same, 5,000 labels, BERT",
        "accuracy_pretrained_40000": "the same, 40,000 labels, BERT",
        "accuracy_scratch_40000": "the same, from scratch",
    },
    "11_vit-digits": {
        "vit_accuracy_100": "digit image -> class, ViT",
        "vit_accuracy_longer": "the same ViT, eight times the epochs, one run",
        "cnn_accuracy_100": "the same, ResNet with as many weights",
        "vit_accuracy_10": "the same from a tenth of the images, ViT",
        "cnn_accuracy_10": "the same, ResNet",
    },
    "11_vit-cifar10-10k": {
        "vit_accuracy_100": "photo (cifar10-10k) -> class, ViT",
        "cnn_accuracy_100": "the same, ResNet with as many weights",
        "vit_accuracy_10": "the same from a tenth of the images, ViT",
        "cnn_accuracy_10": "the same, ResNet",
    },
}
# Figures of a tutorial that are kept beside its results.
PICTURES = {"11_vit": ("accuracy",)}
# The models, each with the published BLEU to exceed and its decoding.
LADDER = {
    "lstm": ("LSTM, one context vector", 13.76),
    "gru": ("GRU, one context vector", 20.61),
    "bahdanau": ("Bahdanau", 28.30),
    "luong": ("Luong, beam of 5", 30.40),
    "transformer": ("Transformer", 36.52),
}


def keep(folder):
    """Copy results.json and `PICTURES` of a run into results/.

    The machine and the date are added.

    Raises:
        ValueError: if it was a trial run.
    """
    text = (pathlib.Path(folder) / "results.json").read_text("utf-8")
    run = json.loads(text)
    if run["quick"]:
        raise ValueError(
            f"`folder` must hold a complete run. Received {folder}."
        )
    run.pop("pretrained", None)  # a folder of this machine
    seed = f"-seed{run['seed']}" if run["seed"] else ""
    rung = f"-{run['rung']}" if run.get("rung") else ""
    path = RESULTS / f"{run['tutorial']}-{run['data']}{rung}{seed}.json"
    report.write(path, **run)
    for name in PICTURES.get(run["tutorial"], ()):
        picture = RESULTS / f"{path.stem}-{name}.png"
        shutil.copyfile(pathlib.Path(folder) / f"{name}.png", picture)
    return path


def learned():
    """Return the results of the tutorials: Markdown tables for the README."""
    lines = ["| tutorial | what | baseline | measured |", "|---|---|---|---|"]
    for stem, names in SHOWN.items():
        if (RESULTS / f"{stem}.json").exists():
            lines += tutorial_rows(stem, names)
    ladder = "| German to English | published | BLEU | weights | minutes |"
    return "\n".join([*lines, *table(ladder, ladder_rows())]) + "\n"


def speeds():
    """Return the results of the benchmarks: Markdown tables for docs/."""
    peers = "Keras | KerasHub | PyTorch | `transformers`"
    lines = [
        *table(
            "| training step | time / Keras | time / PyTorch |",
            speed_rows("recurrent-tensorflow"),
        ),
        *table(
            f"| training step of 4 layers | {peers} | share of matmul |",
            block_rows("transformer-tensorflow"),
        ),
        *table(
            "| decoding | greedy | beam 4 / greedy | whole prefix / greedy |",
            decoding_rows("decoding-tensorflow"),
        ),
        *table(
            "| GPT, tokens per second | cached | without cache | KerasHub | "
            "`transformers` |",
            generation_rows("generation-tensorflow"),
        ),
        *table(
            "| speculative decoding of a GPT | greedy, tokens per second "
            "| speculative | speedup | accepted |",
            speculative_rows("speculative-tensorflow"),
        ),
        *table(
            "| pretraining step of BERT-mini | ours | KerasHub | "
            "`transformers` |",
            pretraining_rows("bert-tensorflow"),
        ),
        *table(
            "| BERT-mini on real texts | padding, one length | bucketed | "
            "time per text, bucketed | one length / bucketed |",
            padding_rows("bert-tensorflow"),
        ),
        *table(
            "| one text of 1,024 tokens, 12 layers, PyTorch | memory | memory "
            "of KerasHub | time / KerasHub |",
            memory_rows("memory-torch"),
        ),
        *table(
            "| layers on PyTorch, training step | time / Keras | time / "
            "PyTorch |",
            speed_rows("recurrent-torch"),
        ),
        *table(
            "| ViT | ours | KerasHub | `transformers` | share of matmul |",
            image_rows("vit-tensorflow"),
        ),
        *table(
            "| ViT, JAX on one NVIDIA H100 | ours | KerasHub | "
            "`transformers` | share of matmul |",
            image_rows("vit-jax-h100"),
        ),
    ]
    return "\n".join(lines[1:]) + "\n"


def table(header, rows):
    """Return the lines of a table, or no lines if there are no results."""
    columns, rows = header.count("|") - 1, list(rows)
    return ["", header, "|---" * columns + "|", *rows] if rows else []


PAGES = {"README.md": learned, "docs/speed.md": speeds}


def tutorial_rows(stem, names):
    """Yield a line for each shown metric of a kept tutorial."""
    kept = json.loads((RESULTS / f"{stem}.json").read_text("utf-8"))
    for metric, name in names.items():
        plain = kept["baselines"].get(metric)
        if plain is None:  # language models: the trigram baseline
            plain = kept["baselines"].get("loss_trigram")
        plain = "" if plain is None else f"{plain:.3g}"
        value = kept["metrics"][metric]
        yield f"| `{kept['tutorial']}` | {name} | {plain} | {value:.3g} |"


def kept_rows(stem):
    """Return the results of a kept benchmark, or [] if there is no file."""
    path = RESULTS / f"{stem}.json"
    return (
        json.loads(path.read_text("utf-8"))["results"] if path.exists() else []
    )


def speed_rows(stem):
    """Yield a line per layer and shape of a kept benchmark of layers."""
    for row in kept_rows(stem):
        if row["mode"] == "training step":
            ratios = [f"{row['ratio'][k]:.2f}" for k in ("keras", "torch")]
            B, T, D, U = row["shape"]
            what = f"{row['layer']}, batch {B}, {T} steps, {D} -> {U} wide"
            yield f"| {what} | {ratios[0]} | {ratios[1]} |"


def block_rows(stem):
    """Yield a line per kind and precision: the training steps of blocks."""
    for row in kept_rows(stem):
        if row["mode"] != "training step":
            continue
        peers = ("keras", "keras_hub", "torch", "transformers")
        ratios = [row["ratio"].get(peer) for peer in peers]
        cells = ["" if ratio is None else f"{ratio:.2f}" for ratio in ratios]
        what = f"{row['kind']}, {row['dtype']}"
        share = row["share"]["keras_seq"]
        yield f"| {what} | {' | '.join(cells)} | {share:.0%} |"


def ladder_rows():
    """Yield a line per kept model of the comparison on Multi30k."""
    for rung, (name, to_beat) in LADDER.items():
        path = RESULTS / f"12_ladder-multi30k-{rung}.json"
        if path.exists():
            found = json.loads(path.read_text("utf-8"))["metrics"]
            minutes = found[f"seconds_{rung}"] / 60
            yield (
                f"| {name} | {to_beat:.2f} | {found[f'bleu_{rung}']:.2f} | "
                f"{found[f'params_{rung}']:,} | {minutes:.0f} |"
            )


def decoding_rows(stem):
    """Yield a line per model and batch of the kept benchmark of decoding."""
    for row in kept_rows(stem):
        what = f"{row['model']}, batch {row['batch']}, {row['length']} tokens"
        speed = row["tokens_per_second"]["greedy"]
        ratios = row["beam_over_greedy"], row["prefix_over_greedy"]
        cells = " | ".join(f"{value:.1f}" for value in ratios)
        yield f"| {what} | {speed:,.0f} tokens/s | {cells} |"


def generation_rows(stem):
    """Yield a line per batch and length of the benchmark of generation."""
    for row in kept_rows(stem):
        what = f"batch {row['batch']}, {row['length']} tokens"
        speeds = row["tokens_per_second"]
        names = ("keras_seq", "uncached", "keras_hub", "transformers")
        cells = [f"{speeds[n]:,.0f}" if n in speeds else "" for n in names]
        yield f"| {what} | {' | '.join(cells)} |"


def speculative_rows(stem):
    """Yield a line per number of draft tokens."""
    for row in kept_rows(stem):
        speeds = row["tokens_per_second"]
        cells = [f"{speeds[n]:,.0f}" for n in ("greedy", "speculative")]
        cells += [f"{row['speedup']:.2f}", f"{row['accepted']:.0%}"]
        what = f"{row['num_draft_tokens']} draft tokens"
        yield f"| {what} | {' | '.join(cells)} |"


def pretraining_rows(stem):
    """Yield a line per objective and precision."""
    for row in kept_rows(stem):
        if "objective" in row:
            yield _timed(f"{row['objective']}, {row['dtype']}", row)


def image_rows(stem):
    """Yield a line per ViT, mode and precision."""
    for row in kept_rows(stem):
        line = _timed(f"{row['model']}, {row['mode']}, {row['dtype']}", row)
        share = row.get("share")
        yield f"{line} {'' if share is None else f'{share:.0%}'} |"


def memory_rows(stem):
    """Yield a line per model of the kept benchmark of memory."""
    for row in kept_rows(stem):
        sizes = [row["bytes"][name] for name in ("keras_seq", "keras_hub")]
        cells = " | ".join(f"{size / 2**20:.0f} MiB" for size in sizes)
        ratio = row["ratio"]["keras_hub"]
        yield f"| {row['kind']} | {cells} | {ratio:.2f} |"


def _timed(what, row):
    """Return a line with our milliseconds and the ratios to two peers."""
    ms = 1000 * row["seconds"]["keras_seq"]["median"]
    ratios = [row["ratio"].get(peer) for peer in ("keras_hub", "transformers")]
    cells = ["" if ratio is None else f"{ratio:.2f}" for ratio in ratios]
    return f"| {what} | {ms:.0f} ms | {' | '.join(cells)} |"


def padding_rows(stem):
    """Yield a line per collection of texts: padding and its cost."""
    for row in kept_rows(stem):
        if "padding" in row:
            share = [row["padding"][w] for w in ("one length", "by length")]
            cells = " | ".join(f"{value:.0%}" for value in share)
            ms = 1000 * row["seconds_per_text"]["by length"]
            times = f"{row['times_by_length']:.1f} times"
            what = f"{row['rows']:,} of `{row['texts']}`"
            yield f"| {what} | {cells} | {ms:.1f} ms | {times} |"


def fresh(page):
    """Return a page of PAGES with new tables between its markers."""
    text = (ROOT / page).read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + PAGES[page]() + END + after


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("action", choices=("keep", "pages"))
    parser.add_argument("folders", nargs="*", help="folders of finished runs")
    options = parser.parse_args()
    for folder in options.folders:
        print(keep(folder))
    for page in PAGES:
        (ROOT / page).write_text(fresh(page), "utf-8")


if __name__ == "__main__":
    main()
