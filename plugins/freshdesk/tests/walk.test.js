import assert from "node:assert/strict";
import { test } from "node:test";

import { Harness } from "../../sdk-js/testing.js";
import { freshdesk } from "../connector.js";
import { Mini, dice, landed, tooLarge } from "./mini.js";

const DAY = 86_400;

/**
 * @param {Mini} mini
 * @param {object} [config]
 */
const over = (mini, config) => new Harness(freshdesk, { http: mini.http, config: { domain: "acme", ...config } });

test("contacts are read once and then by what changed, deletes included", async () => {
  const mini = new Mini();
  const contacts = mini.addMany("contacts", 230, (k) => ({ stamp: mini.now - 90 * DAY + k }));
  const harness = over(mini);
  const first = await harness.readAll("contacts");
  assert.deepEqual(landed(first.interactions), mini.truth("contacts"));

  mini.now += 3600;
  mini.change(contacts[5]);
  mini.change(contacts[6], { deleted: true });
  mini.http.requests.length = 0;
  const second = await harness.readAll("contacts", first.cursor);
  assert.deepEqual(second.interactions.map(({ id, state }) => [id, state.tag]), [[String(contacts[5].id), "present"], [String(contacts[6].id), "deleted"]]);
  assert.equal(mini.http.requests.length, 2, "one page of each list: no way back");
});

test("a contact that changes while others are read is met by the next run", async () => {
  const mini = new Mini();
  const contacts = mini.addMany("contacts", 30, () => ({ stamp: mini.now - DAY }));
  const harness = over(mini, { page_size: 10 });
  let call = 0;
  mini.before = () => {
    mini.now += 30;
    if (++call === 3) mini.change(contacts[0], { extra: ',"n":1' });
  };
  const first = await harness.readAll("contacts");
  mini.before = () => {};
  mini.now += 3600;
  const second = await harness.readAll("contacts", first.cursor);
  assert.deepEqual(landed([...first.interactions, ...second.interactions]), mini.truth("contacts"));
});

test("rows that leave while a list is walked hide no other row", async () => {
  for (const kind of ["contacts", "companies", "agents"]) {
    for (let seed = 1; seed <= 40; seed++) {
      const mini = new Mini();
      const roll = dice(seed);
      const things = mini.addMany(kind, 55, (k) => ({ stamp: mini.now - DAY, name: `n${1000 + k}` }));
      const gone = new Set();
      mini.before = () => {
        const thing = things[roll(things.length)];
        if (roll(2) === 0 || gone.has(thing)) return;
        gone.add(thing);
        if (kind === "contacts") mini.change(thing, { deleted: true });
        else mini.purge(kind, thing);
      };
      const { landed: read } = await over(mini, { page_size: 6 }).readAll(kind);
      for (const thing of things) assert.ok(gone.has(thing) || read.has(String(thing.id)), `${kind} ${seed}`);
    }
  }
});

test("companies and agents are read as a whole in every run", async () => {
  const mini = new Mini();
  mini.addMany("companies", 130);
  mini.addMany("agents", 3);
  const harness = over(mini);
  for (const [kind, requests] of /** @type {[string, number][]} */ ([["companies", 3], ["agents", 1]])) {
    const first = await harness.readAll(kind);
    mini.http.requests.length = 0;
    const second = await harness.readAll(kind, first.cursor);
    assert.deepEqual(landed(second.interactions), mini.truth(kind));
    assert.equal(second.cursor, first.cursor);
    assert.equal(mini.http.requests.length, requests, "two pages forward and one back, or one");
  }
});

test("the page size is kept over a walk", async () => {
  const mini = new Mini();
  mini.addMany("companies", 95);
  let cursor;
  const all = [];
  for (let k = 0; ; k++) {
    const page = await new Harness(freshdesk, { http: mini.http, config: { domain: "acme" }, pageSize: k % 2 ? 30 : 20 }).fetch("companies", cursor);
    all.push(...page.interactions);
    cursor = page.cursor;
    if (!page.more) break;
  }
  assert.deepEqual(landed(all), mini.truth("companies"));
});

test("a list with a page that is larger than the host takes is begun anew with smaller ones", async () => {
  for (const kind of ["contacts", "companies", "agents"]) {
    const mini = new Mini();
    mini.addMany(kind, 150, (k) => ({ name: `n${1000 + k}` }));
    mini.addMany(kind, 150, (k) => ({ name: `n${2000 + k}`, extra: `,"note":"${"x".repeat(100_000)}"`, deleted: kind === "contacts" && k % 2 === 0 }));
    const reading = await over(mini).readAll(kind);
    assert.deepEqual(landed(reading.interactions), mini.truth(kind));
  }
});

test("pages that are too large hide no row, on the way back neither", async () => {
  for (const kind of ["contacts", "companies"]) {
    for (let seed = 1; seed <= 40; seed++) {
      const mini = new Mini();
      const roll = dice(seed);
      const things = mini.addMany(kind, 90, (k) => ({ stamp: mini.now - DAY, name: `n${1000 + k}`, deleted: kind === "contacts" && k % 3 === 0 }));
      const gone = new Set();
      mini.before = () => {
        const thing = things[roll(things.length)];
        if (roll(2) === 0 || gone.has(thing)) return;
        gone.add(thing);
        if (kind === "contacts") mini.change(thing, { deleted: true });
        else mini.purge(kind, thing);
      };
      tooLarge(mini, ({ page, size }) => size > 2 && page > 1 && roll(6) === 0);
      const { landed: read } = await over(mini, { page_size: 8 + roll(30) }).readAll(kind);
      for (const thing of things) assert.ok(gone.has(thing) || read.has(String(thing.id)), `${kind} ${seed}`);
    }
  }
});
