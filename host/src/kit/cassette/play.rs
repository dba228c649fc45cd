//! The playing side: a wire that answers from a cassette, and says what is nearest where it cannot.
//!
//! A request is the recorded one if method, URL and body are the same; headers are not compared. Where the same request
//! was recorded several times, as when a provider is asked whether an export is ready, answers come in their order and
//! the last one stays.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use http::{Method, StatusCode};
use url::Url;

use super::{Answer, Cassette, Exchange, Function, Request};
use crate::domain::http::HttpError;
use crate::egress::{Denial, EgressConfig, Errand, Incoming, Limits, Outgoing, Rule, Wire, WireError};
use crate::kit::line::AS_FAST_AS_IT_ANSWERS;

/// What a token endpoint says in a replay. Nothing of it reaches a connector.
const TOKEN: &[u8] = br#"{"access_token":"replayed","token_type":"bearer","expires_in":86400}"#;

/// A request that the cassette does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Miss {
    /// What was asked.
    pub asked: String,
    /// The recorded request that is most like it, and in what they differ.
    pub nearest: Option<String>,
}

/// Answers requests from a cassette.
pub struct Player {
    cassette: Arc<Cassette>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The recorded call that is being repeated.
    call: Option<usize>,
    /// How often each exchange has been played, by call and place.
    played: BTreeMap<(usize, usize), u32>,
    misses: Vec<Miss>,
}

/// What the gate is set to when a cassette answers: nothing is waited for, slowed down or left alone. What a recording
/// host repeated is repeated again, from the recorded answers.
#[must_use]
pub fn egress() -> EgressConfig {
    EgressConfig {
        allow_http: true,
        limits: Limits {
            retry_base: Duration::ZERO,
            max_inline_wait: Duration::ZERO,
            breaker_failures: 0,
            ..Limits::default()
        },
        default_rate: AS_FAST_AS_IT_ANSWERS,
        ..EgressConfig::default()
    }
}

impl Player {
    /// A player at the beginning of the cassette.
    #[must_use]
    pub fn new(cassette: Arc<Cassette>) -> Self {
        Self { cassette, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says which call comes next: its own exchanges are looked at first, from their beginning. `false` if the cassette
    /// has no such call; its exchanges are then found one by one.
    pub fn begin(&self, function: Function, object: Option<&str>, cursor: Option<&str>) -> bool {
        let mut state = self.state();
        let same = |index: &usize| {
            self.cassette.calls.get(*index).is_some_and(|call| {
                call.call == function && call.object.as_deref() == object && call.cursor.as_deref() == cursor
            })
        };
        let after = state.call.map_or(0, |last| last + 1);
        let mut calls = (after..self.cassette.calls.len()).chain(0..after);
        state.call = calls.find(same);
        if let Some(call) = state.call {
            state.played.retain(|(of, _), _| *of != call);
        }
        state.call.is_some()
    }

    /// Says which recorded call comes next, by its place.
    pub fn seek(&self, call: usize) {
        self.state().call = Some(call);
    }

    /// Requests that could not be answered so far.
    #[must_use]
    pub fn misses(&self) -> Vec<Miss> {
        self.state().misses.clone()
    }

    /// The exchange, and whether the recorded call went on to ask the same once more.
    fn find(&self, asked: &Asked<'_>) -> Result<(&Exchange, bool), Miss> {
        let mut state = self.state();
        let all = self.cassette.calls.iter().enumerate().flat_map(|(call, recorded)| {
            recorded.exchanges.iter().enumerate().map(move |(place, exchange)| ((call, place), exchange))
        });
        let same: Vec<_> = all.filter(|(_, exchange)| asked.is(&exchange.request)).collect();
        let here: Vec<_> = same.iter().filter(|((call, _), _)| Some(*call) == state.call).copied().collect();
        let fresh = |places: &[((usize, usize), &'_ Exchange)]| {
            places.iter().find(|(place, _)| !state.played.contains_key(place)).map(|(place, _)| *place)
        };
        // An answer of this very call that was played before is nearer than one of another call.
        let place = fresh(&here)
            .or_else(|| here.last().map(|(place, _)| *place))
            .or_else(|| fresh(&same))
            .or_else(|| same.last().map(|(place, _)| *place));
        let found = place.and_then(|place| {
            *state.played.entry(place).or_default() += 1;
            let mut rest = self.cassette.calls.get(place.0)?.exchanges.iter().skip(place.1);
            let exchange = rest.next()?;
            Some((exchange, rest.any(|later| asked.is(&later.request))))
        });
        found.ok_or_else(|| {
            let miss = Miss { asked: asked.to_string(), nearest: asked.nearest(&self.cassette) };
            state.misses.push(miss.clone());
            miss
        })
    }
}

impl std::fmt::Display for Miss {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the cassette does not hold {}", self.asked)?;
        match &self.nearest {
            Some(nearest) => write!(f, "; the nearest is {nearest}"),
            None => f.write_str(", nor anything like it"),
        }
    }
}

#[async_trait::async_trait]
impl Wire for Player {
    async fn send(&self, outgoing: Outgoing<'_>) -> Result<Incoming, WireError> {
        if outgoing.errand == Errand::Token {
            let headers = [(CONTENT_TYPE, HeaderValue::from_static("application/json"))].into_iter().collect();
            return Ok(Incoming { status: StatusCode::OK, headers, body: Bytes::from_static(TOKEN), encoded_bytes: 0 });
        }
        let body = outgoing.body.cloned().unwrap_or_default();
        let asked = Asked { method: outgoing.method, url: outgoing.url(), body: &body };
        let (exchange, repeated) = self
            .find(&asked)
            .map_err(|miss| WireError::Denied(Denial { rule: Rule::Cassette, message: miss.to_string() }))?;
        match (&exchange.response, &exchange.failure) {
            (Some(answer), _) => {
                let mut incoming = incoming(answer);
                if repeated {
                    // The recording host waited and asked again. Here nobody waits, and a pause would end the call.
                    incoming.headers.remove(RETRY_AFTER);
                }
                Ok(incoming)
            }
            (None, Some(failure)) => Err(match failure.to_error() {
                error @ (HttpError::Unreachable(_) | HttpError::Timeout(_) | HttpError::Truncated(_)) => {
                    WireError::Unsure(error)
                }
                error => WireError::Final(error),
            }),
            (None, None) => Err(WireError::Final(HttpError::Truncated("the cassette holds no answer".to_owned()))),
        }
    }
}

/// A recorded answer as it comes off the wire.
#[must_use]
pub fn incoming(answer: &Answer) -> Incoming {
    let mut headers = HeaderMap::new();
    for (name, value) in &answer.headers {
        // A header that is none was edited in by hand; it is nothing a provider could send.
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name.as_str()), HeaderValue::try_from(value.as_str())) {
            headers.append(name, value);
        }
    }
    let body = answer.body.bytes();
    let encoded_bytes = body.len() as u64;
    Incoming {
        status: StatusCode::from_u16(answer.status).unwrap_or(StatusCode::BAD_GATEWAY),
        headers,
        body,
        encoded_bytes,
    }
}

