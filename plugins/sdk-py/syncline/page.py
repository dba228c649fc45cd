"""What a fetch returns."""

from __future__ import annotations

from dataclasses import dataclass, field, replace


@dataclass
class Interaction:
    """One record, at most 1 MiB. `data` is the provider's JSON as it came; it may be empty for a tombstone."""

    id: str
    data: str = ""
    version: str | None = None
    updated_at: str | None = None
    state: str = "present"
    into: str | None = None

    @classmethod
    def present(cls, id: str, data: str, **stamps) -> Interaction:
        """A record that exists. `stamps` are `version` and `updated_at` (RFC 3339, UTC)."""
        return cls(id, data, **stamps)

    @classmethod
    def deleted(cls, id: str, data: str = "", **stamps) -> Interaction:
        """The tombstone of a deleted record."""
        return cls(id, data, state="deleted", **stamps)

    @classmethod
    def merged(cls, id: str, into: str, **stamps) -> Interaction:
        """The tombstone of a record that was merged into another."""
        return cls(id, state="merged-into", into=into, **stamps)


@dataclass
class Page:
    """A part of the result: at most 1,000 records and 8 MiB, and where the next call goes on."""

    interactions: list[Interaction]
    cursor: str
    has_more: bool
    wait_seconds: int | None = None
    attributes: list[tuple[str, str]] = field(default_factory=list)

    @classmethod
    def more(cls, interactions: list[Interaction], cursor: str) -> Page:
        """There is more: call again at once with this cursor."""
        return cls(interactions, cursor, True)

    @classmethod
    def done(cls, interactions: list[Interaction], cursor: str) -> Page:
        """The run is complete; the next one starts at this cursor."""
        return cls(interactions, cursor, False)

    @classmethod
    def wait(cls, cursor: str, seconds: int) -> Page:
        """Nothing yet: ask again after these seconds."""
        return cls([], cursor, True, seconds)

    def pass_complete(self) -> Page:
        """The same page, which also says that it ends a complete reading of the object."""
        return replace(self, attributes=[*self.attributes, ("pass-complete", "true")])

    def fits(self) -> bool:
        """Whether the host takes it, with room to spare. If not, ask the provider for fewer records."""
        size = sum(len(record.data.encode()) for record in self.interactions)
        return len(self.interactions) <= 1_000 and size <= 7 << 20
