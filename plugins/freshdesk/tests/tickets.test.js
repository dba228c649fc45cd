import assert from "node:assert/strict";
import { test } from "node:test";

import { Harness } from "../../sdk-js/testing.js";
import { freshdesk } from "../connector.js";
import { Mini, dice, landed, tooLarge } from "./mini.js";

const DAY = 86_400;

/**
 * A harness over a mini provider.
 *
 * @param {Mini} mini
 * @param {object} [config]
 */
const over = (mini, config) => new Harness(freshdesk, { http: mini.http, config: { domain: "acme", ...config } });

/** @param {Mini} mini */
const urls = (mini) => mini.http.requests.map(({ url }) => new URL(url));

test("the first run reads tickets of all ages, and the next one only what changed", async () => {
  const mini = new Mini();
  const tickets = mini.addMany("tickets", 250, (k) => ({ stamp: mini.now - 400 * DAY + k * DAY }));
  const harness = over(mini);
  const first = await harness.readAll("tickets");
  assert.deepEqual(landed(first.interactions), mini.truth("tickets"));

  mini.now += 3 * 3600;
  mini.change(tickets[3], { name: "changed" });
  mini.http.requests.length = 0;
  const second = await harness.readAll("tickets", first.cursor);
  assert.deepEqual(second.interactions.map(({ id }) => id), [String(tickets[3].id)]);
  assert.equal(mini.http.requests.length, 3, "one request for each list");
  assert.deepEqual(urls(mini).map((url) => url.searchParams.get("filter")), [null, "deleted", "spam"]);
});

test("nothing changed costs a request for each list, however many tickets share the last second", async () => {
  const mini = new Mini();
  mini.addMany("tickets", 450, () => ({ stamp: mini.now - DAY }));
  const harness = over(mini);
  const first = await harness.readAll("tickets");
  assert.deepEqual(landed(first.interactions), mini.truth("tickets"));
  mini.now += 3600;
  mini.http.requests.length = 0;
  const second = await harness.readAll("tickets", first.cursor);
  assert.deepEqual([second.interactions.length, mini.http.requests.length], [0, 3]);
});

test("more tickets than Freshdesk pages through are read", async () => {
  const mini = new Mini();
  mini.addMany("tickets", 700, (k) => ({ stamp: mini.now - 10 * DAY + k }));
  const harness = over(mini, { page_size: 2 });
  const reading = await harness.readAll("tickets");
  assert.equal(reading.landed.size, 700);
  assert.ok(urls(mini).every((url) => Number(url.searchParams.get("page")) <= 2));
});

test("a second with more tickets than a page is read, and left", async () => {
  const mini = new Mini();
  mini.addMany("tickets", 50, (k) => ({ stamp: mini.now - 2 * DAY + k }));
  mini.addMany("tickets", 1234, () => ({ stamp: mini.now - DAY }));
  mini.addMany("tickets", 150, (k) => ({ stamp: mini.now - DAY + 1 + k }));
  const reading = await over(mini).readAll("tickets");
  assert.deepEqual(landed(reading.interactions), mini.truth("tickets"));
});

test("a second with more tickets than Freshdesk pages through is an error and no gap", async () => {
  const mini = new Mini();
  mini.addMany("tickets", 905, () => ({ stamp: mini.now - DAY }));
  await assert.rejects(over(mini, { page_size: 3 }).readAll("tickets"), (/** @type {any} */ error) => error.val[0] === "too-many-in-one-second");
  const reading = await over(mini, { page_size: 4 }).readAll("tickets");
  assert.equal(reading.landed.size, 905);
});

test("the minute that still runs is read but no anchor passes it", async () => {
  const mini = new Mini();
  mini.addMany("tickets", 30, (k) => ({ stamp: mini.now - DAY + k }));
  mini.addMany("tickets", 500, (k) => ({ stamp: mini.now - 50 + (k % 50) }));
  const harness = over(mini);
  const first = await harness.readAll("tickets");
  assert.deepEqual(landed(first.interactions), mini.truth("tickets"));
  // A ticket of a second that had already been read.
  const late = mini.add("tickets", { stamp: mini.now - 40 });
  mini.now += 600;
  const second = await harness.readAll("tickets", first.cursor);
  assert.ok(second.landed.has(String(late.id)));
});

test("a minute with more tickets than Freshdesk pages through is waited for", async () => {
  const mini = new Mini();
  mini.addMany("tickets", 650, (k) => ({ stamp: mini.now - (k % 10) }));
  const harness = over(mini, { page_size: 2 });
  harness.wait = (seconds) => void (mini.now += seconds);
  const { waited, interactions } = await harness.readAll("tickets");
  assert.equal(waited, 60);
  assert.deepEqual(landed(interactions), mini.truth("tickets"));
});

