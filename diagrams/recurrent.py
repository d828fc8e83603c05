"""Diagrams of recurrent networks: unrolled, LSTM, GRU, five settings."""


def rnn(c):
    """Draw a recurrent network as a loop, and unrolled over four steps."""
    c.panel(8, 8, 200, 248, c.say("rnn.folded"))
    c.panel(248, 8, 480, 248, c.say("rnn.unrolled"))
    given = c.box(72, 204, 56, 32, "x_t", "token", size=15)
    state = c.box(66, 124, 68, 40, "h_t", "hidden", size=15)
    found = c.box(72, 48, 56, 32, "y_t", "token", size=15, bold=True)
    c.arrow(given.top, state.bottom)
    c.arrow(state.top, found.bottom)
    loop = (134, 134), (172, 134), (172, 154), (135, 154)
    c.arrow(*loop, role="hidden", width=2)
    c.text(184, 144, "U", 14, "hidden", bold=True)
    c.text(112, 184, "W", 14, bold=True)
    c.arrow((214, 144), (242, 144), width=2)
    unrolled(c)
    c.text(368, 280, "h_t = tanh(x_t W + h_{t-1} U + b)", 15)
    c.text(368, 304, c.say("rnn.same"), 12, "soft")


def unrolled(c):
    before = c.box(260, 124, 46, 40, "h_0", "hidden", size=15)
    for k, (letter, following) in enumerate(["he", "el", "ll", "lo"]):
        x = 346 + 96 * k
        given = c.box(x, 204, 54, 32, letter, "token", size=15)
        state = c.box(x, 124, 54, 40, f"h_{k + 1}", "hidden", size=15)
        found = c.box(x, 48, 54, 32, following, "token", size=15, bold=True)
        c.arrow(given.top, state.bottom)
        c.arrow(state.top, found.bottom)
        c.arrow(before.right, state.left, role="hidden", width=2)
        middle = (before.right[0] + state.x) / 2
        c.text(middle, 132, "U", 14, "hidden", bold=True)
        c.text(x + 40, 184, "W", 14, bold=True)
        before = state


