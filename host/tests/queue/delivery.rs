//! From a transaction to a receiver, and what becomes of a message there.

use std::time::{Duration, Instant};

use syncline::domain::RunId;
use syncline::queue::{Depth, Message, QueueName};

use super::footing::{Footing, SELDOM, VISIBILITY, objects_of, on_every_footing, receipts, receive};
use crate::support::{LEASE, ME};

const QUEUE: QueueName = QueueName::Retrieve;
const SOON: Duration = Duration::from_millis(50);

on_every_footing!(
    what_is_dispatched_is_received_once_and_deleted,
    what_is_committed_is_received_on_the_other_queue,
    a_bell_wakes_whoever_waits,
    without_a_bell_a_look_on_the_timer_finds_the_message,
    an_empty_queue_answers_when_the_wait_is_over,
    a_message_that_is_not_deleted_comes_again_and_claims_nothing,
    deleting_twice_or_what_never_was_is_no_error,
);

async fn what_is_dispatched_is_received_once_and_deleted(footing: Footing) {
    let (queue, _relay) = footing.open(SELDOM);
    let objects = footing.dispatch(23).await;
    let received = receive(queue.as_ref(), QUEUE, 23).await;
    assert_eq!(objects_of(&received), objects);
    assert!(received.iter().all(|delivery| delivery.attempts == 1));
    queue.delete(QUEUE, &receipts(&received)).await.unwrap();
    tokio::time::sleep(VISIBILITY).await;
    assert_eq!(queue.depth(QUEUE).await.unwrap(), Depth::default());
    assert!(queue.receive(QUEUE, 10, Duration::ZERO).await.unwrap().is_empty());
}

async fn what_is_committed_is_received_on_the_other_queue(footing: Footing) {
    let (queue, _relay) = footing.open(SOON);
    let object = footing.dispatch(1).await[0];
    let received = receive(queue.as_ref(), QUEUE, 1).await;
    let Message::Retrieve { run, .. } = Message::decode(&received[0].body).unwrap() else { panic!("{received:?}") };
    let claim = footing.db.claim(run, object, ME, LEASE).await.unwrap().expect("the message leads to a claim");
    queue.delete(QUEUE, &receipts(&received)).await.unwrap();
    footing.db.commit(&claim, "c1", Some(vec![1])).await;
    let received = receive(queue.as_ref(), QueueName::Process, 1).await;
    let batch = footing.db.committed_batches(object, 1, 1).await.unwrap()[0].id;
    let expected = Message::Process { batch: syncline::domain::BatchId(batch), object };
    assert_eq!(Message::decode(&received[0].body), Ok(expected));
    queue.delete(QueueName::Process, &receipts(&received)).await.unwrap();
}

async fn a_bell_wakes_whoever_waits(footing: Footing) {
    let (queue, _relay) = footing.open(SELDOM);
    let waiting = tokio::spawn(async move { queue.receive(QUEUE, 10, Duration::from_secs(15)).await.unwrap() });
    tokio::time::sleep(Duration::from_millis(200)).await;
    let (objects, rung) = (footing.dispatch(1).await, Instant::now());
    assert_eq!(objects_of(&waiting.await.unwrap()), objects);
    assert!(rung.elapsed() < Duration::from_secs(5), "{:?}", rung.elapsed());
}

async fn without_a_bell_a_look_on_the_timer_finds_the_message(footing: Footing) {
    let (queue, _relay) = footing.open(SOON);
    let waiting = tokio::spawn(async move { queue.receive(QUEUE, 10, Duration::from_secs(15)).await.unwrap() });
    tokio::time::sleep(Duration::from_millis(200)).await;
    let objects = footing.db.crowd("acme", 1).await;
    // Another process dispatches: its bell is not heard here.
    footing.db.dispatch().await;
    assert_eq!(objects_of(&waiting.await.unwrap()), objects);
}

async fn an_empty_queue_answers_when_the_wait_is_over(footing: Footing) {
    let (queue, _relay) = footing.open(SELDOM);
    let began = Instant::now();
    assert!(queue.receive(QUEUE, 10, Duration::ZERO).await.unwrap().is_empty());
    assert!(queue.receive(QUEUE, 10, Duration::from_secs(1)).await.unwrap().is_empty());
    let took = began.elapsed();
    assert!((900..6_000).contains(&took.as_millis()), "{took:?}");
    assert_eq!(queue.depth(QUEUE).await.unwrap(), Depth::default());
}

