//! The second stage: claims dispatched runs and works on them, one slice at a time.
//!
//! A message is a doorbell: what counts is whether the claim in the database succeeds. It is deleted as soon as that is
//! decided, because from then on the lease and the sweep look after the run (invariant 2).

mod backlog;
mod leases;
mod slice;
mod tape;

use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, join_all};
use metrics::{counter, gauge};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::connector::Catalog;
use crate::domain::{Outcome, Patience, chain};
use crate::egress::{Gate, RequestBudget};
use crate::points::point;
use crate::queue::{Bell, Delivery, Message, MessageError, QueueName, Receiver};
use crate::store::runs::{Claim, Lease};
use crate::store::{Store, StoreError};
use crate::supervise::{supervise, survive};
use backlog::Backlog;
use leases::{Held, Leases};

/// How to retrieve.
#[derive(Debug, Clone)]
pub struct RetrieveOptions {
    /// Name of this host, unique among those that share the database: the owner of its leases.
    pub owner: String,
    /// Runs worked on at once.
    pub concurrency: usize,
    /// How long one receive waits for messages.
    pub wait: Duration,
    /// How long a claim holds without being renewed.
    pub lease: Duration,
    /// Time between two renewals.
    pub heartbeat: Duration,
    /// Pages of a slice.
    pub slice_pages: u32,
    /// Time of a slice.
    pub slice_time: Duration,
    /// What a slice may do until it counts as stalled or broken.
    pub patience: Patience,
    /// Claims without a sign of progress until an object is put in quarantine.
    pub max_attempts: i64,
    /// Records a connector is asked for in a page.
    pub page_size: u32,
    /// Committed bytes that may wait for landing.
    pub unlanded_bytes: i64,
    /// Backoff after a failure.
    pub backoff_base: Duration,
    /// Its ceiling.
    pub backoff_cap: Duration,
    /// Whether to spread the second sync of objects over their interval.
    pub spread: bool,
    /// Requests of a page and of a slice.
    pub requests: RequestBudget,
    /// CPU that all the calls of a slice may use together.
    pub cpu_per_slice: Duration,
    /// How long a drain waits for pages in progress.
    pub drain: Duration,
    /// The monotonic clock by which leases are given up in time.
    pub now: fn() -> Instant,
    /// A share from 0 to 1, another one each time: backoff's jitter.
    pub chance: fn() -> f64,
}

/// Pause of a receiver after the queue or the database failed.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// A message that is not for this host is dropped after so many receives where no dead-letter queue takes it before.
const MAX_RECEIVES: u32 = 5;

/// Fetches what is due.
pub struct Retriever {
    store: Store,
    queue: Arc<dyn Receiver>,
    bell: Arc<Bell>,
    catalog: Arc<Catalog>,
    gate: Arc<Gate>,
    options: RetrieveOptions,
    leases: Leases,
    backlog: Backlog,
    /// Set when the host drains: runs stop at the end of their page.
    draining: CancellationToken,
}

impl Retriever {
    /// A retriever over these collaborators.
    #[must_use]
    pub fn new(
        store: Store,
        queue: Arc<dyn Receiver>,
        bell: Arc<Bell>,
        catalog: Arc<Catalog>,
        gate: Arc<Gate>,
        options: RetrieveOptions,
    ) -> Self {
        Self {
            leases: Leases::default(),
            backlog: Backlog::default(),
            draining: CancellationToken::new(),
            store,
            queue,
            bell,
            catalog,
            gate,
            options,
        }
    }

