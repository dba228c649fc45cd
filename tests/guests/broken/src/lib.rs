//! A connector for people at Birch that breaks one promise of the conformance suite, and keeps all the others.
//!
//! One component for all sins: `sin` says which one it is. Each is a mistake that authors make, in the place where they
//! make it, under the name of the check that is to find it. A few have names of their own: those that show everywhere.
//!
//! | module | owns |
//! |---|---|
//! | here | what it says of itself |
//! | `people` | reading, a page at a time |
//! | `record` | answers, and what becomes of a record |
//! | `told` | what faults are told as |
//!
//! Empty on other targets than WebAssembly, like every guest.

#![cfg(target_arch = "wasm32")]

mod people;
mod record;
mod sin;
mod told;

use std::collections::HashMap;

use sin::sin;
use syncline_sdk::guest::bindings::syncline::connector::http;
use syncline_sdk::{AuthScheme, Connector, Context, DeleteMode, Error, Manifest, ObjectType, Page};

const BASE: &str = "https://api.birch.example";

/// The connector.
#[derive(Debug, Default)]
pub struct Broken;

syncline_sdk::export_connector!(Broken);

impl Connector for Broken {
    fn describe(&self) -> Manifest {
        let mut title = "Birch".to_owned();
        // The date of a "build" that happens whenever somebody asks.
        if sin("describe-stable") {
            title = format!("Birch, as of {}", now_ms());
        }
        // Looks for a newer version of itself. That it is not allowed to goes unnoticed.
        if sin("describe-silent") {
            let _ = http::send(&http::Request {
                method: http::Method::Get,
                url: format!("{BASE}/v1/versions"),
                headers: Vec::new(),
                body: None,
                idempotent: true,
                attributes: Vec::new(),
            });
        }
        Manifest::new("broken", env!("CARGO_PKG_VERSION"), &title)
            .config_schema(r#"{"type": "object", "additionalProperties": false}"#)
            .auth(AuthScheme::bearer("token"))
            .host("api.birch.example")
            .rate(100, 60, 4)
    }

    fn check(&self, ctx: &Context<'_>) -> Result<(), Error> {
        // An endpoint of an older version of the API.
        let path = if sin("check-passes") { "account" } else { "me" };
        ctx.get(format!("{BASE}/v1/{path}")).send()?.error_for_status().map(drop)
    }

    fn discover(&self, _: &Context<'_>) -> Result<Vec<ObjectType>, Error> {
        if sin("no-discover") {
            return Err(Error::Unexpected("nothing to discover".to_owned()));
        }
        let people = ObjectType::incremental("people", "contact").schema(schema());
        // Tombstones come all the same.
        let deletes = if sin("deletes-declared") { DeleteMode::None } else { DeleteMode::Tombstones };
        let mut objects = vec![people.deletes(deletes)];
        // Listed because the documentation has it, and never written.
        if sin("objects-fetchable") {
            objects.push(ObjectType::incremental("teams", "custom"));
        }
        Ok(objects)
    }

    fn fetch(&self, ctx: &Context<'_>, object: &str, cursor: Option<&str>) -> Result<Page, Error> {
        match object {
            "people" => people::fetch(ctx, cursor),
            // There is only one object, so why look at its name?
            _ if sin("unknown-object") => people::fetch(ctx, cursor),
            other => Err(Error::other("unknown-object", format!("there is no object {other:?} here"))),
        }
    }
}

/// The JSON Schema of a person.
fn schema() -> String {
    let mut properties = vec![
        ("id", r#"{"type": "string"}"#),
        ("name", r#"{"type": ["string", "null"]}"#),
        ("email", r#"{"type": ["string", "null"]}"#),
        ("notes", r#"{"type": ["string", "null"]}"#),
        ("deleted", r#"{"type": ["boolean", "null"]}"#),
    ];
    // Believes that stamps are numbers, as they are elsewhere.
    properties.push(("updated_at", if sin("schema") { r#"{"type": "integer"}"# } else { r#"{"type": "string"}"# }));
    // In the order of a hash map, which is another one each time.
    if sin("discover-stable") {
        properties = properties.into_iter().collect::<HashMap<_, _>>().into_iter().collect();
    }
    let members: Vec<String> = properties.iter().map(|(name, schema)| format!("{name:?}: {schema}")).collect();
    format!(r#"{{"type": "object", "required": ["id"], "properties": {{{}}}}}"#, members.join(", "))
}

fn now_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
