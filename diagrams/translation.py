"""Diagrams of sequence-to-sequence models: without and with attention."""

# A score for each source token, as an example; the weights are their softmax.
WEIGHTS = (0.1, 0.7, 0.2)


def encoder_decoder(c):
    """Draw the encoder, the context vector and the decoder."""
    c.panel(8, 8, 306, 258, c.say("encoder"))
    c.panel(400, 8, 328, 258, c.say("decoder"))
    x_boxes = c.say("source.tokens").split(" ")
    before = None
    for k, token in enumerate(x_boxes):
        x = 22 + 98 * k
        box = c.box(x, 192, 82, 30, token, "token")
        state = c.box(x + 16, 114, 50, 34, f"m_{k + 1}", "hidden", size=15)
        c.arrow(box.top, state.bottom)
        if before:
            c.arrow(before.right, state.left, role="hidden")
        before = state
    context = c.box(328, 98, 60, 66, c.say("context.lines"), "context", size=12)
    c.arrow(before.right, context.left, role="hidden")
    decode(c, context)
    c.text(161, 246, c.say("encoder_decoder.reads"), 12, "soft")
    c.text(564, 246, c.say("encoder_decoder.writes"), 12, "soft")
    legend_y = 290
    c.arrow((22, legend_y), (62, legend_y), role="hidden")
    c.text(70, legend_y, c.say("encoder_decoder.state"), 12, anchor="start")
    c.arrow((388, legend_y), (428, legend_y), role="token", dash=True)
    c.text(436, legend_y, c.say("encoder_decoder.feed"), 12, anchor="start")
    c.text(388, 312, c.say("encoder_decoder.forcing"), 12, anchor="start")


def decode(c, before):
    """Draw four steps of a decoder, from its start token to its end token."""
    targets = c.say("target.tokens").split(" ")
    for k, target in enumerate(targets):
        x = 412 + 79 * k
        state = c.box(x + 8, 114, 46, 34, f"h_{k + 1}", "hidden", size=15)
        given = c.box(x, 192, 62, 30, ["<sos>", *targets][k], "token")
        found = c.box(x, 46, 62, 30, target, "token", bold=True)
        c.arrow(given.top, state.bottom)
        c.arrow(state.top, found.bottom)
        c.arrow(before.right, state.left, role="hidden")
        if k + 1 < len(targets):
            y = found.bottom[1]
            path = [(x + 56, y), (x + 70.5, y + 24), (x + 70.5, 176)]
            c.arrow(*path, (x + 86, 191), role="token", dash=True)
        before = state


def attention_rows(c, x, top):
    """Draw the memory and the attention weights; return the weights' frame."""
    c.text(x + 16, top + 9, c.say("memory"), 12, "soft", "start")
    c.text(x + 16, top + 79, c.say("weights"), 12, "soft", "start")
    frame = c.box(x + 148, top + 56, 168, 46, dash=True)
    for k, weight in enumerate(WEIGHTS):
        left = x + 158 + 52 * k
        memory = c.box(left, top, 44, 30, f"m_{k + 1}", "hidden", size=15)
        box = c.box(
            *(left, top + 64, 44, 30, f"{weight:.1f}", "weights"),
            opacity=0.15 + 0.85 * weight,
        )
        c.arrow(memory.bottom, box.top)
    return frame


