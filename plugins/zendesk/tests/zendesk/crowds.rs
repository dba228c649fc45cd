//! Seconds with more rows than an export by time can show.

use serde_json::{Value, json};
use syncline_sdk::Error;

use crate::mini::{MINUTE, Mini};

fn crowded(count: u64) -> Mini {
    let mini = Mini::new("organizations");
    for id in 1..=count {
        mini.world().write("organizations", id, "one import");
    }
    mini.pass(2_000);
    mini.world().write("organizations", count + 1, "after it");
    mini.pass(2 * MINUTE);
    mini
}

fn phase(cursor: &str) -> Value {
    serde_json::from_str::<Value>(cursor).unwrap()["phase"].clone()
}

#[test]
fn a_second_that_fits_the_largest_page_is_read_with_the_largest_page() {
    let mut mini = crowded(900);
    mini.config = json!({"subdomain": "birch", "page_size": 100});
    mini.sync();
    mini.assert_truth();
    let limits: Vec<String> = mini.asked("per_page").into_iter().flatten().collect();
    assert_eq!(limits[..3], ["100", "100", "1000"]);
    assert!(mini.http.requests().iter().all(|request| request.path().contains("incremental")));
}

#[test]
fn a_second_with_more_rows_than_the_largest_page_is_finished_from_the_list() {
    let mut mini = crowded(2_500);
    mini.sync();
    mini.assert_truth();
    assert_eq!(mini.http.count(), 2 + 26 + 1, "the same page twice, the list, the next second");
}

#[test]
fn the_step_over_a_crowded_second_is_logged() {
    let mini = crowded(1_500);
    let connector = zendesk::Zendesk;
    let harness = syncline_sdk::testing::Harness::new(&connector).config(&mini.config).http(mini.http.clone());
    harness.read_all("organizations", None).unwrap();
    assert!(harness.log().contains("more organizations share the second 1772359200"));
}

#[test]
fn a_second_too_large_for_the_largest_page_is_finished_from_the_list_as_well() {
    let mut mini = Mini::new("organizations");
    mini.config = json!({"subdomain": "birch", "page_size": 10});
    for id in 1..=200 {
        mini.world().write("organizations", id, &"x".repeat(5_000));
    }
    mini.world().body_cap = 600_000;
    mini.pass(2 * MINUTE);
    mini.sync();
    mini.assert_truth();
}

#[test]
fn a_list_too_large_for_an_answer_is_asked_for_with_fewer_rows() {
    let mut mini = Mini::new("organizations");
    mini.config = json!({"subdomain": "birch", "page_size": 10});
    for id in 1..=200 {
        mini.world().write("organizations", id, &"x".repeat(5_000));
    }
    mini.world().body_cap = 400_000;
    mini.pass(2 * MINUTE);
    mini.sync();
    mini.assert_truth();
    let sizes: Vec<String> = mini.asked("page[size]").into_iter().flatten().collect();
    assert_eq!(sizes[..4], ["100", "25", "100", "25"]);
}

#[test]
fn changes_during_the_way_out_are_met_by_the_export_after_it() {
    let mut mini = crowded(1_500);
    mini.world().before_each(|request, world| {
        world.write("organizations", request as u64 * 40, "meanwhile");
    });
    mini.sync();
    mini.world().before_each(|_, _| {});
    mini.pass(2 * MINUTE);
    mini.sync();
    mini.assert_truth();
}

#[test]
fn a_list_token_that_zendesk_forgot_restarts_the_list_and_nothing_else() {
    let mut mini = crowded(1_500);
    mini.cursor = Some(r#"{"v":1,"phase":"list","second":1772359200,"after":"id-300"}"#.to_owned());
    mini.world().tokens_dead = true;
    let Err(Error::CursorExpired(Some(restart))) = mini.try_sync() else {
        panic!("the token is dead");
    };
    assert_eq!(phase(&restart), "list");
    mini.world().tokens_dead = false;
    mini.cursor = Some(restart);
    mini.sync();
    mini.assert_truth();
}

#[test]
fn a_second_with_too_many_events_is_finished_from_the_tickets() {
    let mut mini = Mini::new("ticket_comments");
    for ticket in 1..=60 {
        mini.world().write("tickets", ticket, "a ticket");
    }
    mini.pass(MINUTE);
    for id in 1..=1_500 {
        mini.world().comment(id % 60 + 1, id, "a bulk job");
    }
    mini.pass(MINUTE);
    mini.world().comment(7, 9_000, "after it");
    // Neither of these can have a comment of that second.
    mini.world().write("tickets", 500, "a later one");
    mini.world().set("tickets", 500, "created_at", "2026-03-01T10:01:30Z".into());
    mini.world().write("tickets", 501, "a deleted one");
    mini.world().set("tickets", 501, "status", "deleted".into());
    mini.pass(2 * MINUTE);
    mini.sync();
    mini.assert_truth();
    let paths: Vec<String> = mini.http.requests().iter().map(|request| request.path().to_owned()).collect();
    assert!(
        !paths.iter().any(|path| path.contains("/500/") || path.contains("/501/")),
        "no request for tickets that cannot matter"
    );
    let asked = paths.iter().filter(|path| path.ends_with("/comments.json")).count();
    assert_eq!(asked, 61, "25 comments at once; ticket 7 has one more than the others");
}

#[test]
fn a_refused_token_on_the_way_through_the_tickets_restarts_that_way() {
    let mut mini = Mini::new("ticket_comments");
    mini.world().write("tickets", 1, "a ticket");
    mini.world().comment(1, 1, "Hello");
    mini.pass(2 * MINUTE);
    mini.cursor = Some(
        r#"{"v":1,"phase":"tickets","second":1772359200,"after":"1772359200-1","queue":[1],"comments_after":"id-9"}"#
            .to_owned(),
    );
    mini.world().tokens_dead = true;
    let Err(Error::CursorExpired(Some(restart))) = mini.try_sync() else {
        panic!("the token is dead");
    };
    assert_eq!(
        serde_json::from_str::<Value>(&restart).unwrap(),
        json!({"v": 1, "phase": "tickets", "second": 1_772_359_200, "ended": false, "restarts": 1})
    );
    mini.world().tokens_dead = false;
    mini.cursor = Some(restart);
    mini.sync();
    mini.assert_truth();
}

#[test]
fn a_ticket_that_is_gone_by_then_is_skipped() {
    let mut mini = Mini::new("ticket_comments");
    mini.cursor = Some(r#"{"v":1,"phase":"tickets","second":1772359200,"ended":true,"queue":[1]}"#.to_owned());
    mini.pass(2 * MINUTE);
    let gone = json!({"error": "RecordNotFound", "description": "Not found"});
    mini.world().answers = vec![syncline_sdk::testing::json(404, &gone)];
    let reading = mini.sync();
    assert_eq!((reading.interactions.len(), phase(&reading.cursor)), (0, json!("time")));
}
