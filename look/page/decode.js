// Greedy decoding of the translators of dates, with all that is looked at.

import { ints, run, softmax, tokenizer } from "./models.js";
import { END, START } from "./tokenizers.js";

export const KINDS = ["seq2seq", "bahdanau", "luong", "transformer"];
const LONGEST = 11; // "1950-03-05" and its end token

const suffix = (weights) => weights === "untrained" ? "_untrained" : "";

/** The files of one translator. */
export function filesOf(kind, weights) {
  const name = `dates_${kind}${suffix(weights)}`;
  return kind === "transformer" ? [name] : [`${name}_start`, `${name}_step`];
}

function argmax(data) {
  let best = 0;
  for (let n = 1; n < data.length; n++) if (data[n] > data[best]) best = n;
  return best;
}

/**
 * Translate one text.
 * @returns {Promise<{pieces: string[], ids: number[], text: string,
 *   steps: object[], finished: boolean, score: number}>}
 */
export async function translate(kind, weights, text) {
  const [read, write] = await Promise.all([tokenizer(`dates_${kind}.source`),
    tokenizer(`dates_${kind}.target`)]);
  const source = read.tokenize(text, { end: true });
  const decode = kind === "transformer" ? decodeTransformer : decodeRecurrent;
  const steps = await decode(filesOf(kind, weights), source.ids);
  const ids = steps.map((step) => step.id);
  const score = steps.reduce((sum, step) => sum + Math.log(step.p[step.id]), 0);
  return { kind, source: source.ids, pieces: source.pieces, ids, steps, score,
    names: ids.map((id) => write.name(id)), text: write.text(ids),
    finished: ids.at(-1) === END, write };
}

async function decodeRecurrent([start, step], source) {
  const state = await run(start, { source: ints(source) });
  const steps = [];
  while (steps.length < LONGEST && steps.at(-1)?.id !== END) {
    const found = await run(step, state);
    const id = argmax(found.logits.data);
    for (const [name, tensor] of Object.entries(found)) {
      if (name.startsWith("new_")) state[name.slice(4)] = tensor;
    }
    state.ids = ints([id], [1]);
    steps.push({ id, logits: found.logits.data, p: softmax(found.logits.data),
      attention: found.attention?.data, scores: found.scores?.data,
      context: found.context?.data ?? state.state_source_context?.data });
  }
  return steps;
}

/** No cache: the whole target is read again at every step. */
async function decodeTransformer([name], source) {
  const target = [START], steps = [];
  let found;
  while (steps.length < LONGEST && steps.at(-1)?.id !== END) {
    found = await run(name, { source: ints(source), target: ints(target) });
    const V = found.logits.dims[2];
    const logits = found.logits.data.slice(-V);
    const id = argmax(logits);
    steps.push({ id, logits, p: softmax(logits) });
    target.push(id);
  }
  const { data, dims: [, H, T, S] } = found.cross_attention_0;
  steps.forEach((step, t) => {
    step.heads = Array.from({ length: H }, (_, n) =>
      data.slice((n * T + t) * S, (n * T + t + 1) * S));
    step.attention = step.heads[0].map((_, s) =>
      step.heads.reduce((sum, head) => sum + head[s], 0) / H);
  });
  return steps;
}
