//! The third stage: lands committed batches.
//!
//! A process job is a doorbell for an object: whoever hears it lands everything that is committed of that object, in the
//! order of its pages. Hearing it twice, late or not at all changes nothing: the sweep rings again.

pub mod prepare;
mod shape;
mod turns;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use metrics::{counter, histogram};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::domain::{ObjectId, chain};
use crate::points::point;
use crate::queue::{Delivery, Message, MessageError, QueueName, Receiver};
use crate::store::landing::{Landed, Landing, Reject, place};
use crate::store::{Store, StoreError};
use crate::supervise::{supervise, survive};
use prepare::Validators;
use turns::Turns;

/// How to process.
#[derive(Debug, Clone)]
pub struct ProcessOptions {
    /// Objects landed at once.
    pub concurrency: usize,
    /// How long one receive waits for messages.
    pub wait: Duration,
    /// Pause in which more arrives to land in one transaction: after a receive that did not bring as many messages as it
    /// could, and between the landings of an object whose pages keep coming.
    pub gather: Duration,
    /// Share of an object's present rows that a mark and sweep may delete without being confirmed, 0..=1.
    pub sweep_guard: f64,
}

/// Batches read for one landing transaction, none added once they hold [`BATCH_BYTES`].
pub const BATCHES: u32 = 16;
/// Bytes after which no further batch is added to a landing transaction.
pub const BATCH_BYTES: i64 = 4 << 20;

/// Messages of one receive.
const RECEIVE: usize = 10;

/// A message that is not for this host is left to others so often; a queue without a dead-letter queue drops it then.
const MAX_RECEIVES: u32 = 5;

/// Lands what was fetched.
pub struct Processor {
    store: Store,
    queue: Arc<dyn Receiver>,
    options: ProcessOptions,
    validators: Validators,
    turns: Turns,
}

impl Processor {
    /// A processor over this store and queue.
    #[must_use]
    pub fn new(store: Store, queue: Arc<dyn Receiver>, options: ProcessOptions) -> Self {
        Self { store, queue, options, validators: Validators::default(), turns: Turns::default() }
    }

