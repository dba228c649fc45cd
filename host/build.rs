//! Rebuilds the crate when a migration is added or changed, and says that `fuzzing`, which cargo-fuzz sets, is no slip.
fn main() {
    println!("cargo:rustc-check-cfg=cfg(fuzzing)");
    println!("cargo:rerun-if-changed=../migrations");
}
