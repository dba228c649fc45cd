//! Landing: the newest state of each record, once, with a number in the feed.

use std::collections::BTreeMap;

use syncline::domain::{Interaction, ObjectId, RecordState, batch};
use syncline::process::prepare::{self, Validator};
use syncline::store::landing::{CommittedBatch, Landed, place, version};
use syncline::store::runs::Claim;

use crate::support::Db;

on_both!(
    records_land_with_their_origin_and_show_in_the_feed,
    an_unchanged_record_is_counted_and_keeps_its_place_in_the_feed,
    an_older_state_never_overwrites_a_newer,
    deleted_and_merged_records_leave_tombstones,
    what_cannot_land_is_kept_with_the_reason,
    a_value_that_the_database_cannot_hold_is_bad_data_and_nothing_else_lands,
    two_processors_never_land_one_batch_twice,
    positions_in_the_feed_are_unique_and_grow_with_every_commit,
    a_large_page_lands_as_a_whole,
    interactions_are_listed_page_by_page,
);

/// A record of a page.
pub(super) fn record(id: &str, data: &str) -> Interaction {
    Interaction {
        id: id.to_owned(),
        version: Some("v1".to_owned()),
        updated_at: Some("2026-01-01T00:00:00Z".to_owned()),
        state: RecordState::Present,
        data: data.to_owned(),
    }
}

pub(super) fn gone(id: &str) -> Interaction {
    Interaction { state: RecordState::Deleted, ..record(id, "") }
}

impl Db {
    /// Commits a page of records.
    pub(super) async fn fetch(&self, claim: &Claim, records: &[Interaction]) -> i64 {
        self.commit(claim, "c", batch::encode(records)).await
    }

    /// Lands these batches as a processor does.
    pub(super) async fn land_batches(&self, object: ObjectId, batches: &[CommittedBatch]) -> Option<Landed> {
        let known = self.landing_object(object).await.unwrap().unwrap();
        self.land(&prepare::landing(object, &known, batches, &Validator::AnyObject, 0.5)).await.unwrap()
    }

    /// Lands everything that is committed, in one go.
    pub(super) async fn land_all(&self, object: ObjectId) -> Landed {
        let batches = self.committed_batches(object, 1_000, i64::MAX).await.unwrap();
        self.land_batches(object, &batches).await.expect("nobody else lands")
    }

    /// What landed of an object: one line per record.
    pub(super) async fn landed(&self, object: ObjectId) -> Vec<String> {
        let hash = self.either("encode(content_hash, 'hex')", "lower(hex(content_hash))");
        self.texts(&format!(
            "SELECT external_id || ' ' || version || ' ' || state || ' ' || COALESCE(merged_into, '-') || ' '
                    || COALESCE(CAST(data AS TEXT), '-') || ' ' || {hash}
             FROM interactions WHERE object_id = {object} ORDER BY 1"
        ))
        .await
    }

    /// States by id.
    pub(super) async fn states(&self, object: ObjectId) -> BTreeMap<String, String> {
        let rows = self.interactions(object, "", 1_000).await.unwrap();
        rows.into_iter().map(|row| (row.id, row.state)).collect()
    }
}

