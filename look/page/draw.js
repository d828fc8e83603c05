// Heat maps, lines and bars. Colors: those of keras_seq.plots (viridis from 0
// to 1, PuOr around 0) and of the diagrams (CSS variables of palette.css).

import { h } from "./dom.js";

const VIRIDIS = ["#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c",
  "#28ae80", "#5ec962", "#addc30", "#fde725"];
const PUOR = ["#7f3b08", "#b35806", "#e08214", "#fdb863", "#fee0b6", "#f7f7f7",
  "#d8daeb", "#b2abd2", "#8073ac", "#542788", "#2d004b"];
const WHITE_TO_RED = ["#ffffff", "#fbe3e1", "#f2b8b3", "#e68883", "#cf574f",
  "#ad231c"];

function mix(stops, x) {
  const at = Math.min(Math.max(x, 0), 1) * (stops.length - 1);
  const n = Math.min(Math.floor(at), stops.length - 2);
  const part = (hex, k) => parseInt(hex.slice(1 + 2 * k, 3 + 2 * k), 16);
  return [0, 1, 2].map((k) => Math.round(part(stops[n], k)
    + (at - n) * (part(stops[n + 1], k) - part(stops[n], k))));
}

/**
 * Color of a value: a gate is in [0, 1], a state in [-limit, limit], a weight
 * in [0, limit]. "root" shows the square root, so that small weights are seen.
 */
export function color(x, kind, limit = 1) {
  if (kind === "gate") return mix(VIRIDIS, x);
  if (kind === "weight") return mix(WHITE_TO_RED, x / limit);
  if (kind === "root") return mix(WHITE_TO_RED, Math.sqrt(x / limit));
  return mix(PUOR, (x / limit + 1) / 2);
}

export const css = ([r, g, b]) => `rgb(${r},${g},${b})`;

/** Black or white, whichever is legible on a color. */
export function inkOn([r, g, b]) {
  const [R, G, B] = [r, g, b].map((c) => {
    const x = c / 255;
    return x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * R + 0.7152 * G + 0.0722 * B > 0.179 ? "#000000" : "#ffffff";
}

/**
 * A canvas of rows x columns. `value(row, column)` gives the numbers.
 * The parent hears `onpoint(row, column)` on a click or while hovering.
 */
export function heatMap({ rows, columns, value, kind, limit = 1, cell, height,
  label, selected, row: marked, onpoint, gap = 0 }) {
  const ratio = window.devicePixelRatio || 1;
  const canvas = h("canvas", { role: "img", "aria-label": label });
  canvas.width = Math.round(columns * cell * ratio);
  canvas.height = Math.round(rows * height * ratio);
  canvas.style.width = `${columns * cell}px`;
  canvas.style.height = `${rows * height}px`;
  const draw = canvas.getContext("2d");
  draw.scale(ratio, ratio);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) {
      draw.fillStyle = css(color(value(r, c), kind, limit));
      draw.fillRect(c * cell, r * height, cell - gap, height - gap);
    }
  }
  const ink = getComputedStyle(document.body).color;
  draw.strokeStyle = ink;
  draw.lineWidth = 2;
  if (selected != null && selected >= 0) {
    draw.strokeRect(selected * cell + 1, 1, cell - 2, rows * height - 2);
  }
  if (marked != null && marked >= 0) {
    draw.strokeRect(1, marked * height + 1, columns * cell - 2, height - 2);
  }
  if (onpoint) {
    canvas.addEventListener("click", (event) => {
      const box = canvas.getBoundingClientRect();
      const c = Math.floor((event.clientX - box.left) / cell);
      const r = Math.floor((event.clientY - box.top) / height);
      if (c >= 0 && c < columns && r >= 0 && r < rows) onpoint(r, c);
    });
  }
  return canvas;
}

/** A color bar with the numbers at its ends. */
export function colorBar(kind, limit, name) {
  const steps = Array.from({ length: 21 }, (_, n) => n / 20);
  const least = kind === "state" ? -limit : 0;
  const ramp = steps.map((x) =>
    css(color(least + x * (limit - least), kind, limit))).join(",");
  return h("div", { class: "bar", "aria-hidden": "true" },
    h("span", {}, least ? `−${limit.toFixed(1)}` : "0"),
    h("i", { style: `background:linear-gradient(to right,${ramp})` }),
    h("span", {}, kind === "state" ? limit.toFixed(1) : String(limit)),
    name ? h("span", { class: "soft" }, name) : null);
}

/** One line over time steps, with a mark at the selected one. */
export function line({ values, cell, selected, limit, label, height = 90 }) {
  const width = values.length * cell;
  const y = (v) => height / 2 - (v / limit) * (height / 2 - 6);
  const points = values.map((v, n) => `${(n + 0.5) * cell},${y(v).toFixed(1)}`);
  const at = selected == null ? -1 : selected;
  return h("svg", { width, height, viewBox: `0 0 ${width} ${height}`,
    role: "img", "aria-label": label, class: "line" },
  h("line", { x1: 0, x2: width, y1: height / 2, y2: height / 2, class: "zero" }),
  h("polyline", { points: points.join(" ") }),
  at >= 0 && at < values.length ? h("circle", { cx: (at + 0.5) * cell,
    cy: y(values[at]), r: 5 }) : null);
}

/** Horizontal bars of probabilities: rows of {label, p, before}. */
export function bars(rows, label, format) {
  const most = Math.max(...rows.map((row) => row.p), 1e-9);
  return h("ol", { class: "bars", "aria-label": label }, rows.map((row) =>
    h("li", { class: row.chosen ? "chosen" : null },
      h("span", { class: "token" }, row.label),
      h("span", { class: "track", "aria-hidden": "true" },
        row.before == null ? null : h("i", { class: "before",
          style: `width:${(100 * row.before) / Math.max(most, row.before)}%` }),
        h("i", { style: `width:${(100 * row.p) / most}%` })),
      h("span", { class: "value" }, format(row.p)))));
}
