import assert from "node:assert/strict";
import { test } from "node:test";

import { CursorExpired, Forbidden, Other, RateLimited, Unauthorized, Unavailable, Unexpected } from "../../sdk-js/syncline.js";
import { Harness, MockHttp, text } from "../../sdk-js/testing.js";
import definition from "../connector.js";
import { Birch } from "./provider.js";

const MINUTE = 60_000;
const DATE = { date: "Sun, 01 Mar 2026 10:00:00 GMT" };

/** A Birch with five people. They have one stamp: with two on a page, it spans page edges. */
function populated() {
  const provider = new Birch();
  for (let number = 1; number <= 5; number++) provider.write(`p-${number}`, `Person ${number}`);
  return provider;
}

test("the first run reads everybody and the second only what changed", async () => {
  const [provider, landed] = [populated(), new Map()];
  provider.now += 10 * MINUTE;
  const first = await provider.sync(undefined, landed);
  assert.deepEqual([first.pages, first.passComplete], [3, true]);
  assert.deepEqual(landed, provider.truth);

  provider.now += 10 * MINUTE;
  provider.write("p-4", "Changed");
  const second = await provider.sync(first.cursor, landed);
  assert.deepEqual([second.interactions.length, second.passComplete], [1, false]);
  assert.deepEqual(landed, provider.truth);
});

test("what changes behind the reader is met by the next run", async () => {
  const [provider, landed] = [populated(), new Map()];
  // Just before the second page, somebody on the first page changes and somebody on the third goes.
  provider.before = (count) => {
    if (count !== 2) return;
    provider.write("p-1", "Changed behind");
    provider.write("p-5", null);
  };
  const first = await provider.sync(undefined, landed);
  assert.equal(landed.get("p-1"), "Person 1");
  await provider.sync(first.cursor, landed);
  assert.deepEqual(landed, provider.truth);
});

test("a change that the index shows late is not lost", async () => {
  const [provider, landed] = [populated(), new Map()];
  provider.now += MINUTE;
  provider.lag = 30_000;
  provider.write("p-2", "Late");
  provider.write("p-6", "Late and new");
  const first = await provider.sync(undefined, landed);
  assert.deepEqual([landed.get("p-2"), landed.has("p-6")], ["Person 2", false]);
  provider.now += MINUTE;
  await provider.sync(first.cursor, landed);
  assert.deepEqual(landed, provider.truth);
});

test("a deleted person becomes a tombstone", async () => {
  const [provider, landed] = [populated(), new Map()];
  const first = await provider.sync(undefined, landed);
  provider.write("p-3", null);
  const second = await provider.sync(first.cursor, landed);
  assert.equal(second.landed.get("p-3")?.state.tag, "deleted");
  assert.deepEqual(landed, provider.truth);
});

test("every page continues from its cursor alone", async () => {
  const provider = populated();
  const ids = [];
  for (let cursor, more = true; more; ) {
    // A new harness for every page, as the host takes a new instance.
    const page = await provider.harness().fetch("people", cursor);
    ids.push(...page.interactions.map(({ id }) => id));
    ({ cursor, more } = page);
  }
  assert.deepEqual(ids, ["p-1", "p-2", "p-3", "p-4", "p-5"]);
});

test("a forgotten page begins the pass again and keeps where it began", async () => {
  const [provider, landed] = [populated(), new Map()];
  const first = await provider.sync(undefined, landed);
  const page = await provider.harness().fetch("people", first.cursor);
  provider.instead = text(410, "gone");
  const refusal = await provider.harness().fetch("people", page.cursor).catch((error) => error);
  assert.ok(refusal instanceof CursorExpired);
  provider.http.requests.length = 0;
  await provider.sync(/** @type {string} */ (refusal.val), landed);
  const { searchParams } = new URL(provider.http.requests[0].url);
  assert.deepEqual([searchParams.get("updated_since"), searchParams.get("after")], ["2026-03-01T09:59:00.000Z", null]);
});

test("a cursor of another version or shape is expired", async () => {
  for (const foreign of ["", "nonsense", '{"v":2,"since":1}', '{"v":1,"since":"x"}']) {
    await assert.rejects(populated().harness().fetch("people", foreign), CursorExpired, foreign);
  }
});

test("refusals are errors of their class", async () => {
  const cases = /** @type {[import("../../sdk-js/testing.js").HttpResponse, any][]} */ ([
    [text(401, "no"), Unauthorized],
    [text(403, "no"), Forbidden],
    [text(429, "no"), RateLimited],
    [text(503, "no"), Unavailable],
    // Answers that are none: HTML, no `next`, no list, a person without an id, no clock.
    [text(200, "<html>", DATE), Unexpected],
    [text(200, '{"people":[]}', DATE), Unexpected],
    [text(200, '{"next":null}', DATE), Unexpected],
    [text(200, '{"people":[{"name":"x"}],"next":null}', DATE), Unexpected],
    [text(200, '{"people":[],"next":null}'), Unexpected],
  ]);
  for (const [answer, expected] of cases) {
    const http = new MockHttp(() => answer);
    await assert.rejects(new Harness(definition, { http }).fetch("people"), expected);
  }
  const later = new MockHttp(() => text(429, "no", { "retry-after": "7" }));
  await assert.rejects(new Harness(definition, { http: later }).fetch("people"), { val: 7 });
});

test("a page that names itself as the next one is refused", async () => {
  const provider = populated();
  const page = await provider.harness().fetch("people");
  provider.instead = text(200, '{"people":[],"next":"after:p-2"}');
  await assert.rejects(provider.harness().fetch("people", page.cursor), Unexpected);
});

test("records pass through digit for digit", async () => {
  const person = '{"id":"p-1","n":9007199254740993,"price":1.10,"name":"Zo\\u00eb"}';
  const http = new MockHttp(() => text(200, `{"people":[${person}],"next":null}`, DATE));
  const reading = await new Harness(definition, { http }).readAll("people");
  assert.equal(reading.interactions[0].data, person);
});

test("check asks who the token is for", async () => {
  const provider = populated();
  await provider.harness().check();
  provider.instead = text(401, "no");
  await assert.rejects(provider.harness().check(), Unauthorized);
});

test("an object that does not exist is told", async () => {
  await assert.rejects(populated().harness().fetch("pigeons"), Other);
});
