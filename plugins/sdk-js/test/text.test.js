import assert from "node:assert/strict";
import { test } from "node:test";

import { decodeUtf8, encodeComponent, encodeUtf8, formatSeconds, formatTime, parseHttpDate, parseTime } from "../syncline.js";

/**
 * Runs a body as QuickJS would: without the engine's codecs.
 *
 * @param {() => void} body
 */
function withoutCodecs(body) {
  const { TextDecoder, TextEncoder } = globalThis;
  Object.assign(globalThis, { TextDecoder: undefined, TextEncoder: undefined });
  try {
    body();
  } finally {
    Object.assign(globalThis, { TextDecoder, TextEncoder });
  }
}

test("texts survive the way through bytes, with the engine's codecs and without", () => {
  for (const text of ["", "ascii", "Löß", "日本語 😀 mixed", "\u0000\u007f\u0080\u07ff\u0800\uffff\u{10ffff}", "\ufeffbom", "x".repeat(20_000) + "é", "é".repeat(10_000), "a" + "日".repeat(9_999), "😀".repeat(7_000), "x" + "日é".repeat(7_000)]) {
    const bytes = new TextEncoder().encode(text);
    withoutCodecs(() => {
      assert.deepEqual(encodeUtf8(text), bytes);
      assert.equal(decodeUtf8(bytes), text);
    });
    assert.equal(decodeUtf8(encodeUtf8(text)), text);
  }
});

test("broken UTF-8 becomes replacement characters and spoils nothing around it", () => {
  const broken = [
    [0x61, 0xff, 0x62],
    [0xc3, 0x28],
    [0xe9, 0x61, 0xc3, 0xa9],
    [0xc0, 0xaf, 0xc3, 0xa9],
    [0xf0, 0x9f, 0x98, 0x80, 0x80, 0x61],
  ];
  const kept = ["ab", "(", "aé", "é", "😀a"];
  withoutCodecs(() => {
    broken.forEach((bytes, k) => {
      const text = decodeUtf8(Uint8Array.from(bytes));
      assert.equal(text.replaceAll("\ufffd", ""), kept[k]);
      assert.ok(text.includes("\ufffd"));
    });
    // Surrogates, what lies beyond Unicode, and a sequence that is cut off.
    for (const bytes of [[0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xf0, 0x9f]]) {
      assert.match(decodeUtf8(Uint8Array.from(bytes)), /^\ufffd+$/);
    }
    assert.equal(decodeUtf8(encodeUtf8("a\ud800b")), "a\ufffdb");
  });
});

test("a query value has no character that a reader could take for syntax", () => {
  assert.equal(encodeComponent("a-._~b &=+#'()*!é\ud800"), "a-._~b%20%26%3D%2B%23%27%28%29%2A%21%C3%A9%EF%BF%BD");
});

test("RFC 3339 times are read in all their spellings", () => {
  const at = Date.UTC(2026, 2, 1, 10, 20, 30);
  for (const text of ["2026-03-01T10:20:30Z", "2026-03-01t10:20:30.000z", "2026-03-01 12:20:30+02:00", "2026-03-01T04:50:30-0530", "2026-03-01T11:20:30+01"]) {
    assert.equal(parseTime(text), at, text);
  }
  assert.equal(parseTime("2026-03-01T10:20:30.1239Z"), at + 123);
  assert.equal(parseTime("2026-03-01T10:20:30.5Z"), at + 500);
});

test("what is no time is none", () => {
  for (const text of ["", "2026-02-30T00:00:00Z", "2026-13-01T00:00:00Z", "2026-03-01T24:00:00Z", "2026-03-01", "2026-03-01T10:20:30", "now", null, 5]) {
    assert.equal(parseTime(text), undefined, String(text));
  }
  for (const text of ["Sun, 06 Nov 1994 08:49:37 +0000", "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Foo 1994 08:49:37 GMT", undefined]) {
    assert.equal(parseHttpDate(text), undefined, text);
  }
});

test("times are written as they are read", () => {
  const at = Date.UTC(2026, 2, 1, 10, 20, 30, 7);
  assert.equal(formatTime(at), "2026-03-01T10:20:30.007Z");
  assert.equal(formatSeconds(at), "2026-03-01T10:20:30Z");
  assert.equal(formatSeconds(0), "1970-01-01T00:00:00Z");
  assert.equal(parseHttpDate("Sun, 06 Nov 1994 08:49:37 GMT"), 784_111_777_000);
});
