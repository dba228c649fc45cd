"""A Birch in memory: a list in order of id, an index that lags, a clock of its own."""

import json

from syncline import time
from syncline.testing import Harness, MockHttp, path, query, respond

import connector


class Provider:
    """Times are milliseconds."""

    def __init__(self):
        self.now = 1_772_359_200_000
        """Birch's clock, 2026-03-01T10:00:00Z; every request takes 100 ms of it."""
        self.lag = 0
        """How long lists take to show a change."""
        self.instead = None
        """An answer that takes precedence over the next one."""
        self.before = lambda count: None
        """Called before every answer."""
        self.http = MockHttp(self._answer)
        self.people = {}

    def write(self, id, name):
        """Creates or changes a person; a name of None deletes."""
        version = {"name": name, "updated": self.now, "shown": self.now + self.lag}
        self.people.setdefault(id, []).append(version)

    @property
    def truth(self):
        """Who there is: id and name."""
        last = {id: versions[-1]["name"] for id, versions in self.people.items()}
        return {id: name for id, name in last.items() if name is not None}

    def harness(self, page_size=2):
        """A harness of the connector's own, as the host takes a new instance for every call."""
        return Harness(connector.Birch(), self.http, page_size=page_size)

    def sync(self, cursor, landed):
        """Reads a run with two people on a page and lands it."""
        reading = self.harness().read_all("people", cursor)
        for id, record in reading.landed().items():
            if record.state == "present":
                landed[id] = json.loads(record.data)["name"]
            else:
                landed.pop(id, None)
        return reading

    def _answer(self, request):
        self.now += 100
        self.before(len(self.http.requests))
        answer = self.instead or self._usual(request)
        self.instead = None
        answer.headers.append(("date", time.format_http_date(self.now)))
        return answer

    def _usual(self, request):
        if path(request) == "/v1/me":
            return respond(200, {"account": "acme"})
        return self._list(query(request)) if path(request) == "/v1/people" else respond(404, "no such path")

    def _list(self, asked):
        limit = int(asked.get("limit", 50))
        assert 1 <= limit <= 200, f"a limit of {limit} is refused"
        since = time.parse_rfc3339_ms(asked.get("updated_since", "1970-01-01T00:00:00Z"))
        after = asked.get("after", "after:").removeprefix("after:")
        rows = []
        for id in sorted(self.people):
            shown = [version for version in self.people[id] if version["shown"] <= self.now]
            if shown and shown[-1]["updated"] >= since and id > after:
                name, at = shown[-1]["name"], time.format_rfc3339_ms(shown[-1]["updated"])
                rows.append({"id": id, "name": name, "updated_at": at, "deleted": name is None})
        people = rows[:limit]
        return respond(200, {"people": people, "next": f"after:{people[-1]['id']}" if len(rows) > limit else None})
