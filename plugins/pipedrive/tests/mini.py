"""A Pipedrive in memory, as strict as the real one where that matters: see the fact that each refusal names."""

import base64
import json
import unittest
from urllib.parse import parse_qsl, urlsplit

from syncline import time
from syncline.testing import Harness, MockHttp, respond

import connector

START = 1_772_352_000_000
"""2026-03-01T08:00:00Z."""

_DAY = 86_400_000
_TIMED = {"limit", "cursor", "sort_by", "sort_direction", "updated_since", "updated_until"}
_PLAIN = {"limit", "cursor", "sort_by", "sort_direction"}


class Mini:
    """The provider. Its clock stands still until `advance`; every record has a stamp of whole seconds."""

    def __init__(self):
        self.now = START
        self.records = {}
        self.last_id = {}
        self.before = lambda request: None
        """Called before every answer: a test may change records here, or return an answer of its own."""
        self.tokens = 0
        self.dead_tokens = False
        self.endings = 0
        self.exclusive = False
        """Whether API v1 takes `updated_since` for "after", which is not documented."""
        self.http = MockHttp(self.answer)

    def harness(self, page_size=None, **config):
        return Harness(connector.Pipedrive(), self.http, {"company": "birch", **config}, page_size=page_size)

    def advance(self, seconds):
        self.now += 1_000 * seconds

    # Records.

    def add(self, object, count=1, **fields):
        """Adds records; answers with the last one's id."""
        for _ in range(count):
            id = self.last_id[object] = self.last_id.get(object, 0) + 1
            id = f"5e{id:06x}-leads" if object == "leads" else id
            self.records.setdefault(object, {})[id] = {
                "id": id,
                "update_time": self.now,
                **_BIRTH.get(object, {}),
                **fields,
            }
        return id

    def change(self, object, id, **fields):
        self.records[object][id].update(fields, update_time=self.now)

    def delete(self, object, id):
        if object == "deals":
            self.change(object, id, is_deleted=True, status="deleted")
        else:
            del self.records[object][id]

    def truth(self, object):
        """The stamp of every record that is there, by id."""
        rows = self.records.get(object, {}).values()
        return {str(row["id"]): row["update_time"] for row in rows if not row.get("is_deleted")}

    # Answers.

    def answer(self, request):
        answer = self.before(request) or self._route(urlsplit(request.url))
        answer.headers.append(("date", time.format_http_date(self.now)))
        return answer

    def _route(self, url):
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        if url.netloc != "birch.pipedrive.com":
            return respond(404, "no such host")
        if url.path == "/v1/users/me":
            return respond(200, {"success": True, "data": {"id": 1}})
        if url.path == "/v1/users":
            return _ok(self._write("users", self.records.get("users", {}).values()))
        head, _, object = url.path.rpartition("/")
        if url.path == "/api/v2/deals/archived":
            return self._list("deals", query, archived=True)
        if head == "/api/v2" and object in (
            "deals",
            "organizations",
            "persons",
            "activities",
            "products",
            "stages",
            "pipelines",
        ):
            return self._list(object, query)
        if head == "/v1" and object in ("notes", "leads"):
            return self._list_v1(object, query)
        return respond(404, {"success": False, "error": "unknown path"})

    def _list(self, object, query, archived=False):
        known = _PLAIN if object in ("pipelines", "stages") else _TIMED | ({"status"} if object == "deals" else set())
        if unknown := set(query) - known:
            return _bad(f"unknown parameters {unknown}")
        for bound in ("updated_since", "updated_until"):
            if bound in query and not _whole_second(query[bound]):
                return _bad(f"{bound} must be RFC 3339 without a fraction")
        if not 1 <= (limit := int(query.get("limit", 100))) <= 500:
            return _bad("limit")
        since = time.parse_rfc3339_ms(query.get("updated_since", "1970-01-01T00:00:00Z"))
        until = time.parse_rfc3339_ms(query.get("updated_until", "9999-01-01T00:00:00Z"))
        if since >= until:
            return _bad("updated_since must be before updated_until")
        field = query.get("sort_by", "id")
        after = (0, 0)
        if "cursor" in query:
            cursor = json.loads(base64.b64decode(query.pop("cursor")))
            if self.dead_tokens or cursor["for"] != query:
                return _bad("the cursor is not valid for these parameters")
            after = tuple(cursor["after"])
        status = query.get("status", "open,won,lost").split(",")
        keyed = sorted(((row[field], row["id"]), row) for row in self.records.get(object, {}).values())
        rows = [
            row
            for key, row in keyed
            if key > after and since <= row["update_time"] < until and self._shows(object, row, status, archived)
        ]
        page, token = rows[:limit], None
        if len(rows) > limit:
            last = page[-1]
            token = base64.b64encode(json.dumps({"after": [last[field], last["id"]], "for": query}).encode()).decode()
        return _ok(self._write(object, page), **self._ending(token))

    def _shows(self, object, row, status, archived):
        if object != "deals":
            return True
        old = row["is_deleted"] and row["update_time"] < self.now - 30 * _DAY
        return row["status"] in status and row["is_archived"] is archived and not old

    def _ending(self, token):
        """The end of a list is written in three ways."""
        if token is not None:
            return {"additional_data": {"next_cursor": token}}
        self.endings += 1
        return [{"additional_data": {"next_cursor": None}}, {"additional_data": {}}, {}][self.endings % 3]

    def _list_v1(self, object, query):
        if unknown := set(query) - {"start", "limit", "sort", "updated_since"}:
            return _bad(f"unknown parameters {unknown}")
        start, limit = int(query["start"]), int(query["limit"])
        since = time.parse_rfc3339_ms(query.get("updated_since", "1970-01-01T00:00:00Z"))
        rows = sorted(self.records.get(object, {}).values(), key=lambda row: (row["update_time"], row["id"]))
        rows = [row for row in rows if row["update_time"] > since - (0 if self.exclusive else 1)]
        more = len(rows) > start + limit
        paging = {"start": start, "limit": limit, "more_items_in_collection": more}
        page = self._write(object, rows[start : start + limit])
        # An empty list is null.
        return _ok(page or None, additional_data={"pagination": paging})

    def _write(self, object, rows):
        v1 = object in ("notes", "leads", "users")
        return [{**row, "update_time": _stamp(row["update_time"], v1)} for row in rows]