    /// Receives and works until `stop`, then drains: runs end with their page and are given back.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let heart = tokio::spawn(Arc::clone(&self).beat());
        let places = Arc::new(Semaphore::new(self.options.concurrency));
        let tasks = TaskTracker::new();
        supervise("retriever", stop, |stop| self.receive(&places, &tasks, stop)).await;
        self.drain(tasks).await;
        heart.abort();
    }

    /// Receives and hands out the work until `stop`.
    async fn receive(self: &Arc<Self>, places: &Arc<Semaphore>, tasks: &TaskTracker, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let Some(free) = self.free_places(places, &stop).await else { break };
            let received = tokio::select! {
                () = stop.cancelled() => break,
                received = self.queue.receive(QueueName::Retrieve, free.len(), self.options.wait) => received,
            };
            match received {
                Ok(deliveries) => {
                    let mut free = free;
                    self.accept(deliveries, |work| {
                        let place = free.pop();
                        tasks.spawn(async move {
                            work.await;
                            drop(place);
                        });
                    })
                    .await;
                }
                Err(error) => {
                    tracing::warn!(error = %chain(&error), "cannot receive retrieve jobs, will try again");
                    tokio::time::sleep(AFTER_FAILURE).await;
                }
            }
        }
    }

    /// Waits for at least one free place and takes up to ten; none when stopped meanwhile.
    async fn free_places(
        &self,
        places: &Arc<Semaphore>,
        stop: &CancellationToken,
    ) -> Option<Vec<OwnedSemaphorePermit>> {
        let first = tokio::select! {
            () = stop.cancelled() => return None,
            permit = Arc::clone(places).acquire_owned() => permit.ok()?,
        };
        let mut free = vec![first];
        while free.len() < 10
            && let Ok(permit) = Arc::clone(places).try_acquire_owned()
        {
            free.push(permit);
        }
        Some(free)
    }

    /// Claims what the messages point at, hands out the work on each claim to be spawned, and deletes the messages that
    /// are decided.
    pub async fn accept(
        self: &Arc<Self>,
        deliveries: Vec<Delivery>,
        mut spawn: impl FnMut(BoxFuture<'static, ()>) + Send,
    ) {
        point!("receive jobs", after);
        let decisions = deliveries.iter().map(|delivery| survive("claim", self.decide(delivery)));
        let decisions = join_all(decisions).await;
        let mut done = Vec::with_capacity(deliveries.len());
        for (delivery, decision) in deliveries.into_iter().zip(decisions) {
            match decision.unwrap_or(Decision::Leave) {
                Decision::Leave => {}
                Decision::Drop => done.push(delivery.receipt),
                Decision::Work(claim) => {
                    done.push(delivery.receipt);
                    let held = self.leases.hold(claim.lease, (self.options.now)());
                    let this = Arc::clone(self);
                    spawn(Box::pin(async move { this.work(*claim, held).await }));
                }
            }
        }
        if done.is_empty() {
            return;
        }
        point!("delete jobs", before);
        if let Err(error) = self.queue.delete(QueueName::Retrieve, &done).await {
            tracing::warn!(error = %chain(&error), "could not delete retrieve jobs, they will come again");
        }
        point!("delete jobs", after);
    }

    async fn decide(&self, delivery: &Delivery) -> Decision {
        let message = match Message::decode(&delivery.body) {
            Ok(message) => message,
            Err(error @ MessageError::Newer(_)) => {
                tracing::warn!(%error, "left a message to a newer host");
                return Decision::Leave;
            }
            Err(error) => {
                tracing::warn!(%error, attempts = delivery.attempts, "not a message for this host");
                return if delivery.attempts > MAX_RECEIVES { Decision::Drop } else { Decision::Leave };
            }
        };
        let Message::Retrieve { run, object } = message else {
            tracing::warn!(?message, "does not belong on the retrieve queue");
            return Decision::Drop;
        };
        match self.store.claim(run, object, &self.options.owner, self.options.lease).await {
            Ok(Some(claim)) => Decision::Work(Box::new(claim)),
            Ok(None) => {
                tracing::debug!(run.id = run.0, "nothing to claim: a duplicate, or another host was first");
                counter!("syncline_claims_void_total").increment(1);
                Decision::Drop
            }
            Err(error) => {
                tracing::warn!(run.id = run.0, error = %chain(&error), "claim failed, the message will come again");
                Decision::Leave
            }
        }
    }

    /// Works on a claimed run and writes how it went. A panic ends this run only.
    async fn work(&self, claim: Claim, held: Held) {
        gauge!("syncline_runs_in_flight").increment(1.0);
        let lease = claim.lease;
        let work = survive("run", self.slice(&claim));
        let end = tokio::select! {
            biased;
            // The lease is gone: whatever this run still did would be refused.
            () = held.lost() => End::Fenced,
            end = work => end.unwrap_or_else(|| End::internal(&claim, &self.options)),
        };
        // Whatever happens to the ending: a lease that nobody works under must not be renewed.
        if let Some(Err(error)) = survive("end of a run", self.write_end(&claim, lease, end)).await {
            tracing::warn!(run.id = lease.run.0, error = %chain(&error), "could not write how a run ended, the sweep will take it up");
        }
        self.leases.release(lease);
        gauge!("syncline_runs_in_flight").decrement(1.0);
    }

    async fn write_end(&self, claim: &Claim, lease: Lease, end: End) -> Result<(), StoreError> {
        let owner = self.options.owner.as_str();
        let written = match end {
            End::Fenced => Err(crate::store::runs::Fenced),
            End::Finish(finish) => {
                let state = finish.outcome.state();
                counter!("syncline_runs_total", "connector" => claim.provider.clone(), "outcome" => state,
                         "error_class" => finish.outcome.error().map_or("", |(class, _)| class).to_owned())
                .increment(1);
                match &finish.outcome {
                    Outcome::Succeeded => tracing::debug!(run.id = lease.run.0, "run succeeded"),
                    other => tracing::warn!(
                        run.id = lease.run.0,
                        customer = claim.customer_name,
                        integration = claim.integration_name,
                        object = claim.object_name,
                        run.outcome = state,
                        error = other.error().map(|(class, message)| format!("{class}: {message}")),
                        "run ended"
                    ),
                }
                self.store.finish(owner, lease, &finish).await?
            }
            End::GiveBack { delay, slice, reason } => {
                tracing::debug!(run.id = lease.run.0, reason, "run given back");
                let written = self.store.give_back(owner, lease, delay, slice).await?;
                if delay.is_zero() {
                    self.bell.ring(QueueName::Retrieve);
                }
                written
            }
        };
        if written.is_err() {
            counter!("syncline_fenced_writes_total").increment(1);
            tracing::info!(run.id = lease.run.0, run.epoch = lease.epoch, "the lease is lost: nothing written");
        }
        Ok(())
    }

    /// Renews all leases on a timer.
    async fn beat(self: Arc<Self>) {
        let mut timer = tokio::time::interval(self.options.heartbeat);
        timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            timer.tick().await;
            // A database may also say nothing at all: deadlines pass meanwhile, and a renewal that took as long as a
            // lease has come too late.
            let renewal = tokio::time::timeout(self.options.lease, survive("heartbeat", self.renew()));
            tokio::pin!(renewal);
            loop {
                tokio::select! {
                    _ = &mut renewal => break,
                    () = tokio::time::sleep(self.options.heartbeat) => self.expire(),
                }
            }
            self.expire();
        }
    }

    /// Renews all leases, once. Those that did not survive, and all of them when the database was out of reach for too
    /// long, are told to stop.
    pub async fn renew(&self) {
        let leases = self.leases.all();
        let sent = (self.options.now)();
        match self.store.renew(&self.options.owner, &leases, self.options.lease).await {
            Ok(kept) => {
                let lost = self.leases.renewed(&leases, &kept, sent);
                if lost > 0 {
                    counter!("syncline_lease_lost_total").increment(lost);
                    tracing::warn!(leases = lost, "leases lost to other hosts");
                }
            }
            Err(error) => tracing::warn!(error = %chain(&error), "could not renew leases, will try again"),
        }
        self.expire();
    }

    /// Stops before the database would give the object away: the margin is a third of the lease.
    fn expire(&self) {
        self.leases.expire((self.options.now)(), self.options.lease.mul_f64(2.0 / 3.0));
    }

    async fn drain(&self, tasks: TaskTracker) {
        self.draining.cancel();
        tasks.close();
        if tokio::time::timeout(self.options.drain, tasks.wait()).await.is_ok() {
            return;
        }
        let left = self.leases.all();
        tracing::warn!(runs = left.len(), "pages took longer than the drain, giving their runs back");
        for lease in left {
            if let Err(error) = self.store.give_back(&self.options.owner, lease, Duration::ZERO, false).await {
                tracing::warn!(run.id = lease.run.0, error = %chain(&error), "could not give a run back, its lease will run out");
            }
        }
    }
}

/// What to do with a message.
enum Decision {
    /// Leave it: it comes again.
    Leave,
    /// Delete it.
    Drop,
    /// Delete it and work.
    Work(Box<Claim>),
}

/// How a slice ended.
enum End {
    /// The run is over.
    Finish(Box<crate::store::runs::Finish>),
    /// The run goes on later.
    GiveBack { delay: Duration, slice: bool, reason: &'static str },
    /// Another worker owns the object.
    Fenced,
}
