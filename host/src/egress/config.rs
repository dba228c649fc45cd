//! What the operator decides about the gate.

use std::collections::BTreeMap;
use std::time::Duration;

use url::Url;

use super::patterns::HostPattern;
use crate::domain::RateHint;

/// The operator's policy. The default lets connectors talk https to the public hosts they declare, and nothing else.
#[derive(Debug, Clone)]
pub struct EgressConfig {
    /// Plain http is allowed. Default: no.
    pub allow_http: bool,
    /// Hosts that may have addresses which are not public, such as a provider inside the company's network. They must
    /// be declared by the connector all the same. Default: none.
    pub allow_hosts: Vec<HostPattern>,
    /// Hosts that are refused whatever a connector declares. Default: none.
    pub deny_hosts: Vec<HostPattern>,
    /// Requests for a host on the left go to the origin on the right: a private gateway, a stub, a test. The policy
    /// judges the original URL, the original `Host` is sent, and the origin itself needs no further permission, also
    /// if it is plain http or not public. The first match counts. Default: none.
    pub routes: Vec<(HostPattern, Url)>,
    /// Times and sizes.
    pub limits: Limits,
    /// Pace per integration for connectors that give no rate. Default: 10 requests a second, 4 at once.
    pub default_rate: RateHint,
    /// Pace per integration of providers named here, whatever their connectors say. Default: none.
    pub provider_rates: BTreeMap<String, RateHint>,
    /// The `User-Agent` of requests that bring none. Default: `syncline/<version>`.
    pub user_agent: String,
}

impl Default for EgressConfig {
    fn default() -> Self {
        Self {
            allow_http: false,
            allow_hosts: Vec::new(),
            deny_hosts: Vec::new(),
            routes: Vec::new(),
            limits: Limits::default(),
            default_rate: RateHint { requests: 10, per_seconds: 1, concurrency: 4 },
            provider_rates: BTreeMap::new(),
            user_agent: concat!("syncline/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

/// Times and sizes of the gate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Name, TCP and TLS together. Default: 10 s.
    pub connect: Duration,
    /// From sending until the head of the answer. Default: 30 s.
    pub first_byte: Duration,
    /// Between two pieces of a body. Default: 15 s.
    pub read_gap: Duration,
    /// One request of a connector, waits, retries and redirects included. Default: 120 s.
    pub total: Duration,
    /// A body that brings fewer bytes per second over [`Self::speed_window`] is given up. Default: 1024.
    pub min_bytes_per_second: u64,
    /// Default: 30 s.
    pub speed_window: Duration,
    /// Decoded body of a response, in bytes. Default: 16 MiB.
    pub response_body_bytes: usize,
    /// Headers of a response, names and values, in bytes. Default: 32 KiB.
    pub response_header_bytes: usize,
    /// Body of a request, in bytes. Default: 1 MiB.
    pub request_body_bytes: usize,
    /// Headers of a request, names and values, in bytes. Default: 32 KiB.
    pub request_header_bytes: usize,
    /// Decoded bytes per encoded byte. Default: 100.
    pub ratio: u64,
    /// The ratio is not looked at before so many decoded bytes. Default: 1 MiB.
    pub ratio_after_bytes: u64,
    /// Redirects that are followed. Default: 5.
    pub redirects: u32,
    /// Tries of one request, the first included. Default: 3.
    pub tries: u32,
    /// The first retry waits at most this long, every further one at most twice as long. Default: 250 ms.
    pub retry_base: Duration,
    /// The longest pause that is waited for inside a request; a longer one ends it. Default: 5 s.
    pub max_inline_wait: Duration,
    /// The longest pause that a provider can ask for. Default: 24 h.
    pub max_pause: Duration,
    /// A host that failed so often in a row is left alone for a while; 0: never. Default: 5.
    pub breaker_failures: u32,
    /// How long at first, before one request is let through. Default: 30 s.
    pub breaker_wait: Duration,
    /// How long at most, when such requests failed as well. Default: 10 min.
    pub breaker_max_wait: Duration,
    /// Access tokens are renewed so long before they expire. Default: 60 s.
    pub refresh_ahead: Duration,
    /// How long a host may take to renew a token before another one tries. Default: 60 s.
    pub refresh_lease: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            first_byte: Duration::from_secs(30),
            read_gap: Duration::from_secs(15),
            total: Duration::from_secs(120),
            min_bytes_per_second: 1024,
            speed_window: Duration::from_secs(30),
            response_body_bytes: 16 << 20,
            response_header_bytes: 32 << 10,
            request_body_bytes: 1 << 20,
            request_header_bytes: 32 << 10,
            ratio: 100,
            ratio_after_bytes: 1 << 20,
            redirects: 5,
            tries: 3,
            retry_base: Duration::from_millis(250),
            max_inline_wait: Duration::from_secs(5),
            max_pause: Duration::from_secs(24 * 60 * 60),
            breaker_failures: 5,
            breaker_wait: Duration::from_secs(30),
            breaker_max_wait: Duration::from_secs(10 * 60),
            refresh_ahead: Duration::from_secs(60),
            refresh_lease: Duration::from_secs(60),
        }
    }
}
