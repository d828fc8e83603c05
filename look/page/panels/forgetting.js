// Forgetting: the gradient by lag, measured beforehand.

import { choices, h, number, slider, table } from "../dom.js";
import { explain } from "../explain.js";
import { manifest } from "../models.js";
import { t } from "../words.js";

const CELLS = ["rnn", "gru", "lstm"];
const [WIDTH, HEIGHT, LEFT, LOWEST] = [640, 300, 60, -10];

export const defaults = () => ({ lag: "30", weights: "untrained" });

export async function show(context) {
  const { state, body, set, message } = context;
  const curves = (await manifest).forgetting;
  const controls = h("div", { class: "controls" });
  const result = h("div", { class: "two" });
  body.append(controls, result);
  message("");
  const longest = curves.untrained.rnn.length - 1;

  function buttons() {
    controls.replaceChildren(
      slider(t("forgetting.lag"), 1, longest, 1, state.lag,
        (lag) => { set({ lag: String(lag) }); draw(); }),
      choices(t("weights"), [["trained", t("trained")],
        ["untrained", t("untrained")]], state.weights, (weights) => {
        set({ weights });
        buttons();
        controls.querySelector("button[aria-pressed='true']").focus();
        draw();
      }));
  }

  const ratio = (cell, k) => {
    const values = curves[state.weights][cell];
    return values[k] / values[0];
  };
  const power = (x) => x >= 1e-3 ? number(x) : x.toExponential(1)
    .replace("e-", " · 10^−").replace("e+", " · 10^");

  function draw() {
    const lag = Math.min(Math.max(+state.lag, 1), longest);
    const rows = () => CELLS.map((cell) => [t(`forgetting.${cell}`),
      power(ratio(cell, lag)), number(ratio(cell, lag) ** (1 / lag))]);
    const head = [t("forgetting.network"), t("forgetting.left", lag),
      t("forgetting.factor")];
    result.replaceChildren(
      h("div", { class: "grow" }, h("figure", {},
        h("figcaption", {}, t("forgetting.chart")), chart(lag)),
      h("p", { class: "soft" }, t("forgetting.precomputed")),
      table(t("asTable"), [t("forgetting.lag"), ...CELLS.map((cell) =>
        t(`forgetting.${cell}`))], () => Array.from({ length: longest + 1 },
        (_, k) => [String(k), ...CELLS.map((cell) => power(ratio(cell, k)))]))),
      h("div", { class: "side" },
        h("table", { class: "answer" }, h("thead", {}, h("tr", {},
          head.map((x) => h("th", { scope: "col" }, x)))),
        h("tbody", {}, rows().map(([name, ...cells]) => h("tr", {},
          h("th", { scope: "row" }, name), cells.map((x) => h("td", {}, x)))))),
        explain(t("forgetting.explain", lag), CELLS.map((cell) => [
          t(`forgetting.${cell}`), `${number(ratio(cell, lag) ** (1 / lag))}^${lag}`
            + ` = ${power(ratio(cell, lag))}`]), t("forgetting.words"), "02_gates",
        python(lag))));
  }

  function python(lag) {
    const untrained = state.weights === "untrained";
    return "from keras_seq import demo\n"
      + (untrained ? "from look import exports\n" : "")
      + "from look import notes  # in the repository\n\n"
      + `name = "characters_rnn"\n`
      + "model, tokenizers = demo.load(name)\n"
      + (untrained ? "model = exports.untrained(model)\n" : "")
      + "found = notes.gradients(\n"
      + `    "rnn", model, tokenizers["text"])\n`
      + `found[${lag}] / found[0]`;
  }

  function chart(lag) {
    const x = (k) => LEFT + (k / longest) * (WIDTH - LEFT - 60);
    const y = (v) => 15 + (1 - (Math.max(Math.log10(v), LOWEST) - LOWEST)
      / (1 - LOWEST)) * (HEIGHT - 45);
    const ticks = [1, 1e-2, 1e-4, 1e-6, 1e-8, 1e-10];
    return h("div", { class: "scroll", tabindex: "0", role: "region",
      "aria-label": t("forgetting.chart") },
    h("svg", { width: WIDTH, height: HEIGHT, viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
      role: "img", "aria-label": t("forgetting.chart"), class: "chart" },
    ticks.map((v) => [h("line", { x1: LEFT, x2: WIDTH - 60, y1: y(v), y2: y(v),
      class: "tick" }), h("text", { x: LEFT - 8, y: y(v) + 4,
      "text-anchor": "end" }, v === 1 ? "1" : `10^−${-Math.log10(v)}`)]),
    [0, 50, 100, 150, 200].filter((k) => k <= longest).map((k) =>
      h("text", { x: x(k), y: HEIGHT - 8, "text-anchor": "middle" }, String(k))),
    h("line", { x1: x(lag), x2: x(lag), y1: 10, y2: HEIGHT - 28, class: "now" }),
    CELLS.map((cell, n) => {
      const points = curves[state.weights][cell].map((_, k) => [k, ratio(cell, k)])
        .filter(([, v]) => v > 10 ** LOWEST);
      const [k, v] = points.at(-1);
      return [h("polyline", { class: `curve c${n}`, points: points.map(([a, b]) =>
        `${x(a).toFixed(1)},${y(b).toFixed(1)}`).join(" ") }),
      h("circle", { cx: x(lag), cy: y(ratio(cell, lag)), r: 5, class: `dot c${n}` }),
      h("text", { x: x(k) + 8, y: y(v) - 16 * n, class: "strong" },
        t(`forgetting.${cell}`))];
    })));
  }

  buttons();
  draw();
}
