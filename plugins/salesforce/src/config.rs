//! The configuration of an integration.

use serde::Deserialize;
use syncline_sdk::{Context, Error};

use crate::objects::{self, Object};

/// What an operator may set. The host has checked it against [`SCHEMA`]; names that end up in a query are checked here
/// again, because a query is text.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// The org's My Domain host.
    pub(crate) domain: String,
    /// Version segment of every path, such as `v63.0`.
    #[serde(default = "api_version")]
    pub(crate) api_version: String,
    /// sObjects to offer besides the standard ones.
    #[serde(default)]
    custom_objects: Vec<String>,
    /// Distance of a pass's end from Salesforce's now: younger rows may still be joined by others.
    #[serde(default = "settle_seconds")]
    pub(crate) settle_seconds: u64,
    /// How far a pass goes back behind the end of the one before.
    #[serde(default = "overlap_seconds")]
    pub(crate) overlap_seconds: u64,
    /// Rows above which a first sync goes through Bulk API 2.0.
    #[serde(default = "bulk_above")]
    pub(crate) bulk_above: u64,
    /// Rows of a bulk result set to ask for at once.
    #[serde(default = "bulk_page")]
    pub(crate) bulk_page: u32,
}

fn api_version() -> String {
    "v63.0".to_owned()
}

fn settle_seconds() -> u64 {
    60
}

fn overlap_seconds() -> u64 {
    600
}

fn bulk_above() -> u64 {
    2_000
}

fn bulk_page() -> u32 {
    500
}

/// JSON Schema of [`Config`].
///
/// At most 14 custom objects: with the standard ones, describing all of them stays within a budget of 20 requests.
pub(crate) const SCHEMA: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "required": ["domain"],
  "additionalProperties": false,
  "properties": {
    "domain": {
      "type": "string",
      "title": "My Domain host",
      "description": "Host of the org, such as northwind.my.salesforce.com or northwind--uat.sandbox.my.salesforce.com.",
      "pattern": "^[a-z0-9-]+(--[a-z0-9-]+)?(\\.sandbox)?\\.my\\.salesforce\\.com$"
    },
    "api_version": {
      "type": "string",
      "description": "Version of the Salesforce API.",
      "pattern": "^v[0-9]{2,3}\\.0$",
      "default": "v63.0"
    },
    "custom_objects": {
      "type": "array",
      "description": "API names of further objects to sync, such as Invoice__c or Case.",
      "items": { "type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_]{0,79}$" },
      "uniqueItems": true,
      "maxItems": 14,
      "default": []
    },
    "settle_seconds": {
      "type": "integer",
      "description": "Rows younger than this are left to the next sync.",
      "minimum": 0,
      "maximum": 3600,
      "default": 60
    },
    "overlap_seconds": {
      "type": "integer",
      "description": "How far each sync goes back before the end of the one before, to meet transactions that committed late.",
      "minimum": 0,
      "maximum": 86400,
      "default": 600
    },
    "bulk_above": {
      "type": "integer",
      "description": "An object with more rows than this is read by a bulk job in its first sync.",
      "minimum": 0,
      "default": 2000
    },
    "bulk_page": {
      "type": "integer",
      "description": "Rows of a bulk result to read at once.",
      "minimum": 1,
      "maximum": 1000,
      "default": 500
    }
  }
}"#;

impl Config {
    pub(crate) fn of(ctx: &Context<'_>) -> Result<Self, Error> {
        let config: Self = ctx.config()?;
        match config.custom_objects.iter().find(|name| !objects::is_name(name)) {
            Some(name) => {
                Err(Error::InvalidConfig(format!("custom_objects: {name:?} is not the API name of an object")))
            }
            None => Ok(config),
        }
    }

    /// Everything this integration may read.
    pub(crate) fn objects(&self) -> Vec<Object> {
        let custom = self.custom_objects.iter().filter(|name| !objects::is_standard(name));
        objects::STANDARD.iter().map(|(name, ..)| *name).chain(custom.map(String::as_str)).map(Object::named).collect()
    }

    /// The object of that name, if this integration may read it.
    pub(crate) fn object(&self, name: &str) -> Result<Object, Error> {
        if objects::is_standard(name) || self.custom_objects.iter().any(|custom| custom == name) {
            return Ok(Object::named(name));
        }
        Err(Error::Forbidden(format!("{name:?} is neither a standard object nor one of custom_objects")))
    }
}
