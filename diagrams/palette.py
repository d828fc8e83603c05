"""Colors and styles: one color for one thing, in all diagrams.

Each role has a fill and a line color, for light and for dark pages. The text on
a fill and the text in a line color on paper have a contrast of 4.5 to 1 at
least (tests/test_diagram_colors.py). A color never stands alone: each box has a
label, so nothing is lost to a reader who cannot tell two of them apart.

The style sheet is the same in every file, and its names start with `ks-`, so
that many diagrams can stand in one page. They follow the reader's system, or
the attribute `data-theme` ("light", "dark") of an element around them.
"""

# role: light fill, light line, dark fill, dark line
ROLES = {
    "token": ("#EEEDED", "#555555", "#36373B", "#C4C4C4"),
    "position": ("#FBD6A1", "#7A5200", "#552A00", "#E2B65C"),
    "hidden": ("#A7CEFB", "#005A9C", "#00337D", "#74B8F5"),
    "cell": ("#ED86B4", "#94266E", "#8A4B7F", "#F09FD0"),
    "gate": ("#CB9E83", "#9A3B00", "#602610", "#FFA366"),
    "query": ("#FFE45C", "#6F5B00", "#473200", "#F2D638"),
    "key": ("#6CD3B4", "#00684F", "#267469", "#4FD1AE"),
    "value": ("#A59BEC", "#5A3BB0", "#865592", "#B9A5FF"),
    "weights": ("#E68883", "#AD231C", "#8F4034", "#FF8F85"),
    "context": ("#A8B154", "#456800", "#626D0D", "#A9D65C"),
    "model": ("#C5D0DE", "#3F4A5A", "#35465A", "#AEBBCB"),
    "op": ("#FFFFFF", "#333333", "#1B2026", "#D6D6D6"),
}
# name: light, dark
BASIC = {
    "paper": ("#FFFFFF", "#14181D"),
    "ink": ("#1A1A1A", "#F4F4F4"),
    "soft": ("#595959", "#B4B4B4"),
    "panel": ("#F4F5F7", "#20262D"),
}
FONTS = (
    'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", '
    '"Apple SD Gothic Neo", "Malgun Gothic", "Noto Sans KR", '
    '"Noto Sans CJK KR", NanumGothic, sans-serif'
)


def variables(dark):
    """Return the custom properties of the light or of the dark palette."""
    k = int(dark)
    found = {name: pair[k] for name, pair in BASIC.items()}
    for role, colors in ROLES.items():
        found[f"{role}-fill"], found[f"{role}-line"] = colors[2 * k : 2 * k + 2]
    return found


def declared(dark):
    pairs = variables(dark).items()
    return "".join(f"--ks-{name}:{color};" for name, color in pairs)


def style_sheet():
    """Return the CSS of every diagram."""
    rules = [
        f".ks-diagram{{{declared(False)}"
        f"font-family:{FONTS};max-width:100%;height:auto}}",
        "@media (prefers-color-scheme:dark)"
        f"{{.ks-diagram{{{declared(True)}}}}}",
        f'[data-theme="light"] .ks-diagram{{{declared(False)}}}',
        f'[data-theme="dark"] .ks-diagram{{{declared(True)}}}',
        ".ks-diagram text{fill:var(--ks-ink);stroke:none}",
        ".ks-paper{fill:var(--ks-paper)}",
        ".ks-panel{fill:var(--ks-panel)}",
        ".ks-bold{font-weight:700}",
        ".ks-dash{stroke-dasharray:5 4}",
        ".ks-soft{fill:none;stroke:var(--ks-soft)}",
        ".ks-diagram text.ks-t-soft{fill:var(--ks-soft)}",
        ".ks-head-soft{fill:var(--ks-soft)}",
        ".ks-ink-fill{fill:var(--ks-ink)}",
    ]
    for role in ROLES:
        fill, line = f"var(--ks-{role}-fill)", f"var(--ks-{role}-line)"
        rules += [
            f".ks-{role}{{fill:{fill};stroke:{line}}}",
            f".ks-line-{role}{{fill:none;stroke:{line}}}",
            f".ks-head-{role}{{fill:{line}}}",
            f".ks-diagram text.ks-t-{role}{{fill:{line}}}",
        ]
    return "\n".join(rules)
