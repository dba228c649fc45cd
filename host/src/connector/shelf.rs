//! The shelf: every component that was ever accepted, by its digest, with a label that says what it is.
//!
//! `<sha256>.wasm` and `<sha256>.json`. Files appear whole or not at all and never change, so that a run pinned to a
//! digest works after the file in the plugins folder was replaced, and after a restart. Bytes are hashed again whenever
//! they are taken from the shelf.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use semver::Version;
use serde::{Deserialize, Serialize};

use super::error::LoadError;
use super::load::read;
use crate::domain::Digest;

/// What a kept component is, readable without compiling it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Label {
    pub(crate) name: String,
    pub(crate) version: Version,
    /// When it was put on the shelf.
    pub(crate) kept_at: SystemTime,
}

/// A folder that belongs to this host.
pub(crate) struct Shelf {
    dir: PathBuf,
}

impl Shelf {
    pub(crate) fn open(dir: &Path) -> Result<Self, LoadError> {
        fs::create_dir_all(dir).map_err(|source| LoadError::Keep { path: dir.to_owned(), source })?;
        Ok(Self { dir: dir.to_owned() })
    }

    fn path(&self, digest: &Digest, extension: &str) -> PathBuf {
        self.dir.join(format!("{digest}.{extension}"))
    }

    /// Puts a component on the shelf. The label comes last: what has one is complete.
    pub(crate) fn keep(&self, digest: &Digest, bytes: &[u8], label: &Label) -> Result<(), LoadError> {
        let text = serde_json::to_vec(label).map_err(io::Error::from);
        for (extension, content) in [("wasm", Ok(bytes)), ("json", text.as_deref())] {
            let path = self.path(digest, extension);
            if path.exists() {
                continue;
            }
            let written = match content {
                Ok(content) => write_whole(&path, content),
                Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
            };
            written.map_err(|source| LoadError::Keep { path, source })?;
        }
        Ok(())
    }

    /// Every label on the shelf. What cannot be read is left out: it does not run, but it stops nothing either.
    pub(crate) fn labels(&self) -> Result<Vec<(Digest, Label)>, LoadError> {
        let failed = |source| LoadError::Read { path: self.dir.clone(), source };
        let mut labels = Vec::new();
        for entry in fs::read_dir(&self.dir).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let digest = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
            let label = fs::read(&path).ok().and_then(|text| serde_json::from_slice(&text).ok());
            match (digest, label) {
                (Some(digest), Some(label)) => labels.push((digest, label)),
                _ => tracing::warn!(path = %path.display(), "not a connector's label; left alone"),
            }
        }
        Ok(labels)
    }

    /// The bytes of a digest, if they are here. They are hashed before anyone sees them.
    pub(crate) fn take(&self, digest: &Digest, limit: u64) -> Result<Option<Vec<u8>>, LoadError> {
        let path = self.path(digest, "wasm");
        if !path.exists() {
            return Ok(None);
        }
        let bytes = read(&path, limit)?;
        let found = Digest::of(&bytes);
        if found == *digest { Ok(Some(bytes)) } else { Err(LoadError::Corrupt { expected: *digest, found }) }
    }
}

/// Writes a file that is either there in full, also after a crash, or not at all.
fn write_whole(path: &Path, content: &[u8]) -> io::Result<()> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let unique = NEXT.fetch_add(1, Ordering::Relaxed);
    let draft = path.with_extension(format!("draft-{}-{unique}", std::process::id()));
    let write = || {
        let mut file = File::create(&draft)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&draft, path)?;
        match path.parent() {
            Some(dir) => File::open(dir)?.sync_all(),
            None => Ok(()),
        }
    };
    write().inspect_err(|_| {
        // The draft is only in the way; the error that counts is the first one.
        let _ = fs::remove_file(&draft);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_changed_on_the_shelf_is_not_taken_from_it() {
        let dir = tempfile::tempdir().unwrap();
        let shelf = Shelf::open(dir.path()).unwrap();
        let label = Label { name: "a".to_owned(), version: Version::new(1, 0, 0), kept_at: SystemTime::now() };
        let digest = Digest::of(b"one");
        shelf.keep(&digest, b"one", &label).unwrap();
        assert_eq!(shelf.take(&digest, 100).unwrap().unwrap(), b"one");
        assert_eq!(shelf.labels().unwrap()[0].0, digest);
        fs::write(shelf.path(&digest, "wasm"), b"two").unwrap();
        assert!(matches!(shelf.take(&digest, 100), Err(LoadError::Corrupt { .. })));
        assert!(shelf.take(&Digest::of(b"three"), 100).unwrap().is_none());
    }
}
