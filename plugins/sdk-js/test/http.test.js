import assert from "node:assert/strict";
import { test } from "node:test";

import * as sdk from "../syncline.js";
import { Harness, MockHttp, failure, json, text } from "../testing.js";

/**
 * A context over a handler.
 *
 * @param {(request: import("../http.js").HttpRequest, url: URL) => import("../http.js").HttpResponse} handler
 */
const contextOver = (handler) => new sdk.Context({ config: "", auth: "", attributes: [["page-size", "50"]] }, new MockHttp(handler), { emit() {} });

test("a request is what was asked for", () => {
  /** @type {any} */
  let seen;
  const ctx = contextOver((request) => {
    seen = request;
    return text(200, "");
  });
  ctx.post("https://a.example/x?k=1").query("q", "ä&b").query("n", 3).query("none", undefined).header("accept", "text/plain")
    .json({ é: 1 }).idempotent().acceptStatus(404, 410).timeoutMs(5000).send();
  assert.equal(seen.url, "https://a.example/x?k=1&q=%C3%A4%26b&n=3");
  assert.deepEqual(seen.method, { tag: "post" });
  assert.deepEqual(seen.headers, [["accept", "text/plain"], ["content-type", "application/json"]]);
  assert.equal(sdk.decodeUtf8(seen.body), '{"é":1}');
  assert.equal(seen.idempotent, true);
  assert.deepEqual(seen.attributes, [["accept-status", "404,410"], ["timeout-ms", "5000"]]);
  ctx.request("PROPFIND", "https://a.example/").send();
  assert.deepEqual(seen.method, { tag: "other", val: "PROPFIND" });
  ctx.post("https://a.example/").form({ "a b": "c=d" }).send();
  assert.equal(sdk.decodeUtf8(seen.body), "a%20b=c%3Dd");
});

test("each status is the error that the host acts on", () => {
  const thrown = (/** @type {number} */ status, headers = {}) => {
    try {
      contextOver(() => text(status, "why\n", headers)).get("https://a.example/").send().errorForStatus();
    } catch (error) {
      return /** @type {sdk.SynclineError} */ (error);
    }
    return undefined;
  };
  assert.equal(thrown(204), undefined);
  const classes = /** @type {[number, any][]} */ ([
    [401, sdk.Unauthorized], [403, sdk.Forbidden], [429, sdk.RateLimited], [408, sdk.Unavailable], [500, sdk.Unavailable],
    [503, sdk.Unavailable], [599, sdk.Unavailable], [302, sdk.Unexpected], [404, sdk.Unexpected], [418, sdk.Unexpected],
  ]);
  for (const [status, expected] of classes) assert.ok(thrown(status) instanceof expected, String(status));
  assert.equal(thrown(429)?.val, undefined);
  assert.equal(thrown(429, { "Retry-After": "34" })?.val, 34);
  assert.ok(thrown(503, { "retry-after": "5" }) instanceof sdk.RateLimited);
  const inTwoMinutes = { date: "Sun, 06 Nov 1994 08:49:37 GMT", "retry-after": "Sun, 06 Nov 1994 08:51:37 GMT" };
  assert.equal(thrown(429, inTwoMinutes)?.val, 120);
  assert.equal(thrown(429, { "retry-after": inTwoMinutes["retry-after"] })?.val, undefined, "without a clock a date says nothing");
  assert.equal(thrown(404)?.message, "unexpected: status 404: why");
});

test("each way of getting no response is the error that the host acts on", () => {
  const cases = /** @type {[string, any, string, any][]} */ ([
    ["denied", "x", "other", ["request-denied", "x"]],
    ["budget-spent", "x", "unavailable", "budget-spent: x"],
    ["unreachable", "x", "unavailable", "unreachable: x"],
    ["timeout", "x", "unavailable", "timeout: x"],
    ["truncated", "x", "unavailable", "truncated: x"],
    ["too-large", "x", "other", [sdk.TOO_LARGE, "x"]],
    ["rate-limited", 7n, "rate-limited", 7],
    ["rate-limited", null, "rate-limited", undefined],
    ["unauthorized", "x", "unauthorized", "x"],
    ["other", ["c", "m"], "other", ["c", "m"]],
  ]);
  for (const [tag, val, expected, carried] of cases) {
    for (const thrown of [failure(tag, val), { tag, val }]) {
      const send = () => contextOver(() => { throw thrown; }).get("https://a.example/").send();
      assert.throws(send, (/** @type {any} */ error) => error instanceof sdk.SynclineError && error.tag === expected && (assert.deepEqual(error.val, carried), true));
    }
  }
  assert.ok(sdk.isTooLarge(sdk.fromHttpError(failure("too-large", "x"))));
  for (const other of [sdk.fromHttpError(failure("denied", "x")), new sdk.Unexpected(sdk.TOO_LARGE), new TypeError("x"), undefined]) assert.ok(!sdk.isTooLarge(other));
  const bug = new TypeError("a bug of the fake");
  assert.throws(() => contextOver(() => { throw bug; }).get("https://a.example/").send(), bug);
});

