//! Why a call or a request failed, in the terms the host acts on.

use std::fmt;

/// The code of [`HttpError::TooLarge`] as an [`Error`].
const TOO_LARGE: &str = "response-too-large";

/// Why a call failed. Messages are for people and carry no credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// The provider refuses the credentials. The integration stops until they change.
    Unauthorized(String),
    /// The credentials are good but may not read this. The object stops being read for a long while.
    Forbidden(String),
    /// Too many requests; wait these seconds, or back off where the provider named none.
    RateLimited(Option<u64>),
    /// A fault that is likely to pass.
    Unavailable(String),
    /// The provider no longer knows the position. Continue from this cursor, or from the very beginning.
    CursorExpired(Option<String>),
    /// The configuration cannot work.
    InvalidConfig(String),
    /// The provider answered what the connector does not understand.
    Unexpected(String),
    /// Anything else; treated like `Unexpected`.
    Other {
        /// Short stable code.
        code: String,
        /// What happened, for people.
        message: String,
    },
}

impl Error {
    /// An [`Error::Other`].
    pub fn other(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Other { code: code.into(), message: message.into() }
    }

    /// Whether an answer was too large for the host: asking for fewer records helps.
    pub fn is_too_large(&self) -> bool {
        matches!(self, Self::Other { code, .. } if code == TOO_LARGE)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unauthorized(message) => write!(f, "unauthorized: {message}"),
            Self::Forbidden(message) => write!(f, "forbidden: {message}"),
            Self::RateLimited(Some(seconds)) => write!(f, "rate limited for {seconds} s"),
            Self::RateLimited(None) => f.write_str("rate limited"),
            Self::Unavailable(message) => write!(f, "unavailable: {message}"),
            Self::CursorExpired(Some(_)) => f.write_str("cursor expired, with a position to resume from"),
            Self::CursorExpired(None) => f.write_str("cursor expired"),
            Self::InvalidConfig(message) => write!(f, "invalid configuration: {message}"),
            Self::Unexpected(message) => write!(f, "unexpected: {message}"),
            Self::Other { code, message } => write!(f, "{code}: {message}"),
        }
    }
}

impl std::error::Error for Error {}

/// Why there is no response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HttpError {
    /// The egress policy refuses the request; asking again gives the same answer.
    Denied(String),
    /// The request budget of this page or run is spent.
    BudgetSpent(String),
    /// No connection: DNS, TCP, TLS.
    Unreachable(String),
    /// Connected, but no whole answer in time.
    Timeout(String),
    /// The answer broke off.
    Truncated(String),
    /// The answer exceeds the cap; ask for less.
    TooLarge(String),
    /// The provider asked for a pause longer than a request should wait, in seconds.
    RateLimited(Option<u64>),
    /// The host has no usable credentials.
    Unauthorized(String),
    /// Anything else: a code, then a message.
    Other(String, String),
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied(message) => write!(f, "request denied: {message}"),
            Self::BudgetSpent(message) => write!(f, "request budget spent: {message}"),
            Self::Unreachable(message) => write!(f, "unreachable: {message}"),
            Self::Timeout(message) => write!(f, "timeout: {message}"),
            Self::Truncated(message) => write!(f, "answer broke off: {message}"),
            Self::TooLarge(message) => write!(f, "answer too large: {message}"),
            Self::RateLimited(Some(seconds)) => write!(f, "rate limited for {seconds} s"),
            Self::RateLimited(None) => f.write_str("rate limited"),
            Self::Unauthorized(message) => write!(f, "no credentials: {message}"),
            Self::Other(code, message) => write!(f, "{code}: {message}"),
        }
    }
}

impl std::error::Error for HttpError {}

impl From<HttpError> for Error {
    fn from(error: HttpError) -> Self {
        match error {
            HttpError::Denied(message) => Self::other("request-denied", message),
            HttpError::TooLarge(message) => Self::other(TOO_LARGE, message),
            HttpError::Other(code, message) => Self::Other { code, message },
            HttpError::RateLimited(seconds) => Self::RateLimited(seconds),
            HttpError::Unauthorized(message) => Self::Unauthorized(message),
            passing @ (HttpError::BudgetSpent(_)
            | HttpError::Unreachable(_)
            | HttpError::Timeout(_)
            | HttpError::Truncated(_)) => Self::Unavailable(passing.to_string()),
        }
    }
}
