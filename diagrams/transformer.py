"""Diagrams of the Transformer: its blocks, and positions."""

import math

BOX = 30  # height of a box


def upwards(c, x, y, text, role="op", w=150, **options):
    """Draw a box centered on x whose bottom is at y; return it."""
    return c.box(x - w / 2, y - BOX, w, BOX, text, role, **options)


def residual(c, x, start, y, side):
    """Draw the bypass of a sublayer, from its input to the + at (x, y)."""
    edge = x + side * 104
    path = (x, start), (edge, start), (edge, y), (x + side * 13, y)
    c.arrow(*path, role="token")


def post_norm(c, x, y, name, role, side=-1):
    """Draw x <- norm(x + f(x)) above y; return the y of its output."""
    f = upwards(c, x, y - 26, name, role)
    c.arrow((x, y), f.bottom)
    plus = c.disc(x, y - 90, "+")
    c.arrow(f.top, plus.bottom)
    residual(c, x, y - 10, y - 90, side)
    norm = upwards(c, x, y - 118, c.say("norm"))
    c.arrow(plus.top, norm.bottom)
    return norm.y


def pre_norm(c, x, y, name, role, side=-1):
    """Draw x <- x + f(norm(x)) above y; return the y of its output."""
    norm = upwards(c, x, y - 26, c.say("norm"))
    c.arrow((x, y), norm.bottom)
    f = upwards(c, x, y - 72, name, role)
    c.arrow(norm.top, f.bottom)
    plus = c.disc(x, y - 134, "+")
    c.arrow(f.top, plus.bottom)
    residual(c, x, y - 10, y - 134, side)
    return plus.y


def encoder_block(c):
    """Draw the block with the normalization after and before a sublayer."""
    kinds = (("post", post_norm), ("pre", pre_norm))
    for k, (kind, sublayer) in enumerate(kinds):
        left = 8 + 364 * k
        c.panel(left, 8, 356, 472, c.say(f"block.{kind}"))
        c.text(left + 178, 50, EQUATIONS[kind], 14)
        c.text(left + 178, 74, c.say(f"block.{kind}.use"), 12, "soft")
        x = left + 196
        given = upwards(c, x, 468, c.say("block.input"), "token")
        y = given.y
        for part, role in (("self", "weights"), ("ffn", "model")):
            y = sublayer(c, x, y, c.say(f"block.{part}"), role)
        c.arrow((x, y), (x, y - 24))
    c.text(92, 236, c.say("block.residual"), 12, "token", "end")


EQUATIONS = {"post": "x ← norm(x + f(x))", "pre": "x ← x + f(norm(x))"}


def decoder_block(c):
    """Draw the decoder block, whose second sublayer reads the encoder."""
    c.panel(8, 260, 296, 348, c.say("encoder"))
    notes(c)
    c.panel(316, 8, 412, 600, c.say("decoder_block.panel"))
    source = upwards(c, 156, 596, c.say("block.source"), "token", 200)
    blocks = c.box(56, 420, 200, 80, c.say("block.blocks"), "model")
    memory = c.box(56, 300, 200, 44, c.say("block.memory"), "hidden", bold=True)
    c.arrow(source.top, blocks.bottom)
    c.arrow(blocks.top, memory.bottom)
    x = 560
    y = upwards(c, x, 596, c.say("block.target"), "token", 200).y
    names = ("causal", "cross", "ffn")
    for name, role in zip(names, ("weights", "weights", "model")):
        bottom = y
        y = post_norm(c, x, y, c.say(f"block.{name}"), role, side=1)
        if name == "cross":
            c.text(x + 8, bottom - 18, "Q", 13, "query", "start", True)
            cross = bottom - 26 - BOX / 2
            path = (256, 316), (400, 316), (400, cross - 7), (485, cross - 7)
            c.arrow(*path, role="key", width=2)
            path = (256, 330), (386, 330), (386, cross + 7), (485, cross + 7)
            c.arrow(*path, role="value", width=2)
            c.text(470, cross - 18, "K", 13, "key", bold=True)
            c.text(470, cross + 20, "V", 13, "value", bold=True)
    c.arrow((x, y), (x, y - 24))
    c.text(x, y - 36, c.say("block.next"), 12, "soft")


def notes(c):
    """Explain the letters and the mask beside the decoder block."""
    lines = (("Q", "query"), ("K", "key"), ("V", "value"), ("", "causal_mask"))
    for k, (letter, name) in enumerate(lines):
        y = 60 + 32 * k
        if letter:
            c.text(20, y, letter, 15, name, "start", True)
        x = 44 if letter else 20
        c.text(x, y, c.say(f"block.note.{name}"), 12, anchor="start")


POSITIONS, WAVES = 24, 16


def encoding(position, i, width=WAVES):
    """Compute PE(position, i) of the sinusoidal positional encoding."""
    angle = position / 10000 ** ((i - i % 2) / width)
    return math.cos(angle) if i % 2 else math.sin(angle)


def positions(c):
    """Draw tokens plus positions, and the sinusoidal encoding as a map."""
    c.panel(8, 8, 340, 328, c.say("positions.sum"))
    sentences = (c.say("positions.a"), c.say("positions.b"))
    for row, sentence in enumerate(sentences):
        for k, word in enumerate(sentence.split(" ")):
            x, y = 22 + 110 * k, 46 + 142 * row
            c.box(x, y, 92, 30, word, "token")
            c.text(x + 46, y + 44, "+", 16)
            c.box(x, y + 58, 92, 30, f"PE({k})", "position")
    c.text(178, 162, c.say("positions.other"), 12, "soft")
    c.text(178, 304, c.say("positions.order"), 14)
    c.panel(358, 8, 370, 328, c.say("positions.map"))
    position_map(c, 410, 44)


def position_map(c, x, y):
    """Draw the encoding: a row for each position, a column for each i."""
    wide, high = 18, 10
    for p in range(POSITIONS):
        if p % 4 == 0:
            c.text(x - 8, y + high * (p + 0.5), str(p), 11, anchor="end")
        for i in range(WAVES):
            level = (encoding(p, i) + 1) / 2
            c.shade(x + wide * i, y + high * p, wide, high, level)
    c.text(x - 32, y + 5, "p", 14, anchor="end", bold=True)
    bottom = y + high * POSITIONS + 14
    c.text(x, bottom, c.say("positions.fast"), 11, "soft", "start")
    c.text(x + 288, bottom, c.say("positions.slow"), 11, "soft", "end")
    for k, level in enumerate((0, 0.5, 1)):
        left, top = x + 50 + 80 * k, bottom + 14
        c.shade(left, top, 16, 16, level)
        corners = [(0, 0), (16, 0), (16, 16), (0, 16), (0, 0)]
        outline = [(left + a, top + b) for a, b in corners]
        c.arrow(*outline, head=False, width=1)
        text = ("−1", "0", "1")[k]
        c.text(left + 24, top + 8, text, 12, anchor="start")


DIAGRAMS = {
    "encoder_block": (encoder_block, 488),
    "decoder_block": (decoder_block, 616),
    "positions": (positions, 344),
}
