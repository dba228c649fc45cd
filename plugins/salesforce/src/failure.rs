//! What an answer that is not a success means.
//!
//! The body of an error is a JSON array, `[{"message": "..", "errorCode": ".."}]`. The code says more than the status:
//! a used-up quota comes as 403 and a query that ran too long as 400.

use serde::Deserialize;
use syncline_sdk::{Error, Response};

/// Seconds to wait when the rolling daily quota is used up; Salesforce names no time.
const QUOTA_PAUSE: u64 = 900;

/// Seconds to wait when too many long requests run at once.
const CONCURRENCY_PAUSE: u64 = 10;

/// Why a request did not give what it was sent for, by what the connector can do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The query names something that is gone or hidden by now: describe the object again.
    StaleFields(String),
    /// The query names fields that were described so long ago that there may be others: describe the object again.
    OldFields,
    /// The query ran too long, or its answer is too large: ask for less.
    TooMuch(String),
    /// There is no such thing: what that means depends on what was asked for.
    NotFound(String),
    /// A bulk job, or a place in its result, is no longer known.
    Gone(String),
    /// The object cannot be read by a bulk job.
    NoBulk(String),
    /// For the host to deal with.
    Final(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Other { code, message } if code == "response-too-large" => Self::TooMuch(message),
            error => Self::Final(error),
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Final(error) => error,
            Failure::TooMuch(why) | Failure::Gone(why) => Self::Unavailable(why),
            Failure::OldFields => Self::Unexpected("fields described just now are old".to_owned()),
            Failure::StaleFields(why) | Failure::NotFound(why) | Failure::NoBulk(why) => Self::Unexpected(why),
        }
    }
}

#[derive(Deserialize)]
struct Reported {
    #[serde(rename = "errorCode")]
    code: String,
    #[serde(default)]
    message: String,
}

/// What this answer, whose status is not 2xx, means.
pub(crate) fn of(response: &Response) -> Failure {
    let Some(Reported { code, message }) = reported(response) else {
        return by_status(response);
    };
    let text = format!("{code}: {message}");
    match code.as_str() {
        "INVALID_SESSION_ID" => Failure::Final(Error::Unauthorized(text)),
        "REQUEST_LIMIT_EXCEEDED" if message.contains("Concurrent") => {
            Failure::Final(Error::RateLimited(Some(CONCURRENCY_PAUSE)))
        }
        "REQUEST_LIMIT_EXCEEDED" | "LIMIT_EXCEEDED" | "EXCEEDED_ID_LIMIT" => {
            Failure::Final(Error::RateLimited(Some(QUOTA_PAUSE)))
        }
        "QUERY_TIMEOUT" => Failure::TooMuch(text),
        "INVALID_QUERY_LOCATOR" => Failure::Gone(text),
        "MALFORMED_QUERY" | "INVALID_FIELD" | "INVALID_TYPE" => Failure::StaleFields(text),
        _ if refuses_bulk(&code, &message) => Failure::NoBulk(text),
        _ => match response.status {
            401 => Failure::Final(Error::Unauthorized(text)),
            403 => Failure::Final(Error::Forbidden(text)),
            404 => Failure::NotFound(text),
            _ => by_status(response),
        },
    }
}

fn reported(response: &Response) -> Option<Reported> {
    serde_json::from_slice::<Vec<Reported>>(&response.body).ok()?.into_iter().next()
}

fn refuses_bulk(code: &str, message: &str) -> bool {
    matches!(code, "INVALIDENTITY" | "INVALID_ENTITY")
        || message.contains("not supported by the Bulk API")
        || message.contains("not supported in Bulk Query")
}

/// For bodies without a code: empty ones, and pages for people from a proxy or from maintenance.
fn by_status(response: &Response) -> Failure {
    let text = format!("status {}: {}", response.status, response.excerpt());
    let status = response.status;
    Failure::Final(match status {
        401 => Error::Unauthorized(text),
        429 => Error::RateLimited(response.retry_after()),
        503 if response.retry_after().is_some() => Error::RateLimited(response.retry_after()),
        406 | 408 | 420 | 423 | 425 | 500..=599 => Error::Unavailable(text),
        410 => Error::InvalidConfig(format!("api_version is retired; {text}")),
        _ if is_html(response) => Error::Unavailable(text),
        403 => Error::Forbidden(text),
        404 => return Failure::NotFound(text),
        409 => return Failure::Gone(text),
        _ => Error::Unexpected(text),
    })
}

