//! A connector's project: the folder that its author works in, as `connector.toml` describes it.
//!
//! The file is read as a whole: every problem is told with its line, and a key that nobody knows with the nearest one.
//! What it names is not looked for: whoever uses a file says that it is missing.

mod read;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde_json::{Map, Value as Json};

use crate::config::{ConfigError, ConfigErrors, Place};

/// The file in a connector's folder.
pub const FILE: &str = "connector.toml";

/// What a connector is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Language {
    /// Rust, built by cargo
    Rust,
    /// JavaScript, built by componentize-qjs from npm
    Js,
    /// Python, built by componentize-py
    Python,
}

impl Language {
    /// As it is written in files and on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Js => "js",
            Self::Python => "python",
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A connector's folder and what its file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// The folder.
    pub dir: PathBuf,
    /// `[build] language`
    pub language: Language,
    /// `[test]`
    pub trial: Trial,
}

/// How to try a connector out, against a synthetic provider. Nothing of it is secret.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trial {
    /// The integration's configuration.
    pub config: Map<String, Json>,
    /// Name of the auth scheme; the connector's first otherwise.
    pub auth: Option<String>,
    /// Credentials that the synthetic provider takes, by field.
    pub secrets: BTreeMap<String, String>,
    /// Objects to try; empty for all that `discover` lists.
    pub objects: Vec<String>,
    /// The file that describes a synthetic provider.
    pub provider: Option<PathBuf>,
    /// How late the provider may show a change, in milliseconds: what the connector promises to cope with.
    pub index_lag_ms: u64,
    /// Recorded cassettes.
    pub cassettes: Vec<PathBuf>,
}

impl Project {
    /// Reads the project in a folder. Paths come out joined with it.
    ///
    /// # Errors
    /// [`ConfigErrors`] with everything that is wrong, or that there is no such file.
    pub fn open(dir: &Path) -> Result<Self, ConfigErrors> {
        let path = dir.join(FILE);
        let text = std::fs::read_to_string(&path).map_err(|error| {
            let (message, help) = if error.kind() == std::io::ErrorKind::NotFound {
                let help = "`syncline connector new NAME` makes a project; a project of yours needs at least \
                            [build] and language = \"rust\"";
                (format!("no connector's project: there is no {FILE}"), Some(help.to_owned()))
            } else {
                (format!("the file cannot be read: {error}"), None)
            };
            ConfigErrors(vec![ConfigError { message, place: Place::File(path.clone()), help }])
        })?;
        read::read(dir, path, text)
    }
}
