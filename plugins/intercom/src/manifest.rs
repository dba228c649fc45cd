//! What the connector says about itself.

use syncline_sdk::{AuthScheme, Manifest};

const CONFIG_SCHEMA: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "region": {
      "enum": ["us", "eu", "au"], "default": "us",
      "description": "Where the workspace's data is kept: it decides the host."
    },
    "settle_seconds": {
      "type": "integer", "minimum": 0, "maximum": 86400, "default": 60,
      "description": "How far the watermark stays behind Intercom's clock."
    },
    "overlap_seconds": {
      "type": "integer", "minimum": 300, "maximum": 604800, "default": 600,
      "description": "How far a search reaches back into the one before: the lag of Intercom's index that is survived."
    },
    "whole": {
      "type": "array", "uniqueItems": true, "default": [],
      "items": {"enum": ["contacts", "conversations", "tickets"]},
      "description": "Objects to read as a whole in every run: the only way in which Intercom shows their deletes."
    },
    "conversation_parts": {
      "type": "boolean", "default": false,
      "description": "Read every conversation with its parts (at most 500), as plain text. One request for each."
    },
    "page_size": {
      "type": "integer", "minimum": 1, "maximum": 150,
      "description": "Rows to ask for at once."
    }
  }
}"#;

pub(crate) fn manifest() -> Manifest {
    Manifest::new("intercom", env!("CARGO_PKG_VERSION"), "Intercom")
        .config_schema(CONFIG_SCHEMA)
        // Of a private app or by OAuth alike: Intercom's tokens never expire and cannot be refreshed.
        .auth(AuthScheme::bearer("access-token"))
        .host("api.intercom.io")
        .host("api.eu.intercom.io")
        .host("api.au.intercom.io")
        // 10,000 a minute for an app, counted in windows of ten seconds.
        .rate(1_600, 10, 4)
}
