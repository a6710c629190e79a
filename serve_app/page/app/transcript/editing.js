/** Changing a paragraph: its words, and who speaks it. */

/** @import { Draft, Paragraph } from "../types.js" */
/** @import { Player } from "../player/player.js" */
/** @import { Paper } from "./paper.js" */

import { h } from "../dom.js";
import { given, nameOf, replaced, speakersOf, textOf } from "./draft.js";
import { rewritten } from "./rewrite.js";

export class Editing {
  /** @param {Paper} paper @param {Player | null} player @param {() => Draft} draft @param {(next: Draft) => void} change */
  constructor(paper, player, draft, change) {
    this.paper = paper;
    this.player = player;
    this.draft = draft;
    this.change = change;
  }

  /** Put a box in the place of the text. @param {Paragraph} paragraph */
  edit(paragraph) {
    const made = this.paper.element(paragraph);
    const shown = made?.querySelector("p");
    if (!made || !shown || made.querySelector("textarea")) return;
    this.player?.audio.pause();
    const before = textOf(paragraph);
    const box = h("textarea", { value: before, rows: 1, spellcheck: true, lang: shown.lang, dir: "auto" });
    box.setAttribute("aria-label", "Text of the paragraph");
    const hint = h("span", { class: "hint muted" }, "Enter keeps it, Shift+Enter begins a paragraph, Escape leaves it as it was.");
    const fit = () => box.style.setProperty("height", `${box.scrollHeight + 2}px`);
    let ended = false;
    const end = (/** @type {boolean} */ keep) => {
      if (ended) return;
      ended = true;
      hint.remove();
      box.replaceWith(shown);
      if (!keep || box.value.trim() === before) return made.focus({ preventScroll: true });
      const others = rewritten(paragraph, box.value);
      this.change(replaced(this.draft(), paragraph, others));
      const first = others[0];
      if (first) this.paper.element(first)?.focus({ preventScroll: true });
    };
    box.oninput = fit;
    box.onblur = () => end(true);
    box.onkeydown = (event) => {
      if (event.key === "Escape") end(false);
      else if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        end(true);
      }
    };
    shown.replaceWith(box);
    made.append(hint);
    fit();
    box.focus();
  }

  /** Ask who speaks a paragraph, and what the speaker is called. @param {Paragraph} paragraph */
  askSpeaker(paragraph) {
    const { speaker } = paragraph;
    if (speaker === null) return;
    const draft = this.draft();
    const name = h("input", { type: "text", value: nameOf(draft, speaker), maxLength: 100, autocomplete: "off" });
    const others = speakersOf(draft).filter((one) => one !== speaker);
    const dialog = h(
      "dialog",
      { aria: { label: "Speaker" } },
      h(
        "form",
        { method: "dialog", onsubmit: () => this.#rename(speaker, name.value.trim()) },
        h("label", {}, "Name, in the whole transcript ", name),
        h("p", { class: "actions" }, h("button", { class: "primary" }, "Rename")),
      ),
      h("p", { class: "muted" }, "Or this paragraph is spoken by"),
      h(
        "p",
        { class: "actions" },
        ...[...others, fresh(draft)].map((other, index) =>
          h(
            "button",
            { type: "button", onclick: () => (dialog.close(), this.change(given(this.draft(), paragraph, other))) },
            index < others.length ? nameOf(draft, other) : "Somebody else",
          ),
        ),
      ),
      h("p", { class: "actions" }, h("button", { type: "button", class: "quiet", onclick: () => dialog.close() }, "Close")),
    );
    dialog.onclose = () => dialog.remove();
    document.body.append(dialog);
    dialog.showModal();
    name.select();
  }

  /** @param {string} speaker @param {string} name */
  #rename(speaker, name) {
    const draft = this.draft();
    if (!name || name === nameOf(draft, speaker)) return;
    this.change({ ...draft, names: { ...draft.names, [speaker]: name } });
  }
}

/** A speaker who is not there yet. @param {Draft} draft */
function fresh(draft) {
  const known = new Set(speakersOf(draft));
  let number = 0;
  while (known.has(label(number))) number++;
  return label(number);
}

/** @param {number} number */
const label = (number) => `SPEAKER_${String(number).padStart(2, "0")}`;
