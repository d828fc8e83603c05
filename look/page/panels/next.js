// Next token: temperature, top-k, top-p and beam search on a GPT.

import { h, number, percent, slider, table, textField } from "../dom.js";
import { bars } from "../draw.js";
import { explain, pythonText } from "../explain.js";
import { topK } from "../models.js";
import { EXAMPLES, LONGEST, gptName, notes, readIds, tokensOf } from "../reader.js";
import { beams, draw as pick, shape } from "../sampling.js";
import { t } from "../words.js";

const DEPTH = 4, SHOWN = 12;

export const defaults = (lang) => ({ text: EXAMPLES[lang][0], temperature: "1",
  topk: "0", topp: "1", width: "2" });

export async function show(context) {
  const { state, body, set, message } = context;
  const controls = h("div", { class: "controls" });
  const result = h("div", { class: "two" });
  body.append(controls, result);
  const lead = document.querySelector("#main > .lead");
  const field = textField(t("text"), state.text,
    (text) => { set({ text }); update(); });
  let reading, tokens, tree, version = 0;

  const write = (text) => {
    field.input.value = text;
    set({ text });
    return update();
  };
  controls.append(field.field,
    h("div", { class: "choices" }, h("span", { class: "label" }, t("examples")),
      [...EXAMPLES.en, ...EXAMPLES.ko].map((text) => h("button", { type: "button",
        onclick: () => write(text) }, text))),
    slider(t("next.temperature"), 0.1, 2, 0.1, state.temperature,
      (x) => { set({ temperature: String(x) }); draw(); }),
    slider(t("next.topk"), 0, 50, 1, state.topk,
      (x) => { set({ topk: String(x) }); draw(); }),
    slider(t("next.topp"), 0.05, 1, 0.05, state.topp,
      (x) => { set({ topp: String(x) }); draw(); }),
    slider(t("next.width"), 1, 4, 1, state.width,
      (x) => { set({ width: String(x) }); search(); }));

  async function update() {
    const { text } = state;
    const found = await tokensOf(text);
    if (text !== state.text) return;
    lead.textContent = t("next.lead", found.words.names.length);
    if (!found.ids.length) {
      result.replaceChildren();
      return message(t("empty"));
    }
    await context.need([gptName("trained")]);
    const next = await readIds(found.ids, "trained");
    if (!context.current() || text !== state.text) return;
    message(notes(found.words, text, found.all));
    [reading, tokens, tree] = [next, found, null];
    draw();
    await search();
  }

  async function search() {
    const mine = ++version;
    if (!reading) return;
    const levels = await beams(tokens.ids, "trained", +state.width, DEPTH);
    if (mine !== version || !context.current()) return;
    tree = levels;
    draw();
  }

  const name = (id) => tokens.words.name(id).replace(/^##/, "·");

  function draw() {
    if (!reading) return;
    const { V, T } = reading;
    const logits = reading.logits.slice((T - 1) * V, T * V);
    const before = shape(logits, { temperature: 1, topK: 0, topP: 1 });
    const after = shape(logits, { temperature: +state.temperature,
      topK: +state.topk, topP: +state.topp });
    const first = topK(before, SHOWN);
    const focus = document.activeElement?.dataset.key;
    result.replaceChildren(
      h("div", { class: "grow" }, h("h3", {}, t("next.distribution")),
        bars(first.map((id) => ({ label: name(id), p: after[id],
          before: before[id] })), t("next.distribution"), percent),
        kept(before, after), appending(first[0], after),
        tree?.length ? treeOf() : null),
      h("div", { class: "side" }, explanation(logits, after, first[0])));
    if (focus) result.querySelector(`[data-key="${focus}"]`)?.focus();
  }

  function kept(before, after) {
    let count = 0, mass = 0;
    after.forEach((p, id) => { if (p > 0) { count += 1; mass += before[id]; } });
    return h("p", {}, t("next.kept", count, percent(mass)));
  }

  function appending(best, after) {
    const add = (id) => {
      const piece = tokens.words.name(id);
      const glued = piece.startsWith("##");
      return write(state.text + (glued ? piece.slice(2) : ` ${piece}`));
    };
    return h("div", { class: "choices" },
      h("button", { type: "button", "data-key": "best", onclick: () => add(best) },
        t("next.append", name(best))),
      h("button", { type: "button", "data-key": "draw",
        onclick: () => add(pick(after)) }, t("next.draw")));
  }

  function treeOf() {
    const best = new Set();
    let index = 0;
    for (let n = tree.length - 1; n >= 0; n--) {
      best.add(`${n}:${index}`);
      index = tree[n][index].parent;
    }
    const rows = Math.max(...tree.map((level) => level.length)), dy = 34;
    const height = rows * dy + 10, middle = (level) => (rows - level.length) * dy / 2;
    const pen = document.createElement("canvas").getContext("2d");
    pen.font = `700 15px ${getComputedStyle(document.body).fontFamily}`;
    const labels = tree.map((level) =>
      level.map((path) => `${name(path.id)} ${percent(path.p)}`));
    const widths = labels.map((column) => column.map((label) =>
      pen.measureText(label).width));
    // An edge runs beside its label to the end of the column, then to the next.
    const starts = [], ends = [20];
    widths.forEach((column) => {
      starts.push(ends.at(-1) + 44);
      ends.push(starts.at(-1) + Math.max(...column) + 6);
    });
    const y = (n, k) => n < 0 ? height / 2 : 20 + middle(tree[n]) + k * dy;
    const width = ends.at(-1) + 10, nodes = [], edges = [];
    tree.forEach((level, n) => level.forEach((path, k) => {
      const from = y(n - 1, path.parent), strong = best.has(`${n}:${k}`);
      const side = n ? starts[n - 1] + widths[n - 1][path.parent] + 6 : 20;
      edges.push(h("polyline", { points: `${side},${from} ${ends[n]},${from} `
        + `${starts[n] - 5},${y(n, k)}`,
      class: strong ? "best" : path.kept ? "kept" : "cut" }));
      nodes.push(h("text", { x: starts[n], y: y(n, k) + 4,
        class: strong ? "strong" : null }, labels[n][k]));
    }));
    const drawnLast = ["cut", "kept", "best"];
    edges.sort((a, b) => drawnLast.indexOf(a.getAttribute("class"))
      - drawnLast.indexOf(b.getAttribute("class")));
    const title = t("next.tree", tree.length);
    return h("figure", {}, h("figcaption", {}, title),
      h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": title },
        h("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img",
          "aria-label": title, class: "tree" }, edges,
        h("circle", { cx: 14, cy: height / 2, r: 6 }), nodes)),
      table(t("asTable"), [t("next.path"), t("next.score")], () =>
        tree.at(-1).map((path) => [tokens.words.text(path.ids), path.score])));
  }

  function explanation(logits, after, id) {
    const temperature = +state.temperature;
    const allowed = Array.from(after.keys()).filter((n) => after[n] > 0);
    const most = Math.max(...allowed.map((n) => logits[n]));
    const power = (n) => Math.exp((logits[n] - most) / temperature);
    const sum = allowed.reduce((total, n) => total + power(n), 0);
    const sampler = `temperature=${temperature}`
      + (+state.topk ? `, top_k=${state.topk}` : "")
      + (+state.topp < 1 ? `, top_p=${state.topp}` : "");
    return explain(t("next.explain", name(id)), [
      ["p = exp(z / T) / Σ exp(z′ / T)",
        after[id] > 0 ? `exp((${number(logits[id], 2)} − ${number(most, 2)}) / `
          + `${temperature}) / ${number(sum, 2)} = ${number(after[id])}` : "0"]],
    t("next.words"), "08_gpt", tokens.all + DEPTH > LONGEST ? null
      : "from keras_seq import demo, generation\n\n"
      + pythonText(state.text)
      + `model, tokenizers = demo.load("gpt")\n`
      + `ids = tokenizers["text"].tokenize([text])\n`
      + "logits = model(ids)[0, -1]\n"
      + `sampler = generation.Sampling(\n    ${sampler})\n`
      + "generation.generate(\n    model, ids, sampler, max_length=1)\n"
      + "beam = generation.BeamSearch(\n"
      + `    ${state.width}, length_penalty=0.0)\n`
      + `generation.generate(\n    model, ids, beam, max_length=${DEPTH})`);
  }

  await update();
}
