//! What can be wrong with a SQLite file that no waiting mends, and what to do about it.

use std::path::Path;

use sqlx::sqlite::SqliteError;

/// Why a SQLite file cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileProblem {
    /// This user, or the file system, does not let it be written.
    ReadOnly,
    /// It is no file, or this user may not read it, or nothing can be made beside it.
    NotOpened,
    /// It was put elsewhere while it was open.
    Moved,
    /// It holds something else.
    NotADatabase,
    /// It is damaged.
    Corrupt,
}

impl FileProblem {
    /// What SQLite says is wrong with its file, if that is what it says.
    pub(super) fn of(error: &sqlx::Error) -> Option<Self> {
        let sqlx::Error::Database(error) = error else { return None };
        error.try_downcast_ref::<SqliteError>()?;
        Self::of_code(error.code()?.parse().ok()?)
    }

    /// The last byte of SQLite's code is the kind, the others say where it was noticed. Of the read-only ones some are about
    /// a connection that only reads, and pass.
    const fn of_code(code: u32) -> Option<Self> {
        match (code, code & 0xff) {
            (1032, _) => Some(Self::Moved),
            (3 | 8 | 776 | 1544, _) => Some(Self::ReadOnly),
            (_, 14) => Some(Self::NotOpened),
            (_, 11) => Some(Self::Corrupt),
            (_, 26) => Some(Self::NotADatabase),
            _ => None,
        }
    }

    /// The problem of this file, with what to do.
    pub(super) fn told(self, file: Option<&Path>) -> String {
        let name = file.map_or_else(|| "FILE".to_owned(), |file| file.display().to_string());
        let file =
            file.map_or_else(|| "the SQLite file of `store.url`".to_owned(), |_| format!("the SQLite file {name}"));
        match self {
            Self::ReadOnly => format!(
                "{file} cannot be written: let this user write the file and its folder, or mount its file system writable"
            ),
            Self::NotOpened => format!(
                "{file} cannot be opened: it must be a file that this user may write, in a folder in which this user may \
                 make others beside it"
            ),
            Self::Moved => format!("{file} was moved or removed while it was in use: put it back and start again"),
            Self::NotADatabase => {
                format!("{file} is not a SQLite database: correct `store.url`, or restore a backup of the file")
            }
            Self::Corrupt => format!(
                "{file} is damaged: stop everything that uses it, keep a copy, then restore a backup, or take over what \
                 `sqlite3 {name} .recover` finds"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_in_which_sqlite_refuses_a_file_is_told_with_what_to_do() {
        for (code, problem, told) in [
            (8, FileProblem::ReadOnly, "cannot be written"),
            (1544, FileProblem::ReadOnly, "let this user write"),
            (3, FileProblem::ReadOnly, "mount its file system writable"),
            (14, FileProblem::NotOpened, "cannot be opened"),
            (1032, FileProblem::Moved, "put it back"),
            (26, FileProblem::NotADatabase, "correct `store.url`"),
            (11, FileProblem::Corrupt, "`sqlite3 /a/b.db .recover`"),
            (779, FileProblem::Corrupt, "restore a backup"),
        ] {
            assert_eq!(FileProblem::of_code(code), Some(problem), "{code}");
            let text = problem.told(Some(Path::new("/a/b.db")));
            assert!(text.contains("/a/b.db") && text.contains(told), "{text}");
            assert!(problem.told(None).contains("`store.url`"));
        }
        // Busy, locked, I/O, full, and a reader for whom somebody else has to recover the log.
        for other in [5, 6, 10, 13, 261, 517, 522, 264, 520, 1288] {
            assert_eq!(FileProblem::of_code(other), None, "{other}");
        }
    }
}
