//! Both queues on AWS SQS, or on a server that speaks its protocol.
//!
//! Owns: batching, long polling, reading the provider's answers. Refuses: waiting for a message to be handled (the
//! database holds the lease, so nothing is heartbeaten), and every error type of AWS outside this directory.
//!
//! A message whose receipt is stale has come to someone else in the meantime; deleting it is no error, because whoever
//! holds it finds the work done and deletes it too.

mod open;
mod send;
mod setup;
#[cfg(test)]
mod tests;

use std::error::Error;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_sqs::types::{
    BatchResultErrorEntry, DeleteMessageBatchRequestEntry, Message, MessageSystemAttributeName, QueueAttributeName,
};
use aws_sdk_sqs::{Client, Config};
use futures::{StreamExt, TryStreamExt, stream};

use super::{Delivery, Depth, QueueError, QueueName, Receiver};

pub use open::{QueueRef, SqsOptions};

/// The most that SQS takes or gives in one call.
const BATCH: usize = 10;

/// The longest that SQS waits for a message.
const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// How many batch calls of one request are under way at once.
const CONCURRENT: usize = 4;

/// Both queues on SQS.
pub struct SqsQueue {
    client: Client,
    retrieve: Lane,
    process: Lane,
    visibility: Duration,
    wait: Duration,
}

/// One of the two queues, resolved.
struct Lane {
    name: QueueName,
    url: String,
    dead_letters: String,
    fifo: bool,
    /// Messages of this standard queue carry their group. Cleared when the server turns out not to know fair queues.
    grouped: AtomicBool,
}

/// Some of a batch could not be deleted and may come again.
#[derive(Debug, thiserror::Error)]
#[error("{failed} of {all} receipts were not deleted, the first with {code}")]
struct NotDeleted {
    failed: usize,
    all: usize,
    code: String,
}

impl SqsQueue {
    /// Connects, resolves both queues and their dead-letter queues, and makes or checks them.
    ///
    /// # Errors
    /// [`QueueError`] when a queue cannot be reached, does not exist, or is not set up as the options say; the source
    /// says what to change.
    pub async fn open(options: SqsOptions) -> Result<Self, QueueError> {
        open::open(options).await
    }

    const fn lane(&self, queue: QueueName) -> &Lane {
        match queue {
            QueueName::Retrieve => &self.retrieve,
            QueueName::Process => &self.process,
        }
    }

    async fn delete_batch(&self, lane: &Lane, receipts: &[String]) -> Result<Vec<BatchResultErrorEntry>, QueueError> {
        let entries = receipts
            .iter()
            .enumerate()
            .map(|(id, receipt)| {
                DeleteMessageBatchRequestEntry::builder().id(id.to_string()).receipt_handle(receipt).build()
            })
            .collect::<Result<Vec<_>, _>>()
            .map_err(failed(lane.name, "delete"))?;
        let request = self.client.delete_message_batch().queue_url(&lane.url).set_entries(Some(entries));
        let answer = request.send().await.map_err(failed(lane.name, "delete"))?;
        // "Sender fault" here is a receipt that is stale or never was one: gone is gone.
        let (gone, kept): (Vec<_>, Vec<_>) = answer.failed.into_iter().partition(BatchResultErrorEntry::sender_fault);
        if let Some(first) = gone.first() {
            tracing::debug!(queue.name = %lane.name, count = gone.len(), code = first.code(), "stale receipts");
        }
        Ok(kept)
    }

    async fn count(&self, lane: &Lane, url: &str) -> Result<(u64, u64), QueueError> {
        use QueueAttributeName::{
            ApproximateNumberOfMessages as Ready, ApproximateNumberOfMessagesDelayed as Delayed,
            ApproximateNumberOfMessagesNotVisible as Hidden,
        };
        let request = self.client.get_queue_attributes().queue_url(url);
        let request = request.attribute_names(Ready).attribute_names(Hidden).attribute_names(Delayed);
        let attributes = request.send().await.map_err(failed(lane.name, "depth"))?.attributes.unwrap_or_default();
        let number = |name| attributes.get(&name).and_then(|value| value.parse::<u64>().ok()).unwrap_or_default();
        Ok((number(Ready), number(Hidden) + number(Delayed)))
    }
}

#[async_trait]
impl Receiver for SqsQueue {
    async fn receive(&self, queue: QueueName, max: usize, wait: Duration) -> Result<Vec<Delivery>, QueueError> {
        if max == 0 {
            return Ok(Vec::new());
        }
        let wait = wait.min(self.wait);
        let patient = Config::builder().timeout_config(open::timeouts(wait));
        let request = self
            .client
            .receive_message()
            .queue_url(&self.lane(queue).url)
            .max_number_of_messages(i32::try_from(max.min(BATCH)).unwrap_or(1))
            .visibility_timeout(whole_seconds(self.visibility))
            .wait_time_seconds(whole_seconds(wait))
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount);
        let request = request.customize().config_override(patient);
        let answer = request.send().await.map_err(failed(queue, "receive"))?;
        Ok(answer.messages.unwrap_or_default().into_iter().filter_map(delivery).collect())
    }

    async fn delete(&self, queue: QueueName, receipts: &[String]) -> Result<(), QueueError> {
        let lane = self.lane(queue);
        let deletions: Vec<_> = receipts.chunks(BATCH).map(|chunk| self.delete_batch(lane, chunk)).collect();
        let kept = stream::iter(deletions).buffer_unordered(CONCURRENT).try_concat().await?;
        match kept.first() {
            None => Ok(()),
            Some(first) => {
                let problem = NotDeleted { failed: kept.len(), all: receipts.len(), code: first.code().to_owned() };
                Err(failed(queue, "delete")(problem))
            }
        }
    }

    async fn depth(&self, queue: QueueName) -> Result<Depth, QueueError> {
        let lane = self.lane(queue);
        let ((ready, in_flight), (dead, dead_in_flight)) =
            futures::try_join!(self.count(lane, &lane.url), self.count(lane, &lane.dead_letters))?;
        Ok(Depth { ready, in_flight, dead: dead + dead_in_flight })
    }
}

/// A message without a receipt cannot be deleted and one without a body says nothing: SQS sends neither, and the
/// redrive policy takes care of a server that does.
fn delivery(message: Message) -> Option<Delivery> {
    let attempts = message
        .attributes
        .as_ref()
        .and_then(|all| all.get(&MessageSystemAttributeName::ApproximateReceiveCount))
        .and_then(|count| count.parse().ok())
        .unwrap_or(1);
    Some(Delivery { body: message.body?, receipt: message.receipt_handle?, attempts })
}

/// SQS counts in seconds: a part of one becomes a whole one, so that a short wait does not become a busy loop.
fn whole_seconds(duration: Duration) -> i32 {
    let seconds = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    i32::try_from(seconds).unwrap_or(i32::MAX)
}

/// Whether a queue that could not be opened may open later as it is: everything but one that must be set up differently.
#[must_use]
pub fn may_come_back(error: &QueueError) -> bool {
    !error.source.is::<setup::SetupError>()
}

/// Boxes a cause, so that no type of AWS leaves this module.
fn failed<E: Error + Send + Sync + 'static>(queue: QueueName, operation: &'static str) -> impl Fn(E) -> QueueError {
    move |source| QueueError { queue, operation, source: Box::new(source) }
}
