"""The colors of the diagrams: contrast, and color blindness.

A page may be light or dark; a reader may lack one kind of cone.
"""

import itertools
import math
import re

import pytest

from diagrams import collection, palette

pytestmark = pytest.mark.once

# Machado, Oliveira & Fernandes (2009), IEEE TVCG 15(6), table 1, severity 1.
VISION = {
    "normal": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}

both_pages = pytest.mark.parametrize("dark", [False, True])


def linear(color):
    """Return the linear RGB of "#RRGGBB"."""
    parts = [int(color[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    return [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in parts
    ]


def contrast(a, b):
    """Return the contrast of two colors, as WCAG 2 defines it."""
    low, high = sorted(
        0.2126 * r + 0.7152 * g + 0.0722 * b for r, g, b in map(linear, (a, b))
    )
    return (high + 0.05) / (low + 0.05)


def lab(color, vision):
    """Return CIE L*a*b* of a color as it is seen with a kind of vision."""
    seen = [
        min(max(sum(m * c for m, c in zip(row, linear(color))), 0), 1)
        for row in VISION[vision]
    ]
    r, g, b = seen
    xyz = (
        (0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505,
        0.2126 * r + 0.7152 * g + 0.0722 * b,
        (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089,
    )
    x, y, z = (
        t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in xyz
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def filled(name):
    """List the roles of the filled boxes of a diagram."""
    text = (collection.FOLDER / f"{name}.en.svg").read_text("utf-8")
    found = set(re.findall(r'<rect [^>]*class="ks-(\w+)', text))
    return sorted(found & set(palette.ROLES) - {"op", "model"})


@both_pages
def test_text_has_a_contrast_of_at_least_4_5(dark):
    colors = palette.variables(dark)
    for ground in ("paper", "panel"):
        for name in ("ink", "soft", *(f"{r}-line" for r in palette.ROLES)):
            assert contrast(colors[name], colors[ground]) >= 4.5
    for role in palette.ROLES:
        assert contrast(colors["ink"], colors[f"{role}-fill"]) >= 4.5


@both_pages
@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("name", collection.DIAGRAMS)
def test_fills_of_a_diagram_are_told_apart(name, vision, dark):
    colors = palette.variables(dark)
    for a, b in itertools.combinations(filled(name), 2):
        one, other = (lab(colors[f"{role}-fill"], vision) for role in (a, b))
        assert math.dist(one, other) >= 14, (a, b)


def test_every_variable_of_the_style_sheet_is_declared():
    sheet = palette.style_sheet()
    used = set(re.findall(r"var\((--ks-[\w-]+)\)", sheet))
    pages = re.findall(r"\.ks-diagram\{(--ks-paper[^}]*)\}", sheet)
    assert len(pages) == 4  # light, dark by the system, light, dark by the page
    for page in pages:
        assert used <= set(re.findall(r"(--ks-[\w-]+):", page))
    assert sheet.count("{") == sheet.count("}")
