//! Builds the hostile connector, in a target folder of its own: cargo holds a lock on the one that the tests run from.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

/// The component, built if it is not yet.
pub(super) fn hostile() -> Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("no workspace")?;
    // Not the folder that the host's own tests build their variants in: features share file names.
    let target = root.join("target/guests/plain");
    let built = Command::new("cargo")
        .current_dir(root)
        .args(["build", "--quiet", "-p", "hostile", "--target", "wasm32-wasip2", "--profile", "connector"])
        .arg("--target-dir")
        .arg(&target)
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("RUSTFLAGS")
        .status()?;
    ensure!(built.success(), "the hostile connector does not build");
    Ok(target.join("wasm32-wasip2/connector/hostile.wasm"))
}
