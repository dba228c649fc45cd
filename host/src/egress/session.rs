//! The way out of one run: a request's path through the gate, step by step.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout_at};

use super::budget::{Account, Counters, RequestBudget, Stats};
use super::config::EgressConfig;
use super::credentials::Credentials;
use super::denial::{Denial, Rule};
use super::headers;
use super::inject::Slot;
use super::keyring::Keys;
use super::lane::Lane;
use super::pace::{self, PauseStore, TooLong};
use super::policy::Policy;
use super::prepare::Prepared;
use super::redirect;
use super::retry::{self, Delays};
use super::wire::{Errand, Exchange, Incoming, Outgoing, Tape, WireError};
use crate::domain::IntegrationId;
use crate::domain::http::{Http, HttpError, Request, Response};

/// Refusals of one run that are written to the log; all of them are counted.
const LOGGED_DENIALS: u64 = 5;

/// What the gate puts into a session.
pub(super) struct Parts {
    pub(super) integration: IntegrationId,
    pub(super) provider: String,
    pub(super) config: Arc<EgressConfig>,
    pub(super) policy: Policy,
    pub(super) slot: Slot,
    pub(super) lane: Arc<Lane>,
    pub(super) keys: Arc<Keys>,
    pub(super) pauses: Arc<dyn PauseStore>,
    pub(super) budget: RequestBudget,
    pub(super) tape: Option<Arc<dyn Tape>>,
}

/// The way out of one run, bound to its integration, credentials and budget.
pub struct Session {
    parts: Parts,
    in_flight: Semaphore,
    account: Account,
    counters: Counters,
}

/// The end of a redirect chain.
struct Walked {
    incoming: Incoming,
    /// The last hop carried the credential.
    authenticated: bool,
}

#[async_trait::async_trait]
impl Http for Session {
    async fn send(&self, request: Request) -> Result<Response, HttpError> {
        let sent = self.send_checked(request).await;
        // No text of an error is trusted to be free of secrets, whoever wrote it.
        sent.map_err(|error| self.without_secrets(error))
    }
}

impl Session {
    pub(super) fn new(parts: Parts) -> Self {
        let in_flight = Semaphore::new(parts.budget.in_flight.clamp(1, 1024) as usize);
        let account = Account::new(parts.budget);
        Self { parts, in_flight, account, counters: Counters::default() }
    }

    /// A new page begins: its request budget is whole again.
    pub fn new_page(&self) {
        self.account.new_page();
    }

    /// What has been done so far.
    pub fn stats(&self) -> Stats {
        self.counters.read()
    }

    /// A text without the credentials of this integration.
    pub fn redact(&self, text: &str) -> String {
        self.parts.lane.ring.masks().text.redact(text).into_owned()
    }

    async fn send_checked(&self, request: Request) -> Result<Response, HttpError> {
        let parts = &self.parts;
        let prepared = Prepared::new(request, &parts.policy, &parts.slot, &parts.config);
        let prepared = prepared.map_err(|denial| self.denied(denial))?;
        self.account.take()?;
        let deadline = Instant::now() + prepared.limit;
        let exchanged = timeout_at(deadline, self.exchange(&prepared, deadline)).await;
        let incoming = exchanged.unwrap_or_else(|_| Err(self.timed_out(&prepared)))?;
        Ok(self.for_guest(incoming))
    }

    /// The time of a request is over before its answer was there: what it waited for has not been written down yet.
    fn timed_out(&self, prepared: &Prepared) -> HttpError {
        let limit = prepared.limit;
        let authority = prepared.target.authority();
        let error = HttpError::Timeout(format!("{authority} gave no whole answer within {limit:?}"));
        if let Some(tape) = &self.parts.tape {
            let outgoing = Outgoing {
                method: &prepared.method,
                headers: &prepared.headers,
                body: prepared.body.as_ref(),
                errand: Errand::Data,
                target: &prepared.target,
                credential: None,
            };
            tape.exchanged(self.exchange_of(outgoing, &Err(WireError::Unsure(error.clone())), limit));
        }
        error
    }

