// One reading of a text by the GPT: logits, queries, keys, weights.

import { floats, ints, run, softmax, tokenizer } from "./models.js";
import { t } from "./words.js";

export const LONGEST = 64;
export const EXAMPLES = {
  en: ["In the United", "The film was released in", "The function returns the"],
  ko: ["너무 재미", "최고의", "모델은 다음"],
};

export const gptName = (weights) =>
  weights === "untrained" ? "gpt_untrained" : "gpt";

export async function tokensOf(text) {
  const words = await tokenizer("gpt.text");
  const { ids, pieces } = words.tokenize(text);
  return { words, all: ids.length, ids: ids.slice(0, LONGEST),
    pieces: pieces.slice(0, LONGEST) };
}

/** What to say of a text that is too long, or has words read as [UNK]. */
export function notes(words, text, all) {
  const unknown = [...new Set(words.unknown(text))].slice(0, 8)
    .map((word) => [...word].length > 12 ? `${[...word].slice(0, 11).join("")}…` : word);
  return [all > LONGEST ? t("heads.tooMany", LONGEST, all) : "",
    unknown.length ? t("unknown", unknown.join(" ")) : ""].filter(Boolean).join(" ");
}

/** Run the GPT on ids. */
export async function readIds(ids, weights, causal = true, positions = true) {
  const found = await run(gptName(weights), { ids: ints(ids),
    causal: floats([causal ? 1 : 0], [1]),
    positions: floats([positions ? 1 : 0], [1]) });
  const layers = [];
  for (let n = 0; found[`attention_${n}`]; n++) {
    layers.push({ weights: found[`attention_${n}`].data,
      query: found[`query_${n}`].data, key: found[`key_${n}`].data });
  }
  const [, H, T] = found.attention_0.dims;
  return { layers, H, T, K: found.query_0.dims[3], V: found.logits.dims[2],
    logits: found.logits.data };
}

export const weight = ({ layers, T }, layer, head, query, key) =>
  layers[layer].weights[(head * T + query) * T + key];

/** Queries and keys are (T, H, K). */
export function score({ layers, H, K }, layer, head, query, key) {
  const { query: q, key: k } = layers[layer];
  let sum = 0;
  for (let n = 0; n < K; n++) {
    sum += q[(query * H + head) * K + n] * k[(key * H + head) * K + n];
  }
  return sum;
}

/** The distribution after the last token, or after token t. */
export const distribution = ({ logits, V, T }, at = T - 1, temperature = 1) =>
  softmax(logits, at * V, (at + 1) * V, temperature);

export function meanLoss(reading, ids) {
  let sum = 0;
  for (let n = 0; n + 1 < ids.length; n++) {
    sum -= Math.log(distribution(reading, n)[ids[n + 1]] + 1e-12);
  }
  return ids.length > 1 ? sum / (ids.length - 1) : 0;
}
