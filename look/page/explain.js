// "Explain this step": an equation with its live numbers, and where it is from.

import { h } from "./dom.js";
import { language, t } from "./words.js";

/** A link to a lesson of the site. */
export const lesson = (name) => h("a", {
  href: `../${language()}/tutorials/${name}.html`,
}, t("lesson", name.replace("_", " ").replaceAll("_", " ")));

/**
 * @param {string} title
 * @param {Array} lines pairs of an equation and the same with numbers
 * @param {string} words what happens here, in a sentence or two
 */
export function explain(title, lines, words, lessonName, python) {
  return h("section", { class: "explain", "aria-label": t("explain") },
    h("h3", {}, title),
    words ? h("p", {}, words) : null,
    h("dl", {}, lines.map(([equation, numbers]) => [
      h("dt", {}, equation), h("dd", {}, numbers)])),
    h("p", {}, lesson(lessonName)),
    h("details", { open: true }, h("summary", {}, t("python")),
      h("pre", { tabindex: "0" }, python)));
}
