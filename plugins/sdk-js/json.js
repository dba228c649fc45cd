/**
 * JSON without a change: records as the text they came as.
 *
 * `JSON.parse` makes every number a double, so `JSON.stringify` of what it gave can write other digits than the
 * provider did: 9007199254740993 comes back as ...992, and 1.10 as 1.1. What is here cuts records out of the text.
 *
 * The text must be JSON; parse it first, which the engine does fast. Then only its outline is walked here, from string
 * to string.
 *
 * @module
 */

import { Unexpected } from "./errors.js";

const BACKSLASH = 92;
// What contains no bracket: text between strings, and strings without escapes. No repetition is without an end, so that
// no text makes it slow, deep or large; what is longer is taken in steps, or by `stringEnd`.
const FLAT = /(?:[^"{}[\]]{1,1024}|"[^"\\]{0,1024}"){1,64}/y;
const SCALAR = /[^,\]}\s]*/y;
const SPACE = /\s*/y;

/**
 * The elements of a JSON array, each as the text it came as.
 *
 * @param {string} text
 * @returns {string[]}
 */
export function rawElements(text) {
  const elements = [];
  let at = open(text, "[");
  while (text[at] !== "]") {
    const end = valueEnd(text, at);
    elements.push(text.slice(at, end));
    at = next(text, end);
  }
  return elements;
}

/**
 * The text of a member of a JSON object; undefined if it has none of that name. Of several the last counts, as with
 * `JSON.parse`.
 *
 * @param {string} text
 * @param {string} name
 * @returns {string | undefined}
 */
export function rawMember(text, name) {
  let found;
  let at = open(text, "{");
  while (text[at] !== "}") {
    const keyEnd = stringEnd(text, at);
    const colon = skip(SPACE, text, keyEnd);
    const start = skip(SPACE, text, colon + 1);
    const end = valueEnd(text, start);
    if (JSON.parse(text.slice(at, keyEnd)) === name) found = text.slice(start, end);
    at = next(text, end);
  }
  return found;
}

/**
 * A member of a record as an id: a string as it is, a number with the digits it came with. Undefined for anything else.
 *
 * @param {{value: any, raw: string}} record
 * @param {string} [name]
 * @returns {string | undefined}
 */
export function idOf({ value, raw }, name = "id") {
  const id = value?.[name];
  if (typeof id === "number") return Number.isSafeInteger(id) ? String(id) : rawMember(raw, name);
  return typeof id === "string" ? id : undefined;
}

/**
 * Where the first element of an array or an object begins, or its end.
 *
 * @param {string} text
 * @param {string} bracket
 */
function open(text, bracket) {
  const at = skip(SPACE, text, 0);
  if (text[at] !== bracket) throw new Unexpected(`${bracket === "[" ? "a list" : "an object"} was expected: ${text.slice(0, 40)}`);
  return skip(SPACE, text, at + 1);
}

/**
 * Where the next element begins after one that ended here, or the closing bracket.
 *
 * @param {string} text
 * @param {number} end
 */
function next(text, end) {
  const at = skip(SPACE, text, end);
  if (at >= text.length) throw cutOff();
  return text[at] === "," ? skip(SPACE, text, at + 1) : at;
}

/**
 * @param {string} text
 * @param {number} at where a value begins
 */
function valueEnd(text, at) {
  switch (text[at]) {
    case '"':
      return stringEnd(text, at);
    case "{":
    case "[":
      return containerEnd(text, at);
    default: {
      const end = skip(SCALAR, text, at);
      if (end === at) throw cutOff();
      return end;
    }
  }
}

/**
 * @param {string} text
 * @param {number} at an opening bracket
 */
function containerEnd(text, at) {
  for (let depth = 0; at < text.length; ) {
    const c = text[at];
    if (c === "{" || c === "[") {
      depth++;
      at++;
    } else if (c === "}" || c === "]") {
      at++;
      if (--depth === 0) return at;
    } else {
      const end = skip(FLAT, text, at);
      at = end > at ? end : stringEnd(text, at); // a string with escapes
    }
  }
  throw cutOff();
}

/**
 * @param {string} text
 * @param {number} at the opening quote
 */
function stringEnd(text, at) {
  for (let end = at; ; ) {
    end = text.indexOf('"', end + 1);
    if (end < 0) throw cutOff();
    let before = end;
    while (text.charCodeAt(before - 1) === BACKSLASH) before--;
    if ((end - before) % 2 === 0) return end + 1;
  }
}

/**
 * Where a sticky expression that begins here ends.
 *
 * @param {RegExp} expression
 * @param {string} text
 * @param {number} at
 */
function skip(expression, text, at) {
  expression.lastIndex = at;
  return expression.test(text) ? expression.lastIndex : at;
}

const cutOff = () => new Unexpected("the JSON text is cut off");
