"""The lists of API v1, whose pages are row numbers."""

import syncline
from syncline.testing import query, respond

from .mini import Case, stamps


class Anchored(Case):
    def test_the_first_run_reads_everything_and_the_second_only_what_changed_since(self):
        for object in ("notes", "leads"):
            for _ in range(20):
                self.mini.add(object, 7)
                self.mini.advance(7)
            self.mini.advance(600)
            landed = {}
            first = self.read(object, landed=landed, page_size=25)
            self.assertEqual(stamps(landed), self.mini.truth(object))
            changed = self.mini.add(object)
            self.mini.advance(600)
            second = self.read(object, first.cursor)
            self.assertEqual(set(second.landed()), {str(changed)})

    def test_a_second_with_more_rows_than_a_page_is_read_to_its_end(self):
        self.mini.add("notes", 3)
        self.mini.advance(1)
        self.mini.add("notes", 95)
        self.mini.advance(1)
        self.mini.add("notes", 30)
        self.mini.advance(600)
        landed = {}
        self.read("notes", landed=landed, page_size=10)
        self.assertEqual(stamps(landed), self.mini.truth("notes"))

    def test_a_bound_that_leaves_its_own_second_out_loses_nothing(self):
        self.mini.exclusive = True
        for count in (7, 4, 25, 9, 1, 30, 1, 1, 12):
            self.mini.add("notes", count)
            self.mini.advance(1)
        self.mini.advance(600)
        for size in range(2, 12):
            landed = {}
            self.read("notes", landed=landed, page_size=size)
            self.assertEqual(stamps(landed), self.mini.truth("notes"))

    def test_rows_that_slide_over_a_page_edge_are_not_lost(self):
        self.mini.add("notes", 95)
        self.mini.advance(600)

        def edit(request):
            # Always a row that was read already: each edit lets all rows behind it slide forward by one.
            asked = len(self.mini.http.requests)
            self.mini.advance(1)
            self.mini.change("notes", asked)

        landed = self.read_twice("notes", edit, page_size=10)
        self.assertEqual(stamps(landed), self.mini.truth("notes"))

    def test_a_pass_ends_although_changes_never_do(self):
        self.mini.add("notes", 40)
        self.mini.advance(600)

        def write(request):
            self.mini.advance(1)
            self.mini.add("notes", 15)

        self.mini.before = write
        self.assertLess(self.read("notes", page_size=10).pages, 60)

    def test_a_pass_reaches_back_behind_its_own_beginning(self):
        self.mini.add("notes", 3)
        first = self.read("notes")
        since = syncline.decode_cursor(1, first.cursor)["since"]
        self.assertEqual(since, self.mini.now - 180_000)

    def test_rows_out_of_order_are_refused(self):
        row = {"id": 1, "update_time": "2026-03-01 07:00:00"}
        for rows in (
            [row, {"id": 2, "update_time": "2026-03-01 06:59:59"}],
            [{"id": 1, "update_time": None}],
            [{"id": 1}],
        ):
            paging = {"pagination": {"more_items_in_collection": False}}
            body = {"success": True, "data": rows, "additional_data": paging}
            self.mini.before = lambda request: respond(200, body)
            with self.subTest(rows), self.assertRaises(syncline.Unexpected):
                self.read("notes")

    def test_an_answer_that_does_not_say_whether_there_is_more_is_refused(self):
        for more in ({}, {"additional_data": {}}, {"additional_data": {"pagination": {}}}, {"additional_data": []}):
            self.mini.before = lambda request: respond(200, {"success": True, "data": None, **more})
            with self.subTest(more), self.assertRaises(syncline.Unexpected):
                self.read("notes")
        paging = {"pagination": {"more_items_in_collection": True}}
        self.mini.before = lambda request: respond(200, {"success": True, "data": None, "additional_data": paging})
        with self.assertRaises(syncline.Unexpected):
            self.read("notes")

    def test_a_page_that_is_too_large_is_asked_for_in_smaller_ones(self):
        self.mini.add("notes", 60)
        self.mini.advance(1)
        self.mini.add("notes", 6)
        self.mini.advance(600)

        def too_large(request):
            # Some rows are small and some are not.
            limit = 3 if len(self.mini.http.requests) % 5 else 20
            if int(query(request)["limit"]) > limit:
                raise syncline.HttpError("too-large", "16 MiB")

        self.mini.before = too_large
        landed = {}
        self.read("notes", landed=landed)
        self.assertEqual(stamps(landed), self.mini.truth("notes"))
