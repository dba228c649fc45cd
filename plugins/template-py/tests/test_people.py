"""Runs natively: no host, no account, no network."""

import unittest

import syncline
from syncline.testing import Harness, query, respond

import connector

from .provider import Provider

MINUTE = 60_000
DATE = "Sun, 01 Mar 2026 10:00:00 GMT"


class People(unittest.TestCase):
    def setUp(self):
        self.provider, self.landed = Provider(), {}
        # One stamp for all of them: with two on a page, it spans page edges.
        for number in range(1, 6):
            self.provider.write(f"p-{number}", f"Person {number}")

    def sync(self, cursor=None):
        return self.provider.sync(cursor, self.landed)

    def test_the_first_run_reads_everybody_and_the_second_only_what_changed(self):
        self.provider.now += 10 * MINUTE
        first = self.sync()
        self.assertEqual((first.pages, first.pass_complete), (3, True))
        self.assertEqual(self.landed, self.provider.truth)

        self.provider.now += 10 * MINUTE
        self.provider.write("p-4", "Changed")
        second = self.sync(first.cursor)
        self.assertEqual((len(second.interactions), second.pass_complete), (1, False))
        self.assertEqual(self.landed, self.provider.truth)

    def test_what_changes_behind_the_reader_is_met_by_the_next_run(self):
        # Just before the second page, somebody on the first page changes and somebody on the third goes.
        def change(count):
            if count == 2:
                self.provider.write("p-1", "Changed behind")
                self.provider.write("p-5", None)

        self.provider.before = change
        first = self.sync()
        self.assertEqual(self.landed["p-1"], "Person 1")
        self.sync(first.cursor)
        self.assertEqual(self.landed, self.provider.truth)

    def test_a_change_that_the_index_shows_late_is_not_lost(self):
        self.provider.now += MINUTE
        self.provider.lag = 30_000
        self.provider.write("p-2", "Late")
        self.provider.write("p-6", "Late and new")
        first = self.sync()
        self.assertEqual((self.landed["p-2"], "p-6" in self.landed), ("Person 2", False))
        self.provider.now += MINUTE
        self.sync(first.cursor)
        self.assertEqual(self.landed, self.provider.truth)

    def test_a_deleted_person_becomes_a_tombstone(self):
        first = self.sync()
        self.provider.write("p-3", None)
        second = self.sync(first.cursor)
        self.assertEqual(second.landed()["p-3"].state, "deleted")
        self.assertEqual(self.landed, self.provider.truth)

    def test_every_page_continues_from_its_cursor_alone(self):
        ids, cursor, more = [], None, True
        while more:
            page = self.provider.harness().fetch("people", cursor)
            ids += [person.id for person in page.interactions]
            cursor, more = page.cursor, page.has_more
        self.assertEqual(ids, ["p-1", "p-2", "p-3", "p-4", "p-5"])

    def test_a_forgotten_page_begins_the_pass_again_and_keeps_where_it_began(self):
        first = self.sync()
        page = self.provider.harness().fetch("people", first.cursor)
        self.provider.instead = respond(410, "gone")
        with self.assertRaises(syncline.CursorExpired) as raised:
            self.provider.harness().fetch("people", page.cursor)
        self.provider.http.requests.clear()
        self.sync(raised.exception.cursor)
        again = query(self.provider.http.requests[0])
        self.assertEqual((again.get("updated_since"), again.get("after")), ("2026-03-01T09:59:00.000Z", None))

    def test_a_cursor_of_another_version_is_expired(self):
        for foreign in ("", "nonsense", '{"v":2,"since":1}'):
            with self.subTest(foreign), self.assertRaises(syncline.CursorExpired) as raised:
                self.provider.harness().fetch("people", foreign)
            self.assertIsNone(raised.exception.cursor)

    def test_refusals_are_errors_of_their_class(self):
        for answer, error in (
            (respond(401, "no"), syncline.Unauthorized),
            (respond(403, "no"), syncline.Forbidden),
            (respond(429, "no"), syncline.RateLimited),
            (respond(503, "no"), syncline.Unavailable),
            # Answers that are none: HTML, no `next`, no list, a person without an id, no clock.
            (respond(200, "<html>", date=DATE), syncline.Unexpected),
            (respond(200, {"people": []}, date=DATE), syncline.Unexpected),
            (respond(200, {"next": None}, date=DATE), syncline.Unexpected),
            (respond(200, {"people": [{"name": "x"}], "next": None}, date=DATE), syncline.Unexpected),
            (respond(200, {"people": [], "next": None}), syncline.Unexpected),
        ):
            with self.subTest(str(answer)), self.assertRaises(error):
                self.fetch(answer)
        with self.assertRaises(syncline.RateLimited) as raised:
            self.fetch(respond(429, "no", retry_after="7"))
        self.assertEqual(raised.exception.seconds, 7)

    def test_a_page_that_names_itself_as_the_next_one_is_refused(self):
        page = self.provider.harness().fetch("people")
        self.provider.instead = respond(200, {"people": [], "next": "after:p-2"})
        with self.assertRaises(syncline.Unexpected):
            self.provider.harness().fetch("people", page.cursor)

    def test_records_pass_through_digit_for_digit(self):
        person = '{"id":"p-1","n":9007199254740993,"price":1.10,"name":"Zo\\u00eb"}'
        page = self.fetch(respond(200, '{"people":[%s],"next":null}' % person, date=DATE))
        self.assertEqual(page.interactions[0].data, person)

    def test_check_asks_who_the_token_is_for(self):
        harness = self.provider.harness()
        harness.connector.check(harness.ctx())
        self.provider.instead = respond(401, "no")
        with self.assertRaises(syncline.Unauthorized):
            harness.connector.check(harness.ctx())

    def test_an_object_that_does_not_exist_is_told(self):
        with self.assertRaises(syncline.Other):
            self.provider.harness().fetch("pigeons")

    def fetch(self, answer):
        return Harness(connector.Birch(), lambda request: answer).fetch("people")
