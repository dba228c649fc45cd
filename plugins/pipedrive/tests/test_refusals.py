"""Errors, and all objects under a storm of changes."""

import random
import unittest

import syncline
from syncline.testing import query, respond

from .mini import START, Case, stamps

_DENIED = {"success": False, "error": "Scope and URL mismatch", "error_info": "", "errorCode": 403}
_SPENT = {"success": False, "error": "request over limit", "data": None, "additional_data": None}


class Refusals(Case):
    def fails(self, error, *answer, **headers):
        self.mini.before = lambda request: respond(*answer, **headers)
        for object in ("deals", "notes", "users", "stages"):
            with self.subTest(object), self.assertRaises(error) as raised:
                self.read(object)
        with self.assertRaises(error):
            harness = self.mini.harness()
            harness.connector.check(harness.ctx())
        return raised.exception

    def test_every_refusal_has_its_class(self):
        for error, status in (
            (syncline.Unauthorized, 401),
            (syncline.Forbidden, 402),
            (syncline.Forbidden, 403),
            (syncline.Unexpected, 400),
            (syncline.Unexpected, 404),
            (syncline.Unavailable, 500),
            (syncline.Unavailable, 502),
            (syncline.Unavailable, 503),
        ):
            with self.subTest(status):
                self.fails(error, status, _DENIED)
        self.assertEqual(self.fails(syncline.Other, 410, _DENIED).code, "endpoint-removed")

    def test_a_locked_door_at_cloudflare_is_a_limit_and_no_lack_of_rights(self):
        page = "<!DOCTYPE html><title>Access denied | error 1015</title>"
        self.assertEqual(self.fails(syncline.RateLimited, 403, page).seconds, 300)
        self.assertEqual(self.fails(syncline.RateLimited, 403, page, retry_after="9").seconds, 9)

    def test_the_pause_after_a_429_is_told_in_seconds_to_go(self):
        limit = lambda **headers: self.fails(syncline.RateLimited, 429, _SPENT, **headers).seconds  # noqa: E731
        self.assertEqual(limit(x_ratelimit_reset="2"), 2)
        self.assertEqual(limit(retry_after="7", x_ratelimit_reset="2"), 7)
        self.assertIsNone(limit())
        self.assertIsNone(limit(x_ratelimit_reset="soon"))

    def test_a_spent_day_is_waited_out_by_the_hour(self):
        spent = {"x_daily_ratelimit_token_remaining": "0", "x_ratelimit_reset": "2"}
        self.assertEqual(self.fails(syncline.RateLimited, 429, _SPENT, **spent).seconds, 3_600)
        self.mini.now = START // 86_400_000 * 86_400_000 - 90_000
        self.assertEqual(self.fails(syncline.RateLimited, 429, _SPENT, **spent).seconds, 91)

    def test_the_host_does_not_hammer_on_after_a_429(self):
        self.read("deals")
        self.assertIn(("accept-status", "429"), self.mini.http.requests[0].attributes)

    def test_an_answer_that_is_no_listing_is_not_an_empty_one(self):
        for body in ("", "<html>", "{", "[]", "{}", '{"success":true}', '{"success":false,"data":[]}', '{"data":[]}'):
            self.mini.before = lambda request: respond(200, body)
            for object in ("deals", "notes", "users", "stages"):
                with self.subTest((object, body)), self.assertRaises(syncline.Unexpected):
                    self.read(object)
        for rows in ([1], [{}], [{"id": None}], [{"id": ""}], [{"id": True}]):
            body = {
                "success": True,
                "data": rows,
                "additional_data": {"pagination": {"more_items_in_collection": False}},
            }
            self.mini.before = lambda request: respond(200, body)
            for object in ("deals", "notes", "users", "stages"):
                with self.subTest((object, rows)), self.assertRaises(syncline.Unexpected):
                    self.read(object)
        for token in (7, "", [], "x" * 9_000):
            self.mini.before = lambda request: respond(
                200, {"success": True, "data": [], "additional_data": {"next_cursor": token}}
            )
            with self.subTest(token), self.assertRaises(syncline.Unexpected):
                self.read("deals")

    def test_a_window_without_the_providers_time_is_not_opened(self):
        for object in ("deals", "notes"):
            harness = self.mini.harness()
            harness.http = lambda request: respond(200, {"success": True, "data": []})
            with self.subTest(object), self.assertRaises(syncline.Unexpected):
                harness.fetch(object)

    def test_an_unknown_object_is_refused(self):
        with self.assertRaises(syncline.Other) as raised:
            self.read("tickets")
        self.assertEqual(raised.exception.code, "unknown-object")


class Storm(unittest.TestCase):
    def test_whatever_changes_in_between_everything_is_read_in_the_end(self):
        for seed in range(12):
            for object in ("deals", "persons", "notes", "leads"):
                with self.subTest(object, seed=seed):
                    self.storm(object, random.Random(f"{object} {seed}"))

    def storm(self, object, seeded):
        case = Case()
        case.setUp()
        mini, size = case.mini, seeded.randint(2, 12)
        for _ in range(seeded.randint(1, 12)):
            mini.add(object, seeded.choice([1, 2, 30]))
            mini.advance(seeded.choice([0, 0, 1, 2, 40]))
        mini.advance(seeded.choice([0, 50, 100]))

        def weather(request):
            for _ in range(seeded.randint(0, 3)):
                mini.advance(seeded.choice([0, 0, 1, 1, 3]))
                known = list(mini.records[object])
                match seeded.randint(0, 5):
                    case 0:
                        mini.add(object, seeded.choice([1, 3]))
                    case 1 if object == "deals":
                        mini.delete(object, seeded.choice(known))
                    case 2 if object == "deals":
                        mini.change(object, seeded.choice(known), is_archived=seeded.choice([True, False]))
                    case _:
                        mini.change(object, seeded.choice(known))
            if seeded.random() < 0.05 and "cursor" in query(request):
                return respond(400, {"success": False, "error": "cursor"})

        landed, cursor = {}, None
        for run in range(6):
            mini.before = weather if run < 4 else lambda request: None
            if run == 4:
                # The last but one window may end before the last change.
                mini.advance(600)
            cursor = self.run_to_its_end(case, object, cursor, landed, size)
            mini.advance(seeded.choice([1, 61, 500]))
        self.assertEqual(stamps(landed), mini.truth(object))

    def run_to_its_end(self, case, object, cursor, landed, size):
        for _ in range(2_000):
            harness = case.mini.harness(page_size=size)
            try:
                page = harness.fetch(object, cursor)
            except syncline.CursorExpired as expired:
                cursor = expired.cursor
                continue
            landed.update({record.id: record for record in page.interactions})
            cursor = page.cursor
            if not page.has_more:
                return cursor
        self.fail("no end")
