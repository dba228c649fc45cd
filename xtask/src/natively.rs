//! The tests of what is written in other languages than Rust: SDKs, templates, connectors. Each needs its interpreter and
//! nothing else.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::proc;
use crate::tools::{find, install, root, step};

/// The SDK for Python, which connectors import and which is on no registry.
const PYTHON_SDK: &str = "sdk-py";

/// Runs `node --test` and `python3 -m unittest` in every folder of plugins/ that they are for.
pub(crate) fn test() -> Result<()> {
    ready()?;
    for folder in folders(is_javascript)? {
        step(&format!("Testing {}", folder.display()));
        proc::run(Command::new("node").arg("--test").current_dir(&folder))?;
    }
    let sdk = root().join("plugins").join(PYTHON_SDK);
    for folder in folders(is_python)? {
        step(&format!("Testing {}", folder.display()));
        let mut command = Command::new("python3");
        command.args(["-m", "unittest", "--quiet"]).current_dir(&folder).env("PYTHONPATH", &sdk);
        // Nothing is to be written beside the sources.
        proc::run(command.env("PYTHONDONTWRITEBYTECODE", "1"))?;
    }
    Ok(())
}

/// Installs the interpreters that are missing. Tests of cargo's need them too: tests/fakes runs connectors in them.
pub(crate) fn ready() -> Result<()> {
    for (program, package) in [("node", "nodejs"), ("python3", "python3")] {
        if find(program).is_none() {
            install(package, "testing connectors in other languages")?;
        }
    }
    Ok(())
}

fn is_javascript(folder: &Path) -> bool {
    folder.join("package.json").is_file()
}

/// The SDK, and everything that is built with it.
fn is_python(folder: &Path) -> bool {
    folder.ends_with(PYTHON_SDK) || folder.join("requirements.txt").is_file()
}

fn folders(wanted: fn(&Path) -> bool) -> Result<Vec<PathBuf>> {
    let plugins = root().join("plugins");
    let entries = fs::read_dir(&plugins).with_context(|| format!("cannot read {}", plugins.display()))?;
    let mut folders: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    folders.retain(|folder| wanted(folder));
    folders.sort();
    Ok(folders)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sdks_templates_and_connectors_are_tested() {
        let names = |wanted| -> Vec<_> {
            let folders = folders(wanted).expect("plugins/ can be read");
            folders.into_iter().map(|dir| dir.file_name().map(|name| name.to_string_lossy().into_owned())).collect()
        };
        let (javascript, python) = (names(is_javascript), names(is_python));
        for name in ["freshdesk", "sdk-js", "template-js"] {
            assert!(javascript.contains(&Some(name.to_owned())), "{name} is missing: {javascript:?}");
        }
        for name in ["pipedrive", "sdk-py", "template-py"] {
            assert!(python.contains(&Some(name.to_owned())), "{name} is missing: {python:?}");
        }
    }
}
