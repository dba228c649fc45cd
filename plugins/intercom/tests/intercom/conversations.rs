//! Search windows that count in seconds.

use serde_json::json;
use syncline_sdk::Error;

use crate::mini::Mini;
use crate::world::{HOUR, MINUTE, row};

#[test]
fn a_first_run_searches_from_the_beginning() {
    let mut mini = Mini::new("tickets");
    for id in 1..=1_000 {
        mini.world().now += 700;
        mini.write([id], "old");
    }
    mini.pass(HOUR);
    let run = mini.sync();
    mini.assert_truth();
    assert_eq!((run.interactions.len(), mini.http.count()), (1_000, 7));
}

#[test]
fn a_run_without_a_change_costs_one_request() {
    let mut mini = Mini::synced("conversations", 500);
    mini.pass(30 * MINUTE);
    let run = mini.sync();
    assert_eq!((run.pages, run.interactions.len(), mini.http.count()), (1, 0, 1));
}

#[test]
fn every_page_of_a_window_asks_the_very_same_query() {
    let mut mini = Mini::synced("conversations", 500);
    mini.write(1..=500, "new");
    mini.pass(2 * MINUTE);
    mini.sync();
    mini.assert_truth();
    let searches = mini.searches();
    assert_eq!(searches.len(), 4);
    assert!(searches.iter().all(|body| body["query"] == searches[0]["query"] && body["sort"] == searches[0]["sort"]));
    let operators: Vec<_> = searches[0]["query"]["value"].as_array().unwrap().iter().map(|q| &q["operator"]).collect();
    assert_eq!(operators, [">", "="], "the second itself, whether > includes it or not");
}

#[test]
fn more_records_than_a_page_with_one_stamp_are_all_read() {
    let mut mini = Mini::synced("conversations", 2_000);
    mini.write(1..=2_000, "mass update");
    mini.pass(2 * MINUTE);
    let run = mini.sync();
    mini.assert_truth();
    assert_eq!(run.interactions.len(), 2_000, "each once");
}

#[test]
fn records_that_change_while_they_are_paged_are_met_again_and_none_is_skipped() {
    let mut mini = Mini::synced("conversations", 1_000);
    mini.write(1..=1_000, "new");
    mini.pass(2 * MINUTE);
    mini.world().before_each(|request, world| {
        if request > 1 {
            for id in 0..50 {
                world.write("conversations", (request as u64 - 2) * 50 + id + 1, "newer");
            }
        }
    });
    mini.sync();
    mini.world().before_each(|_, _| {});
    assert!(
        (600..=1_000).all(|id: u64| mini.landed[&id.to_string()]["name"] != "old"),
        "nothing behind the changes is lost"
    );
    mini.pass(2 * MINUTE);
    mini.sync();
    mini.assert_truth();
}

#[test]
fn a_window_ends_although_records_change_faster_than_it_is_paged() {
    let mut mini = Mini::synced("conversations", 1_000);
    mini.pass(HOUR);
    mini.world().before_each(|_, world| {
        for id in 1..=400 {
            world.write("conversations", id, "restless");
        }
    });
    mini.sync();
    assert!(mini.http.count() <= 2, "{} requests", mini.http.count());
    mini.world().before_each(|_, _| {});
    mini.pass(2 * MINUTE);
    mini.sync();
    mini.assert_truth();
}

#[test]
fn a_forgotten_place_begins_the_same_window_again_where_it_had_come_to() {
    let mut mini = Mini::synced("conversations", 1_000);
    for id in 1..=1_000 {
        mini.world().now += 5_000;
        mini.write([id], "new");
    }
    mini.pass(2 * HOUR);
    let began = mini.cursor_field("since").as_u64().unwrap();
    mini.world().before_each(|request, world| world.amnesia = request == 4);
    mini.sync();
    assert_eq!(mini.rewinds, 1);
    mini.assert_truth();
    let since = |body: &serde_json::Value| body["query"]["value"][0]["value"].as_u64().unwrap();
    let searches = mini.searches();
    assert_eq!(since(&searches[3]), began);
    assert!(since(&searches[4]) > began + 2_000, "not from the window's beginning");
}

#[test]
fn the_first_answers_date_freezes_the_window_and_the_next_begins_one_overlap_before_its_end() {
    let mut mini = Mini::synced("conversations", 400);
    mini.write(1..=400, "new");
    mini.pass(5 * MINUTE);
    let first = (mini.world().now + 200) / 1_000;
    mini.world().before_each(|request, world| {
        if request == 2 {
            world.now += HOUR;
        }
    });
    mini.sync();
    assert_eq!(mini.cursor_field("since"), json!(first - 60 - 600));
}

#[test]
fn a_clock_that_went_back_moves_no_watermark_back() {
    let mut mini = Mini::synced("conversations", 3);
    let since = mini.cursor_field("since");
    mini.world().now -= HOUR;
    mini.sync();
    assert_eq!(mini.cursor_field("since"), since);
}

#[test]
fn an_answer_that_is_not_in_order_is_refused() {
    let mut mini = Mini::synced("conversations", 2);
    mini.pass(HOUR);
    let page = {
        let mut world = mini.world();
        let mut old = |ago: u64| {
            let updated = world.now / 1_000 - ago;
            let record = world.record("conversations", 1);
            record.updated = updated;
            row("conversations", ago, record)
        };
        json!({"type": "conversation.list", "conversations": [old(2_000), old(3_000)], "pages": {"next": null}})
    };
    mini.world().answers = vec![syncline_sdk::testing::json(200, &page)];
    assert!(matches!(mini.try_sync(), Err(Error::Unexpected(m)) if m.contains("sorted")));
}

#[test]
fn a_record_found_by_an_older_stamp_than_it_has_is_no_disorder() {
    let mut mini = Mini::synced("conversations", 2);
    mini.pass(HOUR);
    let page = {
        let mut world = mini.world();
        let now = world.now / 1_000;
        let mut at = |id: u64, updated: u64| {
            let record = world.record("conversations", 1);
            record.updated = updated;
            row("conversations", id, record)
        };
        let rows = [at(1, now - 5), at(2, now - 3_000), at(3, now - 2_000)];
        json!({"type": "conversation.list", "conversations": rows, "pages": {"next": null}})
    };
    mini.world().answers = vec![syncline_sdk::testing::json(200, &page)];
    assert_eq!(mini.sync().interactions.len(), 3);
}

#[test]
fn many_short_runs_with_writes_between_them_lose_nothing() {
    for (object, zone) in [("contacts", -8), ("contacts", 13), ("conversations", 0), ("tickets", 0)] {
        let mut mini = Mini::synced(object, 300);
        mini.world().zone = zone * 3_600;
        mini.world().lag = 3 * MINUTE;
        let mut state = 7_u64;
        for round in 0..60 {
            for _ in 0..25 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                mini.world().now += 700;
                mini.write([(state >> 33) % 400 + 1], &format!("round {round}"));
            }
            mini.pass((state >> 40) % (90 * MINUTE));
            mini.sync();
        }
        mini.pass(30 * MINUTE);
        mini.sync();
        mini.assert_truth();
    }
}
