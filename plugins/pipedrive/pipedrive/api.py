"""The requests, and what a refusal means."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import syncline
from syncline import time

MOST = 500
"""Records of one answer, by Pipedrive's limit."""

_CLOUDFLARE_SECONDS = 300
_DAY_MS = 86_400_000

_At = TypeVar("_At")


class Api:
    """Pipedrive, as one call sees it."""

    def __init__(self, ctx: syncline.Context):
        self.ctx = ctx
        config = ctx.config
        if "company" not in config:
            raise syncline.InvalidConfig("`company` is missing")
        self._base = f"https://{config['company']}.pipedrive.com"
        self.settle_ms = 1_000 * config.get("settle_seconds", 60)
        self.overlap_ms = 1_000 * config.get("overlap_seconds", 120)
        self.limit = min(ctx.page_size or MOST, MOST)

    def me(self) -> None:
        """The cheapest question that needs a token."""
        _checked(self._ask("/v1/users/me", {}))

    def list(self, path: str, query: dict, token: str | None = None) -> Answer:
        """A page of a list of API v2. Raises `CursorExpired` if it is the token that is refused."""
        response = self._ask(path, {**query, "cursor": token})
        if response.status == 400 and token is not None:
            self.ctx.warn(f"Pipedrive no longer knows the page: {response.excerpt()}")
            raise syncline.CursorExpired()
        answer = Answer(_checked(response))
        if token is not None and answer.token == token:
            raise response.unexpected("the page names itself as the next one")
        return answer

    def list_v1(self, path: str, query: dict) -> Answer:
        """A page of a list of API v1, or the whole list where it has no pages."""
        return Answer(_checked(self._ask(path, query)))

    def settled_ms(self, answer: Answer) -> int:
        """The end of a window that is opened by this answer: Pipedrive's time, less what settles, in whole seconds."""
        return (answer.response.server_time_ms() - self.settle_ms) // 1_000 * 1_000

    def _ask(self, path: str, query: dict) -> syncline.Response:
        # 429 names its pause in a header of Pipedrive's own, and whoever hammers on is locked out by Cloudflare.
        return self.ctx.get(self._base + path, query=query, accept_status=(429,))


class Answer:
    """A page: its records as text, and what follows it."""

    def __init__(self, response: syncline.Response):
        self.response = response
        # API v1 writes null for an empty list.
        listing = response.listing("data", null_is_empty=True)
        self.rows = listing.rows
        if listing.rest.get("success") is not True:
            raise response.unexpected("not a success")
        self._more = listing.rest.get("additional_data")
        if self._more is not None and not isinstance(self._more, dict):
            raise response.unexpected("`additional_data` is no object")

    @property
    def token(self) -> str | None:
        """The token of the next page of API v2; the last page has null or leaves it out, with all around it."""
        token = (self._more or {}).get("next_cursor")
        if token is not None and (not isinstance(token, str) or not 0 < len(token) <= 8_000):
            raise self.response.unexpected("`next_cursor` is no token")
        return token

    @property
    def more(self) -> bool:
        """Whether API v1 says that there is more."""
        paging = (self._more or {}).get("pagination")
        more = paging.get("more_items_in_collection") if isinstance(paging, dict) else None
        if not isinstance(more, bool):
            raise self.response.unexpected("no `more_items_in_collection`")
        return more


def _checked(response: syncline.Response) -> syncline.Response:
    if 200 <= response.status < 300:
        return response
    message = f"status {response.status}: {response.excerpt()}"
    if response.status == 402:
        raise syncline.Forbidden(f"the account is not active; {message}")
    if response.status == 403 and _is_html(response):
        # Cloudflare's 1015, for those who did not heed a 429. Pipedrive's own 403 is JSON.
        raise syncline.RateLimited(response.retry_after or _CLOUDFLARE_SECONDS)
    if response.status == 410:
        raise syncline.Other("endpoint-removed", message)
    if response.status == 429:
        raise syncline.RateLimited(_pause(response))
    return response.error_for_status()


def _is_html(response: syncline.Response) -> bool:
    return "html" in (response.header("content-type") or "") or response.body.lstrip()[:1] == b"<"


def _pause(response: syncline.Response) -> int | None:
    """Seconds to wait after a 429. A spent day lasts until the next one, of which the zone is not told: UTC is tried,
    and an hour at most, since a wait that is too short costs one request. The burst's reset is relative, not a time."""
    if (after := response.retry_after) is not None:
        return after
    left = response.header("x-daily-ratelimit-token-remaining") or response.header("x-daily-requests-left")
    if left == "0" and (now := response.date_ms) is not None:
        return min(3_600, -(now % _DAY_MS - _DAY_MS) // 1_000 + 1)
    reset = response.header("x-ratelimit-reset") or ""
    return int(reset) if reset.isascii() and reset.isdigit() else None


def fitting(
    api: Api, at: _At, read: Callable[[_At, int], syncline.Page], smaller: Callable[[_At, int], _At]
) -> syncline.Page:
    """Asks for fewer rows until the host takes the page. `read` reads it at a position, with so many rows; `smaller` is
    the position to ask from with fewer, which remembers their number as its `limit`."""
    while True:
        limit = at.limit or api.limit
        try:
            page = read(at, limit)
            if page.fits() or limit == 1:
                return page
        except syncline.TooLarge:
            if limit == 1:
                raise
        at = smaller(at, max(1, limit // 4))


def stamp_ms(row: syncline.Row) -> int | None:
    """When a record was last changed."""
    stamp = row.value.get("update_time")
    return time.parse_rfc3339_ms(stamp) if isinstance(stamp, str) else None


def records(answer: Answer, tombstones: bool = False) -> list[syncline.Interaction]:
    """The records of a page. Deleted deals keep their data."""
    return [_record(answer, row, tombstones) for row in answer.rows]


def _record(answer: Answer, row: syncline.Row, tombstones: bool) -> syncline.Interaction:
    id = row.value.get("id")
    if isinstance(id, bool) or not isinstance(id, (int, str)) or id == "":
        raise answer.response.unexpected("a record without an id")
    at = stamp_ms(row)
    stamps = {} if at is None else {"version": row.value["update_time"], "updated_at": time.format_rfc3339_ms(at)}
    gone = tombstones and (row.value.get("is_deleted") is True or row.value.get("status") == "deleted")
    make = syncline.Interaction.deleted if gone else syncline.Interaction.present
    return make(str(id), row.raw, **stamps)
