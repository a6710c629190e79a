/** Small helpers for the document. */

/**
 * The element of that id, which index.html has.
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} kind
 * @returns {T}
 */
export function element(id, kind) {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`There is no ${kind.name} #${id}.`);
  return found;
}

/**
 * A new element with properties and children; strings become text.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {{ [name: string]: any, class?: string, aria?: Record<string, string> }} [properties]
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  const { class: className, aria = {}, ...rest } = properties;
  if (className) made.className = className;
  for (const [name, value] of Object.entries(aria)) made.setAttribute(`aria-${name}`, value);
  Object.assign(made, rest);
  made.append(...children);
  return made;
}

/** Have a screen reader say it. @param {string} sentence */
export function announce(sentence) {
  element("said", HTMLElement).textContent = sentence;
}

/** 3725.4 as `1:02:05`. @param {number} seconds */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (/** @type {number} */ number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/** 580 as `9 min 40 s`. @param {number} seconds */
export function spoken(seconds) {
  const whole = Math.round(seconds);
  const parts = [[Math.floor(whole / 3600), "h"], [Math.floor(whole / 60) % 60, "min"], [whole % 60, "s"]];
  const some = parts.filter(([count]) => count).map(([count, unit]) => `${count} ${unit}`);
  return some.slice(0, 2).join(" ") || "0 s";
}

/** Whether keys that are typed are text. @param {EventTarget | null} target */
export function isWriting(target) {
  if (!(target instanceof HTMLElement)) return false;
  const box = target instanceof HTMLInputElement && !["checkbox", "range", "button"].includes(target.type);
  return box || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement;
}
