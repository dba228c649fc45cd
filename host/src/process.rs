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

use crate::domain::{ObjectId, Portion, chain};
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
    /// Landings of one object in a row, after which its place goes to what waits behind it; at least 1.
    pub landings: u32,
    /// Share of an object's present rows that a mark and sweep may delete without being confirmed, 0..=1.
    pub sweep_guard: f64,
}

/// Batches read for one landing transaction at most (fewer after one that failed), none added once they hold [`BATCH_BYTES`].
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
    portion: Portion,
}

impl Processor {
    /// A processor over this store and queue.
    #[must_use]
    pub fn new(store: Store, queue: Arc<dyn Receiver>, options: ProcessOptions) -> Self {
        Self {
            store,
            queue,
            options,
            validators: Validators::default(),
            turns: Turns::default(),
            portion: Portion::of(BATCHES),
        }
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
                    let (this, ending) = (Arc::clone(self), stop.clone());
                    tasks.spawn(async move {
                        survive("landing", this.handle(deliveries, &ending)).await;
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

    /// Lands what a set of messages points at, and deletes those that are done with. After `stop` each object lands once at
    /// most, and what is left of it waits for whoever hears its bell next.
    pub async fn handle(&self, deliveries: Vec<Delivery>, stop: &CancellationToken) {
        point!("receive bells", after);
        let mut done = Vec::with_capacity(deliveries.len());
        let mut objects = HashSet::new();
        let mut failed = HashSet::new();
        for delivery in deliveries {
            match Message::decode(&delivery.body) {
                Ok(Message::Process { object, .. }) => {
                    if objects.insert(object) {
                        match survive("landing", self.land_object(object, stop)).await {
                            Some(Ok(())) => {}
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

    /// Lands what is committed of an object until nothing is left or its turn is over, which hangs a bell for the rest; or sees
    /// to it that who is at it already does, and lands nothing.
    ///
    /// # Errors
    /// When the database fails; what landed before stays landed.
    async fn land_object(&self, object: ObjectId, stop: &CancellationToken) -> Result<(), StoreError> {
        let Some(mut turn) = self.turns.take(object) else { return Ok(()) };
        let Some(known) = self.store.landing_object(object).await? else { return Ok(()) };
        let validator = self.validators.of(object, &known.record_schema);
        let mut trickle = 0;
        for landings in 0.. {
            // The first look back is at once: mostly there is nothing more. What keeps coming is left to gather.
            if trickle > 1 {
                tokio::time::sleep(self.options.gather).await;
            }
            let portion = self.portion.now();
            let batches = self.store.committed_batches(object, portion, BATCH_BYTES).await?;
            if batches.is_empty() {
                let Some(again) = turn.end() else { break };
                turn = again;
                continue;
            }
            if landings >= self.options.landings.max(1) || (landings > 0 && stop.is_cancelled()) {
                // Free before the bell hangs: who hears it at once must find the place free.
                drop(turn);
                self.store.ring_object(object).await?;
                break;
            }
            let started = Instant::now();
            let mut landing = prepare::landing(object, &known, &batches, &validator, self.options.sweep_guard);
            let landed = self.land(&mut landing).await.inspect_err(|_| self.portion.shrink())?;
            // None: another processor was faster with some of them. It goes on from there, so look again.
            let Some(landed) = landed else { continue };
            histogram!("syncline_landing_duration_seconds").record(started.elapsed());
            report(object, &landed);
            if batches.len() < portion as usize {
                trickle += 1;
            } else {
                self.portion.grow();
                trickle = 1;
            }
        }
        Ok(())
    }

    async fn land(&self, landing: &mut Landing<'_>) -> Result<Option<Landed>, StoreError> {
        match self.store.land(landing).await {
            Err(error) if error.is_bad_data() => {
                self.reject_what_the_database_refuses(landing).await?;
                self.store.land(landing).await
            }
            other => other,
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
