"""Diagram of an embedding: a token id selects a row of a table."""

from diagrams.parts import vector

TOKENS = ("[PAD]", "the", "cat", "sat")
TABLE = ((0, 0), (1, 0), (0, 2), (3, 1))
CHOSEN = TOKENS.index("cat")


def embedding(c):
    """Draw the lookup of a row, and the same row as a product."""
    middle = 58 + 36 * CHOSEN + 14
    c.text(51, 36, c.say("token"), 13, bold=True)
    c.text(166, 36, "id", 13, bold=True)
    c.text(404, 36, c.say("embedding.table"), 13, bold=True)
    c.text(640, 36, c.say("embedding.vector"), 13, bold=True)
    token = c.box(16, middle - 14, 70, 28, TOKENS[CHOSEN], "token", bold=True)
    number = c.box(148, middle - 14, 36, 28, str(CHOSEN), "token", bold=True)
    c.arrow(token.right, number.left)
    c.text(117, middle - 16, c.say("embedding.tokenizer"), 11, "soft")
    c.arrow(number.right, (282, middle), role="hidden", width=2)
    c.text(234, middle - 16, c.say("embedding.look_up"), 12, "hidden")
    for k, (name, row) in enumerate(zip(TOKENS, TABLE)):
        role = "hidden" if k == CHOSEN else "op"
        y = 58 + 36 * k
        c.text(344, y + 14, name, 12, anchor="end", bold=k == CHOSEN)
        c.text(358, y + 14, str(k), 12, bold=k == CHOSEN)
        end = vector(c, 372, y, row, role, 40)
    c.arrow((end + 4, middle), (596, middle), role="hidden", width=2)
    vector(c, 600, middle - 14, TABLE[CHOSEN], "hidden", 40)
    product(c, 236)


def product(c, y):
    """Draw the one-hot vector times the table."""
    one_hot = [int(k == CHOSEN) for k in range(len(TOKENS))]
    c.arrow((166, 160), (166, y - 3))
    end = vector(c, 110, y, one_hot, "token")
    c.text(166, y + 44, c.say("embedding.one_hot"), 12, "soft")
    c.text((end + 372) / 2, y + 14, "×", 15)
    c.box(372, y, 80, 28, "E", "op", size=15)
    c.text(526, y + 14, "=", 15)
    vector(c, 600, y, TABLE[CHOSEN], "hidden", 40)
    c.text(640, y + 44, c.say("embedding.same"), 12, "soft")


DIAGRAMS = {"embedding": (embedding, 300)}
