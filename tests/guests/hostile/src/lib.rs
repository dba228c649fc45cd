//! A connector that sins on request: `fetch` of an object commits the sin of that name, `fetch` of `ok` behaves.
//!
//! Written on the bare bindings instead of the SDK, which would not let most of this happen.
//! Empty on other targets than WebAssembly, where its imports do not link.

#![cfg(target_arch = "wasm32")]

mod ask;
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
        if context.config.contains("twice") {
            return Ok(vec![object("ok"), object("ok")]);
        }
        Ok(sins::NAMES.iter().map(|name| object(name)).collect())
    }

    fn fetch(context: Context, object: String, cursor: Option<String>) -> Result<Page, Error> {
        sins::commit(&object, &context, cursor)
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
