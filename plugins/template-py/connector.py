"""Birch: people.

Here is what the connector says of itself, and which object is read how; people.py reads people.
"""

import syncline
from people import BASE, fetch_people

CONFIG = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "overlap_seconds": {
            "type": "integer",
            "minimum": 0,
            "maximum": 86400,
            "default": 60,
            "description": "How far each reading reaches back behind the one before",
        },
    },
}

PERSON = {
    "type": "object",
    "required": ["id"],
    "properties": {
        "id": {"type": "string"},
        "name": {"type": ["string", "null"]},
        "email": {"type": ["string", "null"]},
        "updated_at": {"type": ["string", "null"]},
        "deleted": {"type": ["boolean", "null"]},
    },
}


class Birch(syncline.Connector):
    """The connector."""

    def describe(self):
        return syncline.Manifest(
            name="birch",
            version="0.1.0",
            title="Birch",
            config_schema=CONFIG,
            auth=[syncline.AuthScheme.bearer("token")],
            hosts=["api.birch.example"],
            rate=syncline.RateHint(requests=100, per_seconds=60, concurrency=4),
        )

    def check(self, ctx):
        ctx.get(f"{BASE}/v1/me").error_for_status()

    def discover(self, ctx):
        return [syncline.ObjectType.incremental("people", "contact", schema=PERSON, deletes="tombstones")]

    def fetch(self, ctx, object, cursor):
        if object != "people":
            raise syncline.Other("unknown-object", f"there is no object {object!r} here")
        return fetch_people(ctx, cursor)


syncline.export(Birch())
