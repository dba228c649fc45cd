"""What every connector implements, and how a component finds its own."""

from __future__ import annotations

from .context import Context
from .manifest import Manifest, ObjectType
from .page import Page


class Connector:
    """A connector. Each call may be the first one of a fresh interpreter: keep nothing in `self`."""

    def describe(self) -> Manifest:
        """Says what the connector is. No HTTP, no configuration, always the same answer."""
        raise NotImplementedError

    def check(self, ctx: Context) -> None:
        """Proves configuration and credentials with one cheap call."""
        raise NotImplementedError

    def discover(self, ctx: Context) -> list[ObjectType]:
        """Lists what can be read."""
        raise NotImplementedError

    def fetch(self, ctx: Context, object: str, cursor: str | None) -> Page:
        """Reads one page of an object. No cursor means from the very beginning."""
        raise NotImplementedError


_exported: Connector | None = None


def export(connector: Connector) -> None:
    """Names the connector of this component; called once, at the end of the module `connector`."""
    global _exported
    _exported = connector


def exported() -> Connector:
    """The connector that was exported."""
    if _exported is None:
        raise RuntimeError("the module `connector` exports none: end it with `syncline.export(...)`")
    return _exported
