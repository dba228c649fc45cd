//! Builds the hostile guest, in a target folder of its own: cargo holds a lock on the one that the tests run from.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The hostile guest built with a feature, or with none if that is empty.
pub(super) fn hostile(feature: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let target = root.join("target/guests");
    fs::create_dir_all(&target).unwrap();
    // Every feature set is written to one place; only under this lock is it ours.
    let lock = File::create(target.join("hostile.lock")).unwrap();
    lock.lock().unwrap();
    let built = Command::new(env!("CARGO"))
        .current_dir(root)
        .args(["build", "--quiet", "-p", "hostile", "--target", "wasm32-wasip2", "--profile", "connector"])
        .args(["--features", feature])
        .arg("--target-dir")
        .arg(&target)
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("RUSTFLAGS")
        .status()
        .unwrap();
    assert!(built.success(), "the hostile guest does not build");
    let copy = target.join(format!("hostile-{feature}.wasm"));
    fs::copy(target.join("wasm32-wasip2/connector/hostile.wasm"), &copy).unwrap();
    copy
}
