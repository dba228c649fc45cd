//! The tests of what is written in Python: the SDK, the template, the connectors. They need Python and nothing else.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::proc;
use crate::tools::{find, install, root, step};

/// The SDK, which connectors import and which is on no registry.
const SDK: &str = "sdk-py";

/// Runs `python3 -m unittest` in every folder of plugins/ that holds Python.
pub(crate) fn test() -> Result<()> {
    ready()?;
    let sdk = root().join("plugins").join(SDK);
    for folder in folders()? {
        step(&format!("Testing {}", folder.display()));
        let mut command = Command::new("python3");
        command.args(["-m", "unittest", "--quiet"]).current_dir(&folder).env("PYTHONPATH", &sdk);
        // Nothing is to be written beside the sources.
        proc::run(command.env("PYTHONDONTWRITEBYTECODE", "1"))?;
    }
    Ok(())
}

/// Installs Python where it is missing. A test of cargo's needs it too: tests/fakes runs a connector in it.
pub(crate) fn ready() -> Result<()> {
    if find("python3").is_some() { Ok(()) } else { install("python3", "testing connectors in Python") }
}

/// The SDK's folder, and the folders of everything that is built with it.
fn folders() -> Result<Vec<PathBuf>> {
    let plugins = root().join("plugins");
    let entries = fs::read_dir(&plugins).with_context(|| format!("cannot read {}", plugins.display()))?;
    let mut folders: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    folders.retain(|folder| folder.ends_with(SDK) || folder.join("requirements.txt").is_file());
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
        for name in ["pipedrive", "sdk-py", "template-py"] {
            assert!(names.contains(&Some(name.into())), "{name} is missing: {names:?}");
        }
    }
}
