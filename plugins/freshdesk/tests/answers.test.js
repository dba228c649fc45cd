import assert from "node:assert/strict";
import { test } from "node:test";

import { CursorExpired, Forbidden, InvalidConfig, Other, RateLimited, Unauthorized, Unavailable, Unexpected, encodeCursor } from "../../sdk-js/syncline.js";
import { Harness, MockHttp, failure, json, text } from "../../sdk-js/testing.js";
import { freshdesk } from "../connector.js";

const DATE = { date: "Sun, 01 Mar 2026 00:00:00 GMT" };

/** @param {() => import("../../sdk-js/testing.js").HttpResponse} answer */
const over = (answer) => new Harness(freshdesk, { http: new MockHttp(answer), config: { domain: "acme" } });

test("the manifest and the objects are valid and always the same", async () => {
  const manifest = freshdesk.describe();
  assert.deepEqual(manifest, freshdesk.describe());
  assert.deepEqual(manifest.hosts, ["{domain}.freshdesk.com"]);
  assert.deepEqual(manifest.auth, [{ name: "api-key", kind: { tag: "basic" }, hosts: [] }]);
  JSON.parse(manifest.configSchema);
  const objects = await over(() => text(500, "")).discover();
  assert.deepEqual(objects.map(({ name, interactionType, mode, deletes }) => [name, interactionType, mode, deletes]), [
    ["tickets", "ticket", "incremental", "tombstones"],
    ["contacts", "contact", "incremental", "tombstones"],
    ["companies", "account", "full", "by-absence"],
    ["agents", "user", "full", "by-absence"],
  ]);
});

test("each refusal is the error of its class, for every object", async () => {
  const denied = '{"code":"access_denied","message":"You are not authorized to perform this action."}';
  const cases = /** @type {[() => any, any][]} */ ([
    [() => json(401, '{"code":"invalid_credentials","message":"You have to be logged in to perform this action."}'), Unauthorized],
    [() => json(403, denied), Forbidden],
    [() => text(403, "<html>suspended"), Forbidden],
    [() => text(404, ""), Unexpected],
    [() => json(400, { description: "Validation failed", errors: [{ field: "updated_since", message: "x", code: "invalid_value" }] }), Unexpected],
    [() => json(400, { description: "Validation failed", errors: [{ field: "page", message: "x", code: "invalid_value" }] }), Unexpected],
    [() => text(429, "", { "retry-after": "34" }), RateLimited],
    [() => text(429, ""), RateLimited],
    [() => text(500, "<html>"), Unavailable],
    [() => text(503, ""), Unavailable],
    [() => text(302, "", { location: "https://elsewhere.example/" }), Unexpected],
    [() => text(200, "<html>maintenance", DATE), Unexpected],
    [() => text(200, "", DATE), Unexpected],
    [() => json(200, '[{"id":1', DATE), Unexpected],
    [() => json(200, "{}", DATE), Unexpected],
    [() => json(200, "[]"), Unexpected],
    [() => json(200, '[{"name":"no id"}]', DATE), Unexpected],
    [() => json(200, "[null]", DATE), Unexpected],
    [() => json(200, '[{"id":1,"updated_at":"2026-01-01T00:00:00Z"}]', { ...DATE, link: '<https://acme.freshdesk.com/api/v2/x?page=7>; rel="next"' }), Unexpected],
    [() => { throw failure("timeout", "30 s"); }, Unavailable],
    [() => { throw failure("truncated", "cut"); }, Unavailable],
  ]);
  for (const [answer, expected] of cases) {
    for (const object of ["tickets", "contacts", "companies", "agents"]) await assert.rejects(over(answer).fetch(object), expected, `${object}: ${answer}`);
  }
  await assert.rejects(over(() => text(429, "", { "retry-after": "34" })).fetch("tickets"), { val: 34 });
});

test("tickets without a stamp or out of order are refused", async () => {
  const row = (/** @type {number} */ id, /** @type {string} */ stamp) => `{"id":${id},"updated_at":${stamp}}`;
  await assert.rejects(over(() => json(200, `[${row(1, "null")}]`, DATE)).fetch("tickets"), /no updated_at/);
  const unordered = `[${row(1, '"2026-01-02T00:00:00Z"')},${row(2, '"2026-01-01T00:00:00Z"')}]`;
  await assert.rejects(over(() => json(200, unordered, DATE)).fetch("tickets"), /not in order/);
});

test("a short page that names a next one is not the end", async () => {
  const link = { link: '<https://acme.freshdesk.com/api/v2/x?per_page=100&page=2>; rel="next"' };
  const page = await over(() => json(200, '[{"id":1,"updated_at":"2026-01-01T00:00:00Z"}]', { ...DATE, ...link })).fetch("companies");
  assert.equal(page.more, true);
  const full = `[${Array.from({ length: 100 }, (_, k) => `{"id":${k}}`).join(",")}]`;
  assert.equal((await over(() => json(200, full, DATE)).fetch("companies")).more, true, "a full page without a link may have a next one");
});

test("a check proves the credentials and tells a wrong account apart", async () => {
  await over(() => json(200, '{"id":77}')).check();
  await assert.rejects(over(() => text(404, "<html>")).check(), InvalidConfig);
  await assert.rejects(over(() => text(401, "")).check(), Unauthorized);
  await assert.rejects(over(() => text(200, "<html>")).check(), Unexpected);
});

test("a cursor of another version or shape is expired, and an unknown object is said so", async () => {
  const harness = over(() => json(200, "[]", DATE));
  for (const object of ["tickets", "contacts"]) {
    for (const cursor of ["", "x", encodeCursor(99, {}), encodeCursor(1, { since: "x" }), encodeCursor(1, {})]) {
      await assert.rejects(harness.fetch(object, cursor), CursorExpired, cursor);
    }
  }
  await assert.rejects(harness.fetch("nothing"), Other);
});
