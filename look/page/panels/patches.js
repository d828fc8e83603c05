// Patches: a ViT reads a digit of 8 x 8 pixels as 16 patches.

import { buildAgain, choices, h, number, percent, table } from "../dom.js";
import { bars, color, colorBar, css, heatMap, inkOn } from "../draw.js";
import { explain } from "../explain.js";
import { floats, manifest, run, softmax } from "../models.js";
import { t } from "../words.js";

const SIDE = 8, PATCH = 2, GRID = SIDE / PATCH, N = GRID * GRID;
const INKS = [0, 0.5, 1];

export const defaults = () => ({ digit: "3", pixels: "", order: "", patch: "5",
  weights: "trained" });

const modelName = (weights) =>
  weights === "untrained" ? "digits_vit_untrained" : "digits_vit";

/** Attention rollout: float (T, T) after each layer. */
export function rollout(layers, H, T) {
  let found = identity(T);
  return layers.map((data) => {
    const mixed = Array.from({ length: T }, (_, q) => Array.from({ length: T },
      (_, k) => {
        let sum = 0;
        for (let n = 0; n < H; n++) sum += data[(n * T + q) * T + k] / H;
        return (sum + (q === k ? 1 : 0)) / 2;
      }));
    found = mixed.map((row) => found[0].map((_, k) =>
      row.reduce((sum, x, n) => sum + x * found[n][k], 0)));
    return found;
  });
}

const identity = (T) => Array.from({ length: T }, (_, q) =>
  Array.from({ length: T }, (_, k) => q === k ? 1 : 0));

