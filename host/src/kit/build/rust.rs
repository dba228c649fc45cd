//! Rust: cargo builds the component itself, for the target that has them.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use tokio::process::Command;

use super::{BuildError, tool};
use crate::kit::project::Project;

/// What connectors are compiled for.
const TARGET: &str = "wasm32-wasip2";
/// The profile that is used where the workspace has it.
const PROFILE: &str = "connector";
const MISSING: &str = "a Rust connector needs Rust: https://rustup.rs installs it";

/// Builds the package in the project's folder.
pub(super) async fn build(project: &Project) -> Result<PathBuf, BuildError> {
    // Cargo would look for a manifest in the folders above and build something else.
    let manifest = std::path::absolute(project.dir.join("Cargo.toml"))
        .and_then(std::fs::canonicalize)
        .map_err(|source| BuildError::File { path: project.dir.join("Cargo.toml"), source })?;
    add_target(&project.dir).await?;
    let mut cargo = cargo(&project.dir);
    cargo.args(["build", "--quiet", "--lib", "--target", TARGET, "--message-format=json-render-diagnostics"]);
    cargo.args(["--profile", profile(&project.dir).await?]).arg("--manifest-path").arg(&manifest);
    let messages = tool::output(&mut cargo, MISSING).await?;
    component(&messages, &manifest).ok_or_else(|| BuildError::Nothing {
        why: "Cargo.toml needs `crate-type = [\"cdylib\", \"rlib\"]` under [lib]".to_owned(),
    })
}

/// The component among the artifacts that cargo tells of, one JSON object a line.
fn component(messages: &str, manifest: &Path) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Artifact>(line).ok())
        .filter(|artifact| artifact.manifest_path == manifest)
        .flat_map(|artifact| artifact.filenames)
        .find(|file| file.extension().is_some_and(|extension| extension == "wasm"))
}

#[derive(Deserialize)]
struct Artifact {
    manifest_path: PathBuf,
    filenames: Vec<PathBuf>,
}

/// In the folder, so that its toolchain and its settings count.
fn cargo(dir: &Path) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(dir);
    command
}

/// `connector` where the workspace defines it, else `release`.
async fn profile(dir: &Path) -> Result<&'static str, BuildError> {
    let mut locate = cargo(dir);
    locate.args(["locate-project", "--workspace", "--message-format=plain"]);
    let root = PathBuf::from(tool::output(&mut locate, MISSING).await?.trim_end());
    let text = std::fs::read_to_string(&root).map_err(|source| BuildError::File { path: root, source })?;
    // A manifest that is no TOML is cargo's to tell.
    let root: toml::Table = toml::from_str(&text).unwrap_or_default();
    let defined = root.get("profile").and_then(|profiles| profiles.get(PROFILE)).is_some();
    Ok(if defined { PROFILE } else { "release" })
}

/// Adds the target's standard library, if it is missing.
async fn add_target(dir: &Path) -> Result<(), BuildError> {
    let rustup = |arguments: [&str; 2]| {
        let mut command = Command::new("rustup");
        command.current_dir(dir).arg("target").args(arguments);
        command
    };
    let installed = match tool::output(&mut rustup(["list", "--installed"]), MISSING).await {
        // Another distribution of Rust: cargo will say if the target is missing.
        Err(BuildError::Missing { .. }) => return Ok(()),
        installed => installed?,
    };
    if installed.lines().any(|line| line == TARGET) {
        return Ok(());
    }
    tool::run(&mut rustup(["add", TARGET]), MISSING).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_component_is_found_among_what_cargo_tells() {
        let messages = r#"{"reason":"compiler-artifact","manifest_path":"/dep/Cargo.toml","filenames":["/t/dep.wasm"]}
{"reason":"build-script-executed","package_id":"x"}
{"reason":"compiler-artifact","manifest_path":"/crm/Cargo.toml","filenames":["/t/libcrm.rlib","/t/crm.wasm"]}
{"reason":"build-finished","success":true}"#;
        assert_eq!(component(messages, Path::new("/crm/Cargo.toml")), Some(PathBuf::from("/t/crm.wasm")));
        assert_eq!(component("", Path::new("/crm/Cargo.toml")), None);
    }
}
