//! What a dead host left behind, and messages that nobody heard.

use std::time::Duration;

use syncline::domain::{Cursor, Outcome};
use syncline::queue::QueueName;
use syncline::store::schedule::Swept;

use crate::support::{Db, LEASE, ME};

const RESEND: Duration = Duration::from_secs(300);

on_both!(
    an_expired_lease_is_taken_back_and_the_run_goes_on_where_it_was,
    a_lease_that_holds_is_left_alone,
    a_run_of_a_paused_object_is_not_given_to_another_host,
    concurrent_sweeps_take_each_run_back_once,
    a_run_that_nobody_claimed_is_rung_again,
    a_batch_that_nobody_landed_is_rung_again,
    a_slice_given_back_is_rung_when_its_time_has_come,
    a_run_given_back_after_a_pause_is_cancelled,
);

async fn an_expired_lease_is_taken_back_and_the_run_goes_on_where_it_was(db: Db) {
    let object = db.one_object().await;
    let claim = db.start(object).await;
    db.commit(&claim, "c1", Some(vec![1])).await;
    db.messages(QueueName::Retrieve).await;
    db.pass(LEASE + Duration::from_secs(1)).await;
    assert_eq!(db.sweep(RESEND, 100).await.unwrap(), Swept { reclaimed: 1, resent: 0, reprocessed: 1 });
    let row = db.row(object).await;
    assert_eq!((row.epoch, row.active, row.lease_owner), (claim.lease.epoch + 1, 1, None));
    assert_eq!(db.messages(QueueName::Retrieve).await.len(), 1);
    let again = db.claim(claim.lease.run, object, "host-2", LEASE).await.unwrap().unwrap();
    assert_eq!(again.cursor, Some(Cursor("c1".to_owned())));
    assert_eq!((again.lease.epoch, again.cursor_seq, again.pages), (claim.lease.epoch + 2, 1, 1));
    assert_eq!(db.count("runs").await, 1);
}

async fn a_lease_that_holds_is_left_alone(db: Db) {
    let object = db.one_object().await;
    let claim = db.start(object).await;
    db.pass(LEASE - Duration::from_secs(5)).await;
    db.renew(ME, &[claim.lease], LEASE).await.unwrap();
    db.pass(LEASE - Duration::from_secs(5)).await;
    let before = db.worker_state().await;
    assert_eq!(db.sweep(RESEND, 100).await.unwrap(), Swept::default());
    assert_eq!(db.worker_state().await, before);
}

async fn a_run_of_a_paused_object_is_not_given_to_another_host(db: Db) {
    let objects = db.crowd("acme", 2).await;
    let mut claims = Vec::new();
    for object in &objects {
        claims.push(db.start(*object).await);
    }
    db.set_paused(&objects[..1], true, Some("it kills hosts")).await.unwrap();
    db.pass(LEASE + Duration::from_secs(1)).await;
    assert_eq!(db.sweep(RESEND, 100).await.unwrap().reclaimed, 1);
    assert_eq!(db.last_run(objects[0]).await.state, "cancelled");
    assert_eq!(db.row(objects[0]).await.active, 0);
    assert!(db.claim_run(claims[0].lease.run.0, objects[0]).await.is_none());
    assert_eq!(db.last_run(objects[1]).await.state, "dispatched");
    db.set_paused(&objects[..1], false, None).await.unwrap();
    db.start_again(objects[0]).await;
}

async fn concurrent_sweeps_take_each_run_back_once(db: Db) {
    let objects = db.crowd("acme", 30).await;
    for object in &objects {
        db.start(*object).await;
    }
    db.pass(LEASE + Duration::from_secs(1)).await;
    let sweeps: Vec<_> = (0..6)
        .map(|_| {
            let store = db.store();
            tokio::spawn(async move { store.sweep(RESEND, 100).await.unwrap().reclaimed })
        })
        .collect();
    let mut all = 0;
    for sweep in sweeps {
        all += sweep.await.unwrap();
    }
    assert_eq!(all, 30);
    assert_eq!(db.count("objects WHERE epoch = 2 AND active = 1 AND lease_until IS NULL").await, 30);
}

