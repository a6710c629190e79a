/** The view of one job: watched to its end, then its transcript. */

/** @import { Job, Progress, TranscriptDocument } from "../types.js" */

import { ApiError, ask, askJson, events } from "../api.js";
import { announce, element } from "../dom.js";
import { transcribeAgain } from "../home/home.js";
import { forget, remember } from "../home/mine.js";
import { files } from "../home/uploads.js";
import { openPlayer, closePlayer } from "../player/player.js";
import { openTranscript, closeTranscript } from "../transcript/transcript.js";
import { asJob, takeWanted, transcribe } from "./direct.js";
import { LiveText } from "./live.js";
import { accountOf, partOf, stageOf, stateOf } from "./sentences.js";

const LONGEST_WAIT_S = 10;
const view = element("job", HTMLElement);
/** Ends what goes on for the job in view. */
let leaving = new AbortController();

export function hideJob() {
  leaving.abort();
  view.hidden = true;
  closePlayer();
  closeTranscript();
}

/** @param {string} id */
export async function showJob(id) {
  leaving = new AbortController();
  const { signal } = leaving;
  clear();
  view.hidden = false;
  try {
    const job = await askJson(`v1/jobs/${id}`, { signal });
    remember(job);
    show(job);
    const ended = isEnded(job) ? job : await watch(job, signal);
    if (signal.aborted) return;
    remember(ended);
    show(ended);
    if (ended !== job) announce(`${ended.name}: ${stateOf(ended)}`);
    if (ended.status === "completed") await showResult(ended, signal);
  } catch (error) {
    if (signal.aborted) return;
    if (error instanceof ApiError && error.status === 404) forget(id);
    fail(error instanceof Error ? error.message : String(error));
  }
}

/** The recording that was chosen is transcribed in this view, and nothing of it stays. */
export async function showDirect() {
  const one = takeWanted();
  if (!one) {
    location.hash = "#/";
    return;
  }
  leaving = new AbortController();
  const { signal } = leaving;
  clear();
  view.hidden = false;
  const asking = (/** @type {Event} */ event) => event.preventDefault();
  window.addEventListener("beforeunload", asking, { signal });
  const job = asJob(one);
  show(job);
  try {
    const text = new LiveText(element("transcript", HTMLElement));
    const onProgress = (/** @type {Progress} */ progress) => showProgress(job, progress);
    const { document, language } = await transcribe(one, (segment) => text.add(segment), onProgress, signal);
    const done = { ...job, status: /** @type {const} */ ("completed"), language, quality: document.quality };
    show(done);
    announce(`${done.name}: ${stateOf(done)}`);
    await showTranscript(done, document, one.file, signal);
  } catch (error) {
    if (signal.aborted) return;
    window.removeEventListener("beforeunload", asking); // there is nothing to lose
    const message = error instanceof Error ? error.message : String(error);
    show({ ...job, status: "failed", error: { message } });
  }
}

/** @param {Job} job */
const isEnded = (job) => !["queued", "running"].includes(job.status);

function clear() {
  for (const id of ["failure", "working", "account", "cancel", "again", "remove"]) {
    element(id, HTMLElement).hidden = true;
  }
  element("name", HTMLElement).textContent = "";
  element("transcript", HTMLElement).replaceChildren();
}

/** @param {string} sentence */
function fail(sentence) {
  const box = element("failure", HTMLElement);
  box.textContent = sentence;
  box.hidden = false;
}

/** @param {Job} job */
function show(job) {
  document.title = `${job.name} – Rayscribe`;
  element("name", HTMLElement).textContent = job.name;
  const live = !isEnded(job);
  element("working", HTMLElement).hidden = !live;
  button("cancel", live, () => change(job, "cancel"));
  button("remove", !live && job.id !== "", () => change(job, "remove"));
  const file = files.get(job.id);
  button("again", file !== undefined && job.status === "failed", () => {
    if (file) transcribeAgain(file);
  });
  if (live) showProgress(job, job.progress);
  if (job.status === "failed") fail(job.error?.message ?? "The service does not say why it failed.");
  if (job.status === "cancelled") fail("This job was cancelled.");
  const account = element("account", HTMLElement);
  account.hidden = !job.quality;
  account.textContent = job.quality ? accountOf(job.quality) : "";
}

/** @param {string} id @param {boolean} shown @param {() => void} act */
function button(id, shown, act) {
  const found = element(id, HTMLButtonElement);
  found.hidden = !shown;
  found.disabled = false;
  found.onclick = () => {
    found.disabled = true;
    act();
  };
}

/** @param {Job} job @param {"cancel" | "remove"} what */
async function change(job, what) {
  if (!job.id) {
    location.hash = "#/"; // what ends the view ends the work
    return;
  }
  try {
    if (what === "cancel") await ask(`v1/jobs/${job.id}/cancel`, { method: "POST" });
    else if (confirm(`Delete ${job.name} with its recording and its transcript?`)) {
      await ask(`v1/jobs/${job.id}`, { method: "DELETE" });
      forget(job.id);
      location.hash = "#/";
    } else element("remove", HTMLButtonElement).disabled = false;
  } catch (error) {
    if (error instanceof ApiError && error.status === 409) return; // it ended meanwhile: the watcher sees it
    fail(error instanceof Error ? error.message : String(error));
    element(what, HTMLButtonElement).disabled = false;
  }
}

/** @param {Job} job @param {Progress} progress */
function showProgress(job, progress) {
  element("stage", HTMLElement).textContent = stageOf(job, progress);
  const bar = element("bar", HTMLProgressElement);
  if (progress.recognized) bar.value = partOf(progress);
  else bar.removeAttribute("value");
}

/**
 * Follow a job's events, over as many connections as it takes. The job as it ended.
 * @param {Job} job
 * @param {AbortSignal} signal
 * @returns {Promise<Job>}
 */
async function watch(job, signal) {
  const text = new LiveText(element("transcript", HTMLElement));
  /** @type {string | null} */
  let last = null;
  for (let wait = 1; !signal.aborted; wait = Math.min(LONGEST_WAIT_S, wait * 2)) {
    try {
      for await (const { event, id, data } of events(`v1/jobs/${job.id}/events`, { headers: after(last), signal })) {
        last = id ?? last;
        wait = 1;
        if (event === "segment") text.add(data);
        else if (event === "progress") showProgress({ ...job, status: "running" }, data);
        else if (data.status) return data;
      }
    } catch (error) {
      if (signal.aborted || !(error instanceof ApiError) || (error.status && error.status < 500)) throw error;
    }
    // Jobs outlive the service: one waits for it.
    element("stage", HTMLElement).textContent = "The connection broke off; trying again";
    await new Promise((resolve) => setTimeout(resolve, wait * 1000));
  }
  return job;
}

/** @param {string | null} id @returns {Record<string, string>} */
const after = (id) => (id === null ? {} : { "Last-Event-ID": id });

/** @param {Job} job @param {AbortSignal} signal */
async function showResult(job, signal) {
  const document = await askJson(`v1/jobs/${job.id}/transcript?format=json`, { signal });
  if (signal.aborted) return;
  await showTranscript(job, document, files.get(job.id) ?? null, signal);
}

/** @param {Job} job @param {TranscriptDocument} document @param {File | null} file @param {AbortSignal} signal */
async function showTranscript(job, document, file, signal) {
  const player = await openPlayer(job, document.duration, file, signal);
  if (signal.aborted) return;
  await openTranscript(job, document, player);
  scrollTo(0, 0); // the words that came were followed to their end
}
