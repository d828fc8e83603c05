// Alignment: four translators of dates, and what each letter attends to.

import { buildAgain, choices, h, number, percent, slider, table, textField, visible }
  from "../dom.js";
import { bars, colorBar, heatMap } from "../draw.js";
import { filesOf, KINDS, translate } from "../decode.js";
import { explain, pythonText } from "../explain.js";
import { topK } from "../models.js";
import { t } from "../words.js";

const LIMIT = 64;
const EXAMPLES = ["Sunday, August 2, 1981", "서기 1986년 2월 1일 토요일",
  "5. März 1950", "24 grudnia 2001", "mercredi 14 juillet 1999"];
const LESSONS = { seq2seq: "04_seq2seq", bahdanau: "05_attention",
  luong: "05_attention", transformer: "07_transformer" };

export const defaults = (lang) => ({ text: EXAMPLES[lang === "ko" ? 1 : 0],
  model: "bahdanau", step: "5", head: "mean", weights: "trained" });

export async function show(context) {
  const { state, body, set, message } = context;
  const controls = h("div", { class: "controls" });
  const result = h("div", { class: "result" });
  body.append(controls, result);
  let readings = {};
  const field = textField(t("alignment.text"), state.text,
    (text) => { set({ text }); update(); });

  function buttons() {
    const change = (changes) => {
      set(changes);
      buildAgain(controls, buttons);
      return update();
    };
    controls.replaceChildren(field.field,
      h("div", { class: "choices" }, h("span", { class: "label" }, t("examples")),
        EXAMPLES.map((text) => h("button", { type: "button", class: "example",
          onclick: () => { field.input.value = text; change({ text }); } }, text))),
      choices(t("weights"), [["trained", t("trained")],
        ["untrained", t("untrained")]], state.weights,
      (weights) => change({ weights })));
  }

  async function update() {
    if (!state.text.trim()) {
      result.replaceChildren();
      return message(t("empty"));
    }
    const typed = [...state.text.normalize("NFC")];
    const text = typed.slice(0, LIMIT).join("");
    const { weights } = state;
    const stale = () => !context.current() || weights !== state.weights
      || text !== [...state.text.normalize("NFC")].slice(0, LIMIT).join("");
    await context.need(KINDS.flatMap((kind) => filesOf(kind, weights)));
    const found = {};
    for (const kind of KINDS) {
      found[kind] = await translate(kind, weights, text);
      if (stale()) return;
    }
    readings = found;
    message(notes(found, typed.length));
    draw();
  }

  function notes(found, typed) {
    const { source, pieces } = found.seq2seq;
    const strange = [...new Set(pieces.filter((_, n) => source[n] === 1))];
    const open = KINDS.filter((kind) => !found[kind].finished);
    return [typed > LIMIT ? t("tooLong", LIMIT, typed) : "",
      strange.length ? t("unknown", strange.slice(0, 8).join(" ")) : "",
      open.length ? t("alignment.unfinished",
        open.map((kind) => t(`alignment.${kind}`)).join(", ")) : ""]
      .filter(Boolean).join(" ");
  }

  function again(changes) {
    const active = document.activeElement;
    const key = result.contains(active) ? active.dataset.key ?? active.textContent
      : null;
    set(changes);
    draw();
    if (key) [...result.querySelectorAll("button, input")].find((x) =>
      (x.dataset.key ?? x.textContent) === key)?.focus();
  }

  function draw() {
    const reading = readings[state.model];
    const step = Math.min(Math.max(+state.step, 0), reading.steps.length - 1);
    result.replaceChildren(answers(), h("div", { class: "two" },
      h("div", { class: "grow" }, letters(reading, step),
        pictures(reading, step)),
      h("div", { class: "side" }, stepSlider(reading, step),
        explanation(reading, step), predicted(reading, step))));
  }

  function answers() {
    return h("div", { class: "answers", role: "group",
      "aria-label": t("alignment.answers") },
    h("p", { class: "label" }, t("alignment.answers")), KINDS.map((kind) => {
      const { text, score } = readings[kind];
      return h("button", { type: "button", "data-key": kind, "data-kind": kind,
        "aria-pressed": String(kind === state.model),
        onclick: () => again({ model: kind, head: "mean" }) },
      h("small", {}, t(`alignment.${kind}`)),
      h("strong", { class: "answer" }, text || "∅"),
      h("small", {}, percent(Math.exp(score))));
    }));
  }

  function stepSlider(reading, step) {
    const box = slider(t("pickStep"), 1, reading.steps.length, 1, step + 1,
      (value) => again({ step: String(value - 1) }));
    box.querySelector("input").dataset.key = "step";
    return box;
  }

  function letters(reading, step) {
    return h("p", { class: "letters", role: "group",
      "aria-label": t("alignment.answer") },
    reading.names.map((name, n) => h("button", { type: "button",
      "data-key": `letter${n}`, "aria-pressed": String(n === step),
      onclick: () => again({ step: String(n) }) }, visible(name))));
  }

  const weightsOf = (step) => state.head === "mean" || !step.heads
    ? step.attention : step.heads[+state.head];

  function pictures(reading, step) {
    if (!reading.steps[0].attention) {
      return h("p", { class: "figure" },
        t("alignment.noAttention", reading.steps[0].context.length));
    }
    const S = reading.pieces.length, cell = Math.max(15, Math.min(30, 640 / S));
    return h("div", {},
      reading.steps[0].heads ? choices(t("alignment.head"),
        [["mean", t("alignment.mean")], ...reading.steps[0].heads.map((_, n) =>
          [String(n), String(n + 1)])], state.head,
        (head) => again({ head })) : null,
      h("div", { class: "scroll", tabindex: "0", role: "region",
        "aria-label": t("alignment.matrix") },
      h("figure", {}, h("figcaption", {}, t("alignment.lines",
        visible(reading.names[step]), step + 1)),
      lines(reading, step, cell)),
      h("figure", {}, h("figcaption", {}, t("alignment.matrix"),
        colorBar("weight", 1)), matrix(reading, step, cell))),
      table(t("asTable"), ["", ...reading.pieces.map(visible)],
        () => reading.steps.map((one, n) =>
          [visible(reading.names[n]), ...weightsOf(one)])));
  }

  function lines(reading, step, cell) {
    const { pieces, names } = reading, left = 40, S = pieces.length;
    const width = left + S * cell, x = (n) => left + (n + 0.5) * cell;
    const gap = Math.min(cell * 1.6, (S * cell) / names.length);
    const y = (n) => left + (n + 0.5) * gap;
    const weights = weightsOf(reading.steps[step]);
    return h("svg", { width, height: 130, viewBox: `0 0 ${width} 130`,
      role: "img", "aria-label": t("alignment.lines", names[step], step + 1) },
    pieces.map((_, n) => weights[n] < 0.01 ? null : h("line", {
      x1: x(n), y1: 24, x2: y(step), y2: 100, class: "attends",
      "stroke-width": 1 + 7 * weights[n], "stroke-opacity": 0.25 + 0.75 * weights[n] })),
    pieces.map((piece, n) => h("text", { x: x(n), y: 18, "text-anchor": "middle",
      class: weights[n] > 0.1 ? "strong" : null },
    piece === "[END]" ? "∎" : visible(piece))),
    names.map((name, n) => h("text", { x: y(n), y: 118, "text-anchor": "middle",
      class: n === step ? "strong" : null },
    name === "[END]" ? "∎" : visible(name))));
  }

  function matrix(reading, step, cell) {
    const { pieces, names, steps } = reading, height = 18;
    return h("div", { class: "matrix" },
      h("div", { class: "columns", style: `margin-left:40px`, "aria-hidden": "true" },
        pieces.map((piece) => h("span", { style: `width:${cell}px` },
          piece === "[END]" ? "∎" : visible(piece)))),
      h("div", { class: "with-rows" },
        h("div", { class: "rows", "aria-hidden": "true" }, names.map((name) =>
          h("span", { style: `height:${height}px` },
            name === "[END]" ? "∎" : visible(name)))),
        heatMap({ rows: names.length, columns: pieces.length, cell, height,
          kind: "weight", value: (r, c) => weightsOf(steps[r])[c], row: step,
          gap: 1, label: t("alignment.matrix"),
          onpoint: (r) => again({ step: String(r) }) })));
  }

  function pythonOf(kind, step) {
    return (kind === "transformer" ? "import numpy as np\n\n" : "")
      + "from keras_seq import demo\n"
      + "from keras_seq.generation import generate\n\n"
      + pythonText(state.text)
      + `name = "dates_${kind}"\n`
      + "model, tokenizers = demo.load(name)\n"
      + "read = tokenizers[\"source\"]\n"
      + "source = read.tokenize([text], end=True)\n"
      + "found = generate(\n    model, source, max_length=11)\n"
      + (kind === "seq2seq" ? "model.encode(source)  # the context vector"
        : kind === "transformer" ? `start = tokenizers["target"].start_id\n`
          + "target = [[start, *found.ids[0, :-1]]]\n"
          + "target = np.array(target, \"int32\")\n"
          + "_, weights = model(\n"
          + `    {"source": source, "target": target},\n`
          + "    return_attention_scores=True)\n"
          + `weights["cross"][0][0, :, ${step}]  # heads`
          : `found.attention[0, ${step}]`);
  }

  function explanation(reading, step) {
    const { kind, pieces, names, steps } = reading, now = steps[step];
    const title = t("alignment.explain", step + 1, visible(names[step]));
    const python = state.weights === "trained" ? pythonOf(kind, step) : null;
    if (kind === "seq2seq") {
      return explain(title, [["c = h_S", `(${[...now.context.slice(0, 4)]
        .map((x) => number(x)).join(", ")}, …)`]],
      t("alignment.noAttention", now.context.length), LESSONS[kind], python);
    }
    if (kind === "transformer") {
      return explain(title, now.heads.map((head, n) => {
        const best = topK(head, 1)[0];
        return [`${t("alignment.head")} ${n + 1}: softmax(q · k / √16)`,
          `${visible(pieces[best])} ${number(head[best])}`];
      }), t("alignment.heads"), LESSONS[kind], python);
    }
    const box = explain(title, [[kind === "bahdanau"
      ? "e = v · tanh(h₋₁ W + m U)" : "e = h · (m W)",
    ""], ["a = softmax(e)", ""], ["c = Σ a m", `(${[...now.context.slice(0, 4)]
      .map((x) => number(x)).join(", ")}, …)`]], t("alignment.weighted"),
    LESSONS[kind], python);
    box.querySelector("dd").append(scoreTable(now, pieces));
    return box;
  }

  function scoreTable(now, pieces) {
    const most = Math.max(...now.scores), shown = topK(now.attention, 5);
    const rest = pieces.length - shown.length;
    const weight = shown.reduce((sum, s) => sum + now.attention[s], 0);
    return h("table", {}, h("thead", {}, h("tr", {},
      ["letter", "score", "power", "weight"].map((key) =>
        h("th", { scope: "col" }, t(`alignment.${key}`))))),
    h("tbody", {}, shown.map((s) => h("tr", {},
      h("th", { scope: "row" }, visible(pieces[s])),
      [now.scores[s], Math.exp(now.scores[s] - most), now.attention[s]]
        .map((x) => h("td", {}, number(x))))),
    rest > 0 ? h("tr", {}, h("th", { scope: "row" }, t("alignment.rest", rest)),
      h("td", {}, ""), h("td", {}, ""), h("td", {}, number(1 - weight))) : null));
  }

  function predicted(reading, step) {
    const { p, id } = reading.steps[step];
    return h("div", {}, h("h4", {}, t("alignment.next")),
      bars(topK(p, 4).map((n) => ({ label: visible(reading.write.name(n)),
        p: p[n], chosen: n === id })), t("alignment.next"), percent));
  }

  buttons();
  await update();
}

