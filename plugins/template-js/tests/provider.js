/**
 * A Birch in memory: a list in order of id, an index that lags, a clock of its own.
 *
 * @module
 */

import assert from "node:assert/strict";

import { formatTime, parseTime } from "../../sdk-js/syncline.js";
import { Harness, MockHttp, json, text } from "../../sdk-js/testing.js";
import definition from "../connector.js";

/** @typedef {import("../../sdk-js/testing.js").HttpResponse} HttpResponse */
/** @typedef {{name: string | null, updated: number, shown: number}} Version one state of a person, and from when on lists show it */

export class Birch {
  constructor() {
    /** Birch's clock; every request takes 100 ms of it. */
    this.now = Date.UTC(2026, 2, 1, 10);
    /** How long lists take to show a change, in milliseconds. */
    this.lag = 0;
    /** @type {HttpResponse | undefined} An answer that takes precedence over the next one. */
    this.instead = undefined;
    /** @type {(count: number) => void} Called before every answer. */
    this.before = () => {};
    this.http = new MockHttp((_, url) => this.#answer(url));
    /** @type {Map<string, Version[]>} */
    this.people = new Map();
  }

  /**
   * @param {string} id
   * @param {string | null} name null deletes
   */
  write(id, name) {
    const version = { name, updated: this.now, shown: this.now + this.lag };
    this.people.set(id, [...(this.people.get(id) ?? []), version]);
  }

  /** Who there is: id and name. */
  get truth() {
    /** @type {Map<string, string>} */
    const there = new Map();
    for (const [id, versions] of this.people) {
      const name = versions.at(-1)?.name;
      if (typeof name === "string") there.set(id, name);
    }
    return there;
  }

  /** @param {number} [pageSize] */
  harness(pageSize = 2) {
    return new Harness(definition, { http: this.http, pageSize });
  }

  /**
   * Reads a run with two people on a page and lands it.
   *
   * @param {string | undefined} cursor
   * @param {Map<string, string>} landed
   */
  async sync(cursor, landed) {
    const reading = await this.harness().readAll("people", cursor);
    for (const { id, state, data } of reading.landed.values()) {
      if (state.tag === "present") landed.set(id, JSON.parse(data).name);
      else landed.delete(id);
    }
    return reading;
  }

  /** @param {URL} url */
  #answer(url) {
    this.now += 100;
    this.before(this.http.requests.length);
    const answer = this.instead ?? this.#usual(url);
    this.instead = undefined;
    return { ...answer, headers: [...answer.headers, /** @type {[string, string]} */ (["date", new Date(this.now).toUTCString()])] };
  }

  /** @param {URL} url */
  #usual({ pathname, searchParams }) {
    if (pathname === "/v1/me") return json(200, { account: "acme" });
    return pathname === "/v1/people" ? this.#list(searchParams) : text(404, "no such path");
  }

  /** @param {URLSearchParams} query */
  #list(query) {
    const limit = Number(query.get("limit") ?? 50);
    assert.ok(limit >= 1 && limit <= 200, `Birch refuses a limit of ${limit}`);
    const since = parseTime(query.get("updated_since")) ?? 0;
    const after = query.get("after")?.replace(/^after:/, "") ?? "";
    const rows = [...this.people.keys()].sort().flatMap((id) => {
      const version = this.people.get(id)?.findLast(({ shown }) => shown <= this.now);
      if (version === undefined || version.updated < since || id <= after) return [];
      return [{ id, name: version.name, updated_at: formatTime(version.updated), deleted: version.name === null }];
    });
    const people = rows.slice(0, limit);
    return json(200, { people, next: rows.length > limit ? `after:${people.at(-1)?.id}` : null });
  }
}
