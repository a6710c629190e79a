/** A recording from the microphone, as a file to upload. */

import { announce, clock, element } from "../dom.js";
import { Captions } from "./captions.js";

const TYPES = ["audio/webm;codecs=opus", "audio/mp4", "audio/ogg;codecs=opus"];
const LIVE_RATE = 24_000;

/**
 * Wire the buttons; `onFile` gets what was recorded, `onTrouble` a sentence.
 * @param {(file: File) => void} onFile
 * @param {(sentence: string) => void} onTrouble
 */
export function offerMicrophone(onFile, onTrouble) {
  const start = element("record", HTMLButtonElement);
  if (!navigator.mediaDevices || !window.MediaRecorder) {
    // Browsers give the microphone to pages of this machine and of https alone.
    start.disabled = true;
    start.title = "A browser records only for pages that come over https or from this machine.";
    return;
  }
  start.addEventListener("click", async () => {
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
      record(stream, onFile);
    } catch (error) {
      onTrouble(refusal(error));
    }
  });
}

/** @param {unknown} error */
function refusal(error) {
  const name = error instanceof DOMException ? error.name : "";
  if (name === "NotAllowedError") return "The browser was not allowed to use the microphone; allow it for this page.";
  if (name === "NotFoundError") return "There is no microphone; connect one.";
  return "The microphone cannot be used; another program may have it.";
}

/** @param {MediaStream} stream @param {(file: File) => void} onFile */
function record(stream, onFile) {
  const mimeType = TYPES.find((type) => MediaRecorder.isTypeSupported(type));
  const recorder = new MediaRecorder(stream, mimeType ? { mimeType } : {});
  /** @type {Blob[]} */
  const parts = [];
  const began = performance.now();
  const panel = element("recording", HTMLElement);
  const buttons = element("choose", HTMLElement).parentElement;
  const source = sourceOf(stream);
  const context = /** @type {AudioContext} */ (source.context);
  const analyser = context.createAnalyser();
  source.connect(analyser);
  const captions = new Captions(context, source);
  const samples = new Float32Array(analyser.fftSize);
  let keep = false;

  const ticking = setInterval(() => {
    element("recorded", HTMLElement).textContent = clock((performance.now() - began) / 1000);
    analyser.getFloatTimeDomainData(samples);
    element("level", HTMLMeterElement).value = Math.min(1, 2 * Math.max(...samples.map(Math.abs)));
  }, 100);
  const show = (/** @type {boolean} */ on) => {
    panel.hidden = !on;
    if (buttons) buttons.hidden = on;
  };

  recorder.ondataavailable = (event) => parts.push(event.data);
  recorder.onstop = () => {
    clearInterval(ticking);
    captions.end();
    for (const track of stream.getTracks()) track.stop();
    void context.close();
    show(false);
    element("record", HTMLButtonElement).focus();
    if (keep) onFile(new File(parts, fileName(recorder.mimeType), { type: recorder.mimeType }));
  };
  const end = (/** @type {boolean} */ kept) => {
    keep = kept;
    recorder.stop();
  };
  element("stop", HTMLButtonElement).onclick = () => end(true);
  element("discard", HTMLButtonElement).onclick = () => end(false);
  recorder.start(1000);
  show(true);
  element("stop", HTMLButtonElement).focus();
  announce("Recording");
}

/** What the stream gives, at the rate that live sessions take where the browser converts to it. @param {MediaStream} stream */
function sourceOf(stream) {
  const converted = new AudioContext({ sampleRate: LIVE_RATE });
  try {
    return converted.createMediaStreamSource(stream);
  } catch {
    void converted.close();
    return new AudioContext().createMediaStreamSource(stream);
  }
}

/** @param {string} type */
function fileName(type) {
  const ending = type.includes("mp4") ? "m4a" : type.includes("ogg") ? "ogg" : "webm";
  const now = new Date(Date.now() - new Date().getTimezoneOffset() * 60_000);
  return `Recording ${now.toISOString().slice(0, 16).replace("T", " ").replace(":", ".")}.${ending}`;
}
