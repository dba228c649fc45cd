//! Exports by cursor.

use serde_json::{Value, json};
use syncline_sdk::{Error, State};

use crate::mini::{HOUR, MINUTE, Mini};

fn synced(object: &'static str, count: u64) -> Mini {
    let mut mini = Mini::new(object);
    for id in 1..=count {
        mini.world().write(object, id, "old");
    }
    mini.pass(2 * MINUTE);
    mini.sync();
    mini.assert_truth();
    mini
}

fn at(mini: &Mini) -> Value {
    serde_json::from_str(mini.cursor.as_ref().unwrap()).unwrap()
}

#[test]
fn two_thousand_five_hundred_tickets_of_one_second_are_read_each_once() {
    let mut mini = Mini::new("tickets");
    for id in 1..=2_500 {
        mini.world().write("tickets", id, "old");
    }
    mini.pass(HOUR);
    let reading = mini.sync();
    mini.assert_truth();
    assert_eq!((reading.interactions.len(), mini.http.count()), (2_500, 3));
}

#[test]
fn the_token_is_kept_at_the_end_of_the_stream_and_start_time_is_sent_only_once() {
    let mut mini = synced("tickets", 3);
    assert_eq!(mini.asked("start_time"), [Some("946684800".to_owned())]);
    let place = at(&mini)["after"].clone();
    for _ in 0..3 {
        mini.pass(10 * MINUTE);
        let reading = mini.sync();
        assert_eq!((reading.interactions.len(), mini.http.count()), (0, 1), "an idle run costs one request");
        assert_eq!(mini.asked("start_time"), [None]);
        assert_eq!(mini.asked("cursor"), [Some(place.as_str().unwrap().to_owned())]);
    }
    mini.world().write("tickets", 2, "new");
    mini.pass(2 * MINUTE);
    mini.sync();
    mini.assert_truth();
}

#[test]
fn an_empty_account_keeps_its_start_time_until_there_is_a_token() {
    let mut mini = Mini::new("tickets");
    mini.config = json!({"subdomain": "birch", "start_date": "2026-01-01"});
    mini.sync();
    assert_eq!(at(&mini), json!({"v": 1, "start": 1_767_225_600, "last": 0, "restarts": 0}));
    mini.world().write("tickets", 1, "first");
    mini.pass(2 * MINUTE);
    mini.sync();
    assert_eq!(mini.asked("start_time"), [Some("1767225600".to_owned())]);
    mini.assert_truth();
}

#[test]
fn what_changed_in_the_last_minute_is_met_by_the_next_run() {
    let mut mini = synced("tickets", 3);
    mini.world().write("tickets", 3, "just now");
    mini.sync();
    assert_eq!(mini.landed["3"], "old");
    mini.pass(MINUTE);
    mini.sync();
    mini.assert_truth();
}

#[test]
fn a_ticket_that_the_system_touched_is_read_although_its_updated_at_is_old() {
    let mut mini = synced("tickets", 3);
    mini.pass(HOUR);
    mini.world().touch(2, "an SLA was breached");
    mini.pass(2 * MINUTE);
    let reading = mini.sync();
    mini.assert_truth();
    let record = &reading.interactions[0];
    assert_eq!(record.updated_at.as_deref(), Some("2026-03-01T10:00:00Z"), "the older of its two stamps");
    assert_eq!(record.version, Some(at(&mini)["last"].to_string()), "the stamp of the export");
}

#[test]
fn tickets_that_change_while_they_are_paged_are_not_skipped() {
    let mut mini = Mini::new("tickets");
    for id in 1..=1_000 {
        mini.world().write("tickets", id, "old");
    }
    mini.pass(2 * MINUTE);
    mini.config = json!({"subdomain": "birch", "page_size": 100});
    mini.world().before_each(|request, world| {
        for id in 0..50 {
            world.write("tickets", (request as u64 * 50 + id) % 1_000 + 1, "changed");
        }
    });
    mini.sync();
    mini.world().before_each(|_, _| {});
    mini.pass(2 * MINUTE);
    mini.sync();
    mini.assert_truth();
}

#[test]
fn a_refused_token_goes_back_to_the_newest_row_and_not_to_the_beginning() {
    let mut mini = synced("tickets", 500);
    mini.pass(HOUR);
    mini.world().write("tickets", 7, "new");
    mini.pass(2 * MINUTE);
    mini.sync();
    let last = at(&mini)["last"].as_u64().unwrap();
    mini.world().write("tickets", 9, "newer");
    mini.pass(2 * MINUTE);
    mini.world().tokens_dead = true;
    let Err(Error::CursorExpired(Some(restart))) = mini.try_sync() else {
        panic!("the token is dead");
    };
    mini.world().tokens_dead = false;
    mini.cursor = Some(restart);
    let reading = mini.sync();
    assert_eq!(mini.asked("start_time"), [Some((last - 120).to_string())]);
    assert_eq!(reading.interactions.len(), 2, "the one of before again, and the new one");
    mini.assert_truth();
}