export async function show(context) {
  const { state, body, set, message } = context;
  const notes = (await manifest).patches;
  const controls = h("div", { class: "controls" });
  const result = h("div", { class: "two" });
  body.append(controls, result);
  let reading;

  const original = () => state.pixels
    ? [...state.pixels].map((c) => +c / 8) : notes.digits[+state.digit].map((x) => x / 16);
  const order = () => state.order ? state.order.split(".").map(Number)
    : Array.from({ length: N }, (_, n) => n);

  /** The pixels that the model reads: patch n is the original's order[n]. */
  function image() {
    const from = original(), places = order();
    return Float32Array.from({ length: SIDE * SIDE }, (_, n) => {
      const [r, c] = [Math.floor(n / SIDE), n % SIDE];
      const p = places[Math.floor(r / PATCH) * GRID + Math.floor(c / PATCH)];
      const row = Math.floor(p / GRID) * PATCH + (r % PATCH);
      return from[row * SIDE + (p % GRID) * PATCH + (c % PATCH)];
    });
  }

  function buttons() {
    const change = (changes) => {
      set(changes);
      buildAgain(controls, buttons);
      return update();
    };
    const shuffled = () => {
      const places = Array.from({ length: N }, (_, n) => n);
      for (let n = N - 1; n > 0; n--) {
        const k = Math.floor(Math.random() * (n + 1));
        [places[n], places[k]] = [places[k], places[n]];
      }
      return places.join(".");
    };
    controls.replaceChildren(
      choices(t("patches.digits"), notes.digits.map((_, n) =>
        [String(n), String(notes.labels[n])]), state.pixels ? "" : state.digit,
      (digit) => change({ digit, pixels: "", order: "" })),
      h("div", { class: "choices" },
        h("button", { type: "button", onclick: () => change({ order: shuffled() }) },
          t("patches.shuffle")),
        h("button", { type: "button", onclick: () => change({ order: "" }) },
          t("patches.restore")),
        h("button", { type: "button",
          onclick: () => change({ pixels: "0".repeat(64), order: "" }) },
        t("patches.clear"))),
      choices(t("weights"), [["trained", t("trained")],
        ["untrained", t("untrained")]], state.weights,
      (weights) => change({ weights })));
  }

  async function update(focus) {
    const now = JSON.stringify(state), pixels = image();
    await context.need([modelName(state.weights)]);
    const found = await run(modelName(state.weights),
      { images: floats(pixels, [1, SIDE, SIDE, 1]) });
    if (!context.current() || now !== JSON.stringify(state)) return;
    reading = { ...found, pixels };
    message(pixels.some((x) => x > 0) ? "" : t("patches.blank"));
    draw();
    if (focus != null) result.querySelector(`[data-key="pixel${focus}"]`)?.focus();
  }

  function paint(n) {
    const pixels = Array.from(image());
    const next = INKS.find((ink) => ink > pixels[n] + 0.01) ?? 0;
    pixels[n] = next;
    set({ pixels: pixels.map((x) => Math.round(x * 8)).join(""), order: "" });
    buttons();
    update(n);
  }

  function draw() {
    const layers = [0, 1, 2, 3].filter((n) => reading[`attention_${n}`])
      .map((n) => reading[`attention_${n}`]);
    const [, H, T] = layers[0].dims;
    const shares = rollout(layers.map((layer) => layer.data), H, T)
      .map((matrix) => matrix[0].slice(1));
    const p = softmax(reading.logits.data);
    result.replaceChildren(
      h("div", { class: "grow" }, h("div", { class: "maps" }, canvas(), similarity(),
        shares.map((row, n) =>
          map(t("patches.rollout", n + 1), row, Math.max(...row)))),
      table(t("asTable"), [t("patches.patch"), ...shares.map((_, n) =>
        `${t("patches.share")} ${n + 1}`)], () => Array.from({ length: N }, (_, k) =>
        [String(k + 1), ...shares.map((row) => row[k])]))),
      h("div", { class: "side" }, h("h3", {}, t("patches.answer")),
        bars(Array.from(p, (x, n) => ({ label: String(n), p: x })),
          t("patches.answer"), percent), explanation(shares, H)));
  }

  function canvas() {
    return h("figure", {}, h("figcaption", {}, t("patches.image")),
      h("div", { class: "pixels", role: "group", "aria-label": t("patches.image"),
        onkeydown: (event) => {
          const move = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: SIDE,
            ArrowUp: -SIDE }[event.key];
          const at = [...event.currentTarget.children].indexOf(document.activeElement);
          if (!move || at < 0) return;
          event.preventDefault();
          const to = event.currentTarget.children[at + move];
          if (to) {
            event.currentTarget.children[at].tabIndex = -1;
            to.tabIndex = 0;
            to.focus();
          }
        } }, Array.from(reading.pixels, (x, n) => h("button", {
        type: "button", "data-key": `pixel${n}`, tabindex: n ? "-1" : "0",
        style: `background:rgb(${[255, 255, 255].map((c) =>
          Math.round(c * (1 - x))).join(",")})`,
        class: (Math.floor(n / SIDE) % PATCH ? "" : "top ")
          + (n % PATCH ? "" : "left"),
        "aria-label": t("patches.pixel", Math.floor(n / SIDE) + 1, n % SIDE + 1,
          number(x, 1)), onclick: () => paint(n) }))));
  }

  function map(title, values, limit) {
    return h("figure", {}, h("figcaption", {}, title),
      heatMap({ rows: GRID, columns: GRID, cell: 60, height: 60, kind: "weight",
        limit, value: (r, c) => values[r * GRID + c], label: title, gap: 1 }),
      colorBar("weight", +limit.toFixed(2)));
  }

  function similarity() {
    const patch = +state.patch;
    const values = notes.similarity[state.weights][patch];
    const limit = Math.max(...values.map((x, n) => n === patch ? 0 : Math.abs(x)));
    const title = t("patches.similarity", patch + 1);
    return h("figure", {}, h("figcaption", {}, title),
      h("div", { class: "positions", role: "group", "aria-label": title },
        values.map((x, n) => {
          const c = color(x, "state", limit);
          return h("button", { type: "button", "data-key": `patch${n}`,
            style: `background:${css(c)};color:${inkOn(c)}`,
            "aria-pressed": String(n === patch), onclick: () => {
              set({ patch: String(n) });
              draw();
              result.querySelector(`[data-key="patch${n}"]`).focus();
            } }, number(x, 2));
        })),
      colorBar("state", limit));
  }

  function explanation(shares, H) {
    const last = shares.at(-1), best = last.indexOf(Math.max(...last));
    return explain(t("patches.explain", shares.length), [
      ["A = (mean over heads + I) / 2", `${H} heads`],
      ["A_L · … · A_1", `${t("patches.patch")} ${best + 1}: ${number(last[best])}`]],
    t("patches.words"), "13_vit",
    state.weights === "trained" ? python() : null);
  }

  function python() {
    return "import numpy as np\n\n"
      + "from keras_seq import demo, evaluation\n\n"
      + `image = np.array([${Array.from(reading.pixels, (x) => Math.round(16 * x))
        .join(", ")}]) / 16\n`
      + `model, _ = demo.load("digits_vit")\n`
      + "logits, weights = model(\n"
      + "    image.reshape(1, 8, 8, 1),\n"
      + "    return_attention_scores=True)\n"
      + "shares = evaluation.attention_rollout(\n    weights)\n"
      + "shares[0, 0, 1:]";
  }

  buttons();
  await update();
}
