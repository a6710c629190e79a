/** A transcript as an Office Open XML document (ECMA-376): paragraphs with speakers and times. */

/** @import { Draft } from "../types.js" */

import { clock } from "../dom.js";
import { nameOf, textOf } from "../transcript/draft.js";
import { zip } from "./zip.js";

const HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n';
const MAIN = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
const OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
const PACKAGE = "http://schemas.openxmlformats.org/package/2006";
const WORDS = "http://schemas.openxmlformats.org/wordprocessingml/2006/main";

const TYPES = `${HEAD}<Types xmlns="${PACKAGE}/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/word/document.xml" ContentType="${MAIN}.main+xml"/></Types>`;
const RELATIONS = `${HEAD}<Relationships xmlns="${PACKAGE}/relationships"><Relationship Id="r1" Type="${OFFICE}/officeDocument" Target="word/document.xml"/></Relationships>`;

/** @param {string} title @param {Draft} draft @returns {Blob} */
export function docx(title, draft) {
  const heading = `<w:p><w:pPr><w:spacing w:after="240"/></w:pPr>${run(title, '<w:b/><w:sz w:val="32"/>')}</w:p>`;
  const body = draft.paragraphs.map((paragraph) => {
    const name = nameOf(draft, paragraph.speaker);
    const at = clock(paragraph.words[0]?.start ?? 0);
    const label = run(name ? `${name}  ` : "", "<w:b/>") + run(at, '<w:color w:val="777777"/>');
    const spacing = '<w:pPr><w:keepNext/><w:spacing w:before="160" w:after="0"/></w:pPr>';
    return `<w:p>${spacing}${label}</w:p><w:p>${run(textOf(paragraph))}</w:p>`;
  });
  const document = `${HEAD}<w:document xmlns:w="${WORDS}"><w:body>${heading}${body.join("")}<w:sectPr/></w:body></w:document>`;
  const parts = { "[Content_Types].xml": TYPES, "_rels/.rels": RELATIONS, "word/document.xml": document };
  return new Blob([zip(parts)], { type: MAIN });
}

/** @param {string} text @param {string} [properties] */
function run(text, properties = "") {
  return `<w:r><w:rPr>${properties}</w:rPr><w:t xml:space="preserve">${escaped(text)}</w:t></w:r>`;
}

/** Control characters have no place in XML. @param {string} text */
function escaped(text) {
  const plain = [...text].filter((each) => each >= " " || each === "\t").join("");
  return plain.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
