// Heads: all attention weights of a GPT, and the numbers of one token.

import { choices, h, number, table, textField } from "../dom.js";
import { color, colorBar, css, heatMap, inkOn } from "../draw.js";
import { explain, pythonText } from "../explain.js";
import { LONGEST, gptName, meanLoss, notes, readIds, score, tokensOf, weight }
  from "../reader.js";
import { topK } from "../models.js";
import { t } from "../words.js";

const EXAMPLES = {
  en: ["The film was released in 1995 and the film was a success.",
    "The function returns the number of words, and the number is not the same."],
  ko: ["이 영화는 정말 재미있었다. 배우들의 연기도 이 영화를 살렸다.",
    "모델은 다음 글자를 예측하고, 그 글자를 다시 입력으로 받습니다."],
};
const LAST = "last";

// An empty token, layer or head is chosen from the weights, see `choose`.
export const defaults = (lang) => ({ text: EXAMPLES[lang][0], token: "",
  layer: "", head: "", causal: "on", positions: "on", weights: "trained" });

/** The head and the token whose largest weight is on a token further back. */
export function choose(reading) {
  const { T, layers, H } = reading;
  let best = { sum: -1 };
  for (let layer = 0; layer < layers.length; layer++) {
    for (let head = 0; head < H; head++) {
      let sum = 0, most = 0, token = T - 1;
      for (let q = 2; q < T; q++) {
        let far = 0;
        for (let k = 1; k < q - 1; k++) {
          far = Math.max(far, weight(reading, layer, head, q, k));
        }
        sum += far;
        if (far > most && q >= T / 2) [most, token] = [far, q];
      }
      if (sum > best.sum) best = { sum, layer, head, token };
    }
  }
  return best;
}

