//! The first stage: claims what is due and dispatches a retrieve job for each, and sweeps up what died.
//!
//! Two reconcilers, each on its timer: activation carries no input and does the same after a crash as on any day. Any
//! number of hosts may run them; the database makes them take turns.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use metrics::{counter, histogram};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::domain::{Portion, chain};
use crate::queue::{Bell, QueueName};
use crate::store::schedule::Swept;
use crate::store::{Store, StoreError};

/// How to schedule.
#[derive(Debug, Clone)]
pub struct ScheduleOptions {
    /// Time between two looks for what is due.
    pub tick: Duration,
    /// An object is dispatched at most once in this time.
    pub throttle: Duration,
    /// Objects dispatched in one transaction, at most: fewer after one that failed.
    pub dispatch_batch: u32,
    /// Time between two sweeps.
    pub sweep: Duration,
    /// A dispatched run that nobody claimed is sent again after this time.
    pub resend_after: Duration,
    /// The interval where nobody configured one.
    pub interval: Duration,
    /// How long what is over is kept.
    pub keep_history: Duration,
    /// Intervals by provider.
    pub provider_intervals: BTreeMap<String, Duration>,
}

/// How often what is long over is forgotten, and how many rows of a table at once.
const PRUNE: Duration = Duration::from_secs(60);
const PRUNE_ROWS: u32 = 5_000;

/// Decides what runs.
#[derive(Debug, Clone)]
pub struct Scheduler {
    store: Store,
    bell: Arc<Bell>,
    options: ScheduleOptions,
    portion: Arc<Portion>,
}

impl Scheduler {
    /// A scheduler over this store.
    #[must_use]
    pub fn new(store: Store, bell: Arc<Bell>, options: ScheduleOptions) -> Self {
        let portion = Arc::new(Portion::of(options.dispatch_batch));
        Self { store, bell, options, portion }
    }

    /// Ticks and sweeps until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        match self.store.apply_intervals(Some(self.options.interval), &self.options.provider_intervals).await {
            Ok(0) => {}
            Ok(changed) => tracing::info!(objects = changed, "intervals follow the configuration"),
            Err(error) => tracing::warn!(error = %chain(&error), "could not apply the configured intervals"),
        }
        let mut tick = interval(self.options.tick);
        let mut sweep = interval(self.options.sweep);
        let mut prune = interval(PRUNE);
        prune.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = tick.tick() => match self.tick().await {
                    Ok(0) => {}
                    Ok(dispatched) => tracing::info!(objects = dispatched, "dispatched"),
                    Err(error) => tracing::warn!(error = %chain(&error), "tick failed, will try again"),
                },
                _ = sweep.tick() => match self.sweep().await {
                    Ok(Swept { reclaimed: 0, resent: 0, reprocessed: 0 }) => {}
                    Ok(Swept { reclaimed, resent, reprocessed }) => {
                        tracing::info!(reclaimed, resent, reprocessed, "swept");
                    }
                    Err(error) => tracing::warn!(error = %chain(&error), "sweep failed, will try again"),
                },
                _ = prune.tick() => match self.store.prune(self.options.keep_history, PRUNE_ROWS).await {
                    Ok(0) => {}
                    Ok(rows) => tracing::info!(rows, "forgot what is long over"),
                    Err(error) => tracing::warn!(error = %chain(&error), "could not forget what is over, will try again"),
                },
            }
        }
    }

    /// Dispatches everything that is due, batch by batch. Answers with how many objects that were.
    ///
    /// # Errors
    /// When the database fails; what earlier batches dispatched stays dispatched.
    pub async fn tick(&self) -> Result<u64, StoreError> {
        let started = Instant::now();
        let mut total = 0;
        loop {
            let portion = self.portion.now();
            let dispatched = self.store.dispatch_due(portion, self.options.throttle).await;
            let dispatched = dispatched.inspect_err(|_| self.portion.shrink())?;
            if dispatched > 0 {
                self.bell.ring(QueueName::Retrieve);
                counter!("syncline_dispatch_total").increment(dispatched);
            }
            total += dispatched;
            if dispatched < u64::from(portion) {
                histogram!("syncline_tick_duration_seconds").record(started.elapsed());
                return Ok(total);
            }
            self.portion.grow();
        }
    }

    /// Takes back what dead hosts left and rings again for what nobody heard.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sweep(&self) -> Result<Swept, StoreError> {
        let swept = self.store.sweep(self.options.resend_after, self.portion.now()).await;
        let swept = swept.inspect_err(|_| self.portion.shrink())?;
        if swept.reclaimed + swept.resent > 0 {
            counter!("syncline_reclaims_total").increment(swept.reclaimed);
            self.bell.ring(QueueName::Retrieve);
        }
        if swept.reprocessed > 0 {
            self.bell.ring(QueueName::Process);
        }
        Ok(swept)
    }
}
