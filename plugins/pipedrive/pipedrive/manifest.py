"""What the connector says of itself."""

import syncline

_OAUTH = syncline.OAuth2(
    token_url="https://oauth.pipedrive.com/oauth/token",
    authorize_url="https://oauth.pipedrive.com/oauth/authorize",
    scopes=["base", "deals:read", "contacts:read", "activities:read", "products:read", "leads:read", "users:read"],
)

_CONFIG = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["company"],
    "additionalProperties": False,
    "properties": {
        "company": {
            "type": "string",
            "pattern": "^[A-Za-z0-9-]{1,63}$",
            "description": "The company's name in its address, `birch` of birch.pipedrive.com. With an API token, "
            "`api` works for every company.",
        },
        "complete": {
            "type": "array",
            "uniqueItems": True,
            "items": {"enum": ["deals", "organizations", "persons", "activities", "products"]},
            "default": [],
            "description": "Objects to read as a whole in every run, so that their deletes show. Costly.",
        },
        "settle_seconds": {
            "type": "integer",
            "minimum": 0,
            "maximum": 3600,
            "default": 60,
            "description": "How far the end of a window stays behind Pipedrive's clock.",
        },
        "overlap_seconds": {
            "type": "integer",
            "minimum": 0,
            "maximum": 86400,
            "default": 120,
            "description": "How far a window reaches back into the one before.",
        },
    },
}

MANIFEST = syncline.Manifest(
    name="pipedrive",
    version="0.1.0",
    title="Pipedrive",
    config_schema=_CONFIG,
    # The API token first: it needs no app.
    auth=[syncline.AuthScheme.header("token", "x-api-token"), syncline.AuthScheme.oauth2("oauth", _OAUTH)],
    hosts=["{company}.pipedrive.com"],
    # The lowest plan, in Pipedrive's rolling two seconds.
    rate=syncline.RateHint(requests=20, per_seconds=2, concurrency=4),
)
