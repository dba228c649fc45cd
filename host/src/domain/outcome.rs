//! What can go wrong in a call, and the one place that decides what it means for the run.

use std::fmt;

/// An error that a connector returned: the provider's fault or the configuration's, never the host's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProviderError {
    /// Credentials refused, refresh included.
    Unauthorized(String),
    /// Not allowed to read this object.
    Forbidden(String),
    /// Too many requests; seconds to wait if known.
    RateLimited(Option<u64>),
    /// A fault that is likely to pass.
    Unavailable(String),
    /// Position unknown to the provider; a cursor to resume from if there is one.
    CursorExpired(Option<String>),
    /// The configuration cannot work.
    InvalidConfig(String),
    /// The provider answered what the connector does not understand.
    Unexpected(String),
    /// A code and a message.
    Other(String, String),
}

/// How a connector broke the rules of the sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// A trap: a panic, an unreachable, a stack overflow.
    Trap,
    /// Too much CPU in one call or run.
    Cpu,
    /// Too much memory.
    Memory,
    /// Too long on the wall clock.
    Wall,
    /// Too much output: page, record, cursor or hostcall size.
    Output,
    /// An answer that breaks the contract: an empty cursor, a repeated cursor, an undeclared object.
    Contract,
    /// A cursor came twice while there was more, or too many pages were empty.
    Stalled,
}

impl FaultKind {
    /// The class as it is stored, printed and counted.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trap => "guest-trap",
            Self::Cpu => "guest-cpu",
            Self::Memory => "guest-memory",
            Self::Wall => "guest-wall",
            Self::Output => "guest-output",
            Self::Contract => "contract",
            Self::Stalled => "cursor-stalled",
        }
    }
}

/// Why a call into a connector gave no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallError {
    /// The connector returned an error.
    Provider(ProviderError),
    /// The connector broke a rule; the text is for its author.
    Fault(FaultKind, String),
    /// The host could not make the call: try again, it is nobody's fault outside.
    Host(String),
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Provider(error) => error.fmt(f),
            Self::Fault(kind, text) => write!(f, "{}: {text}", kind.as_str()),
            Self::Host(text) => write!(f, "host: {text}"),
        }
    }
}

impl std::error::Error for CallError {}

impl fmt::Display for ProviderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unauthorized(text) => write!(f, "credentials refused: {text}"),
            Self::Forbidden(text) => write!(f, "not allowed: {text}"),
            Self::RateLimited(Some(seconds)) => write!(f, "rate limited for {seconds} s"),
            Self::RateLimited(None) => f.write_str("rate limited"),
            Self::Unavailable(text) => write!(f, "provider unavailable: {text}"),
            Self::CursorExpired(_) => f.write_str("the provider no longer knows the cursor"),
            Self::InvalidConfig(text) => write!(f, "invalid configuration: {text}"),
            Self::Unexpected(text) => write!(f, "unexpected answer: {text}"),
            Self::Other(code, text) => write!(f, "{code}: {text}"),
        }
    }
}

/// How a run ended, or why it stopped for now. Every run ends as exactly one of these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Everything the provider had was read and stored.
    Succeeded,
    /// The provider failed midway; what was read before is stored and the rest follows.
    Partial {
        /// Stable class of the error.
        class: String,
        /// For people.
        message: String,
    },
    /// The provider wants a pause.
    RateLimited {
        /// Pause in milliseconds; none where the provider named none.
        retry_after_ms: Option<i64>,
    },
    /// The integration stops until its credentials or configuration change.
    NeedsAuth {
        /// `unauthorized` or `invalid-config`.
        class: String,
        /// For people.
        message: String,
    },
    /// This object may not be read.
    Forbidden {
        /// For people.
        message: String,
    },
    /// The run failed.
    Failed {
        /// Stable class of the error.
        class: String,
        /// For people.
        message: String,
    },
    /// Another worker owns the object: nothing was written.
    Fenced,
    /// The object crashed its host too often; an operator must look at it.
    Quarantined {
        /// For people.
        message: String,
    },
}

