//! What goes wrong on purpose, and the knobs that can be turned while the fakes run.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Mutex,
    time::Duration,
};

use axum::{
    body::{Body, Bytes, to_bytes},
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use serde::{Deserialize, Serialize};

use super::{content::mix, locked, reply, schema::Provider};

/// A cap on answers that are mangled; far above any page.
const MANGLE_BYTES: usize = 64 << 20;

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Trouble {
    /// This status, with the provider's own error body.
    Status {
        /// The status.
        status: u16,
        /// `Retry-After`, in seconds.
        #[serde(default)]
        retry_after: Option<u64>,
        /// An HTML page from a proxy instead of the provider's JSON.
        #[serde(default)]
        html: bool,
    },
    /// HubSpot moves the account to another data centre: 477 with `Retry-After`.
    Moving {
        /// Seconds to wait.
        retry_after: u64,
    },
    /// Salesforce: 403 `REQUEST_LIMIT_EXCEEDED`.
    RequestLimit,
    /// Salesforce: 400 `QUERY_TIMEOUT`.
    QueryTimeout,
    /// No answer for this long, then a 504.
    Timeout {
        /// How long.
        ms: u64,
    },
    /// The connection ends in the middle of the body.
    CutBody,
    /// 200 and no body.
    Empty,
    /// 200 and JSON that ends too early.
    Malformed,
    /// 200 and a maintenance page.
    Html,
    /// This status, with a JSON body that says this.
    Says {
        /// The status.
        status: u16,
        /// What it says.
        text: String,
    },
}

/// A fault that waits for the requests it applies to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// What goes wrong.
    #[serde(flatten)]
    pub trouble: Trouble,
    /// For how many requests.
    #[serde(default = "one")]
    pub times: u64,
    /// How many requests that fit pass before.
    #[serde(default)]
    pub skip: u64,
    /// Of a thousand requests that fit, how many are hit; 1000 unless told.
    #[serde(default = "always")]
    pub per_mille: u64,
    /// Only this provider.
    #[serde(default)]
    pub provider: Option<Provider>,
    /// Only this tenant.
    #[serde(default)]
    pub tenant: Option<String>,
    /// Only paths that contain this text.
    #[serde(default)]
    pub path: Option<String>,
}

fn one() -> u64 {
    1
}

fn always() -> u64 {
    1000
}

impl Fault {
    /// A fault for the next `times` requests.
    pub fn new(trouble: Trouble, times: u64) -> Self {
        Self { trouble, times, skip: 0, per_mille: 1000, provider: None, tenant: None, path: None }
    }
}

/// Limits and delays that hold until they are changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Knobs {
    /// Added to every answer.
    pub latency_ms: u64,
    /// A write reaches search after 0 to so many milliseconds, where search lags.
    pub index_lag_ms: i64,
    /// One change in eight becomes visible 0 to so many milliseconds after its stamp, where that happens.
    pub late_commit_ms: i64,
    /// The `Date` header is ahead of the stamps by this.
    pub clock_skew_ms: i64,
    /// Requests of one account in the provider's window, for providers without knobs of their own.
    pub rates: BTreeMap<Provider, u32>,
    /// HubSpot: requests of one account in any 10 seconds.
    pub hubspot_per_10s: u32,
    /// HubSpot: search requests of one account in any second.
    pub hubspot_search_per_s: u32,
    /// HubSpot: `Retry-After` on 429; `None` alternates.
    pub retry_after: Option<bool>,
    /// HubSpot's search: rows beyond so many cannot be asked for; `None` is the real cap, 10,000.
    pub result_cap: Option<usize>,
    /// Salesforce: requests a day, after which 403 `REQUEST_LIMIT_EXCEEDED` is all there is.
    pub salesforce_per_day: u64,
    /// Salesforce: how long a bulk job takes.
    pub bulk_delay_ms: i64,
    /// Salesforce: the most rows in a result set of a bulk job, whatever the client asks for.
    pub bulk_rows: usize,
    /// Salesforce: so many of the next bulk jobs end as `Failed`.
    pub fail_bulk_jobs: u32,
    /// Salesforce: pages behind a locator are shorter than asked for, each by another amount.
    pub short_pages: bool,
    /// Pipedrive: requests in any 24 hours, after which there is nothing but 429.
    pub pipedrive_per_day: u32,
    /// Lifetime of access tokens issued from now on.
    pub token_ms: i64,
    /// Every answer repeats the credentials of its request.
    pub echo: bool,
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            latency_ms: 0,
            index_lag_ms: 0,
            late_commit_ms: 0,
            clock_skew_ms: 0,
            rates: BTreeMap::new(),
            hubspot_per_10s: 1_000_000,
            hubspot_search_per_s: 100_000,
            retry_after: None,
            result_cap: None,
            salesforce_per_day: 5_000_000,
            bulk_delay_ms: 200,
            bulk_rows: 50_000,
            fail_bulk_jobs: 0,
            short_pages: false,
            pipedrive_per_day: 1_000_000,
            token_ms: 7_200_000,
            echo: false,
        }
    }
}

/// The faults that wait, and the knobs.
#[derive(Debug, Default)]
pub struct Faults {
    waiting: Mutex<VecDeque<Fault>>,
    knobs: Mutex<Knobs>,
    dice: std::sync::atomic::AtomicU64,
}

impl Faults {
    /// Queues a fault.
    pub fn inject(&self, fault: Fault) {
        locked(&self.waiting).push_back(fault);
    }

