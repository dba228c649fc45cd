//! Where things are: the workspace, cargo, programs, who we are, and how Debian packages get here.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::proc;

/// The workspace's root directory.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// The target directory, where everything that is made goes.
pub(crate) fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// The cargo that runs us, in the workspace's root. What it told us of our own package stays behind: build scripts look
/// at such variables, and would have dependencies built once more for every change from `cargo xtask` to `cargo`.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in env::vars_os() {
        let own = ["CARGO_PKG_", "CARGO_MANIFEST_"];
        if name.to_str().is_some_and(|name| own.iter().any(|prefix| name.starts_with(prefix))) {
            command.env_remove(name);
        }
    }
    command.current_dir(root());
    command
}

/// Says what is done next.
pub(crate) fn step(what: &str) {
    eprintln!("==> {what}");
}

/// A program on the `PATH`.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|dir| dir.join(program)).find(|file| file.is_file())
}

/// Whether this is the superuser, whom some servers refuse to serve.
pub(crate) fn is_root() -> Result<bool> {
    Ok(id("-u", None)? == 0)
}

/// A user's or group's number, by `id`.
pub(crate) fn id(kind: &str, user: Option<&str>) -> Result<u32> {
    let mut command = Command::new("id");
    command.arg(kind).args(user).stderr(std::process::Stdio::null());
    let text = proc::output(&mut command)?;
    text.trim().parse().with_context(|| format!("`id {kind}` printed {text:?}"))
}

/// Installs a Debian package, or says who can.
pub(crate) fn install(package: &str, purpose: &str) -> Result<()> {
    if find("apt-get").is_none() {
        bail!("{purpose} needs {package}: install it with this system's package manager");
    }
    if !is_root()? {
        bail!("{purpose} needs {package}: run `sudo apt-get install {package}` and try again");
    }
    step(&format!("Installing {package}"));
    // A package that brings a service is not to start it: runlevel 1 is what Debian's scripts take as "not now".
    let apt = || {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive").env("RUNLEVEL", "1").arg("-q");
        command
    };
    proc::run(apt().arg("update")).context("`apt-get update` failed")?;
    proc::run(apt().args(["install", "-y", "--no-install-recommends", package]))
        .with_context(|| format!("`apt-get install {package}` failed"))
}
