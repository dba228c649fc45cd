"""Requests, and what came back."""

from __future__ import annotations

from dataclasses import dataclass, field

from .errors import Forbidden, RateLimited, Unauthorized, Unavailable, Unexpected
from .listing import Listing, parse, parse_listing
from .time import parse_http_date_ms

Headers = list[tuple[str, str]]


@dataclass
class Request:
    """A request: at most 1 MiB of body and 32 KiB of headers. The host adds the credentials."""

    method: str
    url: str
    headers: Headers = field(default_factory=list)
    body: bytes | None = None
    idempotent: bool = False
    attributes: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class Response:
    """A whole response, decoded. Header names are in lower case, and none of them carries credentials."""

    status: int
    headers: Headers = field(default_factory=list)
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """The first header of that name, in any case."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    @property
    def date_ms(self) -> int | None:
        """The provider's clock: the `Date` header, in milliseconds since 1970."""
        date = self.header("date")
        return None if date is None else parse_http_date_ms(date)

    def server_time_ms(self) -> int:
        """The same for whoever cuts a window by it, which nothing else may do. Raises `Unexpected`."""
        if (date := self.date_ms) is None:
            raise Unexpected("an answer without a Date header")
        return date

    @property
    def retry_after(self) -> int | None:
        """What `Retry-After` asks for, in seconds. A date is measured from the response's own `Date`."""
        value = (self.header("retry-after") or "").strip()
        if value.isascii() and value.isdigit():
            return int(value)
        until, now = parse_http_date_ms(value), self.date_ms
        return None if until is None or now is None else max(0, (until - now) // 1_000)

    def text(self) -> str:
        """The body as text. Raises `Unexpected` if it is not UTF-8."""
        try:
            return self.body.decode()
        except UnicodeDecodeError as error:
            raise self.unexpected(error) from None

    def json(self) -> object:
        """The parsed body. Raises `Unexpected` with a short excerpt."""
        return self._read(parse)

    def listing(self, key: str | None = None, null_is_empty: bool = False) -> Listing:
        """The records of the array under `key`, or of the array that the body is, each with its text; and the rest of
        the object. Raises `Unexpected` with a short excerpt."""
        return self._read(lambda text: parse_listing(text, key, null_is_empty))

    def _read(self, parser):
        try:
            return parser(self.text())
        except (ValueError, RecursionError) as error:
            raise self.unexpected(error) from None

    def error_for_status(self) -> Response:
        """The response itself if its status is 2xx, else raises what the status means.

        401 is unauthorized and 403 forbidden; 429, and 503 with `Retry-After`, are rate-limited; other 5xx, 408, 423
        and 425 are unavailable; everything else is unexpected."""
        if 200 <= self.status < 300:
            return self
        message = f"status {self.status}: {self.excerpt()}"
        if self.status == 401:
            raise Unauthorized(message)
        if self.status == 403:
            raise Forbidden(message)
        if self.status == 429 or (self.status == 503 and self.header("retry-after") is not None):
            raise RateLimited(self.retry_after)
        if self.status in (408, 423, 425) or 500 <= self.status < 600:
            raise Unavailable(message)
        raise Unexpected(message)

    def unexpected(self, what: object) -> Unexpected:
        """The error for an answer that the connector does not understand."""
        return Unexpected(f"status {self.status}: {what}; the body begins: {self.excerpt()}")

    def excerpt(self) -> str:
        """The beginning of the body on one line, for messages."""
        head = self.body[:1_200].decode(errors="replace")
        return "".join(c if c.isprintable() else " " for c in head)[:300].strip()