async fn a_message_that_is_not_deleted_comes_again_and_claims_nothing(footing: Footing) {
    let (queue, _relay) = footing.open(SELDOM);
    let object = footing.dispatch(1).await[0];
    let first = receive(queue.as_ref(), QUEUE, 1).await;
    let run = RunId(footing.db.last_run(object).await.id);
    assert!(footing.db.claim(run, object, ME, LEASE).await.unwrap().is_some());
    // The host dies here, or its delete is lost.
    let again = receive(queue.as_ref(), QUEUE, 1).await;
    assert_eq!(again[0].body, first[0].body);
    assert_eq!((first[0].attempts, again[0].attempts), (1, 2));
    assert!(footing.db.claim(run, object, "host-2", LEASE).await.unwrap().is_none());
    queue.delete(QUEUE, &receipts(&again)).await.unwrap();
    queue.delete(QUEUE, &receipts(&first)).await.unwrap();
    assert_eq!(queue.depth(QUEUE).await.unwrap(), Depth::default());
}

async fn deleting_twice_or_what_never_was_is_no_error(footing: Footing) {
    let (queue, _relay) = footing.open(SELDOM);
    footing.dispatch(2).await;
    let received = receive(queue.as_ref(), QUEUE, 2).await;
    let receipts = receipts(&received);
    queue.delete(QUEUE, &[]).await.unwrap();
    queue.delete(QUEUE, &receipts[..1]).await.unwrap();
    queue.delete(QUEUE, &receipts).await.unwrap();
    queue.delete(QUEUE, &receipts).await.unwrap();
    queue.delete(QUEUE, &["never a receipt".to_owned(), "1:x".to_owned(), ":".to_owned()]).await.unwrap();
    assert_eq!(queue.depth(QUEUE).await.unwrap(), Depth::default());
}

#[tokio::test]
async fn the_embedded_queue_counts_what_is_ready_and_what_is_held() {
    let footing = Footing::embedded_on_sqlite().await;
    let (queue, _relay) = footing.open(SELDOM);
    footing.dispatch(5).await;
    assert_eq!(queue.depth(QUEUE).await.unwrap(), Depth { ready: 5, in_flight: 0, dead: 0 });
    let taken = queue.receive(QUEUE, 2, Duration::ZERO).await.unwrap();
    assert_eq!(taken.len(), 2);
    assert_eq!(queue.depth(QUEUE).await.unwrap(), Depth { ready: 3, in_flight: 2, dead: 0 });
    assert_eq!(queue.depth(QueueName::Process).await.unwrap(), Depth::default());
}

#[tokio::test]
async fn a_run_given_back_while_its_message_is_held_rings_again_after_the_delete() {
    let footing = Footing::embedded_on_sqlite().await;
    let (queue, _relay) = footing.open(SELDOM);
    let object = footing.dispatch(1).await[0];
    let held = receive(queue.as_ref(), QUEUE, 1).await;
    let run = footing.db.last_run(object).await.id;
    let claim = footing.db.claim_run(run, object).await.unwrap();
    footing.db.give_back(ME, claim.lease, Duration::ZERO, true).await.unwrap().unwrap();
    queue.delete(QUEUE, &receipts(&held)).await.unwrap();
    let again = receive(queue.as_ref(), QUEUE, 1).await;
    assert_eq!(objects_of(&again), [object]);
    assert!(footing.db.claim_run(run, object).await.is_some());
}

#[tokio::test]
async fn a_fifo_queue_takes_the_same_run_again_for_its_next_slice() {
    let footing = Footing::sqs_named(".fifo").await;
    let (queue, _relay) = footing.open(SOON);
    let object = footing.dispatch(1).await[0];
    let run = footing.db.last_run(object).await.id;
    for _ in 0..3 {
        let received = receive(queue.as_ref(), QUEUE, 1).await;
        assert_eq!(objects_of(&received), [object], "not taken for a duplicate of the slice before");
        let claim = footing.db.claim_run(run, object).await.expect("rung for a claim");
        queue.delete(QUEUE, &receipts(&received)).await.unwrap();
        footing.db.give_back(ME, claim.lease, Duration::ZERO, true).await.unwrap().unwrap();
    }
}
