//! The tests of what is written in JavaScript: the SDK, the template, the connectors. They need Node.js and nothing else.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::proc;
use crate::tools::{find, install, root, step};

/// Runs `node --test` in every folder of plugins/ that has a package.json.
pub(crate) fn test() -> Result<()> {
    ready()?;
    for folder in folders()? {
        step(&format!("Testing {}", folder.display()));
        proc::run(Command::new("node").arg("--test").current_dir(&folder))?;
    }
    Ok(())
}

/// Installs Node.js where it is missing. A test of cargo's needs it too: tests/fakes runs a connector in it.
pub(crate) fn ready() -> Result<()> {
    if find("node").is_some() { Ok(()) } else { install("nodejs", "testing connectors in JavaScript") }
}

fn folders() -> Result<Vec<PathBuf>> {
    let plugins = root().join("plugins");
    let entries = fs::read_dir(&plugins).with_context(|| format!("cannot read {}", plugins.display()))?;
    let mut folders: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    folders.retain(|folder| folder.join("package.json").is_file());
    folders.sort();
    Ok(folders)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sdk_the_template_and_the_connectors_are_tested() {
        let names: Vec<_> = folders()
            .expect("plugins/ can be read")
            .into_iter()
            .map(|dir| dir.file_name().map(ToOwned::to_owned))
            .collect();
        for name in ["freshdesk", "sdk-js", "template-js"] {
            assert!(names.contains(&Some(name.into())), "{name} is missing: {names:?}");
        }
    }
}
