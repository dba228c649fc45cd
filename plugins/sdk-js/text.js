/**
 * Bytes and times as text. QuickJS has no `TextDecoder`, and engines disagree about `Date.parse`; what is here is the
 * same everywhere.
 *
 * @module
 */

/** Characters that one call of `String.fromCharCode` may take as arguments. */
const CHUNK = 8192;
// An engine runs a regular expression several times faster than a loop over characters; but QuickJS remembers every
// character of a repetition, so that one without an end takes many times the memory of the text.
const RUN = 4096;
const ASCII = new RegExp(`[\\x00-\\x7f]{0,${RUN}}`, "y");
const BEYOND = new RegExp(`[\\x80-\\xff]{0,${RUN}}`, "y");

/**
 * Bytes as text; what is not UTF-8 becomes U+FFFD.
 *
 * @param {Uint8Array} bytes
 * @returns {string}
 */
export function decodeUtf8(bytes) {
  if (typeof TextDecoder === "function") return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  return decodeLatin(latin(bytes));
}

/**
 * Bytes as text of one character each, by the engine's fastest way.
 *
 * @param {any} bytes
 * @returns {string}
 */
function latin(bytes) {
  if (typeof bytes.toBase64 === "function") return atob(bytes.toBase64());
  let text = "";
  for (let at = 0; at < bytes.length; at += CHUNK) text += String.fromCharCode.apply(null, bytes.subarray(at, at + CHUNK));
  return text;
}

/** @param {string} bytes one character each */
function decodeLatin(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; ) {
    ASCII.lastIndex = at;
    ASCII.test(bytes);
    const start = (BEYOND.lastIndex = ASCII.lastIndex);
    BEYOND.test(bytes);
    let end = BEYOND.lastIndex;
    // Where a run ended only because it was long, not in the middle of a character.
    for (let k = 0; k < 3 && end - start > 3 && (bytes.charCodeAt(end) & 0xc0) === 0x80; k++) end--;
    text += bytes.slice(at, start) + decodeBeyond(bytes.slice(start, end));
    at = end;
  }
  return text;
}

/** @param {string} bytes without a character of ASCII */
function decodeBeyond(bytes) {
  try {
    // The engine's own decoder, behind its oldest door.
    return decodeURIComponent(escape(bytes));
  } catch {
    return decodeSlowly(bytes);
  }
}

/** @param {string} bytes */
function decodeSlowly(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; ) {
    const length = sequenceLength(bytes, at);
    let code = 0xfffd;
    if (length > 0) {
      code = bytes.charCodeAt(at) & (0xff >> (length + 1));
      for (let k = 1; k < length; k++) code = (code << 6) | (bytes.charCodeAt(at + k) & 0x3f);
    }
    text += String.fromCodePoint(code);
    at += Math.max(length, 1);
  }
  return text;
}

/**
 * Length of the well-formed sequence that begins here; 0 if there is none.
 *
 * @param {string} bytes
 * @param {number} at
 */
function sequenceLength(bytes, at) {
  const first = bytes.charCodeAt(at);
  const length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  // Overlong forms, surrogates and what lies beyond U+10FFFF show in the second byte.
  const low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  for (let k = 1; k < length; k++) {
    const byte = bytes.charCodeAt(at + k); // NaN behind the end
    if (!(byte >= (k === 1 ? low : 0x80) && byte <= (k === 1 ? high : 0xbf))) return 0;
  }
  return length;
}

/**
 * Text as UTF-8; a lone surrogate becomes U+FFFD.
 *
 * @param {string} text
 * @returns {Uint8Array}
 */
export function encodeUtf8(text) {
  if (typeof TextEncoder === "function") return new TextEncoder().encode(text);
  const latin = unescape(encodeComponent(text));
  const bytes = new Uint8Array(latin.length);
  for (let at = 0; at < latin.length; at++) bytes[at] = latin.charCodeAt(at);
  return bytes;
}

/**
 * A value of a query or a form, percent-encoded: all but the unreserved characters of RFC 3986, so that no reader takes
 * any of it for syntax.
 *
 * @param {string} text
 * @returns {string}
 */
export function encodeComponent(text) {
  const whole = text.replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, "\ufffd");
  return encodeURIComponent(whole).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}

const RFC3339 = /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(?:[Zz]|([+-])(\d\d):?(\d\d)?)$/;
const HTTP_DATE = /^[A-Z][a-z]{2}, (\d\d) ([A-Z][a-z]{2}) (\d{4}) (\d\d):(\d\d):(\d\d) GMT$/;
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/**
 * An RFC 3339 time and its common relatives (`+0000`, any fraction) in milliseconds since 1970; undefined for anything
 * else.
 *
 * @param {unknown} text
 * @returns {number | undefined}
 */
export function parseTime(text) {
  const parts = typeof text === "string" ? RFC3339.exec(text.trim()) : null;
  if (!parts) return undefined;
  const [, year, month, day, hour, minute, second, fraction, sign, zoneHours, zoneMinutes] = parts;
  const zone = sign ? (sign === "-" ? -1 : 1) * (Number(zoneHours) * 60 + Number(zoneMinutes ?? 0)) : 0;
  const ms = utc(Number(year), Number(month), Number(day), Number(hour), Number(minute), Number(second));
  return ms === undefined ? undefined : ms + Number(`${fraction ?? ""}000`.slice(0, 3)) - zone * 60_000;
}

/**
 * An HTTP date in milliseconds since 1970; undefined for anything else.
 *
 * @param {unknown} text
 * @returns {number | undefined}
 */
export function parseHttpDate(text) {
  const parts = typeof text === "string" ? HTTP_DATE.exec(text.trim()) : null;
  if (!parts) return undefined;
  const [, day, month, year, hour, minute, second] = parts;
  return utc(Number(year), MONTHS.indexOf(month) + 1, Number(day), Number(hour), Number(minute), Number(second));
}

/**
 * @param {number} year
 * @param {number} month from 1
 * @param {number} day
 * @param {number} hour
 * @param {number} minute
 * @param {number} second
 */
function utc(year, month, day, hour, minute, second) {
  const ms = Date.UTC(year, month - 1, day, hour, minute, second);
  // `Date.UTC` rolls over: 30 February would be 2 March.
  const date = new Date(ms);
  const real = date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
  return real && year >= 1000 && hour < 24 && minute < 60 && second < 60 ? ms : undefined;
}

/**
 * A time as RFC 3339 with milliseconds and `Z`.
 *
 * @param {number} ms since 1970
 * @returns {string}
 */
export const formatTime = (ms) => new Date(ms).toISOString();

/**
 * A time as RFC 3339 with whole seconds and `Z`; milliseconds are cut off.
 *
 * @param {number} ms since 1970
 * @returns {string}
 */
export const formatSeconds = (ms) => `${formatTime(ms).slice(0, 19)}Z`;
