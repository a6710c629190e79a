/** The first view: what to transcribe, and what was transcribed. */

/** @import { Job } from "../types.js" */
/** @import { Upload } from "./uploads.js" */

import { mayUseJobs } from "../api.js";
import { clock, element, h } from "../dom.js";
import { transcribeNow } from "../job/direct.js";
import { stateOf } from "../job/sentences.js";
import { offerMicrophone } from "./microphone.js";
import { forget, isLive, mine, refresh, remember } from "./mine.js";
import { chosenOptions, showOptions } from "./options.js";
import { drop, enqueue, retry, send, uploads } from "./uploads.js";

const LOOK_MS = 2000;
const home = element("home", HTMLElement);
const list = element("mine", HTMLElement);

export function prepareHome() {
  showOptions();
  acceptFiles();
  acceptAddress();
  offerMicrophone((file) => take([file]), trouble);
  // Another tab's jobs are this browser's too.
  window.addEventListener("storage", show);
  setInterval(() => {
    if (!home.hidden && !document.hidden && mine().some(({ job }) => isLive(job))) void look();
  }, LOOK_MS);
}

export function showHome() {
  home.hidden = false;
  show();
  void look();
}

/** Say what the key does not give, and leave out what it is needed for. */
export async function showLimits() {
  const all = await mayUseJobs();
  element("limited", HTMLElement).hidden = all;
  element("mine-section", HTMLElement).hidden = !all;
}

async function look() {
  await refresh();
  show();
}

/** @param {string} sentence */
function trouble(sentence) {
  const box = element("trouble", HTMLElement);
  box.textContent = sentence;
  box.hidden = !sentence;
}

/** @param {Iterable<File>} files */
function take(files) {
  trouble("");
  const taken = [...files];
  const empty = taken.filter((file) => file.size === 0);
  if (empty.length) trouble(`${empty.map((file) => file.name).join(", ")} is empty; choose a recording.`);
  for (const file of taken) if (file.size) enqueue(file.name, file, chosenOptions());
  void start();
}

/** With the options as they are chosen now. @param {File} file */
export function transcribeAgain(file) {
  location.hash = "#/";
  take([file]);
}

async function start() {
  if (!(await mayUseJobs())) {
    const [one, ...others] = uploads.splice(0).reverse();
    if (one) transcribeNow(one);
    if (others.length) trouble("With this key one recording is transcribed at a time; choose the others after it.");
    return;
  }
  await send(show, (job) => {
    remember(job);
    // One recording is looked at; among several one stays where they are listed.
    if (!home.hidden && !uploads.length && mine().filter((each) => isLive(each.job)).length === 1) {
      location.hash = `#/jobs/${job.id}`;
    }
  });
}

function acceptFiles() {
  const input = element("files", HTMLInputElement);
  element("choose", HTMLButtonElement).addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    take(input.files ?? []);
    input.value = "";
  });
  const area = element("drop", HTMLElement);
  // Wherever it falls: a browser would leave the page to show it.
  document.addEventListener("dragover", (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    area.classList.add("over");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) area.classList.remove("over");
  });
  document.addEventListener("drop", (event) => {
    area.classList.remove("over");
    if (!event.dataTransfer?.files.length) return;
    event.preventDefault();
    if (home.hidden) location.hash = "#/";
    take(event.dataTransfer.files);
  });
  document.addEventListener("paste", (event) => {
    if (!home.hidden && event.clipboardData?.files.length) take(event.clipboardData.files);
  });
}

function acceptAddress() {
  const box = element("url", HTMLInputElement);
  element("compose", HTMLFormElement).addEventListener("submit", (event) => {
    event.preventDefault();
    const url = box.value.trim();
    if (!/^https?:\/\/./i.test(url)) {
      trouble("An address begins with http:// or https://; enter the one of a recording.");
      box.focus();
      return;
    }
    trouble("");
    const form = chosenOptions();
    form.append("url", url);
    enqueue(url, null, form);
    box.value = "";
    void start();
  });
}

function show() {
  if (home.hidden) return;
  const jobs = mine();
  list.replaceChildren(...uploads.map(sending), ...jobs.map(({ id, name, at, job }) => done(id, name, at, job)));
  element("none", HTMLElement).hidden = jobs.length + uploads.length > 0;
}

/** @param {Upload} one */
function sending(one) {
  const percent = `${Math.floor(one.part * 100)} %`;
  const state = one.trouble ?? (one.waiting ? "waits" : one.file ? `uploading, ${percent}` : "sending");
  const again = h("button", { type: "button", onclick: () => (retry(one), void start()) }, "Try again");
  const stop = h("button", { type: "button", onclick: () => (drop(one), show()) }, one.trouble ? "Dismiss" : "Cancel");
  const bar = h("progress", { max: 1, value: one.part, aria: { label: `Upload of ${one.name}` } });
  return h(
    "li",
    { class: one.trouble ? "failed" : "sending" },
    h("span", { class: "what" }, h("span", { class: "file" }, one.name), h("span", { class: "state" }, state)),
    ...(one.trouble ? [again] : one.file ? [bar] : []),
    stop,
  );
}

/** @param {string} id @param {string} name @param {number} at @param {Job | null} job */
function done(id, name, at, job) {
  const when = new Date(at * 1000).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
  const length = job?.progress.duration ? `, ${clock(job.progress.duration)}` : "";
  const link = h(
    "a",
    { class: "what", href: `#/jobs/${id}` },
    h("span", { class: "file" }, name),
    h("span", { class: "state" }, `${job ? stateOf(job) : "…"}${length} · ${when}`),
  );
  const leave = h(
    "button",
    {
      type: "button",
      class: "quiet",
      title: "Take it off this list; the service keeps it",
      aria: { label: `Take ${name} off this list` },
      onclick: () => (forget(id), show()),
    },
    "×",
  );
  return h("li", { class: job?.status ?? "" }, link, leave);
}
