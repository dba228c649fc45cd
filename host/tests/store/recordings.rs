//! Recordings: asked for on an object, taken over by one run, kept under its lease, and forgotten.

use std::time::Duration;

use syncline::domain::Outcome;
use syncline::store::recordings::RecordingPart;
use syncline::store::runs::Claim;

use crate::support::{Db, LEASE, ME};

on_both!(
    one_run_is_recorded_with_all_its_slices,
    a_run_that_has_begun_is_not_recorded_from_its_middle,
    a_wish_can_be_taken_back,
    parts_come_back_in_order,
    a_part_is_kept_only_under_the_lease,
    the_newest_parts_are_kept_when_a_run_says_too_much,
    a_recording_goes_with_its_run_and_after_a_week_anyway,
);

const MOST: i64 = 1_000_000;
const DAY: Duration = Duration::from_secs(86_400);

fn part(claim: &Claim, payload: &[u8]) -> RecordingPart {
    let text_bytes = i64::try_from(payload.len()).unwrap() * 10;
    RecordingPart { part: claim.claims, text_bytes, payload: payload.to_vec() }
}

impl Db {
    /// Ends a slice and claims the next one of the same run.
    async fn next_slice(&self, claim: &Claim) -> Claim {
        self.give_back(ME, claim.lease, Duration::ZERO, true).await.unwrap().unwrap();
        self.claim_run(claim.lease.run.0, claim.lease.object).await.unwrap()
    }

    async fn parts(&self, claim: &Claim) -> Vec<i64> {
        self.recording(claim.lease.run).await.unwrap().iter().map(|part| part.part).collect()
    }
}

async fn one_run_is_recorded_with_all_its_slices(db: Db) {
    let customer = db.customer_of("acme").await;
    let (_, objects) = db.integration_of(customer, &["contacts", "deals"]).await;
    db.record_next(objects[0], true).await.unwrap();
    assert_eq!((db.row(objects[0]).await.record_next, db.row(objects[1]).await.record_next), (1, 0));
    let (claim, sibling) = (db.start(objects[0]).await, db.start(objects[1]).await);
    assert!(claim.recorded && !sibling.recorded);
    assert_eq!((claim.claims, db.row(objects[0]).await.record_next), (1, 0), "the run has taken it over");
    assert!((claim.now_ms - db.now_ms().await.unwrap()).abs() < 60_000);
    let again = db.next_slice(&claim).await;
    assert!(again.recorded);
    assert_eq!(again.claims, 2);
    // A host that dies does not end the recording.
    db.pass(LEASE + Duration::from_secs(1)).await;
    db.sweep(Duration::from_secs(300), 100).await.unwrap();
    let again = db.claim_run(claim.lease.run.0, objects[0]).await.unwrap();
    assert!(again.recorded);
    assert_eq!(db.last_run(objects[0]).await.recorded, 1);
    db.end(&again, Outcome::Succeeded).await;
    assert!(!db.start_again(objects[0]).await.recorded);
    assert_eq!(db.count("recordings").await, 0, "a claim by itself stores nothing");
}

async fn a_run_that_has_begun_is_not_recorded_from_its_middle(db: Db) {
    let object = db.one_object().await;
    let claim = db.start(object).await;
    db.record_next(object, true).await.unwrap();
    let again = db.next_slice(&claim).await;
    assert!(!again.recorded);
    assert_eq!(db.row(object).await.record_next, 1, "the wish is for the next run");
    db.end(&again, Outcome::Succeeded).await;
    assert!(db.start_again(object).await.recorded);
    assert_eq!(db.row(object).await.record_next, 0);
}

async fn a_wish_can_be_taken_back(db: Db) {
    let object = db.one_object().await;
    db.record_next(object, true).await.unwrap();
    db.record_next(object, false).await.unwrap();
    let claim = db.start(object).await;
    assert!(!claim.recorded);
    assert_eq!((db.last_run(object).await.recorded, db.last_run(object).await.recording_parts), (0, 0));
}

async fn parts_come_back_in_order(db: Db) {
    let object = db.one_object().await;
    db.record_next(object, true).await.unwrap();
    let first = db.start(object).await;
    let one = part(&first, b"\x00\xffone");
    db.keep_recording(ME, first.lease, &one, MOST).await.unwrap().unwrap();
    let second = db.next_slice(&first).await;
    let two = part(&second, b"two");
    db.keep_recording(ME, second.lease, &two, MOST).await.unwrap().unwrap();
    assert_eq!(db.recording(first.lease.run).await.unwrap(), [one, two]);
    db.end(&second, Outcome::Succeeded).await;
    assert_eq!(db.last_run(object).await.recording_parts, 2);
}

async fn a_part_is_kept_only_under_the_lease(db: Db) {
    let object = db.one_object().await;
    db.record_next(object, true).await.unwrap();
    let claim = db.start(object).await;
    let mine = part(&claim, b"mine");
    assert!(db.keep_recording("host-2", claim.lease, &mine, MOST).await.unwrap().is_err(), "another host");
    let again = db.next_slice(&claim).await;
    assert!(db.keep_recording(ME, claim.lease, &mine, MOST).await.unwrap().is_err(), "an older claim");
    assert_eq!(db.parts(&claim).await, [0_i64; 0]);
    db.end(&again, Outcome::Succeeded).await;
    assert!(db.keep_recording(ME, again.lease, &mine, MOST).await.unwrap().is_err(), "the run is over");
    assert_eq!(db.count("recordings").await, 0);
}

async fn the_newest_parts_are_kept_when_a_run_says_too_much(db: Db) {
    let object = db.one_object().await;
    db.record_next(object, true).await.unwrap();
    let mut claim = db.start(object).await;
    for kept in [&[1][..], &[1, 2], &[2, 3], &[3, 4]] {
        // 40 bytes of text each, and room for two.
        db.keep_recording(ME, claim.lease, &part(&claim, b"four"), 99).await.unwrap().unwrap();
        assert_eq!(db.parts(&claim).await, kept);
        claim = db.next_slice(&claim).await;
    }
}

async fn a_recording_goes_with_its_run_and_after_a_week_anyway(db: Db) {
    let object = db.one_object().await;
    db.record_next(object, true).await.unwrap();
    let claim = db.start(object).await;
    db.keep_recording(ME, claim.lease, &part(&claim, b"one"), MOST).await.unwrap().unwrap();
    db.end(&claim, Outcome::Succeeded).await;
    db.pass(DAY * 6).await;
    assert_eq!(db.prune(DAY * 30, 100).await.unwrap(), 0);
    db.pass(DAY * 2).await;
    assert_eq!(db.prune(DAY * 30, 100).await.unwrap(), 1, "the part");
    let run = db.last_run(object).await;
    assert_eq!((run.recorded, run.recording_parts), (1, 0));

    db.record_next(object, true).await.unwrap();
    let claim = db.start_again(object).await;
    db.keep_recording(ME, claim.lease, &part(&claim, b"two"), MOST).await.unwrap().unwrap();
    db.end(&claim, Outcome::Succeeded).await;
    // Only its run is old enough to go.
    let run = claim.lease.run;
    db.execute(&format!("UPDATE runs SET finished_at = finished_at - 9000000000 WHERE id = {run}")).await;
    db.prune(DAY * 30, 100).await.unwrap();
    assert_eq!((db.count("recordings").await, db.count(&format!("runs WHERE id = {run}")).await), (0, 0));
}
