//! Why the store could not do what it was asked. No `sqlx` type leaves the store.

use std::path::{Path, PathBuf};

use sqlx::migrate::MigrateError;

use super::file::FileProblem;

/// An operation of the store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database refused or could not be reached.
    #[error("database: {operation} failed")]
    Database {
        /// What was being done.
        operation: &'static str,
        /// The cause.
        #[source]
        source: sqlx::Error,
    },
    /// The SQLite file cannot be used as it is.
    #[error("{}", .problem.told(.file.as_deref()))]
    File {
        /// What is wrong with it.
        problem: FileProblem,
        /// Where it is, if that is known.
        file: Option<PathBuf>,
        /// The cause.
        #[source]
        source: sqlx::Error,
    },
    /// The database's schema is older than this binary.
    #[error("the database has schema {found}, this binary needs {needed}: run `syncline migrate`")]
    SchemaOld {
        /// Newest migration applied; 0 for an empty database.
        found: i64,
        /// Newest migration of this binary.
        needed: i64,
    },
    /// The database's schema is newer than this binary.
    #[error("the database has schema {found}, newer than this binary's {known}: run a newer syncline")]
    SchemaNew {
        /// Newest migration applied.
        found: i64,
        /// Newest migration of this binary.
        known: i64,
    },
    /// A migration failed.
    #[error("migration failed")]
    Migrate(#[source] MigrateError),
    /// The URL of the store is not understood.
    #[error("store url {0:?}: use sqlite://PATH or postgres://...")]
    Url(String),
    /// The thing named does not exist.
    #[error("no {kind} {name:?}{}", hint(.near))]
    NotFound {
        /// `customer`, `integration`, `object`, `run`.
        kind: &'static str,
        /// As it was asked for.
        name: String,
        /// The nearest existing name.
        near: Option<String>,
    },
    /// A thing of that name exists.
    #[error("{kind} {name:?} exists already")]
    Exists {
        /// `customer`, `integration`.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// Credentials could not be sealed.
    #[error("sealing credentials failed")]
    Seal(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// What is stored cannot be understood: written by a newer host or damaged.
    #[error("stored {what} is damaged: {detail}")]
    Damaged {
        /// What was read.
        what: &'static str,
        /// What is wrong with it.
        detail: String,
    },
}

fn hint(near: &Option<String>) -> String {
    near.as_ref().map(|name| format!(" (did you mean {name:?}?)")).unwrap_or_default()
}

impl StoreError {
    /// A failed statement.
    fn of(operation: &'static str, source: sqlx::Error) -> Self {
        match FileProblem::of(&source) {
            Some(problem) => Self::File { problem, file: None, source },
            None => Self::Database { operation, source },
        }
    }

    /// The folder of a SQLite file is not there and cannot be made. Not an I/O error of the database, which would pass.
    pub(super) fn no_folder(file: &Path, error: std::io::Error) -> Self {
        let source = sqlx::Error::Configuration(Box::new(error));
        Self::File { problem: FileProblem::NotOpened, file: Some(file.to_owned()), source }
    }

    /// A failed migration.
    pub(super) fn of_migration(error: MigrateError) -> Self {
        match error {
            MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _)
                if FileProblem::of(&source).is_some() =>
            {
                Self::of("migrate", source)
            }
            other => Self::Migrate(other),
        }
    }

    /// Says which file it is that cannot be used, where that is what is wrong.
    pub(super) fn in_file(mut self, path: &Path) -> Self {
        if let Self::File { file, .. } = &mut self {
            *file = Some(path.to_owned());
        }
        self
    }

    /// Whether the same call may work when tried again: the database was busy, restarting or out of connections.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        let Self::Database { source, .. } = self else { return false };
        match source {
            // An answer that was cut off in its middle is none that the protocol knows.
            sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::PoolTimedOut | sqlx::Error::WorkerCrashed => {
                true
            }
            sqlx::Error::Database(error) => {
                // Serialization failure, deadlock, connection classes 08 and 57; SQLite BUSY and LOCKED.
                error.code().is_some_and(|code| {
                    matches!(code.as_ref(), "40001" | "40P01" | "5" | "6" | "261" | "517")
                        || code.starts_with("08")
                        || code.starts_with("57")
                        || code.starts_with("53")
                })
            }
            _ => false,
        }
    }

    /// Whether the database gave this transaction up in favour of another: a deadlock or a serialization failure.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        match self {
            Self::Database { source: sqlx::Error::Database(error), .. } => {
                error.code().is_some_and(|code| matches!(code.as_ref(), "40001" | "40P01"))
            }
            _ => false,
        }
    }

    /// Whether the database refused a value as such (Postgres class 22): the data is at fault, not the database.
    #[must_use]
    pub fn is_bad_data(&self) -> bool {
        match self {
            Self::Database { source: sqlx::Error::Database(error), .. } => {
                error.code().is_some_and(|code| code.starts_with("22"))
            }
            Self::Database { source: sqlx::Error::Encode(_), .. } => true,
            _ => false,
        }
    }
}

/// Names the operation of a failed statement.
pub(crate) trait During<T> {
    fn during(self, operation: &'static str) -> Result<T, StoreError>;
}

impl<T> During<T> for Result<T, sqlx::Error> {
    fn during(self, operation: &'static str) -> Result<T, StoreError> {
        self.map_err(|source| StoreError::of(operation, source))
    }
}
