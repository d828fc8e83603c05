"""Diagrams of BERT: its input, its two tasks, and fine-tuning."""


def bert_input(c):
    """Draw the sum of token, position and segment embeddings."""
    tokens = c.say("bert_input.tokens").split(" ")
    rows = ("tokens", "token", "position")
    for row, name in enumerate(rows):
        y = 22 + 62 * row
        c.text(12, y + 7, c.say(f"bert_input.{name}.row"), 12, "", "start")
        for k, token in enumerate(tokens):
            x = 116 + 77 * k
            text, role = {
                "tokens": (token, "token"),
                "token": (f"E[{token.strip('[]')}]", "token"),
                "position": (f"P[{k}]", "position"),
            }[name]
            c.box(x, y, 70, 30, text, role, size=12, bold=name == "tokens")
            if row == 0:
                c.arrow((x + 35, y + 31), (x + 35, y + 61))
            else:
                c.text(x + 35, y + 46, "+", 16)
    segments(c, len(tokens), tokens.index("[SEP]") + 1)
    for k in range(len(tokens)):
        c.arrow((151 + 77 * k, 240), (151 + 77 * k, 262), role="hidden")
    c.box(116, 264, 609, 32, c.say("bert_input.norm"))
    c.arrow((420, 297), (420, 318), role="hidden", width=2)
    c.box(116, 320, 609, 36, c.say("bert_input.blocks"), "model", bold=True)


def segments(c, length, second):
    """Draw the segment embeddings of the first and the second text."""
    c.text(12, 215, c.say("bert_input.segment.row"), 12, "", "start")
    spans = ((0, second, "first"), (second, length, "second"))
    for k, (start, end, name) in enumerate(spans):
        text = f"G[{k}]: " + c.say(f"bert_tasks.{name}")
        c.box(116 + 77 * start, 208, 77 * (end - start) - 7, 30, text)


def columns(c, tokens, left, width, y, wide):
    """Draw tokens in a row; return their boxes."""
    pitch = width / len(tokens)
    return [
        c.box(left + pitch * k, y, wide, 30, token, "token", size=12)
        for k, token in enumerate(tokens)
    ]


def bert_tasks(c):
    """Draw masked language modeling and next sentence prediction."""
    tokens = c.say("bert_tasks.tokens").split(" ")
    pitch = 716 / len(tokens)
    boxes = columns(c, tokens, 14, 716, 304, pitch - 10)
    c.box(14, 232, 706, 40, c.say("bert_tasks.bert"), "model", bold=True)
    for box in boxes:
        c.arrow(box.top, (box.cx, 273))
    masked = tokens.index("[MASK]")
    split = tokens.index("[SEP]") + 1
    c.text(14 + pitch * split / 2, 352, c.say("bert_tasks.first"), 12, "soft")
    middle = 14 + pitch * (split + len(tokens)) / 2
    c.text(middle, 352, c.say("bert_tasks.second"), 12, "soft")
    cls, mask = boxes[0], boxes[masked]
    c.panel(8, 8, 330, 150, c.say("bert_tasks.nsp"))
    c.panel(348, 8, 380, 150, c.say("bert_tasks.mlm"))
    for k, (key, share) in enumerate(NEXT_SENTENCE):
        chance(c, 22, 46 + 34 * k, c.say(f"bert_tasks.{key}"), share, 116, 110)
    for k, (key, share) in enumerate(MASKED):
        chance(c, 362, 42 + 28 * k, c.say(f"bert_tasks.{key}"), share, 90, 180)
    c.text(173, 134, "pooled W + b", 13)
    c.text(538, 134, "norm(gelu(x_p W + b)) E^T + c".replace("^T", "ᵀ"), 13)
    c.arrow((cls.cx, 232), (cls.cx, 160), role="hidden", width=2)
    turn = (mask.cx, 232), (mask.cx, 196), (400, 196), (400, 160)
    c.arrow(*turn, role="hidden", width=2)
    c.text(cls.cx + 10, 190, c.say("bert_tasks.cls"), 12, "hidden", "start")
    c.text(412, 182, c.say("bert_tasks.mask"), 12, "hidden", "start")


NEXT_SENTENCE = (("follows", 0.92), ("random", 0.08))
MASKED = (("guess1", 0.81), ("guess2", 0.12), ("guess3", 0.03))


def chance(c, x, y, label, share, indent, length):
    """Draw a labeled bar of a probability."""
    c.text(x, y + 10, label, 12, anchor="start")
    c.box(x + indent, y, max(length * share, 2), 20, "", "weights", radius=3)
    end = x + indent + length * share
    c.text(end + 8, y + 10, f"{share:.2f}", 12, anchor="start")


def fine_tuning(c):
    """Draw the three heads that are put on a pretrained BERT."""
    for k, task in enumerate(("text", "token", "question")):
        x = 8 + 243 * k
        c.panel(x, 8, 234, 314, c.say(f"fine_tuning.{task}"))
        tokens = c.say(f"fine_tuning.{task}.tokens").split(" ")
        boxes = columns(c, tokens, x + 8, 222, 256, 222 / len(tokens) - 4)
        c.box(x + 8, 192, 218, 36, c.say("fine_tuning.bert"), "model")
        head = c.box(x + 8, 126, 218, 34, HEADS[task], strong=True)
        c.text(x + 117, 304, c.say(f"fine_tuning.{task}.note"), 12, "soft")
        for box in boxes:
            c.arrow(box.top, (box.cx, 229))
        found = c.say(f"fine_tuning.{task}.output").split(" ")
        read = boxes[:1] if task == "text" else boxes
        for box, label in zip(read, found):
            c.arrow((box.cx, 192), (box.cx, 161), role="hidden")
            if label != "-":
                c.arrow((box.cx, head.y), (box.cx, 92))
                wide = 86 if task == "text" else box.w
                left = box.x if task == "text" else box.cx - wide / 2
                c.box(left, 60, wide, 30, label, "token", size=12, bold=True)
    c.text(368, 340, c.say("fine_tuning.legend"), 12, "soft")


HEADS = {
    "text": "pooled W + b",
    "token": "x_t W + b",
    "question": "start_t, end_t = x_t W + b",
}
DIAGRAMS = {
    "bert_input": (bert_input, 366),
    "bert_tasks": (bert_tasks, 368),
    "fine_tuning": (fine_tuning, 356),
}
