"""Diagrams of attention: query, key, value; heads; masks."""

import math

from diagrams.parts import vector, weight_matrix

# Vectors of four words, small enough to calculate by hand.
KEYS = {
    "article": (0, 1, 0, 0),
    "cat": (2, 0, 2, 0),
    "drank": (1, 1, 0, 0),
    "milk": (0, 1, 1, 1),
}
VALUES = {
    "article": (0, 0, 0, 1),
    "cat": (4, 0, 1, 0),
    "drank": (0, 2, 0, 1),
    "milk": (0, 1, 3, 0),
}
QUERY = (1, 0, 2, 1)  # of "drank"


ROLES = (("qQ", "query"), ("kK", "key"), ("vV", "value"))


def softmax(scores):
    powers = [math.exp(score) for score in scores]
    return [power / sum(powers) for power in powers]


def dot(a, b):
    return sum(x * y for x, y in zip(a, b))


def attend(order):
    """Return the scores, the weights and the output of the example."""
    scores = [dot(QUERY, KEYS[word]) / math.sqrt(4) for word in order]
    weights = softmax(scores)
    columns = zip(*(VALUES[word] for word in order))
    return scores, weights, [dot(weights, column) for column in columns]


def query_key_value(c):
    """Draw attention from one word of a sentence to all of its words."""
    order = c.say("qkv.order").split(" ")
    scores, weights, output = attend(order)
    for k, (name, role) in enumerate(ROLES):
        equation = f"{name[0]} = x W_{name[1]}"
        c.text(548, 24 + 20 * k, equation, 14, role, "start")
    row = 128
    keys = ("token", "key_k", "score", "weight", "value_v")
    for x, key in zip((71, 196, 342, 446, 604), keys):
        c.text(x, row - 22, c.say(key), 13, bold=True)
    c.text(124, 58, c.say("qkv.query"), 13, anchor="end")
    vector(c, 140, 44, QUERY, "query")
    c.arrow((256, 58), (342, 58), (342, row - 34), role="query", width=2)
    c.step(358, 70, 1)
    c.text(374, 70, "q · k / √4", 13, "query", "start")
    for k, word in enumerate(order):
        token_row(c, row + 42 * k, word, scores[k], weights[k])
    bottom = row + 42 * len(order)
    c.step(350, bottom + 4, 2)
    c.text(388, bottom + 4, "softmax", 12, "soft")
    c.text(448, bottom + 4, c.say("qkv.sum"), 12, "soft")
    total(c, bottom, output)


def token_row(c, y, word, score, weight):
    """Draw one word: its key, score, weight and value."""
    mine = word == "drank"
    c.box(16, y, 110, 28, c.say(f"word.{word}"), "token", bold=mine)
    c.arrow((127, y + 14), (139, y + 14))
    end = vector(c, 140, y, KEYS[word], "key")
    c.arrow((end + 2, y + 14), (314, y + 14), role="key")
    c.box(316, y, 52, 28, f"{score:.1f}", "op", size=13)
    c.arrow((370, y + 14), (412, y + 14))
    opacity = 0.12 + 0.88 * weight
    c.box(414, y, 64, 28, f"{weight:.2f}", "weights", opacity=opacity)
    c.text(512, y + 14, "×", 15)
    vector(c, 548, y, VALUES[word], "value")


def total(c, y, output):
    """Draw the attention output, the weighted average of the values."""
    c.arrow((604, y - 8), (604, y + 40), role="value", width=2)
    c.step(624, y + 12, 3)
    c.text(640, y + 12, c.say("qkv.add"), 12, "soft", "start")
    vector(c, 532, y + 42, output, "context", 36, "{:.2f}")
    c.text(520, y + 56, c.say("attention_output"), 13, anchor="end", bold=True)


# The score of a pair of words in a head; that of other pairs is 0.
HEADS = {
    "before": {},  # depends on the order: see `head_weights`
    "subject": {
        ("article", "cat"): 2,
        ("cat", "cat"): 2,
        ("drank", "cat"): 3,
        ("milk", "cat"): 2,
    },
    "object": {("drank", "milk"): 3, ("milk", "drank"): 3},
}


def head_weights(name, order):
    """Return the attention weights of a head, a row for each query."""
    scores = dict(HEADS[name])
    if name == "before":
        scores = dict.fromkeys(zip(order, [order[0], *order]), 3)
    return [
        softmax([scores.get((word, other), 0) for other in order])
        for word in order
    ]


def heads(c):
    """Draw three heads on one sentence, and their concatenation."""
    order = c.say("qkv.order").split(" ")
    labels = [c.say(f"word.{word}") for word in order]
    x = c.box(16, 217, 66, 60, c.say("heads.input"), "token")
    joined = c.box(492, 217, 110, 60, "[c_1 ; c_2 ; c_3]", "context")
    out = c.box(654, 217, 66, 60, c.say("heads.output"), "context")
    c.arrow(joined.right, out.left, role="context")
    c.text(627, 230, "W_O", 13)
    c.text(547, 194, c.say("heads.joined"), 12, "soft")
    for k, name in enumerate(HEADS):
        panel = c.panel(124, 8 + 162 * k, 316, 154)
        y = panel.y
        c.arrow(x.right, panel.left)
        title = c.say("head") + f" {k + 1}"
        c.text(134, y + 20, title, 13, "", "start", True)
        c.text(134, y + 42, c.say(f"heads.{name}"), 12, "soft", "start")
        for n, (symbol, role) in enumerate(ROLES):
            text = f"{symbol[0]}_{k + 1} = x W_{{{symbol[1]}{k + 1}}}"
            c.text(134, y + 82 + 22 * n, text, 14, role, "start")
        weight_matrix(c, 314, y + 26, head_weights(name, order), labels, 30)
        c.arrow(panel.right, (492, 231 + 16 * k), role="context")
        y = panel.cy + (-18, -14, 16)[k]
        c.text(448, y, f"c_{k + 1}", 14, "context", "start")


MASKED = ("padding", "causal", "both")


def keeps(kind, row, column, real=3):
    """Tell whether a mask keeps the value `column` for the query `row`."""
    padding, causal = column < real, column <= row
    return {"padding": padding, "causal": causal}.get(kind, padding and causal)


def masks(c):
    """Draw a padding mask, a causal mask and the weights under both."""
    tokens = [*c.say("masks.tokens").split(" "), "<pad>", "<pad>"]
    for k, kind in enumerate(MASKED):
        x = 8 + 243 * k
        c.panel(x, 8, 234, 276, c.say(f"masks.{kind}"))
        c.text(x + 151, 48, c.say("masks.columns"), 11, "soft")
        c.text(x + 70, 48, c.say("masks.rows"), 11, "soft", "end")
        kept = [[keeps(kind, t, s) for s in range(5)] for t in range(5)]
        if kind == "both":
            kept = [[cell / sum(row) for cell in row] for row in kept]
        weight_matrix(c, x + 78, 78, kept, tokens, 30, signs=kind != "both")
        for line, text in enumerate(c.say(f"masks.{kind}.why").split("\n")):
            c.text(x + 117, 248 + 17 * line, text, 12, "soft")


DIAGRAMS = {
    "query_key_value": (query_key_value, 386),
    "heads": (heads, 494),
    "masks": (masks, 292),
}
