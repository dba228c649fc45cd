//! Everything about a request that can be judged without the network. No I/O.

use std::time::Duration;

use bytes::Bytes;
use http::header::USER_AGENT;
use http::{HeaderMap, HeaderValue, Method};

use super::config::EgressConfig;
use super::denial::{Denial, Rule};
use super::headers;
use super::inject::Slot;
use super::policy::Policy;
use super::retry;
use super::target::Target;
use crate::domain::http::Request;

/// Methods that connectors may use.
pub(crate) const METHODS: [Method; 7] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];

/// A connector's request after every check that needs no network.
pub(super) struct Prepared {
    pub(super) method: Method,
    pub(super) target: Target,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Bytes>,
    pub(super) idempotent: bool,
    pub(super) accept_status: Vec<u16>,
    /// How long it may take.
    pub(super) limit: Duration,
}

impl Prepared {
    /// In the order of the gate: URL, names, method, headers, body.
    pub(super) fn new(request: Request, policy: &Policy, slot: &Slot, config: &EgressConfig) -> Result<Self, Denial> {
        let limits = &config.limits;
        let target = Target::parse(&request.url)?;
        policy.check(&target)?;
        let method = METHODS.into_iter().find(|method| method.as_str() == request.method).ok_or_else(|| {
            let method: String = request.method.chars().take(20).collect();
            Denial::new(Rule::Method, format!("method {method:?} is not allowed"))
        })?;
        if let Some(name) = slot.query().filter(|name| target.has_query(name)) {
            return Err(Denial::new(
                Rule::Header,
                format!("query parameter {name:?} is written by the host: leave it out"),
            ));
        }
        let mut headers = headers::from_guest(&request.headers, slot.header(), limits.request_header_bytes)?;
        if !headers.contains_key(USER_AGENT)
            && let Ok(agent) = HeaderValue::try_from(config.user_agent.as_str())
        {
            headers.insert(USER_AGENT, agent);
        }
        let body = request.body.filter(|body| !body.is_empty());
        let length = body.as_ref().map_or(0, Bytes::len);
        if length > limits.request_body_bytes {
            let cap = limits.request_body_bytes;
            return Err(Denial::new(Rule::Body, format!("the body has {length} bytes, and {cap} are allowed")));
        }
        if body.is_some() && matches!(method, Method::GET | Method::HEAD) {
            return Err(Denial::new(Rule::Body, format!("a {method} request has no body")));
        }
        let idempotent = request.idempotent || retry::is_idempotent(&method);
        let limit = request.timeout_ms.map_or(limits.total, |ms| Duration::from_millis(ms).min(limits.total));
        Ok(Self { method, target, headers, body, idempotent, accept_status: request.accept_status, limit })
    }
}