/// Whether this is a page for people, which no API answer ever is.
pub(crate) fn is_html(response: &Response) -> bool {
    response.body.trim_ascii_start().starts_with(b"<")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meaning(status: u16, body: &str) -> Failure {
        of(&Response { status, headers: Vec::new(), body: body.as_bytes().to_vec(), attributes: Vec::new() })
    }

    fn coded(status: u16, code: &str, message: &str) -> Failure {
        meaning(status, &format!(r#"[{{"message":"{message}","errorCode":"{code}"}}]"#))
    }

    fn final_error(failure: Failure) -> Error {
        match failure {
            Failure::Final(error) => error,
            other => panic!("not for the host: {other:?}"),
        }
    }

    #[test]
    fn an_expired_session_is_unauthorized() {
        let error = final_error(coded(401, "INVALID_SESSION_ID", "Session expired or invalid"));
        assert!(matches!(error, Error::Unauthorized(_)));
    }

    #[test]
    fn a_used_up_quota_waits_a_quarter_of_an_hour_although_it_comes_as_403() {
        let error = final_error(coded(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."));
        assert_eq!(error, Error::RateLimited(Some(900)));
    }

    #[test]
    fn too_many_long_requests_wait_for_seconds_only() {
        let error = final_error(coded(403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded."));
        assert_eq!(error, Error::RateLimited(Some(10)));
    }

    #[test]
    fn other_403s_are_forbidden() {
        for code in ["INSUFFICIENT_ACCESS", "API_DISABLED_FOR_ORG", "API_CURRENTLY_DISABLED"] {
            assert!(matches!(final_error(coded(403, code, "no")), Error::Forbidden(_)), "{code}");
        }
    }

    #[test]
    fn a_slow_query_and_a_stale_one_can_be_repaired() {
        assert!(matches!(coded(400, "QUERY_TIMEOUT", "too long"), Failure::TooMuch(_)));
        for code in ["MALFORMED_QUERY", "INVALID_FIELD", "INVALID_TYPE"] {
            assert!(matches!(coded(400, code, "no such column"), Failure::StaleFields(_)), "{code}");
        }
        assert!(matches!(coded(400, "INVALID_QUERY_LOCATOR", "invalid query locator"), Failure::Gone(_)));
    }

    #[test]
    fn an_object_that_bulk_refuses_is_told_from_a_broken_query() {
        let refused = "Entity 'X' is not supported by the Bulk API.";
        assert!(matches!(coded(400, "INVALIDENTITY", refused), Failure::NoBulk(_)));
        let compound = "Selecting compound data not supported in Bulk Query";
        assert!(matches!(coded(400, "FEATURENOTENABLED", compound), Failure::NoBulk(_)));
    }

    #[test]
    fn empty_bodies_and_pages_for_people_pass_with_time() {
        for status in [406, 420, 500, 502, 503, 504] {
            assert!(matches!(final_error(meaning(status, "")), Error::Unavailable(_)), "{status}");
        }
        for status in [400, 403, 404, 502] {
            assert!(matches!(final_error(meaning(status, "<html>down</html>")), Error::Unavailable(_)), "{status}");
        }
    }

    #[test]
    fn a_429_is_a_rate_limit_whatever_its_body_says() {
        for body in ["", "<html>slow down</html>", r#"[{"message":"slow down","errorCode":"SOMETHING_NEW"}]"#] {
            assert_eq!(final_error(meaning(429, body)), Error::RateLimited(None), "{body:?}");
        }
    }

    #[test]
    fn a_retired_version_is_the_configurations_fault() {
        assert!(matches!(final_error(meaning(410, "")), Error::InvalidConfig(_)));
        assert!(matches!(final_error(coded(410, "UNSUPPORTED_API_VERSION", "gone")), Error::InvalidConfig(_)));
    }
}
