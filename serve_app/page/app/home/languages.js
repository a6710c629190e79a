/** The languages that the service knows, by Whisper's codes; a test compares them. */

const CODES =
  "af am ar as az ba be bg bn bo br bs ca cs cy da de el en es et eu fa fi fo fr gl gu ha haw he hi hr ht hu hy id is it ja jw ka kk km kn ko la lb ln lo lt lv mg mi mk ml mn mr ms mt my ne nl nn no oc pa pl ps pt ro ru sa sd si sk sl sn so sq sr su sv sw ta te tg th tk tl tr tt uk ur uz vi yi yo yue zh";

const NAMES = new Intl.DisplayNames(["en"], { type: "language" });

/** @param {string} code */
export const languageName = (code) => NAMES.of(code === "jw" ? "jv" : code) ?? code;

/** Codes with their names, in the order of these. @returns {[string, string][]} */
export function languages() {
  const named = CODES.split(" ").map((code) => /** @type {[string, string]} */ ([code, languageName(code)]));
  return named.sort(([, one], [, other]) => one.localeCompare(other));
}
