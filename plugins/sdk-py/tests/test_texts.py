"""What is parsed by hand: records as text, cursors, times."""

import json
import random
import unittest
from dataclasses import dataclass
from typing import Optional

import syncline
from syncline import time
from syncline.listing import parse_listing


class Listings(unittest.TestCase):
    def test_records_keep_every_digit(self):
        text = '{"data": [ {"id":1,"n":9007199254740993, "f":1.10,"e":1e400}\n,{"id":2}] , "next":null}'
        listing = parse_listing(text, "data")
        self.assertEqual(listing.rows[0].raw, '{"id":1,"n":9007199254740993, "f":1.10,"e":1e400}')
        self.assertEqual(listing.rows[0].value["n"], 9007199254740993)
        self.assertEqual([row.raw for row in listing.rows[1:]], ['{"id":2}'])
        self.assertEqual(listing.rest, {"next": None})

    def test_an_answer_may_be_an_array_or_empty(self):
        self.assertEqual([row.value for row in parse_listing(' [{"a":1}] ', None).rows], [{"a": 1}])
        self.assertEqual(parse_listing('{"data":[]}', "data").rows, [])
        self.assertEqual(parse_listing('{"data":null,"a":1}', "data", null_is_empty=True).rest, {"a": 1})

    def test_what_is_no_listing_is_refused(self):
        for text in (
            "",
            "{",
            '{"data":null}',
            '{"other":[]}',
            '{"data":[1]}',
            '{"data":[{}',
            '{"data":[{}]',
            '{"data":[{},]}',
            '{"data":[,{}]}',
            '{"data":[{} {}]}',
            '{"data":[{}],}',
            '{"data":[{"a":NaN}]}',
            '{"data":[]} x',
            '{"data":[]} {"data":[]}',
            "{data:[]}",
            "{1:[]}",
            "[]",
        ):
            with self.subTest(text), self.assertRaises(ValueError):
                parse_listing(text, "data")

    def test_every_answer_reads_as_json_reads_it(self):
        seeded = random.Random(7)
        for _ in range(500):
            rows = [{"k" * seeded.randint(0, 3): any_value(seeded)} for _ in range(seeded.randint(0, 4))]
            answer = {"a": any_value(seeded), "data": rows, '[{"': any_value(seeded)}
            text = json.dumps(answer, indent=seeded.choice([None, 1]), ensure_ascii=seeded.choice([True, False]))
            listing = parse_listing(text, "data")
            self.assertEqual([row.value for row in listing.rows], rows)
            self.assertEqual([json.loads(row.raw) for row in listing.rows], rows)
            self.assertEqual({**listing.rest, "data": rows}, answer)
            # A text that breaks off anywhere is never taken for a whole one.
            with self.assertRaises(ValueError):
                parse_listing(text[: seeded.randrange(len(text))], "data")


def any_value(seeded, depth=0):
    kind = seeded.randint(0, 5 if depth < 3 else 3)
    if kind == 4:
        return [any_value(seeded, depth + 1) for _ in range(seeded.randint(0, 3))]
    if kind == 5:
        return {seeded.choice("abc"): any_value(seeded, depth + 1) for _ in range(seeded.randint(0, 3))}
    return [None, True, seeded.randint(-(2**70), 2**70), seeded.choice(['"}]', "é\n", "\\", ""])][kind]


class Cursors(unittest.TestCase):
    def test_a_cursor_comes_back_as_it_was(self):
        text = syncline.encode_cursor(2, since=5, after=None, ids=["ä"])
        self.assertTrue(text.isascii())
        self.assertEqual(syncline.decode_cursor(2, text), {"since": 5, "ids": ["ä"]})

    def test_another_version_and_garbage_are_expired(self):
        for text in (syncline.encode_cursor(1, since=5), "{}", "[]", "", "{", "[" * 100_000, "null"):
            with self.subTest(text[:20]), self.assertRaises(syncline.CursorExpired) as raised:
                syncline.decode_cursor(2, text)
            self.assertIsNone(raised.exception.cursor)

    def test_a_cursor_is_an_instance_of_a_dataclass(self):
        self.assertEqual(self.position(since=5), Position(5))
        self.assertEqual(
            self.position(since=5, token="x", done=True, ids=["a"], share=0.5), Position(5, "x", True, ["a"], 0.5)
        )
        self.assertEqual(syncline.decode_position(2, '{"v":2,"since":5,"token":null}', Position), Position(5))

    def test_a_field_that_is_unknown_missing_or_of_another_type_is_expired(self):
        for fields in (
            {},
            {"token": "x"},
            {"since": 5, "later": True},
            {"since": "5"},
            {"since": True},
            {"since": 5.0},
            {"since": [5]},
            {"since": 5, "token": 7},
            {"since": 5, "done": 1},
            {"since": 5, "ids": {}},
            {"since": 5, "share": "x"},
        ):
            with self.subTest(fields), self.assertRaises(syncline.CursorExpired) as raised:
                self.position(**fields)
            self.assertIsNone(raised.exception.cursor)
        for text in ('{"v":2,"since":null}', '{"v":1,"since":5}', "{", "[]"):
            with self.subTest(text), self.assertRaises(syncline.CursorExpired):
                syncline.decode_position(2, text, Position)

    def position(self, **fields):
        return syncline.decode_position(2, syncline.encode_cursor(2, **fields), Position)


@dataclass
class Position:
    since: int
    token: str | None = None
    done: bool = False
    ids: list[str] | None = None
    share: Optional[float] = None


class Times(unittest.TestCase):
    def test_times_are_read_and_written(self):
        at = 1_772_360_430_250
        for text in ("2026-03-01T10:20:30.250Z", "2026-03-01 10:20:30.25", "2026-03-01T11:20:30.250+01:00"):
            self.assertEqual(time.parse_rfc3339_ms(text), at, text)
        self.assertEqual(time.format_rfc3339_ms(at), "2026-03-01T10:20:30.250Z")
        self.assertEqual(time.format_rfc3339_s(at), "2026-03-01T10:20:30Z")
        self.assertEqual(time.format_http_date(at), "Sun, 01 Mar 2026 10:20:30 GMT")
        self.assertEqual(time.parse_http_date_ms(time.format_http_date(at)), at - 250)
        self.assertEqual(time.parse_http_date_ms("Sat, 31 Dec 2016 23:59:60 GMT"), 1_483_228_799_000)

    def test_what_is_no_time_is_none(self):
        for text in (
            "",
            "yesterday",
            "2026-13-01T00:00:00Z",
            "Sun, 06 Foo 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49 GMT",
        ):
            self.assertIsNone(time.parse_rfc3339_ms(text))
            self.assertIsNone(time.parse_http_date_ms(text))
        self.assertIsNone(time.parse_http_date_ms("Sun, 06 Nov 1994 08:49:37 CET"))
