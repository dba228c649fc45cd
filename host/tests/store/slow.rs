//! A database that is too slow for a whole portion of work gets smaller ones. On Postgres, where a statement that takes too
//! long is ended; on SQLite nothing ends one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use syncline::domain::batch;
use syncline::process::BATCHES;
use syncline::queue::{Bell, QueueName, Receiver as _};
use syncline::schedule::{ScheduleOptions, Scheduler};
use tokio_util::sync::CancellationToken;

use super::landing::record;
use super::turns::processor;
use crate::support::{Db, THROTTLE};

/// What a statement may take.
const PATIENCE: Duration = Duration::from_millis(600);

/// A database in which a row that goes into this table takes so many milliseconds.
async fn slow(table: &str, milliseconds: u32) -> Db {
    let db = Db::postgres().await;
    let seconds = f64::from(milliseconds) / 1_000.0;
    db.execute(&format!(
        "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep({seconds}); RETURN NEW; END'"
    ))
    .await;
    db.execute(&format!("CREATE TRIGGER slow BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION dawdle()")).await;
    db
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scheduler_dispatches_fewer_at_once_until_the_database_keeps_up() {
    let db = slow("outbox", 10).await;
    db.crowd("acme", 100).await;
    let store = db.with_statement_timeout(PATIENCE).await;
    let options = ScheduleOptions {
        tick: Duration::from_secs(1),
        throttle: THROTTLE,
        dispatch_batch: 1_000,
        sweep: Duration::from_secs(5),
        resend_after: Duration::from_secs(300),
        interval: Duration::from_secs(10_800),
        keep_history: Duration::from_secs(86_400),
        provider_intervals: BTreeMap::new(),
    };
    let scheduler = Scheduler::new(store, Arc::new(Bell::default()), options);
    let mut ticks = Vec::new();
    while ticks.len() < 60 && db.count("runs").await < 100 {
        ticks.push(scheduler.tick().await.is_ok());
        // Finds nothing to do, which proves nothing.
        scheduler.sweep().await.unwrap();
    }
    assert_eq!(db.count("runs").await, 100, "{ticks:?}");
    assert!(ticks.contains(&false), "the database was not slow at all: {ticks:?}");
    assert_eq!(db.messages(QueueName::Retrieve).await.len(), 100);
    db.discard().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_processor_lands_fewer_pages_at_once_until_the_database_keeps_up() {
    let db = slow("interactions", 80).await;
    let object = db.one_object().await;
    let claim = db.start(object).await;
    for page in 0..BATCHES {
        db.commit(&claim, &format!("c{page}"), batch::encode(&[record(&format!("{page}"), "{}")])).await;
    }
    let store = db.with_statement_timeout(PATIENCE).await;
    let (processor, queue) = processor(store, 100, Duration::from_millis(1));
    let mut calls = 0;
    while calls < 60 && db.row(object).await.landed_seq < i64::from(BATCHES) {
        let bells = queue.receive(QueueName::Process, 1, Duration::from_secs(1)).await.unwrap();
        processor.handle(bells, &CancellationToken::new()).await;
        calls += 1;
    }
    assert_eq!(db.row(object).await.landed_seq, i64::from(BATCHES), "after {calls} calls");
    assert!(calls > 1, "the database was not slow at all");
    assert_eq!(db.count("interactions").await, i64::from(BATCHES));
    db.discard().await;
}
