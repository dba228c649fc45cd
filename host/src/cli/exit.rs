//! Exit codes, and the failures that end in one.

use std::any::Any;
use std::error::Error;
use std::fmt::Write as _;
use std::io;
use std::process::ExitCode;

use serde::Serialize;

use crate::config::ConfigErrors;
use crate::config::nearest::nearest;
use crate::store::{FileProblem, StoreError};

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Ok,
    /// Failed for a reason that has no code of its own.
    Failure,
    /// The command line is wrong.
    Usage,
    /// What was named does not exist.
    NotFound,
    /// Credentials are missing or refused.
    Auth,
    /// A check ran and found something.
    CheckFailed,
    /// Not now: something is out of reach or busy. Trying again may help.
    Temporary,
    /// The configuration is wrong.
    Config,
}

impl Exit {
    /// The number.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failure => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::Auth => 4,
            Self::CheckFailed => 5,
            Self::Temporary => 75,
            Self::Config => 78,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

/// Why a command failed: what, why, where, and what to do.
///
/// Not an [`Error`] itself, so that every error turns into one with `?`.
#[derive(Debug, Serialize)]
pub struct Failure {
    /// The exit code.
    #[serde(serialize_with = "as_code")]
    pub exit: Exit,
    /// What failed.
    pub what: String,
    /// Why, from the nearest cause to the first. None repeats the one before.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
    /// Where.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// What to do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub help: Vec<String>,
    /// Nobody reads the output any more: an end, but not one to complain about.
    #[serde(skip)]
    pub(super) reader_gone: bool,
    /// Already rendered in full.
    #[serde(skip)]
    rendered: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn as_code<S: serde::Serializer>(exit: &Exit, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u8(exit.code())
}

impl Failure {
    /// A failure without a cause.
    #[must_use]
    pub fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self {
            exit,
            what: what.into(),
            causes: Vec::new(),
            place: None,
            help: Vec::new(),
            reader_gone: false,
            rendered: None,
        }
    }

    /// Something of this kind and name does not exist; the nearest of the names that do is suggested.
    #[must_use]
    pub fn not_found<'a>(kind: &str, name: &str, existing: impl IntoIterator<Item = &'a str>) -> Self {
        let failure = Self::new(Exit::NotFound, format!("there is no {kind} `{name}`"));
        match nearest(name, existing) {
            Some(nearest) => failure.help(format!("did you mean `{nearest}`?")),
            None => failure,
        }
    }

    /// A configuration that is refused.
    #[must_use]
    pub fn config(errors: ConfigErrors) -> Self {
        let mut failure = Self::new(Exit::Config, "the configuration is wrong");
        failure.causes = errors.0.iter().map(|error| format!("{}: {}", error.place, error.message)).collect();
        failure.rendered = Some(errors.to_string());
        failure
    }

    /// Adds an error and its causes.
    #[must_use]
    pub fn caused_by(mut self, error: &(dyn Error + 'static)) -> Self {
        let mut next = Some(error);
        while let Some(cause) = next {
            self.reader_gone |=
                cause.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe);
            let text = cause.to_string();
            if !self.causes.last().unwrap_or(&self.what).ends_with(&text) {
                self.causes.push(text);
            }
            next = cause.source();
        }
        self
    }

    /// Adds a reason in words.
    #[must_use]
    pub fn because(mut self, why: impl Into<String>) -> Self {
        self.causes.push(why.into());
        self
    }

    /// Says where.
    #[must_use]
    pub fn at(mut self, place: impl Into<String>) -> Self {
        self.place = Some(place.into());
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// With another exit code.
    #[must_use]
    pub const fn exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// As a person reads it.
    #[must_use]
    pub fn render(&self, color: bool) -> String {
        if let Some(rendered) = &self.rendered {
            return format!("{rendered}\n");
        }
        let (red, bold, off) = if color { ("\x1b[1;31m", "\x1b[1m", "\x1b[0m") } else { ("", "", "") };
        let mut text = format!("{red}error:{off} {bold}{}{off}\n", self.what);
        // Writing to a string cannot fail.
        if let Some(place) = &self.place {
            let _ = writeln!(text, "  where: {place}");
        }
        for cause in &self.causes {
            let _ = writeln!(text, "  because: {cause}");
        }
        for help in &self.help {
            let _ = writeln!(text, "  help: {help}");
        }
        text
    }
}

impl<E: Error + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        let known: &dyn Any = &error;
        match known.downcast_ref::<StoreError>() {
            Some(error) => Self::of_store(error),
            None => Self::new(Exit::Failure, error.to_string()).caused_by(&error),
        }
    }
}

