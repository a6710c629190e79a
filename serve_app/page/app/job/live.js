/** The words of a job that is still worked on, as they come. Who speaks is known in the end. */

/** @import { SpokenSegment } from "../types.js" */

import { clock, h } from "../dom.js";

const PAUSE_S = 1.5;
const MOST_CHARACTERS = 500;

export class LiveText {
  /** @param {HTMLElement} box */
  constructor(box) {
    this.box = box;
    /** @type {HTMLElement | null} */
    this.paragraph = null;
    this.end = 0;
  }

  /** @param {SpokenSegment} segment */
  add({ start, end, text, language }) {
    const full = (this.paragraph?.textContent?.length ?? 0) > MOST_CHARACTERS;
    if (!this.paragraph || full || start - this.end > PAUSE_S) {
      this.paragraph = h("p", { dir: "auto", lang: language ?? "" });
      this.box.append(
        h("div", { class: "paragraph live" }, h("span", { class: "time" }, clock(start)), this.paragraph),
      );
      text = text.trimStart();
    }
    const atEnd = innerHeight + scrollY > document.documentElement.scrollHeight - 80;
    this.paragraph.append(text);
    this.end = end;
    if (atEnd) scrollTo(0, document.documentElement.scrollHeight);
  }
}
