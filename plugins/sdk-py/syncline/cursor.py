"""Cursors as versioned, compact JSON.

A cursor outlives the connector that wrote it: a host may hold one for weeks. So each carries the version of its layout,
and what a connector cannot read is an expired cursor, never a guess.
"""

from __future__ import annotations

import json

from .errors import CursorExpired


def encode_cursor(version: int, **fields: object) -> str:
    """Writes a cursor: the fields that are not None, and `v`. Raise the version whenever an older cursor would be
    misread."""
    kept = {name: value for name, value in fields.items() if value is not None}
    return json.dumps({"v": version, **kept}, separators=(",", ":"))


def decode_cursor(version: int, text: str) -> dict:
    """The fields of a cursor. Raises `CursorExpired` for another version and for garbage."""
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        raise CursorExpired() from None
    if not isinstance(fields, dict) or fields.pop("v", None) != version:
        raise CursorExpired()
    return fields
