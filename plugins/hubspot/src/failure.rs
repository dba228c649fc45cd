//! What a refusal means.

use serde::Deserialize;
use syncline_sdk::{Error, Response};

/// Statuses the host need not retry: a malformed token and a moving account do not pass by themselves in seconds.
pub(crate) const NOT_WORTH_RETRYING: [u16; 2] = [477, 530];

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Body {
    message: String,
    category: String,
    policy_name: String,
    correlation_id: String,
}

/// The response itself if it is a success, else what it means.
pub(crate) fn checked(response: Response) -> Result<Response, Error> {
    if response.is_success() {
        return Ok(response);
    }
    let body: Body = response.json().unwrap_or_default();
    let message = describe(&response, &body);
    Err(match response.status {
        // 530 is what a malformed token gets.
        401 | 530 => Error::Unauthorized(message),
        // 404: the account's plan does not have this object.
        403 | 404 => Error::Forbidden(message),
        429 => Error::RateLimited(response.retry_after().or_else(|| pause(&body.policy_name))),
        // The account is moving between data centres, for up to a day.
        477 => Error::RateLimited(response.retry_after()),
        // 423: bulk jobs hold a lock.
        423 => Error::Unavailable(message),
        _ => return response.error_for_status(),
    })
}

/// How long the named limit takes to pass, in seconds. The daily one ends at the account's midnight, in a time zone
/// that is not told: ask again in an hour.
fn pause(policy: &str) -> Option<u64> {
    match policy {
        "SECONDLY" => Some(1),
        "TEN_SECONDLY_ROLLING" => Some(10),
        "DAILY" => Some(3_600),
        _ => None,
    }
}

fn describe(response: &Response, body: &Body) -> String {
    if body.message.is_empty() {
        return format!("status {}: {}", response.status, response.excerpt());
    }
    let category = if body.category.is_empty() { "no category" } else { &body.category };
    format!("status {}, {category}: {} (correlation {})", response.status, body.message, body.correlation_id)
}
