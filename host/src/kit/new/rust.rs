//! A Rust project: the template, and the SDK beside it, because the SDK is on no registry.

use super::{File, Name, PROVIDER, folder};
use crate::kit::contract;

const TEMPLATE: &[File] = folder!(true, "template" => "", [
    ".gitignore",
    "Cargo.toml",
    "README.md",
    "cassettes/people.json",
    "connector.toml",
    "src/lib.rs",
    "src/model.rs",
    "src/people.rs",
    "tests/people/main.rs",
    "tests/people/provider.rs",
]);

const SDK: &[File] = folder!(false, "sdk" => "sdk/", [
    "Cargo.toml",
    "README.md",
    "src/asked.rs",
    "src/connector.rs",
    "src/context.rs",
    "src/cursor.rs",
    "src/error.rs",
    "src/guest.rs",
    "src/guest/convert.rs",
    "src/guest/host.rs",
    "src/lib.rs",
    "src/log.rs",
    "src/manifest.rs",
    "src/object.rs",
    "src/page.rs",
    "src/request.rs",
    "src/response.rs",
    "src/rows.rs",
    "src/testing.rs",
    "src/testing/fakes.rs",
    "src/testing/harness.rs",
    "src/testing/mock.rs",
    "src/time.rs",
]);

/// What makes the project a workspace of its own. A member of this repository's cannot say it.
const WORKSPACE: &str = r#"
# The folder stands alone, wherever it lies.
[workspace]
members = ["sdk"]

# What `syncline connector build` uses: small, no unwinding, names kept for backtraces.
[profile.connector]
inherits = "release"
lto = true
codegen-units = 1
panic = "abort"
strip = "debuginfo"
"#;

pub(super) fn files(name: &Name) -> Vec<(String, String)> {
    let text = |file: &File| {
        let text = file.text(name);
        match file.path {
            "Cargo.toml" => text.replace("\"../sdk\"", "\"sdk\"") + WORKSPACE,
            "sdk/src/guest.rs" => text.replace("../../wit/v0.1.0", "wit"),
            _ => text,
        }
    };
    let sources = TEMPLATE.iter().chain(PROVIDER).chain(SDK).map(|file| (file.path.to_owned(), text(file)));
    let contract = contract::FILES.iter().map(|(name, text)| (format!("sdk/wit/{name}"), (*text).to_owned()));
    sources.chain(contract).collect()
}
