/** The transcript of a completed job: reading along, finding, doubting, editing, taking it away. */

/** @import { Draft, Job, TranscriptDocument } from "../types.js" */
/** @import { Player } from "../player/player.js" */
/** @import { Place } from "./paper.js" */

import { announce, element, h, isWriting } from "../dom.js";
import { exportMenu } from "../export/menu.js";
import { draftOf, History } from "./draft.js";
import { Editing } from "./editing.js";
import { Follower } from "./follower.js";
import { Paper } from "./paper.js";
import { Search } from "./search.js";
import { deleteDraft, loadDraft, saveDraft } from "./store.js";

const SAVE_MS = 400;
/** @type {Transcript | null} */
let open = null;

/** @param {string} text @param {string} title @param {() => void} onclick */
const button = (text, title, onclick) => h("button", { type: "button", title, onclick }, text);

/** @param {Job} job */
const language = ({ options, language }) => (options.task === "translate" ? "en" : (language ?? ""));

class Transcript {
  /** @param {Job} job @param {TranscriptDocument} document @param {Draft} original @param {Draft} draft @param {Player | null} player */
  constructor(job, document, original, draft, player) {
    this.job = job;
    this.original = original;
    this.history = new History(draft);
    this.player = player;
    this.paper = new Paper(element("transcript", HTMLElement), language(job));
    this.follower = new Follower(this.paper, player);
    this.search = new Search(this.paper, (range) => this.follower.reveal(range));
    this.editing = new Editing(this.paper, player, () => this.draft, (next) => this.change(next));
    this.doubt = -1;
    this.saving = 0;
    this.undo = button("↶", "Undo (Ctrl+Z)", () => this.back());
    this.redo = button("↷", "Redo (Ctrl+Shift+Z)", () => this.forward());
    this.undo.setAttribute("aria-label", "Undo");
    this.redo.setAttribute("aria-label", "Redo");
    this.revert = button("Original", "Show what the service wrote; Undo brings your edits back", () =>
      this.change(this.original),
    );
    this.doubts = h("span");
    this.nextDoubt = button("Next", "Go to the next doubtful word (N)", () => this.toDoubt(1));
    this.nextDoubt.setAttribute("aria-label", "Next doubtful word");
    this.#showTools(document);
    this.show();
  }

  get draft() {
    return this.history.draft;
  }

  get edited() {
    return this.draft !== this.original;
  }

  /** @param {Draft} draft */
  change(draft) {
    this.history.change(draft);
    this.changed();
  }

  changed() {
    this.show();
    clearTimeout(this.saving);
    if (!this.job.id) return; // nothing finds it again
    this.saving = setTimeout(() => {
      const kept = this.edited ? saveDraft(this.job.id, this.draft) : deleteDraft(this.job.id);
      kept.catch(() => announce("This browser does not keep the edits; export them before you leave."));
    }, SAVE_MS);
  }

  show() {
    this.paper.show(this.draft);
    this.follower.show(this.draft);
    this.search.again();
    this.undo.disabled = !this.history.past.length;
    this.redo.disabled = !this.history.future.length;
    this.revert.hidden = !this.edited;
    const count = this.paper.doubtful().length;
    this.doubts.textContent = `Doubtful words: ${count.toLocaleString("en")}`;
    this.nextDoubt.disabled = !count;
  }

  /** @param {TranscriptDocument} document */
  #showTools(document) {
    const mark = h("input", { type: "checkbox", checked: true, onchange: () => this.paper.markDoubts(mark.checked) });
    element("tools", HTMLElement).replaceChildren(
      this.search.box,
      h("span", { class: "group" }, h("label", { class: "check" }, mark, this.doubts), this.nextDoubt),
      h("span", { class: "group" }, this.undo, this.redo, this.revert),
      exportMenu(this.job, document, () => ({ draft: this.draft, edited: this.edited })),
    );
    element("tools", HTMLElement).hidden = false;
    element("keys", HTMLElement).hidden = false;
  }

  back() {
    if (this.history.undo()) this.changed();
  }

  forward() {
    if (this.history.redo()) this.changed();
  }

  /** @param {1 | -1} step */
  toDoubt(step) {
    const places = this.paper.doubtful();
    if (!places.length) return;
    this.doubt = (this.doubt + step + places.length) % places.length;
    const place = /** @type {Place} */ (places[this.doubt]);
    const word = place.paragraph.words[place.index];
    const range = this.paper.wordRange(place);
    if (!range || !word) return;
    this.paper.mark("current", [range]);
    this.follower.reveal(range);
    this.paper.element(place.paragraph)?.focus({ preventScroll: true });
    announce(`“${word.text}”, ${Math.round(word.sure * 100)} % sure. ${this.doubt + 1} of ${places.length}.`);
  }

  /** @param {MouseEvent} event */
  click(event) {
    const target = event.target instanceof Element ? event.target : null;
    const paragraph = this.paper.at(target);
    if (!paragraph) return;
    if (target?.closest(".speaker")) this.editing.askSpeaker(paragraph);
    else if (target?.closest(".edit")) this.editing.edit(paragraph);
    else if (target?.closest(".time")) this.player?.playFrom(paragraph.words[0]?.start ?? 0);
    else if (target?.closest("p") && getSelection()?.isCollapsed) {
      const place = this.paper.wordAt(event.clientX, event.clientY);
      const word = place?.paragraph.words[place.index];
      if (word) this.player?.playFrom(word.start);
    }
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const inText = isWriting(event.target);
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z" && !inText) {
      event.shiftKey ? this.forward() : this.back();
    } else if (inText || event.ctrlKey || event.metaKey || event.altKey) return;
    else if (event.key === "/") this.search.input.focus();
    else if (event.key === "n" || event.key === "p") this.toDoubt(event.key === "n" ? 1 : -1);
    else if (event.key === "e") {
      const at = document.activeElement?.closest(".paragraph") ?? null;
      const paragraph = this.paper.at(at) ?? this.follower.current ?? this.draft.paragraphs[0];
      if (paragraph) this.editing.edit(paragraph);
    } else return;
    event.preventDefault();
  }
}

/** @param {Job} job @param {TranscriptDocument} found @param {Player | null} player */
export async function openTranscript(job, found, player) {
  const original = draftOf(found);
  // Where a browser keeps nothing, its user still reads.
  const kept = job.id ? await loadDraft(job.id).catch(() => undefined) : undefined;
  open = new Transcript(job, found, original, kept ?? original, player);
  if (!original.paragraphs.length) {
    element("transcript", HTMLElement).append(h("p", { class: "muted" }, "Nobody speaks in this recording."));
  }
}

export function closeTranscript() {
  open = null;
  element("tools", HTMLElement).hidden = true;
  element("keys", HTMLElement).hidden = true;
}

element("transcript", HTMLElement).addEventListener("click", (event) => open?.click(event));
element("transcript", HTMLElement).addEventListener("dblclick", (event) => {
  const paragraph = event.target instanceof Element && event.target.closest("p") ? open?.paper.at(event.target) : null;
  if (paragraph) open?.editing.edit(paragraph);
});
document.addEventListener("keydown", (event) => open?.key(event));
