/** Taking the transcript away as a file. */

/** @import { Draft, Job, TranscriptDocument } from "../types.js" */

import { ask } from "../api.js";
import { announce, h } from "../dom.js";
import { docx } from "./docx.js";
import { json, srt, txt, vtt } from "./formats.js";

const NAMES = { txt: "Text (.txt)", docx: "Word (.docx)", srt: "Subtitles (.srt)", vtt: "Subtitles (.vtt)", json: "Data (.json)" };

/** @typedef {keyof typeof NAMES} Format */

/**
 * @param {Job} job
 * @param {TranscriptDocument} document
 * @param {() => { draft: Draft, edited: boolean }} now
 */
export function exportMenu(job, document, now) {
  const formats = /** @type {Format[]} */ (Object.keys(NAMES));
  const items = formats.map((format) =>
    h("button", { type: "button", onclick: () => (menu.removeAttribute("open"), take(format)) }, NAMES[format]),
  );
  const menu = h("details", { class: "menu" }, h("summary", {}, "Export"), h("div", {}, ...items));
  menu.onkeydown = (event) => {
    if (event.key === "Escape") menu.removeAttribute("open");
  };
  menu.addEventListener("focusout", (event) => {
    if (!(event.relatedTarget instanceof Node && menu.contains(event.relatedTarget))) menu.removeAttribute("open");
  });
  const take = async (/** @type {Format} */ format) => {
    const { draft, edited } = now();
    const ours = edited || format === "docx" || !job.id;
    const content = ours ? written(format, job, document, draft) : await theirs(job, format);
    download(`${job.name.replace(/\.\w{1,5}$/, "")}.${format}`, content);
    announce(`${NAMES[format]} is downloaded.`);
  };
  return menu;
}

/** As the service writes it. @param {Job} job @param {Format} format */
async function theirs(job, format) {
  return (await ask(`v1/jobs/${job.id}/transcript?format=${format}`)).blob();
}

/** @param {Format} format @param {Job} job @param {TranscriptDocument} document @param {Draft} draft @returns {Blob} */
function written(format, job, document, draft) {
  switch (format) {
    case "docx":
      return docx(job.name, draft);
    case "json":
      return new Blob([json(document, draft)], { type: "application/json" });
    case "srt":
      return new Blob([srt(draft)], { type: "application/x-subrip" });
    case "vtt":
      return new Blob([vtt(draft)], { type: "text/vtt" });
    case "txt":
      return new Blob([txt(draft)], { type: "text/plain" });
  }
}

/** @param {string} name @param {Blob} content */
function download(name, content) {
  const link = h("a", { href: URL.createObjectURL(content), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
