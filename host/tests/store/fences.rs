//! A page is committed whole or not at all, and a worker that lost its claim writes nothing.

use std::time::Duration;

use syncline::domain::{BatchId, Cursor, Outcome};
use syncline::queue::{Message, QueueName};
use syncline::store::runs::{Fenced, PageCommit};

use crate::support::{Db, LEASE, ME, finish, page};

on_both!(
    a_page_is_committed_with_its_cursor_batch_and_doorbell,
    a_page_without_records_moves_the_cursor_only,
    an_empty_page_that_ends_a_pass_still_leaves_a_batch,
    a_page_can_send_the_cursor_back_to_the_beginning,
    a_stale_worker_writes_nothing,
    another_host_writes_nothing_under_a_lease_that_is_not_its_own,
    a_reset_fences_the_worker_and_forgets_the_cursor,
    unlanded_bytes_are_counted,
    a_page_that_the_database_refuses_leaves_nothing_behind,
);

async fn a_page_is_committed_with_its_cursor_batch_and_doorbell(db: Db) {
    let object = db.one_object().await;
    let claim = db.start(object).await;
    assert_eq!(db.commit(&claim, "c1", Some(vec![1, 2])).await, 1);
    assert_eq!(db.commit(&claim, "c2", Some(vec![3])).await, 2);
    let row = db.row(object).await;
    assert_eq!((row.cursor.as_deref(), row.cursor_seq, row.landed_seq), (Some("c2"), 2, 0));
    let batches = db.committed_batches(object, 10, 1_000).await.unwrap();
    assert_eq!(batches.iter().map(|batch| batch.seq).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(batches[0].payload.as_deref(), Some(&[1, 2][..]));
    let ring = |n: usize| Message::Process { batch: BatchId(batches[n].id), object };
    assert_eq!(db.messages(QueueName::Process).await, [ring(0), ring(1)]);
    let run = db.last_run(object).await;
    assert_eq!((run.pages, run.interactions, run.requests), (2, 6, 4));
    assert_eq!(db.count(&format!("batches WHERE run_id = {} AND epoch = 1", run.id)).await, 2);
}

async fn a_page_without_records_moves_the_cursor_only(db: Db) {
    let object = db.one_object().await;
    let claim = db.start(object).await;
    assert_eq!(db.commit(&claim, "c1", None).await, 1);
    assert_eq!(db.row(object).await.cursor.as_deref(), Some("c1"));
    assert_eq!(db.count("batches").await, 0);
    assert!(db.messages(QueueName::Process).await.is_empty());
}

async fn an_empty_page_that_ends_a_pass_still_leaves_a_batch(db: Db) {
    let object = db.one_object().await;
    let claim = db.start(object).await;
    let last = PageCommit { payload: None, records: 0, sweep_seq: Some(0), pass_ends: true, ..page("c1") };
    assert_eq!(db.commit_page(ME, claim.lease, &last).await.unwrap(), Ok(1));
    let batches = db.committed_batches(object, 10, 1_000).await.unwrap();
    assert_eq!((batches[0].sweep_seq, batches[0].payload.as_ref()), (Some(0), None));
    assert_eq!(db.number("SELECT pass_seq FROM objects").await, Some(1));
}

async fn a_page_can_send_the_cursor_back_to_the_beginning(db: Db) {
    let object = db.one_object().await;
    let claim = db.start(object).await;
    db.commit(&claim, "c1", None).await;
    let back = PageCommit { cursor: None, payload: None, records: 0, pass_ends: true, ..page("") };
    assert_eq!(db.commit_page(ME, claim.lease, &back).await.unwrap(), Ok(2));
    assert_eq!((db.row(object).await.cursor, db.row(object).await.cursor_seq), (None, 2));
}

async fn a_stale_worker_writes_nothing(db: Db) {
    let object = db.one_object().await;
    let stale = db.start(object).await;
    db.commit(&stale, "c1", Some(vec![1])).await;
    db.pass(LEASE + Duration::from_secs(1)).await;
    // Fenced by the sweep already, and still when the same host has claimed the run anew.
    for again in [false, true] {
        db.sweep(Duration::from_secs(300), 100).await.unwrap();
        if again {
            db.claim_run(stale.lease.run.0, object).await.expect("the run goes on");
        }
        let before = db.worker_state().await;
        assert_eq!(db.commit_page(ME, stale.lease, &page("stale")).await.unwrap(), Err(Fenced));
        assert_eq!(db.finish(ME, stale.lease, &finish(Outcome::Succeeded)).await.unwrap(), Err(Fenced));
        assert_eq!(db.give_back(ME, stale.lease, Duration::ZERO, true).await.unwrap(), Err(Fenced));
        assert!(db.renew(ME, &[stale.lease], LEASE).await.unwrap().is_empty());
        db.note_connector(stale.lease, "9.9.9", "stale").await.unwrap();
        assert_eq!(db.worker_state().await, before);
    }
}

async fn another_host_writes_nothing_under_a_lease_that_is_not_its_own(db: Db) {
    let object = db.one_object().await;
    let claim = db.start(object).await;
    let before = db.worker_state().await;
    assert_eq!(db.commit_page("host-2", claim.lease, &page("c")).await.unwrap(), Err(Fenced));
    assert_eq!(db.finish("host-2", claim.lease, &finish(Outcome::Succeeded)).await.unwrap(), Err(Fenced));
    assert_eq!(db.give_back("host-2", claim.lease, Duration::ZERO, true).await.unwrap(), Err(Fenced));
    assert_eq!(db.worker_state().await, before);
}

async fn a_reset_fences_the_worker_and_forgets_the_cursor(db: Db) {
    let object = db.one_object().await;
    let claim = db.start(object).await;
    db.commit(&claim, "c1", Some(vec![1])).await;
    db.reset_cursor(object, None).await.unwrap();
    let before = db.worker_state().await;
    assert_eq!(db.commit_page(ME, claim.lease, &page("stale")).await.unwrap(), Err(Fenced));
    assert_eq!(db.worker_state().await, before);
    assert_eq!(db.last_run(object).await.state, "cancelled");

    let again = db.start_again(object).await;
    assert_eq!((again.cursor, again.cursor_seq, again.pass_seq), (None::<Cursor>, 1, 1));
    assert!(again.lease.epoch > claim.lease.epoch);
}

async fn unlanded_bytes_are_counted(db: Db) {
    let object = db.one_object().await;
    assert_eq!(db.unlanded_bytes().await.unwrap(), 0);
    let claim = db.start(object).await;
    db.commit(&claim, "c1", Some(vec![0; 700])).await;
    db.commit(&claim, "c2", Some(vec![0; 300])).await;
    db.commit(&claim, "c3", Some(vec![0; 5])).await;
    assert_eq!(db.unlanded_bytes().await.unwrap(), 1_005);
    let seqs = async |max, bytes| {
        let batches = db.committed_batches(object, max, bytes).await.unwrap();
        batches.iter().map(|batch| batch.seq).collect::<Vec<_>>()
    };
    assert_eq!(seqs(2, 10_000).await, [1, 2]);
    assert_eq!(seqs(9, 1_000).await, [1, 2], "none is added once they hold enough");
    assert_eq!(seqs(9, 1_001).await, [1, 2, 3]);
    assert_eq!(seqs(9, 1).await, [1], "the first comes whatever its size");
}

async fn a_page_that_the_database_refuses_leaves_nothing_behind(db: Db) {
    let object = db.one_object().await;
    let claim = db.start(object).await;
    // As after a restore from an old backup: the next page's place is taken.
    db.commit(&claim, "c1", Some(vec![1])).await;
    db.execute("UPDATE objects SET cursor_seq = 0, cursor = 'c0'").await;
    let before = db.worker_state().await;
    let error = db.commit_page(ME, claim.lease, &page("c1")).await.unwrap_err();
    assert_eq!(error.to_string(), "database: commit a page failed");
    assert!(!error.is_transient() && !error.is_bad_data());
    assert_eq!(db.worker_state().await, before);
}
