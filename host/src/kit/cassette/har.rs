//! Reading HAR files (HTTP Archive 1.2), as browsers and proxies write them, into a cassette.
//!
//! A HAR is written for debugging and holds whatever was sent: everything that commonly carries a credential is left out
//! here, by name. What is in a body under another name is found only by `--scrub`.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value as Json;
use url::Url;

use super::body::Body;
use super::{Answer, Call, Cassette, CassetteError, Exchange, Function, Made, Request};
use crate::egress::headers::REMOVED;

/// Headers that are left out besides those which the gate never shows to a connector.
const ALSO: [&str; 6] = ["host", "x-amz-security-token", "x-api-key", "x-auth-token", "x-csrf-token", "x-xsrf-token"];

/// What the name of a header, a query parameter or a form field has in it that carries a credential.
const TELLING: [&str; 9] =
    ["api-key", "api_key", "apikey", "password", "secret", "signature", "access_token", "auth_token", "refresh_token"];

#[derive(Deserialize)]
struct Har {
    log: Log,
}

#[derive(Deserialize)]
struct Log {
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    #[serde(default)]
    started_date_time: String,
    #[serde(default)]
    time: f64,
    request: Asked,
    response: Answered,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    method: String,
    url: String,
    #[serde(default)]
    headers: Vec<Pair>,
    post_data: Option<PostData>,
}

#[derive(Deserialize)]
struct PostData {
    #[serde(default)]
    text: String,
}

#[derive(Deserialize)]
struct Pair {
    name: String,
    value: String,
}

#[derive(Deserialize)]
struct Answered {
    status: i64,
    #[serde(default)]
    headers: Vec<Pair>,
    #[serde(default)]
    content: Content,
}

#[derive(Default, Deserialize)]
struct Content {
    #[serde(default)]
    text: String,
    encoding: Option<String>,
}

/// Reads a HAR file's text. Requests that got no answer (status 0) are left out.
///
/// # Errors
/// [`CassetteError::Malformed`] where it is no HAR.
pub fn import(text: &[u8]) -> Result<Cassette, CassetteError> {
    let har: Har = serde_json::from_slice(text).map_err(|error| CassetteError::Malformed {
        line: error.line(),
        column: error.column(),
        message: format!("not a HAR file: {error}"),
    })?;
    let began = har.log.entries.first().map_or("", |entry| entry.started_date_time.as_str());
    let began = chrono::DateTime::parse_from_rfc3339(began).map_or(0, |time| time.timestamp_millis());
    let made = Made { name: String::new(), version: String::new(), digest: String::new() };
    let mut cassette =
        Cassette::new(made, u64::try_from(began).unwrap_or(0), Json::Object(serde_json::Map::new()), String::new(), 0);
    let exchanges = har.log.entries.into_iter().filter_map(exchange).collect();
    let call = Call { call: Function::Imported, object: None, cursor: None, exchanges, outcome: None };
    cassette.calls.push(call);
    Ok(cassette)
}

fn exchange(entry: Entry) -> Option<Exchange> {
    let status = u16::try_from(entry.response.status).ok().filter(|status| (100..600).contains(status))?;
    let content = entry.response.content;
    let answer = match content.encoding.as_deref() {
        Some("base64") => BASE64_STANDARD.decode(content.text.as_bytes()).map_or_else(|_| Bytes::new(), Bytes::from),
        _ => content.text.into(),
    };
    let body = entry.request.post_data.map(|data| without_secrets(&data.text)).unwrap_or_default();
    Some(Exchange {
        request: Request {
            method: entry.request.method,
            url: clean(&entry.request.url),
            headers: headers(entry.request.headers),
            body: Body::of(body.into()),
        },
        response: Some(Answer { status, headers: headers(entry.response.headers), body: Body::of(answer) }),
        failure: None,
        took_ms: if entry.time.is_finite() && entry.time > 0.0 { entry.time as u64 } else { 0 },
    })
}

fn tells(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    TELLING.iter().any(|part| name.contains(part)) || name == "token" || name == "key" || name == "code"
}

