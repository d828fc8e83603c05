"""Diagrams of generation: the key-value cache, and beam search."""


def kv_cache(c):
    """Draw four steps of generation without and with a key-value cache."""
    tokens = [c.say(f"word.{word}") for word in c.say("qkv.order").split(" ")]
    for k, cached in enumerate((False, True)):
        x = 8 + 364 * k
        name = "with" if cached else "without"
        c.panel(x, 8, 356, 350, c.say(f"kv_cache.{name}"))
        for t, token in enumerate(tokens):
            y = 44 + 64 * t
            c.box(x + 12, y + 12, 72, 28, token, "token")
            q = c.box(x + 94, y + 12, 40, 28, f"q_{t + 1}", "query", size=14)
            c.arrow(q.right, (x + 158, q.cy), role="query")
            for s in range(t + 1):
                old = cached and s < t
                cache_slot(c, x + 162 + 46 * s, y, s + 1, old)
        c.text(x + 178, 320, c.say(f"kv_cache.{name}.sum"), 14, bold=True)
        c.text(x + 178, 342, c.say(f"kv_cache.{name}.why"), 12, "soft")


def cache_slot(c, x, y, number, old):
    """Draw the key and the value of a token, pale if they are cached."""
    options = {"size": 14, "radius": 3, "strong": not old, "dash": old}
    if old:
        options["opacity"] = 0.3
    c.box(x, y, 40, 25, f"k_{number}", "key", **options)
    c.box(x, y + 28, 40, 25, f"v_{number}", "value", **options)


# P(next token | tokens before), with keys of words.tsv
NEXT = {
    (): {"a": 0.5, "b": 0.4, "c": 0.1},
    ("a",): {"a1": 0.4, "a2": 0.35, "a3": 0.25},
    ("b",): {"b1": 0.9, "b2": 0.06, "b3": 0.04},
}
BEAMS = 2


def search():
    """Search: return each step's extensions with their probabilities.

    Returns:
        list of (candidates, kept); both dicts from tokens to a probability.
    """
    beams, steps = {(): 1.0}, []
    for _ in range(2):
        found = {
            (*tokens, token): probability * new
            for tokens, probability in beams.items()
            for token, new in NEXT[tokens].items()
        }
        best = sorted(found, key=found.get, reverse=True)[:BEAMS]
        beams = {tokens: found[tokens] for tokens in best}
        steps.append((found, beams))
    return steps


PLACES = {"a": 106, "b": 244, "c": 316}
PLACES |= {f"a{k}": 18 + 44 * k for k in (1, 2, 3)}
PLACES |= {f"b{k}": 156 + 44 * k for k in (1, 2, 3)}


def beam_search(c):
    """Draw the tree of a beam search with two beams."""
    start = c.box(16, 175, 64, 34, "<sos>", "token")
    boxes = {(): start}
    for step, (found, kept) in enumerate(search()):
        x = (156, 396)[step]
        c.text(x + 60, 22, c.say(f"beam_search.step{step + 1}"), 13, bold=True)
        best = max(found, key=found.get)
        for tokens, probability in found.items():
            box = hypothesis(c, x, tokens, probability, kept)
            boxes[tokens] = box
            role = "token" if tokens in kept else "soft"
            width = 2.4 if tokens in kept else 1.2
            path = boxes[tokens[:-1]].right, box.left
            c.arrow(*path, role=role, width=width, dash=tokens not in kept)
            if step and tokens in kept:
                key = "best" if tokens == best else "greedy"
                text = c.say(f"beam_search.{key}")
                c.text(652, box.cy, text, 13, "", "start", key == "best")
    c.text(368, 356, c.say("beam_search.note"), 12, "soft")


def hypothesis(c, x, tokens, probability, kept):
    """Draw one extension and its probability."""
    y, alive = PLACES[tokens[-1]] - 16, tokens in kept
    text = c.say(f"beam_search.{tokens[-1]}")
    if len(tokens) == 1:
        text += f": {probability:g}"
    box = c.box(
        *(x, y, 120, 32, text, "token"),
        strong=alive,
        dash=not alive,
        bold=alive,
    )
    if len(tokens) == 2:
        last = NEXT[tokens[:-1]][tokens[-1]]
        text = f"{probability / last:g} × {last:g} = {probability:g}"
        c.text(x + 130, box.cy, text, 12, "" if alive else "soft", "start")
    return box


DIAGRAMS = {"kv_cache": (kv_cache, 366), "beam_search": (beam_search, 374)}
