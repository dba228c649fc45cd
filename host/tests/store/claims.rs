//! A claim is the lock: one worker, a growing epoch, nothing for duplicates.

use std::time::Duration;

use syncline::domain::{Cursor, DeleteMode, ObjectId, Outcome, RunId, SyncMode};
use syncline::queue::QueueName;
use syncline::store::runs::PageCommit;

use crate::support::{Db, LEASE, ME, page};

on_both!(
    a_claim_carries_everything_that_the_work_needs,
    a_duplicate_of_a_message_claims_nothing,
    one_of_many_concurrent_claims_wins,
    a_run_that_was_cancelled_while_the_claim_waited_is_not_claimed,
    a_run_is_not_claimed_before_its_time,
    an_epoch_only_grows,
    a_claim_is_counted_before_the_work_begins,
    a_provider_pause_shows_in_the_claim,
    leases_are_renewed_together_and_lost_ones_are_not_among_them,
    the_connector_of_a_run_is_noted_for_later_slices,
);

async fn a_claim_carries_everything_that_the_work_needs(db: Db) {
    let customer = db.customer_of("acme").await;
    let kind = syncline::domain::ObjectType {
        mode: SyncMode::Full,
        deletes: DeleteMode::ByAbsence,
        ..crate::support::object_type("notes")
    };
    let (integration, objects) = db.integration_with(customer, "crm", vec![kind]).await;
    let claim = db.start(objects[0]).await;
    assert_eq!((claim.customer, claim.customer_name.as_str()), (customer, "acme"));
    assert_eq!((claim.integration, claim.integration_name.as_str()), (integration, "crm"));
    assert_eq!((claim.provider.as_str(), claim.auth.as_str(), claim.pin.as_deref()), ("hubspot", "token", None));
    let config: serde_json::Value = serde_json::from_str(&claim.config).unwrap();
    assert_eq!(config, serde_json::json!({ "portal": 7 }));
    assert_eq!(
        (claim.object_name.as_str(), claim.mode, claim.deletes),
        ("notes", SyncMode::Full, DeleteMode::ByAbsence)
    );
    assert_eq!((claim.cursor, claim.pass_seq, claim.cursor_seq, claim.synced), (None, 0, 0, false));
    assert_eq!((claim.fails, claim.attempts, claim.slice, claim.pages), (0, 1, 0, 0));
    assert_eq!((claim.connector_digest, claim.paused_for_ms, claim.lease.epoch), (None, 0, 1));
    assert!((0..5_000).contains(&claim.age_ms));
    let run = db.run(claim.lease.run).await.unwrap();
    assert_eq!((run.state.as_str(), run.claims, run.host.as_deref()), ("running", 1, Some(ME)));
}

async fn a_duplicate_of_a_message_claims_nothing(db: Db) {
    let object = db.one_object().await;
    let claim = db.start(object).await;
    let run = claim.lease.run.0;
    let before = db.worker_state().await;
    assert!(db.claim_run(run, object).await.is_none(), "it is running");
    assert!(db.claim_run(run, ObjectId(object.0 + 1)).await.is_none(), "not this object's run");
    assert!(db.claim_run(run + 1, object).await.is_none(), "no such run");
    assert_eq!(db.worker_state().await, before);
    db.end(&claim, Outcome::Succeeded).await;
    assert!(db.claim_run(run, object).await.is_none(), "it ended");
}

async fn one_of_many_concurrent_claims_wins(db: Db) {
    let object = db.one_object().await;
    db.dispatch().await;
    let run = RunId(db.last_run(object).await.id);
    let hosts: Vec<_> = (0..12)
        .map(|n| {
            let store = db.store();
            tokio::spawn(async move { store.claim(run, object, &format!("host-{n}"), LEASE).await.unwrap() })
        })
        .collect();
    let mut winners = Vec::new();
    for host in hosts {
        winners.extend(host.await.unwrap());
    }
    assert_eq!(winners.len(), 1);
    assert_eq!(winners[0].lease.epoch, 1);
    assert_eq!(db.last_run(object).await.claims, 1);
}

async fn a_run_that_was_cancelled_while_the_claim_waited_is_not_claimed(db: Db) {
    let object = db.one_object().await;
    db.dispatch().await;
    let run = db.last_run(object).await.id;
    if db.is_sqlite() {
        return; // One writer: nobody decides by what has changed since.
    }
    let operator = {
        let db = db.clone();
        let script = format!(
            "BEGIN; UPDATE objects SET epoch = epoch + 1 WHERE id = {object}; SELECT pg_sleep(0.6);
             UPDATE runs SET state = 'cancelled' WHERE id = {run};
             INSERT INTO runs (object_id, window_start, trigger, state, dispatched_at, sent_at, not_before)
             VALUES ({object}, 1, 'schedule', 'dispatched', 1, 1, 1); COMMIT"
        );
        tokio::spawn(async move { db.execute(&script).await })
    };
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(db.claim_run(run, object).await.is_none());
    operator.await.unwrap();
    assert_eq!(db.row(object).await.lease_owner, None);
    assert!(db.claim_run(db.last_run(object).await.id, object).await.is_some());
}

