// Gates: a character model reads a text, with every gate and state.

import { buildAgain, choices, h, number, percent, select, slider, table, textField,
  visible } from "../dom.js";
import { bars, color, colorBar, css, heatMap, inkOn, line } from "../draw.js";
import { explain, pythonText } from "../explain.js";
import { ints, manifest, run, softmax, tokenizer, topK } from "../models.js";
import { largestChange, losses, rowsOf, stateName } from "../units.js";
import { t } from "../words.js";

const LIMIT = 300;
const CELLS = [["lstm", "LSTM"], ["gru", "GRU"], ["rnn", "RNN"]];
const EXAMPLES = {
  en: [
    '"How are you today?" "I am fine, thank you." The gate was open.',
    "The LSTM keeps a second state, the cell state.",
  ],
  ko: [
    '"오늘 기분이 어때요?" "아주 좋아요!" 그리고 문을 열었습니다.',
    "망각 게이트는 이전 셀 상태를 얼마나 남길지 정합니다.",
  ],
};

export const defaults = (lang) => ({ text: EXAMPLES[lang][0], cell: "",
  unit: "", step: "", weights: "trained", rows: "change" });

const modelName = (cell, weights) =>
  `characters_${cell}${weights === "untrained" ? "_untrained" : ""}`;

/** Run one model: {T, ids, pieces, logits, trace: {name: data}, units}. */
export async function read(cell, weights, text) {
  const words = await tokenizer(`characters_${cell}.text`);
  const { ids, pieces } = words.tokenize(text);
  const found = await run(modelName(cell, weights), { ids: ints(ids) });
  const trace = {};
  for (const [name, tensor] of Object.entries(found)) {
    if (name.startsWith("layer_0.")) trace[name.slice(8)] = tensor.data;
  }
  const units = found["layer_0.hidden_state"].dims[2];
  return { T: ids.length, ids, pieces, units, trace, words,
    logits: found.logits.data, V: found.logits.dims[2] };
}

