"""The time formats providers speak, as milliseconds since 1970-01-01 UTC.

There is no clock here, on purpose: a connector takes time from `Response.server_time_ms`.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MS = timedelta(milliseconds=1)
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def parse_rfc3339_ms(text: str) -> int | None:
    """An RFC 3339 time, also one with a space in the middle; one without a zone is taken for UTC. None for anything
    else."""
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return (at.replace(tzinfo=at.tzinfo or timezone.utc) - _EPOCH) // _MS


def format_rfc3339_ms(ms: int) -> str:
    """`2026-03-01T10:20:30.250Z`."""
    return f"{_EPOCH + ms * _MS:%Y-%m-%dT%H:%M:%S}.{ms % 1_000:03}Z"


def format_rfc3339_s(ms: int) -> str:
    """`2026-03-01T10:20:30Z`; milliseconds are cut off."""
    return f"{_EPOCH + ms * _MS:%Y-%m-%dT%H:%M:%SZ}"


def parse_http_date_ms(text: str) -> int | None:
    """`Sun, 06 Nov 1994 08:49:37 GMT`. None for anything else."""
    try:
        _, day, month, year, clock, zone = text.split()
        hour, minute, second = (int(part) for part in clock.split(":"))
        # A leap second counts as the second before it: a window may begin early, never late.
        at = datetime(int(year), _MONTHS.index(month) + 1, int(day), hour, minute, min(second, 59), tzinfo=timezone.utc)
    except ValueError:
        return None
    return (at - _EPOCH) // _MS if zone == "GMT" else None


def format_http_date(ms: int) -> str:
    """The inverse of `parse_http_date_ms`; milliseconds are cut off."""
    at = _EPOCH + ms * _MS
    return f"{_DAYS[at.weekday()]}, {at.day:02} {_MONTHS[at.month - 1]} {at.year:04} {at:%H:%M:%S} GMT"
