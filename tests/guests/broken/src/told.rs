//! What faults are told as. The SDK tells them rightly; sins tell them as something else.

use syncline_sdk::Error;

use crate::sin::sin;

/// An error as the connector tells it.
pub(crate) fn told(error: Error) -> Error {
    match error {
        // All of 4xx alike.
        Error::Unauthorized(text) if sin("status-401") => Error::Unexpected(text),
        // "Not allowed" sounds like credentials.
        Error::Forbidden(text) if sin("status-403") => Error::Unauthorized(text),
        // Tries a path again that will never be there.
        Error::Unexpected(text) if sin("status-404") && text.starts_with("status 404") => Error::Unavailable(text),
        // Does not look at `Retry-After`.
        Error::RateLimited(Some(_)) if sin("status-429-retry-after") => Error::RateLimited(None),
        // Looks at nothing else.
        Error::RateLimited(None) if sin("status-429") => Error::Unavailable("too many requests".to_owned()),
        // Only 503 is worth another try; or only 500 is known.
        Error::Unavailable(text) if sin("status-500") && text.starts_with("status 500") => Error::Unexpected(text),
        Error::Unavailable(text) if sin("status-503") && text.starts_with("status 503") => Error::Unexpected(text),
        // Whatever comes out of the HTTP client is "other".
        Error::Unavailable(text) if sin("timeout") && text.starts_with("timeout") => Error::other("http", text),
        Error::Unavailable(text) if sin("cut-body") && text.starts_with("answer broke off") => Error::Unexpected(text),
        // A refused redirect sounds like a lack of permission.
        Error::Other { code, message } if sin("redirect") && code == "request-denied" => Error::Forbidden(message),
        error => error,
    }
}