export async function show(context) {
  const { state, body, set, message } = context;
  const known = (await manifest).units;
  // The network that has a unit for quotations, for the first look.
  state.cell ||= (CELLS.find(([cell]) => known[cell]?.[0]?.meaning === "quote")
    ?? CELLS[0])[0];
  const controls = h("div", { class: "controls" });
  const result = h("div", { class: "result" });
  const field = textField(t("text"), state.text,
    (text) => { set({ text, step: "" }); update(); }, { rows: 2 });
  body.append(controls, result);

  function buttons() {
    const change = (changes) => {
      set(changes);
      buildAgain(controls, buttons);
      return update();
    };
    controls.replaceChildren(field.field,
      h("div", { class: "choices" }, h("span", { class: "label" }, t("examples")),
        [...EXAMPLES.en, ...EXAMPLES.ko].map((text) => h("button", {
          type: "button", class: "example",
          onclick: () => { field.input.value = text; change({ text, step: "" }); },
        }, text.length > 26 ? `${text.slice(0, 25)}…` : text))),
      choices(t("gates.cell"), [...CELLS, ["all", t("gates.all")]], state.cell,
        (cell) => change({ cell, unit: "" })),
      choices(t("weights"), [["trained", t("trained")],
        ["untrained", t("untrained")]], state.weights,
      (weights) => change({ weights })));
  }

  async function update() {
    if (!state.text) {
      result.replaceChildren();
      return message(t("empty"));
    }
    const letters = [...state.text.normalize("NFC")];
    const text = letters.slice(0, LIMIT).join("");
    const cells = state.cell === "all" ? CELLS.map(([cell]) => cell) : [state.cell];
    await context.need(cells.map((cell) => modelName(cell, state.weights)));
    const readings = [];
    for (const cell of cells) readings.push(await read(cell, state.weights, text));
    if (!context.current() || text !== [...state.text.normalize("NFC")]
      .slice(0, LIMIT).join("")) return;
    message(notes(readings[0], letters.length));
    draw(readings, cells);
  }

  function notes({ ids, pieces }, typed) {
    const strange = [...new Set(pieces.filter((_, n) => ids[n] === 1))];
    return [typed > LIMIT ? t("tooLong", LIMIT, typed) : "",
      strange.length ? t("unknown", strange.slice(0, 8).join(" ")) : ""]
      .filter(Boolean).join(" ");
  }

  function draw(readings, cells) {
    result.replaceChildren(...readings.map((reading, n) =>
      view(reading, cells[n], readings.length > 1)));
  }

  function view(reading, cell, several) {
    const meaning = known[cell] ?? [];
    const unit = state.unit === "" ? meaning[0]?.unit ?? 0 : +state.unit;
    const { T } = reading;
    const step = Math.min(state.step === "" ? largestChange(reading, unit)
      : +state.step, T - 1);
    const again = (changes) => { set(changes); redraw(); };
    const redraw = () => {
      const next = view(reading, cell, several);
      const active = box.contains(document.activeElement)
        ? document.activeElement.id || document.activeElement.textContent : null;
      box.replaceWith(next);
      [...next.querySelectorAll("button, select, input")].find((x) =>
        (x.id || x.textContent) === active)?.focus();
    };
    const box = h("section", { class: "reading", "data-cell": cell,
      "aria-label": cell.toUpperCase() });
    const name = stateName(reading.trace);
    box.append(
      h("h3", {}, `${cell.toUpperCase()} · ${t("gates.loss",
        number(losses(reading), 2))}`),
      chosen(meaning, unit, again, reading.units),
      colored(reading, name, unit, step, again),
      several ? maps(reading, [name], unit, step, again, 3)
        : details(reading, cell, name, unit, step, again));
    return box;
  }

  function chosen(meaning, unit, again, units) {
    const said = meaning.find((entry) => entry.unit === unit);
    return h("div", { class: "row" },
      meaning.length ? choices(t("gates.known"), meaning.map((entry) =>
        [String(entry.unit), t(`gates.meaning.${entry.meaning}`)]), String(unit),
      (value) => again({ unit: value })) : null,
      select(t("gates.unit"), Array.from({ length: units }, (_, u) =>
        [String(u), t("gates.unitNumber", u)]), unit,
      (value) => again({ unit: value })),
      said && state.weights === "trained" ? h("p", { class: "figure" },
        t("gates.figure", unit, t(`gates.meaning.${said.meaning}`),
          number(said.correlation, 2))) : null);
  }

  /** The text itself: each letter a button on the color of the unit. */
  function colored({ pieces, trace, units, T }, name, unit, step, again) {
    const values = pieces.map((_, n) => trace[name][n * units + unit]);
    const limit = Math.max(0.2, ...values.map(Math.abs));
    return h("figure", {},
      h("figcaption", {}, t("gates.colored", unit)),
      h("p", { class: "letters", role: "group",
        "aria-label": t("gates.colored", unit), onkeydown: (event) => {
          const move = { ArrowRight: 1, ArrowLeft: -1, Home: -T, End: T }[event.key];
          if (!move) return;
          event.preventDefault();
          again({ step: String(Math.min(Math.max(step + move, 0), T - 1)) });
          result.querySelector(".letters [tabindex='0']")?.focus();
        } },
      pieces.map((letter, n) => {
        const c = color(values[n], "state", limit);
        return h("button", { type: "button", tabindex: n === step ? "0" : "-1",
          style: `background:${css(c)};color:${inkOn(c)}`,
          "aria-pressed": String(n === step),
          "aria-label": `${visible(letter)} ${number(values[n], 2)}`,
          onclick: () => again({ step: String(n) }) }, visible(letter));
      })),
      colorBar("state", limit));
  }

  function details(reading, cell, name, unit, step, again) {
    const names = order(reading.trace);
    const p = nextLetters(reading, step);
    return h("div", { class: "two" },
      h("div", { class: "grow" },
        select(t("gates.sort"), ["change", "first", "all"].map((key) =>
          [key, t(`gates.sort.${key}`)]), state.rows,
        (rows) => again({ rows })),
        maps(reading, names, unit, step, again, state.rows === "all" ? 3 : 6),
        table(t("asTable"), [t("step"), t("input"), ...names.map((key) =>
          t(`gates.${key}`).split(":")[0])],
        () => reading.pieces.map((letter, n) => [String(n + 1), visible(letter),
          ...names.map((key) => reading.trace[key][n * reading.units + unit])]))),
      h("div", { class: "side" },
        slider(t("pickStep"), 1, reading.T, 1, step + 1,
          (value) => again({ step: String(value - 1) })),
        explanation(reading, cell, unit, step, state),
        h("h4", {}, t("gates.next")), bars(p, t("gates.next"), percent)));
  }

  function maps(reading, names, unit, step, again, height) {
    const { T, units, trace } = reading;
    const rows = rowsOf(reading, state.rows, unit);
    const cell = Math.max(6, Math.min(14, Math.floor(700 / T)));
    return h("div", { class: "scroll", tabindex: "0", role: "region",
      "aria-label": t("gates.map", "", rows.length, T) },
    line({ values: Array.from({ length: T }, (_, n) =>
      trace[stateName(trace)][n * units + unit]), cell, selected: step,
    limit: Math.max(0.2, ...Array.from({ length: T }, (_, n) =>
      Math.abs(trace[stateName(trace)][n * units + unit]))),
    label: t("gates.line", unit) }),
    names.map((name) => {
      const kind = name.endsWith("_gate") ? "gate" : "state";
      const values = trace[name];
      const limit = kind === "gate" ? 1 : mostOf(values);
      const title = t(`gates.${name}`);
      return h("figure", {}, h("figcaption", {}, title, colorBar(kind, limit)),
        heatMap({ rows: rows.length, columns: T, cell, height, kind, limit,
          value: (r, c) => values[c * units + rows[r]], selected: step,
          row: rows.indexOf(unit), label: t("gates.map", title, rows.length, T),
          onpoint: (r, c) => again({ unit: String(rows[r]), step: String(c) }) }));
    }));
  }

  buttons();
  await update();
}

