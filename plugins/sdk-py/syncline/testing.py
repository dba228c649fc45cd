"""Calls a connector the way the host does, under an ordinary Python: no host, no WebAssembly, no network.

`Harness` checks every page against the contract and fails the test where the host would refuse it. `MockHttp` answers
from a function; `LiveHttp` from a synthetic provider on this machine.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPException
from urllib.parse import parse_qs, urlsplit

from .connector import Connector
from .context import Context
from .errors import HttpError
from .http import Request, Response
from .page import Interaction, Page

_PAGES = 100_000
"""Pages of one run before the harness takes it for endless."""


def respond(status: int, body: object, **headers: str) -> Response:
    """A canned response: bytes and text as they are, everything else as JSON. `_` in a header's name is a dash."""
    kind = "text/plain; charset=utf-8" if isinstance(body, (bytes, str)) else "application/json"
    if not isinstance(body, (bytes, str)):
        body = json.dumps(body)
    named = {"content-type": kind, **{name.replace("_", "-").lower(): value for name, value in headers.items()}}
    return Response(status, list(named.items()), body if isinstance(body, bytes) else body.encode())


def path(request: Request) -> str:
    """The path of a request's URL."""
    return urlsplit(request.url).path


def query(request: Request) -> dict[str, str]:
    """The query parameters of a request, decoded; of one that occurs twice, the last value."""
    pairs = parse_qs(urlsplit(request.url).query, keep_blank_values=True)
    return {name: values[-1] for name, values in pairs.items()}


class MockHttp:
    """Answers every request from a function, which returns a `Response` or raises `HttpError`; keeps the requests."""

    def __init__(self, handler: Callable[[Request], Response]):
        self.handler = handler
        self.requests: list[Request] = []

    def __call__(self, request: Request) -> Response:
        self.requests.append(request)
        return self.handler(request)


class LiveHttp:
    """Sends requests to servers on this machine: `routes` maps the hosts that the connector names to base URLs, and
    `headers` stand for the credentials that the real host would add."""

    def __init__(self, routes: dict[str, str], headers: dict[str, str], timeout: float = 30):
        self.routes, self.headers, self.timeout = routes, headers, timeout
        self._open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open

    def __call__(self, request: Request) -> Response:
        url = urlsplit(request.url)
        if url.netloc not in self.routes:
            raise HttpError("denied", f"host {url.netloc} is not declared")
        target = self.routes[url.netloc] + url.path + (f"?{url.query}" if url.query else "")
        headers = {**dict(request.headers), **self.headers}
        asked = urllib.request.Request(target, request.body, headers, method=request.method)
        try:
            with self._open(asked, timeout=self.timeout) as answer:
                return _response(answer, answer.status)
        except urllib.error.HTTPError as answer:
            with answer:
                return _response(answer, answer.code)
        except TimeoutError as error:
            raise HttpError("timeout", str(error)) from None
        except urllib.error.URLError as error:
            raise HttpError("unreachable", str(error.reason)) from None
        except (OSError, HTTPException) as error:
            raise HttpError("truncated", str(error)) from None


def _response(answer, status: int) -> Response:
    return Response(status, [(name.lower(), value) for name, value in answer.headers.items()], answer.read())


@dataclass
class Reading:
    """What a run read."""

    interactions: list[Interaction] = field(default_factory=list)
    pages: int = 0
    cursor: str = ""
    pass_complete: bool = False
    waited: int = 0

    def landed(self) -> dict[str, Interaction]:
        """The last state of each record by id, as landing would leave it."""
        return {record.id: record for record in self.interactions}


class Harness:
    """A connector under test with everything a call needs. `auth` is the first scheme of the manifest unless said."""

    def __init__(
        self,
        connector: Connector,
        http: Callable[[Request], Response],
        config: dict | None = None,
        auth: str | None = None,
        page_size: int | None = None,
    ):
        schemes = connector.describe().auth
        self.connector, self.http = connector, http
        self.config = json.dumps(config or {})
        self.auth = auth if auth is not None else (schemes[0].name if schemes else "")
        self.attributes = [] if page_size is None else [("page-size", str(page_size))]
        self.log: list[tuple[str, str]] = []
        self.wait: Callable[[int], None] = lambda seconds: None
        """What happens where a page asks to wait; a test may move its provider's clock."""

    def ctx(self) -> Context:
        """A context as the host would lend it to one call."""
        log = lambda level, message: self.log.append((level, message))  # noqa: E731
        return Context(self.http, log, self.config, self.auth, self.attributes)

    def fetch(self, object: str, cursor: str | None = None) -> Page:
        """Reads one page and checks it against the contract."""
        page = self.connector.fetch(self.ctx(), object, cursor)
        _validate(page)
        return page

    def read_all(self, object: str, cursor: str | None = None) -> Reading:
        """Reads a whole run from a cursor: page after page until one says that there is no more. Fails if a cursor
        comes back, which the host would end as stalled."""
        seen, reading = {cursor}, Reading(cursor=cursor or "")
        while reading.pages < _PAGES:
            page = self.fetch(object, cursor)
            reading.pages += 1
            reading.pass_complete |= ("pass-complete", "true") in page.attributes
            reading.interactions += page.interactions
            reading.cursor = cursor = page.cursor
            if not page.has_more:
                return reading
            if page.wait_seconds is not None:
                reading.waited += page.wait_seconds
                self.wait(page.wait_seconds)
            else:
                assert cursor not in seen, f"a cursor came back, the run would never end: {cursor}"
                seen.add(cursor)
        raise AssertionError(f"{object}: no end after {_PAGES} pages")


def _validate(page: Page) -> None:
    """Fails the test where the host would refuse the page."""
    size = sum(len(record.data.encode()) for record in page.interactions)
    assert len(page.interactions) <= 1_000, f"a page of {len(page.interactions)} records"
    assert size <= 8 << 20, f"a page of {size} bytes"
    assert 1 <= len(page.cursor.encode()) <= 16 << 10, f"a cursor of {len(page.cursor)} characters"
    assert page.wait_seconds is None or (not page.interactions and page.has_more), "only an empty page may ask to wait"
    for record in page.interactions:
        assert isinstance(record.id, str) and 1 <= len(record.id.encode()) <= 512 and "\0" not in record.id, (
            f"not an id: {record.id!r}"
        )
        assert record.state in ("present", "deleted", "merged-into"), f"not a state: {record.state!r}"
        assert record.state != "merged-into" or record.into, f"record {record.id} was merged into nothing"
        assert len(record.data.encode()) <= 1 << 20, f"record {record.id} has {len(record.data)} characters"
        if record.data or record.state == "present":
            assert _is_object(record.data), f"the data of record {record.id} is not a JSON object: {record.data}"


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False
