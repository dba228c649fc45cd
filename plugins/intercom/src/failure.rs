//! What a refusal means.

use serde::Deserialize;
use syncline_sdk::{Error, Response};

/// Statuses the host need not retry: a limit is over when its window of ten seconds is, which only its header tells.
pub(crate) const NOT_WORTH_RETRYING: [u16; 1] = [429];

/// The same for the scroll, where a repeated request would skip the rows of the answer that was lost.
pub(crate) const SCROLL_ANSWERS: [u16; 7] = [408, 425, 429, 500, 502, 503, 504];

/// What Intercom says with an error.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Refusal {
    #[serde(default)]
    errors: Vec<Fault>,
    request_id: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Fault {
    code: String,
    message: Option<String>,
}

impl Refusal {
    /// Of a response that is none or that says nothing, an empty one.
    pub(crate) fn of(response: &Response) -> Self {
        response.json().unwrap_or_default()
    }

    /// Whether it has this code.
    pub(crate) fn is(&self, code: &str) -> bool {
        self.errors.iter().any(|fault| fault.code == code)
    }

    fn describe(&self, response: &Response) -> String {
        let Some(fault) = self.errors.first() else {
            return format!("status {}: {}", response.status, response.excerpt());
        };
        let message = fault.message.as_deref().unwrap_or("no message");
        let request = self.request_id.as_deref().unwrap_or("unknown");
        format!("status {}, {}: {message} (request {request})", response.status, fault.code)
    }
}

/// The response itself if it is a success, else what it means.
pub(crate) fn checked(response: Response) -> Result<Response, Error> {
    if response.is_success() {
        return Ok(response);
    }
    let refusal = Refusal::of(&response);
    let message = refusal.describe(&response);
    let token = ["unauthorized", "token_unauthorized", "token_revoked", "token_blocked"];
    Err(match response.status {
        401 => Error::Unauthorized(message),
        403 if token.iter().any(|code| refusal.is(code)) => Error::Unauthorized(message),
        // 402: the workspace's subscription does not cover it.
        402 | 403 => Error::Forbidden(message),
        429 => Error::RateLimited(pause(&response)),
        408 | 425 | 500..=599 => Error::Unavailable(message),
        _ => Error::Unexpected(message),
    })
}

/// Seconds until the limit's window ends, by Intercom's own clock.
fn pause(response: &Response) -> Option<u64> {
    let reset = || {
        let reset: u64 = response.header("x-ratelimit-reset")?.trim().parse().ok()?;
        let now = response.date_ms()? / 1_000;
        Some(reset.saturating_sub(now).max(1))
    };
    response.retry_after().or_else(reset)
}
