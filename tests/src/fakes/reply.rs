//! Requests as the fakes read them, and answers as the providers spell them.

use std::collections::BTreeMap;

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::Response,
};
use serde_json::{Value, json};

use super::{content::uuid, schema::Provider};

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

/// An injected status as the provider would spell it.
pub fn trouble(provider: Provider, status: u16) -> Response {
    match (provider, status) {
        (Provider::HubSpot, 429) => hubspot_limit("TEN_SECONDLY_ROLLING"),
        (Provider::HubSpot, 401) => {
            hubspot(401, "EXPIRED_AUTHENTICATION", "The OAuth token used to make this call expired 3 minute(s) ago.")
        }
        (Provider::HubSpot, 403) => {
            hubspot(403, "MISSING_SCOPES", "This app hasn't been granted all required scopes to make this call.")
        }
        (Provider::HubSpot, 423) => hubspot(423, "LOCKED", "This resource is locked."),
        (Provider::HubSpot, 477) => hubspot(477, "MIGRATION_IN_PROGRESS", "This account is being moved."),
        (Provider::HubSpot, _) => hubspot(status, "INTERNAL_ERROR", "internal error"),
        (Provider::Salesforce, 401) => salesforce(401, "INVALID_SESSION_ID", "Session expired or invalid"),
        (Provider::Salesforce, 403) => salesforce(403, "INSUFFICIENT_ACCESS", "insufficient access rights"),
        // Overload answers come from the edge, without a body.
        (Provider::Salesforce, 406 | 420 | 429) => plain(status, "text/plain", Bytes::new()),
        (Provider::Salesforce, 503) => salesforce(503, "SERVER_UNAVAILABLE", "Server too busy"),
        (Provider::Salesforce, _) => salesforce(status, "UNKNOWN_EXCEPTION", "An unexpected error occurred."),
    }
}
