"""Pipedrive.

Three ways to read, each in its own module: `windows` for what API v2 can filter by time, `anchored` for the lists of
API v1, `whole` for what has no filter. Between calls nothing is kept but the cursor.
"""

import syncline
from pipedrive import anchored, manifest, whole, windows
from pipedrive.api import Api
from pipedrive.objects import Reading, objects

_READERS = {Reading.WINDOWS: windows.fetch, Reading.ANCHORED: anchored.fetch, Reading.WHOLE: whole.fetch}


class Pipedrive(syncline.Connector):
    """The connector."""

    def describe(self):
        return manifest.MANIFEST

    def check(self, ctx):
        Api(ctx).me()

    def discover(self, ctx):
        return [each.object_type() for each in objects(ctx.config).values()]

    def fetch(self, ctx, object, cursor):
        known = objects(ctx.config).get(object)
        if known is None:
            raise syncline.Other("unknown-object", f"Pipedrive has no {object!r}")
        return _READERS[known.reading](Api(ctx), known, cursor)


syncline.export(Pipedrive())