export async function show(context) {
  const { state, body, set, message } = context;
  const controls = h("div", { class: "controls" });
  const result = h("div", { class: "result" });
  body.append(controls, result);
  let reading, ids, pieces, all;
  const field = textField(t("text"), state.text,
    (text) => { set({ text, token: LAST }); update(); }, { rows: 2 });

  function buttons() {
    const change = (changes) => {
      const focus = document.activeElement?.dataset.key;
      set(changes);
      buttons();
      controls.querySelector(`[data-key="${focus}"]`)?.focus();
      return update();
    };
    const keyed = (group, name) => {
      group.querySelectorAll("button").forEach((button, n) => {
        button.dataset.key = `${name}${n}`;
      });
      return group;
    };
    const onOff = [["on", t("heads.on")], ["off", t("heads.off")]];
    const texts = [...EXAMPLES.en, ...EXAMPLES.ko];
    controls.replaceChildren(field.field,
      h("div", { class: "choices" }, h("span", { class: "label" }, t("examples")),
        texts.map((text, n) => h("button", { type: "button", "data-key": `x${n}`,
          onclick: () => {
            field.input.value = text;
            change({ text, token: "", layer: "", head: "" });
          },
        }, text.length > 22 ? `${text.slice(0, 21)}…` : text))),
      keyed(choices(t("heads.causal"), onOff, state.causal,
        (causal) => change({ causal })), "causal"),
      keyed(choices(t("heads.positions"), onOff, state.positions,
        (positions) => change({ positions })), "positions"),
      keyed(choices(t("weights"), [["trained", t("trained")],
        ["untrained", t("untrained")]], state.weights,
      (weights) => change({ weights })), "weights"));
  }

  async function update() {
    const { text, weights, causal, positions } = state;
    const found = await tokensOf(text);
    if (!found.ids.length) {
      result.replaceChildren();
      return message(t("empty"));
    }
    await context.need([gptName(weights)]);
    const next = await readIds(found.ids, weights, causal === "on",
      positions === "on");
    if (!context.current() || text !== state.text || weights !== state.weights
      || causal !== state.causal || positions !== state.positions) return;
    reading = next;
    ({ ids, pieces, all } = found);
    message(notes(found.words, text, found.all));
    draw();
  }

  function again(changes) {
    const key = result.contains(document.activeElement)
      ? document.activeElement.dataset.key : null;
    set(changes);
    draw();
    if (key) result.querySelector(`[data-key="${key}"]`)?.focus();
  }

  function draw() {
    const { T, layers, H } = reading;
    const best = choose(reading);
    if (state.layer === "") set({ layer: String(best.layer) });
    if (state.head === "") set({ head: String(best.head) });
    if (state.token === "") set({ token: String(best.token) });
    const query = state.token === LAST ? T - 1 : Math.min(+state.token, T - 1);
    const layer = Math.min(+state.layer, layers.length - 1);
    const head = Math.min(+state.head, H - 1);
    result.replaceChildren(h("p", {},
      t("heads.loss", number(meanLoss(reading, ids), 2))),
    tokens(layer, head, query),
    h("div", { class: "two" },
      h("div", { class: "grow" }, h("h3", {}, t("heads.all")), grid(layer, head, query)),
      h("div", { class: "side" }, enlarged(layer, head, query),
        explanation(layer, head, query))));
  }

  const name = (piece) => piece.replace(/^##/, "·");

  function tokens(layer, head, query) {
    const title = t("heads.colored", name(pieces[query]), layer + 1, head + 1);
    return h("figure", {}, h("figcaption", {}, title, colorBar("root", 1)),
      h("p", { class: "letters words", role: "group", "aria-label": t("heads.token") },
        pieces.map((piece, n) => {
          const a = weight(reading, layer, head, query, n);
          const c = color(a, "root");
          return h("button", { type: "button", "data-key": `token${n}`,
            style: `background:${css(c)};color:${inkOn(c)}`,
            "aria-pressed": String(n === query),
            "aria-label": `${name(piece)} ${number(a, 2)}`,
            onclick: () => again({ token: String(n) }) }, name(piece));
        })));
  }

  /** What a head does with this text, by its mean weights. */
  function kindOf(layer, head) {
    const { T } = reading;
    let previous = 0, self = 0, first = 0, most = 0;
    for (let q = 1; q < T; q++) {
      previous += weight(reading, layer, head, q, q - 1) / (T - 1);
      self += weight(reading, layer, head, q, q) / (T - 1);
      if (q > 1) first += weight(reading, layer, head, q, 0) / Math.max(1, T - 2);
      most += Math.max(...Array.from({ length: T }, (_, k) =>
        weight(reading, layer, head, q, k))) / (T - 1);
    }
    const kind = previous > 0.5 ? "previous" : self > 0.5 ? "self"
      : first > 0.5 ? "first"
        : most < 0.35 || T < 4 ? "spread" : "some";
    return t(`heads.kind.${kind}`, kind === "some" ? favorites(layer, head) : "");
  }

  /** The two tokens with the largest mean weight over the tokens after them. */
  function favorites(layer, head) {
    const { T } = reading;
    const means = Array.from({ length: T }, (_, k) => {
      let sum = 0;
      for (let q = k + 1; q < T; q++) sum += weight(reading, layer, head, q, k);
      return T - k > 3 ? sum / (T - 1 - k) : 0;
    });
    const best = topK(means, T).filter((k) => means[k] > 0)
      .map((k) => name(pieces[k]));
    return [...new Set(best)].slice(0, 2).join(", ");
  }

  function grid(layer, head, query) {
    const { layers, H, T } = reading;
    const cell = Math.max(2, Math.floor(150 / T));
    return h("div", { class: "grid heads" }, layers.flatMap((_, l) =>
      Array.from({ length: H }, (_, n) => h("button", { type: "button",
        "data-key": `head${l}_${n}`,
        "aria-pressed": String(l === layer && n === head),
        onclick: () => again({ layer: String(l), head: String(n) }) },
      h("span", {}, t("heads.one", l + 1, n + 1)),
      heatMap({ rows: T, columns: T, cell, height: cell, kind: "root",
        value: (r, c) => weight(reading, l, n, r, c), row: query,
        label: t("heads.one", l + 1, n + 1) }),
      h("small", {}, kindOf(l, n))))));
  }

  function enlarged(layer, head, query) {
    const { T } = reading, cell = Math.max(5, Math.floor(300 / T));
    const title = t("heads.one", layer + 1, head + 1);
    return h("figure", {}, h("figcaption", {}, title),
      h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": title },
        heatMap({ rows: T, columns: T, cell, height: cell, kind: "root", gap: 1,
          value: (r, c) => weight(reading, layer, head, r, c),
          row: query, label: title,
          onpoint: (r) => again({ token: String(r) }) })),
      table(t("asTable"), ["", ...pieces.map(name)], () => pieces.map((piece, q) =>
        [name(piece), ...pieces.map((_, k) =>
          weight(reading, layer, head, q, k))])));
  }

  /** Python has no switches, and cuts no text: null where it would differ. */
  function python(layer, head, query) {
    if (state.weights !== "trained" || state.causal !== "on"
      || state.positions !== "on" || all > LONGEST) return null;
    return "from keras_seq import demo\n\n"
      + pythonText(state.text)
      + `model, tokenizers = demo.load("gpt")\n`
      + `ids = tokenizers["text"].tokenize([text])\n`
      + "logits, weights = model(\n    ids, return_attention_scores=True)\n"
      + `weights[${layer}][0, ${head}, ${query}]`;
  }

  function explanation(layer, head, query) {
    const { T, K } = reading;
    const weights = Array.from({ length: T }, (_, k) =>
      weight(reading, layer, head, query, k));
    const shown = topK(weights, Math.min(5, T));
    const hidden = state.causal === "on" && query < T - 1 ? [query + 1] : [];
    const box = explain(t("heads.explain", name(pieces[query]), layer + 1, head + 1),
      [[`a = softmax(q · k / √${K} + mask)`, ""]], t("heads.words", K),
      "06_self_attention", python(layer, head, query));
    const row = (k, cells) => h("tr", {},
      h("th", { scope: "row" }, name(pieces[k])),
      cells.map((x) => h("td", {}, typeof x === "number" ? number(x) : x)));
    box.querySelector("dd").append(h("table", {},
      h("thead", {}, h("tr", {}, [t("heads.key"), "q · k", `/ √${K}`, "a"]
        .map((x) => h("th", { scope: "col" }, x)))),
      h("tbody", {}, [...shown.filter((k) => weights[k] > 0).map((k) => {
        const dot = score(reading, layer, head, query, k);
        return row(k, [dot, dot / Math.sqrt(K), weights[k]]);
      }), ...hidden.map((k) => {
        const dot = score(reading, layer, head, query, k);
        return row(k, [dot, `−∞ (${t("heads.hidden")})`, weights[k]]);
      })])));
    return box;
  }

  buttons();
  await update();
}
