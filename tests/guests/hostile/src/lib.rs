//! A connector that sins on request: `fetch` of an object commits the sin of that name, `fetch` of `ok` behaves.
//!
//! Written on the bare bindings instead of the SDK, which would not let most of this happen.
//! Empty on other targets than WebAssembly, where its imports do not link.

#![cfg(target_arch = "wasm32")]

mod ask;
mod more;
mod sins;
mod wasi;

#[allow(missing_docs)]
mod bindings {
    wit_bindgen::generate!({ path: "../../../wit/v0.1.0", world: "connector-world" });
}

use bindings::exports::syncline::connector::connector::Guest;
use bindings::syncline::connector::types::{
    Context, DeleteMode, Error, Interaction, Manifest, ObjectType, Page, RecordState, SyncMode,
};

struct Hostile;

impl Guest for Hostile {
    fn describe() -> Manifest {
        #[cfg(feature = "describe-spins")]
        if std::hint::black_box(true) {
            sins::spin();
        }
        #[cfg(feature = "describe-panics")]
        if std::hint::black_box(true) {
            panic!("in describe");
        }
        #[cfg(feature = "describe-sends")]
        if let Err(error) = ask::Door::Contract.send(&ask::Ask::get("https://example.com/")) {
            panic!("no request from describe: {error}");
        }
        #[cfg(feature = "describe-fetches")]
        if let Err(error) = ask::Door::Wasi.send(&ask::Ask::get("https://example.com/")) {
            panic!("no request from describe: {error}");
        }
        #[cfg(feature = "opens-sockets")]
        if std::net::TcpStream::connect("127.0.0.1:9").is_ok() {
            panic!("connected");
        }
        let lies = cfg!(feature = "describe-lies");
        Manifest {
            name: if lies { "../Hostile" } else { "hostile" }.to_owned(),
            version: if lies {
                "one"
            } else if cfg!(feature = "newer") {
                "0.2.0"
            } else {
                "0.1.0"
            }
            .to_owned(),
            title: "Hostile".to_owned(),
            config_schema: if lies { "{" } else { r#"{"type": "object"}"# }.to_owned(),
            auth: Vec::new(),
            hosts: vec![if lies { "*" } else { "api.example.com" }.to_owned()],
            rate: None,
            attributes: Vec::new(),
        }
    }

    fn check(context: Context) -> Result<(), Error> {
        match context.config.as_str() {
            "{}" => Ok(()),
            config if config.contains("panic") => panic!("in check"),
            config if config.contains("spin") => sins::spin(),
            other => Err(Error::InvalidConfig(format!("\u{1b}[31m{other}"))),
        }
    }

    fn discover(context: Context) -> Result<Vec<ObjectType>, Error> {
        let object = |name: &str| ObjectType {
            name: name.to_owned(),
            interaction_type: "custom".to_owned(),
            schema: r#"{"type": "object"}"#.to_owned(),
            primary_key: vec!["id".to_owned()],
            mode: SyncMode::Full,
            deletes: DeleteMode::ByAbsence,
            default_interval: None,
            attributes: Vec::new(),
        };
        match context.config.as_str() {
            config if config.contains("twice") => return Ok(vec![object("ok"), object("ok")]),
            config if config.contains("panic") => panic!("in discover"),
            config if config.contains("spin") => sins::spin(),
            config if config.contains("many") => return Ok((0..10_001).map(|n| object(&n.to_string())).collect()),
            config if config.contains("named") => return Ok(vec![object("a\0b")]),
            config if config.contains("kind") => {
                return Ok(vec![ObjectType { interaction_type: "\u{1b}[2J".to_owned(), ..object("ok") }]);
            }
            config if config.contains("schema") => {
                let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
                return Ok(vec![ObjectType { schema: deep, ..object("ok") }]);
            }
            config if config.contains("regex") => {
                let slow =
                    r#"{"type": "object", "properties": {"id": {"pattern": "^((a{0,1000}){0,1000}){0,1000}$"}}}"#;
                return Ok(vec![ObjectType { schema: slow.to_owned(), ..object("ok") }]);
            }
            config if config.contains("circle") => {
                return Ok(vec![ObjectType { schema: r##"{"$ref": "#"}"##.to_owned(), ..object("ok") }]);
            }
            config if config.contains("abroad") => {
                let abroad = r#"{"$ref": "https://127.0.0.1/schema.json"}"#;
                return Ok(vec![ObjectType { schema: abroad.to_owned(), ..object("ok") }]);
            }
            _ => {}
        }
        Ok(sins::NAMES.iter().chain(more::NAMES).map(|name| object(name)).collect())
    }

    fn fetch(context: Context, object: String, cursor: Option<String>) -> Result<Page, Error> {
        more::commit(&object).unwrap_or_else(|| sins::commit(&object, &context, cursor))
    }
}

/// A page that breaks no rule.
fn page(records: Vec<Interaction>, cursor: &str) -> Page {
    Page { interactions: records, cursor: cursor.to_owned(), more: false, wait: None, attributes: Vec::new() }
}

fn record(id: &str, data: &str) -> Interaction {
    Interaction {
        id: id.to_owned(),
        version: None,
        updated_at: None,
        state: RecordState::Present,
        data: data.to_owned(),
    }
}

#[cfg(target_arch = "wasm32")]
bindings::export!(Hostile with_types_in bindings);
