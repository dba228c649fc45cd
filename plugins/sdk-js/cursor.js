/**
 * Cursors as versioned, compact JSON.
 *
 * A cursor outlives the connector that wrote it: an older host may hold one for weeks. So each carries the version of
 * its layout, and what a connector cannot read is an expired cursor, never a guess.
 *
 * @module
 */

import { CursorExpired } from "./errors.js";

/**
 * Writes a cursor: the value's own fields, and `v`.
 *
 * @param {number} version raise it whenever an older cursor would be misread
 * @param {object} value
 * @returns {string}
 */
export const encodeCursor = (version, value) => JSON.stringify({ v: version, ...value });

/**
 * Reads a cursor; an unknown version, garbage, and what `valid` does not recognise are {@link CursorExpired}.
 *
 * @template {object} T
 * @param {number} version
 * @param {string} text
 * @param {(value: any) => boolean} [valid]
 * @returns {T}
 */
export function decodeCursor(version, text, valid = () => true) {
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    throw new CursorExpired();
  }
  if (value === null || typeof value !== "object" || value.v !== version || !valid(value)) throw new CursorExpired();
  delete value.v;
  return value;
}