    /// Forgets every fault that waits. Knobs stay.
    pub fn clear(&self) {
        locked(&self.waiting).clear();
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        locked(&self.waiting).len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The knobs as they are.
    pub fn knobs(&self) -> Knobs {
        locked(&self.knobs).clone()
    }

    /// Turns knobs.
    pub fn turn(&self, change: impl FnOnce(&mut Knobs)) {
        change(&mut locked(&self.knobs));
    }

    /// What goes wrong with this request, if anything.
    pub fn take(&self, provider: Provider, tenant: &str, path: &str) -> Option<Trouble> {
        let mut waiting = locked(&self.waiting);
        let at = waiting.iter_mut().position(|fault| {
            let fits = fault.provider.is_none_or(|only| only == provider)
                && fault.tenant.as_deref().is_none_or(|only| only == tenant)
                && fault.path.as_deref().is_none_or(|only| path.contains(only));
            if !fits {
                return false;
            }
            if fault.skip > 0 {
                fault.skip -= 1;
                return false;
            }
            let roll = self.dice.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            fault.per_mille >= 1000 || mix(&[roll]) % 1000 < fault.per_mille
        })?;
        let fault = waiting.get_mut(at)?;
        fault.times = fault.times.saturating_sub(1);
        let trouble = fault.trouble.clone();
        if fault.times == 0 {
            waiting.remove(at);
        }
        Some(trouble)
    }
}

impl Trouble {
    /// The answer, if the trouble comes before the provider looks at the request.
    pub async fn before(&self, provider: Provider) -> Option<Response> {
        match self {
            Self::Status { status, html: true, .. } => Some(html(*status)),
            Self::Status { status, retry_after, .. } => {
                Some(reply::retry_after(provider.api().trouble(*status), *retry_after))
            }
            Self::Moving { retry_after } => Some(reply::retry_after(provider.api().trouble(477), Some(*retry_after))),
            Self::RequestLimit => {
                Some(reply::salesforce(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."))
            }
            Self::QueryTimeout => {
                Some(reply::salesforce(400, "QUERY_TIMEOUT", "Your query request was running for too long."))
            }
            Self::Timeout { ms } => {
                tokio::time::sleep(Duration::from_millis(*ms)).await;
                Some(html(504))
            }
            Self::CutBody | Self::Malformed => None,
            Self::Empty => Some(Response::new(Body::empty())),
            Self::Html => {
                let mut response = html(503);
                *response.status_mut() = StatusCode::OK;
                Some(response)
            }
            Self::Says { status, text } => Some(match provider {
                Provider::Salesforce => reply::salesforce(*status, "UNKNOWN_EXCEPTION", text),
                _ => reply::hubspot(*status, "VALIDATION_ERROR", text),
            }),
        }
    }

    /// The answer after the trouble has been at its body.
    pub async fn mangle(&self, response: Response) -> Response {
        let (mut parts, body) = response.into_parts();
        let Ok(bytes) = to_bytes(body, MANGLE_BYTES).await else {
            return html(502);
        };
        let half = bytes.slice(..bytes.len() / 2);
        match self {
            Self::CutBody => {
                parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
                let gone = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
                // The pause lets the head and the first half leave before the connection dies.
                let rest = futures::stream::once(async {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    Err(gone)
                });
                let chunks = futures::stream::once(async { Ok::<Bytes, std::io::Error>(half) });
                Response::from_parts(parts, Body::from_stream(futures::StreamExt::chain(chunks, rest)))
            }
            Self::Malformed => Response::from_parts(parts, Body::from(half)),
            _ => Response::from_parts(parts, Body::from(bytes)),
        }
    }
}

fn html(status: u16) -> Response {
    let page =
        format!("<!DOCTYPE html><html><head><title>{status}</title></head><body><h1>Error {status}</h1></body></html>");
    let mut response = reply::plain(status, "text/html; charset=UTF-8", page.into());
    response.headers_mut().insert(header::SERVER, HeaderValue::from_static("cloudflare"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_waits_for_the_request_it_fits_and_ends_after_its_times() {
        let faults = Faults::default();
        let text = r#"{"kind":"status","status":503,"times":2,"skip":1,"tenant":"a","path":"search"}"#;
        faults.inject(serde_json::from_str(text).unwrap());
        let hit = |tenant, path| faults.take(Provider::HubSpot, tenant, path).is_some();
        assert!(!hit("b", "/search"));
        assert!(!hit("a", "/list"));
        assert!(!hit("a", "/search"), "skipped");
        assert!(hit("a", "/search"));
        assert!(hit("a", "/search"));
        assert!(!hit("a", "/search"));
    }

    #[test]
    fn a_fault_with_odds_hits_about_that_often() {
        let faults = Faults::default();
        faults.inject(Fault { per_mille: 200, ..Fault::new(Trouble::Empty, 100_000) });
        let hits = (0..1000).filter(|_| faults.take(Provider::Salesforce, "a", "/").is_some()).count();
        assert!((150..250).contains(&hits), "{hits}");
    }

    #[test]
    fn unknown_knobs_are_refused() {
        assert!(serde_json::from_str::<Knobs>(r#"{"latency":5}"#).is_err());
        assert_eq!(serde_json::from_str::<Knobs>(r#"{"latency_ms":5}"#).unwrap().latency_ms, 5);
    }
}
