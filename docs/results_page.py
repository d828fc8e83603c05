"""Write the page of the results from the files in results/."""

import json

from benchmarks import results

INTRODUCTION = """# Results

All numbers are on held-out data. The arrow says which way is better: with ↑ a
larger number is better, with ↓ a smaller one. The baseline is plain: a search
for the most similar example, the most frequent class, counted characters. The
table is generated from the files in `results/experiments/`, which also name
the versions and the date.

"""


def page():
    """Return the page: Markdown."""
    lines = [
        "| experiment | what | better | baseline | measured | machine |",
        "|---|---|---|---|---|---|",
    ]
    for stem, names in results.SHOWN.items():
        path = results.RESULTS / f"{stem}.json"
        if path.exists():
            kept = json.loads(path.read_text("utf-8"))
            for metric, what in names.items():
                (line,) = results.experiment_rows(stem, {metric: what})
                lines.append(row(line, metric, kept["machine"]))
    return INTRODUCTION + "\n".join(lines) + "\n" + rest()


def row(line, metric, machine):
    """Add an arrow and the machine to a row of the README."""
    _, experiment, what, plain, measured, _ = line.split("|")
    arrow = "↓" if results.SMALLER.search(metric) else "↑"
    where = machine["accelerator"] or f"{machine['cores']} cores"
    cells = experiment, what, f" {arrow} ", plain, measured, f" {where} "
    return f"|{'|'.join(cells)}|"


def rest():
    """Return the table of the translators."""
    head = "| German to English | published | BLEU ↑ | weights | minutes ↓ |"
    return "\n".join(["", *results.table(head, results.ladder_rows())]) + "\n"
