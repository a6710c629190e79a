/** Words while one records, from the service's live route. The recording does without them. */

import { socket } from "../api.js";
import { element, h } from "../dom.js";
import { chosenOptions } from "./options.js";

const PATH = "v1/realtime?intent=transcription";
const TEXT = "conversation.item.input_audio_transcription";
const PARTIAL = "item.input_audio_transcription.partial";
const MOST_UNSENT = 2 ** 20;
const LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** What is heard of one source, in a box of the page, until `end`. */
export class Captions {
  /** @param {AudioContext} context @param {AudioNode} source */
  constructor(context, source) {
    this.box = element("captions", HTMLElement);
    this.box.replaceChildren();
    this.box.hidden = true;
    /** @type {Map<string, { said: HTMLElement, open: HTMLElement }>} by item */
    this.lines = new Map();
    this.ended = false;
    /** @type {WebSocket | null} */
    this.socket = null;
    void this.#begin(context, source).catch(({ message }) => this.#giveUp(message));
  }

  end() {
    this.ended = true;
    this.socket?.close();
    this.box.hidden = true;
    this.box.replaceChildren();
  }

  /** @param {AudioContext} context @param {AudioNode} source */
  async #begin(context, source) {
    await context.audioWorklet.addModule(new URL("./pcm.js", import.meta.url));
    if (this.ended) return;
    const live = (this.socket = socket(PATH));
    live.onopen = () => {
      this.#configure(context.sampleRate);
      const pieces = new AudioWorkletNode(context, "pcm", { numberOfOutputs: 0, channelCount: 1, channelCountMode: "explicit" });
      pieces.port.onmessage = ({ data }) => this.#send(data);
      source.connect(pieces);
    };
    live.onmessage = ({ data }) => this.#take(JSON.parse(data));
    // Why a socket was not opened a page is not told.
    live.onclose = ({ reason }) =>
      this.#giveUp(reason || "the service ended them, or lets no live session through with this key.");
  }

  /** @param {number} rate */
  #configure(rate) {
    const options = chosenOptions();
    const given = ["language", "prompt"].flatMap((name) => (options.has(name) ? [[name, options.get(name)]] : []));
    const input = { format: { type: "audio/pcm", rate }, transcription: Object.fromEntries(given) };
    const session = { type: "transcription", audio: { input }, include: [PARTIAL] };
    this.socket?.send(JSON.stringify({ type: "session.update", session }));
  }

  /** @param {Int16Array} samples */
  #send(samples) {
    const { socket: live } = this;
    if (live?.readyState !== WebSocket.OPEN) return;
    if (live.bufferedAmount > MOST_UNSENT) {
      this.#giveUp("the connection is too slow for them.");
      return;
    }
    const view = new DataView(samples.buffer);
    if (!LITTLE_ENDIAN) samples.forEach((sample, index) => view.setInt16(2 * index, sample, true));
    const audio = btoa(String.fromCharCode(...new Uint8Array(samples.buffer)));
    live.send(JSON.stringify({ type: "input_audio_buffer.append", audio }));
  }

  /** @param {{ type: string, [field: string]: any }} event */
  #take({ type, item_id: item, ...event }) {
    if (type === "error") this.#giveUp(event.error.message);
    else if (type === `${TEXT}.delta`) this.#say(item, event.delta, "");
    else if (type === `${TEXT}.partial`) this.#say(item, "", event.partial);
    else if (type === `${TEXT}.completed`) this.#say(item, "", "");
    else if (type === `${TEXT}.failed`) this.#say(item, " […]", "");
  }

  /** @param {string} item @param {string} more @param {string} open what may still change */
  #say(item, more, open) {
    let line = this.lines.get(item);
    if (!line) {
      if (!more && !open) return;
      line = { said: h("span"), open: h("span", { class: "muted" }) };
      this.lines.set(item, line);
      this.box.append(h("p", { dir: "auto" }, line.said, line.open));
    }
    line.said.append(more);
    line.open.textContent = open;
    this.box.hidden = false;
    this.box.scrollTop = this.box.scrollHeight;
  }

  /** @param {string} why */
  #giveUp(why) {
    if (this.ended) return;
    this.ended = true;
    this.socket?.close();
    this.box.append(h("p", { class: "muted" }, `No more words while you speak: ${why} The recording goes on.`));
    this.box.hidden = false;
    this.box.scrollTop = this.box.scrollHeight;
  }
}
