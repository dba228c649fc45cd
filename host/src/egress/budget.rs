//! How much a run may ask, and how much it has asked.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::domain::http::HttpError;

/// How many requests a run may make. Retries, redirects and token renewals are not counted here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestBudget {
    /// Requests in one page. Default: 20.
    pub per_page: u32,
    /// Requests in one run. Default: 5000.
    pub per_run: u32,
    /// Requests at once. Default: 4.
    pub in_flight: u32,
}

impl Default for RequestBudget {
    fn default() -> Self {
        Self { per_page: 20, per_run: 5000, in_flight: 4 }
    }
}

/// What is left of a budget.
pub(super) struct Account {
    budget: RequestBudget,
    page: AtomicU32,
    run: AtomicU32,
}

impl Account {
    pub(super) const fn new(budget: RequestBudget) -> Self {
        Self { budget, page: AtomicU32::new(0), run: AtomicU32::new(0) }
    }

    /// A new page begins.
    pub(super) fn new_page(&self) {
        self.page.store(0, Ordering::Relaxed);
    }

    /// Pays for one request.
    pub(super) fn take(&self) -> Result<(), HttpError> {
        let budget = self.budget;
        for (counter, most, what) in [(&self.page, budget.per_page, "page"), (&self.run, budget.per_run, "run")] {
            let more = |used: u32| (used < most).then(|| used + 1);
            if counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_err() {
                return Err(HttpError::BudgetSpent(format!("a {what} has {most} requests")));
            }
        }
        Ok(())
    }
}

/// What a session has done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Requests sent, retries and redirects included, token renewals not.
    pub requests: u64,
    /// Those of them that repeated another one.
    pub retries: u64,
    /// Bytes of response bodies, as they came off the wire.
    pub bytes_in: u64,
    /// Bytes of request bodies.
    pub bytes_out: u64,
    /// Requests that the policy refused.
    pub denied: u64,
}

/// The same while it grows.
#[derive(Default)]
pub(super) struct Counters {
    pub(super) requests: AtomicU64,
    pub(super) retries: AtomicU64,
    pub(super) bytes_in: AtomicU64,
    pub(super) bytes_out: AtomicU64,
    pub(super) denied: AtomicU64,
}

impl Counters {
    /// What has been counted so far.
    pub(super) fn read(&self) -> Stats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            requests: read(&self.requests),
            retries: read(&self.retries),
            bytes_in: read(&self.bytes_in),
            bytes_out: read(&self.bytes_out),
            denied: read(&self.denied),
        }
    }
}
