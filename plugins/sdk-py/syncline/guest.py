"""The edge of a component: the contract's own types on one side, the SDK's on the other.

This is the module that componentize-py wraps; `wit_world` is what it generates from the contract. It runs inside
WebAssembly only, and nothing else of the SDK knows of it. Importing the connector here, while the component is built,
puts the interpreter into the component as it is after all imports, so that a call does not pay for them.
"""

import json
import sys
import traceback

import connector  # noqa: F401  (the author's module; it calls `syncline.export`)
import syncline
from componentize_py_types import Err
from wit_world.imports import http, log, types

_METHODS = {
    "GET": http.Method_Get(),
    "HEAD": http.Method_Head(),
    "POST": http.Method_Post(),
    "PUT": http.Method_Put(),
    "PATCH": http.Method_Patch(),
    "DELETE": http.Method_Delete(),
}
_HTTP_ERRORS = {
    http.HttpError_Denied: "denied",
    http.HttpError_BudgetSpent: "budget-spent",
    http.HttpError_Unreachable: "unreachable",
    http.HttpError_Timeout: "timeout",
    http.HttpError_Truncated: "truncated",
    http.HttpError_TooLarge: "too-large",
    http.HttpError_RateLimited: "rate-limited",
    http.HttpError_Unauthorized: "unauthorized",
}
_ERRORS = {
    syncline.Unauthorized: types.Error_Unauthorized,
    syncline.Forbidden: types.Error_Forbidden,
    syncline.Unavailable: types.Error_Unavailable,
    syncline.InvalidConfig: types.Error_InvalidConfig,
    syncline.Unexpected: types.Error_Unexpected,
}
_MODES = {"incremental": types.SyncMode.INCREMENTAL, "full": types.SyncMode.FULL}
_DELETES = {
    "none": types.DeleteMode.NONE,
    "tombstones": types.DeleteMode.TOMBSTONES,
    "by-absence": types.DeleteMode.BY_ABSENCE,
}

_FRAMES = 20
"""Of a traceback, the innermost that are logged."""


class Connector:
    """The exported interface `connector`."""

    def describe(self):
        return _manifest(syncline.exported().describe())

    def check(self, context):
        with _Edge():
            syncline.exported().check(_context(context))

    def discover(self, context):
        with _Edge():
            return [_object_type(each) for each in syncline.exported().discover(_context(context))]

    def fetch(self, context, object, cursor):
        with _Edge():
            return _page(syncline.exported().fetch(_context(context), object, cursor))


class _Edge:
    """Whatever is raised inside of it leaves as an error of the contract. A mistake of the connector's is logged with
    its traceback and is `unexpected`."""

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if error is None:
            return
        if isinstance(error, syncline.Error):
            raise Err(_error(error)) from None
        # Without source lines: those would be looked up in files, of which there are none.
        for frame, line in list(traceback.walk_tb(trace))[-_FRAMES:]:
            _log("error", f"{frame.f_code.co_filename}:{line} in {frame.f_code.co_qualname}")
        raise Err(types.Error_Unexpected(f"{kind.__name__} in the connector: {error}")) from None


def _error(error):
    if isinstance(error, syncline.RateLimited):
        return types.Error_RateLimited(error.seconds)
    if isinstance(error, syncline.CursorExpired):
        return types.Error_CursorExpired(error.cursor)
    if isinstance(error, syncline.Other):
        return types.Error_Other((error.code, error.message))
    case = next((case for kind, case in _ERRORS.items() if isinstance(error, kind)), types.Error_Unexpected)
    return case(str(error))


def _context(context):
    return syncline.Context(_send, _log, context.config, context.auth, context.attributes)


def _send(request):
    method = _METHODS.get(request.method) or http.Method_Other(request.method)
    try:
        response = http.send(
            http.Request(method, request.url, request.headers, request.body, request.idempotent, request.attributes)
        )
    except Err as failed:
        error = failed.value
        if isinstance(error, http.HttpError_Other):
            raise syncline.HttpError(*error.value) from None
        raise syncline.HttpError(_HTTP_ERRORS[type(error)], error.value) from None
    return syncline.Response(response.status, response.headers, response.body)


def _log(level, message):
    log.emit(log.Level[level.upper()], message, [])


def _manifest(manifest):
    return types.Manifest(
        name=manifest.name,
        version=manifest.version,
        title=manifest.title,
        config_schema=json.dumps(manifest.config_schema),
        auth=[types.AuthScheme(each.name, _auth_kind(each), each.hosts) for each in manifest.auth],
        hosts=manifest.hosts,
        rate=manifest.rate and types.RateHint(**vars(manifest.rate)),
        attributes=manifest.attributes,
    )


def _auth_kind(scheme):
    match scheme.kind:
        case "bearer":
            return types.AuthKind_Bearer()
        case "basic":
            return types.AuthKind_Basic()
        case "header":
            return types.AuthKind_Header(scheme.detail)
        case "query":
            return types.AuthKind_Query(scheme.detail)
        case "oauth2":
            return types.AuthKind_Oauth2(types.Oauth2(**vars(scheme.detail), attributes=[]))
        case other:
            return types.AuthKind_Other(other)


def _object_type(object):
    return types.ObjectType(
        name=object.name,
        interaction_type=object.interaction_type,
        schema=json.dumps(object.schema),
        primary_key=object.primary_key,
        mode=_MODES[object.mode],
        deletes=_DELETES[object.deletes],
        default_interval=object.default_interval,
        attributes=object.attributes,
    )


def _page(page):
    records = [_interaction(record) for record in page.interactions]
    return types.Page(records, _text(page.cursor), page.has_more, page.wait_seconds, page.attributes)


def _interaction(record):
    if record.state == "merged-into":
        state = types.RecordState_MergedInto(_text(record.into))
    else:
        state = types.RecordState_Deleted() if record.state == "deleted" else types.RecordState_Present()
    stamps = [None if stamp is None else _text(stamp) for stamp in (record.version, record.updated_at)]
    return types.Interaction(_text(record.id), *stamps, state, _text(record.data))


def _text(value):
    """Text that can cross the edge; beyond it, anything else would take the whole instance down without a word."""
    if not isinstance(value, str):
        raise TypeError(f"text was expected, not {value!r:.100}")
    if not value.isascii():
        value.encode()
    return value


class _LogStream:
    """What is printed becomes lines of the log: a component has no standard output of its own."""

    def __init__(self, level):
        self.level, self.rest = level, ""

    def write(self, text):
        *lines, self.rest = (self.rest + text).split("\n")
        for line in lines:
            _log(self.level, line)
        return len(text)

    def flush(self):
        """Lines are written as they end."""


sys.stdout, sys.stderr = _LogStream("debug"), _LogStream("warn")