impl Outcome {
    /// The state a run is stored with.
    #[must_use]
    pub const fn state(&self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Partial { .. } => "partial",
            Self::RateLimited { .. } => "rate-limited",
            Self::NeedsAuth { .. } => "needs-auth",
            Self::Forbidden { .. } => "forbidden",
            Self::Failed { .. } => "failed",
            Self::Fenced => "fenced",
            Self::Quarantined { .. } => "quarantined",
        }
    }

    /// Class and message of what went wrong, if anything did.
    #[must_use]
    pub fn error(&self) -> Option<(&str, &str)> {
        match self {
            Self::Succeeded | Self::Fenced => None,
            Self::Partial { class, message } | Self::NeedsAuth { class, message } | Self::Failed { class, message } => {
                Some((class, message))
            }
            Self::RateLimited { .. } => Some(("rate-limited", "the provider asked for a pause")),
            Self::Forbidden { message } => Some(("forbidden", message)),
            Self::Quarantined { message } => Some(("quarantined", message)),
        }
    }
}

/// What the retriever does next after a call failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// End the run.
    End(Outcome),
    /// Store this cursor (none: from the very beginning) and go on.
    Rewind(Option<String>),
    /// Give the job back untouched: the host itself was the reason.
    GiveBack(String),
}

/// Decides what a failed call means for the run that made it. `progressed` says whether this run has committed a page.
#[must_use]
pub fn classify(error: CallError, progressed: bool) -> Verdict {
    let failed = |class: &str, message: String| {
        let class = class.to_owned();
        Verdict::End(if progressed { Outcome::Partial { class, message } } else { Outcome::Failed { class, message } })
    };
    match error {
        CallError::Provider(error) => match error {
            ProviderError::Unauthorized(message) => {
                Verdict::End(Outcome::NeedsAuth { class: "unauthorized".to_owned(), message })
            }
            ProviderError::InvalidConfig(message) => {
                Verdict::End(Outcome::NeedsAuth { class: "invalid-config".to_owned(), message })
            }
            ProviderError::Forbidden(message) => Verdict::End(Outcome::Forbidden { message }),
            ProviderError::RateLimited(seconds) => Verdict::End(Outcome::RateLimited {
                retry_after_ms: seconds.map(|s| i64::try_from(s.min(86_400)).unwrap_or(86_400) * 1_000),
            }),
            ProviderError::CursorExpired(resume) => Verdict::Rewind(resume),
            ProviderError::Unavailable(message) => failed("unavailable", message),
            ProviderError::Unexpected(message) => failed("unexpected", message),
            ProviderError::Other(code, message) => failed("other", format!("{code}: {message}")),
        },
        // A broken connector is never a partial success: nothing says that what it did before was right.
        CallError::Fault(kind, message) => Verdict::End(Outcome::Failed { class: kind.as_str().to_owned(), message }),
        CallError::Host(message) => Verdict::GiveBack(message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_fault_after_progress_is_partial_and_before_it_is_failed() {
        let error = || CallError::Provider(ProviderError::Unavailable("503".to_owned()));
        assert!(
            matches!(classify(error(), true), Verdict::End(Outcome::Partial { class, .. }) if class == "unavailable")
        );
        assert!(matches!(classify(error(), false), Verdict::End(Outcome::Failed { .. })));
    }

    #[test]
    fn a_broken_connector_is_never_partial() {
        let verdict = classify(CallError::Fault(FaultKind::Cpu, "spin".to_owned()), true);
        assert!(matches!(verdict, Verdict::End(Outcome::Failed { class, .. }) if class == "guest-cpu"));
    }

    #[test]
    fn an_absurd_retry_after_is_clamped_to_a_day() {
        let verdict = classify(CallError::Provider(ProviderError::RateLimited(Some(u64::MAX))), false);
        assert_eq!(verdict, Verdict::End(Outcome::RateLimited { retry_after_ms: Some(86_400_000) }));
    }
}