async fn a_run_that_nobody_claimed_is_rung_again(db: Db) {
    let object = db.one_object().await;
    db.dispatch().await;
    // As if sent to a queue that then lost it.
    assert_eq!(db.messages(QueueName::Retrieve).await.len(), 1);
    db.pass(RESEND - Duration::from_secs(5)).await;
    assert_eq!(db.sweep(RESEND, 100).await.unwrap(), Swept::default());
    db.pass(Duration::from_secs(6)).await;
    assert_eq!(db.sweep(RESEND, 100).await.unwrap(), Swept { resent: 1, ..Swept::default() });
    assert_eq!(db.sweep(RESEND, 100).await.unwrap(), Swept::default());
    assert_eq!(db.messages(QueueName::Retrieve).await.len(), 1);
    assert!(db.claim_run(db.last_run(object).await.id, object).await.is_some());
    db.pass(RESEND * 2).await;
    assert_eq!(db.sweep(RESEND, 100).await.unwrap().resent, 0, "it is claimed: its lease is another matter");
}

async fn a_batch_that_nobody_landed_is_rung_again(db: Db) {
    let object = db.one_object().await;
    let claim = db.start(object).await;
    db.commit(&claim, "c1", Some(vec![1])).await;
    db.commit(&claim, "c2", Some(vec![1])).await;
    db.end(&claim, Outcome::Succeeded).await;
    assert_eq!(db.messages(QueueName::Process).await.len(), 2);
    db.pass(Duration::from_secs(29)).await;
    assert_eq!(db.sweep(RESEND, 100).await.unwrap().reprocessed, 0);
    db.pass(Duration::from_secs(2)).await;
    assert_eq!(db.sweep(RESEND, 100).await.unwrap().reprocessed, 1, "one doorbell per object");
    assert_eq!(db.sweep(RESEND, 100).await.unwrap().reprocessed, 0, "which hangs there already");
    assert_eq!(db.messages(QueueName::Process).await.len(), 1);
}

async fn a_slice_given_back_is_rung_when_its_time_has_come(db: Db) {
    let object = db.one_object().await;
    let claim = db.start(object).await;
    db.commit(&claim, "c1", None).await;
    // Claimed while its message still hangs in the embedded queue: the message is rung again, not hung twice.
    db.give_back(ME, claim.lease, Duration::from_secs(10), true).await.unwrap().unwrap();
    let row = db.row(object).await;
    assert_eq!((row.active, row.lease_owner, row.epoch), (1, None, claim.lease.epoch));
    assert_eq!(db.dispatch_due(10, Duration::ZERO).await.unwrap(), 0, "it is not over");
    assert!(db.messages(QueueName::Retrieve).await.is_empty());
    db.pass(Duration::from_secs(11)).await;
    assert_eq!(db.messages(QueueName::Retrieve).await.len(), 1);
    let run = db.last_run(object).await;
    assert_eq!((run.state.as_str(), run.pages, run.finished_at), ("dispatched", 1, None));
    assert_eq!(db.claim_run(run.id, object).await.unwrap().slice, 1);
}

async fn a_run_given_back_after_a_pause_is_cancelled(db: Db) {
    let object = db.one_object().await;
    let claim = db.start(object).await;
    db.set_paused(&[object], true, None).await.unwrap();
    assert_eq!(db.last_run(object).await.state, "running", "it ends its slice");
    db.give_back(ME, claim.lease, Duration::ZERO, true).await.unwrap().unwrap();
    assert_eq!(db.last_run(object).await.state, "cancelled");
    assert_eq!((db.row(object).await.active, db.row(object).await.state), (0, "paused".to_owned()));
}
