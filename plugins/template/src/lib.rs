//! Birch: people.
//!
//! | module | owns |
//! |---|---|
//! | here | what the connector says of itself, and which object is read how |
//! | `people` | reading people, a page at a time |
//! | `model` | the shape of Birch's answers |

mod model;
mod people;

use serde::Deserialize;
use syncline_sdk::{AuthScheme, Connector, Context, DeleteMode, Error, Manifest, ObjectType, Page};

const BASE: &str = "https://api.birch.example";
const HOST: &str = "api.birch.example";

/// The connector.
#[derive(Debug, Default)]
pub struct Birch;

syncline_sdk::export_connector!(Birch);

/// The integration's configuration, as `CONFIG_SCHEMA` has it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Config {
    overlap_seconds: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self { overlap_seconds: 60 }
    }
}

const CONFIG_SCHEMA: &str = r#"{
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "overlap_seconds": {
      "type": "integer", "minimum": 0, "maximum": 86400, "default": 60,
      "description": "How far each reading reaches back behind the one before."
    }
  }
}"#;

const PERSON_SCHEMA: &str = r#"{
  "type": "object",
  "required": ["id"],
  "properties": {
    "id": {"type": "string"},
    "name": {"type": ["string", "null"]},
    "email": {"type": ["string", "null"]},
    "updated_at": {"type": ["string", "null"]},
    "deleted": {"type": ["boolean", "null"]}
  }
}"#;

impl Connector for Birch {
    fn describe(&self) -> Manifest {
        Manifest::new("birch", env!("CARGO_PKG_VERSION"), "Birch")
            .config_schema(CONFIG_SCHEMA)
            .auth(AuthScheme::bearer("token"))
            .host(HOST)
            .rate(100, 60, 4)
    }

    fn check(&self, ctx: &Context<'_>) -> Result<(), Error> {
        ctx.config::<Config>()?;
        ctx.get(format!("{BASE}/v1/me")).send()?.error_for_status().map(drop)
    }

    fn discover(&self, ctx: &Context<'_>) -> Result<Vec<ObjectType>, Error> {
        ctx.config::<Config>()?;
        let people = ObjectType::incremental("people", "contact").schema(PERSON_SCHEMA);
        Ok(vec![people.deletes(DeleteMode::Tombstones)])
    }

    fn fetch(&self, ctx: &Context<'_>, object: &str, cursor: Option<&str>) -> Result<Page, Error> {
        let config: Config = ctx.config()?;
        match object {
            "people" => people::fetch(ctx, config.overlap_seconds, cursor),
            other => Err(Error::other("unknown-object", format!("there is no object {other:?} here"))),
        }
    }
}
