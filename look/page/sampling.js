// Ways to pick a token: the samplers of keras_seq.generation.

import { topK } from "./models.js";
import { distribution, LONGEST, readIds } from "./reader.js";

/**
 * Apply temperature, top-k and top-p, in the order of `Sampling`.
 * @returns {Float64Array} a distribution; tokens that are cut have 0
 */
export function shape(logits, { temperature, topK: k, topP }) {
  const p = softmaxOf(logits, temperature);
  const order = Array.from(p.keys()).sort((a, b) => p[b] - p[a]);
  let kept = k > 0 ? order.slice(0, k) : order;
  let total = kept.reduce((sum, n) => sum + p[n], 0);
  if (topP < 1) {
    let before = 0;
    const limit = topP * total;
    kept = kept.filter((n) => {
      const keep = before < limit;
      before += p[n];
      return keep;
    });
    total = kept.reduce((sum, n) => sum + p[n], 0);
  }
  const left = new Float64Array(p.length);
  for (const n of kept) left[n] = p[n] / total;
  return left;
}

function softmaxOf(logits, temperature) {
  let most = -Infinity;
  for (const x of logits) most = Math.max(most, x);
  const powers = Float64Array.from(logits, (x) => Math.exp((x - most) / temperature));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((x) => x / sum);
}

/** Draw an index from a distribution. */
export function draw(p, random = Math.random()) {
  let sum = 0, last = 0;
  for (let n = 0; n < p.length; n++) {
    if (p[n] > 0) last = n;
    sum += p[n];
    if (random < sum) return n;
  }
  return last;
}

/**
 * Beam search: the paths of every depth, each with its parent and score.
 * @returns {Promise<object[][]>} levels of {id, score, parent, kept}
 */
export async function beams(ids, weights, width, depth) {
  let kept = [{ ids: [], score: 0, index: 0 }];
  const levels = [];
  for (let n = 0; n < depth && ids.length + n < LONGEST; n++) {
    const found = [];
    for (const path of kept) {
      const reading = await readIds([...ids, ...path.ids], weights);
      const p = distribution(reading);
      for (const id of topK(p, width)) {
        found.push({ id, p: p[id], parent: path.index, ids: [...path.ids, id],
          score: path.score + Math.log(p[id]) });
      }
    }
    found.sort((a, b) => b.score - a.score);
    found.forEach((path, index) => { path.index = index; path.kept = index < width; });
    levels.push(found);
    kept = found.slice(0, width);
  }
  return levels;
}
