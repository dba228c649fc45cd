//! The full read.

use serde_json::{Value, json};
use syncline_sdk::Error;

use crate::mini::{HOUR, MINUTE, Mini};

#[test]
fn a_full_read_lists_everything_and_ends_with_one_search() {
    let mut mini = Mini::new();
    for id in 1..=1_234 {
        mini.world().write(id, "old");
    }
    mini.pass(2 * HOUR);
    let reading = mini.sync();
    mini.assert_truth();
    assert_eq!(reading.interactions.len(), 1_234);
    assert_eq!(mini.http.count(), 14, "13 pages of a list, one search");
    assert!(reading.pass_complete);
}

#[test]
fn what_changes_during_a_full_read_is_met_by_the_search_after_it() {
    let mut mini = Mini::new();
    for id in 1..=1_000 {
        mini.world().write(id, "old");
    }
    mini.pass(2 * HOUR);
    mini.world().before_each(|request, world| {
        if request == 6 {
            world.write(3, "changed behind us");
            world.write(2_000, "created ahead of us");
            world.now += 2 * MINUTE;
        }
    });
    mini.sync();
    mini.assert_truth();
}

#[test]
fn a_token_that_hubspot_forgot_restarts_the_full_read_from_its_own_beginning() {
    let mut mini = Mini::new();
    for id in 1..=250 {
        mini.world().write(id, "old");
    }
    mini.world().dead_tokens = vec!["201".to_owned()];
    let Err(Error::CursorExpired(Some(restart))) = mini.try_sync() else {
        panic!("the token is dead");
    };
    mini.pass(3 * HOUR);
    mini.world().archive(250);
    mini.world().dead_tokens.clear();
    mini.cursor = Some(restart);
    mini.landed.insert("250".to_owned(), "read by the first attempt".to_owned());
    mini.sync();
    mini.assert_truth();
}

#[test]
fn the_cursors_of_a_second_attempt_differ_from_those_of_the_first() {
    let mut mini = Mini::new();
    mini.world().write(1, "old");
    let restart = |mini: &mut Mini, from: Option<String>| {
        mini.cursor = from;
        mini.world().answers = vec![syncline_sdk::testing::json(400, &json!({"category": "VALIDATION_ERROR"}))];
        match mini.try_sync() {
            Err(Error::CursorExpired(Some(cursor))) => cursor,
            other => panic!("{other:?}"),
        }
    };
    let dead = r#"{"v":1,"phase":"full","t0":1,"list_after":"9"}"#.to_owned();
    let first = restart(&mut mini, Some(dead));
    let at: Value = serde_json::from_str(&first).unwrap();
    assert_eq!(at, json!({"v": 1, "phase": "full", "t0": 1, "restarts": 1}));
    let again = r#"{"v":1,"phase":"full","t0":1,"list_after":"9","restarts":1}"#.to_owned();
    assert_ne!(restart(&mut mini, Some(again)), first);
}

#[test]
fn a_cursor_of_another_layout_is_expired() {
    for text in ["", "garbage", r#"{"v":2,"phase":"full"}"#, r#"{"v":1,"phase":"sideways"}"#] {
        let mut mini = Mini::new();
        mini.cursor = Some(text.to_owned());
        assert_eq!(mini.try_sync().unwrap_err(), Error::CursorExpired(None), "{text}");
    }
}

#[test]
fn a_record_keeps_the_very_text_that_hubspot_sent() {
    let mut mini = Mini::new();
    let text = r#"{ "id":"7", "properties":{"name":"\u00e9","amount":"1.10"},"big":12345678901234567890.10, "updatedAt":"2026-03-01T10:30:00.5Z"}"#;
    let body = format!(r#"{{"results":[{text}]}}"#);
    mini.world().answers = vec![syncline_sdk::testing::text(200, body)];
    let reading = mini.sync();
    let record = &reading.interactions[0];
    assert_eq!(record.data, text);
    assert_eq!(record.version.as_deref(), Some("2026-03-01T10:30:00.5Z"));
    assert_eq!(record.updated_at, record.version);
}

#[test]
fn more_properties_than_a_url_or_a_search_holds_are_read_by_id() {
    let mut mini = Mini::new();
    let extra: Vec<String> = (0..700).map(|n| format!("a_rather_long_property_name_{n:04}")).collect();
    mini.config = json!({"properties": {"companies": extra}});
    for id in 1..=150 {
        mini.world().write(id, "old");
        mini.world().set(id, &extra[699], "here");
    }
    mini.pass(2 * HOUR);
    let reading = mini.sync();
    mini.assert_truth();
    for record in &reading.interactions {
        let data: Value = serde_json::from_str(&record.data).unwrap();
        assert_eq!(data["properties"][&extra[699]], "here");
    }

    for id in 1..=150 {
        mini.world().write(id, "new");
    }
    mini.pass(2 * MINUTE);
    mini.sync();
    mini.assert_truth();
}

#[test]
fn a_page_that_is_too_large_is_asked_for_in_smaller_pieces() {
    let mut mini = Mini::new();
    for id in 1..=100 {
        mini.world().write(id, &"x".repeat(10_000));
    }
    mini.world().body_cap = 400_000;
    mini.pass(2 * HOUR);
    mini.sync();
    mini.assert_truth();
    let limits: Vec<String> = mini.http.requests().iter().filter_map(|request| request.query("limit")).collect();
    assert_eq!(limits[..2], ["100", "25"]);
}
