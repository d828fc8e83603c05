"""A canvas: boxes, texts, arrows and matrices, written as SVG.

All measures are pixels of a page 736 wide. Colors are names of roles
(`palette.ROLES`). A text may have subscripts (`h_{t-1}`) and lines ("a\\nb").
"""

import dataclasses
import math
from xml.sax.saxutils import escape

from diagrams.palette import style_sheet
from diagrams.widths import SMALL, pieces, text_width

WIDTH = 736
LINE = 1.3  # line height, in ems


@dataclasses.dataclass(frozen=True)
class Box:
    """A rectangle, and the points where arrows start and end."""

    x: float
    y: float
    w: float
    h: float

    @property
    def cx(self):
        return self.x + self.w / 2

    @property
    def cy(self):
        return self.y + self.h / 2

    @property
    def left(self):
        return self.x, self.cy

    @property
    def right(self):
        return self.x + self.w, self.cy

    @property
    def top(self):
        return self.cx, self.y

    @property
    def bottom(self):
        return self.cx, self.y + self.h


def number(value):
    return f"{value:.1f}".removesuffix(".0")


def runs(text):
    """Write a line with its subscripts as tspans."""
    out, lowered = [], False
    for part, sub in pieces(text):
        shift = 4 if sub and not lowered else -4 if lowered and not sub else 0
        lowered = sub
        attributes = f' dy="{shift}"' if shift else ""
        if sub:
            attributes += f' font-size="{SMALL}"'
        part = escape(part)
        out.append(f"<tspan{attributes}>{part}</tspan>" if attributes else part)
    return "".join(out)


class Canvas:
    """Collect the shapes of one diagram.

    Args:
        height: int, height in pixels; the width is 736.
        language: "en" or "ko".
        words: dict from keys to texts, the table's column of the language.
    """

    def __init__(self, height, language, words):
        self.height = height
        self.language = language
        self.words = words
        self.out = []

    def say(self, key):
        return self.words[key]

    def text(self, x, y, text, size=13, role="", anchor="middle", bold=False):
        """Write lines of text, the first one centered on y."""
        names = [f"ks-t-{role}"] * bool(role) + ["ks-bold"] * bold
        names = f' class="{" ".join(names)}"' if names else ""
        for k, line in enumerate(text.split("\n")):
            base = y + size * (0.35 + LINE * k)
            self.out.append(
                f'<text x="{number(x)}" y="{number(base)}" font-size="{size}" '
                f'text-anchor="{anchor}"{names}>{runs(line)}</text>'
            )

    def box(self, x, y, w, h, text="", role="op", **options):
        """Draw a labeled box. Options: size, bold, strong, radius,
        opacity, dash."""
        size, bold = options.get("size", 13), options.get("bold", False)
        lines = text.split("\n") if text else []
        for line in lines:
            need = text_width(line, size, bold)
            if need > w - 4:
                raise ValueError(f"{line!r} needs {need:.0f} of {w:.0f}")
        names = f"ks-{role}" + " ks-dash" * options.get("dash", False)
        extra = ' stroke-width="2.6"' * options.get("strong", False)
        if "opacity" in options:
            extra += f' fill-opacity="{options["opacity"]:.2f}"'
        self.out.append("<g>")
        self.out.append(
            f'<rect x="{number(x)}" y="{number(y)}" width="{number(w)}" '
            f'height="{number(h)}" rx="{options.get("radius", 6)}" '
            f'class="{names}"{extra}/>'
        )
        first = y + h / 2 - size * LINE * (len(lines) - 1) / 2
        if lines:
            self.text(x + w / 2, first, text, size, bold=bold)
        self.out.append("</g>")
        return Box(x, y, w, h)

    def shade(self, x, y, w, h, level):
        """Draw a rectangle between the color of paper (0) and of ink (1)."""
        self.out.append(
            f'<rect x="{number(x)}" y="{number(y)}" width="{number(w)}" '
            f'height="{number(h)}" fill-opacity="{level:.2f}" '
            'shape-rendering="crispEdges" class="ks-ink-fill"/>'
        )

    def panel(self, x, y, w, h, title=""):
        """Draw a background for a group of shapes, with a bold title."""
        self.out.append(
            f'<rect x="{number(x)}" y="{number(y)}" width="{number(w)}" '
            f'height="{number(h)}" rx="10" class="ks-panel"/>'
        )
        if title:
            self.text(x + w / 2, y + 18, title, 14, bold=True)
        return Box(x, y, w, h)

    def disc(self, x, y, text, role="op", r=13, size=15):
        """Draw an operation, such as +, in a circle."""
        self.out.append(
            f'<circle cx="{number(x)}" cy="{number(y)}" r="{number(r)}" '
            f'class="ks-{role}"/>'
        )
        self.text(x, y, text, size)
        return Box(x - r, y - r, 2 * r, 2 * r)

    def step(self, x, y, number):
        """Draw the number of a step in a small circle."""
        return self.disc(x, y, str(number), r=9, size=12)

    def arrow(self, *points, role="soft", width=1.6, head=True, dash=False):
        """Draw a line through points, with a head at its end."""
        name = "ks-soft" if role == "soft" else f"ks-line-{role}"
        (x0, y0), (x1, y1) = points[-2:]
        length = math.hypot(x1 - x0, y1 - y0)
        dx, dy = (x1 - x0) / length, (y1 - y0) / length
        size = 5 + 2 * width
        end = (x1 - dx * size * 0.8, y1 - dy * size * 0.8) if head else (x1, y1)
        path = " L".join(
            f"{number(x)} {number(y)}" for x, y in [*points[:-1], end]
        )
        dashed = " ks-dash" * dash
        self.out.append(
            f'<path d="M{path}" class="{name}{dashed}" stroke-width="{width}"/>'
        )
        if head:
            self.head(x1, y1, dx, dy, size, role)

    def head(self, x, y, dx, dy, size, role):
        half = size * 0.42
        corners = [(0, 0), (-size, half), (-size, -half)]
        points = " ".join(
            f"{number(x + a * dx - b * dy)},{number(y + a * dy + b * dx)}"
            for a, b in corners
        )
        self.out.append(f'<polygon points="{points}" class="ks-head-{role}"/>')

    def svg(self, name):
        """Return the whole file."""
        title, caption = self.say(f"{name}.title"), self.say(f"{name}.caption")
        ids = f"ks-{name}-{self.language}"
        size = f"{WIDTH} {self.height}"
        opening = (
            '<svg xmlns="http://www.w3.org/2000/svg" class="ks-diagram" '
            f'viewBox="0 0 {size}" width="{WIDTH}" height="{self.height}" '
            f'lang="{self.language}" xml:lang="{self.language}" role="img" '
            f'aria-labelledby="{ids}-title {ids}-desc">'
        )
        paper = f'<rect width="{WIDTH}" height="{self.height}" rx="8"'
        lines = [
            opening,
            f'<title id="{ids}-title">{escape(title)}</title>',
            f'<desc id="{ids}-desc">{escape(caption)}</desc>',
            f"<style>\n{style_sheet()}\n</style>",
            f'{paper} class="ks-paper"/>',
            *self.out,
            "</svg>",
        ]
        return "\n".join(lines) + "\n"
