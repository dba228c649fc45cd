//! What the fakes have been asked: counts by tenant, and whether the client kept to the limits.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use serde::Serialize;

use super::{locked, schema::Provider};

/// A request that was on its way before the 429 could arrive is no violation.
const GRACE_MS: i64 = 50;

/// Most requests that are written down because they came while a wait held.
const KEPT: usize = 10_000;

/// Counts of one tenant, or of all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Requests by provider and kind, as in `hubspot.search`.
    pub requests: BTreeMap<String, u64>,
    /// Answers by status.
    pub statuses: BTreeMap<u16, u64>,
    /// Records in answers, by object.
    pub records: BTreeMap<String, u64>,
    /// How often each record was in an answer, by object and id; only if asked for at the start.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub served: BTreeMap<String, BTreeMap<String, u32>>,
    /// Answers that told the client to slow down (429; 403 `REQUEST_LIMIT_EXCEEDED`).
    pub limited: u64,
    /// Requests that came before the time such an answer had named or implied.
    pub early: u64,
}

/// A request that came while its account had been told to wait.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Early {
    /// Where.
    pub provider: Provider,
    /// Whose.
    pub tenant: String,
    /// When it came.
    pub at_ms: i64,
    /// When the answer had left that was the first to tell of a wait which still held.
    pub told_ms: i64,
    /// Until when that wait held.
    pub until_ms: i64,
}

impl Early {
    /// How long the client had known by then, the way of the answer and that of the request included.
    pub fn known_ms(&self) -> i64 {
        self.at_ms - self.told_ms
    }
}

/// A copy of all counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Snapshot {
    /// By tenant; requests without a valid credential are under the empty name.
    pub tenants: BTreeMap<String, Counts>,
    /// Every request that came while a wait held, those that were on their way already included.
    pub early: Vec<Early>,
    /// The most requests that were in flight at once.
    pub peak_concurrency: u64,
}

impl Snapshot {
    /// The sum over all tenants.
    pub fn total(&self) -> Counts {
        let mut total = Counts::default();
        for counts in self.tenants.values() {
            counts.requests.iter().for_each(|(key, n)| *total.requests.entry(key.clone()).or_default() += n);
            counts.statuses.iter().for_each(|(key, n)| *total.statuses.entry(*key).or_default() += n);
            counts.records.iter().for_each(|(key, n)| *total.records.entry(key.clone()).or_default() += n);
            total.limited += counts.limited;
            total.early += counts.early;
        }
        total
    }
}

/// When a client was told to wait, and until when.
type Wait = (i64, i64);

