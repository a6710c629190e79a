/** The recording under its transcript. The browser plays it, and never decodes it as a whole. */

/** @import { Job } from "../types.js" */

import { address, allowPlaying, ask, askJson } from "../api.js";
import { clock, element, h, isWriting } from "../dom.js";
import { Waveform } from "./waveform.js";

const STEP_S = 5;
const SPEEDS = [0.75, 1, 1.25, 1.5, 2];
const bar = element("player", HTMLElement);
/** @type {Player | null} */
let open = null;

/** Plays one recording; `onTime` hears where it is, many times a second. */
export class Player {
  /** @param {HTMLAudioElement} audio @param {number} duration @param {Waveform} waveform */
  constructor(audio, duration, waveform) {
    this.audio = audio;
    this.duration = duration;
    /** @type {(seconds: number) => void} */
    this.onTime = () => {};
    const play = h("button", { type: "button", class: "play primary", aria: { label: "Play" } }, "▶");
    const time = h("span", { class: "now" });
    const speed = h(
      "select",
      { aria: { label: "Speed" } },
      ...SPEEDS.map((each) => h("option", { value: String(each), selected: each === 1 }, `${each}×`)),
    );
    const show = () => {
      time.textContent = `${clock(audio.currentTime)} / ${clock(duration)}`;
      waveform.show(audio.currentTime);
      this.onTime(audio.currentTime);
    };
    const frame = () => {
      show();
      if (!audio.paused && open === this) requestAnimationFrame(frame);
    };
    play.onclick = () => this.toggle();
    speed.onchange = () => (audio.playbackRate = Number(speed.value));
    waveform.onSeek = (seconds) => (audio.currentTime = seconds);
    audio.onplay = () => {
      play.textContent = "❚❚";
      play.setAttribute("aria-label", "Pause");
      frame();
    };
    audio.onpause = () => {
      play.textContent = "▶";
      play.setAttribute("aria-label", "Play");
    };
    audio.onseeked = show;
    audio.onerror = () => void this.#giveUp();
    bar.replaceChildren(play, waveform.box, time, speed, audio);
    bar.hidden = false;
    show();
  }

  /** Say why it does not play: the service knows where it has no recording to give. */
  async #giveUp() {
    const { src } = this.audio;
    let sentence = "This browser cannot play the recording; all else works without.";
    if (!src.startsWith("blob:")) {
      const asked = ask(src, { headers: { Range: "bytes=0-0" } });
      await asked.then(({ body }) => body?.cancel()).catch(({ message }) => (sentence = message));
    }
    if (open === this) tell(sentence);
  }

  toggle() {
    if (this.audio.paused) void this.audio.play().catch(() => {}); // `onerror` tells of it
    else this.audio.pause();
  }

  /** @param {number} seconds */
  playFrom(seconds) {
    this.audio.currentTime = seconds;
    void this.audio.play().catch(() => {});
  }

  /** @param {number} seconds */
  skip(seconds) {
    this.audio.currentTime = Math.min(this.duration, Math.max(0, this.audio.currentTime + seconds));
  }
}

/** A quiet recording is drawn as large as a loud one. @param {number[]} peaks */
function relative(peaks) {
  const loudest = peaks.reduce((most, each) => Math.max(most, each), 1);
  return peaks.map((each) => each / loudest);
}

/** @param {string} sentence */
function tell(sentence) {
  bar.replaceChildren(h("p", { class: "muted" }, sentence));
  bar.hidden = false;
}

/**
 * A player of a job's recording: of the file where this tab has it, else of what the service
 * gives: what it keeps, or what there is at the recording's address. Null where there is none.
 * @param {Job} job
 * @param {number} duration
 * @param {File | null} file
 * @param {AbortSignal} signal
 * @returns {Promise<Player | null>}
 */
export async function openPlayer(job, duration, file, signal) {
  if (!job.id && !file) {
    tell("The recording came from an address, and this key has no way to it: it cannot be played here.");
    return null;
  }
  const peaks = job.id ? await askJson(`v1/jobs/${job.id}/peaks`, { signal }).catch(() => null) : null;
  if (signal.aborted) return null;
  const audio = h("audio", { preload: "metadata", src: file ? URL.createObjectURL(file) : recordingOf(job) });
  const waveform = new Waveform(duration, peaks && relative(peaks.data));
  open = new Player(audio, duration, waveform);
  document.body.classList.add("playing");
  return open;
}

/** Where the service gives a job's recording. @param {Job} job */
function recordingOf(job) {
  const from = address(`v1/jobs/${job.id}/recording`);
  allowPlaying(from);
  return from.href;
}

export function closePlayer() {
  if (open?.audio.src.startsWith("blob:")) URL.revokeObjectURL(open.audio.src);
  open?.audio.pause();
  open = null;
  bar.hidden = true;
  bar.replaceChildren();
  document.body.classList.remove("playing");
}

document.addEventListener("keydown", (event) => {
  if (!open || isWriting(event.target) || event.ctrlKey || event.metaKey || event.altKey) return;
  const onControl = event.target instanceof Element && event.target.closest("button, a, input, select, summary");
  if (event.key === "k" || (event.key === " " && !onControl)) open.toggle();
  else if (event.key === "j") open.skip(-STEP_S);
  else if (event.key === "l") open.skip(STEP_S);
  else return;
  event.preventDefault();
});
