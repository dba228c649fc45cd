//! Wires over a player that go wrong on purpose: a fault in the place of an answer, a kill in the middle, answers that
//! were changed.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use tokio::sync::Notify;

use super::checks::{self, Check};
use crate::domain::http::HttpError;
use crate::egress::{Errand, Incoming, Outgoing, Wire, WireError};
use crate::kit::cassette::play::Player;

/// Seconds of the `Retry-After` that faults bring.
pub(super) const RETRY_AFTER_SECONDS: u64 = 37;

/// What an answer is replaced by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Status(u16),
    TooManyAfter,
    Timeout,
    CutBody,
    EmptyBody,
    MalformedJson,
    HtmlPage,
    Redirect,
    Duplicate,
}

impl Fault {
    pub(super) const ALL: [Self; 14] = [
        Self::Status(401),
        Self::Status(403),
        Self::Status(404),
        Self::TooManyAfter,
        Self::Status(429),
        Self::Status(500),
        Self::Status(503),
        Self::Timeout,
        Self::CutBody,
        Self::EmptyBody,
        Self::MalformedJson,
        Self::HtmlPage,
        Self::Redirect,
        Self::Duplicate,
    ];

    /// The check that judges it.
    pub(super) const fn check(self) -> &'static Check {
        match self {
            Self::Status(401) => checks::STATUS_401,
            Self::Status(403) => checks::STATUS_403,
            Self::Status(404) => checks::STATUS_404,
            Self::Status(429) => checks::STATUS_429,
            Self::Status(500) => checks::STATUS_500,
            Self::Status(_) => checks::STATUS_503,
            Self::TooManyAfter => checks::STATUS_429_AFTER,
            Self::Timeout => checks::TIMEOUT,
            Self::CutBody => checks::CUT_BODY,
            Self::EmptyBody => checks::EMPTY_BODY,
            Self::MalformedJson => checks::MALFORMED_JSON,
            Self::HtmlPage => checks::HTML_PAGE,
            Self::Redirect => checks::REDIRECT,
            Self::Duplicate => checks::DUPLICATE,
        }
    }

    /// The answer; `previous` is the one before.
    fn answer(self, previous: Option<&Incoming>) -> Result<Incoming, WireError> {
        let error = |text: &str| format!("{{\"error\":{{\"message\":\"{text}\"}}}}");
        Ok(match self {
            Self::Status(status) => reply(status, JSON, &[], error("this answer was replaced").into()),
            Self::TooManyAfter => {
                let after = HeaderValue::from(RETRY_AFTER_SECONDS);
                reply(429, JSON, &[(RETRY_AFTER, after)], error("too many requests").into())
            }
            Self::Timeout => return Err(WireError::Unsure(HttpError::Timeout("no answer within 30 s".to_owned()))),
            Self::CutBody => {
                return Err(WireError::Unsure(HttpError::Truncated(
                    "the connection was closed in the body".to_owned(),
                )));
            }
            Self::EmptyBody => reply(200, JSON, &[], Bytes::new()),
            Self::MalformedJson => reply(200, JSON, &[], Bytes::from_static(b"{\"results\": [{\"id\": \"1\", ")),
            Self::HtmlPage => {
                let page = "<!doctype html><html><head><title>Log in</title></head><body>Please log in.</body></html>";
                reply(200, "text/html; charset=utf-8", &[], Bytes::from_static(page.as_bytes()))
            }
            Self::Redirect => {
                let elsewhere = HeaderValue::from_static("https://login.elsewhere.invalid/sso");
                reply(302, "text/html", &[(LOCATION, elsewhere)], Bytes::new())
            }
            Self::Duplicate => match previous {
                Some(previous) => previous.clone(),
                None => reply(204, JSON, &[], Bytes::new()),
            },
        })
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Status(status) => write!(f, "status {status}"),
            Self::TooManyAfter => write!(f, "status 429 with `Retry-After: {RETRY_AFTER_SECONDS}`"),
            Self::Timeout => f.write_str("a timeout"),
            Self::CutBody => f.write_str("a body that breaks off"),
            Self::EmptyBody => f.write_str("status 200 with an empty body"),
            Self::MalformedJson => f.write_str("status 200 with JSON that breaks off"),
            Self::HtmlPage => f.write_str("status 200 with an HTML page"),
            Self::Redirect => f.write_str("a redirect to https://login.elsewhere.invalid/sso"),
            Self::Duplicate => f.write_str("the answer before it"),
        }
    }
}

