"""What a connector says about itself, and what its provider has to read."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class OAuth2:
    """An OAuth 2.0 provider. URLs may name config values, as in `https://{domain}/oauth/token`."""

    token_url: str
    authorize_url: str | None = None
    scopes: list[str] = field(default_factory=list)
    grants: list[str] = field(default_factory=lambda: ["refresh-token"])


@dataclass
class AuthScheme:
    """One way to authenticate. The host adds the credentials; `hosts` may restrict who sees them."""

    name: str
    kind: str
    detail: str | OAuth2 | None = None
    hosts: list[str] = field(default_factory=list)

    @classmethod
    def bearer(cls, name: str) -> AuthScheme:
        """`Authorization: Bearer <token>`; credential field `token`."""
        return cls(name, "bearer")

    @classmethod
    def basic(cls, name: str) -> AuthScheme:
        """HTTP basic; credential fields `username` and `password`."""
        return cls(name, "basic")

    @classmethod
    def header(cls, name: str, header: str) -> AuthScheme:
        """A header of this name carries the key; credential field `key`."""
        return cls(name, "header", header)

    @classmethod
    def query(cls, name: str, parameter: str) -> AuthScheme:
        """A query parameter of this name carries the key; credential field `key`."""
        return cls(name, "query", parameter)

    @classmethod
    def oauth2(cls, name: str, oauth2: OAuth2) -> AuthScheme:
        """OAuth 2.0; credential fields `client-id`, `client-secret`, `refresh-token`."""
        return cls(name, "oauth2", oauth2)


@dataclass
class RateHint:
    """What the provider allows: `requests` in `per_seconds`, `concurrency` at once (0 for the host's default)."""

    requests: int
    per_seconds: int = 1
    concurrency: int = 0


@dataclass
class Manifest:
    """What a connector is. Static: the same for every call."""

    name: str
    version: str
    title: str
    hosts: list[str]
    auth: list[AuthScheme] = field(default_factory=list)
    config_schema: dict = field(default_factory=lambda: {"type": "object", "additionalProperties": False})
    rate: RateHint | None = None
    attributes: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class ObjectType:
    """A kind of data that the provider has. `mode` is `incremental` or `full`, `deletes` is `none`, `tombstones` or
    `by-absence` (for `full` only)."""

    name: str
    interaction_type: str
    schema: dict = field(default_factory=lambda: {"type": "object"})
    primary_key: list[str] = field(default_factory=lambda: ["id"])
    mode: str = "incremental"
    deletes: str = "none"
    default_interval: int | None = None
    attributes: list[tuple[str, str]] = field(default_factory=list)

    @classmethod
    def incremental(cls, name: str, interaction_type: str, **more) -> ObjectType:
        """An object that can tell what changed; deletes do not show until said otherwise."""
        return cls(name, interaction_type, mode="incremental", **more)

    @classmethod
    def full(cls, name: str, interaction_type: str, **more) -> ObjectType:
        """An object that is read as a whole; what a complete pass lacks is deleted, until said otherwise."""
        return cls(name, interaction_type, mode="full", **{"deletes": "by-absence", **more})