test("such a minute after a page that was too large brings no cursor twice", async () => {
  const mini = new Mini();
  const harness = over(mini, { page_size: 8, overlap_seconds: 0 });
  harness.wait = (seconds) => void (mini.now += seconds);
  const first = await harness.readAll("tickets");
  mini.addMany("tickets", 650, (k) => ({ stamp: mini.now - (k % 10) }));
  tooLarge(mini, ({ size }) => size > 2);
  const second = await harness.readAll("tickets", first.cursor);
  assert.equal(second.waited, 60);
  assert.deepEqual(landed(second.interactions), mini.truth("tickets"));
});

test("deleted and spam tickets are met in their own lists", async () => {
  const mini = new Mini();
  const tickets = mini.addMany("tickets", 10, (k) => ({ stamp: mini.now - DAY + k }));
  const harness = over(mini);
  const first = await harness.readAll("tickets");
  mini.now += 3600;
  mini.change(tickets[1], { deleted: true });
  mini.change(tickets[2], { spam: true });
  mini.change(tickets[3], { spam: true, deleted: true });
  const second = await harness.readAll("tickets", first.cursor);
  assert.deepEqual(landed([...first.interactions, ...second.interactions]), mini.truth("tickets"));
  assert.equal(second.landed.get(String(tickets[1].id))?.data, "");
  mini.now += 3600;
  mini.change(tickets[1], { deleted: false });
  mini.change(tickets[2], { spam: false });
  const third = await harness.readAll("tickets", second.cursor);
  assert.deepEqual(landed([...first.interactions, ...second.interactions, ...third.interactions]), mini.truth("tickets"));
});

test("a live ticket in the answer for deleted ones deletes nothing", async () => {
  const mini = new Mini();
  mini.add("tickets");
  const { http } = mini;
  const send = http.send.bind(http);
  http.send = (request) => send({ ...request, url: request.url.replace("filter=deleted", "x=y") });
  await assert.rejects(over(mini).readAll("tickets"), /does not say that it is/);
});

test("an answer that comes a second time is not taken for another one", async () => {
  const mini = new Mini();
  mini.add("tickets", { stamp: mini.now - DAY, spam: true });
  const { http } = mini;
  const send = http.send.bind(http);
  /** @type {any[]} */
  const answers = [];
  http.send = (request) => {
    answers.push(send(request));
    return answers.length === 3 ? answers[1] : answers.at(-1);
  };
  await assert.rejects(over(mini).readAll("tickets"), /the one to the request before/);
});

test("tickets that change while they are read are met, whatever the timing", async () => {
  for (let seed = 1; seed <= 60; seed++) {
    const mini = new Mini();
    const roll = dice(seed);
    // Few seconds with many tickets each, so that ties and page edges are everywhere.
    const tickets = mini.addMany("tickets", 40 + roll(60), () => ({ stamp: mini.now - 300 + roll(6) * roll(60) }));
    mini.before = () => {
      mini.now += roll(3) === 0 ? roll(40) : 0;
      for (let n = roll(4); n > 0; n--) {
        const kind = roll(12);
        if (kind === 0) tickets.push(mini.add("tickets"));
        else mini.change(tickets[roll(tickets.length)], { extra: `,"n":${roll(1000)}`, deleted: kind === 1, spam: kind === 2 });
      }
    };
    const harness = over(mini, { page_size: 2 + roll(7) });
    const all = [];
    /** @type {string | undefined} */
    let cursor;
    for (let run = 0; run < 3; run++) {
      let calls = 0;
      const { before } = mini;
      // A busy hour does not go on for ever: the connector may follow it no faster than it is allowed to read.
      mini.before = () => calls++ < 120 && before();
      const reading = await harness.readAll("tickets", cursor);
      all.push(...reading.interactions);
      cursor = reading.cursor;
      mini.before = before;
    }
    mini.before = () => {};
    mini.now += 1000;
    all.push(...(await harness.readAll("tickets", cursor)).interactions);
    assert.deepEqual(landed(all), mini.truth("tickets"), `seed ${seed}`);
  }
});

test("a tie that is edited while it is walked loses nothing even before the next run", async () => {
  for (let seed = 1; seed <= 100; seed++) {
    const mini = new Mini();
    const roll = dice(seed);
    const tie = mini.addMany("tickets", 60, () => ({ stamp: mini.now - DAY }));
    mini.before = () => {
      mini.now += 1;
      if (roll(2) === 0) mini.change(tie[roll(tie.length)], { extra: `,"n":${roll(9)}` });
    };
    const reading = await over(mini, { page_size: 7 }).readAll("tickets");
    assert.equal(reading.landed.size, 60, `seed ${seed}`);
  }
});

