/**
 * Rows as records.
 *
 * @module
 */

import { Unexpected, deleted, formatSeconds, present } from "../../sdk-js/syncline.js";

/**
 * What a row of a list says about its record.
 *
 * In the list of deleted records every row must say so itself: else an answer that belongs to another request would
 * delete what it lists.
 *
 * @param {import("./api.js").Row} row
 * @param {string} list `live`, `deleted` or `spam`
 */
export function toRecord({ id, stamp, value, raw }, list) {
  if (list !== "live" && value[list === "spam" ? "spam" : "deleted"] !== true) {
    throw new Unexpected(`${id} is in the list of ${list} records and does not say that it is`);
  }
  const updatedAt = stamp === undefined ? undefined : formatSeconds(stamp * 1000);
  const version = updatedAt === undefined ? undefined : value.updated_at;
  return value.deleted === true ? deleted(id, { version, updatedAt }) : present(id, raw, { version, updatedAt });
}
