//! Pages of `docs/` that are written from the code: the contract, the checks, the command line, the configuration.
//!
//! Each is made by a module `reference` beside what it describes, and kept here: a test makes it anew and compares.
//! `UPDATE_DOCS=1 cargo test -p syncline reference` writes them all.

use std::path::Path;

/// Fails if a page of `docs/` is not this text, or writes it if that was asked for.
pub(crate) fn kept(page: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(page);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == text, "docs/{page} is out of date: UPDATE_DOCS=1 cargo test -p syncline reference");
}
