// What a reading of a character model says of its units: loss, order, changes.

import { softmax, topK } from "./models.js";

const SHOWN = 24;

/** The state that the panel is about. */
export const stateName = (trace) => trace.cell_state ? "cell_state" : "hidden_state";

/** Mean loss of a text in nats per letter. */
export function losses({ ids, logits, V, T }) {
  let sum = 0;
  for (let n = 0; n + 1 < T; n++) {
    sum -= Math.log(softmax(logits, n * V, (n + 1) * V)[ids[n + 1]] + 1e-12);
  }
  return T > 1 ? sum / (T - 1) : 0;
}

/** Units in the order of the rows: those that change most, or the first. */
export function rowsOf(reading, how, unit) {
  const { T, units, trace } = reading;
  const values = trace[stateName(trace)];
  const all = Array.from({ length: units }, (_, u) => u);
  if (how === "all") return all;
  if (how === "first") return withUnit(all.slice(0, SHOWN), unit);
  const change = all.map((u) => {
    let sum = 0;
    for (let n = 1; n < T; n++) {
      sum += Math.abs(values[n * units + u] - values[(n - 1) * units + u]);
    }
    return sum;
  });
  return withUnit(topK(change, SHOWN), unit);
}

const withUnit = (rows, unit) => rows.includes(unit) ? rows : [unit, ...rows];

/** The step at which a unit changes most, the first one not counted. */
export function largestChange({ T, units, trace }, unit) {
  const values = trace[stateName(trace)];
  const at = (n) => values[n * units + unit];
  let best = T - 1, most = 0;
  for (let n = 1; n < T; n++) {
    const change = Math.abs(at(n) - at(n - 1));
    if (change > most) [best, most] = [n, change];
  }
  return best;
}