/** The end of the color scale: 95 of 100 values are within it. */
function mostOf(values) {
  const sizes = Array.from(values, Math.abs).sort((a, b) => a - b);
  return Math.max(0.1, sizes[Math.floor(0.95 * (sizes.length - 1))]);
}

/** Gates first, then the candidate and the states. */
function order(trace) {
  const every = ["forget_gate", "input_gate", "candidate", "cell_state",
    "output_gate", "reset_gate", "update_gate", "hidden_state"];
  const names = every.filter((name) => name in trace);
  if (trace.update_gate) {
    return ["reset_gate", "candidate", "update_gate", "hidden_state"];
  }
  return names;
}

function nextLetters({ logits, V, words }, step) {
  const p = softmax(logits, step * V, (step + 1) * V);
  return topK(p, 6).map((id) => ({ label: visible(words.name(id)), p: p[id] }));
}

function explanation(reading, cell, unit, step, { text, weights }) {
  const { trace, units, pieces } = reading;
  const at = (name, n = step) => n < 0 ? 0 : trace[name][n * units + unit];
  const x = (name, n) => number(at(name, n));
  const title = t("gates.explain", step + 1, visible(pieces[step]), unit);
  let lines, words;
  if (cell === "lstm") {
    const [f, i] = [at("forget_gate"), at("input_gate")];
    lines = [
      ["c = f · c₋₁ + i · g", `${x("forget_gate")} · ${x("cell_state", step - 1)}`
        + ` + ${x("input_gate")} · ${x("candidate")} = ${x("cell_state")}`],
      ["h = o · tanh c", `${x("output_gate")} · tanh ${x("cell_state")}`
        + ` = ${x("hidden_state")}`]];
    words = t(f > 0.8 && i < 0.25 ? "gates.keep" : f < 0.3 ? "gates.erase"
      : i > 0.6 ? "gates.write" : "gates.mixed");
  } else if (cell === "gru") {
    const z = at("update_gate");
    lines = [["h = z · h₋₁ + (1 − z) · g", `${number(z)} · `
      + `${x("hidden_state", step - 1)} + ${number(1 - z)} · ${x("candidate")}`
      + ` = ${x("hidden_state")}`]];
    words = t("gates.gru");
  } else {
    lines = [["h = tanh(x W + h₋₁ U + b)", `tanh ${number(Math.atanh(
      Math.min(Math.max(at("hidden_state"), -0.9999999), 0.9999999)))}`
      + ` = ${x("hidden_state")}`]];
    words = t("gates.rnn");
  }
  const python = "from keras_seq import demo\n\n" + pythonText(text)
    + `name = "characters_${cell}"\n`
    + "model, tokenizers = demo.load(name)\n"
    + `ids = tokenizers["text"].tokenize([text])\n`
    + "x = model.token_embedding(ids)\n"
    + "trace = model.recurrent_layers[0].trace(x)\n"
    + `trace["${stateName(trace)}"][0, ${step}, ${unit}]`;
  return explain(title, lines, words, cell === "rnn" ? "01_rnn" : "02_gates",
    weights === "trained" ? python : null);
}
