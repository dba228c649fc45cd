"""What API v2 can filter by time."""

import json
import unittest

import syncline
from syncline import time
from syncline.testing import path, query, respond

from .mini import START, Case, Mini, stamps


class Windows(Case):
    def test_the_first_run_reads_everybody_and_the_second_only_what_changed_since(self):
        for _ in range(30):
            self.mini.add("persons", 40)
            self.mini.advance(7)
        self.mini.advance(600)
        first = self.read("persons")
        self.assertEqual(stamps(first.landed()), self.mini.truth("persons"))
        self.mini.change("persons", 17)
        self.mini.advance(600)
        second = self.read("persons", first.cursor)
        self.assertEqual(set(second.landed()), {"17"})

    def test_a_run_without_news_costs_one_request_for_each_list(self):
        for object, requests in (("persons", 1), ("deals", 2)):
            self.mini.add(object, 20)
            self.mini.advance(600)
            first = self.read(object)
            self.mini.advance(600)
            self.mini.http.requests.clear()
            self.assertEqual(self.read(object, first.cursor).interactions, [])
            self.assertEqual(len(self.mini.http.requests), requests)

    def test_equal_stamps_over_a_page_edge_are_all_read(self):
        self.mini.add("persons", 3)
        self.mini.advance(1)
        self.mini.add("persons", 1_700)
        self.mini.advance(1)
        self.mini.add("persons", 3)
        self.mini.advance(600)
        reading = self.read("persons")
        self.assertEqual(stamps(reading.landed()), self.mini.truth("persons"))
        self.assertLessEqual(reading.pages, 6)

    def test_a_record_that_changes_while_it_is_paged_is_met_by_the_next_run(self):
        for _ in range(50):
            self.mini.add("organizations", 3)
            self.mini.advance(5)
        self.mini.advance(600)

        def change(request):
            self.mini.advance(1)
            asked = len(self.mini.http.requests)
            self.mini.change("organizations", 150 - asked)
            self.mini.change("organizations", asked)

        landed = self.read_twice("organizations", change, page_size=10)
        self.assertEqual(stamps(landed), self.mini.truth("organizations"))

    def test_a_window_is_closed_and_never_newer_than_what_has_settled(self):
        for _ in range(20):
            self.mini.add("persons", 5)
            self.mini.advance(10)
        self.read("persons", page_size=10)
        asked = [query(request) for request in self.mini.http.requests]
        ends = {each.get("updated_until") for each in asked[1:]}
        self.assertEqual(ends, {time.format_rfc3339_s(self.mini.now - 60_000)})

    def test_a_run_that_follows_at_once_opens_no_window_without_a_width(self):
        self.mini.add("deals", 40)
        landed, options = {}, {"page_size": 10, "overlap_seconds": 0}
        reading = self.read("deals", landed=landed, **options)
        for seconds in (0, 0, 1, 0, 600):
            self.mini.add("deals", 15)
            self.mini.advance(seconds)
            reading = self.read("deals", reading.cursor, landed, **options)
        self.assertEqual(stamps(landed), self.mini.truth("deals"))

    def test_a_write_that_shows_late_is_met_by_the_overlap(self):
        self.mini.add("persons", 10)
        self.mini.advance(600)
        first = self.read("persons")
        late = self.mini.add("persons")
        self.mini.records["persons"][late]["update_time"] -= 90_000
        self.mini.advance(60)
        self.assertIn(str(late), self.read("persons", first.cursor).landed())

    def test_a_token_goes_with_the_parameters_it_came_with(self):
        for _ in range(30):
            self.mini.add("persons", 10)
            self.mini.advance(3)
        self.mini.advance(600)
        cursor, landed = None, {}
        # The host may change its mind about the size of a page at any time.
        for size in (10, 50, 7, 20, 33, 5, 500, 500, 500, 500, 500, 500):
            page = self.mini.harness(page_size=size).fetch("persons", cursor)
            landed.update({record.id: record for record in page.interactions})
            cursor = page.cursor
        self.assertEqual(page.has_more, True)
        self.read("persons", cursor, landed)
        self.assertEqual(stamps(landed), self.mini.truth("persons"))

    def test_a_forgotten_page_goes_on_from_the_last_row(self):
        for _ in range(30):
            self.mini.add("persons", 10)
            self.mini.advance(3)
        self.mini.advance(600)
        harness, landed, cursor = self.mini.harness(page_size=20), {}, None
        for _ in range(5):
            page = harness.fetch("persons", cursor)
            landed.update({record.id: record for record in page.interactions})
            cursor = page.cursor
        self.mini.dead_tokens = True
        with self.assertRaises(syncline.CursorExpired) as raised:
            harness.fetch("persons", cursor)
        self.mini.dead_tokens = False
        again = self.read("persons", raised.exception.cursor, landed, page_size=20)
        self.assertEqual(stamps(landed), self.mini.truth("persons"))
        self.assertLess(len(again.interactions), 300 - 60)

    def test_a_page_that_is_too_large_is_asked_for_in_smaller_ones(self):
        for _ in range(10):
            self.mini.add("persons", 4, note="x" * 900_000)
            self.mini.advance(3)
        self.mini.advance(600)
        self.assertEqual(stamps(self.read("persons").landed()), self.mini.truth("persons"))

        def too_large(request):
            if int(query(request)["limit"]) > 3:
                raise syncline.HttpError("too-large", "16 MiB")

        self.mini.before = too_large
        self.assertEqual(stamps(self.read("persons").landed()), self.mini.truth("persons"))

    def test_records_pass_through_digit_for_digit(self):
        raw = (
            '{"id":9007199254740993,"update_time":"2026-03-01T07:00:00Z","value":1.10,"e":1e400,"new":{"\\u00e9":"é"}}'
        )
        body = '{"success":true,"data":[ %s ],"additional_data":null}' % raw
        self.mini.before = lambda request: respond(200, body)
        record = self.read("persons").interactions[0]
        self.assertEqual(record.data, raw)
        self.assertEqual(record.id, "9007199254740993")
        self.assertEqual(record.updated_at, "2026-03-01T07:00:00.000Z")


