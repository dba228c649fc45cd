"""JSON answers whose records stay the text they came as.

Python reads `1.10` as a float and writes it as `1.1`. A record that is passed on as text keeps every digit and every
field, known or not; only what the connector acts on is looked at.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

_SPACE = re.compile(r"[ \t\n\r]*")


def _no_constant(name: str):
    raise ValueError(f"{name} is not JSON")


_VALUE = json.JSONDecoder(parse_constant=_no_constant).raw_decode


@dataclass
class Row:
    """A record: its value to look at, and its text to pass on."""

    value: dict
    raw: str


@dataclass
class Listing:
    """An answer with records in it: the records, and the rest of the object around them."""

    rows: list[Row]
    rest: dict


def parse(text: str) -> object:
    """The value of a JSON text. Stricter than `json.loads`: NaN and Infinity are refused. Raises ValueError."""
    value, end = _VALUE(text, _skip(text, 0))
    _end(text, end)
    return value


def parse_listing(text: str, key: str | None, null_is_empty: bool = False) -> Listing:
    """The records of the array under `key` of an object, or of the array that the text is. Raises ValueError if there
    is no array, or if a record is no object. Some providers write `null` for an empty array; that has to be said."""
    at = _skip(text, 0)
    if key is None:
        rows, end = _array(text, at)
        _end(text, end)
        return Listing(rows, {})
    found, rest = None, {}
    for name, at in (members := _Members(text, at)):
        if name == key and null_is_empty and text.startswith("null", at):
            found, members.at = [], at + 4
        elif name == key:
            found, members.at = _array(text, at)
        else:
            rest[name], members.at = _VALUE(text, at)
    _end(text, members.at)
    if found is None:
        raise ValueError(f"no {key!r}")
    return Listing(found, rest)


class _Members:
    """Walks the members of an object. Whoever takes a name reads its value and sets `at` to the value's end."""

    def __init__(self, text: str, at: int):
        self.text, self.at = text, _opening(text, at, "{")

    def __iter__(self):
        text, first = self.text, True
        while not _closes(text, self.at, "}"):
            at = self.at if first else _opening(text, self.at, ",")
            name, end = _VALUE(text, at)
            if not isinstance(name, str):
                raise ValueError(f"a name was expected at character {at}")
            self.at = _opening(text, end, ":")
            yield name, self.at
            self.at, first = _skip(text, self.at), False
        self.at += 1


def _array(text: str, at: int) -> tuple[list[Row], int]:
    rows: list[Row] = []
    at = _opening(text, at, "[")
    while not _closes(text, at, "]"):
        if rows:
            at = _opening(text, at, ",")
        value, end = _VALUE(text, at)
        if not isinstance(value, dict):
            raise ValueError(f"a record that is no object at character {at}")
        rows.append(Row(value, text[at:end]))
        at = _skip(text, end)
    return rows, at + 1


def _skip(text: str, at: int) -> int:
    return _SPACE.match(text, at).end()


def _closes(text: str, at: int, mark: str) -> bool:
    if at >= len(text):
        raise ValueError("the text breaks off")
    return text[at] == mark


def _opening(text: str, at: int, mark: str) -> int:
    """Where what follows the mark begins."""
    at = _skip(text, at)
    if text[at : at + 1] != mark:
        raise ValueError(f"{mark!r} was expected at character {at}")
    return _skip(text, at + 1)


def _end(text: str, at: int) -> None:
    if _skip(text, at) != len(text):
        raise ValueError(f"more after the end, at character {at}")
