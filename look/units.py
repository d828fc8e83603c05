"""Units of the character models with a visible meaning, found by correlation.

Each property of the text at a letter is a number: whether a quotation is open,
how many syllables came since the last space, ... The unit whose state follows
it best on held-out text is shown, with its correlation, if that is at least
0.5.

Shapes: N letters, U units.
"""

import numpy as np

from look import corpus

LEAST, LETTERS = 0.5, 4000
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


def states(model, tokenizer, text):
    """Return the cell states (else hidden states) at every letter: (N, U)."""
    ids = tokenizer.tokenize([text])
    trace = model.recurrent_layers[0].trace(model.token_embedding(ids))
    values = trace.get("cell_state", trace["hidden_state"])
    return np.asarray(values)[0]


def meanings(model, tokenizer):
    """List the units with a meaning, the clearest first.

    Returns:
        list of dict of `meaning`, `unit` and `correlation`.
    """
    text = "\n".join(corpus.quoted_lines()[1])[:LETTERS]
    values = states(model, tokenizer, text)
    found = []
    for name, known in properties(text).items():
        r = np.corrcoef(values.T, known)[-1, :-1]
        unit = int(np.argmax(np.abs(r)))
        if abs(r[unit]) >= LEAST:
            found.append((name, unit, round(float(r[unit]), 2)))
    best = {}  # of two meanings of one unit the clearer one
    for entry in sorted(found, key=lambda entry: -abs(entry[2])):
        best.setdefault(entry[1], entry)
    found = sorted(best.values(), key=lambda entry: entry[0] != "quote")
    names = ("meaning", "unit", "correlation")
    return [dict(zip(names, entry)) for entry in found]
