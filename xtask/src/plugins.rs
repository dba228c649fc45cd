//! Building the connectors as WebAssembly components.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::proc;
use crate::tools::{cargo, find, root, step, target};

/// What connectors are compiled for.
const TARGET: &str = "wasm32-wasip2";

/// Builds every connector of the workspace and returns the directory that they are in.
pub(crate) fn build() -> Result<PathBuf> {
    add_target()?;
    let names = names()?;
    step(&format!("Building connectors: {}", names.join(", ")));
    let built = target().join("connectors");
    let mut command = cargo();
    command.args(["build", "--quiet", "--target", TARGET, "--profile", "connector", "--target-dir"]).arg(&built);
    for name in &names {
        command.args(["--package", name]);
    }
    proc::run(&mut command).context("the connectors do not build")?;

    let plugins = target().join("plugins");
    fs::create_dir_all(&plugins).with_context(|| format!("cannot make {}", plugins.display()))?;
    for name in &names {
        let file = format!("{}.wasm", name.replace('-', "_"));
        let from = built.join(TARGET).join("connector").join(&file);
        // Renamed into place: a host that watches the directory never sees half a component.
        let (part, to) = (plugins.join(format!(".{file}.part")), plugins.join(format!("{name}.wasm")));
        fs::copy(&from, &part)
            .and_then(|_| fs::rename(&part, &to))
            .with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    }
    Ok(plugins)
}

/// Every crate under plugins/ but the SDK that they are written with, by package name.
fn names() -> Result<Vec<String>> {
    let text = proc::output(cargo().args(["metadata", "--no-deps", "--format-version=1"]))?;
    let metadata: Metadata = serde_json::from_str(&text).context("cannot read `cargo metadata`")?;
    let plugins = root().join("plugins");
    let mut names: Vec<String> = metadata
        .packages
        .into_iter()
        .filter(|package| package.manifest_path.starts_with(&plugins))
        .filter(|package| package.manifest_path != plugins.join("sdk").join("Cargo.toml"))
        .map(|package| package.name)
        .collect();
    names.sort();
    Ok(names)
}

#[derive(serde::Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(serde::Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
}

/// Adds the target's standard library, if it is missing.
fn add_target() -> Result<()> {
    if find("rustup").is_none() {
        // Another distribution of Rust: cargo will say if the target is missing.
        return Ok(());
    }
    let rustup = |arguments: [&str; 2]| {
        let mut command = Command::new("rustup");
        command.current_dir(root()).arg("target").args(arguments);
        command
    };
    let installed = proc::output(&mut rustup(["list", "--installed"]))?;
    if installed.lines().any(|line| line == TARGET) {
        return Ok(());
    }
    step(&format!("Adding the target {TARGET}"));
    if proc::run(&mut rustup(["add", TARGET])).is_err() {
        bail!("cannot add the target: run `rustup target add {TARGET}` and try again");
    }
    Ok(())
}
