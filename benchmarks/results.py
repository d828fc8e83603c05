"""Keep measured results, and write the tables of README.md and docs/.

    python -m benchmarks.results keep runs/gates   # into results/experiments/
    python -m benchmarks.results pages             # only the tables

A kept file is the results.json of an experiment with the machine and the date;
for some experiments a figure is kept beside it. The tables are generated from
the files in results/, never typed.
"""

import argparse
import json
import pathlib
import re
import shutil

from benchmarks import report
from benchmarks.claims import verdicts
from benchmarks.tables import ROOT, speeds, table

RESULTS = ROOT / "results" / "experiments"
BEGIN, END = "<!-- results -->\n", "<!-- end of results -->\n"

# Rows of the README from a kept file: metric -> name in the table.
SHOWN = {
    "hello_rnn-tinyshakespeare": {
        "loss_rnn": "Tiny Shakespeare, RNN, nats per character",
        "loss_gru": "the same, GRU",
        "loss_lstm": "the same, LSTM",
    },
    "shakespeare-tinyshakespeare-lstm": {
        "loss": "the same, LSTM, half an hour",
    },
    "shakespeare-tinyshakespeare-gru": {"loss": "the same, GRU, half an hour"},
    "shakespeare-tinyshakespeare-gpt": {"loss": "the same, GPT, half an hour"},
    "five_settings-names": {
        "many_to_one_accuracy": "name -> language",
        "many_to_many_exact_match": "three-digit addition, exact",
    },
    "gates-adding": {
        "adding_mse_rnn_100": "adding over 100 steps, RNN, squared error",
        "adding_mse_lstm_100": "the same, LSTM",
    },
    "seq2seq-dates": {
        "exact_match": "dates -> ISO, exact, one context vector of 128",
    },
    "attention-dates": {
        "exact_match_bahdanau": "dates -> ISO, exact, Bahdanau",
        "alignment_bahdanau": "attention on the correct span, Bahdanau",
    },
    "attention-docstrings": {
        "rouge_l_bahdanau": "docstring -> its summary, ROUGE-L",
    },
    "transformer-dates": {
        "exact_match": "dates -> ISO, exact, Transformer",
    },
    "chatbot-dialogues": {
        "chrf_recurrent": "dialogues, chrF, one context vector",
        "chrf_attention": "the same, Bahdanau",
        "chrf_transformer": "the same, Transformer",
    },
    "chatbot-chatbot_ko": {
        "chrf_attention": "Korean answers (chatbot_ko), chrF, Bahdanau",
    },
    "gpt-tinyshakespeare": {
        "loss": "Tiny Shakespeare, 1.5 million characters, GPT",
    },
    "bert-pydocs": {
        "mlm_accuracy": "masked words of Python's documentation, accuracy",
        "nsp_accuracy": "next sentence prediction, accuracy",
    },
    "finetune-pydocs": {
        "accuracy_pretrained_100": "docstring -> package, 100 labels, BERT",
        "accuracy_pretrained_1600": "the same, 1,600 labels, BERT",
        "tagging_f1": "year, month and day in a sentence, entity F1",
        "span_exact_match": "answer span of a question in a text, exact",
    },
    "finetune-nsmc": {
        "accuracy_pretrained_1000": "reviews (nsmc-40k), 1,000 labels, BERT",
        "accuracy_scratch_1000": "the same, from scratch",
        "accuracy_pretrained_5000": "the same, 5,000 labels, BERT",
        "accuracy_pretrained_40000": "the same, 40,000 labels, BERT",
    },
    "vit-digits": {
        "vit_accuracy_10_longer": "a tenth of the digits, longer, MixUp, ViT",
        "cnn_accuracy_10_longer": "the same, ResNet",
    },
    "vit-cifar10-10k": {
        "vit_accuracy_100": "photo (cifar10-10k) -> class, ViT",
        "cnn_accuracy_100": "the same, ResNet with as many weights",
    },
    "photographs-cifar10-10k-vit": {
        "accuracy": "the same, half an hour, ViT",
    },
    "photographs-cifar10-10k-hybrid": {
        "accuracy": "the same, ViT after three convolutions",
    },
    "photographs-cifar10-10k-masked": {
        "accuracy": "the same, ViT pretrained by masked patches",
    },
    "photographs-cifar10-10k-resnet": {
        "accuracy": "the same, half an hour, ResNet",
        "accuracy_augmented": "the same, mean of an image and its mirror image",
    },
}
SMALLER = re.compile("loss|mse|mae")  # metrics of which less is better
# Figures of an experiment that are kept beside its results.
PICTURES = {
    "adding_length": ("until_it_fails",),
    "electricity": ("by_hour_ahead", "week"),
    "emoji_captions": ("attention",),
    "sentence_length": ("bleu_by_length", "alignment"),
    "vit": ("accuracy",),
    "word_vectors": ("word_map",),
}
# The models, each with the published BLEU to exceed and its decoding.
LADDER = {
    "lstm": ("LSTM, one context vector, earlier recipe", 13.76),
    "gru": ("GRU, one context vector", 20.61),
    "bahdanau": ("Bahdanau", 28.30),
    "luong": ("Luong", 30.40),
    "transformer": ("Transformer", 36.52),
}


