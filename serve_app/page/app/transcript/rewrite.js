/** A paragraph written anew: words that stayed keep their times. */

/** @import { Paragraph, Word } from "../types.js" */

/** @typedef {{ text: string, spaced: boolean }} Piece */

/**
 * The paragraphs that a text becomes, one a line. Words that are the paragraph's keep their times
 * and how sure the service was of them; others share the time of those in whose place they stand.
 * @param {Paragraph} paragraph
 * @param {string} text
 * @returns {Paragraph[]}
 */
export function rewritten(paragraph, text) {
  const spaceless = paragraph.words.filter(({ spaced }) => !spaced).length > paragraph.words.length / 2;
  const old = spaceless ? paragraph.words.flatMap(inCharacters) : [...paragraph.words];
  const lines = text.split(/\n+/).map(spaceless ? characters : betweenSpaces).filter((line) => line.length);
  const words = timed(old, lines.flat());
  let at = 0;
  return lines.map((line) => ({ speaker: paragraph.speaker, words: words.slice(at, (at += line.length)) }));
}

/** @param {string} line @returns {Piece[]} */
function betweenSpaces(line) {
  return line.trim().split(/\s+/).filter(Boolean).map((text) => ({ text, spaced: true }));
}

/** @param {string} line @returns {Piece[]} */
function characters(line) {
  /** @type {Piece[]} */
  const pieces = [];
  let spaced = false;
  for (const { segment } of new Intl.Segmenter().segment(line.trim())) {
    if (segment.trim()) pieces.push({ text: segment, spaced });
    spaced = !segment.trim();
  }
  return pieces;
}

/** Where no spaces part words, a character is the unit. @param {Word} word @returns {Word[]} */
function inCharacters(word) {
  const parts = characters(word.text);
  const step = (word.end - word.start) / parts.length;
  return parts.map(({ text, spaced }, index) => ({
    ...word,
    text,
    spaced: index ? spaced : word.spaced,
    start: word.start + index * step,
    end: word.start + (index + 1) * step,
  }));
}

/** @param {Word[]} old @param {Piece[]} written @returns {Word[]} */
function timed(old, written) {
  /** @type {Word[]} */
  const words = [];
  let [first, at] = [0, 0];
  const end = /** @type {[number, number]} */ ([old.length, written.length]);
  for (const [was, is] of [...common(old, written), end]) {
    words.push(...inPlaceOf(old, first, was, written.slice(at, is)));
    const kept = old[was];
    if (kept) words.push({ ...kept, spaced: written[is]?.spaced ?? kept.spaced });
    [first, at] = [was + 1, is + 1];
  }
  return words;
}

/** What was written for the old words from `first` to `end`.
 * @param {Word[]} old @param {number} first @param {number} end @param {Piece[]} pieces @returns {Word[]} */
function inPlaceOf(old, first, end, pieces) {
  const gone = old.slice(first, end);
  const from = gone[0]?.start ?? old[first - 1]?.end ?? old[0]?.start ?? 0;
  const to = gone.at(-1)?.end ?? old[end]?.start ?? from;
  const step = (to - from) / pieces.length;
  return pieces.map((piece, index) => {
    const one = gone.length === pieces.length ? gone[index] : undefined;
    const [start, stop] = one ? [one.start, one.end] : [from + index * step, from + (index + 1) * step];
    return { ...piece, start, end: stop, sure: 1 };
  });
}

/**
 * The longest common subsequence of texts, as pairs of places.
 * @param {Word[]} old
 * @param {Piece[]} written
 * @returns {[number, number][]}
 */
function common(old, written) {
  const width = written.length + 1;
  const lengths = new Uint16Array((old.length + 1) * width);
  const length = (/** @type {number} */ i, /** @type {number} */ j) => lengths[i * width + j] ?? 0;
  for (let i = old.length - 1; i >= 0; i--) {
    for (let j = written.length - 1; j >= 0; j--) {
      const same = old[i]?.text === written[j]?.text;
      lengths[i * width + j] = same ? length(i + 1, j + 1) + 1 : Math.max(length(i + 1, j), length(i, j + 1));
    }
  }
  /** @type {[number, number][]} */
  const pairs = [];
  for (let i = 0, j = 0; i < old.length && j < written.length; ) {
    if (old[i]?.text === written[j]?.text) pairs.push([i++, j++]);
    else if (length(i + 1, j) >= length(i, j + 1)) i++;
    else j++;
  }
  return pairs;
}
