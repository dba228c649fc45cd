import assert from "node:assert/strict";
import { test } from "node:test";

import { Unexpected, idOf, rawElements, rawMember } from "../syncline.js";

test("elements keep every digit, escape and space they came with", () => {
  const elements = ['{"n":9007199254740993,"p":1.10,"e":1E5}', '{"s" : "a\\"],{\\\\"}', "[1,[2,{}]]", '"x,]"', "-0.0", "null", "{}", '""'];
  const text = ` [ ${elements.join(" ,\n")} ] `;
  JSON.parse(text);
  assert.deepEqual(rawElements(text), elements);
  assert.deepEqual(rawElements(` [${elements.join(",")}]`), elements);
  assert.deepEqual(rawElements(" [ ] "), []);
});

test("elements agree with the engine's own parser on whatever it writes", () => {
  const pieces = ["a\"b", "\\", "\\\\\"", "[{", "}]", ",", ":", "😀\u2028", "", 1.5, -3, 1e300, true, null];
  let seed = 7;
  const random = (/** @type {number} */ n) => (seed = (seed * 48271) % 2147483647) % n;
  /** @type {(depth: number) => any} */
  const value = (depth) => {
    const kind = random(depth > 4 ? 1 : 3);
    if (kind === 0) return pieces[random(pieces.length)];
    const values = Array.from({ length: random(5) }, () => value(depth + 1));
    return kind === 1 ? values : Object.fromEntries(values.map((v, k) => [`${pieces[random(pieces.length)]}${k}`, v]));
  };
  for (let round = 0; round < 500; round++) {
    const list = Array.from({ length: random(6) }, () => value(0));
    const text = JSON.stringify(list, undefined, random(3));
    assert.deepEqual(rawElements(text).map((raw) => JSON.parse(raw)), list, text);
    assert.equal(`[${rawElements(JSON.stringify(list)).join(",")}]`, JSON.stringify(list));
  }
});

test("a long text with many escapes is walked without depth", () => {
  const long = JSON.stringify([{ a: '\\"\n'.repeat(300_000) }, Array.from({ length: 50_000 }, () => "x")]);
  assert.equal(rawElements(long).length, 2);
});

test("a member is found by its decoded name, and the last of several counts", () => {
  const text = ' { "a" : [1, 2] , "\\u0062":{"a":3}, "a":9007199254740993 , "c":"}" } ';
  assert.equal(rawMember(text, "a"), "9007199254740993");
  assert.equal(rawMember(text, "b"), '{"a":3}');
  assert.equal(rawMember(text, "c"), '"}"');
  assert.equal(rawMember(text, "d"), undefined);
  assert.equal(rawMember("{}", "a"), undefined);
});

test("an id keeps its digits, and what is no id is none", () => {
  const of = (/** @type {string} */ raw) => idOf({ value: JSON.parse(raw), raw });
  assert.equal(of('{"x":1,"id":9007199254740993}'), "9007199254740993");
  assert.equal(of('{"id":42}'), "42");
  assert.equal(of('{"id":"a\\u00e9"}'), "aé");
  for (const none of ['{"id":null}', '{"id":{}}', '{"id":true}', "{}", "null", "3"]) assert.equal(of(none), undefined, none);
});

test("what is no list and what is cut off is refused", () => {
  for (const text of ["{}", "", "7", '[{"a":1', '["a', "[1,", '[{"a":"\\"}]', "["]) {
    assert.throws(() => rawElements(text), Unexpected, text);
  }
});
