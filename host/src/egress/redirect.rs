//! Where a redirect leads, and whether to go there. No I/O.

use http::header::LOCATION;
use http::{HeaderMap, Method, StatusCode};

use super::denial::{Denial, Rule};
use super::target::Target;
use crate::secrets::Redactor;

/// The next hop: `None` if the answer is for the connector. The policy for names is asked by the caller.
///
/// `own_query` is the query parameter of the auth scheme: a provider that repeats it in its `Location` does not make it
/// travel, neither to another host nor twice to the same.
pub(super) fn next_hop(
    from: &Target,
    method: &Method,
    status: StatusCode,
    headers: &HeaderMap,
    own_query: Option<&str>,
    secrets: &Redactor,
) -> Result<Option<Target>, Denial> {
    let follows =
        matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) && matches!(*method, Method::GET | Method::HEAD);
    let Some(location) = headers.get(LOCATION).filter(|_| follows) else { return Ok(None) };
    let denied = |why: &str| Denial::new(Rule::Redirect, format!("a redirect of {} {why}", from.authority()));
    let location = location.to_str().map_err(|_| denied("is malformed"))?;
    let next = from.join(location)?;
    let next = own_query.map_or_else(|| next.clone(), |name| next.without_query(name));
    if secrets.finds(next.url().as_str().as_bytes()) {
        return Err(denied("carries the credential in its URL"));
    }
    if from.is_https() && !next.is_https() {
        return Err(denied("leads from https to http"));
    }
    Ok(Some(next))
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;

    fn next(method: &Method, status: u16, location: &str) -> Result<Option<String>, Denial> {
        let from = Target::parse("https://api.x.com/a").unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(LOCATION, location.parse().unwrap());
        let secrets = Redactor::new([&SecretString::from("t0p-s3cret")]);
        let hop = next_hop(&from, method, StatusCode::from_u16(status).unwrap(), &headers, Some("key"), &secrets)?;
        Ok(hop.map(|target| target.url().to_string()))
    }

    #[test]
    fn only_get_and_head_are_walked_on() {
        for status in [301, 302, 303, 307, 308] {
            assert_eq!(next(&Method::GET, status, "/b").unwrap().as_deref(), Some("https://api.x.com/b"));
            assert_eq!(next(&Method::POST, status, "/b"), Ok(None));
        }
        for status in [200, 300, 304, 305, 404] {
            assert_eq!(next(&Method::HEAD, status, "/b"), Ok(None));
        }
    }

    #[test]
    fn the_credential_does_not_travel_in_a_location() {
        assert_eq!(
            next(&Method::GET, 302, "//y.com/?key=t0p-s3cret&a=1").unwrap().as_deref(),
            Some("https://y.com/?a=1")
        );
        let refused = next(&Method::GET, 302, "//y.com/?stolen=t0p-s3cret").unwrap_err();
        assert_eq!(refused.rule, Rule::Redirect);
        assert!(!refused.message.contains("t0p"), "{}", refused.message);
    }

    #[test]
    fn a_redirect_never_leaves_https() {
        assert!(next(&Method::GET, 301, "http://api.x.com/").unwrap_err().message.contains("https to http"));
        assert!(next(&Method::GET, 301, "ftp://api.x.com/").is_err());
        assert!(next(&Method::GET, 301, "https://u:p@api.x.com/").is_err());
    }
}