def bahdanau(c, x):
    """Draw one step of Bahdanau's decoder: attend, then step."""
    c.panel(x, 8, 356, 448, c.say("bahdanau"))
    frame = attention_rows(c, x, 44)
    before = c.box(x + 16, 246, 60, 34, "h_{t-1}", "query", size=15)
    cell = c.box(x + 198, 246, 68, 34, c.say("cell"), "model")
    after = c.box(x + 286, 246, 56, 34, "h_t", "hidden", size=15)
    context = c.box(x + 204, 176, 56, 34, "c_t", "context", size=15)
    turn = (before.cx, 166), (x + 170, 166), (x + 170, 146)
    c.arrow(before.top, *turn, role="query", width=2)
    c.step(x + 64, 186, 1)
    c.text(x + 80, 186, c.say("query"), 12, "query", "start")
    c.arrow(frame.bottom, context.top, role="weights")
    c.step(x + 250, 161, 2)
    c.arrow(context.bottom, cell.top, role="context")
    c.arrow(before.right, cell.left, role="hidden")
    c.arrow(cell.right, after.left, role="hidden")
    given = c.box(x + 204, 314, 56, 34, "y_{t-1}", "token", size=15)
    c.arrow(given.top, cell.bottom)
    c.step(x + 184, 236, 3)
    found = c.box(x + 286, 314, 56, 34, "y_t", "token", size=15, bold=True)
    c.arrow(after.bottom, found.top)
    c.arrow(given.right, found.left)
    turn = (x + 274, 193), (x + 274, 322), (x + 286, 322)
    c.arrow(context.right, *turn, role="context")
    c.step(x + 330, 297, 4)
    equations(c, x + 16, 372, "bahdanau")


def luong(c, x):
    """Draw one step of Luong's decoder: step, then attend."""
    c.panel(x, 8, 356, 448, c.say("luong"))
    attention_rows(c, x, 44)
    before = c.box(x + 16, 246, 60, 34, "h_{t-1}", "hidden", size=15)
    cell = c.box(x + 96, 246, 48, 34, c.say("cell"), "model")
    after = c.box(x + 164, 246, 56, 34, "h_t", "query", size=15)
    context = c.box(x + 214, 176, 50, 34, "c_t", "context", size=15)
    state = c.box(x + 284, 176, 46, 34, "s_t", "hidden", size=15)
    c.arrow(before.right, cell.left, role="hidden")
    c.arrow(cell.right, after.left, role="hidden")
    c.arrow(after.top, (after.cx, 146), role="query", width=2)
    c.text(after.cx - 10, 186, c.say("query"), 12, "query", "end")
    c.step(x + 120, 232, 1)
    c.arrow((context.cx, 146), context.top, role="weights")
    c.step(x + 262, 161, 2)
    c.arrow(context.right, state.left, role="context")
    turn = (state.cx, after.cy), state.bottom
    c.arrow(after.right, *turn, role="hidden")
    c.step(x + 324, 226, 3)
    found = c.box(x + 284, 314, 46, 34, "y_t", "token", size=15, bold=True)
    turn = (x + 346, 193), (x + 346, 331), found.right
    c.arrow(state.right, *turn)
    c.step(x + 332, 297, 4)
    given = c.box(x + 50, 314, 60, 34, "y_{t-1}", "token", size=15)
    fed = c.box(x + 128, 314, 60, 34, "s_{t-1}", "hidden", size=15)
    c.arrow(given.top, (x + 110, 281))
    c.arrow(fed.top, (x + 130, 281), role="hidden")
    c.text(x + 196, 323, c.say("input_feeding"), 12, "soft", "start")
    equations(c, x + 16, 372, "luong")


EQUATIONS = {
    "bahdanau": [
        "e_{ts} = v · tanh(h_{t-1} W + m_s U)",
        "a_t = softmax(e_t),  c_t = ∑_s a_{ts} m_s",
        "h_t = cell([E[y_{t-1}] ; c_t], h_{t-1})",
        "logits_t = maxout(h_t, c_t, E[y_{t-1}]) W_o + b_o",
    ],
    "luong": [
        "h_t = cell([E[y_{t-1}] ; s_{t-1}], h_{t-1})",
        "a_t = softmax(score(h_t, m_s)),  c_t = ∑_s a_{ts} m_s",
        "s_t = tanh([c_t ; h_t] W_c)",
        "logits_t = s_t W_o + b_o",
    ],
}


def equations(c, x, y, name):
    """Write the numbered equations of a step."""
    for k, equation in enumerate(EQUATIONS[name]):
        c.step(x + 9, y + 22 * k, k + 1)
        c.text(x + 28, y + 22 * k, equation, 13, anchor="start")


def bahdanau_luong(c):
    bahdanau(c, 8)
    luong(c, 372)


DIAGRAMS = {
    "encoder_decoder": (encoder_decoder, 330),
    "bahdanau_luong": (bahdanau_luong, 464),
}
