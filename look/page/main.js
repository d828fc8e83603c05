// The frame of the page: languages, panels, and the state in the address.

import { h } from "./dom.js";
import { filesOf, KINDS } from "./decode.js";
import { isLoaded, manifest, sizeOf } from "./models.js";
import { language, setLanguage, t } from "./words.js";

// A panel is a module of `defaults(language)` and `show(context)`. It is there
// if the models it needs were built.
const CELLS = ["characters_rnn", "characters_gru", "characters_lstm"];
const PANELS = {
  gates: { load: () => import("./panels/gates.js"), models: CELLS },
  forgetting: { load: () => import("./panels/forgetting.js"), models: CELLS },
  alignment: { load: () => import("./panels/alignment.js"),
    models: KINDS.flatMap((kind) => filesOf(kind, "trained")) },
  heads: { load: () => import("./panels/heads.js"), models: ["gpt"] },
  next: { load: () => import("./panels/next.js"), models: ["gpt"] },
  fill: { load: () => import("./panels/fill.js"), models: ["bert"] },
  patches: { load: () => import("./panels/patches.js"), models: ["digits_vit"] },
};
const built = await manifest;
const panelNames = () => Object.keys(PANELS).filter((name) =>
  PANELS[name].models.every((model) => built[model]));

const $ = (id) => document.getElementById(id);
let state = {};
let turn = 0; // of the newest rendering; older ones stop

function readAddress() {
  const given = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
  const korean = /^ko\b/.test(navigator.language);
  setLanguage(given.lang ?? (korean ? "ko" : "en"));
  return { panel: "gates", ...given, lang: language() };
}

function writeAddress() {
  const hash = `#${new URLSearchParams(state)}`;
  if (hash !== location.hash) history.replaceState(null, "", hash);
}

function frame() {
  document.documentElement.lang = language();
  document.title = `${t("title")} · keras_seq`;
  $("title").textContent = t("title");
  $("lead").textContent = t("lead");
  $("skip").textContent = t("skip");
  $("panels").setAttribute("aria-label", t("panels"));
  const other = language() === "en" ? "ko" : "en";
  $("tools").replaceChildren(
    h("a", { href: `../${language()}/index.html` }, t("home")),
    h("button", { type: "button", lang: other, id: "language", onclick: () => {
      setLanguage(other);
      open(state.panel, { lang: other });
      $("language").focus();
    } }, t("otherLanguage")));
  $("panels").replaceChildren(...panelNames().map((name) => h("button", {
    type: "button", id: `tab-${name}`,
    "aria-current": name === state.panel ? "page" : null,
    onclick: () => { open(name, {}); $(`tab-${name}`).focus(); },
  }, t(`${name}.name`), h("small", {}, t(`${name}.models`)))));
  $("foot").replaceChildren(h("p", {}, t("foot")), h("p", {}, t("sources")));
}

/** Open a panel with its default state, but for what is given. */
async function open(name, given) {
  const kept = given.lang && name === state.panel ? {} : given;
  state = { panel: name, lang: language(), ...kept };
  frame();
  await render();
}

async function render() {
  const mine = ++turn;
  const names = panelNames();
  if (!names.includes(state.panel)) state.panel = names[0];
  const panel = await PANELS[state.panel].load();
  if (mine !== turn) return;
  const text = t(`${state.panel}.lead`);
  const body = h("div", { id: "panel" });
  $("main").replaceChildren(
    h("h2", {}, t(`${state.panel}.title`)), h("p", { class: "lead" }, text),
    h("p", { id: "message", role: "status", "aria-live": "polite" }), body);
  state = { ...panel.defaults(language()), ...state };
  writeAddress();
  const context = {
    state, body,
    set: (changes) => { Object.assign(state, changes); writeAddress(); },
    message: (message) => { if (mine === turn) $("message").textContent = message; },
    current: () => mine === turn,
    need: (names) => need(names, context),
  };
  try {
    await panel.show(context);
    document.body.dataset.ready = state.panel;
  } catch (error) {
    context.message(`${t("failed")} (${error.message})`);
  }
}

/** Tell the size of the models that a panel fetches. */
async function need(names, context) {
  if (names.every(isLoaded)) return;
  const size = (await sizeOf(names)) / 1e6;
  context.message(t("loading", size.toFixed(1)));
}

window.addEventListener("hashchange", () => {
  state = readAddress();
  frame();
  render();
});
state = readAddress();
frame();
render();
