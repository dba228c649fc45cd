//! Sending in batches, with the customer as fairness group.

use std::collections::HashSet;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use aws_sdk_sqs::error::ProvideErrorMetadata;
use aws_sdk_sqs::operation::send_message_batch::SendMessageBatchOutput;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use futures::{StreamExt, stream};

use super::{BATCH, CONCURRENT, Lane, SqsQueue, failed};
use crate::queue::{Outgoing, QueueError, QueueName, Sender};

/// The most that one batch may weigh on every server. AWS itself takes four times as much.
const BATCH_BYTES: usize = 256 * 1024;

/// The longest group or deduplication id.
const ID_CHARS: usize = 128;

/// Messages of one call, each with its index among all.
type Batch<'a> = Vec<(usize, &'a Outgoing)>;

#[async_trait]
impl Sender for SqsQueue {
    async fn send(&self, queue: QueueName, messages: &[Outgoing]) -> Result<Vec<usize>, QueueError> {
        let lane = self.lane(queue);
        // Batches of a FIFO queue go one after the other, or there would be no order to keep.
        let concurrent = if lane.fifo { 1 } else { CONCURRENT };
        let calls: Vec<_> = batches(messages).into_iter().map(|batch| self.send_batch(lane, batch)).collect();
        let mut calls = stream::iter(calls).buffer_unordered(concurrent);
        let (mut accepted, mut error) = (Vec::with_capacity(messages.len()), None);
        while let Some(answer) = calls.next().await {
            match answer {
                Ok(indices) => accepted.extend(indices),
                Err(cause) => error = error.or(Some(cause)),
            }
        }
        match error {
            Some(error) if accepted.is_empty() => return Err(error),
            Some(error) => {
                let accepted = accepted.len();
                tracing::warn!(queue.name = %queue, accepted, error = ?error, "some batches were not sent");
            }
            None => {}
        }
        accepted.sort_unstable();
        Ok(accepted)
    }
}

impl SqsQueue {
    /// Sends one batch and answers with the indices that were accepted.
    async fn send_batch(&self, lane: &Lane, batch: Batch<'_>) -> Result<Vec<usize>, QueueError> {
        let grouped = lane.fifo || lane.grouped.load(Ordering::Relaxed);
        let mut answer = self.send_entries(lane, &batch, grouped).await;
        if grouped && !lane.fifo && groups_refused(&answer) {
            let plain = self.send_entries(lane, &batch, false).await;
            if plain.as_ref().is_ok_and(|answer| !answer.successful.is_empty()) {
                lane.grouped.store(false, Ordering::Relaxed);
                tracing::warn!(queue.name = %lane.name, "this server knows no fair queues: sending without groups");
            }
            answer = plain;
        }
        let answer = answer.map_err(|refusal| refusal.error)?;
        for entry in &answer.failed {
            tracing::warn!(queue.name = %lane.name, code = entry.code(), sender_fault = entry.sender_fault(),
                message = entry.message(), "a message was not accepted");
        }
        let accepted: HashSet<&str> = answer.successful.iter().map(|entry| entry.id()).collect();
        Ok(batch.iter().map(|(index, _)| *index).filter(|index| accepted.contains(&*index.to_string())).collect())
    }

    async fn send_entries(
        &self,
        lane: &Lane,
        batch: &Batch<'_>,
        grouped: bool,
    ) -> Result<SendMessageBatchOutput, Refusal> {
        let entries = batch
            .iter()
            .map(|(index, message)| {
                SendMessageBatchRequestEntry::builder()
                    .id(index.to_string())
                    .message_body(&message.body)
                    .set_message_group_id(grouped.then(|| identifier(&message.group)))
                    .set_message_deduplication_id(lane.fifo.then(|| identifier(&message.dedup)))
                    .build()
            })
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| Refusal { code: None, error: failed(lane.name, "send")(error) })?;
        let request = self.client.send_message_batch().queue_url(&lane.url).set_entries(Some(entries));
        request.send().await.map_err(|error| {
            let code = error.code().map(str::to_owned);
            Refusal { code, error: failed(lane.name, "send")(error) }
        })
    }
}

/// A call that was refused as a whole.
struct Refusal {
    code: Option<String>,
    error: QueueError,
}

/// Whether an answer may mean that a standard queue takes no groups. Only a second try without them tells.
fn groups_refused(answer: &Result<SendMessageBatchOutput, Refusal>) -> bool {
    let invalid = |code: &str| code.contains("InvalidParameter");
    match answer {
        Ok(answer) => answer.successful.is_empty() && answer.failed.iter().all(|entry| invalid(entry.code())),
        Err(refusal) => refusal.code.as_deref().is_some_and(invalid),
    }
}

/// Splits messages into what fits one call. A message that is too large alone goes alone and is refused alone.
fn batches(messages: &[Outgoing]) -> Vec<Batch<'_>> {
    let mut batches = Vec::new();
    let (mut batch, mut bytes) = (Batch::new(), 0);
    for (index, message) in messages.iter().enumerate() {
        if batch.len() == BATCH || (!batch.is_empty() && bytes + message.body.len() > BATCH_BYTES) {
            batches.push(std::mem::take(&mut batch));
            bytes = 0;
        }
        bytes += message.body.len();
        batch.push((index, message));
    }
    if !batch.is_empty() {
        batches.push(batch);
    }
    batches
}

/// SQS takes ids of up to 128 letters, digits and ASCII punctuation; anything else is replaced by its digest.
fn identifier(text: &str) -> String {
    let allowed = (1..=ID_CHARS).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    if allowed { text.to_owned() } else { blake3::hash(text.as_bytes()).to_hex().to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outgoing(bytes: usize) -> Outgoing {
        Outgoing { body: "x".repeat(bytes), group: "acme".into(), dedup: "1".into() }
    }

    fn sizes(messages: &[Outgoing]) -> Vec<usize> {
        batches(messages).iter().map(Vec::len).collect()
    }

    #[test]
    fn a_batch_holds_ten_messages_and_a_quarter_of_a_mebibyte() {
        assert_eq!(sizes(&vec![outgoing(100); 25]), [10, 10, 5]);
        assert_eq!(sizes(&vec![outgoing(100_000); 5]), [2, 2, 1]);
        assert_eq!(sizes(&[outgoing(10), outgoing(300_000), outgoing(10)]), [1, 1, 1]);
        assert!(sizes(&[]).is_empty());
    }

    #[test]
    fn every_message_keeps_its_index() {
        let messages = vec![outgoing(1); 23];
        let indices: Vec<usize> = batches(&messages).into_iter().flatten().map(|(index, _)| index).collect();
        assert_eq!(indices, (0..23).collect::<Vec<_>>());
    }

    #[test]
    fn a_group_that_sqs_would_refuse_is_sent_as_its_digest() {
        assert_eq!(identifier("acme-42"), "acme-42");
        let strange = identifier("Ünser Kunde");
        assert_eq!(strange.len(), 64);
        assert_eq!(strange, identifier("Ünser Kunde"));
        assert_eq!(identifier(&"x".repeat(129)).len(), 64);
        assert_eq!(identifier("").len(), 64);
    }
}