async fn a_run_is_not_claimed_before_its_time(db: Db) {
    let object = db.one_object().await;
    let claim = db.start(object).await;
    db.give_back(ME, claim.lease, Duration::from_secs(20), true).await.unwrap().unwrap();
    assert!(db.claim_run(claim.lease.run.0, object).await.is_none());
    db.pass(Duration::from_secs(21)).await;
    let again = db.claim_run(claim.lease.run.0, object).await.unwrap();
    assert_eq!((again.slice, again.attempts), (1, 1));
}

async fn an_epoch_only_grows(db: Db) {
    let object = db.one_object().await;
    let mut last = 0;
    for _ in 0..4 {
        let claim = db.start_again(object).await;
        assert!(claim.lease.epoch > last);
        last = claim.lease.epoch;
        db.end(&claim, Outcome::Succeeded).await;
    }
}

async fn a_claim_is_counted_before_the_work_begins(db: Db) {
    let object = db.one_object().await;
    let mut claim = db.start(object).await;
    // The host dies with each of its claims: nothing but the claim itself can have counted it.
    for attempts in 1..=4 {
        assert_eq!(claim.attempts, attempts);
        db.pass(LEASE + Duration::from_secs(1)).await;
        db.sweep(Duration::from_secs(300), 100).await.unwrap();
        claim = db.claim_run(claim.lease.run.0, object).await.unwrap();
    }
    // A page is a sign of progress.
    db.commit(&claim, "c1", None).await;
    db.pass(LEASE + Duration::from_secs(1)).await;
    db.sweep(Duration::from_secs(300), 100).await.unwrap();
    let claim = db.claim_run(claim.lease.run.0, object).await.unwrap();
    assert_eq!((claim.attempts, claim.pages), (1, 1));
    assert_eq!(db.last_run(object).await.claims, 6);
}

async fn a_provider_pause_shows_in_the_claim(db: Db) {
    let object = db.one_object().await;
    let integration = syncline::domain::IntegrationId(db.row(object).await.integration_id);
    db.pause(integration, Duration::from_secs(60)).await.unwrap();
    let claim = db.start(object).await;
    assert!((50_000..=60_000).contains(&claim.paused_for_ms), "{}", claim.paused_for_ms);
}

async fn leases_are_renewed_together_and_lost_ones_are_not_among_them(db: Db) {
    let objects = db.crowd("acme", 4).await;
    let mut leases = Vec::new();
    for object in &objects {
        leases.push(db.start(*object).await.lease);
    }
    let until = "SELECT MIN(lease_until) FROM objects";
    let before = db.number(until).await.unwrap();
    let mut held = db.renew(ME, &leases, LEASE * 2).await.unwrap();
    held.sort();
    assert_eq!(held, objects);
    assert!(db.number(until).await.unwrap() >= before + 25_000);

    assert!(db.renew("host-2", &leases, LEASE).await.unwrap().is_empty(), "another host's");
    assert!(db.renew(ME, &[], LEASE).await.unwrap().is_empty());
    db.reset_cursor(objects[0], None).await.unwrap();
    db.finish(ME, leases[1], &crate::support::finish(Outcome::Succeeded)).await.unwrap().unwrap();
    leases[2].epoch -= 1;
    assert_eq!(db.renew(ME, &leases, LEASE).await.unwrap(), [objects[3]]);
}

async fn the_connector_of_a_run_is_noted_for_later_slices(db: Db) {
    let object = db.one_object().await;
    let claim = db.start(object).await;
    db.note_connector(claim.lease, "1.2.3", "ab").await.unwrap();
    let page = PageCommit { cursor: Some(Cursor("c1".to_owned())), pass_ends: true, ..page("c1") };
    db.commit_page(ME, claim.lease, &page).await.unwrap().unwrap();
    db.give_back(ME, claim.lease, Duration::ZERO, true).await.unwrap().unwrap();
    let again = db.claim_run(claim.lease.run.0, object).await.unwrap();
    assert_eq!(again.connector_digest.as_deref(), Some("ab"));
    assert_eq!((again.cursor, again.cursor_seq, again.pass_seq), (Some(Cursor("c1".to_owned())), 1, 1));
    db.note_connector(claim.lease, "9.9.9", "stale").await.unwrap();
    let run = db.last_run(object).await;
    assert_eq!((run.connector_version.as_deref(), run.connector_digest.as_deref()), (Some("1.2.3"), Some("ab")));
    assert_eq!((run.pages, run.interactions, run.requests), (1, 3, 2));
    assert_eq!(db.messages(QueueName::Process).await.len(), 1);
}
