/**
 * The connector over real sockets against a fake Freshdesk that changes while it is read; ends well only if what landed
 * is the fake's own truth. `tests/fakes/tests/freshdesk.rs` starts the fake and this.
 *
 *     node against-fake.js http://127.0.0.1:4001
 *
 * @module
 */

import assert from "node:assert/strict";

import { RateLimited, SynclineError } from "../../sdk-js/syncline.js";
import { SocketHttp } from "../../sdk-js/sockets.js";
import { Harness } from "../../sdk-js/testing.js";
import { freshdesk } from "../connector.js";

const OBJECTS = ["tickets", "contacts", "companies", "agents"];
const RUNS = 6;

const origin = process.argv[2];
const http = new SocketHttp({ origin, headers: { authorization: `Basic ${Buffer.from("token-a:X").toString("base64")}` } });
const harness = new Harness(freshdesk, { http, config: { domain: "a", page_size: 20 } });

/** @typedef {{records: Map<string, string>, cursor?: string}} Destination records as text; the empty text is a tombstone */

/**
 * @param {string} path
 * @param {object} [body]
 */
async function fake(path, body) {
  const init = body && { method: "POST", body: JSON.stringify(body) };
  const answer = await fetch(`${origin}/_fake/${path}`, init);
  assert.equal(answer.status, 200, await answer.clone().text());
  return answer.json();
}

/**
 * One page, asked for again after what is likely to pass.
 *
 * @param {string} object
 * @param {string | undefined} cursor
 */
async function fetchPage(object, cursor) {
  for (let left = 20; ; left--) {
    try {
      return await harness.fetch(object, cursor);
    } catch (error) {
      const passes = error instanceof SynclineError && ["rate-limited", "unavailable", "unexpected"].includes(error.tag);
      if (!passes || left === 0) throw error;
      await fake("clock", { advance_ms: error instanceof RateLimited ? (Number(error.val ?? 60) + 1) * 1000 : 1000 });
    }
  }
}

/**
 * Reads a run of an object and lands it, as the host would.
 *
 * @param {string} object
 * @param {Destination} destination
 * @param {() => Promise<void>} between called before every page
 */
async function run(object, destination, between) {
  const seen = new Set();
  for (let more = true; more; ) {
    await between();
    const page = await fetchPage(object, destination.cursor);
    for (const { id, state, data } of page.interactions) {
      destination.records.set(id, state.tag === "present" ? data : "");
      seen.add(id);
    }
    if (page.wait !== undefined) await fake("clock", { advance_ms: page.wait * 1000 });
    destination.cursor = page.cursor;
    more = page.more;
  }
  if (object !== "companies" && object !== "agents") return;
  for (const id of destination.records.keys()) if (!seen.has(id)) destination.records.set(id, "");
}

/**
 * @param {string} object
 * @param {Destination} destination
 */
async function compare(object, { records }) {
  /** @type {Record<string, any>} */
  const truth = (await fake(`truth?tenant=a&object=${object}`)).records;
  const ids = new Set([...Object.keys(truth), ...records.keys()]);
  for (const id of ids) {
    const raw = records.get(id) ?? "";
    const wanted = truth[id]?.state === "present" ? truth[id].data : undefined;
    if (wanted === undefined) {
      assert.equal(raw, "", `${object} ${id} is gone`);
      continue;
    }
    assert.notEqual(raw, "", `${object} ${id} is missing`);
    const { description, ...data } = JSON.parse(raw);
    assert.deepEqual(object === "tickets" ? data : JSON.parse(raw), wanted, `${object} ${id}`);
    if (object === "tickets") assert.ok(raw.includes(`"cf_order":${9007199254740993n + BigInt(id)}`), `${id} lost digits: ${raw}`);
  }
  return Object.values(truth).filter(({ state }) => state === "present").length;
}

/** @type {Record<string, Destination>} */
const destinations = Object.fromEntries(OBJECTS.map((object) => [object, { records: new Map() }]));
let pages = 0;
try {
  await harness.check();
  for (let round = 1; round <= RUNS; round++) {
    const rests = round === RUNS;
    if (rests) await fake("clock", { advance_ms: 600_000 });
    else await fake("faults", { inject: ["cut_body", "malformed", "empty", "html"].map((kind) => ({ kind, skip: 3, per_mille: 300 })) });
    for (const object of OBJECTS) {
      await run(object, destinations[object], async () => {
        pages += 1;
        if (rests) return;
        await fake("clock", { advance_ms: 700 });
        await fake("change", { n: 1, tenant: "a" });
        if (pages % 40 === 0) await fake("mass-update", { object: "tickets", count: 90 });
      });
    }
    await fake("faults", { clear: true });
    await fake("clock", { advance_ms: 3_600_000 });
  }
  const counts = [];
  for (const object of OBJECTS) counts.push(`${object} ${await compare(object, destinations[object])}`);
  console.log(`${counts.join(", ")}: equal to the truth after ${RUNS} runs, ${pages} pages, ${http.requests} requests`);
} finally {
  await http.close();
}
