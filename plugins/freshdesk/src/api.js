/**
 * Freshdesk's lists: bare arrays in pages with numbers, `Link: <..>; rel="next"` on all but the last.
 *
 * @module
 */

import { Other, TOO_LARGE, Unexpected, formatSeconds, idOf, isTooLarge, parseTime } from "../../sdk-js/syncline.js";

/** Pages of a ticket list that Freshdesk gives out; the next one is refused. */
export const LAST_PAGE = 300;

/** Rows of a page at least: a page of one ticket never gets past its own second. */
const LEAST_ROWS = 2;
/** Bytes of an answer at most, where fewer rows can be asked for: a page of 8 MiB is all that the host takes. */
const MOST_BYTES = 7 << 20;

/**
 * A row of a list.
 *
 * @typedef {object} Row
 * @property {string} id
 * @property {number | undefined} stamp when it was last changed, in seconds since 1970; undefined if the row does not say
 * @property {any} value
 * @property {string} raw
 *
 * @typedef {object} Answer
 * @property {Row[]} rows
 * @property {boolean} next whether there is, or may be, another page
 * @property {number} now Freshdesk's time in seconds since 1970
 * @property {string} [request] Freshdesk's name for the request
 */

/** @param {import("../../sdk-js/syncline.js").Context} ctx */
export const base = (ctx) => `https://${ctx.config.domain}.freshdesk.com/api/v2`;

/**
 * Rows that a request should ask for.
 *
 * @param {import("../../sdk-js/syncline.js").Context} ctx
 */
export const pageSize = (ctx) => Math.max(LEAST_ROWS, Math.min(100, ctx.config.page_size ?? 100, ctx.pageSize ?? 100));

/**
 * Rows to ask for where so many were more than the host takes. Throws the error if it is another one, or if it is no use
 * to ask for fewer.
 *
 * @param {unknown} error
 * @param {number} size
 */
export function fewer(error, size) {
  if (size <= LEAST_ROWS || !isTooLarge(error)) throw error;
  return Math.max(LEAST_ROWS, size >> 2);
}

/**
 * A time for a filter.
 *
 * One second early: whether a filter includes its own second is not documented. The beginning of time is written out,
 * since without a filter Freshdesk lists only tickets that were created within the last 30 days.
 *
 * @param {number} since in seconds since 1970
 */
export const filterTime = (since) => formatSeconds(Math.max(0, since - 1) * 1000);

/**
 * Reads one page of a list; undefined where Freshdesk refuses to page so far. What is more than the host takes is an error
 * for {@link fewer}.
 *
 * An answer with the name of the request before is that one's, sent again: an empty list of live records would otherwise
 * pass for an empty list of deleted ones.
 *
 * @param {import("../../sdk-js/syncline.js").Context} ctx
 * @param {string} name
 * @param {Record<string, string | undefined>} query
 * @param {number} page from 1
 * @param {number} size
 * @param {string | undefined} before what Freshdesk called the request before
 * @returns {Answer | undefined}
 */
export function list(ctx, name, query, page, size, before) {
  const request = ctx.get(`${base(ctx)}/${name}`);
  for (const [key, value] of Object.entries(query)) request.query(key, value);
  const response = request.query("per_page", size).query("page", page).send();
  if (page > 1 && response.status === 400 && refusesPage(response)) return undefined;

  const bytes = response.errorForStatus().body.length;
  if (bytes > MOST_BYTES && size > LEAST_ROWS) throw new Other(TOO_LARGE, `${size} rows of ${name} have ${bytes} bytes`);
  const rows = response.records().map(row);
  const now = Math.floor(response.serverTimeMs() / 1000);
  const answered = response.header("x-request-id");
  if (answered !== undefined && answered === before) throw new Unexpected("the answer is the one to the request before");
  return { rows, next: linked(response, page) || rows.length >= size, now, request: answered };
}

/**
 * @param {{value: any, raw: string}} record
 * @returns {Row}
 */
function row({ value, raw }) {
  const id = idOf({ value, raw });
  if (id === undefined) throw new Unexpected(`a row without an id: ${raw.slice(0, 200)}`);
  const ms = parseTime(value.updated_at);
  return { id, stamp: ms === undefined ? undefined : Math.floor(ms / 1000), value, raw };
}

/**
 * Whether the answer names a next page, which must be ours plus one: another number says that the answer is not the one
 * to our request.
 *
 * @param {import("../../sdk-js/syncline.js").Response} response
 * @param {number} page
 */
function linked(response, page) {
  const link = response.header("link");
  const url = link?.split(",").find((part) => /;\s*rel="?next"?/.test(part));
  if (url === undefined) return false;
  const next = /[?&]page=(\d+)/.exec(url)?.[1];
  if (next !== String(page + 1)) throw new Unexpected(`page ${page} names ${next ?? "no page"} as the next one`);
  return true;
}

/** @param {import("../../sdk-js/syncline.js").Response} response */
function refusesPage(response) {
  try {
    return response.json().errors.some((/** @type {any} */ error) => error.field === "page");
  } catch {
    return false; // some other 400
  }
}
