"""Requests as they are written, and answers as they are read."""

import unittest

import syncline
from syncline.testing import Harness, MockHttp, respond


class Requests(unittest.TestCase):
    def send(self, answer=respond(200, {}), **options):
        http = MockHttp(lambda request: answer)
        ctx = syncline.Context(http, lambda level, line: None)
        ctx.request("POST", "https://api.example.com/search", **options)
        return http.requests[0]

    def test_query_values_cannot_be_taken_for_syntax(self):
        request = self.send(query={"q": "a&b=c d/é", "none": None, "n": 5})
        self.assertEqual(request.url, "https://api.example.com/search?q=a%26b%3Dc%20d%2F%C3%A9&n=5")

    def test_a_body_brings_its_type(self):
        request = self.send(json={"a": [1, "é"]}, idempotent=True, accept_status=(400, 404), timeout_ms=5)
        self.assertEqual(request.body, '{"a":[1,"é"]}'.encode())
        self.assertEqual(request.headers, [("content-type", "application/json")])
        self.assertEqual(request.attributes, [("accept-status", "400,404"), ("timeout-ms", "5")])
        self.assertTrue(request.idempotent)
        self.assertEqual(self.send(form={"a": "b c"}).body, b"a=b+c")

    def test_a_request_without_an_answer_is_an_error_the_host_acts_on(self):
        meanings = {
            "denied": syncline.Other,
            "budget-spent": syncline.Unavailable,
            "unreachable": syncline.Unavailable,
            "timeout": syncline.Unavailable,
            "truncated": syncline.Unavailable,
            "too-large": syncline.TooLarge,
            "unauthorized": syncline.Unauthorized,
            "brand-new": syncline.Other,
        }
        for kind, meaning in meanings.items():
            with self.subTest(kind), self.assertRaises(meaning):
                self.fail_with(syncline.HttpError(kind, "why"))
        with self.assertRaises(syncline.RateLimited) as raised:
            self.fail_with(syncline.HttpError("rate-limited", 90))
        self.assertEqual(raised.exception.seconds, 90)

    def fail_with(self, error):
        def handler(request):
            raise error

        syncline.Context(handler, lambda level, line: None).get("https://api.example.com")


class Responses(unittest.TestCase):
    def test_every_status_has_its_class(self):
        classes = {
            401: syncline.Unauthorized,
            403: syncline.Forbidden,
            404: syncline.Unexpected,
            408: syncline.Unavailable,
            418: syncline.Unexpected,
            423: syncline.Unavailable,
            429: syncline.RateLimited,
            500: syncline.Unavailable,
            503: syncline.Unavailable,
        }
        for status, expected in classes.items():
            with self.subTest(status), self.assertRaises(expected):
                respond(status, "no").error_for_status()
        answer = respond(204, "")
        self.assertIs(answer.error_for_status(), answer)

    def test_a_retry_after_is_seconds_or_a_date_by_the_answers_own_clock(self):
        date, later = "Sun, 01 Mar 2026 10:00:00 GMT", "Sun, 01 Mar 2026 10:01:30 GMT"
        for value, seconds in (("7", 7), (later, 90), ("soon", None), (date, 0)):
            with self.subTest(value), self.assertRaises(syncline.RateLimited) as raised:
                respond(503, "", retry_after=value, date=date).error_for_status()
            self.assertEqual(raised.exception.seconds, seconds)

    def test_an_answer_that_is_no_json_is_quoted_on_one_line(self):
        for body in (b"<html>\n\x1b[2J", b"\xff", b"", b'{"a":NaN}', b"{} {}", b"[" * 100_000):
            with self.subTest(body[:10]), self.assertRaises(syncline.Unexpected) as raised:
                respond(200, body).json()
            self.assertTrue(str(raised.exception).isprintable())
            self.assertLess(len(str(raised.exception)), 500)

    def test_windows_are_cut_by_the_providers_clock_or_not_at_all(self):
        answer = respond(200, {}, date="Sun, 01 Mar 2026 10:20:30 GMT")
        self.assertEqual(answer.server_time_ms(), 1_772_360_430_000)
        with self.assertRaises(syncline.Unexpected):
            respond(200, {}).server_time_ms()


class Contexts(unittest.TestCase):
    def test_a_configuration_is_an_object(self):
        for text in ("[]", "{"):
            with self.subTest(text), self.assertRaises(syncline.InvalidConfig):
                syncline.Context(None, None, text).config
        self.assertEqual(syncline.Context(None, None, "").config, {})

    def test_a_page_size_that_is_none_is_ignored(self):
        for text, size in (("50", 50), ("0", None), ("-1", None), ("x", None), ("", None)):
            self.assertEqual(syncline.Context(None, None, attributes=[("page-size", text)]).page_size, size)


class Harnesses(unittest.TestCase):
    def read(self, *pages):
        class Canned(syncline.Connector):
            def describe(self):
                return syncline.Manifest("canned", "0.1.0", "Canned", hosts=[])

            def fetch(self, ctx, object, cursor):
                return pages[int(cursor or 0)]

        return Harness(Canned(), None).read_all("things")

    def test_a_run_is_read_to_its_end(self):
        one = syncline.Interaction.present("1", '{"n":1}')
        gone = syncline.Interaction.deleted("1")
        reading = self.read(
            syncline.Page.more([one], "1"), syncline.Page.wait("2", 9), syncline.Page.done([gone], "0").pass_complete()
        )
        self.assertEqual((reading.pages, reading.waited, reading.cursor), (3, 9, "0"))
        self.assertTrue(reading.pass_complete)
        self.assertEqual(reading.landed()["1"].state, "deleted")

    def test_what_the_host_would_refuse_fails_the_test(self):
        Interaction, Page = syncline.Interaction, syncline.Page
        for page in (
            Page.done([], ""),
            Page.done([], "x" * 20_000),
            Page.done([Interaction.present("", "{}")], "0"),
            Page.done([Interaction.present(7, "{}")], "0"),
            Page.done([Interaction.present("1", "[]")], "0"),
            Page.done([Interaction.present("1", "")], "0"),
            Page.done([Interaction.merged("1", "")], "0"),
            Page.done([Interaction.present(str(n), "{}") for n in range(1_001)], "0"),
            Page.done([Interaction.present("1", '{"a":"%s"}' % ("x" * (1 << 20)))], "0"),
            Page([Interaction.present("1", "{}")], "1", True, 5),
            Page.more([], "0"),
        ):
            with self.subTest(str(page)[:80]), self.assertRaises((AssertionError, AttributeError)):
                self.read(page)
