//! The outbox: order, visibility, and rows that were rung again while somebody held them.

use std::collections::HashSet;
use std::time::Duration;

use syncline::queue::QueueName;

use crate::support::Db;

const VISIBILITY: Duration = Duration::from_secs(30);
const QUEUE: QueueName = QueueName::Retrieve;

on_both!(
    rows_are_taken_in_the_order_of_their_virtual_time,
    a_taken_row_is_hidden_and_comes_again,
    a_row_is_deleted_only_at_the_attempt_it_was_taken_at,
    a_message_that_hangs_there_is_made_due_again_instead_of_hung_twice,
    concurrent_takers_never_take_one_row_twice,
    the_two_queues_do_not_mix,
);

impl Db {
    /// Hangs messages with these virtual times into a queue.
    async fn hang(&self, queue: &str, order: &[i64]) {
        let now = self.now_ms().await.unwrap();
        for (n, key) in order.iter().enumerate() {
            self.execute(&format!(
                "INSERT INTO outbox (queue, dedup, body, customer_id, order_key, available_at)
                 VALUES ('{queue}', '{queue}{n}', 'm{key}', 7, {key}, {now})"
            ))
            .await;
        }
    }

    async fn take(&self, max: usize) -> Vec<(i64, i64, String)> {
        let rows = self.take_outbox(QUEUE, max, VISIBILITY).await.unwrap();
        rows.into_iter().map(|row| (row.id, row.attempts, row.body)).collect()
    }
}

fn bodies(rows: &[(i64, i64, String)]) -> Vec<&str> {
    rows.iter().map(|row| row.2.as_str()).collect()
}

async fn rows_are_taken_in_the_order_of_their_virtual_time(db: Db) {
    db.hang("retrieve", &[50, 10, 40, 10, 30]).await;
    assert_eq!(bodies(&db.take(3).await), ["m10", "m10", "m30"]);
    assert_eq!(bodies(&db.take(3).await), ["m40", "m50"]);
    assert!(db.take(3).await.is_empty());
    assert!(db.take(0).await.is_empty());
}

async fn a_taken_row_is_hidden_and_comes_again(db: Db) {
    db.hang("retrieve", &[1]).await;
    let first = db.take(1).await;
    assert_eq!(first[0].1, 1);
    assert!(db.take(1).await.is_empty());
    assert_eq!(db.outbox_depth(QUEUE).await.unwrap(), (0, 1));
    db.pass(VISIBILITY + Duration::from_secs(1)).await;
    assert_eq!(db.outbox_depth(QUEUE).await.unwrap(), (1, 0));
    assert_eq!(db.take(1).await[0].1, 2);
}

async fn a_row_is_deleted_only_at_the_attempt_it_was_taken_at(db: Db) {
    db.hang("retrieve", &[1, 2, 3]).await;
    let taken: Vec<_> = db.take(3).await.iter().map(|row| (row.0, row.1)).collect();
    db.delete_outbox(&[]).await.unwrap();
    db.pass(VISIBILITY + Duration::from_secs(1)).await;
    let again = db.take(1).await;
    assert_eq!(again[0].0, taken[0].0);
    db.delete_outbox(&taken).await.unwrap();
    assert_eq!(db.count("outbox").await, 1, "the one that somebody else has taken meanwhile");
    db.delete_outbox(&[(again[0].0, again[0].1)]).await.unwrap();
    db.delete_outbox(&[(again[0].0, again[0].1)]).await.unwrap();
    assert_eq!(db.count("outbox").await, 0);
}

async fn a_message_that_hangs_there_is_made_due_again_instead_of_hung_twice(db: Db) {
    let object = db.one_object().await;
    db.dispatch().await;
    let taken = db.take(1).await;
    // The taker is slow: the run is rung again before it has deleted the message.
    db.execute("UPDATE runs SET sent_at = sent_at - 400000, not_before = not_before - 400000").await;
    assert_eq!(db.sweep(Duration::from_secs(300), 10).await.unwrap().resent, 1);
    assert_eq!(db.count("outbox").await, 1);
    db.delete_outbox(&[(taken[0].0, taken[0].1)]).await.unwrap();
    let again = db.take(1).await;
    assert_eq!(again[0].0, taken[0].0, "the late delete did not remove the new ring");
    assert_eq!(again[0].2, taken[0].2);
    assert!(db.claim_run(db.last_run(object).await.id, object).await.is_some());
}

async fn concurrent_takers_never_take_one_row_twice(db: Db) {
    db.crowd("acme", 300).await;
    db.dispatch().await;
    let takers: Vec<_> = (0..8)
        .map(|_| {
            let store = db.store();
            tokio::spawn(async move {
                let mut all = Vec::new();
                for _ in 0..40 {
                    let rows = store.take_outbox(QUEUE, 10, VISIBILITY).await.unwrap();
                    assert!(rows.len() <= 10);
                    all.extend(rows.into_iter().map(|row| row.id));
                }
                all
            })
        })
        .collect();
    let mut all = Vec::new();
    for taker in takers {
        all.extend(taker.await.unwrap());
    }
    assert_eq!(all.len(), 300);
    assert_eq!(all.into_iter().collect::<HashSet<_>>().len(), 300);
}

async fn the_two_queues_do_not_mix(db: Db) {
    db.hang("retrieve", &[1, 2]).await;
    db.hang("process", &[3]).await;
    assert_eq!(db.outbox_depth(QueueName::Process).await.unwrap(), (1, 0));
    let rows = db.take_outbox(QueueName::Process, 10, VISIBILITY).await.unwrap();
    assert_eq!((rows.len(), rows[0].body.as_str(), rows[0].customer_id), (1, "m3", 7));
    assert_eq!(rows[0].dedup, "process0");
    assert_eq!(db.outbox_depth(QUEUE).await.unwrap(), (2, 0));
}
