/** A transcript as paragraphs of words, and the edits to it. Nothing here touches the page. */

/** @import { Draft, Paragraph, TranscriptDocument, Word } from "../types.js" */

const PAUSE_S = 1.5;
const MANY_WORDS = 60;
const MOST_WORDS = 120;
const SENTENCE_END = /[.!?…。！？؟।]["'”’»」）)\]]*$/;

/**
 * What the service found, by paragraphs: a speaker's turn, parted at pauses and, where it is
 * long, at the end of a sentence.
 * @param {TranscriptDocument} document
 * @returns {Draft}
 */
export function draftOf(document) {
  /** @type {Paragraph[]} */
  const paragraphs = [];
  /** @type {Word[]} */
  let words = [];
  /** @type {string | null} */
  let speaker = null;
  for (const { word, by } of wordsOf(document)) {
    const last = words.at(-1);
    if (last && (by !== speaker || isBreak(words.length, last, word))) {
      paragraphs.push({ speaker, words });
      words = [];
    }
    speaker = by;
    words.push(word);
  }
  if (words.length) paragraphs.push({ speaker, words });
  return { paragraphs, names: {} };
}

/** @param {number} count @param {Word} last @param {Word} next */
function isBreak(count, last, next) {
  if (count >= MOST_WORDS) return true;
  const ends = SENTENCE_END.test(last.text);
  return (count >= MANY_WORDS && ends) || (ends && next.start - last.end > PAUSE_S);
}

/**
 * Words with the spaces that the text has before them. Where the service gave no times of words,
 * a segment's words share its time.
 * @param {TranscriptDocument} document
 * @returns {Generator<{ word: Word, by: string | null }>}
 */
function* wordsOf(document) {
  if (!document.words?.length) {
    for (const { text, start, end, speaker } of document.segments) {
      for (const word of spread(text, start, end)) yield { word, by: speaker ?? null };
    }
    return;
  }
  const whole = document.segments.map((segment) => segment.text).join("");
  let at = 0;
  for (const { word: text, start, end, probability, speaker } of document.words) {
    const found = whole.indexOf(text, at);
    const spaced = found < 0 || found === 0 || /\s/.test(whole[found - 1] ?? " ");
    if (found >= 0) at = found + text.length;
    yield { word: { text, spaced, start, end, sure: probability ?? 1 }, by: speaker ?? null };
  }
}

/** The words of a text, with equal parts of its time. @param {string} text @param {number} start @param {number} end */
function spread(text, start, end) {
  const texts = text.trim().split(/\s+/).filter(Boolean);
  const step = (end - start) / texts.length;
  return texts.map((each, index) => ({
    text: each,
    spaced: true,
    start: start + index * step,
    end: start + (index + 1) * step,
    sure: 1,
  }));
}

/** @param {Paragraph} paragraph */
export function textOf({ words }) {
  return words.map(({ text, spaced }, index) => (spaced && index ? ` ${text}` : text)).join("");
}

/** @param {Draft} draft @param {string | null} speaker */
export function nameOf(draft, speaker) {
  if (speaker === null) return "";
  const number = /^SPEAKER_(\d+)$/.exec(speaker)?.[1];
  return draft.names[speaker] ?? (number ? `Speaker ${Number(number) + 1}` : speaker);
}

/** The speakers, in the order in which they begin. @param {Draft} draft */
export function speakersOf(draft) {
  return [...new Set(draft.paragraphs.map(({ speaker }) => speaker).filter((one) => one !== null))];
}

/**
 * The draft with others in the place of a paragraph.
 * @param {Draft} draft
 * @param {Paragraph} old
 * @param {readonly Paragraph[]} others
 * @returns {Draft}
 */
export function replaced(draft, old, others) {
  return { ...draft, paragraphs: draft.paragraphs.flatMap((each) => (each === old ? others : [each])) };
}

/** Another speaker for a paragraph. @param {Draft} draft @param {Paragraph} old @param {string} speaker */
export function given(draft, old, speaker) {
  return replaced(draft, old, [{ ...old, speaker }]);
}

/** States before and after the one that is shown. */
export class History {
  /** @param {Draft} draft */
  constructor(draft) {
    this.draft = draft;
    /** @type {Draft[]} */
    this.past = [];
    /** @type {Draft[]} */
    this.future = [];
  }

  /** @param {Draft} draft */
  change(draft) {
    this.past.push(this.draft);
    this.future = [];
    this.draft = draft;
  }

  /** Whether there was something to undo. */
  undo() {
    return this.#move(this.past, this.future);
  }

  redo() {
    return this.#move(this.future, this.past);
  }

  /** @param {Draft[]} from @param {Draft[]} to */
  #move(from, to) {
    const draft = from.pop();
    if (!draft) return false;
    to.push(this.draft);
    this.draft = draft;
    return true;
  }
}
