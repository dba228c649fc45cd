/**
 * Lists without an order: contacts that changed, all companies, all agents.
 *
 * Nothing says where in such a list a row is, and pages have numbers only: when a row leaves (it was deleted or merged),
 * all behind it slide to the left, and the one that slides over a page's edge is on no page that is still to come. So the
 * pages are read forward to find the last one, and then **backward**: what slides to the left then slides to where the
 * walk has yet to go. A list of one page costs one request.
 *
 * The next walk begins where this one **began**, by Freshdesk's clock when it answered the first page, less the overlap:
 * what changed meanwhile is met again. Deleted contacts have a list of their own, walked after the other, so that a
 * contact which is deleted in between ends deleted.
 *
 * A page that is more than the host takes lets the list begin anew with a quarter of the rows, since pages of another size
 * are other pages. For the rest of the run they stay that small.
 *
 * @module
 */

import { Other, decodeCursor, done, encodeCursor, more } from "../../sdk-js/syncline.js";
import { fewer, filterTime, list as readList, pageSize } from "./api.js";
import { toRecord } from "./record.js";

const VERSION = 1;

/**
 * @typedef {object} Position
 * @property {number} since where this walk begins; 0 for everything
 * @property {number} [next] where the next walk begins; set by the first page, then frozen
 * @property {"live" | "deleted"} list
 * @property {number} page from 1
 * @property {boolean} back whether the walk is on its way back
 * @property {number} size rows in a page: another size would make other pages
 * @property {string} [request] what Freshdesk called the request that led here
 */

/** @param {any} at */
const isPosition = ({ since, next, list, page, back, size, request }) =>
  (request === undefined || typeof request === "string") &&
  Number.isInteger(since) && (next === undefined || Number.isInteger(next)) && ["live", "deleted"].includes(list) &&
  Number.isInteger(page) && page > 0 && typeof back === "boolean" && Number.isInteger(size);

/**
 * Reads one page.
 *
 * @param {import("../../sdk-js/syncline.js").Context} ctx
 * @param {"contacts" | "companies" | "agents"} object
 * @param {string | undefined} cursor
 */
export function fetchWalk(ctx, object, cursor) {
  const contacts = object === "contacts";
  /** @type {Position} */
  const at = cursor === undefined ? start(0) : decodeCursor(VERSION, cursor, isPosition);
  const size = at.size || pageSize(ctx);
  // The filter of contacts has an underscore in front; without it, it is ignored.
  const query = contacts ? { _updated_since: filterTime(at.since), state: at.list === "deleted" ? "deleted" : undefined } : {};
  let answer;
  try {
    answer = readList(ctx, object, query, at.page, size, at.request);
  } catch (error) {
    return more([], write({ ...at, page: 1, back: false, size: fewer(error, size) }));
  }
  if (answer === undefined) throw new Other("too-many-pages", `Freshdesk refuses page ${at.page} of ${object}`);

  const records = answer.rows.map((row) => toRecord(row, at.list));
  const on = { ...at, size, request: answer.request, next: at.next ?? Math.max(0, answer.now - (ctx.config.overlap_seconds ?? 120)) };
  if (!at.back && answer.next) return more(records, write({ ...on, page: at.page + 1 }));
  if (at.page > 1) return more(records, write({ ...on, page: at.page - 1, back: true }));
  if (contacts && at.list === "live") return more(records, write({ ...on, list: "deleted", back: false }));
  return done(records, write(start(contacts ? on.next : 0)));
}

/** @param {Position} at */
const write = (at) => encodeCursor(VERSION, at);

/**
 * @param {number} since
 * @returns {Position}
 */
const start = (since) => ({ since, list: "live", page: 1, back: false, size: 0 });
