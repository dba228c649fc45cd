//! Programs from the Python package index that tests need, each in a virtual environment under target/tools.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::tools::{find, install, is_root, step};
use crate::{proc, servers};

/// `target-jsonl`, a Singer target, and all it needs, pinned.
const TARGET_JSONL: &str = include_str!("target-jsonl.txt");

/// The program of a Singer target.
pub(crate) fn target_jsonl() -> Result<PathBuf> {
    Ok(python("target-jsonl", TARGET_JSONL, "the Singer target for tests")?.with_file_name("target-jsonl"))
}

/// The Python of an environment that has what `requirements` list, made if need be.
pub(crate) fn python(name: &str, requirements: &str, purpose: &str) -> Result<PathBuf> {
    let directory = servers::tools().join(name);
    let python = directory.join("bin").join("python");
    let installed = directory.join("installed.txt");
    if python.is_file() && fs::read_to_string(&installed).is_ok_and(|text| text == requirements) {
        return Ok(python);
    }
    step(&format!("Installing {purpose}"));
    if find("python3").is_none() {
        install("python3", purpose)?;
    }
    make_environment(&directory, purpose)?;
    let listed = directory.join("requirements.txt");
    fs::write(&listed, requirements).with_context(|| format!("cannot write {}", listed.display()))?;
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]).arg(&listed);
    proc::run(&mut pip)
        .with_context(|| format!("pip cannot install {name}: it needs Python 3.10 or newer and a package index"))?;
    fs::write(&installed, requirements).with_context(|| format!("cannot write {}", installed.display()))?;
    Ok(python)
}

/// Makes an empty virtual environment. Debian keeps the module for it in a package of its own.
fn make_environment(directory: &Path, purpose: &str) -> Result<()> {
    let make = || {
        let mut venv = Command::new("python3");
        proc::run(venv.args(["-m", "venv", "--clear"]).arg(directory))
    };
    if make().is_ok() {
        return Ok(());
    }
    proc::check_interrupted()?;
    if find("apt-get").is_none() || !is_root()? {
        bail!("`python3 -m venv` failed: install Python's venv module (on Debian the package python3-venv)");
    }
    install("python3-venv", purpose)?;
    make().context("`python3 -m venv` failed although python3-venv is installed")
}
