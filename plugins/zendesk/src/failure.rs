//! What a refusal means.
//!
//! The body of a refusal is JSON, in which `error` is a code beside a `description`, or an object with `title` and
//! `message`; or it is plain text. The text is needed: 422 is the answer to a wrong question and to one asked too soon.

use serde::Deserialize;
use syncline_sdk::{Error, Response};

/// Seconds to wait where a 429 names no time.
const PAUSE: u64 = 60;

/// Why a request did not give what it was sent for, by what the connector can do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// An export by time does not look at the last minute: nothing yet.
    TooRecent,
    /// The position is no longer known.
    Lost(String),
    /// There is no such thing.
    NotFound(String),
    /// For the host to deal with.
    Final(Error),
}

impl Failure {
    /// Whether an answer was too large for the host: asking for fewer rows helps.
    pub(crate) fn is_too_large(&self) -> bool {
        matches!(self, Self::Final(error) if error.is_too_large())
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Final(error)
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Final(error) => error,
            Failure::TooRecent => Self::RateLimited(Some(PAUSE)),
            Failure::Lost(why) => Self::Unexpected(why),
            // The account's plan does not have it.
            Failure::NotFound(why) => Self::Forbidden(why),
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Body {
    error: Reason,
    description: Option<String>,
    error_description: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Reason {
    Code(String),
    Told {
        #[serde(default)]
        title: String,
        #[serde(default)]
        message: String,
    },
    Other(serde::de::IgnoredAny),
}

impl Default for Reason {
    fn default() -> Self {
        Self::Code(String::new())
    }
}

/// The response itself if it is a success, else what it means.
pub(crate) fn checked(response: Response) -> Result<Response, Failure> {
    if response.is_success() {
        return Ok(response);
    }
    let (status, reason) = (response.status, reason(&response));
    let message = format!("status {status}: {reason}");
    let names = |text: &str| reason.to_ascii_lowercase().contains(text);
    Err(match status {
        401 => Error::Unauthorized(message).into(),
        403 => Error::Forbidden(message).into(),
        404 if names("no help desk") => Error::InvalidConfig(message).into(),
        404 => Failure::NotFound(message),
        409 => Error::Unavailable(message).into(),
        400 | 422 if names("too recent") => Failure::TooRecent,
        400 | 422 if names("cursor") || names("page[after]") => Failure::Lost(message),
        429 => Error::RateLimited(Some(pause(&response))).into(),
        _ => return response.error_for_status().map_err(Failure::Final),
    })
}

fn pause(response: &Response) -> u64 {
    let reset = || response.header("ratelimit-reset")?.trim().parse().ok();
    response.retry_after().or_else(reset).unwrap_or(PAUSE)
}

fn reason(response: &Response) -> String {
    let body: Body = serde_json::from_slice(&response.body).unwrap_or_default();
    let description = body.description.or(body.error_description).unwrap_or_default();
    let (head, tail) = match body.error {
        Reason::Code(code) => (code, description),
        Reason::Told { title, message } => (title, message),
        Reason::Other(_) => (String::new(), description),
    };
    match (head.is_empty(), tail.is_empty()) {
        (true, true) => response.excerpt(),
        (false, true) => head,
        (true, false) => tail,
        (false, false) => format!("{head}: {tail}"),
    }
}
