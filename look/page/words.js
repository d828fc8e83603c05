// Every text of the page, in English and in Korean.

import { alignment } from "./words/alignment.js";
import { bert } from "./words/bert.js";
import { common } from "./words/common.js";
import { gates } from "./words/gates.js";
import { gpt } from "./words/gpt.js";
import { others } from "./words/others.js";

const words = { ...common, ...gates, ...alignment, ...gpt, ...bert,
  ...others };
let current = "en";

export const language = () => current;

export function setLanguage(name) {
  current = name === "ko" ? "ko" : "en";
}

/** The text of a key; "{0}", "{1}", ... are replaced by the arguments. */
export function t(key, ...values) {
  const pair = words[key];
  if (!pair) throw new Error(`no text for ${key}`);
  return pair[current === "ko" ? 1 : 0]
    .replace(/\{(\d)\}/g, (_, n) => values[n]);
}

export const every = words;
