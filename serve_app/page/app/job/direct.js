/** One recording by the API's direct way, for a key that may not use jobs: its answer is streamed to
 * this tab and kept nowhere else. */

/** @import { Job, Progress, SpokenSegment, TranscriptDocument } from "../types.js" */

import { ApiError, events } from "../api.js";

/** @typedef {{ name: string, file: File | null, form: FormData }} Wanted */

export const PLACE = "#/now";
/** Fields of a job's form that the direct way calls otherwise. */
const JOBS_OWN = ["words", "task"];

/** @type {Wanted | null} */
let wanted = null;

/** Go where it is transcribed. @param {Wanted} one */
export function transcribeNow({ name, file, form }) {
  wanted = { name, file, form };
  location.hash = PLACE;
}

/** What is to be transcribed, once: a page that was loaded again has nothing. */
export function takeWanted() {
  const one = wanted;
  wanted = null;
  return one;
}

/** As the views know jobs; without an id, since there is none. @param {Wanted} one @returns {Job} */
export function asJob({ name, form }) {
  return {
    id: "",
    name,
    status: "running",
    created_at: Date.now() / 1000,
    progress: { loaded: 0, recognized: 0, duration: null },
    language: null,
    quality: null,
    options: {
      task: form.has("task") ? "translate" : "transcribe",
      language: /** @type {string | null} */ (form.get("language")),
      speakers: form.has("speakers"),
    },
    error: null,
  };
}

/**
 * The transcript and the code of its language. Throws ApiError.
 * @param {Wanted} one
 * @param {(segment: SpokenSegment) => void} onText
 * @param {(progress: Progress) => void} onProgress
 * @param {AbortSignal} signal
 * @returns {Promise<{ document: TranscriptDocument, language: string | null }>}
 */
export async function transcribe(one, onText, onProgress, signal) {
  const path = one.form.has("task") ? "v1/audio/translations" : "v1/audio/transcriptions";
  let at = 0;
  for await (const { data } of events(path, { method: "POST", body: formOf(one), signal })) {
    if (data.error) throw new ApiError(data.error.message, 200);
    // Words come without their times; a segment is known when all before it is recognized.
    if (data.type === "transcript.text.delta") onText({ start: at, end: Infinity, text: data.delta });
    if (data.type === "transcript.progress") {
      at = data.recognized;
      onProgress({ loaded: data.loaded, recognized: at, duration: data.total });
    }
    if (data.type === "transcript.text.done") return { document: data.output, language: data.languages[0]?.code ?? null };
  }
  throw new ApiError("The connection broke off before all was recognized; transcribe it again.", 0);
}

/** @param {Wanted} one */
function formOf({ file, form }) {
  const sent = new FormData();
  for (const [name, value] of form) if (!JOBS_OWN.includes(name)) sent.append(name, value);
  const ours = { model: "whisper-1", response_format: "verbose_json", stream: "true", progress: "true" };
  for (const [name, value] of Object.entries(ours)) sent.append(name, value);
  if (!form.has("task")) {
    for (const each of ["word", "segment"]) sent.append("timestamp_granularities[]", each);
  }
  if (file) sent.append("file", file);
  return sent;
}
