/** Finding a text in the transcript. */

/** @import { Paper } from "./paper.js" */

import { announce, h } from "../dom.js";
import { textOf } from "./draft.js";

const MOST = 2000;
const PATIENCE_MS = 120;

export class Search {
  /** @param {Paper} paper @param {(range: StaticRange) => void} reveal */
  constructor(paper, reveal) {
    this.paper = paper;
    this.reveal = reveal;
    /** @type {StaticRange[]} */
    this.hits = [];
    this.at = 0;
    this.waiting = 0;
    this.input = h("input", { type: "search", placeholder: "Search", aria: { label: "Search the transcript" } });
    this.count = h("span", { class: "muted", role: "status" });
    this.input.oninput = () => {
      clearTimeout(this.waiting);
      this.waiting = setTimeout(() => this.#begin(), PATIENCE_MS);
    };
    this.input.onkeydown = (event) => {
      if (event.key === "Enter") this.#step(event.shiftKey ? -1 : 1);
      if (event.key === "Escape") {
        this.input.value = "";
        this.#begin();
        this.input.blur();
      }
    };
    this.box = h("span", { class: "group search" }, this.input, this.count);
  }

  #begin() {
    this.again();
    this.at = 0;
    const first = this.hits[0];
    if (first) this.reveal(first);
    this.#show();
  }

  /** Look again: the text has changed. */
  again() {
    const wanted = this.input.value.toLocaleLowerCase();
    this.hits = wanted ? [...this.#find(wanted)] : [];
    this.at = Math.min(this.at, Math.max(0, this.hits.length - 1));
    this.#show();
  }

  /** @param {string} wanted @returns {Generator<StaticRange>} */
  *#find(wanted) {
    let count = 0;
    for (const paragraph of this.paper.draft.paragraphs) {
      const text = textOf(paragraph).toLocaleLowerCase();
      for (let at = text.indexOf(wanted); at >= 0; at = text.indexOf(wanted, at + wanted.length)) {
        const range = this.paper.range(paragraph, at, at + wanted.length);
        if (range) yield range;
        if (++count >= MOST) return;
      }
    }
  }

  /** @param {1 | -1} by */
  #step(by) {
    if (!this.hits.length) return;
    this.at = (this.at + by + this.hits.length) % this.hits.length;
    this.reveal(/** @type {StaticRange} */ (this.hits[this.at]));
    this.#show();
  }

  #show() {
    this.paper.mark("found", this.hits);
    this.paper.mark("current", this.hits.slice(this.at, this.at + 1));
    const many = this.hits.length >= MOST ? `${MOST}+` : String(this.hits.length);
    this.count.textContent = !this.input.value ? "" : this.hits.length ? `${this.at + 1} of ${many}` : "not found";
    if (this.input.value && !this.hits.length) announce("Not found");
  }
}
