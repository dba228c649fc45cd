"""Reading people.

A pass lists everybody who changed since a time, page after page. The next pass begins where this one **began**, not
where it ended: by Birch's clock when the first page was answered, less an overlap. Nothing is lost, because

- the list is in order of id, so neither equal stamps nor a change shift a row from one page to another;
- what changes while a pass runs is stamped after its first page, and is met again by the next pass;
- what Birch's index shows late was stamped at most 30 s before, and the next pass reaches back further than that;
- time is Birch's alone: the host's clock is never read.

A person may come twice. Landing somebody twice does no harm.
"""

from __future__ import annotations

from syncline import (
    Context,
    CursorExpired,
    Interaction,
    Page,
    Response,
    Row,
    decode_cursor,
    encode_cursor,
    time,
)

BASE = "https://api.birch.example"

MAX_LIMIT = 200
"""People that Birch puts on a page at most."""
VERSION = 1
"""Raise it whenever an older cursor would be misread."""


def fetch_people(ctx: Context, cursor: str | None) -> Page:
    """Reads a page.

    The cursor says where a reading stands, in milliseconds of Birch's clock. `since`: where this pass begins; none in
    the first one, which reads everybody. `next`: where the next pass begins; set by the first page of this one and kept
    from then on. `after`: Birch's token for the page; none for the first.
    """
    at = decode_cursor(VERSION, cursor) if cursor is not None else {}
    since, after = at.get("since"), at.get("after")
    query = {
        "limit": min(ctx.page_size or MAX_LIMIT, MAX_LIMIT),
        "updated_since": None if since is None else time.format_rfc3339_ms(since),
        "after": after,
    }
    answer = ctx.get(f"{BASE}/v1/people", query=query)
    if answer.status == 410 and after is not None:
        # Birch has forgotten the page: this pass again, from its first page.
        raise CursorExpired(encode_cursor(VERSION, since=since))

    listing = answer.error_for_status().listing("people")
    records = [record(answer, row) for row in listing.rows]
    token = next_page(answer, listing.rest, after)
    if (next := at.get("next")) is None:
        next = answer.server_time_ms() - 1_000 * ctx.config.get("overlap_seconds", 60)
    if token is not None:
        return Page.more(records, encode_cursor(VERSION, since=since, next=next, after=token))
    page = Page.done(records, encode_cursor(VERSION, since=next))
    return page.pass_complete() if since is None else page


def record(answer: Response, person: Row) -> Interaction:
    """A person as a record, with the text as it came. The deleted are told in every reading, the first one included:
    one that begins anew because its cursor expired must still take away what is gone."""
    id, stamp = person.value.get("id"), person.value.get("updated_at")
    if not isinstance(id, str):
        raise answer.unexpected("a person without an id")
    if person.value.get("deleted") is True:
        return Interaction.deleted(id, version=stamp, updated_at=stamp)
    return Interaction.present(id, person.raw, version=stamp, updated_at=stamp)


def next_page(answer: Response, rest: dict, after: str | None) -> str | None:
    """The token of the next page; none on the last one. An answer that does not say is not one of Birch's."""
    token = rest.get("next")
    if "next" not in rest or not isinstance(token, (str, type(None))):
        raise answer.unexpected("a page that does not say which one is next")
    if token is not None and token == after:
        raise answer.unexpected("a page that names itself as the next one")
    return token
