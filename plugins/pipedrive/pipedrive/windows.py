"""What API v2 can filter by time: closed windows, in order of change.

A window `lo..hi` of Pipedrive's own clock is read list by list, in order of `update_time`, by the server's keyset
token, which takes care of rows that share a second over a page edge. What changes meanwhile leaves the window and is
met in the next, which begins one overlap before `hi`. A deal that is archived moves to another list, so both lists are
read over the same window.

`hi` is known from the first answer only, so that question has no end of its own. If it has a second page, the window is
asked for again from the last row's second on, now with its end: a token is good for the very parameters it came with.
A token that is refused, and a page that is too large for the host, begin again there in the same way.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

import syncline
from syncline import time

from .api import Answer, Api, fitting, records, stamp_ms
from .objects import Object

_VERSION = 1
_DELETES_SHOW_MS = 30 * 86_400_000


@dataclass(frozen=True)
class _Window:
    """The cursor. Times are milliseconds, in whole seconds."""

    lo: int | None = None
    """Where the window begins; none in the first run."""
    hi: int | None = None
    """Where it ends; none until Pipedrive told the time."""
    list: int = 0
    """Which of the object's lists is read."""
    since: int | None = None
    """Where the walk in progress began, if not at `lo`."""
    last: int | None = None
    """The second of the last row read in this list: where a walk that has to begin again does so."""
    token: str | None = None
    """The next page of the walk."""
    limit: int | None = None
    """Rows of its pages."""
    restarts: int | None = None
    """So that no cursor comes twice."""

    @property
    def begins(self) -> int | None:
        """Where the walk in progress began."""
        return self.lo if self.since is None else self.since

    def again(self, limit: int | None) -> _Window:
        """The same list from the last row's second on, without the token."""
        return replace(self, since=self.since if self.last is None else self.last, token=None, limit=limit)

    def encode(self) -> str:
        return syncline.encode_cursor(_VERSION, **{**asdict(self), "list": self.list or None})


def fetch(api: Api, object: Object, cursor: str | None) -> syncline.Page:
    """Reads a page."""
    at = _Window() if cursor is None else syncline.decode_position(_VERSION, cursor, _Window)
    if not 0 <= at.list < len(object.lists):
        raise syncline.CursorExpired()
    try:
        return fitting(api, at, lambda at, limit: _page(api, object, at, limit), _Window.again)
    except syncline.CursorExpired:
        raise syncline.CursorExpired(replace(at.again(at.limit), restarts=(at.restarts or 0) + 1).encode()) from None


def _page(api: Api, object: Object, at: _Window, limit: int) -> syncline.Page:
    query = {
        "limit": limit,
        "sort_by": "update_time",
        "sort_direction": "asc",
        # Fractions of a second are a 400.
        "updated_since": None if at.begins is None else time.format_rfc3339_s(at.begins),
        "updated_until": None if at.hi is None else time.format_rfc3339_s(at.hi),
        **object.query,
    }
    answer = api.list(object.lists[at.list], query, at.token)
    hi = api.settled_ms(answer) if at.hi is None else at.hi
    if at.hi is None and object.tombstones:
        _mind_deletes(api, at, hi)
    found = records(answer, object.tombstones)
    read = replace(at, hi=hi, last=_last(answer, at), limit=limit, token=answer.token)
    if read.token is None:
        return _list_done(api, object, read, found)
    if at.hi is None:
        # The token belongs to a walk without an end.
        read = read.again(limit)
        if read.begins is not None and read.begins >= hi:
            return _list_done(api, object, read, found)
    return syncline.Page.more(found, read.encode())


def _list_done(api: Api, object: Object, at: _Window, found: list[syncline.Interaction]) -> syncline.Page:
    # Runs in quick succession open windows without a width; to ask for one of those is a 400.
    has_width = at.lo is None or at.lo < at.hi
    if at.list + 1 < len(object.lists) and has_width:
        return syncline.Page.more(found, _Window(lo=at.lo, hi=at.hi, list=at.list + 1).encode())
    lo = max(at.hi - api.overlap_ms, at.lo or 0)
    return syncline.Page.done(found, _Window(lo=lo).encode())


def _last(answer: Answer, at: _Window) -> int | None:
    stamp = stamp_ms(answer.rows[-1]) if answer.rows else None
    return at.last if stamp is None else stamp // 1_000 * 1_000


def _mind_deletes(api: Api, at: _Window, hi: int) -> None:
    if at.lo is not None and hi - at.lo > _DELETES_SHOW_MS:
        api.ctx.warn("not read for more than 30 days: deals deleted before that are no longer shown as deleted")
