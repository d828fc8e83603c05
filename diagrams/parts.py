"""Parts of several diagrams: vectors, matrices of weights, sublayers."""


def vector(c, x, y, values, role, cell=28, form="{:g}"):
    """Draw a row of numbers; return the x of its right end."""
    for k, value in enumerate(values):
        text = form.format(value)
        c.box(x + cell * k, y, cell, 28, text, role, radius=2, size=12)
    return x + cell * len(values)


def weight_text(weight):
    """Write a weight as in ".25", "1" or "0"."""
    return f"{weight:.2f}".lstrip("0") if 0 < weight < 0.995 else f"{weight:g}"


def weight_matrix(c, x, y, rows, labels=(), cell=36, signs=False, columns=()):
    """Draw a matrix of weights, darker where they are larger.

    Args:
        c: `Canvas`.
        x, y: left and top.
        rows: list of lists of weights in [0, 1], or of bools with `signs`.
        labels: texts beside the rows, with the numbers of the columns.
        cell: side of a cell.
        columns: texts on top, instead of numbers.
        signs: write 1 or 0 instead of a weight.
    """
    for k, label in enumerate(labels):
        place = cell * (k + 0.5)
        row = label if columns else f"{label}  {k + 1}"
        c.text(x - 6, y + place, row, 11, anchor="end")
        top = columns[k] if columns else str(k + 1)
        c.text(x + place, y - (13 if "_" in top else 8), top, 11)
    for t, row in enumerate(rows):
        for s, weight in enumerate(row):
            text = str(int(weight)) if signs else weight_text(weight)
            c.box(
                *(x + cell * s, y + cell * t, cell, cell, text, "weights"),
                opacity=0.08 + 0.92 * weight if weight else 0,
                size=11 if cell < 34 else 12,
                radius=2,
            )
