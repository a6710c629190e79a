/** What the form asks of a transcription; remembered from one visit to the next. */

import { element, h } from "../dom.js";
import { languages } from "./languages.js";

const KEY = "rayscribe.options";
const KEPT = ["language", "num-speakers", "names", "prompt"];
const CHECKED = ["speakers", "translate"];

/** @param {string} id */
const field = (id) => /** @type {HTMLInputElement} */ (element(id, HTMLElement));

export function showOptions() {
  field("language").append(...languages().map(([code, name]) => h("option", { value: code }, name)));
  const kept = JSON.parse(localStorage.getItem(KEY) ?? "{}");
  for (const id of KEPT) field(id).value = kept[id] ?? "";
  for (const id of CHECKED) field(id).checked = kept[id] ?? id === "speakers";
  if (kept["num-speakers"] || kept.names || kept.prompt || kept.translate) {
    element("more", HTMLDetailsElement).open = true;
  }
  element("compose", HTMLFormElement).addEventListener("input", () => {
    const now = [...KEPT.map((id) => [id, field(id).value]), ...CHECKED.map((id) => [id, field(id).checked])];
    localStorage.setItem(KEY, JSON.stringify(Object.fromEntries(now)));
    follow();
  });
  follow();
}

/** Speakers' names and number mean nothing where they are not told apart. */
function follow() {
  for (const id of ["num-speakers", "names"]) field(id).disabled = !field("speakers").checked;
}

/** The fields of a job's form, by the API's names. @returns {FormData} */
export function chosenOptions() {
  const form = new FormData();
  const set = (/** @type {string} */ name, /** @type {string} */ value) => value && form.append(name, value);
  form.append("words", "true");
  set("language", field("language").value);
  set("prompt", field("prompt").value.trim());
  if (field("translate").checked) form.append("task", "translate");
  if (field("speakers").checked) {
    form.append("speakers", "true");
    set("num_speakers", field("num-speakers").value);
    for (const name of field("names").value.split(",")) set("speaker_names", name.trim());
  }
  return form;
}
