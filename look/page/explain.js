// "Explain this step": an equation with its live numbers, and where it is from.

import { h } from "./dom.js";
import { manifest } from "./models.js";
import { language, t } from "./words.js";

const titles = (await manifest).lessons;

/** A link to a lesson of the site, by its title. */
export const lesson = (name) => h("a", {
  href: `../${language()}/tutorials/${name}.html`,
}, t("lesson", titles[name][language() === "ko" ? 1 : 0]));

/** A line of Python that sets `text`: JSON's strings are Python's as well. */
export const pythonText = (text) => `text = ${JSON.stringify(text)}\n`;

/**
 * @param {string} title
 * @param {Array} lines pairs of an equation and the same with numbers
 * @param {string} words what happens here, in a sentence or two
 * @param {?string} python lines with the same numbers, null if there are none
 */
export function explain(title, lines, words, lessonName, python = null) {
  return h("section", { class: "explain", "aria-label": t("explain") },
    h("h3", {}, title),
    words ? h("p", {}, words) : null,
    h("dl", {}, lines.map(([equation, numbers]) => [
      h("dt", {}, equation), h("dd", {}, numbers)])),
    h("p", {}, lesson(lessonName)),
    python === null ? null : h("details", { open: true },
      h("summary", {}, t("python")), h("pre", { tabindex: "0" }, python)));
}
