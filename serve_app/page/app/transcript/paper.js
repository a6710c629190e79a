/**
 * The paragraphs on the page. Each is one text node: words are marked by ranges over it (the CSS
 * Custom Highlight API), so that 30,000 words are a few hundred elements, of which the browser
 * lays out those in view.
 */

/** @import { Draft, Paragraph } from "../types.js" */

import { clock, h } from "../dom.js";
import { nameOf, speakersOf, textOf } from "./draft.js";

const COLOURS = 8;
/** From this probability on a word is taken as it is; below the other one it is more wrong than right. */
const SURE = 0.5;
const LITTLE = 0.25;

/** A word by the paragraph that it stands in and its place there.
 * @typedef {{ paragraph: Paragraph, index: number }} Place */

export class Paper {
  /** @param {HTMLElement} box @param {string} language */
  constructor(box, language) {
    this.box = box;
    this.language = language;
    /** @type {Draft} */
    this.draft = { paragraphs: [], names: {} };
    /** @type {WeakMap<Paragraph, HTMLElement>} */
    this.elements = new WeakMap();
    /** @type {WeakMap<Element, Paragraph>} */
    this.paragraphs = new WeakMap();
    /** Words of little probability and of less, each in ranges that come and go with their paragraph. */
    this.doubts = { doubt: new Highlight(), "doubt-strong": new Highlight() };
    /** @type {Map<Paragraph, [Highlight, StaticRange][]>} */
    this.doubtsOf = new Map();
    box.replaceChildren();
    CSS.highlights.clear();
    this.markDoubts(true);
  }

  /** Show a state; paragraphs that are the same stay as they are. @param {Draft} draft */
  show(draft) {
    this.draft = draft;
    const colours = new Map(speakersOf(draft).map((speaker, index) => [speaker, String(index % COLOURS)]));
    const wanted = new Set();
    let next = this.box.firstElementChild;
    for (const paragraph of draft.paragraphs) {
      const made = this.elements.get(paragraph) ?? this.#make(paragraph);
      wanted.add(made);
      this.#label(made, nameOf(draft, paragraph.speaker), colours.get(paragraph.speaker ?? "") ?? "none");
      if (made === next) next = made.nextElementSibling;
      else this.box.insertBefore(made, next);
    }
    for (const child of [...this.box.children]) if (!wanted.has(child)) child.remove();
    this.#doubt();
  }

  /** Mark doubtful words of paragraphs that came, and none of those that went. */
  #doubt() {
    const shown = new Set(this.draft.paragraphs);
    for (const [paragraph, marks] of this.doubtsOf) {
      if (shown.has(paragraph)) continue;
      for (const [highlight, range] of marks) highlight.delete(range);
      this.doubtsOf.delete(paragraph);
    }
    for (const paragraph of this.draft.paragraphs) {
      if (!this.doubtsOf.has(paragraph)) this.doubtsOf.set(paragraph, this.#marksOf(paragraph));
    }
  }

