//! New projects: a language's template with another name.
//!
//! The templates are connectors of this repository, built and tested with it; the binary holds their files as they are.
//! There is no language of templates: `birch` and `Birch` become the new name, and that is all.

mod js;
mod name;
pub(super) mod python;
mod rust;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};

use super::project::Language;

pub use name::{InvalidName, Name};

/// A file of a template: where it goes, and its text.
pub(super) struct File {
    pub(super) path: &'static str,
    pub(super) text: &'static str,
    /// Whether the placeholder in it becomes the name. Not in what belongs to the SDK.
    named: bool,
}

impl File {
    fn text(&self, name: &Name) -> String {
        if self.named {
            // What lies beside a template here lies inside of a project.
            name.replace(self.text).replace("\"../template/", "\"")
        } else {
            self.text.to_owned()
        }
    }
}

/// Why there is no new project.
#[derive(Debug, thiserror::Error)]
pub enum NewError {
    /// Something is there already.
    #[error("{} is there already and is not empty", dir.display())]
    Occupied {
        /// The folder.
        dir: PathBuf,
    },
    /// It cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Writes a new project into a folder, which is made; it may be there if it is empty. Answers with how many files.
///
/// # Errors
/// [`NewError`] when the folder is in use or cannot be written.
pub fn create(name: &Name, language: Language, dir: &Path) -> Result<usize, NewError> {
    if dir.read_dir().is_ok_and(|mut entries| entries.next().is_some()) || dir.is_file() {
        return Err(NewError::Occupied { dir: dir.to_owned() });
    }
    let files = files(name, language);
    for (path, text) in &files {
        let path = dir.join(path);
        let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
        made.and_then(|()| std::fs::write(&path, text)).map_err(|source| NewError::Write { path, source })?;
    }
    Ok(files.len())
}

/// The files of a new project.
fn files(name: &Name, language: Language) -> Vec<(String, String)> {
    match language {
        Language::Rust => rust::files(name),
        Language::Js => js::files(name),
        Language::Python => python::files(name),
    }
}

/// The files of a folder of this repository, at a place in the project.
macro_rules! folder {
    ($named:literal, $from:literal => $to:literal, [$($path:literal),+ $(,)?]) => {
        &[$(File {
            path: concat!($to, $path),
            text: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../plugins/", $from, "/", $path)),
            named: $named,
        }),+]
    };
}
use folder;

/// A provider for the tests, described once for all languages.
const PROVIDER: &[File] = folder!(true, "template" => "", ["provider.toml"]);
