"""Diagram of an alignment: attention weights of the trained model of lesson 05.

alignment.json has the weights of the lesson's first model with attention
(`BahdanauSeq2Seq`, seed 0, 2 epochs) for the two held-out dates that its
section "Question" names, one in English and one in Korean. To write it anew,
by running the lesson, which takes some minutes:

    python -m docs.alignment_weights
"""

import json
import pathlib

FILE = pathlib.Path(__file__).with_suffix(".json")
DATES = json.loads(FILE.read_text("utf-8"))["dates"]
STEP = 28
SMALLEST = 0.05  # weights below are not drawn
FIELDS = {"year": (0, 4), "month": (5, 7), "day": (8, 10)}


def alignment(c):
    """Draw both dates, each above its answer."""
    for k, found in enumerate(DATES):
        date(c, 16 + 184 * k, found)
    c.text(724, 382, c.say("alignment.note"), 12, "soft", "end")


def date(c, top, found):
    """Draw a date, its answer, and the weights between them."""
    source = row(c, found["source"], top)
    target = row(c, found["target"], top + 108, bold=True)
    c.text(10, top + 14, c.say("alignment.read"), 13, "soft", "start")
    c.text(10, top + 122, c.say("alignment.written"), 13, "soft", "start")
    for box, weights in zip(target, found["weights"]):
        for other, weight in zip(source, weights):
            if weight >= SMALLEST:
                line(c, box.top, other.bottom, weight)
    for name, (begin, end) in FIELDS.items():
        x0, x1 = target[begin].x, target[end - 1].right[0]
        y = top + 143
        c.arrow((x0, y), (x1, y), width=1.2, head=False)
        label = c.say(f"alignment.{name}")
        c.text((x0 + x1) / 2, y + 12, label, 12, "soft")


def row(c, tokens, top, bold=False):
    """Draw the characters of a text in the middle; return their boxes."""
    x = 388 - (STEP * len(tokens) + 20) / 2
    boxes = []
    for k, token in enumerate(tokens):
        wide, size = (48, 12) if token == "[END]" else (24, 15)
        place = x + STEP * k, top, wide, 28
        text = "␣" if token == " " else token
        boxes.append(c.box(*place, text, "token", size=size, bold=bold))
    return boxes


def line(c, start, end, weight):
    """Draw a line, the darker and the thicker, the larger its weight."""
    (x0, y0), (x1, y1) = start, end
    c.out.append(
        f'<path d="M{x0:.1f} {y0:.1f} L{x1:.1f} {y1:.1f}" '
        'class="ks-line-weights" stroke-linecap="round" '
        f'stroke-opacity="{0.25 + 0.75 * weight:.2f}" '
        f'stroke-width="{0.8 + 6 * weight:.1f}"/>'
    )


DIAGRAMS = {"alignment": (alignment, 396)}
