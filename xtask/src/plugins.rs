//! Building the connectors as WebAssembly components.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::tools::{cargo, find, install, root, step, target};
use crate::{demo, proc};

/// What connectors are compiled for.
const TARGET: &str = "wasm32-wasip2";

/// Where a language's new connectors begin. They are built and tested, but nobody's demo needs them.
const TEMPLATES: &str = "template";

/// Builds the connectors that need nothing but Rust, and returns the directory that they are in.
pub(crate) fn build() -> Result<PathBuf> {
    let packages = packages()?.into_iter().filter(|package| !package.is_template());
    build_rust(&packages.collect::<Vec<_>>())
}

/// Builds every connector there is, the Rust template and those in other languages too.
pub(crate) fn build_all() -> Result<PathBuf> {
    let plugins = build_rust(&packages()?)?;
    let others = others()?;
    if others.is_empty() {
        return Ok(plugins);
    }
    let syncline = demo::build("syncline")?;
    for (dir, language) in others {
        provide(&language)?;
        step(&format!("Building {}", dir.display()));
        let mut command = Command::new(&syncline);
        command.current_dir(root()).args(["--json", "connector", "build"]).arg(&dir);
        let told = proc::output(&mut command).with_context(|| format!("{} does not build", dir.display()))?;
        let built: Built = serde_json::from_str(&told).context("cannot read what `connector build` says")?;
        put(&root().join(built.file), &plugins, &built.name)?;
    }
    Ok(plugins)
}

fn build_rust(packages: &[Package]) -> Result<PathBuf> {
    add_target()?;
    let names: Vec<&str> = packages.iter().map(|package| package.name.as_str()).collect();
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
        put(&built.join(TARGET).join("connector").join(file), &plugins, name)?;
    }
    Ok(plugins)
}

/// Renamed into place: a host that watches the directory never sees half a component.
fn put(from: &Path, plugins: &Path, name: &str) -> Result<()> {
    let (part, to) = (plugins.join(format!(".{name}.wasm.part")), plugins.join(format!("{name}.wasm")));
    fs::copy(from, &part)
        .and_then(|_| fs::rename(&part, &to))
        .with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))
}

/// Every crate under plugins/ but the SDK that they are written with.
fn packages() -> Result<Vec<Package>> {
    let text = proc::output(cargo().args(["metadata", "--no-deps", "--format-version=1"]))?;
    let metadata: Metadata = serde_json::from_str(&text).context("cannot read `cargo metadata`")?;
    let plugins = root().join("plugins");
    let is_connector = |package: &Package| package.dir().starts_with(&plugins) && !package.dir().ends_with("sdk");
    let mut packages: Vec<Package> = metadata.packages.into_iter().filter(is_connector).collect();
    packages.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(packages)
}

/// The folders of connectors in other languages than Rust, and which those are.
fn others() -> Result<Vec<(PathBuf, String)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root().join("plugins")).context("cannot read plugins/")? {
        let dir = entry.context("cannot read plugins/")?.path();
        let template = dir.file_name().is_some_and(|name| name.to_string_lossy().starts_with(TEMPLATES));
        let Ok(text) = fs::read_to_string(dir.join("connector.toml")) else { continue };
        let project: Project =
            toml::from_str(&text).with_context(|| format!("cannot read {}", dir.join("connector.toml").display()))?;
        if !template && project.build.language != "rust" {
            found.push((dir, project.build.language));
        }
    }
    found.sort();
    Ok(found)
}

/// Installs what a language's connectors are built with.
fn provide(language: &str) -> Result<()> {
    let purpose = format!("building connectors in {language}");
    match language {
        "js" if find("npm").is_none() => install("npm", &purpose),
        "python" => {
            let mut venv = Command::new("python3");
            // Debian's python3 alone has the module and not what it needs.
            venv.args(["-c", "import ensurepip, venv"]).stderr(Stdio::null());
            if proc::output(&mut venv).is_ok() { Ok(()) } else { install("python3-venv", &purpose) }
        }
        _ => Ok(()),
    }
}

#[derive(serde::Deserialize)]
struct Project {
    build: Build,
}

#[derive(serde::Deserialize)]
struct Build {
    language: String,
}

/// What `syncline connector build` says.
#[derive(serde::Deserialize)]
struct Built {
    name: String,
    file: PathBuf,
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

impl Package {
    fn dir(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(&self.manifest_path)
    }

    fn is_template(&self) -> bool {
        self.dir().ends_with(TEMPLATES)
    }
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
