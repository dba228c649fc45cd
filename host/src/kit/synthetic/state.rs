//! Everything of a described provider that changes: records, clock, knobs, faults, counts.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::data::Table;
use super::description::Description;
use super::faults::Fault;

/// What can be turned while the provider runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Knobs {
    /// Lists show a change up to so much later.
    pub(super) index_lag_ms: i64,
    /// The `Date` header is ahead by this.
    pub(super) clock_skew_ms: i64,
    /// Every answer takes so long.
    pub(super) latency_ms: u64,
    /// Results of one query.
    pub(super) result_cap: Option<usize>,
    /// Requests in the described time.
    pub(super) rate: Option<u32>,
}

/// What was asked and answered.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Counts {
    /// Requests.
    pub(super) requests: u64,
    /// Answers by status.
    pub(super) statuses: BTreeMap<u16, u64>,
    /// Records in answers, by object.
    pub(super) records: BTreeMap<String, u64>,
}

/// The provider at this moment.
#[derive(Debug)]
pub(super) struct State {
    pub(super) description: Arc<Description>,
    pub(super) seed: u64,
    pub(super) tables: Vec<Table>,
    pub(super) knobs: Knobs,
    pub(super) faults: VecDeque<Fault>,
    pub(super) counts: Counts,
    pub(super) paused: bool,
    /// Times of the requests that the rate still counts.
    pub(super) recent: VecDeque<i64>,
    pub(super) changes: u64,
    advanced_ms: i64,
    written_ms: i64,
}

impl State {
    pub(super) fn new(description: Description, seed: u64) -> Self {
        let description = Arc::new(description);
        let tables = description.objects.iter().map(|object| Table::new(&description, &Arc::new(object.clone()), seed));
        let (limits, hazards) = (&description.limits, &description.hazards);
        let knobs = Knobs {
            index_lag_ms: hazards.index_lag,
            clock_skew_ms: hazards.clock_skew,
            latency_ms: u64::try_from(hazards.latency).unwrap_or(0),
            result_cap: limits.result_cap,
            rate: limits.rate.map(|rate| rate.count),
        };
        Self {
            tables: tables.collect(),
            description: Arc::clone(&description),
            seed,
            knobs,
            faults: VecDeque::new(),
            counts: Counts::default(),
            paused: false,
            recent: VecDeque::new(),
            changes: 0,
            advanced_ms: 0,
            written_ms: i64::MIN,
        }
    }

    /// The provider's time.
    pub(super) const fn now(&self, real_ms: i64) -> i64 {
        real_ms.saturating_add(self.advanced_ms)
    }

    /// Lets time pass at once.
    pub(super) fn advance(&mut self, ms: u32) {
        self.advanced_ms = self.advanced_ms.saturating_add(i64::from(ms));
    }

    /// The time of the next change: now, but at least a millisecond after the last one. The clock moves on with it, so
    /// that no stamp is ever ahead of the `Date` header.
    pub(super) fn tick(&mut self, real_ms: i64) -> i64 {
        let now = self.now(real_ms).max(self.written_ms.saturating_add(1));
        self.advanced_ms = now.saturating_sub(real_ms);
        self.written_ms = now;
        now
    }

    pub(super) fn table(&self, object: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.object.name.get_ref() == object)
    }

    pub(super) fn table_mut(&mut self, object: &str) -> Option<&mut Table> {
        self.tables.iter_mut().find(|table| table.object.name.get_ref() == object)
    }

    /// Whether lists show every change.
    pub(super) fn settled(&self, now: i64) -> bool {
        self.tables.iter().all(|table| table.settled(now))
    }
}
