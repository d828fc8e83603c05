"""Diagrams of the Vision Transformer: patches, attention rollout."""

from diagrams.parts import weight_matrix

# A handwritten 0 of 8 x 8 pixels, from 0 to 16 (the first of the UCI digits).
DIGIT = (
    (0, 0, 5, 13, 9, 1, 0, 0),
    (0, 0, 13, 15, 10, 15, 5, 0),
    (0, 3, 15, 2, 0, 11, 8, 0),
    (0, 4, 12, 0, 0, 8, 8, 0),
    (0, 5, 8, 0, 0, 9, 8, 0),
    (0, 4, 11, 0, 1, 12, 7, 0),
    (0, 2, 14, 5, 10, 12, 0, 0),
    (0, 0, 6, 13, 10, 0, 0, 0),
)
SIDE = 4  # of a patch, in pixels


def pixels(c, x, y, rows, side):
    """Draw an image, darker where its pixels are larger."""
    for r, row in enumerate(rows):
        for k, value in enumerate(row):
            c.shade(x + side * k, y + side * r, side, side, value / 16)
    w, h = side * len(rows[0]), side * len(rows)
    corners = [(x, y), (x + w, y), (x + w, y + h), (x, y + h), (x, y)]
    c.arrow(*corners, head=False, width=1.2)


def cut():
    """List the patches of the digit, row by row."""
    return [
        [row[left : left + SIDE] for row in DIGIT[top : top + SIDE]]
        for top in range(0, 8, SIDE)
        for left in range(0, 8, SIDE)
    ]


def patches(c):
    """Draw an image as a sequence of patches, read by a Transformer."""
    c.text(78, 24, c.say("patches.image"), 13, bold=True)
    pixels(c, 14, 128, DIGIT, 16)
    c.arrow((148, 192), (182, 192), width=2)
    c.text(227, 24, c.say("patches.cut"), 13, bold=True)
    c.text(404, 24, c.say("patches.tokens"), 13, bold=True)
    x0 = c.box(330, 46, 64, 34, "x_0", "token", size=15, strong=True)
    c.text(316, 63, c.say("patches.class"), 12, "", "end")
    parts = [x0]
    for k, patch in enumerate(cut()):
        y = 100 + 68 * k
        pixels(c, 200, y, patch, 13)
        box = c.box(330, y + 9, 64, 34, f"x_{k + 1}", "token", size=15)
        c.arrow((256, y + 26), box.left)
        c.text(293, y + 14, "W_e, b_e", 13)
        parts.append(box)
    c.box(514, 46, 76, 306, c.say("patches.blocks"), "model")
    for k, part in enumerate(parts):
        c.text(404, part.cy, "+", 16)
        box = c.box(414, part.y, 64, 34, f"P[{k}]", "position", size=14)
        c.arrow(box.right, (514, box.cy))
    y0 = c.box(616, 46, 44, 34, "y_0", "hidden", size=15)
    c.arrow((590, 63), y0.left, role="hidden")
    head = c.box(684, 46, 44, 34, "0", "token", size=15, bold=True)
    c.arrow(y0.right, head.left)
    c.text(672, 104, "y_0 W + b", 13)
    c.text(672, 128, c.say("patches.answer"), 12, "soft")
    c.text(602, 340, c.say("patches.rest"), 12, "soft", "start")


# The attention weights of two layers, as means over the heads.
LAYERS = (
    ((0.6, 0.2, 0.2), (0.1, 0.8, 0.1), (0.1, 0.8, 0.1)),
    ((0.1, 0.1, 0.8), (0.2, 0.6, 0.2), (0.2, 0.2, 0.6)),
)


def product(a, b):
    return [
        [sum(x * y for x, y in zip(row, column)) for column in zip(*b)]
        for row in a
    ]


def with_residual(weights):
    """Return (weights + I) / 2."""
    return [
        [(weight + (r == s)) / 2 for s, weight in enumerate(row)]
        for r, row in enumerate(weights)
    ]


def rollout(c):
    """Draw attention rollout of two layers of three tokens."""
    labels = ("x_0", "x_1", "x_2")
    mixed = [with_residual(layer) for layer in LAYERS]
    for k in (0, 1):
        y = 76 + 192 * (1 - k)
        c.panel(8, y - 68, 440, 184, c.say(f"rollout.layer{k + 1}"))
        weight_matrix(c, 54, y, LAYERS[k], labels, 36, columns=labels)
        weight_matrix(c, 326, y, mixed[k], labels, 36, columns=labels)
        c.arrow((168, y + 54), (294, y + 54), width=2)
        c.text(231, y + 38, c.say("rollout.half"), 12)
        c.text(108, y - 31, c.say("rollout.weights"), 12, "soft")
        c.text(380, y - 33, f"A_{k + 1}", 14, bold=True)
    final = product(mixed[1], mixed[0])
    c.panel(480, 66, 248, 238, c.say("rollout.result"))
    weight_matrix(c, 558, 144, final, labels, 44, columns=labels)
    c.text(624, 104, "A_2 A_1", 14, bold=True)
    c.arrow((450, 100), (478, 150), width=2)
    c.arrow((450, 290), (478, 240), width=2)
    c.text(604, 292, c.say("rollout.row"), 12, "soft")
    c.text(604, 330, c.say("rollout.note"), 12, "soft")


DIAGRAMS = {"patches": (patches, 374), "rollout": (rollout, 392)}
