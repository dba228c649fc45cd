//! JavaScript: the project's own `npm run build`, with the contract laid out for it.

use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::{BuildError, tool, workplace};
use crate::kit::project::Project;

const MISSING: &str = "a JavaScript connector needs Node.js 18 or newer with npm (Debian: apt-get install nodejs npm)";

/// Runs the `build` script of package.json. It finds the contract in `dist/build/wit` and writes
/// `dist/build/component.wasm`.
pub(super) async fn build(project: &Project) -> Result<PathBuf, BuildError> {
    let dir = &project.dir;
    let made = workplace(dir)?.join("component.wasm");
    if !dir.join("node_modules").is_dir() {
        let install = if dir.join("package-lock.json").is_file() { "ci" } else { "install" };
        tool::run(npm(dir).args([install, "--no-audit", "--no-fund"]), MISSING).await?;
    }
    tool::run(npm(dir).args(["run", "--silent", "build"]), MISSING).await?;
    if made.is_file() {
        return Ok(made);
    }
    let why = format!("the script `build` of package.json is to write {}", made.display());
    Err(BuildError::Nothing { why })
}

fn npm(dir: &Path) -> Command {
    let mut command = Command::new("npm");
    command.current_dir(dir);
    command
}