_BIRTH = {"deals": {"status": "open", "is_deleted": False, "is_archived": False, "custom_fields": None}}


def _stamp(ms, v1):
    text = time.format_rfc3339_s(ms)
    return text.replace("T", " ").rstrip("Z") if v1 else text


def _whole_second(text):
    return len(text) == 20 and text[10] == "T" and text[19] == "Z" and time.parse_rfc3339_ms(text) is not None


def _ok(data, **more):
    return respond(200, {"success": True, "data": data, **more})


def _bad(why):
    return respond(400, {"success": False, "error": why, "error_info": "", "errorCode": 400})


def stamps(landed):
    """What a destination holds: the stamp of every record that is present."""
    present = (record for record in landed.values() if record.state == "present")
    return {record.id: time.parse_rfc3339_ms(record.updated_at) for record in present}


class Case(unittest.TestCase):
    """A test against a Pipedrive of its own."""

    def setUp(self):
        self.mini = Mini()

    def read(self, object, cursor=None, landed=None, **options):
        """Reads a run; what it reads lands in `landed`."""
        reading = self.mini.harness(**options).read_all(object, cursor)
        if landed is not None:
            landed.update(reading.landed())
        return reading

    def read_twice(self, object, before, **options):
        """What landed after a run with `before` called before every answer, and another one in peace."""
        landed = {}
        self.mini.before = before
        first = self.read(object, landed=landed, **options)
        self.mini.before = lambda request: None
        self.mini.advance(600)
        self.read(object, first.cursor, landed)
        return landed
