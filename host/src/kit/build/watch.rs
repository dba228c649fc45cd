//! Noticing that a project's sources were saved.
//!
//! Looks at sizes and times a few times a second: a project has tens of files, and this works on every file system.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// How often it looks.
const EVERY: Duration = Duration::from_millis(300);

/// What builds write, wherever it lies in the project.
const MADE: [&str; 6] = ["dist", "target", "node_modules", "__pycache__", "Cargo.lock", "package-lock.json"];

/// The sources as they were last seen.
#[derive(Debug)]
pub struct Sources {
    dir: PathBuf,
    seen: Seen,
}

/// Size and time of every source.
type Seen = BTreeMap<PathBuf, (u64, Option<SystemTime>)>;

impl Sources {
    /// The sources as they are now.
    #[must_use]
    pub fn of(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), seen: look(dir) }
    }

    /// Waits until something is saved, and until nothing more is being saved.
    pub async fn changed(&mut self) {
        let mut changed = false;
        loop {
            tokio::time::sleep(EVERY).await;
            let now = look(&self.dir);
            if now == self.seen {
                if changed {
                    return;
                }
                continue;
            }
            // Editors and formatters write in several steps.
            (self.seen, changed) = (now, true);
        }
    }
}

/// A file that cannot be looked at counts as gone: it may be between two steps of an editor.
fn look(dir: &Path) -> Seen {
    let mut seen = Seen::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with('.') || MADE.contains(&name.as_ref()) {
                continue;
            }
            // Of a link itself: what it leads to may be anywhere.
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_dir() {
                folders.push(entry.path());
            } else {
                seen.insert(entry.path(), (metadata.len(), metadata.modified().ok()));
            }
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_count_and_what_builds_write_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("src/lib.rs", "1");
        let before = look(folder.path());
        for made in ["dist/crm.wasm", "target/debug/x", "sdk/node_modules/y", ".git/HEAD", "Cargo.lock"] {
            write(made, "made");
        }
        assert_eq!(look(folder.path()), before);
        write("src/lib.rs", "12");
        assert_ne!(look(folder.path()), before);
    }

    #[tokio::test]
    async fn a_save_ends_the_wait_once_nothing_more_is_saved() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.js");
        std::fs::write(&path, "1").unwrap();
        let mut sources = Sources::of(folder.path());
        let writes = async {
            for length in 2..=3 {
                std::fs::write(&path, "x".repeat(length)).unwrap();
                tokio::time::sleep(EVERY).await;
            }
        };
        tokio::join!(sources.changed(), writes);
        assert_eq!(sources.seen, look(folder.path()));
        assert!(tokio::time::timeout(2 * EVERY, sources.changed()).await.is_err(), "nothing was saved since");
    }
}
