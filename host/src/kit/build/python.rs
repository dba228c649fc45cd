//! Python: componentize-py, in a virtual environment of the project.

use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::{BuildError, tool, workplace};
use crate::kit::new::python::SDK;
use crate::kit::project::Project;

const MISSING: &str =
    "a Python connector needs Python 3.11 or newer with venv (Debian: apt-get install python3 python3-venv)";
/// What the SDK's package is called, and its module that the contract's functions are in.
const PACKAGE: &str = "syncline";
const EDGE: &str = "syncline.guest";

/// Builds the module `connector` of the project's folder, with whatever it imports.
pub(super) async fn build(project: &Project) -> Result<PathBuf, BuildError> {
    let file = |source| BuildError::File { path: project.dir.clone(), source };
    let dir = std::path::absolute(&project.dir).map_err(file)?;
    let place = workplace(&dir)?;
    let made = place.join("component.wasm");
    let tools = environment(&dir).await?;
    let mut componentize = Command::new(tools.join("componentize-py"));
    componentize.current_dir(&dir).env("VIRTUAL_ENV", dir.join(VENV)).arg("--quiet");
    componentize.arg("-d").arg(place.join("wit")).args(["-w", "connector-world", "componentize", EDGE]);
    // Without stubs a component imports sockets, which no connector gets.
    componentize.arg("--stub-wasi").arg("-p").arg(&dir);
    if !dir.join(PACKAGE).is_dir() {
        componentize.arg("-p").arg(lay_out_sdk(&place)?);
    }
    tool::run(componentize.arg("-o").arg(&made), MISSING).await?;
    Ok(made)
}

/// The virtual environment's folder in a project.
const VENV: &str = ".venv";

/// The environment's programs. It is made where it is missing, and filled anew when requirements.txt has changed.
async fn environment(dir: &Path) -> Result<PathBuf, BuildError> {
    let venv = dir.join(VENV);
    let tools = venv.join(if cfg!(windows) { "Scripts" } else { "bin" });
    let (wanted, installed) = (dir.join("requirements.txt"), venv.join(".requirements"));
    let text = std::fs::read(&wanted).map_err(|source| BuildError::File { path: wanted.clone(), source })?;
    if std::fs::read(&installed).is_ok_and(|before| before == text) {
        return Ok(tools);
    }
    if !tools.join("pip").exists() {
        let mut make = Command::new("python3");
        tool::run(make.current_dir(dir).args(["-m", "venv", "--clear", VENV]), MISSING).await?;
    }
    let mut pip = Command::new(tools.join("python"));
    pip.current_dir(dir).args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"]).arg(&wanted);
    tool::run(&mut pip, MISSING).await?;
    // Written last: an installation that broke off is done again.
    std::fs::write(&installed, text).map_err(|source| BuildError::File { path: installed, source })?;
    Ok(tools)
}

/// The SDK as this binary has it, for projects without one of their own.
fn lay_out_sdk(place: &Path) -> Result<PathBuf, BuildError> {
    let dir = place.join("sdk");
    for file in SDK {
        let path = dir.join(file.path);
        let written =
            path.parent().map_or(Ok(()), std::fs::create_dir_all).and_then(|()| std::fs::write(&path, file.text));
        written.map_err(|source| BuildError::File { path, source })?;
    }
    Ok(dir)
}
