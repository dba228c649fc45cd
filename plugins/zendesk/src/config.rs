//! The integration's configuration.

use serde::Deserialize;
use syncline_sdk::{Context, Error, time};

/// Before Zendesk was: 2000-01-01, in seconds since 1970.
const BEGINNING: u64 = 946_684_800;

/// JSON Schema of [`Config`].
pub(crate) const SCHEMA: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "required": ["subdomain"],
  "additionalProperties": false,
  "properties": {
    "subdomain": {
      "type": "string",
      "pattern": "^[a-z0-9][a-z0-9-]{0,62}$",
      "description": "The first part of the account's address: acme for acme.zendesk.com. Not a host-mapped address."
    },
    "start_date": {
      "type": "string",
      "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}Z)?$",
      "description": "Leave out what last changed before this day (UTC). Groups and ratings are always read whole."
    },
    "page_size": {
      "type": "integer", "minimum": 1, "maximum": 1000,
      "description": "Rows to ask for at once; lists give at most 100. Exports allow ten requests a minute: keep it large."
    }
  }
}"#;

/// What an operator may set. The host has checked it against [`SCHEMA`].
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) subdomain: String,
    #[serde(default)]
    start_date: Option<String>,
    #[serde(default)]
    page_size: Option<u32>,
}

impl Config {
    /// The configuration of a call. The subdomain becomes part of a host name, so it is checked once more.
    pub(crate) fn of(ctx: &Context<'_>) -> Result<Self, Error> {
        let config: Self = ctx.config()?;
        let label = &config.subdomain;
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if label.is_empty() || label.starts_with('-') || !label.bytes().all(plain) {
            return Err(Error::InvalidConfig(format!("subdomain: {label:?} is not the first part of an address")));
        }
        config.start()?;
        Ok(config)
    }

    /// Where a first read begins, in seconds since 1970.
    pub(crate) fn start(&self) -> Result<u64, Error> {
        let Some(date) = &self.start_date else {
            return Ok(BEGINNING);
        };
        let text = if date.len() == "2026-03-01".len() { format!("{date}T00:00:00Z") } else { date.clone() };
        let ms = time::parse_rfc3339_ms(&text);
        ms.map(|ms| ms / 1_000).ok_or_else(|| Error::InvalidConfig(format!("start_date: {date:?} is not a date")))
    }

    /// Rows to ask for: what was configured, else what the host would like, at most what the endpoint gives.
    pub(crate) fn limit(&self, ctx: &Context<'_>, max: u32) -> u32 {
        self.page_size.or(ctx.page_size()).unwrap_or(max).clamp(1, max)
    }
}
