// What the API answers, as far as the page reads it, and what the page makes of it.

export interface Progress {
  loaded: number;
  recognized: number;
  duration: number | null;
}

export interface Quality {
  transcribed: number;
  silent: number;
  decoded_again: number;
  failed: number;
  notes: string[];
}

/** `id` is empty where there is no job: the recording is transcribed by the direct way. */
export interface Job {
  id: string;
  name: string;
  status: "queued" | "running" | "completed" | "failed" | "cancelled";
  created_at: number;
  progress: Progress;
  language: string | null;
  quality: Quality | null;
  options: { task: string; language: string | null; speakers: boolean };
  error: { message: string } | null;
}

export interface SpokenWord {
  word: string;
  start: number;
  end: number;
  probability?: number;
  speaker?: string | null;
}

export interface SpokenSegment {
  start: number;
  end: number;
  text: string;
  language?: string;
  speaker?: string | null;
  words?: SpokenWord[];
}

export interface TranscriptDocument {
  task: string;
  language: string;
  duration: number;
  text: string;
  words?: SpokenWord[];
  segments: SpokenSegment[];
  speakers?: { start: number; end: number; speaker: string }[];
  quality: Quality;
}

/** A word as it is shown. `spaced`: a space stands before it. `sure` is its probability; 1 for
 * what a person wrote. */
export interface Word {
  text: string;
  spaced: boolean;
  start: number;
  end: number;
  sure: number;
}

/** What one speaker says in one go. Never changed: an edit makes another one. */
export interface Paragraph {
  readonly speaker: string | null;
  readonly words: readonly Word[];
}

/** A state of the transcript; `names` is what is written for a speaker. */
export interface Draft {
  readonly paragraphs: readonly Paragraph[];
  readonly names: Readonly<Record<string, string>>;
}

/** Behind its event: its name, id and data. */
export interface JobEvent {
  event: string;
  id: string | null;
  data: any;
}

// What an audio thread has, which the DOM's types leave out.
declare global {
  const sampleRate: number;
  class AudioWorkletProcessor {
    readonly port: MessagePort;
  }
  function registerProcessor(name: string, processor: new () => AudioWorkletProcessor): void;
}
