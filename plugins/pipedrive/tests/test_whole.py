"""What is read as a whole, and told by its absence."""

import syncline
from syncline.testing import path, query

from .mini import Case


class Whole(Case):
    def test_a_complete_pass_says_so_on_its_last_page_only(self):
        for object in ("stages", "pipelines", "users"):
            self.mini.add(object, 23)
            reading = self.read(object, page_size=10)
            self.assertEqual({int(id) for id in reading.landed()}, set(range(1, 24)))
            self.assertTrue(reading.pass_complete)
        first = self.mini.harness(page_size=10).fetch("stages")
        self.assertTrue(first.has_more)
        self.assertEqual(first.attributes, [])

    def test_the_next_run_reads_everything_again(self):
        self.mini.add("stages", 5)
        first = self.read("stages")
        self.mini.delete("stages", 2)
        self.assertEqual(set(self.read("stages", first.cursor).landed()), {"1", "3", "4", "5"})

    def test_no_filter_by_time_is_asked_of_those_that_have_none(self):
        self.mini.add("stages", 5)
        self.read("stages")
        self.assertEqual(set(query(self.mini.http.requests[0])), {"limit", "sort_by", "sort_direction"})

    def test_more_users_than_a_page_holds_come_in_parts(self):
        self.mini.add("users", 2_345)
        reading = self.read("users")
        self.assertEqual((len(reading.landed()), reading.pages), (2_345, 3))
        large = self.mini.add("users", 12, about="x" * 900_000)
        reading = self.read("users")
        self.assertEqual(len(reading.landed()), large)

    def test_a_pass_that_loses_its_place_begins_again(self):
        self.mini.add("stages", 30)
        harness = self.mini.harness(page_size=10)
        cursor = harness.fetch("stages").cursor
        self.mini.dead_tokens = True
        with self.assertRaises(syncline.CursorExpired) as raised:
            harness.fetch("stages", cursor)
        self.mini.dead_tokens = False
        self.assertEqual(len(self.read("stages", raised.exception.cursor, page_size=10).landed()), 30)

    def test_a_page_that_is_too_large_begins_again_with_smaller_ones(self):
        self.mini.add("stages", 30, note="x" * 600_000)
        cursor = None
        for _ in range(5):
            try:
                reading = self.mini.harness().read_all("stages", cursor)
                break
            except syncline.CursorExpired as expired:
                self.assertNotEqual(expired.cursor, cursor)
                cursor = expired.cursor
        self.assertEqual(len(reading.landed()), 30)

    def test_objects_that_are_named_are_read_as_a_whole_so_that_deletions_show(self):
        config = {"complete": ["deals", "persons"]}
        types = {
            each.name: each
            for each in self.mini.harness(**config).connector.discover(self.mini.harness(**config).ctx())
        }
        self.assertEqual((types["persons"].mode, types["persons"].deletes), ("full", "by-absence"))
        self.assertEqual((types["activities"].mode, types["activities"].deletes), ("incremental", "none"))
        self.mini.add("persons", 30)
        first = self.read("persons", page_size=10, **config)
        self.mini.delete("persons", 7)
        second = self.read("persons", first.cursor, page_size=10, **config)
        self.assertEqual(set(first.landed()) - set(second.landed()), {"7"})
        self.assertTrue(second.pass_complete)

    def test_a_deal_that_is_archived_meanwhile_is_not_taken_for_gone(self):
        self.mini.add("deals", 60)
        self.mini.add("deals", 60, is_archived=True)

        def move(request):
            asked = len(self.mini.http.requests)
            self.mini.change("deals", 61 - asked, is_archived=True)
            self.mini.change("deals", 60 + asked, is_archived=False)

        self.mini.before = move
        reading = self.read("deals", page_size=10, complete=["deals"])
        self.assertEqual({int(id) for id in reading.landed()}, set(range(1, 121)))
        lists = [path(request) for request in self.mini.http.requests]
        self.assertEqual((lists[0], lists[-1]), ("/api/v2/deals/archived",) * 2)

    def test_an_object_that_moves_to_another_reader_in_the_middle_of_a_run_is_read_from_its_beginning(self):
        self.mini.add("deals", 30)
        self.mini.add("deals", 30, is_archived=True)
        self.mini.advance(600)
        for before, after in (({}, {"complete": ["deals"]}), ({"complete": ["deals"]}, {})):
            harness, cursor, cursors = self.mini.harness(page_size=10, **before), None, []
            while not cursors or page.has_more:
                page = harness.fetch("deals", cursor)
                cursors.append(cursor := page.cursor)
            self.assertGreater(len(cursors), 6)
            for cursor in cursors:
                with self.subTest(cursor), self.assertRaises(syncline.CursorExpired) as raised:
                    self.mini.harness(page_size=10, **after).fetch("deals", cursor)
                self.assertIsNone(raised.exception.cursor)
            self.assertEqual(len(self.read("deals", page_size=10, **after).landed()), 60)
