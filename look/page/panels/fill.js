// Fill the blank: a BERT predicts the tokens that a reader hides.

import { buildAgain, choices, h, number, percent, table, textField } from "../dom.js";
import { bars, color, colorBar, css, inkOn } from "../draw.js";
import { explain, pythonText } from "../explain.js";
import { ints, run, softmax, tokenizer, topK } from "../models.js";
import { LONGEST, notes } from "../reader.js";
import { FIRST, MASK } from "../tokenizers.js";
import { t } from "../words.js";

const EXAMPLES = {
  en: ["The film was [MASK] in 1995.",
    "In the United [MASK], the album was released.", "How [MASK] you today?"],
  ko: ["이 영화는 정말 [MASK] 있다.", "배우들의 [MASK] 좋았다.",
    "내가 [MASK] 영화 중 최고"],
};

// An empty layer or head is chosen from the weights, see `choose`.
export const defaults = (lang) => ({ text: EXAMPLES[lang][0], hidden: "",
  blank: "0", layer: "", head: "", weights: "trained" });

const modelName = (weights) => weights === "untrained" ? "bert_untrained" : "bert";

export async function show(context) {
  const { state, body, set, message } = context;
  const controls = h("div", { class: "controls" });
  const result = h("div", { class: "result" });
  body.append(controls, result);
  const words = await tokenizer("bert.text");
  let tokens, masked, reading;
  const field = textField(t("text"), state.text,
    (text) => { set({ text, hidden: "", blank: "0" }); update(); });

  function buttons() {
    const change = (changes) => {
      set(changes);
      buildAgain(controls, buttons);
      return update();
    };
    controls.replaceChildren(field.field,
      h("div", { class: "choices" }, h("span", { class: "label" }, t("examples")),
        [...EXAMPLES.en, ...EXAMPLES.ko].map((text) => h("button", {
          type: "button", onclick: () => {
            field.input.value = text;
            change({ text, hidden: "", blank: "0", layer: "", head: "" });
          } }, text.length > 24 ? `${text.slice(0, 23)}…` : text))),
      choices(t("weights"), [["trained", t("trained")],
        ["untrained", t("untrained")]], state.weights,
      (weights) => change({ weights })));
  }

  async function update() {
    const { text, hidden, weights } = state;
    const all = words.tokenizeMasked(text, { start: true, end: true });
    if (all.ids.length < 3) {
      result.replaceChildren();
      return message(t("empty"));
    }
    const ids = all.ids.length > LONGEST
      ? [...all.ids.slice(0, LONGEST - 1), all.ids.at(-1)] : all.ids;
    const given = hidden ? hidden.split(",").map(Number) : [];
    const read = ids.map((id, n) => given.includes(n) ? MASK : id);
    await context.need([modelName(weights)]);
    const found = await run(modelName(weights), { ids: ints(read) });
    if (!context.current() || text !== state.text || hidden !== state.hidden
      || weights !== state.weights) return;
    [tokens, masked, reading] = [ids, read, found];
    const said = notes(words, text.replaceAll("[MASK]", " "), all.ids.length);
    message([said, read.includes(MASK) ? "" : t("fill.none")].join(" ").trim());
    draw();
  }

  const name = (id) => words.name(id).replace(/^##/, "·");

  function toggle(n) {
    const given = new Set(state.hidden ? state.hidden.split(",").map(Number) : []);
    if (!given.delete(n)) given.add(n);
    const sorted = [...given].sort((a, b) => a - b);
    const blanks = masked.map((id, k) => [id, k])
      .filter(([id, k]) => (id === MASK && k !== n) || given.has(k));
    const at = blanks.findIndex(([, k]) => k === n);
    set({ hidden: sorted.join(","), blank: String(Math.max(at, 0)) });
    update().then(() => result.querySelector(`[data-key="token${n}"]`)?.focus());
  }

  function again(changes) {
    set(changes);
    buildAgain(result, draw);
  }

  /** Choose the head in which a blank has its largest weight on a word. */
  function choose(blank, layers, H) {
    let best = [0, 0], most = -1;
    for (const layer of layers) {
      for (let head = 0; head < H; head++) {
        for (let n = 1; n < masked.length - 1; n++) {
          const a = n === blank ? 0 : attention(blank, n, layer, head);
          if (a > most) [most, best] = [a, [layer, head]];
        }
      }
    }
    set({ layer: String(best[0]), head: String(best[1]) });
  }

  function draw() {
    const blanks = masked.flatMap((id, n) => id === MASK ? [n] : []);
    const blank = blanks[Math.min(+state.blank, blanks.length - 1)];
    const layers = [0, 1, 2, 3].filter((n) => reading[`attention_${n}`]);
    const H = reading.attention_0.dims[1];
    if (blank !== undefined && (state.layer === "" || state.head === "")) {
      choose(blank, layers, H);
    }
    result.replaceChildren(h("div", { class: "row" },
      blanks.length > 1 ? choices(t("fill.which"), blanks.map((_, n) =>
        [String(n), String(n + 1)]), String(blanks.indexOf(blank)),
      (value) => again({ blank: value })) : null,
      choices(t("alignment.head"), layers.flatMap((l) =>
        Array.from({ length: H }, (_, n) => [`${l},${n}`, `${l + 1}.${n + 1}`])),
      `${state.layer},${state.head}`, (value) => {
        const [layer, head] = value.split(",");
        again({ layer, head });
      })),
    sentence(blank),
    blank === undefined ? "" : h("div", { class: "two" },
      candidates(blank), h("div", { class: "side" },
        explanation(blank, blanks.indexOf(blank)))));
  }

  function attention(blank, n, layer = state.layer, head = state.head) {
    if (blank === undefined) return 0;
    const { data, dims } = reading[`attention_${layer}`];
    return data[(+head * dims[2] + blank) * dims[3] + n];
  }

  function sentence(blank) {
    return h("figure", {}, h("figcaption", {}, t("fill.tokens"),
      colorBar("root", 1)),
    h("p", { class: "letters words", role: "group", "aria-label": t("fill.tokens") },
      masked.map((id, n) => {
        const c = color(attention(blank, n), "root");
        const hidden = id === MASK && tokens[n] !== MASK;
        return h("button", { type: "button", "data-key": `token${n}`,
          disabled: tokens[n] < FIRST && tokens[n] !== 1,
          style: `background:${css(c)};color:${inkOn(c)}`,
          title: hidden ? t("fill.true", name(tokens[n])) : null,
          "aria-pressed": String(id === MASK), onclick: () => toggle(n),
        }, id === MASK ? "[MASK]" : name(id));
      })));
  }

  function distribution(blank) {
    const { data, dims } = reading.logits, V = dims[2];
    return softmax(data, blank * V, (blank + 1) * V);
  }

  function candidates(blank) {
    const p = distribution(blank), first = topK(p, 10), hidden = tokens[blank];
    const rank = hidden === MASK ? 0
      : 1 + p.reduce((count, x) => count + (x > p[hidden] ? 1 : 0), 0);
    return h("div", { class: "grow" }, h("h3", {}, t("fill.candidates")),
      bars(first.map((id) => ({ label: name(id), p: p[id],
        chosen: id === hidden })), t("fill.candidates"), percent),
      rank ? h("p", { class: "figure" }, t("fill.rank", name(hidden), rank,
        percent(p[hidden]))) : null,
      table(t("asTable"), [t("input"), ...masked.map(name)], () =>
        [[t("alignment.weight"), ...masked.map((_, n) => attention(blank, n))]]));
  }

  function explanation(blank, index) {
    const { data, dims } = reading.logits, V = dims[2];
    const p = distribution(blank), [best] = topK(p, 1);
    const z = data[blank * V + best];
    return explain(t("fill.explain", index + 1), [
      ["p = exp(z) / Σ exp(z′)", `${name(best)}: z = ${number(z, 2)}, `
        + `p = ${number(p[best])}`]], t("fill.words"), "10_bert",
    python(index));
  }

  function python(index) {
    if (state.weights !== "trained") return null;
    const load = "from keras_seq import demo\n\n";
    if (!state.hidden) {
      return `${load}${pythonText(state.text)}`
        + `demo.fill_blank(text, top=10)[${index}]`;
    }
    return `import numpy as np\n\n${load}model, tokenizers = demo.load("bert")\n`
      + `mask_id = tokenizers["text"].mask_id\n`
      + `ids = np.array([[${masked.join(", ")}]])\n`
      + "tokens, p = model.fill_mask(\n    ids, mask_id, top=10)\n"
      + `tokens[${index}], p[${index}]`;
  }

  buttons();
  await update();
}
