//! The relay: what a queue accepted leaves the outbox, the rest stays.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use syncline::queue::relay::{relay, send_ready};
use syncline::queue::{Bell, Message, Outgoing, QueueError, QueueName, Sender};
use tokio_util::sync::CancellationToken;

use super::footing::SELDOM;
use crate::support::Db;

const QUEUE: QueueName = QueueName::Retrieve;

on_both!(
    what_was_accepted_leaves_the_outbox_and_the_rest_is_tried_again,
    an_unreachable_queue_costs_no_message,
    everything_ready_is_sent_without_waiting_for_the_timer,
    two_relays_send_each_message_once,
);

/// A queue that accepts what it is told to and remembers it.
#[derive(Default)]
struct Fake {
    sent: Mutex<Vec<Outgoing>>,
    accepts: Accepts,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Accepts {
    #[default]
    All,
    EverySecond,
    None,
}

#[async_trait]
impl Sender for Fake {
    async fn send(&self, queue: QueueName, messages: &[Outgoing]) -> Result<Vec<usize>, QueueError> {
        if self.accepts == Accepts::None {
            return Err(QueueError { queue, operation: "send", source: "nobody listens".into() });
        }
        let step = if self.accepts == Accepts::All { 1 } else { 2 };
        let accepted: Vec<usize> = (0..messages.len()).step_by(step).collect();
        self.sent.lock().unwrap().extend(accepted.iter().map(|index| messages[*index].clone()));
        Ok(accepted)
    }
}

impl Fake {
    fn that(accepts: Accepts) -> Self {
        Self { accepts, ..Self::default() }
    }

    fn sent(&self) -> Vec<Outgoing> {
        self.sent.lock().unwrap().clone()
    }
}

async fn what_was_accepted_leaves_the_outbox_and_the_rest_is_tried_again(db: Db) {
    let objects = db.crowd("acme", 5).await;
    db.dispatch().await;
    let half = Fake::that(Accepts::EverySecond);
    assert_eq!(send_ready(&db, &half, QUEUE).await.unwrap(), 5);
    assert_eq!(half.sent().len(), 3);
    assert_eq!(db.outbox_depth(QUEUE).await.unwrap(), (0, 2), "hidden from other relays for now");
    assert_eq!(send_ready(&db, &half, QUEUE).await.unwrap(), 0);
    db.pass(Duration::from_secs(20)).await;
    let all = Fake::default();
    assert_eq!(send_ready(&db, &all, QUEUE).await.unwrap(), 2);
    assert_eq!(db.count("outbox").await, 0);

    let sent = [half.sent(), all.sent()].concat();
    assert_eq!(sent.iter().map(|message| &message.dedup).collect::<HashSet<_>>().len(), 5);
    let customer = db.customers().await.unwrap()[0].id;
    assert!(sent.iter().all(|message| message.group == format!("customer-{customer}")));
    let rung: HashSet<_> = sent.iter().map(|message| Message::decode(&message.body).unwrap()).map(object_of).collect();
    assert_eq!(rung, objects.into_iter().collect());
}

async fn an_unreachable_queue_costs_no_message(db: Db) {
    db.crowd("acme", 3).await;
    db.dispatch().await;
    assert_eq!(send_ready(&db, &Fake::that(Accepts::None), QUEUE).await.unwrap(), 3);
    assert_eq!(db.count("outbox").await, 3);
    db.pass(Duration::from_secs(20)).await;
    let back = Fake::default();
    send_ready(&db, &back, QUEUE).await.unwrap();
    assert_eq!((back.sent().len(), db.count("outbox").await), (3, 0));
}

async fn everything_ready_is_sent_without_waiting_for_the_timer(db: Db) {
    db.crowd("acme", 250).await;
    let (queue, bell, stop) = (Arc::new(Fake::default()), Arc::new(Bell::default()), CancellationToken::new());
    let sender = Arc::clone(&queue) as _;
    let relay = tokio::spawn(relay(db.store(), sender, QUEUE, Arc::clone(&bell), SELDOM, stop.clone()));
    tokio::time::sleep(Duration::from_millis(100)).await;
    db.dispatch().await;
    bell.ring(QUEUE);
    let began = Instant::now();
    while queue.sent().len() < 250 {
        assert!(began.elapsed() < Duration::from_secs(20), "{} of 250 sent", queue.sent().len());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    stop.cancel();
    tokio::time::timeout(Duration::from_secs(5), relay).await.expect("it stops when told").unwrap();
    assert_eq!(db.count("outbox").await, 0);
}

async fn two_relays_send_each_message_once(db: Db) {
    db.crowd("acme", 400).await;
    db.dispatch().await;
    let queue = Arc::new(Fake::default());
    let relays: Vec<_> = (0..3)
        .map(|_| {
            let (store, queue) = (db.store(), Arc::clone(&queue));
            tokio::spawn(async move { while send_ready(&store, queue.as_ref(), QUEUE).await.unwrap() > 0 {} })
        })
        .collect();
    for relay in relays {
        relay.await.unwrap();
    }
    let sent = queue.sent();
    assert_eq!(sent.len(), 400);
    assert_eq!(sent.into_iter().map(|message| message.body).collect::<HashSet<_>>().len(), 400);
}

fn object_of(message: Message) -> syncline::domain::ObjectId {
    match message {
        Message::Retrieve { object, .. } | Message::Process { object, .. } => object,
    }
}