  /** @param {Paragraph} paragraph @returns {[Highlight, StaticRange][]} */
  #marksOf(paragraph) {
    /** @type {[Highlight, StaticRange][]} */
    const marks = [];
    for (const [index, { sure }] of paragraph.words.entries()) {
      if (sure >= SURE) continue;
      const range = this.wordRange({ paragraph, index });
      if (!range) continue;
      const highlight = this.doubts[sure < LITTLE ? "doubt-strong" : "doubt"];
      highlight.add(range);
      marks.push([highlight, range]);
    }
    return marks;
  }

  /** @param {Paragraph} paragraph */
  #make(paragraph) {
    const start = paragraph.words[0]?.start ?? 0;
    const made = h(
      "article",
      { class: "paragraph", tabIndex: -1 },
      h("button", { type: "button", class: "speaker", hidden: paragraph.speaker === null }),
      h("button", { type: "button", class: "time", title: "Play from here" }, clock(start)),
      h("p", { lang: this.language, dir: "auto" }, textOf(paragraph)),
      h("button", { type: "button", class: "edit quiet", title: "Edit this paragraph (E)" }, "Edit"),
    );
    this.elements.set(paragraph, made);
    this.paragraphs.set(made, paragraph);
    return made;
  }

  /** @param {HTMLElement} made @param {string} name @param {string} colour */
  #label(made, name, colour) {
    if (made.dataset.name === name && made.dataset.colour === colour) return;
    Object.assign(made.dataset, { name, colour });
    const [speaker, time, , edit] = made.children;
    const at = time?.textContent ?? "";
    if (speaker) {
      speaker.textContent = name;
      speaker.setAttribute("aria-label", `${name}, at ${at}: change the speaker`);
    }
    time?.setAttribute("aria-label", `Play from ${at}`);
    edit?.setAttribute("aria-label", `Edit the paragraph at ${at}`);
    made.setAttribute("aria-label", name ? `${name}, ${at}` : at);
  }

  /** The paragraph around a node. @param {Node | null} node @returns {Paragraph | undefined} */
  at(node) {
    const around = node instanceof Element ? node : node?.parentElement;
    const made = around?.closest(".paragraph");
    return made ? this.paragraphs.get(made) : undefined;
  }

  /** @param {Paragraph} paragraph @returns {HTMLElement | undefined} */
  element(paragraph) {
    return this.elements.get(paragraph);
  }

  /** The paragraph's text as a node. @param {Paragraph} paragraph @returns {Text | null} */
  #node(paragraph) {
    const node = this.elements.get(paragraph)?.querySelector("p")?.firstChild;
    return node instanceof Text ? node : null;
  }

  /** The characters from one place of a paragraph's text to another. Static: a live range costs at every change of the page.
   * @param {Paragraph} paragraph @param {number} from @param {number} to */
  range(paragraph, from, to) {
    const node = this.#node(paragraph);
    if (!node || to > node.length) return null;
    return new StaticRange({ startContainer: node, startOffset: from, endContainer: node, endOffset: to });
  }

  /** @param {Place} place */
  wordRange({ paragraph, index }) {
    const from = startsOf(paragraph)[index];
    const word = paragraph.words[index];
    return from === undefined || !word ? null : this.range(paragraph, from, from + word.text.length);
  }

  /** The word at a place of the screen. @param {number} x @param {number} y @returns {Place | null} */
  wordAt(x, y) {
    const [node, offset] = caretAt(x, y);
    const paragraph = this.at(node);
    if (!paragraph || node !== this.#node(paragraph)) return null;
    const index = startsOf(paragraph).findLastIndex((start) => start <= offset);
    return index < 0 ? null : { paragraph, index };
  }

  /** Underline words by how little the service was sure of them. @param {boolean} on */
  markDoubts(on) {
    for (const [name, highlight] of Object.entries(this.doubts)) {
      if (on) CSS.highlights.set(name, highlight);
      else CSS.highlights.delete(name);
    }
  }

  /** Every word that is doubtful, in order. @returns {Place[]} */
  doubtful() {
    return this.draft.paragraphs.flatMap((paragraph) =>
      paragraph.words.flatMap(({ sure }, index) => (sure < SURE ? [{ paragraph, index }] : [])),
    );
  }

  /** Mark ranges under one name, in the place of those that were. @param {string} name @param {(StaticRange | null)[]} ranges */
  mark(name, ranges) {
    CSS.highlights.set(name, new Highlight(...ranges.filter((range) => range !== null)));
  }
}

/** @type {WeakMap<Paragraph, number[]>} */
const starts = new WeakMap();

/** Where each word begins in the paragraph's text. @param {Paragraph} paragraph @returns {number[]} */
export function startsOf(paragraph) {
  let known = starts.get(paragraph);
  if (!known) {
    let at = 0;
    known = paragraph.words.map(({ text, spaced }, index) => {
      at += spaced && index ? 1 : 0;
      const start = at;
      at += text.length;
      return start;
    });
    starts.set(paragraph, known);
  }
  return known;
}

/** @param {number} x @param {number} y @returns {[Node | null, number]} */
function caretAt(x, y) {
  if (document.caretPositionFromPoint) {
    const caret = document.caretPositionFromPoint(x, y);
    return [caret?.offsetNode ?? null, caret?.offset ?? 0];
  }
  const range = document.caretRangeFromPoint?.(x, y);
  return [range?.startContainer ?? null, range?.startOffset ?? 0];
}
