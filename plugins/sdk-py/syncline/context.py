"""What a call may know and do."""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import quote, urlencode

from .errors import HttpError, InvalidConfig
from .http import Request, Response


class Context:
    """What a call knows of the integration it works for, and its only ways out."""

    def __init__(
        self,
        http: Callable[[Request], Response],
        log: Callable[[str, str], None],
        config: str = "{}",
        auth: str = "",
        attributes: list[tuple[str, str]] | None = None,
    ):
        """`http` raises `HttpError` where there is no response; `log` takes a level and a line."""
        self._http, self._log, self._config = http, log, config
        self.auth = auth
        """Name of the auth scheme in use; empty if none."""
        self.attributes = dict(attributes or [])
        """Facts from the host."""

    @property
    def config(self) -> dict:
        """The integration's configuration, valid by the manifest's schema. Raises `InvalidConfig`."""
        try:
            config = json.loads(self._config.strip() or "{}")
        except ValueError as error:
            raise InvalidConfig(str(error)) from None
        if not isinstance(config, dict):
            raise InvalidConfig("not a JSON object")
        return config

    @property
    def page_size(self) -> int | None:
        """The number of records that the host would like in a page."""
        size = self.attributes.get("page-size", "")
        return int(size) or None if size.isascii() and size.isdigit() else None

    def log(self, level: str, message: str) -> None:
        """Writes a line: `trace`, `debug`, `info`, `warn`, `error`. Never a secret or a person's data."""
        self._log(level, message)

    def info(self, message: str) -> None:
        """Logs what is worth knowing."""
        self.log("info", message)

    def warn(self, message: str) -> None:
        """Logs what was odd and was dealt with."""
        self.log("warn", message)

    def get(self, url: str, **options) -> Response:
        """Sends a GET; see `request`."""
        return self.request("GET", url, **options)

    def post(self, url: str, **options) -> Response:
        """Sends a POST; see `request`."""
        return self.request("POST", url, **options)

    def request(
        self,
        method: str,
        url: str,
        *,
        query: dict[str, object] | None = None,
        headers: dict[str, str] | None = None,
        json: object = None,
        form: dict[str, str] | None = None,
        body: bytes | None = None,
        idempotent: bool = False,
        accept_status: tuple[int, ...] = (),
        timeout_ms: int | None = None,
    ) -> Response:
        """Sends a request and returns the answer, whatever its status; see `Response.error_for_status`.

        Query values of None are left out. `json` and `form` write the body and its type. `idempotent` says that
        repeating a POST does no harm; `accept_status` names statuses that are answers, so that the host does not retry
        them. Raises an `Error` where there is no answer.
        """
        request = Request(method, url + _query(url, query), list((headers or {}).items()), body, idempotent)
        if json is not None:
            request.body = _json(json)
            request.headers.append(("content-type", "application/json"))
        elif form is not None:
            request.body = urlencode(form).encode()
            request.headers.append(("content-type", "application/x-www-form-urlencoded"))
        if accept_status:
            request.attributes.append(("accept-status", ",".join(map(str, accept_status))))
        if timeout_ms is not None:
            request.attributes.append(("timeout-ms", str(timeout_ms)))
        try:
            return self._http(request)
        except HttpError as error:
            raise error.as_error() from None


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def _query(url: str, query: dict[str, object] | None) -> str:
    pairs = [
        f"{quote(key, safe='')}={quote(str(value), safe='')}"
        for key, value in (query or {}).items()
        if value is not None
    ]
    if not pairs:
        return ""
    return ("&" if "?" in url else "?") + "&".join(pairs)
