"""Why a call or a request failed, in the terms the host acts on."""

from __future__ import annotations


class Error(Exception):
    """Why a call failed, in the terms the host acts on. Messages are for people and carry no credentials."""


class Unauthorized(Error):
    """The provider refuses the credentials. The integration stops until they change."""


class Forbidden(Error):
    """The credentials are good but may not read this. The object stops being read for a long while."""


class RateLimited(Error):
    """Too many requests. The host waits `seconds`, or backs off where the provider named none."""

    def __init__(self, seconds: int | None = None):
        super().__init__("rate limited" if seconds is None else f"rate limited for {seconds} s")
        self.seconds = seconds


class Unavailable(Error):
    """A fault that is likely to pass: timeouts, 5xx, maintenance."""


class CursorExpired(Error):
    """The provider no longer knows the position. The host goes on from `cursor`, or from the very beginning."""

    def __init__(self, cursor: str | None = None):
        super().__init__("cursor expired" + (", with a position to resume from" if cursor else ""))
        self.cursor = cursor


class InvalidConfig(Error):
    """The configuration cannot work. The integration stops until it changes."""


class Unexpected(Error):
    """The provider answered what the connector does not understand."""


class Other(Error):
    """Anything else: a short stable code, then a message. Treated like `Unexpected`."""

    def __init__(self, code: str, message: str):
        super().__init__(f"{code}: {message}")
        self.code, self.message = code, message


class TooLarge(Other):
    """An answer was too large for the host. Asking for fewer records helps."""

    def __init__(self, message: str):
        super().__init__("response-too-large", message)


class HttpError(Exception):
    """Why there is no response. `kind` is the contract's name for it: `denied`, `budget-spent`, `unreachable`,
    `timeout`, `truncated`, `too-large`, `rate-limited`, `unauthorized`; anything else is a code of the host's."""

    def __init__(self, kind: str, detail: str | int | None = None):
        super().__init__(kind if detail is None else f"{kind}: {detail}")
        self.kind, self.detail = kind, detail

    def as_error(self) -> Error:
        """What it means for the call."""
        detail = str(self.detail)
        match self.kind:
            case "unauthorized":
                return Unauthorized(detail)
            case "rate-limited":
                return RateLimited(self.detail)
            case "too-large":
                return TooLarge(detail)
            case "budget-spent" | "unreachable" | "timeout" | "truncated":
                return Unavailable(str(self))
            case "denied":
                return Other("request-denied", detail)
            case _:
                return Other(self.kind, detail)
