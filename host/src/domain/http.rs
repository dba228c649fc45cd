//! Requests and responses between a connector and the egress gate, in the host's own types.

use bytes::Bytes;

/// A request that a connector asks the host to make. Nothing in it is trusted.
#[derive(Debug, Clone)]
pub struct Request {
    /// Method name as the connector spelled it, upper case for the known ones.
    pub method: String,
    /// Absolute URL.
    pub url: String,
    /// Headers in order.
    pub headers: Vec<(String, String)>,
    /// Whole body.
    pub body: Option<Bytes>,
    /// Repeating does no harm although the method does not say so.
    pub idempotent: bool,
    /// A shorter time limit than the host's, in milliseconds.
    pub timeout_ms: Option<u64>,
    /// Statuses the host is not to retry.
    pub accept_status: Vec<u16>,
}

/// A whole response.
#[derive(Debug, Clone)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// Headers in order, names in lower case, none that carry credentials.
    pub headers: Vec<(String, String)>,
    /// Decoded body.
    pub body: Bytes,
}

/// Why there is no response. Texts are for people and hold no credential.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// The policy refuses it.
    #[error("request denied: {0}")]
    Denied(String),
    /// The budget of this page or run is spent.
    #[error("request budget spent: {0}")]
    BudgetSpent(String),
    /// No connection.
    #[error("unreachable: {0}")]
    Unreachable(String),
    /// No whole answer in time.
    #[error("timeout: {0}")]
    Timeout(String),
    /// The answer broke off.
    #[error("truncated response: {0}")]
    Truncated(String),
    /// Body or headers exceed the cap.
    #[error("response too large: {0}")]
    TooLarge(String),
    /// The provider wants a longer pause than a request should wait; seconds.
    #[error("rate limited")]
    RateLimited(Option<u64>),
    /// No usable credentials.
    #[error("unauthorized: {0}")]
    Unauthorized(String),
}

/// The one way out, as a connector's call sees it: already bound to one integration and one run's budgets.
#[async_trait::async_trait]
pub trait Http: Send + Sync {
    /// Sends a request through the whole policy and waits for the whole response.
    async fn send(&self, request: Request) -> Result<Response, HttpError>;
}
