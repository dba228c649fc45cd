//! A queue in memory that does all that a standard queue may do: it loses, doubles, delays and reorders messages, refuses
//! some, fails with or without having taken them, and forgets deletes. The seed decides when.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use syncline::queue::{Delivery, Depth, Outgoing, QueueError, QueueName, Receiver, Sender};

use crate::clock;
use crate::dice::Dice;

/// How long a received message stays hidden.
const VISIBILITY_MS: i64 = 25_000;

/// How often what goes wrong, in a thousand.
#[derive(Debug, Clone, Copy, Default)]
pub struct QueueFaults {
    /// A message that was taken is lost.
    pub lost: u32,
    /// It comes twice.
    pub doubled: u32,
    /// It comes up to a minute late.
    pub late: u32,
    /// One is refused, the others are taken.
    pub refused: u32,
    /// A call fails, before or after what it was to do.
    pub failed: u32,
}

struct Message {
    id: u64,
    queue: QueueName,
    body: String,
    visible_at: i64,
    attempts: u32,
}

struct Inner {
    messages: Vec<Message>,
    next: u64,
    dice: Dice,
    faults: QueueFaults,
}

/// The queue.
pub struct SimQueue(Mutex<Inner>);

impl SimQueue {
    /// An empty queue.
    #[must_use]
    pub fn new(dice: Dice, faults: QueueFaults) -> Self {
        Self(Mutex::new(Inner { messages: Vec::new(), next: 0, dice, faults }))
    }

    /// Nothing goes wrong from now on.
    pub fn heal(&self) {
        self.inner().faults = QueueFaults::default();
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn failed(queue: QueueName, operation: &'static str) -> QueueError {
    QueueError { queue, operation, source: "the simulated queue is out of reach".into() }
}

#[async_trait]
impl Sender for SimQueue {
    async fn send(&self, queue: QueueName, messages: &[Outgoing]) -> Result<Vec<usize>, QueueError> {
        let mut inner = self.inner();
        let faults = inner.faults;
        let fails = inner.dice.chance(faults.failed);
        if fails && inner.dice.chance(500) {
            return Err(failed(queue, "send"));
        }
        let mut accepted = Vec::new();
        for (index, message) in messages.iter().enumerate() {
            if inner.dice.chance(faults.refused) {
                continue;
            }
            accepted.push(index);
            if inner.dice.chance(faults.lost) {
                continue;
            }
            let copies = if inner.dice.chance(faults.doubled) { 2 } else { 1 };
            for _ in 0..copies {
                let late = if inner.dice.chance(faults.late) { inner.dice.between(1, 60_000) } else { 0 };
                inner.next += 1;
                let id = inner.next;
                let visible_at = clock::now_ms() + late;
                inner.messages.push(Message { id, queue, body: message.body.clone(), visible_at, attempts: 0 });
            }
        }
        if fails { Err(failed(queue, "send")) } else { Ok(accepted) }
    }
}

#[async_trait]
impl Receiver for SimQueue {
    async fn receive(&self, queue: QueueName, max: usize, _wait: Duration) -> Result<Vec<Delivery>, QueueError> {
        let mut inner = self.inner();
        let faults = inner.faults;
        // A receive whose answer is lost hides its messages all the same.
        let fails = inner.dice.chance(faults.failed);
        let now = clock::now_ms();
        let mut deliveries = Vec::new();
        while deliveries.len() < max {
            let ready: Vec<usize> = (inner.messages.iter().enumerate())
                .filter(|(_, message)| message.queue == queue && message.visible_at <= now)
                .map(|(index, _)| index)
                .collect();
            let choice = inner.dice.below(ready.len());
            let Some(message) = ready.get(choice).and_then(|index| inner.messages.get_mut(*index)) else { break };
            message.visible_at = now + VISIBILITY_MS;
            message.attempts += 1;
            deliveries.push(Delivery {
                body: message.body.clone(),
                receipt: format!("{}:{}", message.id, message.attempts),
                attempts: message.attempts,
            });
        }
        if fails { Err(failed(queue, "receive")) } else { Ok(deliveries) }
    }

    async fn delete(&self, queue: QueueName, receipts: &[String]) -> Result<(), QueueError> {
        let mut inner = self.inner();
        let faults = inner.faults;
        if inner.dice.chance(faults.failed) {
            return Err(failed(queue, "delete"));
        }
        // A receipt that a later delivery has replaced deletes nothing.
        inner.messages.retain(|message| !receipts.contains(&format!("{}:{}", message.id, message.attempts)));
        Ok(())
    }

    async fn depth(&self, queue: QueueName) -> Result<Depth, QueueError> {
        let (inner, now) = (self.inner(), clock::now_ms());
        let of_queue = inner.messages.iter().filter(|message| message.queue == queue);
        let (ready, hidden): (Vec<_>, Vec<_>) = of_queue.partition(|message| message.visible_at <= now);
        Ok(Depth { ready: ready.len() as u64, in_flight: hidden.len() as u64, dead: 0 })
    }
}
