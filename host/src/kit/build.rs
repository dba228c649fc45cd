//! Building a connector: its language's own tools make the component, the host judges it, `dist/<name>.wasm` gets it.
//!
//! A component that the host would refuse is refused here, with the same words. What is in `dist` is whole at any time:
//! a host that watches the folder never sees half a file.

mod js;
mod python;
mod rust;
mod tool;
pub mod watch;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::contract;
use super::project::{Language, Project};
use crate::connector::{Connector, Engine, LoadError};

/// The folder of a project that its component is in.
pub const DIST: &str = "dist";

/// A component that this host runs.
#[derive(Debug)]
pub struct Built {
    /// Where it is.
    pub path: PathBuf,
    /// Loaded.
    pub connector: Arc<Connector>,
}

/// Why there is no component.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A tool of the language is not installed.
    #[error("there is no `{tool}` on this machine")]
    Missing {
        /// The program.
        tool: String,
        /// What to install.
        help: &'static str,
    },
    /// A tool cannot be run.
    #[error("`{tool}` cannot be run")]
    Start {
        /// The program.
        tool: String,
        /// Why.
        source: std::io::Error,
    },
    /// A tool ran and failed; it has said why.
    #[error("`{tool}` failed ({status}): what it said is above")]
    Failed {
        /// The program, with its first argument.
        tool: String,
        /// How it ended.
        status: std::process::ExitStatus,
    },
    /// The tools ran through and made none.
    #[error("the build made no component: {why}")]
    Nothing {
        /// What was expected.
        why: String,
    },
    /// A file of the project cannot be used.
    #[error("cannot use {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The host would not run it.
    #[error("it builds, but this host would refuse it")]
    Refused(#[source] LoadError),
}

/// Builds a project.
///
/// # Errors
/// [`BuildError`] when tools are missing or fail, or the host would refuse what they made.
pub async fn build(project: &Project, engine: &Arc<Engine>) -> Result<Built, BuildError> {
    let made = match project.language {
        Language::Rust => rust::build(project).await,
        Language::Js => js::build(project).await,
        Language::Python => python::build(project).await,
    }?;
    let connector = Connector::load_file(engine, &made).await.map_err(BuildError::Refused)?;
    let path = project.dir.join(DIST).join(format!("{}.wasm", connector.manifest.name));
    keep(&made, &path)?;
    Ok(Built { path, connector })
}

/// An empty folder for what a build leaves between, with the contract in `wit` below it. What an earlier build left is
/// gone: a build that writes nothing must not pass for one that wrote that.
fn workplace(project: &Path) -> Result<PathBuf, BuildError> {
    let dir = project.join(DIST).join("build");
    let emptied = match std::fs::remove_dir_all(&dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    };
    match emptied.and_then(|()| contract::write(&dir.join("wit"))) {
        Ok(()) => Ok(dir),
        Err(source) => Err(BuildError::File { path: dir, source }),
    }
}

/// Puts the component where it belongs. By a rename: whoever reads the place finds the old one or the new one.
fn keep(made: &Path, path: &Path) -> Result<(), BuildError> {
    let part = path.with_extension("wasm.part");
    let kept = path.parent().map_or(Ok(()), std::fs::create_dir_all);
    kept.and_then(|()| std::fs::copy(made, &part))
        .and_then(|_| std::fs::rename(&part, path))
        .map_err(|source| BuildError::File { path: path.to_owned(), source })
}
