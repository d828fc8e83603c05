"""Estimate the width of a text, so that it fits its box in every browser.

The widths are those of DejaVu Sans, the widest font that a browser is likely to
take; Hangul is as wide as in the widest Korean fonts.
"""

import re

EM = {
    0.30: "'ijlIJ",
    0.35: " ,.·’/:;\\|f-",
    0.42: "()[]t!r",
    0.50: '"*_`–°',
    0.56: "sz?cLFkvxy",
    0.64: "PTYaoeESbdghnpquσ$0123456789{}√",
    0.70: "KαAVBRXZCβγ",
    0.80: "UHNDG&OQw",
    0.86: "∞#+<=>^~×→←⊙−≤≥M",
    1.00: "%mW@…—",
}
WIDTH = {ch: em for em, letters in EM.items() for ch in letters}
BOLD = 1.12
SMALL = 11  # the size of a subscript, and the smallest of any text
SUB = re.compile(r"_\{([^}]*)\}|_(\w)")


def pieces(text):
    """Split `h_{t-1} = x_t W` into (text, is subscript) pairs."""
    found, end = [], 0
    for match in SUB.finditer(text):
        found.append((text[end : match.start()], False))
        found.append((match[1] or match[2], True))
        end = match.end()
    found.append((text[end:], False))
    return [pair for pair in found if pair[0]]


def em_width(text):
    """Return the width of a text without subscripts, in ems."""
    return sum(WIDTH.get(ch, 0.97 if ord(ch) > 0x1100 else 0.7) for ch in text)


def text_width(text, size, bold=False):
    """Return the width of one line, in pixels."""
    parts = pieces(text)
    total = sum(em_width(p) * (SMALL if sub else size) for p, sub in parts)
    return total * (BOLD if bold else 1)