#[test]
fn the_cursors_of_a_second_attempt_differ_from_those_of_the_first() {
    let mut mini = synced("tickets", 1);
    mini.world().tokens_dead = true;
    let mut restart = |from: Option<String>| {
        mini.cursor = from;
        match mini.try_sync() {
            Err(Error::CursorExpired(Some(cursor))) => cursor,
            other => panic!("{other:?}"),
        }
    };
    let first = restart(Some(r#"{"v":1,"start":5,"after":"9-9","last":900}"#.to_owned()));
    assert_eq!(first, r#"{"v":1,"start":780,"last":900,"restarts":1}"#);
    assert_ne!(restart(Some(r#"{"v":1,"start":780,"after":"9-9","last":900,"restarts":1}"#.to_owned())), first);
}

#[test]
fn deleted_tickets_and_users_become_tombstones() {
    for object in ["tickets", "users"] {
        let mut mini = synced(object, 5);
        mini.world().delete(object, 4);
        mini.pass(2 * MINUTE);
        let reading = mini.sync();
        mini.assert_truth();
        let record = &reading.interactions[0];
        assert_eq!((record.id.as_str(), &record.state, record.data.as_str()), ("4", &State::Deleted, ""));
        assert_eq!(record.updated_at.as_deref(), Some("2026-03-01T10:02:00Z"));
    }
}

#[test]
fn a_user_erased_for_good_and_a_scrubbed_ticket_are_tombstones_too() {
    let mut mini = Mini::new("users");
    mini.world().write("users", 1, "Permanently Deleted User");
    mini.world().set("users", 1, "permanently_deleted", true.into());
    mini.pass(2 * MINUTE);
    assert_eq!(mini.sync().interactions[0].state, State::Deleted);

    let mut mini = Mini::new("tickets");
    mini.world().write("tickets", 1, "SCRUBBED");
    mini.world().set("tickets", 1, "status", "deleted".into());
    mini.pass(2 * MINUTE);
    assert_eq!(mini.sync().interactions[0].state, State::Deleted);
}

#[test]
fn a_suspended_user_and_a_merged_ticket_still_exist() {
    let mut mini = synced("users", 2);
    mini.world().set("users", 2, "suspended", true.into());
    mini.cursor = None;
    mini.sync();
    assert!(mini.landed.contains_key("2"));

    let mut mini = Mini::new("tickets");
    mini.world().write("tickets", 1, "loser");
    mini.world().set("tickets", 1, "tags", json!(["closed_by_merge"]));
    mini.world().set("tickets", 1, "status", "closed".into());
    mini.pass(2 * MINUTE);
    mini.sync();
    assert_eq!(mini.landed["1"], "loser");
}

#[test]
fn a_page_that_is_too_large_is_asked_for_in_smaller_pieces() {
    let mut mini = Mini::new("tickets");
    for id in 1..=100 {
        mini.world().write("tickets", id, &"x".repeat(10_000));
    }
    mini.world().body_cap = 800_000;
    mini.pass(2 * MINUTE);
    mini.sync();
    mini.assert_truth();
    let limits: Vec<String> = mini.asked("per_page").into_iter().flatten().collect();
    assert_eq!(limits[..3], ["1000", "250", "62"]);
}

#[test]
fn a_ticket_keeps_the_very_text_that_zendesk_sent() {
    let mut mini = Mini::new("tickets");
    let text = r#"{ "id":7, "subject":"\u00e9","big":12345678901234567890.10,"tags":null,"generated_timestamp":5}"#;
    let body = format!(r#"{{"tickets":[{text}],"after_cursor":"a","end_of_stream":true}}"#);
    mini.world().answers = vec![syncline_sdk::testing::text(200, body)];
    let reading = mini.sync();
    assert_eq!((reading.interactions[0].id.as_str(), reading.interactions[0].data.as_str()), ("7", text));
}

#[test]
fn a_start_date_within_the_last_minute_waits_until_it_is_past() {
    let mut mini = Mini::new("tickets");
    mini.config = json!({"subdomain": "birch", "start_date": "2026-03-01T09:59:30Z"});
    mini.world().before_each(|_, world| world.now += MINUTE / 3);
    let reading = mini.sync();
    assert_eq!((reading.waited, reading.interactions.len()), (60, 0));
}
