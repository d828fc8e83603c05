"""Write the page of the results from the files in results/."""

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
    for experiment, *cells, machine in results.shown_metrics():
        where = machine["accelerator"] or f"{machine['cores']} cores"
        lines.append(f"| `{experiment}` | {' | '.join(cells)} | {where} |")
    return "\n".join([INTRODUCTION, *lines, *results.ladder()]) + "\n"