    /// Sends until there is an answer to give: repeats what is transient, renews credentials once. Those that another host
    /// renewed do not count as renewed: they may be as old as the refused ones.
    async fn exchange(&self, prepared: &Prepared, deadline: Instant) -> Result<Incoming, HttpError> {
        let breakers = &self.parts.lane.breakers;
        breakers.check(&prepared.target)?;
        let _slot = self.in_flight.acquire().await;
        let _place = self.parts.lane.pace.place().await;
        self.parts.lane.retries.earn();
        let mut delays = Delays::new(&self.parts.config.limits);
        let mut credentials = self.parts.keys.usable().await?;
        let (mut renewed, mut replaced) = (false, false);
        loop {
            let walked = self.walk(prepared, &credentials, deadline).await;
            let repeatable = match &walked {
                Ok(walked) => {
                    let status = walked.incoming.status;
                    let pause = self.note_pause(&walked.incoming).await;
                    if prepared.accept_status.contains(&status.as_u16()) {
                        false
                    } else if status == StatusCode::UNAUTHORIZED && walked.authenticated && !renewed {
                        if let Some(other) = self.parts.keys.instead_of(&credentials).await? {
                            renewed = other.new || replaced;
                            replaced = true;
                            credentials = other.credentials;
                            self.count_retry();
                            continue;
                        }
                        false
                    } else {
                        let longest = self.parts.config.limits.max_inline_wait;
                        if let Some(pause) = pause.filter(|pause| *pause > longest) {
                            return Err(rate_limited(pause.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX)));
                        }
                        retry::is_transient(status, prepared.idempotent)
                    }
                }
                Err(WireError::NotSent(_)) => true,
                Err(WireError::Unsure(_)) => prepared.idempotent,
                Err(WireError::Denied(_) | WireError::Final(_)) => false,
            };
            // Where nothing may be sent, what came last says more.
            let repeatable = repeatable && breakers.check(&prepared.target).is_ok();
            let delay = if repeatable { delays.next().filter(|_| self.parts.lane.retries.pay()) } else { None };
            match (delay, walked) {
                (Some(delay), _) => {
                    self.count_retry();
                    sleep(delay).await;
                }
                (None, Ok(walked)) => return Ok(walked.incoming),
                (None, Err(WireError::Denied(denial))) => return Err(self.denied(denial)),
                (None, Err(error)) => return Err(error.into()),
            }
        }
    }

    /// Sends and walks redirects, each hop through the whole policy.
    async fn walk(
        &self,
        prepared: &Prepared,
        credentials: &Credentials,
        deadline: Instant,
    ) -> Result<Walked, WireError> {
        let most = self.parts.config.limits.redirects;
        let mut target = prepared.target.clone();
        for hop in 0..=most {
            let home = target.same_origin(&prepared.target);
            let for_others = (!home).then(|| headers::for_another_host(&prepared.headers));
            let authenticated = home && self.parts.policy.may_see_credential(&target);
            let outgoing = Outgoing {
                method: &prepared.method,
                headers: for_others.as_ref().unwrap_or(&prepared.headers),
                body: prepared.body.as_ref(),
                errand: Errand::Data,
                target: &target,
                credential: authenticated.then_some((&self.parts.slot, credentials)),
            };
            let incoming = self.hop(outgoing, &prepared.accept_status, deadline).await?;
            let next = redirect::next_hop(
                &target,
                &prepared.method,
                incoming.status,
                &incoming.headers,
                self.parts.slot.query(),
                &self.parts.lane.ring.masks().text,
            );
            match next.map_err(WireError::Denied)? {
                None => {
                    return Ok(Walked { incoming, authenticated: authenticated && self.parts.slot != Slot::Nothing });
                }
                Some(_) if hop == most => break,
                Some(next) => {
                    self.parts.policy.check(&next).map_err(|denial| {
                        WireError::Denied(Denial {
                            message: format!("after a redirect of {}: {denial}", target.authority()),
                            ..denial
                        })
                    })?;
                    target = next;
                }
            }
        }
        Err(WireError::Denied(Denial::new(
            Rule::Redirect,
            format!("{} redirects more than {most} times", prepared.target.authority()),
        )))
    }

    /// One request on the wire, when its time has come.
    async fn hop(&self, outgoing: Outgoing<'_>, accepted: &[u16], deadline: Instant) -> Result<Incoming, WireError> {
        let Parts { provider, lane, pauses, integration, config, .. } = &self.parts;
        let waited = lane.pace.admit_by_all(&**pauses, *integration, config.limits.max_inline_wait).await;
        let waited = waited.map_err(|TooLong(seconds)| WireError::Final(rate_limited(seconds)))?;
        metrics::histogram!("syncline_rate_limit_wait_seconds").record(waited.as_secs_f64());
        let under_way = lane.breakers.admit(outgoing.target, Some(deadline))?;
        self.counters.requests.fetch_add(1, Ordering::Relaxed);
        self.counters.bytes_out.fetch_add(outgoing.body.map_or(0, |body| body.len() as u64), Ordering::Relaxed);

        let started = Instant::now();
        let answer = self.parts.keys.wire.send(outgoing).await;
        under_way.answered(&answer, accepted);
        let took = started.elapsed();
        if let Some(tape) = &self.parts.tape {
            tape.exchanged(self.exchange_of(outgoing, &answer, took));
        }
        let class = answer.as_ref().map_or("none", |incoming| status_class(incoming.status));
        metrics::counter!("syncline_http_requests_total", "connector" => provider.clone(), "status_class" => class)
            .increment(1);
        metrics::histogram!("syncline_http_request_duration_seconds", "connector" => provider.clone())
            .record(took.as_secs_f64());
        if let Ok(incoming) = &answer {
            self.counters.bytes_in.fetch_add(incoming.encoded_bytes, Ordering::Relaxed);
        }
        tracing::debug!(
            integration.id = %self.parts.integration,
            http.method = %outgoing.method,
            http.url = %self.redact(&outgoing.target.without_secrets()),
            http.status = answer.as_ref().map_or(0, |incoming| incoming.status.as_u16()),
            http.ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            "request"
        );
        answer
    }

    /// Keeps a pause that the answer asks for, in this process and for the other hosts.
    async fn note_pause(&self, incoming: &Incoming) -> Option<Duration> {
        if !matches!(incoming.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            return None;
        }
        let limits = &self.parts.config.limits;
        let pause = pace::retry_after(&incoming.headers, pace::now_ms(), limits.max_pause)?;
        if !pause.is_zero() {
            self.parts.lane.pace.pause(pause);
            self.parts.pauses.pause(self.parts.integration, pause).await;
        }
        Some(pause)
    }

    /// What may be written down of a hop: no credential that this integration has or had, wherever it turns up.
    fn exchange_of(&self, outgoing: Outgoing<'_>, answer: &Result<Incoming, WireError>, took: Duration) -> Exchange {
        let masks = self.parts.lane.ring.masks();
        let clean = |body: &Bytes| masks.text.redact_bytes(body).map_or_else(|| body.clone(), Bytes::from);
        let answer = match answer {
            Ok(incoming) => Ok(Response {
                status: incoming.status.as_u16(),
                headers: headers::for_guest(&incoming.headers, &masks.text),
                body: clean(&incoming.body),
            }),
            Err(error) => Err(self.without_secrets(error.clone().into())),
        };
        Exchange {
            method: outgoing.method.to_string(),
            url: self.redact(outgoing.url().as_str()),
            headers: headers::for_guest(outgoing.headers, &masks.text),
            body: outgoing.body.map(clean),
            answer,
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        }
    }

    fn for_guest(&self, incoming: Incoming) -> Response {
        let masks = self.parts.lane.ring.masks();
        Response {
            status: incoming.status.as_u16(),
            headers: headers::for_guest(&incoming.headers, &masks.text),
            body: masks.body.redact_bytes(&incoming.body).map_or(incoming.body, Bytes::from),
        }
    }

    fn denied(&self, denial: Denial) -> HttpError {
        let before = self.counters.denied.fetch_add(1, Ordering::Relaxed);
        metrics::counter!("syncline_egress_denied_total", "reason" => denial.rule.as_str()).increment(1);
        // A connector that asks again and again does not fill the log.
        if before < LOGGED_DENIALS {
            tracing::warn!(
                integration.id = %self.parts.integration,
                connector.name = %self.parts.provider,
                reason = denial.rule.as_str(),
                "request denied: {}",
                self.redact(&denial.message)
            );
        }
        denial.into()
    }

    fn count_retry(&self) {
        self.counters.retries.fetch_add(1, Ordering::Relaxed);
    }

    fn without_secrets(&self, error: HttpError) -> HttpError {
        let clean = |text: String| self.redact(&text);
        match error {
            HttpError::Denied(text) => HttpError::Denied(clean(text)),
            HttpError::BudgetSpent(text) => HttpError::BudgetSpent(clean(text)),
            HttpError::Unreachable(text) => HttpError::Unreachable(clean(text)),
            HttpError::Timeout(text) => HttpError::Timeout(clean(text)),
            HttpError::Truncated(text) => HttpError::Truncated(clean(text)),
            HttpError::TooLarge(text) => HttpError::TooLarge(clean(text)),
            HttpError::RateLimited(seconds) => HttpError::RateLimited(seconds),
            HttpError::Unauthorized(text) => HttpError::Unauthorized(clean(text)),
        }
    }
}

const fn rate_limited(seconds: u64) -> HttpError {
    HttpError::RateLimited(Some(seconds))
}

fn status_class(status: StatusCode) -> &'static str {
    match status.as_u16() {
        100..=199 => "1xx",
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        _ => "5xx",
    }
}
