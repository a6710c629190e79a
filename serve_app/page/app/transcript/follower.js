/** Marks the word that is played, and keeps it in view. */

/** @import { Draft, Paragraph } from "../types.js" */
/** @import { Player } from "../player/player.js" */
/** @import { Paper } from "./paper.js" */

const LEFT_ALONE_MS = 4000;

export class Follower {
  /** @param {Paper} paper @param {Player | null} player */
  constructor(paper, player) {
    this.paper = paper;
    /** Starts of words that rise, and which word each is: people talk at once. */
    this.starts = new Float64Array();
    /** @type {number[]} */
    this.order = [];
    /** Where each paragraph's first word stands among all. @type {number[]} */
    this.firsts = [];
    /** @type {Draft} */
    this.draft = { paragraphs: [], names: {} };
    this.word = -1;
    /** The paragraph that is played. @type {Paragraph | undefined} */
    this.current = undefined;
    this.scrolledAt = -Infinity;
    if (player) player.onTime = (seconds) => this.#at(seconds, !player.audio.paused);
    for (const kind of ["wheel", "touchmove"]) {
      addEventListener(kind, () => (this.scrolledAt = performance.now()), { passive: true });
    }
  }

  /** @param {Draft} draft */
  show(draft) {
    this.draft = draft;
    this.word = -1;
    let count = 0;
    this.firsts = draft.paragraphs.map(({ words }) => {
      const first = count;
      count += words.length;
      return first;
    });
    const starts = draft.paragraphs.flatMap(({ words }) => words.map(({ start }) => start));
    this.order = [...starts.keys()].sort((a, b) => (starts[a] ?? 0) - (starts[b] ?? 0));
    this.starts = Float64Array.from(this.order, (word) => starts[word] ?? 0);
  }

  /** @param {number} seconds @param {boolean} playing */
  #at(seconds, playing) {
    const word = this.order[lastNotAbove(this.starts, seconds)] ?? -1;
    if (word === this.word) return;
    this.word = word;
    const number = lastNotAbove(this.firsts, word);
    const paragraph = this.draft.paragraphs[number];
    if (word < 0 || !paragraph) {
      this.paper.mark("playing", []);
      return;
    }
    const range = this.paper.wordRange({ paragraph, index: word - (this.firsts[number] ?? 0) });
    this.paper.mark("playing", [range]);
    const moved = paragraph !== this.current;
    if (moved) {
      if (this.current) this.paper.element(this.current)?.classList.remove("current");
      this.paper.element(paragraph)?.classList.add("current");
      this.current = paragraph;
    }
    if (range && playing && performance.now() - this.scrolledAt > LEFT_ALONE_MS) this.reveal(range);
  }

  /** Scroll until it is seen. @param {StaticRange} place */
  reveal(place) {
    const range = new Range();
    range.setStart(place.startContainer, place.startOffset);
    range.setEnd(place.endContainer, place.endOffset);
    const above = document.querySelector("#tools")?.getBoundingClientRect().bottom ?? 0;
    const below = innerHeight - (document.querySelector("#player")?.clientHeight ?? 0);
    range.startContainer.parentElement?.scrollIntoView({ block: "nearest" });
    const box = range.getBoundingClientRect();
    if (box.top < above + 20 || box.bottom > below - 20) scrollBy({ top: box.top - (above + below) / 2 });
  }
}

/** The place of the last number that is not above a value; -1 where all are. Numbers rise.
 * @param {ArrayLike<number>} numbers @param {number} value */
export function lastNotAbove(numbers, value) {
  let [low, high] = [0, numbers.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (/** @type {number} */ (numbers[middle]) <= value) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
