"""The connector against the fake Pipedrive, over real sockets: `python3 -m tests.live http://127.0.0.1:PORT`.

Records change between all requests, the clock runs ahead, answers break. In the end what landed must be what the fake
holds. Run by `cargo test -p syncline-fakes --test connectors`.
"""

import json
import random
import sys
import urllib.request

import syncline
from syncline import time
from syncline.testing import Harness, LiveHttp

import connector

_FAULTS = (
    {"kind": "status", "status": 429},
    {"kind": "status", "status": 403, "html": True},
    {"kind": "status", "status": 503, "retry_after": 1},
    {"kind": "status", "status": 400},
    {"kind": "cut_body"},
    {"kind": "empty"},
    {"kind": "malformed"},
    {"kind": "html"},
)
_PASSES = (syncline.RateLimited, syncline.Unavailable, syncline.Unexpected)


class Live:
    """The fake, and what landed so far of each object."""

    def __init__(self, base, seed):
        self.base, self.random = base, random.Random(seed)
        self.landed, self.cursors = {}, {}
        self.calm = False
        self.survived = 0

    def control(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(f"{self.base}/_fake/{path}", data, timeout=30) as answer:
            return json.load(answer)

    def weather(self):
        """What happens between two requests."""
        if self.calm:
            return
        self.control("change", {"n": self.random.choice([0, 1, 3]), "provider": "pipedrive"})
        self.control("clock", {"advance_ms": self.random.choice([0, 0, 400, 1_000, 7_000])})
        if self.random.random() < 0.1:
            self.control("faults", {"inject": [{**self.random.choice(_FAULTS), "times": 1}]})

    def run(self, object):
        """One run: a fresh connector for every page, and the same page again after an error, as the host does it."""
        landed, cursor = self.landed.setdefault(object.name, {}), self.cursors.get(object.name)
        met = set()
        while True:
            self.weather()
            http = LiveHttp({"birch.pipedrive.com": self.base}, {"x-api-token": "token-a"})
            harness = Harness(
                connector.Pipedrive(), http, {"company": "birch"}, page_size=self.random.choice([7, 20, 100])
            )
            try:
                page = harness.fetch(object.name, cursor)
            except syncline.CursorExpired as expired:
                self.survived += 1
                cursor, met = expired.cursor, set()
                continue
            except _PASSES:
                if self.calm:
                    raise
                self.survived += 1
                continue
            for record in page.interactions:
                landed[record.id] = record
                met.add(record.id)
            cursor = page.cursor
            if not page.has_more:
                break
        self.cursors[object.name] = cursor
        if object.deletes == "by-absence":
            for gone in set(landed) - met:
                del landed[gone]

    def differences(self, object):
        """What is not as the fake has it."""
        truth = self.control(f"truth?object={object.name}")["records"]
        landed = self.landed[object.name]
        for id, right in truth.items():
            record = landed.get(id)
            if right["state"] == "present" and (record is None or record.state != "present"):
                yield f"{object.name} {id} is missing"
            elif right["state"] == "present":
                if object.name != "users" and time.parse_rfc3339_ms(record.updated_at) != right["stamp_ms"]:
                    yield f"{object.name} {id} has the stamp {record.updated_at}, not {right['stamp']}"
                if json.loads(record.data) != right["data"]:
                    yield f"{object.name} {id} has {record.data}, not {right['data']}"
            elif object.deletes != "none" and record is not None and record.state == "present":
                yield f"{object.name} {id} is there, and should be {right['state']}"


def main(base, seed):
    live = Live(base, seed)
    harness = Harness(connector.Pipedrive(), LiveHttp({"birch.pipedrive.com": base}, {"x-api-token": "token-a"}))
    harness.config = '{"company":"birch"}'
    harness.connector.check(harness.ctx())
    objects = harness.connector.discover(harness.ctx())
    for _ in range(2):
        for object in live.random.sample(objects, len(objects)):
            live.run(object)
        live.control("mass-update", {"object": "notes", "count": 150})
        live.control("mass-update", {"object": "deals", "count": 150})
        live.control("clock", {"advance_ms": live.random.choice([1_000, 90_000, 10_800_000])})
    live.calm = True
    live.control("faults", {"clear": True})
    live.control("clock", {"advance_ms": 600_000})
    for object in objects:
        live.run(object)
    wrong = [each for object in objects for each in live.differences(object)]
    records = sum(map(len, live.landed.values()))
    print(f"{records} records, {live.survived} faults survived, {len(wrong)} differences", *wrong[:10], sep="\n")
    # A proof in which nothing happened would prove nothing.
    return 1 if wrong or records < 1_000 or live.survived < 5 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "1"))