async fn records_land_with_their_origin_and_show_in_the_feed(db: Db) {
    let object = db.one_object().await;
    let integration = syncline::domain::IntegrationId(db.row(object).await.integration_id);
    let claim = db.start(object).await;
    db.fetch(&claim, &[record("a", r#"{"n":1}"#), record("b", r#"{"n":2}"#)]).await;
    db.fetch(&claim, &[record("c", r#"{"n":3}"#)]).await;
    assert_eq!(db.land_all(object).await, Landed { inserted: 3, ..Landed::default() });
    let row = db.row(object).await;
    assert_eq!((row.landed_seq, row.cursor_seq), (2, 2));
    assert_eq!(db.unlanded_bytes().await.unwrap(), 0);
    assert_eq!(db.count("batches WHERE state = 'landed' AND payload IS NULL AND landed_at IS NOT NULL").await, 2);
    assert_eq!(db.count(&format!("landed_interactions WHERE run_id = {}", claim.lease.run)).await, 3);

    let feed = db.changes(integration, 0, 10).await.unwrap();
    assert_eq!(feed.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
    let first = &feed[0];
    assert_eq!(
        (first.object.as_str(), first.state.as_str(), first.merged_into.as_deref()),
        ("contacts", "present", None)
    );
    assert_eq!(first.provider_version.as_deref(), Some("v1"));
    assert_eq!(first.provider_updated_at.as_deref(), Some("2026-01-01T00:00:00Z"));
    assert_eq!(serde_json::to_value(first).unwrap()["data"], serde_json::json!({ "n": 1 }));
    let behind = db.changes(integration, feed[1].change_seq, 10).await.unwrap();
    assert_eq!(behind, feed[2..]);
    assert_eq!(db.changes(integration, 0, 1).await.unwrap(), feed[..1]);
}

async fn an_unchanged_record_is_counted_and_keeps_its_place_in_the_feed(db: Db) {
    let object = db.one_object().await;
    let claim = db.start(object).await;
    db.fetch(&claim, &[record("a", r#"{"n":1}"#), record("b", r#"{"n":1}"#)]).await;
    db.land_all(object).await;
    let before = db.interactions(object, "", 10).await.unwrap();
    db.fetch(&claim, &[record("a", r#"{"n":1}"#), record("b", r#"{"n":2}"#)]).await;
    assert_eq!(db.land_all(object).await, Landed { changed: 1, unchanged: 1, ..Landed::default() });
    let after = db.interactions(object, "", 10).await.unwrap();
    assert_eq!(after[0], before[0]);
    assert!(after[1].change_seq > before[1].change_seq);
    assert_eq!(after[1].data.as_str().unwrap().replace(' ', ""), r#"{"n":2}"#);
    let newer = version(2, 0);
    assert_eq!(db.number("SELECT version FROM interactions WHERE external_id = 'a'").await, Some(newer));
}

async fn an_older_state_never_overwrites_a_newer(db: Db) {
    let object = db.one_object().await;
    let claim = db.start(object).await;
    db.fetch(&claim, &[record("a", r#"{"n":1}"#), record("b", r#"{"n":1}"#)]).await;
    db.fetch(&claim, &[record("a", r#"{"n":2}"#)]).await;
    db.fetch(&claim, &[record("a", r#"{"n":2}"#), gone("b")]).await;
    let batches = db.committed_batches(object, 10, i64::MAX).await.unwrap();
    db.land_batches(object, &batches[2..]).await.unwrap();
    let newest = db.landed(object).await;
    let late = db.land_batches(object, &batches[..2]).await.unwrap();
    assert_eq!(late, Landed { stale: 2, ..Landed::default() });
    assert_eq!(db.landed(object).await, newest);
    assert_eq!(db.row(object).await.landed_seq, 3);
}

async fn deleted_and_merged_records_leave_tombstones(db: Db) {
    let object = db.one_object().await;
    let claim = db.start(object).await;
    db.fetch(&claim, &[record("a", "{}"), record("b", "{}"), record("c", "{}")]).await;
    db.land_all(object).await;
    let merged = Interaction { state: RecordState::MergedInto("a".to_owned()), ..record("c", "") };
    db.fetch(&claim, &[gone("b"), merged, gone("never-seen")]).await;
    assert_eq!(db.land_all(object).await, Landed { inserted: 1, changed: 2, ..Landed::default() });
    let rows = db.interactions(object, "", 10).await.unwrap();
    let line = |n: usize| (rows[n].id.as_str(), rows[n].state.as_str(), rows[n].merged_into.as_deref());
    assert_eq!([line(0), line(1)], [("a", "present", None), ("b", "deleted", None)]);
    assert_eq!([line(2), line(3)], [("c", "merged", Some("a")), ("never-seen", "deleted", None)]);
    assert_eq!(rows[1].data.as_str(), None);
    assert_eq!(serde_json::to_value(&rows[1]).unwrap()["data"], serde_json::Value::Null);
    assert_eq!(db.interaction_counts(object).await.unwrap(), (1, 3, 0));
    // And back again.
    db.fetch(&claim, &[record("b", "{}")]).await;
    assert_eq!(db.land_all(object).await, Landed { changed: 1, ..Landed::default() });
    assert_eq!(db.states(object).await["b"], "present");
}

async fn what_cannot_land_is_kept_with_the_reason(db: Db) {
    let object = db.one_object().await;
    let claim = db.start(object).await;
    let bad = [record("", "{}"), record("a\0", "{}"), record("b", "{\"x\":\"\0\"}"), record("c", r#"{"x":"\ud800"}"#)];
    db.fetch(&claim, &[&bad[..], &[record("ok", "{}")]].concat()).await;
    db.commit(&claim, "c2", Some(vec![9, 9, 9])).await;
    assert_eq!(db.land_all(object).await, Landed { inserted: 1, rejected: 5, ..Landed::default() });
    assert_eq!(db.interaction_counts(object).await.unwrap(), (1, 0, 5));
    let reasons = db
        .texts("SELECT position || ' ' || external_id || ': ' || reason FROM rejected ORDER BY batch_id, position")
        .await;
    assert_eq!(reasons[0], "0 : it has no id");
    assert_eq!(reasons[1], "1 a\u{fffd}: its id contains NUL");
    assert!(reasons[2].starts_with("2 b: its data is not sound JSON"), "{}", reasons[2]);
    assert!(reasons[3].starts_with("3 c: its data is not sound JSON"), "{}", reasons[3]);
    assert_eq!(reasons[4], "0 : batch format 9 is unknown to this host");
    assert_eq!(db.texts("SELECT data FROM rejected WHERE external_id = 'b'").await, ["{\"x\":\"\u{fffd}\"}"]);
    assert_eq!(db.overview().await.unwrap().rejected, 5);
    assert_eq!(db.row(object).await.landed_seq, 2);
}

async fn a_value_that_the_database_cannot_hold_is_bad_data_and_nothing_else_lands(db: Db) {
    let object = db.one_object().await;
    let claim = db.start(object).await;
    db.fetch(&claim, &[record("fit", "{}"), record("unfit", "{}")]).await;
    let batches = db.committed_batches(object, 10, i64::MAX).await.unwrap();
    let known = db.landing_object(object).await.unwrap().unwrap();
    for hostile in [r#"{"a":"\u0000"}"#, r#"{"a":"\ud800"}"#, "{", r#"{"a":"\udc00\ud800"}"#] {
        let mut landing = prepare::landing(object, &known, &batches, &Validator::AnyObject, 0.5);
        landing.rows[1].data = Some(hostile);
        db.accepts(&landing.rows[0]).await.unwrap();
        if db.is_sqlite() {
            continue; // Holds any text.
        }
        let before = db.worker_state().await;
        let error = db.land(&landing).await.unwrap_err();
        assert!(error.is_bad_data() && !error.is_transient(), "{hostile}: {error:?}");
        assert!(db.accepts(&landing.rows[1]).await.unwrap_err().is_bad_data(), "{hostile}");
        assert_eq!(db.worker_state().await, before);
        assert_eq!(db.count("interactions").await, 0);
        assert_eq!(db.count("feeds").await, 0);
    }
    assert_eq!(db.land_all(object).await.inserted, 2);
}

async fn two_processors_never_land_one_batch_twice(db: Db) {
    let object = db.one_object().await;
    let claim = db.start(object).await;
    for n in 0..10 {
        db.fetch(&claim, &[record("a", &format!(r#"{{"n":{n}}}"#)), record(&format!("r{n}"), "{}")]).await;
    }
    let processors: Vec<_> = (0..4)
        .map(|_| {
            let db = db.clone();
            tokio::spawn(async move {
                let (mut inserted, mut landings) = (0, 0);
                loop {
                    let batches = db.committed_batches(object, 3, i64::MAX).await.unwrap();
                    if batches.is_empty() {
                        return (inserted, landings);
                    }
                    if let Some(landed) = db.land_batches(object, &batches).await {
                        inserted += landed.inserted;
                        landings += batches.len();
                    }
                }
            })
        })
        .collect();
    let (mut inserted, mut landings) = (0, 0);
    for processor in processors {
        let (more_inserted, more_landings) = processor.await.unwrap();
        inserted += more_inserted;
        landings += more_landings;
    }
    assert_eq!((inserted, landings), (11, 10));
    assert_eq!(db.row(object).await.landed_seq, 10);
    let newest = db.interactions(object, "", 1).await.unwrap().remove(0);
    assert!(newest.data.as_str().unwrap().contains('9'));
}

async fn positions_in_the_feed_are_unique_and_grow_with_every_commit(db: Db) {
    let customer = db.customer_of("acme").await;
    let (integration, objects) = db.integration_of(customer, &["a", "b"]).await;
    let mut writers = Vec::new();
    for object in objects {
        let claim = db.start(object).await;
        let db = db.clone();
        writers.push(tokio::spawn(async move {
            for page in 0..12 {
                let records: Vec<_> =
                    (0..20).map(|n| record(&format!("{}", n * page % 50), &format!(r#"{{"p":{page}}}"#))).collect();
                db.fetch(&claim, &records).await;
                db.land_all(object).await;
            }
        }));
    }
    // A reader of the feed that never looks back misses nothing.
    let (mut position, mut seen) = (0, BTreeMap::new());
    loop {
        let over = writers.iter().all(tokio::task::JoinHandle::is_finished);
        let changes = db.changes(integration, position, 7).await.unwrap();
        if over && changes.is_empty() {
            break;
        }
        for change in changes {
            assert!(change.change_seq > position);
            position = change.change_seq;
            seen.insert((change.object.clone(), change.id.clone()), change);
        }
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let all = db.changes(integration, 0, 10_000).await.unwrap();
    assert_eq!(all.len(), seen.len());
    assert!(all.iter().all(|row| seen[&(row.object.clone(), row.id.clone())] == *row));
    assert_eq!(db.number("SELECT COUNT(DISTINCT change_seq) FROM interactions").await, Some(all.len() as i64));
    assert!(db.number("SELECT last_seq FROM feeds").await.unwrap() >= position);
}

async fn a_large_page_lands_as_a_whole(db: Db) {
    let object = db.one_object().await;
    let claim = db.start(object).await;
    let records: Vec<_> = (0..1_000).map(|n| record(&format!("{n:04}"), &format!(r#"{{"n":{n}}}"#))).collect();
    db.fetch(&claim, &records).await;
    assert_eq!(db.land_all(object).await, Landed { inserted: 1_000, ..Landed::default() });
    let changed: Vec<_> = (0..777).map(|n| record(&format!("{:04}", n * 2), &format!(r#"{{"n":{n}}}"#))).collect();
    db.fetch(&claim, &changed).await;
    // Record 0 is the same, 499 others have changed, 277 are new.
    let expected = Landed { inserted: 277, changed: 499, unchanged: 1, ..Landed::default() };
    assert_eq!(db.land_all(object).await, expected);
    let landed = CommittedBatch { id: 1, seq: 1, payload: None, sweep_seq: None };
    assert_eq!(db.land_batches(object, &[landed]).await, None, "landed already");
}

async fn interactions_are_listed_page_by_page(db: Db) {
    let object = db.one_object().await;
    let claim = db.start(object).await;
    db.fetch(&claim, &["a", "Z", "ä", "10", "9", "B"].map(|id| record(id, "{}"))).await;
    db.land_all(object).await;
    let (mut after, mut seen) = (String::new(), Vec::new());
    loop {
        let rows = db.interactions(object, &after, 2).await.unwrap();
        let Some(last) = rows.last() else { break };
        after.clone_from(&last.id);
        seen.extend(rows.into_iter().map(|row| row.id));
    }
    assert_eq!(seen, ["10", "9", "B", "Z", "a", "ä"], "the same order on both databases");
}

#[test]
fn a_version_grows_with_the_page_and_remembers_the_place_in_it() {
    assert!(version(3, 7) < version(3, 8) && version(3, 60_000) < version(4, 0));
    assert_eq!((place(version(3, 7)), place(version(9, 0)), place(version(1, 1 << 20))), (7, 0, (1 << 16) - 1));
}
