"""What is read as a whole in every run: lists without a filter, and the objects that the configuration names.

Order is by id, which no change shifts. What a complete pass lacks is gone, so a pass that loses its place begins again
instead of going on somewhere.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

import syncline

from .api import Api, records
from .objects import Object

_VERSION = 2
"""Not that of `windows`: the configuration moves an object from one reader to the other in the middle of a run, and the
cursors have fields in common. `list` 1 means live deals here and archived ones there, so whoever took the other's place
for its own would leave the live ones out."""
_PAGE = 1_000
"""Records the host takes at once."""


@dataclass(frozen=True)
class _Place:
    """The cursor."""

    list: int = 0
    """Which of the object's lists is read."""
    token: str | None = None
    """Its next page."""
    limit: int | None = None
    """Rows of its pages."""
    restarts: int | None = None
    """So that no cursor comes twice."""
    after: int | None = None
    """Of a list without pages: the id up to which it was handed on."""

    def encode(self) -> str:
        return syncline.encode_cursor(_VERSION, **{**asdict(self), "list": self.list or None})


def fetch(api: Api, object: Object, cursor: str | None) -> syncline.Page:
    """Reads a page."""
    at = _Place() if cursor is None else syncline.decode_position(_VERSION, cursor, _Place)
    if not 0 <= at.list < len(object.lists):
        raise syncline.CursorExpired()
    if object.lists[0].startswith("/v1/"):
        return _unpaged(api, object, at.after)
    return _paged(api, object, replace(at, limit=at.limit or api.limit))


def _paged(api: Api, object: Object, at: _Place) -> syncline.Page:
    query = {"limit": at.limit, "sort_by": "id", "sort_direction": "asc", **object.query}
    try:
        answer = api.list(object.lists[at.list], query, at.token)
        page = syncline.Page.more(records(answer, object.tombstones), "")
        if not page.fits() and at.limit > 1:
            raise syncline.TooLarge("the page is larger than the host takes")
    except syncline.TooLarge:
        if at.limit == 1:
            raise
        # A token is good for the limit that it came with only.
        raise _again(at, max(1, at.limit // 4)) from None
    except syncline.CursorExpired:
        raise _again(at, at.limit) from None
    if answer.token is not None:
        page.cursor = replace(at, token=answer.token).encode()
        return page
    if at.list + 1 < len(object.lists):
        page.cursor = replace(at, list=at.list + 1, token=None).encode()
        return page
    return syncline.Page.done(page.interactions, _Place().encode()).pass_complete()


def _again(at: _Place, limit: int) -> syncline.CursorExpired:
    return syncline.CursorExpired(_Place(limit=limit, restarts=(at.restarts or 0) + 1).encode())


def _unpaged(api: Api, object: Object, after: int | None) -> syncline.Page:
    """One answer with everything, handed on in parts that the host takes."""
    answer = api.list_v1(object.lists[0], object.query)
    if not all(type(row.value.get("id")) is int for row in answer.rows):
        raise answer.response.unexpected("an id that is no number")
    rest = [record for record in records(answer) if after is None or int(record.id) > after]
    rest.sort(key=lambda record: int(record.id))
    part = rest[:_PAGE]
    while len(part) > 1 and not syncline.Page.more(part, "").fits():
        part = part[: len(part) // 2]
    if len(part) < len(rest):
        return syncline.Page.more(part, _Place(after=int(part[-1].id)).encode())
    return syncline.Page.done(part, _Place().encode()).pass_complete()