#[derive(Debug, Default)]
struct Ledger {
    tenants: BTreeMap<String, Counts>,
    /// By provider, tenant and scope. A shorter wait does not end a longer one.
    waits: BTreeMap<(Provider, String, &'static str), Vec<Wait>>,
    early: Vec<Early>,
}

/// The counters.
#[derive(Debug, Default)]
pub struct Stats {
    ledger: Mutex<Ledger>,
    flying: AtomicU64,
    peak: AtomicU64,
}

/// A request in flight.
#[derive(Debug)]
pub struct Flight<'a>(&'a AtomicU64);

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Stats {
    /// Counts a request as in flight until the guard is dropped.
    pub fn take_off(&self) -> Flight<'_> {
        let flying = self.flying.fetch_add(1, Ordering::Relaxed) + 1;
        self.peak.fetch_max(flying, Ordering::Relaxed);
        Flight(&self.flying)
    }

    /// Counts a request, and whether it came too early.
    pub fn request(&self, provider: Provider, tenant: &str, kind: &str, scope: &'static str, now: i64) {
        let mut ledger = locked(&self.ledger);
        let waits = ["all", scope].into_iter().filter_map(|scope| {
            let waits = ledger.waits.get(&(provider, tenant.to_owned(), scope))?;
            waits.iter().filter(|(_, until)| now < *until).min().copied()
        });
        let early = waits.min().map(|(told_ms, until_ms)| Early {
            provider,
            tenant: tenant.to_owned(),
            at_ms: now,
            told_ms,
            until_ms,
        });
        let counts = ledger.tenants.entry(tenant.to_owned()).or_default();
        *counts.requests.entry(kind.to_owned()).or_default() += 1;
        counts.early += u64::from(early.as_ref().is_some_and(|early| early.known_ms() > GRACE_MS));
        if ledger.early.len() < KEPT {
            ledger.early.extend(early);
        }
    }

    /// Counts an answer.
    pub fn answer(&self, tenant: &str, status: u16) {
        let mut ledger = locked(&self.ledger);
        *ledger.tenants.entry(tenant.to_owned()).or_default().statuses.entry(status).or_default() += 1;
    }

    /// Notes that the client was told to wait.
    pub fn limited(&self, provider: Provider, tenant: &str, scope: &'static str, now: i64, wait_ms: i64) {
        let mut ledger = locked(&self.ledger);
        let waits = ledger.waits.entry((provider, tenant.to_owned(), scope)).or_default();
        waits.retain(|(_, until)| now < *until);
        waits.push((now, now + wait_ms));
        ledger.tenants.entry(tenant.to_owned()).or_default().limited += 1;
    }

    /// Counts records in an answer; `ids` is empty unless they are counted one by one.
    pub fn records(&self, tenant: &str, object: &str, count: usize, ids: impl IntoIterator<Item = String>) {
        let mut ledger = locked(&self.ledger);
        let counts = ledger.tenants.entry(tenant.to_owned()).or_default();
        *counts.records.entry(object.to_owned()).or_default() += count as u64;
        for id in ids {
            *counts.served.entry(object.to_owned()).or_default().entry(id).or_default() += 1;
        }
    }

    /// A copy of the counts.
    pub fn snapshot(&self) -> Snapshot {
        let ledger = locked(&self.ledger);
        let (tenants, early) = (ledger.tenants.clone(), ledger.early.clone());
        Snapshot { tenants, early, peak_concurrency: self.peak.load(Ordering::Relaxed) }
    }

    /// Starts counting anew. Waits that clients were told stay in force.
    pub fn reset(&self) {
        let mut ledger = locked(&self.ledger);
        ledger.tenants.clear();
        ledger.early.clear();
        self.peak.store(self.flying.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_before_the_named_time_is_counted_as_early() {
        let stats = Stats::default();
        stats.limited(Provider::HubSpot, "a", "all", 1_000, 10_000);
        stats.request(Provider::HubSpot, "a", "hubspot.list", "all", 1_020);
        assert_eq!(stats.snapshot().total().early, 0, "it was on its way already");
        stats.request(Provider::HubSpot, "a", "hubspot.list", "all", 5_000);
        stats.request(Provider::HubSpot, "b", "hubspot.list", "all", 5_000);
        stats.request(Provider::HubSpot, "a", "hubspot.list", "all", 11_000);
        assert_eq!(stats.snapshot().total().early, 1);
        assert_eq!(stats.snapshot().tenants["a"].limited, 1);
    }

    #[test]
    fn a_search_limit_does_not_bind_other_requests() {
        let stats = Stats::default();
        stats.limited(Provider::HubSpot, "a", "search", 1_000, 1_000);
        stats.request(Provider::HubSpot, "a", "hubspot.list", "all", 1_500);
        assert_eq!(stats.snapshot().total().early, 0);
        stats.request(Provider::HubSpot, "a", "hubspot.search", "search", 1_500);
        assert_eq!(stats.snapshot().total().early, 1);
    }

    #[test]
    fn a_wait_binds_at_the_provider_that_told_it_and_there_only() {
        let stats = Stats::default();
        stats.limited(Provider::HubSpot, "a", "all", 1_000, 10_000);
        stats.request(Provider::Pipedrive, "a", "pipedrive.list", "all", 5_000);
        assert_eq!(stats.snapshot().total().early, 0, "Pipedrive has not told it to wait");
        stats.limited(Provider::Pipedrive, "a", "all", 5_000, 100);
        stats.request(Provider::HubSpot, "a", "hubspot.list", "all", 6_000);
        assert_eq!(stats.snapshot().total().early, 1, "HubSpot's wait is as long as before");
    }

    #[test]
    fn a_request_is_written_down_with_the_first_wait_that_still_holds() {
        let stats = Stats::default();
        stats.limited(Provider::HubSpot, "a", "all", 1_000, 5_000);
        stats.limited(Provider::HubSpot, "a", "all", 2_000, 1_000);
        stats.limited(Provider::HubSpot, "a", "all", 2_500, 5_000);
        for at in [2_510, 5_999, 6_000, 7_500] {
            stats.request(Provider::HubSpot, "a", "hubspot.list", "all", at);
        }
        let early = stats.snapshot().early;
        let known: Vec<_> = early.iter().map(|early| (early.at_ms, early.known_ms(), early.until_ms)).collect();
        assert_eq!(known, [(2_510, 1_510, 6_000), (5_999, 4_999, 6_000), (6_000, 3_500, 7_500)]);
        assert_eq!(stats.snapshot().total().early, 3);
    }

    #[test]
    fn the_peak_is_the_most_at_once() {
        let stats = Stats::default();
        let first = stats.take_off();
        drop(stats.take_off());
        drop(first);
        drop(stats.take_off());
        assert_eq!(stats.snapshot().peak_concurrency, 2);
    }
}