fn headers(headers: Vec<Pair>) -> Vec<(String, String)> {
    let harmless = |pair: &Pair| {
        let name = pair.name.to_ascii_lowercase();
        // HTTP/2 pseudo headers are part of the request line.
        !name.starts_with(':') && !REMOVED.contains(&name.as_str()) && !ALSO.contains(&name.as_str()) && !tells(&name)
    };
    headers.into_iter().filter(harmless).map(|pair| (pair.name.to_ascii_lowercase(), pair.value)).collect()
}

/// The URL without user information and telling parameters.
fn clean(text: &str) -> String {
    let Ok(mut url) = Url::parse(text) else { return text.to_owned() };
    // Fails only for URLs that cannot have any.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_fragment(None);
    if url.query_pairs().any(|(name, _)| tells(&name)) {
        let kept: Vec<(String, String)> =
            url.query_pairs().filter(|(name, _)| !tells(name)).map(|(n, v)| (n.into_owned(), v.into_owned())).collect();
        if kept.is_empty() {
            url.set_query(None);
        } else {
            url.query_pairs_mut().clear().extend_pairs(kept);
        }
    }
    url.to_string()
}

/// A form without its telling fields; anything else as it is.
fn without_secrets(body: &str) -> String {
    let is_form = !body.starts_with(['{', '[', '<']) && body.contains('=') && !body.contains(char::is_whitespace);
    let pairs = || url::form_urlencoded::parse(body.as_bytes());
    if !is_form || !pairs().any(|(name, _)| tells(&name)) {
        return body.to_owned();
    }
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs().filter(|(name, _)| !tells(name))).finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HAR: &str = r#"{"log": {"version": "1.2", "creator": {"name": "x", "version": "1"}, "entries": [
        {"startedDateTime": "2026-01-02T03:04:05.000Z", "time": 12.5,
         "request": {"method": "GET", "url": "https://u:p@api.example.com/people?limit=2&api_key=CANARY#top", "httpVersion": "HTTP/2",
            "headers": [{"name": ":authority", "value": "api.example.com"}, {"name": "Authorization", "value": "Bearer CANARY"},
                        {"name": "Cookie", "value": "CANARY"}, {"name": "X-My-Api-Key", "value": "CANARY"}, {"name": "Accept", "value": "*/*"}]},
         "response": {"status": 200, "headers": [{"name": "Set-Cookie", "value": "CANARY"}, {"name": "Set-Cookie2", "value": "CANARY"}, {"name": "Date", "value": "Fri, 02 Jan 2026 03:04:05 GMT"}],
            "content": {"size": 2, "mimeType": "application/json", "text": "eyJpZCI6MX0=", "encoding": "base64"}}},
        {"request": {"method": "POST", "url": "https://api.example.com/token", "headers": [],
            "postData": {"mimeType": "application/x-www-form-urlencoded", "text": "grant_type=refresh_token&client_secret=CANARY"}},
         "response": {"status": 0, "content": {}}}]}}"#;

    #[test]
    fn a_har_becomes_a_cassette_without_what_commonly_carries_credentials() {
        let cassette = import(HAR.as_bytes()).unwrap();
        let text = cassette.to_text();
        assert!(!text.contains("CANARY") && !text.contains("u:p"), "{text}");
        assert_eq!(cassette.recorded_at, "2026-01-02T03:04:05.000Z");
        let [only] = cassette.calls[0].exchanges.as_slice() else { panic!("{text}") };
        assert_eq!(only.request.url, "https://api.example.com/people?limit=2");
        assert_eq!(only.request.headers, [("accept".to_owned(), "*/*".to_owned())]);
        assert_eq!(only.response.as_ref().unwrap().body.text(), Some("{\"id\":1}"));
    }

    #[test]
    fn secrets_of_a_form_are_left_out_and_other_bodies_stay() {
        assert_eq!(without_secrets("a=1&client_secret=CANARY&b=2"), "a=1&b=2");
        assert_eq!(without_secrets("{\"a\": \"b=c\"}"), "{\"a\": \"b=c\"}");
    }

    #[test]
    fn what_is_no_har_is_told_with_its_place() {
        let error = import(b"{\n \"log\": 1}").unwrap_err();
        assert!(matches!(error, CassetteError::Malformed { line: 2, .. }), "{error}");
    }
}