    /// Receives and lands until `stop`, then finishes what it has begun.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let places = Arc::new(Semaphore::new(self.options.concurrency));
        let tasks = TaskTracker::new();
        supervise("processor", stop, |stop| self.receive(&places, &tasks, stop)).await;
        tasks.close();
        tasks.wait().await;
    }

    /// Receives and hands out the work until `stop`.
    async fn receive(self: &Arc<Self>, places: &Arc<Semaphore>, tasks: &TaskTracker, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let Ok(place) = Arc::clone(places).acquire_owned().await else { break };
            let received = tokio::select! {
                () = stop.cancelled() => break,
                received = self.queue.receive(QueueName::Process, RECEIVE, self.options.wait) => received,
            };
            match received {
                Ok(deliveries) if deliveries.is_empty() => {}
                Ok(deliveries) => {
                    let all = deliveries.len() >= RECEIVE;
                    let this = Arc::clone(self);
                    tasks.spawn(async move {
                        survive("landing", this.handle(deliveries)).await;
                        drop(place);
                    });
                    if !all {
                        tokio::select! {
                            () = stop.cancelled() => {}
                            () = tokio::time::sleep(self.options.gather) => {}
                        }
                    }
                }
                Err(error) => {
                    tracing::warn!(error = %chain(&error), "cannot receive process jobs, will try again");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }

    /// Lands what a set of messages points at, and deletes those that are done with.
    pub async fn handle(&self, deliveries: Vec<Delivery>) {
        point!("receive bells", after);
        let mut done = Vec::with_capacity(deliveries.len());
        let mut objects = HashSet::new();
        let mut failed = HashSet::new();
        for delivery in deliveries {
            match Message::decode(&delivery.body) {
                Ok(Message::Process { object, .. }) => {
                    if objects.insert(object) {
                        match survive("landing", self.land_object(object)).await {
                            Some(Ok(_)) => {}
                            Some(Err(error)) => {
                                tracing::warn!(object.id = object.0, error = %chain(&error), "landing failed, will try again");
                                failed.insert(object);
                            }
                            None => drop(failed.insert(object)),
                        }
                    }
                    if !failed.contains(&object) {
                        done.push(delivery.receipt);
                    }
                }
                Ok(other) => refuse(&delivery, &format!("{other:?} does not belong on the process queue"), &mut done),
                Err(error @ MessageError::Newer(_)) => {
                    tracing::warn!(%error, "left a message to a newer host");
                }
                Err(error) => refuse(&delivery, &error.to_string(), &mut done),
            }
        }
        point!("delete bells", before);
        if let Err(error) = self.queue.delete(QueueName::Process, &done).await {
            tracing::warn!(error = %chain(&error), "could not delete process jobs, they will come again");
        }
        point!("delete bells", after);
    }

    /// Lands everything that is committed of an object; or sees to it that who is at it already does, and lands nothing.
    ///
    /// # Errors
    /// When the database fails; what landed before stays landed.
    pub async fn land_object(&self, object: ObjectId) -> Result<Landed, StoreError> {
        let mut total = Landed::default();
        let Some(mut turn) = self.turns.take(object) else { return Ok(total) };
        let Some(known) = self.store.landing_object(object).await? else { return Ok(total) };
        let validator = self.validators.of(object, &known.record_schema);
        let mut landings = 0;
        loop {
            // The first look back is at once: mostly there is nothing more. What keeps coming is left to gather.
            if landings > 1 {
                tokio::time::sleep(self.options.gather).await;
            }
            let batches = self.store.committed_batches(object, BATCHES, BATCH_BYTES).await?;
            if batches.is_empty() {
                let Some(again) = turn.end() else { return Ok(total) };
                turn = again;
                continue;
            }
            let started = Instant::now();
            let mut landing = prepare::landing(object, &known, &batches, &validator, self.options.sweep_guard);
            let landed = match self.store.land(&landing).await {
                Err(error) if error.is_bad_data() => {
                    self.reject_what_the_database_refuses(&mut landing).await?;
                    self.store.land(&landing).await?
                }
                other => other?,
            };
            // None: another processor was faster with some of them. It goes on from there, so look again.
            let Some(landed) = landed else { continue };
            histogram!("syncline_landing_duration_seconds").record(started.elapsed());
            report(object, &landed);
            add(&mut total, &landed);
            landings = if batches.len() < BATCHES as usize { landings + 1 } else { 1 };
        }
    }

    /// Finds the rows whose JSON the database cannot hold and moves them to the rejected ones.
    async fn reject_what_the_database_refuses(&self, landing: &mut Landing<'_>) -> Result<(), StoreError> {
        let mut fit = Vec::with_capacity(landing.rows.len());
        for row in std::mem::take(&mut landing.rows) {
            match self.store.accepts(&row).await {
                Ok(()) => fit.push(row),
                Err(error) if error.is_bad_data() => landing.rejected.push(Reject {
                    batch: row.batch,
                    // Not its place among the rows: two batches may be landing, and others of this one are rejected.
                    position: place(row.version),
                    external_id: row.external_id.to_owned(),
                    reason: chain(&error),
                    data: row.data.unwrap_or_default(),
                }),
                Err(error) => return Err(error),
            }
        }
        landing.rows = fit;
        Ok(())
    }
}

/// A message that no host of this version understands: left to the dead-letter queue, dropped where there is none.
fn refuse(delivery: &Delivery, why: &str, done: &mut Vec<String>) {
    tracing::warn!(why, attempts = delivery.attempts, "not a message for this host");
    if delivery.attempts > MAX_RECEIVES {
        done.push(delivery.receipt.clone());
    }
}

fn report(object: ObjectId, landed: &Landed) {
    for (op, count) in [
        ("inserted", landed.inserted),
        ("changed", landed.changed),
        ("unchanged", landed.unchanged),
        ("stale", landed.stale),
        ("swept", landed.swept),
    ] {
        counter!("syncline_records_landed_total", "op" => op).increment(count);
    }
    counter!("syncline_records_rejected_total").increment(landed.rejected);
    if landed.sweep_refused > 0 {
        tracing::warn!(
            object.id = object.0,
            rows = landed.sweep_refused,
            "a complete pass did not show too many rows: nothing was deleted until somebody confirms it"
        );
    }
    tracing::debug!(object.id = object.0, ?landed, "landed");
}

fn add(total: &mut Landed, landed: &Landed) {
    total.inserted += landed.inserted;
    total.changed += landed.changed;
    total.unchanged += landed.unchanged;
    total.stale += landed.stale;
    total.rejected += landed.rejected;
    total.swept += landed.swept;
    total.sweep_refused += landed.sweep_refused;
}