class Deals(Case):
    def test_archived_deals_are_read_from_their_own_list(self):
        self.mini.add("deals", 30)
        self.mini.add("deals", 30, is_archived=True)
        self.mini.advance(600)
        reading = self.read("deals", page_size=7)
        self.assertEqual(stamps(reading.landed()), self.mini.truth("deals"))
        asked = {path(request) for request in self.mini.http.requests}
        self.assertEqual(asked, {"/api/v2/deals", "/api/v2/deals/archived"})

    def test_a_deal_that_moves_between_the_lists_while_they_are_read_is_one_deal(self):
        self.mini.add("deals", 40)
        self.mini.advance(600)

        def archive(request):
            self.mini.advance(1)
            asked = len(self.mini.http.requests)
            self.mini.change("deals", asked, is_archived=True)
            self.mini.change("deals", 41 - asked, is_archived=True)
            self.mini.change("deals", max(1, asked - 5), is_archived=False)

        landed = self.read_twice("deals", archive, page_size=5)
        self.assertEqual(stamps(landed), self.mini.truth("deals"))
        archived = {str(id) for id, row in self.mini.records["deals"].items() if row["is_archived"]}
        self.assertEqual({id for id, record in landed.items() if json.loads(record.data)["is_archived"]}, archived)

    def test_a_deleted_deal_becomes_a_tombstone_that_keeps_its_data(self):
        self.mini.add("deals", 5)
        self.mini.add("deals", 5, is_archived=True)
        self.mini.advance(600)
        landed = {}
        first = self.read("deals", landed=landed)
        self.mini.delete("deals", 3)
        self.mini.delete("deals", 8)
        self.mini.advance(600)
        second = self.read("deals", first.cursor, landed)
        self.assertEqual({record.id: record.state for record in second.interactions}, {"3": "deleted", "8": "deleted"})
        self.assertIn('"status"', landed["3"].data)
        self.assertEqual(stamps(landed), self.mini.truth("deals"))

    def test_a_gap_in_which_deletions_are_lost_is_told(self):
        self.mini.add("deals", 5)
        self.mini.advance(600)
        first = self.read("deals")
        self.mini.advance(31 * 86_400)
        harness = self.mini.harness()
        harness.read_all("deals", first.cursor)
        self.assertTrue(any("30 days" in line for level, line in harness.log if level == "warn"))


class Positions(unittest.TestCase):
    def test_a_cursor_of_another_version_and_garbage_are_expired(self):
        harness = Mini().harness()
        for object in ("deals", "notes", "users", "stages"):
            for cursor in ('{"v":9}', "x", "{}"):
                with self.subTest(object), self.assertRaises(syncline.CursorExpired) as raised:
                    harness.fetch(object, cursor)
                self.assertIsNone(raised.exception.cursor)
        for object in ("deals", "notes"):
            with self.assertRaises(syncline.CursorExpired):
                harness.fetch(object, '{"v":1,"later":true}')

    def test_a_cursor_with_a_value_of_another_type_or_a_list_that_is_none_is_expired(self):
        windows = ({"lo": "1"}, {"hi": [1]}, {"list": True}, {"list": 2}, {"list": -1}, {"token": 5}, {"limit": "10"})
        anchored = ({"since": "1"}, {"start": "0"}, {"below": 1.5}, {"ends": 1}, {"limit": {}})
        whole = ({"list": "0"}, {"list": 1}, {"list": -1}, {"token": 5}, {"limit": "10"}, {"after": "3"}, {"later": 1})
        for object, version, wrong in (
            ("deals", 1, windows),
            ("notes", 1, anchored),
            ("stages", 2, whole),
            ("users", 2, whole),
        ):
            mini = Mini()
            mini.add(object, 5)
            for fields in wrong:
                with self.subTest(object, fields=fields), self.assertRaises(syncline.CursorExpired) as raised:
                    mini.harness().fetch(object, syncline.encode_cursor(version, **fields))
                self.assertIsNone(raised.exception.cursor)

    def test_a_page_that_names_itself_as_the_next_one_is_refused(self):
        mini = Mini()
        page = {"success": True, "data": [], "additional_data": {"next_cursor": "same"}}
        mini.before = lambda request: respond(200, page)
        for object in ("persons", "stages"):
            harness = mini.harness()
            cursor = harness.fetch(object).cursor
            with self.assertRaises(syncline.Unexpected):
                for _ in range(3):
                    cursor = harness.fetch(object, cursor).cursor

    def test_the_clock_is_pipedrives(self):
        mini = Mini()
        mini.add("persons", 3)
        mini.now = START - 5 * 365 * 86_400_000
        cursor = mini.harness().fetch("persons").cursor
        lo = syncline.decode_cursor(1, cursor)["lo"]
        self.assertEqual(lo, mini.now - 180_000)