impl Failure {
    /// What an error of the store means to who gave the command.
    fn of_store(error: &StoreError) -> Self {
        let failure = |exit| Self::new(exit, error.to_string()).caused_by(error);
        match error {
            StoreError::NotFound { kind, name, near } => {
                let failure = Self::new(Exit::NotFound, format!("there is no {kind} `{name}`"));
                match near {
                    Some(near) => failure.help(format!("did you mean `{near}`?")),
                    None => failure,
                }
            }
            StoreError::Exists { kind, name } => {
                Self::new(Exit::Failure, format!("there is a {kind} `{name}` already"))
            }
            StoreError::SchemaOld { .. } | StoreError::SchemaNew { .. } | StoreError::Url(_) => failure(Exit::Config),
            StoreError::File { problem, .. } => failure(match problem {
                FileProblem::ReadOnly | FileProblem::NotOpened | FileProblem::NotADatabase => Exit::Config,
                FileProblem::Moved | FileProblem::Corrupt => Exit::Failure,
            }),
            _ if error.is_transient() => {
                failure(Exit::Temporary).help("is the database running and in reach? `store.url` says where it is")
            }
            StoreError::Database { .. } | StoreError::Migrate(_) | StoreError::Seal(_) | StoreError::Damaged { .. } => {
                failure(Exit::Failure)
            }
        }
    }
}

/// What it means that the encryption key cannot be used.
pub(super) fn no_key(error: &anyhow::Error) -> Failure {
    Failure::new(Exit::Config, "the key that encrypts credentials cannot be used")
        .caused_by(&**error)
        .help("`secrets.key` sets it; processes that share a store must share it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("reading object acme/salesforce/Account")]
    struct Reading(#[source] Repeating);

    /// Says no more than its own cause does.
    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Repeating(#[source] io::Error);

    #[test]
    fn a_failure_says_what_where_why_and_what_to_do_and_repeats_nothing() {
        let error = Reading(Repeating(io::Error::other("disk on fire")));
        let failure = Failure::from(error).at("data/syncline.db").help("put it out");
        insta::assert_snapshot!(failure.render(false), @r#"
error: reading object acme/salesforce/Account
  where: data/syncline.db
  because: disk on fire
  help: put it out
"#);
        assert_eq!(failure.exit.code(), 1);
    }

    #[test]
    fn what_does_not_exist_is_told_with_the_nearest_name() {
        let failure = Failure::not_found("customer", "acmee", ["globex", "acme"]);
        insta::assert_snapshot!(failure.render(false), @r#"
error: there is no customer `acmee`
  help: did you mean `acme`?
"#);
        assert_eq!(failure.exit.code(), 3);
        assert_eq!(serde_json::to_value(&failure).unwrap()["exit"], 3);
    }

    #[test]
    fn what_the_store_says_has_its_exit_code() {
        let near = Some("acme".to_owned());
        let failure = Failure::from(StoreError::NotFound { kind: "customer", name: "acmee".to_owned(), near });
        assert_eq!((failure.exit, failure.help.as_slice()), (Exit::NotFound, &["did you mean `acme`?".to_owned()][..]));
        assert_eq!(Failure::from(StoreError::SchemaOld { found: 0, needed: 1 }).exit, Exit::Config);
        assert_eq!(Failure::from(StoreError::Exists { kind: "customer", name: "a".to_owned() }).exit, Exit::Failure);
    }

    #[test]
    fn a_reader_that_went_away_is_recognised() {
        assert!(Failure::from(Repeating(io::ErrorKind::BrokenPipe.into())).reader_gone);
        assert!(!Failure::from(io::Error::other("x")).reader_gone);
    }
}
