//! What a host needs of its machine, looked at before it starts: descriptors, a folder to write to, random numbers.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use rand::TryRng;
use rand::rngs::{SysError, SysRng};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::cli::run::Role;
use crate::config::Config;

/// Descriptors beside connections and requests: the process itself, its files, those who ask for health and metrics.
const BESIDE: u64 = 96;

/// Files of one connection to SQLite: the database, its log, their shared memory.
const FILES_OF_A_READER: u64 = 3;

/// The machine lacks what a host cannot do without.
#[derive(Debug, thiserror::Error)]
pub enum MachineError {
    /// Nothing can be written where the host keeps what it needs.
    #[error(
        "the data directory {} (`host.data_dir`) cannot be used: this user must be able to make, write and remove files in it",
        .folder.display()
    )]
    DataDir {
        /// The folder.
        folder: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// No random numbers, no keys.
    #[error("the system gives no random numbers")]
    Random(#[source] SysError),
}

impl MachineError {
    /// Whether it may pass by itself, as a full disk does.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::DataDir { source, .. } => {
                matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
            }
            Self::Random(_) => false,
        }
    }
}

/// Looks at the machine; has the system allow as many descriptors as it does.
///
/// # Errors
/// When a host with these roles could not work here.
pub(super) fn check(config: &Config, roles: &BTreeSet<Role>) -> Result<(), MachineError> {
    let (allowed, needed) = (raise_descriptors(), descriptors(config, roles));
    if allowed.is_some_and(|allowed| allowed < needed) {
        tracing::warn!(
            code = "descriptors",
            allowed,
            needed,
            "the system allows fewer open files than this configuration can need: raise the limit (`ulimit -Hn`, \
             `LimitNOFILE=`), or lower `retrieve.concurrency`"
        );
    }
    SysRng.try_fill_bytes(&mut [0; 32]).map_err(MachineError::Random)?;
    // Connectors, compiled and as they are, and the key.
    if roles.contains(&Role::Retriever) {
        let folder = &config.host.data_dir;
        can_write(folder).map_err(|source| MachineError::DataDir { folder: folder.clone(), source })?;
    }
    Ok(())
}

/// Raises the limit of this process to the most that the system allows without asking. The limit from now on; none if
/// there is none.
fn raise_descriptors() -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none() || current == maximum {
        return current;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => maximum,
        Err(error) => {
            tracing::debug!(%error, ?current, ?maximum, "the limit of open files stays as it is");
            current
        }
    }
}

/// The most descriptors that this configuration can need at once.
fn descriptors(config: &Config, roles: &BTreeSet<Role>) -> u64 {
    let connections = u64::from(config.store.max_connections);
    let database = if config.store.url.is_sqlite() { (connections + 1) * FILES_OF_A_READER } else { connections };
    let requests = u64::from(config.retrieve.concurrency) * u64::from(config.egress.concurrency);
    BESIDE + database + if roles.contains(&Role::Retriever) { requests } else { 0 }
}

/// Makes a folder if need be, and makes, writes and removes a file in it.
fn can_write(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let path = folder.join(format!(".written-by-{}", std::process::id()));
    let written = File::create(&path).and_then(|mut file| file.write_all(b"can this be written?\n"));
    written.and(fs::remove_file(&path))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    fn config(options: &[&str]) -> Config {
        let options: Vec<_> = options.iter().map(|option| (*option).to_owned()).collect();
        Config::load(None, Vec::<(OsString, OsString)>::new(), &options).unwrap().config
    }

    #[test]
    fn descriptors_are_for_the_database_and_for_requests() {
        let all = BTreeSet::from([Role::Retriever, Role::Processor]);
        let options = ["store.max_connections=10", "retrieve.concurrency=64", "egress.concurrency=4"];
        assert_eq!(descriptors(&config(&options), &all), 96 + 33 + 256);
        let postgres = [&options[..], &["store.url=postgres://a@b/c"]].concat();
        assert_eq!(descriptors(&config(&postgres), &all), 96 + 10 + 256);
        assert_eq!(descriptors(&config(&postgres), &BTreeSet::from([Role::Scheduler])), 96 + 10);
    }

    #[test]
    fn a_folder_that_can_be_written_is_made_and_left_empty() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a/b");
        can_write(&inner).unwrap();
        can_write(&inner).unwrap();
        assert_eq!(fs::read_dir(&inner).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_told_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        for path in [file.clone(), file.join("below"), "/proc/nowhere".into()] {
            let option = format!("host.data_dir={}", path.display());
            let refused = check(&config(&[&option]), &BTreeSet::from([Role::Retriever])).unwrap_err();
            assert!(refused.to_string().contains(&format!("{} (`host.data_dir`)", path.display())), "{refused}");
            assert!(!refused.may_pass());
            check(&config(&[&option]), &BTreeSet::from([Role::Scheduler])).unwrap();
        }
    }

    #[test]
    fn a_full_disk_passes() {
        let folder = PathBuf::from("/dev");
        let refused = |kind: io::ErrorKind| MachineError::DataDir { folder: folder.clone(), source: kind.into() };
        assert!(refused(io::ErrorKind::StorageFull).may_pass());
        assert!(!refused(io::ErrorKind::PermissionDenied).may_pass());
    }

    #[test]
    fn the_limit_of_descriptors_is_raised_to_the_most_allowed() {
        let raised = raise_descriptors();
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        assert_eq!((raised, current), (maximum, maximum));
    }
}
