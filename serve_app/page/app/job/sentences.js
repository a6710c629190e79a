/** States, progress and quality in words. */

/** @import { Job, Progress, Quality } from "../types.js" */

import { clock, spoken } from "../dom.js";

/** A job in a word or two. @param {Job} job */
export function stateOf(job) {
  switch (job.status) {
    case "queued":
      return "waits";
    case "running":
      return `working, ${Math.floor(partOf(job.progress) * 100)} %`;
    case "failed":
      return `failed: ${job.error?.message ?? "the service does not say why"}`;
    case "completed":
      return "done";
    case "cancelled":
      return "cancelled";
  }
}

/** How much of a recording is recognized, 0 where its length is not known. @param {Progress} progress */
export function partOf({ recognized, loaded, duration }) {
  const whole = duration ?? loaded;
  return whole ? Math.min(1, recognized / whole) : 0;
}

/** What happens to a job that has not ended. @param {Job} job @param {Progress} progress */
export function stageOf(job, progress) {
  const { recognized, loaded, duration } = progress;
  if (job.status === "queued" && !loaded) return "Waiting for its turn";
  if (duration === null && !recognized) return loaded ? `Reading the recording: ${clock(loaded)} so far` : "Reading the recording";
  if (duration === null) return `Recognized ${clock(recognized)} of the ${clock(loaded)} read so far`;
  if (recognized < duration) return `Recognized ${clock(recognized)} of ${clock(duration)}`;
  return job.options.speakers ? "Every word is recognized; telling the speakers apart" : "Finishing";
}

/** The account of quality in one sentence, with what the service has to say. @param {Quality} quality */
export function accountOf(quality) {
  const parts = [`${spoken(quality.transcribed)} transcribed`];
  if (quality.silent >= 0.5) parts.push(`${spoken(quality.silent)} without speech`);
  if (quality.decoded_again >= 0.5) parts.push(`${spoken(quality.decoded_again)} decoded again`);
  if (quality.failed >= 0.5) parts.push(`${spoken(quality.failed)} not recognized`);
  return [`${parts.join(", ")}.`, ...quality.notes].join(" ");
}
