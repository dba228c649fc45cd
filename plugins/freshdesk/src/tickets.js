/**
 * Tickets in order of their last change, read from an anchor that moves on with every page.
 *
 * A page is always the **first** one of the list from `since` on, and the next `since` is the stamp of its last row: no
 * page number, so neither rows that move nor the cap of 300 pages matter. A ticket that is edited while the list is read
 * gets a later stamp and is met again.
 *
 * Two places need page numbers:
 *
 * - A **tie**: a full page that does not get past the second `since`, because so many tickets carry it. Its pages are
 *   read forward to find where the second ends, and then backward to the first: tickets that are edited meanwhile leave
 *   the second, and all behind them slide to the left, where the walk has yet to go. Then `since` moves on by one second.
 * - The last **minute**: `since` never passes Freshdesk's time less `settle_seconds`, since a second that is still running
 *   gets rows after it was read. What is newer is read by page numbers and met again by the next run.
 *
 * A page that is more than the host takes is asked for again with a quarter of the rows. Pages of another size are other
 * pages, so this begins at the anchor. Where `since` stays, the size only ever shrinks: no cursor comes twice.
 *
 * When the list of live tickets is at its end, the lists of deleted and of spam tickets are read in the same way. Each
 * keeps its own watermark, which goes back by the overlap between two runs.
 *
 * @module
 */

import { Other, Unexpected, decodeCursor, done, encodeCursor, more, wait } from "../../sdk-js/syncline.js";
import { LAST_PAGE, fewer, filterTime, list as readList, pageSize } from "./api.js";
import { toRecord } from "./record.js";

const VERSION = 1;
const LISTS = /** @type {const} */ (["live", "deleted", "spam"]);

/**
 * Times are in seconds since 1970.
 *
 * @typedef {object} Position
 * @property {number} list index of {@link LISTS}
 * @property {[number, number, number]} starts where the next reading of each list begins
 * @property {number} since everything before has been read
 * @property {"anchor" | "tie" | "back" | "minute"} way `tie`: forward over a second of many tickets; `back`: backward over it;
 *   `minute`: forward over what is too new for an anchor
 * @property {number} page from 1; always 1 on the way `anchor`
 * @property {number} size rows in a page, where pages have numbers (another size would make other pages) and where the host
 *   took no more; else 0
 * @property {string} [request] what Freshdesk called the request that led here
 */

/** @param {any} at */
const isPosition = ({ list, starts, since, way, page, size, request }) =>
  (request === undefined || typeof request === "string") &&
  list in LISTS && Array.isArray(starts) && starts.length === LISTS.length && starts.every(Number.isInteger) &&
  Number.isInteger(since) && ["anchor", "tie", "back", "minute"].includes(way) && Number.isInteger(page) && page > 0 && Number.isInteger(size);

/**
 * Reads one page.
 *
 * @param {import("../../sdk-js/syncline.js").Context} ctx
 * @param {string | undefined} cursor
 */
export function fetchTickets(ctx, cursor) {
  /** @type {Position} */
  const at = cursor === undefined ? anchor({ list: 0, starts: [0, 0, 0] }, 0) : decodeCursor(VERSION, cursor, isPosition);
  const size = at.size || pageSize(ctx);
  let answer;
  try {
    answer = at.page > LAST_PAGE ? undefined : readList(ctx, "tickets", query(ctx, at), at.page, size, at.request);
  } catch (error) {
    return more([], write({ ...anchor(at, at.since), size: fewer(error, size), request: at.request }));
  }
  if (answer === undefined) return tooDeep(at);

  const stamps = answer.rows.map(stampOf);
  if (stamps.some((stamp, k) => k > 0 && stamp < stamps[k - 1])) throw new Unexpected("the tickets are not in order of updated_at");
  const records = answer.rows.filter((_, k) => stamps[k] >= at.since).map((row) => toRecord(row, LISTS[at.list]));

  const fence = answer.now - (ctx.config.settle_seconds ?? 60);
  const to = step({ ...at, size }, { last: stamps.at(-1) ?? -Infinity, next: answer.next, fence });
  if (typeof to === "object") return more(records, write({ ...to, request: answer.request }));

  // The list is at its end, and everything before `to` has been read.
  const starts = /** @type {Position["starts"]} */ ([...at.starts]);
  starts[at.list] = Math.max(0, to - (ctx.config.overlap_seconds ?? 120));
  const list = (at.list + 1) % LISTS.length;
  const next = anchor({ list, starts }, starts[list]);
  return list === 0 ? done(records, write(next)) : more(records, write({ ...next, request: answer.request }));
}

/**
 * Where to go from here, or how far the list has been read if this was its end.
 *
 * @param {Position} at
 * @param {{last: number, next: boolean, fence: number}} seen the page's last stamp, whether there is another page, and the
 *   time that no anchor may pass
 * @returns {Position | number}
 */
function step(at, { last, next, fence }) {
  const { since, page } = at;
  switch (at.way) {
    case "anchor":
      if (!next) return Math.max(since, fence);
      if (last > fence) return { ...at, way: "minute", since: Math.max(since, fence) };
      return last > since ? anchor(at, last) : { ...at, way: "tie", page: 2 };
    case "tie":
      return next && last <= since ? { ...at, page: page + 1 } : { ...at, way: "back", page: page - 1 };
    case "back":
      if (page > 1) return { ...at, page: page - 1 };
      return since < fence ? anchor(at, since + 1) : { ...at, way: "minute" };
    case "minute":
      return next ? { ...at, page: page + 1 } : since;
  }
}

/**
 * Freshdesk gives out no page beyond the 300th.
 *
 * @param {Position} at
 */
function tooDeep(at) {
  // In a minute all of this is old enough for an anchor.
  if (at.way === "minute") return wait(write({ ...anchor(at, at.since), size: at.size }), 60);
  throw new Other("too-many-in-one-second", `more than ${LAST_PAGE} pages of tickets were last changed at ${filterTime(at.since + 1)}, and Freshdesk lists no more`);
}

/**
 * @param {import("../../sdk-js/syncline.js").Context} ctx
 * @param {Position} at
 */
function query(ctx, at) {
  const name = LISTS[at.list];
  // Nothing of a deleted ticket is kept.
  const include = name === "deleted" ? [] : (ctx.config.include ?? ["description"]);
  return {
    filter: name === "live" ? undefined : name,
    updated_since: filterTime(at.since),
    order_by: "updated_at",
    order_type: "asc",
    include: include.join(",") || undefined,
  };
}

/**
 * @param {import("./api.js").Row} row
 * @returns {number}
 */
function stampOf({ id, stamp }) {
  if (stamp === undefined) throw new Unexpected(`ticket ${id} has no updated_at`);
  return stamp;
}

/** @param {Position} at */
const write = (at) => encodeCursor(VERSION, at);

/**
 * @param {{list: number, starts: [number, number, number]}} at
 * @param {number} since
 * @returns {Position}
 */
const anchor = ({ list, starts }, since) => ({ list, starts, since, way: "anchor", page: 1, size: 0 });
