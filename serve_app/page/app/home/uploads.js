/** Recordings on their way to the service, one after the other. */

/** @import { Job } from "../types.js" */

import { ask, upload } from "../api.js";

/**
 * `part` of it has left; `trouble` is a sentence where it ended badly.
 * @typedef {{ name: string, file: File | null, form: FormData, part: number, waiting: boolean,
 *   trouble: string | null, key: string, stop: AbortController }} Upload
 */

/** @type {Upload[]} */
export const uploads = [];
/** The files behind jobs of this tab: they are played without the service. @type {Map<string, File>} */
export const files = new Map();

let busy = false;

/** @param {string} name @param {File | null} file @param {FormData} form */
export function enqueue(name, file, form) {
  const key = crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;
  uploads.unshift({ name, file, form, part: 0, waiting: true, trouble: null, key, stop: new AbortController() });
}

/** @param {Upload} one */
export function drop(one) {
  one.stop.abort();
  uploads.splice(uploads.indexOf(one), 1);
}

/** Once more, under the same key: the service takes it for the same job. @param {Upload} one */
export function retry(one) {
  Object.assign(one, { trouble: null, waiting: true, part: 0, stop: new AbortController() });
}

/**
 * Send what waits, oldest first. `onChange` hears of each step, `onJob` of each job accepted.
 * @param {() => void} onChange
 * @param {(job: Job) => void} onJob
 */
export async function send(onChange, onJob) {
  if (busy) return;
  busy = true;
  try {
    let one;
    while ((one = uploads.findLast((each) => each.waiting))) await sendOne(one, onChange, onJob);
  } finally {
    busy = false;
  }
}

/** @param {Upload} one @param {() => void} onChange @param {(job: Job) => void} onJob */
async function sendOne(one, onChange, onJob) {
  one.waiting = false;
  onChange();
  try {
    const job = await submit(one, (part) => {
      one.part = part;
      onChange();
    });
    if (one.file) files.set(job.id, one.file);
    uploads.splice(uploads.indexOf(one), 1);
    onJob(job);
  } catch (error) {
    if (one.stop.signal.aborted) return;
    one.trouble = error instanceof Error ? error.message : String(error);
  }
  onChange();
}

/** @param {Upload} one @param {(part: number) => void} onProgress @returns {Promise<Job>} */
async function submit(one, onProgress) {
  const headers = { "Idempotency-Key": one.key };
  const { signal } = one.stop;
  if (!one.file) {
    return (await ask("v1/jobs", { method: "POST", body: one.form, headers, signal })).json();
  }
  const form = new FormData();
  for (const [name, value] of one.form) form.append(name, value);
  form.append("file", one.file);
  return upload("v1/jobs", form, headers, onProgress, signal);
}

window.addEventListener("beforeunload", (event) => {
  if (uploads.some((one) => !one.trouble)) event.preventDefault();
});
