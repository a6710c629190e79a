/** Asking the service: keys, errors as sentences, uploads with their progress, event streams. */

/** @import { JobEvent } from "./types.js" */

const KEY = "rayscribe.key";
const BASE = new URL(".", document.baseURI);

/** A sentence for the user; `status` is 0 where there was no answer. */
export class ApiError extends Error {
  /** @param {string} sentence @param {number} status */
  constructor(sentence, status) {
    super(sentence);
    this.status = status;
  }
}

/** Asks the user for a key, and ends once there is one. @type {(wrong: boolean) => Promise<void>} */
let askForKey = async () => {};
/** @type {Promise<void> | null} */
let asking = null;

/** @param {(wrong: boolean) => Promise<void>} ask */
export function onKeyNeeded(ask) {
  askForKey = ask;
}

export const key = {
  get: () => sessionStorage.getItem(KEY),
  /** @param {string} value */
  set: (value) => sessionStorage.setItem(KEY, value),
};

/** @param {string} path */
export const address = (path) => new URL(path, BASE);

/** The header that a key is sent in, as the bytes of its UTF-8. @returns {Record<string, string>} */
function withKey() {
  const known = key.get();
  if (known === null) return {};
  return { "x-admin-api-key": String.fromCharCode(...new TextEncoder().encode(known)) };
}

/** An audio element sends no headers: the key goes to this one address as a cookie. @param {URL} to */
export function allowPlaying(to) {
  const known = key.get();
  if (known === null) return;
  const secure = to.protocol === "https:" ? "; Secure" : "";
  document.cookie = `rayscribe-key=${encodeURIComponent(known)}; Path=${to.pathname}; SameSite=Strict${secure}`;
}

/**
 * A WebSocket of the service. Throws ApiError where the key cannot be sent there.
 * @param {string} path
 */
export function socket(path) {
  const to = address(path);
  to.protocol = to.protocol.replace("http", "ws");
  const known = key.get();
  try {
    // A browser sets no header there: the key is offered as a protocol.
    return new WebSocket(to, ["realtime", ...(known === null ? [] : [`openai-insecure-api-key.${known}`])]);
  } catch {
    throw new ApiError("the key has characters that a browser cannot send there.", 0);
  }
}

/**
 * An answer that is no error. Throws ApiError; AbortError where `init.signal` ended it.
 * @param {string} path
 * @param {RequestInit & { headers?: Record<string, string> }} [init]
 */
export async function ask(path, init = {}) {
  for (;;) {
    const sent = key.get();
    let response;
    try {
      response = await fetch(address(path), { ...init, headers: { ...withKey(), ...init.headers } });
    } catch (error) {
      throw unreachable(error);
    }
    if (response.status === 401) {
      await keyAfter(sent);
      continue;
    }
    if (!response.ok) throw sentenceOf(response.status, await response.text());
    return response;
  }
}

/**
 * What the service answers as JSON.
 * @param {string} path
 * @param {RequestInit & { headers?: Record<string, string> }} [init]
 * @returns {Promise<any>}
 */
export async function askJson(path, init) {
  return (await ask(path, init)).json();
}

/** @type {Promise<boolean> | null} */
let jobsAllowed = null;

/** Whether the key lets jobs be used, which one with the scope `transcribe` alone does not. */
export function mayUseJobs() {
  jobsAllowed ??= askJson("v1/jobs?limit=1").then(
    () => true,
    (error) => {
      if (error instanceof ApiError && error.status === 403) return false;
      jobsAllowed = null; // what is wrong will show where it is needed
      return true;
    },
  );
  return jobsAllowed;
}

/** One question for all requests that were refused. @param {string | null} sent */
async function keyAfter(sent) {
  if (key.get() !== sent) return; // another request learnt it meanwhile
  asking ??= askForKey(sent !== null).finally(() => (asking = null));
  await asking;
}

/** @param {unknown} error */
function unreachable(error) {
  if (error instanceof DOMException && error.name === "AbortError") return error;
  return new ApiError("The service cannot be reached. Check that it runs, then try again.", 0);
}

/** @param {number} status @param {string} body */
function sentenceOf(status, body) {
  let said;
  try {
    const content = JSON.parse(body);
    said = content.error?.message ?? content.detail;
  } catch {
    said = null;
  }
  const sentence = typeof said === "string" ? said : `The service answered with an error (${status}).`;
  return new ApiError(sentence, status);
}

/**
 * Send a form; `onProgress` hears which part of it has left. Throws as `ask` does.
 * @param {string} path
 * @param {FormData} form
 * @param {Record<string, string>} headers
 * @param {(part: number) => void} onProgress
 * @param {AbortSignal} signal
 * @returns {Promise<any>}
 */
export async function upload(path, form, headers, onProgress, signal) {
  await askJson("v1/models"); // a key that is missing is asked for before gigabytes are sent
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", address(path));
    for (const [name, value] of Object.entries({ ...withKey(), ...headers })) {
      request.setRequestHeader(name, value);
    }
    request.upload.onprogress = (event) => onProgress(event.total ? event.loaded / event.total : 0);
    request.onload = () => {
      if (request.status < 400) resolve(JSON.parse(request.responseText));
      else reject(sentenceOf(request.status, request.responseText));
    };
    request.onerror = () => reject(unreachable(null));
    request.onabort = () => reject(new DOMException("The upload was cancelled.", "AbortError"));
    signal.addEventListener("abort", () => request.abort(), { once: true });
    request.send(form);
  });
}

/**
 * The server-sent events of one answer. Throws as `ask` does.
 * @param {string} path
 * @param {RequestInit & { headers?: Record<string, string> }} init
 * @returns {AsyncGenerator<JobEvent>}
 */
export async function* events(path, init) {
  const response = await ask(path, init);
  if (!response.body) return;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read().catch((error) => Promise.reject(unreachable(error)));
    if (done) return;
    const parts = (text + value).split("\n\n");
    text = parts.pop() ?? "";
    for (const part of parts) {
      const event = parse(part);
      if (event) yield event;
    }
  }
}

/** @param {string} message @returns {JobEvent | null} */
function parse(message) {
  const fields = new Map(
    message.split("\n").map((line) => {
      const [name, ...rest] = line.split(": ");
      return [name, rest.join(": ")];
    }),
  );
  const data = fields.get("data");
  // A comment that keeps the connection open, or how OpenAI's streams say that they are over.
  if (data === undefined || data === "[DONE]") return null;
  return { event: fields.get("event") ?? "message", id: fields.get("id") ?? null, data: JSON.parse(data) };
}
