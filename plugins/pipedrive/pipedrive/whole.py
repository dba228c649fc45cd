"""What is read as a whole in every run: lists without a filter, and the objects that the configuration names.

Order is by id, which no change shifts. What a complete pass lacks is gone, so a pass that loses its place begins again
instead of going on somewhere.
"""

from __future__ import annotations

import syncline

from .api import MOST, Answer, Api, records
from .objects import Object

_VERSION = 2
"""Not that of `windows`: the configuration moves an object from one reader to the other in the middle of a run, and the
cursors have fields in common. `list` 1 means live deals here and archived ones there, so whoever took the other's place
for its own would leave the live ones out."""
_PAGE = 1_000
"""Records the host takes at once."""


def fetch(api: Api, object: Object, cursor: str | None) -> syncline.Page:
    """Reads a page."""
    at = {} if cursor is None else syncline.decode_cursor(_VERSION, cursor)
    if object.lists[0].startswith("/v1/"):
        return _unpaged(api, object, at.get("after"))
    return _paged(api, object, at)


def _paged(api: Api, object: Object, at: dict) -> syncline.Page:
    limit, index, token = at.get("limit", api.limit), at.get("list", 0), at.get("token")
    query = {"limit": limit, "sort_by": "id", "sort_direction": "asc", **object.query}
    try:
        answer = api.list(object.lists[index], query, token)
        page = syncline.Page.more(records(answer, object.tombstones), "")
        if not page.fits() and limit > 1:
            raise syncline.TooLarge("the page is larger than the host takes")
    except syncline.TooLarge:
        if limit == 1:
            raise
        # A token is good for the limit that it came with only.
        raise _again(at, max(1, limit // 4)) from None
    except syncline.CursorExpired:
        raise _again(at, limit) from None
    restarts = at.get("restarts")
    if answer.token is not None:
        page.cursor = syncline.encode_cursor(_VERSION, list=index, token=answer.token, limit=limit, restarts=restarts)
        return page
    if index + 1 < len(object.lists):
        page.cursor = syncline.encode_cursor(_VERSION, list=index + 1, limit=limit, restarts=restarts)
        return page
    return syncline.Page.done(page.interactions, syncline.encode_cursor(_VERSION)).pass_complete()


def _again(at: dict, limit: int) -> syncline.CursorExpired:
    restarts = at.get("restarts", 0) + 1
    return syncline.CursorExpired(syncline.encode_cursor(_VERSION, limit=min(limit, MOST), restarts=restarts))


def _unpaged(api: Api, object: Object, after: int | None) -> syncline.Page:
    """One answer with everything, handed on in parts that the host takes."""
    answer = api.list_v1(object.lists[0], object.query)
    ids = [row.value.get("id") for row in answer.rows]
    if not all(type(id) is int for id in ids):
        raise answer.response.unexpected("an id that is no number")
    order = sorted(range(len(ids)), key=ids.__getitem__)
    rest = [answer.rows[at] for at in order if after is None or ids[at] > after]
    part = _part(answer, rest)
    if len(part) < len(rest):
        return syncline.Page.more(part, syncline.encode_cursor(_VERSION, after=rest[len(part) - 1].value["id"]))
    return syncline.Page.done(part, syncline.encode_cursor(_VERSION)).pass_complete()


def _part(answer: Answer, rows: list[syncline.Row]) -> list[syncline.Interaction]:
    size = min(len(rows), _PAGE)
    while True:
        answer.rows = rows[:size]
        page = syncline.Page.more(records(answer), "")
        if size <= 1 or page.fits():
            return page.interactions
        size //= 2