test("records come as values to look at and as text to hand on", () => {
  const body = '{"data": {"list" : [ {"id":9007199254740993, "p":1.10} ,{"id":2}]}, "next":null}';
  const response = contextOver(() => json(200, body)).get("https://a.example/").send();
  const records = response.records("data", "list");
  assert.deepEqual(records.map(({ raw }) => raw), ['{"id":9007199254740993, "p":1.10}', '{"id":2}']);
  assert.deepEqual(records.map((record) => sdk.idOf(record)), ["9007199254740993", "2"]);
  for (const path of [[], ["data"], ["next"], ["none"], ["data", "list", "length"], ["toString"]]) {
    assert.throws(() => response.records(...path), sdk.Unexpected, path.join("."));
  }
});

test("windows are cut by the provider's clock or not at all", () => {
  const respond = (headers = {}) => contextOver(() => text(200, "", headers)).get("https://a.example/").send();
  assert.equal(respond({ date: "Sun, 01 Mar 2026 10:20:30 GMT" }).serverTimeMs(), 1_772_360_430_000);
  for (const headers of [{}, { date: "today" }]) assert.throws(() => respond(headers).serverTimeMs(), sdk.Unexpected);
});

test("a body is parsed once", () => {
  const response = contextOver(() => json(200, '{"list":[{"id":1}]}')).get("https://a.example/").send();
  assert.equal(response.json(), response.json());
  assert.equal(response.records("list")[0].value, response.json().list[0]);
  const none = contextOver(() => json(200, "null")).get("https://a.example/").send();
  assert.deepEqual([none.json(), none.json()], [null, null]);
});

test("a body that is no JSON is unexpected, and the message shows its beginning", () => {
  const response = contextOver(() => text(200, "<html>\n\u0007 maintenance")).get("https://a.example/").send();
  assert.throws(() => response.records(), /status 200: .*the body begins: <html> {3}maintenance/s);
});

test("the configuration and the host's wishes are there", () => {
  assert.equal(contextOver(() => text(200, "")).pageSize, 50);
  assert.deepEqual(contextOver(() => text(200, "")).config, {});
  const bad = () => new sdk.Context({ config: "{", auth: "", attributes: [] }, new MockHttp(() => text(200, "")), { emit() {} });
  assert.throws(bad, sdk.InvalidConfig);
  const none = new sdk.Context({ config: "{}", auth: "", attributes: [["page-size", "0"]] }, new MockHttp(() => text(200, "")), { emit() {} });
  assert.equal(none.pageSize, undefined);
});

test("a connector that uses fetch() is tested through the same fake", async () => {
  const connector = {
    describe: () => sdk.manifest({ name: "f", version: "0.1.0", title: "F", hosts: ["a.example"] }),
    async check() {},
    async discover() { return []; },
    async fetch() {
      const answer = await sdk.Response.from(await fetch("https://a.example/list?x=1", { headers: { accept: "application/json" } }));
      return sdk.done(answer.errorForStatus().records().map((record) => sdk.present(String(sdk.idOf(record)), record.raw)), "c");
    },
  };
  const http = new MockHttp((_, url) => json(200, url.pathname === "/list" ? '[{"id":1.0}]' : "[]"));
  const { fetch: real } = globalThis;
  globalThis.fetch = http.fetch;
  try {
    const reading = await new Harness(connector, { http }).readAll("a");
    assert.equal(reading.landed.get("1")?.data, '{"id":1.0}');
    assert.equal(http.requests.length, 1);
  } finally {
    globalThis.fetch = real;
  }
});
