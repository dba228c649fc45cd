//! Requests as the described provider reads them, and answers before they are HTTP.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::HeaderMap;
use serde_json::Value as Json;

use super::description::Auth;

/// A request, read to the end.
#[derive(Debug, Clone, Default)]
pub(super) struct Ask {
    pub(super) method: String,
    pub(super) path: String,
    /// Pairs in order, decoded.
    pub(super) query: Vec<(String, String)>,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Ask {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// A parameter; the last one of a name counts.
    pub(super) fn param(&self, name: &str) -> Option<&str> {
        self.query.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether the request carries this credential.
    pub(super) fn carries(&self, auth: &Auth) -> bool {
        let scheme = |wanted: &str| {
            let (scheme, token) = self.header("authorization")?.split_once(' ')?;
            scheme.eq_ignore_ascii_case(wanted).then_some(token.trim())
        };
        match auth {
            Auth::None => true,
            Auth::Bearer(token) => scheme("bearer") == Some(token),
            Auth::Basic(who) => {
                scheme("basic") == Some(&BASE64_STANDARD.encode(format!("{}:{}", who.user, who.password)))
            }
            Auth::Header(pair) => self.header(&pair.name) == Some(&pair.value),
            Auth::Query(pair) => self.param(&pair.name) == Some(&pair.value),
        }
    }

    /// The URL of this request with another value of one parameter, as the client would write it.
    pub(super) fn url_with(&self, name: &str, value: &str) -> String {
        let host = self.header("host").unwrap_or("localhost");
        let bare = host.rsplit_once(':').map_or(host, |(bare, _)| bare);
        // Whoever comes through a host name believes in TLS; whoever comes by address sees what is there.
        let scheme = if matches!(bare, "localhost" | "127.0.0.1") { "http" } else { "https" };
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(self.query.iter().filter(|(key, _)| key != name));
        query.append_pair(name, value);
        format!("{scheme}://{host}{}?{}", self.path, query.finish())
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) kind: &'static str,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn json(status: u16, body: &Json) -> Self {
        Self { status, kind: "application/json", headers: BTreeMap::new(), body: body.to_string() }
    }

    pub(super) fn html(status: u16) -> Self {
        let body = format!("<!DOCTYPE html><html><body><h1>{status}: back soon</h1></body></html>");
        Self { status, kind: "text/html; charset=utf-8", headers: BTreeMap::new(), body }
    }

    pub(super) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.insert(name.to_owned(), value.into());
        self
    }
}

/// Why a request gets no data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: &'static str,
    pub(super) message: String,
}

impl Refusal {
    pub(super) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    /// A parameter that is wrong.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "invalid", message)
    }

    /// As the provider spells errors.
    pub(super) fn answer(&self, template: &Json) -> Answer {
        Answer::json(self.status, &self.fill(template))
    }

    fn fill(&self, template: &Json) -> Json {
        match template {
            Json::String(text) if text == "{status}" => Json::from(self.status),
            Json::String(text) => {
                let text = text.replace("{code}", self.code).replace("{status}", &self.status.to_string());
                Json::from(text.replace("{message}", &self.message))
            }
            Json::Array(items) => items.iter().map(|item| self.fill(item)).collect(),
            Json::Object(items) => {
                Json::Object(items.iter().map(|(name, item)| (name.clone(), self.fill(item))).collect())
            }
            other => other.clone(),
        }
    }
}