def lstm(c):
    """Draw the cell of an LSTM in four steps, each adding to the last."""
    for k in range(4):
        x, y = 8 + 364 * (k % 2), 8 + 314 * (k // 2)
        title = f"{k + 1}. {c.say(f'lstm.{k + 1}')}"
        c.panel(x, y, 356, 306, title)
        y += 26
        states(c, x, y, k)
        forget(c, x, y, k == 0)
        if k >= 1:
            write(c, x, y, k == 1)
        if k >= 2:
            update(c, x, y, k == 2)
        if k == 3:
            read(c, x, y)
        last = c.say(f"lstm.{k + 1}.note") if k in (0, 2) else LSTM[k][1]
        c.text(x + 14, y + 238, LSTM[k][0], 13, anchor="start")
        c.text(x + 14, y + 260, last, 13, anchor="start")


LSTM = (
    ["f_t = sigmoid(x_t W_f + h_{t-1} U_f + b_f)"],
    [
        "i_t = sigmoid(x_t W_i + h_{t-1} U_i + b_i)",
        "g_t = tanh(x_t W_g + h_{t-1} U_g + b_g)",
    ],
    ["c_t = f_t × c_{t-1} + i_t × g_t"],
    ["o_t = sigmoid(x_t W_o + h_{t-1} U_o + b_o)", "h_t = o_t × tanh(c_t)"],
)


def states(c, x, y, k):
    """Draw the states before the step, the input, and the lines of both."""
    c.box(x + 12, y + 20, 50, 34, "c_{t-1}", "cell", size=15)
    c.box(x + 12, y + 166, 50, 32, "h_{t-1}", "hidden", size=15)
    c.box(x + 76, y + 192, 40, 28, "x_t", "token", size=15)
    last = x + (96, 200, 200, 252)[k]
    c.arrow((x + 62, y + 176), (last, y + 176), head=False, role="hidden")
    c.arrow((x + 96, y + 192), (x + 96, y + 176), head=False)


def gate(c, x, y, label, new, role="gate"):
    """Draw a gate centered on x, fed by the line of the inputs."""
    box = c.box(x - 21, y + 114, 42, 30, label, role, size=15, strong=new)
    c.arrow((x, y + 176), box.bottom)
    return box


def forget(c, x, y, new):
    c.arrow((x + 62, y + 37), (x + 83, y + 37), role="cell", width=2.4)
    c.disc(x + 96, y + 37, "×")
    c.arrow(gate(c, x + 96, y, "f_t", new).top, (x + 96, y + 50), role="gate")
    if new:
        c.arrow((x + 109, y + 37), (x + 168, y + 37), role="cell", width=2.4)
        c.text(x + 176, y + 37, c.say("lstm.kept"), 12, "cell", "start")


def write(c, x, y, new):
    i = gate(c, x + 148, y, "i_t", new)
    g = gate(c, x + 200, y, "g_t", new, "cell")
    c.disc(x + 174, y + 84, "×")
    c.arrow(i.top, (i.cx, y + 84), (x + 161, y + 84), role="gate")
    c.arrow(g.top, (g.cx, y + 84), (x + 187, y + 84), role="cell")
    if new:
        c.arrow((x + 109, y + 37), (x + 142, y + 37), role="cell", width=2.4)
        c.arrow((x + 174, y + 71), (x + 174, y + 50), role="cell", width=2.4)
        c.text(x + 190, y + 52, c.say("lstm.written"), 12, "cell", "start")


def update(c, x, y, new):
    c.arrow((x + 109, y + 37), (x + 161, y + 37), role="cell", width=2.4)
    c.disc(x + 174, y + 37, "+")
    c.arrow((x + 174, y + 71), (x + 174, y + 50), role="cell", width=2.4)
    box = c.box(x + 292, y + 20, 50, 34, "c_t", "cell", size=15, strong=new)
    c.arrow((x + 187, y + 37), box.left, role="cell", width=2.4)


def read(c, x, y):
    o = gate(c, x + 252, y, "o_t", True)
    tanh = c.box(x + 292, y + 72, 50, 24, "tanh")
    c.disc(x + 317, y + 129, "×")
    h = c.box(x + 292, y + 166, 50, 32, "h_t", "hidden", size=15, strong=True)
    c.arrow((x + 317, y + 54), tanh.top, role="cell")
    c.arrow(tanh.bottom, (x + 317, y + 116), role="cell")
    c.arrow(o.right, (x + 304, y + 129), role="gate")
    c.arrow((x + 317, y + 142), h.top, role="hidden")


def gru(c):
    """Draw the cell of a GRU: what is kept and what is written sum to one."""
    c.panel(8, 8, 720, 300)
    before = c.box(24, 40, 60, 36, "h_{t-1}", "hidden", size=15)
    after = c.box(640, 40, 60, 36, "h_t", "hidden", size=15, strong=True)
    c.disc(250, 58, "×")
    c.disc(480, 58, "+")
    c.arrow(before.right, (237, 58), role="hidden", width=2.4)
    c.arrow((263, 58), (467, 58), role="hidden", width=2.4)
    c.arrow((493, 58), after.left, role="hidden", width=2.4)
    c.text(365, 44, c.say("gru.kept"), 12, "hidden")
    z = c.box(222, 124, 56, 34, "z_t", "gate", size=15)
    c.arrow(z.top, (250, 71), role="gate")
    rest = c.box(330, 124, 64, 34, "1 − z_t", "gate", size=15)
    c.arrow(z.right, rest.left, role="gate")
    c.disc(480, 141, "×")
    c.arrow(rest.right, (467, 141), role="gate")
    c.arrow((480, 128), (480, 71), role="hidden", width=2.4)
    c.text(492, 100, c.say("gru.written"), 12, "hidden", "start")
    n = c.box(452, 196, 56, 34, "n_t", "hidden", size=15)
    c.arrow(n.top, (480, 154), role="hidden", width=2.4)
    product = c.box(140, 196, 150, 34, "h_{t-1} U_h + b'_h", "hidden", size=15)
    c.arrow(before.bottom, (54, 213), product.left, role="hidden")
    c.disc(362, 213, "×")
    c.arrow(product.right, (349, 213), role="hidden")
    c.arrow((375, 213), n.left, role="hidden")
    r = c.box(334, 256, 56, 34, "r_t", "gate", size=15)
    c.arrow(r.top, (362, 226), role="gate")
    given = c.box(560, 196, 110, 34, "x_t W_h + b_h", "token", size=14)
    c.arrow(given.left, n.right)
    gru_labels(c)


def gru_labels(c):
    """Name the gates and write the equations of the GRU."""
    c.text(160, 141, "x_t, h_{t-1}", 14, anchor="end")
    c.arrow((166, 141), (220, 141))
    c.text(250, 172, c.say("gru.update"), 12, "gate")
    c.text(272, 273, "x_t, h_{t-1}", 14, anchor="end")
    c.arrow((278, 273), (332, 273))
    c.text(398, 273, c.say("gru.reset"), 12, "gate", "start")
    c.text(516, 180, c.say("candidate"), 12, "hidden", "start")
    equations = (
        "z_t = sigmoid(x_t W_z + h_{t-1} U_z + b_z)",
        "r_t = sigmoid(x_t W_r + h_{t-1} U_r + b_r)",
        "n_t = tanh(x_t W_h + b_h + r_t × (h_{t-1} U_h + b'_h))",
        "h_t = z_t × h_{t-1} + (1 − z_t) × n_t",
    )
    for k, equation in enumerate(equations):
        x, y = 24 + 322 * (k // 2), 332 + 24 * (k % 2)
        c.text(x, y, equation, 13, anchor="start")


# setting: steps with an input, steps with an output
SETTINGS = {
    "one_one": ((0,), (0,)),
    "one_many": ((0,), (0, 1, 2)),
    "many_one": ((0, 1, 2), (2,)),
    "many_many": ((0, 1), (2, 3)),
    "synchronous": ((0, 1, 2), (0, 1, 2)),
}


def five_settings(c):
    """Draw the five ways to connect inputs and outputs."""
    for k, (name, (inputs, outputs)) in enumerate(SETTINGS.items()):
        left = 6 + 145.4 * k
        c.panel(left, 8, 140, 268)
        for line, text in enumerate(c.say(f"settings.{name}").split("\n")):
            c.text(left + 70, 28 + 17 * line, text, 13, bold=True)
        steps = 1 + max(inputs + outputs)
        x = left + 70 - 17.5 * steps + 6
        before = None
        for t in range(steps):
            state = c.box(x + 35 * t, 122, 23, 30, "h", "hidden")
            if t in inputs:
                given = c.box(x + 35 * t, 178, 23, 26, "x", "token")
                c.arrow(given.top, state.bottom)
            if t in outputs:
                found = c.box(x + 35 * t, 68, 23, 26, "y", "token", bold=True)
                c.arrow(state.top, found.bottom)
            if before:
                c.arrow(before.right, state.left, role="hidden", width=1.2)
            before = state
        for line, text in enumerate(c.say(f"settings.{name}.use").split("\n")):
            c.text(left + 70, 228 + 17 * line, text, 12, "soft")


DIAGRAMS = {
    "rnn": (rnn, 324),
    "lstm": (lstm, 636),
    "gru": (gru, 374),
    "five_settings": (five_settings, 284),
}
