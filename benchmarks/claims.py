"""The claims of the lectures, for docs/claims.md: Markdown.

`results/claims.json` holds them, with their figures, sources and verdicts;
`benchmarks.results` writes the page.
"""

import json
from decimal import Decimal

from benchmarks.tables import ROOT


def rows():
    """Return the rows of results/claims.json, numbers as they are written."""
    text = (ROOT / "results" / "claims.json").read_text("utf-8")
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


def verdicts():
    """Return a section for each claim: verdict, reason, figures, sources."""
    found = rows()
    lines = ["| claim | verdict |", "|---|---|"]
    lines += [f"| {row['claim']} | {row['verdict']} |" for row in found]
    for row in found:
        lines += ["", f"## {row['claim']}", ""]
        verdict = row["verdict"].capitalize()
        condition = row["why"].removeprefix(verdict)
        stop = "." if condition == row["why"] else ""
        lines += [f"**{verdict}{stop}** {condition.lstrip()}"]
        lines += details(row)
    return "\n".join(lines) + "\n"


def details(row):
    """Yield the lessons, experiments, pictures and figures of a claim."""
    for title, names in (
        ("Shown in", row["shown_in"]),
        ("Pictures", row["pictures"]),
    ):
        if names:
            yield from ("", f"{title}: " + ", ".join(f"`{n}`" for n in names))
    if row["figures"]:
        yield from ("", "| figure | value | source |", "|---|---|---|")
    for figure in row["figures"]:
        value = str(figure["value"]).lower()
        source = f"`{figure.get('lesson')}`"
        if "file" in figure:
            source = f"`results/{figure['file']}`, `{figure['key']}`"
        yield f"| {figure['name']} | {value} | {source} |"
