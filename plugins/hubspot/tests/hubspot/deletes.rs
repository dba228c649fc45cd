//! Deletes and merges.

use serde_json::json;
use syncline_sdk::State;

use crate::mini::{HOUR, MINUTE, Mini};

fn synced(companies: u64) -> Mini {
    let mut mini = Mini::new();
    for id in 1..=companies {
        mini.world().write(id, "old");
    }
    mini.pass(2 * HOUR);
    mini.sync();
    mini
}

#[test]
fn archived_records_become_tombstones_at_the_next_walk() {
    let mut mini = synced(300);
    for id in (2..=300).step_by(2) {
        mini.world().archive(id);
    }
    mini.pass(61 * MINUTE);
    let reading = mini.sync();
    mini.assert_truth();
    assert_eq!(mini.http.count(), 3, "one search, two pages of the archived list");
    assert_eq!(reading.interactions[0].state, State::Deleted);
    assert!(reading.interactions[0].updated_at.is_some());
}

#[test]
fn the_archived_list_is_walked_only_when_it_is_due() {
    let mut mini = synced(3);
    for _ in 0..5 {
        mini.pass(10 * MINUTE);
        mini.sync();
        assert_eq!(mini.http.count(), 1);
    }
    mini.pass(11 * MINUTE);
    mini.sync();
    assert_eq!(mini.http.count(), 2);
    mini.pass(10 * MINUTE);
    mini.sync();
    assert_eq!(mini.http.count(), 1, "the walk is remembered");
}

#[test]
fn what_was_archived_long_before_the_first_run_is_not_emitted() {
    let mut mini = Mini::new();
    mini.config = json!({"archived_every_seconds": 0});
    mini.world().write(1, "old");
    mini.world().write(2, "old");
    mini.world().archive(1);
    mini.pass(2 * HOUR);
    let reading = mini.sync();
    assert_eq!(reading.interactions.len(), 1);
    mini.assert_truth();
}

#[test]
fn a_record_archived_while_the_full_read_goes_on_gets_its_tombstone() {
    let mut mini = Mini::new();
    for id in 1..=500 {
        mini.world().write(id, "old");
    }
    mini.pass(2 * HOUR);
    mini.world().before_each(|request, world| {
        if request == 3 {
            world.archive(1);
        }
    });
    mini.sync();
    mini.pass(61 * MINUTE);
    mini.sync();
    mini.assert_truth();
}

#[test]
fn a_record_archived_behind_the_walk_is_met_by_the_next_one() {
    let mut mini = synced(500);
    for id in 1..=250 {
        mini.world().archive(id);
    }
    mini.pass(61 * MINUTE);
    mini.world().write(400, "x");
    mini.world().write(1_000, "a late one");
    mini.world().before_each(|request, world| {
        if request == 3 {
            world.archive(400);
        }
    });
    mini.sync();
    mini.pass(61 * MINUTE);
    mini.sync();
    mini.assert_truth();
}

#[test]
fn a_token_that_hubspot_forgot_restarts_the_walk_and_nothing_else() {
    let mut mini = synced(300);
    for id in 1..=150 {
        mini.world().archive(id);
    }
    mini.pass(61 * MINUTE);
    mini.world().dead_tokens = vec!["101".to_owned()];
    let Err(syncline_sdk::Error::CursorExpired(Some(restart))) = mini.try_sync() else {
        panic!("the token is dead");
    };
    mini.world().dead_tokens.clear();
    mini.cursor = Some(restart);
    mini.sync();
    assert_eq!(mini.http.count(), 2, "two pages of the archived list");
    mini.assert_truth();
}

#[test]
fn a_list_of_live_records_in_the_place_of_the_archived_ones_is_refused_and_the_other_way_round() {
    let answer = |archived: bool| {
        let row = json!({"id": "1", "archived": archived, "archivedAt": "2026-03-01T10:00:00Z"});
        syncline_sdk::testing::json(200, &json!({ "results": [row] }))
    };
    let mut mini = synced(3);
    mini.pass(61 * MINUTE);
    mini.cursor = Some(r#"{"v":1,"phase":"archived","lo":0,"walked":0,"started":9}"#.to_owned());
    mini.world().answers = vec![answer(false)];
    assert!(matches!(mini.try_sync(), Err(syncline_sdk::Error::Unexpected(_))));
    mini.cursor = None;
    mini.world().answers = vec![answer(true)];
    assert!(matches!(mini.try_sync(), Err(syncline_sdk::Error::Unexpected(_))));
}

#[test]
fn the_losers_of_a_merge_become_tombstones_of_their_survivor() {
    let mut mini = synced(200);
    mini.world().merge(90, 151);
    mini.world().merge(3, 4);
    mini.pass(2 * MINUTE);
    let reading = mini.sync();
    mini.assert_truth();
    let landed = reading.landed();
    assert_eq!(landed["90"].state, State::MergedInto("151".to_owned()));
    assert_eq!(landed["3"].state, State::MergedInto("4".to_owned()));
}

#[test]
fn the_losers_of_a_contact_are_read_from_both_of_its_properties() {
    let mut mini = Mini::new();
    mini.object = "contacts";
    mini.world().modified = "lastmodifieddate";
    mini.world().write(151, "Ana");
    mini.world().set(151, "hs_merged_object_ids", "90;97");
    mini.world().set(151, "hs_calculated_merged_vids", "97:1571231231;98:1571231232;151:1571231233;");
    let reading = mini.sync();
    let ids: Vec<&str> = reading.landed().keys().copied().collect();
    assert_eq!(ids, ["151", "90", "97", "98"]);
    assert_eq!(reading.landed()["151"].state, State::Present);
}

#[test]
fn a_loser_that_the_search_still_shows_ends_as_a_tombstone() {
    let mut mini = synced(5);
    mini.world().write(5, "a stale row");
    // The survivor already names the loser, which has not left the index.
    mini.world().set(2, "hs_merged_object_ids", "5");
    mini.pass(2 * MINUTE);
    let reading = mini.sync();
    assert_eq!(reading.landed()["5"].state, State::MergedInto("2".to_owned()));
}
