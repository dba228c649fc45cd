//! Turns of landing: an object whose pages keep coming shares its place with what waits behind it, and a host that ends does
//! not stay for it.

use std::sync::Arc;
use std::time::Duration;

use syncline::domain::{ObjectId, batch};
use syncline::process::{BATCHES, ProcessOptions, Processor};
use syncline::queue::{Bell, Delivery, EmbeddedQueue, QueueName, Receiver};
use syncline::store::Store;
use tokio_util::sync::CancellationToken;

use super::landing::record;
use crate::support::Db;

const VISIBILITY: Duration = Duration::from_secs(60);

on_both!(
    an_object_with_more_than_a_turn_lands_in_turns_and_rings_for_the_rest,
    a_host_that_ends_lands_once_and_rings_for_the_rest,
);

/// A processor with so many landings in a turn, and its queue, in which a message that was not deleted comes again after this
/// time.
pub(super) fn processor(store: Store, landings: u32, visibility: Duration) -> (Processor, Arc<EmbeddedQueue>) {
    let poll = Duration::from_millis(10);
    let queue = EmbeddedQueue::new(store.clone(), Arc::new(Bell::default()), poll, visibility);
    let queue = Arc::new(queue);
    let options =
        ProcessOptions { concurrency: 1, wait: Duration::ZERO, gather: Duration::ZERO, landings, sweep_guard: 0.5 };
    (Processor::new(store, Arc::clone(&queue) as _, options), queue)
}

/// Commits pages of one record each, and answers with the bells that they rang, but for one all deleted.
async fn one_bell_for(db: &Db, object: ObjectId, pages: u32, queue: &EmbeddedQueue) -> Vec<Delivery> {
    let claim = db.start(object).await;
    for page in 0..pages {
        db.commit(&claim, &format!("c{page}"), batch::encode(&[record(&format!("{page}"), "{}")])).await;
    }
    let mut bells = queue.receive(QueueName::Process, pages as usize, Duration::ZERO).await.unwrap();
    assert_eq!(bells.len(), pages as usize);
    let rest = bells.split_off(1);
    let rest: Vec<_> = rest.into_iter().map(|bell| bell.receipt).collect();
    queue.delete(QueueName::Process, &rest).await.unwrap();
    bells
}

async fn bells(queue: &EmbeddedQueue) -> Vec<Delivery> {
    queue.receive(QueueName::Process, 10, Duration::ZERO).await.unwrap()
}

async fn landed_seq(db: &Db, object: ObjectId) -> i64 {
    db.row(object).await.landed_seq
}

async fn an_object_with_more_than_a_turn_lands_in_turns_and_rings_for_the_rest(db: Db) {
    let object = db.one_object().await;
    let (processor, queue) = processor(db.store(), 2, VISIBILITY);
    let (turn, running) = (i64::from(2 * BATCHES), CancellationToken::new());
    let first = one_bell_for(&db, object, 4 * BATCHES + 3, &queue).await;
    processor.handle(first, &running).await;
    assert_eq!(landed_seq(&db, object).await, turn);
    // The second turn rings the very bell that it was called by.
    let second = bells(&queue).await;
    assert_eq!(second.len(), 1);
    processor.handle(second, &running).await;
    assert_eq!(landed_seq(&db, object).await, 2 * turn);
    let third = bells(&queue).await;
    assert_eq!(third.len(), 1);
    processor.handle(third, &running).await;
    assert_eq!(landed_seq(&db, object).await, 2 * turn + 3);
    assert_eq!(db.outbox_depth(QueueName::Process).await.unwrap(), (0, 0));
}

async fn a_host_that_ends_lands_once_and_rings_for_the_rest(db: Db) {
    let object = db.one_object().await;
    let (processor, queue) = processor(db.store(), 1_000, VISIBILITY);
    let ended = CancellationToken::new();
    ended.cancel();
    let only = one_bell_for(&db, object, BATCHES + 1, &queue).await;
    processor.handle(only, &ended).await;
    assert_eq!(landed_seq(&db, object).await, i64::from(BATCHES));
    let rest = bells(&queue).await;
    assert_eq!(rest.len(), 1);
    processor.handle(rest, &CancellationToken::new()).await;
    assert_eq!(landed_seq(&db, object).await, i64::from(BATCHES) + 1);
    assert_eq!(db.outbox_depth(QueueName::Process).await.unwrap(), (0, 0));
}
