/**
 * Reading people.
 *
 * A pass lists everybody who changed since a time, page after page. The next pass begins where this one **began**, not
 * where it ended: by Birch's clock when the first page was answered, less an overlap. Nothing is lost, because
 *
 * - the list is in order of id, so neither equal stamps nor a change shift a row from one page to another;
 * - what changes while a pass runs is stamped after its first page, and is met again by the next pass;
 * - what Birch's index shows late was stamped at most 30 s before, and the next pass reaches back further than that;
 * - time is Birch's alone: the host's clock is never read.
 *
 * A person may come twice. Landing somebody twice does no harm.
 *
 * @module
 */

import { CursorExpired, Unexpected, decodeCursor, deleted, done, encodeCursor, formatTime, idOf, more, present } from "../sdk-js/syncline.js";

export const BASE = "https://api.birch.example";

/** People that Birch puts on a page at most. */
const MAX_LIMIT = 200;
/** Raise it whenever an older cursor would be misread. */
const VERSION = 1;

/**
 * Where a reading stands. Times are milliseconds of Birch's clock.
 *
 * @typedef {object} Position
 * @property {number} [since] where this pass begins; none in the first one, which reads everybody
 * @property {number} [next] where the next pass begins: set by the first page of this one and kept from then on
 * @property {string} [after] Birch's token for the page; none for the first
 */

/** @param {any} at */
const isPosition = ({ since, next, after }) =>
  [since, next].every((time) => time === undefined || Number.isInteger(time)) && (after === undefined || typeof after === "string");

/** @param {Position} at */
const write = (at) => encodeCursor(VERSION, at);

/**
 * Reads a page.
 *
 * @param {import("../sdk-js/syncline.js").Context} ctx
 * @param {string | undefined} cursor
 */
export function fetchPeople(ctx, cursor) {
  /** @type {Position} */
  const at = cursor === undefined ? {} : decodeCursor(VERSION, cursor, isPosition);
  const answer = ctx
    .get(`${BASE}/v1/people`)
    .query("limit", Math.min(MAX_LIMIT, ctx.pageSize ?? MAX_LIMIT))
    .query("updated_since", at.since === undefined ? undefined : formatTime(at.since))
    .query("after", at.after)
    .send();
  // Birch has forgotten the page: this pass again, from its first page.
  if (answer.status === 410 && at.after !== undefined) throw new CursorExpired(write({ since: at.since }));

  const records = answer.errorForStatus().records("people").map(record);
  const after = nextPage(answer, at.after);
  const next = at.next ?? answer.serverTimeMs() - (ctx.config.overlap_seconds ?? 60) * 1000;
  if (after !== null) return more(records, write({ since: at.since, next, after }));
  return done(records, write({ since: Math.max(0, next) }), { passComplete: at.since === undefined });
}

/**
 * A person as a record, with the text as it came. The deleted are told in every reading, the first one included: one that
 * begins anew because its cursor expired must still take away what is gone.
 *
 * @param {{value: any, raw: string}} person
 */
function record(person) {
  const id = idOf(person);
  if (typeof person.value?.id !== "string" || id === undefined) throw new Unexpected(`not a person: ${person.raw.slice(0, 200)}`);
  const stamp = person.value.updated_at ?? undefined;
  const details = { version: stamp, updatedAt: stamp };
  return person.value.deleted === true ? deleted(id, details) : present(id, person.raw, details);
}

/**
 * The token of the next page; null on the last one. An answer without it is not one of Birch's.
 *
 * @param {import("../sdk-js/syncline.js").Response} answer
 * @param {string | undefined} after the token of this page
 * @returns {string | null}
 */
function nextPage(answer, after) {
  const { next } = answer.json();
  if (next !== null && typeof next !== "string") throw new Unexpected("an answer that does not say which page is next");
  if (next === after) throw new Unexpected("a page that names itself as the next one");
  return next;
}
