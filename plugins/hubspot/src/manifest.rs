//! What the connector says about itself.

use syncline_sdk::{AuthScheme, Manifest, OAuth2};

/// The only host; every region answers there.
const HOST: &str = "api.hubapi.com";

const CONFIG_SCHEMA: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "properties": {
      "type": "object",
      "description": "Further properties to read, by object; HubSpot returns only what is asked for.",
      "propertyNames": {"enum": ["companies", "contacts", "deals", "tickets", "tasks", "notes"]},
      "additionalProperties": {
        "type": "array",
        "items": {"type": "string", "pattern": "^[a-z0-9_]+$", "maxLength": 255},
        "uniqueItems": true
      }
    },
    "settle_seconds": {
      "type": "integer", "minimum": 0, "maximum": 86400, "default": 60,
      "description": "How far the watermark stays behind HubSpot's clock."
    },
    "overlap_seconds": {
      "type": "integer", "minimum": 0, "maximum": 604800, "default": 3600,
      "description": "How far a search reaches back into the one before: the lag of HubSpot's index that is survived."
    },
    "archived_every_seconds": {
      "type": "integer", "minimum": 0, "maximum": 2592000, "default": 3600,
      "description": "How often the archived list is walked for deletes. Rows leave it after 90 days."
    },
    "page_size": {
      "type": "integer", "minimum": 1, "maximum": 200,
      "description": "Rows to ask for at once; lists give at most 100."
    }
  }
}"#;

pub(crate) fn manifest() -> Manifest {
    let oauth = OAuth2::new("https://api.hubapi.com/oauth/v1/token")
        .authorize_url("https://app.hubspot.com/oauth/authorize")
        .grant("refresh-token")
        .scope("crm.objects.contacts.read")
        .scope("crm.objects.companies.read")
        .scope("crm.objects.deals.read")
        .scope("crm.objects.owners.read")
        .scope("tickets");
    Manifest::new("hubspot", env!("CARGO_PKG_VERSION"), "HubSpot")
        .config_schema(CONFIG_SCHEMA)
        .auth(AuthScheme::bearer("private-app"))
        .auth(AuthScheme::oauth2("oauth", oauth))
        .host(HOST)
        // The lowest tier. Search allows 5 a second for the whole account; HubSpot says so with a 429 and its policy.
        .rate(100, 10, 4)
}
