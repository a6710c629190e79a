/** The recording as a line of bars to seek in. What is loud is told by the service. */

import { clock, h } from "../dom.js";

const BAR_PX = 3;
const GAP_PX = 1;

export class Waveform {
  /** @param {number} duration @param {readonly number[] | null} peaks from 0 to 1, evenly over the duration */
  constructor(duration, peaks) {
    this.duration = duration;
    this.peaks = peaks;
    this.at = 0;
    /** @type {(seconds: number) => void} */
    this.onSeek = () => {};
    this.canvas = h("canvas", { aria: { hidden: "true" } });
    this.slider = h("input", { type: "range", min: "0", step: "0.1", aria: { label: "Position" } });
    this.slider.max = String(duration);
    this.slider.oninput = () => this.onSeek(Number(this.slider.value));
    this.box = h("div", { class: "waveform" }, this.canvas, this.slider);
    new ResizeObserver(() => this.#draw()).observe(this.box);
    new MutationObserver(() => this.#draw()).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  }

  /** @param {number} seconds */
  show(seconds) {
    this.at = seconds;
    this.slider.value = String(seconds);
    this.slider.setAttribute("aria-valuetext", `${clock(seconds)} of ${clock(this.duration)}`);
    this.#draw();
  }

  #draw() {
    const { clientWidth: width, clientHeight: height } = this.box;
    const pen = this.canvas.getContext("2d");
    if (!pen || !width) return;
    this.canvas.width = width * devicePixelRatio;
    this.canvas.height = height * devicePixelRatio;
    pen.scale(devicePixelRatio, devicePixelRatio);
    const { color: before, borderTopColor: after } = getComputedStyle(this.canvas);
    const passed = (this.at / this.duration) * width;
    const bars = Math.floor(width / (BAR_PX + GAP_PX));
    for (let bar = 0; bar < bars; bar++) {
      const x = bar * (BAR_PX + GAP_PX);
      const tall = Math.max(2, this.#peak(bar / bars, (bar + 1) / bars) * height);
      pen.fillStyle = x < passed ? before : after;
      pen.fillRect(x, (height - tall) / 2, BAR_PX, tall);
    }
  }

  /** The loudest between two parts of the recording. @param {number} from @param {number} to */
  #peak(from, to) {
    if (!this.peaks?.length) return 0;
    const first = Math.floor(from * this.peaks.length);
    const end = Math.max(first + 1, Math.ceil(to * this.peaks.length));
    return Math.max(...this.peaks.slice(first, end));
  }
}
