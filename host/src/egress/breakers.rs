//! The breakers of one integration in this process, one for each host that it asks.
//!
//! A request is asked about twice: before it waits for its turn, so that a host that is left alone costs no waiting, and
//! when its turn has come, when it may be the one that is let through.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::breaker::{Breaker, Change, Heard, Held, Pass};
use super::config::Limits;
use super::target::Target;
use super::wire::{Incoming, WireError};
use crate::domain::IntegrationId;
use crate::domain::http::HttpError;
use crate::telemetry::metrics::BREAKER_OPENED;

/// Hosts of one integration that are kept an eye on; the one that was not asked for the longest time makes room.
const KEPT: usize = 32;

/// The breakers of one integration.
pub(super) struct Breakers {
    integration: IntegrationId,
    connector: String,
    limits: Limits,
    hosts: Mutex<HashMap<String, Kept>>,
}

struct Kept {
    breaker: Breaker,
    asked: Instant,
}

/// A host that keeps failing is left alone: nothing was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{host} keeps failing and is left alone since {since} until {until}: nothing was sent")]
pub(super) struct LeftAlone {
    host: String,
    since: String,
    until: String,
}

impl From<LeftAlone> for HttpError {
    fn from(left: LeftAlone) -> Self {
        Self::Unreachable(left.to_string())
    }
}

impl From<LeftAlone> for WireError {
    fn from(left: LeftAlone) -> Self {
        Self::Final(left.into())
    }
}

impl Breakers {
    pub(super) fn new(integration: IntegrationId, connector: &str, limits: &Limits) -> Self {
        Self { integration, connector: connector.to_owned(), limits: limits.clone(), hosts: Mutex::default() }
    }

    /// Whether a request to this host could go out now.
    pub(super) fn check(&self, target: &Target) -> Result<(), LeftAlone> {
        let (host, now) = (target.authority(), now());
        let checked = self.hosts().get(&host).map_or(Ok(()), |kept| kept.breaker.check(now));
        checked.map_err(|held| left_alone(host, held, now))
    }

    /// Lets a request go out. With a deadline, one that is given up at that time has failed; before it, or without one,
    /// nothing was heard.
    pub(super) fn admit(&self, target: &Target, deadline: Option<Instant>) -> Result<UnderWay<'_>, LeftAlone> {
        let (host, now) = (target.authority(), now());
        let mut hosts = self.hosts();
        if !hosts.contains_key(&host) {
            make_room(&mut hosts, now);
        }
        let kept =
            hosts.entry(host.clone()).or_insert_with(|| Kept { breaker: Breaker::new(&self.limits), asked: now });
        kept.asked = now;
        let admitted = kept.breaker.admit(now);
        drop(hosts);
        match admitted {
            Ok(pass) => Ok(UnderWay { breakers: self, host, pass: Some(pass), deadline }),
            Err(held) => Err(left_alone(host, held, now)),
        }
    }

    fn hear(&self, host: &str, pass: Pass, heard: Heard) {
        let change = self.hosts().get_mut(host).and_then(|kept| kept.breaker.hear(pass, heard, now()));
        match change {
            None => {}
            Some(Change::Opened(wait)) => {
                metrics::counter!(BREAKER_OPENED, "connector" => self.connector.clone()).increment(1);
                tracing::warn!(
                    integration.id = %self.integration,
                    connector.name = %self.connector,
                    http.host = %host,
                    wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
                    code = "breaker-opened",
                    "a host keeps failing and is left alone"
                );
            }
            Some(Change::Closed(after)) => tracing::info!(
                integration.id = %self.integration,
                connector.name = %self.connector,
                http.host = %host,
                after_ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX),
                code = "breaker-closed",
                "a host that was left alone answers again"
            ),
        }
    }

    fn hosts(&self) -> MutexGuard<'_, HashMap<String, Kept>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that goes out. Dropped without a word, it was given up.
pub(super) struct UnderWay<'a> {
    breakers: &'a Breakers,
    host: String,
    pass: Option<Pass>,
    deadline: Option<Instant>,
}

impl UnderWay<'_> {
    /// What came of it. A status that the connector waits for is no failure.
    pub(super) fn answered(mut self, answer: &Result<Incoming, WireError>, accepted: &[u16]) {
        self.tell(heard(answer, accepted));
    }

    fn tell(&mut self, heard: Heard) {
        if let Some(pass) = self.pass.take() {
            self.breakers.hear(&self.host, pass, heard);
        }
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let late = self.deadline.is_some_and(|deadline| Instant::now() >= deadline);
        self.tell(if late { Heard::Failure } else { Heard::Nothing });
    }
}

/// What an answer, or its absence, says about the host.
fn heard(answer: &Result<Incoming, WireError>, accepted: &[u16]) -> Heard {
    match answer {
        Ok(incoming) => match incoming.status.as_u16() {
            // It says itself when to come again: that is a pause.
            503 if incoming.headers.contains_key(http::header::RETRY_AFTER) => Heard::Refusal,
            status @ 500.. if !accepted.contains(&status) => Heard::Failure,
            400.. => Heard::Refusal,
            _ => Heard::Success,
        },
        Err(WireError::NotSent(_) | WireError::Unsure(_)) => Heard::Failure,
        Err(WireError::Final(HttpError::TooLarge(_))) => Heard::Refusal,
        Err(WireError::Final(_) | WireError::Denied(_)) => Heard::Nothing,
    }
}

/// Those that nothing is known of make room first, then closed ones, then the one not asked for the longest time.
fn make_room(hosts: &mut HashMap<String, Kept>, now: Instant) {
    if hosts.len() < KEPT {
        return;
    }
    hosts.retain(|_, kept| !kept.breaker.is_idle(now));
    while hosts.len() >= KEPT {
        let first = hosts.iter().min_by_key(|(_, kept)| (!kept.breaker.is_closed(), kept.asked));
        let Some(host) = first.map(|(host, _)| host.clone()) else { return };
        hosts.remove(&host);
    }
}

fn left_alone(host: String, held: Held, now: Instant) -> LeftAlone {
    let until = held.until.map_or_else(|| "a request that is under way is answered".to_owned(), |at| shown(at, now));
    LeftAlone { host, since: shown(held.since, now), until }
}

/// A time as people read it. Nothing is decided by it.
fn shown(at: Instant, now: Instant) -> String {
    let time = chrono::Utc::now() + at.duration_since(now) - now.duration_since(at);
    time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

#[cfg(not(test))]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
thread_local! {
    static AHEAD: std::cell::Cell<std::time::Duration> = const { std::cell::Cell::new(std::time::Duration::ZERO) };
}

#[cfg(test)]
fn now() -> Instant {
    Instant::now() + AHEAD.get()
}

/// Lets time pass for the breakers of this thread. A test on a runtime of one thread has them to itself.
#[cfg(test)]
pub(super) fn pass(time: std::time::Duration) {
    AHEAD.set(AHEAD.get() + time);
}
