"""What a Syncline connector in Python is written against.

A connector is a subclass of `Connector`, handed to `export` by a module called `connector`. Everything it may do goes
through the `Context` of a call: read its configuration, ask the host for HTTP, log a line. It holds no credentials, has
no clock, and keeps nothing between calls but the cursor it returns with each `Page`.

The contract with the host is the WIT package `syncline:connector`; the types here are its friendlier twins and are
converted at the edge, in `syncline.guest`, only. Nothing here knows of WebAssembly, so a connector's tests are ordinary
unit tests against `syncline.testing`.
"""

from . import time as time
from .connector import Connector, export, exported
from .context import Context
from .cursor import decode_cursor, decode_position, encode_cursor
from .errors import (
    CursorExpired,
    Error,
    Forbidden,
    HttpError,
    InvalidConfig,
    Other,
    RateLimited,
    TooLarge,
    Unauthorized,
    Unavailable,
    Unexpected,
)
from .http import Request, Response
from .listing import Listing, Row
from .manifest import AuthScheme, Manifest, OAuth2, ObjectType, RateHint
from .page import Interaction, Page

__version__ = "0.1.0"

__all__ = [
    "AuthScheme",
    "Connector",
    "Context",
    "CursorExpired",
    "Error",
    "Forbidden",
    "HttpError",
    "Interaction",
    "InvalidConfig",
    "Listing",
    "Manifest",
    "OAuth2",
    "ObjectType",
    "Other",
    "Page",
    "RateHint",
    "RateLimited",
    "Request",
    "Response",
    "Row",
    "TooLarge",
    "Unauthorized",
    "Unavailable",
    "Unexpected",
    "decode_cursor",
    "decode_position",
    "encode_cursor",
    "export",
    "exported",
]
