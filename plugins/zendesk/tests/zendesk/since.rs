//! Exports by time.

use serde_json::{Value, json};
use syncline_sdk::State;

use crate::mini::{HOUR, MINUTE, Mini};

fn synced(count: u64) -> Mini {
    let mut mini = Mini::new("organizations");
    for id in 1..=count {
        mini.world().write("organizations", id, "old");
        mini.world().now += 1_000;
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
fn the_rows_of_the_last_second_come_again_and_are_emitted_once() {
    let mut mini = synced(3);
    mini.pass(HOUR);
    let reading = mini.sync();
    assert_eq!((reading.interactions.len(), mini.http.count()), (0, 1), "an idle run costs one request");
    let again = mini.sync();
    assert_eq!(again.interactions.len(), 0, "what is known stays known");
}

#[test]
fn pages_meet_in_a_second_without_a_gap_and_without_an_echo() {
    let mut mini = Mini::new("organizations");
    mini.config = json!({"subdomain": "birch", "page_size": 10});
    for id in 1..=100 {
        mini.world().write("organizations", id, "old");
        // Seven rows a second: no page ends where a second does.
        mini.world().now += if id % 7 == 0 { 1_000 } else { 0 };
    }
    mini.pass(2 * MINUTE);
    let reading = mini.sync();
    mini.assert_truth();
    assert_eq!(reading.interactions.len(), 100, "each once");
}

#[test]
fn a_second_state_in_the_same_second_is_not_taken_for_an_echo() {
    let mut mini = synced(1);
    mini.world().write("organizations", 2, "first");
    mini.pass(2 * MINUTE);
    mini.sync();
    // The same record, the same stamp, another name.
    mini.world().set("organizations", 2, "name", "second".into());
    let reading = mini.sync();
    let data: Value = serde_json::from_str(&reading.landed()["2"].data).unwrap();
    assert_eq!(data["name"], "second");
}

#[test]
fn deleted_organizations_become_tombstones() {
    let mut mini = synced(5);
    mini.world().delete("organizations", 2);
    mini.pass(2 * MINUTE);
    let reading = mini.sync();
    mini.assert_truth();
    assert_eq!(reading.landed()["2"].state, State::Deleted);
}

#[test]
fn a_start_time_that_is_too_recent_is_no_failure() {
    let mut mini = Mini::new("organizations");
    let now = mini.world().second();
    mini.cursor = Some(format!(r#"{{"v":1,"phase":"time","start":{}}}"#, now - 30));
    mini.world().write("organizations", 1, "new");
    mini.world().before_each(|_, world| world.now += MINUTE / 3);
    let reading = mini.sync();
    assert_eq!(reading.waited, 60);
    mini.pass(2 * MINUTE);
    mini.sync();
    mini.assert_truth();
}

#[test]
fn the_text_of_older_accounts_about_five_minutes_is_understood_as_well() {
    let mut mini = synced(2);
    let text = "Too recent start_time. Use a start_time older than 5 minutes";
    mini.world().answers = vec![syncline_sdk::testing::json(422, &json!({"error": text}))];
    let reading = mini.sync();
    assert_eq!((reading.waited, reading.pages), (60, 2));
}

#[test]
fn an_account_that_does_not_say_where_the_stream_ends_is_read_until_a_page_is_short() {
    let mut mini = Mini::new("organizations");
    mini.config = json!({"subdomain": "birch", "page_size": 10});
    mini.world().old_style = true;
    for id in 1..=35 {
        mini.world().write("organizations", id, "old");
        mini.world().now += 1_000;
    }
    mini.pass(2 * MINUTE);
    mini.sync();
    mini.assert_truth();
}

#[test]
fn the_watermark_stays_a_minute_behind_even_if_younger_rows_are_shown() {
    let mut mini = Mini::new("organizations");
    let second = mini.world().second();
    let row = json!({"id": 1, "name": "young", "updated_at": "2026-03-01T09:59:59Z", "deleted_at": null});
    let body = json!({"organizations": [row], "count": 1, "end_time": second - 1, "end_of_stream": true});
    mini.world().answers = vec![syncline_sdk::testing::json(200, &body)];
    mini.sync();
    assert_eq!(at(&mini)["start"], second - 60);
}

#[test]
fn comments_are_taken_out_of_events_and_know_their_ticket() {
    let mut mini = Mini::new("ticket_comments");
    mini.world().write("tickets", 40, "a ticket");
    mini.world().comment(40, 5, "Hello");
    mini.pass(5_000);
    mini.world().comment(40, 6, "Hello again");
    mini.pass(2 * MINUTE);
    let reading = mini.sync();
    mini.assert_truth();
    let data: Value = serde_json::from_str(&reading.landed()["6"].data).unwrap();
    assert_eq!((&data["ticket_id"], &data["body"], &data["id"]), (&json!(40), &json!("Hello again"), &json!(6)));
    assert_eq!(reading.landed()["6"].updated_at.as_deref(), Some("2026-03-01T10:00:05Z"));

    mini.pass(HOUR);
    assert_eq!(mini.sync().interactions.len(), 0);
}

#[test]
fn a_cursor_has_room_for_the_fingerprints_it_keeps() {
    for (count, kept) in [(700, 700), (701, 0)] {
        let mut mini = Mini::new("organizations");
        for id in 1..=count {
            mini.world().write("organizations", id, "old");
        }
        mini.pass(2 * MINUTE);
        // The harness refuses a cursor of more than 16 KiB.
        mini.sync();
        assert_eq!(at(&mini)["seen"].as_array().map_or(0, Vec::len), kept);
        mini.sync();
        mini.assert_truth();
    }
}

#[test]
fn many_short_runs_with_writes_between_them_lose_nothing() {
    for object in ["organizations", "users", "tickets"] {
        let mut mini = Mini::new(object);
        mini.config = json!({"subdomain": "birch", "page_size": 7});
        let mut state = 7_u64;
        for round in 0..60 {
            for _ in 0..25 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let id = (state >> 33) % 200 + 1;
                mini.world().now += (state >> 20) % 1_500;
                mini.world().write(object, id, &format!("round {round}"));
                if state >> 60 == 0 {
                    mini.world().delete(object, id);
                }
            }
            mini.pass((state >> 40) % (3 * MINUTE));
            mini.sync();
        }
        mini.pass(2 * MINUTE);
        mini.sync();
        mini.assert_truth();
    }
}
