"""Units of the character models with a visible meaning, found by correlation.

Each property of the text at a letter is a number: whether a quotation is open,
how many syllables came since the last space, ... The unit whose state follows
it best on held-out text is shown, with its correlation, if that is at least
0.5.

Shapes: N letters, U units.
"""

import numpy as np

from look import corpus

LEAST, ROWS, LETTERS = 0.5, 40, 200
NAMES = "quote", "parenthesis", "syllables", "letters", "hangul", "line"


def properties(text):
    """Return the properties of every letter: dict of float (N,)."""
    found = {name: [] for name in NAMES}
    quote = depth = syllables = letters = line = 0
    for c in text:
        hangul = "가" <= c <= "힣"
        quote = 0 if c == "\n" else quote ^ (c == '"')
        depth = 0 if c in ")\n" else 1 if c == "(" else depth
        syllables = syllables + 1 if hangul else 0
        letters = letters + 1 if c.isascii() and c.isalpha() else 0
        line = 0 if c == "\n" else line + 1
        now = (quote, depth, syllables, letters, hangul, min(line, 200))
        for name, value in zip(found, now):
            found[name].append(float(value))
    return {name: np.array(values) for name, values in found.items()}


def held_out_rows():
    """Return held-out texts of equal length, each from the start of a line."""
    rows, row = [], ""
    for line in corpus.quoted_lines()[1]:
        row += f"{line}\n"
        if len(row) >= LETTERS:
            rows.append(row[:LETTERS])
            row = ""
    return rows[:ROWS]


def meanings(model, tokenizer):
    """List the units with a meaning, the clearest first, quotations before.

    Returns:
        list of dict of `meaning`, `unit` and `correlation`.
    """
    rows = held_out_rows()
    x = model.token_embedding(tokenizer.tokenize(rows))
    trace = model.recurrent_layers[0].trace(x)
    values = np.asarray(trace.get("cell_state", trace["hidden_state"]))
    values = values.reshape(-1, values.shape[-1]).T  # (U, N)
    known = [properties(row) for row in rows]
    found = []
    for name in NAMES:
        property_of = np.concatenate([row[name] for row in known])
        r = np.corrcoef(values, property_of)[-1, :-1]
        unit = int(np.argmax(np.abs(r)))
        if abs(r[unit]) >= LEAST:
            found.append((name, unit, round(float(r[unit]), 2)))
    best = {}  # of two meanings of one unit the clearer one
    for entry in sorted(found, key=lambda entry: -abs(entry[2])):
        best.setdefault(entry[1], entry)
    found = sorted(best.values(), key=lambda entry: entry[0] != "quote")
    return [dict(zip(("meaning", "unit", "correlation"), x)) for x in found]
