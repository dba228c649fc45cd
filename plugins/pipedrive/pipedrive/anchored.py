"""The lists of API v1: a lower bound, an order of change, and pages by row number.

Row numbers shift when a row changes, so they are not relied on. Every page asks again from just before the second of
the last row, which nothing can shift past. Only where a page does not get beyond that second (many rows share it) are
pages counted; rows that leave the second meanwhile let the rest slide towards the front, over the page edge, so those
pages are read once more from back to front, where what slides is met twice instead of not at all. Then the next second
begins.

There is no upper bound either. A pass ends when the rows reach the time at which it began, less what settles: what
changed since is met in the next pass, which begins one overlap before that.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

import syncline
from syncline import time

from .api import Answer, Api, fitting, records, stamp_ms
from .objects import Object

_VERSION = 1
_SECOND = 1_000


@dataclass(frozen=True)
class _Pass:
    """The cursor. Times are milliseconds, in whole seconds."""

    since: int | None = None
    """Rows from this second on. Whether Pipedrive includes that second is not documented: everything below it has been
    read, and it may be read twice."""
    hi: int | None = None
    """Where the pass ends; none until Pipedrive told the time."""
    start: int | None = None
    """Rows to leave out: more than none while the pages of one second are counted."""
    below: int | None = None
    """On the way back: rows from this one on have been read again."""
    ends: bool | None = None
    """Whether the pass ends after the way back."""
    limit: int | None = None
    """Rows of a page, where the host took no more."""

    def encode(self) -> str:
        return syncline.encode_cursor(_VERSION, **{**asdict(self), "ends": self.ends or None})


def fetch(api: Api, object: Object, cursor: str | None) -> syncline.Page:
    """Reads a page."""
    at = _Pass() if cursor is None else syncline.decode_position(_VERSION, cursor, _Pass)
    return fitting(
        api, at, lambda at, limit: _page(api, object, at, limit), lambda at, limit: replace(at, limit=limit)
    )


def _page(api: Api, object: Object, at: _Pass, limit: int) -> syncline.Page:
    start = (at.start or 0) if at.below is None else max(0, at.below - limit)
    answer = api.list_v1(
        object.lists[0],
        {
            "start": start,
            "limit": limit,
            "sort": "update_time ASC",
            "updated_since": None if at.since is None else time.format_rfc3339_s(at.since),
            **object.query,
        },
    )
    at = replace(at, hi=api.settled_ms(answer) if at.hi is None else at.hi)
    found = records(answer)
    step = _forward(answer, at, start) if at.below is None else _back(at, start)
    if step is not None:
        return syncline.Page.more(found, step.encode())
    return syncline.Page.done(found, _Pass(since=at.hi - api.overlap_ms).encode())


def _forward(answer: Answer, at: _Pass, start: int) -> _Pass | None:
    """What follows a page; none at the end of the pass."""
    last = _last_second(answer, at)
    ends = last is None or not answer.more or last >= at.hi
    beyond = last is not None and (at.since is None or last > at.since + _SECOND)
    if start > 0 and (ends or beyond):
        return replace(at, start=None, below=start, ends=ends)
    if ends:
        return None
    if beyond:
        return replace(at, since=last - _SECOND)
    return replace(at, start=start + len(answer.rows))


def _back(at: _Pass, start: int) -> _Pass | None:
    if start > 0:
        return replace(at, below=start)
    if at.ends:
        return None
    return replace(at, since=at.since + _SECOND, below=None)


def _last_second(answer: Answer, at: _Pass) -> int | None:
    """The second of the last row. Everything here rests on the order of the rows, so another one is refused."""
    second = at.since or 0
    for row in answer.rows:
        stamp = stamp_ms(row)
        if stamp is None or stamp // _SECOND * _SECOND < second:
            raise answer.response.unexpected("rows out of the order of their `update_time`")
        second = stamp // _SECOND * _SECOND
    if not answer.rows and answer.more:
        raise answer.response.unexpected("no rows, and yet there is more")
    return second if answer.rows else None
