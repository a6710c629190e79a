/** A zip archive of texts, stored as they are (PKWARE's APPNOTE.TXT, 4.3). */

const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
const VERSION = 20;
const UTF8_NAMES = 0x0800;
/** The first of January 1980: the same content gives the same bytes. */
const DATE = 0x0021;

/** @param {Record<string, string>} texts by path @returns {Uint8Array<ArrayBuffer>} */
export function zip(texts) {
  const encoder = new TextEncoder();
  const [files, directory] = [/** @type {Uint8Array[]} */ ([]), /** @type {Uint8Array[]} */ ([])];
  let offset = 0;
  const entries = Object.entries(texts);
  for (const [path, text] of entries) {
    const [name, content] = [encoder.encode(path), encoder.encode(text)];
    const common = [VERSION, UTF8_NAMES, 0, 0, DATE];
    const sizes = [crc32(content), content.length, content.length];
    const local = record([LOCAL], common, sizes, [name.length, 0]);
    directory.push(record([CENTRAL], [VERSION, ...common], sizes, [name.length, 0, 0, 0, 0], [0, offset]), name);
    files.push(local, name, content);
    offset += local.length + name.length + content.length;
  }
  const size = directory.reduce((sum, { length }) => sum + length, 0);
  const count = entries.length;
  return joined([...files, ...directory, record([END], [0, 0, count, count], [size, offset], [0])]);
}

/** Numbers of 4, 2, 4, 2 bytes and so on, little-endian. @param {...number[]} runs */
function record(...runs) {
  const bytes = [];
  for (const [index, run] of runs.entries()) {
    for (const number of run) {
      for (let shift = 0; shift < (index % 2 ? 16 : 32); shift += 8) bytes.push((number >>> shift) & 255);
    }
  }
  return Uint8Array.from(bytes);
}

/** @param {Uint8Array[]} parts */
function joined(parts) {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

/** @param {Uint8Array} content */
function crc32(content) {
  let value = 0xffffffff;
  for (const byte of content) value = (value >>> 8) ^ /** @type {number} */ (TABLE[(value ^ byte) & 255]);
  return (value ^ 0xffffffff) >>> 0;
}
