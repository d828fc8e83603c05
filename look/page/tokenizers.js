// The tokenizers of keras_seq.text: the same ids as in Python.

const UNKNOWN = 1, START = 2, END = 3, MASK = 4, FIRST = 5;
const SPECIAL = ["[PAD]", "[UNK]", "[START]", "[END]", "[MASK]"];

export function tokenizerOf(config) {
  return config.kind === "CharTokenizer"
    ? new CharTokenizer(config) : new WordPieceTokenizer(config);
}

/** A lone surrogate is no character: U+FFFD, as UTF-8 would have it. */
const normalize = (text) => (text.toWellFormed ? text.toWellFormed() : text)
  .normalize("NFC");

export class CharTokenizer {
  constructor({ characters }) {
    this.names = [...SPECIAL, ...characters];
    this.ids = new Map([...characters].map((c, n) => [c, FIRST + n]));
  }

  /** @returns {{ids: number[], pieces: string[]}} */
  tokenize(text, { start = false, end = false } = {}) {
    const pieces = [...normalize(text)];
    const ids = pieces.map((c) => this.ids.get(c) ?? UNKNOWN);
    return wrap(ids, pieces, start, end);
  }

  name(id) { return this.names[id]; }

  text(ids) {
    const last = ids.indexOf(END);
    return (last < 0 ? ids : ids.slice(0, last)).filter((id) => id >= FIRST)
      .map((id) => this.names[id]).join("");
  }
}

function wrap(ids, pieces, start, end) {
  return {
    ids: [...(start ? [START] : []), ...ids, ...(end ? [END] : [])],
    pieces: [...(start ? ["[START]"] : []), ...pieces, ...(end ? ["[END]"] : [])],
  };
}

// The rules of tensorflow-text: white space, control and format characters,
// punctuation and Chinese characters end a word.
const PUNCTUATION = /[!-/:-@[-`{-~]|\p{P}/u;
const SPACE = /[\p{Z}\p{Cc}\p{Cf}]/u;
const CHINESE = /[\u4E00-\u9FFF\u3400-\u4DBF\u{20000}-\u{2A6DF}\u{2A700}-\u{2B73F}\u{2B740}-\u{2B81F}\u{2B820}-\u{2CEAF}\uF900-\uFAFF\u{2F800}-\u{2FA1F}]/u;
const LONGEST = 800; // bytes of a word
const bytes = new TextEncoder();

export class WordPieceTokenizer {
  constructor({ vocabulary }) {
    this.names = [...SPECIAL, ...vocabulary];
    this.ids = new Map(vocabulary.map((piece, n) => [piece, FIRST + n]));
    this.longest = Math.max(...vocabulary.map((piece) => [...piece].length));
  }

  tokenize(text, { start = false, end = false } = {}) {
    const ids = this.split(text).flatMap((word) => this.pieces(word));
    return wrap(ids, ids.map((id) => this.names[id]), start, end);
  }

  /** The words of a text that are read as [UNK]. */
  unknown(text) {
    return this.split(text).filter((word) => this.pieces(word)[0] === UNKNOWN);
  }

  /** `tokenize`, with "[MASK]" read as the mask token. */
  tokenizeMasked(text, options) {
    const ids = text.split("[MASK]").flatMap((part, n) =>
      [...(n ? [MASK] : []), ...this.tokenize(part).ids]);
    return wrap(ids, ids.map((id) => this.names[id]), options.start, options.end);
  }

  split(text) {
    const words = [];
    let word = "";
    const close = () => { if (word) words.push(word); word = ""; };
    for (const c of normalize(text)) {
      if (SPACE.test(c)) close();
      else if (PUNCTUATION.test(c) || CHINESE.test(c)) {
        close();
        words.push(c);
      } else word += c;
    }
    close();
    return words;
  }

  /** The longest piece that the rest of the word begins with, again and again. */
  pieces(word) {
    const letters = [...word], found = [];
    if (bytes.encode(word).length > LONGEST) return [UNKNOWN];
    for (let at = 0; at < letters.length;) {
      const prefix = at ? "##" : "";
      let end = Math.min(letters.length, at + this.longest), id;
      for (; end > at; end--) {
        id = this.ids.get(prefix + letters.slice(at, end).join(""));
        if (id !== undefined) break;
      }
      if (id === undefined) return [UNKNOWN];
      found.push(id);
      at = end;
    }
    return found;
  }

  name(id) { return this.names[id]; }

  text(ids) {
    return ids.filter((id) => id >= FIRST).map((id) => this.names[id])
      .map((piece) => piece.startsWith("##") ? piece.slice(2) : ` ${piece}`)
      .join("").trim();
  }
}

export { UNKNOWN, START, END, MASK, FIRST };
