//! The embedded queue: the outbox itself, received from by the processes that share the database.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use super::{Bell, Delivery, Depth, QueueError, QueueName, Receiver};
use crate::store::{Store, StoreError};

/// Receives from the outbox.
#[derive(Debug)]
pub struct EmbeddedQueue {
    store: Store,
    bell: Arc<Bell>,
    poll: Duration,
    visibility: Duration,
}

impl EmbeddedQueue {
    /// A queue over this store. `poll` is how often it looks when no bell rings: messages of other processes.
    #[must_use]
    pub fn new(store: Store, bell: Arc<Bell>, poll: Duration, visibility: Duration) -> Self {
        Self { store, bell, poll, visibility }
    }
}

fn failed(queue: QueueName, operation: &'static str) -> impl FnOnce(StoreError) -> QueueError {
    move |source| QueueError { queue, operation, source: Box::new(source) }
}

#[async_trait]
impl Receiver for EmbeddedQueue {
    async fn receive(&self, queue: QueueName, max: usize, wait: Duration) -> Result<Vec<Delivery>, QueueError> {
        let deadline = Instant::now() + wait;
        loop {
            // Listening starts before looking: a bell that rings in between is heard.
            let rung = self.bell.wait(queue);
            let taken = self.store.take_outbox(queue, max, self.visibility).await.map_err(failed(queue, "receive"))?;
            if !taken.is_empty() || Instant::now() >= deadline {
                return Ok(taken
                    .into_iter()
                    .map(|row| Delivery {
                        receipt: format!("{}:{}", row.id, row.attempts),
                        attempts: u32::try_from(row.attempts).unwrap_or(u32::MAX),
                        body: row.body,
                    })
                    .collect());
            }
            let next_look = deadline.min(Instant::now() + self.poll);
            tokio::select! {
                () = rung => {}
                () = tokio::time::sleep_until(next_look) => {}
            }
        }
    }

    async fn delete(&self, queue: QueueName, receipts: &[String]) -> Result<(), QueueError> {
        let taken: Vec<(i64, i64)> = receipts
            .iter()
            .filter_map(|receipt| {
                let (id, attempts) = receipt.split_once(':')?;
                Some((id.parse().ok()?, attempts.parse().ok()?))
            })
            .collect();
        self.store.delete_outbox(&taken).await.map_err(failed(queue, "delete"))
    }

    async fn depth(&self, queue: QueueName) -> Result<Depth, QueueError> {
        let (ready, in_flight) = self.store.outbox_depth(queue).await.map_err(failed(queue, "depth"))?;
        Ok(Depth { ready, in_flight, dead: 0 })
    }
}
