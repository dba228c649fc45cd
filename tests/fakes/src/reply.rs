//! Requests as the fakes read them, and answers as the providers spell them.

use std::collections::BTreeMap;

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::Response,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use super::content::{self, uuid};

const BODY_BYTES: usize = 4 << 20;

/// A request, read to the end.
#[derive(Debug)]
pub struct Call {
    /// The method.
    pub method: Method,
    /// The path, not decoded.
    pub path: String,
    /// The query as it came.
    pub query: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Call {
    /// Reads a request; `None` if its body is broken or too long.
    pub async fn read(request: Request) -> Option<Self> {
        let (parts, body) = request.into_parts();
        let body = to_bytes(body, BODY_BYTES).await.ok()?;
        Some(Self {
            method: parts.method,
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            headers: parts.headers,
            body,
        })
    }

    /// The path without slashes.
    pub fn segments(&self) -> Vec<&str> {
        self.path.split('/').filter(|part| !part.is_empty()).collect()
    }

    /// The query's pairs; the last of a name counts.
    pub fn pairs(&self) -> BTreeMap<String, String> {
        form(self.query.as_bytes())
    }

    /// The body as a form.
    pub fn form(&self) -> BTreeMap<String, String> {
        form(&self.body)
    }

    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The bearer token.
    pub fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.header("authorization")?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
    }

    /// User and password of basic authentication.
    pub fn basic(&self) -> Option<(String, String)> {
        let (scheme, token) = self.header("authorization")?.split_once(' ')?;
        let text = BASE64_STANDARD.decode(token.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
        let text = String::from_utf8(text).ok()?;
        text.split_once(':').map(|(user, password)| (user.to_owned(), password.to_owned()))
    }

    /// The host name asked for, without a port.
    pub fn host(&self) -> &str {
        let host = self.header("host").unwrap_or_default();
        host.rsplit_once(':').map_or(host, |(name, _)| name)
    }
}

fn form(bytes: &[u8]) -> BTreeMap<String, String> {
    url::form_urlencoded::parse(bytes).into_owned().collect()
}

/// An answer with any body.
pub fn plain(status: u16, kind: &'static str, body: Bytes) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// A JSON answer.
pub fn json(status: u16, value: &Value) -> Response {
    plain(status, "application/json;charset=utf-8", value.to_string().into())
}

/// Sets a header.
pub fn with(mut response: Response, name: &'static str, value: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
    response
}

/// Sets the `Date` header.
pub fn date(response: Response, ms: i64) -> Response {
    with(response, "date", &content::http_time(ms))
}

/// Sets `Retry-After`, if there is one.
pub fn retry_after(response: Response, seconds: Option<u64>) -> Response {
    match seconds {
        Some(seconds) => with(response, "retry-after", &seconds.to_string()),
        None => response,
    }
}

/// HubSpot's error body.
pub fn hubspot(status: u16, category: &str, message: &str) -> Response {
    let body = json!({
        "status": "error", "message": message, "correlationId": uuid(u64::from(status)), "category": category
    });
    json(status, &body)
}

/// HubSpot's 429.
pub fn hubspot_limit(policy: &str) -> Response {
    let body = json!({
        "status": "error",
        "message": format!("You have reached your {} limit.", policy.to_ascii_lowercase()),
        "errorType": "RATE_LIMIT",
        "correlationId": uuid(429),
        "policyName": policy,
        "requestId": uuid(430)
    });
    json(429, &body)
}

/// Salesforce's error body: an array.
pub fn salesforce(status: u16, code: &str, message: &str) -> Response {
    json(status, &json!([{ "message": message, "errorCode": code }]))
}
