// Small helpers for elements. `h("p", {class: "a"}, "text", child)`.

const SVG = "http://www.w3.org/2000/svg";
const SVG_TAGS = new Set(["svg", "g", "path", "line", "rect", "circle", "text",
  "polyline", "title"]);

export function h(tag, attributes = {}, ...children) {
  const node = SVG_TAGS.has(tag)
    ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "value") node.value = value;
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children.flat(9).filter((x) => x != null && x !== false));
  return node;
}

/** A labelled <select>: options are [value, label] pairs. */
export function select(label, options, value, onchange) {
  const box = h("select", { onchange: () => onchange(box.value) },
    options.map(([key, name]) =>
      h("option", { value: key, selected: key === String(value) }, name)));
  box.value = String(value);
  return h("label", { class: "field" }, h("span", {}, label), box);
}

/** A group of buttons of which one is pressed. */
export function choices(label, options, value, onchoose) {
  return h("div", { class: "choices", role: "group", "aria-label": label },
    h("span", { class: "label", "aria-hidden": "true" }, label),
    options.map(([key, name]) => h("button", {
      type: "button", "aria-pressed": String(key === value),
      onclick: () => onchoose(key),
    }, name)));
}

export function slider(label, min, max, step, value, oninput) {
  const shown = h("output", {}, String(value));
  const input = h("input", { type: "range", min, max, step, value,
    oninput: () => { shown.textContent = input.value; oninput(+input.value); } });
  input.value = value;
  return h("label", { class: "field" }, h("span", {}, label, " ", shown), input);
}

/** A table inside <details>, for screen readers and for copying. */
export function table(summary, head, rows) {
  const cell = (x) => typeof x === "number" ? number(x) : x;
  const body = () => h("div", { class: "scroll", tabindex: "0", role: "region",
    "aria-label": summary }, h("table", {},
    h("thead", {}, h("tr", {}, head.map((x) => h("th", { scope: "col" }, x)))),
    h("tbody", {}, rows().map((row) => h("tr", {}, row.map((x, n) =>
      n ? h("td", {}, cell(x)) : h("th", { scope: "row" }, cell(x))))))));
  const box = h("details", { class: "table", ontoggle: () => {
    if (box.open && box.children.length === 1) box.append(body());
  } }, h("summary", {}, summary));
  return box;
}

/** A number with a true minus sign and a fixed number of digits. */
export function number(x, digits = 3) {
  return (x < 0 ? "−" : "") + Math.abs(x).toFixed(digits);
}

export const percent = (x) => `${(100 * x).toFixed(x < 0.0995 ? 1 : 0)}%`;

/** White space made visible, as in keras_seq.plots. */
export const visible = (text) => text.replace(/ /g, "␣").replace(/\n/g, "⏎")
  .replace(/\t/g, "⇥");

/** Call a function once for several events, after a pause. */
export function debounce(call, wait = 120) {
  let timer;
  return (...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => call(...args), wait);
  };
}

/** Text field that reports a text once per composed syllable. */
export function textField(label, value, oninput, options = {}) {
  const tag = options.rows ? "textarea" : "input";
  const input = h(tag, { value, spellcheck: "false", autocomplete: "off",
    rows: options.rows, type: options.rows ? null : "text",
    "aria-describedby": "message" });
  let composing = false;
  const report = debounce(() => { if (!composing) oninput(input.value); });
  input.addEventListener("compositionstart", () => { composing = true; });
  input.addEventListener("compositionend", () => { composing = false; report(); });
  input.addEventListener("input", (event) => { if (!event.isComposing) report(); });
  return { field: h("label", { class: "field wide" }, h("span", {}, label), input),
    input };
}

/** Build buttons again, and give the focus back to the one that had it. */
export function buildAgain(controls, build) {
  const focus = document.activeElement?.textContent;
  build();
  [...controls.querySelectorAll("button")]
    .find((button) => button.textContent === focus)?.focus();
}
