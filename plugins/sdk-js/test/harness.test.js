import assert from "node:assert/strict";
import { test } from "node:test";
import { Worker } from "node:worker_threads";

import { CursorExpired, auth, decodeCursor, deleted, done, encodeCursor, full, incremental, manifest, merged, more, present, wait } from "../syncline.js";
import { Harness } from "../testing.js";
import { SocketHttp } from "../sockets.js";

/**
 * A connector that gives these pages, one after the other.
 *
 * @param {import("../page.js").Page[]} pages
 */
const giving = (...pages) => ({
  describe: () => manifest({ name: "x", version: "0.1.0", title: "X", auth: [auth.bearer("token")], hosts: ["x.example"] }),
  check() {},
  discover: () => [],
  fetch: () => /** @type {import("../page.js").Page} */ (pages.shift()),
});

test("a run is read to its end and landed by the last state of each record", async () => {
  const harness = new Harness(giving(more([present("1", "{}"), present("2", "{}")], "a"), wait("a", 5), done([deleted("1"), merged("3", "2")], "b", { passComplete: true })));
  /** @type {number[]} */
  const waits = [];
  harness.wait = (seconds) => void waits.push(seconds);
  const reading = await harness.readAll("x");
  assert.deepEqual([reading.pages, reading.cursor, reading.passComplete, reading.waited], [3, "b", true, 5]);
  assert.deepEqual(waits, [5]);
  assert.deepEqual([...reading.landed.values()].map(({ state }) => state.tag), ["deleted", "present", "merged-into"]);
});

test("a page that the host would refuse fails the test", async () => {
  const refused = [
    done([present("", "{}")], "c"),
    done([present("1\0", "{}")], "c"),
    done([present("1", "[]")], "c"),
    done([present("1", "")], "c"),
    done([present("1", '{"a":')], "c"),
    done([present("é".repeat(257), "{}")], "c"),
    done([], ""),
    done([], "c".repeat(16_385)),
    done(Array.from({ length: 1001 }, (_, k) => present(String(k), "{}")), "c"),
    { ...wait("c", 1), interactions: [present("1", "{}")] },
    { ...wait("c", 1), more: false },
  ];
  for (const page of refused) await assert.rejects(new Harness(giving(page)).fetch("x"), /the host would refuse/, JSON.stringify(page).slice(0, 80));
});

test("a cursor that comes back fails the test", async () => {
  await assert.rejects(new Harness(giving(more([], "a"), more([], "b"), more([], "a"))).readAll("x"), /a cursor came back/);
});

test("a cursor is read by the version that wrote it and by no other", () => {
  const text = encodeCursor(2, { since: 5, page: 1 });
  assert.equal(text, '{"v":2,"since":5,"page":1}');
  assert.deepEqual(decodeCursor(2, text), { since: 5, page: 1 });
  for (const bad of [encodeCursor(1, {}), "", "null", "7", "{", "{}"]) assert.throws(() => decodeCursor(2, bad), CursorExpired, bad);
  assert.throws(() => decodeCursor(2, text, ({ since }) => typeof since === "string"), CursorExpired);
});

test("manifests and objects have every field of the contract", () => {
  const oauth = auth.oauth2("o", { tokenUrl: "https://x/t" });
  assert.deepEqual(manifest({ name: "x", version: "1.0.0", title: "X", auth: [oauth], hosts: [], rate: { requests: 5, perSeconds: 1 } }), {
    name: "x", version: "1.0.0", title: "X", configSchema: '{"type":"object","additionalProperties":false}', hosts: [], attributes: [],
    auth: [{ name: "o", kind: { tag: "oauth2", val: { tokenUrl: "https://x/t", authorizeUrl: undefined, scopes: [], grants: ["refresh-token"], attributes: [] } }, hosts: [] }],
    rate: { requests: 5, perSeconds: 1, concurrency: 0 },
  });
  assert.deepEqual(incremental("a", "contact", { deletes: "tombstones", defaultInterval: 60 }), {
    name: "a", interactionType: "contact", schema: '{"type":"object"}', primaryKey: ["id"], mode: "incremental", deletes: "tombstones", defaultInterval: 60, attributes: [],
  });
  assert.equal(full("a", "user").deletes, "by-absence");
});

test("real sockets answer a connector that cannot wait", async () => {
  // The server needs a thread of its own: this one sleeps while it waits.
  const server = new Worker(`
    const { createServer } = require("node:http");
    const server = createServer((request, response) => {
      if (request.url === "/cut") return response.destroy();
      response.setHeader("x-seen", request.headers.host + " " + request.headers.authorization + " " + request.url);
      request.pipe(response);
    });
    server.listen(0, "127.0.0.1", () => require("node:worker_threads").parentPort.postMessage(server.address().port));
  `, { eval: true });
  const port = await new Promise((resolve) => server.once("message", resolve));
  const http = new SocketHttp({ origin: `http://127.0.0.1:${port}`, headers: { authorization: "Bearer t" } });
  try {
    const request = /** @type {import("../http.js").HttpRequest} */ ({ method: { tag: "post" }, headers: [], idempotent: false, attributes: [], url: "https://acme.x.example/a?b=%20" });
    const answer = http.send({ ...request, body: new Uint8Array([104, 105]) });
    assert.deepEqual([answer.status, Buffer.from(answer.body).toString()], [200, "hi"]);
    assert.deepEqual(answer.headers.find(([name]) => name === "x-seen"), ["x-seen", "acme.x.example Bearer t /a?b=%20"]);
    assert.throws(() => http.send({ ...request, url: "https://acme.x.example/cut" }), ({ payload }) => payload.tag === "unreachable");
    assert.equal(http.requests, 2);
  } finally {
    await http.close();
    await server.terminate();
  }
});