/// A request to find.
struct Asked<'a> {
    method: &'a Method,
    url: &'a Url,
    body: &'a Bytes,
}

impl std::fmt::Display for Asked<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.method, self.url)?;
        if self.body.is_empty() { Ok(()) } else { write!(f, " with {}", shown(self.body)) }
    }
}

impl Asked<'_> {
    fn is(&self, recorded: &Request) -> bool {
        self.method.as_str() == recorded.method && self.url.as_str() == recorded.url && *self.body == recorded.bytes()
    }

    /// The recorded request that shares most with this one, and what it does not share.
    fn nearest(&self, cassette: &Cassette) -> Option<String> {
        let requests = cassette.calls.iter().flat_map(|call| &call.exchanges).map(|exchange| &exchange.request);
        let likeness = |recorded: &Request| {
            let method = if recorded.method == self.method.as_str() { 0.2 } else { 0.0 };
            let body = if recorded.bytes() == *self.body { 0.2 } else { 0.0 };
            strsim::normalized_levenshtein(&recorded.url, self.url.as_str()) + method + body
        };
        let rated = requests.map(|recorded| (likeness(recorded), recorded));
        let (_, best) = rated.max_by(|(a, _), (b, _)| a.total_cmp(b)).filter(|(likeness, _)| *likeness > 0.5)?;
        let differences = self.differences(best).join("; ");
        Some(format!("{} {} ({differences})", best.method, best.url))
    }

    fn differences(&self, recorded: &Request) -> Vec<String> {
        let mut found = Vec::new();
        if recorded.method != self.method.as_str() {
            found.push(format!("method: recorded {}, asked {}", recorded.method, self.method));
        }
        match Url::parse(&recorded.url) {
            Ok(url) if url.path() == self.url.path() && url.host() == self.url.host() => {
                let pairs = |url: &Url| -> BTreeMap<String, String> { url.query_pairs().into_owned().collect() };
                let (old, new) = (pairs(&url), pairs(self.url));
                for name in old.keys().chain(new.keys().filter(|name| !old.contains_key(*name))) {
                    let value =
                        |of: &BTreeMap<String, String>| of.get(name).map_or("nothing".to_owned(), |v| format!("{v:?}"));
                    if old.get(name) != new.get(name) {
                        found.push(format!("query `{name}`: recorded {}, asked {}", value(&old), value(&new)));
                    }
                }
            }
            _ => found.push("host or path".to_owned()),
        }
        if recorded.bytes() != *self.body {
            found.push(format!("body: recorded {}, asked {}", shown(&recorded.bytes()), shown(self.body)));
        }
        if found.is_empty() {
            found.push("order of the query".to_owned());
        }
        found
    }
}

/// The beginning of a body, for a message.
fn shown(body: &Bytes) -> String {
    const MOST: usize = 300;
    if body.is_empty() {
        return "no body".to_owned();
    }
    let text: String = String::from_utf8_lossy(body).chars().take(MOST).collect();
    format!("body {text}{}", if body.len() > MOST { "..." } else { "" })
}
