/** In the audio thread: what a microphone hears, as 16-bit samples in pieces of a tenth of a second. */

registerProcessor(
  "pcm",
  class extends AudioWorkletProcessor {
    #piece = new Int16Array(sampleRate / 10);
    #filled = 0;

    /** @param {Float32Array[][]} inputs */
    process(inputs) {
      for (const sample of inputs[0]?.[0] ?? []) {
        this.#piece[this.#filled++] = Math.max(-1, Math.min(1, sample)) * 0x7fff;
        if (this.#filled < this.#piece.length) continue;
        this.port.postMessage(this.#piece.slice());
        this.#filled = 0;
      }
      return true;
    }
  },
);