test("every page continues from its cursor alone, with another page size too", async () => {
  const mini = new Mini();
  mini.addMany("tickets", 300, (k) => ({ stamp: mini.now - DAY + Math.floor(k / 90), deleted: k % 7 === 0, spam: k % 11 === 0 }));
  const http = mini.http;
  let cursor;
  const all = [];
  for (let k = 0; ; k++) {
    const page = await new Harness(freshdesk, { http, config: { domain: "acme" }, pageSize: [10, 17, 40][k % 3] }).fetch("tickets", cursor);
    all.push(...page.interactions);
    cursor = page.cursor;
    if (!page.more) break;
  }
  assert.deepEqual(landed(all), mini.truth("tickets"));
});

test("records pass through digit for digit", async () => {
  const mini = new Mini();
  const ticket = mini.add("tickets", { stamp: mini.now - DAY, id: 43_000_000_000_001, extra: ',"custom_fields":{"cf_x":9007199254740993,"cf_y":1.10,"z":"Löß \\u0000 😀"}' });
  const reading = await over(mini).readAll("tickets");
  assert.equal(reading.landed.get("43000000000001")?.data, mini.render("tickets", ticket));
});

test("a page that is larger than the host takes is asked for in smaller ones", async () => {
  const mini = new Mini();
  const long = `,"description":"${"x".repeat(100_000)}"`;
  mini.addMany("tickets", 130, (k) => ({ stamp: mini.now - DAY + k, extra: long }));
  mini.addMany("tickets", 130, () => ({ stamp: mini.now - DAY / 2, extra: long }));
  mini.addMany("tickets", 130, (k) => ({ stamp: mini.now - 3600 + k }));
  mini.addMany("tickets", 120, (k) => ({ stamp: mini.now - 30, extra: long, spam: k % 2 === 0 }));
  const harness = over(mini);
  const reading = await harness.readAll("tickets");
  assert.deepEqual(landed(reading.interactions), mini.truth("tickets"));
  const sizes = new Set(urls(mini).map((url) => url.searchParams.get("per_page")));
  assert.deepEqual([...sizes], ["100", "25"]);
});

test("a second of many tickets is begun anew where one of its pages is too large", async () => {
  for (const [large, way] of /** @type {[number, string][]} */ ([[2, "forward"], [5, "forward"], [3, "back"]])) {
    const mini = new Mini();
    mini.addMany("tickets", 12, (k) => ({ stamp: mini.now - 2 * DAY + k }));
    mini.addMany("tickets", 95, () => ({ stamp: mini.now - DAY }));
    mini.addMany("tickets", 12, (k) => ({ stamp: mini.now - DAY + 1 + k }));
    let before = 0;
    tooLarge(mini, ({ page, size }) => {
      const back = page < before;
      before = page;
      return size > 5 && page === large && back === (way === "back");
    });
    const reading = await over(mini, { page_size: 20 }).readAll("tickets");
    assert.deepEqual(landed(reading.interactions), mini.truth("tickets"), `${large} ${way}`);
    assert.ok(urls(mini).some((url) => url.searchParams.get("per_page") === "5" && Number(url.searchParams.get("page")) > 1));
  }
});

test("pages that are too large lose nothing, whatever the timing", async () => {
  for (let seed = 1; seed <= 60; seed++) {
    const mini = new Mini();
    const roll = dice(seed);
    const tickets = mini.addMany("tickets", 40 + roll(60), () => ({ stamp: mini.now - 300 + roll(6) * roll(60) }));
    let calls = 0;
    mini.before = () => {
      if (calls++ > 200) return;
      mini.now += roll(3) === 0 ? roll(40) : 0;
      const kind = roll(12);
      mini.change(tickets[roll(tickets.length)], { extra: `,"n":${roll(1000)}`, deleted: kind === 1, spam: kind === 2 });
    };
    tooLarge(mini, ({ size }) => size > 2 && roll(4) === 0);
    const harness = over(mini, { page_size: 2 + roll(30) });
    const first = await harness.readAll("tickets");
    mini.before = () => {};
    mini.now += 1000;
    const second = await harness.readAll("tickets", first.cursor);
    assert.deepEqual(landed([...first.interactions, ...second.interactions]), mini.truth("tickets"), `seed ${seed}`);
  }
});

test("two tickets that are too large together are an error and no gap", async () => {
  const mini = new Mini();
  mini.addMany("tickets", 30, (k) => ({ stamp: mini.now - DAY + k }));
  tooLarge(mini, () => true);
  const harness = over(mini);
  const sizes = [];
  let cursor;
  const read = async () => {
    for (;;) {
      const page = await harness.fetch("tickets", cursor);
      sizes.push(page.interactions.length);
      cursor = page.cursor;
    }
  };
  await assert.rejects(read(), (/** @type {any} */ error) => error.val[0] === "response-too-large");
  assert.deepEqual(sizes, [0, 0, 0]);
});
