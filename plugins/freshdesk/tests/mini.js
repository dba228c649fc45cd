/**
 * A Freshdesk in memory, with its traps: without `updated_since` only tickets that were created within 30 days, no page
 * beyond the 300th, contacts that ignore `updated_since` without its underscore, deleted and spam records in lists of
 * their own, companies in order of name.
 *
 * @module
 */

import { formatSeconds, parseTime } from "../../sdk-js/syncline.js";
import { MockHttp, failure, json } from "../../sdk-js/testing.js";

const DAY = 86_400;

/** @typedef {{id: number, stamp: number, created: number, deleted: boolean, spam: boolean, name: string, extra: string}} Thing */

export class Mini {
  constructor() {
    this.now = Date.UTC(2026, 2, 1) / 1000;
    /** @type {Record<string, Thing[]>} */
    this.things = { tickets: [], contacts: [], companies: [], agents: [] };
    this.lastId = 0;
    this.lastRequest = 0;
    /** Called before each request is answered. */
    this.before = () => {};
    this.http = new MockHttp((_, url) => this.answer(url));
  }

  /**
   * @param {string} kind
   * @param {Partial<Thing>} [facts]
   */
  add(kind, facts = {}) {
    const id = ++this.lastId;
    const thing = { id, stamp: this.now, created: facts.stamp ?? this.now, deleted: false, spam: false, name: `${kind} ${id}`, extra: "", ...facts };
    this.things[kind].push(thing);
    return thing;
  }

  /**
   * @param {string} kind
   * @param {number} count
   * @param {(k: number) => Partial<Thing>} [facts]
   */
  addMany(kind, count, facts = () => ({})) {
    return Array.from({ length: count }, (_, k) => this.add(kind, facts(k)));
  }

  /**
   * @param {Thing} thing
   * @param {Partial<Thing>} [facts]
   */
  change(thing, facts = {}) {
    Object.assign(thing, { stamp: this.now }, facts);
  }

  /**
   * @param {string} kind
   * @param {Thing} thing
   */
  purge(kind, thing) {
    this.things[kind] = this.things[kind].filter((other) => other !== thing);
  }

  /**
   * What became of every record: its data, or that it is deleted.
   *
   * @param {string} kind
   */
  truth(kind) {
    return new Map(this.things[kind].map((thing) => [String(thing.id), thing.deleted ? "deleted" : this.render(kind, thing)]));
  }

  /**
   * @param {string} kind
   * @param {Thing} thing
   */
  render(kind, { id, stamp, created, deleted, spam, name, extra }) {
    const flags = kind === "tickets" ? `,"spam":${spam}${deleted ? ',"deleted":true' : ""}` : deleted ? ',"deleted":true' : "";
    return `{"id":${id},"name":"${name}","created_at":"${formatSeconds(created * 1000)}","updated_at":"${formatSeconds(stamp * 1000)}"${flags}${extra}}`;
  }

  /** @param {URL} url */
  answer(url) {
    this.before();
    const headers = { date: new Date(this.now * 1000).toUTCString(), "x-request-id": `request-${++this.lastRequest}` };
    const name = url.pathname.replace("/api/v2/", "");
    if (name === "agents/me") return json(200, '{"id":77}', headers);
    const page = Number(url.searchParams.get("page") ?? 1);
    const size = Math.min(100, Number(url.searchParams.get("per_page") ?? 30));
    if (name === "tickets" && page > 300) {
      const errors = [{ field: "page", message: "You cannot access tickets beyond the 300th page.", code: "invalid_value" }];
      return json(400, { description: "Validation failed", errors }, headers);
    }
    const rows = this.select(name, url.searchParams);
    const body = rows.slice((page - 1) * size, page * size).map((thing) => this.render(name, thing));
    const next = new URL(url);
    next.searchParams.set("page", String(page + 1));
    const link = rows.length > page * size ? { link: `<${next}>; rel="next"` } : {};
    return json(200, `[${body.join(",")}]`, { ...headers, .../** @type {Record<string, string>} */ (link) });
  }

  /**
   * @param {string} kind
   * @param {URLSearchParams} query
   */
  select(kind, query) {
    const all = this.things[kind];
    const since = (/** @type {string} */ name) => /** @type {number} */ (parseTime(query.get(name) ?? "1970-01-01T00:00:00Z")) / 1000;
    switch (kind) {
      case "tickets": {
        const filter = query.get("filter");
        const listed = all.filter(({ deleted, spam }) => (deleted ? "deleted" : spam ? "spam" : null) === filter);
        const recent = query.has("updated_since") ? listed.filter(({ stamp }) => stamp >= since("updated_since")) : listed.filter(({ created }) => created > this.now - 30 * DAY);
        const key = query.get("order_by") === "updated_at" ? "stamp" : "created";
        const sign = query.get("order_type") === "asc" ? 1 : -1;
        return recent.sort((a, b) => sign * (a[key] - b[key] || a.id - b.id));
      }
      case "contacts":
        return all.filter(({ deleted, stamp }) => deleted === (query.get("state") === "deleted") && stamp >= since("_updated_since")).sort((a, b) => a.name.localeCompare(b.name));
      default:
        return [...all].sort((a, b) => a.name.localeCompare(b.name));
    }
  }
}

/**
 * What a destination holds after these readings: the last state of each record.
 *
 * @param {Iterable<import("../../sdk-js/syncline.js").Interaction>} interactions
 * @returns {Map<string, string>}
 */
export const landed = (interactions) => new Map([...interactions].map(({ id, state, data }) => [id, state.tag === "present" ? data : "deleted"]));

/**
 * Lets the host take no answer to these requests.
 *
 * @param {Mini} mini
 * @param {(query: {name: string, page: number, size: number}) => boolean} which
 */
export function tooLarge({ http }, which) {
  const send = http.send.bind(http);
  http.send = (request) => {
    const { pathname, searchParams } = new URL(request.url);
    const name = pathname.replace("/api/v2/", "");
    if (which({ name, page: Number(searchParams.get("page")), size: Number(searchParams.get("per_page")) })) throw failure("too-large", "16 MiB");
    return send(request);
  };
}

/** A number below `n`, the same ones in each run of a seed. */
export function dice(seed = 1) {
  return (/** @type {number} */ n) => (seed = (seed * 48_271) % 2_147_483_647) % n;
}