const JSON: &str = "application/json";

fn reply(status: u16, kind: &'static str, headers: &[(HeaderName, HeaderValue)], body: Bytes) -> Incoming {
    let mut all: HeaderMap = headers.iter().cloned().collect();
    all.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    let encoded_bytes = body.len() as u64;
    Incoming { status: StatusCode::from_u16(status).unwrap_or(StatusCode::OK), headers: all, body, encoded_bytes }
}

/// What tells a request from another.
#[derive(Clone, PartialEq, Eq)]
struct Same(String, Bytes);

impl Same {
    fn of(outgoing: &Outgoing<'_>) -> Self {
        Self(format!("{} {}", outgoing.method, outgoing.url()), outgoing.body.cloned().unwrap_or_default())
    }
}

/// Replaces the answer to the n-th request of a call, and to every repetition of that request.
pub(super) struct Faulty {
    player: Arc<Player>,
    at: usize,
    fault: Fault,
    state: Mutex<Met>,
}

#[derive(Default)]
struct Met {
    count: usize,
    hit: Option<Same>,
    previous: Option<Incoming>,
}

impl Faulty {
    /// `previous` is the last answer of the call before.
    pub(super) fn new(player: Arc<Player>, at: usize, fault: Fault, previous: Option<Incoming>) -> Self {
        Self { player, at, fault, state: Mutex::new(Met { previous, ..Met::default() }) }
    }

    /// Whether the request came at all.
    pub(super) fn hit(&self) -> bool {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).hit.is_some()
    }
}

#[async_trait::async_trait]
impl Wire for Faulty {
    async fn send(&self, outgoing: Outgoing<'_>) -> Result<Incoming, WireError> {
        if outgoing.errand == Errand::Token {
            return self.player.send(outgoing).await;
        }
        {
            let mut met = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let this = Same::of(&outgoing);
            if met.hit.is_none() && met.count == self.at {
                met.hit = Some(this.clone());
            }
            met.count += 1;
            if met.hit.as_ref() == Some(&this) {
                return self.fault.answer(met.previous.as_ref());
            }
        }
        let answer = self.player.send(outgoing).await;
        if let Ok(answer) = &answer {
            self.state.lock().unwrap_or_else(PoisonError::into_inner).previous = Some(answer.clone());
        }
        answer
    }
}

/// Never answers the n-th request: it is where the host is killed.
pub(super) struct Cut {
    wire: Arc<dyn Wire>,
    at: usize,
    /// The provider gets the request and its answer is lost; otherwise it never gets it.
    after: bool,
    count: Mutex<usize>,
    /// Rings when the request has come.
    pub(super) reached: Notify,
}

impl Cut {
    pub(super) fn new(wire: Arc<dyn Wire>, at: usize, after: bool) -> Self {
        Self { wire, at, after, count: Mutex::new(0), reached: Notify::new() }
    }
}

#[async_trait::async_trait]
impl Wire for Cut {
    async fn send(&self, outgoing: Outgoing<'_>) -> Result<Incoming, WireError> {
        let place = {
            let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
            let place = *count;
            *count += usize::from(outgoing.errand == Errand::Data);
            place
        };
        if outgoing.errand == Errand::Token || place != self.at {
            return self.wire.send(outgoing).await;
        }
        if self.after {
            let _lost = self.wire.send(outgoing).await;
        }
        self.reached.notify_one();
        std::future::pending().await
    }
}

/// What becomes of a body; `None` if it stays as it is.
pub(super) type Change = Box<dyn Fn(&[u8]) -> Option<Vec<u8>> + Send + Sync>;

/// Changes every body on its way in.
pub(super) struct Mutated {
    pub(super) player: Arc<Player>,
    pub(super) change: Change,
}

#[async_trait::async_trait]
impl Wire for Mutated {
    async fn send(&self, outgoing: Outgoing<'_>) -> Result<Incoming, WireError> {
        let token = outgoing.errand == Errand::Token;
        let mut answer = self.player.send(outgoing).await?;
        if let Some(changed) = (self.change)(&answer.body).filter(|_| !token) {
            answer.body = changed.into();
        }
        Ok(answer)
    }
}
