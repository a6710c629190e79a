/** An edited transcript as text, subtitles and data. What was not edited the service writes. */

/** @import { Draft, Paragraph, TranscriptDocument, Word } from "../types.js" */

import { nameOf, textOf } from "../transcript/draft.js";

const LINE = 42;
const LONGEST_S = 7;
const PAUSE_S = 1;
const SENTENCE_END = /[.!?…。！？]["'”’»)\]]*$/;

/** @param {Draft} draft */
export function txt(draft) {
  return draft.paragraphs.map((paragraph) => `${label(draft, paragraph)}${textOf(paragraph)}\n`).join("");
}

/** @param {Draft} draft @param {Paragraph} paragraph */
function label(draft, { speaker }) {
  return speaker === null ? "" : `${nameOf(draft, speaker)}: `;
}

/** @param {Draft} draft */
export function srt(draft) {
  return cues(draft)
    .map(({ start, end, lines }, index) => `${index + 1}\n${time(start, ",")} --> ${time(end, ",")}\n${lines}\n\n`)
    .join("");
}

/** @param {Draft} draft */
export function vtt(draft) {
  const safe = (/** @type {string} */ text) =>
    text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  const written = cues(draft).map(
    ({ start, end, lines }) => `${time(start, ".")} --> ${time(end, ".")}\n${safe(lines)}\n\n`,
  );
  return `WEBVTT\n\n${written.join("")}`;
}

/** The service's document with what was edited in it. @param {TranscriptDocument} document @param {Draft} draft */
export function json(document, draft) {
  const segments = draft.paragraphs.map((paragraph, id) => ({
    id,
    start: paragraph.words[0]?.start ?? 0,
    end: paragraph.words.at(-1)?.end ?? 0,
    text: ` ${textOf(paragraph)}`,
    ...(paragraph.speaker === null ? {} : { speaker: nameOf(draft, paragraph.speaker) }),
  }));
  const words = draft.paragraphs.flatMap(({ speaker, words }) =>
    words.map(({ text, start, end, sure }) => ({
      word: text,
      start: rounded(start),
      end: rounded(end),
      probability: sure,
      ...(speaker === null ? {} : { speaker: nameOf(draft, speaker) }),
    })),
  );
  const { task, language, duration, speakers, quality } = document;
  const text = draft.paragraphs.map(textOf).join(" ");
  const turns = speakers?.map((turn) => ({ ...turn, speaker: nameOf(draft, turn.speaker) }));
  const whole = { task, language, duration, text, words, segments, ...(turns ? { speakers: turns } : {}), quality };
  return `${JSON.stringify(whole, null, 2)}\n`;
}

/** @param {number} seconds */
const rounded = (seconds) => Math.round(seconds * 1000) / 1000;

/** @param {Draft} draft @returns {{ start: number, end: number, lines: string }[]} */
function cues(draft) {
  return draft.paragraphs.flatMap((paragraph) =>
    groups(paragraph.words).map((words, index) => ({
      start: words[0]?.start ?? 0,
      end: words.at(-1)?.end ?? 0,
      lines: inLines(`${index ? "" : label(draft, paragraph)}${textOf({ speaker: null, words })}`),
    })),
  );
}

/** Words that are read at once: two lines at most, parted at sentences and pauses. @param {readonly Word[]} words */
function groups(words) {
  /** @type {Word[][]} */
  const found = [];
  /** @type {Word[]} */
  let group = [];
  for (const word of words) {
    const last = group.at(-1);
    const long = textOf({ speaker: null, words: [...group, word] }).length > 2 * LINE - 10;
    const ends = last && (SENTENCE_END.test(last.text) || word.start - last.end > PAUSE_S);
    if (group.length && (long || ends || word.end - (group[0]?.start ?? 0) > LONGEST_S)) {
      found.push(group);
      group = [];
    }
    group.push(word);
  }
  return group.length ? [...found, group] : found;
}

/** One line, or two of about the same length. @param {string} text */
function inLines(text) {
  if (text.length <= LINE) return text;
  const spaces = [...text.matchAll(/\s/g)].map(({ index }) => index);
  const cut = spaces.sort((one, other) => Math.abs(one - text.length / 2) - Math.abs(other - text.length / 2))[0];
  return cut === undefined ? text : `${text.slice(0, cut)}\n${text.slice(cut + 1)}`;
}

/** @param {number} seconds @param {"," | "."} mark */
function time(seconds, mark) {
  const ms = Math.round(seconds * 1000);
  const parts = [Math.floor(ms / 3_600_000), Math.floor(ms / 60_000) % 60, Math.floor(ms / 1000) % 60];
  return `${parts.map((part) => String(part).padStart(2, "0")).join(":")}${mark}${String(ms % 1000).padStart(3, "0")}`;
}
