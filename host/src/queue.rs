//! The doorbell: two queues that carry pointers, never data.
//!
//! A message may be lost, duplicated, delayed or reordered and nothing goes wrong: the database decides (invariant 2).
//! Messages are written to the outbox in the transaction that makes them true (invariant 3). With the embedded queue
//! the outbox itself is received from; with SQS a relay sends the outbox on.

pub mod embedded;
pub mod message;
pub mod relay;
pub mod sqs;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

pub use embedded::EmbeddedQueue;
pub use message::{Message, MessageError};
use tokio::sync::Notify;

/// Which of the two queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum QueueName {
    /// "Sync this integration object now."
    Retrieve,
    /// "Land this batch."
    Process,
}

impl QueueName {
    /// The stored and printed name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Retrieve => "retrieve",
            Self::Process => "process",
        }
    }
}

impl fmt::Display for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A message on its way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// The body, see [`Message`].
    pub body: String,
    /// Fairness group: the customer.
    pub group: String,
    /// Identity of the message for queues that remove duplicates.
    pub dedup: String,
}

/// A message that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The body, not yet parsed.
    pub body: String,
    /// What [`Receiver::delete`] takes.
    pub receipt: String,
    /// How often it has been delivered, this time included.
    pub attempts: u32,
}

/// How full a queue is. Approximate with SQS.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Depth {
    /// Ready to be received.
    pub ready: u64,
    /// Received and not yet deleted, or not yet due.
    pub in_flight: u64,
    /// In the dead-letter queue.
    pub dead: u64,
}

/// The queue could not be reached or refused.
#[derive(Debug, thiserror::Error)]
#[error("queue {queue}: {operation} failed")]
pub struct QueueError {
    /// Which queue.
    pub queue: QueueName,
    /// `send`, `receive`, `delete`, `depth`, `open`.
    pub operation: &'static str,
    /// The cause.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// The receiving end of both queues.
#[async_trait]
pub trait Receiver: Send + Sync {
    /// Receives up to `max` messages, waiting up to `wait` for the first. They stay invisible to other receivers for
    /// the queue's visibility time, then come again.
    async fn receive(&self, queue: QueueName, max: usize, wait: Duration) -> Result<Vec<Delivery>, QueueError>;

    /// Removes received messages. One that is already gone is no error.
    async fn delete(&self, queue: QueueName, receipts: &[String]) -> Result<(), QueueError>;

    /// How full the queue is.
    async fn depth(&self, queue: QueueName) -> Result<Depth, QueueError>;
}

/// The sending end, for queues that the outbox is relayed to.
#[async_trait]
pub trait Sender: Send + Sync {
    /// Sends messages, in batches as large as the queue takes. Answers with the indices that were accepted; the others
    /// stay in the outbox and are tried again.
    async fn send(&self, queue: QueueName, messages: &[Outgoing]) -> Result<Vec<usize>, QueueError>;
}

/// Wakes those who wait for messages in this process, as soon as a transaction has left some in the outbox. Only a hint:
/// everything that waits for it also looks on a timer.
#[derive(Debug, Default)]
pub struct Bell {
    retrieve: Notify,
    process: Notify,
}

impl Bell {
    fn of(&self, queue: QueueName) -> &Notify {
        match queue {
            QueueName::Retrieve => &self.retrieve,
            QueueName::Process => &self.process,
        }
    }

    /// Rings: there are messages in the outbox.
    pub fn ring(&self, queue: QueueName) {
        self.of(queue).notify_one();
    }

    /// Waits for the next ring; a ring since the last wait counts.
    pub async fn wait(&self, queue: QueueName) {
        self.of(queue).notified().await;
    }
}
