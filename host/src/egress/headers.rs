//! Which headers pass the gate, in both directions.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::denial::{Denial, Rule};
use crate::secrets::Redactor;

/// Headers that frame a message, route it or carry credentials: the host writes those.
pub(crate) const REFUSED: &[&str] = &[
    "authorization",
    "connection",
    "content-length",
    "cookie",
    "cookie2",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-real-ip",
];
pub(crate) const REFUSED_PREFIXES: &[&str] = &["proxy-", "x-forwarded-", "x-amz-security-token"];

/// The host negotiates the encoding because it is the one to decode; a wish for another one is not worth an error.
pub(crate) const IGNORED: &str = "accept-encoding";

/// Headers that say nothing about the sender and stay when a redirect leads to another host.
const IMPERSONAL: &[&str] = &["accept", "accept-language", "user-agent"];

/// Response headers that carry credentials or the framing of what has been decoded.
pub(crate) const REMOVED: &[&str] = &[
    "authentication-info",
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "cookie",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "proxy-connection",
    "set-cookie",
    "set-cookie2",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "www-authenticate",
];

/// Checks a connector's headers. `own` is the header of the auth scheme, `max_bytes` limits names and values together.
pub(super) fn from_guest(
    headers: &[(String, String)],
    own: Option<&HeaderName>,
    max_bytes: usize,
) -> Result<HeaderMap, Denial> {
    let denied = |message: String| Denial::new(Rule::Header, message);
    let bytes: usize = headers.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
    if bytes > max_bytes {
        return Err(denied(format!("the headers have {bytes} bytes, and {max_bytes} are allowed")));
    }
    let mut checked = HeaderMap::new();
    for (name, value) in headers {
        let parsed = HeaderName::try_from(name.as_str())
            .map_err(|_| denied(format!("{:?} is not a header name", shortened(name))))?;
        let text = parsed.as_str();
        if text == IGNORED {
            continue;
        }
        let refused = REFUSED.contains(&text) || REFUSED_PREFIXES.iter().any(|prefix| text.starts_with(prefix));
        if refused || own == Some(&parsed) {
            return Err(denied(format!("header {text:?} is written by the host: leave it out")));
        }
        let value = HeaderValue::try_from(value.as_str())
            .map_err(|_| denied(format!("the value of header {text:?} is malformed")))?;
        checked.try_append(parsed, value).map_err(|_| denied("there are too many headers".to_owned()))?;
    }
    Ok(checked)
}

/// What is left of a connector's headers when a redirect leads to another host.
pub(super) fn for_another_host(headers: &HeaderMap) -> HeaderMap {
    headers
        .iter()
        .filter(|(name, _)| IMPERSONAL.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// Names and values together, in bytes.
pub(super) fn size(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum()
}

/// What a connector may see of a response's headers.
pub(super) fn for_guest(headers: &HeaderMap, secrets: &Redactor) -> Vec<(String, String)> {
    headers
        .iter()
        .filter(|(name, _)| !REMOVED.contains(&name.as_str()))
        .map(|(name, value)| {
            let text = String::from_utf8_lossy(value.as_bytes());
            (name.as_str().to_owned(), secrets.redact(&text).into_owned())
        })
        .collect()
}

fn shortened(name: &str) -> String {
    name.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;

    fn guest(name: &str, value: &str) -> Result<HeaderMap, Denial> {
        let own = HeaderName::from_static("x-api-key");
        from_guest(&[(name.to_owned(), value.to_owned())], Some(&own), 1024)
    }

    #[test]
    fn headers_that_carry_credentials_or_framing_are_refused_in_any_case() {
        for name in [
            "Authorization",
            "COOKIE",
            "host",
            "Connection",
            "Transfer-Encoding",
            "content-length",
            "TE",
            "Upgrade",
            "Proxy-Authorization",
            "proxy-anything",
            "X-Forwarded-For",
            "X-Forwarded-Host",
            "Forwarded",
            "Via",
            "Expect",
            "X-API-Key",
        ] {
            let denial = guest(name, "x").unwrap_err();
            assert_eq!(denial.rule, Rule::Header, "{name}");
            assert!(denial.message.contains(&name.to_ascii_lowercase()), "{}", denial.message);
        }
    }

    #[test]
    fn headers_cannot_be_split_or_overflow() {
        for (name, value) in
            [("x y", "1"), ("x\r\ny", "1"), ("", "1"), ("x:", "1"), ("x", "a\r\nauthorization: b"), ("x", "a\0")]
        {
            assert!(guest(name, value).is_err(), "{name:?}: {value:?}");
        }
        assert!(guest("x", &"y".repeat(2000)).unwrap_err().message.contains("1024"));
    }

    #[test]
    fn ordinary_headers_pass_and_the_encoding_is_the_hosts_choice() {
        assert_eq!(guest("Accept", "application/json").unwrap().get("accept").unwrap(), "application/json");
        assert_eq!(guest("x-tenant", "ü").unwrap().len(), 1);
        assert!(guest("Accept-Encoding", "zstd").unwrap().is_empty());
    }

    #[test]
    fn another_host_learns_nothing_about_the_sender() {
        let mut headers = guest("accept", "text/csv").unwrap();
        headers.append("x-tenant-secret", HeaderValue::from_static("1"));
        let left = for_another_host(&headers);
        assert_eq!(left.len(), 1);
        assert!(left.contains_key("accept"));
    }

    #[test]
    fn a_connector_sees_no_header_that_carries_a_credential() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("set-cookie", "sid=1"),
            ("www-authenticate", "Bearer"),
            ("authorization", "Bearer t0ken-t0ken"),
            ("content-length", "3"),
            ("date", "today"),
            ("x-echo", "key=t0ken-t0ken"),
        ] {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let secrets = Redactor::new([&SecretString::from("t0ken-t0ken")]);
        let mut seen = for_guest(&headers, &secrets);
        seen.sort();
        let expected =
            [("date", "today"), ("x-echo", "key=[redacted]")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(seen, expected);
    }
}