def keep(folder):
    """Copy results.json and `PICTURES` of a run into results/experiments/.

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
    part = run.get("rung") or run.get("network")  # one model of several
    part = f"-{part}" if part else ""
    path = RESULTS / f"{run['experiment']}-{run['data']}{part}{seed}.json"
    report.write(path, **run)
    for name in PICTURES.get(run["experiment"], ()):
        picture = RESULTS / f"{path.stem}-{name}.png"
        shutil.copyfile(pathlib.Path(folder) / f"{name}.png", picture)
    return path


def learned():
    """Return the results of the experiments: Markdown tables for the README."""
    lines = ["| experiment | what | baseline | measured |", "|---|---|---|---|"]
    for experiment, name, arrow, plain, value, _ in shown_metrics():
        lines.append(f"| `{experiment}` | {name} {arrow} | {plain} | {value} |")
    return "\n".join([*lines, *ladder()]) + "\n"


def ladder():
    """Return the table of the models of the comparison on Multi30k."""
    head = (
        "| German to English | published | BLEU, greedy ↑ | beam of 5 ↑ | "
        "weights | minutes ↓ |"
    )
    return table(head, ladder_rows())


def in_korean():
    """Return the tables of `learned` with the Korean names of their rows."""
    from docs.notebooks import MESSAGES, messages  # needs Babel

    korean = messages("results", MESSAGES.parent)

    def translated(match):
        name, arrow = match.groups(default="")
        both = name + arrow  # as in the heads of columns
        return korean.get(both, korean.get(name, name) + arrow)

    cell = r"(?<=\| )([^|\n]*?)( [↑↓])?(?= \|)"  # a name, and an arrow
    return re.sub(cell, translated, learned())


def shown_metrics():
    """Yield what is shown of the kept experiments, a tuple for each metric.

    Its experiment, its name, ↓ where a smaller number is better and ↑ where a
    larger one is, the baseline ("" if there is none), the number, and the dict
    of the machine.
    """
    for stem, names in SHOWN.items():
        path = RESULTS / f"{stem}.json"
        if not path.exists():
            continue
        kept = json.loads(path.read_text("utf-8"))
        for metric, name in names.items():
            plain = kept["baselines"].get(metric)
            if plain is None:  # language models: the trigram baseline
                plain = kept["baselines"].get("loss_trigram")
            yield (
                kept["experiment"],
                name,
                "↓" if SMALLER.search(metric) else "↑",
                "" if plain is None else f"{plain:.3g}",
                f"{kept['metrics'][metric]:.3g}",
                kept["machine"],
            )


def ladder_rows():
    """Yield a line per kept model of the comparison on Multi30k."""
    for rung, (name, to_beat) in LADDER.items():
        path = RESULTS / f"ladder-multi30k-{rung}.json"
        if path.exists():
            found = json.loads(path.read_text("utf-8"))["metrics"]
            scores = [
                f"{found[metric]:.2f}" if metric in found else ""
                for metric in (f"bleu_{rung}", f"bleu_{rung}_beam")
            ]
            minutes = found[f"seconds_{rung}"] / 60
            yield (
                f"| {name} | {to_beat:.2f} | {' | '.join(scores)} | "
                f"{found[f'params_{rung}']:,} | {minutes:.0f} |"
            )


PAGES = {
    "README.md": learned,
    "README.ko.md": in_korean,
    "docs/speed.md": speeds,
    "docs/claims.md": verdicts,
}


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
