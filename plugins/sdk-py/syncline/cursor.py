"""Cursors as versioned, compact JSON.

A cursor outlives the connector that wrote it: a host may hold one for weeks. So each carries the version of its layout,
and what a connector cannot read is an expired cursor, never a guess.
"""

from __future__ import annotations

import json
from types import UnionType
from typing import TypeVar, Union, get_args, get_origin, get_type_hints

from .errors import CursorExpired

_Position = TypeVar("_Position")


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


def decode_position(version: int, text: str, kind: type[_Position]) -> _Position:
    """A cursor as an instance of a dataclass with a field for each of the cursor's. Raises `CursorExpired` for what
    `decode_cursor` refuses, for an unknown field, a missing one without a default, and a value of another type. What is
    in a list or a dict is not looked at."""
    fields, types = decode_cursor(version, text), get_type_hints(kind)
    if not all(name in types and _is(value, types[name]) for name, value in fields.items()):
        raise CursorExpired()
    try:
        return kind(**fields)
    except TypeError:
        raise CursorExpired() from None


def _is(value: object, hint: object) -> bool:
    if get_origin(hint) in (Union, UnionType):
        return any(_is(value, each) for each in get_args(hint))
    # Python takes a bool for an int.
    return type(value) is (get_origin(hint) or hint)
