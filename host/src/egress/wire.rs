//! What carries a request that has passed the policy: sockets, or something that stands in their place.
//!
//! The gate is the same whatever lies behind it: policy, pace, retries, redirects and caps do not know whether an
//! answer came from a provider or from a cassette. Credentials are not part of what a wire is shown; the one that opens
//! sockets adds them itself, last.

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use url::Url;

use super::credentials::Credentials;
use super::denial::Denial;
use super::inject::Slot;
use super::target::Target;
use crate::domain::http::HttpError;

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Errand {
    /// A connector asked for it.
    Data,
    /// The host renews an access token: headers and body hold credentials.
    Token,
}

/// A request that has passed the policy for names, without its credential.
#[derive(Clone, Copy)]
pub struct Outgoing<'a> {
    /// The method.
    pub method: &'a Method,
    /// The headers, none of them a credential.
    pub headers: &'a HeaderMap,
    /// The body, if it has one.
    pub body: Option<&'a Bytes>,
    /// What it is for.
    pub errand: Errand,
    pub(super) target: &'a Target,
    /// What is added last, and where.
    pub(super) credential: Option<(&'a Slot, &'a Credentials)>,
}

impl Outgoing<'_> {
    /// Where it goes, without a credential that the query may get.
    #[must_use]
    pub const fn url(&self) -> &Url {
        self.target.url()
    }
}

/// A whole answer.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// Its status.
    pub status: StatusCode,
    /// Its headers, as they came.
    pub headers: HeaderMap,
    /// Its body, decoded.
    pub body: Bytes,
    /// Bytes of the body on the wire.
    pub encoded_bytes: u64,
}

/// Why there is no answer, by what repeating would do.
#[derive(Debug, Clone, thiserror::Error)]
pub enum WireError {
    /// The policy refuses.
    #[error(transparent)]
    Denied(Denial),
    /// The provider got nothing: any request may be repeated.
    #[error(transparent)]
    NotSent(HttpError),
    /// The provider may have acted: only an idempotent request may be repeated.
    #[error(transparent)]
    Unsure(HttpError),
    /// Repeating gives the same.
    #[error(transparent)]
    Final(HttpError),
}

impl From<WireError> for HttpError {
    fn from(error: WireError) -> Self {
        match error {
            WireError::Denied(denial) => denial.into(),
            WireError::NotSent(error) | WireError::Unsure(error) | WireError::Final(error) => error,
        }
    }
}

/// Carries requests.
#[async_trait::async_trait]
pub trait Wire: Send + Sync {
    /// Sends one request and waits for the whole answer. Follows nothing and repeats nothing.
    async fn send(&self, outgoing: Outgoing<'_>) -> Result<Incoming, WireError>;
}

/// One request and what came of it, without any known credential: what may be written down.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// The method.
    pub method: String,
    /// The URL as the connector gave it, after redirects the one of this hop.
    pub url: String,
    /// Headers of the request.
    pub headers: Vec<(String, String)>,
    /// Body of the request.
    pub body: Option<Bytes>,
    /// The answer; or why there was none.
    pub answer: Result<crate::domain::http::Response, HttpError>,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// Writes down what passes the gate.
pub trait Tape: Send + Sync {
    /// One exchange is over. Token renewals are not among them.
    fn exchanged(&self, exchange: Exchange);
}
