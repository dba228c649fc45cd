"""What can be read."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum

import syncline

_STATUS = {"status": "open,won,lost,deleted"}
"""Deleted deals are shown to those only who ask for them."""


class Reading(Enum):
    """How an object is read."""

    WINDOWS = "windows"
    ANCHORED = "anchored"
    WHOLE = "whole"


@dataclass(frozen=True)
class Object:
    """An object of Pipedrive."""

    name: str
    interaction_type: str
    lists: tuple[str, ...]
    """Paths that show it. A record is in one of them, and may move to another."""
    reading: Reading
    query: dict[str, str] = field(default_factory=dict)
    """What every request of these lists says beside the paging."""
    tombstones: bool = False
    id_type: str = "integer"

    def object_type(self) -> syncline.ObjectType:
        """What the contract calls it."""
        schema = {"type": "object", "required": ["id"], "properties": {"id": {"type": self.id_type}}}
        if self.reading is Reading.WHOLE:
            return syncline.ObjectType.full(self.name, self.interaction_type, schema=schema)
        deletes = "tombstones" if self.tombstones else "none"
        return syncline.ObjectType.incremental(self.name, self.interaction_type, schema=schema, deletes=deletes)


_DEALS, _ARCHIVED = "/api/v2/deals", "/api/v2/deals/archived"

_OBJECTS = (
    Object("deals", "opportunity", (_DEALS, _ARCHIVED), Reading.WINDOWS, _STATUS, tombstones=True),
    Object("organizations", "account", ("/api/v2/organizations",), Reading.WINDOWS),
    Object("persons", "contact", ("/api/v2/persons",), Reading.WINDOWS),
    Object("activities", "task", ("/api/v2/activities",), Reading.WINDOWS),
    Object("products", "custom", ("/api/v2/products",), Reading.WINDOWS),
    Object("notes", "note", ("/v1/notes",), Reading.ANCHORED),
    Object("leads", "custom", ("/v1/leads",), Reading.ANCHORED, id_type="string"),
    Object("pipelines", "custom", ("/api/v2/pipelines",), Reading.WHOLE),
    Object("stages", "custom", ("/api/v2/stages",), Reading.WHOLE),
    Object("users", "user", ("/v1/users",), Reading.WHOLE),
)


def objects(config: dict) -> dict[str, Object]:
    """Everything that can be read with this configuration, by name."""
    complete = config.get("complete", [])
    return {each.name: _whole(each) if each.name in complete else each for each in _OBJECTS}


def _whole(each: Object) -> Object:
    # Whatever moves between the two lists of deals while they are read is met in one of them: the archived ones are
    # read before and after the others.
    lists = (_ARCHIVED, _DEALS, _ARCHIVED) if each.name == "deals" else each.lists
    return replace(each, reading=Reading.WHOLE, lists=lists)
