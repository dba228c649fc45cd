//! Everything at once: hosts that work, a host that dies, an operator who changes their mind.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use syncline::domain::{IntegrationId, ObjectId, Outcome, batch};
use syncline::queue::{Message, QueueName};
use syncline::store::runs::{Finish, PageCommit};

use super::landing::record;
use crate::support::{Db, LEASE, finish, page};

on_both!(nothing_fails_and_nothing_is_left_half_done_when_everything_happens_at_once);

/// How long the storm lasts.
const STORM: Duration = Duration::from_secs(3);
/// Objects are due again at once, and dispatched as often as they can be.
const NO_THROTTLE: Duration = Duration::from_millis(1);

async fn nothing_fails_and_nothing_is_left_half_done_when_everything_happens_at_once(db: Db) {
    let customer = db.customer_of("acme").await;
    let names: Vec<String> = (0..12).map(|n| format!("o{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (integration, objects) = db.integration_of(customer, &names).await;
    let over = Arc::new(AtomicBool::new(false));
    let mut tasks = Vec::new();
    for host in 0..3 {
        tasks.push(tokio::spawn(work(db.clone(), format!("host-{host}"), host, Arc::clone(&over))));
    }
    tasks.push(tokio::spawn(change(db.clone(), integration, objects.clone(), Arc::clone(&over))));
    tasks.push(tokio::spawn(keep(db.clone(), objects.clone(), Arc::clone(&over))));
    tokio::time::sleep(STORM).await;
    over.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await.unwrap();
    }

    // Every object that is locked has exactly one run that goes on, and the other way round.
    let open = "SELECT COUNT(*) FROM runs r WHERE r.object_id = o.id AND r.state IN ('dispatched', 'running')";
    assert_eq!(db.count(&format!("objects o WHERE o.active <> ({open})")).await, 0);
    assert_eq!(db.count("objects WHERE active = 0 AND lease_until IS NOT NULL").await, 0);
    // Every page is there once: cursor and batches agree, and what landed is what was committed.
    let pages = "SELECT COUNT(*) FROM batches b WHERE b.object_id = o.id";
    assert_eq!(db.count(&format!("objects o WHERE o.cursor_seq <> ({pages})")).await, 0);
    assert!(db.count("batches").await > 0);
    for object in objects {
        while !db.committed_batches(object, 1, 1).await.unwrap().is_empty() {
            db.land_all(object).await;
        }
        let row = db.row(object).await;
        assert_eq!(row.landed_seq, row.cursor_seq);
    }
    assert_eq!(
        db.number("SELECT COUNT(*) - COUNT(DISTINCT change_seq) FROM interactions").await,
        Some(0),
        "positions in the feed are unique"
    );
}

/// A host: dispatches, claims what rings, reads a page or two, lands, ends. Every seventh run it forgets, as if it died.
async fn work(db: Db, owner: String, seed: u64, over: Arc<AtomicBool>) {
    let mut turn = seed;
    while !over.load(Ordering::Relaxed) {
        db.dispatch_due(4, NO_THROTTLE).await.unwrap();
        for message in db.messages(QueueName::Retrieve).await {
            let Message::Retrieve { run, object } = message else { panic!("{message:?}") };
            let Some(claim) = db.claim(run, object, &owner, LEASE).await.unwrap() else { continue };
            turn += 1;
            for n in 0..=turn % 2 {
                let records = [record(&format!("{}", turn % 5), &format!(r#"{{"n":{n}}}"#)), record("same", "{}")];
                let page = PageCommit { payload: batch::encode(&records), ..page(&format!("c{turn}")) };
                let _ = db.commit_page(&owner, claim.lease, &page).await.unwrap();
            }
            db.renew(&owner, &[claim.lease], LEASE).await.unwrap();
            let batches = db.committed_batches(object, 10, 1 << 20).await.unwrap();
            if !batches.is_empty() {
                db.land_batches(object, &batches).await;
            }
            let (class, message) = ("unauthorized".to_owned(), "no".to_owned());
            let outcome = match turn % 7 {
                0 => continue,
                1 => Outcome::NeedsAuth { class, message },
                2 => Outcome::RateLimited { retry_after_ms: Some(5) },
                3 => {
                    let _ = db.give_back(&owner, claim.lease, Duration::ZERO, true).await.unwrap();
                    continue;
                }
                4 => Outcome::Failed { class, message },
                _ => Outcome::Succeeded,
            };
            let ending = Finish { due_in: Duration::ZERO, interval_share: 0.0, ..finish(outcome) };
            let _ = db.finish(&owner, claim.lease, &ending).await.unwrap();
        }
    }
}

/// The operator.
async fn change(db: Db, integration: IntegrationId, objects: Vec<ObjectId>, over: Arc<AtomicBool>) {
    let mut turn = 0;
    let backwards: Vec<ObjectId> = objects.iter().rev().copied().collect();
    while !over.load(Ordering::Relaxed) {
        turn += 1;
        let every = Duration::from_secs(60 + turn);
        db.apply_intervals(Some(every), &BTreeMap::new()).await.unwrap();
        db.set_integration_paused(integration, turn % 5 == 0, None).await.unwrap();
        db.set_paused(&backwards[..6], turn % 3 == 0, None).await.unwrap();
        db.trigger(&objects, NO_THROTTLE, turn % 2 == 0).await.unwrap();
        if turn % 4 == 0 {
            db.reset_cursor(objects[0], None).await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    db.set_integration_paused(integration, false, None).await.unwrap();
    db.set_paused(&objects, false, None).await.unwrap();
}

/// The sweep, in a world where leases run out all the time.
async fn keep(db: Db, objects: Vec<ObjectId>, over: Arc<AtomicBool>) {
    for object in objects.iter().cycle() {
        if over.load(Ordering::Relaxed) {
            return;
        }
        let expired = format!("UPDATE objects SET lease_until = 0 WHERE id = {object} AND lease_until IS NOT NULL");
        if let Err(error) = db.attempt(&expired).await {
            // Nobody runs again what goes behind the store's back: this lease runs out a round later.
            let deadlock = error.as_database_error().is_some_and(|error| error.code().as_deref() == Some("40P01"));
            assert!(deadlock, "{error}");
        }
        db.sweep(Duration::from_millis(20), 100).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
