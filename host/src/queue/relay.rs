//! The outbox relay: sends what transactions left in the outbox on to a queue outside.
//!
//! A reconciler: it looks on a timer and when the bell rings, and does the same either way. A row is removed after it was
//! accepted; a crash in between sends it twice, which every receiver expects. Any number of hosts may run it.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{Bell, Outgoing, QueueName, Sender};
use crate::points::point;
use crate::store::{Store, StoreError};

/// Rows taken at once: ten full batches of ten.
const TAKE: usize = 100;

/// How long a taken row stays hidden from other relays; also how soon a failed send is tried again.
const HIDDEN: Duration = Duration::from_secs(15);

/// Pause after rows were sent: what is hung up meanwhile goes in one call instead of one each.
const GATHER: Duration = Duration::from_millis(50);

/// Relays one queue until `stop`.
pub async fn relay(
    store: Store,
    sender: Arc<dyn Sender>,
    queue: QueueName,
    bell: Arc<Bell>,
    poll: Duration,
    stop: CancellationToken,
) {
    loop {
        let rung = bell.wait(queue);
        let sent = match send_ready(&store, sender.as_ref(), queue).await {
            Ok(sent) => sent,
            Err(error) => {
                tracing::warn!(queue = %queue, error = %crate::domain::chain(&error), "outbox relay failed, will try again");
                0
            }
        };
        if stop.is_cancelled() {
            return;
        }
        if sent == TAKE {
            continue;
        }
        if sent > 0 {
            tokio::select! {
                () = stop.cancelled() => continue,
                () = tokio::time::sleep(GATHER) => {}
            }
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = rung => {}
            () = tokio::time::sleep(poll) => {}
        }
    }
}

/// Sends what is ready, once. Answers with how many rows were taken.
///
/// # Errors
/// When the database fails; what the queue refuses stays in the outbox.
pub async fn send_ready(store: &Store, sender: &dyn Sender, queue: QueueName) -> Result<usize, StoreError> {
    let rows = store.take_outbox(queue, TAKE, HIDDEN).await?;
    if rows.is_empty() {
        return Ok(0);
    }
    let messages: Vec<Outgoing> = rows
        .iter()
        .map(|row| Outgoing {
            body: row.body.clone(),
            group: format!("customer-{}", row.customer_id),
            dedup: format!("{}-{}", row.dedup, row.id),
        })
        .collect();
    point!("send", before);
    match sender.send(queue, &messages).await {
        Ok(accepted) => {
            point!("send", after);
            metrics::counter!("syncline_queue_sent_total", "queue" => queue.as_str()).increment(accepted.len() as u64);
            let done: Vec<(i64, i64)> =
                accepted.iter().filter_map(|index| rows.get(*index)).map(|row| (row.id, row.attempts)).collect();
            store.delete_outbox(&done).await?;
        }
        Err(error) => {
            tracing::warn!(queue = %queue, error = %crate::domain::chain(&error), "queue unreachable, messages stay in the outbox");
        }
    }
    Ok(rows.len())
}
